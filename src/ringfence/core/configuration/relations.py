"""What must hold between settings that are each right by themselves.

Pure. The cluster file, `deploy` and the engine ask the same questions here: the first two refuse what is broken, the
engine warns and continues. A setting that is not among the values is not judged, so that an engine without it says
nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ringfence.core.configuration import schedule
from ringfence.core.configuration.setting import Number
from ringfence.core.configuration.setting_table import SETTINGS

_HEARTBEATS = (("launch_heartbeat", "address_wait"), ("terminate_heartbeat", "release_deadline"))
"""A hook's heartbeat, with the longest time that the engine holds an instance of that hook on purpose.

The true-up that ends the wait comes up to one period of the schedule later. If the heartbeat is over first, the hook's
default result ends the wait instead.
"""


LATE = 60
"""Seconds that a schedule may fire late."""


@dataclass(frozen=True, slots=True)
class BrokenRelation:
    """A relation that does not hold: the settings that take part, the first to change first, and what to write."""

    settings: tuple[str, ...]
    message: str


def broken_relations(values: Mapping[str, Any]) -> list[BrokenRelation]:
    """The relations that do not hold among one Region's values, by the names of their settings.

    `region` is the Region itself. A schedule that is not one takes part in no relation: reading it reports that.
    """
    broken = [found for names in _HEARTBEATS for found in _heartbeat(*names, values)]
    return broken + list(_silence(values)) + list(_alarm_topic(values))


def _heartbeat(heartbeat: str, wait: str, values: Mapping[str, Any]) -> Iterator[BrokenRelation]:
    period = _period(values.get("schedule"))
    if period is None or any(values.get(name) is None for name in (heartbeat, wait)):
        return
    has, waits = values[heartbeat], values[wait]
    if has > waits + period:
        return
    said = (
        f"{heartbeat} must be longer than {wait} plus the period of the schedule {values['schedule']}, which is"
        f" {waits} + {period} = {waits + period} seconds, got {has}"
    )
    choices = [
        f"{name} = {value}"
        for name, value in ((heartbeat, waits + period + 1), (wait, has - period - 1))
        if _is_allowed(name, value)
    ]
    said += f": write {' or '.join(choices)}" if choices else ": write a schedule with a shorter period"
    yield BrokenRelation((heartbeat, wait, "schedule"), said)


def _silence(values: Mapping[str, Any]) -> Iterator[BrokenRelation]:
    """The alarm for silence must not ring between two true-ups: a schedule can fire 60 seconds late.

    Source: EventBridge Scheduler User Guide, "Schedule types on EventBridge Scheduler".
    """
    minutes, expression = values.get("silence_alarm_minutes"), values.get("schedule")
    period = _period(expression)
    if minutes is None or period is None or 60 * minutes >= period + LATE:
        return
    enough = -(-period // 60) + 2
    choice = f"silence_alarm_minutes = {enough}"
    if not _is_allowed("silence_alarm_minutes", enough):
        choice = "a schedule with a shorter period"
    said = (
        f"silence_alarm_minutes must be longer than the period of the schedule {expression} by a minute, which is"
        f" {period} + {LATE} = {period + LATE} seconds, got {minutes} minutes: write {choice}"
    )
    yield BrokenRelation(("silence_alarm_minutes", "schedule"), said)


def _period(expression: str | None) -> int | None:
    """The period of the schedule; None for what is not one."""
    try:
        return None if expression is None else schedule.period(expression)
    except ValueError:
        return None


def _is_allowed(name: str, value: int) -> bool:
    kind = SETTINGS[name].type
    return isinstance(kind, Number) and value >= kind.minimum and kind.limit(str(value)) is None


def _alarm_topic(values: Mapping[str, Any]) -> Iterator[BrokenRelation]:
    """An alarm can notify only an SNS topic of its own Region. Source: CloudWatch User Guide, "Using Amazon CloudWatch
    alarms"; an ARN names the Region in its fourth part."""
    topic, region = values.get("alarm_topic"), values.get("region")
    if not topic or not region:
        return
    own = topic_region(topic)
    if own != region:
        said = (
            f"an alarm can notify only a topic of its own Region, {region}, and this topic is in {own or 'no Region'}:"
            f' write alarm_topic = "{_topic_in(topic, region)}", a topic of that name in {region}, or delete the line'
        )
        yield BrokenRelation(("alarm_topic",), said)


def topic_region(topic: str) -> str:
    """The Region in the ARN of an SNS topic; empty if it has none."""
    parts = topic.split(":")
    return parts[3] if len(parts) == 6 else ""


def _topic_in(topic: str, region: str) -> str:
    parts = topic.split(":")
    if len(parts) != 6:
        return f"arn:<partition>:sns:{region}:<account>:<topic>"
    return ":".join([*parts[:3], region, *parts[4:]])
