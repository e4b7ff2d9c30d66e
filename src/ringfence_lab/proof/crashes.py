"""Crash everywhere: every scenario with a kill before and after every single call, one run for each.

    ringfence lab crashes [--pairs] [--write docs/reliability.md]

A process that dies leaves its messages in the queue and its work half done. Then everything goes on: messages are
delivered again, the schedule fires. Whatever the call, all properties must hold throughout, everything must converge,
and no hook may wait until its heartbeat is over. With `--pairs`, the small scenarios are killed once more: at every
call of what follows the first kill, recovery included.

Knows the scenarios' calls only by their number: it runs a scenario once to count them.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.harness import ROUND_SECONDS, ROUNDS_TO_CONVERGE, Choose, Harness, first_ready, last_ready
from ringfence_lab.proof.scenarios import BY_NAME, SCENARIOS, Scenario
from ringfence_lab.proof.sections import put_section
from ringfence_lab.sim.engine.call_faults import Effect, Fault
from ringfence_lab.sim.engine.function import Engine

ORDERS: tuple[Choose, ...] = (first_ready, last_ready)
"""How the tasks of an invocation go on beside one another: in turns, or one for as long as it can. What was done by
the moment of a kill differs between the two."""

SMALL = ("launch, two Regions", "termination, two Regions", "lost events, found by schedule", "Elastic IP moves")
"""The scenarios that are cheap enough to be killed twice."""


@dataclass(frozen=True, slots=True)
class Kill:
    """The process dies at the call of this number, counted from 1 over all Regions and invocations."""

    call: int
    effect: Effect

    def __str__(self) -> str:
        return f"{self.effect.value} call {self.call}"


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario as it was played, with its recovery. `problems` are violations, and what did not converge."""

    scenario: Scenario
    kills: tuple[Kill, ...]
    calls: int
    calls_with_recovery: int
    problems: tuple[str, ...]
    trace: tuple[str, ...]

    def __str__(self) -> str:
        killed = " and ".join(map(str, self.kills)) or "no kill"
        return "\n".join([f"{self.scenario.name}, {killed}", *(f"  {each}" for each in self.problems), *self.trace])


@dataclass(slots=True)
class Tally:
    """What came of all runs of one scenario. `calls` are those it makes without a kill, over all orders."""

    scenario: Scenario
    calls: int
    crashes: int = 0
    failed: list[Run] = field(default_factory=list)

    @property
    def converged(self) -> int:
        """The crashes after which all was well."""
        return self.crashes - len(self.failed)

    def count(self, run: Run) -> None:
        """Adds a run with its crash."""
        self.crashes += 1
        if run.problems:
            self.failed.append(run)


def play(
    scenario: Scenario, kills: Sequence[Kill] = (), engine: Engine = reconcile, choose: Choose = first_ready
) -> Run:
    """Plays a scenario with the kills, and then its recovery."""
    stage = Harness(scenario.regions, scenario.desired, engine, choose)
    for met_before, kill in enumerate(kills):
        # A call that one fault met is not counted by the next one. The scenario's own faults come after these.
        stage.cloud.faults.add(Fault(kill.effect, times=1, after=kill.call - 1 - met_before))
    scenario.play(stage)
    calls = len(stage.cloud.calls)
    waiting = tuple(stage.waiting()) if scenario.answered and not kills else ()
    unconverged = tuple(stage.recover())
    if sum(one.killed for one in stage.cloud.invocations) != len(kills):
        raise AssertionError(f"{scenario.name}: not every kill met a call: {kills}")
    problems = tuple(map(str, stage.violations())) + waiting + unconverged
    trace = tuple(stage.trace()) if problems else ()
    return Run(scenario, tuple(kills), calls, len(stage.cloud.calls), problems, trace)


