"""`ringfence doctor`: examines a deployment end to end, and says how to mend what it finds."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.text import Text

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli.columns import columns, widths
from ringfence_ops.cli.invocation import Invocation, invocation
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.doctor.access import check_access
from ringfence_ops.doctor.facts import Chart
from ringfence_ops.doctor.finding import Finding, Severity, problem, worst
from ringfence_ops.doctor.reading import SERVICES, Reader
from ringfence_ops.doctor.security_groups import check_groups, check_room
from ringfence_ops.doctor.stack import Expected, check_agreement, check_deployment

SCHEMA = "ringfence.doctor/1"

_MARKS = {Severity.OK: ("✓", "green"), Severity.WARNING: ("!", "yellow"), Severity.PROBLEM: ("✗", "red")}


EXAMPLES = """\b
Examples:
  ringfence doctor
  ringfence doctor --json | jq '.findings[] | select(.severity != "ok")'
"""

PATIENCE = 10.0
"""Seconds for a Region's chart: some forty calls at a time, each of which gives up by itself in half of that."""


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Examines the deployment end to end, and says how to mend what it finds.

    Looks at stacks, engines, hooks, events, queues, schedules, tables, permissions, clocks, security groups, room for
    growth, and who else changes the rules. Changes nothing: permissions are asked by dry run and of IAM's simulator.

    Exit code 0 if all is well, 2 if something is not, 1 if a Region does not answer.
    """
    run = invocation(context)
    findings, unreachable = examine(run, run.cluster())
    Output(as_json).show(document(findings, unreachable), Report(findings))
    raise typer.Exit(1 if unreachable else 0 if worst(findings) is Severity.OK else 2)


def examine(run: Invocation, cluster: Cluster) -> tuple[list[Finding], dict[Region, str]]:
    """Every finding, Region by Region and then of all of them; and the Regions that did not answer."""
    settings = run.settings(cluster)
    expected = {region: Expected(one, cluster.parameters(region)) for region, one in settings.items()}
    for service in SERVICES:  # in one thread: the first client of a service reads its model, for all Regions
        run.aws.client(service, next(iter(expected)))

    def chart(region: Region) -> Chart:
        return Reader(run.aws.client, expected[region], list(expected.values())).chart()

    charts = run.aws.each_region(expected, chart, PATIENCE)
    unreachable = {region: one.reason for region, one in charts.items() if isinstance(one, Unreachable)}
    read = {region: one for region, one in charts.items() if isinstance(one, Chart) and one.silence is None}
    unreachable |= {region: one.silence for region, one in charts.items() if isinstance(one, Chart) and one.silence}
    findings: list[Finding] = []
    for region in cluster.region_names:
        if region in read:
            part, by = read[region], expected[region]
            room = check_room(list(read.values()), [expected[one] for one in read])
            findings += [*check_deployment(part, by), *check_groups(part, by), *check_access(part, by)]
            findings += [finding for finding in room if finding.region == region]
        else:
            mend = "look at AWS's health dashboard; the other Regions go on, and owe it what it misses"
            findings.append(problem("Region", region, f"unreachable: {unreachable[region]}", mend))
    return [*findings, *check_agreement(list(read.values()))], unreachable


def document(findings: Sequence[Finding], unreachable: Mapping[Region, str]) -> dict[str, Any]:
    """The findings for programs."""
    return {
        "schema": SCHEMA,
        "worst": worst(findings).value,
        "findings": [asdict(finding) | {"severity": finding.severity.value} for finding in findings],
        "unreachable": dict(unreachable),
    }


class Report:
    """The findings for people, Region by Region."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = findings

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        places: dict[Region | None, list[Finding]] = {}
        for finding in self.findings:
            places.setdefault(finding.region, []).append(finding)
        fixed = widths([list(_row(finding)) for finding in self.findings], 1)
        for region, findings in places.items():
            yield Text(region or "all Regions", style="bold")
            yield Padding(columns([list(_row(finding)) for finding in findings], fixed), (0, 0, 1, 2))
        yield _total(self.findings)


def _row(finding: Finding) -> Iterator[Text]:
    mark, style = _MARKS[finding.severity]
    yield Text(f"{mark} {finding.check}", style=style)
    said = Text(finding.said, style="dim" if finding.severity is Severity.OK else "")
    if finding.mend:
        said.append(f"\n→ {finding.mend}", style="cyan")
    yield said


def _total(findings: Sequence[Finding]) -> Text:
    counts = Counter(finding.severity for finding in findings)
    if worst(findings) is Severity.OK:
        return Text(f"all well: {counts[Severity.OK]} checks", style="green")
    parts = [
        f"{counts[severity]} {word}{'s' if counts[severity] != 1 else ''}"
        for severity, word in ((Severity.PROBLEM, "problem"), (Severity.WARNING, "warning"))
        if counts[severity]
    ]
    return Text(f"{', '.join(parts)}, {counts[Severity.OK]} ok", style=_MARKS[worst(findings)][1])
