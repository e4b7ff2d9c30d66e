"""A Region's pass: the order of its reads, its validation, and its result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest

from ringfence.core.audit_events import AuditEvent, QuotaUsed, RemovalsHeld, RuleAdded, RuleRemoved
from ringfence.core.configuration.settings import GuardLimits
from ringfence.core.errors import Permanent, Retry
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, PrefixListId, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import HeldRemovals, MemberState, Rows
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import GroupPorts
from ringfence.core.region_result import RegionResult
from ringfence.core.rule_count import PrefixList
from ringfence.reconciler.change_report import ChangeReport
from ringfence.reconciler.converge import SECONDS_BETWEEN_LOOKS, Convergence, GuardRecord, RegionAccess
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
OTHER = SecurityGroupId("sg-00000002")


@dataclass(slots=True)
class ManualClock:
    """A clock that only the test moves."""

    time: float = NOW

    def now(self) -> float:
        """See `interfaces.Clock.now`."""
        return self.time


@dataclass(slots=True)
class RegionInMemory:
    """A Region with security groups in memory and a table that the test writes."""

    groups: FakeSecurityGroups
    table: Rows
    clock: ManualClock = field(default_factory=ManualClock)
    audit: list[AuditEvent] = field(default_factory=list)
    held: dict[SecurityGroupId, HeldRemovals] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)
    on_read: Callable[[], None] = lambda: None

    def convergence(
        self,
        known_before: dict[Cidr, Label] | None = None,
        ports: Ports = Ports((TCP,)),
        groups: tuple[SecurityGroupId, ...] = (GROUP,),
    ) -> Convergence:
        return Convergence(
            region=EAST,
            groups=dict.fromkeys(groups, GroupPorts(ports)),
            scope=scope(),
            access=RegionAccess(self.groups, self._read, before_call=lambda: None, sleep=self.slept.append),
            guard=GuardRecord(
                limits=GuardLimits(percent=30, minimum=10),
                held_before=dict(self.held),
                confirmed=frozenset(),
                hold=self._hold,
            ),
            report=ChangeReport(EAST, self.clock, self.audit.append, rules_quota=60, known_before=known_before),
        )

    def run_pass(self) -> RegionResult:
        """Converges and validates as a reconcile does. Knows the removals that an earlier pass held."""
        convergence = self.convergence()
        return convergence.validate(convergence.run(None, None))

    def _read(self) -> Rows:
        self.groups.calls.append(("rows", 0))
        self.on_read()
        return self.table

    def _hold(self, held: HeldRemovals) -> None:
        self.held[held.group] = held


def of(kind: type[E], audit: Sequence[AuditEvent]) -> list[E]:
    """The audit events of one type."""
    return [event for event in audit if isinstance(event, kind)]


def region_with(rules: list[Rule], table: Rows, quota: int = 60) -> RegionInMemory:
    return RegionInMemory(FakeSecurityGroups.holding(rules, quota), table)


def operations(region: RegionInMemory) -> list[str]:
    return [name for name, _ in region.groups.calls]


# The order of the reads.


def test_a_pass_reads_the_rules_before_the_rows() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster(departed={I1: NOW - 4})))
    result = region.run_pass()
    assert operations(region) == ["rules", "rows", "revoke", "rows"]
    assert result.changed
    assert region.groups.existing == {}


def test_a_pass_reads_older_rows_again_before_it_removes_a_rule() -> None:
    # given rows that were read before the rule's instance became a member
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I1: X}, version=2)))
    # when
    result = region.convergence().run(region.groups.rules([GROUP]), rows(roster(version=1)))
    # then
    assert region.groups.admitted() == {X}
    assert not result.changed


def test_a_pass_reads_older_rows_again_before_it_adds_a_rule() -> None:
    region = region_with([], rows(roster(departed={I1: NOW}, version=2)))
    region.convergence().run({GROUP: ()}, rows(roster({I1: X}, version=1)))
    assert region.groups.admitted() == set()


def test_a_pass_adds_the_rules_of_a_roster_just_published_without_reading_it_again() -> None:
    region = region_with([], rows(roster({I1: X})))
    replace(region.convergence(), just_published=frozenset({DB})).run({GROUP: ()}, rows(roster({I1: X})))
    assert operations(region) == ["authorize"]


def test_a_pass_does_not_read_given_rules_again() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I1: X})))
    region.convergence().run({GROUP: tuple(region.groups.existing.values())}, None)
    assert operations(region) == ["rows"]


def test_a_removal_in_one_of_two_groups_makes_the_pass_read_the_rows_again() -> None:
    # given a second group that needs no change by the older rows, and an addition by the current rows
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I1: X}, version=2)))
    rules = {GROUP: tuple(region.groups.existing.values()), OTHER: ()}
    # when
    region.convergence(groups=(GROUP, OTHER)).run(rules, rows(roster(version=1)))
    # then
    assert (region.groups.admitted(), region.groups.admitted(OTHER)) == ({X}, {X})


def test_a_pass_without_changes_reads_once_and_validates_nothing() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I1: X})))
    assert not region.run_pass().changed
    assert operations(region) == ["rules", "rows"]


# Validation and further passes.


def test_a_pass_follows_a_roster_that_changes_while_it_runs() -> None:
    # given a roster that another invocation writes right after the first read
    region = region_with([], rows(roster({I1: X}, version=1)))
    newer = rows(roster({I2: Y}, departed={I1: NOW}, version=2))
    region.on_read = lambda: setattr(region, "table", newer) if region.groups.admitted() else None
    # when
    result = region.run_pass()
    # then
    assert region.groups.admitted() == {Y}
    assert result.rows == newer
    assert result.changed


def test_rosters_that_change_during_every_pass_raise_retry() -> None:
    # given a roster that changes before every read
    region = region_with([], rows(roster({I1: X}, version=1)))
    versions = iter(range(2, 100))

    def publish_another() -> None:
        version = next(versions)
        region.table = rows(roster({I1: address(version)}, version=version))

    region.on_read = publish_another
    # when / then
    with pytest.raises(Retry, match="changed during every pass"):
        region.run_pass()


def test_a_pass_accepts_a_rule_that_another_invocation_added_first() -> None:
    # given rules that were read before the rule existed
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I1: X})))
    convergence = replace(region.convergence(), just_published=frozenset({DB}))
    # when
    result = convergence.run({GROUP: ()}, rows(roster({I1: X})))
    # then
    assert result.admits(DB, I1)
    assert region.groups.admitted() == {X}


class Unlisted(FakeSecurityGroups):
    """Answers every reading as if there were no rules."""

    def rules(self, groups: Sequence[SecurityGroupId]) -> dict[SecurityGroupId, tuple[Rule, ...]]:
        self.calls.append(("rules", len(groups)))
        return dict.fromkeys(groups, ())


def test_a_duplicate_that_no_reading_shows_counts_as_standing_after_one_more_reading() -> None:
    # given a group that has the rule, and does not list it
    region = region_with([], rows(roster({I1: X})))
    region.groups = Unlisted({RuleId("sgr-1"): rule("sgr-1", X, label(I1))})
    # when
    result = region.run_pass()
    # then
    assert result.admits(DB, I1)
    assert operations(region) == ["rules", "rows", "authorize", "rules", "rows", "authorize", "rows"]


def test_a_rule_that_the_pass_made_is_removed_although_no_reading_shows_it() -> None:
    # given an instance that departs while its rule is made
    region = region_with([], rows(roster({I1: X}, version=1)))
    region.groups = Unlisted()
    departed = rows(roster(departed={I1: NOW}, version=2))

    def depart() -> None:
        region.table = departed if region.groups.existing else region.table

    region.on_read = depart
    # when
    result = region.run_pass()
    # then
    assert region.groups.existing == {}
    assert result.has_released(DB, I1)


def test_a_member_gets_a_new_rule_if_the_one_with_its_address_is_gone_but_still_listed() -> None:
    # given a reading with a rule that does not exist any more, which named another instance
    old = rule("sgr-1", X, label(I2))

    class Outdated(FakeSecurityGroups):
        def rules(self, groups: Sequence[SecurityGroupId]) -> dict[SecurityGroupId, tuple[Rule, ...]]:
            return {group: (old, *self.existing.values()) for group in groups}

    region = region_with([], rows(roster({I1: X}, departed={I2: NOW})))
    region.groups = Outdated()
    # when
    result = region.run_pass()
    # then
    assert result.admits(DB, I1)
    assert region.groups.admitted() == {X}


def test_a_refused_call_may_have_changed_something_so_the_rows_are_read_again() -> None:
    # given a reading that is older than the group, and rows that change while it is made again
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I1: X})))
    convergence = replace(region.convergence(), just_published=frozenset({DB}))
    # when
    result = convergence.run({GROUP: ()}, rows(roster({I1: X})))
    # then
    assert result.changed


# The result.


def test_the_result_names_a_member_that_the_group_has_no_room_for() -> None:
    region = region_with([rule("sgr-1", Y)], rows(roster({I1: X})), quota=1)
    result = region.run_pass()
    assert not result.admits(DB, I1)
    assert "1 of 1" in str(result.lacking[DB, I1])


def test_an_instance_whose_rules_the_guard_holds_is_not_released() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster()))
    assert not region.run_pass().has_released(DB, I1)
    assert region.groups.admitted() == {X}


def test_rules_held_for_their_number_do_not_delay_other_releases() -> None:
    # given so many members without addresses that the guard holds their rules
    many = [InstanceId(f"i-{number}") for number in range(10, 20)]
    rules = [rule(f"sgr-{id}", address(number), label(id)) for number, id in enumerate(many, 10)]
    region = region_with(rules, rows(roster({id: member(state=MemberState.WAITING) for id in many}, {I1: NOW})))
    # when
    result = region.run_pass()
    # then
    assert not result.has_released(DB, many[0])
    assert result.has_released(DB, I1)


def test_a_second_pass_after_a_minute_removes_the_held_rules() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster()))
    region.run_pass()
    region.clock.time += 60
    assert region.run_pass().has_released(DB, I1)
    assert region.groups.admitted() == set()
    assert region.held[GROUP].rules == frozenset()


def test_a_second_pass_within_a_minute_confirms_no_held_rule() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster()))
    region.run_pass()
    first = region.held[GROUP]
    region.clock.time += 59
    assert not region.run_pass().has_released(DB, I1)
    assert region.held[GROUP] == first


def test_an_observation_older_than_an_hour_starts_over_and_the_next_pass_confirms_it() -> None:
    # given held removals, and no pass for more than an hour
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster()))
    region.run_pass()
    region.clock.time += 2 * 3600
    region.run_pass()
    assert region.groups.admitted() == {X}
    # when
    region.clock.time += 60
    region.run_pass()
    # then
    assert region.groups.admitted() == set()


def test_no_instance_is_released_while_the_rule_of_an_earlier_owner_admits_its_address() -> None:
    # given a rule that names an unknown instance, and a member that has its address
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I2: X})))
    region.run_pass()
    # when that member departs
    region.table = rows(roster(departed={I2: NOW}, version=2))
    result = region.run_pass()
    # then
    assert X not in region.groups.admitted() or not result.has_released(DB, I2)


def test_a_group_without_ports_under_auto_admits_no_instance_and_releases_those_that_departed() -> None:
    # given a rule of a departed instance, and one of a member
    rules = [rule("sgr-1", X, label(I1)), rule("sgr-2", Y, label(I2))]
    region = region_with(rules, rows(roster({I2: Y}, departed={I1: NOW})))
    # when
    result = region.convergence(ports=Ports()).run(None, None)
    # then
    assert region.groups.admitted() == {Y}
    assert "does not admit itself on any port" in str(result.barred)
    assert result.has_released(DB, I1)
    assert not result.admits(DB, I2)


# A security group that does not exist.


@pytest.mark.parametrize("ports", [Ports(), Ports((TCP,))], ids=["auto", "explicit"])
def test_a_group_that_does_not_exist_admits_no_instance_and_says_so(ports: Ports) -> None:
    region = region_with([], rows(roster({I1: X}, departed={I2: NOW})))
    region.groups.gone = {GROUP}
    # when
    result = region.convergence(ports=ports).run(None, None)
    # then
    assert f"security group {GROUP} does not exist in us-east-1" in str(result.barred)
    assert result.has_released(DB, I2)
    assert not result.admits(DB, I1)
    assert operations(region)[-2:] == ["missing", "missing"]
    assert region.slept == [SECONDS_BETWEEN_LOOKS]


def test_a_stale_reading_of_a_group_that_does_not_exist_holds_no_instance() -> None:
    # given a rule of a departed instance that is still described
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster(departed={I1: NOW})))
    region.groups.gone = {GROUP}
    # when
    result = region.convergence().run(None, None)
    # then
    assert result.has_released(DB, I1)
    assert result.labelled == frozenset()


def test_one_answer_is_not_enough_to_say_that_a_group_does_not_exist() -> None:
    # given an answer that is stale, and a later one that is not
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster(departed={I1: NOW})))
    region.groups.gone = {GROUP}
    convergence = region.convergence()
    access = replace(convergence.access, sleep=lambda _: region.groups.gone.clear())
    # when / then
    with pytest.raises(Permanent, match=r"InvalidGroup\.NotFound"):
        replace(convergence, access=access).run(None, None)


def test_a_group_without_rules_that_exists_is_only_without_ports() -> None:
    result = region_with([], rows(roster({I1: X}))).convergence(ports=Ports()).run(None, None)
    assert "does not admit itself on any port" in str(result.barred)
    assert "does not exist" not in str(result.barred)


def test_a_group_that_does_not_exist_does_not_stop_the_changes_of_another() -> None:
    # given
    stale = rule("sgr-1", X, label(I1))
    region = region_with([in_group(OTHER, stale)], rows(roster({I2: Y}, departed={I1: NOW})))
    region.groups.gone = {GROUP}
    # when
    result = region.convergence(groups=(GROUP, OTHER)).run(None, None)
    # then
    assert region.groups.admitted(OTHER) == {Y}
    assert str(result.barred).count("sg-") == 1
    assert not result.admits(DB, I2)


def test_an_add_only_pass_removes_no_rule() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I2: Y}, departed={I1: NOW})))
    replace(region.convergence(), add_only=True).run(None, None)
    assert region.groups.admitted() == {X, Y}


# Two security groups in a Region.


def in_group(group: SecurityGroupId, rule: Rule) -> Rule:
    return replace(rule, id=RuleId(f"{rule.id}-{group}"), group=group)


def test_a_pass_changes_both_of_two_groups() -> None:
    # given two groups that both lack a rule and have a rule too many
    stale = rule("sgr-1", X, label(I1))
    region = region_with([in_group(GROUP, stale), in_group(OTHER, stale)], rows(roster({I2: Y}, departed={I1: NOW})))
    # when
    result = region.convergence(groups=(GROUP, OTHER)).run(None, None)
    # then
    assert region.groups.admitted(GROUP) == region.groups.admitted(OTHER) == {Y}
    assert [event.group for event in of(RuleAdded, region.audit)] == [GROUP, OTHER]
    assert [event.group for event in of(RuleRemoved, region.audit)] == [GROUP, OTHER]
    assert result.admits(DB, I2)
    assert result.has_released(DB, I1)


@pytest.mark.parametrize(("managed", "unmanaged"), [(GROUP, OTHER), (OTHER, GROUP)], ids=["first", "second"])
def test_a_group_without_ports_does_not_stop_the_changes_of_another(
    managed: SecurityGroupId, unmanaged: SecurityGroupId
) -> None:
    # given two groups under `auto`, of which only one admits itself
    stale = rule("sgr-1", X, label(I1))
    itself = rule("sgr-2", None, source_group=managed)
    rules = [in_group(managed, stale), in_group(managed, itself), in_group(unmanaged, stale)]
    region = region_with(rules, rows(roster({I2: Y}, departed={I1: NOW})))
    # when
    result = region.convergence(ports=Ports(), groups=(GROUP, OTHER)).run(None, None)
    # then
    assert region.groups.admitted(managed) == {Y}
    assert region.groups.admitted(unmanaged) == set()
    assert unmanaged in str(result.barred)
    assert managed not in str(result.barred)


def test_the_error_names_every_group_without_ports() -> None:
    region = region_with([], rows(roster()))
    result = region.convergence(ports=Ports(), groups=(GROUP, OTHER)).run(None, None)
    assert "security group sg-00000001, sg-00000002 in us-east-1 does not admit itself" in str(result.barred)


@pytest.mark.parametrize("full", [GROUP, OTHER], ids=["first", "second"])
def test_a_member_that_only_one_of_two_groups_has_no_room_for_is_lacking(full: SecurityGroupId) -> None:
    region = region_with([in_group(full, rule("sgr-1", Y))], rows(roster({I1: X})), quota=1)
    result = region.convergence(groups=(GROUP, OTHER)).run(None, None)
    assert not result.admits(DB, I1)
    assert [event.group for event in of(RuleAdded, region.audit)] == [OTHER if full == GROUP else GROUP]


@pytest.mark.parametrize("holding", [GROUP, OTHER], ids=["first", "second"])
def test_an_instance_is_not_released_while_one_of_two_groups_holds_its_rule(holding: SecurityGroupId) -> None:
    region = region_with([in_group(holding, rule("sgr-1", X, label(I1)))], rows(roster()))
    result = region.convergence(groups=(GROUP, OTHER)).run(None, None)
    assert not result.has_released(DB, I1)
    assert region.held.keys() == {holding}


# Audit events.


def test_the_audit_event_of_a_change_names_its_region_group_rule_and_reason() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I2: Y}, departed={I1: NOW - 4})))
    region.run_pass()
    (added,), (removed,) = of(RuleAdded, region.audit), of(RuleRemoved, region.audit)
    assert (added.region, added.group, added.opening.cidr, added.label) == (EAST, GROUP, Y, label(I2))
    assert added.rule in region.groups.existing
    assert (removed.rule, removed.reason, removed.stale_seconds) == (RuleId("sgr-1"), "departed", 4)


def test_a_repair_of_rules_wanted_before_counts_as_drift() -> None:
    # given a rule that was deleted by hand, and a rule that no roster wanted
    region = region_with([rule("sgr-1", Y, label(I1))], rows(roster({I1: X})))
    # when
    region.convergence(known_before={X: label(I1)}).run(None, None)
    # then
    assert [event.drift for event in of(RuleAdded, region.audit)] == [True]
    assert [event.drift for event in of(RuleRemoved, region.audit)] == [True]


def test_a_departure_that_a_true_up_finds_does_not_count_as_drift() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster(departed={I1: NOW})))
    region.convergence(known_before={}).run(None, None)
    assert [event.drift for event in of(RuleRemoved, region.audit)] == [False]


def test_a_change_that_an_event_explains_does_not_count_as_drift() -> None:
    region = region_with([rule("sgr-1", Y, label(I2))], rows(roster({I1: X}, departed={I2: NOW})))
    region.run_pass()
    assert [event.drift for event in of(RuleAdded, region.audit)] == [False]
    assert [event.drift for event in of(RuleRemoved, region.audit)] == [False]


def test_the_audit_event_of_held_removals_has_their_digest() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster()))
    region.run_pass()
    assert of(RemovalsHeld, region.audit) == [
        RemovalsHeld(EAST, GROUP, (RuleId("sgr-1"),), 1, region.held[GROUP].digest)
    ]


def test_a_prefix_list_counts_with_its_weight_in_the_quota_event() -> None:
    region = region_with([rule("sgr-1", None, prefix_list=PrefixListId("pl-1"))], rows(roster({I1: X})))
    region.groups.lists = {PrefixListId("pl-1"): PrefixList(ipv6=False, weight=20)}
    # when
    region.run_pass()
    # then
    assert ("prefix_lists", 1) in region.groups.calls
    assert {(event.family, event.rules) for event in of(QuotaUsed, region.audit)} == {("ipv4", 21), ("ipv6", 0)}


def test_a_pass_asks_for_no_prefix_list_without_a_rule_that_references_one() -> None:
    region = region_with([rule("sgr-1", X, label(I1))], rows(roster({I1: X})))
    region.run_pass()
    assert "prefix_lists" not in operations(region)


def test_the_quota_event_counts_the_rules_after_the_changes() -> None:
    # given a rule whose source is a group, which counts in both families (Amazon VPC User Guide, "Amazon VPC quotas")
    rules = [
        rule("sgr-0", None, source_group=GROUP),
        rule("sgr-1", X, label(I1)),
        rule("sgr-2", Cidr("2001:db8::1/128")),
        rule("sgr-3", Cidr("2001:db8::2/128")),
    ]
    region = region_with(rules, rows(roster({I2: Y}, departed={I1: NOW})))
    # when
    region.convergence(groups=(GROUP, OTHER)).run(None, None)
    # then
    assert {(event.group, event.family, event.rules, event.quota) for event in of(QuotaUsed, region.audit)} == {
        (GROUP, "ipv4", 2, 60),
        (GROUP, "ipv6", 3, 60),
        (OTHER, "ipv4", 1, 60),
        (OTHER, "ipv6", 0, 60),
    }
