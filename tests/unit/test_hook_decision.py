"""The answer to a waiting hook: continue, abandon, or leave the instance waiting."""

from dataclasses import replace

import pytest

from ringfence.core.configuration.settings import NoAddress
from ringfence.core.errors import NotAnnounced, Refusal, Refused, Retry
from ringfence.core.events import Place
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
from ringfence.core.lifecycle_decision import Decision, Reason
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region
from ringfence.core.model.rosters import MemberState, Roster, Rows
from ringfence.core.region_result import RegionResult
from tests.unit.builders import (
    DB,
    EAST,
    I1,
    I2,
    NOW,
    WEST,
    address,
    launching,
    member,
    observed,
    roster,
    settings,
)

LAUNCHES, TERMINATES = (Transition.LAUNCH,), (Transition.TERMINATE,)
TOKEN = "71514b9d-6a40-4b26-8523-05e7ee35fa40"
HOME, PEER = RegionResult(EAST), RegionResult(WEST)
DOWN = RegionResult(WEST, Retry("us-west-2 got no answer"))
NEW = RegionResult(WEST, NotAnnounced("being deployed", is_new=True))
LEFT = RegionResult(WEST, NotAnnounced("never announced", is_new=False))
LACKING = RegionResult(WEST, lacking={(DB, I1): Refused(Refusal.QUOTA, "no room")})
LINGERING = RegionResult(WEST, lingering=frozenset({(DB, I1)}))
ADMITTED = roster({I1: address(1)})
GONE = roster(departed={I1: NOW - 10})


def decision_for(
    waiting: WaitingInstance,
    roster: Roster,
    home: RegionResult = HOME,
    peer: RegionResult = PEER,
    now: int = NOW,
    **changes: object,
) -> HookDecision:
    return decide(waiting, roster, RegionResults(home, {WEST: peer}, now), settings(**changes))


def waiting(transitions: tuple[Transition, ...] = LAUNCHES, *, warm: bool = False) -> WaitingInstance:
    return WaitingInstance(DB.asg, I1, transitions, None, warm, NOW)


def result(decision: HookDecision) -> HookResult | None:
    """The answer to the hook, or None if the instance is left waiting."""
    return decision.result if isinstance(decision, Complete) else None


# A launch.


def test_a_launch_that_is_admitted_everywhere_continues() -> None:
    decision = decision_for(waiting(), ADMITTED)
    assert isinstance(decision, Complete)
    assert (decision.result, decision.why) == (HookResult.CONTINUE, "admitted everywhere")


@pytest.mark.parametrize("peer", [DOWN, LACKING], ids=["down", "over quota"])
def test_a_peer_that_fails_does_not_hold_a_launch(peer: RegionResult) -> None:
    decision = decision_for(waiting(), ADMITTED, peer=peer)
    assert isinstance(decision, Complete)
    assert decision.result is HookResult.CONTINUE
    assert WEST in decision.why


@pytest.mark.parametrize("peer", [DOWN, LACKING], ids=["down", "over quota"])
def test_a_required_peer_that_fails_holds_a_launch(peer: RegionResult) -> None:
    decision = decision_for(waiting(), ADMITTED, peer=peer, required_peers=frozenset({WEST}))
    assert isinstance(decision, Hold)
    assert WEST in decision.why


def test_a_required_peer_that_lacks_another_instance_does_not_hold_a_launch() -> None:
    other = RegionResult(WEST, lacking={(DB, I2): Refused(Refusal.QUOTA, "no room")})
    assert (
        result(decision_for(waiting(), ADMITTED, peer=other, required_peers=frozenset({WEST}))) is HookResult.CONTINUE
    )


def test_a_launch_without_room_at_home_is_abandoned_and_the_reason_has_the_figures() -> None:
    full = Refused(Refusal.QUOTA, "sg-1 holds 60 of 60 rules")
    decision = decision_for(waiting(), ADMITTED, RegionResult(EAST, lacking={(DB, I1): full}))
    assert isinstance(decision, Complete)
    assert decision.result is HookResult.ABANDON
    assert "60 of 60" in decision.why


def test_another_refusal_at_home_holds_a_launch() -> None:
    home = RegionResult(EAST, lacking={(DB, I1): Refused(Refusal.MALFORMED, "bad rule")})
    decision = decision_for(waiting(), ADMITTED, home)
    assert isinstance(decision, Hold)
    assert "bad rule" in decision.why


