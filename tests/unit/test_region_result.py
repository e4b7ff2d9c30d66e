"""Which releases are not confirmed in which peer, and so are owed."""

import pytest

from ringfence.core.errors import Retry
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Roster
from ringfence.core.region_result import RegionResult, debts
from tests.unit.builders import DB, I1, I2, NOW, WEST, address, roster

GONE = roster(departed={I1: NOW})
DONE = RegionResult(WEST)
NOBODY: frozenset[InstanceId] = frozenset()
OWED = {WEST: frozenset({I1})}


@pytest.mark.parametrize(
    "outcome",
    [
        RegionResult(WEST, Retry("no answer")),
        RegionResult(WEST, lingering=frozenset({(DB, I1)})),
        RegionResult(WEST, doubtful=frozenset({DB})),
    ],
    ids=["down", "still standing", "a rule of nobody known stands"],
)
@pytest.mark.parametrize("earlier", [None, roster({I1: address(1)})], ids=["never written before", "a member before"])
def test_a_peer_that_may_still_admit_who_departed_just_now_owes_its_release(
    outcome: RegionResult, earlier: Roster | None
) -> None:
    assert debts(GONE, earlier, NOBODY, {WEST: outcome}) == OWED


def test_a_peer_that_did_its_part_owes_nothing() -> None:
    assert debts(GONE, None, NOBODY, {WEST: DONE}) == {}
    assert debts(roster(departed={I1: NOW}, owed=OWED), GONE, NOBODY, {WEST: DONE}) == {}


def test_somebody_elses_rule_is_nobodys_debt() -> None:
    lingering = RegionResult(WEST, lingering=frozenset({(DB, I2)}))
    assert debts(GONE, None, NOBODY, {WEST: lingering}) == {}


def test_what_was_confirmed_before_is_not_owed_again_because_a_peer_is_down() -> None:
    assert debts(GONE, GONE, NOBODY, {WEST: RegionResult(WEST, Retry("no answer"))}) == {}


def test_what_is_not_let_go_yet_may_still_be_owed() -> None:
    assert debts(GONE, GONE, frozenset({I1}), {WEST: RegionResult(WEST, Retry("no answer"))}) == OWED


def test_a_debt_stands_until_it_is_paid() -> None:
    owing = roster(departed={I1: NOW}, owed=OWED)
    assert debts(owing, owing, NOBODY, {WEST: RegionResult(WEST, Retry("no answer"))}) == OWED


def test_a_peer_that_failed_admits_nobody_and_has_released_nobody() -> None:
    failed = RegionResult(WEST, Retry("no answer"))
    assert not failed.admits(DB, I1)
    assert not failed.has_released(DB, I1)
