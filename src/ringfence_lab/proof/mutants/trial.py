"""Tries one mutant in a process of its own until a property does not hold.

It plays what caught the mutant before, if that is known. Then it plays every scenario, histories from seed 0 on, every
scenario with a kill at every call, and every interleaving: what takes the least time comes first.

    python -m ringfence_lab.proof.mutants.trial NAME [--histories 600] [--known CATCH]

prints the verdict as JSON. Imports the engine only after the mutant is installed.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import chain, product
from typing import Any, assert_never

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
class Catch:
    """The run that caught a mutant: the history of a seed; a scenario, with its order of tasks and its kill if there is
    one; or the interleavings of a case."""

    proof: Proof
    name: str = ""
    order: int = 0
    kill: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: the first violation, its phase, the run that caught it, and the number of runs.

    `caught_by` is the property. Without `catch`, nothing caught the mutant.
    """

    name: str
    caught_by: str = ""
    what: str = ""
    phase: str = ""
    catch: Catch | None = None
    runs: int = 0


@dataclass(frozen=True, slots=True)
class _Problem:
    catch: Catch
    name: str
    what: str
    phase: str


def try_here(mutant: Mutant, histories: int = HISTORIES, known: Catch | None = None) -> Verdict:
    """Tries the mutant in this process, which must not have imported the engine yet. `known` is tried first."""
    mutant.install()
    runs = 0
    before = () if known is None else _again(known)
    for problem in chain(before, _scenarios(), _histories(range(histories)), _kills(), _interleavings()):
        runs += 1
        if problem is not None:
            return Verdict(mutant.name, problem.name, problem.what, problem.phase, problem.catch, runs)
    return Verdict(mutant.name, runs=runs)


Found = Iterator[_Problem | None]
"""The problem of each run; None for a run without one."""


def _again(known: Catch) -> Found:
    """The one run that caught the mutant before. Nothing if there is no such run any more."""
    match known.proof:
        case Proof.HISTORY:
            return _histories([known.seed])
        case Proof.SCENARIO:
            return _kills(known) if known.kill else _scenarios(known)
        case Proof.INTERLEAVING:
            return _interleavings(known)
        case _:
            assert_never(known.proof)


def _histories(seeds: Iterable[int]) -> Found:
    from ringfence_lab.sim.simulation import simulate  # noqa: PLC0415  # it imports the engine: the mutant comes first

    for seed in seeds:
        catch = Catch(Proof.HISTORY, seed=seed)
        try:
            result = simulate(seed, steps=STEPS)
        except Exception as error:  # noqa: BLE001  # a broken engine may raise any error, and is caught by it
            yield _Problem(catch, type(error).__name__, str(error), CRASH)
            return
        wrong = result.violation
        yield _Problem(catch, wrong.name, wrong.what, result.phase) if wrong is not None else None


def _scenarios(only: Catch | None = None) -> Found:
    from ringfence_lab.proof.crashes import ORDERS, play  # noqa: PLC0415  # as above
    from ringfence_lab.proof.scenarios import SCENARIOS  # noqa: PLC0415  # likewise

    for scenario, (order, choose) in product(SCENARIOS, enumerate(ORDERS)):
        catch = Catch(Proof.SCENARIO, scenario.name, order)
        if only in (None, catch):
            yield _problem_of(catch, scenario.name, play(scenario, choose=choose).problems)


def _kills(only: Catch | None = None) -> Found:
    from ringfence_lab.proof.crashes import ORDERS, kills_of, play  # noqa: PLC0415  # as above
    from ringfence_lab.proof.scenarios import SCENARIOS  # noqa: PLC0415  # likewise

    for scenario, (order, choose) in product(SCENARIOS, enumerate(ORDERS)):
        if only is not None and (only.name, only.order) != (scenario.name, order):
            continue
        for kill in kills_of(play(scenario, choose=choose)):
            catch = Catch(Proof.SCENARIO, scenario.name, order, str(kill))
            if only in (None, catch):
                run = play(scenario, (kill,), choose=choose)
                yield _problem_of(catch, f"{scenario.name}, {kill}", run.problems)


def _interleavings(only: Catch | None = None) -> Found:
    from ringfence_lab.proof.interleavings import CASES, interleave  # noqa: PLC0415  # as above

    for case in CASES:
        catch = Catch(Proof.INTERLEAVING, case.name)
        if only in (None, catch):
            found = interleave(case)
            yield _problem_of(catch, case.name, (found.explored.wrong,) if found.explored.wrong else ())


def _problem_of(catch: Catch, where: str, problems: Sequence[str]) -> _Problem | None:
    if not problems:
        return None
    name, separator, what = problems[0].partition(": ")
    if not separator or not name.isidentifier():
        name, what = "converges", problems[0]
    return _Problem(catch, name, f"{where}: {what}", "liveness" if name == "converges" else "safety")


def try_apart(mutant: Mutant, histories: int = HISTORIES, known: Catch | None = None) -> Verdict:
    """Tries the mutant in a new process. Raises CalledProcessError, whose `stderr` has the cause."""
    command = [sys.executable, "-m", __name__, mutant.name, "--histories", str(histories)]
    command += [] if known is None else ["--known", json.dumps(asdict(known))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own module
    verdict = json.loads(done.stdout)
    return Verdict(**verdict | {"catch": verdict["catch"] and catch_of(verdict["catch"])})


def catch_of(document: Mapping[str, Any]) -> Catch:
    """A catch from its JSON document."""
    return Catch(**{**document, "proof": Proof(document["proof"])})


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Tries one mutant.")
    arguments.add_argument("name", choices=sorted(BY_NAME))
    arguments.add_argument("--histories", type=int, default=HISTORIES, help="from seed 0 on")
    arguments.add_argument("--known", type=lambda text: catch_of(json.loads(text)), help="what caught it, as JSON")
    options = arguments.parse_args()
    sys.stdout.write(json.dumps(asdict(try_here(BY_NAME[options.name], options.histories, options.known))))
