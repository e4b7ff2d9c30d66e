"""Rules with a label of the cluster whose owner is not known: what they admit, since when, and who made them.

No engine removes them, because unknown is not absent. Anyone who may change a security group can make one. Changes
nothing. Knows no terminal.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ringfence.core.audit_events import AuditEvent, RuleOwnerUnknown, RuleRemoved
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.addresses import in_order
from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.plan import managed_ports, plan_group
from ringfence.reconciler.region_pass import scope_in
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.logs.audit_log import ChangeFilter, LoggedAction, LoggedChange, read_all
from ringfence_ops.logs.cloudtrail import ApiCall, EventHistory

LOG_BACK = 24 * 3600
"""Seconds of the audit log that are searched for the addition of a rule."""

RulesByGroup = Mapping[Region, Mapping[SecurityGroupId, frozenset[RuleId]]]


@dataclass(frozen=True, slots=True)
class RuleOrigin:
    """When a rule was made or last changed (epoch seconds), and by whom: an ARN, or the Region of an engine."""

    at: float
    by: str


@dataclass(frozen=True, slots=True)
class UnownedRule:
    """A rule whose owner is not known, with the label that it has. `origin` is None where nothing tells."""

    region: Region
    group: SecurityGroupId
    rule: RuleId
    opening: Opening
    label: Label
    why: str
    origin: RuleOrigin | None = None

    @property
    def fix(self) -> str:
        """What an operator can do about it."""
        return f"find out who needs it; if it is not needed: {how_to_remove(self.region, self.group, self.rule)}"


def how_to_remove(region: Region, group: SecurityGroupId, rule: RuleId) -> str:
    """The command that removes a rule."""
    return (
        f"aws ec2 revoke-security-group-ingress --region {region} --group-id {group} --security-group-rule-ids {rule}"
    )


def reported(audit_events: Iterable[AuditEvent]) -> list[UnownedRule]:
    """The rules that a reconcile reports, each once; without those that it removes nevertheless, as in mirror mode."""
    audit_events = tuple(audit_events)
    removed = {event.rule for event in audit_events if isinstance(event, RuleRemoved)}
    found = {
        event.rule: UnownedRule(event.region, event.group, event.rule, event.opening, event.label, event.why)
        for event in audit_events
        if isinstance(event, RuleOwnerUnknown) and event.rule not in removed
    }
    return sorted(
        found.values(),
        key=lambda unowned: (
            unowned.region,
            unowned.group,
            in_order(unowned.opening.cidr),
            unowned.opening,
            unowned.rule,
        ),
    )


def judged(
    settings: Settings, groups: Mapping[SecurityGroupId, tuple[Rule, ...]], rows: Rows
) -> tuple[UnownedRule, ...]:
    """The rules of unknown owner in the Region of the settings, as its engine judges them.

    A row of the Region's own groups that is missing or cannot be trusted explains its rules: the engine replaces it.
    """
    region, scope = settings.region, scope_in(settings.region, settings)
    found: list[UnownedRule] = []
    for group, rules in groups.items():
        plan = plan_group(group, rules, rows, managed_ports(settings.ports, group, rules), scope)
        removed = {removal.rule for removal in plan.removals}
        found += [
            UnownedRule(region, group, unknown.rule, unknown.opening, unknown.label, unknown.why)
            for unknown in plan.unknown_owners
            if unknown.rule not in removed and not _is_own(unknown.label, unknown.opening, settings)
        ]
    return tuple(found)


def with_callers(unowned: tuple[UnownedRule, ...], history: EventHistory) -> tuple[UnownedRule, ...]:
    """The rules of one Region with who made or changed them, where CloudTrail tells. Raises botocore's errors."""
    calls: dict[RuleId, ApiCall] = {}
    for group in {rule.group for rule in unowned}:
        calls |= history.latest_calls(group, frozenset(rule.rule for rule in unowned if rule.group == group))
    origins = {rule: RuleOrigin(call.at, call.caller) for rule, call in calls.items()}
    return tuple(replace(rule, origin=origins.get(rule.rule)) for rule in unowned)


def _is_own(label: Label, opening: Opening, settings: Settings) -> bool:
    """Whether a rule can be of the Region's own groups, and its engine decides about it at the next true-up."""
    rule = Rule(RuleId(""), SecurityGroupId(""), opening.ports, opening, description=str(label))
    roster = label.roster
    is_own = roster.region == settings.region and roster.asg in settings.auto_scaling_groups
    return is_own and rule.label(settings.cluster) is not None


@dataclass(slots=True)
class RuleOrigins:
    """Finds who made rules. Each rule is looked up once: CloudTrail answers two calls a second."""

    aws: Aws
    cluster: str
    regions: tuple[Region, ...]
    _known: dict[RuleId, RuleOrigin | None] = field(default_factory=dict)

    def of(self, unowned: Iterable[UnownedRule]) -> list[UnownedRule]:
        """The rules with their origins, where CloudTrail or the audit log tells. A Region that fails is left out."""
        unowned = list(unowned)
        new = [rule for rule in unowned if rule.rule not in self._known]
        if new:
            self._known |= dict.fromkeys((rule.rule for rule in new), None)
            self._known |= self._look_up(new)
        return [replace(rule, origin=self._known[rule.rule]) for rule in unowned]

    def _look_up(self, unowned: Iterable[UnownedRule]) -> dict[RuleId, RuleOrigin]:
        rules: dict[Region, dict[SecurityGroupId, frozenset[RuleId]]] = {}
        for rule in unowned:
            groups = rules.setdefault(rule.region, {})
            groups[rule.group] = groups.get(rule.group, frozenset()) | {rule.rule}
        calls = latest_calls(self.aws, rules)
        found = {rule: RuleOrigin(call.at, call.caller) for rule, call in calls.items()}
        return found | {rule: origin for rule, origin in self._logged(unowned).items() if rule not in found}

    def _logged(self, unowned: Iterable[UnownedRule]) -> dict[RuleId, RuleOrigin]:
        selected = ChangeFilter(frozenset({LoggedAction.ADDED}), rules=frozenset(rule.rule for rule in unowned))
        changes, _ = read_all(self.aws, self.cluster, time.time() - LOG_BACK, None, selected, regions=self.regions)
        return origins_in_log(changes)


def origins_in_log(changes: Iterable[LoggedChange]) -> dict[RuleId, RuleOrigin]:
    """The origin of each rule that the log says was added. The log is oldest first: the latest addition counts."""
    return {
        change.rule.id: RuleOrigin(change.at, f"the engine of {change.engine}")
        for change in changes
        if change.action is LoggedAction.ADDED and change.rule.id is not None
    }


def latest_calls(aws: Aws, rules: RulesByGroup) -> dict[RuleId, ApiCall]:
    """The latest call that made or changed each rule, by CloudTrail. A Region that fails is left out."""

    def read(region: Region) -> dict[RuleId, ApiCall]:
        history = EventHistory(aws.client("cloudtrail", region), region)
        calls: dict[RuleId, ApiCall] = {}
        for group, ids in rules[region].items():
            calls |= history.latest_calls(group, ids)
        return calls

    answers = aws.each_region(rules, read)
    return {
        rule: call for calls in answers.values() if not isinstance(calls, Unreachable) for rule, call in calls.items()
    }
