"""`ringfence lab sim`: plays histories, shows how far it is and what was met, and of what goes wrong all that helps.

Knows the terminal, and no more of a history than its seed.
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
from ringfence_lab.proof.campaign import Checkpoint, Failure, Kind, Tally, campaign
from ringfence_lab.proof.sections import put_section
from ringfence_lab.proof.shorten import ranges, replay, shortened
from ringfence_lab.sim.engine.function import Engine

EXIT_CODES = {None: 0, Kind.CRASH: 70, Kind.SAFETY: 71, Kind.LIVENESS: 72}
"""By the gravest thing that went wrong."""

SEEDS = 1 << 32
"""Fresh seeds are smaller than this, so that they can be read out."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. `seed` None is a fresh one; `keep_going` says that failures end nothing."""

    histories: int
    processes: int
    seed: int | None = None
    keep_going: bool = False
    checkpoint: Path | None = None
    as_json: bool = False
    write: Path | None = None


def prove(order: Order, engine: Engine = reconcile) -> int:
    """Plays the histories. Returns the exit code.

    Raises OtherCampaign where the checkpoint is one of another campaign.
    """
    people, aside = Console(quiet=order.as_json, highlight=False), Console(stderr=True, highlight=False)
    first = secrets.randbelow(SEEDS) if order.seed is None else order.seed
    began, tally = time.monotonic(), Tally(first)
    people.print(f"{order.histories:,} histories from seed {first} on")
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
        task = progress.add_task("histories", total=order.histories)
        for done in _tallies(order, first, engine):
            tally.add(done)
            wrong = f", {len(tally.failures)} wrong" if tally.failures else ""
            speed = f"{tally.per_second:.0f} a second and core{wrong}"
            progress.update(task, completed=tally.histories, description=speed)
    waited = time.monotonic() - began
    if order.checkpoint is not None:
        kept = Checkpoint.open(order.checkpoint, first, order.histories)
        tally, waited = kept.tally, kept.seconds_waited
    _tell(people, tally, waited, engine)
    if order.as_json:
        sys.stdout.write(json.dumps(document(tally, waited), indent=2) + "\n")
    if order.write is not None and not tally.failures:
        put_section(order.write, "campaign", section(tally, waited))
    return EXIT_CODES[tally.worst()]


def _tallies(order: Order, first: int, engine: Engine) -> Iterator[Tally]:
    if order.checkpoint is None:
        return campaign(first, order.histories, order.processes, order.keep_going, engine)
    return Checkpoint.open(order.checkpoint, first, order.histories).play(order.processes, order.checkpoint)


def _tell(people: Console, tally: Tally, waited: float, engine: Engine) -> None:
    for table in coverage.shown(tally.coverage):
        people.print(table)
        people.print()
    for failure in sorted(tally.failures, key=lambda failure: failure.seed)[:3]:
        for line in told(failure, engine):
            people.print(line, markup=False, soft_wrap=True)
        people.print()
    wrong = f"[red]{len(tally.failures)} went wrong[/red]" if tally.failures else "every property held"
    people.print(
        f"{tally.histories:,} histories, {wrong}; {waited:.0f} s, {tally.per_second:.0f} histories a second on one core"
    )


def told(failure: Failure, engine: Engine = reconcile) -> Iterator[str]:
    """A failure as its reader wants it: what, how to see it again, and the shortest history that shows it."""
    yield f"seed {failure.seed}, {failure.kind.value}: {failure.what}"
    yield f"  again:     {command(failure.seed)}"
    without = shortened(failure.seed, engine)
    again = replay(failure.seed, without, engine)
    yield f"  shortened: {command(failure.seed, without)}  ({again.steps - len(without)} of {again.steps} steps)"
    yield from again.trace


def command(seed: int, without: frozenset[int] = frozenset()) -> str:
    """The command that plays the history again."""
    return f"ringfence lab sim --replay {seed}" + (f" --without {ranges(without)}" if without else "")


def show_again(seed: int, without: frozenset[int], engine: Engine = reconcile) -> int:
    """Plays one history and prints all of it. Returns the exit code."""
    again = replay(seed, without, engine)
    people = Console(highlight=False, soft_wrap=True)
    for line in again.trace:
        people.print(line, markup=False)
    failure = again.failure
    people.print("every property held" if failure is None else f"{failure.kind.value}: {failure.what}", markup=False)
    return EXIT_CODES[None if failure is None else failure.kind]


def document(tally: Tally, waited: float) -> dict[str, object]:
    """What programs read: seeds, counts, seconds, coverage, and each failure with the command that shows it again."""
    return {
        "schema": "ringfence.sim/1",
        "first_seed": tally.first,
        "histories": tally.histories,
        "steps": tally.steps,
        "seconds": round(waited, 1),
        "processor_seconds": round(tally.seconds, 1),
        "histories_per_second_and_core": round(tally.per_second),
        "failures": [
            {"seed": one.seed, "kind": one.kind.value, "what": one.what, "again": command(one.seed)}
            for one in tally.failures
        ],
        "coverage": dict(sorted(tally.coverage.items())),
    }


def section(tally: Tally, waited: float) -> str:
    """What stands in the docs."""
    calls = sum(count or 0 for _, row in coverage.counts(tally.coverage) for count in row)
    return "\n".join(
        [
            "## The longest run",
            "",
            (
                f"Seeds {tally.first:,} to {tally.first + tally.histories - 1:,}: **{tally.histories:,} histories,"
                f" {tally.steps:,} steps, {calls:,} calls, no violation**, in {waited / 60:.0f} minutes"
                f" ({tally.per_second:.0f} histories a second on one core). `ringfence lab sim --histories"
                f" {tally.histories} --seed {tally.first}` plays them again."
            ),
            "",
            *coverage.markdown(tally.coverage),
        ]
    )
