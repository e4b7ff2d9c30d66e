"""How a plan is applied: few calls, add before remove, and one bad rule sinks no other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.rules import Rule
from ringfence.core.plan import Addition, Plan, Relabelling, Removal
from ringfence.reconciler.apply import RULES_PER_CALL, Added, Change, NotAdded, Relabelled, Removed, apply
from tests.unit.builders import GROUP, TCP, addition, address, label, removals, rule
from tests.unit.fakes import FakeSecurityGroups


@dataclass(slots=True)
class Applied:
    """What became of a plan: every change in the order in which it was reported."""

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
    def refused(self) -> list[tuple[Addition, Refused]]:
        return [(change.addition, change.refused) for change in self.changes if isinstance(change, NotAdded)]


def no_deadline() -> None:
    """There is no deadline."""


def applying(
    groups: FakeSecurityGroups,
    plan: Plan,
    applied: Applied | None = None,
    before_call: Callable[[], None] = no_deadline,
) -> Applied:
    """Applies the plan. What was reported before an error is in `applied`."""
    applied = applied or Applied()
    for change in apply(plan, groups, before_call):
        applied.changes.append(change)
    return applied


def holding(numbers: Iterable[int], quota: int = 60, malformed: Iterable[Cidr] = ()) -> FakeSecurityGroups:
    """A group with the owned rules that `removals` removes."""
    rules = [rule(f"sgr-{number:04}", address(number), label(f"i-{number}")) for number in numbers]
    return FakeSecurityGroups.holding(rules, quota, malformed)


def additions(numbers: Iterable[int]) -> tuple[Addition, ...]:
    return tuple(addition(address(number), f"i-{number:04}") for number in numbers)


def test_it_adds_in_one_call_and_then_removes_in_one() -> None:
    # given
    groups, told = holding([1, 2, 3]), Applied()
    # when
    applied = applying(groups, Plan(GROUP, additions([7, 8]), removals([1, 2]), owned=3), told)
    # then
    assert groups.calls == [("authorize", 2), ("revoke", 2)]
    assert groups.admitted() == {address(3), address(7), address(8)}
    assert told.short == [f"+{address(7)}", f"+{address(8)}", f"-{address(1)}", f"-{address(2)}"]
    assert len(applied.added) == 2
    assert applied.removed == list(removals([1, 2]))
    assert applied.refused == []


def test_an_empty_plan_calls_nobody() -> None:
    groups = holding([1])
    assert applying(groups, Plan(GROUP)) == Applied()
    assert groups.calls == []


def test_without_room_for_both_it_removes_first() -> None:
    # given a full group
    groups, told = holding([1, 2], quota=2), Applied()
    # when
    applied = applying(groups, Plan(GROUP, additions([7, 8]), removals([1, 2]), owned=2), told)
    # then
    assert told.short == [f"-{address(1)}", f"-{address(2)}", f"+{address(7)}", f"+{address(8)}"]
    assert groups.calls == [("authorize", 2), ("revoke", 2), ("authorize", 2)]
    assert applied.refused == []
    assert groups.admitted() == {address(7), address(8)}


def test_a_full_group_of_which_nothing_is_to_go_is_not_asked_twice_for_the_same() -> None:
    groups = holding([1], quota=1)
    applied = applying(groups, Plan(GROUP, additions([7, 8])))
    assert groups.calls == [("authorize", 2), ("authorize", 1)]
    assert len(applied.refused) == 2


def test_what_has_no_room_is_refused_and_whatever_fits_goes_in() -> None:
    # given room for three of five
    groups = holding([1], quota=4)
    # when
    applied = applying(groups, Plan(GROUP, additions(range(10, 15))))
    # then the first by label have it
    assert groups.admitted() == {address(1), *map(address, (10, 11, 12))}
    assert [each.opening.cidr for each, _ in applied.refused] == [address(13), address(14)]
    assert {refused.refusal for _, refused in applied.refused} == {Refusal.QUOTA}
    assert "4 of 4" in str(applied.refused[0][1])


def test_what_was_removed_makes_room_for_as_many() -> None:
    groups = holding([1, 2, 3], quota=3)
    applied = applying(groups, Plan(GROUP, additions([7, 8]), removals([1]), owned=3))
    assert groups.admitted() == {address(2), address(3), address(7)}
    assert [each.opening.cidr for each, _ in applied.refused] == [address(8)]


@pytest.mark.parametrize("full", ["ipv4", "ipv6"])
def test_a_full_family_does_not_keep_the_other_out(full: str) -> None:
    # given
    v4, v6 = [address(n) for n in range(1, 5)], [Cidr(f"2001:db8::{n}/128") for n in range(1, 5)]
    taken, free = (v4, v6) if full == "ipv4" else (v6, v4)
    groups = FakeSecurityGroups.holding([rule("sgr-0", taken[0], label())], quota=2)
    wanted = [addition(cidr, f"i-{n}") for n, pair in enumerate(zip(v4[1:], v6[1:], strict=True)) for cidr in pair]
    # when
    applied = applying(groups, Plan(GROUP, tuple(wanted)))
    # then one more of the one has room, and two of the other
    assert groups.admitted() == {*taken[:2], *free[1:3]}
    assert {each.opening.cidr for each, _ in applied.refused} == {*taken[2:], free[3]}


@pytest.mark.parametrize("bad", [10, 13, 17])
def test_one_bad_rule_does_not_sink_the_others(bad: int) -> None:
    # given
    groups = holding([1], malformed=[address(bad)])
    # when
    applied = applying(groups, Plan(GROUP, additions(range(10, 18)), removals([1]), owned=1))
    # then
    assert groups.admitted() == {address(n) for n in range(10, 18)} - {address(bad)}
    assert [(each.opening.cidr, why.refusal) for each, why in applied.refused] == [(address(bad), Refusal.MALFORMED)]


def test_a_bad_rule_does_not_hide_that_there_is_no_room_for_both() -> None:
    # given a full group, of which one rule is to go, and a rule that is malformed
    groups = holding([1, 2], quota=2, malformed=[address(8)])
    # when
    applied = applying(groups, Plan(GROUP, additions([7, 8]), removals([1]), owned=2))
    # then
    assert groups.admitted() == {address(2), address(7)}
    assert [each.opening.cidr for each, _ in applied.refused] == [address(8)]


def test_a_duplicate_says_that_what_was_read_is_old_and_removes_nothing() -> None:
    groups = holding([1, 7])
    with pytest.raises(Refused) as raised:
        applying(groups, Plan(GROUP, additions([7, 8]), removals([1]), owned=2))
    assert raised.value.refusal is Refusal.DUPLICATE
    assert groups.admitted() == {address(1), address(7)}


def test_a_rule_that_is_gone_already_says_that_what_was_read_is_old() -> None:
    groups = holding([1])
    with pytest.raises(Refused) as raised:
        applying(groups, Plan(GROUP, (), removals([1, 2]), owned=2))
    assert raised.value.refusal is Refusal.NOT_FOUND


def test_changes_before_a_refusal_are_reported() -> None:
    told = Applied()
    with pytest.raises(Refused):
        applying(holding([1]), Plan(GROUP, additions([7]), removals([1, 2]), owned=2), told)
    assert told.short == [f"+{address(7)}"]


def test_beyond_the_limit_of_a_call_it_takes_another() -> None:
    # given
    many = range(RULES_PER_CALL + 1)
    groups = holding([], quota=5000)
    # when
    applying(groups, Plan(GROUP, additions(many)))
    applying(groups, Plan(GROUP, (), tuple(_removal(one) for one in groups.standing.values()), owned=len(many)))
    # then
    assert groups.calls == [("authorize", 1000), ("authorize", 1), ("revoke", 1000), ("revoke", 1)]
    assert groups.standing == {}


def test_a_deadline_stops_it_between_calls() -> None:
    # given
    groups, told, left = holding([1]), Applied(), iter([None])

    def before_call() -> None:
        if next(left, "over") == "over":
            raise TimeoutError

    # when
    with pytest.raises(TimeoutError):
        applying(groups, Plan(GROUP, additions([7]), removals([1]), owned=1), told, before_call)
    # then
    assert told.short == [f"+{address(7)}"]


@given(
    standing=st.sets(st.integers(0, 9), max_size=8),
    wanted=st.sets(st.integers(10, 25), max_size=12),
    going=st.sets(st.integers(0, 9), max_size=8),
    bad=st.sets(st.integers(10, 25), max_size=2),
    quota=st.integers(8, 16),
)
def test_every_addition_is_made_or_refused_for_a_reason_of_its_own(
    standing: set[int], wanted: set[int], going: set[int], bad: set[int], quota: int
) -> None:
    # given
    groups = holding(standing, quota, map(address, bad))
    plan = Plan(GROUP, additions(sorted(wanted)), removals(sorted(going & standing)), owned=len(standing))
    # when
    applied = applying(groups, plan)
    # then
    made = {each.opening.cidr for each in applied.added}
    refused = {each.opening.cidr: why.refusal for each, why in applied.refused}
    assert made | refused.keys() == {address(n) for n in wanted}
    assert not made & refused.keys()
    assert all(
        refused[address(n)] is Refusal.MALFORMED for n in bad & wanted if refused[address(n)] is not Refusal.QUOTA
    )
    assert groups.admitted() == made | {address(n) for n in standing - going}


def _removal(one: Rule) -> Removal:
    assert one.opening is not None
    assert one.ports == TCP
    return Removal(one.opening, RuleId(one.id), removals([0])[0].reason, one.label("demo"))


def relabelling(number: int, now: str) -> Relabelling:
    """The rule of one number, as `holding` makes it, under another instance's name."""
    standing = rule(f"sgr-{number:04}", address(number), label(f"i-{number}"))
    assert standing.opening is not None
    return Relabelling(standing.opening, standing.id, label(now), label(f"i-{number}"))


def test_rules_are_relabelled_in_one_call_after_all_else() -> None:
    # given
    groups, told = holding([1, 2, 3]), Applied()
    renamed = (relabelling(2, "i-8"), relabelling(3, "i-9"))
    # when
    applied = applying(groups, Plan(GROUP, additions([7]), removals([1]), 3, renamed), told)
    # then
    assert groups.calls == [("authorize", 1), ("revoke", 1), ("relabel", 2)]
    assert told.short == [f"+{address(7)}", f"-{address(1)}", f"~{address(2)}", f"~{address(3)}"]
    assert applied.relabelled == list(renamed)
    assert groups.standing[renamed[0].rule].description == str(label("i-8"))


def test_a_rule_that_is_gone_before_it_is_relabelled_asks_for_another_look() -> None:
    with pytest.raises(Refused):
        applying(holding([1]), Plan(GROUP, relabellings=(relabelling(2, "i-8"),)))
