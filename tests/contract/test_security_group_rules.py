"""The inbound rules of a security group.

Every call is atomic, so after a refusal the engine can read the rules again and continue.
"""

import pytest

from ringfence.core.errors import Permanent, Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Opening
from ringfence.core.plan import Addition
from tests.contract.sources import assumed, documented
from tests.contract.world import World

TCP = PortRange("tcp", 9042, 9042)
UNKNOWN = RuleId("sgr-0123456789abcdef0")
NO_GROUP = SecurityGroupId("sg-0123456789abcdef0")


def addition(cidr: str, ports: PortRange = TCP, instance: str = "i-1") -> Addition:
    return Addition(Opening(ports, Cidr(cidr)), Label("contract", RosterKey(Region("us-east-1"), "db"), instance))


def many(count: int, net: str = "198.18.0.{}/32") -> list[Addition]:
    return [addition(net.format(number)) for number in range(1, count + 1)]


def openings(world: World, group: SecurityGroupId) -> set[Opening | None]:
    return {rule.opening for rule in world.here.security_groups.rules([group])[group]}


def refusal_of(world: World, group: SecurityGroupId, additions: list[Addition]) -> Refusal:
    with pytest.raises(Refused) as refused:
        world.here.security_groups.authorize(group, additions)
    return refused.value.refusal


@documented("EC2 API Reference, AuthorizeSecurityGroupIngress, response elements")
def test_authorize_returns_the_added_rules(world: World) -> None:
    group = world.security_group(world.here)
    wanted = [addition("198.18.0.1/32"), addition("2001:db8::1/128"), addition("198.18.0.1/32", PortRange("udp", 1, 9))]

    made = world.here.security_groups.authorize(group, wanted)

    assert {rule.opening for rule in made} == {addition.opening for addition in wanted}
    assert {rule.description for rule in made} == {str(wanted[0].label)}
    assert set(world.here.security_groups.rules([group])[group]) == set(made)
    assert len({rule.id for rule in made}) == 3


@documented("EC2 API Reference, DescribeSecurityGroupRules, filter group-id")
def test_rules_are_listed_by_group_without_outbound_rules(world: World) -> None:
    first, second = world.security_group(world.here), world.security_group(world.here)
    world.here.security_groups.authorize(first, [addition("198.18.0.1/32")])
    world.here.security_groups.authorize(second, [addition("198.18.0.2/32")])

    rules = world.here.security_groups.rules([first, second])

    assert [[str(rule.opening) for rule in rules[group]] for group in (first, second)] == [
        ["198.18.0.1/32 on tcp/9042"],
        ["198.18.0.2/32 on tcp/9042"],
    ]


@assumed("a refused call is atomic; the code is in EC2 API Reference, Error codes, InvalidPermission.Duplicate")
def test_one_duplicate_refuses_all_of_an_authorize(world: World) -> None:
    group = world.security_group(world.here)
    world.here.security_groups.authorize(group, [addition("198.18.0.1/32")])

    refusal = refusal_of(world, group, [addition("198.18.0.2/32"), addition("198.18.0.1/32", instance="i-2")])

    assert refusal is Refusal.DUPLICATE
    assert openings(world, group) == {addition("198.18.0.1/32").opening}


@documented("Amazon VPC User Guide, Security group rules: EC2 checks source and ports")
def test_a_rule_added_by_hand_is_a_duplicate_with_any_description(world: World) -> None:
    group = world.security_group(world.here)
    world.allow(group, "198.18.0.1/32", TCP, "by hand")

    assert refusal_of(world, group, [addition("198.18.0.1/32")]) is Refusal.DUPLICATE
    world.here.security_groups.authorize(group, [addition("198.18.0.1/32", PortRange("tcp", 9042, 9043))])


@documented("EC2 API Reference, AuthorizeSecurityGroupIngress: CIDRs are stored in canonical form")
@pytest.mark.parametrize(
    ("written", "kept"), [("198.18.7.9/24", "198.18.7.0/24"), ("2001:DB8:0:0::00:1/128", "2001:db8::1/128")]
)
def test_a_cidr_is_canonical_before_the_check_for_duplicates(world: World, written: str, kept: str) -> None:
    group = world.security_group(world.here)

    world.allow(group, written, TCP, "by hand")

    assert openings(world, group) == {Opening(TCP, Cidr(kept))}
    assert refusal_of(world, group, [addition(kept)]) is Refusal.DUPLICATE


