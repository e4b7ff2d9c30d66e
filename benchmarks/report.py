"""Shows the results on a terminal, as JSON, and in docs/performance.md.

It must not know how they were measured.
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
class BenchmarkReport:
    """The results of one run, which took so many seconds."""

    figures: Sequence[Figure]
    growth: Sequence[Growth]
    seconds: float

    def document(self) -> dict[str, object]:
        """The JSON document, from which the plots of the documentation are made, too."""
        return {
            "schema": "ringfence.bench/1",
            "python": platform.python_version(),
            "botocore": botocore.__version__,
            "seconds": round(self.seconds, 1),
            "figures": [asdict(figure) | {"met": figure.met} for figure in self.figures],
            "growth": [asdict(row) for row in self.growth],
        }


def shown(figures: Sequence[Figure]) -> Table:
    """The figures for a terminal."""
    table = Table("figure", title_justify="left")
    for name in ("engine", "baseline", "ratio", "at most", ""):
        table.add_column(name, justify="right")
    for figure in figures:
        style = "red" if figure.met is False else None
        table.add_row(figure.name, *_cells(figure), style=style)
    return table


def growth_shown(growth: Sequence[Growth]) -> Table:
    """The growth of the engine's work for a terminal."""
    table = Table(title_justify="left")
    for name in _GROWTH:
        table.add_column(name, justify="right")
    for row in growth:
        table.add_row(*_growth_cells(row))
    return table


def figures_section(report: BenchmarkReport) -> str:
    """The table of figures in the documentation."""
    versions = f"Python {platform.python_version()} and botocore {botocore.__version__}"
    lines = [
        f"Measured with {versions} on {sys.platform}, in {report.seconds / 60:.0f} minutes.",
        "",
        "| figure | engine | baseline | ratio | must reach | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    lines += [f"| {' | '.join([figure.name, *_cells(figure)])} |" for figure in report.figures]
    return "\n".join(lines)


def growth_section(growth: Sequence[Growth]) -> str:
    """The table of growth in the documentation."""
    lines = [f"| {' | '.join(_GROWTH)} |", "|" + "---:|" * len(_GROWTH)]
    lines += [f"| {' | '.join(_growth_cells(row))} |" for row in growth]
    return "\n".join(lines)


def limits_section() -> str:
    """The table of AWS's own limits in the documentation."""
    lines = ["| AWS's limit | source | the largest cluster within it |", "|---|---|---|"]
    lines += [f"| {limit.what} | {limit.source} | {limit.largest} |" for limit in limits()]
    return "\n".join(lines)


def _cells(figure: Figure) -> Iterator[str]:
    yield _quantity(figure.engine, figure.unit)
    yield "" if figure.baseline is None else _quantity(figure.baseline, figure.unit)
    yield "" if figure.ratio is None else f"{figure.ratio:.2g}" if figure.ratio < 0.1 else f"{figure.ratio:.2f}"
    yield _bound(figure)
    yield {True: "met", False: "missed", None: ""}[figure.met]


def _bound(figure: Figure) -> str:
    if figure.bound is None:
        return ""
    return _quantity(figure.bound, figure.unit) if figure.absolute else f"{figure.bound:.2f}"


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
    "calls per rule",
    "µs per rule",
    "calls of another launch",
    "ms of another launch",
)


def _growth_cells(row: Growth) -> list[str]:
    return [
        f"{row.regions}",
        f"{row.members:,}",
        f"{row.changes:,}",
        f"{row.calls:,}",
        f"{row.calls / row.changes:.3f}",
        f"{1e6 * row.seconds / row.changes:.0f}",
        f"{row.launch_calls}",
        f"{1e3 * row.launch_seconds:.0f}",
    ]
