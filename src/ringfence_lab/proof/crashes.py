"""Crash everywhere: every scenario with a kill before and after every call, one run for each kill.

    ringfence lab crashes [--pairs] [--write docs/reliability.md]

A process that dies leaves its messages in the queue and its work half done. Then messages are delivered again and the
schedule fires. After every kill, all properties must hold, everything must converge, and no hook may wait until its
heartbeat ends. With `--pairs`, the small scenarios are killed a second time, at every call after the first kill,
including the recovery.

It knows the calls of a scenario only by their number: it runs a scenario once to count them.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.harness import ROUND_SECONDS, ROUNDS_TO_CONVERGE, Choose, Harness, first_ready, last_ready
from ringfence_lab.proof.scenarios import BY_NAME, SCENARIOS, Scenario
from ringfence_lab.proof.sections import put_section
from ringfence_lab.sim.engine.call_faults import CallFault, Effect
from ringfence_lab.sim.engine.function import Reconcile
from ringfence_ops.cli import terminal

ORDERS: tuple[Choose, ...] = (first_ready, last_ready)
"""How the tasks of an invocation continue: alternating, or one for as long as it can. What was done before a kill
differs between the two."""

SMALL = ("launch, two Regions", "termination, two Regions", "lost events, found by schedule", "Elastic IP moves")
"""The scenarios that are cheap enough for two kills."""


@dataclass(frozen=True, slots=True)
class Kill:
    """The process dies at this call, numbered from 1 over all Regions and invocations."""

    call: int
    effect: Effect

    def __str__(self) -> str:
        return f"{self.effect.value} call {self.call}"


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario as it was played, with its recovery. `problems` are violations and what did not converge."""

    scenario: Scenario
    kills: tuple[Kill, ...]
    calls: int
    calls_with_recovery: int
    problems: tuple[str, ...]
    trace: tuple[str, ...]

    def __str__(self) -> str:
        killed = " and ".join(map(str, self.kills)) or "no kill"
        return "\n".join(
            [f"{self.scenario.name}, {killed}", *(f"  {problem}" for problem in self.problems), *self.trace]
        )


@dataclass(slots=True)
class CrashCounts:
    """The results of all runs of one scenario. `calls` are those without a kill, in all orders."""

    scenario: Scenario
    calls: int
    crashes: int = 0
    failed: list[Run] = field(default_factory=list)

    @property
    def converged(self) -> int:
        """The crashes without a problem."""
        return self.crashes - len(self.failed)

    def count(self, run: Run) -> None:
        """Adds a run with a crash."""
        self.crashes += 1
        if run.problems:
            self.failed.append(run)


def play(
    scenario: Scenario, kills: Sequence[Kill] = (), engine: Reconcile = reconcile, choose: Choose = first_ready
) -> Run:
    """Plays a scenario with the kills, and then its recovery."""
    harness = Harness(scenario.regions, scenario.desired, engine, choose)
    for earlier_kills, kill in enumerate(kills):
        # A call that one fault affects is not counted by the next one. The scenario's own faults come after these.
        harness.cloud.faults.add(CallFault(effect=kill.effect, times=1, after=kill.call - 1 - earlier_kills))
    scenario.play(harness)
    calls = len(harness.cloud.calls)
    waiting = tuple(harness.waiting()) if scenario.answered and not kills else ()
    unconverged = tuple(harness.recover())
    if sum(invocation.killed for invocation in harness.cloud.invocations) != len(kills):
        raise AssertionError(f"{scenario.name}: not every kill met a call: {kills}")
    problems = tuple(map(str, harness.violations())) + waiting + unconverged
    trace = tuple(harness.trace()) if problems else ()
    return Run(scenario, tuple(kills), calls, len(harness.cloud.calls), problems, trace)


