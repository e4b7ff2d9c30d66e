"""The defects of the original sample (awslabs/aws-automating-security-group-updates). None of them may return."""

import random
from functools import partial

import pytest

from ringfence.core.configuration.settings import Mode
from ringfence.core.errors import Retry
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import PrefixListId
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from ringfence_lab.sim.engine.tasks import Scheduler
from tests.engine.conftest import EAST, TRUE_UP, WEST, settled


def members(cloud: Cloud) -> set[Cidr]:
    """The public addresses of all instances that are in service."""
    return {
        address
        for region in cloud.regions.values()
        for group in region.groups.values()
        for id, state in group.listed().items()
        if state == "InService"
        for address in region.ec2.instances[id].addresses[AddressKind.PUBLIC_IPV4]
    }


def sources(cloud: Cloud, region: str) -> list[str]:
    """Every rule of the Region's group as text, owned or foreign."""
    rules = cloud.region(region).security_group.rules.values()
    return sorted(
        f"{rule.ports} {rule.opening.cidr if rule.opening else rule.source_group or rule.description}" for rule in rules
    )


def test_the_engine_never_changes_an_operators_rule_on_any_port(cloud: Cloud) -> None:
    # given rules by hand: on the managed port, on another port, for all addresses, in IPv6, by prefix list
    group = cloud.region(EAST).security_group
    by_hand = [
        group.allow("203.0.113.7/32", "tcp/9042"),
        group.allow("203.0.113.7/32", "tcp/22"),
        group.allow("0.0.0.0/0", "tcp/443"),
        group.allow("2001:db8:ffff::1/128", "tcp/9042"),
        group.allow_prefix_list(PrefixListId("pl-office"), "tcp/9042"),
    ]
    # when the group scales out and in, and both Regions run true-ups
    for desired in (4, 1, 3):
        cloud.region(EAST).groups["db"].scale_to(desired)
        cloud.poll(EAST)
        cloud.invoke(EAST, TRUE_UP)
        cloud.invoke(WEST, TRUE_UP)
    # then
    assert all(rule in group.rules for rule in by_hand)


def test_members_are_admitted_only_on_the_managed_ports(cloud: Cloud) -> None:
    # given a group with a rule for SSH
    group = cloud.region(EAST).security_group
    group.allow("203.0.113.7/32", "tcp/22")
    # when
    cloud.region(EAST).groups["db"].scale_to(3)
    cloud.poll(EAST)
    # then
    assert {str(rule.ports) for rule in cloud.region(EAST).owned_rules()} == {"tcp/9042"}


def test_mirror_mode_removes_only_foreign_addresses_on_the_managed_ports(cloud: Cloud) -> None:
    # given
    group = cloud.region(EAST).security_group
    stranger = group.allow("203.0.113.7/32", "tcp/9042")
    kept = [
        group.allow("203.0.113.7/32", "tcp/22"),
        group.allow_prefix_list(PrefixListId("pl-office"), "tcp/9042"),
        group.allow_group(group.id, "tcp/7000"),
    ]
    # when
    cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, mode=Mode.MIRROR))
    # then
    assert stranger not in group.rules
    assert all(rule in group.rules for rule in kept)


def test_a_failed_authorize_holds_the_launch(cloud: Cloud) -> None:
    # given
    cloud.fault(Effect.FAIL, region=EAST, operation="AuthorizeSecurityGroupIngress")
    group = cloud.region(EAST).groups["db"]
    group.scale_to(3)
    # when
    invocation = cloud.poll(EAST)
    # then
    assert invocation is not None
    assert isinstance(invocation.error, Retry)
    assert sorted(group.listed().values()) == ["InService", "InService", "Pending:Wait"]


def test_an_existing_rule_does_not_block_the_other_launches(cloud: Cloud) -> None:
    # given a rule by hand for one of three launching instances
    group = cloud.region(EAST).groups["db"]
    group.scale_to(5)
    waiting = [id for id, state in group.listed().items() if state == "Pending:Wait"]
    (address,) = cloud.region(EAST).ec2.instances[waiting[0]].addresses[AddressKind.PUBLIC_IPV4]
    cloud.region(WEST).security_group.allow(address, "tcp/9042")
    # when
    cloud.poll(EAST)
    # then
    assert all(state == "InService" for state in group.listed().values())
    for region in (EAST, WEST):
        assert all(f"tcp/9042 {member}" in sources(cloud, region) for member in members(cloud))


def spawn_invocation(cloud: Cloud, home: str, scheduler: Scheduler) -> None:
    """Starts an invocation for the messages that are in the queue now. It runs when the scheduler runs."""
    invocation, queue = cloud.invocation(home), cloud.region(home).queue
    batch = queue.receive()
    queue.delete(batch)
    services = cloud.engine_services(home, invocation, scheduler)
    scheduler.spawn(invocation, partial(cloud.function(home).consume, invocation, services, batch))


@pytest.mark.parametrize("seed", range(40))
def test_twenty_concurrent_launches_in_two_regions_are_all_admitted(seed: int) -> None:
    # given
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    settled(cloud)
    scheduler = Scheduler(cloud.clock, random.Random(seed).randrange)
    # when each launch has its own invocation, and all invocations overlap
    for number in range(20):
        home = (EAST, WEST)[number % 2]
        cloud.region(home).groups["db"].scale_to(3 + number // 2)
        spawn_invocation(cloud, home, scheduler)
    scheduler.run()
    # then all are members after a true-up for the invocations that were overtaken too often
    for home in (EAST, WEST):
        cloud.invoke(home, TRUE_UP)
    assert len(members(cloud)) == 24
    for home in (EAST, WEST):
        assert cloud.region(home).admitted() == members(cloud)


def test_an_instance_that_cannot_be_described_stays_a_member(cloud: Cloud) -> None:
    # given answers of EC2 without any instance
    admitted = cloud.region(EAST).admitted()
    cloud.fault(Effect.STALE, region=EAST, operation="DescribeInstances", seconds=10_000)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == admitted


def test_a_member_that_its_group_does_not_list_stays_admitted_at_first(cloud: Cloud) -> None:
    # given answers of Auto Scaling from before the group had instances
    admitted = cloud.region(EAST).admitted()
    cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=10_000)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == admitted


def test_an_overtaken_invocation_does_not_overwrite_a_newer_row(cloud: Cloud) -> None:
    # given an invocation that has read the row, and another that writes it first
    scheduler = Scheduler(cloud.clock, lambda ready: ready - 1)
    group = cloud.region(EAST).groups["db"]
    for desired in (3, 4):
        group.scale_to(desired)
        spawn_invocation(cloud, EAST, scheduler)
    # when
    scheduler.run()
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == members(cloud)
    assert len(members(cloud)) == 6


def test_regions_can_be_deployed_independently_of_each_other() -> None:
    # given two Regions whose configurations differ only in the names of their own resources
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    # when
    settled(cloud)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == members(cloud)