@documented("Amazon VPC User Guide, Amazon VPC quotas: 60 inbound rules, IPv4 and IPv6 enforced separately")
def test_each_address_family_has_a_quota_of_sixty(world: World) -> None:
    group = world.security_group(world.here)
    world.here.security_groups.authorize(group, many(60))
    world.here.security_groups.authorize(group, many(60, "2001:db8::{}/128"))

    assert refusal_of(world, group, [addition("198.19.0.1/32")]) is Refusal.QUOTA
    assert refusal_of(world, group, [addition("2001:db8:1::1/128")]) is Refusal.QUOTA
    assert len(openings(world, group)) == 120


@assumed("a refused call is atomic; the code is in EC2 API Reference, RulesPerSecurityGroupLimitExceeded")
def test_a_call_beyond_the_quota_changes_nothing(world: World) -> None:
    group = world.security_group(world.here)
    world.here.security_groups.authorize(group, many(59))
    before = openings(world, group)

    assert refusal_of(world, group, [addition("198.19.0.1/32"), addition("198.19.0.2/32")]) is Refusal.QUOTA

    assert openings(world, group) == before
    world.here.security_groups.authorize(group, [addition("198.19.0.1/32")])


@documented("Amazon VPC User Guide, Amazon VPC quotas: a reference to a security group counts for both families")
def test_a_group_that_admits_itself_uses_one_rule_of_each_family(world: World) -> None:
    group = world.security_group(world.here)
    world.allow_itself(group, TCP)
    world.here.security_groups.authorize(group, [*many(59), *many(59, "2001:db8::{}/128")])

    (reference,) = (rule for rule in world.here.security_groups.rules([group])[group] if rule.opening is None)
    assert (reference.source_group, reference.ports) == (group, TCP)
    assert refusal_of(world, group, [addition("198.19.0.1/32")]) is Refusal.QUOTA
    assert refusal_of(world, group, [addition("2001:db8:1::1/128")]) is Refusal.QUOTA


@documented("EC2 API Reference, IpRange: 255 characters of a-z A-Z 0-9 and spaces ._-:/()#,@[]+=&;{}!$*")
def test_a_description_takes_255_of_the_documented_characters(world: World) -> None:
    group = world.security_group(world.here)
    longest = "._-:/()#,@[]+=&;{}!$*".ljust(255 - len(str(addition("198.18.0.1/32", instance="").label)), "x")

    (made,) = world.here.security_groups.authorize(group, [addition("198.18.0.1/32", instance=longest)])

    assert len(made.description) == 255
    assert made.label("contract") == addition("198.18.0.1/32", instance=longest).label


@documented("EC2 API Reference, IpRange; assumed: the whole call is refused")
@pytest.mark.parametrize(
    "bad",
    [
        addition("198.18.0.1/32", instance="x" * 256),
        addition("198.18.0.1/32", instance="i<1>"),
        addition("198.18.0.1/32", instance="\u00e9"),
    ],
    ids=["too-long", "angle-bracket", "accent"],
)
def test_one_bad_description_refuses_all_of_an_authorize(world: World, bad: Addition) -> None:
    group = world.security_group(world.here)

    assert refusal_of(world, group, [addition("198.18.0.2/32"), bad]) is Refusal.MALFORMED
    assert openings(world, group) == set()


@documented("EC2 API Reference, Error codes, InvalidParameterValue: the same permission must not appear multiple times")
def test_a_call_with_a_repeated_permission_is_refused(world: World) -> None:
    group = world.security_group(world.here)

    assert refusal_of(world, group, [addition("198.18.0.1/32"), addition("198.18.0.1/32", instance="i-2")]) is (
        Refusal.MALFORMED
    )
    assert openings(world, group) == set()


@documented("EC2 API Reference, RevokeSecurityGroupIngress: in a VPC that is not the default one nothing is revoked")
def test_one_unknown_rule_refuses_all_of_a_revoke(world: World) -> None:
    group = world.security_group(world.here)
    (rule,) = world.here.security_groups.authorize(group, [addition("198.18.0.1/32")])

    with pytest.raises(Refused) as refused:
        world.here.security_groups.revoke(group, [rule.id, UNKNOWN])

    assert refused.value.refusal is Refusal.NOT_FOUND
    assert openings(world, group) == {rule.opening}


