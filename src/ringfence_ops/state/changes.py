"""What reconciles change in security groups, as one list for people and programs, made from their audit events.

Pure. Planned changes and applied changes look the same.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.audit_events import (
    AuditEvent,
    RemovalsHeld,
    RuleAdded,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.model.addresses import in_order
from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId
from ringfence.core.model.rules import Label, Opening, Rule


class Action(StrEnum):
    """What happens to a rule."""

    ADD = "add"
    REMOVE = "remove"
    RELABEL = "relabel"
    HOLD = "hold"  # the guard removes it after a second observation, or after an operator's confirmation
    REFUSE = "refuse"  # EC2 does not accept the rule


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one rule. `rule` is None for a rule that does not exist yet. `observed` is True in observe mode
    and while the Region is paused, where nothing is changed.

    `why` is a reason in the engine's words, or a refusal in EC2's.
    """

    region: Region
    group: SecurityGroupId
    action: Action
    opening: Opening | None
    label: Label | None
    rule: RuleId | None = None
    was: Label | None = None
    why: str = ""
    observed: bool = False


@dataclass(frozen=True, slots=True)
class GuardHold:
    """Removals that the guard holds in a group. An operator confirms exactly these by the digest."""

    region: Region
    group: SecurityGroupId
    rules: frozenset[RuleId]
    digest: str


def changes(cluster: str, audit_events: Iterable[AuditEvent], rules: Mapping[RuleId, Rule]) -> list[Change]:
    """The changes that the audit events report. `rules` are those from before, which describe what is held.

    The engines of several Regions report what is held in the same group: it is listed once. What one of them only
    observes, and another one does, is done.
    """
    found: dict[tuple[object, ...], Change] = {}
    for event in audit_events:
        for change in _changes(cluster, event, rules):
            known = found.setdefault((change.group, change.action, change.opening, change.rule), change)
            if known.observed and not change.observed:
                found[change.group, change.action, change.opening, change.rule] = change
    order = list(Action)
    return sorted(
        found.values(),
        key=lambda change: (
            change.region,
            change.group,
            order.index(change.action),
            in_order("" if change.opening is None else change.opening.cidr),
            str(change.opening),
            change.rule or "",
        ),
    )


def _changes(cluster: str, event: AuditEvent, rules: Mapping[RuleId, Rule]) -> list[Change]:
    match event:
        case RuleAdded(region, group, rule, opening, label, drift):
            why = "was missing" if drift else "joined"
            return [Change(region, group, Action.ADD, opening, label, why=why)]
        case RuleRemoved(region, group, rule, opening, owner, reason):
            return [Change(region, group, Action.REMOVE, opening, owner, rule, why=reason)]
        case RuleRelabelled(region, group, rule, opening, label, was):
            return [Change(region, group, Action.RELABEL, opening, label, rule, was, "has the address now")]
        case RuleWanted(region, group, opening, label):
            return [Change(region, group, Action.ADD, opening, label, observed=True)]
        case RuleUnwanted(region, group, rule, opening, owner, reason):
            return [Change(region, group, Action.REMOVE, opening, owner, rule, why=reason, observed=True)]
        case RuleRefused(region, group, opening, label, _, message):
            return [Change(region, group, Action.REFUSE, opening, label, why=message)]
        case RemovalsHeld(region, group, held):
            return [_held(cluster, region, group, id, rules.get(id)) for id in held]
        case _:
            return []


def _held(cluster: str, region: Region, group: SecurityGroupId, id: RuleId, rule: Rule | None) -> Change:
    opening, label = (None, None) if rule is None else (rule.opening, rule.label(cluster))
    return Change(region, group, Action.HOLD, opening, label, id, why="too many removals for one observation")


def guard_holds(audit_events: Iterable[AuditEvent]) -> list[GuardHold]:
    """What the guard holds, once for each group and digest."""
    holds = {
        (event.group, event.digest): GuardHold(event.region, event.group, frozenset(event.rules), event.digest)
        for event in audit_events
        if isinstance(event, RemovalsHeld)
    }
    return list(holds.values())


def digest(planned: Iterable[Change]) -> str:
    """Twelve hexadecimal digits that identify exactly these changes, in any order; twelve zeros for no change.

    They cover the address, the ports and the label of each rule, not only its id: a rule can be modified after an
    operator has seen it.
    """
    lines = sorted(
        json.dumps([change.region, change.group, change.action, str(change.opening), str(change.label), change.rule])
        for change in planned
        if change.action is not Action.REFUSE
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12] if lines else "0" * 12
