"""A confirmed departure always closes its door, whatever else is missing: ports, a group, or EC2's memory."""

from dataclasses import replace

import pytest

from ringfence.core.audit_events import RegionFailed, RuleRemoved, StaleDoor
from ringfence.core.errors import Permanent, Retry
from ringfence.core.freshness import FENCE_SECONDS, SETTLED_SECONDS
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import MemberState, Roster
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from ringfence_lab.sim.invocation import Invocation
from tests.engine.conftest import EAST, TRUE_UP, WEST

FORGOTTEN = 3700.0
"""Seconds after which EC2 has forgotten a terminated instance. Source: EC2 User Guide, Instance lifecycle."""
MINUTE = 61.0


def first_address(region: CloudRegion, instance: InstanceId) -> Cidr:
    return region.ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4][0]


def take_self_rule_away(region: CloudRegion) -> None:
    own = next(rule for rule in region.security_group.rules.values() if rule.source_group)
    region.security_group.revoke_by_hand(own.id)


def true_up(cloud: Cloud, home: str, **settings: object) -> Invocation:
    """A true-up that ends in a permanent error, which names what someone must fix."""
    with pytest.raises(Permanent):
        cloud.invoke(home, TRUE_UP, cloud.settings(home, **settings))
    return cloud.invocations[-1]


def roster_of(cloud: Cloud, home: str) -> Roster:
    return cloud.region(home).table.rosters[RosterKey(Region(home), "db")]


def admitting(cloud: Cloud, address: Cidr) -> list[str]:
    return [name for name, region in cloud.regions.items() if address in region.admitted()]


# No port is known to be open.


@pytest.mark.parametrize("where", [EAST, WEST])
def test_a_departed_address_is_removed_although_no_port_is_known(cloud: Cloud, where: str) -> None:
    # given a group that does not admit itself any more
    east = cloud.region(EAST)
    take_self_rule_away(cloud.region(where))
    group = east.groups["db"]
    leaving, staying = group.listed()
    address, kept = first_address(east, leaving), first_address(east, staying)
    # when
    group.terminate(leaving, decrement=True)
    invocation = cloud.poll(EAST)
    # then
    assert invocation is not None
    assert leaving not in group.listed()
    assert admitting(cloud, address) == []
    assert admitting(cloud, kept) == [EAST, WEST]
    removed = [event for event in invocation.audit_events if isinstance(event, RuleRemoved)]
    assert {event.region for event in removed if event.stale_seconds is not None} == {EAST, WEST}


