"""Tries every mutant, two processes at a time, and tells which property noticed it after how many histories.

ringfence lab mutants [--histories 600] [--write docs/reliability.md] [NAME ...]
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ringfence_lab.proof.mutants.catalogue import BY_NAME, MUTANTS
from ringfence_lab.proof.mutants.mutation import Mutant
from ringfence_lab.proof.mutants.trial import HISTORIES, STEPS, Proof, Verdict, try_apart
from ringfence_lab.proof.sections import put_section
from ringfence_lab.sim.simulation import simulate

PROCESSES = 2

COMMAND = "ringfence lab mutants"


@lru_cache
def _holds(seed: int) -> bool:
    """Whether the engine as it is comes through the history well: only then it was the mutant that was noticed."""
    return simulate(seed, steps=STEPS).violation is None


def hunt(
    mutants: Sequence[Mutant], histories: int = HISTORIES, tell: Callable[[Verdict], None] | None = None
) -> list[Verdict]:
    """The verdict on each mutant, in their order. `tell` hears of each as it is known.

    Raises CalledProcessError where a mutant could not be tried (it is out of date, for one), and AssertionError where
    the engine without it violates a property in the same history.
    """

    def tried(mutant: Mutant) -> Verdict:
        verdict = try_apart(mutant, histories)
        if verdict.proof is Proof.HISTORY and verdict.caught_by is not None and not _holds(verdict.seed):
            raise AssertionError(f"seed {verdict.seed} does not hold without {mutant.name} either: {verdict.caught_by}")
        if tell is not None:
            tell(verdict)
        return verdict

    with ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(tried, mutants))


def shown(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts for a terminal."""
    table = Table("mutant", "what is broken", "source", "caught by", "in a", title_justify="left")
    table.add_column("runs", justify="right")
    for one in verdicts:
        mutant = BY_NAME[one.name]
        caught = one.caught_by or "nothing"
        style = None if one.caught_by else "red"
        table.add_row(one.name, mutant.what, mutant.source, caught, one.proof.value, f"{one.runs:,}", style=style)
    return table


def section(verdicts: Sequence[Verdict], histories: int, seconds: float) -> str:
    """What stands in the docs."""
    caught = [one for one in verdicts if one.caught_by]
    lines = [
        "## Mutants",
        "",
        (
            "Each defect below is put into the engine's source while it is imported, in a process of its own, and the"
            f" simulator plays histories from seed 0 on, {histories:,} at most, then every scenario with a kill at"
            " every call, then every interleaving, until a property does not hold."
            f" **{len(caught)} of {len(verdicts)} mutants are caught**, in {seconds:.0f} s. `{COMMAND}` does it again."
        ),
        "",
        "| mutant | what is broken | source | caught by | in a | runs |",
        "|---|---|---|---|---|---:|",
    ]
    for one in verdicts:
        mutant = BY_NAME[one.name]
        caught_by = f"`{one.caught_by}`" if one.caught_by else "**nothing**"
        lines.append(
            f"| {one.name} | {mutant.what} | {mutant.source} | {caught_by} | {one.proof.value} | {one.runs:,} |"
        )
    return "\n".join(lines)


def prove(names: Sequence[str] = (), histories: int = HISTORIES, write: Path | None = None) -> int:
    """Tries the mutants of the names given, or all, and prints the table. Returns the exit code: 1 where one survived.

    `write` is the document whose section `mutants` is written anew; only a run of all mutants writes it.
    """
    console, began = Console(), time.monotonic()
    mutants = [BY_NAME[name] for name in names] or MUTANTS
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("mutants", total=len(mutants))

        def tell(verdict: Verdict) -> None:
            progress.update(task, advance=1, description=verdict.name)

        verdicts = hunt(mutants, histories, tell)
    seconds = time.monotonic() - began
    console.print(shown(verdicts))
    survived = [one.name for one in verdicts if one.caught_by is None]
    console.print(f"{len(verdicts) - len(survived)} of {len(verdicts)} mutants caught, in {seconds:.0f} s")
    if survived:
        console.print(f"not noticed: {', '.join(survived)}")
    if write is not None and not names:
        put_section(write, "mutants", section(verdicts, histories, seconds))
    return 1 if survived else 0
