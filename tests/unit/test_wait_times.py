"""How long an instance has waited at a hook: what is known is told, and what is not stays unknown."""

import pytest

from ringfence.core.audit_events import Waited
from ringfence.core.hook_decision import WaitingInstance, named_by
from ringfence.core.lifecycle import Transition
from ringfence.core.model.rosters import Roster
from ringfence.core.wait_times import LONGEST_WAIT, waited
from tests.unit.builders import DB, I1, NOW, launching, member, roster


def listed(transition: Transition, **changes: bool) -> WaitingInstance:
    """A wait that the group lists, without an event."""
    return WaitingInstance(DB.asg, I1, (transition,), None, False, NOW, listed=True, **changes)


@pytest.mark.parametrize(("age", "seconds"), [(0, 0.0), (7, 7.0), (LONGEST_WAIT, float(LONGEST_WAIT)), (-3, 0.0)])
def test_the_event_tells_when_the_wait_began(age: int, seconds: float) -> None:
    assert waited(named_by(launching(at=NOW - age), NOW), None, NOW) == Waited(seconds, is_exact=True)


@pytest.mark.parametrize("at", [None, NOW - LONGEST_WAIT - 1, NOW + 60])
def test_an_event_that_cannot_be_about_the_wait_tells_nothing(at: int | None) -> None:
    assert waited(named_by(launching(at=at), NOW), roster(), NOW) is None


def test_without_an_event_the_roster_tells_since_when_the_engine_knows_of_the_wait() -> None:
    launched, departed = roster({I1: member(since=NOW - 20)}), roster(departed={I1: NOW - 30})
    assert waited(listed(Transition.LAUNCH), launched, NOW) == Waited(20.0, is_exact=False)
    assert waited(listed(Transition.TERMINATE), departed, NOW) == Waited(30.0, is_exact=False)


@pytest.mark.parametrize("known", [None, roster(), roster({I1: member(since=NOW - 20)})])
def test_a_wait_that_nothing_tells_of_is_unknown(known: Roster | None) -> None:
    assert waited(listed(Transition.TERMINATE), known, NOW) is None
    assert waited(listed(Transition.TERMINATE, stays=True), known, NOW) is None
