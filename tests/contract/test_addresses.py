"""The addresses of an instance, and when it loses them."""

import pytest

from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.observation import Instance, Power
from tests.contract.sources import documented
from tests.contract.steps import complete, in_service, launching, leaves, power
from tests.contract.world import LAUNCH_HOOK, TERMINATE_HOOK, Group, World

PUBLIC, PRIVATE = AddressKind.PUBLIC_IPV4, AddressKind.PRIVATE_IPV4


@pytest.fixture
def group(world: World) -> Group:
    return world.auto_scaling_group()


def described(world: World, instance: InstanceId) -> Instance:
    return world.home.instances.by_id([instance]).instances[instance]


def addresses(world: World, instance: InstanceId, kind: AddressKind) -> tuple[str, ...]:
    return tuple(described(world, instance).addresses.get(kind, ()))


@documented("EC2 User Guide, Amazon EC2 instance IP addressing")
def test_a_launching_instance_has_its_addresses_and_its_groups_tag_while_it_waits(world: World, group: Group) -> None:
    instance = launching(world, group)

    world.eventually(lambda: addresses(world, instance, PUBLIC))

    seen = world.home.instances.of_groups([group.name])[instance]
    assert seen == described(world, instance)
    assert seen.group == group.name
    assert [len(seen.addresses[kind]) for kind in (PUBLIC, PRIVATE)] == [1, 1]


@documented("EC2 API Reference, DescribeInstances, Filters: a filter without a match is no error")
def test_an_unknown_instance_is_missing_from_the_answer(world: World, group: Group) -> None:
    instance, unknown = launching(world, group), InstanceId("i-0123456789abcdef0")

    answer = world.home.instances.by_id([unknown, instance])

    assert list(answer.instances) == [instance]
    assert answer.absent == {unknown}
    assert world.home.instances.of_groups([f"{group.name}-unknown"]) == {}


@documented("EC2 User Guide, Amazon EC2 instance IP addressing; Instance lifecycle")
def test_a_terminated_instance_is_described_without_a_public_address(world: World, group: Group) -> None:
    instance = in_service(world, group)
    group.scale_to(0)
    world.eventually(lambda: complete(world, group, instance, TERMINATE_HOOK))
    leaves(world, group, instance)
    world.eventually(lambda: power(world, instance) is Power.TERMINATED)

    world.eventually(lambda: not addresses(world, instance, PUBLIC))


@documented("EC2 User Guide, Amazon EC2 instance IP addressing: an Elastic IP replaces the public address")
def test_an_elastic_address_replaces_the_public_address(world: World, group: Group) -> None:
    instance = launching(world, group)
    (assigned,) = world.eventually(lambda: addresses(world, instance, PUBLIC))
    world.eventually(lambda: power(world, instance) is Power.RUNNING)

    elastic = world.associate_elastic_address(instance)

    assert elastic != assigned
    world.eventually(lambda: addresses(world, instance, PUBLIC) == (elastic,))


@documented(
    "EC2 User Guide, Stop and start: a stopped instance releases its public address and keeps its private address"
)
def test_a_stopped_instance_in_a_warm_pool_has_no_public_address(world: World, group: Group) -> None:
    group.keep_warm(1)
    (warmed,) = world.eventually(group.events)
    assert complete(world, group, warmed.instance, LAUNCH_HOOK)

    world.eventually(lambda: power(world, warmed.instance) is Power.STOPPED)

    world.eventually(lambda: not addresses(world, warmed.instance, PUBLIC))
    assert len(addresses(world, warmed.instance, PRIVATE)) == 1
