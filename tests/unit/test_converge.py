"""One Region's turn: what is read in which order, what is validated, and what is known of it afterwards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest

from ringfence.core.audit_events import AuditEvent, QuotaUsed, RemovalsHeld, RuleAdded, RuleRemoved
from ringfence.core.configuration.settings import GuardLimits
from ringfence.core.errors import Permanent, Retry
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import HeldRemovals, MemberState, Rows
from ringfence.core.model.rules import Label, Rule
from ringfence.core.region_result import RegionResult
from ringfence.reconciler.change_report import ChangeReport
from ringfence.reconciler.converge import PASSES, Convergence, GuardRecord, RegionAccess
from tests.unit.builders import (
    DB,
    EAST,
    GROUP,
    I1,
    I2,
    NOW,
    TCP,
    address,
    label,
    member,
    roster,
    rows,
    rule,
    scope,
)
from tests.unit.fakes import FakeSecurityGroups

E = TypeVar("E")

X, Y = address(1), address(2)


@dataclass(slots=True)
class StoppedClock:
    """A clock that is turned by hand."""

    time: float = NOW

    def now(self) -> float:
        """See `interfaces.Clock.now`."""
        return self.time


@dataclass(slots=True)
class Place:
    """A Region with one security group and a table that the test writes."""

    groups: FakeSecurityGroups
    table: Rows
    clock: StoppedClock = field(default_factory=StoppedClock)
    audit: list[AuditEvent] = field(default_factory=list)
    held: dict[SecurityGroupId, HeldRemovals] = field(default_factory=dict)
    on_read: Callable[[], None] = lambda: None

    def convergence(
        self,
        known_before: dict[Cidr, Label] | None = None,
        ports: Ports = Ports((TCP,)),
        groups: tuple[SecurityGroupId, ...] = (GROUP,),
    ) -> Convergence:
        return Convergence(
            region=EAST,
            groups=dict.fromkeys(groups, ports),
            scope=scope(),
            access=RegionAccess(self.groups, self._read, before_call=lambda: None),
            guard=GuardRecord(
                limits=GuardLimits(percent=30, minimum=10),
                held_before=dict(self.held),
                confirmed=frozenset(),
                hold=self._hold,
            ),
            report=ChangeReport(EAST, self.clock, self.audit.append, rules_quota=60, known_before=known_before),
        )

    def turn(self) -> RegionResult:
        """One reconcile's work in the Region, with what an earlier one held."""
        convergence = self.convergence()
        return convergence.validate(convergence.run(None, None))

    def _read(self) -> Rows:
        self.groups.calls.append(("rows", 0))
        self.on_read()
        return self.table

    def _hold(self, held: HeldRemovals) -> None:
        self.held[held.group] = held


def of(kind: type[E], audit: Sequence[AuditEvent]) -> list[E]:
    return [each for each in audit if isinstance(each, kind)]


def place(rules: list[Rule], table: Rows, quota: int = 60) -> Place:
    return Place(FakeSecurityGroups.holding(rules, quota), table)


def operations(at: Place) -> list[str]:
    return [name for name, _ in at.groups.calls]


# The order of the reads.


def test_rules_are_read_before_the_rows_that_they_are_compared_with() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster(departed={I1: NOW - 4})))
    outcome = at.turn()
    assert operations(at) == ["rules", "rows", "revoke", "rows"]
    assert outcome.changed
    assert at.groups.standing == {}


def test_rules_that_are_newer_than_the_rows_remove_nothing_before_the_rows_are_read_again() -> None:
    # given an old reading of the rows, which does not know yet that the rule's instance is a member
    at = place([rule("sgr-1", X, label(I1))], rows(roster({I1: X}, version=2)))
    # when
    outcome = at.convergence().run(at.groups.rules([GROUP]), rows(roster(version=1)))
    # then
    assert at.groups.admitted() == {X}
    assert not outcome.changed


def test_what_an_older_row_wants_is_not_added_before_the_rows_are_read_again() -> None:
    at = place([], rows(roster(departed={I1: NOW}, version=2)))
    at.convergence().run({GROUP: ()}, rows(roster({I1: X}, version=1)))
    assert at.groups.admitted() == set()


def test_what_was_just_published_is_added_at_once() -> None:
    at = place([], rows(roster({I1: X})))
    replace(at.convergence(), just_published=frozenset({DB})).run({GROUP: ()}, rows(roster({I1: X})))
    assert operations(at) == ["authorize"]


