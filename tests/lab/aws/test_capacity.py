"""How an Auto Scaling group reaches its desired capacity."""

from collections.abc import Callable

import pytest

from tests.lab.aws.emulated import GROUP, LAUNCHING, TERMINATING, EmulatedAws, refused


@pytest.fixture
def group_of_two(aws: EmulatedAws) -> EmulatedAws:
    aws.create_group(DesiredCapacity=2)
    return aws


def zone_of(aws: EmulatedAws, instance_id: str) -> str:
    zone: str = aws.instance(instance_id)["Placement"]["AvailabilityZone"]
    return zone


def test_without_hooks_instances_enter_service_immediately(aws: EmulatedAws) -> None:
    aws.create_group()

    aws.scale_to(3)

    assert list(aws.states().values()) == ["InService"] * 3
    assert len(aws.events_of("EC2 Instance Launch Successful")) == 3


def test_launches_are_spread_over_the_availability_zones(group_of_two: EmulatedAws) -> None:
    zones = {zone_of(group_of_two, id) for id in group_of_two.states()}

    assert zones == {"us-east-1a", "us-east-1b"}


def test_instances_have_the_tags_of_their_group(aws: EmulatedAws) -> None:
    tag = {"Key": "team", "Value": "storage", "PropagateAtLaunch": True}
    aws.create_group(DesiredCapacity=1, Tags=[tag])

    tags = {tag["Key"]: tag["Value"] for tag in aws.instance(aws.only_instance())["Tags"]}

    assert (tags["aws:autoscaling:groupName"], tags["team"]) == (GROUP, "storage")


def test_scale_in_terminates_the_oldest_instance_of_the_fullest_zone(aws: EmulatedAws) -> None:
    aws.create_group()
    for desired in (1, 2, 3, 4):
        aws.scale_to(desired)
    alone, oldest_of_two, gone, youngest = aws.states()
    aws.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=gone, ShouldDecrementDesiredCapacity=True)

    aws.scale_to(2)

    assert zone_of(aws, alone) == "us-east-1a"
    assert zone_of(aws, youngest) == "us-east-1b"
    assert list(aws.states()) == [alone, youngest]
    assert aws.instance(oldest_of_two)["State"]["Name"] == "terminated"


def test_protected_instances_are_not_scaled_in(group_of_two: EmulatedAws) -> None:
    kept, _ = group_of_two.states()
    group_of_two.autoscaling.set_instance_protection(
        AutoScalingGroupName=GROUP, InstanceIds=[kept], ProtectedFromScaleIn=True
    )

    group_of_two.scale_to(0)

    assert list(group_of_two.states()) == [kept]


def test_scale_in_can_terminate_a_launching_instance(aws: EmulatedAws) -> None:
    aws.create_group()
    aws.put_hook("admit", LAUNCHING)
    aws.put_hook("release", TERMINATING)
    aws.scale_to(1)
    instance_id = aws.only_instance()

    aws.scale_to(0)

    assert aws.states() == {instance_id: "Terminating:Wait"}
    assert refused(lambda: aws.complete("admit", instance_id))[0] == "ValidationError"


def test_the_timeout_of_a_launch_does_not_end_the_termination_after_it(aws: EmulatedAws) -> None:
    aws.create_group()
    aws.put_hook("admit", LAUNCHING, HeartbeatTimeout=60)
    aws.put_hook("release", TERMINATING, HeartbeatTimeout=600)
    aws.scale_to(1)
    instance_id = aws.only_instance()
    aws.scale_to(0)

    aws.clock.advance(60)

    assert aws.states() == {instance_id: "Terminating:Wait"}


@pytest.mark.parametrize(("desired", "word"), [(11, "above max value 10"), (0, "below min value 1")])
def test_a_capacity_out_of_bounds_is_refused(aws: EmulatedAws, desired: int, word: str) -> None:
    aws.create_group(MinSize=1)

    code, message = refused(lambda: aws.scale_to(desired))

    assert (code, len(aws.states())) == ("ValidationError", 1)
    assert word in message


def test_narrower_bounds_change_the_capacity(group_of_two: EmulatedAws) -> None:
    group_of_two.autoscaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=4)
    grown = len(group_of_two.states())
    group_of_two.autoscaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=0, MaxSize=1)

    assert (grown, len(group_of_two.states())) == (4, 1)


def test_a_scaling_policy_stops_at_the_maximum(group_of_two: EmulatedAws) -> None:
    group_of_two.autoscaling.put_scaling_policy(
        AutoScalingGroupName=GROUP, PolicyName="out", AdjustmentType="ChangeInCapacity", ScalingAdjustment=50
    )

    group_of_two.autoscaling.execute_policy(PolicyName="out")

    assert len(group_of_two.states()) == 10


def test_an_instance_that_is_terminated_without_decrement_is_replaced(group_of_two: EmulatedAws) -> None:
    group_of_two.put_hook("release", TERMINATING)
    doomed, kept = group_of_two.states()

    group_of_two.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=doomed, ShouldDecrementDesiredCapacity=False
    )

    states = group_of_two.states()
    assert (states[doomed], states[kept], len(states)) == ("Terminating:Wait", "InService", 3)


def test_a_decrement_below_the_minimum_is_refused(aws: EmulatedAws) -> None:
    aws.create_group(MinSize=1)
    instance_id = aws.only_instance()
    terminate = aws.autoscaling.terminate_instance_in_auto_scaling_group

    code, _ = refused(lambda: terminate(InstanceId=instance_id, ShouldDecrementDesiredCapacity=True))

    assert code == "ValidationError"
    assert aws.states() == {instance_id: "InService"}


