"""The simulated security group behaves as EC2 documents."""

import pytest

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, PrefixListId, Region, RosterKey, RuleId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Opening
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixList
from ringfence_lab.sim.aws.security_groups import Duplicate, Refusals, RefusedCall, SecurityGroup
from ringfence_lab.sim.cloud import Cloud

TCP = PortRange("tcp", 9042, 9042)


def addition(cidr: str, instance: str = "i-1", ports: PortRange = TCP) -> Addition:
    return Addition(Opening(ports, Cidr(cidr)), Label("demo", RosterKey(Region("us-east-1"), "db"), instance))


@pytest.fixture
def group() -> SecurityGroup:
    return Cloud(["us-east-1"], quota=4).region("us-east-1").security_group


def test_a_revoked_source_can_be_authorized_again_with_another_id(group: SecurityGroup) -> None:
    (first,) = group.authorize([addition("198.18.0.1/32")], None)
    group.revoke([first.id], None)

    (second,) = group.authorize([addition("198.18.0.1/32")], None)

    assert second.id != first.id
    assert group.used(ipv6=False) == 2


@pytest.mark.parametrize(
    "bad",
    [
        addition("198.18.0.1/32", instance="i" * 256),  # EC2 API reference, IpRange: 255 characters
        addition("198.18.0.1/32", instance="i<1>"),  # the same: allowed characters
        addition("198.18.0.1/32", ports=PortRange("icmpv6", -1, -1)),
    ],
)
def test_one_malformed_rule_refuses_the_whole_call(group: SecurityGroup, bad: Addition) -> None:
    before = group.described()

    with pytest.raises(Refused) as refused:
        group.authorize([addition("198.18.0.2/32"), bad], None)

    assert refused.value.refusal is Refusal.MALFORMED
    assert group.described() == before


def test_a_stale_describe_shows_earlier_rules(group: SecurityGroup) -> None:
    # EC2 API reference, "Eventual consistency".
    cloud = Cloud(["us-east-1"])
    group = cloud.region("us-east-1").security_group
    before = group.described()
    cloud.clock.advance(10)
    group.authorize([addition("198.18.0.1/32")], None)
    cloud.clock.advance(3)

    assert group.described(age=5) == before
    assert len(group.described(age=2)) == len(before) + 1


def test_a_prefix_list_takes_the_room_of_its_maximum_of_entries_in_its_family() -> None:
    region = Cloud(["us-east-1"]).region("us-east-1")
    small, large = PrefixListId("pl-1"), PrefixListId("pl-2")
    region.prefix_lists |= {small: PrefixList(ipv6=False, weight=50), large: PrefixList(ipv6=False, weight=11)}
    region.security_group.allow_prefix_list(small, "tcp/22")
    before = [region.security_group.used(ipv6=ipv6) for ipv6 in (False, True)]

    with pytest.raises(Refused, match="RulesPerSecurityGroupLimitExceeded"):
        region.security_group.allow_prefix_list(large, "tcp/22")

    assert before == [51, 1]  # with the rule by which the group admits itself


def test_only_labelled_rules_of_a_cidr_are_owned() -> None:
    region = Cloud(["us-east-1"]).region("us-east-1")
    label = str(Label("demo", RosterKey(Region("us-east-1"), "db"), InstanceId("i-1")))
    region.security_group.allow("203.0.113.7/32", "tcp/22")
    region.security_group.allow_prefix_list(PrefixListId("pl-1"), "tcp/22")

    owned = region.security_group.allow("198.18.0.1/32", "tcp/9042", description=label)

    assert [rule.id for rule in region.owned_rules()] == [owned]


REFUSED: tuple[tuple[RefusedCall, set[str]], ...] = (
    (RefusedCall.NOTHING, set()),  # ubicloud/ubicloud pull request 5551 relies on it
    (RefusedCall.FIRST, {"198.18.0.2/32"}),
    (RefusedCall.OTHERS, {"198.18.0.2/32", "198.18.0.3/32"}),  # ministackorg/ministack issue 437
)


@pytest.mark.parametrize(("change", "made"), REFUSED)
def test_a_refused_call_has_added_what_its_world_says(
    group: SecurityGroup, change: RefusedCall, made: set[str]
) -> None:
    # EC2 API reference, AuthorizeSecurityGroupIngress: it does not say what a refused call has changed.
    group.authorize([addition("198.18.0.1/32")], None)
    group.refusals = Refusals(change)

    with pytest.raises(Refused) as refused:
        group.authorize([addition("198.18.0.2/32"), addition("198.18.0.1/32"), addition("198.18.0.3/32")], None)

    assert refused.value.refusal is Refusal.DUPLICATE
    admitted = {rule.opening.cidr for rule in group.rules.values() if rule.opening is not None}
    assert admitted == {"198.18.0.1/32", *made}


@pytest.mark.parametrize(("change", "left"), [(change, 2 - len(gone)) for change, gone in REFUSED])
def test_a_refused_call_has_removed_what_its_world_says(group: SecurityGroup, change: RefusedCall, left: int) -> None:
    first, second = group.authorize([addition("198.18.0.1/32"), addition("198.18.0.2/32")], None)
    group.refusals = Refusals(change)

    with pytest.raises(Refused):
        group.revoke([first.id, RuleId("sgr-unknown"), second.id], None)

    assert sum(rule.opening is not None for rule in group.rules.values()) == left


def test_a_refused_call_has_added_as_many_rules_as_there_is_room_for(group: SecurityGroup) -> None:
    group.refusals = Refusals(RefusedCall.FIRST)
    with pytest.raises(Refused) as refused:
        group.authorize([addition(f"198.18.0.{n}/32") for n in range(1, 6)], None)
    assert refused.value.refusal is Refusal.QUOTA
    assert group.used(ipv6=False) == group.quota


@pytest.mark.parametrize(("duplicate", "answered"), [(Duplicate.NAMED, 2), (Duplicate.OMITTED, 1)])
def test_a_duplicate_may_be_answered_as_if_it_were_made(
    group: SecurityGroup, duplicate: Duplicate, answered: int
) -> None:
    (existing,) = group.authorize([addition("198.18.0.1/32", "i-0")], None)
    group.refusals = Refusals(duplicate=duplicate)

    rules = group.authorize([addition("198.18.0.1/32"), addition("198.18.0.2/32")], None)

    assert len(rules) == answered
    assert group.rules[existing.id].description == existing.description
