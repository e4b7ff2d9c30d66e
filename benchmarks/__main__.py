"""`make bench`: measures everything, shows it, and says of every bound whether it is kept.

With --short the calls alone, which are exact on every machine: exit code 1 where they are not as expected.
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
from benchmarks.report import Report
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
    short: Annotated[bool, typer.Option("--short", help="Count the calls, and measure no time.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write docs/performance.md and .json anew.")] = False,
) -> None:
    """Measures the engine beside a baseline, both in this run."""
    console = Console(highlight=False)
    wrong = _count(console) if short else _measure(console, write)
    for count in wrong:
        console.print(f"[red]{count.name}: {count.engine} calls, not {count.expected}[/red]")
    raise typer.Exit(1 if wrong else 0)


def unexpected(found: Iterable[Count]) -> list[Count]:
    """The counts that are not as they should be."""
    return [one for one in found if one.engine != one.expected]


def _count(console: Console) -> list[Count]:
    found = list(counts())
    console.print(report.shown([one.figure() for one in found]))
    return unexpected(found)


def _measure(console: Console, write: bool) -> list[Count]:
    began = time.monotonic()
    counted = list(counts())
    measured = [one.figure() for one in counted]
    measured += _told(console, (one for measure in TIMES for one in measure()))
    with console.status("a thousand members in each of ten Regions"):
        grown = list(growth())
    done = Report(measured, grown, time.monotonic() - began)
    console.print(report.shown(done.figures))
    console.print(report.growth_shown(done.growth))
    bounds = [one.met for one in done.figures if one.met is not None]
    console.print(f"{sum(bounds)} of {len(bounds)} bounds kept, in {done.seconds:.0f} s")
    if write:
        PAGE.with_suffix(".json").write_text(json.dumps(done.document(), indent=1) + "\n")
        put_section(PAGE, "figures", report.figures_section(done))
        put_section(PAGE, "growth", report.growth_section(done.growth))
        put_section(PAGE, "limits", report.limits_section())
    return unexpected(counted)


def _told(console: Console, measured: Iterable[Figure]) -> Iterator[Figure]:
    """Says what is being measured, since it takes minutes."""
    with console.status("cold starts") as status:
        for one in measured:
            status.update(f"after {one.name}")
            yield one


if __name__ == "__main__":
    typer.run(main)
