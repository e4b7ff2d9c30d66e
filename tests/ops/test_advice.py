"""The advice of `explain`: each case has its own, and it agrees with how the Regions stand."""

from dataclasses import replace
from typing import Any

import pytest

from ringfence.core.audit_events import (
    AuditEvent,
    RemovalsHeld,
    RuleAdded,
    RuleOwnerUnknown,
    RuleRefused,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.lifecycle_decision import Decision, Reason
from ringfence.core.model.rules import Opening
from ringfence_ops.explain.advice import advice, commands
from ringfence_ops.explain.full_explanation import FullExplanation, Fullness
from ringfence_ops.logs.decisions import LoggedDecision
from ringfence_ops.state.pause_reasons import PART as PAUSE
from ringfence_ops.state.standing import Reason as StandingReason
from ringfence_ops.state.standing import State, standing, unreachable
from ringfence_ops.state.unowned_rules import how_to_remove
from tests.ops.evidence import IN_SERVICE, MEMBER, OWNED, explained, region
from tests.unit.builders import EAST, GROUP, I1, NOW, TCP, WEST, address, label, roster, rows

OPENING = Opening(TCP, address(1))
FULL = {(EAST, GROUP): Fullness(60, 60)}
DIGEST = "0123456789ab"


def found(*planned: AuditEvent, **changes: Any) -> FullExplanation:
    """The explanation of a member's address, with what a reconcile would do."""
    explanation = explained(
        "198.18.0.1", region(OWNED, rows=rows(MEMBER), observation=IN_SERVICE), planned_events=planned
    )
    return replace(FullExplanation(explanation, NOW, plan_digest=DIGEST), **changes)


def decided(decision: Decision, reason: Reason, **changes: Any) -> LoggedDecision:
    return replace(LoggedDecision(NOW - 9, EAST, decision, "us-east-1/db", I1, "why", reason.value), **changes)


def waits(reason: Reason, **changes: Any) -> FullExplanation:
    """An instance that is held for a reason."""
    held = {"decisions": [decided(Decision.HELD, reason)], "waiting": {I1: (EAST, "Pending:Wait")}}
    return found(**(held | changes))


def test_nothing_is_advised_if_everything_is_right() -> None:
    assert (advice(found()), found().is_right) == ([], True)


@pytest.mark.parametrize(
    ("planned", "command"),
    [
        (RuleAdded(EAST, GROUP, OWNED.id, OPENING, label(), drift=False), "ringfence sync"),
        (RemovalsHeld(EAST, GROUP, (OWNED.id,), 1, "x"), f"ringfence sync --confirm {DIGEST}"),
        (RuleWanted(EAST, GROUP, OPENING, label()), f"ringfence deploy {EAST}"),
        (RuleUnwanted(EAST, GROUP, OWNED.id, OPENING, label(), "departed"), f"ringfence deploy {EAST}"),
        (RuleRefused(EAST, GROUP, OPENING, label(), "malformed", "no"), "ringfence doctor"),
        (
            RuleOwnerUnknown(EAST, GROUP, OWNED.id, OPENING, label(), "why"),
            how_to_remove(EAST, GROUP, OWNED.id),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AuditEvent) else None,
)
def test_each_kind_of_wrong_door_has_its_own_command(planned: AuditEvent, command: str) -> None:
    explanation = found(planned)
    assert commands(advice(explanation)) == [command]
    assert not explanation.is_right


def test_a_door_that_a_full_group_lacks_is_told_with_its_figures() -> None:
    refused = RuleRefused(EAST, GROUP, OPENING, label(), "quota", "no room")
    (piece,) = advice(found(refused, full=FULL))
    assert (piece.why, piece.command) == (
        f"{GROUP} of {EAST} is full: 60 of 60: `doctor` says which quota to ask for",
        "ringfence doctor",
    )


def test_a_held_removal_cannot_be_confirmed_while_a_region_does_not_answer() -> None:
    held = RemovalsHeld(EAST, GROUP, (OWNED.id,), 1, "x")
    assert commands(advice(found(held, unreachable={WEST: "no answer"}))) == ["ringfence plan"]


def test_a_rule_of_an_unknown_member_stays_until_its_region_says_who_its_members_are() -> None:
    kept = explained("198.18.0.1", region(OWNED, rows=rows(roster())))
    (piece,) = advice(FullExplanation(kept, NOW))
    assert piece.command == f"ringfence sync {EAST}"
    assert OWNED.id in piece.why


def test_a_paused_region_is_resumed_and_not_deployed() -> None:
    paused = standing(EAST, [StandingReason(State.PAUSED, PAUSE, "paused by alice", f"ringfence resume {EAST}")])
    explanation = found(RuleWanted(EAST, GROUP, OPENING, label()), standings={EAST: paused})
    assert commands(advice(explanation)) == [f"ringfence resume {EAST}"]


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        (Reason.NO_ADDRESS, f"ringfence sync {EAST}"),
        (Reason.SECOND_LOOK, f"ringfence sync {EAST}"),
        (Reason.REGION_FAILED, "ringfence doctor"),
        (Reason.PEER_ADMITS_IT, "ringfence doctor"),
        (Reason.GUARDED, f"ringfence sync --confirm {DIGEST}"),
    ],
)
def test_an_instance_that_waits_has_the_advice_of_its_reason(reason: Reason, command: str) -> None:
    explanation = waits(reason)
    assert commands(advice(explanation)) == [command]
    assert not explanation.is_right


