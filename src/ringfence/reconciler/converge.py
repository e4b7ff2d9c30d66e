"""Brings the security groups of one Region to what that Region's own table says, and validates the result.

Calls interfaces. Knows nothing of events, of hooks, or of who writes the rosters.

The order of reads is part of the protocol. Rules are read before rows if anything is to be removed. After a change the
rows are read again, and if they differ, another pass follows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from ringfence.core.configuration.settings import GuardLimits, Mode
from ringfence.core.errors import CannotAdmit, Permanent, Refusal, Refused, Retry, RingfenceError
from ringfence.core.guard import guard, recorded_rules
from ringfence.core.model.identifiers import Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rosters import HeldRemovals, Rows
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import GroupPorts, Plan, Reason, Removal, Scope, plan_group
from ringfence.core.region_result import RegionResult, RosterInstance
from ringfence.core.rule_count import PrefixLists, prefix_lists_of
from ringfence.reconciler.apply import Added, Change, NotAdded, Removed, apply
from ringfence.reconciler.change_report import ChangeReport
from ringfence.reconciler.interfaces import Rules, SecurityGroups

PASSES = 4
"""Maximum passes per Region. After that, the next delivery or the next true-up continues."""

SECONDS_BETWEEN_LOOKS = 3.0
"""Seconds between the two answers that say that a security group does not exist. One of them may be stale.

Source: EC2 API reference, "Eventual consistency"."""


_UNCONFIRMED = Refused(Refusal.UNCONFIRMED, "AWS does not show the instance at the moment")


@dataclass(frozen=True, slots=True)
class RegionAccess:
    """How one Region is read and changed.

    `read_rows` reads the rows that the groups must agree with from the Region's own table. `before_call` may raise an
    error to stop between calls. `sleep` waits for some seconds.
    """

    security_groups: SecurityGroups
    read_rows: Callable[[], Rows]
    before_call: Callable[[], None]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class GuardRecord:
    """What the guard needs and keeps: its limits, what it held before, which digests an operator has confirmed."""

    limits: GuardLimits
    held_before: Mapping[SecurityGroupId, HeldRemovals]
    confirmed: frozenset[str]
    hold: Callable[[HeldRemovals], None]


@dataclass(frozen=True, slots=True)
class _Applied:
    """What was done with one group's plan, and which removals the guard holds. `failed` says why nothing more was."""

    plan: Plan
    changes: tuple[Change, ...] = ()
    held: tuple[Removal, ...] = ()
    failed: Permanent | None = None

    @property
    def changed(self) -> bool:
        """Whether any rule was changed."""
        return any(not isinstance(change, NotAdded) for change in self.changes)


