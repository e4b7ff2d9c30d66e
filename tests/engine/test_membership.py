"""Which instances are members, as the security groups show: every way into and out of a cluster."""

from dataclasses import replace

import pytest

from ringfence.aws.roster_item import to_item
from ringfence.core.audit_events import EventIgnored, RemovalsHeld, RowRejected
from ringfence.core.errors import Permanent
from ringfence.core.model.addresses import AddressKind, Cidr, network
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rules import Label
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST, second_look, settled

SOUTH = "ap-southeast-2"


def addresses(cloud: Cloud, region: str, instance: InstanceId) -> set[Cidr]:
    found = cloud.region(region).ec2.instances[instance].addresses
    return set(found.get(AddressKind.PUBLIC_IPV4, ()))


def in_service(cloud: Cloud, region: str) -> set[Cidr]:
    listed = cloud.region(region).groups["db"].listed()
    return {cidr for id, state in listed.items() if state == "InService" for cidr in addresses(cloud, region, id)}


def drain(cloud: Cloud, region: str) -> None:
    """Invokes the function until its queue is empty."""
    while cloud.poll(region):
        pass


def true_up_everywhere(cloud: Cloud, times: int = 1) -> None:
    for _ in range(times):
        for region in cloud.regions:
            cloud.invoke(region, TRUE_UP)


def admitted_everywhere(cloud: Cloud) -> set[Cidr]:
    """The addresses that every Region admits. Fails if two Regions differ."""
    (agreed,) = {frozenset(region.admitted()) for region in cloud.regions.values()}
    return set(agreed)


def vanish(cloud: Cloud) -> None:
    """Makes Auto Scaling list no instance in EAST, without any event. EC2 shows them all."""
    cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=10_000)


def test_an_instance_in_standby_stays_a_member(cloud: Cloud) -> None:
    group = cloud.region(EAST).groups["db"]
    before = admitted_everywhere(cloud)
    group.enter_standby(next(iter(group.listed())))
    true_up_everywhere(cloud)
    assert admitted_everywhere(cloud) == before


def test_a_detached_instance_is_no_longer_a_member(cloud: Cloud) -> None:
    group = cloud.region(EAST).groups["db"]
    leaving = next(iter(group.listed()))
    gone = addresses(cloud, EAST, leaving)
    group.detach(leaving)
    true_up_everywhere(cloud)
    assert not admitted_everywhere(cloud) & gone


def test_the_next_true_up_admits_an_instance_attached_by_hand(cloud: Cloud) -> None:
    east = cloud.region(EAST)
    instance = east.ec2.launch().id
    east.groups["db"].attach(instance)
    true_up_everywhere(cloud)
    assert admitted_everywhere(cloud) >= addresses(cloud, EAST, instance)


def test_an_instance_on_its_way_into_a_warm_pool_continues_at_once_and_is_no_member(cloud: Cloud) -> None:
    # given
    group = cloud.region(EAST).groups["db"]
    before = admitted_everywhere(cloud)
    group.put_warm_pool(1)
    # when
    cloud.poll(EAST)
    # then
    assert sorted(group.states().values()) == ["InService", "InService", "Warmed:Stopped"]
    assert admitted_everywhere(cloud) == before


def test_the_members_follow_an_instance_that_leaves_and_reenters_its_warm_pool(cloud: Cloud) -> None:
    # given a group that returns instances to its warm pool on scale-in
    group = cloud.region(EAST).groups["db"]
    group.put_warm_pool(1, reuse_on_scale_in=True)
    drain(cloud, EAST)
    for _ in range(3):
        # when
        group.scale_to(3)
        drain(cloud, EAST)
        # then
        assert len(in_service(cloud, EAST)) == 3
        assert admitted_everywhere(cloud) == in_service(cloud, EAST) | in_service(cloud, WEST)
        # when
        group.scale_to(2)
        drain(cloud, EAST)
        # then
        assert len(in_service(cloud, EAST)) == 2
        assert admitted_everywhere(cloud) == in_service(cloud, EAST) | in_service(cloud, WEST)