def test_terminating_an_instance_twice_decrements_once(group_of_two: EmulatedAws) -> None:
    group_of_two.put_hook("release", TERMINATING)
    doomed, kept = group_of_two.states()

    for _ in range(2):
        group_of_two.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=doomed, ShouldDecrementDesiredCapacity=True
        )

    assert group_of_two.states() == {doomed: "Terminating:Wait", kept: "InService"}
    assert len(group_of_two.events_of("EC2 Instance-terminate Lifecycle Action")) == 1


def test_termination_protection_does_not_keep_an_instance_from_scale_in(group_of_two: EmulatedAws) -> None:
    for instance_id in group_of_two.states():
        group_of_two.ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": True})

    group_of_two.scale_to(0)

    assert group_of_two.states() == {}


def test_an_instance_outside_of_groups_cannot_be_terminated_in_one(aws: EmulatedAws) -> None:
    loose = aws.run_instance()
    terminate = aws.autoscaling.terminate_instance_in_auto_scaling_group

    code, _ = refused(lambda: terminate(InstanceId=loose, ShouldDecrementDesiredCapacity=False))

    assert (code, aws.instance(loose)["State"]["Name"]) == ("ValidationError", "running")


def set_unhealthy(aws: EmulatedAws, instance_id: str) -> None:
    aws.autoscaling.set_instance_health(InstanceId=instance_id, HealthStatus="Unhealthy")


def terminate_in_ec2(aws: EmulatedAws, instance_id: str) -> None:
    aws.ec2.terminate_instances(InstanceIds=[instance_id])


def stop_in_ec2(aws: EmulatedAws, instance_id: str) -> None:
    aws.ec2.stop_instances(InstanceIds=[instance_id])


@pytest.mark.parametrize("fall_ill", [set_unhealthy, terminate_in_ec2, stop_in_ec2])
def test_an_unhealthy_instance_is_terminated_through_its_hooks_and_replaced(
    group_of_two: EmulatedAws, fall_ill: Callable[[EmulatedAws, str], None]
) -> None:
    group_of_two.put_hook("release", TERMINATING)
    ill, healthy = group_of_two.states()

    fall_ill(group_of_two, ill)
    waiting = group_of_two.states()
    group_of_two.complete("release", ill)

    assert (waiting[ill], waiting[healthy], len(waiting)) == ("Terminating:Wait", "InService", 3)
    assert ill not in group_of_two.states()
    assert len(group_of_two.states()) == 2


def test_suspended_processes_do_not_launch_or_terminate(group_of_two: EmulatedAws) -> None:
    group_of_two.autoscaling.suspend_processes(
        AutoScalingGroupName=GROUP, ScalingProcesses=["Launch", "Terminate", "ReplaceUnhealthy"]
    )
    before = group_of_two.states()

    group_of_two.scale_to(5)
    group_of_two.scale_to(0)
    set_unhealthy(group_of_two, next(iter(before)))

    assert group_of_two.states() == before


def test_a_group_with_instances_is_deleted_only_by_force(group_of_two: EmulatedAws) -> None:
    delete = group_of_two.autoscaling.delete_auto_scaling_group

    assert refused(lambda: delete(AutoScalingGroupName=GROUP))[0] == "ResourceInUse"
    assert len(group_of_two.states()) == 2


def test_deletion_by_force_runs_no_hooks_and_ends_waiting_actions(group_of_two: EmulatedAws) -> None:
    group_of_two.put_hook("admit", LAUNCHING)
    group_of_two.put_hook("release", TERMINATING)
    group_of_two.scale_to(3)
    instance_ids = list(group_of_two.states())
    group_of_two.events.clear()

    group_of_two.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    group_of_two.clock.advance(3600)

    assert group_of_two.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert {group_of_two.instance(id)["State"]["Name"] for id in instance_ids} == {"terminated"}
    assert {event.type for event in group_of_two.events} == {"EC2 Instance Terminate Successful"}


def test_a_second_group_of_the_same_name_is_refused(group_of_two: EmulatedAws) -> None:
    template = group_of_two.group()["LaunchTemplate"]
    create = group_of_two.autoscaling.create_auto_scaling_group
    asked = {"AutoScalingGroupName": GROUP, "MinSize": 0, "MaxSize": 1, "AvailabilityZones": ["us-east-1a"]}

    code, _ = refused(lambda: create(**asked, LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"]}))

    assert (code, len(group_of_two.states())) == ("AlreadyExists", 2)


def test_a_refused_launch_sends_an_event(aws: EmulatedAws) -> None:
    aws.create_group(template={"SecurityGroupIds": ["sg-0123456789abcdef0"]})

    aws.scale_to(1)

    [event] = aws.events
    assert (event.type, event.detail["StatusCode"]) == ("EC2 Instance Launch Unsuccessful", "Failed")
    assert "sg-0123456789abcdef0" in event.detail["StatusMessage"]


def test_installing_twice_equals_installing_once(aws: EmulatedAws) -> None:
    aws.install()
    aws.create_group()
    aws.put_hook("admit", LAUNCHING)

    aws.scale_to(1)

    assert len(aws.events) == 1
    assert list(aws.states().values()) == ["Pending:Wait"]