@dataclass(frozen=True, slots=True)
class Convergence:
    """One Region's security groups on their way to what the rosters say.

    `groups` maps each security group to the ports that it is managed on. With `add_only`, nothing is removed or
    relabelled, whatever the rows say. `just_published` names the rosters of which no newer version can exist.
    """

    region: Region
    groups: Mapping[SecurityGroupId, GroupPorts]
    scope: Scope
    access: RegionAccess
    guard: GuardRecord
    report: ChangeReport
    add_only: bool = False
    just_published: frozenset[RosterKey] = field(default_factory=frozenset)

    def run(self, rules: Rules | None, rows: Rows | None) -> RegionResult:
        """One pass, and more if EC2 says that the rules changed meanwhile.

        `rules` and `rows` are what was read already. The rows may be older than the rules. Raises Retry, Permanent.
        """
        for _ in range(PASSES):
            try:
                return self._pass(rules, rows)
            except Refused:
                rules = rows = None
        raise Retry(f"the rules of {', '.join(self.groups)} in {self.region} changed during every attempt")

    def validate(self, result: RegionResult) -> RegionResult:
        """Reads the rows again if something was changed. If they differ, another pass follows."""
        changed = result.changed
        for _ in range(PASSES):
            if not result.changed or result.rows is None:
                return result if result.changed is changed else replace(result, changed=changed)
            current = self._rows().versions()
            if all(current.get(key) == version for key, version in result.rows.versions().items()):
                return result
            result = self.run(None, None)
        raise Retry(f"the rosters in {self.region} changed during every pass")

    def _pass(self, rules: Rules | None, rows: Rows | None) -> RegionResult:
        given = rules is not None and rows is not None
        rules = self._rules() if rules is None else rules
        rows = rows if rows is not None and given else self._rows()
        plans = self._plans(rules, rows)
        if given and any(self._needs_newer_rows(plan) for plan in plans):
            rows = self._rows()
            plans = self._plans(rules, rows)
        for plan in plans:
            self.report.unknown_owners(plan)
            self.report.refused_ports(plan.group, self.groups[plan.group].refused(plan.group, rules[plan.group]))
        applied = [self._apply(plan) for plan in plans]
        unmanaged = [group for group, ports in self._ports(rules).items() if not ports]
        gone = self._gone([done for done in applied if done.failed is not None], unmanaged, rules)
        applied = [done for done in applied if done.plan.group not in gone]
        changes = {done.plan.group: done.changes for done in applied}
        prefix_lists = self._prefix_lists(rule for group in changes for rule in rules[group])
        for group, made in changes.items():
            self.report.quota(group, rules[group], made, prefix_lists)
        plans = [plan for plan in plans if plan.group not in gone]
        result = replace(self._result(plans, applied, rows), labelled=self._labelled(rules, changes))
        barred = self._barred(gone, [group for group in unmanaged if group not in gone])
        return replace(result, barred=barred, gone=gone)

    def _rules(self) -> Rules:
        self.access.before_call()
        return self.access.security_groups.rules(tuple(self.groups))

    def _rows(self) -> Rows:
        self.access.before_call()
        return self.access.read_rows()

    def _plans(self, rules: Rules, rows: Rows) -> list[Plan]:
        """A plan for each group. One without ports to manage has removals only."""
        return [plan_group(group, rules[group], rows, ports, self.scope) for group, ports in self._ports(rules).items()]

    def _ports(self, rules: Rules) -> Mapping[SecurityGroupId, tuple[PortRange, ...]]:
        """The ports to manage in each group."""
        return {group: ports.managed(group, rules[group]) for group, ports in self.groups.items()}

    def _needs_newer_rows(self, plan: Plan) -> bool:
        """Whether rows that are older than the rules are not enough for the plan.

        They are not enough to remove or relabel anything, by the protocol. Nor are they enough to add what an older row
        wants, because its home Region may not want it any more.
        """
        removes = bool(plan.removals or plan.relabellings)
        return removes or any(addition.label.roster not in self.just_published for addition in plan.additions)

    def _apply(self, plan: Plan) -> _Applied:
        plan = replace(plan, removals=(), relabellings=()) if self.add_only else plan
        now = int(self.report.clock.now())
        earlier = self.guard.held_before.get(plan.group)
        recorded = recorded_rules(earlier, now)
        if not (plan or recorded):
            return _Applied(plan)
        guarded = guard(plan, earlier, self.guard.confirmed, self.guard.limits, now)
        self.report.held(guarded)
        try:
            changes = self._observed(guarded.plan) if self.scope.mode is Mode.OBSERVE else self._changed(guarded.plan)
        except Permanent as error:
            return _Applied(plan, failed=error)
        record = guarded.record(now)
        if record.rules != recorded:
            self.guard.hold(record)
        return _Applied(plan, changes, guarded.held)

    def _observed(self, plan: Plan) -> tuple[Change, ...]:
        """Reports what would be changed, and changes nothing."""
        self.report.not_applied(plan)
        return ()

    def _changed(self, plan: Plan) -> tuple[Change, ...]:
        """Applies the plan. Each change is reported as soon as it is made."""
        changes = []
        for change in apply(plan, self.access.security_groups, self.access.before_call):
            self.report.change(plan.group, change)
            changes.append(change)
        return tuple(changes)

    def _gone(
        self, failed: Sequence[_Applied], unmanaged: Sequence[SecurityGroupId], rules: Rules
    ) -> frozenset[SecurityGroupId]:
        """The groups that do not exist. Raises Permanent if a call failed for a group that exists.

        A group that does not exist is described without any rule, and refuses every change. EC2 is asked only then: in
        the normal case, this makes no call.
        """
        suspects = {done.plan.group for done in failed} | {group for group in unmanaged if not rules[group]}
        gone = self._missing(suspects)
        if gone:
            self.access.sleep(SECONDS_BETWEEN_LOOKS)
            gone = self._missing(gone)
        for done in failed:
            if done.failed is not None and done.plan.group not in gone:
                raise done.failed
        return gone

    def _missing(self, groups: Set[SecurityGroupId]) -> frozenset[SecurityGroupId]:
        """Those of the groups that EC2 does not know. None of them if EC2 does not say: unknown is not absent."""
        if not groups:
            return frozenset()
        try:
            self.access.before_call()
            return self.access.security_groups.missing(sorted(groups))
        except RingfenceError:
            return frozenset()

    def _prefix_lists(self, rules: Iterable[Rule]) -> PrefixLists:
        """The prefix lists that the rules reference. Asks EC2 only if there are any. If it fails, none is known."""
        if not (ids := prefix_lists_of(rules)):
            return {}
        try:
            self.access.before_call()
            return self.access.security_groups.prefix_lists(ids)
        except RingfenceError:
            return {}

    def _barred(self, gone: Set[SecurityGroupId], unmanaged: Sequence[SecurityGroupId]) -> CannotAdmit | None:
        """Why no instance can be admitted, if there are groups that do not exist, or that have no ports to manage."""
        reasons = []
        if gone:
            reasons.append(
                f"security group {', '.join(sorted(gone))} does not exist in {self.region}, so it admits no instance:"
                " remove it from the configuration there, or configure another group in its place"
            )
        if unmanaged and self.scope.at_home:
            reasons.append(
                f"security group {', '.join(unmanaged)} in {self.region} does not admit itself on any port, so `auto`"
                " finds no port to open: add a rule whose source is the group itself, or configure the ports"
            )
        elif unmanaged:
            reasons.append(
                f"security group {', '.join(unmanaged)} in {self.region} is announced with no port that"
                f" {self.scope.home} opens: configure the same ports in both Regions"
            )
        return CannotAdmit("; ".join(reasons)) if reasons else None

    def _labelled(self, rules: Rules, changes: Mapping[SecurityGroupId, Sequence[Change]]) -> frozenset[RosterKey]:
        """The rosters for which the Region has rules after the changes."""
        cluster, labels = self.scope.cluster, set[Label | None]()
        for group, made in changes.items():
            gone = {change.removal.rule for change in made if isinstance(change, Removed)}
            labels |= {rule.label(cluster) for rule in rules[group] if rule.id not in gone}
            labels |= {change.addition.label for change in made if isinstance(change, Added)}
        return frozenset(label.roster for label in labels if label is not None)

    def _result(self, plans: Sequence[Plan], applied: Sequence[_Applied], rows: Rows) -> RegionResult:
        """What is known of the Region now."""
        refused = [change for done in applied for change in done.changes if isinstance(change, NotAdded)]
        held = [(removal, removal.label) for done in applied for removal in done.held if removal.label is not None]
        borrowed = [relabelling.label for plan in plans for relabelling in plan.relabellings if self.add_only]
        return RegionResult(
            region=self.region,
            lacking={_named_by(addition.label): _UNCONFIRMED for plan in plans for addition in plan.unconfirmed}
            | {_named_by(change.addition.label): change.refused for change in refused},
            borrowed=frozenset(map(_named_by, borrowed)),
            lingering=frozenset(_named_by(label) for _, label in held),
            doubtful=frozenset(label.roster for removal, label in held if removal.reason is Reason.UNKNOWN_INSTANCE),
            rows=rows,
            changed=any(done.changed for done in applied),
        )


def _named_by(label: Label) -> RosterInstance:
    """The instance that a label names."""
    return label.roster, label.instance
