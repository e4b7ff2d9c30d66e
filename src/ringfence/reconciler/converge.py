"""Brings the security groups of one Region to what that Region's own table says, and validates it.

Part of the shell: it calls ports. Knows nothing of events, of hooks, or of who writes the rosters.

The order of reads is the protocol's: rules before rows wherever something is to be removed, and the rows once more
after applying; if they changed in between, it goes round again.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ringfence.core.audit_events import (
    AuditEvent,
    QuotaUsed,
    RemovalsHeld,
    RuleAdded,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.errors import Permanent, Refused, Retry
from ringfence.core.guard import Guarded, guard, standing
from ringfence.core.model.addresses import Cidr, is_ipv6
from ringfence.core.model.identifiers import Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import HeldRemovals, Rows
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import Addition, Plan, Reason, Relabelling, Removal, Scope, managed_ports, plan_group
from ringfence.core.region_result import RegionResult
from ringfence.core.settings import GuardLimits, Mode
from ringfence.reconciler.apply import Applied, Applier
from ringfence.reconciler.interfaces import Clock, SecurityGroups
from ringfence.records import dataclass

ROUNDS = 4
"""How often a Region is gone round before it is left to redelivery or the next true-up."""

Rules = Mapping[SecurityGroupId, tuple[Rule, ...]]


@dataclass(frozen=True, slots=True)
class Convergence:
    """One Region's turn. `groups` are its security groups with the ports that each is managed on.

    `read_rows` reads the rows that the Region's groups must agree with from the Region's own table. `known_before`
    maps each address that was wanted before this reconcile to its label: what is repaired there is drift. It is
    None where an event explains all changes. `before_call` may raise to stop between calls. With `add_only` nothing
    is removed or relabelled, whatever the rows say. `just_published` are the rosters of which it is known that no newer
    one stands.
    """

    region: Region
    security_groups: SecurityGroups
    groups: Mapping[SecurityGroupId, Ports]
    scope: Scope
    read_rows: Callable[[], Rows]
    limits: GuardLimits
    rules_quota: int
    held_before: Mapping[SecurityGroupId, HeldRemovals]
    confirmed: frozenset[str]
    hold: Callable[[HeldRemovals], None]
    clock: Clock
    audit: Callable[[AuditEvent], None]
    before_call: Callable[[], None]
    known_before: Mapping[Cidr, Label] | None = None
    add_only: bool = False
    just_published: frozenset[RosterKey] = frozenset()

    def run(self, rules: Rules | None, rows: Rows | None) -> RegionResult:
        """One pass. `rules` and `rows` are what was read of them already; the rows may be older than the rules.

        Raises Retry, Permanent. A refusal that says that the rules changed is answered by another pass.
        """
        for _ in range(ROUNDS):
            try:
                return self._pass(rules, rows)
            except Refused:
                rules = rows = None
        raise Retry(
            f"the rules of {', '.join(self.groups)} in {self.region} changed under every attempt to change them"
        )

    def validate(self, outcome: RegionResult) -> RegionResult:
        """Reads the rows again after something was applied, and goes round again if they changed."""
        changed = outcome.changed
        for _ in range(ROUNDS):
            if not outcome.changed or outcome.rows is None:
                return outcome if outcome.changed is changed else replace(outcome, changed=changed)
            standing = self._rows().versions()
            if all(standing.get(key) == version for key, version in outcome.rows.versions().items()):
                return outcome
            outcome = self.run(None, None)
        raise Retry(f"the rosters in {self.region} changed in every round")

    def _pass(self, rules: Rules | None, rows: Rows | None) -> RegionResult:
        if rules is None or rows is None:
            rules = self._rules() if rules is None else rules
            rows = self._rows()
            plans, unmanaged = self._plans(rules, rows)
        else:
            plans, unmanaged = self._plans(rules, rows)
            if any(self._needs_newer_rows(plan) for plan in plans):
                rows = self._rows()
                plans, unmanaged = self._plans(rules, rows)
        borrowed: frozenset[tuple[RosterKey, str]] = frozenset()
        if self.add_only:
            borrowed = frozenset(
                (each.label.roster, each.label.instance) for plan in plans for each in plan.relabellings
            )
            plans = [replace(plan, removals=(), relabellings=()) for plan in plans]
        applied = [self._apply(plan) for plan in plans]
        self._report_quota(rules, applied)
        if unmanaged:
            raise Permanent(
                f"security group {', '.join(unmanaged)} in {self.region} does not admit itself on any port, so `auto`"
                " finds no port to open: add a rule whose source is the group itself, or configure the ports"
            )
        refused = {(each.label.roster, each.label.instance): why for done, _ in applied for each, why in done.refused}
        kept = [(removal, removal.label) for _, held in applied for removal in held if removal.label is not None]
        held = frozenset((label.roster, label.instance) for _, label in kept)
        doubtful = frozenset(label.roster for each, label in kept if each.reason is Reason.UNKNOWN_INSTANCE)
        changed = any(done.added or done.removed or done.relabelled for done, _ in applied)
        return RegionResult(self.region, None, refused, borrowed, held, doubtful, rows, changed)

    def _rules(self) -> Rules:
        self.before_call()
        return self.security_groups.rules(tuple(self.groups))

    def _rows(self) -> Rows:
        self.before_call()
        return self.read_rows()

    def _plans(self, rules: Rules, rows: Rows) -> tuple[list[Plan], list[SecurityGroupId]]:
        """The plans, and the groups for which none can be made."""
        ports = {group: managed_ports(self.groups[group], group, rules[group]) for group in self.groups}
        plans = [plan_group(group, rules[group], rows, ports[group], self.scope) for group in ports if ports[group]]
        return plans, [group for group in ports if not ports[group]]

    def _needs_newer_rows(self, plan: Plan) -> bool:
        """Whether rows that are older than the rules do not do: to remove or relabel anything (the protocol's rule),
        and to add what an older row wants, which its home Region may have taken back since."""
        removes = bool(plan.removals or plan.relabellings)
        return removes or any(each.label.roster not in self.just_published for each in plan.additions)

    def _apply(self, plan: Plan) -> tuple[Applied, tuple[Removal, ...]]:
        now = int(self.clock.now())
        earlier = self.held_before.get(plan.group)
        recorded = standing(earlier, now)
        if not (plan or recorded):
            return Applied(), ()
        guarded = guard(plan, earlier, self.confirmed, self.limits, now)
        if guarded.held:
            rules = tuple(removal.rule for removal in guarded.held)
            self.audit(RemovalsHeld(self.region, plan.group, rules, plan.owned, guarded.digest))
        applied = self._observed(guarded) if self.scope.mode is Mode.OBSERVE else self._changed(guarded)
        for addition, refused in applied.refused:
            self.audit(
                RuleRefused(
                    self.region,
                    plan.group,
                    addition.opening,
                    addition.label,
                    refused.refusal.value,
                    str(refused),
                )
            )
        record = guarded.record(now)
        if record.rules != recorded:
            self.hold(record)
        return applied, guarded.held

    def _changed(self, guarded: Guarded) -> Applied:
        applier = Applier(self.security_groups, self._added, self._removed, self._relabelled, self.before_call)
        return applier.apply(guarded.plan)

    def _observed(self, guarded: Guarded) -> Applied:
        """Says what would be done, and does nothing."""
        plan = guarded.plan
        for each in plan.additions:
            self.audit(RuleWanted(self.region, plan.group, each.opening, each.label))
        for removal in plan.removals:
            rule, opening, label = removal.rule, removal.opening, removal.label
            self.audit(RuleUnwanted(self.region, plan.group, rule, opening, label, removal.reason.value))
        return Applied()

    def _added(self, plan: Plan, addition: Addition, rule: Rule) -> None:
        drift = self.known_before is not None and addition.opening.cidr in self.known_before
        self.audit(RuleAdded(self.region, plan.group, rule.id, addition.opening, addition.label, drift))

    def _removed(self, plan: Plan, removal: Removal) -> None:
        stale = None if removal.departed_at is None else max(0.0, self.clock.now() - removal.departed_at)
        drift = (
            self.known_before is not None
            and removal.opening.cidr not in self.known_before
            and removal.reason is not Reason.DEPARTED
        )
        self.audit(
            RuleRemoved(
                self.region,
                plan.group,
                removal.rule,
                removal.opening,
                removal.label,
                removal.reason.value,
                stale,
                drift,
            )
        )

    def _relabelled(self, plan: Plan, each: Relabelling) -> None:
        self.audit(RuleRelabelled(self.region, plan.group, each.rule, each.opening, each.label, each.was))

    def _report_quota(self, rules: Rules, applied: list[tuple[Applied, tuple[Removal, ...]]]) -> None:
        """How full each group is. A rule whose source is a group or a prefix list counts in both families.

        Source: Amazon VPC User Guide, "Amazon VPC quotas", security groups.
        """
        made = [rule for done, _ in applied for _, rule in done.added]
        gone = {removal.rule for done, _ in applied for removal in done.removed}
        for group in self.groups:
            used = {"ipv4": 0, "ipv6": 0}
            for rule in (*rules[group], *made):
                if rule.group != group or rule.id in gone:
                    continue
                for family in used if rule.opening is None else ("ipv6",) if is_ipv6(rule.opening.cidr) else ("ipv4",):
                    used[family] += 1
            for family, count in used.items():
                self.audit(QuotaUsed(self.region, group, family, count, self.rules_quota))
