"""The CloudWatch alarms of a Region's stack, as CloudWatch has them.

Changes nothing and judges nothing. Knows no terminal.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ringfence.aws.assembly import ClientOf
from ringfence.core.model.identifiers import Region

ALARMS = ("errors", "unserved", "dead-letters", "stale-door", "unknown-owners", "quota")
"""The alarms of the template, by the last part of their name."""


class AlarmState(StrEnum):
    """The state of an alarm. Source: CloudWatch API Reference, MetricAlarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm. `since` (epoch seconds) is when its state was set, with the reason. `is_enabled` says that its actions
    are enabled; `actions` are the ARNs of what it notifies when it rings. `description` says what to do then."""

    name: str
    state: AlarmState
    since: float
    reason: str = ""
    is_enabled: bool = True
    actions: tuple[str, ...] = ()
    description: str = ""

    @property
    def rings(self) -> bool:
        """Whether it is in alarm."""
        return self.state is AlarmState.ALARM


@dataclass(frozen=True, slots=True)
class AlarmsSeen:
    """The alarms that exist; or why they could not be read."""

    alarms: tuple[Alarm, ...] = ()
    unread: str | None = None

    @property
    def ringing(self) -> list[Alarm]:
        """Those that ring."""
        return [alarm for alarm in self.alarms if alarm.rings]


def alarm_names(cluster: str, without: Collection[str] = ()) -> list[str]:
    """The names of the cluster's alarms, the same in each Region, `without` those of another version."""
    return [f"ringfence-{cluster}-{alarm}" for alarm in ALARMS if alarm not in without]


def read_alarms(client_of: ClientOf, region: Region, cluster: str) -> tuple[Alarm, ...]:
    """The alarms that exist, in the order of `ALARMS`, with one call. Raises botocore's errors."""
    names = alarm_names(cluster)
    # Names, because the names of another cluster's alarms can begin like ours.
    answer = client_of("cloudwatch", region).describe_alarms(AlarmNames=names, MaxRecords=len(names))
    found = {alarm["AlarmName"]: _alarm(alarm) for alarm in answer["MetricAlarms"]}
    return tuple(found[name] for name in names if name in found)


def _alarm(described: Mapping[str, Any]) -> Alarm:
    actions: Sequence[str] = described.get("AlarmActions", [])
    return Alarm(
        described["AlarmName"],
        AlarmState(described["StateValue"]),
        described.get("StateTransitionedTimestamp", described["StateUpdatedTimestamp"]).timestamp(),
        described.get("StateReason", ""),
        described.get("ActionsEnabled", True),
        tuple(actions),
        described.get("AlarmDescription", ""),
    )
