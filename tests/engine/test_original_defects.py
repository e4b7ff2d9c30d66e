"""The defects of the original sample (awslabs/aws-automating-security-group-updates), none of which may come back."""

import random
from functools import partial

import pytest

from ringfence.core.configuration.settings import Mode
from ringfence.core.errors import Retry
from ringfence.core.model.addresses import AddressKind, Cidr
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
    """Every rule of the Region's group as text, whoever made it."""
    rules = cloud.region(region).security_group.rules.values()
    return sorted(
        f"{rule.ports} {rule.opening.cidr if rule.opening else rule.source_group or rule.description}" for rule in rules
    )


def test_an_operators_rules_are_never_touched_on_any_port(cloud: Cloud) -> None:
    # given rules by hand: on the managed port, on another, for everybody, in IPv6, by prefix list
    group = cloud.region(EAST).security_group
    by_hand = [
        group.allow("203.0.113.7/32", "tcp/9042"),
        group.allow("203.0.113.7/32", "tcp/22"),
        group.allow("0.0.0.0/0", "tcp/443"),
        group.allow("2001:db8:ffff::1/128", "tcp/9042"),
        group.allow_prefix_list("pl-office", "tcp/9042"),
    ]
    # when everything happens
    for desired in (4, 1, 3):
        cloud.region(EAST).groups["db"].scale_to(desired)
        cloud.poll(EAST)
        cloud.invoke(EAST, TRUE_UP)
        cloud.invoke(WEST, TRUE_UP)
    # then
    assert all(rule in group.rules for rule in by_hand)


def test_members_are_opened_on_the_managed_ports_alone(cloud: Cloud) -> None:
    # given a group with a rule for SSH
    group = cloud.region(EAST).security_group
    group.allow("203.0.113.7/32", "tcp/22")
    # when
    cloud.region(EAST).groups["db"].scale_to(3)
    cloud.poll(EAST)
    # then
    assert {str(rule.ports) for rule in cloud.region(EAST).owned_rules()} == {"tcp/9042"}


def test_mirror_mode_removes_strangers_on_the_managed_ports_and_nothing_else(cloud: Cloud) -> None:
    # given
    group = cloud.region(EAST).security_group
    stranger = group.allow("203.0.113.7/32", "tcp/9042")
    kept = [
        group.allow("203.0.113.7/32", "tcp/22"),
        group.allow_prefix_list("pl-office", "tcp/9042"),
        group.allow_group(group.id, "tcp/7000"),
    ]
    # when
    cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, mode=Mode.MIRROR))
    # then
    assert stranger not in group.rules
    assert all(rule in group.rules for rule in kept)


def test_a_refused_authorize_is_no_reason_to_continue(cloud: Cloud) -> None:
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


def test_a_rule_that_is_there_already_does_not_keep_the_others_out(cloud: Cloud) -> None:
    # given one of three launching addresses is in the group by hand
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


@pytest.mark.parametrize("seed", range(40))
def test_twenty_launches_in_two_regions_at_once_lose_nobody(seed: int) -> None:
    # given
    cloud = Cloud([EAST, WEST])
    for each in cloud.regions.values():
        each.auto_scaling_group("db", desired=2)
    settled(cloud)
    scheduler = Scheduler(cloud.clock, random.Random(seed).randrange)
    # when each launch has an invocation of its own, and all of them overlap
    for number in range(20):
        home = (EAST, WEST)[number % 2]
        cloud.region(home).groups["db"].scale_to(3 + number // 2)
        one = cloud.invocation(home)
        batch = cloud.region(home).queue.receive()
        cloud.region(home).queue.delete(batch)
        scheduler.spawn(
            one, partial(cloud.function(home).consume, one, cloud.engine_services(home, one, scheduler), batch)
        )
    scheduler.run()
    # then, after at most one true-up for those that gave up against so many others
    for region in (EAST, WEST):
        cloud.invoke(region, TRUE_UP)
    assert len(members(cloud)) == 24
    for region in (EAST, WEST):
        assert cloud.region(region).admitted() == members(cloud)


def test_an_instance_that_cannot_be_described_stays_a_member(cloud: Cloud) -> None:
    # given EC2 that answers without any instance
    admitted = cloud.region(EAST).admitted()
    cloud.fault(Effect.STALE, region=EAST, operation="DescribeInstances", seconds=10_000)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == admitted


def test_a_listing_without_a_member_is_not_believed_at_once(cloud: Cloud) -> None:
    # given Auto Scaling that answers as before the group had instances
    admitted = cloud.region(EAST).admitted()
    cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=10_000)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == admitted


def test_the_last_writer_of_a_row_does_not_win_blindly(cloud: Cloud) -> None:
    # given an invocation that has read, and another that overtakes it before it writes
    scheduler = Scheduler(cloud.clock, lambda ready: ready - 1)
    group = cloud.region(EAST).groups["db"]
    for desired in (3, 4):
        group.scale_to(desired)
        queue, one = cloud.region(EAST).queue, cloud.invocation(EAST)
        batch = queue.receive()
        queue.delete(batch)
        scheduler.spawn(
            one, partial(cloud.function(EAST).consume, one, cloud.engine_services(EAST, one, scheduler), batch)
        )
    # when
    scheduler.run()
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == members(cloud)
    assert len(members(cloud)) == 6


def test_regions_need_nothing_of_one_another_to_be_deployed() -> None:
    # given two Regions whose configuration differs in nothing but what is their own
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    # when
    settled(cloud)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == members(cloud)
