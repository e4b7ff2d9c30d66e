"""The audit log: what the engines wrote into CloudWatch Logs about changes of rules, about waiting instances, and about
reconciles.

`ringfence.runtime.telemetry` writes these lines; this module reads them. Anyone who may write into the log group can
write lines too: a line of another form is skipped, and a field of another type is left out. Knows no terminal and no
security group.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.logs.decisions import LoggedDecision, logged_decision
from ringfence_ops.logs.decisions import pattern as pattern_of_decisions
from ringfence_ops.logs.filter_pattern import quoted
from ringfence_ops.logs.json_values import ID_LIMIT, NAME_LIMIT, json_object, number_of, text_of, texts_of
from ringfence_ops.logs.logged_pauses import PATTERN as PATTERN_OF_PAUSES
from ringfence_ops.logs.logged_pauses import LoggedPause, logged_pause

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class LoggedAction(StrEnum):
    """What an engine did with a rule. The `would` actions are those of a Region in observe mode."""

    ADDED = "added"
    REMOVED = "removed"
    RELABELLED = "relabelled"
    WOULD_ADD = "would add"
    WOULD_REMOVE = "would remove"


DONE = frozenset({LoggedAction.ADDED, LoggedAction.REMOVED, LoggedAction.RELABELLED})
"""The actions that changed a rule."""


@dataclass(frozen=True, slots=True)
class LoggedRule:
    """The rule of a change: where it is, and what it admits. `id` is None for one that would have been added."""

    region: Region
    security_group: SecurityGroupId
    id: RuleId | None
    address: str
    ports: str


@dataclass(frozen=True, slots=True)
class LoggedMember:
    """The member that a rule is for: its Auto Scaling group as `Region/group`, and its instance. None for a foreign
    rule."""

    auto_scaling_group: str | None = None
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """One change of a rule. `at` is in epoch seconds; `engine` is the Region whose engine made the change.

    `causes` are the ids of the events and true-ups that the reconcile handled. `stale_seconds` is the time between the
    departure of the instance and the removal of the rule. `was` is the label that a relabelled rule had before.
    """

    at: float
    engine: Region
    action: LoggedAction
    rule: LoggedRule
    member: LoggedMember = LoggedMember()
    causes: tuple[str, ...] = ()
    reason: str | None = None
    drift: bool = False
    stale_seconds: float | None = None
    was: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedReconcile:
    """A reconcile that ended. `at` is in epoch seconds; `failure` is None where it succeeded."""

    at: float
    engine: Region
    causes: tuple[str, ...]
    failure: str | None = None

    @property
    def is_scheduled(self) -> bool:
        """Whether the schedule is one of its causes."""
        return any(cause.startswith(SCHEDULED) for cause in self.causes)


SCHEDULED = "schedule"
"""The prefix of a scheduled true-up's id. See `ringfence.core.events.parse`."""

DEPLOYED = "deployment"
"""The prefix of the id of a deployment's true-up. See `ringfence.runtime.handler`."""

BY_HAND = "hand:"
"""The prefix of the id of a true-up that a person runs. The rest says who. `by_hand` makes it."""

_ID_LIMIT = 64
_NOT_IN_ID = re.compile(r"[^\x21-\x7e]+")
"""What an id of an event cannot have. See `ringfence.core.events.parse`."""


def by_hand(arn: str) -> str:
    """The id of a true-up that the caller with this ARN runs: `hand:alice`."""
    name = arn.rpartition("/")[2] if "/" in arn else arn.rpartition(":")[2]
    return f"{BY_HAND}{_NOT_IN_ID.sub('_', name)}"[:_ID_LIMIT]


