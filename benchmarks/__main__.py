"""`make bench`: measures all figures, shows them, and compares each with its bound.

With --short it only counts the calls, which are exact on every machine. Exit code 1 if a count is unexpected.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import figures, report
from benchmarks.cold_start import cold_start
from benchmarks.counts import Count, counts
from benchmarks.figures import Figure
from benchmarks.report import BenchmarkReport
from benchmarks.scale import growth
from ringfence_lab.proof.sections import put_section

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
TIMES: tuple[Callable[[], Iterable[Figure]], ...] = (
    cold_start,
    figures.launch,
    figures.burst,
    figures.ten_regions,
    figures.hang,
)


def main(
    short: Annotated[bool, typer.Option("--short", help="Only count the calls.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the results to docs/performance.md and .json.")] = False,
) -> None:
    """Measure the engine and a baseline in the same run."""
    console = Console(highlight=False)
    wrong = _count(console) if short else _measure(console, write=write)
    for count in wrong:
        console.print(f"[red]{count.name}: {count.engine} calls, not {count.expected}[/red]")
    raise typer.Exit(1 if wrong else 0)


def unexpected(found: Iterable[Count]) -> list[Count]:
    """The counts that differ from the expected ones."""
    return [count for count in found if count.engine != count.expected]


def _count(console: Console) -> list[Count]:
    found = list(counts())
    console.print(report.shown([count.figure() for count in found]))
    return unexpected(found)


def _measure(console: Console, *, write: bool) -> list[Count]:
    began = time.monotonic()
    counted = list(counts())
    measured = [count.figure() for count in counted]
    measured += _with_progress(console, (figure for measure in TIMES for figure in measure()))
    with console.status("a thousand members in each of ten Regions"):
        grown = list(growth())
    done = BenchmarkReport(measured, grown, time.monotonic() - began)
    console.print(report.shown(done.figures))
    console.print(report.growth_shown(done.growth))
    bounds = [figure.met for figure in done.figures if figure.met is not None]
    console.print(f"{sum(bounds)} of {len(bounds)} bounds met, in {done.seconds:.0f} s")
    if write:
        PAGE.with_suffix(".json").write_text(json.dumps(done.document(), indent=1) + "\n")
        put_section(PAGE, "figures", report.figures_section(done))
        put_section(PAGE, "growth", report.growth_section(done.growth))
        put_section(PAGE, "limits", report.limits_section())
    return unexpected(counted)


def _with_progress(console: Console, measured: Iterable[Figure]) -> Iterator[Figure]:
    """Shows the progress, because the measurement takes minutes."""
    with console.status("cold starts") as status:
        for figure in measured:
            status.update(f"after {figure.name}")
            yield figure


if __name__ == "__main__":
    typer.run(main)
