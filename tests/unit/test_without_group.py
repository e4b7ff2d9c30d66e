"""What becomes of the members of a group that does not exist: only EC2's word ends a membership."""

import pytest

from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence.core.observation import Instance, Observation, Power
from ringfence.core.without_group import decide_without_group
from tests.unit.builders import I1, I2, NOW, address, instance, member, roster

A1 = address(1)
MISSING = member(A1, state=MemberState.MISSING, since=NOW - STALE_SECONDS)


def decided(before: Roster, *described: Instance, absent: bool = False, now: int = NOW) -> Roster:
    seen = {each.id: each for each in described}
    gone = frozenset(before.members.keys() - seen.keys()) if absent else frozenset()
    return decide_without_group(before, Observation({}, seen, gone), now).roster


@pytest.mark.parametrize("before", [member(A1), member(A1, state=MemberState.WAITING), MISSING])
def test_an_instance_that_ec2_calls_terminated_has_departed(before: Member) -> None:
    after = decided(roster({I1: before}), instance(I1, power=Power.TERMINATED))
    assert (after.members, after.departed) == ({}, {I1: NOW})


def test_an_instance_without_the_tag_of_the_group_was_detached() -> None:
    after = decided(roster({I1: A1}), instance(I1, A1, group=None))
    assert (after.members, after.departed) == ({}, {I1: NOW})


def test_a_new_member_without_the_tag_stays_for_a_minute() -> None:
    before = roster({I1: member(A1, since=NOW - STALE_SECONDS + 1)})
    assert decided(before, instance(I1, A1, group=None)) == before


@pytest.mark.parametrize("power", [Power.PENDING, Power.RUNNING, Power.STOPPED])
def test_an_instance_that_ec2_shows_stays_as_it_was(power: Power) -> None:
    before = roster({I1: A1})
    assert decided(before, instance(I1, power=power)) == before


def test_an_instance_that_ec2_does_not_know_is_missing_at_first() -> None:
    after = decided(roster({I1: A1}), absent=True)
    assert after.members == {I1: member(A1, state=MemberState.MISSING, since=NOW)}


def test_an_instance_that_two_answers_a_minute_apart_do_not_know_departed_at_the_first() -> None:
    after = decided(roster({I1: MISSING}), absent=True)
    assert (after.members, after.departed) == ({}, {I1: MISSING.since})


def test_two_answers_less_than_a_minute_apart_are_not_enough() -> None:
    before = roster({I1: member(A1, state=MemberState.MISSING, since=NOW - STALE_SECONDS + 1)})
    assert decided(before, absent=True) == before


def test_an_instance_that_is_not_described_is_not_absent() -> None:
    before = roster({I1: MISSING, I2: A1})
    assert decided(before) == before


@pytest.mark.parametrize(("addresses", "state"), [((A1,), MemberState.MEMBER), ((), MemberState.BARE)])
def test_an_instance_that_ec2_shows_again_starts_over(addresses: tuple[Cidr, ...], state: MemberState) -> None:
    before = Member(addresses, MemberState.MISSING, NOW - 1000)
    assert decided(roster({I1: before}), instance(I1, A1)).members == {I1: Member(before.addresses, state, NOW)}


def test_tombstones_stay_unless_they_are_from_the_future() -> None:
    after = decided(roster({}, departed={I1: NOW - 10, I2: NOW + 1000}))
    assert after.departed == {I1: NOW - 10}