def test_an_addition_waits_and_is_reported_while_no_port_is_known(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    take_self_rule_away(east)
    group = east.groups["db"]
    # when
    group.scale_to(3)
    invocation = cloud.poll(EAST)
    # then
    assert invocation is not None
    assert list(group.listed().values()).count("Pending:Wait") == 1
    failed = [event for event in invocation.audit_events if isinstance(event, RegionFailed)]
    assert [(event.region, "does not admit itself on any port" in event.error) for event in failed] == [(EAST, True)]
    # when the rule is back
    east.security_group.allow_group(east.security_group.id, "tcp/9042")
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert set(group.listed().values()) == {"InService"}


def test_an_event_of_a_released_instance_is_no_dead_letter_while_no_port_is_known(cloud: Cloud) -> None:
    # given
    take_self_rule_away(cloud.region(EAST))
    # when
    cloud.region(EAST).groups["db"].scale_to(1)
    cloud.poll(EAST)
    # then
    assert not cloud.region(EAST).queue.dead_letters


def test_an_address_that_another_member_has_now_stays_admitted_while_no_port_is_known(cloud: Cloud) -> None:
    # given an Elastic IP that moves from a member to another one, which the roster learns
    east = cloud.region(EAST)
    group = east.groups["db"]
    first, second = group.listed()
    east.ec2.assign_public_address(first, elastic=True)
    cloud.invoke(EAST, TRUE_UP)
    cloud.clock.advance(SETTLED_SECONDS)
    address = first_address(east, first)
    take_self_rule_away(east)
    # when
    east.ec2.move_elastic_address(first, second)
    group.terminate(first, decrement=True)
    cloud.poll(EAST)
    # then the rule names the member that has the address
    assert admitting(cloud, address) == [EAST, WEST]
    labels = {str(rule.label("demo")) for rule in east.owned_rules() if rule.opening and rule.opening.cidr == address}
    assert labels == {f"ringfence demo {EAST}/db {second}"}
    assert first not in group.listed()


# The Auto Scaling group is gone.


def test_a_group_deleted_by_force_leaves_no_door_open(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    addresses = [first_address(east, id) for id in east.groups["db"].listed()]
    # when
    east.force_delete_group("db")
    invocation = true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    assert [admitting(cloud, address) for address in addresses] == [[], []]
    removed = [event for event in invocation.audit_events if isinstance(event, RuleRemoved)]
    assert {(event.region, event.reason) for event in removed} == {(EAST, "departed"), (WEST, "departed")}


def test_a_new_member_of_a_group_deleted_by_force_is_released_on_a_second_look(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    group = east.groups["db"]
    before = set(group.listed())
    group.scale_to(3)
    cloud.poll(EAST)
    (id,) = set(group.listed()) - before
    # when
    east.force_delete_group("db")
    true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    assert roster_of(cloud, EAST).fenced.keys() == {id}
    assert roster_of(cloud, EAST).pending_releases == {EAST: {id}, WEST: {id}}
    # when
    cloud.clock.advance(FENCE_SECONDS + 1)
    true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    assert roster_of(cloud, EAST).pending_releases == {}


def test_a_forgotten_instance_departs_after_two_looks_a_minute_apart(cloud: Cloud) -> None:
    # given a group that was deleted by force, and no engine that ran while EC2 still showed its instances
    east = cloud.region(EAST)
    addresses = [first_address(east, id) for id in east.groups["db"].listed()]
    east.force_delete_group("db")
    cloud.clock.advance(FORGOTTEN)
    # when
    true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then the first look changes no rule
    assert [admitting(cloud, address) for address in addresses] == [[EAST, WEST], [EAST, WEST]]
    assert {member.state for member in roster_of(cloud, EAST).members.values()} == {MemberState.MISSING}
    # when another look follows at once
    cloud.clock.advance(5)
    true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    assert [admitting(cloud, address) for address in addresses] == [[EAST, WEST], [EAST, WEST]]
    # when a look follows after a minute
    cloud.clock.advance(MINUTE)
    invocation = true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    assert [admitting(cloud, address) for address in addresses] == [[], []]
    removed = [event for event in invocation.audit_events if isinstance(event, RuleRemoved)]
    assert all(event.stale_seconds is not None and event.stale_seconds >= MINUTE for event in removed)
    assert roster_of(cloud, EAST).members == {}


def test_a_forgotten_instance_of_a_group_that_exists_departs_too(cloud: Cloud) -> None:
    # given an instance that its group does not list any more, and that EC2 has forgotten; every event was lost
    east = cloud.region(EAST)
    group = east.groups["db"]
    east.events.fate = lambda _event: ()
    lost = next(iter(group.listed()))
    address = first_address(east, lost)
    group.terminate(lost, decrement=True)
    cloud.clock.advance(FORGOTTEN)
    # when
    cloud.invoke(EAST, TRUE_UP)
    cloud.clock.advance(MINUTE)
    cloud.invoke(EAST, TRUE_UP)
    # then the departure is confirmed, and the guard has nothing to hold
    assert admitting(cloud, address) == []
    assert lost in roster_of(cloud, EAST).departed


def test_a_wrong_group_name_removes_nothing_while_the_instances_run(cloud: Cloud) -> None:
    # given
    admitted = cloud.region(EAST).admitted()
    del cloud.region(EAST).groups["db"]
    # when
    for _ in range(5):
        true_up(cloud, EAST, auto_scaling_groups=("db",))
        cloud.clock.advance(MINUTE)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == admitted
    assert {member.state for member in roster_of(cloud, EAST).members.values()} == {MemberState.MEMBER}


def test_a_wrong_group_name_makes_no_roster(cloud: Cloud) -> None:
    true_up(cloud, EAST, auto_scaling_groups=("db", "nonesuch"))
    assert RosterKey(Region(EAST), "nonesuch") not in cloud.region(EAST).table.rosters


def test_a_group_that_was_deleted_while_the_table_was_lost_leaves_no_door_open(cloud: Cloud) -> None:
    # given a roster that only the peer's table has
    east = cloud.region(EAST)
    addresses = [first_address(east, id) for id in east.groups["db"].listed()]
    east.force_delete_group("db")
    east.table.recreate()
    # when
    true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    assert [admitting(cloud, address) for address in addresses] == [[], []]
    assert roster_of(cloud, EAST).members == {}
    assert roster_of(cloud, EAST).version > 0


def test_a_wrong_group_name_removes_nothing_although_the_table_was_lost(cloud: Cloud) -> None:
    # given
    admitted = cloud.region(EAST).admitted()
    del cloud.region(EAST).groups["db"]
    cloud.region(EAST).table.recreate()
    # when
    for _ in range(5):
        true_up(cloud, EAST, auto_scaling_groups=("db",))
        cloud.clock.advance(MINUTE)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == admitted


@pytest.mark.parametrize("where", [EAST, WEST])
def test_an_unreadable_row_of_a_group_that_does_not_exist_goes(cloud: Cloud, where: str) -> None:
    # given
    key = RosterKey(Region(EAST), "nonesuch")
    table = cloud.region(where).table
    table.put_item({"region": {"S": EAST}, "asg": {"S": "nonesuch"}, "version": {"S": "1"}})
    assert key in table.bad
    # when
    true_up(cloud, EAST, auto_scaling_groups=("db", "nonesuch"))
    # then
    assert key not in table.bad
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted()


def test_a_failed_describe_is_no_evidence_that_an_instance_is_gone(cloud: Cloud) -> None:
    # given a group that is gone with its instances, which EC2 has forgotten
    east = cloud.region(EAST)
    east.force_delete_group("db")
    cloud.clock.advance(FORGOTTEN)
    true_up(cloud, EAST, auto_scaling_groups=("db",))
    admitted = east.admitted()
    # when
    fault = cloud.fault(Effect.FAIL, region=EAST, operation="DescribeInstances")
    cloud.clock.advance(MINUTE)
    with pytest.raises(Retry):
        cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, auto_scaling_groups=("db",)))
    # then
    assert east.admitted() == admitted
    # when it can be described again
    cloud.heal(fault)
    true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    assert len(east.admitted()) == len(admitted) - 2


# Doors at home are counted.


def test_a_door_at_home_is_counted_like_one_in_a_peer(cloud: Cloud) -> None:
    # given an instance that EC2 terminated, and a group whose rules cannot be revoked
    east = cloud.region(EAST)
    east.force_delete_group("db")
    fault = cloud.fault(Effect.DENY, region=EAST, operation="RevokeSecurityGroupIngress", home=EAST)
    # when
    first = true_up(cloud, EAST, auto_scaling_groups=("db",))
    cloud.clock.advance(MINUTE)
    second = true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    for invocation, least in ((first, 0.0), (second, MINUTE)):
        doors = [event for event in invocation.audit_events if isinstance(event, StaleDoor)]
        assert [event.region for event in doors] == [EAST, EAST]
        assert all(event.seconds >= least for event in doors)
    # when
    cloud.heal(fault)
    third = true_up(cloud, EAST, auto_scaling_groups=("db",))
    # then
    assert not [event for event in third.audit_events if isinstance(event, StaleDoor)]
    assert roster_of(cloud, EAST).pending_releases == {}


# The security group is gone.


@pytest.mark.parametrize("ports", ["auto", "tcp/9042"])
@pytest.mark.parametrize("where", [EAST, WEST])
def test_a_security_group_that_does_not_exist_holds_no_termination(cloud: Cloud, where: str, ports: str) -> None:
    # given a Region whose security group was deleted
    settings = {name: replace(cloud.settings(name), ports=Ports.parse(ports)) for name in cloud.regions}
    for name, of_region in settings.items():
        cloud.invoke(name, TRUE_UP, of_region)
    east = cloud.region(EAST)
    group = east.groups["db"]
    leaving = next(iter(group.listed()))
    address = first_address(east, leaving)
    cloud.region(where).delete_security_group()
    # when
    group.terminate(leaving, decrement=True)
    invocation = cloud.poll(EAST, settings[Region(EAST)])
    # then
    assert invocation is not None
    assert leaving not in group.listed()
    assert admitting(cloud, address) == []
    assert not [event for event in invocation.audit_events if isinstance(event, StaleDoor)]


def test_a_launch_is_held_while_its_own_security_group_does_not_exist(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    east.delete_security_group()
    group = east.groups["db"]
    settings = replace(cloud.settings(EAST), security_groups=(east.security_group.id,))
    # when
    group.scale_to(3)
    invocation = cloud.poll(EAST, settings)
    # then
    assert invocation is not None
    assert list(group.listed().values()).count("Pending:Wait") == 1
    (failed,) = [event for event in invocation.audit_events if isinstance(event, RegionFailed)]
    assert f"security group {east.security_group.id} does not exist in {EAST}" in failed.error
    assert len(east.queue.dead_letters) == 1


def test_a_launch_continues_while_the_security_group_of_a_peer_does_not_exist(cloud: Cloud) -> None:
    # given
    cloud.region(WEST).delete_security_group()
    group = cloud.region(EAST).groups["db"]
    # when
    group.scale_to(3)
    invocation = cloud.poll(EAST)
    # then
    assert invocation is not None
    assert set(group.listed().values()) == {"InService"}
    (failed,) = [event for event in invocation.audit_events if isinstance(event, RegionFailed)]
    assert (failed.region, failed.at_home) == (WEST, False)
    assert "does not exist" in failed.error


def test_a_security_group_that_replaces_a_deleted_one_is_found_in_the_table_of_its_region(cloud: Cloud) -> None:
    # given a peer that was deployed with another security group, which our table does not know yet
    west = cloud.region(WEST)
    west.delete_security_group()
    west.replace_security_group()
    known = cloud.region(EAST).table.rosters
    before = dict(known)
    cloud.invoke(WEST, TRUE_UP)
    known.clear()
    known.update(before)
    group = cloud.region(EAST).groups["db"]
    leaving = next(iter(group.listed()))
    address = first_address(cloud.region(EAST), leaving)
    assert address in west.admitted()
    # when
    group.terminate(leaving, decrement=True)
    cloud.poll(EAST)
    # then
    assert admitting(cloud, address) == []
    assert leaving not in group.listed()