def crash_everywhere(
    scenario: Scenario, engine: Engine = reconcile, orders: Sequence[Choose] = ORDERS, pairs: bool = False
) -> Tally:
    """Plays the scenario with a kill before and after each of its calls; with `pairs`, with a second kill as well."""
    tally = Tally(scenario, 0)
    for order in orders:
        whole = play(scenario, (), engine, order)
        if whole.problems:
            raise AssertionError(f"without any kill: {whole}")
        tally.calls += whole.calls
        for kill in kills_of(whole):
            run = play(scenario, (kill,), engine, order)
            tally.count(run)
            if pairs:
                for second in _kills(kill.call + 1, run.calls_with_recovery):
                    tally.count(play(scenario, (kill, second), engine, order))
    return tally


def kills_of(whole: Run) -> Iterator[Kill]:
    """Every kill that a run can meet which met none."""
    return _kills(1, whole.calls)


def _kills(first: int, last: int) -> Iterator[Kill]:
    for call in range(first, last + 1):
        yield Kill(call, Effect.KILL_BEFORE)
        yield Kill(call, Effect.KILL_AFTER)


def shown(tallies: Iterable[Tally]) -> Table:
    """The tallies for a terminal."""
    table = Table("scenario", title="A kill before and after every call", title_justify="left")
    for column in ("calls", "crashes", "converged"):
        table.add_column(column, justify="right")
    for tally in tallies:
        style = "red" if tally.failed else None
        counts = (tally.calls, tally.crashes, tally.converged)
        table.add_row(tally.scenario.name, *(f"{count:,}" for count in counts), style=style)
    return table


def section(singles: Sequence[Tally], doubles: Sequence[Tally], seconds: float) -> str:
    """What stands in the docs."""
    total, well = (sum(getattr(tally, name) for tally in (*singles, *doubles)) for name in ("crashes", "converged"))
    lines = [
        "## Crash everywhere",
        "",
        (
            "Each scenario is played on the real engine with a kill before and after every one of its calls, in"
            f" {len(ORDERS)} orders of the Regions' turns, one run for each. Then messages are delivered again and"
            f" the schedule fires: within {ROUNDS_TO_CONVERGE} rounds of {ROUND_SECONDS:.0f} s everything must have"
            " converged, no property may be violated on the way, every hook must be answered by an engine and not by"
            f" its heartbeat, and the next reconcile must change nothing. **{well:,} of {total:,} crashes converged**,"
            f" in {seconds:.0f} s. `ringfence lab crashes --pairs` does it again."
        ),
        "",
        *_rows(singles),
    ]
    if doubles:
        lines += ["", "Killed once more, at every call of what follows the first kill, recovery included:", ""]
        lines += _rows(doubles)
    return "\n".join(lines)


def _rows(tallies: Iterable[Tally]) -> Iterator[str]:
    yield "| scenario | calls in all orders | crashes | converged |"
    yield "|---|---:|---:|---:|"
    for tally in tallies:
        yield f"| {tally.scenario.name} | {tally.calls} | {tally.crashes:,} | {tally.converged:,} |"


def prove(pairs: bool = False, write: Path | None = None) -> int:
    """Crashes every scenario everywhere and prints the counts. Returns the exit code: 1 where one did not converge."""
    console, began = Console(), time.monotonic()
    singles = [crash_everywhere(scenario) for scenario in SCENARIOS]
    doubles = [crash_everywhere(BY_NAME[name], orders=(first_ready,), pairs=True) for name in SMALL] if pairs else []
    console.print(shown(singles))
    if doubles:
        console.print(shown(doubles))
    failed = [run for tally in (*singles, *doubles) for run in tally.failed]
    for run in failed[:3]:
        console.print(str(run), markup=False, soft_wrap=True)
    total = sum(tally.crashes for tally in (*singles, *doubles))
    seconds = time.monotonic() - began
    console.print(f"{total - len(failed):,} of {total:,} crashes converged, in {seconds:.0f} s")
    if write is not None and not failed:
        put_section(write, "crashes", section(singles, doubles, seconds))
    return 1 if failed else 0
