"""Parses what invokes the engine into one of four events. Unknown input is ignored with a reason.

Pure: takes decoded JSON, never raises, knows nothing of queues or of how an event is answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from ringfence.core.lifecycle import Transition
from ringfence.core.model.identifiers import InstanceId


class Place(Enum):
    """Where an instance comes from or goes to. Source: Auto Scaling User Guide, "Create EventBridge rules for
    warm pool events"."""

    EC2 = "EC2"
    GROUP = "AutoScalingGroup"
    WARM_POOL = "WarmPool"


@dataclass(frozen=True, slots=True)
class Launching:
    """An instance waits on its way into its group or, according to `destination`, into the group's warm pool.

    `time` is the event's time in epoch seconds, or None if it has none. `token` names this wait of the instance.
    """

    id: str
    time: int | None
    group: str
    instance: InstanceId
    hook: str
    origin: Place = Place.EC2
    destination: Place = Place.GROUP
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Terminating:
    """An instance waits on its way out of its group or its warm pool, or from the group back into the warm pool."""

    id: str
    time: int | None
    group: str
    instance: InstanceId
    hook: str
    origin: Place = Place.GROUP
    destination: Place = Place.EC2
    token: str | None = None


@dataclass(frozen=True, slots=True)
class TrueUp:
    """A reconcile that no lifecycle event started. `group` is the one that an operator named: all are reconciled.

    `confirm` is the digest of held removals that an operator has seen and approved.
    """

    id: str
    group: str | None = None
    confirm: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Input that asks for nothing, and why."""

    id: str
    reason: str


TRANSITIONS = {
    "EC2 Instance-launch Lifecycle Action": Transition.LAUNCH,
    "EC2 Instance-terminate Lifecycle Action": Transition.TERMINATE,
}

LifecycleEvent = Launching | Terminating
Event = Launching | Terminating | TrueUp | Ignored

SCHEDULE = "ringfence.schedule"
"""The `source` in the message of the stack's schedule."""


def parse(event: object, fallback_id: str) -> Event:
    """One event, from the JSON of an EventBridge event, a scheduled or a manual true-up.

    `fallback_id` names an event that has no id of its own: the id of the message or of the request.
    """
    if not isinstance(event, Mapping):
        return Ignored(fallback_id, f"expected a JSON object, got {type(event).__name__}")
    id = _text(event, "id") or fallback_id
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    transition = TRANSITIONS.get(_text(event, "detail-type"))
    if transition is not None and _text(event, "source") == "aws.autoscaling":
        return _lifecycle(id, transition, event, detail)
    if _text(event, "source") == SCHEDULE:
        return TrueUp(f"schedule {_text(event, 'time')}".strip())
    if (
        _text(event, "Event") == "autoscaling:TEST_NOTIFICATION"
        or _text(detail, "Event") == "autoscaling:TEST_NOTIFICATION"
    ):
        return Ignored(id, "a test notification of Auto Scaling")
    if event.get("trueup"):
        return TrueUp(id, _text(detail, "AutoScalingGroupName") or None, _text(event, "confirm") or None)
    if not event.get("source") and not event.get("detail-type") and _text(detail, "AutoScalingGroupName"):
        # The original sample's form. It names a group, and `trueup` is optional.
        return TrueUp(id, _text(detail, "AutoScalingGroupName"), _text(event, "confirm") or None)
    kind = f"source {_text(event, 'source')!r}, detail-type {_text(event, 'detail-type')!r}"
    return Ignored(id, f"neither a lifecycle event nor a true-up: {kind}")


def _lifecycle(id: str, transition: Transition, event: Mapping[str, object], detail: Mapping[str, object]) -> Event:
    group, instance, hook = (
        _text(detail, name) for name in ("AutoScalingGroupName", "EC2InstanceId", "LifecycleHookName")
    )
    if not group or not instance or not hook:
        return Ignored(id, "a lifecycle event that does not name its group, its instance and its hook")
    time, token = _epoch(_text(event, "time")), _text(detail, "LifecycleActionToken") or None
    match transition:
        case Transition.LAUNCH:
            origin, destination = (
                _place(detail, "Origin", Place.EC2),
                _place(detail, "Destination", Place.GROUP),
            )
            return Launching(id, time, group, InstanceId(instance), hook, origin, destination, token)
        case Transition.TERMINATE:
            origin, destination = (
                _place(detail, "Origin", Place.GROUP),
                _place(detail, "Destination", Place.EC2),
            )
            return Terminating(id, time, group, InstanceId(instance), hook, origin, destination, token)


def _text(mapping: Mapping[str, object], name: str) -> str:
    value = mapping.get(name)
    return value if isinstance(value, str) else ""


def _place(detail: Mapping[str, object], name: str, default: Place) -> Place:
    try:
        return Place(_text(detail, name))
    except ValueError:
        return default


def _epoch(time: str) -> int | None:
    try:
        return int(datetime.fromisoformat(time).timestamp())
    except ValueError:
        return None
