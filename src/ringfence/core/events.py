"""Parses what invokes the engine into an event. Every id and name is checked against the pattern that AWS documents.

Input that has the form of an event and that AWS cannot have sent is malformed: an operator must see it. Input that has
no such form is ignored with a reason. Pure: takes decoded JSON, never raises, knows nothing of queues or of how an
event is answered.
"""

import re
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


class Action(Enum):
    """What Auto Scaling does to an instance that stays in its group. Source: Auto Scaling User Guide, "Instance refresh
    replace root volume lifecycle events". The events of all other waits name no action."""

    REPLACE_ROOT_VOLUME = "ReplaceRootVolume"


@dataclass(frozen=True, slots=True)
class Launching:
    """An instance waits on its way into its group or, according to `destination`, into the group's warm pool.

    With an `action`, it was in the group before. `time` is the event's time in epoch seconds, or None if it has none.
    `token` names this wait of the instance.
    """

    id: str
    time: int | None
    group: str
    instance: InstanceId
    hook: str
    origin: Place = Place.EC2
    destination: Place = Place.GROUP
    token: str | None = None
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Terminating:
    """An instance waits on its way out of its group or its warm pool, or from the group back into the warm pool.

    With an `action`, it waits for that, and stays in the group.
    """

    id: str
    time: int | None
    group: str
    instance: InstanceId
    hook: str
    origin: Place = Place.GROUP
    destination: Place = Place.EC2
    token: str | None = None
    action: Action | None = None

    @property
    def replaces_root_volume(self) -> bool:
        """Whether the instance waits for the replacement of its root volume."""
        return self.action is Action.REPLACE_ROOT_VOLUME

    @property
    def leads_out(self) -> bool:
        """Whether the instance is on its way out of its group."""
        return self.destination is not Place.GROUP and not self.replaces_root_volume


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


@dataclass(frozen=True, slots=True)
class Malformed:
    """Input that may be meant as an event and that cannot be read as one, and why. No reconcile can serve it."""

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

SHOWN_LIMIT = 64
"""Maximum characters of a foreign value in a reason."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of an event, and the pattern that its text matches."""

    name: str
    pattern: re.Pattern[str]


