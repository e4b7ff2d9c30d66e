"""What limits a plan: announcements, labels, ports, members that AWS does not show, and the order of additions."""

import pytest

from ringfence.core.configuration.settings import Mode
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, STATIC, InstanceId, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import BadRow, MemberState, Roster, Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.plan import Addition, GroupPorts, Plan, Reason, Scope, UnknownOwner, managed_ports, plan_group
from tests.unit.builders import (
    CLUSTER,
    DB,
    EAST,
    GROUP,
    I1,
    I2,
    I3,
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
SSH = PortRange("tcp", 22, 22)
HOME = scope()
MIRROR = scope(mode=Mode.MIRROR)
PEER = scope(at_home=False)
EVIL = RosterKey(WEST, "evil")
OFFICE = Cidr("203.0.113.0/24")
STATIC_LABEL = label("static", RosterKey(EAST, STATIC))


def announcement(*groups: str, region: str = WEST, version: int = 1) -> Roster:
    key = RosterKey(WEST if region == WEST else EAST, ANNOUNCEMENT)
    return Roster(key, version, groups=frozenset(groups))


def planned(rules: list[Rule], table: Rows, within: Scope = HOME, ports: tuple[PortRange, ...] = (TCP,)) -> Plan:
    return plan_group(GROUP, rules, table, ports, within)


def removed(plan: Plan) -> dict[RuleId, Reason]:
    return {removal.rule: removal.reason for removal in plan.removals}


# Announced rosters.


def test_the_members_of_a_roster_that_its_region_does_not_announce_are_not_wanted() -> None:
    evil = roster({I1: A1}, key=EVIL)
    plan = planned([], rows(announcement("db"), roster({I2: A2}, key=WEST_DB), evil))
    assert [addition.label for addition in plan.additions] == [label(I2, WEST_DB)]


def test_a_region_without_an_announcement_is_judged_by_its_readable_rosters() -> None:
    plan = planned([], rows(roster({I1: A1}, key=EVIL), roster({I2: A2}, key=WEST_DB)))
    assert {addition.label for addition in plan.additions} == {label(I1, EVIL), label(I2, WEST_DB)}


@pytest.mark.parametrize(
    "table",
    [
        rows(announcement("db"), roster(key=WEST_DB), roster({I1: A1}, key=EVIL)),
        rows(announcement("db"), roster(key=WEST_DB), bad={EVIL: BadRow("why")}),
        rows(announcement("db"), roster(key=WEST_DB)),
    ],
    ids=["the row is there", "the row is bad", "the row is gone"],
)
def test_the_rules_of_a_roster_that_its_region_does_not_announce_are_removed(table: Rows) -> None:
    plan = planned([rule("sgr-1", A1, label(I1, EVIL))], table)
    assert removed(plan).keys() == {RuleId("sgr-1")}
    assert not any(removal.is_explained for removal in plan.removals)


def test_an_unannounced_roster_hides_no_member_with_the_same_address() -> None:
    # given an invented row that comes first in order
    first = RosterKey(EAST, "a")
    table = rows(announcement("db", region=EAST), roster({I1: A1}, key=first), roster({I2: A1}))
    assert HOME.desired(table) == {A1: label(I2)}


def test_the_announcement_of_one_region_says_nothing_of_another() -> None:
    cache = RosterKey(EAST, "db")
    assert HOME.desired(rows(announcement("other"), roster({I1: A1}, key=cache))).keys() == {A1}


def test_an_announced_roster_that_is_not_there_yet_keeps_its_rules() -> None:
    assert not planned([rule("sgr-1", A1, label(I1, WEST_DB))], rows(announcement("db")))


def test_the_members_in_an_announcement_itself_are_never_wanted() -> None:
    # given an announcement into which another caller wrote members
    for groups in (frozenset({"db"}), frozenset({ANNOUNCEMENT}), None):
        poisoned = roster({I1: A1}, key=RosterKey(WEST, ANNOUNCEMENT), groups=groups)
        assert HOME.desired(rows(poisoned)) == {}


# A Region whose announcement cannot be trusted.

DOUBTFUL = {RosterKey(WEST, ANNOUNCEMENT): BadRow("why")}


def test_nothing_is_added_for_a_region_whose_announcement_cannot_be_trusted() -> None:
    plan = planned([], rows(roster({I1: A1}, key=WEST_DB), roster({I2: A2}), bad=DOUBTFUL))
    assert [addition.label for addition in plan.additions] == [label(I2)]
    assert [addition.label for addition in plan.unconfirmed] == [label(I1, WEST_DB)]


@pytest.mark.parametrize(
    "existing",
    [roster(key=WEST_DB), roster({}, {I1: NOW}, key=WEST_DB), roster({I1: A2}, key=WEST_DB)],
    ids=["unknown instance", "departed", "another address"],
)
def test_nothing_is_removed_of_a_region_whose_announcement_cannot_be_trusted(existing: Roster) -> None:
    rules = [rule("sgr-1", A1, label(I1, WEST_DB)), rule("sgr-2", A3, label(I3, EVIL))]
    assert not planned(rules, rows(existing, bad=DOUBTFUL)).removals


def test_an_announcement_that_cannot_be_trusted_does_not_keep_the_rules_of_other_regions() -> None:
    plan = planned([rule("sgr-1", A1, label(I1))], rows(roster({}, {I1: NOW}), bad=DOUBTFUL))
    assert removed(plan).keys() == {RuleId("sgr-1")}


def test_a_mirror_removes_no_foreign_rule_while_an_announcement_cannot_be_trusted() -> None:
    assert not planned([rule("sgr-9", A3)], rows(roster(), roster(key=WEST_DB), bad=DOUBTFUL), MIRROR).removals


# Members that AWS does not show at the moment.


@pytest.mark.parametrize(("within", "key"), [(HOME, DB), (PEER, DB), (HOME, WEST_DB)])
def test_the_rule_of_a_missing_member_stays_but_is_never_made(within: Scope, key: RosterKey) -> None:
    table = rows(roster({I1: member(A1, state=MemberState.MISSING)}, key=key))
    plan = planned([], table, within)
    assert plan.additions == ()
    assert plan.unconfirmed == (Addition(Opening(TCP, A1), label(I1, key)),)
    assert not planned([rule("sgr-1", A1, label(I1, key))], table, within)
    assert planned([rule("sgr-1", A1, label(I1, key))], table, within).unconfirmed == ()


def test_a_plan_with_only_unconfirmed_additions_asks_for_nothing() -> None:
    assert not planned([], rows(roster({I1: member(A1, state=MemberState.MISSING)})))


# Labels.

NETWORKS = [Cidr("0.0.0.0/0"), Cidr("::/0"), Cidr("0.0.0.0/1"), Cidr("198.18.0.0/15"), Cidr("198.18.0.0/31")]
NO_HOSTS = [Cidr("224.0.0.1/32"), Cidr("169.254.169.254/32"), Cidr("127.0.0.1/32"), Cidr("fe80::1/128")]


@pytest.mark.parametrize("cidr", [*NETWORKS, *NO_HOSTS])
def test_a_members_label_counts_only_on_a_single_unicast_host(cidr: Cidr) -> None:
    labelled = rule("sgr-1", cidr, label(I1))
    assert labelled.label(CLUSTER) is None
    assert labelled.written_label(CLUSTER) == label(I1)
    assert rule("sgr-1", A1, label(I1)).label(CLUSTER) == label(I1)


@pytest.mark.parametrize(
    "cidr", [Cidr("0.0.0.0/0"), Cidr("::/0"), Cidr("0.0.0.0/1"), Cidr("10.0.0.0/7"), Cidr("2000::/15"), *NO_HOSTS]
)
def test_the_label_of_the_static_members_counts_only_within_their_bounds(cidr: Cidr) -> None:
    assert rule("sgr-1", cidr, STATIC_LABEL).label(CLUSTER) is None


@pytest.mark.parametrize("cidr", [OFFICE, Cidr("10.0.0.0/8"), Cidr("2001::/16"), A1])
def test_the_label_of_the_static_members_counts_on_a_network_within_their_bounds(cidr: Cidr) -> None:
    assert rule("sgr-1", cidr, STATIC_LABEL).label(CLUSTER) == STATIC_LABEL


@pytest.mark.parametrize("owner", [label(I1), STATIC_LABEL, label(I1, WEST_DB)])
def test_a_mirror_removes_a_rule_for_all_addresses_with_our_label_as_a_foreign_rule(owner: Label) -> None:
    open_to_all = rule("sgr-1", Cidr("0.0.0.0/0"), owner)
    table = rows(roster({I1: A1}), roster({I1: A2}, key=WEST_DB))
    assert removed(planned([open_to_all], table, MIRROR)) == {RuleId("sgr-1"): Reason.FOREIGN}
    assert not planned([open_to_all], table).removals


# Rules with our label whose owner is not known.


@pytest.mark.parametrize("cidr", [*NETWORKS, *NO_HOSTS])
def test_a_rule_with_our_label_that_we_cannot_have_made_is_reported(cidr: Cidr) -> None:
    plan = planned([rule("sgr-1", cidr, label(I1))], rows(roster({I1: A1})))
    why = "no member of the cluster can have such an address"
    assert plan.unknown_owners == (UnknownOwner(Opening(TCP, cidr), RuleId("sgr-1"), label(I1), why),)


def test_a_rule_of_a_roster_that_is_neither_announced_nor_held_is_reported_until_it_can_be_removed() -> None:
    # given a label of a Region of the cluster that has no row yet
    existing = [rule("sgr-1", A1, label(I1, WEST_DB))]
    (unknown,) = planned(existing, rows(roster())).unknown_owners
    assert unknown.why == "the roster of us-west-2/db is not known"
    # when the row cannot be trusted
    (unknown,) = planned(existing, rows(roster(), bad={WEST_DB: BadRow("why")})).unknown_owners
    assert unknown.why == "the roster of us-west-2/db cannot be trusted"
    # when the Region says that there is no such roster
    plan = planned(existing, rows(roster(), announcement("cache")))
    assert plan.unknown_owners == ()
    assert removed(plan).keys() == {RuleId("sgr-1")}


@pytest.mark.parametrize(
    "harmless",
    [
        rule("sgr-1", A1, label(I1)),
        rule("sgr-1", A1, label(I2)),  # it will be relabelled
        rule("sgr-1", A2, label(I2)),  # it will be removed
        rule("sgr-1", A3),
        rule("sgr-1", Cidr("0.0.0.0/0")),
        rule("sgr-1", Cidr("0.0.0.0/0"), label(I1, cluster="other")),
        rule("sgr-1", None, label(I1), source_group=GROUP),
    ],
)
def test_any_other_rule_has_no_unknown_owner(harmless: Rule) -> None:
    assert planned([harmless], rows(roster({I1: A1}))).unknown_owners == ()


def test_a_static_member_has_a_known_owner() -> None:
    office = rule("sgr-1", OFFICE, STATIC_LABEL)
    assert planned([office], rows(roster()), scope(static_members=(OFFICE,))).unknown_owners == ()


def test_only_the_groups_own_region_judges_owners() -> None:
    open_to_all = rule("sgr-1", Cidr("0.0.0.0/0"), label(I1))
    assert planned([open_to_all], rows(roster({I1: A1})), PEER).unknown_owners == ()


# The order of additions.


def test_our_own_members_come_before_those_of_peers() -> None:
    # given seventy invented members of a peer, which are older than all others
    invented = {InstanceId(f"i-{number}"): member(address(number), since=0) for number in range(100, 170)}
    table = rows(roster({I1: member(A1, since=NOW)}), roster(invented, key=WEST_DB))
    plan = planned([], table)
    assert len(plan.additions) == 71
    assert plan.additions[0].label == label(I1)


def test_known_members_come_before_new_ones() -> None:
    ages = {I1: member(A1, since=NOW), I2: member(A2, since=NOW - 900), I3: member(A3, since=NOW - 60)}
    for key, within in ((DB, HOME), (WEST_DB, HOME), (DB, PEER)):
        plan = planned([], rows(roster(ages, key=key)), within)
        assert [addition.label.instance for addition in plan.additions] == [I2, I3, I1]


def test_members_of_the_same_age_come_in_the_order_of_their_labels_and_openings() -> None:
    plan = planned([], rows(roster({I2: member(A1), I1: member(A3, A2)})), ports=(UDP, TCP))
    expected = [(I1, TCP, A2), (I1, TCP, A3), (I1, UDP, A2), (I1, UDP, A3), (I2, TCP, A1), (I2, UDP, A1)]
    openings = [(addition.label.instance, addition.opening) for addition in plan.additions]
    assert openings == [(id, Opening(ports, cidr)) for id, ports, cidr in expected]


def test_static_members_come_before_all_others() -> None:
    plan = planned([], rows(roster({I1: A1})), scope(static_members=(OFFICE,)))
    assert [addition.opening.cidr for addition in plan.additions] == [OFFICE, A1]


# The ports of a group.


def test_auto_manages_the_ports_on_which_the_group_admits_itself() -> None:
    rules = [
        rule("sgr-1", None, source_group=GROUP, ports=UDP),
        rule("sgr-2", None, source_group=GROUP),
        rule("sgr-3", None, source_group=SecurityGroupId("sg-2"), ports=PortRange("tcp", 22, 22)),
        rule("sgr-4", A1, ports=PortRange("tcp", 80, 80)),
    ]
    assert managed_ports(Ports(), GROUP, rules) == (TCP, UDP)
    assert managed_ports(Ports(), GROUP, rules[2:]) == ()
    assert managed_ports(Ports((TCP,)), GROUP, rules) == (TCP,)


SELF = [
    rule("sgr-1", None, source_group=GROUP),
    rule("sgr-2", None, source_group=GROUP, ports=UDP),
    rule("sgr-3", None, source_group=SecurityGroupId("sg-00000002"), ports=SSH),
]
"""The rules of a group that admits itself on TCP and UDP."""
ALL = PortRange("tcp", 0, 65535)


@pytest.mark.parametrize(
    ("own", "limit", "managed", "refused"),
    [
        (Ports((TCP,)), None, (TCP,), ()),
        (Ports(), None, (TCP, UDP), ()),
        # explicit ports of the group's Region, and explicit ports of ours
        (Ports((TCP,)), Ports((TCP,)), (TCP,), ()),
        (Ports((TCP, SSH)), Ports((TCP,)), (TCP,), (SSH,)),
        (Ports((SSH,)), Ports((TCP,)), (), (SSH,)),
        (Ports((ALL,)), Ports((TCP,)), (), (ALL,)),
        # explicit ports of the group's Region, and `auto` of ours: what the group itself admits
        (Ports((TCP,)), Ports(), (TCP,), ()),
        (Ports((TCP, SSH)), Ports(), (TCP,), (SSH,)),
        (Ports((ALL,)), Ports(), (), (ALL,)),
        # `auto` of the group's Region
        (Ports(), Ports(), (TCP, UDP), ()),
        (Ports(), Ports((TCP,)), (TCP,), (UDP,)),
        (Ports(), Ports((SSH,)), (), (TCP, UDP)),
    ],
)
def test_a_peers_group_is_opened_on_the_ports_that_are_announced_and_ours(
    own: Ports, limit: Ports | None, managed: tuple[PortRange, ...], refused: tuple[PortRange, ...]
) -> None:
    group_ports = GroupPorts(own, limit)
    assert group_ports.managed(GROUP, SELF) == managed
    assert group_ports.refused(GROUP, SELF) == refused
