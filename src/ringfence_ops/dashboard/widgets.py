"""The widgets of a CloudWatch dashboard, as its JSON has them.

Pure. Source: CloudWatch API Reference, "Dashboard body structure and syntax". Knows no metric of ours.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

WIDTH = 24
"""The columns of a dashboard."""

HEIGHT = 6

Widget = dict[str, Any]


def metrics(title: str, region: str, lines: Sequence[Sequence[Any]], *, unit: str = "") -> Widget:
    """Metrics over time. Each line is a metric as the dashboard's JSON names it."""
    axis = {"yAxis": {"left": {"min": 0, "label": unit, "showUnits": False}}}
    shown = {
        "title": title,
        "region": region,
        "view": "timeSeries",
        "period": 60,
        "metrics": [list(line) for line in lines],
    }
    return {"type": "metric", "properties": shown | axis}


def query(title: str, region: str, text: str, *, as_table: bool = False) -> Widget:
    """A query of Logs Insights: over time, or as a table."""
    view = "table" if as_table else "timeSeries"
    return {"type": "log", "properties": {"title": title, "region": region, "view": view, "query": text}}


def alarms(title: str, arns: Iterable[str]) -> Widget:
    """The states of alarms."""
    return {"type": "alarm", "properties": {"title": title, "alarms": list(arns)}}


def dashboard(rows: Iterable[tuple[int, Sequence[Widget]]]) -> Mapping[str, Any]:
    """The body of a dashboard: rows of widgets of equal width, each row with its height."""
    return {"start": "-PT3H", "widgets": list(_placed(rows))}


def _placed(rows: Iterable[tuple[int, Sequence[Widget]]]) -> Iterator[Widget]:
    y = 0
    for height, widgets in rows:
        width = WIDTH // len(widgets)
        for number, widget in enumerate(widgets):
            place = {"x": number * width, "y": y, "width": width, "height": height}
            yield {"type": widget["type"], **place, "properties": widget["properties"]}
        y += height
