"""`ringfence doctor`: checks a deployment end to end, and says how to fix what is wrong."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cli.columns import columns, widths
from ringfence_ops.cli.command_run import CommandRun, command_run
from ringfence_ops.cli.terminal import AsJson, Output, Regions
from ringfence_ops.cli.text import Text
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.doctor.access import check_access
from ringfence_ops.doctor.alarm_test import CHECK, PATIENCE, AlarmTest
from ringfence_ops.doctor.alarms import check_alarms
from ringfence_ops.doctor.drift import with_drift
from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Finding, Severity, of_reason, problem, worst
from ringfence_ops.doctor.reading import SERVICES, Reader
from ringfence_ops.doctor.room import check_room
from ringfence_ops.doctor.rows import check_rows
from ringfence_ops.doctor.security_groups import check_groups
from ringfence_ops.doctor.stack import check_standing, check_versions
from ringfence_ops.documents.doctor import DoctorDocument, FindingItem
from ringfence_ops.plurals import counted
from ringfence_ops.state.sight import take_sight
from ringfence_ops.state.standings import standings

_MARKS = {Severity.OK: ("✓", "green"), Severity.WARNING: ("!", "yellow"), Severity.PROBLEM: ("✗", "red")}


EXAMPLES = """\b
Examples:
  ringfence doctor
  ringfence doctor --test-alarm us-east-1
  ringfence doctor --json | jq '.findings[] | select(.severity != "ok")'
"""

TIMEOUT = 10.0
"""Seconds that reading a Region may take: some forty concurrent calls, each of which gives up in half of that."""


def doctor(
    context: typer.Context,
    *,
    regions: Regions = None,
    test_alarm: Annotated[
        bool, typer.Option("--test-alarm", help="Check nothing else: let one alarm of each Region ring, and end it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Checks the deployment end to end, and says how to fix what is wrong.

    Checks stacks, what somebody changed in them by hand, engines, hooks, events, queues, schedules, tables and their
    rows, alarms and whom they notify, permissions, clocks, security groups, rules of unknown owner, room for growth at
    the account's real quotas, and other tools that change the rules. Changes nothing: permissions are tested by dry
    runs and with IAM's policy simulator. With Regions, shows only what concerns these.

    --test-alarm sets one alarm of each Region to ALARM and back, and says whom its topic notified.

    Exit code 0 if nothing is wrong, 2 if something is, 1 if a Region does not answer.
    """
    run = command_run(context)
    cluster = run.cluster()
    chosen = [cluster.of(Region(region)).region for region in regions or cluster.region_names]
    if test_alarm:
        findings, unreachable = send_test_alarms(run, cluster, chosen)
    else:
        findings, unreachable = check(run, cluster)
        findings = [finding for finding in findings if finding.region is None or finding.region in chosen]
        unreachable = {region: reason for region, reason in unreachable.items() if region in chosen}
    Output(as_json=as_json).show(document(findings, unreachable), DoctorReport(findings))
    raise typer.Exit(1 if unreachable else 0 if worst(findings) is Severity.OK else 2)


def send_test_alarms(
    run: CommandRun, cluster: Cluster, regions: Sequence[Region]
) -> tuple[list[Finding], dict[Region, str]]:
    """What became of a test alarm in each of these Regions; and the Regions that did not answer."""
    run.aws.prepare(("cloudwatch", "sns"), regions[0])

    def send(region: Region) -> list[Finding]:
        return AlarmTest(run.aws.client, region, cluster.name).run()

    findings: list[Finding] = []
    unreachable: dict[Region, str] = {}
    for region, answer in run.aws.each_region(regions, send, PATIENCE + TIMEOUT).items():
        if isinstance(answer, Unreachable):
            unreachable[region] = answer.reason
            fix = f"aws cloudwatch describe-alarms --region {region} --state-value ALARM shows whether it still rings"
            findings.append(problem(CHECK, region, f"the test did not end: {answer.reason}", fix))
        else:
            findings += answer
    return findings, unreachable


def check(run: CommandRun, cluster: Cluster) -> tuple[list[Finding], dict[Region, str]]:
    """The findings of each Region, then those about all; and the Regions that did not answer."""
    expected = run.expected(cluster)
    run.aws.prepare(SERVICES, next(iter(expected)))
    sight = take_sight(run.aws, expected)
    expected, stand = sight.expected, standings(sight)

    def read(region: Region) -> RegionFacts:
        return Reader(run.aws.client, expected[region], sight.paths[region]).facts()

    answers = run.aws.each_region((region for region in expected if stand[region].answers), read, TIMEOUT)
    facts = {region: answer for region, answer in answers.items() if isinstance(answer, RegionFacts)}
    others = list(check_rows(list(facts.values()), expected))
    others += list(check_room(list(facts.values()), [expected[region] for region in facts]))
    findings: list[Finding] = []
    for region in cluster.region_names:
        if region in facts:
            of_region = facts[region], expected[region]
            own = [*check_standing(*of_region, stand[region]), *check_groups(*of_region), *check_access(*of_region)]
            findings += with_drift([*own, *check_alarms(*of_region)], *of_region)
            findings += [finding for finding in others if finding.region == region]
        else:
            findings += [of_reason(region, reason) for reason in stand[region].reasons]
    unreachable = dict(sight.snapshot.unreachable) | {
        region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)
    }
    return [*findings, *check_versions(list(facts.values()), stand)], unreachable


def document(findings: Sequence[Finding], unreachable: Mapping[Region, str]) -> DoctorDocument:
    """The findings for programs."""
    return DoctorDocument(
        worst=worst(findings),
        findings=[
            FindingItem(
                check=finding.check,
                region=finding.region,
                severity=finding.severity,
                said=finding.message,
                mend=finding.fix,
            )
            for finding in findings
        ],
        unreachable=dict(unreachable),
    )


class DoctorReport:
    """The findings for people, Region by Region."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = findings

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        regions: dict[Region | None, list[Finding]] = {}
        for finding in self.findings:
            regions.setdefault(finding.region, []).append(finding)
        fixed = widths([list(_row(finding)) for finding in self.findings], 1)
        for region, findings in regions.items():
            yield Text(region or "all Regions", style="bold")
            yield Padding(columns([list(_row(finding)) for finding in findings], fixed), (0, 0, 1, 2))
        yield _total(self.findings)


def _row(finding: Finding) -> Iterator[Text]:
    mark, style = _MARKS[finding.severity]
    yield Text(f"{mark} {finding.check}", style=style)
    message = Text(finding.message, style="dim" if finding.severity is Severity.OK else "")
    if finding.fix:
        message.line(f"→ {finding.fix}", "cyan")
    yield message


def _total(findings: Sequence[Finding]) -> Text:
    counts = Counter(finding.severity for finding in findings)
    if worst(findings) is Severity.OK:
        return Text(f"no problem found: {counted(counts[Severity.OK], 'check')}", style="green")
    parts = [
        counted(counts[severity], word)
        for severity, word in ((Severity.PROBLEM, "problem"), (Severity.WARNING, "warning"))
        if counts[severity]
    ]
    return Text(f"{', '.join(parts)}, {counts[Severity.OK]} ok", style=_MARKS[worst(findings)][1])
