"""The simulator notices every defect that we claim it would, and the mutants are what they say."""

import importlib
import subprocess
import sys

import pytest

from ringfence_lab.proof.mutants.catalogue import BY_NAME, MUTANTS
from ringfence_lab.proof.mutants.hunt import hunt, section
from ringfence_lab.proof.mutants.mutation import Mutant, OutOfDate
from ringfence_lab.proof.mutants.trial import CRASH, Proof, Verdict


def test_every_mutant_has_its_own_name() -> None:
    assert len(BY_NAME) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_changes_the_engine_as_it_is_now(mutant: Mutant) -> None:
    source = mutant.path.read_text()

    changed = mutant.applied(source)

    assert changed != source
    compile(changed, str(mutant.path), "exec")


def test_a_mutant_whose_text_is_gone_is_out_of_date() -> None:
    mutant = Mutant("gone", "", "", "plan", (("no such text anywhere", ""),))

    with pytest.raises(OutOfDate, match="gone: found 0 times"):
        mutant.applied(mutant.path.read_text())


def test_a_mutant_whose_text_occurs_twice_is_out_of_date() -> None:
    mutant = Mutant("twice", "", "", "plan", (("import ", ""),))

    with pytest.raises(OutOfDate, match="twice: found"):
        mutant.applied(mutant.path.read_text())


def test_a_process_that_has_the_engine_already_takes_no_mutant() -> None:
    importlib.import_module("ringfence.core.guard")

    with pytest.raises(RuntimeError, match="has not imported the engine yet"):
        MUTANTS[0].install()


def test_a_mutant_is_imported_in_place_of_the_engine_and_leaves_no_file() -> None:
    mutant = BY_NAME["second-look-at-once"]
    before = mutant.path.read_text()
    code = (
        "from ringfence_lab.proof.mutants.catalogue import BY_NAME;"
        f"BY_NAME[{mutant.name!r}].install();"
        "import ringfence.core.guard; print(ringfence.core.guard.AGREES_AFTER, ringfence.core.guard.__file__)"
    )

    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert said.stdout.split() == ["0", str(mutant.path)]
    assert mutant.path.read_text() == before


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_simulator_notices_every_mutant(mutant: Mutant) -> None:
    (verdict,) = hunt([mutant])

    assert verdict.caught_by is not None
    assert verdict.phase != CRASH


def test_the_section_tells_of_a_mutant_that_nothing_noticed() -> None:
    name = MUTANTS[0].name

    text = section([Verdict(name, None, "", "", Proof.INTERLEAVING, 0, 7)], 7, 1.0)

    assert "**0 of 1 mutants are caught**" in text
    assert f"| {name} |" in text
    assert "**nothing**" in text
