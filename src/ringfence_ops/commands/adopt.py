"""`ringfence adopt`: takes ownership of foreign rules that match the rosters exactly."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding

from ringfence.aws.assembly import region_services, table_name
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region, RuleId
from ringfence.reconciler.region_pass import scope_in
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.terminal import AsJson, Output, Yes, confirm
from ringfence_ops.cli.text import Text
from ringfence_ops.cloudformation.ownership import refuse_groups_of_others
from ringfence_ops.commands.history import address
from ringfence_ops.documents.adopt import AdoptDocument, AdoptedRuleItem, ForeignRuleItem
from ringfence_ops.plurals import counted
from ringfence_ops.state.adoption import AdoptedRule, AdoptionPlan, ForeignRule, RegionAdoption, WhyForeign

T = TypeVar("T")

EXAMPLES = """\b
Examples:
  ringfence adopt            # shows the plan, and asks
  ringfence adopt --yes
"""

TIMEOUT = 30.0
"""Seconds that adopting in a Region may take."""

Plans = Mapping[Region, Sequence[AdoptionPlan]]


def adopt(context: typer.Context, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Takes ownership of the rules that match Ringfence's own exactly: made by hand, or by the original sample's stack.

    Only their descriptions change. From then on such a rule is removed when its member departs; a foreign rule would
    stay, because Ringfence removes only its own rules. Safe to run again: owned rules are skipped. A rule that changes
    between the plan and its adoption is skipped too. Refuses while a security group belongs to another cluster.

    Exit code 0 if nothing is left to adopt, 2 if something is, 1 if it failed in a Region.
    """
    run, output = command_run(context), Output(as_json=as_json)
    settings = run.settings(run.cluster())
    refuse_groups_of_others(
        run.aws,
        {region: own.security_groups for region, own in settings.items()},
        next(iter(settings.values())).cluster,
    )
    regions = {region: _adoption(run.aws, own) for region, own in settings.items()}
    plans, failed = _divided(run.aws.each_region(regions, lambda region: regions[region].plan()))
    output.show_report(AdoptReport(plans))
    adopted: Mapping[Region, frozenset[RuleId]] = {}
    if count(plans) and (yes or (not as_json and confirm("Adopt them?", yes=yes))):
        adopted, failed_to_adopt = _adopt(run.aws, regions, plans)
        failed |= failed_to_adopt
    output.show_document(document(plans, adopted, failed))
    for region, rules in adopted.items():
        output.say(f"{region}: {len(rules)} adopted")
    for region, reason in failed.items():
        output.say(f"{region}: failed: {reason}")
    done = sum(map(len, adopted.values()))
    raise typer.Exit(1 if failed else 0 if done == count(plans) else 2)


def _adoption(aws: Aws, settings: Settings) -> RegionAdoption:
    region = settings.region
    services = region_services(aws.client, region, table_name(settings.cluster))
    groups = dict.fromkeys(settings.security_groups, settings.ports)
    return RegionAdoption(services, groups, scope_in(region, settings))


def _adopt(
    aws: Aws, regions: Mapping[Region, RegionAdoption], plans: Plans
) -> tuple[dict[Region, frozenset[RuleId]], dict[Region, str]]:
    due = [region for region, group_plans in plans.items() if any(plan.adopted for plan in group_plans)]
    return _divided(aws.each_region(due, lambda region: regions[region].adopt(plans[region]), TIMEOUT))


def _divided(answers: Mapping[Region, T | Unreachable]) -> tuple[dict[Region, T], dict[Region, str]]:
    """The answer of each Region that gave one, and the reason of each that did not."""
    given = {region: answer for region, answer in answers.items() if not isinstance(answer, Unreachable)}
    return given, {region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)}


def document(plans: Plans, adopted: Mapping[Region, frozenset[RuleId]], failed: Mapping[Region, str]) -> AdoptDocument:
    """The plan and what was done of it, for programs."""
    groups = [(region, plan) for region, group_plans in plans.items() for plan in group_plans]
    return AdoptDocument(
        rules=[
            _adopted_item(region, plan, rule, done=rule.rule.id in adopted.get(region, frozenset()))
            for region, plan in groups
            for rule in plan.adopted
        ],
        left=[_foreign_item(region, plan, rule) for region, plan in groups for rule in plan.foreign],
        failed=dict(failed),
    )


def _adopted_item(region: Region, plan: AdoptionPlan, adopted: AdoptedRule, *, done: bool) -> AdoptedRuleItem:
    return AdoptedRuleItem(
        region=region,
        security_group=plan.group,
        rule=adopted.rule.id,
        address=adopted.opening.cidr,
        ports=str(adopted.opening.ports),
        was=adopted.rule.description,
        description=str(adopted.label),
        adopted=done,
    )


def _foreign_item(region: Region, plan: AdoptionPlan, foreign: ForeignRule) -> ForeignRuleItem:
    return ForeignRuleItem(
        region=region,
        security_group=plan.group,
        rule=foreign.rule.id,
        address=foreign.opening.cidr,
        ports=str(foreign.opening.ports),
        description=foreign.rule.description,
        why=foreign.why,
    )


def count(plans: Plans) -> int:
    """The number of rules to adopt."""
    return sum(len(plan.adopted) for group_plans in plans.values() for plan in group_plans)


class AdoptReport:
    """The plan for people: which rule gets which label, and which stays foreign and why."""

    def __init__(self, plans: Plans) -> None:
        self.plans = plans

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for region, group_plans in self.plans.items():
            for plan in group_plans:
                if rows := list(_rows(plan)):
                    yield Text.assemble((region, "bold"), f"  {plan.group}")
                    yield Padding(columns(rows, 3, ("  address", "ports", "rule", "")), (0, 0, 1, 2))
        total = count(self.plans)
        if total:
            yield Text(f"{counted(total, 'rule')} to adopt: only descriptions change.")
        else:
            yield Text("Nothing to adopt: no foreign rule matches the rosters exactly.", style="green")


_WHY = {
    WhyForeign.NO_MEMBER: "stays: not a member's address",
    WhyForeign.WIDER: "stays: admits other addresses too",
    WhyForeign.PORTS: "stays: a member's address, on other ports",
    WhyForeign.ANOTHER_CLUSTER: "stays: another cluster's",
    WhyForeign.UNKNOWN_OWNER: "stays: has our label, owner unknown: see ringfence doctor",
}


def _rows(plan: AdoptionPlan) -> Iterator[list[Text]]:
    for adopted in plan.adopted:
        label, was = adopted.label, adopted.rule.description
        described = Text(f"for {label.instance} of {label.roster}")
        described.line(f'was "{was}"' if was else "had no description", "dim")
        yield [
            Text(f"~ {address(adopted.opening.cidr)}", style="yellow"),
            Text(str(adopted.opening.ports)),
            Text(adopted.rule.id),
            described,
        ]
    for foreign in plan.foreign:
        opening = foreign.opening
        cells = (f"· {address(opening.cidr)}", str(opening.ports), foreign.rule.id, _WHY[foreign.why])
        yield [Text(cell, style="dim") for cell in cells]
