"""`ringfence adopt`: foreign rules that say exactly what the rosters say become owned."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.text import Text

from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsSecurityGroups
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region, RuleId
from ringfence.reconciler.interfaces import RegionServices
from ringfence.reconciler.region_pass import scope_in
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.invocation import invocation
from ringfence_ops.cli.terminal import AsJson, Output, Yes, confirm
from ringfence_ops.commands.history import address
from ringfence_ops.state.adoption import AdoptionPlan, Left, RegionAdoption

SCHEMA = "ringfence.adopt/1"
T = TypeVar("T")

EXAMPLES = """\b
Examples:
  ringfence adopt            # shows the plan, and asks
  ringfence adopt --yes
"""

Plans = Mapping[Region, Sequence[AdoptionPlan]]


def adopt(context: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Makes rules owned that say exactly what Ringfence would: made by hand, or by a stack of the original sample.

    Only their descriptions change. From then on such a rule goes when its member goes; until then it would stay for
    ever, since Ringfence removes only what is its own. Can be done again at any time: what is owned is left alone. A
    rule that changes between the plan and its adoption is passed over.

    Exit code 0 if nothing is left to adopt, 2 if something is, 1 if it failed in a Region.
    """
    run, output = invocation(context), Output(as_json)
    settings = run.settings(run.cluster())
    regions = {region: _adoption(run.aws, one) for region, one in settings.items()}
    plans, failed = _answers(run.aws.each_region(regions, lambda region: regions[region].plan()))
    if count(plans):
        if not as_json:
            output.show({}, Report(plans))
        agreed = yes or (not as_json and confirm("Adopt them?", yes))
        adopted, broken = _adopt(run.aws, regions, plans) if agreed else ({}, {})
        failed |= broken
    else:
        adopted = {}
        if not as_json:
            output.show({}, Report(plans))
    if as_json:
        output.show(document(plans, adopted, failed), "")
    for region, rules in adopted.items():
        output.say(f"{region}: {len(rules)} adopted")
    for region, reason in failed.items():
        output.say(f"{region}: failed: {reason}")
    done = sum(map(len, adopted.values()))
    raise typer.Exit(1 if failed else 0 if done == count(plans) else 2)


def _adoption(aws: Aws, settings: Settings) -> RegionAdoption:
    region = settings.region
    table = AwsRosterTable(aws.client("dynamodb", region), region, f"ringfence-{settings.cluster}")
    ports = RegionServices(table, AwsSecurityGroups(aws.client("ec2", region), region))
    groups = dict.fromkeys(settings.security_groups, settings.ports)
    return RegionAdoption(ports, groups, scope_in(region, settings))


def _adopt(
    aws: Aws, regions: Mapping[Region, RegionAdoption], plans: Plans
) -> tuple[dict[Region, frozenset[RuleId]], dict[Region, str]]:
    due = [region for region, group_plans in plans.items() if any(plan.adopted for plan in group_plans)]
    return _answers(aws.each_region(due, lambda region: regions[region].adopt(plans[region]), PATIENCE))


PATIENCE = 30.0
"""Seconds within which a Region has adopted: what is under way is not given up lightly."""


def _answers(found: Mapping[Region, T | Unreachable]) -> tuple[dict[Region, T], dict[Region, str]]:
    """What each Region answered, and why others did not."""
    answers = {region: one for region, one in found.items() if not isinstance(one, Unreachable)}
    return answers, {region: one.reason for region, one in found.items() if isinstance(one, Unreachable)}


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
