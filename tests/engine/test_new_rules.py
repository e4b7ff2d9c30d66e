"""Old readings of rules: what they hide at a launch and at a release, and which releases need a second look."""

from dataclasses import replace

import pytest

from ringfence.core.audit_events import HookHeld, RuleRemoved
from ringfence.core.freshness import FENCE_SECONDS, SETTLED_SECONDS, STALE_RULES_SECONDS
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Opening
from ringfence.core.plan import Addition
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST, second_look


def launched(cloud: Cloud) -> tuple[AutoScalingGroup, InstanceId, Cidr]:
    """An instance that was admitted just now, with its address."""
    group = cloud.region(EAST).groups["db"]
    before = set(group.listed())
    group.scale_to(3)
    cloud.poll(EAST)
    (id,) = set(group.listed()) - before
    (address,) = cloud.region(EAST).ec2.instances[id].addresses[AddressKind.PUBLIC_IPV4]
    return group, id, address


def is_admitted(cloud: Cloud, address: Cidr) -> bool:
    return any(address in region.admitted() for region in cloud.regions.values())


def test_an_instance_with_new_rules_is_released_on_the_second_clean_reading(cloud: Cloud) -> None:
    # given
    group, id, address = launched(cloud)
    group.terminate(id, decrement=True)
    # when
    first = cloud.poll(EAST)
    # then its door is closed, and it waits
    assert first is not None
    assert not is_admitted(cloud, address)
    assert "second look" in next(event.why for event in first.audit_events if isinstance(event, HookHeld))
    # when a true-up follows too early
    cloud.clock.advance(FENCE_SECONDS - 2)
    cloud.invoke(EAST, TRUE_UP)
    assert group.listed()[id] == "Terminating:Wait"
    # when another one follows
    cloud.clock.advance(3)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert id not in group.listed()


def test_a_long_standing_member_is_released_at_once(cloud: Cloud) -> None:
    group, id, address = launched(cloud)
    cloud.clock.advance(SETTLED_SECONDS)
    group.terminate(id, decrement=True)
    cloud.poll(EAST)
    assert id not in group.listed()
    assert not is_admitted(cloud, address)


def test_a_member_with_a_new_address_has_new_rules(cloud: Cloud) -> None:
    # given
    group = cloud.region(EAST).groups["db"]
    id = next(iter(group.listed()))
    cloud.region(EAST).ec2.assign_public_address(id, elastic=True)
    cloud.invoke(EAST, TRUE_UP)
    # when
    group.terminate(id, decrement=True)
    cloud.poll(EAST)
    # then
    assert group.listed()[id] == "Terminating:Wait"
    second_look(cloud, EAST)
    assert id not in group.listed()


@pytest.mark.parametrize("where", [EAST, WEST])
def test_a_member_whose_rule_a_reading_does_not_show_gets_a_second_look(cloud: Cloud, where: str) -> None:
    # given a long-standing member whose rule was removed by hand, and made again after the reading that is shown
    group, security_group = cloud.region(EAST).groups["db"], cloud.region(where).security_group
    id = next(iter(group.listed()))
    (address,) = cloud.region(EAST).ec2.instances[id].addresses[AddressKind.PUBLIC_IPV4]
    opening = Opening(PortRange("tcp", 9042, 9042), address)
    existing = security_group.admits(opening)
    assert existing is not None
    security_group.revoke_by_hand(existing.id)
    security_group.lag(STALE_RULES_SECONDS)
    cloud.clock.advance(1)
    security_group.authorize([Addition(opening, Label("demo", RosterKey(Region(EAST), "db"), id))], None)
    # when
    group.terminate(id, decrement=True)
    cloud.poll(EAST)
    # then
    assert group.listed()[id] == "Terminating:Wait"
    # when readings catch up before the second look
    security_group.lag(0)
    second_look(cloud, EAST)
    # then
    assert id not in group.listed()
    assert not is_admitted(cloud, address)


@pytest.mark.parametrize("where", [EAST, WEST])
def test_what_an_old_reading_hides_at_the_second_look_is_closed_later_and_its_age_is_counted(
    cloud: Cloud, where: str
) -> None:
    # given readings that do not show the rules of a new member
    cloud.region(where).security_group.lag(STALE_RULES_SECONDS)
    cloud.clock.advance(1)
    group, id, address = launched(cloud)
    group.terminate(id, decrement=True)
    cloud.poll(EAST)
    second_look(cloud, EAST)
    assert id not in group.listed()
    assert is_admitted(cloud, address)
    # when readings catch up, and the home Region's schedule fires once
    cloud.clock.advance(STALE_RULES_SECONDS - 61)
    invocation = cloud.invoke(EAST, TRUE_UP)
    # then
    assert not is_admitted(cloud, address)
    removed = [event for event in invocation.audit_events if isinstance(event, RuleRemoved)]
    assert [event.region for event in removed] == [where]
    assert removed[0].stale_seconds is not None
    assert removed[0].stale_seconds >= STALE_RULES_SECONDS - 1


def test_a_launch_is_not_answered_because_an_old_reading_shows_its_rule(cloud: Cloud) -> None:
    # given an instance whose launch was not answered, and whose rule was removed after the reading that is shown
    east = cloud.region(EAST)
    group = east.groups["db"]
    group.scale_to(3)
    (id,) = (id for id, state in group.listed().items() if state == "Pending:Wait")
    fault = cloud.fault(effect=Effect.FAIL, operation="CompleteLifecycleAction")
    cloud.poll(EAST)
    cloud.heal(fault)
    (address,) = east.ec2.instances[id].addresses[AddressKind.PUBLIC_IPV4]
    existing = east.security_group.admits(Opening(PortRange("tcp", 9042, 9042), address))
    assert existing is not None
    east.security_group.lag(STALE_RULES_SECONDS)
    cloud.clock.advance(1)
    east.security_group.revoke_by_hand(existing.id)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[id] == "InService"
    assert address in east.admitted()


def test_a_member_of_a_row_of_version_0_1_counts_as_new_until_the_row_is_old() -> None:
    # given a row whose engine does not say when addresses changed
    cloud = Cloud([EAST])
    group = cloud.region(EAST).auto_scaling_group("db", desired=1)
    cloud.invoke(EAST, TRUE_UP)
    cloud.clock.advance(SETTLED_SECONDS)
    table, key = cloud.region(EAST).table, RosterKey(Region(EAST), "db")
    table.rosters[key] = replace(table.rosters[key], of_0_1=True, updated_at=int(cloud.clock.now()) - 10)
    (id,) = group.listed()
    # when
    group.terminate(id, decrement=True)
    cloud.poll(EAST)
    # then
    assert group.listed()[id] == "Terminating:Wait"
