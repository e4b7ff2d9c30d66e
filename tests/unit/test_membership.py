"""Which instances are members: AWS's answers decide, and an event or a tombstone counts only where AWS agrees."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.events import LifecycleEvent, Place
from ringfence.core.lifecycle import PHASES, Phase
from ringfence.core.membership import FUTURE_SECONDS, STALE_SECONDS, RosterDecision, decide_members
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import MemberState, Roster
from ringfence.core.observation import Instance, Observation, Power
from tests.unit.builders import (
    I1,
    I2,
    NOW,
    address,
    instance,
    launching,
    member,
    observed,
    roster,
    settings,
    terminating,
)

A1 = address(1)
POOL, EC2 = Place.WARM_POOL, Place.EC2
TAGGED = instance(I1, A1)
UNTAGGED = instance(I1, A1, group=None)
MOVED = instance(I1, A1, group="cache")
STOPPED = instance(I1, A1, power=Power.STOPPED)
ENDED = instance(I1, power=Power.TERMINATED)

JOINING, SERVING, LEAVING, WARM, UNKNOWN = Phase.JOINING, Phase.SERVING, Phase.LEAVING, Phase.WARM, Phase.UNKNOWN
STATES: Mapping[Phase, tuple[str, ...]] = {
    phase: tuple(state for state in (*PHASES, "Teleporting:Wait") if PHASES.get(state, UNKNOWN) is phase)
    for phase in Phase
}
"""The lifecycle states of each phase. `Teleporting:Wait` is one that no document has."""

LAUNCH = launching()
LAUNCH_FROM_POOL = launching(origin=POOL)
LAUNCH_INTO_POOL = launching(destination=POOL)
END = terminating()
END_IN_POOL = terminating(origin=POOL)
END_INTO_POOL = terminating(destination=POOL)
EVENTS = (None, LAUNCH, LAUNCH_FROM_POOL, LAUNCH_INTO_POOL, END, END_IN_POOL, END_INTO_POOL)
OUT_OF_THE_GROUP = (END, END_IN_POOL, END_INTO_POOL)
INTO_THE_GROUP = (LAUNCH, LAUNCH_FROM_POOL)


def decided(before: Roster, seen: Observation, *events: LifecycleEvent, now: int = NOW) -> RosterDecision:
    return decide_members(before, seen, events, now, settings())


def seeing(state: str | None, described: Instance | None) -> Observation:
    listed = {} if state is None else {I1: state}
    return observed(listed, *([] if described is None else [described]))


# The table.


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table. `departed` is the age of the tombstone in seconds; a negative one is in the future."""

    state: str | None
    described: Instance | None
    event: LifecycleEvent | None
    departed: int | None
    phase: Phase
    look_again: bool = False

    def __str__(self) -> str:
        tag = "-" if self.described is None else f"{self.described.power.value} {self.described.group}"
        event = (
            "-" if self.event is None else f"{self.event.id} {self.event.origin.value}-{self.event.destination.value}"
        )
        return f"{self.state} | {tag} | {event} | {self.departed} | {self.phase.value}"


