"""Adoption: a foreign rule that matches the rosters exactly gets a label, and nothing else changes."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, STATIC, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import Roster, Rows
from ringfence.core.model.rules import Label, Rule
from ringfence.reconciler.interfaces import RegionServices
from ringfence_ops.state.adoption import AdoptionPlan, RegionAdoption, WhyForeign
from tests.ops.adoption import BY_HAND, ROWS, planned
from tests.unit.builders import EAST, GROUP, I1, I2, TCP, WEST, WEST_DB, address, label, roster, rows, rule, scope
from tests.unit.fakes import FakeSecurityGroups


def test_a_rule_for_a_member_of_any_region_gets_the_members_label() -> None:
    plan = planned(BY_HAND, rule("sgr-2", address(2), description=""))
    assert plan.labels == {"sgr-1": label(I1), "sgr-2": label(I2, WEST_DB)}
    assert plan.foreign == ()


def test_a_rule_for_a_static_member_gets_the_label_of_a_static_member() -> None:
    office = Cidr("192.0.2.0/24")
    plan = planned(rule("sgr-1", office), by=scope(static_members=(office,)))
    assert plan.labels == {"sgr-1": Label("demo", RosterKey(EAST, STATIC), "static")}


def test_an_owned_rule_is_skipped() -> None:
    assert planned(rule("sgr-1", address(1), label(I1))) == AdoptionPlan(GROUP)


@pytest.mark.parametrize(
    ("foreign", "why"),
    [
        (rule("sgr-1", address(9)), WhyForeign.NO_MEMBER),
        (rule("sgr-1", Cidr("198.18.0.0/24")), WhyForeign.WIDER),
        (rule("sgr-1", Cidr("0.0.0.0/0")), WhyForeign.WIDER),
        (rule("sgr-1", Cidr("::/0")), WhyForeign.NO_MEMBER),
        (rule("sgr-1", address(1), ports=PortRange("tcp", 22, 22)), WhyForeign.PORTS),
        (rule("sgr-1", address(1), ports=PortRange("tcp", 9000, 9100)), WhyForeign.PORTS),
        (rule("sgr-1", address(1), label(I1, cluster="other")), WhyForeign.ANOTHER_CLUSTER),
    ],
)
def test_a_rule_that_does_not_match_the_rosters_stays_foreign_with_a_reason(foreign: Rule, why: WhyForeign) -> None:
    plan = planned(foreign)
    assert plan.adopted == ()
    assert [(left.rule, left.why) for left in plan.foreign] == [(foreign, why)]


def test_a_rule_without_a_cidr_is_not_in_the_plan() -> None:
    assert planned(replace(BY_HAND, opening=None, source_group=GROUP)) == AdoptionPlan(GROUP)


@dataclass
class Table:
    """A table that is only read."""

    content: Rows

    def rows(self) -> Rows:
        return self.content


@dataclass(slots=True)
class Raced(FakeSecurityGroups):
    """Groups from which another person removes a rule just before the first relabelling."""

    taken: list[RuleId] = field(default_factory=list)

    def relabel(self, group: SecurityGroupId, labels: Any) -> None:
        while self.taken:
            del self.existing[self.taken.pop()]
        FakeSecurityGroups.relabel(self, group, labels)


def region(groups: FakeSecurityGroups, of: Rows = ROWS) -> RegionAdoption:
    table: Any = Table(of)
    return RegionAdoption(RegionServices(table, groups), {GROUP: Ports((TCP,))}, scope())


def test_the_shown_rules_are_adopted_and_a_second_adoption_changes_nothing() -> None:
    groups = FakeSecurityGroups.holding([BY_HAND, rule("sgr-9", address(9))])
    adoption = region(groups)
    assert adoption.adopt(adoption.plan()) == {"sgr-1"}
    assert groups.existing[BY_HAND.id] == replace(BY_HAND, description=str(label(I1)))
    groups.calls.clear()
    assert adoption.adopt(adoption.plan()) == set()
    assert "relabel" not in {call for call, _ in groups.calls}


def test_a_rule_that_was_removed_in_the_meantime_is_skipped_and_the_others_are_adopted() -> None:
    rules = {rule.id: rule for rule in (BY_HAND, rule("sgr-2", address(2)))}
    adoption = region(Raced(rules, taken=[BY_HAND.id]))
    assert adoption.adopt(adoption.plan()) == {"sgr-2"}


def test_a_rule_whose_member_departed_after_it_was_shown_is_not_adopted() -> None:
    groups = FakeSecurityGroups.holding([BY_HAND])
    shown = region(groups).plan()
    assert region(groups, rows(roster({}, {I1: 1}))).adopt(shown) == set()
    assert groups.existing[BY_HAND.id] == BY_HAND


def test_a_rule_that_was_not_shown_is_not_adopted() -> None:
    groups = FakeSecurityGroups.holding([BY_HAND])
    assert region(groups).adopt([AdoptionPlan(GROUP)]) == set()


def test_a_refusal_that_a_new_read_does_not_resolve_is_raised() -> None:
    class Refusing(FakeSecurityGroups):
        def relabel(self, group: SecurityGroupId, labels: Any) -> None:
            raise Refused(Refusal.MALFORMED, f"{group} {labels}")

    adoption = region(Refusing({BY_HAND.id: BY_HAND}))
    with pytest.raises(Refused, match="sgr-1"):
        adoption.adopt(adoption.plan())


def test_a_network_with_our_label_is_not_adopted_and_is_not_another_clusters() -> None:
    (foreign,) = planned(rule("sgr-9", Cidr("0.0.0.0/0"), label())).foreign
    assert foreign.why is WhyForeign.UNKNOWN_OWNER


def test_an_unannounced_row_and_an_announcement_adopt_nothing() -> None:
    # given a rule by hand for the address of a row that its Region does not announce
    evil = roster({I1: address(66)}, key=RosterKey(WEST, "evil"))
    announced = Roster(RosterKey(WEST, ANNOUNCEMENT), 5, groups=frozenset({"db"}))
    # then
    assert planned(rule("sgr-9", address(66)), of=rows(evil)).adopted != ()
    assert planned(rule("sgr-9", address(66)), of=rows(evil, announced)).adopted == ()
