"""The real engine in the simulated cloud: from an event to the rules, through the queue."""

import json
from collections.abc import Sequence

import pytest

from ringfence.core.audit_events import HookCompleted
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import POLICIES_ARE_NEW, Permanent
from ringfence.core.events import Event, TrueUp
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from ringfence_lab.sim.engine.function import Function

EAST, WEST = "us-east-1", "us-west-2"


@pytest.fixture
def cloud() -> Cloud:
    cloud = Cloud([EAST, WEST])
    cloud.region(EAST).auto_scaling_group("db", desired=2)
    cloud.region(WEST).auto_scaling_group("db-west", desired=1)
    for home in (EAST, WEST, EAST):
        cloud.invoke(home, {"trueup": True})
    return cloud


@pytest.fixture
def group(cloud: Cloud) -> AutoScalingGroup:
    return cloud.region(EAST).groups["db"]


def test_true_ups_open_every_region_to_every_member(cloud: Cloud) -> None:
    members = {
        address for region in cloud.regions.values() for address in region.ec2.holders if address.startswith("198.18.")
    }

    assert len(members) == 3
    for region in cloud.regions.values():
        assert region.admitted() == members


def test_the_event_in_the_queue_admits_a_launch(cloud: Cloud, group: AutoScalingGroup) -> None:
    group.scale_to(3)

    invocation = cloud.poll(EAST)

    assert invocation is not None
    assert [event.result for event in invocation.audit_events if isinstance(event, HookCompleted)] == ["CONTINUE"]
    assert set(group.listed().values()) == {"InService"}
    assert len(cloud.region(WEST).admitted()) == 4
    assert cloud.poll(EAST) is None


def test_a_quiet_true_up_changes_nothing(cloud: Cloud) -> None:
    before = len(cloud.calls)

    cloud.invoke(EAST, {"trueup": True})

    assert [str(call) for call in cloud.calls[before:] if call.mutating] == []


def test_a_message_that_may_succeed_later_stays_in_the_queue(cloud: Cloud, group: AutoScalingGroup) -> None:
    group.scale_to(3)
    fault = cloud.fault(Effect.THROTTLE, operation="DescribeAutoScalingGroups")
    cloud.poll(EAST)
    assert "Pending:Wait" in group.listed().values()

    cloud.heal(fault)
    assert cloud.poll(EAST) is None  # not visible yet
    cloud.clock.advance(180)
    cloud.poll(EAST)

    assert set(group.listed().values()) == {"InService"}


def test_a_message_that_can_never_succeed_becomes_a_dead_letter(cloud: Cloud, group: AutoScalingGroup) -> None:
    group.scale_to(3)
    cloud.fault(Effect.DENY, operation="DescribeAutoScalingGroups")
    cloud.clock.advance(POLICIES_ARE_NEW)

    invocation = cloud.poll(EAST)

    assert invocation is not None
    assert isinstance(invocation.error, Permanent)
    assert len(cloud.region(EAST).queue.dead_letters) == 1
    assert not cloud.region(EAST).queue.messages


def test_a_killed_function_leaves_its_messages_in_the_queue(cloud: Cloud, group: AutoScalingGroup) -> None:
    group.scale_to(3)
    cloud.fault(Effect.KILL_AFTER, operation="AuthorizeSecurityGroupIngress", times=1)

    cloud.poll(EAST)
    assert len(cloud.region(EAST).queue.messages) == 1
    cloud.clock.advance(180)
    cloud.poll(EAST)

    assert set(group.listed().values()) == {"InService"}


def test_the_schedule_repairs_a_lost_event(cloud: Cloud, group: AutoScalingGroup) -> None:
    cloud.region(EAST).events.fate = lambda _: ()
    group.scale_to(3)
    assert cloud.poll(EAST) is None

    cloud.region(EAST).events.schedule()
    cloud.poll(EAST)

    assert set(group.listed().values()) == {"InService"}


POISON = ['{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "[" * 8000, '{"a": NaN}', '{"a": 1e999}', "x" * 262_144]


@pytest.mark.parametrize("body", POISON, ids=lambda body: body[:12])
def test_poison_is_a_dead_letter_and_the_launch_behind_it_is_served_in_the_same_invocation(
    cloud: Cloud, group: AutoScalingGroup, body: str
) -> None:
    queue = cloud.region(EAST).queue
    queue.send(body)
    group.scale_to(3)

    cloud.poll(EAST)

    assert set(group.listed().values()) == {"InService"}
    assert not queue.messages
    (letter,) = queue.dead_letters
    assert letter.body == body
    assert letter.reason.startswith("the message ")


@pytest.mark.parametrize(
    "detail", [{"LifecycleActionToken": "x"}, {"EC2InstanceId": "*"}, {"EC2InstanceId": "i-" + "0" * 9000}]
)
def test_a_forged_launch_with_an_invalid_id_costs_the_real_one_nothing(
    cloud: Cloud, group: AutoScalingGroup, detail: dict[str, str]
) -> None:
    group.scale_to(3)
    (real,) = cloud.region(EAST).queue.messages
    event = json.loads(real.body)
    cloud.region(EAST).queue.send(json.dumps({**event, "detail": event["detail"] | detail}))

    cloud.poll(EAST)

    assert set(group.listed().values()) == {"InService"}
    (letter,) = cloud.region(EAST).queue.dead_letters
    assert next(iter(detail)) in letter.reason


def test_a_true_up_of_an_unknown_group_buries_itself_alone(cloud: Cloud, group: AutoScalingGroup) -> None:
    queue = cloud.region(EAST).queue
    queue.send(json.dumps({"trueup": True, "detail": {"AutoScalingGroupName": "typo"}}))
    group.scale_to(3)

    cloud.poll(EAST)

    assert set(group.listed().values()) == {"InService"}
    (letter,) = queue.dead_letters
    assert "typo is none of this Region's groups" in letter.reason
    assert not queue.messages


def test_an_event_that_crashes_the_engine_is_a_dead_letter_and_the_crash_is_raised_at_the_end(
    cloud: Cloud, group: AutoScalingGroup
) -> None:
    # given an engine that a true-up named typo crashes
    def engine(events: Sequence[Event], services: Services, settings: Settings) -> None:
        if any(isinstance(event, TrueUp) and event.group == "typo" for event in events):
            raise ZeroDivisionError
        reconcile(events, services, settings)

    queue = cloud.region(EAST).queue
    queue.send(json.dumps({"trueup": True, "detail": {"AutoScalingGroupName": "typo"}}))
    group.scale_to(3)
    invocation = cloud.invocation(EAST)
    # when
    with pytest.raises(ZeroDivisionError):
        Function(queue, cloud.settings(EAST), engine).consume(
            invocation, cloud.engine_services(EAST, invocation), queue.receive()
        )
    # then
    assert set(group.listed().values()) == {"InService"}
    assert [letter.reason for letter in queue.dead_letters] == ["the engine failed on it with ZeroDivisionError: "]
    assert not queue.messages


def test_a_direct_invoke_of_a_malformed_event_raises(cloud: Cloud) -> None:
    with pytest.raises(Permanent, match="malformed"):
        cloud.invoke(EAST, {"trueup": True, "confirm": 7})


def test_a_direct_invoke_for_an_unknown_group_raises(cloud: Cloud) -> None:
    with pytest.raises(Permanent, match="none of this Region's groups"):
        cloud.invoke(EAST, {"trueup": True, "detail": {"AutoScalingGroupName": "other"}})