def listed_cases() -> Iterator[Case]:
    """The rows of instances that their group lists."""
    every_description = (TAGGED, UNTAGGED, STOPPED, None)
    for phase, states in STATES.items():
        for state in states:
            # EC2 says that the instance has ended: nothing else counts
            for event in EVENTS:
                yield Case(state, ENDED, event, None, WARM if phase is WARM else LEAVING)
            yield Case(state, ENDED, LAUNCH, 5, WARM if phase is WARM else LEAVING)
    for state in STATES[LEAVING]:
        for described in every_description:
            yield from (Case(state, described, event, None, LEAVING) for event in EVENTS)
            yield Case(state, described, LAUNCH_FROM_POOL, 5, LEAVING)
    for state in STATES[WARM]:
        for described in every_description:
            yield from (Case(state, described, event, None, WARM, event in INTO_THE_GROUP) for event in EVENTS)
            yield Case(state, described, None, 5, WARM)
    for state in (*STATES[JOINING], *STATES[SERVING]):
        phase = PHASES[state]
        for described in every_description:
            yield from (Case(state, described, event, None, phase, event in OUT_OF_THE_GROUP) for event in EVENTS)
            yield Case(state, described, terminating(destination=Place.GROUP), None, phase)
            # a tombstone, and whether it counts
            yield Case(state, described, None, 0, LEAVING)
            yield Case(state, described, None, STALE_SECONDS, LEAVING)
            yield Case(state, described, None, -FUTURE_SECONDS, LEAVING)
            yield Case(state, described, None, -FUTURE_SECONDS - 1, phase)
            yield Case(state, described, END, 5, LEAVING)
            yield Case(state, described, LAUNCH, 5, LEAVING)
            yield Case(state, described, launching(at=NOW - 6, origin=POOL), 5, LEAVING)
            yield Case(state, described, launching(at=NOW - 5, origin=POOL), 5, phase)
        yield Case(state, TAGGED, None, STALE_SECONDS + 1, phase)
        yield Case(state, UNTAGGED, None, STALE_SECONDS + 1, phase)
        yield Case(state, instance(I1, power=Power.PENDING), None, STALE_SECONDS + 1, phase)
        yield Case(state, TAGGED, END, STALE_SECONDS + 1, phase, look_again=True)
        yield Case(state, STOPPED, None, STALE_SECONDS + 1, LEAVING)
        yield Case(state, None, None, 5000, LEAVING)
    for state in STATES[UNKNOWN]:
        for described in every_description:
            yield from (Case(state, described, event, None, UNKNOWN, event in OUT_OF_THE_GROUP) for event in EVENTS)


def unlisted_cases() -> Iterator[Case]:
    """The rows of instances that their group does not list."""
    for event in EVENTS:
        yield Case(None, ENDED, event, None, LEAVING)
    for described in (TAGGED, UNTAGGED, MOVED, STOPPED, None):
        for event in (LAUNCH_INTO_POOL, END_IN_POOL):
            yield Case(None, described, event, None, WARM)
            yield Case(None, described, event, 5, WARM)
    for described in (UNTAGGED, MOVED):
        yield Case(None, described, END, None, LEAVING)
        yield Case(None, described, END, 5, LEAVING)
    for described in (TAGGED, STOPPED):
        yield Case(None, described, END, None, UNKNOWN, look_again=True)
        yield Case(None, described, END, 5, UNKNOWN, look_again=True)
    for described in (TAGGED, UNTAGGED, MOVED, STOPPED, None):
        for event in (None, LAUNCH, END_INTO_POOL):
            for departed in (5, STALE_SECONDS + 1, 5000, -FUTURE_SECONDS):
                yield Case(None, described, event, departed, LEAVING)
        yield Case(None, described, launching(at=NOW - 6, origin=POOL), 5, LEAVING)


def unlisted_cases_without_a_tombstone() -> Iterator[Case]:
    """The same, without a tombstone that counts."""
    for departed in (None, -FUTURE_SECONDS - 1):
        yield Case(None, TAGGED, LAUNCH, departed, JOINING)
        yield Case(None, STOPPED, LAUNCH, departed, JOINING)
        yield Case(None, TAGGED, LAUNCH_FROM_POOL, departed, UNKNOWN, look_again=True)
        yield Case(None, None, LAUNCH, departed, UNKNOWN, look_again=True)
        yield Case(None, None, LAUNCH_FROM_POOL, departed, UNKNOWN, look_again=True)
        for described in (UNTAGGED, MOVED):
            yield Case(None, described, LAUNCH, departed, LEAVING, look_again=True)
            yield Case(None, described, LAUNCH_FROM_POOL, departed, LEAVING, look_again=True)
            yield Case(None, described, None, departed, LEAVING)
            yield Case(None, described, END_INTO_POOL, departed, LEAVING)
        for described in (TAGGED, STOPPED, None):
            yield Case(None, described, None, departed, UNKNOWN)
            yield Case(None, described, END_INTO_POOL, departed, UNKNOWN)
        yield Case(None, None, END, departed, UNKNOWN)


