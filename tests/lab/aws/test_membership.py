"""Attaching, detaching and standby, which run no hooks.

Source: Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling lifecycle hooks", the note to the table of events.
"""

import pytest

from tests.lab.aws.emulated import GROUP, LAUNCHING, TERMINATING, EmulatedAws, refused


@pytest.fixture
def hooked(aws: EmulatedAws) -> EmulatedAws:
    """A group with one instance in service and a hook for each transition."""
    aws.create_group(DesiredCapacity=1)
    aws.put_hook("admit", LAUNCHING)
    aws.put_hook("release", TERMINATING)
    aws.events.clear()
    return aws


def detach(aws: EmulatedAws, instance_id: str, *, decrement: bool) -> None:
    aws.autoscaling.detach_instances(
        AutoScalingGroupName=GROUP, InstanceIds=[instance_id], ShouldDecrementDesiredCapacity=decrement
    )


def enter_standby(aws: EmulatedAws, instance_id: str, *, decrement: bool) -> None:
    aws.autoscaling.enter_standby(
        AutoScalingGroupName=GROUP, InstanceIds=[instance_id], ShouldDecrementDesiredCapacity=decrement
    )


def test_an_attached_instance_is_in_service_without_a_hook(hooked: EmulatedAws) -> None:
    loose = hooked.run_instance()

    hooked.autoscaling.attach_instances(AutoScalingGroupName=GROUP, InstanceIds=[loose])

    assert hooked.states()[loose] == "InService"
    assert (hooked.group()["DesiredCapacity"], hooked.events) == (2, [])
    assert {"Key": "aws:autoscaling:groupName", "Value": GROUP} in hooked.instance(loose)["Tags"]


def test_attaching_beyond_the_maximum_is_refused(aws: EmulatedAws) -> None:
    aws.create_group(MaxSize=1, DesiredCapacity=1)
    attach = aws.autoscaling.attach_instances

    code, _ = refused(lambda: attach(AutoScalingGroupName=GROUP, InstanceIds=[aws.run_instance()]))

    assert (code, len(aws.states())) == ("ValidationError", 1)


@pytest.mark.parametrize("unfit", ["a member", "stopped"])
def test_an_instance_that_cannot_be_attached_is_refused(hooked: EmulatedAws, unfit: str) -> None:
    instance_id = hooked.only_instance() if unfit == "a member" else hooked.run_instance()
    if unfit == "stopped":
        hooked.ec2.stop_instances(InstanceIds=[instance_id])
    attach = hooked.autoscaling.attach_instances

    code, _ = refused(lambda: attach(AutoScalingGroupName=GROUP, InstanceIds=[instance_id]))

    assert (code, hooked.group()["DesiredCapacity"], len(hooked.states())) == ("ValidationError", 1, 1)


def test_a_detached_instance_continues_to_run(hooked: EmulatedAws) -> None:
    instance_id = hooked.only_instance()

    detach(hooked, instance_id, decrement=True)

    assert (hooked.states(), hooked.group()["DesiredCapacity"]) == ({}, 0)
    assert hooked.instance(instance_id)["State"]["Name"] == "running"
    assert "aws:autoscaling:groupName" not in {tag["Key"] for tag in hooked.instance(instance_id).get("Tags", [])}
    assert [event.type for event in hooked.events] == ["EC2 Instance Detach Successful"]


def test_an_instance_detached_without_decrement_is_replaced(hooked: EmulatedAws) -> None:
    instance_id = hooked.only_instance()

    detach(hooked, instance_id, decrement=False)

    assert instance_id not in hooked.states()
    assert list(hooked.states().values()) == ["Pending:Wait"]


def test_a_detached_instance_can_be_attached_again(hooked: EmulatedAws) -> None:
    instance_id = hooked.only_instance()
    detach(hooked, instance_id, decrement=True)

    hooked.autoscaling.attach_instances(AutoScalingGroupName=GROUP, InstanceIds=[instance_id])

    assert hooked.states() == {instance_id: "InService"}


@pytest.mark.parametrize(("decrement", "others"), [(True, []), (False, ["Pending:Wait"])])
def test_standby_is_replaced_unless_the_capacity_is_decremented(
    hooked: EmulatedAws, decrement: bool, others: list[str]
) -> None:
    instance_id = hooked.only_instance()

    enter_standby(hooked, instance_id, decrement=decrement)

    states = hooked.states()
    assert states.pop(instance_id) == "Standby"
    assert list(states.values()) == others


def test_an_instance_returns_from_standby_without_a_hook(hooked: EmulatedAws) -> None:
    instance_id = hooked.only_instance()
    enter_standby(hooked, instance_id, decrement=True)

    hooked.autoscaling.exit_standby(AutoScalingGroupName=GROUP, InstanceIds=[instance_id])

    assert (hooked.states(), hooked.group()["DesiredCapacity"]) == ({instance_id: "InService"}, 1)
    assert hooked.events == []


def test_an_instance_in_standby_can_be_stopped(hooked: EmulatedAws) -> None:
    instance_id = hooked.only_instance()
    enter_standby(hooked, instance_id, decrement=True)

    hooked.ec2.stop_instances(InstanceIds=[instance_id])

    assert hooked.states() == {instance_id: "Standby"}
    assert "PublicIpAddress" not in hooked.instance(instance_id)


def test_an_operation_on_an_unknown_instance_is_refused(hooked: EmulatedAws) -> None:
    stranger = hooked.run_instance()

    assert refused(lambda: detach(hooked, stranger, decrement=False))[0] == "ValidationError"
    assert refused(lambda: enter_standby(hooked, stranger, decrement=False))[0] == "ValidationError"
    assert len(hooked.states()) == 1
