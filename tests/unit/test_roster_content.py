"""What a roster contains: addresses, the ports and groups of its Region, old tombstones; and the announcement."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence import __version__
from ringfence.core.configuration.settings import Mode, PrivateAddresses
from ringfence.core.events import Launching, LifecycleEvent, Terminating
from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.lifecycle import PHASES
from ringfence.core.membership.addresses import ADDRESSES_LIMIT
from ringfence.core.membership.decision import announced, decide_members, retired
from ringfence.core.membership.tombstones import TOMBSTONE_SECONDS, pruned
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import MemberState, Roster
from ringfence.core.observation import Instance, Observation, Power
from tests.unit.builders import (
    DB,
    EAST,
    GROUP,
    I1,
    I2,
    NOW,
    TCP,
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
    previous: Roster | None, seen: Observation, *events: LifecycleEvent, now: int = NOW, **changes: object
) -> Roster:
    return decide_members(previous or Roster(DB), seen, events, now, settings(**changes)).roster


def test_a_roster_announces_the_groups_and_account_of_its_region() -> None:
    after = roster_after(roster(version=7, updated_at=5), SEEN)
    assert (after.version, after.updated_at) == (7, 5)
    assert (after.security_groups, after.account) == ((GROUP,), "123456789012")


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


@pytest.mark.parametrize("count", [ADDRESSES_LIMIT, ADDRESSES_LIMIT + 1, 1000])
def test_only_the_first_addresses_of_an_instance_are_admitted_and_the_rest_is_reported(count: int) -> None:
    # given
    addresses = [address(number) for number in range(count)]
    seen = observed({I1: "InService"}, instance(I1, *reversed(addresses)), instance(I2, *addresses, group="cache"))
    # when
    decision = decide_members(Roster(DB), seen, [], NOW, settings())
    # then
    assert decision.roster.members[I1].addresses == tuple(sorted(addresses)[:ADDRESSES_LIMIT])
    expected = f"{I1} of {DB} has {count} addresses, and only the first {ADDRESSES_LIMIT} are admitted"
    assert decision.problems == (() if count == ADDRESSES_LIMIT else (expected,))


def test_a_member_has_the_addresses_of_all_configured_kinds_and_no_others() -> None:
    private, v6 = Cidr("10.0.0.1/32"), Cidr("2001:db8::1/128")
    seen = observed({I1: "InService"}, instance(I1, A1, private_ipv4=(private,), ipv6=(v6,)))
    both = frozenset({AddressKind.PRIVATE_IPV4, AddressKind.IPV6})
    assert roster_after(None, seen, address_kinds=both).members[I1].addresses == (private, v6)


@pytest.mark.parametrize(("private", "admitted"), [(PrivateAddresses.ALL, 31), (PrivateAddresses.PRIMARY, 1)])
def test_secondary_private_addresses_are_admitted_unless_the_setting_says_primary(
    private: PrivateAddresses, admitted: int
) -> None:
    node = instance(I1, private_ipv4=tuple(Cidr(f"10.0.0.{number}/32") for number in range(1, 32)))
    seen = observed({I1: "InService"}, replace(node, primary=Cidr("10.0.0.7/32")))
    kinds = frozenset({AddressKind.PRIVATE_IPV4})
    addresses = roster_after(None, seen, address_kinds=kinds, private_addresses=private).members[I1].addresses
    assert len(addresses) == admitted
    assert "10.0.0.7/32" in addresses


def test_what_is_not_admitted_is_a_problem_with_its_instance() -> None:
    # given
    carrier = instance(I1, carrier_ipv4=(Cidr("155.146.0.1/32"),))
    delegated = replace(instance(I2, A1), prefixes={AddressKind.PRIVATE_IPV4: ("10.0.1.16/28",)})
    seen = observed({I1: "InService", I2: "InService"}, carrier, delegated)
    kinds = frozenset({AddressKind.PUBLIC_IPV4, AddressKind.PRIVATE_IPV4})
    # when
    problems = decide_members(Roster(DB), seen, [], NOW, settings(address_kinds=kinds)).problems
    # then
    assert problems == (
        f"{I1} of {DB} has no address of a configured kind, but carrier-ipv4: name that in AddressKinds",
        f"delegated prefixes are not supported, so nothing in them is admitted: {I2} of {DB} has 10.0.1.16/28",
    )
    # but prefixes of a kind that the cluster does not use, and other kinds beside a configured one, are none
    assert decide_members(Roster(DB), observed({}, delegated), [], NOW, settings()).problems == ()
    both = replace(carrier, addresses={**carrier.addresses, AddressKind.PUBLIC_IPV4: (A1,)})
    assert decide_members(Roster(DB), observed({}, both), [], NOW, settings()).problems == ()


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


# The announcement.


def test_an_announcement_lists_the_groups_of_its_region_and_has_no_members() -> None:
    # given an announcement that another caller filled
    key = RosterKey(EAST, ANNOUNCEMENT)
    before = roster({I1: A1}, {I2: NOW}, key, version=3, pending_releases={WEST: frozenset({I2})}, updated_at=9)
    # when
    after = announced(before, settings(auto_scaling_groups=("seeds", "db"), ports=Ports((TCP,)), mode=Mode.OBSERVE))
    # then
    assert after == Roster(
        key,
        version=3,
        security_groups=(GROUP,),
        ports=Ports((TCP,)),
        account="123456789012",
        observed=True,
        groups=frozenset({"db", "seeds"}),
        engine=__version__,
        updated_at=9,
    )


def test_an_announcement_with_other_groups_says_something_else() -> None:
    key = RosterKey(EAST, ANNOUNCEMENT)
    assert not announced(Roster(key), settings()).says_the_same_as(
        announced(Roster(key), settings(auto_scaling_groups=("db", "seeds")))
    )
