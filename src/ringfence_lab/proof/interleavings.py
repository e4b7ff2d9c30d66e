"""Every interleaving: two Regions, a launch, a termination, a true-up, and two invocations of the engine at once.

    ringfence lab interleavings [--all] [--write docs/reliability.md]

The real engine runs in the simulated cloud. All properties are judged at every step; after the last one, the schedule
must make everything converge. What is pruned, and why that is sound, stands in `exploration`; what commutes with what,
in `overlap`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.exploration import Explored, explore
from ringfence_lab.proof.harness import EAST, TRUE_UP, WEST
from ringfence_lab.proof.overlap import Begin, Play
from ringfence_lab.proof.sections import put_section
from ringfence_lab.sim.engine.function import Engine

FEW, MANY = 2, 3
"""Preemptions at most, in cases that are too large for all interleavings: in short, and with `--all`."""


@dataclass(frozen=True, slots=True)
class Case:
    """What happens, and the invocations that overlap. One that is `large` is explored within bounds: every interleaving
    with so many preemptions, and with the Regions' turns of an invocation one after the other."""

    name: str
    begin: Begin
    large: bool = False


def _launch(play: Play, home: str) -> None:
    group = play.stage.group(home)
    group.scale_to(group.desired + 1)
    play.consume(home)


def _launch_meanwhile(play: Play, home: str) -> None:
    play.invoke_upon(home, lambda: play.stage.unqueued_launch(home))


def _termination(play: Play, home: str) -> None:
    group = play.stage.group(home)
    group.scale_to(group.desired - 1)
    play.consume(home)


def _termination_meanwhile(play: Play, home: str) -> None:
    play.invoke_upon(home, lambda: play.stage.unqueued_termination(home))


def _its_termination_meanwhile(play: Play, home: str) -> None:
    play.invoke_upon(home, lambda: play.stage.unqueued_termination(home, newest=True))


def _true_up(play: Play, home: str) -> None:
    play.invoke(home, TRUE_UP)


def _true_up_after_termination(play: Play, home: str) -> None:
    play.invoke_upon(home, lambda: play.stage.unqueued_termination(home) and TRUE_UP)


def _true_up_after_elastic_ip(play: Play, home: str) -> None:
    def happens() -> object:
        (one,) = play.stage.group(home).listed()
        play.stage.region(home).ec2.assign_public_address(one, elastic=True)
        return TRUE_UP

    play.invoke_upon(home, happens)


def _both(first: Callable[[Play, str], None], here: str, second: Callable[[Play, str], None], there: str) -> Begin:
    def begin(play: Play) -> None:
        first(play, here)
        second(play, there)

    return begin