def test_a_failure_at_home_holds_a_launch() -> None:
    decision = decision_for(waiting(), ADMITTED, RegionResult(EAST, Retry("throttled")))
    assert isinstance(decision, Hold)
    assert "throttled" in decision.why


def test_a_launch_that_aws_does_not_confirm_is_held() -> None:
    # given a member whose rule was not made, because AWS does not show it at the moment
    missing = roster({I1: member(address(1), state=MemberState.MISSING)})
    unconfirmed = Refused(Refusal.UNCONFIRMED, "AWS does not show the instance at the moment")
    # when
    decision = decision_for(waiting(), missing, RegionResult(EAST, lacking={(DB, I1): unconfirmed}))
    # then
    assert isinstance(decision, Hold)
    assert decision.why == "AWS does not show the instance at the moment"


def test_a_launch_that_a_newer_roster_in_a_peer_does_not_confirm_is_held() -> None:
    # given another invocation that AWS did not show the instance, and whose roster the peer has by now
    unconfirmed = Refused(Refusal.UNCONFIRMED, "AWS does not show the instance at the moment")
    peer = RegionResult(WEST, lacking={(DB, I1): unconfirmed})
    # when
    decision = decision_for(waiting(), ADMITTED, peer=peer)
    # then
    assert isinstance(decision, Hold)
    assert decision.why == "us-west-2: AWS does not show the instance at the moment"


def test_a_launch_that_is_no_member_is_held() -> None:
    assert isinstance(decision_for(waiting(), GONE), Hold)


@pytest.mark.parametrize(
    ("waited", "no_address", "expected"),
    [
        (119, NoAddress.CONTINUE, None),
        (119, NoAddress.ABANDON, None),
        (120, NoAddress.CONTINUE, HookResult.CONTINUE),
        (120, NoAddress.ABANDON, HookResult.ABANDON),
    ],
)
def test_a_launch_without_an_address_is_held_and_then_answered_as_configured(
    waited: int, no_address: NoAddress, expected: HookResult | None
) -> None:
    # given
    existing = roster({I1: member(state=MemberState.WAITING, since=NOW - waited)})
    kinds = frozenset({AddressKind.IPV6})
    # when
    decision = decision_for(waiting(), existing, address_wait=120, no_address=no_address, address_kinds=kinds)
    # then
    assert result(decision) is expected
    assert "no ipv6 address" in decision.why


def test_a_failure_at_home_holds_a_launch_whose_wait_for_an_address_is_over() -> None:
    existing = roster({I1: member(state=MemberState.WAITING, since=NOW - 999)})
    assert isinstance(decision_for(waiting(), existing, RegionResult(EAST, Retry("throttled"))), Hold)


# A termination.


def test_a_termination_that_is_released_everywhere_continues() -> None:
    assert decision_for(waiting(TERMINATES), GONE) == Complete(
        waiting(TERMINATES), Decision.RELEASED, Reason.RELEASED_EVERYWHERE, "released everywhere"
    )


@pytest.mark.parametrize(
    "home", [RegionResult(EAST, Retry("throttled")), RegionResult(EAST, lingering=frozenset({(DB, I1)}))]
)
def test_a_termination_is_held_while_its_own_region_may_admit_the_instance(home: RegionResult) -> None:
    decision = decision_for(waiting(TERMINATES), roster(departed={I1: NOW - 9999}), home)
    assert isinstance(decision, Hold)
    assert str(home.error or "the guard holds its rules") in decision.why


@pytest.mark.parametrize("peer", [DOWN, LINGERING], ids=["down", "still admitting"])
@pytest.mark.parametrize(("waited", "continues"), [(0, False), (299, False), (300, True)])
def test_a_peer_that_may_still_admit_the_instance_holds_a_termination_until_the_release_deadline(
    peer: RegionResult, waited: int, continues: bool
) -> None:
    # given
    existing = roster(departed={I1: NOW - waited})
    # when
    decision = decision_for(waiting(TERMINATES), existing, peer=peer, release_deadline=300)
    # then
    assert isinstance(decision, Complete) is continues
    assert WEST in decision.why
    if isinstance(decision, Complete):
        assert decision.result is HookResult.CONTINUE
        assert decision.stale == (WEST,)


def test_a_required_peer_holds_a_termination_beyond_the_release_deadline() -> None:
    existing = roster(departed={I1: NOW - 9999})
    assert isinstance(decision_for(waiting(TERMINATES), existing, peer=DOWN, required_peers=frozenset({WEST})), Hold)


