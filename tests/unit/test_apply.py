"""Applying a plan: few calls, additions before removals, and a bad rule does not affect the others."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import RuleId, SecurityGroupId
from ringfence.core.model.rules import Rule
from ringfence.core.plan import Addition, Plan, Relabelling, Removal
from ringfence.reconciler.apply import (
    RULES_PER_CALL,
    Added,
    Change,
    NotAdded,
    Relabelled,
    Removed,
    Standing,
    Vanished,
    apply,
)
from tests.unit.builders import GROUP, TCP, addition, address, label, removals, rule
from tests.unit.fakes import FakeSecurityGroups


@dataclass(slots=True)
class Applied:
    """Every change of an application, in the order in which it was reported."""

    changes: list[Change] = field(default_factory=list)

    @property
    def short(self) -> list[str]:
        """Each change as a sign and an address."""
        return list(self._short())

    def _short(self) -> Iterator[str]:
        for change in self.changes:
            match change:
                case Added(addition=addition, rule=rule):
                    assert rule.opening == addition.opening
                    yield f"+{addition.opening.cidr}"
                case Removed(removal=removal):
                    yield f"-{removal.opening.cidr}"
                case Relabelled(relabelling=relabelling):
                    yield f"~{relabelling.opening.cidr}"

    @property
    def added(self) -> list[Addition]:
        return [change.addition for change in self.changes if isinstance(change, Added)]

    @property
    def removed(self) -> list[Removal]:
        return [change.removal for change in self.changes if isinstance(change, Removed)]

    @property
    def relabelled(self) -> list[Relabelling]:
        return [change.relabelling for change in self.changes if isinstance(change, Relabelled)]

    @property
    def standing(self) -> list[Cidr]:
        return [change.addition.opening.cidr for change in self.changes if isinstance(change, Standing)]

    @property
    def vanished(self) -> list[RuleId]:
        return [change.rule for change in self.changes if isinstance(change, Vanished)]

    @property
    def refused(self) -> list[tuple[Addition, Refused]]:
        return [(change.addition, change.refused) for change in self.changes if isinstance(change, NotAdded)]


def no_deadline() -> None:
    """There is no deadline."""


def applying(
    groups: FakeSecurityGroups,
    plan: Plan,
    applied: Applied | None = None,
    before_call: Callable[[], None] = no_deadline,
    *,
    read_again: bool = False,
) -> Applied:
    """Applies the plan. What was reported before an error is in `applied`."""
    applied = applied or Applied()
    for change in apply(plan, groups, before_call, read_again=read_again):
        applied.changes.append(change)
    return applied


def holding(numbers: Iterable[int], quota: int = 60, malformed: Iterable[Cidr] = ()) -> FakeSecurityGroups:
    """A group with the owned rules that `removals` removes."""
    rules = [rule(f"sgr-{number:04}", address(number), label(f"i-{number}")) for number in numbers]
    return FakeSecurityGroups.holding(rules, quota, malformed)


def additions(numbers: Iterable[int]) -> tuple[Addition, ...]:
    return tuple(addition(address(number), f"i-{number:04}") for number in numbers)


def test_a_plan_is_applied_in_one_call_to_add_and_one_call_to_remove() -> None:
    # given
    groups, reported = holding([1, 2, 3]), Applied()
    # when
    applied = applying(groups, Plan(GROUP, additions([7, 8]), removals([1, 2]), owned=3), reported)
    # then
    assert groups.calls == [("authorize", 2), ("revoke", 2)]
    assert groups.admitted() == {address(3), address(7), address(8)}
    assert reported.short == [f"+{address(7)}", f"+{address(8)}", f"-{address(1)}", f"-{address(2)}"]
    assert len(applied.added) == 2
    assert applied.removed == list(removals([1, 2]))
    assert applied.refused == []


def test_an_empty_plan_makes_no_call() -> None:
    groups = holding([1])
    assert applying(groups, Plan(GROUP)) == Applied()
    assert groups.calls == []


def test_a_plan_removes_first_if_the_group_has_no_room_for_its_additions() -> None:
    # given a full group
    groups, reported = holding([1, 2], quota=2), Applied()
    # when
    applied = applying(groups, Plan(GROUP, additions([7, 8]), removals([1, 2]), owned=2), reported)
    # then
    assert reported.short == [f"-{address(1)}", f"-{address(2)}", f"+{address(7)}", f"+{address(8)}"]
    assert groups.calls == [("authorize", 2), ("revoke", 2), ("authorize", 2)]
    assert applied.refused == []
    assert groups.admitted() == {address(7), address(8)}


def test_a_full_group_without_removals_is_not_asked_twice_for_the_same_rules() -> None:
    groups = holding([1], quota=1)
    applied = applying(groups, Plan(GROUP, additions([7, 8])))
    assert groups.calls == [("authorize", 2), ("authorize", 1)]
    assert len(applied.refused) == 2


def test_a_group_takes_the_rules_that_fit_and_refuses_the_others() -> None:
    # given room for three of five
    groups = holding([1], quota=4)
    # when
    applied = applying(groups, Plan(GROUP, additions(range(10, 15))))
    # then the first rules by label fit
    assert groups.admitted() == {address(1), *map(address, (10, 11, 12))}
    assert [addition.opening.cidr for addition, _ in applied.refused] == [address(13), address(14)]
    assert {refused.refusal for _, refused in applied.refused} == {Refusal.QUOTA}
    assert "4 of 4" in str(applied.refused[0][1])


def test_removals_make_room_for_as_many_additions() -> None:
    groups = holding([1, 2, 3], quota=3)
    applied = applying(groups, Plan(GROUP, additions([7, 8]), removals([1]), owned=3))
    assert groups.admitted() == {address(2), address(3), address(7)}
    assert [addition.opening.cidr for addition, _ in applied.refused] == [address(8)]


@pytest.mark.parametrize("full", ["ipv4", "ipv6"])
def test_a_full_address_family_does_not_block_the_other(full: str) -> None:
    # given
    v4, v6 = [address(n) for n in range(1, 5)], [Cidr(f"2001:db8::{n}/128") for n in range(1, 5)]
    taken, free = (v4, v6) if full == "ipv4" else (v6, v4)
    groups = FakeSecurityGroups.holding([rule("sgr-0", taken[0], label())], quota=2)
    wanted = [addition(cidr, f"i-{n}") for n, pair in enumerate(zip(v4[1:], v6[1:], strict=True)) for cidr in pair]
    # when
    applied = applying(groups, Plan(GROUP, tuple(wanted)))
    # then one more rule of the full family fits, and two rules of the other
    assert groups.admitted() == {*taken[:2], *free[1:3]}
    assert {addition.opening.cidr for addition, _ in applied.refused} == {*taken[2:], free[3]}


@pytest.mark.parametrize("bad", [10, 13, 17])
def test_a_malformed_rule_does_not_block_the_others(bad: int) -> None:
    # given
    groups = holding([1], malformed=[address(bad)])
    # when
    applied = applying(groups, Plan(GROUP, additions(range(10, 18)), removals([1]), owned=1))
    # then
    assert groups.admitted() == {address(n) for n in range(10, 18)} - {address(bad)}
    assert [(addition.opening.cidr, why.refusal) for addition, why in applied.refused] == [
        (address(bad), Refusal.MALFORMED)
    ]


def test_a_malformed_rule_does_not_hide_that_the_group_has_no_room() -> None:
    # given a full group, one removal, and an addition that is malformed
    groups = holding([1, 2], quota=2, malformed=[address(8)])
    # when
    applied = applying(groups, Plan(GROUP, additions([7, 8]), removals([1]), owned=2))
    # then
    assert groups.admitted() == {address(2), address(7)}
    assert [addition.opening.cidr for addition, _ in applied.refused] == [address(8)]


def test_a_duplicate_rule_raises_refused_and_removes_nothing() -> None:
    groups = holding([1, 7])
    with pytest.raises(Refused) as raised:
        applying(groups, Plan(GROUP, additions([7, 8]), removals([1]), owned=2))
    assert raised.value.refusal is Refusal.DUPLICATE
    assert groups.admitted() == {address(1), address(7)}


def test_the_removal_of_a_rule_that_does_not_exist_raises_refused() -> None:
    groups = holding([1])
    with pytest.raises(Refused) as raised:
        applying(groups, Plan(GROUP, (), removals([1, 2]), owned=2))
    assert raised.value.refusal is Refusal.NOT_FOUND


def test_the_changes_before_a_refusal_are_reported() -> None:
    reported = Applied()
    with pytest.raises(Refused):
        applying(holding([1]), Plan(GROUP, additions([7]), removals([1, 2]), owned=2), reported)
    assert reported.short == [f"+{address(7)}"]


def test_a_plan_beyond_the_limit_of_a_call_takes_another_call() -> None:
    # given
    many = range(RULES_PER_CALL + 1)
    groups = holding([], quota=5000)
    # when
    applying(groups, Plan(GROUP, additions(many)))
    applying(groups, Plan(GROUP, (), tuple(map(_removal, groups.existing.values())), owned=len(many)))
    # then
    assert groups.calls == [("authorize", 1000), ("authorize", 1), ("revoke", 1000), ("revoke", 1)]
    assert groups.existing == {}


def test_a_deadline_stops_the_application_between_calls() -> None:
    # given
    groups, reported, left = holding([1]), Applied(), iter([None])

    def before_call() -> None:
        if next(left, "over") == "over":
            raise TimeoutError

    # when
    with pytest.raises(TimeoutError):
        applying(groups, Plan(GROUP, additions([7]), removals([1]), owned=1), reported, before_call)
    # then
    assert reported.short == [f"+{address(7)}"]


@given(
    existing=st.sets(st.integers(0, 9), max_size=8),
    wanted=st.sets(st.integers(10, 25), max_size=12),
    going=st.sets(st.integers(0, 9), max_size=8),
    bad=st.sets(st.integers(10, 25), max_size=2),
    quota=st.integers(8, 16),
)
def test_every_addition_is_made_or_refused_for_its_own_reason(
    existing: set[int], wanted: set[int], going: set[int], bad: set[int], quota: int
) -> None:
    # given
    groups = holding(existing, quota, map(address, bad))
    plan = Plan(GROUP, additions(sorted(wanted)), removals(sorted(going & existing)), owned=len(existing))
    # when
    applied = applying(groups, plan)
    # then
    made = {addition.opening.cidr for addition in applied.added}
    refused = {addition.opening.cidr: why.refusal for addition, why in applied.refused}
    assert made | refused.keys() == {address(n) for n in wanted}
    assert not made & refused.keys()
    assert all(
        refused[address(n)] is Refusal.MALFORMED for n in bad & wanted if refused[address(n)] is not Refusal.QUOTA
    )
    assert groups.admitted() == made | {address(n) for n in existing - going}


def _removal(rule: Rule) -> Removal:
    assert rule.opening is not None
    assert rule.ports == TCP
    return Removal(rule.opening, RuleId(rule.id), removals([0])[0].reason, rule.label("demo"))


def relabelling(number: int, now: str) -> Relabelling:
    """The relabelling of the rule that `holding` makes for the number."""
    existing = rule(f"sgr-{number:04}", address(number), label(f"i-{number}"))
    assert existing.opening is not None
    return Relabelling(existing.opening, existing.id, label(now), label(f"i-{number}"))


def test_a_plan_relabels_in_one_call_after_all_other_changes() -> None:
    # given
    groups, reported = holding([1, 2, 3]), Applied()
    renamed = (relabelling(2, "i-8"), relabelling(3, "i-9"))
    # when
    applied = applying(groups, Plan(GROUP, additions([7]), removals([1]), 3, renamed), reported)
    # then
    assert groups.calls == [("authorize", 1), ("revoke", 1), ("relabel", 2)]
    assert reported.short == [f"+{address(7)}", f"-{address(1)}", f"~{address(2)}", f"~{address(3)}"]
    assert applied.relabelled == list(renamed)
    assert groups.existing[renamed[0].rule].description == str(label("i-8"))


def test_relabelling_a_rule_that_does_not_exist_raises_refused() -> None:
    with pytest.raises(Refused):
        applying(holding([1]), Plan(GROUP, relabellings=(relabelling(2, "i-8"),)))


# What no document of EC2 says.


@dataclass(slots=True)
class AnsweringDuplicates(FakeSecurityGroups):
    """Answers a duplicate as if it were made: with the existing rule (`named`), or without it."""

    named: bool = True

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        existing = {rule.opening: rule for rule in self.existing.values()}
        new = [addition for addition in additions if addition.opening not in existing]
        made = FakeSecurityGroups.authorize(self, group, new) if new else ()
        found = [existing[addition.opening] for addition in additions if addition.opening in existing]
        return (*made, *(found if self.named else ()))


class NotAtomic(FakeSecurityGroups):
    """A refused call has changed what it could."""

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        try:
            return super().authorize(group, additions)
        except Refused:
            for addition in additions if len(additions) > 1 else ():
                with suppress(Refused):
                    super().authorize(group, [addition])
            raise

    def revoke(self, group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        try:
            super().revoke(group, rules)
        except Refused:
            for id in rules:
                self.existing.pop(id, None)
            raise


@pytest.mark.parametrize("named", [True, False])
def test_a_duplicate_that_is_answered_as_if_it_were_made_counts_as_standing(*, named: bool) -> None:
    groups = AnsweringDuplicates({RuleId("sgr-0007"): rule("sgr-0007", address(7))})
    groups.named = named
    applied = applying(groups, Plan(GROUP, additions([7, 8])))
    assert applied.standing == [address(7)]
    assert [addition.opening.cidr for addition in applied.added] == [address(8)]


def test_a_duplicate_that_no_reading_shows_counts_as_standing_and_does_not_block_the_others() -> None:
    groups = holding([7])
    applied = applying(groups, Plan(GROUP, additions([6, 7, 8])), read_again=True)
    assert applied.standing == [address(7)]
    assert groups.admitted() == {address(6), address(7), address(8)}
    assert applied.refused == []


def test_a_rule_that_only_an_old_reading_shows_counts_as_gone_and_does_not_block_the_others() -> None:
    groups = holding([1, 3])
    applied = applying(groups, Plan(GROUP, (), removals([1, 2, 3]), owned=3), read_again=True)
    assert applied.vanished == [removals([2])[0].rule]
    assert groups.existing == {}


def test_a_rule_that_does_not_exist_gets_no_new_label() -> None:
    groups = holding([1])
    renamed = (relabelling(1, "i-8"), relabelling(2, "i-9"))
    applied = applying(groups, Plan(GROUP, relabellings=renamed), read_again=True)
    assert applied.vanished == [renamed[1].rule]
    assert applied.relabelled == [renamed[0]]


@given(
    existing=st.sets(st.integers(0, 9), max_size=6),
    hidden=st.sets(st.integers(10, 25), max_size=6),
    wanted=st.sets(st.integers(10, 25), max_size=10),
    going=st.sets(st.integers(0, 9), max_size=6),
    quota=st.integers(6, 16),
)
def test_refused_calls_that_change_something_lose_no_rule(
    existing: set[int], hidden: set[int], wanted: set[int], going: set[int], quota: int
) -> None:
    # given a reading that lacks some rules, and shows some that do not exist any more
    groups = NotAtomic(dict(holding(existing | hidden, quota).existing), quota)
    plan = Plan(GROUP, additions(sorted(wanted)), removals(sorted(going)), owned=len(existing))
    # when
    applied = applying(groups, plan, read_again=True)
    # then
    admitted = groups.admitted()
    without_room = {addition.opening.cidr for addition, why in applied.refused if why.refusal is Refusal.QUOTA}
    assert {address(n) for n in wanted} <= admitted | without_room
    assert not {address(n) for n in going} & admitted
    assert {address(n) for n in (existing | hidden) - going} <= admitted