def crash_everywhere(
    scenario: Scenario, engine: Reconcile = reconcile, orders: Sequence[Choose] = ORDERS, *, pairs: bool = False
) -> CrashCounts:
    """Plays the scenario with a kill before and after each of its calls; with `pairs`, also with a second kill."""
    counts = CrashCounts(scenario, 0)
    for order in orders:
        whole = play(scenario, (), engine, order)
        if whole.problems:
            raise AssertionError(f"without any kill: {whole}")
        counts.calls += whole.calls
        for kill in kills_of(whole):
            run = play(scenario, (kill,), engine, order)
            counts.count(run)
            if pairs:
                for second in _kills(kill.call + 1, run.calls_with_recovery):
                    counts.count(play(scenario, (kill, second), engine, order))
    return counts


def kills_of(whole: Run) -> Iterator[Kill]:
    """Every possible kill of a scenario that was played without any."""
    return _kills(1, whole.calls)


def _kills(first: int, last: int) -> Iterator[Kill]:
    for call in range(first, last + 1):
        yield Kill(call, Effect.KILL_BEFORE)
        yield Kill(call, Effect.KILL_AFTER)


def shown(results: Iterable[CrashCounts]) -> Table:
    """The results for a terminal."""
    table = Table("scenario", title="A kill before and after every call", title_justify="left")
    for column in ("calls", "crashes", "converged"):
        table.add_column(column, justify="right")
    for result in results:
        style = "red" if result.failed else None
        counts = (result.calls, result.crashes, result.converged)
        table.add_row(result.scenario.name, *(f"{count:,}" for count in counts), style=style)
    return table


def section(singles: Sequence[CrashCounts], doubles: Sequence[CrashCounts], seconds: float) -> str:
    """The section of the documentation, in Markdown."""
    results = (*singles, *doubles)
    total, converged = sum(result.crashes for result in results), sum(result.converged for result in results)
    lines = [
        "## Crash everywhere",
        "",
        (
            "Each scenario runs on the real engine with a kill before and after every call, in"
            f" {len(ORDERS)} orders of the passes over the Regions, one run for each kill. Then messages are delivered"
            f" again and the schedule fires. Within {ROUNDS_TO_CONVERGE} rounds of {ROUND_SECONDS:.0f} s everything"
            " must converge, no property may be violated, an engine must answer every hook before its heartbeat ends,"
            f" and the next reconcile must change nothing. **{converged:,} of {total:,} crashes converged**, in"
            f" {seconds:.0f} s. Run `ringfence lab crashes --pairs` to repeat the proof."
        ),
        "",
        *_rows(singles),
    ]
    if doubles:
        lines += ["", "With a second kill, at every call after the first one, including the recovery:", ""]
        lines += _rows(doubles)
    return "\n".join(lines)


def _rows(results: Iterable[CrashCounts]) -> Iterator[str]:
    yield "| scenario | calls in all orders | crashes | converged |"
    yield "|---|---:|---:|---:|"
    for result in results:
        yield f"| {result.scenario.name} | {result.calls} | {result.crashes:,} | {result.converged:,} |"


def prove(*, pairs: bool = False, write: Path | None = None) -> int:
    """Kills every scenario at every call and prints the counts. Returns the exit code: 1 if one did not converge."""
    console, began = terminal.console(markup=True), time.monotonic()
    singles = [crash_everywhere(scenario) for scenario in SCENARIOS]
    doubles = [crash_everywhere(BY_NAME[name], orders=(first_ready,), pairs=True) for name in SMALL] if pairs else []
    console.print(shown(singles))
    if doubles:
        console.print(shown(doubles))
    failed = [run for result in (*singles, *doubles) for run in result.failed]
    for run in failed[:3]:
        console.print(str(run), markup=False, soft_wrap=True)
    total = sum(result.crashes for result in (*singles, *doubles))
    seconds = time.monotonic() - began
    console.print(f"{total - len(failed):,} of {total:,} crashes converged, in {seconds:.0f} s")
    if write is not None and not failed:
        put_section(write, "crashes", section(singles, doubles, seconds))
    return 1 if failed else 0