# Source: Amazon EC2 Auto Scaling API reference, CreateAutoScalingGroup: ASCII 33 to 126 without the colon. The space
# and the colon are in the names of some older groups.
_GROUP = _Field("AutoScalingGroupName", re.compile(r"[\x20-\x7e]{1,255}"))
# Source: Amazon EC2 User Guide, "Resource IDs".
_INSTANCE = _Field("EC2InstanceId", re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})"))
# Source: Amazon EC2 Auto Scaling API reference, CompleteLifecycleAction: the hook's name, and a UUID as the token.
_HOOK = _Field("LifecycleHookName", re.compile(r"[A-Za-z0-9\-_/]{1,255}"))
_TOKEN = _Field("LifecycleActionToken", re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"))
# EventBridge sends a UUID. Other senders choose their own ids.
_ID = _Field("id", re.compile(r"[\x21-\x7e]{1,64}"))
_TIME = _Field("time", re.compile(r"[0-9T:.Z+-]{1,40}"))
_CONFIRM = _Field("confirm", re.compile(r"[0-9A-Za-z]{1,64}"))


class _Invalid(Exception):
    """A field that is missing or that does not match its pattern."""


def parse(event: object, fallback_id: str) -> Event | Malformed:
    """One event, from the JSON of an EventBridge event, a scheduled or a manual true-up.

    `fallback_id` names an event that has no valid id of its own: the id of the message or of the request.
    """
    if not isinstance(event, Mapping):
        return Ignored(fallback_id, f"expected a JSON object, got {type(event).__name__}")
    id = _valid_text(event, _ID) or fallback_id
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    try:
        return _parsed(id, event, detail)
    except _Invalid as invalid:
        return Malformed(id, str(invalid))


def _parsed(id: str, event: Mapping[str, object], detail: Mapping[str, object]) -> Event:
    """The event. Raises _Invalid."""
    source, detail_type = _text(event, "source"), _text(event, "detail-type")
    transition = TRANSITIONS.get(detail_type)
    if transition is not None and source == "aws.autoscaling":
        return _lifecycle(id, transition, event, detail)
    if source == SCHEDULE:
        return TrueUp(f"schedule {_valid_text(event, _TIME)}".strip())
    if "autoscaling:TEST_NOTIFICATION" in (_text(event, "Event"), _text(detail, "Event")):
        return Ignored(id, "a test notification of Auto Scaling")
    # The original sample's form names a group, and `trueup` is optional.
    original_form = not event.get("source") and not event.get("detail-type") and detail.get(_GROUP.name)
    if event.get("trueup") or original_form:
        return TrueUp(id, _optional(detail, _GROUP), _optional(event, _CONFIRM))
    return Ignored(
        id, f"neither a lifecycle event nor a true-up: source {shown(source)}, detail-type {shown(detail_type)}"
    )


def _lifecycle(
    id: str, transition: Transition, event: Mapping[str, object], detail: Mapping[str, object]
) -> LifecycleEvent:
    """A lifecycle event. Raises _Invalid."""
    group, instance, hook = (_required(detail, field) for field in (_GROUP, _INSTANCE, _HOOK))
    time, token, action = _epoch(_text(event, "time")), _optional(detail, _TOKEN), _action(detail)
    match transition:
        case Transition.LAUNCH:
            origin, destination = (
                _place(detail, "Origin", Place.EC2),
                _place(detail, "Destination", Place.GROUP),
            )
            return Launching(id, time, group, InstanceId(instance), hook, origin, destination, token, action)
        case Transition.TERMINATE:
            origin, destination = (
                _place(detail, "Origin", Place.GROUP),
                _place(detail, "Destination", Place.EC2),
            )
            return Terminating(id, time, group, InstanceId(instance), hook, origin, destination, token, action)


def shown(value: str) -> str:
    """A foreign text for a reason: quoted, in ASCII, without control characters, and cut."""
    text = ascii(value[: SHOWN_LIMIT + 1])
    return text if len(text) <= SHOWN_LIMIT else f"{text[:SHOWN_LIMIT]}..."


def _required(mapping: Mapping[str, object], field: _Field) -> str:
    """The field's text. Raises _Invalid if it is missing or invalid."""
    text = _optional(mapping, field)
    if text is None:
        raise _Invalid(f"{field.name} is missing")
    return text


def _optional(mapping: Mapping[str, object], field: _Field) -> str | None:
    """The field's text, or None if it is missing or empty. Raises _Invalid if it is invalid."""
    value = mapping.get(field.name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _Invalid(f"{field.name} is no text: {type(value).__name__}")
    if field.pattern.fullmatch(value) is None:
        raise _Invalid(f"{field.name} is not valid: {shown(value)}")
    return value


def _valid_text(mapping: Mapping[str, object], field: _Field) -> str:
    """The field's text, or an empty one if it is missing or invalid."""
    text = _text(mapping, field.name)
    return text if field.pattern.fullmatch(text) else ""


def _text(mapping: Mapping[str, object], name: str) -> str:
    value = mapping.get(name)
    return value if isinstance(value, str) else ""


def _place(detail: Mapping[str, object], name: str, default: Place) -> Place:
    try:
        return Place(_text(detail, name))
    except ValueError:
        return default


def _action(detail: Mapping[str, object]) -> Action | None:
    """The action, or None if there is none or a later version of Auto Scaling has added it."""
    try:
        return Action(_text(detail, "Action"))
    except ValueError:
        return None


def _epoch(time: str) -> int | None:
    """Epoch seconds of an ISO 8601 time with a zone, from 1970 on, or None."""
    if _TIME.pattern.fullmatch(time) is None:
        return None
    try:
        moment = datetime.fromisoformat(time)
        seconds = int(moment.timestamp()) if moment.tzinfo is not None else -1
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None
