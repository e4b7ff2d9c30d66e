"""Which instances are members: AWS's answers decide, and an event or a tombstone counts only where AWS agrees."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from ringfence.core.events import LifecycleEvent, Place
from ringfence.core.freshness import FUTURE_SECONDS, STALE_SECONDS
from ringfence.core.lifecycle import PHASES, Phase
from ringfence.core.membership.decision import RosterDecision, decide_members
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
    replacing,
    roster,
    settings,
    terminating,
)

A1 = address(1)
POOL, EC2 = Place.WARM_POOL, Place.EC2
TAGGED = instance(I1, A1)
TAGGED_WITHOUT_ADDRESS = instance(I1)
UNTAGGED = instance(I1, A1, group=None)
MOVED = instance(I1, A1, group="cache")
STOPPED = instance(I1, A1, power=Power.STOPPED)
ENDED = instance(I1, power=Power.TERMINATED)
DESCRIPTIONS = (TAGGED, UNTAGGED, STOPPED, None)

JOINING, SERVING, REPLACING, LEAVING, WARM, UNKNOWN = Phase
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
REPLACE, REPLACED = replacing()
EVENTS = (
    *(None, LAUNCH, LAUNCH_FROM_POOL, LAUNCH_INTO_POOL, END, END_IN_POOL, END_INTO_POOL),
    *(REPLACE, REPLACED),
)
OUT_OF_THE_GROUP = (END, END_IN_POOL, END_INTO_POOL)
INTO_THE_GROUP = (LAUNCH, LAUNCH_FROM_POOL, REPLACED)


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
    """The rows of instances that their group lists, but not as members; and of those that EC2 shows as terminated."""
    for phase, states in STATES.items():
        for state in states:
            # EC2 says that the instance has ended: nothing else counts
            for event in EVENTS:
                yield Case(state, ENDED, event, None, WARM if phase is WARM else LEAVING)
            yield Case(state, ENDED, LAUNCH, 5, WARM if phase is WARM else LEAVING)
    for state in STATES[LEAVING]:
        for described in DESCRIPTIONS:
            yield from (Case(state, described, event, None, LEAVING) for event in EVENTS)
            yield Case(state, described, LAUNCH_FROM_POOL, 5, LEAVING)
    for state in STATES[WARM]:
        for described in DESCRIPTIONS:
            yield from (Case(state, described, event, None, WARM, event in INTO_THE_GROUP) for event in EVENTS)
            yield Case(state, described, None, 5, WARM)
    for state in STATES[UNKNOWN]:
        for described in DESCRIPTIONS:
            yield from (Case(state, described, event, None, UNKNOWN, event in OUT_OF_THE_GROUP) for event in EVENTS)


def serving_cases() -> Iterator[Case]:
    """The rows of instances that their group lists as members."""
    for state in (*STATES[JOINING], *STATES[SERVING], *STATES[REPLACING]):
        phase = PHASES[state]
        again = {*OUT_OF_THE_GROUP, REPLACE} if phase is SERVING else {*OUT_OF_THE_GROUP}
        for described in DESCRIPTIONS:
            yield from (Case(state, described, event, None, phase, event in again) for event in EVENTS)
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


def unlisted_cases() -> Iterator[Case]:
    """The rows of instances that their group does not list."""
    for event in EVENTS:
        yield Case(None, ENDED, event, None, LEAVING)
    for described in (UNTAGGED, MOVED):
        yield Case(None, described, END, None, LEAVING)
        yield Case(None, described, END, 5, LEAVING)
    for described in (TAGGED, STOPPED):
        yield Case(None, described, END, None, UNKNOWN, look_again=True)
        yield Case(None, described, END, 5, UNKNOWN, look_again=True)
    for shown in (*DESCRIPTIONS, MOVED):
        for event in (None, LAUNCH, END_INTO_POOL):
            for departed in (5, STALE_SECONDS + 1, 5000, -FUTURE_SECONDS):
                yield Case(None, shown, event, departed, LEAVING)
        yield Case(None, shown, launching(at=NOW - 6, origin=POOL), 5, LEAVING)


def unlisted_cases_without_a_tombstone() -> Iterator[Case]:
    """The same, without a tombstone that counts."""
    for departed in (None, -FUTURE_SECONDS - 1):
        yield Case(None, TAGGED, LAUNCH, departed, JOINING)
        yield Case(None, STOPPED, LAUNCH, departed, JOINING)
        yield Case(None, TAGGED, LAUNCH_FROM_POOL, departed, UNKNOWN, look_again=True)
        yield Case(None, TAGGED, REPLACED, departed, UNKNOWN, look_again=True)
        yield Case(None, TAGGED, REPLACE, departed, UNKNOWN)
        yield Case(None, UNTAGGED, REPLACE, departed, LEAVING)
        yield Case(None, None, LAUNCH, departed, UNKNOWN, look_again=True)
        yield Case(None, None, LAUNCH_FROM_POOL, departed, UNKNOWN, look_again=True)
        for described in (UNTAGGED, MOVED):
            yield Case(None, described, LAUNCH, departed, LEAVING, look_again=True)
            yield Case(None, described, LAUNCH_FROM_POOL, departed, LEAVING, look_again=True)
            yield Case(None, described, None, departed, LEAVING)
            yield Case(None, described, END_INTO_POOL, departed, LEAVING)
        for shown in (TAGGED, STOPPED, None):
            yield Case(None, shown, None, departed, UNKNOWN)
            yield Case(None, shown, END_INTO_POOL, departed, UNKNOWN)
        yield Case(None, None, END, departed, UNKNOWN)


CASES = [*listed_cases(), *serving_cases(), *unlisted_cases(), *unlisted_cases_without_a_tombstone()]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_membership_of_an_instance_follows_the_table(case: Case) -> None:
    # given the instance as a member, and as an instance that the roster does not have as a member
    departed = {} if case.departed is None else {I1: NOW - case.departed}
    seen, events = seeing(case.state, case.described), [] if case.event is None else [case.event]
    # when
    was_member = decided(roster({I1: A1}, departed), seen, *events)
    was_none = decided(roster({}, departed), seen, *events)
    # then
    assert bool(was_member.look_again) is case.look_again
    # a launching instance whose address is not known yet is looked at again as well
    lacks_an_address = case.phase is JOINING and case.event is not None and case.described is None
    assert bool(was_none.look_again) is (case.look_again or lacks_an_address)
    match case.phase:
        case Phase.JOINING | Phase.SERVING | Phase.REPLACING:
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


@pytest.mark.parametrize("described", [instance(I1), instance(I1, power=Power.PENDING), None])
def test_a_launching_instance_without_an_address_is_looked_at_again(described: Instance | None) -> None:
    seen = seeing("Pending:Wait", described)
    assert decided(roster(), seen, LAUNCH).look_again == {I1}
    # without a fresh event, such as at a true-up, it waits
    assert not decided(roster(), seen).look_again
    assert not decided(roster(), seen, launching(at=NOW - STALE_SECONDS - 1)).look_again


def test_an_instance_with_an_address_is_not_looked_at_again() -> None:
    assert not decided(roster(), seeing("Pending:Wait", TAGGED), LAUNCH).look_again
    assert not decided(roster({I1: A1}), seeing("Pending:Wait", None), LAUNCH).look_again


# Tombstones.


@pytest.mark.parametrize("state", STATES[LEAVING])
def test_a_listed_instance_that_leaves_has_a_tombstone_even_if_it_never_was_a_member(state: str) -> None:
    assert decided(roster(), seeing(state, TAGGED)).roster.departed == {I1: NOW}


@pytest.mark.parametrize("state", STATES[WARM])
def test_an_instance_in_a_warm_pool_has_a_tombstone_only_if_it_may_have_been_a_member(state: str) -> None:
    # given no event: the state alone does not tell from where an instance enters the pool
    may_be_a_former_member = state == "Warmed:Pending:Wait"
    # then
    assert decided(roster(), seeing(state, TAGGED)).roster.departed == ({I1: NOW} if may_be_a_former_member else {})
    assert decided(roster({I1: A1}), seeing(state, TAGGED)).roster.departed == {I1: NOW}
    assert decided(roster(), seeing(state, TAGGED), LAUNCH_INTO_POOL).roster.departed == {}


@pytest.mark.parametrize("state", STATES[WARM])
def test_a_listing_that_shows_a_new_member_in_the_warm_pool_may_be_older(state: str) -> None:
    seen = seeing(state, TAGGED)
    # when the instance has been a member for less than a minute, for a minute, and when an event confirms the listing
    new = decided(roster({I1: member(A1, since=NOW - STALE_SECONDS + 1)}), seen)
    known = decided(roster({I1: member(A1, since=NOW - STALE_SECONDS)}), seen)
    confirmed = decided(roster({I1: member(A1, since=NOW - 1)}), seen, END_INTO_POOL)
    # then
    assert new.roster.members.keys() == {I1}
    assert new.look_again == {I1}
    for decision in (known, confirmed):
        assert decision.roster.members == {}
        assert not decision.look_again


def test_a_member_that_returns_to_a_warm_pool_departs_at_the_time_of_its_event() -> None:
    event = terminating(at=NOW - 2, destination=POOL)
    for before in (roster({I1: A1}), roster()):
        decision = decided(before, seeing("Warmed:Pending:Wait", TAGGED), event)
        assert (decision.roster.members, decision.roster.departed) == ({}, {I1: NOW - 2})


@pytest.mark.parametrize("event", [LAUNCH_INTO_POOL, END_IN_POOL])
@pytest.mark.parametrize("described", [*DESCRIPTIONS, MOVED])
@pytest.mark.parametrize("departed", [{}, {I1: NOW - 5}])
def test_an_unlisted_instance_that_passes_through_the_warm_pool_is_no_member(
    event: LifecycleEvent, described: Instance | None, departed: dict[InstanceId, int]
) -> None:
    decision = decided(roster({}, departed), seeing(None, described), event)
    assert (decision.roster.members, decision.roster.departed, decision.look_again) == ({}, departed, frozenset())


@pytest.mark.parametrize("event", [LAUNCH_INTO_POOL, END_IN_POOL])
@pytest.mark.parametrize("described", [TAGGED, STOPPED])
def test_an_unlisted_member_does_not_depart_because_an_event_says_that_it_passes_through_the_warm_pool(
    event: LifecycleEvent, described: Instance
) -> None:
    decision = decided(roster({I1: A1}), seeing(None, described), event)
    assert decision.roster.members[I1].state is MemberState.MISSING
    assert decision.look_again == {I1}


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


@pytest.mark.parametrize(
    ("age", "described", "stays"),
    [
        (STALE_SECONDS - 1, TAGGED_WITHOUT_ADDRESS, True),
        (STALE_SECONDS, TAGGED_WITHOUT_ADDRESS, False),
        (STALE_SECONDS - 1, replace(TAGGED_WITHOUT_ADDRESS, power=Power.STOPPED), True),
        (STALE_SECONDS, replace(TAGGED_WITHOUT_ADDRESS, power=Power.STOPPED), False),
        (STALE_SECONDS, replace(TAGGED_WITHOUT_ADDRESS, power=Power.PENDING), True),
    ],
    ids=str,
)
def test_a_description_without_an_address_may_be_older_than_a_new_address(
    age: int, described: Instance, stays: bool
) -> None:
    before = roster({I1: member(A1, since=NOW - age)})
    # when
    after = decided(before, seeing("InService", described)).roster.members[I1]
    # then
    assert after.addresses == ((A1,) if stays else ())
    assert after.state is (MemberState.MEMBER if stays else MemberState.BARE)


def test_a_new_member_does_not_keep_an_address_that_moved_to_another_instance() -> None:
    # given an Elastic IP that was associated with another instance
    seen = observed({I1: "InService", I2: "InService"}, TAGGED_WITHOUT_ADDRESS, instance(I2, A1))
    # when
    after = decided(roster({I1: member(A1, since=NOW - 1)}), seen).roster.members
    # then
    assert (after[I1].addresses, after[I2].addresses) == ((), (A1,))


def test_a_new_member_keeps_an_address_that_a_description_shows_on_a_departed_instance() -> None:
    # given a description from before the other instance ended and EC2 gave its address to the new one
    before = roster({I1: member(A1, since=NOW - 1)}, departed={I2: NOW - 5})
    seen = observed({I1: "InService"}, TAGGED_WITHOUT_ADDRESS, instance(I2, A1))
    # when
    after = decided(before, seen).roster.members
    # then
    assert after[I1].addresses == (A1,)


def test_a_missing_member_gets_its_new_address() -> None:
    before = roster({I1: member(A1, state=MemberState.MISSING, since=NOW - 30)})
    seen = observed({}, instance(I1, address(2)))
    assert decided(before, seen).roster.members[I1].addresses == (address(2),)
