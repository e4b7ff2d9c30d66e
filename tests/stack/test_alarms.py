"""The alarms of the template, as CloudWatch evaluates them: what rings, when, and what does not."""

import json
import random
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from io import StringIO
from typing import Any

import click
import cost_table
import pytest
from aws_lambda_powertools import Logger, Metrics
from typer.main import get_command

from ringfence.core.configuration.schedule import period
from ringfence.runtime.telemetry import Telemetry
from ringfence_ops.main import app
from tests.stack.alarms import MINUTE, Alarm, Datum, State
from tests.stack.rendered import rendered, source

HOUR = 60 * MINUTE
PHASES = range(0, 60, 7)
"""Seconds of the minute at which the engine reports."""

SECONDS = range(0, 60, 13)
"""Seconds of the minute at which CloudWatch evaluates."""

ON_TIME, LATE = 5.0, 45.0
"""Seconds until CloudWatch has what the engine emits: what is usual, and slow."""


@cache
def resources() -> dict[str, dict[str, Any]]:
    """The properties of the template's alarms."""
    return {id: each["Properties"] for id, each in rendered().items() if each["Type"] == "AWS::CloudWatch::Alarm"}


def alarm(id: str, **parameters: int) -> Alarm:
    """An alarm of the template, with these parameters or the defaults."""
    defaults = {name: each["Default"] for name, each in source()["Parameters"].items() if "Default" in each}
    return Alarm.of(resources()[id], defaults | parameters)


def reconciles(
    metric: str, values: Sequence[float], every: int = MINUTE, phase: float = 0, late: float = ON_TIME
) -> list[Datum]:
    """What the reconciles of a schedule emit, the first in the first minute."""
    return [Datum(metric, phase + number * every, value, late) for number, value in enumerate(values)]


def ringing(history: Iterator[tuple[float, State]]) -> list[float]:
    """The times of the evaluations after which the alarm rang."""
    return [now for now, state in history if state is State.ALARM]


def changes(history: Iterator[tuple[float, State]]) -> list[State]:
    """The states of the alarm, one after the other, from the first one with data on."""
    found: list[State] = []
    for _, state in history:
        if state not in (State.INSUFFICIENT_DATA, *found[-1:]):
            found.append(state)
    return found


# The model.

DOCUMENTED = [
    # points, needed of three, breaching, notBreaching, ignore (None: the state stays)
    ("0 - X - X", 3, "OK", "OK", "OK"),
    ("0 - - - -", 3, "OK", "OK", "OK"),
    ("- - - - -", 3, "ALARM", "OK", None),
    ("0 X X - X", 3, "ALARM", "ALARM", "ALARM"),
    ("- - X - -", 3, "ALARM", "OK", None),
    ("0 - X - X", 2, "ALARM", "ALARM", "ALARM"),
    ("0 0 X 0 X", 2, "ALARM", "ALARM", "ALARM"),
    ("0 - X - -", 2, "ALARM", "OK", "OK"),
    ("- - - - 0", 2, "ALARM", "OK", "OK"),
    ("- - - X -", 2, "ALARM", "OK", None),
]


@pytest.mark.parametrize(("points", "needed", "breaching", "not_breaching", "ignore"), DOCUMENTED)
def test_the_model_evaluates_the_examples_of_the_document(
    points: str, needed: int, breaching: str, not_breaching: str, ignore: str | None
) -> None:
    values = [{"0": 0.0, "X": 1.0, "-": None}[point] for point in points.split()]
    expected = {"breaching": breaching, "notBreaching": not_breaching, "ignore": ignore or "INSUFFICIENT_DATA"}
    for missing, state in expected.items():
        example = Alarm("example", {}, "", periods=3, needed=needed, threshold=0, reached=False, missing=missing)
        assert example.evaluate(values, State.INSUFFICIENT_DATA) is State(state), missing


def test_the_model_slides_a_window_of_several_minutes_by_one_minute() -> None:
    data = [Datum("UnknownOwners", 30.0, 1.0)]
    owners = alarm("UnknownOwnerAlarm").metrics["metric"]
    assert [owners.points(data, now * 60.0, 2) for now in (1, 5, 6, 11)] == [
        [None, 1],
        [None, 1],
        [1, None],
        [None] * 2,
    ]


# A silent engine.


