"""Which instances wait in a hook, by what their group lists and by what events say."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.events import LifecycleEvent, Place
from ringfence.core.freshness import FUTURE_SECONDS, STALE_SECONDS
from ringfence.core.hook_decision import (
    WaitingInstance,
    waiting_instances,
)
from ringfence.core.lifecycle import PHASES, WAITING, Transition
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.observation import Observation
from tests.unit.builders import (
    DB,
    I1,
    I2,
    NOW,
    address,
    instance,
    launching,
    observed,
    replacing,
    terminating,
)

LAUNCHES, TERMINATES = (Transition.LAUNCH,), (Transition.TERMINATE,)
TOKEN = "71514b9d-6a40-4b26-8523-05e7ee35fa40"
TIMES = st.none() | st.integers(NOW - 90, NOW + 10) | st.sampled_from([0, NOW + 10**6])
TOKENS = st.none() | st.just(TOKEN)


@pytest.mark.parametrize(
    ("state", "transitions", "warm", "stays"),
    [
        ("Pending:Wait", LAUNCHES, False, False),
        ("Terminating:Wait", TERMINATES, False, False),
        ("ReplacingRootVolume:Wait", TERMINATES, False, True),
        ("Warmed:Pending:Wait", LAUNCHES + TERMINATES, True, False),
        ("Warmed:Terminating:Wait", TERMINATES, True, False),
    ],
)
def test_an_instance_listed_as_waiting_waits_without_any_event(
    state: str, transitions: tuple[Transition, ...], warm: bool, stays: bool
) -> None:
    assert waiting_instances(observed({I1: state, I2: "InService"}), [], NOW) == [
        WaitingInstance(DB.asg, I1, transitions, None, warm, NOW, listed=True, stays=stays)
    ]


def test_every_state_in_which_a_hook_can_wait_is_in_the_table() -> None:
    assert {state for state in PHASES if state.endswith(":Wait")} == WAITING.keys()


def test_the_event_of_a_root_volume_replacement_is_the_event_of_its_listed_wait() -> None:
    event, _ = replacing(token=TOKEN)
    (found,) = waiting_instances(observed({I1: "ReplacingRootVolume:Wait"}), [event], NOW)
    assert (found.stays, found.event, found.transitions) == (True, event, TERMINATES)


def test_an_event_alone_makes_no_wait_one_that_stays() -> None:
    # given a termination that is listed, or a listing that is older than the event
    event, _ = replacing(token=TOKEN)
    for state in ("Terminating:Wait", "InService"):
        (found,) = waiting_instances(observed({I1: state}), [event], NOW)
        # then it has to be released as any other
        assert not found.stays


def test_the_launch_after_a_replacement_waits_before_its_group_lists_it() -> None:
    _, event = replacing(token=TOKEN)
    for state in ("ReplacingRootVolume:Proceed", "RootVolumeReplaced"):
        (found,) = waiting_instances(observed({I1: state}), [event], NOW)
        assert (found.launching, found.listed, found.event) == (True, False, event)


def test_a_fresh_termination_may_be_later_than_a_listed_replacement() -> None:
    seen = observed({I1: "ReplacingRootVolume:Wait"})
    (found,) = waiting_instances(seen, [terminating(token=TOKEN)], NOW)
    assert (found.stays, found.listed) == (False, True)
    old = terminating(at=NOW - STALE_SECONDS - 1, token=TOKEN)
    assert waiting_instances(seen, [old], NOW) == waiting_instances(seen, [], NOW)


@pytest.mark.parametrize(
    ("event", "states", "seen"),
    [
        (launching(token=TOKEN), {}, False),
        (launching(token=TOKEN), {I1: "Pending"}, False),
        (launching(origin=Place.WARM_POOL, token=TOKEN), {I1: "Warmed:Stopped"}, False),
        (terminating(token=TOKEN), {I1: "InService"}, False),
        (terminating(token=TOKEN), {I1: "Terminating"}, False),
        (terminating(token=TOKEN), {}, True),
    ],
)
def test_an_instance_that_an_event_with_a_token_names_may_wait_before_its_group_lists_the_wait(
    event: LifecycleEvent, states: Mapping[InstanceId, str], seen: bool
) -> None:
    # given a listing that is older than the event
    observation = observed(states, *([instance(I1)] if seen else []))
    # when
    (found,) = waiting_instances(observation, [event], NOW)
    # then
    assert (found.instance, found.event, found.listed) == (I1, event, False)
    # when the event has no token
    assert waiting_instances(observation, [replace(event, token=None)], NOW) == []


@pytest.mark.parametrize(
    ("event", "states"),
    [
        (launching(token=TOKEN), {I1: "InService"}),  # its hook was answered already
        (launching(token=TOKEN), {I1: "Terminating"}),
        (launching(at=NOW - STALE_SECONDS - 1, token=TOKEN), {}),  # too late for a listing to be older
        (launching(at=NOW + FUTURE_SECONDS + 1, token=TOKEN), {}),
        (launching(at=None, token=TOKEN), {}),
        (terminating(at=NOW - STALE_SECONDS - 1, token=TOKEN), {I1: "InService"}),
        (terminating(at=NOW + FUTURE_SECONDS + 1, token=TOKEN), {I1: "InService"}),
        (terminating(token=TOKEN), {}),  # not listed and not described
    ],
)
def test_an_instance_that_no_hook_can_hold_does_not_wait(
    event: LifecycleEvent, states: Mapping[InstanceId, str]
) -> None:
    assert waiting_instances(observed(states), [event], NOW) == []


def test_no_instance_of_another_group_waits() -> None:
    assert waiting_instances(Observation({}, {}), [launching(token=TOKEN)], NOW) == []


def test_a_listed_wait_keeps_its_event_even_if_the_event_is_old() -> None:
    event = launching(at=NOW - 900)
    (found,) = waiting_instances(observed({I1: "Pending:Wait"}), [event], NOW)
    assert found.event == event


def test_an_event_names_the_more_likely_transition_of_a_wait_in_a_warm_pool() -> None:
    seen = observed({I1: "Warmed:Pending:Wait"})
    into = terminating(destination=Place.WARM_POOL)
    expected = WaitingInstance(DB.asg, I1, TERMINATES + LAUNCHES, into, warm=True, seen_at=NOW, listed=True)
    assert waiting_instances(seen, [into], NOW) == [expected]


def test_a_fresh_launch_out_of_a_warm_pool_may_be_later_than_a_listed_wait_in_the_pool() -> None:
    seen = observed({I1: "Warmed:Pending:Wait"})
    (found,) = waiting_instances(seen, [launching(origin=Place.WARM_POOL)], NOW)
    assert (found.launching, found.listed) == (True, True)
    old = launching(at=NOW - STALE_SECONDS - 1, origin=Place.WARM_POOL)
    assert waiting_instances(seen, [old], NOW) == waiting_instances(seen, [], NOW)


@pytest.mark.parametrize(
    ("state", "other"),
    [
        ("Terminating:Wait", launching(at=NOW - 20)),
        ("Terminating:Wait", launching(at=NOW - 20, destination=Place.WARM_POOL)),
        ("Pending:Wait", launching(at=NOW - 20, destination=Place.WARM_POOL)),
        ("Pending:Wait", terminating(at=NOW - 20, destination=Place.WARM_POOL)),
        ("Pending:Wait", terminating(at=NOW - 20)),
        ("Pending:Wait", terminating(at=None)),
        ("Warmed:Terminating:Wait", launching(at=NOW - 20, destination=Place.WARM_POOL)),
    ],
)
def test_an_event_that_cannot_be_about_the_listed_wait_does_not_change_it(state: str, other: LifecycleEvent) -> None:
    seen = observed({I1: state})
    for event in (other, replace(other, token=TOKEN)):
        assert waiting_instances(seen, [event], NOW) == waiting_instances(seen, [], NOW)


def test_the_later_of_two_events_names_the_wait_of_an_instance_that_is_not_listed() -> None:
    seen = observed({}, instance(I1, address(1)))
    events: list[LifecycleEvent] = [launching(at=NOW - 9, token="a"), terminating(at=NOW - 1, token="b")]
    (found,) = waiting_instances(seen, events, NOW)
    assert found.transitions == TERMINATES


@pytest.mark.parametrize("at", [None, NOW - STALE_SECONDS - 1, NOW + FUTURE_SECONDS + 1])
def test_an_event_that_does_not_count_hides_no_wait_of_a_fresh_event(at: int | None) -> None:
    seen, event = observed({}, instance(I1, address(1))), launching(token=TOKEN)
    for forged in (terminating(at=at), terminating(at=at, token="forged")):
        (found,) = waiting_instances(seen, [event, forged], NOW)
        assert found.event == event


@given(
    st.sampled_from(sorted(WAITING)),
    st.lists(
        st.builds(launching, st.just(I1), TIMES, st.sampled_from(Place), st.sampled_from(Place), token=TOKENS)
        | st.builds(terminating, st.just(I1), TIMES, st.sampled_from(Place), st.sampled_from(Place), token=TOKENS),
        max_size=4,
    ),
)
def test_no_event_hides_a_listed_wait(state: str, events: list[LifecycleEvent]) -> None:
    (found,) = waiting_instances(observed({I1: state}, instance(I1, address(1))), events, NOW)
    assert found.listed
    # except that a launch out of the pool may be later than a wait in the pool, and is held until AWS shows it
    if not found.launching:
        assert set(found.transitions) == set(WAITING[state])
