"""When the guard holds removals, and when it must not."""

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
    all_of_them = [removal(n) for n in range(removals)]
    all_of_them += [removal(n, Reason.DEPARTED) for n in range(removals, removals + explained)]
    return Plan(GROUP, additions, tuple(all_of_them), owned)


@pytest.mark.parametrize(
    ("removals", "owned", "held"),
    [(9, 9, 0), (10, 100, 0), (30, 100, 0), (31, 100, 31), (10, 10, 10), (10, 33, 10), (10, 34, 0), (0, 0, 0)],
)
def test_more_than_the_share_and_at_least_the_minimum_is_held(removals: int, owned: int, held: int) -> None:
    assert len(guard(plan(removals, owned), None, frozenset(), LIMITS, 0).held) == held


def test_a_second_observation_that_agrees_is_believed() -> None:
    first = guard(plan(20, 20), None, frozenset(), LIMITS, 100)
    second = guard(plan(20, 20), first.record(100), frozenset(), LIMITS, 160)
    assert second.held == ()
    assert second.plan == plan(20, 20)


def test_a_second_observation_that_may_be_the_same_stale_answer_is_not_believed() -> None:
    first = guard(plan(20, 20), None, frozenset(), LIMITS, 100)
    assert guard(plan(20, 20), first.record(100), frozenset(), LIMITS, 159).held == first.held


@pytest.mark.parametrize("reason", [Reason.UNKNOWN_INSTANCE, Reason.UNKNOWN_ADDRESS])
def test_what_a_roster_never_heard_of_is_looked_at_twice_however_little_it_is(reason: Reason) -> None:
    one = Plan(GROUP, (), (removal(1, reason),), 100)
    first = guard(one, None, frozenset(), LIMITS, 0)
    assert first.held == one.removals
    assert guard(one, first.record(0), frozenset(), LIMITS, 60).held == ()


def test_an_observation_of_long_ago_is_not_agreed_with() -> None:
    earlier = guard(plan(20, 20), None, frozenset(), LIMITS, 0).record(0)
    assert guard(plan(20, 20), earlier, frozenset(), LIMITS, AGREES_WITHIN + 1).held


def test_an_operator_approves_exactly_what_is_held() -> None:
    held = guard(plan(20, 20), None, frozenset(), LIMITS, 0)
    assert not guard(plan(20, 20), None, frozenset({held.digest}), LIMITS, 0).held
    assert guard(plan(21, 21), None, frozenset({held.digest}), LIMITS, 0).held


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200), st.booleans())
def test_what_a_departure_explains_always_flows(unexplained: int, explained: int, owned: int, agreed: bool) -> None:
    proposed = plan(unexplained, owned, explained)
    earlier = HeldRemovals(GROUP, frozenset(each.rule for each in proposed.removals), "", 0) if agreed else None
    guarded = guard(proposed, earlier, frozenset(), LIMITS, 0)
    assert not any(each.is_explained for each in guarded.held)
    assert sorted([*guarded.plan.removals, *guarded.held]) == sorted(proposed.removals)
    assert guarded.plan.additions == proposed.additions


def test_only_what_both_observations_would_have_removed_is_believed() -> None:
    # given a second observation that would remove half of the first's and as many others
    first = guard(plan(20, 20), None, frozenset(), LIMITS, 0)
    second = Plan(GROUP, (), tuple(removal(number) for number in range(10, 30)), 20)
    # when
    guarded = guard(second, first.record(0), frozenset(), LIMITS, 60)
    # then
    assert guarded.plan.removals == tuple(removal(number) for number in range(10, 20))
    assert guarded.held == tuple(removal(number) for number in range(20, 30))


def test_what_remains_doubtful_after_an_agreement_may_be_few_enough() -> None:
    first = guard(plan(20, 20), None, frozenset(), LIMITS, 0)
    assert guard(plan(29, 29), first.record(0), frozenset(), LIMITS, 60).held == ()


def test_explained_removals_do_not_make_unexplained_ones_many() -> None:
    assert guard(plan(9, 60, explained=50), None, frozenset(), LIMITS, 0).held == ()


def test_the_digest_of_the_whole_plan_does_not_approve_what_is_held_of_it() -> None:
    # given a plan of which only a part is held
    proposed = plan(20, 20, explained=1)
    # when / then
    assert guard(proposed, None, frozenset({proposed.digest}), LIMITS, 0).held


def test_the_limits_are_configured() -> None:
    assert guard(plan(1, 1), None, frozenset(), GuardLimits(percent=0, minimum=1), 0).held
    assert not guard(plan(50, 50), None, frozenset(), GuardLimits(percent=100, minimum=1), 0).held
