"""Tries every mutant, two processes concurrently, and says which property caught it after how many runs.

ringfence lab mutants [--histories 600] [--write docs/reliability.md] [NAME ...]

With --write, it also notes the run that caught each mutant. The tests begin with that run, which takes a second where
the search takes a minute.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ringfence_lab.proof.mutants.catalogue import BY_NAME, MUTANTS
from ringfence_lab.proof.mutants.mutation import Mutant
from ringfence_lab.proof.mutants.trial import HISTORIES, STEPS, Catch, Proof, Verdict, catch_of, try_apart
from ringfence_lab.proof.sections import put_section
from ringfence_lab.sim.simulation import simulate
from ringfence_ops.cli import terminal

PROCESSES = 2

COMMAND = "ringfence lab mutants"

CATCHES = Path(__file__).with_name("catches.json")
"""The run that caught each mutant in the last whole run, by the mutant's name."""


@lru_cache
def _holds(seed: int) -> bool:
    """Whether the unchanged engine violates no property in the history. Only then the mutant is what was caught."""
    return simulate(seed, steps=STEPS).violation is None


def known_catches() -> dict[str, Catch]:
    """The run that caught each mutant before."""
    return {name: catch_of(catch) for name, catch in json.loads(CATCHES.read_text()).items()}


def hunt(
    mutants: Sequence[Mutant],
    histories: int = HISTORIES,
    *,
    known: Mapping[str, Catch] = MappingProxyType({}),
    on_verdict: Callable[[Verdict], None] | None = None,
) -> list[Verdict]:
    """The verdict on each mutant, in the order of the mutants. `on_verdict` is called with each as it is decided.

    The `known` runs are tried first.

    Raises CalledProcessError if a mutant cannot be tried, for instance because it is out of date, and AssertionError if
    the engine without the mutant violates a property in the same history.
    """

    def tried(mutant: Mutant) -> Verdict:
        verdict = try_apart(mutant, histories, known.get(mutant.name))
        catch = verdict.catch
        if catch is not None and catch.proof is Proof.HISTORY and not _holds(catch.seed):
            raise AssertionError(f"seed {catch.seed} also fails without {mutant.name}: {verdict.caught_by}")
        if on_verdict is not None:
            on_verdict(verdict)
        return verdict

    with ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(tried, mutants))


def shown(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts for a terminal."""
    table = Table("mutant", "what is broken", "source", "caught by", "in a", title_justify="left")
    table.add_column("runs", justify="right")
    for verdict in verdicts:
        mutant = BY_NAME[verdict.name]
        caught = verdict.caught_by or "nothing"
        style = None if verdict.caught_by else "red"
        table.add_row(
            verdict.name, mutant.what, mutant.source, caught, _proof(verdict), f"{verdict.runs:,}", style=style
        )
    return table


def _proof(verdict: Verdict) -> str:
    return "" if verdict.catch is None else verdict.catch.proof.value


def section(verdicts: Sequence[Verdict], histories: int, seconds: float) -> str:
    """The section of docs/reliability.md."""
    caught = [verdict for verdict in verdicts if verdict.caught_by]
    lines = [
        "## Mutants",
        "",
        (
            "A mutant is the engine with one defect, which is put into a module's syntax tree while Python imports it."
            f" For each, the simulator plays every scenario, then up to {histories:,} histories, then every scenario"
            " with a kill at every call, then every interleaving, and stops at the first property that does not hold."
            f" **{len(caught)} of {len(verdicts)} mutants are caught**, in {seconds:.0f} s."
            f" `{COMMAND}` repeats the run."
        ),
        "",
        "| mutant | what is broken | source | caught by | in a | runs |",
        "|---|---|---|---|---|---:|",
    ]
    for verdict in verdicts:
        mutant = BY_NAME[verdict.name]
        caught_by = f"`{verdict.caught_by}`" if verdict.caught_by else "**nothing**"
        cells = (verdict.name, mutant.what, mutant.source, caught_by, _proof(verdict), f"{verdict.runs:,}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_catches(verdicts: Iterable[Verdict]) -> None:
    """Notes the run that caught each mutant, one line for each."""
    caught = {verdict.name: json.dumps(asdict(verdict.catch)) for verdict in verdicts if verdict.catch is not None}
    lines = ",\n".join(f"  {json.dumps(name)}: {catch}" for name, catch in caught.items())
    CATCHES.write_text(f"{{\n{lines}\n}}\n")


def prove(names: Sequence[str] = (), histories: int = HISTORIES, write: Path | None = None) -> int:
    """Tries the named mutants, or all, and prints the table. Returns the exit code: 1 if a mutant survived.

    `write` is the document whose section `mutants` is replaced. Only a run of all mutants replaces it.
    """
    console, began = terminal.console(markup=True), time.monotonic()
    mutants = [BY_NAME[name] for name in names] or MUTANTS
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("mutants", total=len(mutants))

        def advance(verdict: Verdict) -> None:
            progress.update(task, advance=1, description=verdict.name)

        verdicts = hunt(mutants, histories, on_verdict=advance)
    seconds = time.monotonic() - began
    console.print(shown(verdicts))
    survived = [verdict.name for verdict in verdicts if verdict.catch is None]
    console.print(f"{len(verdicts) - len(survived)} of {len(verdicts)} mutants caught, in {seconds:.0f} s")
    if survived:
        console.print(f"not caught: {', '.join(survived)}")
    if write is not None and not names:
        put_section(write, "mutants", section(verdicts, histories, seconds))
        write_catches(verdicts)
    return 1 if survived else 0
