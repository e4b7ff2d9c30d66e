"""What the dashboards show: whether each Region reconciles, whom it admits, how fast, and what is left undone.

Pure. Metrics cost; the other counts are fields of the log, which widgets of Logs Insights show. The template's
dashboard is made of the same widgets as that of a whole cluster: `tools/dashboard_part.py` writes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence_ops.dashboard.widgets import HEIGHT, Widget, alarms, dashboard, metrics, query
from ringfence_ops.state.alarms import alarm_names

NAMESPACE = "Ringfence"


@dataclass(frozen=True, slots=True)
class Place:
    """A Region of a cluster in an account. The parts may be references of a CloudFormation template."""

    cluster: str
    region: str
    account: str
    partition: str

    @property
    def name(self) -> str:
        """The name of the stack and of its resources."""
        return f"ringfence-{self.cluster}"

    @property
    def alarm_arns(self) -> list[str]:
        """The ARNs of its alarms."""
        owner = f"arn:{self.partition}:cloudwatch:{self.region}:{self.account}:alarm"
        return [f"{owner}:{name}" for name in alarm_names(self.cluster)]


def region_dashboard(place: Place) -> Mapping[str, Any]:
    """The dashboard of one Region."""
    return dashboard(
        [
            (3, [alarms("Alarms", place.alarm_arns)]),
            (HEIGHT, [_reconciles([place]), _last(place), _errors([place])]),
            (HEIGHT, [_members(place), _changes(place), _undone(place), _unknown_owners([place])]),
            *_rows_of_metrics([place]),
        ]
    )


def cluster_dashboard(places: Sequence[Place]) -> Mapping[str, Any]:
    """The dashboard of a whole cluster: each metric with a line for each Region, and the log of each Region."""
    return dashboard(
        [
            *((3, [alarms(f"Alarms in {place.region}", place.alarm_arns)]) for place in places),
            (HEIGHT, [_reconciles(places), _errors(places), _unknown_owners(places)]),
            *((HEIGHT, [_members(place), _changes(place), _undone(place), _last(place)]) for place in places),
            *_rows_of_metrics(places),
        ]
    )


def _rows_of_metrics(places: Sequence[Place]) -> Iterator[tuple[int, list[Widget]]]:
    region = places[0].region
    admission = _ours(places, "AdmissionSeconds", ("p50", "p99"))
    release = _ours(places, "ReleaseSeconds", ("p50", "p99"))
    doors = _ours(places, "StaleDoorSeconds", ("Maximum",))
    quota = _ours(places, "QuotaUsedPercent", ("Maximum",))
    yield (
        HEIGHT,
        [
            metrics("Admission of a launch", region, admission, unit="seconds"),
            metrics("Release of a termination", region, release, unit="seconds"),
            metrics("Age of the oldest stale door", region, doors, unit="seconds"),
        ],
    )
    yield (
        HEIGHT,
        [
            metrics("Quota of rules used by the fullest group", region, quota, unit="percent"),
            metrics("Age of the oldest event in the queue", region, _queue(places), unit="seconds"),
            metrics("Dead letters", region, _dead_letters(places), unit="messages"),
        ],
    )


def _ours(places: Sequence[Place], metric: str, statistics: Sequence[str]) -> list[list[Any]]:
    return [
        _line(NAMESPACE, metric, {"service": place.cluster}, place, statistic, _label(places, place, statistic))
        for place in places
        for statistic in statistics
    ]


def _label(places: Sequence[Place], place: Place, what: str) -> str:
    """What a line is called: by its Region, if there are several."""
    return f"{place.region} {what}" if len(places) > 1 else what


def _line(
    namespace: str, metric: str, dimensions: Mapping[str, str], place: Place, statistic: str, label: str, **more: Any
) -> list[Any]:
    named = [part for pair in dimensions.items() for part in pair]
    return [namespace, metric, *named, {"region": place.region, "stat": statistic, "label": label, **more}]


def _sum(namespace: str, metric: str, dimensions: Mapping[str, str], place: Place, label: str) -> list[Any]:
    return _line(namespace, metric, dimensions, place, "Sum", label)


def _reconciles(places: Sequence[Place]) -> Widget:
    """`Errors` has one value for each reconcile: 1 if it failed, else 0."""
    lines: list[list[Any]] = []
    for number, place in enumerate(places):
        dimensions, attempts, failures = {"service": place.cluster}, f"a{number}", f"f{number}"
        for id, statistic, shown in ((attempts, "SampleCount", True), (failures, "Sum", False)):
            label = _label(places, place, "attempts")
            line = _line(NAMESPACE, "Errors", dimensions, place, statistic, label, id=id, visible=shown)
            lines.append(line)
        label = _label(places, place, "successes")
        sums = {"expression": f"{attempts} - {failures}", "id": f"s{number}", "label": label, "region": place.region}
        lines.append([sums])
    return metrics("Reconciles: attempts and successes", places[0].region, lines, unit="a minute")


def _errors(places: Sequence[Place]) -> Widget:
    lines = [
        line
        for place in places
        for line in (
            _sum(NAMESPACE, "Errors", {"service": place.cluster}, place, _label(places, place, "failed reconciles")),
            _sum(NAMESPACE, "UnservedMessages", {"service": place.cluster}, place, _label(places, place, "unserved")),
            _sum("AWS/Lambda", "Errors", {"FunctionName": place.name}, place, _label(places, place, "crashes")),
        )
    ]
    return metrics("Errors", places[0].region, lines, unit="a minute")


def _unknown_owners(places: Sequence[Place]) -> Widget:
    lines = _ours(places, "UnknownOwners", ("Maximum",))
    return metrics("Rules of unknown owner", places[0].region, lines, unit="rules")


def _queue(places: Sequence[Place]) -> list[list[Any]]:
    return [
        _line(
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            {"QueueName": f"{place.name}.fifo"},
            place,
            "Maximum",
            _label(places, place, "age"),
        )
        for place in places
    ]


def _dead_letters(places: Sequence[Place]) -> list[list[Any]]:
    return [
        _line(
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": f"{place.name}-dead.fifo"},
            place,
            "Maximum",
            _label(places, place, "messages"),
        )
        for place in places
    ]


def _logged(place: Place, what: str) -> str:
    """A query of the lines of reconciles: only these say whether they succeeded."""
    return f"SOURCE '/aws/lambda/{place.name}' | filter ispresent(Succeeded) | stats {what}"


def _last(place: Place) -> Widget:
    text = _logged(place, "latest(@timestamp) as last, latest(ReconcileSeconds) as seconds by Succeeded")
    title = f"Last reconcile in {place.region} that succeeded (1), and that failed (0)"
    return query(title, place.region, text, as_table=True)


def _members(place: Place) -> Widget:
    text = _logged(place, "max(MembersWanted) as wanted, min(MembersAdmitted) as admitted by bin(1m)")
    return query(f"Members that {place.region} should admit, and does", place.region, text)


def _changes(place: Place) -> Widget:
    counts = "sum(RulesAdded) as added, sum(RulesRemoved) as removed, sum(DriftHealed) as drift by bin(5m)"
    return query(f"Rules changed by {place.region}", place.region, _logged(place, counts))


def _undone(place: Place) -> Widget:
    counts = (
        "max(WaitingHooks) as waiting_hooks, max(StaleDoors) as stale_doors, max(RulesHeld) as held_removals,"
        " max(RulesRefused) as refused_rules, max(PeersUnreachable) as unreachable_peers by bin(1m)"
    )
    return query(f"What {place.region} could not do yet", place.region, _logged(place, counts))