CASES = (
    Case("launch | true-up of the peer", _both(_launch, EAST, _true_up, WEST)),
    Case("termination | true-up of the peer", _both(_termination, EAST, _true_up, WEST)),
    Case("launch | true-up, one Region", _both(_launch, EAST, _true_up, EAST)),
    Case("termination | true-up, one Region", _both(_termination, EAST, _true_up, EAST)),
    Case(
        "launch | a termination begins, true-up, one Region",
        _both(_launch, EAST, _true_up_after_termination, EAST),
        True,
    ),
    Case("true-up | a launch begins, its event, one Region", _both(_true_up, EAST, _launch_meanwhile, EAST)),
    Case("true-up | a termination begins, its event, one Region", _both(_true_up, EAST, _termination_meanwhile, EAST)),
    Case(
        "launch | a termination begins, its event, one Region", _both(_launch, EAST, _termination_meanwhile, EAST), True
    ),
    Case(
        "launch | the same instance terminates, its event, one Region",
        _both(_launch, EAST, _its_termination_meanwhile, EAST),
        True,
    ),
    Case(
        "termination | a launch begins, its event, one Region", _both(_termination, EAST, _launch_meanwhile, EAST), True
    ),
    Case("true-up | an Elastic IP comes, true-up, one Region", _both(_true_up, EAST, _true_up_after_elastic_ip, EAST)),
    Case("launch | a termination begins, its event, the peer", _both(_launch, EAST, _termination_meanwhile, WEST)),
    Case("termination | a launch begins, its event, the peer", _both(_termination, EAST, _launch_meanwhile, WEST)),
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a case. `preemptions` is its bound, None where there was none."""

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
        """Interleavings, those cut off as repetitions, violations, seconds."""
        found = self.explored
        return f"{found.complete:,}", f"{found.pruned:,}", str(int(bool(found.wrong))), f"{self.seconds:.0f}"

    def __str__(self) -> str:
        return f"{self.case.name}: {self.explored.wrong}"


def interleave(case: Case, engine: Engine = reconcile, preemptions: int = FEW) -> Proof:
    """Explores every interleaving of a case, of a large one those with so many preemptions at most, up to the first
    that is wrong."""
    began = time.monotonic()
    bound = preemptions if case.large else None
    settled: dict[str, str] = {}
    explored = explore(lambda: Play(case.begin, engine, settled, in_turn=case.large), preemptions=bound)
    return Proof(case, bound, explored, time.monotonic() - began)


def trace(proof: Proof, engine: Engine = reconcile) -> list[str]:
    """The calls of the interleaving that was wrong, each with what it changed."""
    play = Play(proof.case.begin, engine, in_turn=proof.case.large)
    for task in proof.explored.counterexample:
        play.step(task)
    return play.stage.trace()


def shown(proofs: Iterable[Proof]) -> Table:
    """The proofs for a terminal."""
    table = Table("at once", "bound", title="Every interleaving of two invocations", title_justify="left")
    for column in ("interleavings", "pruned", "violations", "s"):
        table.add_column(column, justify="right")
    for proof in proofs:
        style = "red" if proof.explored.wrong else None
        table.add_row(proof.case.name, proof.bound, *proof.counts, style=style)
    return table


def section(proofs: Sequence[Proof]) -> str:
    """What stands in the docs."""
    total = sum(proof.explored.complete for proof in proofs)
    lines = [
        "## Every interleaving",
        "",
        (
            'Two Regions with a member each, and two invocations of the real engine at once; "begins" is a step of its'
            " own, so that it happens before, after and between all calls of the other invocation. Where no bound is"
            " given, every interleaving of the calls is explored, those of the turns that an invocation gives the"
            " Regions included, but for those that differ from an explored one only in the order of calls that commute:"
            " neither writes what the other one reads or writes, or what a property reads as it judges the other one."
            " The reduction is dynamic (source sets and sleep sets; `ringfence_lab.proof.exploration` explains it). The"
            " largest cases are bounded instead: every interleaving with so many preemptions at most, the Regions'"
            " turns of an invocation one after the other. All properties are judged at every step, and after the last"
            f" one the schedule must make everything converge. **{total:,} interleavings, no violation.**"
            " `ringfence lab interleavings --all` explores them again."
        ),
        "",
        "| at once | bound | interleavings | cut off as repetitions | violations | s |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for proof in proofs:
        name = proof.case.name.replace("|", "and")
        lines.append(f"| {name} | {proof.bound} | {' | '.join(proof.counts)} |")
    return "\n".join(lines)


def prove(preemptions: int = FEW, write: Path | None = None) -> int:
    """Explores the cases and prints the counts. Returns the exit code: 1 where an interleaving is wrong."""
    console = Console()
    proofs = [interleave(case, preemptions=preemptions) for case in CASES]
    console.print(shown(proofs))
    failed = [proof for proof in proofs if proof.explored.wrong]
    for proof in failed:
        console.print("\n".join([str(proof), *trace(proof)]), markup=False, soft_wrap=True)
    if write is not None and not failed:
        put_section(write, "interleavings", section(proofs))
    return 1 if failed else 0
