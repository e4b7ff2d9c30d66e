"""`ringfence doctor`: examines a deployment end to end, and says how to mend what it finds."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.text import Text

from ringfence.model import Region
from ringfence_ops.columns import columns, widths
from ringfence_ops.examination.finding import Finding, Severity, worst

SCHEMA = "ringfence.doctor/1"

_MARKS = {Severity.OK: ("✓", "green"), Severity.WARNING: ("!", "yellow"), Severity.PROBLEM: ("✗", "red")}


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
