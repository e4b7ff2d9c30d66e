"""Plays histories with one mutant in a process of its own, until a property says that something is wrong.

    python -m ringfence_lab.proof.mutants.trial NAME [--histories 2000]

prints the verdict as JSON. Imports the engine only once the mutant is in place.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass

from ringfence_lab.proof.mutants.catalogue import BY_NAME
from ringfence_lab.proof.mutants.mutation import Mutant

HISTORIES = 2000
"""After how many histories a mutant counts as not noticed."""

STEPS = (24, 48)
"""Things that happen in a history: many, since most defects want several things at once."""

CRASH = "crash"
"""The phase of a mutant that ended in an error which is none of the engine's own."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a mutant fared: the first violation, in which phase and seed, after how many histories (from seed 0 on).
    `caught_by` is None for one that nothing noticed."""

    name: str
    caught_by: str | None
    what: str
    phase: str
    seed: int
    histories: int


def try_here(mutant: Mutant, histories: int = HISTORIES) -> Verdict:
    """Plays the histories in this process, which must not have imported the engine."""
    mutant.install()
    from ringfence_lab.sim.simulation import simulate  # noqa: PLC0415  # it imports the engine: the mutant comes first

    for seed in range(histories):
        try:
            result = simulate(seed, steps=STEPS)
        except Exception as error:  # noqa: BLE001  # whatever a broken engine raises is a way to be noticed
            return Verdict(mutant.name, type(error).__name__, str(error), CRASH, seed, seed + 1)
        if result.violation is not None:
            violation = result.violation
            return Verdict(mutant.name, violation.name, violation.what, result.phase, seed, seed + 1)
    return Verdict(mutant.name, None, "", "", histories, histories)


def try_apart(mutant: Mutant, histories: int = HISTORIES) -> Verdict:
    """Plays the histories in a fresh process. Raises CalledProcessError, whose `stderr` says why it failed."""
    command = [sys.executable, "-m", __name__, mutant.name, "--histories", str(histories)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own module
    return Verdict(**json.loads(done.stdout))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Plays histories with one mutant.")
    arguments.add_argument("name", choices=sorted(BY_NAME))
    arguments.add_argument("--histories", type=int, default=HISTORIES, help="from seed 0 on")
    given = arguments.parse_args()
    sys.stdout.write(json.dumps(asdict(try_here(BY_NAME[given.name], given.histories))))
