"""The simulated EC2 assigns and releases addresses as documented.

Default source: EC2 User Guide, "Amazon EC2 instance IP addressing".
"""

import random

import pytest

from ringfence.core.model.addresses import AddressKind, Cidr, host
from ringfence.core.observation import Power
from ringfence_lab.sim.aws.addresses import AddressPool
from ringfence_lab.sim.aws.instances import Ec2
from ringfence_lab.sim.cloud import Cloud

PUBLIC = AddressKind.PUBLIC_IPV4


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(["us-east-1", "us-west-2"])


@pytest.fixture
def ec2(cloud: Cloud) -> Ec2:
    return cloud.region("us-east-1").ec2


def test_every_address_is_a_canonical_unicast_host(cloud: Cloud) -> None:
    for region in cloud.regions.values():
        for _ in range(300):
            for addresses in region.ec2.launch().addresses.values():
                assert [host(address) for address in addresses] == list(addresses)


def test_no_two_instances_share_an_address(cloud: Cloud) -> None:
    launched = [region.ec2.launch() for region in cloud.regions.values() for _ in range(300)]
    addresses = [cidr for instance in launched for cidrs in instance.addresses.values() for cidr in cidrs]

    assert len(set(addresses)) == len(addresses)


def test_a_stopped_instance_releases_its_public_address_and_starts_with_another(ec2: Ec2) -> None:
    instance = ec2.launch("db")
    before = instance.addresses[PUBLIC]

    ec2.stop(instance.id)
    assert ec2.by_id([instance.id], 0)[instance.id].addresses.get(PUBLIC, ()) == ()
    assert set(before) <= set(ec2.pool.strangers)
    ec2.start(instance.id)

    assert instance.power is Power.RUNNING
    assert instance.addresses[PUBLIC] != before


def test_an_elastic_ip_releases_the_public_address_and_survives_a_stop(ec2: Ec2) -> None:
    instance = ec2.launch("db")
    before = instance.addresses[PUBLIC]

    ec2.assign_public_address(instance.id, elastic=True)
    elastic = instance.addresses[PUBLIC]
    ec2.stop(instance.id)

    assert set(before) <= set(ec2.pool.strangers)
    assert instance.addresses[PUBLIC] == elastic != before


def test_a_terminated_instance_is_still_described_for_an_hour_without_addresses(cloud: Cloud, ec2: Ec2) -> None:
    # EC2 User Guide, "Instance lifecycle".
    instance = ec2.launch("db")

    ec2.terminate(instance.id)
    described = ec2.of_groups(["db"], 0)[instance.id]
    assert (described.power, described.addresses) == (Power.TERMINATED, {})
    cloud.clock.advance(3601)

    assert ec2.of_groups(["db"], 0) == {}


def test_instances_are_found_by_their_groups_tag(ec2: Ec2) -> None:
    database, web = ec2.launch("db"), ec2.launch("web")

    assert list(ec2.of_groups(["db"], 0)) == [database.id]
    assert set(ec2.by_id([database.id, web.id], 0)) == {database.id, web.id}


def test_an_address_may_appear_after_the_instance(cloud: Cloud, ec2: Ec2) -> None:
    # Assumed: an instance can be described before its address shows.
    ec2.address_seconds = 5
    instance = ec2.launch("db")

    assert PUBLIC not in ec2.by_id([instance.id], 0)[instance.id].addresses
    cloud.clock.advance(5)

    assert ec2.by_id([instance.id], 0)[instance.id].addresses[PUBLIC]


def test_a_stale_describe_does_not_show_a_new_instance(cloud: Cloud, ec2: Ec2) -> None:
    # EC2 API reference, "Eventual consistency".
    cloud.clock.advance(10)
    instance = ec2.launch("db")
    cloud.clock.advance(1)

    assert ec2.by_id([instance.id], 5) == {}
    assert list(ec2.by_id([instance.id], 0)) == [instance.id]


def test_a_stranger_has_a_released_address_until_an_instance_receives_it() -> None:
    pool = AddressPool(0)
    address = pool.allocate()

    pool.release(address)
    assert list(pool.strangers) == [address]
    pool.take_back(address)

    assert pool.allocate() == address
    assert not pool.strangers


def test_an_instance_sometimes_receives_the_address_of_a_stranger() -> None:
    pool = AddressPool(0, random.Random(1))  # a simulation
    released: set[Cidr] = set()
    for _ in range(20):
        address = pool.allocate()
        if address in released:
            return
        released.add(address)
        pool.release(address)
    pytest.fail("no address was reused")
