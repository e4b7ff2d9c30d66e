"""Events that Auto Scaling never sent: they cause a look, and admit, remove and answer nothing."""

from collections.abc import Callable

import pytest

from ringfence.core.audit_events import HookCompleted
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId
from ringfence_lab.sim.aws.history import ActionCompleted, RowWritten, RuleMade, RuleRevoked
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST, settled
from tests.engine.outsider import assert_launch_is_served, assert_only_members_are_admitted, at, drain, forge, members

PLACES = [
    (origin, destination)
    for origin in ("EC2", "AutoScalingGroup", "WarmPool", "Mars", None)
    for destination in ("EC2", "AutoScalingGroup", "WarmPool", "Mars", None)
]
KINDS = ["launch", "terminate"]


def looks(cloud: Cloud) -> int:
    return sum(call.operation == "DescribeAutoScalingGroups" for call in cloud.calls)


def stranger(cloud: Cloud, group: str | None = None) -> tuple[InstanceId, Cidr]:
    """An instance that is not in the group, and its public address."""
    instance = cloud.region(EAST).ec2.launch(group)
    (address,) = instance.addresses[AddressKind.PUBLIC_IPV4]
    return instance.id, address


# Strangers.


@pytest.mark.parametrize(("origin", "destination"), PLACES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tag", [None, "cache"])
def test_no_forged_event_admits_a_stranger_at_any_time(
    cloud: Cloud, tag: str | None, kind: str, origin: str | None, destination: str | None
) -> None:
    # given
    instance, address = stranger(cloud, tag)
    # when
    forge(cloud, EAST, instance, kind, Origin=origin, Destination=destination)
    assert_launch_is_served(cloud, EAST)
    forge(cloud, EAST, instance, kind, Origin=origin, Destination=destination, LifecycleActionToken=None)
    assert_launch_is_served(cloud, EAST)
    # then
    made = {
        change.rule.opening.cidr for change in cloud.history if isinstance(change, RuleMade) and change.rule.opening
    }
    assert address not in made


@pytest.mark.parametrize("kind", KINDS)
def test_the_events_of_strangers_leave_no_trace_in_a_row(cloud: Cloud, kind: str) -> None:
    # given
    known, _ = stranger(cloud)
    for number in range(8):
        forge(cloud, EAST, f"i-{number:017x}", kind)
    forge(cloud, EAST, known, kind)
    # when
    drain(cloud, EAST)
    # then
    assert not any(isinstance(change, RowWritten | RuleMade | RuleRevoked) for change in cloud.history)


@pytest.mark.parametrize("moment", ["past", "future", "none", "nonsense"])
def test_an_event_without_a_credible_time_is_not_looked_at_again(cloud: Cloud, moment: str) -> None:
    # given
    now = cloud.clock.now()
    times: dict[str, object] = {"past": at(now - 61), "future": at(now + 60), "none": None, "nonsense": "tomorrow"}
    cloud.region(EAST).events.fate = lambda _: ()  # only forged events arrive
    instance = next(iter(cloud.region(EAST).groups["db"].listed()))
    event = {
        "source": "aws.autoscaling",
        "detail-type": "EC2 Instance-terminate Lifecycle Action",
        "time": times[moment],
        "detail": {
            "AutoScalingGroupName": "db",
            "EC2InstanceId": instance,
            "LifecycleHookName": "ringfence-demo-terminate",
            "LifecycleActionToken": "00000000-0000-4000-8000-00000000dead",
        },
    }
    # when
    cloud.invoke(EAST, event)
    # then
    assert looks(cloud) == 1
    assert not any(isinstance(change, RowWritten | RuleRevoked) for change in cloud.history)


# Members.


@pytest.mark.parametrize(("origin", "destination"), PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_forged_events_of_all_members_remove_none(kind: str, origin: str | None, destination: str | None) -> None:
    # given twelve members
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=12 if region.name == EAST else 1)
    settled(cloud)
    for instance in cloud.region(EAST).groups["db"].listed():
        forge(cloud, EAST, instance, kind, Origin=origin, Destination=destination)
    # when
    invocations = drain(cloud, EAST)
    # then
    assert all(invocation.error is None for invocation in invocations)
    assert len(members(cloud)) == 13
    assert not any(isinstance(change, RuleRevoked | RuleMade | RowWritten) for change in cloud.history)
    assert not any(isinstance(change, ActionCompleted) for change in cloud.history)
    # when / then
    assert_launch_is_served(cloud, EAST)


def test_a_member_is_not_released_by_a_forged_termination_at_the_next_true_up(cloud: Cloud) -> None:
    for instance in cloud.region(EAST).groups["db"].listed():
        forge(cloud, EAST, instance, "terminate")
    drain(cloud, EAST)
    for _ in range(3):
        cloud.clock.advance(61)
        cloud.invoke(EAST, TRUE_UP)
        cloud.invoke(WEST, TRUE_UP)
    assert not any(isinstance(change, RuleRevoked) for change in cloud.history)
    assert_only_members_are_admitted(cloud)


@pytest.mark.parametrize("origin", ["EC2", "WarmPool"])
def test_a_forged_launch_admits_no_instance_of_the_warm_pool(cloud: Cloud, origin: str) -> None:
    # given
    group = cloud.region(EAST).groups["db"]
    group.put_warm_pool(1, "Warmed:Running")
    drain(cloud, EAST)
    (pooled,) = [id for id, state in group.pooled().items() if state == "Warmed:Running"]
    cloud.history.clear()
    # when every minute again
    for _ in range(3):
        forge(cloud, EAST, pooled, Origin=origin)
        cloud.poll(EAST)
        cloud.clock.advance(60)
    # then
    assert not any(isinstance(change, RuleMade) for change in cloud.history)
    assert_only_members_are_admitted(cloud)


# Hooks.


@pytest.mark.parametrize("token", ["deadbeef-dead-4ead-8ead-deadbeefdead", None])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [True, False], ids=["before the real event", "after the real event"])
def test_a_forged_event_does_not_hide_a_real_launch(cloud: Cloud, first: bool, kind: str, token: str | None) -> None:
    # given a real launch, and a forged event for the same instance in the same batch
    east = cloud.region(EAST)
    group, known = east.groups["db"], set(east.groups["db"].listed())
    group.scale_to(3)
    (instance,) = group.listed().keys() - known
    forge(cloud, EAST, instance, kind, LifecycleActionToken=token)
    if first:
        east.queue.messages.reverse()
    # when
    cloud.poll(EAST)
    # then
    assert set(group.listed().values()) == {"InService"}
    assert_only_members_are_admitted(cloud)