def test_what_was_read_already_is_not_read_again() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster({I1: X})))
    at.convergence().run({GROUP: tuple(at.groups.standing.values())}, None)
    assert operations(at) == ["rows"]


def test_one_group_with_something_to_remove_is_enough_to_read_the_rows_again() -> None:
    # given a second group, which lacks nothing and has nothing too much by the old rows, and by the new ones has
    other = SecurityGroupId("sg-2")
    at = place([rule("sgr-1", X, label(I1))], rows(roster({I1: X}, version=2)))
    rules = {GROUP: tuple(at.groups.standing.values()), other: ()}
    # when
    at.convergence(groups=(GROUP, other)).run(rules, rows(roster(version=1)))
    # then
    assert (at.groups.admitted(), at.groups.admitted(other)) == ({X}, {X})


def test_nothing_to_do_is_one_reading_and_no_validation() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster({I1: X})))
    assert not at.turn().changed
    assert operations(at) == ["rules", "rows"]


# Validation and repetition.


def test_a_roster_that_changed_while_rules_were_changed_is_followed() -> None:
    # given a roster that another invocation writes right after it was first read
    at = place([], rows(roster({I1: X}, version=1)))
    newer = rows(roster({I2: Y}, departed={I1: NOW}, version=2))
    at.on_read = lambda: setattr(at, "table", newer) if at.groups.admitted() else None
    # when
    outcome = at.turn()
    # then
    assert at.groups.admitted() == {Y}
    assert outcome.rows == newer
    assert outcome.changed


def test_rosters_that_change_in_every_round_are_left_to_another_delivery() -> None:
    # given rosters of which none stands until it is validated
    at = place([], rows(roster({I1: X}, version=1)))
    versions = iter(range(2, 100))

    def another() -> None:
        version = next(versions)
        at.table = rows(roster({I1: address(version)}, version=version))

    at.on_read = another
    # when / then
    with pytest.raises(Retry, match="changed during every pass"):
        at.turn()


def test_a_rule_that_somebody_else_made_meanwhile_is_taken_for_made() -> None:
    # given a reading of the rules that is older than the group
    at = place([rule("sgr-1", X, label(I1))], rows(roster({I1: X})))
    convergence = replace(at.convergence(), just_published=frozenset({DB}))
    # when
    outcome = convergence.run({GROUP: ()}, rows(roster({I1: X})))
    # then
    assert outcome.admits(DB, I1)
    assert at.groups.admitted() == {X}


def test_rules_that_change_under_every_attempt_are_left_to_another_delivery() -> None:
    # given a group that always has the rule, and never says so
    class Forgetful(FakeSecurityGroups):
        def rules(self, groups: Sequence[SecurityGroupId]) -> dict[SecurityGroupId, tuple[Rule, ...]]:
            self.calls.append(("rules", len(groups)))
            return {GROUP: ()}

    at = Place(Forgetful.holding([rule("sgr-1", X, label(I1))]), rows(roster({I1: X})))
    at.groups = Forgetful(at.groups.standing)
    # when / then
    with pytest.raises(Retry, match="changed during every attempt"):
        at.turn()
    assert operations(at).count("authorize") == PASSES


# What is known afterwards.


def test_a_member_that_the_group_has_no_room_for_is_lacking() -> None:
    at = place([rule("sgr-1", Y)], rows(roster({I1: X})), quota=1)
    outcome = at.turn()
    assert not outcome.admits(DB, I1)
    assert "1 of 1" in str(outcome.lacking[DB, I1])


def test_an_instance_whose_rules_the_guard_holds_is_lingering() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster()))
    assert not at.turn().has_released(DB, I1)
    assert at.groups.admitted() == {X}


def test_rules_that_are_held_for_their_number_hold_nobody_else() -> None:
    # given as many members that lost their addresses as the guard finds too many
    many = [InstanceId(f"i-{number}") for number in range(10, 20)]
    rules = [rule(f"sgr-{id}", address(number), label(id)) for number, id in enumerate(many, 10)]
    at = place(rules, rows(roster({id: member(state=MemberState.WAITING) for id in many}, {I1: NOW})))
    # when
    outcome = at.turn()
    # then
    assert not outcome.has_released(DB, many[0])
    assert outcome.has_released(DB, I1)


def test_a_second_turn_that_agrees_releases_it() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster()))
    at.turn()
    at.clock.time += 60
    assert at.turn().has_released(DB, I1)
    assert at.groups.admitted() == set()
    assert at.held[GROUP].rules == frozenset()


