"""Every interleaving: two Regions, a launch, a termination, a true-up, and two invocations of the engine at once.

    python -m ringfence_lab.proof.interleavings [--all] [--write docs/reliability.md]

The real engine runs in the simulated cloud. All properties are judged at every step; after the last one, the schedule
must make everything converge. What is pruned, and why that is sound, stands in `exploration`; what commutes with what,
in `overlap`.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ringfence.reconcile import reconcile
from ringfence_lab.proof.exploration import Explored, explore
from ringfence_lab.proof.overlap import Begin, Play
from ringfence_lab.proof.sections import put_section
from ringfence_lab.proof.stage import EAST, TRUE_UP, WEST, Stage, Work
from ringfence_lab.sim.function import Engine


@dataclass(frozen=True, slots=True)
class Case:
    """What happens, and the invocations that overlap. `large` ones are left to `--all`."""

    name: str
    begin: Begin
    large: bool = False


def _launch(stage: Stage, home: str) -> list[Work]:
    stage.group(home).scale_to(stage.group(home).desired + 1)
    return stage.consumption(home)


def _termination(stage: Stage, home: str) -> list[Work]:
    stage.group(home).scale_to(stage.group(home).desired - 1)
    return stage.consumption(home)


def _termination_by_hand(stage: Stage, home: str) -> list[Work]:
    return [stage.invocation(home, stage.unqueued_termination(home))]


def _true_up(stage: Stage, home: str) -> list[Work]:
    return [stage.invocation(home, TRUE_UP)]


CASES = (
    Case("launch, and a true-up of the peer", lambda on: _launch(on, EAST) + _true_up(on, WEST)),
    Case("termination, and a true-up of the peer", lambda on: _termination(on, EAST) + _true_up(on, WEST)),
    Case("launch, and a true-up of the same Region", lambda on: _launch(on, EAST) + _true_up(on, EAST)),
    Case("termination, and a true-up of the same Region", lambda on: _termination(on, EAST) + _true_up(on, EAST)),
    Case("launch here, termination there", lambda on: _launch(on, EAST) + _termination(on, WEST)),
    Case("launch and termination in one Region", lambda on: _launch(on, EAST) + _termination_by_hand(on, EAST), True),
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a case. `ends` are the different states of the cloud that its interleavings end in."""

    case: Case
    explored: Explored
    ends: int
    seconds: float

    def __str__(self) -> str:
        found = self.explored
        return "\n".join([f"{self.case.name}: {found.wrong}", *trace(self.case, found.counterexample)])


def interleave(case: Case, engine: Engine = reconcile) -> Proof:
    """Explores every interleaving of a case, up to the first that is wrong."""
    began = time.monotonic()
    settled: dict[str, str] = {}
    explored = explore(lambda: Play(case.begin, engine, settled))
    return Proof(case, explored, len(settled), time.monotonic() - began)


def trace(case: Case, steps: Iterable[str], engine: Engine = reconcile) -> list[str]:
    """The calls of one interleaving, each with what it changed."""
    play = Play(case.begin, engine)
    for task in steps:
        play.step(task)
    return play.stage.trace()


def shown(proofs: Iterable[Proof]) -> Table:
    """The proofs for a terminal."""
    table = Table("case", title="Every interleaving of two invocations", title_justify="left")
    for column in ("interleavings", "pruned", "violations", "s"):
        table.add_column(column, justify="right")
    for proof in proofs:
        found = proof.explored
        counts = (f"{found.complete:,}", f"{found.pruned:,}", str(int(bool(found.wrong))), f"{proof.seconds:.0f}")
        table.add_row(proof.case.name, *counts, style="red" if found.wrong else None)
    return table


def section(proofs: Sequence[Proof]) -> str:
    """What stands in the docs."""
    total = sum(proof.explored.complete for proof in proofs)
    lines = [
        "## Every interleaving",
        "",
        (
            "Two Regions with a member each, two invocations of the real engine at once, whose calls to the Regions"
            " interleave within an invocation as well. Every interleaving of their calls is explored, but for those"
            " that differ from an explored one only in the order of calls that commute: calls commute if neither writes"
            " what the other one reads or writes, or what a property reads as it judges the other one. The reduction is"
            " dynamic (source sets and sleep sets; `ringfence_lab.proof.exploration` explains it and why it is sound),"
            " and no interleaving is bounded in any other way. All properties are judged at every step, and after"
            f" the last one the schedule must make everything converge. **{total:,} interleavings, no violation**."
            " `python -m ringfence_lab.proof.interleavings --all` explores them again."
        ),
        "",
        "| at once | interleavings | cut off as repetitions | steps | violations | s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for proof in proofs:
        found = proof.explored
        counts = (
            f"{found.complete:,} | {found.pruned:,} | {found.steps:,} | {int(bool(found.wrong))} | {proof.seconds:.0f}"
        )
        lines.append(f"| {proof.case.name} | {counts} |")
    return "\n".join(lines)


def prove(large: bool = False, write: Path | None = None) -> int:
    """Explores the cases and prints the counts. Returns the exit code: 1 where an interleaving is wrong."""
    console = Console()
    proofs = [interleave(case) for case in CASES if large or not case.large]
    console.print(shown(proofs))
    failed = [proof for proof in proofs if proof.explored.wrong]
    for proof in failed:
        console.print(str(proof), markup=False, soft_wrap=True)
    if write is not None and not failed:
        put_section(write, "interleavings", section(proofs))
    return 1 if failed else 0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Explores every interleaving of two invocations.")
    arguments.add_argument("--all", action="store_true", help="the large cases as well")
    arguments.add_argument("--write", type=Path, help="the document whose section `interleavings` is written anew")
    given = arguments.parse_args()
    sys.exit(prove(given.all, given.write))
