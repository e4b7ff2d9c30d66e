"""What is said of a paused Region: who paused it, and where the pause does not reach."""

from dataclasses import replace

import pytest

from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rosters import Roster, Rows
from ringfence_ops.state.pause_reasons import knows_pauses, pause_reasons
from ringfence_ops.state.standing import Reason, State
from tests.unit.builders import EAST, NOW, WEST

BY = "arn:aws:iam::111122223333:user/on-call"
PAUSE = Pause(EAST, BY, "incident 4711", int(NOW))


def table(*regions: Region, pause: Pause | None = PAUSE, observed: bool = False, old: bool = False) -> Rows:
    """A table with the announcements of both Regions, or with rosters of version 0.1 of some."""
    rosters = {}
    for region in (EAST, WEST):
        key = RosterKey(region, "db" if region in regions and old else ANNOUNCEMENT)
        rosters[key] = Roster(key, 1, observed=observed, of_0_1=region in regions and old, updated_at=int(NOW))
    return Rows(rosters=rosters, pauses={} if pause is None else {pause.region: pause})


def reasons(east: Rows, west: Rows | None) -> list[Reason]:
    return list(pause_reasons(EAST, {EAST: east} | ({} if west is None else {WEST: west})))


def test_a_paused_region_names_who_why_since_when_and_what_ends_it() -> None:
    (found,) = reasons(table(), table())
    assert (found.state, found.fix) == (State.PAUSED, f"ringfence resume {EAST}")
    assert BY in found.why
    assert "incident 4711" in found.why
    assert "UTC" in found.why


@pytest.mark.parametrize("pause", [None, replace(PAUSE, is_over=True), replace(PAUSE, region=WEST)], ids=str)
def test_a_region_that_is_not_paused_has_no_reason(pause: Pause | None) -> None:
    assert not reasons(table(pause=pause), table(pause=pause))


def test_a_pause_that_only_a_peer_has_does_not_stop_the_regions_own_engine() -> None:
    (found,) = reasons(table(pause=None), table())
    assert (found.state, found.fix) == (State.PAUSED, f"ringfence pause {EAST}")
    assert f"only in the table of {WEST}" in found.why


def test_a_pause_that_a_peer_lacks_is_completed() -> None:
    first, second = reasons(table(), table(pause=None))
    assert first.fix == f"ringfence resume {EAST}"
    assert (second.state, second.fix) == (State.PAUSED, f"ringfence pause {EAST}")
    assert f"the table of {WEST} lacks the pause" in second.why


def test_a_peer_that_lacks_the_pause_but_has_the_announcement_leaves_the_region_alone() -> None:
    assert len(reasons(table(), table(pause=None, observed=True))) == 1


def test_an_engine_of_version_0_1_is_said_to_ignore_the_pause() -> None:
    (found,) = reasons(table(EAST, old=True), table())
    assert (found.state, found.fix) == (State.FAILING, f"ringfence deploy {EAST}")
    assert "does not know pauses" in found.why


def test_a_region_that_does_not_answer_is_paused_by_the_word_of_the_others() -> None:
    (found,) = list(pause_reasons(EAST, {WEST: table()}))
    assert found.state is State.PAUSED


def test_a_pause_that_cannot_be_read_says_so() -> None:
    (found,) = reasons(table(pause=Pause(EAST, problem="a time is in the future")), table())
    assert "a time is in the future" in found.why


def test_an_engine_that_went_back_to_version_0_1_does_not_know_pauses() -> None:
    # given an announcement that the newer engine left behind
    left = RosterKey(EAST, ANNOUNCEMENT)
    later = RosterKey(EAST, "db")
    rows = Rows(
        {left: Roster(left, 1, updated_at=int(NOW) - 60), later: Roster(later, 1, updated_at=int(NOW), of_0_1=True)}
    )
    assert not knows_pauses(EAST, rows)
    assert knows_pauses(EAST, Rows({left: Roster(left, 1, updated_at=int(NOW))}))


def test_an_engine_that_never_ran_knows_pauses() -> None:
    assert knows_pauses(EAST, Rows())
