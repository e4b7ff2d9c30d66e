"""CloudWatch's evaluation of an alarm, as its documents describe it.

Sources, all in the CloudWatch User Guide: "Alarm evaluation" (an alarm of periods of a minute or longer is evaluated
every minute, over a window that slides), "Configuring how CloudWatch alarms treat missing data" (the evaluation range,
and what fills missing points), and "Using math expressions with CloudWatch metrics" (FILL). Of expressions it knows
what the template uses. The document says of the evaluation range only that it is longer than the evaluation periods,
and has an example with two periods more.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

MINUTE = 60
FURTHER_BACK = 2
"""Periods by which the evaluation range is longer than the evaluation periods, in the document's example."""

_STATISTICS: Mapping[str, Callable[[Iterable[float]], float]] = {"Sum": sum, "Maximum": max, "Minimum": min}

Points = Sequence[float | None]
"""A value for each period, the oldest first; None where data is missing."""


class State(Enum):
    """The state of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Datum:
    """A value that was emitted for a metric, in seconds of a clock, and how much later CloudWatch has it."""

    metric: str
    time: float
    value: float
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of an alarm, as values for its periods."""

    name: str
    statistic: str
    minutes: int

    def points(self, data: Iterable[Datum], now: float, count: int) -> Points:
        """The values for the periods that end with the last whole minute. The window slides by a minute."""
        end = now // MINUTE * MINUTE
        found: list[list[float]] = [[] for _ in range(count)]
        for each in data:
            age = int((end - each.time - 1e-6) // (MINUTE * self.minutes))
            if each.metric == self.name and each.time + each.late <= now and each.time < end and 0 <= age < count:
                found[count - 1 - age].append(each.value)
        return [_STATISTICS[self.statistic](values) if values else None for values in found]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of the template."""

    name: str
    metrics: Mapping[str, Metric]
    expression: str
    periods: int
    needed: int
    threshold: float
    reached: bool
    missing: str

    @classmethod
    def of(cls, properties: Mapping[str, Any], parameters: Mapping[str, Any]) -> "Alarm":
        """The alarm with these properties of CloudFormation."""

        def number(name: str, default: Any = None) -> int:
            value = properties.get(name, default)
            return int(parameters[value["Ref"]] if isinstance(value, dict) else value)

        metrics, expression = _metrics(properties)
        periods = number("EvaluationPeriods")
        return cls(
            name=properties["AlarmName"]["Fn::Sub"].removeprefix("ringfence-${ClusterName}-"),
            metrics=metrics,
            expression=expression,
            periods=periods,
            needed=number("DatapointsToAlarm", periods),
            threshold=number("Threshold"),
            reached=properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold",
            missing=properties["TreatMissingData"],
        )

    def points(self, data: Sequence[Datum], now: float) -> Points:
        """What CloudWatch retrieves: the values of the expression over the evaluation range."""
        count = self.periods + FURTHER_BACK
        series = {id: metric.points(data, now, count) for id, metric in self.metrics.items()}
        terms = [_filled(term.strip(), series) for term in self.expression.split("+")]
        return [
            None if all(value is None for value in each) else sum(value or 0 for value in each)
            for each in zip(*terms, strict=True)
        ]

    def breaches(self, value: float) -> bool:
        """Whether a value is over the threshold."""
        return value >= self.threshold if self.reached else value > self.threshold

    def evaluate(self, points: Points, state: State) -> State:
        """The next state."""
        real = [self.breaches(point) for point in points if point is not None]
        breaching = sum(real[-self.periods :])
        lacking = max(0, self.periods - len(real))
        if lacking and self.missing == "breaching":
            breaching += lacking
        if lacking and self.missing == "ignore" and breaching < self.needed and all(real):
            return state
        return State.ALARM if breaching >= self.needed else State.OK

    def history(self, data: Sequence[Datum], until: float, second: float = 0.0) -> Iterator[tuple[float, State]]:
        """The states after each evaluation, with its time. CloudWatch evaluates at some second of every minute."""
        state = State.INSUFFICIENT_DATA
        for minute in range(1, int(until // MINUTE) + 1):
            now = minute * MINUTE + second
            state = self.evaluate(self.points(data, now), state)
            yield now, state


def _metrics(properties: Mapping[str, Any]) -> tuple[dict[str, Metric], str]:
    if "MetricName" in properties:
        metric = Metric(properties["MetricName"], properties["Statistic"], properties["Period"] // MINUTE)
        return {"metric": metric}, "metric"
    (expression,) = [each["Expression"] for each in properties["Metrics"] if "Expression" in each]
    stats = {each["Id"]: each["MetricStat"] for each in properties["Metrics"] if "MetricStat" in each}
    metrics = {
        id: Metric(stat["Metric"]["MetricName"], stat["Stat"], stat["Period"] // MINUTE) for id, stat in stats.items()
    }
    return metrics, expression


def _filled(term: str, series: Mapping[str, Points]) -> Points:
    fill = re.fullmatch(r"FILL\((\w+), (\d+)\)", term)
    if fill is None:
        return series[term]
    return [float(fill[2]) if value is None else value for value in series[fill[1]]]
