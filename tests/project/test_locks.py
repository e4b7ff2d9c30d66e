"""The locks: every dependency has one version and its hashes, and nothing tells where it was downloaded."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest

LOCKS = sorted((Path(__file__).resolve().parents[2] / "requirements").glob("*.txt"))

LINE = re.compile(r"[a-z0-9][\w.-]*(\[[\w,-]+\])?==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
"""A version with an optional marker, or a hash."""


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_versions_and_hashes_alone(lock: Path) -> None:
    assert [line for line in lock.read_text().splitlines() if not LINE.fullmatch(line)] == []


def test_what_is_deployed_has_the_versions_that_are_tested() -> None:
    tested, deployed = (
        set(re.findall(r"^(\S+)==(\S+)", (LOCKS[0].parent / name).read_text(), re.MULTILINE))
        for name in ("development.txt", "engine.txt")
    )
    assert deployed <= tested


def test_the_lab_pins_the_boto3_of_the_botocore_that_its_emulator_pins() -> None:
    (emulator,) = [each for each in requires("ministack") or () if re.match(r"botocore\b", each) and ";" not in each]
    (own,) = [each for each in requires("ringfence") or () if re.match(r"boto3==", each)]
    assert re.split(r"[=;]+", own)[1].strip() == emulator.split("==")[1].strip()
