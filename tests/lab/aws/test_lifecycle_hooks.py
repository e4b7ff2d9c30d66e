"""Lifecycle hooks that hold instances, through the API."""

from collections.abc import Callable

import pytest

from tests.lab.aws.emulated import GROUP, LAUNCHING, TERMINATING, EmulatedAws, refused

LAUNCH_ACTION = "EC2 Instance-launch Lifecycle Action"
TERMINATE_ACTION = "EC2 Instance-terminate Lifecycle Action"


@pytest.fixture
def hooked(aws: EmulatedAws) -> EmulatedAws:
    """A group without instances that has a hook for each transition."""
    aws.create_group()
    aws.put_hook("admit", LAUNCHING, HeartbeatTimeout=300, DefaultResult="CONTINUE", NotificationMetadata="hello")
    aws.put_hook("release", TERMINATING, HeartbeatTimeout=300, DefaultResult="CONTINUE")
    return aws


@pytest.fixture
def in_service(hooked: EmulatedAws) -> EmulatedAws:
    """The same group with one instance in service."""
    hooked.scale_to(1)
    hooked.complete_all("admit")
    hooked.events.clear()
    return hooked


def test_a_launch_action_sends_an_event_with_all_documented_fields(hooked: EmulatedAws) -> None:
    hooked.scale_to(1)

    [event] = hooked.events
    assert (event.region, event.source, event.type) == ("us-east-1", "aws.autoscaling", LAUNCH_ACTION)
    assert event.resources == [hooked.group()["AutoScalingGroupARN"]]
    assert len(event.detail["LifecycleActionToken"]) == 36
    assert {name: value for name, value in event.detail.items() if name != "LifecycleActionToken"} == {
        "AutoScalingGroupName": GROUP,
        "LifecycleHookName": "admit",
        "EC2InstanceId": hooked.only_instance(),
        "LifecycleTransition": LAUNCHING,
        "NotificationMetadata": "hello",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }


def test_a_finished_launch_sends_an_event_of_success(in_service: EmulatedAws) -> None:
    in_service.scale_to(2)
    in_service.events.clear()
    [launched] = [id for id, state in in_service.states().items() if state == "Pending:Wait"]

    in_service.complete("admit", launched)

    [event] = in_service.events
    assert (event.type, event.detail["EC2InstanceId"]) == ("EC2 Instance Launch Successful", launched)
    assert event.resources == [
        in_service.group()["AutoScalingGroupARN"],
        f"arn:aws:ec2:us-east-1:123456789012:instance/{launched}",
    ]
    assert (event.detail["Origin"], event.detail["Destination"]) == ("EC2", "AutoScalingGroup")
    assert event.detail["Details"]["Subnet ID"] in in_service.subnets


def scale_in(aws: EmulatedAws) -> None:
    aws.scale_to(0)


def update_group(aws: EmulatedAws) -> None:
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=0)


def execute_policy(aws: EmulatedAws) -> None:
    aws.autoscaling.put_scaling_policy(
        AutoScalingGroupName=GROUP, PolicyName="in", AdjustmentType="ChangeInCapacity", ScalingAdjustment=-5
    )
    aws.autoscaling.execute_policy(PolicyName="in")


def terminate_in_group(aws: EmulatedAws) -> None:
    aws.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=aws.only_instance(), ShouldDecrementDesiredCapacity=True
    )


@pytest.mark.parametrize("way", [scale_in, update_group, execute_policy, terminate_in_group])
def test_a_terminating_instance_runs_while_it_waits_for_its_hook(
    in_service: EmulatedAws, way: Callable[[EmulatedAws], None]
) -> None:
    instance_id = in_service.only_instance()

    way(in_service)

    assert in_service.states() == {instance_id: "Terminating:Wait"}
    assert in_service.instance(instance_id)["State"]["Name"] == "running"
    assert "PublicIpAddress" in in_service.instance(instance_id)
    [event] = in_service.events
    assert event.type == TERMINATE_ACTION
    assert (event.detail["Origin"], event.detail["Destination"]) == ("AutoScalingGroup", "EC2")