def test_a_new_address_replaces_the_rules_of_a_lost_address(cloud: Cloud) -> None:
    # given a member with a new Elastic IP, which releases its earlier address
    east = cloud.region(EAST)
    instance = next(iter(east.groups["db"].listed()))
    lost = addresses(cloud, EAST, instance)
    east.ec2.assign_public_address(instance, elastic=True)
    # when
    true_up_everywhere(cloud)
    # then
    assert admitted_everywhere(cloud) >= addresses(cloud, EAST, instance)
    assert not admitted_everywhere(cloud) & lost


def test_every_region_admits_the_addresses_of_every_interface(cloud: Cloud) -> None:
    east = cloud.region(EAST)
    instance = next(iter(east.groups["db"].listed()))
    east.ec2.add_interface(instance, AddressKind.PUBLIC_IPV4, Cidr("54.1.2.3/32"))
    true_up_everywhere(cloud)
    assert Cidr("54.1.2.3/32") in admitted_everywhere(cloud)


def test_every_region_admits_the_addresses_of_all_configured_kinds(cloud: Cloud) -> None:
    kinds = frozenset({AddressKind.PRIVATE_IPV4, AddressKind.IPV6})
    for region in (EAST, WEST, EAST, WEST):
        cloud.invoke(region, TRUE_UP, cloud.settings(region, address_kinds=kinds))
    wanted = {
        address
        for region in cloud.regions.values()
        for instance in region.ec2.instances.values()
        for kind in kinds
        for address in instance.addresses[kind]
    }
    assert len(wanted) == 8
    assert admitted_everywhere(cloud) == wanted


def test_every_group_admits_the_static_members_as_long_as_they_are_configured(cloud: Cloud) -> None:
    # given
    office = network("198.51.100.0/28")
    before = admitted_everywhere(cloud)
    # when
    for region in cloud.regions:
        cloud.invoke(region, TRUE_UP, cloud.settings(region, static_members=(office,)))
    # then
    assert admitted_everywhere(cloud) == before | {office}
    # when
    true_up_everywhere(cloud)
    # then
    assert admitted_everywhere(cloud) == before


def test_explicit_ports_replace_the_ports_of_the_self_reference(cloud: Cloud) -> None:
    ports = Ports.parse("tcp/7000-7001,tcp/9142")
    for region in (EAST, WEST, EAST, WEST):
        cloud.invoke(region, TRUE_UP, cloud.settings(region, ports=ports))
    for owner in cloud.regions.values():
        assert {rule.ports for rule in owner.owned_rules()} == set(ports.explicit)
        assert len(owner.owned_rules()) == 4 * 2


def test_regions_with_different_ports_do_not_change_the_rules_of_each_other(cloud: Cloud) -> None:
    # given
    ports = Ports.parse("tcp/7000")
    for _ in range(2):
        cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, ports=ports))
        cloud.invoke(WEST, TRUE_UP)
    cloud.history.clear()
    # when
    cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, ports=ports))
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert not cloud.history
    assert {rule.ports for rule in cloud.region(EAST).owned_rules()} == {PortRange("tcp", 7000, 7000)}
    assert {rule.ports for rule in cloud.region(WEST).owned_rules()} == {PortRange("tcp", 9042, 9042)}


def test_three_regions_with_several_groups_admit_every_member() -> None:
    # given
    cloud = Cloud([EAST, WEST, SOUTH])
    for number, region in enumerate(cloud.regions.values()):
        region.auto_scaling_group("seeds", desired=1)
        region.auto_scaling_group("nodes", desired=2)
        region.add_security_group(f"sg-0000010{number}", "tcp/9142")
    settled(cloud)
    # when
    cloud.region(SOUTH).groups["nodes"].scale_to(4)
    cloud.region(WEST).groups["seeds"].scale_to(0)
    cloud.poll(SOUTH)
    cloud.poll(WEST)
    # then
    members = {
        cidr
        for name in cloud.regions
        for group in cloud.region(name).groups.values()
        for instance in group.listed()
        for cidr in addresses(cloud, name, instance)
    }
    assert len(members) == 10
    assert admitted_everywhere(cloud) == members
    assert all(len(region.owned_rules()) == 2 * 10 for region in cloud.regions.values())


def test_a_listed_region_that_was_never_deployed_holds_no_instance() -> None:
    # given
    cloud = Cloud([EAST, WEST])
    cloud.region(WEST).table.exists = False
    group = cloud.region(EAST).auto_scaling_group("db", desired=1)
    group.scale_to(2)
    # when
    cloud.poll(EAST)
    group.scale_to(1)
    cloud.poll(EAST)
    second_look(cloud, EAST)
    # then
    assert sorted(group.listed().values()) == ["InService"]


