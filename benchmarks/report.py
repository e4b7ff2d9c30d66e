"""What was measured, for a terminal, for programs, and for docs/performance.md.

Knows nothing of how it was measured.
"""

import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import botocore
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.limits import limits
from benchmarks.scale import Growth


@dataclass(frozen=True, slots=True)
class Report:
    """One run of everything, which took so many seconds."""

    figures: Sequence[Figure]
    growth: Sequence[Growth]
    seconds: float

    def document(self) -> dict[str, object]:
        """What programs read, the plots of the documentation among them."""
        return {
            "schema": "ringfence.bench/1",
            "python": platform.python_version(),
            "botocore": botocore.__version__,
            "seconds": round(self.seconds, 1),
            "figures": [asdict(one) | {"met": one.met} for one in self.figures],
            "growth": [asdict(one) for one in self.growth],
        }


def shown(figures: Sequence[Figure]) -> Table:
    """The figures for a terminal."""
    table = Table("figure", title_justify="left")
    for name in ("engine", "baseline", "ratio", "at most", ""):
        table.add_column(name, justify="right")
    for one in figures:
        style = "red" if one.met is False else None
        table.add_row(one.name, *_cells(one), style=style)
    return table


def growth_shown(growth: Sequence[Growth]) -> Table:
    """How the engine's work grows, for a terminal."""
    table = Table(title_justify="left")
    for name in _GROWTH:
        table.add_column(name, justify="right")
    for one in growth:
        table.add_row(*_growth_cells(one))
    return table


def figures_section(report: Report) -> str:
    """The table of figures in the documentation."""
    versions = f"Python {platform.python_version()} and botocore {botocore.__version__}"
    lines = [
        f"Measured with {versions} on {sys.platform}, in {report.seconds / 60:.0f} minutes.",
        "",
        "| figure | engine | baseline | ratio | must reach | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    lines += [f"| {' | '.join([one.name, *_cells(one)])} |" for one in report.figures]
    return "\n".join(lines)


def growth_section(growth: Sequence[Growth]) -> str:
    """The table of growth in the documentation."""
    lines = [f"| {' | '.join(_GROWTH)} |", "|" + "---:|" * len(_GROWTH)]
    lines += [f"| {' | '.join(_growth_cells(one))} |" for one in growth]
    return "\n".join(lines)


def limits_section() -> str:
    """The table of AWS's own limits in the documentation."""
    lines = ["| AWS's limit | source | the largest cluster within it |", "|---|---|---|"]
    lines += [f"| {one.what} | {one.source} | {one.largest} |" for one in limits()]
    return "\n".join(lines)


def _cells(one: Figure) -> Iterator[str]:
    yield _quantity(one.engine, one.unit)
    yield "" if one.baseline is None else _quantity(one.baseline, one.unit)
    yield "" if one.ratio is None else f"{one.ratio:.2g}" if one.ratio < 0.1 else f"{one.ratio:.2f}"
    yield "" if one.bound is None else _quantity(one.bound, one.unit) if one.absolute else f"{one.bound:.2f}"
    yield {True: "met", False: "missed", None: ""}[one.met]


def _quantity(number: float, unit: str) -> str:
    match unit:
        case "calls":
            return f"{number:,.0f}"
        case "s" | "MB":
            return f"{number:,.1f} {unit}"
        case _:
            return f"{number:,.0f} {unit}"


_GROWTH = (
    "Regions",
    "members in each",
    "rules made",
    "calls",
    "calls a rule",
    "µs a rule",
    "calls of one launch more",
    "ms of one launch more",
)


def _growth_cells(one: Growth) -> list[str]:
    return [
        f"{one.regions}",
        f"{one.members:,}",
        f"{one.changes:,}",
        f"{one.calls:,}",
        f"{one.calls / one.changes:.3f}",
        f"{1e6 * one.seconds / one.changes:.0f}",
        f"{one.launch_calls}",
        f"{1e3 * one.launch_seconds:.0f}",
    ]
