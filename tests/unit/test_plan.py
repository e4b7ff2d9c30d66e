"""What one security group lacks and has too much, and whose rules are never touched."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.configuration.settings import Mode
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import STATIC, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import BadRow, MemberState, Roster, Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.plan import Plan, Reason, Relabelling, Scope, managed_ports, plan_group
from tests.unit.builders import (
    CLUSTER,
    DB,
    EAST,
    GROUP,
    I1,
    I2,
    NOW,
    TCP,
    WEST,
    WEST_DB,
    address,
    label,
    member,
    roster,
    rows,
    rule,
    scope,
)

A1, A2, A3 = address(1), address(2), address(3)
UDP = PortRange("udp", 53, 53)
HOME = scope()
MIRROR = scope(mode=Mode.MIRROR)
PEER = scope(at_home=False)
"""The east's engine at work in the west's group."""


def planned(rules: list[Rule], standing: Rows, within: Scope = HOME, ports: tuple[PortRange, ...] = (TCP,)) -> Plan:
    return plan_group(GROUP, rules, standing, ports, within)


def removed(plan: Plan) -> dict[RuleId, Reason]:
    return {each.rule: each.reason for each in plan.removals}


def added(plan: Plan) -> set[Opening]:
    return {each.opening for each in plan.additions}


# What is added.


def test_a_member_without_a_rule_gets_one_on_every_port_with_its_name_on_it() -> None:
    plan = planned([], rows(roster({I1: A1})), ports=(TCP, UDP))
    assert added(plan) == {Opening(TCP, A1), Opening(UDP, A1)}
    assert {each.label for each in plan.additions} == {label(I1)}


def test_at_home_the_members_of_every_region_are_wanted_and_in_a_peers_group_our_own() -> None:
    standing = rows(roster({I1: A1}), roster({I2: A2}, key=WEST_DB))
    assert added(planned([], standing)) == {Opening(TCP, A1), Opening(TCP, A2)}
    assert added(planned([], standing, PEER)) == {Opening(TCP, A1)}


def test_a_plan_counts_the_owned_rules_that_it_was_made_of() -> None:
    rules = [rule("sgr-1", A1, label(I1)), rule("sgr-2", A2, label(I2, WEST_DB)), rule("sgr-3", A3)]
    assert planned(rules, rows()).owned == 2


def test_a_plan_is_something_to_do_if_anything_is_to_be_added_or_removed() -> None:
    assert planned([], rows(roster({I1: A1})))
    assert planned([rule("sgr-1", A1, label(I1))], rows(roster(departed={I1: NOW})))
    assert not planned([], rows(roster()))


def test_whoever_waits_for_an_address_needs_no_rule() -> None:
    assert not planned([], rows(roster({I1: member(state=MemberState.WAITING)})))


def test_a_missing_member_is_still_wanted() -> None:
    standing = rows(roster({I1: member(A1, state=MemberState.MISSING)}))
    assert not planned([rule("sgr-1", A1, label(I1))], standing)


@pytest.mark.parametrize("owner", [label(I1), label(cluster="other"), None])
def test_a_rule_that_admits_a_member_satisfies_whoever_made_it(owner: Label | None) -> None:
    assert not planned([rule("sgr-1", A1, owner)], rows(roster({I1: A1})))


@pytest.mark.parametrize(
    "wider",
    [
        rule("sgr-1", Cidr("0.0.0.0/0")),
        rule("sgr-1", Cidr("198.18.0.0/15")),
        rule("sgr-1", A1, ports=PortRange("-1", -1, -1)),
    ],
)
def test_a_wider_foreign_rule_does_not_satisfy(wider: Rule) -> None:
    plan = planned([wider], rows(roster({I1: A1})))
    assert added(plan) == {Opening(TCP, A1)}
    assert not plan.removals


def test_each_family_gets_the_icmp_that_ec2_takes() -> None:
    v6 = Cidr("2001:db8::1/128")
    icmp, icmpv6, everything = PortRange("icmp", -1, -1), PortRange("icmpv6", -1, -1), PortRange("-1", -1, -1)
    plan = planned([], rows(roster({I1: member(A1, v6)})), ports=(icmp, icmpv6, everything))
    assert added(plan) == {Opening(icmp, A1), Opening(icmpv6, v6), Opening(everything, A1), Opening(everything, v6)}


def test_where_two_claim_an_address_one_rule_admits_both() -> None:
    plan = planned([], rows(roster({I1: A1, I2: A1})))
    assert [each.label for each in plan.additions] == [label(I1)]


def test_an_address_that_moved_to_another_member_keeps_its_rule_under_the_others_name() -> None:
    standing = rows(roster({I2: A1}, departed={I1: NOW}))
    plan = planned([rule("sgr-1", A1, label(I1))], standing)
    assert plan == Plan(
        GROUP, owned=1, relabellings=(Relabelling(Opening(TCP, A1), RuleId("sgr-1"), label(I2), label(I1)),)
    )


def test_in_a_peer_region_the_rule_of_anothers_roster_keeps_its_name() -> None:
    standing = rows(roster({I2: A1}))
    assert not planned([rule("sgr-1", A1, label(I1, key=RosterKey(WEST, "db")))], standing, scope(at_home=False))


# Static members.


def test_a_static_member_belongs_in_the_group_at_home_alone() -> None:
    office = Cidr("203.0.113.0/24")
    home = planned([], rows(roster()), scope(static_members=(office,)))
    assert [(each.opening.cidr, str(each.label)) for each in home.additions] == [
        (office, "ringfence demo us-east-1/(static) static")
    ]
    assert not planned([], rows(roster()), scope(static_members=(office,), at_home=False))


def test_a_static_member_that_is_no_longer_configured_goes() -> None:
    office = rule("sgr-1", Cidr("203.0.113.0/24"), label("static", RosterKey(EAST, STATIC)))
    assert removed(planned([office], rows(roster()))) == {RuleId("sgr-1"): Reason.NO_MEMBER}


# Why a rule goes.


def test_the_rule_of_a_departed_instance_goes_and_says_since_when() -> None:
    plan = planned([rule("sgr-1", A1, label(I1))], rows(roster(departed={I1: NOW - 7})))
    (removal,) = plan.removals
    assert (removal.reason, removal.departed_at, removal.is_explained) == (Reason.DEPARTED, NOW - 7, True)


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (roster(), Reason.UNKNOWN_INSTANCE),
        (roster({I1: A2}), Reason.NO_MEMBER),
        (roster({I1: member(state=MemberState.WAITING)}), Reason.UNKNOWN_ADDRESS),
        (roster({I1: member(state=MemberState.BARE)}), Reason.NO_MEMBER),
    ],
)
def test_without_a_departure_no_removal_is_explained(standing: Roster, reason: Reason) -> None:
    (removal,) = planned([rule("sgr-1", A1, label(I1))], rows(standing)).removals
    assert (removal.reason, removal.is_explained) == (reason, False)


def test_a_rule_on_a_port_that_is_no_longer_managed_goes() -> None:
    rules = [rule("sgr-1", A1, label(I1)), rule("sgr-2", A1, label(I1), ports=UDP)]
    assert removed(planned(rules, rows(roster({I1: A1})))) == {RuleId("sgr-2"): Reason.PORT}


def test_the_rules_of_a_group_that_is_no_longer_configured_go() -> None:
    cache = RosterKey(EAST, "cache")
    assert removed(planned([rule("sgr-1", A1, label(I1, cache))], rows(roster()))) == {
        RuleId("sgr-1"): Reason.NO_MEMBER
    }


def test_the_rules_of_a_region_that_left_the_cluster_go_and_its_members_with_them() -> None:
    gone = RosterKey(Region("eu-west-1"), "db")
    standing = rows(roster(), roster({I1: A1}, key=gone))
    plan = planned([rule("sgr-1", A1, label(I1, gone))], standing)
    assert removed(plan).keys() == {RuleId("sgr-1")}
    assert not plan.additions


# Unknown is not absent.


@pytest.mark.parametrize("key", [DB, WEST_DB], ids=["own", "a peer's"])
def test_a_roster_that_is_missing_keeps_its_rules(key: RosterKey) -> None:
    assert not planned([rule("sgr-1", A1, label(I1, key))], Rows())


@pytest.mark.parametrize("key", [DB, WEST_DB, RosterKey(EAST, "cache")], ids=["own", "a peer's", "a former group's"])
def test_a_roster_that_cannot_be_trusted_keeps_its_rules(key: RosterKey) -> None:
    assert not planned([rule("sgr-1", A1, label(I1, key))], Rows(bad={key: BadRow("why")}))


def test_a_roster_that_cannot_be_trusted_does_not_keep_the_rules_of_others() -> None:
    rules = [rule("sgr-1", A1, label(I1)), rule("sgr-2", A2, label(I2, WEST_DB))]
    standing = rows(roster(departed={I1: NOW}), bad={WEST_DB: BadRow("why")})
    assert removed(planned(rules, standing)).keys() == {RuleId("sgr-1")}


# What is not ours.

FOREIGN = [
    rule("sgr-9", A3),
    rule("sgr-9", A3, description=""),
    rule("sgr-9", A3, label(I1, cluster="other")),
    rule("sgr-9", None, source_group=GROUP),
    rule("sgr-9", None, label(I1), source_group=SecurityGroupId("sg-2")),
    rule("sgr-9", None, description="a prefix list"),
    rule("sgr-9", Cidr("0.0.0.0/0")),
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda one: one.description or "-")
def test_a_foreign_rule_is_never_removed(foreign: Rule) -> None:
    assert not planned([foreign], rows(roster(), roster(key=WEST_DB))).removals


def test_in_a_peers_group_only_the_rules_of_our_own_rosters_are_ours() -> None:
    # given rules that nobody wants any more
    rules = [
        rule("sgr-1", A1, label(I1)),
        rule("sgr-2", A2, label(I2, WEST_DB)),
        rule("sgr-3", A3, label("static", RosterKey(WEST, STATIC))),
        rule("sgr-4", address(4), label(I1, RosterKey(Region("eu-west-1"), "db"))),
        rule("sgr-5", address(5), label(I1, RosterKey(EAST, "cache"))),
    ]
    standing = rows(roster(departed={I1: NOW}), roster({I1: address(6)}, key=WEST_DB))
    # when
    plan = planned(rules, standing, PEER)
    # then
    assert removed(plan).keys() == {RuleId("sgr-1")}
    assert not plan.additions


def test_in_a_peers_group_even_a_mirror_removes_nothing_foreign() -> None:
    peers = scope(at_home=False, mode=Mode.MIRROR)
    assert not planned([rule("sgr-9", A3)], rows(roster(), roster(key=WEST_DB)), peers)


# Mirror mode.


def test_a_mirror_removes_what_is_no_members_on_the_managed_ports_alone() -> None:
    # given
    rules = [
        rule("sgr-1", A1),
        rule("sgr-2", A2),
        rule("sgr-3", A2, ports=UDP),
        rule("sgr-4", None, source_group=GROUP),
        rule("sgr-5", None, description="a prefix list"),
        rule("sgr-6", Cidr("203.0.113.0/24")),
        rule("sgr-7", Cidr("2001:db8::/32")),
    ]
    mirror = scope(mode=Mode.MIRROR, static_members=(Cidr("203.0.113.0/24"),))
    # when
    plan = planned(rules, rows(roster({I1: A1}), roster(key=WEST_DB)), mirror)
    # then
    assert removed(plan) == {RuleId("sgr-2"): Reason.FOREIGN, RuleId("sgr-7"): Reason.FOREIGN}
    assert not any(each.is_explained for each in plan.removals)


@pytest.mark.parametrize(
    "standing",
    [
        rows(roster()),
        rows(roster(), bad={WEST_DB: BadRow("why")}),
        rows(roster(), roster(key=WEST_DB), bad={RosterKey(WEST, "x"): BadRow("why")}),
    ],
    ids=["a peer never spoke", "a peer is not trusted", "one of a peer's groups is not trusted"],
)
def test_a_mirror_waits_until_every_region_has_spoken(standing: Rows) -> None:
    assert not planned([rule("sgr-9", A3)], standing, MIRROR).removals


# Ports.


def test_auto_finds_the_ports_on_which_the_group_admits_itself() -> None:
    rules = [
        rule("sgr-1", None, source_group=GROUP, ports=UDP),
        rule("sgr-2", None, source_group=GROUP),
        rule("sgr-3", None, source_group=SecurityGroupId("sg-2"), ports=PortRange("tcp", 22, 22)),
        rule("sgr-4", A1, ports=PortRange("tcp", 80, 80)),
    ]
    assert managed_ports(Ports(), GROUP, rules) == (TCP, UDP)
    assert managed_ports(Ports(), GROUP, rules[2:]) == ()
    assert managed_ports(Ports((TCP,)), GROUP, rules) == (TCP,)


# Properties.

PORTS = (TCP, UDP)
few = st.integers(0, 5)
ids = few.map(lambda n: InstanceId(f"i-{n}"))
keys = st.sampled_from([DB, WEST_DB, RosterKey(EAST, "cache"), RosterKey(Region("eu-west-1"), "db")])
rosters = st.builds(
    roster,
    st.dictionaries(ids, few.map(address), max_size=4),
    st.dictionaries(ids, st.just(NOW), max_size=3),
    keys,
)
tables = st.builds(
    lambda found, bad: Rows({one.key: one for one in found if one.key not in bad}, {key: BadRow("why") for key in bad}),
    st.lists(rosters, max_size=4),
    st.lists(keys, max_size=1),
)
openings = st.builds(Opening, st.sampled_from([*PORTS, PortRange("tcp", 22, 22)]), few.map(address))
owners = st.none() | st.builds(label, ids, keys, st.sampled_from([CLUSTER, "other"]))
groups = st.dictionaries(openings, owners, max_size=12).map(
    lambda found: [
        rule(f"sgr-{number}", opening.cidr, owner, opening.ports)
        for number, (opening, owner) in enumerate(found.items())
    ]
)


def scopes_in(*modes: Mode) -> st.SearchStrategy[Scope]:
    return st.builds(
        scope,
        at_home=st.booleans(),
        mode=st.sampled_from(modes),
        static_members=st.lists(few.map(address), max_size=1, unique=True).map(tuple),
    )


scopes = scopes_in(*Mode)


def applied(plan: Plan, rules: list[Rule]) -> list[Rule]:
    gone = {each.rule for each in plan.removals}
    made = [
        rule(f"sgr-new-{number}", each.opening.cidr, each.label, each.opening.ports)
        for number, each in enumerate(plan.additions)
    ]
    now = {each.rule: str(each.label) for each in plan.relabellings}
    return [replace(one, description=now.get(one.id, one.description)) for one in rules if one.id not in gone] + made


@given(groups, tables, scopes)
def test_a_plan_that_was_applied_leaves_nothing_to_do(rules: list[Rule], standing: Rows, within: Scope) -> None:
    first = planned(rules, standing, within, PORTS)
    assert not planned(applied(first, rules), standing, within, PORTS)


@given(groups, tables, scopes)
def test_a_plan_does_not_depend_on_the_order_of_what_was_read(rules: list[Rule], standing: Rows, within: Scope) -> None:
    backwards = Rows(dict(reversed(list(standing.rosters.items()))), standing.bad)
    assert planned(rules, standing, within, PORTS) == planned(rules[::-1], backwards, within, PORTS)


@given(groups, tables, scopes)
def test_no_rule_of_a_live_member_is_removed(rules: list[Rule], standing: Rows, within: Scope) -> None:
    plan = planned(rules, standing, within, PORTS)
    live = set(within.desired(standing))
    assert not any(each.opening.cidr in live and each.opening.ports in PORTS for each in plan.removals)


@given(groups, tables, scopes_in(Mode.OWNED, Mode.OBSERVE))
def test_an_owner_never_removes_what_is_foreign(rules: list[Rule], standing: Rows, within: Scope) -> None:
    foreign = {one.id for one in rules if one.label(CLUSTER) is None}
    assert not foreign & {each.rule for each in planned(rules, standing, within, PORTS).removals}


@given(groups, tables, scopes)
def test_everybody_who_is_wanted_is_admitted_once_the_plan_is_applied(
    rules: list[Rule], standing: Rows, within: Scope
) -> None:
    after = {one.opening for one in applied(planned(rules, standing, within, PORTS), rules)}
    assert {Opening(ports, cidr) for ports in PORTS for cidr in within.desired(standing)} <= after


@given(groups, tables, scopes)
def test_a_digest_names_the_removals_and_nothing_else(rules: list[Rule], standing: Rows, within: Scope) -> None:
    one = planned(rules, standing, within, PORTS)
    assert one.digest == Plan(GROUP, (), one.removals[::-1], 0).digest
    assert one.digest != Plan(SecurityGroupId("sg-2"), (), one.removals, 0).digest
    if one.removals:
        assert one.digest != Plan(GROUP, (), one.removals[1:], 0).digest