def silence(minutes: int, every: int, phase: float, second: float, late: float, **changed: Any) -> tuple[float, float]:
    """The seconds from the last reconcile to the alarm, and from the first that is missing, of an engine that stops."""
    data = reconciles("Errors", [0.0] * (HOUR // every), every, phase, late)
    errors = alarm("ErrorAlarm", SilenceAlarmMinutes=minutes)
    rang = ringing((changed.get("alarm") or errors).history(data, 2 * HOUR + 10 * every, second))
    last = max(each.time for each in data)
    first = min(now for now in rang if now > last)
    return first - last, first - (last + every)


@pytest.mark.parametrize("late", [ON_TIME, LATE])
def test_a_silent_engine_rings_within_five_minutes_after_its_last_reconcile(late: float) -> None:
    found = [silence(3, MINUTE, phase, second, late) for phase in PHASES for second in SECONDS]
    assert all(180 <= after_last <= 300 for after_last, _ in found)
    assert all(after_missing <= 240 for _, after_missing in found)


def test_with_two_minutes_a_silent_engine_rings_within_three_minutes_after_the_first_missing_reconcile() -> None:
    found = [silence(2, MINUTE, phase, second, ON_TIME) for phase in PHASES for second in SECONDS]
    assert all(after_missing <= 180 for _, after_missing in found)


def test_without_fill_a_silent_engine_would_ring_minutes_later() -> None:
    """CloudWatch looks further back for points before it takes any as missing."""
    properties = dict(resources()["ErrorAlarm"])
    stat = next(each["MetricStat"] for each in properties.pop("Metrics") if "MetricStat" in each)
    without = {"MetricName": stat["Metric"]["MetricName"], "Statistic": stat["Stat"], "Period": stat["Period"]}
    plain = Alarm.of({**properties, **without}, {"SilenceAlarmMinutes": 3})
    found = [silence(3, MINUTE, phase, second, ON_TIME, alarm=plain) for phase in PHASES for second in SECONDS]
    assert min(after_last for after_last, _ in found) > 300
    assert max(after_last for after_last, _ in found) > 400


SCHEDULES = [("rate(1 minute)", 3), ("rate(2 minutes)", 4), ("rate(5 minutes)", 7), ("cron(0/15 * * * ? *)", 17)]


@pytest.mark.parametrize(("schedule", "minutes"), SCHEDULES)
@pytest.mark.parametrize("seed", range(20))
def test_a_schedule_that_fires_late_does_not_ring(schedule: str, minutes: int, seed: int) -> None:
    """EventBridge Scheduler fires within 60 seconds of the time. Source: its User Guide, "Schedule types"."""
    chance, every = random.Random(seed), period(schedule)
    phase = chance.choice([0, 30, 59, chance.uniform(0, 60)])
    wide = chance.choice([1, 59])
    data = [
        Datum("Errors", phase + number * every + chance.uniform(0, wide), 0.0, chance.uniform(0, LATE))
        for number in range(4 * HOUR // every)
    ]
    history = alarm("ErrorAlarm", SilenceAlarmMinutes=minutes).history(data, 4 * HOUR, chance.uniform(0, 60))
    assert [now for now in ringing(history) if 2 * every + 120 < now < 4 * HOUR - every] == []


@pytest.mark.parametrize(("schedule", "minutes"), SCHEDULES)
def test_minutes_without_a_success_ring(schedule: str, minutes: int) -> None:
    every = period(schedule)
    data = reconciles("Errors", [0.0] * 10 + [1.0] * 10, every)
    history = alarm("ErrorAlarm", SilenceAlarmMinutes=minutes).history(data, 20 * every)
    last = 9 * every
    assert 0 < min(now for now in ringing(history) if now > 2 * every) - last <= (minutes + 2) * MINUTE


@pytest.mark.parametrize(("schedule", "minutes"), SCHEDULES[:2])
def test_a_failure_between_two_successes_does_not_ring(schedule: str, minutes: int) -> None:
    every = period(schedule)
    data = reconciles("Errors", [0.0, 1.0] * 10, every)
    history = alarm("ErrorAlarm", SilenceAlarmMinutes=minutes).history(data, 20 * every)
    assert [now for now in ringing(history) if now > 2 * every] == []


# Dead letters and crashes.


@pytest.mark.parametrize("metric", ["UnservedMessages", "Errors"])
@pytest.mark.parametrize("late", [ON_TIME, LATE, 100.0, 200.0])
@pytest.mark.parametrize("other", [None, ON_TIME, LATE])
def test_one_unserved_message_or_crash_rings_in_the_minute_after_cloudwatch_has_it(
    metric: str, late: float, other: float | None
) -> None:
    """Whether or not the other of the two metrics has data, and whichever comes first."""
    unserved, happens = alarm("UnservedAlarm"), 10 * MINUTE + 20.0
    (own,) = [each for each in unserved.metrics.values() if each.name == metric]
    (beside,) = [each for each in unserved.metrics.values() if each.name != metric]
    quiet = [] if other is None else reconciles(beside.name, [0.0] * 30, late=other)
    data = [*quiet, *reconciles(own.name, [0.0] * 30), Datum(own.name, happens, 1.0, late)]
    for second in SECONDS:
        rang = ringing(unserved.history(data, HOUR / 2, second))
        assert 0 < min(rang) - happens <= late + 2 * MINUTE
        assert max(rang) - happens <= 8 * MINUTE


# What lasts.


@pytest.mark.parametrize("every", [MINUTE, 5 * MINUTE, 15 * MINUTE])
@pytest.mark.parametrize(
    ("id", "metric", "value"),
    [
        ("UnknownOwnerAlarm", "UnknownOwners", 2.0),
        ("StaleDoorAlarm", "StaleDoorSeconds", 61.0),
        ("QuotaAlarm", "QuotaUsedPercent", 90.0),
    ],
)
def test_what_lasts_rings_once_whatever_the_schedule(every: int, id: str, metric: str, value: float) -> None:
    values = [0.0] * 10 + [value] * 10 + [0.0] * 10
    for phase in PHASES:
        history = list(alarm(id).history(reconciles(metric, values, every, phase), 30 * every))
        assert changes(iter(history)) == [State.OK, State.ALARM, State.OK]
        rang = ringing(iter(history))
        assert 0 < min(rang) - 10 * every - phase <= 6 * MINUTE
        assert 0 < max(rang) - 20 * every - phase + every <= every + 7 * MINUTE


def test_an_owner_that_is_unknown_in_three_reconciles_does_not_ring() -> None:
    values = [0.0] * 10 + [1.0] * 3 + [0.0] * 10
    for phase in PHASES:
        assert (
            ringing(alarm("UnknownOwnerAlarm").history(reconciles("UnknownOwners", values, phase=phase), HOUR / 3))
            == []
        )


def test_a_stale_door_that_one_reconcile_closed_rings_although_cloudwatch_has_it_late() -> None:
    values = [0.0] * 20
    data = [*reconciles("StaleDoorSeconds", values), Datum("StaleDoorSeconds", 610.0, 90.0, 100.0)]
    for second in SECONDS:
        assert ringing(alarm("StaleDoorAlarm").history(data, HOUR / 3, second))


# What there is.


def emitted(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The metrics that a reconcile without events emits."""
    logger = Logger(service="alarms", location=None, stream=StringIO())
    Telemetry(logger, Metrics(namespace="Ringfence", service="demo"), ()).close(1.0, None)
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


def test_every_metric_of_ours_that_an_alarm_watches_is_emitted_by_every_reconcile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    every = emitted(capsys)
    watched = {
        stat["Metric"]["MetricName"]
        for properties in resources().values()
        for stat in stats(properties)
        if stat["Metric"]["Namespace"] == "Ringfence"
    }
    assert watched == {"Errors", "UnservedMessages", "StaleDoorSeconds", "UnknownOwners", "QuotaUsedPercent"}
    assert watched <= every


def stats(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that an alarm watches."""
    if "Metrics" in properties:
        return [each["MetricStat"] for each in properties["Metrics"] if "MetricStat" in each]
    return [{"Metric": {name: properties[name] for name in ("Namespace", "MetricName", "Dimensions")}}]


def test_the_text_of_each_alarm_says_which_command_to_run() -> None:
    """An alarm's text has at most 1,024 characters. Source: CloudWatch API Reference, PutMetricAlarm."""
    for id, properties in resources().items():
        text = properties["AlarmDescription"]["Fn::Sub"]
        assert len(text) <= 1000, id
        said = re.findall(r"[Rr]un:? (ringfence [^.]+)\.", text.replace("${AWS::Region}", "us-east-1"))
        assert said, id
        for command in said:
            arguments = shlex.split(command)[1:]
            group: Any = get_command(app)
            with click.Context(group) as context:
                name, found, rest = group.resolve_command(context, arguments)
                found.make_context(name, rest, parent=context)


def test_the_costs_are_those_of_the_alarms_and_metrics_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    found = resources()
    on_occasion = {"AdmissionSeconds", "ReleaseSeconds"}
    assert len(emitted(capsys) | on_occasion) == cost_table.METRICS <= 7
    assert cost_table.ALARMS == len(found) <= 8
    assert sum(len(stats(properties)) for properties in found.values()) == cost_table.ALARM_METRICS
    (cloudwatch,) = [cost.dollars for cost in cost_table.costs(2, 100) if cost.part == "CloudWatch"]
    assert cloudwatch <= 6
