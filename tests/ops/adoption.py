"""A foreign rule that matches the rosters, and plans of its adoption."""

from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Rule
from ringfence.core.plan import Scope
from ringfence_ops.state.adoption import AdoptionPlan, plan_adoption
from tests.unit.builders import GROUP, I1, I2, TCP, WEST_DB, address, roster, rows, rule, scope

ROWS = rows(roster({I1: address(1)}), roster({I2: address(2)}, key=WEST_DB))
BY_HAND = rule("sgr-1", address(1))


def planned(*rules: Rule, of: Rows = ROWS, by: Scope | None = None) -> AdoptionPlan:
    """The plan for a group with these rules."""
    return plan_adoption(GROUP, rules, of, (TCP,), by or scope())