def test_the_next_true_up_of_the_other_regions_admits_a_region_that_joins() -> None:
    # given
    cloud = Cloud([EAST, WEST])
    cloud.region(WEST).table.exists = False
    cloud.region(EAST).auto_scaling_group("db", desired=2)
    cloud.invoke(EAST, TRUE_UP)
    # when
    cloud.region(WEST).table.exists = True
    cloud.region(WEST).auto_scaling_group("db", desired=2)
    cloud.invoke(WEST, TRUE_UP)
    cloud.invoke(EAST, TRUE_UP)
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert len(admitted_everywhere(cloud)) == 4


def test_true_ups_rebuild_a_table_that_was_deleted_and_created_again(cloud: Cloud) -> None:
    # given
    before = admitted_everywhere(cloud)
    for _ in range(3):  # so that the peer's copy has a version beyond the first
        cloud.region(EAST).groups["db"].scale_to(3)
        cloud.poll(EAST)
        cloud.region(EAST).groups["db"].scale_to(2)
        cloud.poll(EAST)
    cloud.region(EAST).table.recreate()
    cloud.history.clear()
    # when
    true_up_everywhere(cloud, times=2)
    # then
    assert len(admitted_everywhere(cloud)) == len(before)
    east, west = (cloud.region(name).table.scan().rosters for name in (EAST, WEST))
    assert east == west
    # when
    cloud.region(EAST).groups["db"].scale_to(3)
    cloud.poll(EAST)
    # then
    assert len(admitted_everywhere(cloud)) == len(before) + 1


def test_a_launch_after_the_table_was_created_again_reaches_the_peers_table_at_once(cloud: Cloud) -> None:
    # given an empty home table, and a peer's table that is not empty
    cloud.clock.advance(60)
    cloud.region(EAST).table.recreate()
    # when a lifecycle event comes before any true-up
    cloud.region(EAST).groups["db"].scale_to(3)
    cloud.poll(EAST)
    # then
    key = RosterKey(Region(EAST), "db")
    assert cloud.region(WEST).table.scan().rosters[key] == cloud.region(EAST).table.scan().rosters[key]


def test_a_true_up_replaces_a_peers_row_that_differs_at_our_version(cloud: Cloud) -> None:
    # given
    key = RosterKey(Region(EAST), "db")
    ours = cloud.region(EAST).table.scan().rosters[key]
    cloud.region(WEST).table.put_item(to_item(replace(ours, members={})))
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    theirs = cloud.region(WEST).table.scan().rosters[key]
    assert theirs.members == ours.members
    assert theirs.version > ours.version


def test_a_true_up_replaces_a_peers_bad_row_at_our_version(cloud: Cloud) -> None:
    # given
    key = RosterKey(Region(EAST), "db")
    item = to_item(cloud.region(EAST).table.scan().rosters[key])
    del item["members"]
    cloud.region(WEST).table.put_item(item)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    theirs = cloud.region(WEST).table.scan()
    assert not theirs.bad
    assert theirs.rosters[key] == cloud.region(EAST).table.scan().rosters[key]


def test_a_bad_row_is_reported_and_removes_nothing(cloud: Cloud) -> None:
    # given
    before = admitted_everywhere(cloud)
    key = RosterKey(Region(WEST), "db")
    item = to_item(cloud.region(EAST).table.scan().rosters[key])
    next(iter(item["members"]["M"].values()))["M"]["addresses"]["L"][0]["S"] = "0.0.0.0/0"
    cloud.region(EAST).table.put_item(item)
    # when
    invocation = cloud.invoke(EAST, TRUE_UP)
    # then
    assert [event.roster for event in invocation.audit_events if isinstance(event, RowRejected)] == [key]
    assert admitted_everywhere(cloud) == before


def test_the_members_of_a_group_that_left_the_configuration_are_removed(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    east.auto_scaling_group("batch", desired=2)
    settled(cloud)
    assert len(admitted_everywhere(cloud)) == 6
    # when
    del east.groups["batch"]
    true_up_everywhere(cloud)
    cloud.clock.advance(60)
    true_up_everywhere(cloud)
    # then
    assert len(admitted_everywhere(cloud)) == 4


def test_the_rules_of_a_region_that_left_the_list_are_removed(cloud: Cloud) -> None:
    # when
    cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, regions=(Region(EAST),)))
    # then
    assert cloud.region(EAST).admitted() == in_service(cloud, EAST)


