"""The releases that are pending in a peer after its pass."""

import pytest

from ringfence.core.errors import Retry
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Roster
from ringfence.core.region_result import RegionResult, pending_releases
from tests.unit.builders import DB, I1, I2, NOW, WEST, address, roster

GONE = roster(departed={I1: NOW})
DONE = RegionResult(WEST)
NONE: frozenset[InstanceId] = frozenset()
PENDING = {WEST: frozenset({I1})}


@pytest.mark.parametrize(
    "result",
    [
        RegionResult(WEST, Retry("no answer")),
        RegionResult(WEST, lingering=frozenset({(DB, I1)})),
        RegionResult(WEST, doubtful=frozenset({DB})),
    ],
    ids=["down", "its rule exists", "a rule names an unknown instance"],
)
@pytest.mark.parametrize("earlier", [None, roster({I1: address(1)})], ids=["never written before", "a member before"])
def test_a_release_is_pending_in_a_peer_that_may_still_admit_an_instance_that_just_departed(
    result: RegionResult, earlier: Roster | None
) -> None:
    assert pending_releases(GONE, earlier, NONE, {WEST: result}) == PENDING


def test_no_release_is_pending_in_a_peer_that_released_the_instance() -> None:
    assert pending_releases(GONE, None, NONE, {WEST: DONE}) == {}
    assert pending_releases(roster(departed={I1: NOW}, pending_releases=PENDING), GONE, NONE, {WEST: DONE}) == {}


def test_the_rule_of_another_instance_makes_no_release_pending() -> None:
    lingering = RegionResult(WEST, lingering=frozenset({(DB, I2)}))
    assert pending_releases(GONE, None, NONE, {WEST: lingering}) == {}


def test_a_confirmed_release_is_not_pending_again_because_a_peer_is_down() -> None:
    assert pending_releases(GONE, GONE, NONE, {WEST: RegionResult(WEST, Retry("no answer"))}) == {}


def test_the_release_of_an_instance_that_still_waits_may_be_pending() -> None:
    assert pending_releases(GONE, GONE, frozenset({I1}), {WEST: RegionResult(WEST, Retry("no answer"))}) == PENDING


def test_a_release_is_pending_until_it_is_confirmed() -> None:
    pending = roster(departed={I1: NOW}, pending_releases=PENDING)
    assert pending_releases(pending, pending, NONE, {WEST: RegionResult(WEST, Retry("no answer"))}) == PENDING


def test_a_peer_that_failed_admits_no_instance_and_has_released_none() -> None:
    failed = RegionResult(WEST, Retry("no answer"))
    assert not failed.admits(DB, I1)
    assert not failed.has_released(DB, I1)
