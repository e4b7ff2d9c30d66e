"""Reports what a pass does to the security groups of one Region, as audit events.

Knows nothing of why a change is made or of how.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from ringfence.core.audit_events import (
    AuditEvent,
    Problem,
    QuotaUsed,
    RemovalsHeld,
    RuleAdded,
    RuleOwnerUnknown,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.guard import GuardedPlan
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import Plan, Reason, Removal
from ringfence.core.rule_count import PrefixLists, RuleCount, count_rules
from ringfence.reconciler.apply import Added, Change, NotAdded, Relabelled, Removed, Standing, Vanished
from ringfence.reconciler.interfaces import Clock


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """The audit events of one Region's pass.

    `known_before` maps each address that was wanted before this reconcile to its label: a repair of these is drift. It
    is None if an event explains all changes. `rules_quota` is the number of rules that a group can have.
    """

    region: Region
    clock: Clock
    audit: Callable[[AuditEvent], None]
    rules_quota: int
    known_before: Mapping[Cidr, Label] | None = None

    def change(self, group: SecurityGroupId, change: Change) -> None:
        """Reports one change, or one rule that EC2 refused."""
        match change:
            case Added(addition=addition, rule=rule):
                drift = self.known_before is not None and addition.opening.cidr in self.known_before
                self.audit(RuleAdded(self.region, group, rule.id, addition.opening, addition.label, drift))
            case Removed(removal=removal):
                self.audit(self._removed(group, removal))
            case Relabelled(relabelling=relabelling):
                rule_id, opening = relabelling.rule, relabelling.opening
                self.audit(RuleRelabelled(self.region, group, rule_id, opening, relabelling.label, relabelling.was))
            case NotAdded(addition=addition, refused=refused):
                refusal = refused.refusal.value
                self.audit(RuleRefused(self.region, group, addition.opening, addition.label, refusal, str(refused)))
            case Standing() | Vanished():
                pass  # this invocation changed nothing
            case _:
                assert_never(change)

    def held(self, guarded: GuardedPlan) -> None:
        """Reports the removals that the guard holds, if there are any."""
        if guarded.held:
            plan, rules = guarded.plan, tuple(removal.rule for removal in guarded.held)
            self.audit(RemovalsHeld(self.region, plan.group, rules, plan.owned, guarded.digest))

    def unknown_owners(self, plan: Plan) -> None:
        """Reports the rules with our label whose owner is not known."""
        for unknown in plan.unknown_owners:
            opening, label = unknown.opening, unknown.label
            self.audit(RuleOwnerUnknown(self.region, plan.group, unknown.rule, opening, label, unknown.why))

    def refused_ports(self, group: SecurityGroupId, ports: Sequence[PortRange]) -> None:
        """Reports the ports that a peer announces and that are not ours."""
        if ports:
            names = ", ".join(map(str, ports))
            why = "which are not among our ports: they are not opened there from here"
            self.audit(Problem(f"{self.region} announces {group} with {names}, {why}"))

    def not_applied(self, plan: Plan) -> None:
        """Reports what would be changed, in observe mode."""
        for addition in plan.additions:
            self.audit(RuleWanted(self.region, plan.group, addition.opening, addition.label))
        for removal in plan.removals:
            opening, reason = removal.opening, removal.reason.value
            self.audit(RuleUnwanted(self.region, plan.group, removal.rule, opening, removal.label, reason))

    def quota(
        self, group: SecurityGroupId, rules: Iterable[Rule], changes: Iterable[Change], prefix_lists: PrefixLists
    ) -> RuleCount:
        """Reports how full a group is after the changes, and returns it."""
        changes = tuple(changes)
        made = [change.rule for change in changes if isinstance(change, Added)]
        gone = {change.removal.rule for change in changes if isinstance(change, Removed)}
        used = count_rules((rule for rule in (*rules, *made) if rule.id not in gone), prefix_lists)
        for family, count in (("ipv4", used.ipv4), ("ipv6", used.ipv6)):
            self.audit(QuotaUsed(self.region, group, family, count, self.rules_quota))
        return used

    def _removed(self, group: SecurityGroupId, removal: Removal) -> RuleRemoved:
        stale = None if removal.departed_at is None else max(0.0, self.clock.now() - removal.departed_at)
        was_wanted = self.known_before is None or removal.opening.cidr in self.known_before
        return RuleRemoved(
            region=self.region,
            group=group,
            rule=removal.rule,
            opening=removal.opening,
            label=removal.label,
            reason=removal.reason.value,
            stale_seconds=stale,
            drift=not was_wanted and removal.reason is not Reason.DEPARTED,
        )
