"""How a Region stands: the order of the states, and the exit code that follows from them."""

import pytest

from ringfence_ops.state.standing import Reason, State, exit_code, standing, unreachable
from tests.unit.builders import EAST, WEST


def reason(state: State, why: str = "why") -> Reason:
    return Reason(state, "part", why, "fix")


def test_the_states_are_ordered_from_the_worst_to_in_sync() -> None:
    assert [str(state) for state in State] == [
        *("unknown", "failing", "open", "lacking", "waiting", "paused", "observed"),
        "in sync",
    ]


def test_a_region_without_a_reason_is_in_sync() -> None:
    assert standing(EAST, []).state is State.IN_SYNC


def test_a_region_stands_at_its_worst_reason_and_keeps_all_in_that_order() -> None:
    found = standing(EAST, [reason(State.WAITING), reason(State.UNKNOWN), reason(State.OPEN), reason(State.WAITING)])
    assert found.state is State.UNKNOWN
    assert [one.state for one in found.reasons] == [State.UNKNOWN, State.OPEN, State.WAITING]


@pytest.mark.parametrize("state", [state for state in State if state is not State.IN_SYNC])
def test_every_state_but_in_sync_has_exit_code_2(state: State) -> None:
    assert exit_code([standing(EAST, []), standing(WEST, [reason(state)])]) == 2
    assert exit_code([standing(EAST, []), standing(WEST, [])]) == 0


def test_a_region_that_does_not_answer_is_unknown_and_has_exit_code_1() -> None:
    silent = standing(WEST, [unreachable("no answer within 4.5 s")], answers=False)
    assert silent.state is State.UNKNOWN
    assert "no answer" in silent.reasons[0].why
    assert exit_code([standing(EAST, [reason(State.FAILING)]), silent]) == 1
