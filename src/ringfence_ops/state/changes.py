"""What reconciles change in security groups, as one list for people and programs: from their journals.

Pure. Serves what is planned as well as what was done: both are told in the engine's own words.
"""

import hashlib
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
from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId
from ringfence.core.model.rules import Label, Opening, Rule


class Action(StrEnum):
    """What becomes of a rule."""

    ADD = "add"
    REMOVE = "remove"
    RELABEL = "relabel"
    HOLD = "hold"  # the guard wants a second look, or an operator's word, before it is removed
    REFUSE = "refuse"  # EC2 does not take the rule


@dataclass(frozen=True, slots=True)
class Change:
    """One rule's. `rule` is None for one that does not stand yet; `observed` says that nothing is really done.

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
class Held:
    """Removals that the guard holds in a group, by the digest with which an operator confirms exactly these."""

    region: Region
    group: SecurityGroupId
    rules: frozenset[RuleId]
    digest: str


def changes(cluster: str, entries: Iterable[AuditEvent], standing: Mapping[RuleId, Rule]) -> list[Change]:
    """The changes that the entries tell of. `standing` are the rules that stood before, to say what is held.

    Several Regions' engines tell of what is held in the same group: it is listed once.
    """
    found: dict[tuple[object, ...], Change] = {}
    for entry in entries:
        for change in _changes(cluster, entry, standing):
            found.setdefault((change.group, change.action, change.opening, change.rule), change)
    order = list(Action)
    return sorted(
        found.values(),
        key=lambda one: (one.region, one.group, order.index(one.action), str(one.opening), one.rule or ""),
    )


def _changes(cluster: str, entry: AuditEvent, standing: Mapping[RuleId, Rule]) -> list[Change]:
    match entry:
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
        case RemovalsHeld(region, group, rules):
            return [_held(cluster, region, group, id, standing.get(id)) for id in rules]
        case _:
            return []


def _held(cluster: str, region: Region, group: SecurityGroupId, id: RuleId, rule: Rule | None) -> Change:
    opening, label = (None, None) if rule is None else (rule.opening, rule.label(cluster))
    return Change(region, group, Action.HOLD, opening, label, id, why="too much to believe at once")


def held(entries: Iterable[AuditEvent]) -> list[Held]:
    """What the guard holds, once for each group and digest."""
    found = {
        (entry.group, entry.digest): Held(entry.region, entry.group, frozenset(entry.rules), entry.digest)
        for entry in entries
        if isinstance(entry, RemovalsHeld)
    }
    return list(found.values())


def digest(planned: Iterable[Change]) -> str:
    """Twelve hexadecimal digits that name exactly these changes, in whatever order; twelve zeros name none."""
    lines = sorted(
        f"{one.region} {one.group} {one.action} {one.opening} {one.label} {one.rule or ''}"
        for one in planned
        if one.action is not Action.REFUSE
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12] if lines else "0" * 12
