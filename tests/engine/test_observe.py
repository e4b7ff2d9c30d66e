"""`Mode=observe`: everything is looked at and said, no rule is changed, and no instance is held for a moment."""

from collections.abc import Iterator

import pytest

from ringfence.core.audit_events import HookCompleted, RuleUnwanted, RuleWanted
from ringfence.core.configuration.settings import Mode
from ringfence.core.errors import RingfenceError
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST, settled

CHANGES = {
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
}


@pytest.fixture
def fresh() -> Cloud:
    """Two Regions with two members each, and no rule yet."""
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    return cloud


def changes(cloud: Cloud) -> Iterator[str]:
    return (str(call) for call in cloud.calls if call.operation in CHANGES)


def test_it_says_what_it_would_add_and_adds_nothing(fresh: Cloud) -> None:
    # given a peer whose members are known
    observe = {region: fresh.settings(region, mode=Mode.OBSERVE) for region in fresh.regions}
    fresh.invoke(WEST, TRUE_UP, observe[fresh.region(WEST).name])
    # when
    seen = fresh.invoke(EAST, TRUE_UP, observe[fresh.region(EAST).name])
    # then
    wanted = {entry.opening.cidr for entry in seen.audit_events if isinstance(entry, RuleWanted)}
    assert len(wanted) == 4
    assert not list(changes(fresh))


def test_it_says_what_it_would_remove_and_removes_nothing(cloud: Cloud) -> None:
    # given a member that was let go, in a cluster that was in sync before it is only observed
    east = cloud.region(EAST)
    group = east.groups["db"]
    settings = cloud.settings(EAST, mode=Mode.OBSERVE)
    leaving = next(iter(group.listed()))
    # when
    group.terminate(leaving, decrement=True)
    seen = cloud.poll(EAST, settings)
    # then
    assert seen is not None
    assert {entry.label.instance for entry in seen.audit_events if isinstance(entry, RuleUnwanted) and entry.label} == {
        leaving
    }
    assert leaving not in group.listed()
    assert not list(changes(cloud))


def test_a_launch_is_let_in_though_it_has_no_address_and_its_table_is_down(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    east.ec2.assigns_public_addresses = False
    cloud.fault(Effect.FAIL, region=EAST, service="dynamodb")
    east.groups["db"].scale_to(3)
    # when
    cloud.poll(EAST, cloud.settings(EAST, mode=Mode.OBSERVE))
    # then
    assert set(east.groups["db"].listed().values()) == {"InService"}


def test_nobody_waits_though_nothing_can_be_described(cloud: Cloud) -> None:
    cloud.fault(Effect.FAIL, region=EAST, operation="DescribeAutoScalingGroups")
    cloud.region(EAST).groups["db"].scale_to(1)
    cloud.poll(EAST, cloud.settings(EAST, mode=Mode.OBSERVE))
    assert len(cloud.region(EAST).groups["db"].listed()) == 1


def test_who_waits_and_of_whom_no_event_told_is_let_go_by_the_true_up(cloud: Cloud) -> None:
    # given
    group = cloud.region(EAST).groups["db"]
    group.scale_to(3)
    cloud.region(EAST).queue.delete(cloud.region(EAST).queue.receive())
    # when
    seen = cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, mode=Mode.OBSERVE))
    # then
    assert [entry.was_active for entry in seen.audit_events if isinstance(entry, HookCompleted)] == [True]
    assert set(group.listed().values()) == {"InService"}


def test_a_hook_that_cannot_be_answered_is_said_and_left_to_the_redelivery(cloud: Cloud) -> None:
    fault = cloud.fault(Effect.FAIL, region=EAST, operation="CompleteLifecycleAction")
    settings = cloud.settings(EAST, mode=Mode.OBSERVE)
    group = cloud.region(EAST).groups["db"]
    group.scale_to(3)
    seen = cloud.poll(EAST, settings)
    assert seen is not None
    assert isinstance(seen.error, RingfenceError)
    cloud.heal(fault)
    cloud.clock.advance(3600 * 0.2)
    cloud.poll(EAST, settings)
    assert set(group.listed().values()) == {"InService"}


def test_the_groups_of_a_region_that_is_only_observed_are_changed_by_no_other(fresh: Cloud) -> None:
    # given an observed Region in the east, and an owning one in the west
    observe = fresh.settings(EAST, mode=Mode.OBSERVE)
    for _ in range(2):
        fresh.invoke(EAST, TRUE_UP, observe)
        fresh.invoke(WEST, TRUE_UP)
    # when the west scales
    fresh.region(WEST).groups["db"].scale_to(3)
    fresh.poll(WEST)
    # then
    assert not fresh.region(EAST).admitted()
    assert len(fresh.region(WEST).admitted()) == 5
    assert set(fresh.region(WEST).groups["db"].listed().values()) == {"InService"}


def test_once_it_owns_it_does_what_it_said(fresh: Cloud) -> None:
    for region in fresh.regions:
        fresh.invoke(region, TRUE_UP, fresh.settings(region, mode=Mode.OBSERVE))
    settled(fresh)
    assert all(len(region.admitted()) == 4 for region in fresh.regions.values())
