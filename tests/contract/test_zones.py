"""The Availability Zones of instances, and what EC2 describes while one fails."""

import pytest

from ringfence.core.errors import RingfenceError
from ringfence.core.model.identifiers import InstanceId
from tests.contract.sources import documented
from tests.contract.steps import launching
from tests.contract.world import Group, World

UNKNOWN = InstanceId("i-0123456789abcdef0")


@pytest.fixture
def group(world: World) -> Group:
    return world.auto_scaling_group()


@documented("Auto Scaling API Reference, Instance, AvailabilityZone")
def test_a_group_lists_the_zone_of_each_instance(world: World, group: Group) -> None:
    instance = launching(world, group)

    listing = world.home.auto_scaling.groups([group.name])

    assert listing.zones.keys() == listing.instances == {instance}
    assert listing.zones[instance].startswith(world.region)


@documented("EC2 API Reference, Error codes: InvalidInstanceID.NotFound names the ids that do not exist")
def test_a_call_that_names_an_unknown_instance_describes_the_others(world: World, group: Group) -> None:
    instance = launching(world, group)
    world.eventually(lambda: world.home.instances.by_id([instance]).instances)

    described = world.home.instances.named([UNKNOWN, instance])

    assert described == world.home.instances.by_id([UNKNOWN, instance])
    assert list(described.instances) == [instance]
    assert described.absent == world.home.instances.named([UNKNOWN]).absent == {UNKNOWN}


@documented("EC2 API Reference, DescribeInstances: an Availability Zone with a service disruption")
def test_while_a_zone_fails_only_calls_that_name_instances_of_other_zones_work(world: World, group: Group) -> None:
    instance = launching(world, group)
    world.eventually(lambda: world.home.instances.by_id([instance]).instances)
    zone = world.home.auto_scaling.groups([group.name]).zones[instance]
    other = f"{world.region}{'b' if zone.endswith('a') else 'a'}"

    with world.zone_fails(other):
        assert list(world.home.instances.named([instance]).instances) == [instance]
        with pytest.raises(RingfenceError):
            world.home.instances.of_groups([group.name])
        with pytest.raises(RingfenceError):
            world.home.instances.by_id([instance])
    with world.zone_fails(zone), pytest.raises(RingfenceError):
        world.home.instances.named([instance])
    assert list(world.home.instances.of_groups([group.name])) == [instance]
