"""An Availability Zone fails, and EC2 describes no instance of it, and none in a call that names no instance.

Source: EC2 API Reference, DescribeInstances.
"""

import pytest

from ringfence.core.audit_events import HookHeld, ZoneNotDescribed
from ringfence.core.errors import Permanent, Retry, Throttled
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import CallFault, Effect
from tests.engine.conftest import EAST, TRUE_UP


@pytest.fixture
def east(cloud: Cloud) -> CloudRegion:
    return cloud.region(EAST)


@pytest.fixture
def group(east: CloudRegion) -> AutoScalingGroup:
    return east.groups["db"]


def zone_fails(cloud: Cloud, zone: str, effect: Effect = Effect.FAIL) -> CallFault:
    return cloud.fault(effect, region=EAST, zone=zone, seconds=3.0)


def address_of(east: CloudRegion, instance: InstanceId) -> Cidr:
    return east.ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4][0]


def newest(group: AutoScalingGroup) -> InstanceId:
    return list(group.listed())[-1]


def launch(group: AutoScalingGroup) -> InstanceId:
    group.scale_to(group.desired + 1)
    return newest(group)


def other_zone(east: CloudRegion, instance: InstanceId) -> str:
    """The zone of a member that is not in the instance's zone."""
    zones = {east.ec2.zone_of[id] for id in east.groups["db"].listed()}
    return min(zones - {east.ec2.zone_of[instance]})


@pytest.mark.parametrize("effect", [Effect.FAIL, Effect.UNREACHABLE, Effect.DENY])
def test_a_launch_in_a_healthy_zone_is_admitted_everywhere(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup, effect: Effect
) -> None:
    # given
    instance = launch(group)
    zone_fails(cloud, other_zone(east, instance), effect)
    # when
    invocation = cloud.poll(EAST)
    # then
    assert invocation is not None
    assert invocation.error is None
    assert group.listed()[instance] == "InService"
    assert all(address_of(east, instance) in region.admitted() for region in cloud.regions.values())


