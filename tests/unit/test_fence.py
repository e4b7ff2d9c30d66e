"""Which departed instances need a second look, for how long, and what the bounds follow from."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from ringfence.aws.clients import Attribution, Clients
from ringfence.core.errors import Retry
from ringfence.core.freshness import (
    ANSWER_SECONDS,
    FENCE_SECONDS,
    FUNCTION_SECONDS,
    SETTLED_SECONDS,
    STALE_RULES_SECONDS,
    WRITE_SECONDS,
)
from ringfence.core.hook_decision import Hold, RegionResults, WaitingInstance, decide
from ringfence.core.lifecycle import Transition
from ringfence.core.membership.decision import decide_members
from ringfence.core.membership.tombstones import is_watched, pruned
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence.core.region_result import RegionResult, newly_fenced, pending_releases
from tests.unit.builders import (
    DB,
    EAST,
    I1,
    I2,
    NOW,
    WEST,
    address,
    instance,
    member,
    observed,
    roster,
    settings,
)

A1, A2 = address(1), address(2)
FENCED = RegionResult(WEST, fenced=frozenset({(DB, I1)}))
LATE = RegionResult(WEST, late=frozenset({(DB, I1)}))


def test_the_bounds_follow_from_the_template_and_the_clients() -> None:
    # given
    template = (Path(__file__).parents[2] / "template.yaml").read_text()
    from botocore.session import Session  # noqa: PLC0415  # only this test makes clients

    session = Session()
    session.set_credentials("AKIAEXAMPLE", "example")
    clients = Clients(session, EAST, Attribution())
    configs = [clients.make("ec2", region).meta.config for region in (EAST, WEST)]
    home = configs[0]
    # then
    assert re.findall(r"^      Timeout: (\d+)$", template, re.M) == [str(FUNCTION_SECONDS)]
    assert max(config.read_timeout for config in configs) == ANSWER_SECONDS
    attempts = home.retries["total_max_attempts"]
    pauses = sum(2**attempt for attempt in range(attempts - 1))  # botocore, `ExponentialBackoff`
    assert attempts * (home.connect_timeout + home.read_timeout) + pauses == WRITE_SECONDS


def departing(before: Roster) -> Roster:
    """The roster after the group shows the instance as terminating."""
    seen = observed({I1: "Terminating:Wait"}, instance(I1, A1))
    return decide_members(before, seen, [], NOW, settings()).roster


@pytest.mark.parametrize(
    ("left", "is_fenced"),
    [
        (member(A1, since=NOW - SETTLED_SECONDS), False),
        (member(A1, since=NOW - SETTLED_SECONDS + 1), True),
        (Member((A1,), MemberState.MEMBER, NOW - 9999, moved=NOW - SETTLED_SECONDS + 1), True),
        (Member((A1,), MemberState.MEMBER, NOW - 9999, moved=NOW - SETTLED_SECONDS), False),
        (None, True),
    ],
    ids=["old", "new", "a new address", "an old address", "no row knows it"],
)
def test_a_departing_member_is_fenced_if_its_rules_may_be_new(left: Member | None, *, is_fenced: bool) -> None:
    after = departing(roster({I1: left} if left is not None else {}))
    assert I1 in after.departed
    assert after.fenced == ({I1: NOW} if is_fenced else {})


@pytest.mark.parametrize(("written", "is_fenced"), [(NOW - SETTLED_SECONDS, False), (NOW - 10, True)])
def test_a_row_of_version_0_1_does_not_say_when_addresses_changed(written: int, *, is_fenced: bool) -> None:
    before = roster({I1: member(A1, since=NOW - 9999)}, of_0_1=True, updated_at=written)
    assert bool(departing(before).fenced) is is_fenced


def test_a_fence_begins_once_and_ends_when_the_instance_comes_back() -> None:
    before = roster(departed={I1: NOW - 70}, fenced={I1: NOW - 70})
    assert departing(before).fenced == {I1: NOW - 70}
    back = observed({I1: "InService"}, instance(I1, A1))
    assert decide_members(before, back, [], NOW, settings()).roster.fenced == {}


def test_a_member_remembers_when_its_addresses_changed() -> None:
    before = roster({I1: member(A1, since=NOW - 9999)})
    seen = observed({I1: "InService"}, instance(I1, A2))
    after = decide_members(before, seen, [], NOW, settings()).roster.members[I1]
    assert (after.addresses, after.since, after.moved) == ((A2,), NOW - 9999, NOW)


def test_a_fence_is_pruned_once_no_reading_can_hide_a_rule() -> None:
    age = FENCE_SECONDS + STALE_RULES_SECONDS
    assert is_watched(NOW - age + 1, NOW)
    before = roster(departed={I1: NOW - 500, I2: NOW - 5}, fenced={I1: NOW - age, I2: NOW - 5})
    assert pruned(before, NOW).fenced == {I2: NOW - 5}


@pytest.mark.parametrize("result", [FENCED, LATE])
def test_a_fenced_instance_is_not_released_and_its_release_is_pending(result: RegionResult) -> None:
    gone = roster(departed={I1: NOW})
    assert not result.has_released(DB, I1)
    assert result.has_released(DB, I2)
    assert pending_releases(gone, None, frozenset(), {WEST: result}) == {WEST: frozenset({I1})}


@pytest.mark.parametrize(
    ("home", "why"),
    [
        (RegionResult(EAST, fenced=FENCED.fenced), "second look"),
        (RegionResult(EAST, lingering=FENCED.fenced), "guard"),
        (RegionResult(EAST, Retry("no answer")), "no answer"),
    ],
)
def test_the_termination_of_a_fenced_instance_is_held_with_the_reason(home: RegionResult, why: str) -> None:
    waiting = WaitingInstance(DB.asg, I1, (Transition.TERMINATE,), None, warm=False, seen_at=NOW)
    results = RegionResults(home, {WEST: RegionResult(WEST)}, NOW)
    decision = decide(waiting, roster(departed={I1: NOW}), results, settings())
    assert isinstance(decision, Hold)
    assert why in decision.why


EARLIER = roster(departed={I1: NOW - 500}, fenced={I1: NOW - 400})


@pytest.mark.parametrize(
    ("after", "earlier", "result", "fenced"),
    [
        (roster(departed={I1: NOW - 9}), None, FENCED, {I1: NOW}),
        (roster(departed={I1: NOW - 9}, fenced={I1: NOW - 9}), None, FENCED, {I1: NOW - 9}),
        (roster(departed={I1: NOW - 9}, fenced={I1: NOW - 9}), roster({I1: A1}), LATE, {I1: NOW - 9}),
        (EARLIER, EARLIER, LATE, {I1: NOW}),
        (EARLIER, EARLIER, RegionResult(WEST), {I1: NOW - 400}),
        (roster({I1: A1}), None, FENCED, {}),
    ],
    ids=["a reading lacks its rule", "fenced already", "departed just now", "learnt later", "known there", "a member"],
)
def test_a_fence_begins_where_a_pass_finds_a_reason(
    after: Roster, earlier: Roster | None, result: RegionResult, fenced: Mapping[InstanceId, int]
) -> None:
    assert newly_fenced(after, earlier, [result], NOW) == fenced
