"""`Mode=observe`: the engine reports all changes that it would make, changes no rule, and holds no instance."""

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


def test_observe_mode_reports_the_rules_that_it_would_add_and_adds_none(fresh: Cloud) -> None:
    # given a peer whose members are known
    observe = {region: fresh.settings(region, mode=Mode.OBSERVE) for region in fresh.regions}
    fresh.invoke(WEST, TRUE_UP, observe[fresh.region(WEST).name])
    # when
    seen = fresh.invoke(EAST, TRUE_UP, observe[fresh.region(EAST).name])
    # then
    wanted = {event.opening.cidr for event in seen.audit_events if isinstance(event, RuleWanted)}
    assert len(wanted) == 4
    assert not list(changes(fresh))


def test_observe_mode_reports_the_rules_that_it_would_remove_and_removes_none(cloud: Cloud) -> None:
    # given a cluster in sync, whose member terminates in observe mode
    east = cloud.region(EAST)
    group = east.groups["db"]
    settings = cloud.settings(EAST, mode=Mode.OBSERVE)
    leaving = next(iter(group.listed()))
    # when
    group.terminate(leaving, decrement=True)
    seen = cloud.poll(EAST, settings)
    # then
    assert seen is not None
    unwanted = [event for event in seen.audit_events if isinstance(event, RuleUnwanted)]
    assert {event.label.instance for event in unwanted if event.label} == {leaving}
    assert leaving not in group.listed()
    assert not list(changes(cloud))


def test_observe_mode_continues_a_launch_without_an_address_while_the_table_is_down(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    east.ec2.assigns_public_addresses = False
    cloud.fault(Effect.FAIL, region=EAST, service="dynamodb")
    east.groups["db"].scale_to(3)
    # when
    cloud.poll(EAST, cloud.settings(EAST, mode=Mode.OBSERVE))
    # then
    assert set(east.groups["db"].listed().values()) == {"InService"}


def test_observe_mode_continues_a_termination_while_no_describe_succeeds(cloud: Cloud) -> None:
    cloud.fault(Effect.FAIL, region=EAST, operation="DescribeAutoScalingGroups")
    cloud.region(EAST).groups["db"].scale_to(1)
    cloud.poll(EAST, cloud.settings(EAST, mode=Mode.OBSERVE))
    assert len(cloud.region(EAST).groups["db"].listed()) == 1


def test_a_true_up_in_observe_mode_continues_a_launch_whose_event_was_lost(cloud: Cloud) -> None:
    # given
    group = cloud.region(EAST).groups["db"]
    group.scale_to(3)
    cloud.region(EAST).queue.delete(cloud.region(EAST).queue.receive())
    # when
    seen = cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, mode=Mode.OBSERVE))
    # then
    assert [event.was_active for event in seen.audit_events if isinstance(event, HookCompleted)] == [True]
    assert set(group.listed().values()) == {"InService"}


def test_the_next_delivery_answers_a_hook_that_could_not_be_answered(cloud: Cloud) -> None:
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


def test_no_other_region_changes_the_groups_of_a_region_in_observe_mode(fresh: Cloud) -> None:
    # given EAST in observe mode, and WEST in owned mode
    observe = fresh.settings(EAST, mode=Mode.OBSERVE)
    for _ in range(2):
        fresh.invoke(EAST, TRUE_UP, observe)
        fresh.invoke(WEST, TRUE_UP)
    # when WEST scales out
    fresh.region(WEST).groups["db"].scale_to(3)
    fresh.poll(WEST)
    # then
    assert not fresh.region(EAST).admitted()
    assert len(fresh.region(WEST).admitted()) == 5
    assert set(fresh.region(WEST).groups["db"].listed().values()) == {"InService"}


def test_owned_mode_after_observe_mode_makes_the_reported_changes(fresh: Cloud) -> None:
    for region in fresh.regions:
        fresh.invoke(region, TRUE_UP, fresh.settings(region, mode=Mode.OBSERVE))
    settled(fresh)
    assert all(len(region.admitted()) == 4 for region in fresh.regions.values())