def test_a_second_turn_that_comes_too_soon_agrees_with_nothing() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster()))
    at.turn()
    first = at.held[GROUP]
    at.clock.time += 59
    assert not at.turn().has_released(DB, I1)
    assert at.held[GROUP] == first


def test_an_observation_that_is_too_old_begins_anew_and_is_agreed_with_next_time() -> None:
    # given removals that were held, and then nobody looked for more than an hour
    at = place([rule("sgr-1", X, label(I1))], rows(roster()))
    at.turn()
    at.clock.time += 2 * 3600
    at.turn()
    assert at.groups.admitted() == {X}
    # when
    at.clock.time += 60
    at.turn()
    # then
    assert at.groups.admitted() == set()


def test_nobody_is_released_while_a_rule_of_an_earlier_owner_still_admits_its_address() -> None:
    # given a rule that was made for an instance long forgotten, whose address another member has now
    at = place([rule("sgr-1", X, label(I1))], rows(roster({I2: X})))
    at.turn()
    # when that member departs
    at.table = rows(roster(departed={I2: NOW}, version=2))
    outcome = at.turn()
    # then
    assert X not in at.groups.admitted() or not outcome.has_released(DB, I2)


def test_a_group_that_admits_nobody_on_any_port_cannot_be_managed_by_auto() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster(departed={I1: NOW})))
    with pytest.raises(Permanent, match="does not admit itself on any port"):
        at.convergence(ports=Ports()).run(None, None)
    assert at.groups.admitted() == {X}


def test_when_only_adding_nothing_is_removed() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster({I2: Y}, departed={I1: NOW})))
    replace(at.convergence(), add_only=True).run(None, None)
    assert at.groups.admitted() == {X, Y}


# What is told.


def test_each_change_is_told_with_its_place_its_rule_and_its_reason() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster({I2: Y}, departed={I1: NOW - 4})))
    at.turn()
    (added,), (removed,) = of(RuleAdded, at.audit), of(RuleRemoved, at.audit)
    assert (added.region, added.group, added.opening.cidr, added.label) == (EAST, GROUP, Y, label(I2))
    assert added.rule in at.groups.standing
    assert (removed.rule, removed.reason, removed.stale_seconds) == (RuleId("sgr-1"), "departed", 4)


def test_a_repair_of_what_was_wanted_before_is_drift() -> None:
    # given a rule that somebody deleted and one that nobody ever wanted
    at = place([rule("sgr-1", Y, label(I1))], rows(roster({I1: X})))
    # when
    at.convergence(known_before={X: label(I1)}).run(None, None)
    # then
    assert [each.drift for each in of(RuleAdded, at.audit)] == [True]
    assert [each.drift for each in of(RuleRemoved, at.audit)] == [True]


def test_a_departure_that_a_true_up_finds_is_no_drift() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster(departed={I1: NOW})))
    at.convergence(known_before={}).run(None, None)
    assert [each.drift for each in of(RuleRemoved, at.audit)] == [False]


def test_what_an_event_explains_is_no_drift() -> None:
    at = place([rule("sgr-1", Y, label(I2))], rows(roster({I1: X}, departed={I2: NOW})))
    at.turn()
    assert [each.drift for each in of(RuleAdded, at.audit)] == [False]
    assert [each.drift for each in of(RuleRemoved, at.audit)] == [False]


def test_what_is_held_is_told_with_its_digest() -> None:
    at = place([rule("sgr-1", X, label(I1))], rows(roster()))
    at.turn()
    assert of(RemovalsHeld, at.audit) == [RemovalsHeld(EAST, GROUP, (RuleId("sgr-1"),), 1, at.held[GROUP].digest)]


def test_the_quota_is_told_as_it_stands_after_the_changes() -> None:
    # given a rule whose source is a group, which counts in both families (Amazon VPC User Guide, "Amazon VPC quotas")
    rules = [
        rule("sgr-0", None, source_group=GROUP),
        rule("sgr-1", X, label(I1)),
        rule("sgr-2", Cidr("2001:db8::1/128")),
        rule("sgr-3", Cidr("2001:db8::2/128")),
    ]
    at = place(rules, rows(roster({I2: Y}, departed={I1: NOW})))
    other = SecurityGroupId("sg-2")
    # when
    at.convergence(groups=(GROUP, other)).run(None, None)
    # then
    assert {(each.group, each.family, each.rules, each.quota) for each in of(QuotaUsed, at.audit)} == {
        (GROUP, "ipv4", 2, 60),
        (GROUP, "ipv6", 3, 60),
        (other, "ipv4", 1, 60),
        (other, "ipv6", 0, 60),
    }
