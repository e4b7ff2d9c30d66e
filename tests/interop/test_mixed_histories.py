"""Random histories under faults, in which some Regions run 0.1.0 or change their version, hold every property."""

import pytest

from tests.interop.fleet import Version
from tests.interop.mixed_histories import MixedHistory

HISTORIES = 400
"""Histories of one test. There are several tests of each kind, so that they run on all cores."""


def failures(first: int, *, switches: bool) -> list[str]:
    """What is violated in the histories from a seed on."""
    results = [MixedHistory(seed, switches=switches).play() for seed in range(first, first + HISTORIES)]
    return [f"seed {result.seed}: {result.violation}" for result in results if result.violation]


@pytest.mark.parametrize("first", range(0, 4 * HISTORIES, HISTORIES))
def test_regions_of_different_versions_hold_every_property(first: int) -> None:
    assert not failures(first, switches=False)


@pytest.mark.parametrize("first", range(0, 4 * HISTORIES, HISTORIES))
def test_regions_that_change_their_version_hold_every_property(first: int) -> None:
    assert not failures(first, switches=True)


def test_the_histories_mix_and_change_versions() -> None:
    histories = [MixedHistory(seed, switches=True) for seed in range(100)]
    mixed = sum(len(set(history.version_of.values())) == 2 for history in histories)
    for history in histories:
        history.play()

    assert mixed > 30
    assert sum(history.switched > 0 for history in histories) > 40
    assert {version for history in histories for version in history.version_of.values()} == set(Version)
