"""Who is a member: what events, describes and tombstones say, and which of them is believed when they disagree."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.events import Launching, LifecycleEvent, Place, Terminating
from ringfence.core.lifecycle import PHASES, Phase
from ringfence.core.membership import STALE_SECONDS, TOMBSTONE_SECONDS, next_roster, pruned, retired
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.model.rosters import MemberState, Roster
from ringfence.core.observation import Instance, Observation, Power
from tests.unit.builders import (
    DB,
    EAST,
    GROUP,
    I1,
    I2,
    NOW,
    WEST,
    address,
    instance,
    launching,
    member,
    observed,
    roster,
    settings,
    terminating,
)

A1, A2 = address(1), address(2)
SEEN = observed({I1: "InService"}, instance(I1, A1))
NOTHING = observed({})


def following(
    previous: Roster | None,
    seen: Observation,
    *events: LifecycleEvent,
    now: int = NOW,
    **changes: object,
) -> Roster:
    return next_roster(previous or Roster(DB), seen, events, now, settings(**changes))


# What each lifecycle state means.


@pytest.mark.parametrize("state", [state for state, phase in PHASES.items() if phase in (Phase.JOINING, Phase.SERVING)])
@pytest.mark.parametrize("previous", [None, roster({I1: A1})])
def test_whoever_is_on_its_way_in_or_in_service_is_a_member(state: str, previous: Roster | None) -> None:
    after = following(previous, observed({I1: state}, instance(I1, A1)))
    assert after.members[I1].addresses == (A1,)
    assert after.members[I1].state is MemberState.MEMBER


@pytest.mark.parametrize("state", [state for state, phase in PHASES.items() if phase is Phase.LEAVING])
@pytest.mark.parametrize("previous", [None, roster({I1: A1})])
def test_whoever_is_on_its_way_out_has_departed(state: str, previous: Roster | None) -> None:
    after = following(previous, observed({I1: state}, instance(I1, A1)))
    assert after.members == {}
    assert after.departed == {I1: NOW}


@pytest.mark.parametrize("state", [state for state, phase in PHASES.items() if phase is Phase.WARM])
def test_whoever_is_in_a_warm_pool_is_no_member(state: str) -> None:
    seen = observed({I1: state}, instance(I1, A1))
    assert following(None, seen).members == {}
    assert following(None, seen).departed == {}
    assert following(roster({I1: A1}), seen).departed == {I1: NOW}


def test_a_state_that_nobody_knows_yet_leaves_everything_as_it_was() -> None:
    seen = observed({I1: "Teleporting:Wait", I2: "Teleporting:Wait"}, instance(I1, A1), instance(I2, A2))
    after = following(roster({I1: A1}), seen)
    assert after.members == roster({I1: A1}).members
    assert after.departed == {}


def test_a_roster_carries_what_its_region_announces() -> None:
    after = following(roster(version=7, updated_at=5), SEEN)
    assert (after.version, after.updated_at) == (7, 5)
    assert (after.security_groups, after.account) == ((GROUP,), "123456789012")


# Events outrank a describe while they are fresh.


def test_a_launch_that_the_group_does_not_list_yet_is_a_member() -> None:
    after = following(None, observed({}, instance(I1, A1, group=None)), launching())
    assert after.members[I1].addresses == (A1,)


def test_a_launch_that_nothing_shows_yet_waits_for_its_address_from_its_event_on() -> None:
    after = following(None, NOTHING, launching(at=NOW - 7))
    assert after.members[I1] == member(state=MemberState.WAITING, since=NOW - 7)


@pytest.mark.parametrize("state", ["InService", "Pending", "Standby"])
def test_a_termination_that_the_group_does_not_show_yet_has_departed(state: str) -> None:
    after = following(roster({I1: A1}), observed({I1: state}, instance(I1, A1)), terminating(at=NOW - 3))
    assert after.members == {}
    assert after.departed == {I1: NOW - 3}


@pytest.mark.parametrize("seconds", [0, STALE_SECONDS])
def test_up_to_the_limit_an_event_is_fresh(seconds: int) -> None:
    assert following(roster({I1: A1}), SEEN, terminating(at=NOW - seconds)).members == {}


def test_beyond_the_limit_an_event_is_only_a_reason_to_look() -> None:
    late = NOW - STALE_SECONDS - 1
    assert following(roster({I1: A1}), SEEN, terminating(at=late)).members == roster({I1: A1}).members
    assert following(None, NOTHING, launching(at=late)).members == {}


def test_an_event_without_a_time_counts_as_fresh() -> None:
    assert following(roster({I1: A1}), SEEN, terminating(at=None)).departed == {I1: NOW}


def test_an_event_from_the_future_departs_nobody_later_than_now() -> None:
    assert following(roster({I1: A1}), SEEN, terminating(at=NOW + 500)).departed == {I1: NOW}


def test_an_event_of_another_group_is_passed_over() -> None:
    assert following(roster({I1: A1}), SEEN, replace(terminating(), group="cache")).members.keys() == {I1}


@pytest.mark.parametrize("order", list(permutations([launching(at=NOW - 9), terminating(at=NOW - 4)])))
def test_of_one_batch_the_later_event_counts_in_whatever_order_it_came(order: Sequence[LifecycleEvent]) -> None:
    after = following(None, observed({I1: "Pending:Wait"}, instance(I1, A1)), *order)
    assert after.members == {}
    assert after.departed == {I1: NOW - 4}


def test_at_the_same_second_a_termination_is_the_later_one() -> None:
    assert following(None, SEEN, terminating(), launching()).members == {}
    assert following(None, SEEN, launching(), terminating()).members == {}


@pytest.mark.parametrize(("launched", "terminated"), [(None, NOW - 3), (NOW - 3, None), (None, None)])
def test_without_two_times_to_compare_a_termination_is_the_later_one(
    launched: int | None, terminated: int | None
) -> None:
    assert following(None, SEEN, launching(at=launched), terminating(at=terminated)).members == {}
    assert following(None, SEEN, terminating(at=terminated), launching(at=launched)).members == {}


# A tombstone outranks what may be older than it.


def test_a_late_launch_event_does_not_bring_a_departed_instance_back() -> None:
    before = roster(departed={I1: NOW - 5})
    assert following(before, SEEN, launching(at=NOW - 20)).members == {}


def test_a_launch_from_ec2_brings_nobody_back_whenever_it_says_it_was() -> None:
    before = roster(departed={I1: NOW - 5})
    assert following(before, SEEN, launching(at=NOW)).members == {}


def test_a_stale_listing_does_not_bring_a_departed_instance_back() -> None:
    before = roster(departed={I1: NOW - STALE_SECONDS})
    assert following(before, SEEN).members == {}


def test_a_later_listing_of_a_running_instance_does() -> None:
    before = roster(departed={I1: NOW - STALE_SECONDS - 1})
    after = following(before, SEEN)
    assert after.members[I1].addresses == (A1,)
    assert after.departed == {}


@pytest.mark.parametrize(
    "seen", [observed({I1: "InService"}), observed({I1: "InService"}, instance(power=Power.STOPPED))]
)
def test_what_is_not_seen_to_run_does_not_come_back(seen: Observation) -> None:
    assert following(roster(departed={I1: NOW - 1000}), seen).members == {}


def test_what_ec2_calls_terminated_is_gone_whatever_else_is_said() -> None:
    seen = observed({I1: "InService"}, instance(I1, power=Power.TERMINATED))
    after = following(roster({I1: A1}), seen, launching())
    assert after.members == {}
    assert after.departed == {I1: NOW}


@given(
    state=st.sampled_from([*PHASES, "Unheard-Of"]) | st.none(),
    previous=st.sampled_from(
        [None, roster({I1: A1}), roster(departed={I1: NOW - 500}), roster(departed={I1: NOW - 5})]
    ),
    events=st.lists(
        st.builds(launching, st.just(I1), st.integers(NOW - 90, NOW), st.sampled_from(Place), st.sampled_from(Place))
        | st.builds(
            terminating, st.just(I1), st.integers(NOW - 90, NOW), st.sampled_from(Place), st.sampled_from(Place)
        ),
        max_size=3,
    ),
)
def test_a_terminated_instance_is_never_a_member(
    state: str | None, previous: Roster | None, events: list[LifecycleEvent]
) -> None:
    listed: dict[InstanceId, str] = {} if state is None else {I1: state}
    assert I1 not in following(previous, observed(listed, instance(I1, power=Power.TERMINATED)), *events).members


LISTINGS = [
    {},
    *({I1: state} for state in ("Pending", "Pending:Wait", "InService", "Terminating:Wait", "Terminating:Proceed")),
]


@given(
    order=st.permutations(["launch", "launch again", "terminate", "terminate again"]),
    seconds=st.lists(st.integers(0, 10), min_size=4, max_size=4),
    listings=st.lists(st.sampled_from(LISTINGS), min_size=4, max_size=4),
    known=st.booleans(),
)
def test_no_order_of_a_launch_and_a_termination_ends_with_a_member(
    order: list[str], seconds: list[int], listings: list[dict[InstanceId, str]], known: bool
) -> None:
    # given events of a terminated instance, each delivered alone, late and twice, and listings that lag behind
    events: dict[str, LifecycleEvent] = {"launch": launching(at=NOW - 5), "terminate": terminating(at=NOW)}
    standing: Roster | None = roster({I1: A1}) if known else None
    now = NOW
    # when
    for name, passed, listing in zip(order, seconds, listings, strict=True):
        now += passed
        standing = following(standing, observed(listing, instance(I1, A1)), events[name.split()[0]], now=now)
    # then
    assert standing is not None
    assert I1 not in standing.members
    assert I1 in standing.departed


def test_a_late_launch_out_of_the_warm_pool_does_not_undo_a_later_termination() -> None:
    before = roster(departed={I1: NOW - 5})
    late = launching(at=NOW - 20, origin=Place.WARM_POOL)
    assert following(before, observed({I1: "InService"}, instance(I1, A1)), late).members == {}


# Warm pools.


def test_out_of_the_warm_pool_an_instance_is_a_member_again() -> None:
    before = roster(departed={I1: NOW - 5})
    event = launching(at=NOW, origin=Place.WARM_POOL)
    after = following(before, observed({I1: "Pending:Wait"}, instance(I1, A1)), event)
    assert after.members[I1].addresses == (A1,)
    assert after.departed == {}


def test_into_the_warm_pool_and_out_again_in_one_batch_the_later_event_counts_in_whatever_order_it_came() -> None:
    into = terminating(at=NOW - 9, destination=Place.WARM_POOL)
    out = launching(at=NOW - 2, origin=Place.WARM_POOL)
    seen = observed({I1: "Warmed:Running"}, instance(I1, A1))
    for after in (following(roster({I1: A1}), seen, into, out), following(roster({I1: A1}), seen, out, into)):
        assert after.members.keys() == {I1}


def test_out_of_the_warm_pool_a_listing_may_still_show_it_warm() -> None:
    event = launching(at=NOW, origin=Place.WARM_POOL)
    after = following(None, observed({I1: "Warmed:Running"}, instance(I1, A1)), event)
    assert after.members.keys() == {I1}


def test_back_into_the_warm_pool_is_a_departure() -> None:
    event = terminating(at=NOW - 2, destination=Place.WARM_POOL)
    after = following(roster({I1: A1}), observed({I1: "Warmed:Pending:Wait"}, instance(I1, A1)), event)
    assert after.members == {}
    assert after.departed == {I1: NOW - 2}


@pytest.mark.parametrize(
    "event",
    [launching(destination=Place.WARM_POOL), terminating(origin=Place.WARM_POOL)],
    ids=["into it", "out to EC2"],
)
def test_between_ec2_and_the_warm_pool_nobody_was_a_member(event: LifecycleEvent) -> None:
    after = following(None, NOTHING, event)
    assert after.members == {}
    assert after.departed == {}


def test_an_older_event_into_the_pool_does_not_undo_that_it_left_the_pool() -> None:
    event = launching(at=NOW - 5, destination=Place.WARM_POOL)
    assert following(None, observed({I1: "Pending:Wait"}, instance(I1, A1)), event).members.keys() == {I1}


def test_a_terminated_instance_of_the_warm_pool_leaves_no_tombstone() -> None:
    seen = observed({I1: "Warmed:Terminated"}, instance(I1, power=Power.TERMINATED))
    assert following(None, seen).departed == {}


def test_back_into_the_warm_pool_a_member_that_the_roster_never_saw_has_departed_too() -> None:
    event = terminating(at=NOW - 2, destination=Place.WARM_POOL)
    assert following(None, NOTHING, event).departed == {I1: NOW - 2}


# Whoever is not listed.


def test_who_is_listed_is_a_member_before_its_tag_is_seen() -> None:
    seen = observed({I1: "InService"}, instance(I1, A1, group=None))
    assert following(roster({I1: A1}), seen).members.keys() == {I1}


def test_a_detached_instance_departs_at_once() -> None:
    after = following(roster({I1: A1}), observed({}, instance(I1, A1, group=None)))
    assert after.members == {}
    assert after.departed == {I1: NOW}


def test_whoever_moved_to_another_group_departs_from_this_one() -> None:
    after = following(roster({I1: A1}), observed({}, instance(I1, A1, group="cache")))
    assert after.departed == {I1: NOW}


@pytest.mark.parametrize("seen", [NOTHING, observed({}, instance(I1, A1))], ids=["not described", "described"])
def test_a_member_that_vanishes_from_its_group_stays_until_a_later_look_agrees(seen: Observation) -> None:
    # when
    first = following(roster({I1: A1}), seen)
    # then
    assert first.members == {I1: member(A1, state=MemberState.MISSING, since=NOW)}
    # when
    soon = following(first, seen, now=NOW + STALE_SECONDS - 1)
    # then
    assert soon.members == first.members
    # when
    later = following(soon, seen, now=NOW + STALE_SECONDS)
    # then it is gone, and nothing confirms that it departed
    assert later.members == {}
    assert later.departed == {}


def test_a_missing_member_that_is_listed_again_is_a_member_like_any_other() -> None:
    before = roster({I1: member(A1, state=MemberState.MISSING, since=NOW - 30)})
    assert following(before, SEEN).members[I1].state is MemberState.MEMBER


def test_a_missing_member_follows_its_address() -> None:
    before = roster({I1: member(A1, state=MemberState.MISSING, since=NOW - 30)})
    assert following(before, observed({}, instance(I1, A2))).members[I1].addresses == (A2,)


# Addresses.


def test_who_could_not_be_described_keeps_its_addresses() -> None:
    assert following(roster({I1: A1}), observed({I1: "InService"})).members == roster({I1: A1}).members


def test_who_is_described_too_early_keeps_its_addresses() -> None:
    pending = instance(I1, power=Power.PENDING)
    assert following(roster({I1: A1}), observed({I1: "Pending:Wait"}, pending)).members[I1].addresses == (A1,)


@pytest.mark.parametrize("power", [Power.RUNNING, Power.STOPPED])
def test_who_has_lost_its_address_is_known_to_have_had_one(power: Power) -> None:
    seen = observed({I1: "InService"}, instance(I1, power=power))
    after = following(roster({I1: A1}), seen)
    assert after.members[I1] == member(state=MemberState.BARE, since=NOW)
    assert following(after, seen).members == after.members


def test_a_new_address_takes_the_place_of_the_old() -> None:
    after = following(roster({I1: A1}), observed({I1: "InService"}, instance(I1, A2)))
    assert after.members[I1].addresses == (A2,)


def test_only_addresses_of_the_configured_kinds_count_and_several_kinds_count_together() -> None:
    private, v6 = Cidr("10.0.0.1/32"), Cidr("2001:db8::1/128")
    seen = observed({I1: "InService"}, instance(I1, A1, private_ipv4=(private,), ipv6=(v6,)))
    both = frozenset({AddressKind.PRIVATE_IPV4, AddressKind.IPV6})
    assert following(None, seen, address_kinds=both).members[I1].addresses == (private, v6)


def test_the_wait_for_an_address_is_counted_from_its_beginning() -> None:
    seen = observed({I1: "Pending:Wait"}, instance(I1))
    first = following(None, seen, launching(at=NOW))
    second = following(first, seen, launching(at=NOW), now=NOW + 30)
    assert second.members[I1].since == NOW


# What stays the same, and what is forgotten.

instances = st.builds(
    lambda number, power: instance(InstanceId(f"i-{number}"), address(number), power=power),
    st.integers(0, 4),
    st.sampled_from([Power.PENDING, Power.RUNNING, Power.STOPPED, Power.TERMINATED]),
)


@given(
    listed=st.dictionaries(
        st.integers(0, 4).map(lambda n: InstanceId(f"i-{n}")), st.sampled_from([*PHASES, "Other"]), max_size=5
    ),
    described=st.lists(instances, max_size=5),
    before=st.lists(st.integers(0, 4), unique=True, max_size=3),
    passed=st.integers(0, STALE_SECONDS - 1),
)
def test_an_observation_that_did_not_change_says_the_same(
    listed: dict[InstanceId, str], described: list[Instance], before: list[int], passed: int
) -> None:
    seen = observed(listed, *described)
    first = following(roster({InstanceId(f"i-{n}"): address(n) for n in before}), seen)
    assert following(first, seen, now=NOW + passed).says_the_same_as(first)


@given(st.lists(st.sampled_from([launching(I1), terminating(I1), launching(I2), terminating(I2)]), max_size=4))
def test_events_that_come_again_change_nothing(events: list[Launching | Terminating]) -> None:
    seen = observed({I1: "InService"}, instance(I1, A1))
    first = following(None, seen, *events)
    assert following(first, seen, *events, now=NOW + 20).says_the_same_as(first)


def test_a_debt_to_a_region_that_left_the_cluster_is_forgiven() -> None:
    gone = Region("eu-west-1")
    before = roster(departed={I1: NOW}, pending_releases={WEST: frozenset({I1}), gone: frozenset({I1})})
    assert following(before, NOTHING).pending_releases == {WEST: frozenset({I1})}


def test_old_tombstones_are_pruned_unless_a_region_owes_the_release() -> None:
    old, young = NOW - TOMBSTONE_SECONDS, NOW - TOMBSTONE_SECONDS + 1
    owing, third = InstanceId("i-9"), InstanceId("i-8")
    one = roster(departed={I1: old, I2: young, owing: old, third: NOW}, pending_releases={WEST: frozenset({owing})})
    assert pruned(one, NOW).departed == {I2: young, owing: old, third: NOW}


def test_a_retired_roster_wants_nobody_and_owes_nothing() -> None:
    one = roster({I1: A1}, pending_releases={WEST: frozenset({I2})}, security_groups=(GROUP,))
    assert retired(one).members == {}
    assert retired(one).pending_releases == {}
    assert retired(one).security_groups == (GROUP,)
    assert retired(one).key.region == EAST
