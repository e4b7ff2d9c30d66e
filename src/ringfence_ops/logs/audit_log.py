"""The audit log: what the engines wrote into CloudWatch Logs about every change of a rule and about every reconcile.

`ringfence.runtime.telemetry` writes these lines; this module reads them. Knows no terminal and no security group.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId
from ringfence_ops.aws.sessions import Aws, Unreachable

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
        wanted = [f'($.{field} = "{value}")' for field, values in named.items() for value in sorted(values)]
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
        lines = self._lines(selected.pattern(), since, until)
        changes = (change for at, line in lines if (change := logged_change(at, self.region, line)) is not None)
        return [change for change in changes if selected.includes(change)]

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
                if (line := _json(event.get("message", ""))) is not None:
                    yield event["timestamp"] / 1000, line


TIMEOUT = 20.0
"""Seconds that reading all logs may take: a long time span has many pages."""


def read_all(
    aws: Aws, cluster: str, since: float, until: float | None, selected: ChangeFilter, *, regions: Iterable[Region]
) -> tuple[list[LoggedChange], dict[Region, str]]:
    """The changes in the logs of all these Regions, oldest first; and why a Region did not answer."""

    def changes(region: Region) -> list[LoggedChange]:
        return AuditLog(aws.client("logs", region), region, log_group(cluster)).changes(since, until, selected)

    answers = aws.each_region(regions, changes, TIMEOUT)
    unreachable = {region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)}
    return merged(answer for answer in answers.values() if not isinstance(answer, Unreachable)), unreachable


def log_group(cluster: str) -> str:
    """The log group of the cluster's function, as the template names it."""
    return f"/aws/lambda/ringfence-{cluster}"


def merged(logs: Iterable[Iterable[LoggedChange]]) -> list[LoggedChange]:
    """The changes of several Regions' logs, oldest first."""
    return sorted((change for log in logs for change in log), key=lambda change: (change.at, change.engine))


def logged_change(at: float, engine: Region, line: Mapping[str, Any]) -> LoggedChange | None:
    """The change that a line of the log reports; None where it reports something else, or lacks a field."""
    action = _ACTIONS.get(str(line.get("message")))
    if action is None or not all(isinstance(line.get(name), str) for name in _REQUIRED):
        return None
    protocol, ports = line.get("protocol"), line.get("ports")
    rule = LoggedRule(
        region=Region(line["region"]),
        security_group=SecurityGroupId(line["security_group"]),
        id=RuleId(rule_id) if (rule_id := _text(line, "rule")) is not None else None,
        address=line["address"],
        ports="all" if protocol == "all" else f"{protocol}/{ports}",
    )
    return LoggedChange(
        at=at,
        engine=engine,
        action=action,
        rule=rule,
        member=LoggedMember(_text(line, "auto_scaling_group"), _text(line, "instance")),
        causes=_causes(line),
        reason=_text(line, "reason"),
        drift=line.get("drift") is True,
        stale_seconds=_seconds(line, "stale_seconds"),
        was=_text(line, "was"),
    )


_REQUIRED = ("region", "security_group", "address")

MAXIMUM_SECONDS = 10.0**10
"""Seconds of about 317 years. A larger number in a line is no time span."""


def logged_reconcile(at: float, engine: Region, line: Mapping[str, Any]) -> LoggedReconcile | None:
    """The reconcile whose end a line of the log reports; None where it reports something else."""
    message = str(line.get("message"))
    if message == _RECONCILED:
        return LoggedReconcile(at, engine, _causes(line))
    if message.startswith(_FAILED):
        return LoggedReconcile(at, engine, _causes(line), message.removeprefix(_FAILED))
    return None


def _causes(line: Mapping[str, Any]) -> tuple[str, ...]:
    causes = line.get("cause")
    return tuple(str(cause) for cause in causes) if isinstance(causes, list) else ()


def _text(line: Mapping[str, Any], name: str) -> str | None:
    value = line.get(name)
    return value if isinstance(value, str) else None


def _seconds(line: Mapping[str, Any], name: str) -> float | None:
    """The field if it is a number of seconds, finite and not negative."""
    value = line.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < MAXIMUM_SECONDS else None


def _json(text: str) -> Mapping[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None