CASES = [*listed_cases(), *unlisted_cases(), *unlisted_cases_without_a_tombstone()]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_membership_of_an_instance_follows_the_table(case: Case) -> None:
    # given the instance as a member, and as an instance that the roster does not have as a member
    departed = {} if case.departed is None else {I1: NOW - case.departed}
    seen, events = seeing(case.state, case.described), [] if case.event is None else [case.event]
    # when
    was_member = decided(roster({I1: A1}, departed), seen, *events)
    was_none = decided(roster({}, departed), seen, *events)
    # then
    assert [bool(decision.look_again) for decision in (was_member, was_none)] == [case.look_again] * 2
    match case.phase:
        case Phase.JOINING | Phase.SERVING:
            assert was_member.roster.members[I1].addresses == (A1,)
            assert was_member.roster.members[I1].state is MemberState.MEMBER
            assert I1 in was_none.roster.members
            assert was_member.roster.departed == was_none.roster.departed == {}
        case Phase.LEAVING | Phase.WARM:
            assert was_member.roster.members == was_none.roster.members == {}
            assert I1 in was_member.roster.departed
        case Phase.UNKNOWN:
            assert was_member.roster.members[I1].addresses == (A1,)
            state = MemberState.MISSING if case.state is None else MemberState.MEMBER
            assert was_member.roster.members[I1].state is state
            assert was_none.roster.members == {}


def test_the_table_has_a_row_for_every_lifecycle_state_and_every_kind_of_event() -> None:
    assert {case.state for case in CASES} == {*PHASES, "Teleporting:Wait", None}
    assert {case.event for case in CASES} >= set(EVENTS)


@pytest.mark.parametrize(("since", "look_again"), [(NOW - STALE_SECONDS + 1, True), (NOW - STALE_SECONDS, False)])
def test_a_detached_member_of_less_than_a_minute_is_looked_at_again(since: int, look_again: bool) -> None:
    decision = decided(roster({I1: member(A1, since=since)}), seeing(None, UNTAGGED))
    assert decision.roster.departed == {I1: NOW}
    assert bool(decision.look_again) is look_again


# Tombstones.


@pytest.mark.parametrize("state", STATES[LEAVING])
def test_a_listed_instance_that_leaves_has_a_tombstone_even_if_it_never_was_a_member(state: str) -> None:
    assert decided(roster(), seeing(state, TAGGED)).roster.departed == {I1: NOW}


@pytest.mark.parametrize("state", STATES[WARM])
def test_an_instance_in_a_warm_pool_has_a_tombstone_only_if_it_was_a_member(state: str) -> None:
    assert decided(roster(), seeing(state, TAGGED)).roster.departed == {}
    assert decided(roster({I1: A1}), seeing(state, TAGGED)).roster.departed == {I1: NOW}


def test_a_member_that_returns_to_a_warm_pool_departs_at_the_time_of_its_event() -> None:
    event = terminating(at=NOW - 2, destination=POOL)
    for before in (roster({I1: A1}), roster()):
        decision = decided(before, seeing("Warmed:Pending:Wait", TAGGED), event)
        assert (decision.roster.members, decision.roster.departed) == ({}, {I1: NOW - 2})


def test_an_unlisted_member_that_passes_through_a_warm_pool_has_departed() -> None:
    assert decided(roster({I1: A1}), seeing(None, None), END_IN_POOL).roster.departed == {I1: NOW}


def test_the_time_of_a_departure_is_the_time_of_its_event_but_never_in_the_future() -> None:
    for at, departed in ((NOW - 7, NOW - 7), (NOW + FUTURE_SECONDS, NOW)):
        decision = decided(roster({I1: A1}), seeing("Terminating:Wait", TAGGED), terminating(at=at))
        assert decision.roster.departed == {I1: departed}