def test_only_required_peers_hold_a_termination_beyond_the_release_deadline() -> None:
    # given
    north = Region("eu-north-1")
    existing = roster(departed={I1: NOW - 9999})
    peers = {WEST: DOWN, north: RegionResult(north)}
    # when
    changes = settings(required_peers=frozenset({north}), regions=(EAST, WEST, north))
    decision = decide(waiting(TERMINATES), existing, RegionResults(HOME, peers, NOW), changes)
    # then
    assert isinstance(decision, Complete)
    assert decision.stale == (WEST,)


def test_a_peer_over_quota_does_not_hold_a_termination() -> None:
    assert result(decision_for(waiting(TERMINATES), GONE, peer=LACKING)) is HookResult.CONTINUE


def test_a_termination_of_an_instance_that_is_a_member_again_is_held() -> None:
    assert isinstance(decision_for(waiting(TERMINATES), ADMITTED), Hold)


def test_a_termination_of_a_missing_member_is_held_and_says_why() -> None:
    decision = decision_for(waiting(TERMINATES), roster({I1: member(address(1), state=MemberState.MISSING)}))
    assert isinstance(decision, Hold)
    assert decision.why == "AWS does not show yet that it has left its group"


def test_a_termination_of_an_unknown_instance_continues_at_once() -> None:
    assert result(decision_for(waiting(TERMINATES), roster())) is HookResult.CONTINUE


# Warm pools.


THROTTLED = RegionResult(EAST, Retry("throttled"))


@pytest.mark.parametrize("home", [HOME, THROTTLED])
def test_a_launch_into_a_warm_pool_continues_whatever_the_regions_resulted_in(home: RegionResult) -> None:
    decision = decision_for(waiting(LAUNCHES, warm=True), roster(), home, DOWN)
    assert result(decision) is HookResult.CONTINUE


@pytest.mark.parametrize("transitions", [TERMINATES, LAUNCHES + TERMINATES])
@pytest.mark.parametrize("home", [THROTTLED, RegionResult(EAST, rows=Rows())], ids=["throttled", "no row"])
def test_an_instance_that_may_leave_its_group_for_a_warm_pool_waits_until_its_own_region_was_seen(
    transitions: tuple[Transition, ...], home: RegionResult
) -> None:
    # given an instance that the roster does not know: the table may be younger than the instance's rules
    decision = decision_for(waiting(transitions, warm=True), roster(), home)
    # then
    assert isinstance(decision, Hold)
    assert "may still admit it" in decision.why


def test_a_peer_that_is_down_does_not_hold_an_unknown_instance_on_its_way_into_a_warm_pool() -> None:
    decision = decision_for(waiting(LAUNCHES + TERMINATES, warm=True), roster(), peer=DOWN)
    assert result(decision) is HookResult.CONTINUE


def test_a_former_member_on_its_way_into_a_warm_pool_is_held_until_it_is_released() -> None:
    warm = waiting(TERMINATES, warm=True)
    assert isinstance(decision_for(warm, GONE, peer=DOWN), Hold)
    assert result(decision_for(warm, GONE)) is HookResult.CONTINUE


def test_an_instance_on_its_way_into_a_warm_pool_is_held_while_a_rule_at_home_admits_it() -> None:
    lingering = RegionResult(EAST, lingering=frozenset({(DB, I1)}))
    assert isinstance(decision_for(waiting(TERMINATES, warm=True), roster(), lingering), Hold)


def test_an_instance_on_its_way_into_a_warm_pool_is_held_while_a_rule_in_a_peer_admits_it() -> None:
    decision = decision_for(waiting(TERMINATES, warm=True), roster(), peer=LINGERING)
    assert isinstance(decision, Hold)
    assert "us-west-2 admits it" in decision.why


def test_an_old_listing_holds_an_instance_on_its_way_into_a_warm_pool() -> None:
    # given a listing from before the instance may have left the pool again, and no event with a token
    warm = waiting(LAUNCHES + TERMINATES, warm=True)
    # when
    trusted, too_old = decision_for(warm, roster(), now=NOW + 10), decision_for(warm, roster(), now=NOW + 11)
    # then
    assert result(trusted) is HookResult.CONTINUE
    assert isinstance(too_old, Hold)


def test_an_event_with_an_old_listing_continues_an_instance_on_its_way_into_a_warm_pool() -> None:
    event = launching(destination=Place.WARM_POOL, token=TOKEN)
    (warm,) = waiting_instances(observed({I1: "Warmed:Pending:Wait"}), [event], NOW)
    assert result(decision_for(warm, roster(), now=NOW + 11)) is HookResult.CONTINUE


