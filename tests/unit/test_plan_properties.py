"""Properties of the plan of a security group, for any rules, rows and scope."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.configuration.settings import Mode
from ringfence.core.model.identifiers import (
    ANNOUNCEMENT,
    InstanceId,
    Region,
    RosterKey,
    SecurityGroupId,
)
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rosters import BadRow, Roster, Rows
from ringfence.core.model.rules import Opening, Rule
from ringfence.core.plan import Plan, Scope, plan_group
from tests.unit.builders import (
    CLUSTER,
    DB,
    EAST,
    GROUP,
    NOW,
    TCP,
    WEST,
    WEST_DB,
    address,
    label,
    roster,
    rule,
    scope,
)

UDP = PortRange("udp", 53, 53)
PORTS = (TCP, UDP)


def planned(rules: list[Rule], table: Rows, within: Scope, ports: tuple[PortRange, ...]) -> Plan:
    return plan_group(GROUP, rules, table, ports, within)


few = st.integers(0, 5)
ids = few.map(lambda n: InstanceId(f"i-{n}"))
keys = st.sampled_from(
    [
        DB,
        WEST_DB,
        RosterKey(EAST, "cache"),
        RosterKey(Region("eu-west-1"), "db"),
        RosterKey(EAST, ANNOUNCEMENT),
        RosterKey(WEST, ANNOUNCEMENT),
    ]
)
rosters = st.builds(
    lambda members, departed, key, groups: (
        Roster(key, 1, groups=groups) if key.is_announcement else roster(members, departed, key)
    ),
    st.dictionaries(ids, few.map(address), max_size=4),
    st.dictionaries(ids, st.just(NOW), max_size=3),
    keys,
    st.frozensets(st.sampled_from(["db", "cache"])),
)
tables = st.builds(
    lambda rosters, bad: Rows(
        {roster.key: roster for roster in rosters if roster.key not in bad}, {key: BadRow("why") for key in bad}
    ),
    st.lists(rosters, max_size=4),
    st.lists(keys, max_size=1),
)
openings = st.builds(Opening, st.sampled_from([*PORTS, PortRange("tcp", 22, 22)]), few.map(address))
owners = st.none() | st.builds(label, ids, keys, st.sampled_from([CLUSTER, "other"]))
groups = st.dictionaries(openings, owners, max_size=12).map(
    lambda rules: [
        rule(f"sgr-{number}", opening.cidr, owner, opening.ports)
        for number, (opening, owner) in enumerate(rules.items())
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
    """The rules of the group after the plan."""
    removed = {removal.rule for removal in plan.removals}
    made = [
        rule(f"sgr-new-{number}", addition.opening.cidr, addition.label, addition.opening.ports)
        for number, addition in enumerate(plan.additions)
    ]
    labels = {relabelling.rule: str(relabelling.label) for relabelling in plan.relabellings}
    kept = [rule for rule in rules if rule.id not in removed]
    return [replace(rule, description=labels.get(rule.id, rule.description)) for rule in kept] + made


@given(groups, tables, scopes)
def test_the_plan_after_an_applied_plan_is_empty(rules: list[Rule], table: Rows, within: Scope) -> None:
    first = planned(rules, table, within, PORTS)
    assert not planned(applied(first, rules), table, within, PORTS)


@given(groups, tables, scopes)
def test_a_plan_does_not_depend_on_the_order_of_rules_and_rows(rules: list[Rule], table: Rows, within: Scope) -> None:
    backwards = Rows(dict(reversed(list(table.rosters.items()))), table.bad)
    assert planned(rules, table, within, PORTS) == planned(rules[::-1], backwards, within, PORTS)


@given(groups, tables, scopes)
def test_a_plan_removes_no_rule_of_a_member(rules: list[Rule], table: Rows, within: Scope) -> None:
    plan = planned(rules, table, within, PORTS)
    live = set(within.desired(table))
    assert not any(removal.opening.cidr in live and removal.opening.ports in PORTS for removal in plan.removals)


@given(groups, tables, scopes_in(Mode.OWNED, Mode.OBSERVE))
def test_a_plan_outside_mirror_mode_removes_no_foreign_rule(rules: list[Rule], table: Rows, within: Scope) -> None:
    foreign = {rule.id for rule in rules if rule.label(CLUSTER) is None}
    assert not foreign & {removal.rule for removal in planned(rules, table, within, PORTS).removals}


@given(groups, tables, scopes)
def test_an_applied_plan_admits_every_desired_address_of_a_confirmed_member(
    rules: list[Rule], table: Rows, within: Scope
) -> None:
    after = {rule.opening for rule in applied(planned(rules, table, within, PORTS), rules)}
    confirmed = {cidr for cidr, label in within.desired(table).items() if not table.is_doubtful(label.roster.region)}
    assert {Opening(ports, cidr) for ports in PORTS for cidr in confirmed} <= after


@given(groups, tables, scopes)
def test_a_digest_names_the_group_and_the_removals_and_no_more(rules: list[Rule], table: Rows, within: Scope) -> None:
    plan = planned(rules, table, within, PORTS)
    assert plan.digest == Plan(GROUP, (), plan.removals[::-1], 0).digest
    assert plan.digest != Plan(SecurityGroupId("sg-2"), (), plan.removals, 0).digest
    if plan.removals:
        assert plan.digest != Plan(GROUP, (), plan.removals[1:], 0).digest