def test_a_termination_in_a_healthy_zone_is_released_everywhere(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given
    leaving = newest(group)
    address = address_of(east, leaving)
    zone_fails(cloud, other_zone(east, leaving))
    group.terminate(leaving, decrement=True)
    # when
    cloud.poll(EAST)
    # then
    assert leaving not in group.listed()
    assert all(address not in region.admitted() for region in cloud.regions.values())


def test_members_of_the_failing_zone_stay_admitted_for_hours(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given
    member = newest(group)
    zone_fails(cloud, east.ec2.zone_of[member])
    # when
    for _ in range(5):
        cloud.clock.advance(1800)
        cloud.invoke(EAST, TRUE_UP)
    # then
    assert all(address_of(east, member) in region.admitted() for region in cloud.regions.values())


def test_a_launch_in_the_failing_zone_waits_and_is_admitted_once_the_zone_is_back(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given
    group.hooks = {name: hook for name, hook in group.hooks.items() if "launch" in name}
    instance = launch(group)
    outage = zone_fails(cloud, east.ec2.zone_of[instance])
    cloud.poll(EAST)
    # when: longer than an instance may be without an address
    cloud.clock.advance(200)
    held = cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[instance] == "Pending:Wait"
    assert address_of(east, instance) not in east.admitted()
    assert [event.instance for event in held.audit_events if isinstance(event, HookHeld)] == [instance]
    # when
    cloud.heal(outage)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[instance] == "InService"
    assert address_of(east, instance) in east.admitted()


def test_a_member_that_no_group_lists_stays_while_ec2_does_not_describe_it(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given: no event tells the engine that it was detached
    member = newest(group)
    address = address_of(east, member)
    outage = zone_fails(cloud, east.ec2.zone_of[member])
    group.detach(member)
    # when
    for _ in range(3):
        cloud.clock.advance(61)
        cloud.invoke(EAST, TRUE_UP)
    # then
    assert address in east.admitted()
    # when
    cloud.heal(outage)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert address not in east.admitted()


def test_the_failing_zone_is_reported_with_its_instances(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given
    zone = east.ec2.zone_of[newest(group)]
    zone_fails(cloud, zone)
    # when
    invocation = cloud.invoke(EAST, TRUE_UP)
    # then
    (reported,) = [event for event in invocation.audit_events if isinstance(event, ZoneNotDescribed)]
    assert (reported.zone, reported.instances) == (zone, (newest(group),))
    assert "InternalError" in reported.error


def test_instances_are_described_zone_by_zone_only_after_the_call_for_the_region_failed(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given
    zone = east.ec2.zone_of[newest(group)]
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert describes(cloud) == [("ok", east.ec2.zones)]
    # when
    cloud.calls.clear()
    zone_fails(cloud, zone)
    cloud.invoke(EAST, TRUE_UP)
    # then
    others = {east.ec2.zone_of[id] for id in group.listed()} - {zone}
    by_zone = [("zone outage", frozenset({zone})), *(("ok", frozenset({other})) for other in others)]
    assert describes(cloud)[0] == ("zone outage", east.ec2.zones)
    assert sorted(describes(cloud)[1:]) == sorted(by_zone)


def describes(cloud: Cloud) -> list[tuple[str, frozenset[str]]]:
    """Each DescribeInstances with its outcome and the zones that it depends on."""
    return [(call.outcome, call.zones) for call in cloud.calls if call.operation == "DescribeInstances"]


def test_a_throttled_call_is_not_followed_by_more_calls(cloud: Cloud) -> None:
    # given
    cloud.fault(Effect.THROTTLE, region=EAST, operation="DescribeInstances")
    # when
    with pytest.raises(Throttled):
        cloud.invoke(EAST, TRUE_UP)
    # then
    assert len(describes(cloud)) == 1


@pytest.mark.parametrize(("effect", "error"), [(Effect.FAIL, Retry), (Effect.DENY, Permanent)])
def test_if_no_zone_is_described_nothing_is_done(cloud: Cloud, effect: Effect, error: type[Exception]) -> None:
    # given
    cloud.fault(effect, region=EAST, operation="DescribeInstances")
    # when
    with pytest.raises(error):
        cloud.invoke(EAST, TRUE_UP)
    # then
    assert not [call for call in cloud.calls if call.mutating]


def test_a_second_look_during_an_outage_is_for_the_zones_of_the_instances_in_question(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given: the listing is older than the event, so the two disagree
    member = newest(group)
    zone_fails(cloud, other_zone(east, member))
    cloud.clock.advance(40)
    cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=30)
    group.terminate(member, decrement=True)
    cloud.calls.clear()
    # when
    cloud.poll(EAST)
    # then: each of the two further looks is one call
    first, *later = describes(cloud)
    assert first == ("zone outage", east.ec2.zones)
    assert later[-2:] == [("ok", frozenset({east.ec2.zone_of[member]}))] * 2
    assert len(later) == 4


def test_a_launch_in_the_failing_zone_costs_no_pause_for_its_address(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given
    instance = launch(group)
    zone_fails(cloud, east.ec2.zone_of[instance])
    began = cloud.clock.now()
    # when
    cloud.poll(EAST)
    # then
    assert cloud.clock.now() == began


def test_instances_of_a_warm_pool_are_described_zone_by_zone(
    cloud: Cloud, east: CloudRegion, group: AutoScalingGroup
) -> None:
    # given
    group.put_warm_pool(2)
    first, second = group.pooled()
    assert east.ec2.zone_of[first] != east.ec2.zone_of[second]
    zone_fails(cloud, east.ec2.zone_of[first])
    cloud.calls.clear()
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then no call is for both, as it would be if their zones were not known
    assert all(len(zones) == 1 for _, zones in describes(cloud)[1:])


# The Auto Scaling group is missing, too.


def without_db(cloud: Cloud) -> None:
    with pytest.raises(Permanent):
        cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, auto_scaling_groups=("db", "web")))


def test_members_of_a_missing_group_stay_while_their_zone_is_not_described(cloud: Cloud, east: CloudRegion) -> None:
    # given a wrong name of a group in the configuration
    east.auto_scaling_group("web", desired=3)
    cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, auto_scaling_groups=("db", "web")))
    addresses = {address_of(east, member) for member in east.groups["db"].listed()}
    zone_fails(cloud, east.ec2.zone_of[newest(east.groups["db"])])
    del east.groups["db"]
    # when
    for _ in range(3):
        without_db(cloud)
        cloud.clock.advance(61)
    # then: they are asked for in one call, which fails, and what is not described is not absent
    assert addresses <= east.admitted()


def test_forgotten_members_of_a_missing_group_depart_although_a_zone_fails(cloud: Cloud, east: CloudRegion) -> None:
    # given
    east.auto_scaling_group("web", desired=3)
    cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, auto_scaling_groups=("db", "web")))
    addresses = {address_of(east, member) for member in east.groups["db"].listed()}
    zone = east.ec2.zone_of[newest(east.groups["db"])]
    east.force_delete_group("db")
    cloud.clock.advance(3700)
    zone_fails(cloud, zone)
    # when two looks do not know them, a minute apart
    without_db(cloud)
    cloud.clock.advance(61)
    without_db(cloud)
    # then
    assert addresses.isdisjoint(east.admitted())