def test_the_guard_holds_many_members_that_vanish_until_a_second_observation_confirms() -> None:
    # given a Region whose group of twenty loses its instances without any event
    cloud = Cloud([EAST, WEST])
    cloud.region(EAST).auto_scaling_group("db", desired=20)
    cloud.region(WEST).auto_scaling_group("db", desired=2)
    settled(cloud)
    vanish(cloud)
    cloud.invoke(EAST, TRUE_UP)
    cloud.clock.advance(61)
    # when
    first = cloud.invoke(EAST, TRUE_UP)
    # then
    held = [event for event in first.audit_events if isinstance(event, RemovalsHeld) and event.region == EAST]
    assert len(held[0].rules) == 20
    assert len(cloud.region(EAST).admitted()) == 22
    # when a second observation follows that may be the same stale answer
    cloud.clock.advance(59)
    cloud.invoke(EAST, TRUE_UP)
    # then it confirms no removal
    assert len(cloud.region(EAST).admitted()) == 22
    # when a second observation follows after a minute
    cloud.clock.advance(1)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert len(cloud.region(EAST).admitted()) == 2


def test_an_operator_overrides_the_guard_with_the_digest_of_the_held_removals() -> None:
    # given
    cloud = Cloud([EAST])
    cloud.region(EAST).auto_scaling_group("db", desired=20)
    settled(cloud)
    vanish(cloud)
    cloud.invoke(EAST, TRUE_UP)
    cloud.clock.advance(61)
    held = [event for event in cloud.invoke(EAST, TRUE_UP).audit_events if isinstance(event, RemovalsHeld)]
    # when the earlier observation is lost, so that only the operator can confirm
    cloud.region(EAST).table.held.clear()
    cloud.invoke(EAST, {"trueup": True, "confirm": held[0].digest})
    # then
    assert cloud.region(EAST).admitted() == set()


def test_the_guard_does_not_hold_the_removals_of_terminated_instances() -> None:
    # given
    cloud = Cloud([EAST, WEST])
    group = cloud.region(EAST).auto_scaling_group("db", desired=20)
    cloud.region(WEST).auto_scaling_group("db", desired=1)
    settled(cloud)
    # when
    group.scale_to(0)
    drain(cloud, EAST)
    # then
    assert not group.listed()
    assert len(admitted_everywhere(cloud)) == 1


def test_a_true_up_that_names_an_unknown_group_raises_permanent(cloud: Cloud) -> None:
    cloud.invoke(EAST, {"detail": {"AutoScalingGroupName": "db"}})
    with pytest.raises(Permanent, match="typo is none of this Region's groups: db"):
        cloud.invoke(EAST, {"detail": {"AutoScalingGroupName": "typo"}, "trueup": True})


def test_a_payload_that_is_no_event_is_ignored_with_a_reason(cloud: Cloud) -> None:
    payloads: list[object] = [None, 7, "x", [], {}, {"source": "aws.ec2", "detail-type": "x"}, {"detail": []}]
    for payload in payloads:
        invocation = cloud.invoke(EAST, payload)
        assert [type(event) for event in invocation.audit_events] == [EventIgnored]
    assert not cloud.calls


def test_a_rule_names_the_instance_that_has_its_address_now(cloud: Cloud) -> None:
    # given an Elastic IP that a true-up finds on another member than before
    east = cloud.region(EAST)
    first, second = east.groups["db"].listed()
    east.ec2.assign_public_address(first, elastic=True)
    settled(cloud)
    (address,) = east.ec2.instances[first].addresses[AddressKind.PUBLIC_IPV4]
    east.ec2.move_elastic_address(first, second)
    # when
    cloud.clock.advance(61)
    settled(cloud)
    # then the rule of every Region names the other member
    for region in cloud.regions.values():
        labels = [
            rule.label("demo")
            for rule in region.security_group.rules.values()
            if rule.opening is not None and rule.opening.cidr == address
        ]
        assert labels == [Label("demo", RosterKey(Region(EAST), "db"), second)]