def test_a_tombstone_keeps_its_time() -> None:
    decision = decided(roster({}, {I1: NOW - 90}), seeing("Terminating:Wait", TAGGED), END)
    assert decision.roster.departed == {I1: NOW - 90}


def test_a_believed_tombstone_that_a_later_listing_contradicts_is_dropped() -> None:
    decision = decided(roster({}, {I1: NOW - STALE_SECONDS - 1}), seeing("InService", TAGGED))
    assert decision.roster.members.keys() == {I1}
    assert decision.roster.departed == {}


# Members that their group does not list.


@pytest.mark.parametrize("described", [None, TAGGED, STOPPED], ids=["not described", "described", "stopped"])
def test_a_member_that_its_group_no_longer_lists_is_missing_for_a_minute(described: Instance | None) -> None:
    seen = seeing(None, described)
    # when
    first = decided(roster({I1: A1}), seen).roster
    # then
    assert first.members == {I1: member(A1, state=MemberState.MISSING, since=NOW)}
    # when
    soon = decided(first, seen, now=NOW + STALE_SECONDS - 1).roster
    # then
    assert soon.members == first.members
    # when
    later = decided(soon, seen, now=NOW + STALE_SECONDS).roster
    # then it is no member, and has no tombstone
    assert (later.members, later.departed) == ({}, {})


def test_a_missing_member_that_is_listed_again_has_the_state_member() -> None:
    before = roster({I1: member(A1, state=MemberState.MISSING, since=NOW - 30)})
    assert decided(before, seeing("InService", TAGGED)).roster.members[I1].state is MemberState.MEMBER


def test_a_missing_member_gets_its_new_address() -> None:
    before = roster({I1: member(A1, state=MemberState.MISSING, since=NOW - 30)})
    seen = observed({}, instance(I1, address(2)))
    assert decided(before, seen).roster.members[I1].addresses == (address(2),)


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
        assert (decision.roster.members, decision.look_again) == ({}, {I1})


@pytest.mark.parametrize("at", [None, NOW - STALE_SECONDS - 1, NOW + FUTURE_SECONDS + 1])
def test_an_event_that_does_not_count_hides_no_fresh_event(at: int | None) -> None:
    for events in ((LAUNCH, terminating(at=at)), (terminating(at=at), LAUNCH)):
        assert decided(roster(), seeing(None, TAGGED), *events).roster.members.keys() == {I1}


# Properties: what no event and no row can do.

OTHER_ROSTERS = [roster({I2: address(2)}), roster({I2: address(2)}, {I2: NOW - 5}), roster()]
times = st.none() | st.integers(NOW - 90, NOW + 10) | st.sampled_from([-1, 0, NOW - 10**6, NOW + 10**6, 10**18])
events = st.lists(
    st.builds(launching, st.just(I1), times, st.sampled_from(Place), st.sampled_from(Place))
    | st.builds(terminating, st.just(I1), times, st.sampled_from(Place), st.sampled_from(Place)),
    max_size=4,
)
powers = st.sampled_from([Power.PENDING, Power.RUNNING, Power.STOPPED, Power.TERMINATED])
strangers = st.none() | st.builds(
    lambda power, group: instance(I1, A1, power=power, group=group), powers, st.sampled_from([None, "cache", ""])
)
states = st.sampled_from([*PHASES, "Teleporting:Wait"]) | st.none()
not_members = [*STATES[LEAVING], *STATES[WARM], *STATES[UNKNOWN], None]
tombstones = st.none() | st.integers(0, 10_000)
future = st.integers(FUTURE_SECONDS + 1, 10**9)


@given(events, strangers, st.sampled_from(not_members), tombstones)
def test_no_event_makes_a_member_of_an_instance_without_the_tag_of_the_group(
    events: list[LifecycleEvent], described: Instance | None, state: str | None, age: int | None
) -> None:
    before = roster({}, {} if age is None else {I1: NOW - age})
    assert I1 not in decided(before, seeing(state, described), *events).roster.members


@given(events, st.sampled_from(STATES[SERVING]), st.sampled_from([None, STALE_SECONDS + 1, 5000]))
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
