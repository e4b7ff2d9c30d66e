"""When the guard holds removals, and when it must not hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.configuration.settings import GuardLimits
from ringfence.core.guard import AGREES_WITHIN, guard
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rosters import HeldRemovals
from ringfence.core.model.rules import Opening
from ringfence.core.plan import Addition, Plan, Reason, Removal

GROUP = SecurityGroupId("sg-1")
LIMITS = GuardLimits(percent=30, minimum=10)


def removal(number: int, reason: Reason = Reason.NO_MEMBER) -> Removal:
    opening = Opening(PortRange("tcp", 9042, 9042), Cidr(f"54.0.{number // 256}.{number % 256}/32"))
    return Removal(opening, RuleId(f"sgr-{number:04}"), reason)


def plan(removals: int, owned: int, explained: int = 0, additions: tuple[Addition, ...] = ()) -> Plan:
    """A plan with so many unexplained and so many explained removals."""
    proposed = [removal(number) for number in range(removals)]
    proposed += [removal(number, Reason.DEPARTED) for number in range(removals, removals + explained)]
    return Plan(GROUP, additions, tuple(proposed), owned)


@pytest.mark.parametrize(
    ("removals", "owned", "held"),
    [(9, 9, 0), (10, 100, 0), (30, 100, 0), (31, 100, 31), (10, 10, 10), (10, 33, 10), (10, 34, 0), (0, 0, 0)],
)
def test_the_guard_holds_removals_above_the_percentage_if_they_reach_the_minimum(
    removals: int, owned: int, held: int
) -> None:
    assert len(guard(plan(removals, owned), None, frozenset(), LIMITS, 0).held) == held


def test_a_second_observation_after_a_minute_confirms_the_removals() -> None:
    first = guard(plan(20, 20), None, frozenset(), LIMITS, 100)
    second = guard(plan(20, 20), first.record(100), frozenset(), LIMITS, 160)
    assert second.held == ()
    assert second.plan == plan(20, 20)


def test_a_second_observation_within_a_minute_confirms_no_removal() -> None:
    first = guard(plan(20, 20), None, frozenset(), LIMITS, 100)
    assert guard(plan(20, 20), first.record(100), frozenset(), LIMITS, 159).held == first.held


@pytest.mark.parametrize("reason", [Reason.UNKNOWN_INSTANCE, Reason.UNKNOWN_ADDRESS])
def test_a_single_surprising_removal_needs_a_second_observation(reason: Reason) -> None:
    surprising = Plan(GROUP, (), (removal(1, reason),), 100)
    first = guard(surprising, None, frozenset(), LIMITS, 0)
    assert first.held == surprising.removals
    assert guard(surprising, first.record(0), frozenset(), LIMITS, 60).held == ()


def test_an_observation_older_than_the_limit_confirms_no_removal() -> None:
    earlier = guard(plan(20, 20), None, frozenset(), LIMITS, 0).record(0)
    assert guard(plan(20, 20), earlier, frozenset(), LIMITS, AGREES_WITHIN + 1).held


def test_a_digest_approves_exactly_the_held_removals() -> None:
    held = guard(plan(20, 20), None, frozenset(), LIMITS, 0)
    assert not guard(plan(20, 20), None, frozenset({held.digest}), LIMITS, 0).held
    assert guard(plan(21, 21), None, frozenset({held.digest}), LIMITS, 0).held


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200), st.booleans())
def test_the_guard_never_holds_an_explained_removal(unexplained: int, explained: int, owned: int, agreed: bool) -> None:
    proposed = plan(unexplained, owned, explained)
    earlier = HeldRemovals(GROUP, frozenset(removal.rule for removal in proposed.removals), "", 0) if agreed else None
    guarded = guard(proposed, earlier, frozenset(), LIMITS, 0)
    assert not any(removal.is_explained for removal in guarded.held)
    assert sorted([*guarded.plan.removals, *guarded.held]) == sorted(proposed.removals)
    assert guarded.plan.additions == proposed.additions


def test_only_the_removals_of_both_observations_are_confirmed() -> None:
    # given a second observation with half of the first one's removals and as many others
    first = guard(plan(20, 20), None, frozenset(), LIMITS, 0)
    second = Plan(GROUP, (), tuple(removal(number) for number in range(10, 30)), 20)
    # when
    guarded = guard(second, first.record(0), frozenset(), LIMITS, 60)
    # then
    assert guarded.plan.removals == tuple(removal(number) for number in range(10, 20))
    assert guarded.held == tuple(removal(number) for number in range(20, 30))


def test_unconfirmed_removals_are_counted_without_the_confirmed_removals() -> None:
    first = guard(plan(20, 20), None, frozenset(), LIMITS, 0)
    assert guard(plan(29, 29), first.record(0), frozenset(), LIMITS, 60).held == ()


def test_explained_removals_do_not_count_towards_the_limits() -> None:
    assert guard(plan(9, 60, explained=50), None, frozenset(), LIMITS, 0).held == ()


def test_the_digest_of_the_whole_plan_does_not_approve_its_held_removals() -> None:
    # given a plan of which only a part is held
    proposed = plan(20, 20, explained=1)
    # when / then
    assert guard(proposed, None, frozenset({proposed.digest}), LIMITS, 0).held


def test_the_guard_uses_the_configured_limits() -> None:
    assert guard(plan(1, 1), None, frozenset(), GuardLimits(percent=0, minimum=1), 0).held
    assert not guard(plan(50, 50), None, frozenset(), GuardLimits(percent=100, minimum=1), 0).held