def test_an_event_without_a_token_does_not_renew_an_old_listing() -> None:
    (warm,) = waiting_instances(observed({I1: "Warmed:Pending:Wait"}), [launching(destination=Place.WARM_POOL)], NOW)
    assert isinstance(decision_for(warm, roster(), now=NOW + 11), Hold)


def test_a_launch_out_of_a_warm_pool_is_held_until_its_own_region_admits_it() -> None:
    # given a listing from before the instance came out of the pool, and a home Region that failed
    (warm,) = waiting_instances(observed({I1: "Warmed:Pending:Wait"}), [launching(origin=Place.WARM_POOL)], NOW)
    # when
    decision = decision_for(warm, ADMITTED, RegionResult(EAST, Retry("throttled")))
    # then
    assert isinstance(decision, Hold)


# An instance that EC2 does not describe.


@pytest.mark.parametrize("no_address", list(NoAddress))
def test_a_launch_that_ec2_does_not_describe_waits_however_long_it_has_no_address(no_address: NoAddress) -> None:
    # given
    seen = replace(observed({I1: "Pending:Wait"}), undescribed={I1: "us-east-1a"})
    (waits,) = waiting_instances(seen, [], NOW)
    without = roster({I1: member(state=MemberState.WAITING, since=NOW - 1000)})
    # then
    assert isinstance(decision_for(waits, without, no_address=no_address), Hold)
    described = replace(waits, undescribed=False)
    assert result(decision_for(described, without, no_address=no_address)) is not None


def test_a_launch_that_was_described_before_its_zone_failed_continues_once_it_is_admitted() -> None:
    seen = replace(observed({I1: "Pending:Wait"}), undescribed={I1: "us-east-1a"})
    (waits,) = waiting_instances(seen, [], NOW)
    assert result(decision_for(waits, ADMITTED)) is HookResult.CONTINUE


# A peer that has not announced itself.


@pytest.mark.parametrize(("waited", "holds"), [(0, True), (89, True), (90, False)])
def test_a_launch_waits_ninety_seconds_for_a_peer_that_is_being_deployed(waited: int, holds: bool) -> None:
    decision = decision_for(waiting(), roster({I1: member(address(1), since=NOW - waited)}), peer=NEW)
    assert isinstance(decision, Hold) is holds
    if holds:
        assert "being deployed" in decision.why
    else:
        assert isinstance(decision, Complete)
        assert (decision.result, decision.why) == (HookResult.CONTINUE, "admitted at home; us-west-2 must follow")


def test_a_launch_waits_for_a_new_peer_no_longer_than_its_heartbeat_allows() -> None:
    existing = roster({I1: member(address(1), since=NOW - 30)})
    assert isinstance(decision_for(waiting(), existing, peer=NEW, announcement_wait=31), Hold)
    assert result(decision_for(waiting(), existing, peer=NEW, announcement_wait=30)) is HookResult.CONTINUE


def test_a_launch_does_not_wait_for_a_peer_that_has_had_its_table_for_long() -> None:
    decision = decision_for(waiting(), roster({I1: member(address(1), since=NOW)}), peer=LEFT)
    assert isinstance(decision, Complete)
    assert decision.why == "admitted at home; us-west-2 must follow"


def test_a_required_peer_that_has_not_announced_itself_holds_a_launch() -> None:
    assert isinstance(decision_for(waiting(), ADMITTED, peer=LEFT, required_peers=frozenset({WEST})), Hold)


@pytest.mark.parametrize(("peer", "waited", "holds"), [(NEW, 89, True), (NEW, 90, False), (LEFT, 0, False)])
def test_a_termination_waits_for_an_unannounced_peer_only_while_it_is_being_deployed(
    peer: RegionResult, waited: int, holds: bool
) -> None:
    gone = roster(departed={I1: NOW - waited})
    decision = decision_for(waiting(TERMINATES), gone, peer=peer, release_deadline=300)
    assert isinstance(decision, Hold) is holds
    assert holds or (isinstance(decision, Complete) and decision.stale == (WEST,))


def test_another_peer_that_fails_holds_a_termination_until_the_release_deadline_as_ever() -> None:
    third = Region("eu-west-1")
    results = RegionResults(HOME, {WEST: LEFT, third: RegionResult(third, Retry("no answer"))}, NOW)
    everywhere = settings(regions=(EAST, WEST, third), release_deadline=300)
    assert isinstance(decide(waiting(TERMINATES), roster(departed={I1: NOW - 299}), results, everywhere), Hold)