def test_an_abandoned_launch_is_terminated_and_replaced(hooked: EmulatedAws) -> None:
    hooked.scale_to(1)
    abandoned = hooked.only_instance()
    hooked.events.clear()

    hooked.complete("admit", abandoned, "ABANDON")

    states = hooked.states()
    assert states.pop(abandoned) == "Terminating:Wait"
    assert list(states.values()) == ["Pending:Wait"]
    assert [event.type for event in hooked.events] == [
        "EC2 Instance Launch Unsuccessful",
        TERMINATE_ACTION,
        LAUNCH_ACTION,
    ]


def test_a_transition_continues_only_when_all_its_hooks_continued(hooked: EmulatedAws) -> None:
    hooked.put_hook("warm-up", LAUNCHING)
    hooked.scale_to(1)
    instance_id = hooked.only_instance()
    tokens = {event.detail["LifecycleHookName"]: event.detail["LifecycleActionToken"] for event in hooked.events}

    hooked.complete("admit", instance_id)
    between = hooked.states()[instance_id]
    hooked.complete("warm-up", instance_id)

    assert len(set(tokens.values())) == 2
    assert (between, hooked.states()[instance_id]) == ("Pending:Wait", "InService")


def test_one_abandoned_hook_ends_the_actions_of_all_hooks(hooked: EmulatedAws) -> None:
    hooked.put_hook("warm-up", LAUNCHING)
    hooked.scale_to(1)
    instance_id = hooked.only_instance()

    hooked.complete("warm-up", instance_id, "ABANDON")

    assert hooked.states()[instance_id] == "Terminating:Wait"
    assert refused(lambda: hooked.complete("admit", instance_id))[0] == "ValidationError"


@pytest.mark.parametrize(("default", "state"), [("CONTINUE", "InService"), ("ABANDON", "Terminating:Wait")])
def test_a_timeout_ends_with_the_default_result(hooked: EmulatedAws, default: str, state: str) -> None:
    hooked.put_hook("admit", LAUNCHING, HeartbeatTimeout=60, DefaultResult=default)
    hooked.scale_to(1)
    instance_id = hooked.only_instance()

    hooked.clock.advance(59)
    before = hooked.states()[instance_id]
    hooked.clock.advance(1)

    assert (before, hooked.states()[instance_id]) == ("Pending:Wait", state)


def test_a_recorded_heartbeat_delays_the_timeout(hooked: EmulatedAws) -> None:
    hooked.scale_to(1)
    instance_id = hooked.only_instance()
    hooked.clock.advance(299)

    hooked.autoscaling.record_lifecycle_action_heartbeat(
        AutoScalingGroupName=GROUP, LifecycleHookName="admit", InstanceId=instance_id
    )
    hooked.clock.advance(299)
    late = hooked.states()[instance_id]
    hooked.clock.advance(1)

    assert (late, hooked.states()[instance_id]) == ("Pending:Wait", "InService")


def test_a_heartbeat_does_not_delay_the_timeout_of_another_hook(hooked: EmulatedAws) -> None:
    hooked.put_hook("warm-up", LAUNCHING, HeartbeatTimeout=600, DefaultResult="ABANDON")
    hooked.scale_to(1)
    instance_id = hooked.only_instance()

    for _ in range(3):
        hooked.clock.advance(199)
        hooked.autoscaling.record_lifecycle_action_heartbeat(
            AutoScalingGroupName=GROUP, LifecycleHookName="admit", InstanceId=instance_id
        )
    hooked.clock.advance(2)
    before = hooked.states()[instance_id]
    hooked.clock.advance(1)

    assert (before, hooked.states()[instance_id]) == ("Pending:Wait", "Terminating:Wait")


def test_timers_hold_the_lock_of_requests(aws: EmulatedAws) -> None:
    aws.install(step_seconds=5)
    aws.create_group()
    aws.put_hook("admit", LAUNCHING, HeartbeatTimeout=60, DefaultResult="CONTINUE")
    aws.scale_to(1)
    taken = [aws.lock.taken]

    aws.clock.advance(5)
    taken.append(aws.lock.taken)
    aws.clock.advance(60)
    taken.append(aws.lock.taken)
    aws.clock.advance(5)
    taken.append(aws.lock.taken)

    assert taken == [0, 1, 2, 3]


