"""Which times and events are believed: how old an event may be, how far in the future a time, and which event is later.

Pure. Knows nothing of what follows from an event.
"""

from collections.abc import Iterable

from ringfence.core.events import LifecycleEvent, Terminating
from ringfence.core.model.identifiers import InstanceId

STALE_SECONDS = 60
"""How long a describe may lag behind an event. AWS gives no bound ("Eventual consistency in the Amazon EC2 API"
advises a back-off of up to some minutes for new resources). Ours is an assumption, on the side of holding."""

STALE_RULES_SECONDS = 300
"""How long a reading of security group rules may lag behind a change (S). Source: hashicorp/terraform #6325, which saw
more than two minutes and retries for five; "Eventual consistency in the Amazon EC2 API" advises to wait as long."""

FUNCTION_SECONDS = 30
"""The longest that an invocation lives: the function's `Timeout` in the template."""
ANSWER_SECONDS = 5
"""How long after its sender's end a call can still take effect: the longest `read_timeout` of our clients."""
WRITE_SECONDS = 21
"""The longest that a write at home takes: three attempts of 1 + 5 s, and botocore's pauses of at most 1 + 2 s."""

PLACED_WITHIN = FUNCTION_SECONDS + ANSWER_SECONDS
"""The longest time between an engine's reading of rows and its last authorize (F)."""
FENCE_SECONDS = WRITE_SECONDS + PLACED_WITHIN
"""Seconds after the decision on a departure, after which no engine that read older rows can add a rule any more."""
SETTLED_SECONDS = STALE_RULES_SECONDS + PLACED_WITHIN
"""The age of a rule that every reading shows of which an engine may still make use."""

FUTURE_SECONDS = 5
"""How far in the future a time may be before it is not believed: the clocks of AWS's hosts differ a little."""


def is_future(time: float, now: float) -> bool:
    """Whether a time is so far in the future that it is not believed. Both are in epoch seconds."""
    return time > now + FUTURE_SECONDS


def latest_of_each(events: Iterable[LifecycleEvent], now: float) -> list[LifecycleEvent]:
    """The latest event of each instance, in any order of arrival. `now` is in epoch seconds."""
    latest: dict[tuple[str, InstanceId], LifecycleEvent] = {}
    for event in events:
        key = (event.group, event.instance)
        if key not in latest or _supersedes(event, latest[key], now):
            latest[key] = event
    return list(latest.values())


def _supersedes(event: LifecycleEvent, other: LifecycleEvent, now: float) -> bool:
    """Whether `event` is later than `other`, in any order of arrival.

    A fresh event is never hidden by one that is not, such as one from the future. Without times, a termination is later
    than a launch: an instance launches only once, except out of a warm pool.
    """
    if is_fresh(event, now) is not is_fresh(other, now):
        return is_fresh(event, now)
    if event.time is not None and other.time is not None and event.time != other.time:
        return event.time > other.time
    return isinstance(event, Terminating)


def is_fresh(event: LifecycleEvent, now: float) -> bool:
    """Whether a describe may still lag behind the event. Any other event is only a reason to look."""
    return event.time is not None and now - event.time <= STALE_SECONDS and not is_future(event.time, now)