def test_an_instance_that_waits_without_a_decision_or_after_a_vain_answer_is_decided_by_a_true_up() -> None:
    unknown = waits(Reason.NO_ADDRESS, decisions=())
    vain = waits(
        Reason.NO_ADDRESS, decisions=[decided(Decision.ADMITTED, Reason.ADMITTED_EVERYWHERE, was_active=False)]
    )
    assert commands(advice(unknown)) == commands(advice(vain)) == [f"ringfence sync {EAST}"]
    assert "no decision" in advice(unknown)[0].why
    assert "not active" in advice(vain)[0].why


def test_a_launch_that_was_sent_away_for_room_is_not_right_while_the_group_is_full() -> None:
    gone = [decided(Decision.ABANDONED, Reason.NO_ROOM)]
    explanation = found(decisions=gone, full=FULL)
    assert commands(advice(explanation)) == ["ringfence doctor"]
    assert not explanation.is_right
    # and once there is room, or another Region's group is full, nothing is to be done for it
    assert found(decisions=gone).is_right
    assert found(decisions=gone, full={(WEST, GROUP): Fullness(60, 60)}).is_right


@pytest.mark.parametrize("state", [State.UNKNOWN, State.FAILING])
def test_a_region_that_cannot_be_relied_on_makes_nothing_right(state: State) -> None:
    cut = standing(WEST, [StandingReason(state, "rule", "the rule is disabled", "aws events enable-rule")])
    explanation = found(standings={WEST: cut})
    assert [(piece.why, piece.command) for piece in advice(explanation)] == [
        (f"{WEST} is {state}: the rule is disabled", "aws events enable-rule")
    ]
    assert not explanation.is_right


def test_a_remedy_that_is_no_single_command_is_told_as_it_is() -> None:
    fix = "create the group, then ringfence deploy us-west-2"
    cut = standing(WEST, [StandingReason(State.FAILING, "groups", "sg-1 does not exist", fix)])
    (piece,) = advice(found(standings={WEST: cut}))
    assert (piece.why, piece.command) == (f"{WEST} is failing: sg-1 does not exist: {fix}", None)


def test_a_region_that_waits_for_something_else_changes_nothing_for_the_subject() -> None:
    other = standing(WEST, [StandingReason(State.WAITING, "instances", "another waits", "ringfence explain i-1")])
    assert found(standings={WEST: other}).is_right


def test_a_region_that_does_not_answer_is_told_once() -> None:
    explanation = found(standings={WEST: standing(WEST, [unreachable("no answer")])}, unreachable={WEST: "no answer"})
    assert advice(explanation) == []