_ACTIONS = {
    "rule added": LoggedAction.ADDED,
    "rule removed": LoggedAction.REMOVED,
    "rule relabelled": LoggedAction.RELABELLED,
    "rule would be added": LoggedAction.WOULD_ADD,
    "rule would be removed": LoggedAction.WOULD_REMOVE,
}
_RECONCILED = "reconciled"
_FAILED = "reconcile failed: "


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Selects changes by action, and by address, instance or rule. With none of the three named, it selects all."""

    actions: frozenset[LoggedAction] = DONE
    addresses: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()

    def pattern(self) -> str:
        """The filter for CloudWatch Logs. Source: CloudWatch Logs User Guide, "Filter pattern syntax", JSON.

        `includes` checks every message again, so that a result does not depend on the service's filter alone.
        """
        actions = " || ".join(
            f'($.message = "{message}")' for message, action in _ACTIONS.items() if action in self.actions
        )
        named = {"address": self.addresses, "instance": self.instances, "rule": self.rules}
        wanted = [f"($.{field} = {quoted(value)})" for field, values in named.items() for value in sorted(values)]
        return f"{{ ({actions}) && ({' || '.join(wanted)}) }}" if wanted else f"{{ {actions} }}"

    def includes(self, change: LoggedChange) -> bool:
        """Whether the filter selects the change."""
        selects_all = not (self.addresses or self.instances or self.rules)
        is_named = (
            change.rule.address in self.addresses
            or change.member.instance in self.instances
            or change.rule.id in self.rules
        )
        return change.action in self.actions and (selects_all or is_named)


EVERYTHING = ChangeFilter()

LoggedEntry = LoggedChange | LoggedDecision | LoggedPause
"""What `history` shows."""

PATTERN_LIMIT = 1024
"""Maximum characters of a filter pattern. Source: CloudWatch Logs API Reference, FilterLogEvents."""


Entry = TypeVar("Entry", LoggedChange, LoggedDecision, LoggedPause, LoggedEntry)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Selects changes of rules, and decisions about these instances: about all if it is None, about none if it is
    empty. It selects pauses with the decisions about all instances."""

    changes: ChangeFilter = EVERYTHING
    decided: frozenset[str] | None = None

    def pattern(self) -> str:
        """The filter for CloudWatch Logs. One that would be too long names no address, instance or rule."""
        full = self._pattern(self.changes, self.decided)
        if len(full) <= PATTERN_LIMIT:
            return full
        return self._pattern(ChangeFilter(self.changes.actions), None if self.decided else self.decided)

    def includes(self, entry: LoggedEntry) -> bool:
        """Whether the filter selects the entry. Checks every entry: the service's own filter may let more pass."""
        if isinstance(entry, LoggedChange):
            return self.changes.includes(entry)
        if isinstance(entry, LoggedPause):
            return self.decided is None
        return self.decided is None or entry.instance in self.decided

    def _pattern(self, changes: ChangeFilter, decided: frozenset[str] | None) -> str:
        of_changes = changes.pattern().removeprefix("{ ").removesuffix(" }")
        if decided is not None and not decided:
            return f"{{ {of_changes} }}"
        pauses = f" || {PATTERN_OF_PAUSES}" if decided is None else ""
        return f"{{ ({of_changes}) || {pattern_of_decisions(decided or ())}{pauses} }}"


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The log of one Region's engine.

    Reads raise botocore's errors; where the log group does not exist, `error_codes.is_absent` says so.
    """

    client: "CloudWatchLogsClient"
    region: Region
    log_group: str

    def changes(
        self, since: float, until: float | None = None, selected: ChangeFilter = EVERYTHING
    ) -> list[LoggedChange]:
        """The changes within the time given (epoch seconds), oldest first."""
        entries = self.entries(since, until, EntryFilter(selected, frozenset()))
        return [entry for entry in entries if isinstance(entry, LoggedChange)]

    def entries(self, since: float, until: float | None, selected: EntryFilter) -> list[LoggedEntry]:
        """The changes and decisions within the time given (epoch seconds), oldest first."""
        lines = self._lines(selected.pattern(), since, until)
        found = (entry for at, line in lines for entry in _entries(at, self.region, line) if entry is not None)
        return [entry for entry in found if selected.includes(entry)]

    def reconciles(self, since: float) -> list[LoggedReconcile]:
        """The reconciles that ended since the time given (epoch seconds), oldest first."""
        pattern = f'{{ ($.message = "{_RECONCILED}") || ($.message = "{_FAILED}*") }}'
        lines = self._lines(pattern, since, None)
        return [done for at, line in lines if (done := logged_reconcile(at, self.region, line)) is not None]

    def _lines(self, pattern: str, since: float, until: float | None) -> Iterator[tuple[float, Mapping[str, Any]]]:
        """The lines that are JSON objects, with their time. CloudWatch Logs orders the lines of a page by time."""
        end = {} if until is None else {"endTime": int(until * 1000)}
        pages = self.client.get_paginator("filter_log_events").paginate(
            logGroupName=self.log_group,
            filterPattern=pattern,
            startTime=int(since * 1000),
            **end,  # type: ignore[arg-type]  # a mapping loses its type
        )
        for page in pages:
            for event in page["events"]:
                if (line := json_object(event.get("message", ""))) is not None:
                    yield event["timestamp"] / 1000, line


TIMEOUT = 20.0
"""Seconds that reading all logs may take: a long time span has many pages."""


def read_all(
    aws: Aws, cluster: str, since: float, until: float | None, selected: ChangeFilter, *, regions: Iterable[Region]
) -> tuple[list[LoggedChange], dict[Region, str]]:
    """The changes in the logs of all these Regions, oldest first; and why a Region did not answer."""
    entries, unreachable = read_entries(aws, cluster, since, until, EntryFilter(selected, frozenset()), regions=regions)
    return [entry for entry in entries if isinstance(entry, LoggedChange)], unreachable


def read_entries(
    aws: Aws, cluster: str, since: float, until: float | None, selected: EntryFilter, *, regions: Iterable[Region]
) -> tuple[list[LoggedEntry], dict[Region, str]]:
    """The changes and decisions in the logs of all these Regions, oldest first; and why a Region did not answer."""

    def entries(region: Region) -> list[LoggedEntry]:
        return AuditLog(aws.client("logs", region), region, log_group(cluster)).entries(since, until, selected)

    answers = aws.each_region(regions, entries, TIMEOUT)
    unreachable = {region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)}
    return merged(answer for answer in answers.values() if not isinstance(answer, Unreachable)), unreachable


def log_group(cluster: str) -> str:
    """The log group of the cluster's function, as the template names it."""
    return f"/aws/lambda/ringfence-{cluster}"