@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_event_does_not_hide_a_real_termination(cloud: Cloud, kind: str) -> None:
    # given
    group = cloud.region(EAST).groups["db"]
    leaving = next(iter(group.listed()))
    group.terminate(leaving, decrement=True)
    forge(cloud, EAST, leaving, kind)
    # when
    cloud.poll(EAST)
    # then
    assert leaving not in group.listed()
    assert_only_members_are_admitted(cloud)


def test_a_forged_event_answers_no_hook_of_an_instance_that_waits_for_an_address(cloud: Cloud) -> None:
    # given an instance that waits for its address
    east = cloud.region(EAST)
    east.ec2.assigns_public_addresses = False
    group, known = east.groups["db"], set(east.groups["db"].listed())
    group.scale_to(3)
    cloud.poll(EAST)
    (waiting,) = group.listed().keys() - known
    # when
    for kind in KINDS:
        forge(cloud, EAST, waiting, kind)
    invocation = cloud.poll(EAST)
    # then
    assert group.listed()[waiting] == "Pending:Wait"
    assert invocation is not None
    assert not any(isinstance(event, HookCompleted) for event in invocation.audit_events)


def test_a_real_launch_behind_many_forged_events_is_served_within_a_look_for_each_batch(cloud: Cloud) -> None:
    # given
    listed = list(cloud.region(EAST).groups["db"].listed())
    for number in range(40):
        forge(cloud, EAST, listed[number % 2] if number % 4 == 0 else f"i-{number:017x}", KINDS[number % 2])
    cloud.region(EAST).groups["db"].scale_to(3)
    began = cloud.clock.now()
    # when
    invocations = drain(cloud, EAST)
    # then
    assert cloud.clock.now() - began <= 3 * len(invocations) <= 3 * 5
    assert set(cloud.region(EAST).groups["db"].listed().values()) == {"InService"}
    assert_only_members_are_admitted(cloud)


