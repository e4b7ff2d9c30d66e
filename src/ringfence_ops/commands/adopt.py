"""`ringfence adopt`: foreign rules that say exactly what the rosters say become owned."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.text import Text

from ringfence.model import Region, RuleId
from ringfence_ops.adoption import AdoptionPlan, Left
from ringfence_ops.columns import columns
from ringfence_ops.commands.history import address

SCHEMA = "ringfence.adopt/1"

Plans = Mapping[Region, Sequence[AdoptionPlan]]


def document(plans: Plans, adopted: Mapping[Region, frozenset[RuleId]], failed: Mapping[Region, str]) -> dict[str, Any]:
    """The plan and what was done of it, for programs."""
    return {
        "schema": SCHEMA,
        "rules": [
            {
                "region": region,
                "security_group": plan.group,
                "rule": one.rule.id,
                "address": one.opening.cidr,
                "ports": str(one.opening.ports),
                "was": one.rule.description,
                "description": str(one.label),
                "adopted": one.rule.id in adopted.get(region, frozenset()),
            }
            for region, group_plans in plans.items()
            for plan in group_plans
            for one in plan.adopted
        ],
        "left": [
            {
                "region": region,
                "security_group": plan.group,
                "rule": rule.id,
                "address": opening.cidr,
                "ports": str(opening.ports),
                "description": rule.description,
                "why": why.value,
            }
            for region, group_plans in plans.items()
            for plan in group_plans
            for rule, opening, why in plan.left
        ],
        "failed": dict(failed),
    }


def count(plans: Plans) -> int:
    """How many rules are to be adopted."""
    return sum(len(plan.adopted) for group_plans in plans.values() for plan in group_plans)


class Report:
    """The plan for people: what gets which label, and what stays foreign and why."""

    def __init__(self, plans: Plans) -> None:
        self.plans = plans

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region, group_plans in self.plans.items():
            for plan in group_plans:
                if rows := list(_rows(plan)):
                    yield Text.assemble((region, "bold"), f"  {plan.group}")
                    yield Padding(columns(rows, 3), (0, 0, 1, 2))
        total = count(self.plans)
        if total:
            yield Text(f"{total} {'rule' if total == 1 else 'rules'} to adopt: only descriptions change.")
        else:
            yield Text("Nothing to adopt: no foreign rule says exactly what the rosters say.", style="green")


_WHY = {
    Left.NOBODY: "stays: no member's address",
    Left.WIDER: "stays: admits others too",
    Left.PORTS: "stays: a member's, but not on these ports",
    Left.ANOTHER_CLUSTER: "stays: another cluster's",
}


def _rows(plan: AdoptionPlan) -> Iterator[list[Text]]:
    for one in plan.adopted:
        label, was = one.label, one.rule.description
        said = Text(f"for {label.instance} of {label.roster}")
        said.append(f'\nwas "{was}"' if was else "\nhad no description", style="dim")
        yield [
            Text(f"~ {address(one.opening.cidr)}", style="yellow"),
            Text(str(one.opening.ports)),
            Text(one.rule.id),
            said,
        ]
    for rule, opening, why in plan.left:
        cells = (f"· {address(opening.cidr)}", str(opening.ports), rule.id, _WHY[why])
        yield [Text(cell, style="dim") for cell in cells]
