"""Every interleaving: two Regions, a launch, a termination, a true-up, and two concurrent invocations of the engine.

    ringfence lab interleavings [--all] [--write docs/reliability.md]

The real engine runs in the simulated cloud. All properties are checked at every step; after the last step, the schedule
must make everything converge. `exploration` describes what is pruned and why that is sound, `overlap` which calls
commute.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.exploration import Explored, explore
from ringfence_lab.proof.harness import EAST, TRUE_UP, WEST
from ringfence_lab.proof.overlap import Begin, InterleavedRun
from ringfence_lab.proof.sections import put_section
from ringfence_lab.sim.engine.function import Reconcile
from ringfence_ops.cli import terminal

FEW, MANY = 2, 3
"""The bounds on preemptions for the cases that are too large for all interleavings: by default, and with `--all`."""


@dataclass(frozen=True, slots=True)
class Case:
    """What happens, and the invocations that overlap. A `large` case is explored within bounds: every interleaving with
    a limited number of preemptions, and with sequential passes over the Regions in an invocation."""

    name: str
    begin: Begin
    large: bool = field(default=False, kw_only=True)


def _launch(run: InterleavedRun, home: str) -> None:
    group = run.harness.group(home)
    group.scale_to(group.desired + 1)
    run.consume(home)


def _launch_meanwhile(run: InterleavedRun, home: str) -> None:
    run.invoke_upon(home, lambda: run.harness.unqueued_launch(home))


def _termination(run: InterleavedRun, home: str) -> None:
    group = run.harness.group(home)
    group.scale_to(group.desired - 1)
    run.consume(home)


def _termination_meanwhile(run: InterleavedRun, home: str) -> None:
    run.invoke_upon(home, lambda: run.harness.unqueued_termination(home))


def _its_termination_meanwhile(run: InterleavedRun, home: str) -> None:
    run.invoke_upon(home, lambda: run.harness.unqueued_termination(home, newest=True))


def _true_up(run: InterleavedRun, home: str) -> None:
    run.invoke(home, TRUE_UP)


def _true_up_after_termination(run: InterleavedRun, home: str) -> None:
    run.invoke_upon(home, lambda: run.harness.unqueued_termination(home) and TRUE_UP)


def _true_up_after_elastic_ip(run: InterleavedRun, home: str) -> None:
    def associate() -> object:
        (instance,) = run.harness.group(home).listed()
        run.harness.region(home).ec2.assign_public_address(instance, elastic=True)
        return TRUE_UP

    run.invoke_upon(home, associate)


def _both(
    first: Callable[[InterleavedRun, str], None], here: str, second: Callable[[InterleavedRun, str], None], there: str
) -> Begin:
    def begin(run: InterleavedRun) -> None:
        first(run, here)
        second(run, there)

    return begin


CASES = (
    Case("launch | true-up of the peer", _both(_launch, EAST, _true_up, WEST)),
    Case("termination | true-up of the peer", _both(_termination, EAST, _true_up, WEST)),
    Case("launch | true-up, one Region", _both(_launch, EAST, _true_up, EAST)),
    Case("termination | true-up, one Region", _both(_termination, EAST, _true_up, EAST)),
    Case(
        "launch | a termination begins, true-up, one Region",
        _both(_launch, EAST, _true_up_after_termination, EAST),
        large=True,
    ),
    Case("true-up | a launch begins, its event, one Region", _both(_true_up, EAST, _launch_meanwhile, EAST)),
    Case("true-up | a termination begins, its event, one Region", _both(_true_up, EAST, _termination_meanwhile, EAST)),
    Case(
        "launch | a termination begins, its event, one Region",
        _both(_launch, EAST, _termination_meanwhile, EAST),
        large=True,
    ),
    Case(
        "launch | the same instance terminates, its event, one Region",
        _both(_launch, EAST, _its_termination_meanwhile, EAST),
        large=True,
    ),
    Case(
        "termination | a launch begins, its event, one Region",
        _both(_termination, EAST, _launch_meanwhile, EAST),
        large=True,
    ),
    Case("true-up | an Elastic IP comes, true-up, one Region", _both(_true_up, EAST, _true_up_after_elastic_ip, EAST)),
    Case("launch | a termination begins, its event, the peer", _both(_launch, EAST, _termination_meanwhile, WEST)),
    Case("termination | a launch begins, its event, the peer", _both(_termination, EAST, _launch_meanwhile, WEST)),
)


@dataclass(frozen=True, slots=True)
class ExploredCase:
    """The result of a case. `preemptions` is its bound, None if there was none."""

    case: Case
    preemptions: int | None
    explored: Explored
    seconds: float

    @property
    def bound(self) -> str:
        """The bound in words."""
        return "none" if self.preemptions is None else f"{self.preemptions} preemptions"

    @property
    def counts(self) -> tuple[str, ...]:
        """Interleavings, repetitions that were cut off, violations, seconds."""
        found = self.explored
        return f"{found.complete:,}", f"{found.pruned:,}", str(int(bool(found.wrong))), f"{self.seconds:.0f}"

    def __str__(self) -> str:
        return f"{self.case.name}: {self.explored.wrong}"


def interleave(case: Case, engine: Reconcile = reconcile, preemptions: int = FEW) -> ExploredCase:
    """Explores every interleaving of a case, up to the first wrong one. A large case is bounded by `preemptions`."""
    began = time.monotonic()
    bound = preemptions if case.large else None
    settled: dict[str, str] = {}
    explored = explore(lambda: InterleavedRun(case.begin, engine, settled, sequential=case.large), preemptions=bound)
    return ExploredCase(case, bound, explored, time.monotonic() - began)


def trace(result: ExploredCase, engine: Reconcile = reconcile) -> list[str]:
    """The calls of the wrong interleaving, each with the changes it made."""
    run = InterleavedRun(result.case.begin, engine, sequential=result.case.large)
    for task in result.explored.counterexample:
        run.step(task)
    return run.harness.trace()


def shown(results: Iterable[ExploredCase]) -> Table:
    """The results for a terminal."""
    table = Table("concurrently", "bound", title="Every interleaving of two invocations", title_justify="left")
    for column in ("interleavings", "pruned", "violations", "s"):
        table.add_column(column, justify="right")
    for result in results:
        style = "red" if result.explored.wrong else None
        table.add_row(result.case.name, result.bound, *result.counts, style=style)
    return table


def section(results: Sequence[ExploredCase]) -> str:
    """The section of the documentation, in Markdown."""
    total = sum(result.explored.complete for result in results)
    lines = [
        "## Every interleaving",
        "",
        (
            "Two Regions with one member each, and two concurrent invocations of the real engine. An event that"
            ' "begins" is a step of its own, so it happens before, after and between all calls of the other invocation.'
            " Without a bound, every interleaving of the calls is explored, including the concurrent passes over the"
            " Regions of one invocation, except those that differ from an explored one only in the order of calls that"
            " commute: neither writes what the other one reads or writes, or what a property reads to check the other"
            " one. The reduction is dynamic (source sets and sleep sets; see `ringfence_lab.proof.exploration`). The"
            " largest cases are bounded: every interleaving with a limited number of preemptions, and sequential passes"
            " over the Regions. All properties are checked at every step, and after the last step the schedule must"
            f" make everything converge. **{total:,} interleavings, no violation.** Run"
            " `ringfence lab interleavings --all` to repeat the proof."
        ),
        "",
        "| concurrently | bound | interleavings | cut off as repetitions | violations | s |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for result in results:
        name = result.case.name.replace("|", "and")
        lines.append(f"| {name} | {result.bound} | {' | '.join(result.counts)} |")
    return "\n".join(lines)


def prove(preemptions: int = FEW, write: Path | None = None) -> int:
    """Explores the cases and prints the counts. Returns the exit code: 1 if an interleaving is wrong."""
    console = terminal.console(markup=True)
    results = [interleave(case, preemptions=preemptions) for case in CASES]
    console.print(shown(results))
    failed = [result for result in results if result.explored.wrong]
    for result in failed:
        console.print("\n".join([str(result), *trace(result)]), markup=False, soft_wrap=True)
    if write is not None and not failed:
        put_section(write, "interleavings", section(results))
    return 1 if failed else 0
