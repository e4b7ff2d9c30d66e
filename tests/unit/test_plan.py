"""The plan of a security group: what it adds, removes and relabels, and which rules it never changes."""

import pytest

from ringfence.core.configuration.settings import Mode
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import (
    ANNOUNCEMENT,
    STATIC,
    Region,
    RosterKey,
    RuleId,
    SecurityGroupId,
)
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rosters import BadRow, MemberState, Roster, Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.plan import Plan, Reason, Relabelling, Scope, plan_group
from tests.unit.builders import (
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
"""The scope of EAST's engine in a group of WEST."""


def planned(rules: list[Rule], table: Rows, within: Scope = HOME, ports: tuple[PortRange, ...] = (TCP,)) -> Plan:
    return plan_group(GROUP, rules, table, ports, within)


def removed(plan: Plan) -> dict[RuleId, Reason]:
    return {removal.rule: removal.reason for removal in plan.removals}


def added(plan: Plan) -> set[Opening]:
    return {addition.opening for addition in plan.additions}


# Additions.


def test_a_plan_adds_a_labelled_rule_on_every_port_for_a_member_without_rules() -> None:
    plan = planned([], rows(roster({I1: A1})), ports=(TCP, UDP))
    assert added(plan) == {Opening(TCP, A1), Opening(UDP, A1)}
    assert {addition.label for addition in plan.additions} == {label(I1)}


def test_a_plan_adds_all_members_at_home_and_only_our_own_members_in_a_peer() -> None:
    table = rows(roster({I1: A1}), roster({I2: A2}, key=WEST_DB))
    assert added(planned([], table)) == {Opening(TCP, A1), Opening(TCP, A2)}
    assert added(planned([], table, PEER)) == {Opening(TCP, A1)}


def test_a_plan_counts_the_owned_rules() -> None:
    rules = [rule("sgr-1", A1, label(I1)), rule("sgr-2", A2, label(I2, WEST_DB)), rule("sgr-3", A3)]
    assert planned(rules, rows()).owned == 2


def test_a_plan_is_true_if_it_adds_or_removes_a_rule() -> None:
    assert planned([], rows(roster({I1: A1})))
    assert planned([rule("sgr-1", A1, label(I1))], rows(roster(departed={I1: NOW})))
    assert not planned([], rows(roster()))


def test_a_member_that_waits_for_an_address_needs_no_rule() -> None:
    assert not planned([], rows(roster({I1: member(state=MemberState.WAITING)})))


def test_a_missing_member_keeps_its_rule() -> None:
    table = rows(roster({I1: member(A1, state=MemberState.MISSING)}))
    assert not planned([rule("sgr-1", A1, label(I1))], table)


@pytest.mark.parametrize("owner", [label(I1), label(cluster="other"), None])
def test_a_rule_that_admits_a_member_satisfies_the_plan_with_any_owner(owner: Label | None) -> None:
    assert not planned([rule("sgr-1", A1, owner)], rows(roster({I1: A1})))


@pytest.mark.parametrize(
    "wider",
    [
        rule("sgr-1", Cidr("0.0.0.0/0")),
        rule("sgr-1", Cidr("198.18.0.0/15")),
        rule("sgr-1", A1, ports=PortRange("-1", -1, -1)),
    ],
)
def test_a_wider_foreign_rule_does_not_satisfy_the_plan(wider: Rule) -> None:
    plan = planned([wider], rows(roster({I1: A1})))
    assert added(plan) == {Opening(TCP, A1)}
    assert not plan.removals


def test_each_address_family_gets_its_own_icmp_protocol() -> None:
    v6 = Cidr("2001:db8::1/128")
    icmp, icmpv6, everything = PortRange("icmp", -1, -1), PortRange("icmpv6", -1, -1), PortRange("-1", -1, -1)
    plan = planned([], rows(roster({I1: member(A1, v6)})), ports=(icmp, icmpv6, everything))
    assert added(plan) == {Opening(icmp, A1), Opening(icmpv6, v6), Opening(everything, A1), Opening(everything, v6)}


def test_two_members_with_the_same_address_need_one_rule() -> None:
    plan = planned([], rows(roster({I1: A1, I2: A1})))
    assert [addition.label for addition in plan.additions] == [label(I1)]


def test_a_plan_relabels_the_rule_of_an_address_that_moved_to_another_member() -> None:
    table = rows(roster({I2: A1}, departed={I1: NOW}))
    plan = planned([rule("sgr-1", A1, label(I1))], table)
    assert plan == Plan(
        GROUP, owned=1, relabellings=(Relabelling(Opening(TCP, A1), RuleId("sgr-1"), label(I2), label(I1)),)
    )


def test_a_plan_in_a_peer_does_not_relabel_the_rule_of_another_regions_roster() -> None:
    table = rows(roster({I2: A1}))
    assert not planned([rule("sgr-1", A1, label(I1, key=RosterKey(WEST, "db")))], table, scope(at_home=False))


# Static members.


SPOILT = BadRow("spoilt")
UNCERTAIN_CLAIMS = [
    Rows({key: claim, DB: roster(departed={I1: NOW})}, bad={RosterKey(key.region, ANNOUNCEMENT): SPOILT})
    for key in (WEST_DB, RosterKey(WEST, "a"))
    for claim in (roster({I2: A1}, key=key),)
]
MISSING_CLAIM = Rows({WEST_DB: roster({I2: member(A1, state=MemberState.MISSING)}, key=WEST_DB), DB: roster()})


@pytest.mark.parametrize("table", [*UNCERTAIN_CLAIMS, MISSING_CLAIM])
def test_a_rule_does_not_get_the_label_of_an_instance_that_may_be_no_member(table: Rows) -> None:
    # given a rule of one of our former members, and a member of another Region that may not be one
    plan = planned([rule("sgr-1", A1, label(I1))], table)
    # then the rule stays as it is until that is known
    assert not plan


@pytest.mark.parametrize("region", [EAST, WEST])
def test_an_uncertain_claim_to_an_address_hides_no_member(region: Region) -> None:
    # given a member, and a roster of a Region whose announcement is spoilt, earlier in order, with the same address
    own, other = (DB, RosterKey(WEST, "a")) if region == EAST else (WEST_DB, RosterKey(EAST, "a"))
    claim = roster({I2: A1}, key=other)
    doubt = {RosterKey(other.region, ANNOUNCEMENT): SPOILT}
    # when
    plan = planned([], Rows({own: roster({I1: A1}, key=own), other: claim}, bad=doubt))
    # then
    assert [addition.label for addition in plan.additions] == [label(I1, own)]
    assert plan.unconfirmed == ()


def test_a_missing_members_claim_to_an_address_hides_no_member() -> None:
    missing = roster({I1: member(A1, state=MemberState.MISSING)})
    plan = planned([], rows(missing, roster({I2: A1}, key=WEST_DB)))
    assert [addition.label for addition in plan.additions] == [label(I2, WEST_DB)]


def test_a_plan_adds_a_static_member_only_at_home() -> None:
    office = Cidr("203.0.113.0/24")
    home = planned([], rows(roster()), scope(static_members=(office,)))
    assert [(addition.opening.cidr, str(addition.label)) for addition in home.additions] == [
        (office, "ringfence demo us-east-1/(static) static")
    ]
    assert not planned([], rows(roster()), scope(static_members=(office,), at_home=False))


def test_a_plan_removes_a_static_member_that_is_no_longer_configured() -> None:
    office = rule("sgr-1", Cidr("203.0.113.0/24"), label("static", RosterKey(EAST, STATIC)))
    assert removed(planned([office], rows(roster()))) == {RuleId("sgr-1"): Reason.NO_MEMBER}


# Reasons of removals.


def test_the_removal_of_a_departed_instances_rule_has_the_time_of_the_departure() -> None:
    plan = planned([rule("sgr-1", A1, label(I1))], rows(roster(departed={I1: NOW - 7})))
    (removal,) = plan.removals
    assert (removal.reason, removal.departed_at, removal.is_explained) == (Reason.DEPARTED, NOW - 7, True)


@pytest.mark.parametrize(
    ("existing", "reason"),
    [
        (roster(), Reason.UNKNOWN_INSTANCE),
        (roster({I1: A2}), Reason.NO_MEMBER),
        (roster({I1: member(state=MemberState.WAITING)}), Reason.UNKNOWN_ADDRESS),
        (roster({I1: member(state=MemberState.BARE)}), Reason.NO_MEMBER),
    ],
)
def test_a_removal_without_a_departure_is_not_explained(existing: Roster, reason: Reason) -> None:
    (removal,) = planned([rule("sgr-1", A1, label(I1))], rows(existing)).removals
    assert (removal.reason, removal.is_explained) == (reason, False)


def test_a_plan_removes_a_rule_on_a_port_that_is_no_longer_managed() -> None:
    rules = [rule("sgr-1", A1, label(I1)), rule("sgr-2", A1, label(I1), ports=UDP)]
    assert removed(planned(rules, rows(roster({I1: A1})))) == {RuleId("sgr-2"): Reason.PORT}


def test_a_plan_removes_the_rules_of_a_group_that_is_no_longer_configured() -> None:
    cache = RosterKey(EAST, "cache")
    assert removed(planned([rule("sgr-1", A1, label(I1, cache))], rows(roster()))) == {
        RuleId("sgr-1"): Reason.NO_MEMBER
    }


def test_a_plan_removes_the_rules_of_a_region_that_left_the_cluster_and_adds_none() -> None:
    gone = RosterKey(Region("eu-west-1"), "db")
    table = rows(roster(), roster({I1: A1}, key=gone))
    plan = planned([rule("sgr-1", A1, label(I1, gone))], table)
    assert removed(plan).keys() == {RuleId("sgr-1")}
    assert not plan.additions


# Unknown is not absent.


@pytest.mark.parametrize("key", [DB, WEST_DB], ids=["own", "a peer's"])
def test_the_rules_of_a_missing_roster_stay(key: RosterKey) -> None:
    assert not planned([rule("sgr-1", A1, label(I1, key))], Rows())


@pytest.mark.parametrize("key", [DB, WEST_DB], ids=["own", "a peer's"])
def test_the_rules_of_a_bad_row_stay(key: RosterKey) -> None:
    assert not planned([rule("sgr-1", A1, label(I1, key))], Rows(bad={key: BadRow("why")}))


@pytest.mark.parametrize("within", [HOME, PEER], ids=["at home", "in a peer"])
def test_the_rules_of_a_bad_row_go_if_our_own_region_does_not_configure_its_group(within: Scope) -> None:
    cache = RosterKey(EAST, "cache")
    plan = planned([rule("sgr-1", A1, label(I1, cache))], Rows(bad={cache: BadRow("why")}), within)
    assert removed(plan) == {RuleId("sgr-1"): Reason.NO_MEMBER}


def test_a_bad_row_does_not_keep_the_rules_of_other_rosters() -> None:
    rules = [rule("sgr-1", A1, label(I1)), rule("sgr-2", A2, label(I2, WEST_DB))]
    table = rows(roster(departed={I1: NOW}), bad={WEST_DB: BadRow("why")})
    assert removed(planned(rules, table)).keys() == {RuleId("sgr-1")}


# Foreign rules.

FOREIGN = [
    rule("sgr-9", A3),
    rule("sgr-9", A3, description=""),
    rule("sgr-9", A3, label(I1, cluster="other")),
    rule("sgr-9", None, source_group=GROUP),
    rule("sgr-9", None, label(I1), source_group=SecurityGroupId("sg-2")),
    rule("sgr-9", None, description="a prefix list"),
    rule("sgr-9", Cidr("0.0.0.0/0")),
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda rule: rule.description or "-")
def test_a_foreign_rule_is_never_removed(foreign: Rule) -> None:
    assert not planned([foreign], rows(roster(), roster(key=WEST_DB))).removals


def test_a_plan_in_a_peer_removes_only_the_rules_of_our_own_rosters() -> None:
    # given rules that no roster wants any more
    rules = [
        rule("sgr-1", A1, label(I1)),
        rule("sgr-2", A2, label(I2, WEST_DB)),
        rule("sgr-3", A3, label("static", RosterKey(WEST, STATIC))),
        rule("sgr-4", address(4), label(I1, RosterKey(Region("eu-west-1"), "db"))),
        rule("sgr-5", address(5), label(I1, RosterKey(EAST, "cache"))),
    ]
    table = rows(roster(departed={I1: NOW}), roster({I1: address(6)}, key=WEST_DB))
    # when
    plan = planned(rules, table, PEER)
    # then also the rules of a group that our own Region no longer configures go
    assert removed(plan) == {RuleId("sgr-1"): Reason.DEPARTED, RuleId("sgr-5"): Reason.NO_MEMBER}
    assert not plan.additions


def test_a_mirror_in_a_peer_removes_no_foreign_rule() -> None:
    peers = scope(at_home=False, mode=Mode.MIRROR)
    assert not planned([rule("sgr-9", A3)], rows(roster(), roster(key=WEST_DB)), peers)


# Mirror mode.


def test_a_mirror_removes_only_addresses_that_are_no_members_on_managed_ports() -> None:
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
    assert not any(removal.is_explained for removal in plan.removals)


@pytest.mark.parametrize(
    "bad",
    [RosterKey(Region("eu-west-1"), "db"), RosterKey(Region("eu-west-1"), ANNOUNCEMENT), RosterKey(EAST, "evil")],
    ids=str,
)
def test_a_mirror_is_not_stopped_by_a_bad_row_that_is_no_roster_of_the_cluster(bad: RosterKey) -> None:
    table = rows(roster(), roster(key=WEST_DB), bad={bad: BadRow("why")})
    assert removed(planned([rule("sgr-9", A3)], table, MIRROR)) == {RuleId("sgr-9"): Reason.FOREIGN}


@pytest.mark.parametrize(
    "table",
    [
        rows(roster()),
        rows(roster(), bad={WEST_DB: BadRow("why")}),
        rows(roster(), roster(key=WEST_DB), bad={RosterKey(WEST, "x"): BadRow("why")}),
    ],
    ids=["a peer has no row", "a peer has only a bad row", "a peer has a bad row too"],
)
def test_a_mirror_removes_no_foreign_rule_until_every_region_has_a_good_row(table: Rows) -> None:
    assert not planned([rule("sgr-9", A3)], table, MIRROR).removals


def test_the_rule_of_a_launching_instance_is_not_made_again_while_no_port_is_known() -> None:
    # given a rule that a reading shows, and that may be gone
    held, doubted = rows(roster({I1: A1})), {(DB, I1)}
    shown = [rule("sgr-1", A1, label())]
    # then
    assert plan_group(GROUP, shown, held, (TCP,), HOME, doubted=doubted).doubted
    assert not plan_group(GROUP, shown, held, (), HOME, doubted=doubted).doubted
