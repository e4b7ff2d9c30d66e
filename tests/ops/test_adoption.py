"""Adoption: a foreign rule that says exactly what the rosters say gets a label, and nothing else changes."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import STATIC, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import Scope
from ringfence.reconciler.interfaces import RegionServices
from ringfence_ops.state.adoption import AdoptionPlan, Left, RegionAdoption, plan_adoption
from tests.unit.builders import EAST, GROUP, I1, I2, TCP, WEST_DB, address, label, roster, rows, rule, scope
from tests.unit.fakes import FakeSecurityGroups

ROWS = rows(roster({I1: address(1)}), roster({I2: address(2)}, key=WEST_DB))
BY_HAND = rule("sgr-1", address(1))


def planned(*rules: Rule, of: Rows = ROWS, by: Scope | None = None) -> AdoptionPlan:
    return plan_adoption(GROUP, rules, of, (TCP,), by or scope())


def test_a_rule_for_a_member_of_any_region_gets_that_members_label() -> None:
    plan = planned(BY_HAND, rule("sgr-2", address(2), description=""))
    assert plan.labels == {"sgr-1": label(I1), "sgr-2": label(I2, WEST_DB)}
    assert plan.left == ()


def test_a_rule_for_a_static_member_gets_the_label_that_it_would_have() -> None:
    office = Cidr("192.0.2.0/24")
    plan = planned(rule("sgr-1", office), by=scope(static_members=(office,)))
    assert plan.labels == {"sgr-1": Label("demo", RosterKey(EAST, STATIC), "static")}


def test_a_rule_that_is_owned_already_is_left_alone() -> None:
    assert planned(rule("sgr-1", address(1), label(I1))) == AdoptionPlan(GROUP)


@pytest.mark.parametrize(
    ("stays", "why"),
    [
        (rule("sgr-1", address(9)), Left.NOBODY),
        (rule("sgr-1", Cidr("198.18.0.0/24")), Left.WIDER),
        (rule("sgr-1", Cidr("0.0.0.0/0")), Left.WIDER),
        (rule("sgr-1", Cidr("::/0")), Left.NOBODY),
        (rule("sgr-1", address(1), ports=PortRange("tcp", 22, 22)), Left.PORTS),
        (rule("sgr-1", address(1), ports=PortRange("tcp", 9000, 9100)), Left.PORTS),
        (rule("sgr-1", address(1), label(I1, cluster="other")), Left.ANOTHER_CLUSTER),
    ],
)
def test_what_does_not_say_exactly_what_the_rosters_say_stays_foreign_and_says_why(stays: Rule, why: Left) -> None:
    plan = planned(stays)
    assert plan.adopted == ()
    assert [(one, reason) for one, _, reason in plan.left] == [(stays, why)]


def test_a_rule_whose_source_is_no_cidr_is_not_spoken_of() -> None:
    assert planned(replace(BY_HAND, opening=None, source_group=GROUP)) == AdoptionPlan(GROUP)


@dataclass
class Table:
    """A table that is only read."""

    standing: Rows

    def rows(self) -> Rows:
        return self.standing


@dataclass(slots=True)
class Raced(FakeSecurityGroups):
    """Groups in which somebody removes a rule just before the first relabelling."""

    taken: list[RuleId] = field(default_factory=list)

    def relabel(self, group: SecurityGroupId, labels: Any) -> None:
        while self.taken:
            del self.existing[self.taken.pop()]
        FakeSecurityGroups.relabel(self, group, labels)


def region(groups: FakeSecurityGroups, of: Rows = ROWS) -> RegionAdoption:
    table: Any = Table(of)
    return RegionAdoption(RegionServices(table, groups), {GROUP: Ports((TCP,))}, scope())


def test_what_was_shown_is_adopted_and_doing_it_again_changes_nothing() -> None:
    groups = FakeSecurityGroups.holding([BY_HAND, rule("sgr-9", address(9))])
    adoption = region(groups)
    assert adoption.adopt(adoption.plan()) == {"sgr-1"}
    assert groups.existing[BY_HAND.id] == replace(BY_HAND, description=str(label(I1)))
    groups.calls.clear()
    assert adoption.adopt(adoption.plan()) == set()
    assert "relabel" not in {call for call, _ in groups.calls}


def test_a_rule_that_somebody_removes_meanwhile_is_passed_over_and_the_others_are_adopted() -> None:
    standing = {one.id: one for one in (BY_HAND, rule("sgr-2", address(2)))}
    adoption = region(Raced(standing, taken=[BY_HAND.id]))
    assert adoption.adopt(adoption.plan()) == {"sgr-2"}


def test_a_rule_whose_member_went_after_it_was_shown_is_not_adopted() -> None:
    groups = FakeSecurityGroups.holding([BY_HAND])
    shown = region(groups).plan()
    assert region(groups, rows(roster({}, {I1: 1}))).adopt(shown) == set()
    assert groups.existing[BY_HAND.id] == BY_HAND


def test_a_rule_that_was_not_shown_is_not_adopted() -> None:
    groups = FakeSecurityGroups.holding([BY_HAND])
    assert region(groups).adopt([AdoptionPlan(GROUP)]) == set()


def test_a_refusal_that_no_new_reading_mends_is_raised() -> None:
    class Refusing(FakeSecurityGroups):
        def relabel(self, group: SecurityGroupId, labels: Any) -> None:
            raise Refused(Refusal.MALFORMED, f"{group} {labels}")

    adoption = region(Refusing({BY_HAND.id: BY_HAND}))
    with pytest.raises(Refused, match="sgr-1"):
        adoption.adopt(adoption.plan())
