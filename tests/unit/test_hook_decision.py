"""What each waiting hook is answered: let go on, send away, or leave waiting."""

from collections.abc import Mapping

import pytest

from ringfence.core.configuration.settings import NoAddress
from ringfence.core.errors import Refusal, Refused, Retry
from ringfence.core.events import LifecycleEvent, Place
from ringfence.core.hook_decision import (
    Complete,
    Hold,
    HookDecision,
    RegionResults,
    WaitingInstance,
    decide,
    waiting_instances,
)
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.membership import STALE_SECONDS
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.model.rosters import MemberState, Roster
from ringfence.core.observation import Observation
from ringfence.core.region_result import RegionResult
from tests.unit.builders import (
    DB,
    EAST,
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

LAUNCHES, TERMINATES = (Transition.LAUNCH,), (Transition.TERMINATE,)
HOME, PEER = RegionResult(EAST), RegionResult(WEST)
DOWN = RegionResult(WEST, Retry("us-west-2 got no answer"))
LACKING = RegionResult(WEST, lacking={(DB, I1): Refused(Refusal.QUOTA, "no room")})
LINGERING = RegionResult(WEST, lingering=frozenset({(DB, I1)}))
ADMITTED = roster({I1: address(1)})
GONE = roster(departed={I1: NOW - 10})


def answered(
    one: WaitingInstance,
    standing: Roster,
    home: RegionResult = HOME,
    peer: RegionResult = PEER,
    now: int = NOW,
    **changes: object,
) -> HookDecision:
    return decide(one, standing, RegionResults(home, {WEST: peer}, now), settings(**changes))


def waits(transitions: tuple[Transition, ...] = LAUNCHES, warm: bool = False) -> WaitingInstance:
    return WaitingInstance(DB.asg, I1, transitions, None, warm, NOW)


def result(given: HookDecision) -> HookResult | None:
    """What the hook is answered; None where the instance is left waiting."""
    return given.result if isinstance(given, Complete) else None


# Who waits.


@pytest.mark.parametrize(
    ("state", "transitions", "warm"),
    [
        ("Pending:Wait", LAUNCHES, False),
        ("Terminating:Wait", TERMINATES, False),
        ("Warmed:Pending:Wait", LAUNCHES + TERMINATES, True),
        ("Warmed:Terminating:Wait", TERMINATES, True),
    ],
)
def test_whoever_is_listed_as_waiting_waits_without_any_event(
    state: str, transitions: tuple[Transition, ...], warm: bool
) -> None:
    assert waiting_instances(observed({I1: state, I2: "InService"}), [], NOW) == [
        WaitingInstance(DB.asg, I1, transitions, None, warm, NOW)
    ]


@pytest.mark.parametrize(
    ("event", "states", "seen"),
    [
        (launching(), {}, False),
        (launching(), {I1: "Pending"}, False),
        (launching(origin=Place.WARM_POOL), {I1: "Warmed:Stopped"}, False),
        (terminating(), {I1: "InService"}, False),
        (terminating(), {I1: "Terminating"}, False),
        (terminating(), {}, True),
    ],
)
def test_whoever_an_event_names_may_wait_before_the_group_lists_it(
    event: LifecycleEvent, states: Mapping[InstanceId, str], seen: bool
) -> None:
    # given a listing that is older than the event
    observation = observed(states, *([instance(I1)] if seen else []))
    # when
    (found,) = waiting_instances(observation, [event], NOW)
    # then
    assert (found.instance, found.event) == (I1, event)


@pytest.mark.parametrize(
    ("event", "states"),
    [
        (launching(), {I1: "InService"}),  # its hook was answered already
        (launching(), {I1: "Terminating"}),
        (launching(at=NOW - STALE_SECONDS - 1), {}),  # too late for a listing to be older
        (terminating(at=NOW - STALE_SECONDS - 1), {I1: "InService"}),
        (terminating(), {}),  # gone, as far as anybody knows
    ],
)
def test_whom_no_hook_can_hold_does_not_wait(event: LifecycleEvent, states: Mapping[InstanceId, str]) -> None:
    assert waiting_instances(observed(states), [event], NOW) == []


def test_an_event_of_a_group_that_is_not_ours_waits_for_nobody() -> None:
    assert waiting_instances(Observation({}, {}), [launching()], NOW) == []


def test_an_old_event_still_tells_since_when_a_listed_instance_waits() -> None:
    event = launching(at=NOW - 900)
    (found,) = waiting_instances(observed({I1: "Pending:Wait"}), [event], NOW)
    assert found.event == event


def test_an_event_tells_which_hook_waits_in_a_warm_pool() -> None:
    seen = observed({I1: "Warmed:Pending:Wait"})
    into = terminating(destination=Place.WARM_POOL)
    expected = WaitingInstance(DB.asg, I1, TERMINATES, into, warm=True, seen_at=NOW)
    assert waiting_instances(seen, [into], NOW) == [expected]


@pytest.mark.parametrize(
    ("state", "older"),
    [
        ("Terminating:Wait", launching(at=NOW - 20)),
        ("Terminating:Wait", launching(at=NOW - 20, destination=Place.WARM_POOL)),
        ("Pending:Wait", launching(at=NOW - 20, destination=Place.WARM_POOL)),
        ("Pending:Wait", terminating(at=NOW - 20, destination=Place.WARM_POOL)),
        ("Warmed:Terminating:Wait", launching(at=NOW - 20, destination=Place.WARM_POOL)),
    ],
)
def test_an_event_that_is_older_than_the_listing_does_not_change_what_an_instance_waits_for(
    state: str, older: LifecycleEvent
) -> None:
    seen = observed({I1: state})
    assert waiting_instances(seen, [older], NOW) == waiting_instances(seen, [], NOW)


@pytest.mark.parametrize("states", [{}, {I1: "Pending:Wait"}])
def test_of_two_events_the_later_one_says_what_the_instance_waits_for(states: Mapping[InstanceId, str]) -> None:
    seen = observed(states, instance(I1, address(1)))
    (found,) = waiting_instances(seen, [launching(at=NOW - 9), terminating(at=NOW - 1)], NOW)
    assert found.transitions == TERMINATES


# A launch.


def test_a_member_that_is_admitted_everywhere_goes_on() -> None:
    given = answered(waits(), ADMITTED)
    assert isinstance(given, Complete)
    assert (given.result, given.why) == (HookResult.CONTINUE, "admitted everywhere")


@pytest.mark.parametrize("peer", [DOWN, LACKING], ids=["down", "over quota"])
def test_a_peer_that_fails_holds_no_launch_up(peer: RegionResult) -> None:
    given = answered(waits(), ADMITTED, peer=peer)
    assert isinstance(given, Complete)
    assert given.result is HookResult.CONTINUE
    assert WEST in given.why


@pytest.mark.parametrize("peer", [DOWN, LACKING], ids=["down", "over quota"])
def test_a_required_peer_that_fails_does(peer: RegionResult) -> None:
    given = answered(waits(), ADMITTED, peer=peer, required_peers=frozenset({WEST}))
    assert isinstance(given, Hold)
    assert WEST in given.why


def test_a_peer_that_lacks_somebody_else_is_no_reason_to_wait() -> None:
    other = RegionResult(WEST, lacking={(DB, I2): Refused(Refusal.QUOTA, "no room")})
    assert result(answered(waits(), ADMITTED, peer=other, required_peers=frozenset({WEST}))) is HookResult.CONTINUE


def test_no_room_at_home_sends_the_instance_away_with_the_figures() -> None:
    full = Refused(Refusal.QUOTA, "sg-1 holds 60 of 60 rules")
    given = answered(waits(), ADMITTED, RegionResult(EAST, lacking={(DB, I1): full}))
    assert isinstance(given, Complete)
    assert given.result is HookResult.ABANDON
    assert "60 of 60" in given.why


def test_another_refusal_at_home_holds_it() -> None:
    home = RegionResult(EAST, lacking={(DB, I1): Refused(Refusal.MALFORMED, "bad rule")})
    given = answered(waits(), ADMITTED, home)
    assert isinstance(given, Hold)
    assert "bad rule" in given.why


def test_a_failure_at_home_holds_it() -> None:
    given = answered(waits(), ADMITTED, RegionResult(EAST, Retry("throttled")))
    assert isinstance(given, Hold)
    assert "throttled" in given.why


def test_whoever_is_no_member_does_not_go_into_service() -> None:
    assert isinstance(answered(waits(), GONE), Hold)


@pytest.mark.parametrize(
    ("waited", "no_address", "expected"),
    [
        (119, NoAddress.CONTINUE, None),
        (119, NoAddress.ABANDON, None),
        (120, NoAddress.CONTINUE, HookResult.CONTINUE),
        (120, NoAddress.ABANDON, HookResult.ABANDON),
    ],
)
def test_an_instance_without_an_address_waits_and_then_does_as_configured(
    waited: int, no_address: NoAddress, expected: HookResult | None
) -> None:
    # given
    standing = roster({I1: member(state=MemberState.WAITING, since=NOW - waited)})
    kinds = frozenset({AddressKind.IPV6})
    # when
    given = answered(waits(), standing, address_wait=120, no_address=no_address, address_kinds=kinds)
    # then
    assert result(given) is expected
    assert "no ipv6 address" in given.why


def test_even_without_an_address_a_failure_at_home_comes_first() -> None:
    standing = roster({I1: member(state=MemberState.WAITING, since=NOW - 999)})
    assert isinstance(answered(waits(), standing, RegionResult(EAST, Retry("throttled"))), Hold)


# A termination.


def test_whoever_is_released_everywhere_is_let_go() -> None:
    assert answered(waits(TERMINATES), GONE) == Complete(waits(TERMINATES), HookResult.CONTINUE, "released everywhere")


@pytest.mark.parametrize(
    "home", [RegionResult(EAST, Retry("throttled")), RegionResult(EAST, lingering=frozenset({(DB, I1)}))]
)
def test_nobody_is_let_go_while_its_own_region_may_admit_it(home: RegionResult) -> None:
    given = answered(waits(TERMINATES), roster(departed={I1: NOW - 9999}), home)
    assert isinstance(given, Hold)
    assert str(home.error or "the guard holds its rules") in given.why


@pytest.mark.parametrize("peer", [DOWN, LINGERING], ids=["down", "still admitting"])
@pytest.mark.parametrize(("waited", "let_go"), [(0, False), (299, False), (300, True)])
def test_a_peer_that_may_still_admit_it_holds_it_until_the_release_deadline(
    peer: RegionResult, waited: int, let_go: bool
) -> None:
    # given
    standing = roster(departed={I1: NOW - waited})
    # when
    given = answered(waits(TERMINATES), standing, peer=peer, release_deadline=300)
    # then
    assert isinstance(given, Complete) is let_go
    assert WEST in given.why
    if isinstance(given, Complete):
        assert given.result is HookResult.CONTINUE
        assert given.stale == (WEST,)


def test_a_required_peer_holds_it_beyond_the_release_deadline() -> None:
    standing = roster(departed={I1: NOW - 9999})
    assert isinstance(answered(waits(TERMINATES), standing, peer=DOWN, required_peers=frozenset({WEST})), Hold)


def test_a_peer_that_is_not_required_is_not_waited_for_because_another_is() -> None:
    # given
    north = Region("eu-north-1")
    standing = roster(departed={I1: NOW - 9999})
    peers = {WEST: DOWN, north: RegionResult(north)}
    # when
    changes = settings(required_peers=frozenset({north}), regions=(EAST, WEST, north))
    given = decide(waits(TERMINATES), standing, RegionResults(HOME, peers, NOW), changes)
    # then
    assert isinstance(given, Complete)
    assert given.stale == (WEST,)


def test_a_peer_over_quota_still_releases() -> None:
    assert result(answered(waits(TERMINATES), GONE, peer=LACKING)) is HookResult.CONTINUE


def test_whoever_is_a_member_again_is_not_let_go() -> None:
    assert isinstance(answered(waits(TERMINATES), ADMITTED), Hold)


def test_an_instance_that_nobody_knows_is_let_go_at_once() -> None:
    assert result(answered(waits(TERMINATES), roster())) is HookResult.CONTINUE


# Warm pools.


@pytest.mark.parametrize("home", [HOME, RegionResult(EAST, Retry("throttled"))])
def test_on_the_way_into_a_warm_pool_nothing_is_waited_for(home: RegionResult) -> None:
    given = answered(waits(LAUNCHES + TERMINATES, warm=True), roster(), home, DOWN)
    assert result(given) is HookResult.CONTINUE


def test_a_former_member_on_its_way_into_a_warm_pool_is_released_first() -> None:
    one = waits(TERMINATES, warm=True)
    assert isinstance(answered(one, GONE, peer=DOWN), Hold)
    assert result(answered(one, GONE)) is HookResult.CONTINUE


def test_on_the_way_into_a_warm_pool_a_rule_that_still_admits_it_is_looked_at_twice() -> None:
    lingering = RegionResult(EAST, lingering=frozenset({(DB, I1)}))
    assert isinstance(answered(waits(TERMINATES, warm=True), roster(), lingering), Hold)


def test_on_the_way_into_a_warm_pool_a_rule_in_a_peer_is_looked_at_twice_too() -> None:
    given = answered(waits(TERMINATES, warm=True), roster(), peer=LINGERING)
    assert isinstance(given, Hold)
    assert "us-west-2 admits it" in given.why


def test_on_the_way_into_a_warm_pool_an_old_listing_lets_nobody_go() -> None:
    # given a listing that is so old that the instance may have come out of the pool since, and no event with a token
    one = waits(LAUNCHES + TERMINATES, warm=True)
    # when
    just_in_time, too_late = answered(one, roster(), now=NOW + 10), answered(one, roster(), now=NOW + 11)
    # then
    assert result(just_in_time) is HookResult.CONTINUE
    assert isinstance(too_late, Hold)


def test_on_the_way_into_a_warm_pool_a_token_lets_go_however_old_the_listing_is() -> None:
    (one,) = waiting_instances(observed({I1: "Warmed:Pending:Wait"}), [launching(destination=Place.WARM_POOL)], NOW)
    assert result(answered(one, roster(), now=NOW + 11)) is HookResult.CONTINUE


def test_out_of_the_pool_an_instance_is_not_let_in_before_its_own_region_admits_it() -> None:
    # given a listing from before the instance came out of the pool, and a home Region that failed
    (one,) = waiting_instances(observed({I1: "Warmed:Pending:Wait"}), [launching(origin=Place.WARM_POOL)], NOW)
    # when
    given = answered(one, ADMITTED, RegionResult(EAST, Retry("throttled")))
    # then
    assert isinstance(given, Hold)