@assumed("EC2 API Reference states no limit of rules for a call; a full group of both families is 120")
def test_all_rules_of_a_full_group_are_revoked_in_one_call(world: World) -> None:
    group = world.security_group(world.here)
    made = world.here.security_groups.authorize(group, [*many(60), *many(60, "2001:db8::{}/128")])

    world.here.security_groups.revoke(group, [rule.id for rule in made])

    assert openings(world, group) == set()


@documented("Amazon VPC User Guide, Security group rules: each rule has its own id")
def test_a_rule_added_again_has_another_id_and_the_old_id_is_unknown(world: World) -> None:
    group = world.security_group(world.here)
    (first,) = world.here.security_groups.authorize(group, [addition("198.18.0.1/32")])
    world.here.security_groups.revoke(group, [first.id])
    (second,) = world.here.security_groups.authorize(group, [addition("198.18.0.1/32")])

    with pytest.raises(Refused):
        world.here.security_groups.revoke(group, [first.id])

    assert [rule.id for rule in world.here.security_groups.rules([group])[group]] == [second.id] != [first.id]


@documented("EC2 API Reference, UpdateSecurityGroupRuleDescriptionsIngress")
def test_rules_are_relabelled_by_id_and_otherwise_unchanged(world: World) -> None:
    group = world.security_group(world.here)
    first, second = world.here.security_groups.authorize(group, many(2))
    label = addition("198.18.0.1/32", instance="i-9").label

    world.here.security_groups.relabel(group, {first.id: label})

    rules = {rule.id: rule for rule in world.here.security_groups.rules([group])[group]}
    assert rules[first.id].label("contract") == label
    assert (rules[first.id].opening, rules[second.id]) == (first.opening, second)


@assumed("a refused call is atomic; the code is in EC2 API Reference, Error codes, InvalidSecurityGroupRuleId.NotFound")
def test_one_unknown_rule_refuses_all_of_a_relabelling(world: World) -> None:
    group = world.security_group(world.here)
    (rule,) = world.here.security_groups.authorize(group, [addition("198.18.0.1/32")])
    label = addition("198.18.0.1/32", instance="i-9").label

    with pytest.raises((Refused, Permanent)):
        world.here.security_groups.relabel(group, {rule.id: label, UNKNOWN: label})

    assert world.here.security_groups.rules([group])[group] == (rule,)


@assumed("pull request 7620 of getmoto/moto was checked against AWS: a filter without a match is no error")
def test_a_group_that_does_not_exist_has_no_rules(world: World) -> None:
    group = world.security_group(world.here)
    (made,) = world.here.security_groups.authorize(group, [addition("198.18.0.1/32")])

    assert world.here.security_groups.rules([NO_GROUP, group]) == {NO_GROUP: (), group: (made,)}


@documented("EC2 API Reference, DescribeSecurityGroups, Filters: a filter without a match is no error")
def test_a_group_that_does_not_exist_is_missing(world: World) -> None:
    group = world.security_group(world.here)

    assert world.here.security_groups.missing([NO_GROUP, group]) == {NO_GROUP}


@documented("EC2 API Reference, Error codes, InvalidGroup.NotFound")
def test_a_group_that_does_not_exist_cannot_be_changed(world: World) -> None:
    with pytest.raises(Permanent):
        world.here.security_groups.authorize(NO_GROUP, [addition("198.18.0.1/32")])
    with pytest.raises(Permanent):
        world.here.security_groups.revoke(NO_GROUP, [UNKNOWN])


@documented("Amazon EC2 User Guide, Regions and Zones: resources belong to one Region")
def test_a_group_of_the_peer_region_is_changed_there_and_unknown_here(world: World) -> None:
    group = world.security_group(world.peer)

    (made,) = world.peer.security_groups.authorize(group, [addition("198.18.0.1/32")])
    with pytest.raises(Permanent):
        world.here.security_groups.authorize(group, [addition("198.18.0.2/32")])

    assert world.peer.security_groups.rules([group]) == {group: (made,)}
    world.peer.security_groups.revoke(group, [made.id])
    assert world.peer.security_groups.rules([group]) == {group: ()}
