"""What events and tombstones can do to a membership, and what they cannot: AWS's answers are the facts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.events import LifecycleEvent, Place
from ringfence.core.freshness import FUTURE_SECONDS, STALE_SECONDS
from ringfence.core.lifecycle import PHASES, Phase
from ringfence.core.membership.decision import RosterDecision, decide_members
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Roster
from ringfence.core.observation import Instance, Observation, Power
from tests.unit.builders import (
    I1,
    I2,
    NOW,
    address,
    instance,
    launching,
    observed,
    replacing,
    roster,
    settings,
    terminating,
)

A1 = address(1)
POOL = Place.WARM_POOL
TAGGED = instance(I1, A1)
UNTAGGED = instance(I1, A1, group=None)
STOPPED = instance(I1, A1, power=Power.STOPPED)
ENDED = instance(I1, power=Power.TERMINATED)
LAUNCH, END = launching(), terminating()
UNHEARD_OF = "Teleporting:Wait"


def decided(before: Roster, seen: Observation, *events: LifecycleEvent, now: int = NOW) -> RosterDecision:
    return decide_members(before, seen, events, now, settings())


def seeing(state: str | None, described: Instance | None) -> Observation:
    listed = {} if state is None else {I1: state}
    return observed(listed, *([] if described is None else [described]))


# Which events count.


@pytest.mark.parametrize("at", [NOW - STALE_SECONDS, NOW, NOW + FUTURE_SECONDS])
def test_an_event_is_fresh_within_its_limits(at: int) -> None:
    assert decided(roster(), seeing(None, TAGGED), launching(at=at)).roster.members.keys() == {I1}
    assert decided(roster({I1: A1}), seeing("InService", TAGGED), terminating(at=at)).look_again == {I1}


@pytest.mark.parametrize("at", [None, NOW - STALE_SECONDS - 1, NOW + FUTURE_SECONDS + 1, -1, 10**18])
def test_any_other_event_is_only_a_reason_to_look(at: int | None) -> None:
    for state, described in ((None, TAGGED), (None, UNTAGGED), ("InService", TAGGED), ("Warmed:Running", TAGGED)):
        for before in (roster(), roster({I1: A1}), roster({}, {I1: NOW - 5})):
            seen = seeing(state, described)
            expected = decided(before, seen)
            assert decided(before, seen, launching(at=at)) == expected
            assert decided(before, seen, launching(at=at, origin=POOL)) == expected
            assert decided(before, seen, terminating(at=at)) == expected
            assert decided(before, seen, terminating(at=at, origin=POOL)) == expected


def test_an_event_of_another_group_is_ignored() -> None:
    event = replace(END, group="cache")
    assert decided(roster({I1: A1}), seeing("InService", TAGGED), event).look_again == frozenset()


def test_the_later_of_two_fresh_events_counts_in_any_order_of_arrival() -> None:
    into, out = terminating(at=NOW - 9, destination=POOL), launching(at=NOW - 2, origin=POOL)
    for events in ((into, out), (out, into)):
        assert decided(roster({I1: A1}), seeing("Warmed:Running", TAGGED), *events).look_again == {I1}
        assert decided(roster({}, {I1: NOW - 5}), seeing("Pending:Wait", TAGGED), *events).roster.members.keys() == {I1}


def test_a_termination_is_later_than_a_launch_of_the_same_second() -> None:
    for events in ((END, LAUNCH), (LAUNCH, END)):
        decision = decided(roster(), seeing(None, TAGGED), *events)
        assert decision.roster.members == {}
        assert decision.look_again == {I1}


@pytest.mark.parametrize("at", [None, NOW - STALE_SECONDS - 1, NOW + FUTURE_SECONDS + 1])
def test_an_event_that_does_not_count_hides_no_fresh_event(at: int | None) -> None:
    for events in ((LAUNCH, terminating(at=at)), (terminating(at=at), LAUNCH)):
        assert decided(roster(), seeing(None, TAGGED), *events).roster.members.keys() == {I1}


# Properties: what no event and no row can do.

OTHER_ROSTERS = [roster({I2: address(2)}), roster({I2: address(2)}, {I2: NOW - 5}), roster()]
times = st.none() | st.integers(NOW - 90, NOW + 10) | st.sampled_from([-1, 0, NOW - 10**6, NOW + 10**6, 10**18])
events = st.lists(
    st.builds(launching, st.just(I1), times, st.sampled_from(Place), st.sampled_from(Place))
    | st.builds(terminating, st.just(I1), times, st.sampled_from(Place), st.sampled_from(Place))
    | st.builds(replacing, st.just(I1), times).flatmap(st.sampled_from),
    max_size=4,
)
powers = st.sampled_from([Power.PENDING, Power.RUNNING, Power.STOPPED, Power.TERMINATED])
strangers = st.none() | st.builds(
    lambda power, group: instance(I1, A1, power=power, group=group), powers, st.sampled_from([None, "cache", ""])
)
states = st.sampled_from([*PHASES, UNHEARD_OF]) | st.none()
serving = [state for state, phase in PHASES.items() if phase in (Phase.SERVING, Phase.REPLACING)]
not_members = [state for state, phase in PHASES.items() if phase in (Phase.LEAVING, Phase.WARM)]
tombstones = st.none() | st.integers(0, 10_000)
future = st.integers(FUTURE_SECONDS + 1, 10**9)


@given(events, strangers, st.sampled_from([*not_members, UNHEARD_OF, None]), tombstones)
def test_no_event_makes_a_member_of_an_instance_without_the_tag_of_the_group(
    events: list[LifecycleEvent], described: Instance | None, state: str | None, age: int | None
) -> None:
    before = roster({}, {} if age is None else {I1: NOW - age})
    assert I1 not in decided(before, seeing(state, described), *events).roster.members


@given(events, st.sampled_from(serving), st.sampled_from([None, STALE_SECONDS + 1, 5000]))
def test_no_event_removes_a_member_that_aws_shows_as_serving_and_running(
    events: list[LifecycleEvent], state: str, age: int | None
) -> None:
    before = roster({I1: A1}, {} if age is None else {I1: NOW - age})
    after = decided(before, seeing(state, TAGGED), *events).roster
    assert after.members == before.members
    assert after.departed == {}


@given(events, states, st.sampled_from([TAGGED, UNTAGGED, STOPPED, ENDED, None]), future, st.booleans())
def test_a_tombstone_from_the_future_never_counts(
    events: list[LifecycleEvent], state: str | None, described: Instance | None, seconds: int, is_member: bool
) -> None:
    before, seen = roster({I1: A1} if is_member else {}), seeing(state, described)
    poisoned = replace(before, departed={I1: NOW + seconds, I2: NOW + seconds})
    assert decided(poisoned, seen, *events) == decided(before, seen, *events)


@given(events, strangers, st.sampled_from(OTHER_ROSTERS))
def test_the_events_of_a_stranger_leave_no_trace(
    events: list[LifecycleEvent], described: Instance | None, before: Roster
) -> None:
    # given an instance that neither the roster nor the group knows
    seen = observed({I2: "InService"}, instance(I2, address(2)), *([] if described is None else [described]))
    # when / then
    assert decided(before, seen, *events).roster == decided(before, seen).roster


@given(events, states, tombstones, st.booleans())
def test_an_instance_that_ec2_shows_as_terminated_is_never_a_member(
    events: list[LifecycleEvent], state: str | None, age: int | None, is_member: bool
) -> None:
    before = roster({I1: A1} if is_member else {}, {} if age is None else {I1: NOW - age})
    assert I1 not in decided(before, seeing(state, ENDED), *events).roster.members


@given(events, states, st.sampled_from([TAGGED, UNTAGGED, STOPPED, ENDED, None]), st.booleans())
def test_only_instances_that_events_name_are_looked_at_again(
    events: list[LifecycleEvent], state: str | None, described: Instance | None, is_member: bool
) -> None:
    decision = decided(roster({I1: A1} if is_member else {}), seeing(state, described), *events)
    assert decision.look_again <= {event.instance for event in events}


LISTINGS: list[dict[InstanceId, str]] = [
    {},
    *({I1: state} for state in ("Pending", "Pending:Wait", "InService", "Terminating:Wait", "Terminating:Proceed")),
]


@given(
    order=st.permutations(["launch", "launch again", "terminate", "terminate again"]),
    seconds=st.lists(st.integers(0, 10), min_size=4, max_size=4),
    listings=st.lists(st.sampled_from(LISTINGS), min_size=4, max_size=4),
    is_member=st.booleans(),
)
def test_a_departed_instance_is_no_member_after_any_order_of_its_events(
    order: list[str], seconds: list[int], listings: list[dict[InstanceId, str]], is_member: bool
) -> None:
    # given an instance whose departure AWS has shown, then its events late and twice, and listings that lag behind
    named: dict[str, LifecycleEvent] = {"launch": launching(at=NOW - 5), "terminate": terminating(at=NOW)}
    before = roster({I1: A1} if is_member else {})
    current, now = decided(before, observed({I1: "Terminating:Wait"}, TAGGED), END).roster, NOW
    # when
    for name, passed, listing in zip(order, seconds, listings, strict=True):
        now += passed
        current = decided(current, observed(listing, TAGGED), named[name.split()[0]], now=now).roster
    # then
    assert I1 not in current.members
    assert I1 in current.departed


# While a zone fails.


@pytest.mark.parametrize("state", ["InService", "Standby", "Pending:Wait", UNHEARD_OF, None])
def test_a_member_that_ec2_does_not_describe_keeps_its_addresses(state: str | None) -> None:
    seen = replace(seeing(state, None), undescribed={I1: "us-east-1a"})
    before = roster({I1: A1})
    for _ in range(3):
        before = decided(before, seen, now=NOW + STALE_SECONDS).roster
        assert before.members[I1].addresses == (A1,)


def test_a_member_that_no_group_lists_leaves_a_minute_after_that_once_ec2_answers() -> None:
    # given
    unlisted = seeing(None, None)
    missing = decided(roster({I1: A1}), replace(unlisted, undescribed={I1: ""})).roster
    later = NOW + STALE_SECONDS
    # then
    assert I1 in decided(missing, replace(unlisted, undescribed={I1: ""}), now=later).roster.members
    assert I1 not in decided(missing, unlisted, now=later).roster.members
