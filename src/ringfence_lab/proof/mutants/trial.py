"""Tries one mutant in a process of its own until a property does not hold.

It plays every scenario, then histories from seed 0 on, then every scenario with a kill at every call, then every
interleaving: what takes the least time comes first.

    python -m ringfence_lab.proof.mutants.trial NAME [--histories 600]

prints the verdict as JSON. Imports the engine only after the mutant is installed.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import chain, product

from ringfence_lab.proof.mutants.catalogue import BY_NAME
from ringfence_lab.proof.mutants.mutation import Mutant

HISTORIES = 600
"""Maximum histories per mutant. The kills and the interleavings follow."""

STEPS = (24, 48)
"""Numbers of steps, one of which a history has. They are large, because most defects need several causes together."""

CRASH = "crash"
"""The phase of a mutant that raised an error which is not one of the engine's."""


class Proof(StrEnum):
    """What caught a mutant."""

    HISTORY = "history"
    SCENARIO = "scenario"  # with a kill, or without
    INTERLEAVING = "interleaving"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: the first violation, its phase and proof, and the number of runs of the simulator.

    `caught_by` is the property, None if nothing caught the mutant. `seed` is the seed of the history, if it was one.
    """

    name: str
    caught_by: str | None
    what: str
    phase: str
    proof: Proof
    seed: int
    runs: int


@dataclass(frozen=True, slots=True)
class _Problem:
    proof: Proof
    name: str
    what: str
    phase: str
    seed: int = 0


def try_here(mutant: Mutant, histories: int = HISTORIES) -> Verdict:
    """Tries the mutant in this process, which must not have imported the engine yet."""
    mutant.install()
    runs = 0
    for problem in chain(_scenarios(), _histories(histories), _kills(), _interleavings()):
        runs += 1
        if problem is not None:
            return Verdict(mutant.name, problem.name, problem.what, problem.phase, problem.proof, problem.seed, runs)
    return Verdict(mutant.name, None, "", "", Proof.INTERLEAVING, 0, runs)


Found = Iterator[_Problem | None]
"""The problem of each run; None for a run without one."""


def _histories(count: int) -> Found:
    from ringfence_lab.sim.simulation import simulate  # noqa: PLC0415  # it imports the engine: the mutant comes first

    for seed in range(count):
        try:
            result = simulate(seed, steps=STEPS)
        except Exception as error:  # noqa: BLE001  # a broken engine may raise any error, and is caught by it
            yield _Problem(Proof.HISTORY, type(error).__name__, str(error), CRASH, seed)
            return
        wrong = result.violation
        yield _Problem(Proof.HISTORY, wrong.name, wrong.what, result.phase, seed) if wrong is not None else None


def _scenarios() -> Found:
    from ringfence_lab.proof.crashes import ORDERS, play  # noqa: PLC0415  # as above
    from ringfence_lab.proof.scenarios import SCENARIOS  # noqa: PLC0415  # likewise

    for scenario, order in product(SCENARIOS, ORDERS):
        yield _problem_of(Proof.SCENARIO, scenario.name, play(scenario, choose=order).problems)


def _kills() -> Found:
    from ringfence_lab.proof.crashes import ORDERS, kills_of, play  # noqa: PLC0415  # as above
    from ringfence_lab.proof.scenarios import SCENARIOS  # noqa: PLC0415  # likewise

    for scenario, order in product(SCENARIOS, ORDERS):
        for kill in kills_of(play(scenario, choose=order)):
            run = play(scenario, (kill,), choose=order)
            yield _problem_of(Proof.SCENARIO, f"{scenario.name}, {kill}", run.problems)


def _interleavings() -> Found:
    from ringfence_lab.proof.interleavings import CASES, interleave  # noqa: PLC0415  # as above

    for case in CASES:
        found = interleave(case)
        wrong = (found.explored.wrong,) if found.explored.wrong else ()
        yield _problem_of(Proof.INTERLEAVING, case.name, wrong)


def _problem_of(proof: Proof, where: str, problems: Sequence[str]) -> _Problem | None:
    if not problems:
        return None
    name, separator, what = problems[0].partition(": ")
    if not separator or not name.isidentifier():
        name, what = "converges", problems[0]
    return _Problem(proof, name, f"{where}: {what}", "liveness" if name == "converges" else "safety")


def try_apart(mutant: Mutant, histories: int = HISTORIES) -> Verdict:
    """Tries the mutant in a new process. Raises CalledProcessError, whose `stderr` has the cause."""
    command = [sys.executable, "-m", __name__, mutant.name, "--histories", str(histories)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own module
    verdict = json.loads(done.stdout)
    return Verdict(**verdict | {"proof": Proof(verdict["proof"])})


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Tries one mutant.")
    arguments.add_argument("name", choices=sorted(BY_NAME))
    arguments.add_argument("--histories", type=int, default=HISTORIES, help="from seed 0 on")
    options = arguments.parse_args()
    sys.stdout.write(json.dumps(asdict(try_here(BY_NAME[options.name], options.histories))))
