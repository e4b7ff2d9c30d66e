"""The audit log: what the engines wrote into CloudWatch Logs of every rule that came and went, and of every reconcile.

`ringfence.runtime.telemetry` writes these lines; here they are read back. Knows no terminal and no security group.
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


class Turn(StrEnum):
    """What became of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    RELABELLED = "relabelled"
    WOULD_ADD = "would add"  # in a Region that is only observed
    WOULD_REMOVE = "would remove"


DONE = frozenset({Turn.ADDED, Turn.REMOVED, Turn.RELABELLED})
"""What really became of rules."""


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What an engine did to a rule. `at` is in epoch seconds, `engine` the Region whose engine did it.

    `rule` is None for one that would have been made. `causes` are the ids of the events and true-ups that the reconcile
    was about; `stale_seconds` is how long the rule outlived the departure of its instance; `was` is the label that it
    had before.
    """

    at: float
    engine: Region
    turn: Turn
    region: Region
    security_group: SecurityGroupId
    rule: RuleId | None
    address: str
    ports: str
    auto_scaling_group: str | None = None
    instance: str | None = None
    causes: tuple[str, ...] = ()
    reason: str | None = None
    drift: bool = False
    stale_seconds: float | None = None
    was: str | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A reconcile that ended. `failure` is None where it went well."""

    at: float
    engine: Region
    causes: tuple[str, ...]
    failure: str | None = None

    @property
    def is_scheduled(self) -> bool:
        """Whether the schedule asked for it, maybe among others."""
        return any(cause.startswith(SCHEDULED) for cause in self.causes)


SCHEDULED = "schedule"
"""How the id of a scheduled true-up begins. See `ringfence.core.events.parse`."""

_TURNS = {
    "rule added": Turn.ADDED,
    "rule removed": Turn.REMOVED,
    "rule relabelled": Turn.RELABELLED,
    "rule would be added": Turn.WOULD_ADD,
    "rule would be removed": Turn.WOULD_REMOVE,
}
_RECONCILED = "reconciled"
_FAILED = "reconcile failed: "


@dataclass(frozen=True, slots=True)
class About:
    """Which changes are wanted: those that are about any of these, or all where none is given; and which turns."""

    turns: frozenset[Turn] = DONE
    addresses: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()

    def pattern(self) -> str:
        """The filter for CloudWatch Logs. Source: CloudWatch Logs User Guide, "Filter pattern syntax", JSON.

        A message is read twice, by the service and by `includes`, so that nothing rests on the filter alone.
        """
        turns = " || ".join(f'($.message = "{message}")' for message, turn in _TURNS.items() if turn in self.turns)
        wanted = [f'($.{name} = "{value}")' for name, values in self._fields() for value in sorted(values)]
        return f"{{ ({turns}) && ({' || '.join(wanted)}) }}" if wanted else f"{{ {turns} }}"

    def includes(self, change: RuleChange) -> bool:
        """Whether the change is one of those."""
        wanted = [(name, values) for name, values in self._fields() if values]
        about = not wanted or any(getattr(change, name) in values for name, values in wanted)
        return about and change.turn in self.turns

    def _fields(self) -> tuple[tuple[str, frozenset[str]], ...]:
        return ("address", self.addresses), ("instance", self.instances), ("rule", self.rules)


EVERYTHING = About()


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The log of one Region's engine.

    Reading raises what botocore raises; a log group that is not there is `ResourceNotFoundException`.
    """

    client: "CloudWatchLogsClient"
    region: Region
    log_group: str

    def changes(self, since: float, until: float | None = None, about: About = EVERYTHING) -> list[RuleChange]:
        """The rules added and removed within the time given (epoch seconds), oldest first."""
        lines = self._lines(about.pattern(), since, until)
        changes = (change for at, line in lines if (change := rule_change(at, self.region, line)) is not None)
        return [change for change in changes if about.includes(change)]

    def reconciles(self, since: float) -> list[Reconciled]:
        """The reconciles that ended since the time given, oldest first."""
        pattern = f'{{ ($.message = "{_RECONCILED}") || ($.message = "{_FAILED}*") }}'
        lines = self._lines(pattern, since, None)
        return [done for at, line in lines if (done := reconciled(at, self.region, line)) is not None]

    def _lines(self, pattern: str, since: float, until: float | None) -> Iterator[tuple[float, Mapping[str, Any]]]:
        """The lines that are JSON objects, with their time. Within a page CloudWatch Logs orders them by time."""
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


PATIENCE = 20.0
"""Seconds for which the logs may take: a long time back is many pages. A Region that hangs ends sooner by itself."""


def read_all(
    aws: Aws, cluster: str, regions: Iterable[Region], since: float, until: float | None, about: About
) -> tuple[list[RuleChange], dict[Region, str]]:
    """The changes that the logs of all Regions tell of, in the order of time; and why a Region did not answer."""

    def changes(region: Region) -> list[RuleChange]:
        return AuditLog(aws.client("logs", region), region, log_group(cluster)).changes(since, until, about)

    found = aws.each_region(regions, changes, PATIENCE)
    unreachable = {region: one.reason for region, one in found.items() if isinstance(one, Unreachable)}
    return merged(one for one in found.values() if not isinstance(one, Unreachable)), unreachable


def log_group(cluster: str) -> str:
    """The log group of the cluster's function, by the name that the template gives it."""
    return f"/aws/lambda/ringfence-{cluster}"


def merged(logs: Iterable[Iterable[RuleChange]]) -> list[RuleChange]:
    """The changes of several Regions' logs in the order of time."""
    return sorted((change for log in logs for change in log), key=lambda change: (change.at, change.engine))


def rule_change(at: float, engine: Region, line: Mapping[str, Any]) -> RuleChange | None:
    """The change that a line of the log tells of; None where it tells of something else, or not enough."""
    turn = _TURNS.get(str(line.get("message")))
    if turn is None or not all(isinstance(line.get(name), str) for name in _REQUIRED):
        return None
    protocol, ports = line.get("protocol"), line.get("ports")
    return RuleChange(
        at=at,
        engine=engine,
        turn=turn,
        region=Region(line["region"]),
        security_group=SecurityGroupId(line["security_group"]),
        rule=RuleId(line["rule"]) if "rule" in line else None,
        address=line["address"],
        ports="all" if protocol == "all" else f"{protocol}/{ports}",
        auto_scaling_group=line.get("auto_scaling_group"),
        instance=line.get("instance"),
        causes=_causes(line),
        reason=line.get("reason"),
        drift=line.get("drift") is True,
        stale_seconds=line.get("stale_seconds"),
        was=line.get("was"),
    )


_REQUIRED = ("region", "security_group", "address")


def reconciled(at: float, engine: Region, line: Mapping[str, Any]) -> Reconciled | None:
    """The reconcile that a line of the log ends; None where it tells of something else."""
    message = str(line.get("message"))
    if message == _RECONCILED:
        return Reconciled(at, engine, _causes(line))
    if message.startswith(_FAILED):
        return Reconciled(at, engine, _causes(line), message.removeprefix(_FAILED))
    return None


def _causes(line: Mapping[str, Any]) -> tuple[str, ...]:
    causes = line.get("cause")
    return tuple(str(cause) for cause in causes) if isinstance(causes, list) else ()


def _json(text: str) -> Mapping[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
