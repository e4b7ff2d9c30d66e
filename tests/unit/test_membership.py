"""Which instances are members: what events, describes and tombstones say, and which of them outranks the others."""

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


def roster_after(
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
def test_an_instance_that_is_joining_or_serving_is_a_member(state: str, previous: Roster | None) -> None:
    after = roster_after(previous, observed({I1: state}, instance(I1, A1)))
    assert after.members[I1].addresses == (A1,)
    assert after.members[I1].state is MemberState.MEMBER


@pytest.mark.parametrize("state", [state for state, phase in PHASES.items() if phase is Phase.LEAVING])
@pytest.mark.parametrize("previous", [None, roster({I1: A1})])
def test_an_instance_that_is_leaving_has_departed(state: str, previous: Roster | None) -> None:
    after = roster_after(previous, observed({I1: state}, instance(I1, A1)))
    assert after.members == {}
    assert after.departed == {I1: NOW}


@pytest.mark.parametrize("state", [state for state, phase in PHASES.items() if phase is Phase.WARM])
def test_an_instance_in_a_warm_pool_is_no_member(state: str) -> None:
    seen = observed({I1: state}, instance(I1, A1))
    assert roster_after(None, seen).members == {}
    assert roster_after(None, seen).departed == {}
    assert roster_after(roster({I1: A1}), seen).departed == {I1: NOW}


def test_an_unknown_lifecycle_state_changes_no_membership() -> None:
    seen = observed({I1: "Teleporting:Wait", I2: "Teleporting:Wait"}, instance(I1, A1), instance(I2, A2))
    after = roster_after(roster({I1: A1}), seen)
    assert after.members == roster({I1: A1}).members
    assert after.departed == {}


def test_a_roster_announces_the_groups_and_account_of_its_region() -> None:
    after = roster_after(roster(version=7, updated_at=5), SEEN)
    assert (after.version, after.updated_at) == (7, 5)
    assert (after.security_groups, after.account) == ((GROUP,), "123456789012")


# A fresh event outranks a describe.


def test_a_launch_is_a_member_before_its_group_lists_it() -> None:
    after = roster_after(None, observed({}, instance(I1, A1, group=None)), launching())
    assert after.members[I1].addresses == (A1,)


def test_a_launch_without_any_describe_waits_for_its_address_since_its_event() -> None:
    after = roster_after(None, NOTHING, launching(at=NOW - 7))
    assert after.members[I1] == member(state=MemberState.WAITING, since=NOW - 7)


@pytest.mark.parametrize("state", ["InService", "Pending", "Standby"])
def test_a_termination_has_departed_before_its_group_shows_it(state: str) -> None:
    after = roster_after(roster({I1: A1}), observed({I1: state}, instance(I1, A1)), terminating(at=NOW - 3))
    assert after.members == {}
    assert after.departed == {I1: NOW - 3}


@pytest.mark.parametrize("seconds", [0, STALE_SECONDS])
def test_an_event_is_fresh_up_to_the_limit(seconds: int) -> None:
    assert roster_after(roster({I1: A1}), SEEN, terminating(at=NOW - seconds)).members == {}


def test_an_event_beyond_the_limit_changes_no_membership() -> None:
    late = NOW - STALE_SECONDS - 1
    assert roster_after(roster({I1: A1}), SEEN, terminating(at=late)).members == roster({I1: A1}).members
    assert roster_after(None, NOTHING, launching(at=late)).members == {}


def test_an_event_without_a_time_counts_as_fresh() -> None:
    assert roster_after(roster({I1: A1}), SEEN, terminating(at=None)).departed == {I1: NOW}


def test_the_departure_of_an_event_from_the_future_is_now() -> None:
    assert roster_after(roster({I1: A1}), SEEN, terminating(at=NOW + 500)).departed == {I1: NOW}


def test_an_event_of_another_group_is_ignored() -> None:
    assert roster_after(roster({I1: A1}), SEEN, replace(terminating(), group="cache")).members.keys() == {I1}


@pytest.mark.parametrize("order", list(permutations([launching(at=NOW - 9), terminating(at=NOW - 4)])))
def test_the_later_event_of_a_batch_counts_in_any_order_of_arrival(order: Sequence[LifecycleEvent]) -> None:
    after = roster_after(None, observed({I1: "Pending:Wait"}, instance(I1, A1)), *order)
    assert after.members == {}
    assert after.departed == {I1: NOW - 4}


def test_a_termination_is_later_than_a_launch_of_the_same_second() -> None:
    assert roster_after(None, SEEN, terminating(), launching()).members == {}
    assert roster_after(None, SEEN, launching(), terminating()).members == {}


@pytest.mark.parametrize(("launched", "terminated"), [(None, NOW - 3), (NOW - 3, None), (None, None)])
def test_a_termination_is_later_than_a_launch_if_one_has_no_time(launched: int | None, terminated: int | None) -> None:
    assert roster_after(None, SEEN, launching(at=launched), terminating(at=terminated)).members == {}
    assert roster_after(None, SEEN, terminating(at=terminated), launching(at=launched)).members == {}


# A tombstone outranks a listing or an event that may be older.


def test_a_launch_event_older_than_the_departure_restores_no_member() -> None:
    before = roster(departed={I1: NOW - 5})
    assert roster_after(before, SEEN, launching(at=NOW - 20)).members == {}


def test_a_launch_event_from_ec2_restores_no_departed_member_at_any_time() -> None:
    before = roster(departed={I1: NOW - 5})
    assert roster_after(before, SEEN, launching(at=NOW)).members == {}


def test_a_listing_that_may_be_stale_restores_no_departed_member() -> None:
    before = roster(departed={I1: NOW - STALE_SECONDS})
    assert roster_after(before, SEEN).members == {}


def test_a_later_listing_of_a_running_instance_restores_the_member() -> None:
    before = roster(departed={I1: NOW - STALE_SECONDS - 1})
    after = roster_after(before, SEEN)
    assert after.members[I1].addresses == (A1,)
    assert after.departed == {}


@pytest.mark.parametrize(
    "seen", [observed({I1: "InService"}), observed({I1: "InService"}, instance(power=Power.STOPPED))]
)
def test_a_later_listing_of_an_instance_that_does_not_run_restores_no_member(seen: Observation) -> None:
    assert roster_after(roster(departed={I1: NOW - 1000}), seen).members == {}


def test_an_instance_that_ec2_describes_as_terminated_has_departed_despite_all_other_evidence() -> None:
    seen = observed({I1: "InService"}, instance(I1, power=Power.TERMINATED))
    after = roster_after(roster({I1: A1}), seen, launching())
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
    assert I1 not in roster_after(previous, observed(listed, instance(I1, power=Power.TERMINATED)), *events).members


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
    current: Roster | None = roster({I1: A1}) if known else None
    now = NOW
    # when
    for name, passed, listing in zip(order, seconds, listings, strict=True):
        now += passed
        current = roster_after(current, observed(listing, instance(I1, A1)), events[name.split()[0]], now=now)
    # then
    assert current is not None
    assert I1 not in current.members
    assert I1 in current.departed


def test_a_launch_out_of_a_warm_pool_does_not_undo_a_later_termination() -> None:
    before = roster(departed={I1: NOW - 5})
    late = launching(at=NOW - 20, origin=Place.WARM_POOL)
    assert roster_after(before, observed({I1: "InService"}, instance(I1, A1)), late).members == {}


# Warm pools.


def test_a_launch_out_of_a_warm_pool_makes_a_departed_instance_a_member_again() -> None:
    before = roster(departed={I1: NOW - 5})
    event = launching(at=NOW, origin=Place.WARM_POOL)
    after = roster_after(before, observed({I1: "Pending:Wait"}, instance(I1, A1)), event)
    assert after.members[I1].addresses == (A1,)
    assert after.departed == {}


def test_the_later_event_counts_for_an_instance_that_enters_and_leaves_a_warm_pool_in_one_batch() -> None:
    into = terminating(at=NOW - 9, destination=Place.WARM_POOL)
    out = launching(at=NOW - 2, origin=Place.WARM_POOL)
    seen = observed({I1: "Warmed:Running"}, instance(I1, A1))
    for after in (roster_after(roster({I1: A1}), seen, into, out), roster_after(roster({I1: A1}), seen, out, into)):
        assert after.members.keys() == {I1}


def test_a_launch_out_of_a_warm_pool_outranks_a_listing_that_shows_the_instance_warm() -> None:
    event = launching(at=NOW, origin=Place.WARM_POOL)
    after = roster_after(None, observed({I1: "Warmed:Running"}, instance(I1, A1)), event)
    assert after.members.keys() == {I1}


def test_a_member_that_returns_to_a_warm_pool_has_departed() -> None:
    event = terminating(at=NOW - 2, destination=Place.WARM_POOL)
    after = roster_after(roster({I1: A1}), observed({I1: "Warmed:Pending:Wait"}, instance(I1, A1)), event)
    assert after.members == {}
    assert after.departed == {I1: NOW - 2}


@pytest.mark.parametrize(
    "event",
    [launching(destination=Place.WARM_POOL), terminating(origin=Place.WARM_POOL)],
    ids=["from EC2", "to EC2"],
)
def test_an_instance_between_ec2_and_a_warm_pool_is_no_member_and_has_no_tombstone(event: LifecycleEvent) -> None:
    after = roster_after(None, NOTHING, event)
    assert after.members == {}
    assert after.departed == {}


def test_an_event_into_a_warm_pool_does_not_outrank_a_listing_of_the_launch_out_of_it() -> None:
    event = launching(at=NOW - 5, destination=Place.WARM_POOL)
    assert roster_after(None, observed({I1: "Pending:Wait"}, instance(I1, A1)), event).members.keys() == {I1}


def test_a_terminated_instance_of_a_warm_pool_has_no_tombstone() -> None:
    seen = observed({I1: "Warmed:Terminated"}, instance(I1, power=Power.TERMINATED))
    assert roster_after(None, seen).departed == {}


def test_an_unknown_member_that_returns_to_a_warm_pool_has_departed() -> None:
    event = terminating(at=NOW - 2, destination=Place.WARM_POOL)
    assert roster_after(None, NOTHING, event).departed == {I1: NOW - 2}


# Instances that their group does not list.


def test_a_listed_instance_is_a_member_before_its_tag_is_visible() -> None:
    seen = observed({I1: "InService"}, instance(I1, A1, group=None))
    assert roster_after(roster({I1: A1}), seen).members.keys() == {I1}


def test_a_detached_instance_has_departed_at_once() -> None:
    after = roster_after(roster({I1: A1}), observed({}, instance(I1, A1, group=None)))
    assert after.members == {}
    assert after.departed == {I1: NOW}


def test_an_instance_that_moved_to_another_group_has_departed() -> None:
    after = roster_after(roster({I1: A1}), observed({}, instance(I1, A1, group="cache")))
    assert after.departed == {I1: NOW}


@pytest.mark.parametrize("seen", [NOTHING, observed({}, instance(I1, A1))], ids=["not described", "described"])
def test_a_member_that_its_group_no_longer_lists_stays_for_a_minute(seen: Observation) -> None:
    # when
    first = roster_after(roster({I1: A1}), seen)
    # then
    assert first.members == {I1: member(A1, state=MemberState.MISSING, since=NOW)}
    # when
    soon = roster_after(first, seen, now=NOW + STALE_SECONDS - 1)
    # then
    assert soon.members == first.members
    # when
    later = roster_after(soon, seen, now=NOW + STALE_SECONDS)
    # then it is no member, and has no tombstone
    assert later.members == {}
    assert later.departed == {}


def test_a_missing_member_that_is_listed_again_has_the_state_member() -> None:
    before = roster({I1: member(A1, state=MemberState.MISSING, since=NOW - 30)})
    assert roster_after(before, SEEN).members[I1].state is MemberState.MEMBER


def test_a_missing_member_gets_its_new_address() -> None:
    before = roster({I1: member(A1, state=MemberState.MISSING, since=NOW - 30)})
    assert roster_after(before, observed({}, instance(I1, A2))).members[I1].addresses == (A2,)


# Addresses.


def test_a_member_that_could_not_be_described_keeps_its_addresses() -> None:
    assert roster_after(roster({I1: A1}), observed({I1: "InService"})).members == roster({I1: A1}).members


def test_a_member_that_is_described_as_pending_keeps_its_addresses() -> None:
    pending = instance(I1, power=Power.PENDING)
    assert roster_after(roster({I1: A1}), observed({I1: "Pending:Wait"}, pending)).members[I1].addresses == (A1,)


@pytest.mark.parametrize("power", [Power.RUNNING, Power.STOPPED])
def test_a_member_that_lost_its_address_has_the_state_bare(power: Power) -> None:
    seen = observed({I1: "InService"}, instance(I1, power=power))
    after = roster_after(roster({I1: A1}), seen)
    assert after.members[I1] == member(state=MemberState.BARE, since=NOW)
    assert roster_after(after, seen).members == after.members


def test_a_new_address_replaces_the_old_address() -> None:
    after = roster_after(roster({I1: A1}), observed({I1: "InService"}, instance(I1, A2)))
    assert after.members[I1].addresses == (A2,)


def test_a_member_has_the_addresses_of_all_configured_kinds_and_no_others() -> None:
    private, v6 = Cidr("10.0.0.1/32"), Cidr("2001:db8::1/128")
    seen = observed({I1: "InService"}, instance(I1, A1, private_ipv4=(private,), ipv6=(v6,)))
    both = frozenset({AddressKind.PRIVATE_IPV4, AddressKind.IPV6})
    assert roster_after(None, seen, address_kinds=both).members[I1].addresses == (private, v6)


def test_the_wait_for_an_address_keeps_its_start() -> None:
    seen = observed({I1: "Pending:Wait"}, instance(I1))
    first = roster_after(None, seen, launching(at=NOW))
    second = roster_after(first, seen, launching(at=NOW), now=NOW + 30)
    assert second.members[I1].since == NOW


# Repetition and pruning.

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
def test_a_repeated_observation_does_not_change_the_roster(
    listed: dict[InstanceId, str], described: list[Instance], before: list[int], passed: int
) -> None:
    seen = observed(listed, *described)
    first = roster_after(roster({InstanceId(f"i-{n}"): address(n) for n in before}), seen)
    assert roster_after(first, seen, now=NOW + passed).says_the_same_as(first)


@given(st.lists(st.sampled_from([launching(I1), terminating(I1), launching(I2), terminating(I2)]), max_size=4))
def test_repeated_events_do_not_change_the_roster(events: list[Launching | Terminating]) -> None:
    seen = observed({I1: "InService"}, instance(I1, A1))
    first = roster_after(None, seen, *events)
    assert roster_after(first, seen, *events, now=NOW + 20).says_the_same_as(first)


def test_the_pending_releases_of_a_region_that_left_the_cluster_are_dropped() -> None:
    gone = Region("eu-west-1")
    before = roster(departed={I1: NOW}, pending_releases={WEST: frozenset({I1}), gone: frozenset({I1})})
    assert roster_after(before, NOTHING).pending_releases == {WEST: frozenset({I1})}


def test_old_tombstones_are_pruned_unless_their_release_is_pending() -> None:
    old, young = NOW - TOMBSTONE_SECONDS, NOW - TOMBSTONE_SECONDS + 1
    pending, third = InstanceId("i-9"), InstanceId("i-8")
    before = roster(
        departed={I1: old, I2: young, pending: old, third: NOW}, pending_releases={WEST: frozenset({pending})}
    )
    assert pruned(before, NOW).departed == {I2: young, pending: old, third: NOW}


def test_a_retired_roster_has_no_members_and_no_pending_releases() -> None:
    before = roster({I1: A1}, pending_releases={WEST: frozenset({I2})}, security_groups=(GROUP,))
    assert retired(before).members == {}
    assert retired(before).pending_releases == {}
    assert retired(before).security_groups == (GROUP,)
    assert retired(before).key.region == EAST