def test_an_action_can_be_completed_by_its_token(hooked: EmulatedAws) -> None:
    hooked.scale_to(2)
    first = hooked.events[0].detail

    hooked.autoscaling.complete_lifecycle_action(
        AutoScalingGroupName=GROUP,
        LifecycleHookName="admit",
        LifecycleActionToken=first["LifecycleActionToken"],
        LifecycleActionResult="CONTINUE",
    )

    states = hooked.states()
    assert states.pop(first["EC2InstanceId"]) == "InService"
    assert list(states.values()) == ["Pending:Wait"]


def test_an_inactive_action_is_refused_with_the_reported_wording(in_service: EmulatedAws) -> None:
    instance_id = in_service.only_instance()
    token = "f66c3d47-e602-4af0-8edd-d4e4d2fe4620"
    record = in_service.autoscaling.record_lifecycle_action_heartbeat

    by_instance = refused(lambda: in_service.complete("admit", instance_id))
    by_token = refused(lambda: in_service.complete("admit", instance_id, LifecycleActionToken=token))
    heartbeat = refused(
        lambda: record(AutoScalingGroupName=GROUP, LifecycleHookName="admit", LifecycleActionToken=token)
    )

    assert by_instance == ("ValidationError", f"No active Lifecycle Action found with instance ID {instance_id}")
    assert by_token == heartbeat == ("ValidationError", f"No active Lifecycle Action found with token {token}")


def test_an_unknown_group_is_refused(aws: EmulatedAws) -> None:
    code, message = refused(lambda: aws.complete("admit", "i-0123456789abcdef0"))

    assert code == "ValidationError"
    assert message.startswith("AutoScalingGroup name not found")


def test_a_new_or_deleted_hook_affects_later_transitions(hooked: EmulatedAws) -> None:
    hooked.scale_to(1)
    first = hooked.only_instance()

    hooked.put_hook("late", LAUNCHING)
    hooked.complete("admit", first)

    assert hooked.states() == {first: "InService"}


def test_deleting_a_hook_abandons_launches_and_continues_terminations(in_service: EmulatedAws) -> None:
    terminating = in_service.only_instance()
    in_service.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=terminating, ShouldDecrementDesiredCapacity=False
    )
    [launching] = [id for id in in_service.states() if id != terminating]

    in_service.autoscaling.delete_lifecycle_hook(AutoScalingGroupName=GROUP, LifecycleHookName="admit")
    after_admit = in_service.states()
    in_service.autoscaling.delete_lifecycle_hook(AutoScalingGroupName=GROUP, LifecycleHookName="release")

    assert after_admit[launching] == after_admit[terminating] == "Terminating:Wait"
    assert {launching, terminating}.isdisjoint(in_service.states())
    assert in_service.instance(terminating)["State"]["Name"] == "terminated"


def test_hooks_are_described_as_they_were_put(hooked: EmulatedAws) -> None:
    hooked.put_hook("admit", LAUNCHING, HeartbeatTimeout=7200)

    [admit, _] = hooked.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=GROUP)["LifecycleHooks"]

    assert admit == {
        "LifecycleHookName": "admit",
        "AutoScalingGroupName": GROUP,
        "LifecycleTransition": LAUNCHING,
        "NotificationMetadata": "hello",
        "HeartbeatTimeout": 7200,
        "GlobalTimeout": 172800,
        "DefaultResult": "CONTINUE",
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"HeartbeatTimeout": 29},
        {"HeartbeatTimeout": 7201},
        {"DefaultResult": "RETRY"},
        {"LifecycleTransition": "autoscaling:EC2_INSTANCE_SLEEPING"},
    ],
)
def test_an_invalid_hook_is_refused(aws: EmulatedAws, asked: dict[str, object]) -> None:
    aws.create_group()
    whole = {"AutoScalingGroupName": GROUP, "LifecycleHookName": "admit", "LifecycleTransition": LAUNCHING} | asked

    assert refused(lambda: aws.autoscaling.put_lifecycle_hook(**whole))[0] == "ValidationError"
    assert aws.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=GROUP)["LifecycleHooks"] == []


def test_a_group_can_be_created_with_hooks_that_hold_its_first_instances(aws: EmulatedAws) -> None:
    aws.create_group(
        DesiredCapacity=2,
        LifecycleHookSpecificationList=[{"LifecycleHookName": "admit", "LifecycleTransition": LAUNCHING}],
    )

    assert list(aws.states().values()) == ["Pending:Wait", "Pending:Wait"]
    assert len(aws.events_of(LAUNCH_ACTION)) == 2