# Second looks.


def lag(cloud: Cloud, times: int, *operations: str) -> None:
    """Lets the first answers of the operations in EAST be ten seconds old."""
    cloud.clock.advance(60)
    for operation in operations:
        cloud.fault(Effect.STALE, region=EAST, operation=operation, seconds=10, times=times)


LISTING, DESCRIPTION = "DescribeAutoScalingGroups", "DescribeInstances"


@pytest.mark.parametrize(("times", "seconds"), [(1, 1.5), (2, 3.0)])
def test_a_launch_that_aws_does_not_show_yet_is_served_after_a_second_look(
    cloud: Cloud, times: int, seconds: float
) -> None:
    # given; the instance is described by tag and by id, so twice in the first look
    lag(cloud, times, LISTING)
    cloud.fault(Effect.STALE, region=EAST, operation=DESCRIPTION, seconds=10, times=times + 1)
    group = cloud.region(EAST).groups["db"]
    group.scale_to(3)
    began = cloud.clock.now()
    # when
    cloud.poll(EAST)
    # then
    assert cloud.clock.now() - began == seconds
    assert set(group.listed().values()) == {"InService"}
    assert_only_members_are_admitted(cloud)


def test_a_launch_with_the_tag_of_its_group_needs_no_second_look(cloud: Cloud) -> None:
    lag(cloud, 1, LISTING)
    cloud.region(EAST).groups["db"].scale_to(3)
    cloud.poll(EAST)
    assert looks(cloud) == 1
    assert set(cloud.region(EAST).groups["db"].listed().values()) == {"InService"}


def test_a_termination_that_aws_does_not_show_yet_is_served_after_a_second_look(cloud: Cloud) -> None:
    # given
    lag(cloud, 1, LISTING, DESCRIPTION)
    group = cloud.region(EAST).groups["db"]
    group.scale_to(1)
    began = cloud.clock.now()
    # when
    cloud.poll(EAST)
    # then
    assert (cloud.clock.now() - began, looks(cloud)) == (1.5, 2)
    assert len(group.listed()) == 1
    assert_only_members_are_admitted(cloud)


@pytest.mark.parametrize("change", [lambda group: group.scale_to(3), lambda group: group.scale_to(1)])
def test_what_aws_does_not_show_within_three_seconds_is_decided_by_the_next_true_up(
    cloud: Cloud, change: Callable[[object], None]
) -> None:
    # given answers that stay older than the change
    lag(cloud, 99, LISTING, DESCRIPTION)
    group = cloud.region(EAST).groups["db"]
    before = dict(group.listed())
    change(group)
    began = cloud.clock.now()
    # when
    invocation = cloud.poll(EAST)
    # then the hook holds the instance, and the message is not delivered again
    assert invocation is not None
    assert (invocation.error, cloud.clock.now() - began, looks(cloud)) == (None, 3.0, 3)
    assert group.listed() != before
    assert cloud.poll(EAST) is None
    # when
    cloud.heal()
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert set(group.listed().values()) == {"InService"}
    assert_only_members_are_admitted(cloud)


def test_all_attempts_of_a_reconcile_share_the_second_looks(cloud: Cloud) -> None:
    # given a forged event, and another invocation that is faster in each attempt but the last
    for _ in range(3):
        cloud.region(EAST).table.recreate()
    forge(cloud, EAST, next(iter(cloud.region(EAST).groups["db"].listed())), "terminate")
    began = cloud.clock.now()
    # when
    cloud.poll(EAST)
    # then
    assert cloud.clock.now() - began <= 3
