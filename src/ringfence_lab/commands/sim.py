"""`ringfence lab sim`: plays histories, and shows the progress, the coverage, and the details of each failure.

It knows the terminal; of a history it knows only the seed.
"""

import json
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof import coverage
from ringfence_lab.proof.campaign import Checkpoint, Failure, FailureKind, Tally, campaign
from ringfence_lab.proof.sections import put_section
from ringfence_lab.proof.shorten import ranges, replay, shortened
from ringfence_lab.sim.engine.function import Reconcile
from ringfence_ops.cli.terminal import console

EXIT_CODES = {None: 0, FailureKind.CRASH: 70, FailureKind.SAFETY: 71, FailureKind.LIVENESS: 72}
"""By the gravest failure."""

SEEDS = 1 << 32
"""Random first seeds are below this, so that they are easy to read."""


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """The options of the command. Without a `seed` a random one is used. With `keep_going` a failure does not end the
    campaign."""

    histories: int
    processes: int
    seed: int | None = None
    keep_going: bool = False
    checkpoint: Path | None = None
    as_json: bool = False
    write: Path | None = None


def prove(options: CampaignOptions, engine: Reconcile = reconcile) -> int:
    """Plays the histories. Returns the exit code.

    Raises OtherCampaign if the checkpoint file holds another campaign.
    """
    output, aside = console(quiet=options.as_json, markup=True), console(stderr=True, markup=True)
    first = secrets.randbelow(SEEDS) if options.seed is None else options.seed
    began, tally = time.monotonic(), Tally(first)
    output.print(f"{options.histories:,} histories, starting at seed {first}")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=aside,
        transient=True,
        disable=not aside.is_terminal,
    ) as progress:
        task = progress.add_task("histories", total=options.histories)
        for done in _tallies(options, first, engine):
            tally.add(done)
            failed = f", {len(tally.failures)} failed" if tally.failures else ""
            speed = f"{tally.per_second:.0f} per second and core{failed}"
            progress.update(task, completed=tally.histories, description=speed)
    waited = time.monotonic() - began
    if options.checkpoint is not None:
        kept = Checkpoint.open(options.checkpoint, first, options.histories)
        tally, waited = kept.tally, kept.seconds_waited
    _print_results(output, tally, waited, engine)
    if options.as_json:
        sys.stdout.write(json.dumps(document(tally, waited), indent=2) + "\n")
    if options.write is not None and not tally.failures:
        put_section(options.write, "campaign", section(tally, waited))
    return EXIT_CODES[tally.worst()]


def _tallies(options: CampaignOptions, first: int, engine: Reconcile) -> Iterator[Tally]:
    if options.checkpoint is None:
        return campaign(first, options.histories, options.processes, keep_going=options.keep_going, engine=engine)
    return Checkpoint.open(options.checkpoint, first, options.histories).play(options.processes, options.checkpoint)


def _print_results(output: Console, tally: Tally, waited: float, engine: Reconcile) -> None:
    for table in coverage.shown(tally.coverage):
        output.print(table)
        output.print()
    for failure in sorted(tally.failures, key=lambda failure: failure.seed)[:3]:
        for line in failure_lines(failure, engine):
            output.print(line, markup=False, soft_wrap=True)
        output.print()
    verdict = f"[red]{len(tally.failures)} failed[/red]" if tally.failures else "all properties held"
    output.print(
        f"{tally.histories:,} histories, {verdict}; {waited:.0f} s,"
        f" {tally.per_second:.0f} histories per second on one core"
    )


def failure_lines(failure: Failure, engine: Reconcile = reconcile) -> Iterator[str]:
    """A failure for people: what failed, the command that replays it, and the shortest history that shows it."""
    yield f"seed {failure.seed}, {failure.kind.value}: {failure.what}"
    yield f"  replay:    {command(failure.seed)}"
    without = shortened(failure.seed, engine)
    again = replay(failure.seed, without, engine)
    yield f"  shortened: {command(failure.seed, without)}  ({again.steps - len(without)} of {again.steps} steps)"
    yield from again.trace


def command(seed: int, without: frozenset[int] = frozenset()) -> str:
    """The command that replays the history."""
    return f"ringfence lab sim --replay {seed}" + (f" --without {ranges(without)}" if without else "")


def show_again(seed: int, without: frozenset[int], engine: Reconcile = reconcile) -> int:
    """Replays one history and prints its trace. Returns the exit code."""
    again = replay(seed, without, engine)
    output = console()
    for line in again.trace:
        output.print(line, markup=False)
    failure = again.failure
    output.print("all properties held" if failure is None else f"{failure.kind.value}: {failure.what}", markup=False)
    return EXIT_CODES[None if failure is None else failure.kind]


def document(tally: Tally, waited: float) -> dict[str, object]:
    """The JSON document: seeds, counts, seconds, coverage, and each failure with the command that replays it."""
    return {
        "schema": "ringfence.sim/1",
        "first_seed": tally.first,
        "histories": tally.histories,
        "steps": tally.steps,
        "seconds": round(waited, 1),
        "processor_seconds": round(tally.seconds, 1),
        "histories_per_second_and_core": round(tally.per_second),
        "failures": [
            {
                "seed": failure.seed,
                "kind": failure.kind.value,
                "what": failure.what,
                "again": command(failure.seed),
            }
            for failure in tally.failures
        ],
        "coverage": dict(sorted(tally.coverage.items())),
    }


def section(tally: Tally, waited: float) -> str:
    """The section of the documentation, in Markdown."""
    calls = sum(count or 0 for _, row in coverage.counts(tally.coverage) for count in row)
    return "\n".join(
        [
            "## The longest run",
            "",
            (
                f"Seeds {tally.first:,} to {tally.first + tally.histories - 1:,}: **{tally.histories:,} histories,"
                f" {tally.steps:,} steps, {calls:,} calls, no violation**, in {waited / 60:.0f} minutes"
                f" ({tally.per_second:.0f} histories per second on one core). Run `ringfence lab sim --histories"
                f" {tally.histories} --seed {tally.first}` to repeat it."
            ),
            "",
            *coverage.markdown(tally.coverage),
        ]
    )