def merged(logs: Iterable[Iterable[Entry]]) -> list[Entry]:
    """The entries of several Regions' logs, oldest first."""
    return sorted((entry for log in logs for entry in log), key=lambda entry: (entry.at, entry.engine))


def _entries(at: float, engine: Region, line: Mapping[str, Any]) -> tuple[LoggedEntry | None, ...]:
    """What a line of the log reports, as each kind of entry."""
    return logged_change(at, engine, line), logged_decision(at, engine, line), logged_pause(at, engine, line)


def logged_change(at: float, engine: Region, line: Mapping[str, Any]) -> LoggedChange | None:
    """The change that a line of the log reports; None where it reports something else, or lacks a field."""
    action = _ACTIONS.get(text_of(line.get("message")) or "")
    region, group = text_of(line.get("region"), ID_LIMIT), text_of(line.get("security_group"), ID_LIMIT)
    address, id = text_of(line.get("address"), ID_LIMIT), text_of(line.get("rule"), ID_LIMIT)
    if action is None or region is None or group is None or address is None:
        return None
    return LoggedChange(
        at=at,
        engine=engine,
        action=action,
        rule=LoggedRule(Region(region), SecurityGroupId(group), RuleId(id) if id else None, address, _ports(line)),
        member=LoggedMember(
            text_of(line.get("auto_scaling_group"), NAME_LIMIT), text_of(line.get("instance"), ID_LIMIT)
        ),
        causes=texts_of(line.get("cause")),
        reason=text_of(line.get("reason"), NAME_LIMIT),
        drift=line.get("drift") is True,
        stale_seconds=number_of(line.get("stale_seconds")),
        was=text_of(line.get("was"), NAME_LIMIT),
    )


def _ports(line: Mapping[str, Any]) -> str:
    """The ports of a line: `tcp/9042`, or `all`."""
    protocol = text_of(line.get("protocol"), ID_LIMIT) or "?"
    return "all" if protocol == "all" else f"{protocol}/{text_of(line.get('ports'), ID_LIMIT) or '?'}"


def logged_reconcile(at: float, engine: Region, line: Mapping[str, Any]) -> LoggedReconcile | None:
    """The reconcile whose end a line of the log reports; None where it reports something else."""
    message = text_of(line.get("message")) or ""
    if message == _RECONCILED:
        return LoggedReconcile(at, engine, texts_of(line.get("cause")))
    if message.startswith(_FAILED):
        return LoggedReconcile(at, engine, texts_of(line.get("cause")), message.removeprefix(_FAILED))
    return None
