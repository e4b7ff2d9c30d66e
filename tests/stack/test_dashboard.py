"""The dashboards show what the engine emits, and all that an operator asks for."""

import json
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from ringfence.runtime.telemetry import Telemetry
from ringfence_ops.dashboard.bodies import Place, cluster_dashboard, region_dashboard
from tests.stack.rendered import source
from tests.unit.test_telemetry import ADMITTED, RELEASED

PLACES = [Place("demo", region, "123456789012", "aws") for region in ("us-east-1", "us-west-2", "eu-west-1")]
BODIES = [region_dashboard(PLACES[0]), cluster_dashboard(PLACES)]


def metrics_of(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each metric on the dashboard: its namespace, its name and its Region."""
    for widget in body["widgets"]:
        for line in widget["properties"].get("metrics", []):
            if len(line) > 1:
                yield line[0], line[1], line[-1]["region"]


def fields_of(body: Mapping[str, Any]) -> set[str]:
    """The fields of the log that the dashboard's queries read."""
    queries = [widget["properties"]["query"] for widget in body["widgets"] if widget["type"] == "log"]
    return {name for query in queries for name in re.findall(r"\b[A-Z][a-z]+[A-Za-z]*\b", query)} - {"SOURCE"}


def emitted(capsys: pytest.CaptureFixture[str]) -> tuple[set[str], set[str]]:
    """The metrics and the other fields that a reconcile with an admission and a release emits."""
    telemetry = Telemetry(
        Logger(service="dashboard", location=None, stream=StringIO()),
        Metrics(namespace="Ringfence", service="demo"),
        (),
    )
    for event in (ADMITTED, RELEASED):
        telemetry.record(event)
    telemetry.close(1.0, None)
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    metrics = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    return metrics, line.keys() - metrics


@pytest.mark.parametrize("body", BODIES, ids=["Region", "cluster"])
def test_every_metric_and_every_field_on_a_dashboard_is_one_that_the_engine_emits(
    body: Mapping[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    metrics, fields = emitted(capsys)
    assert {name for namespace, name, _ in metrics_of(body) if namespace == "Ringfence"} == metrics
    assert fields_of(body) <= fields
    assert {"Succeeded", "MembersWanted", "MembersAdmitted", "RulesAdded", "RulesRemoved"} <= fields_of(body)
    assert {"WaitingHooks", "StaleDoors", "RulesHeld", "PeersUnreachable"} <= fields_of(body)
    others = {(namespace, name) for namespace, name, _ in metrics_of(body) if namespace != "Ringfence"}
    assert others == {
        ("AWS/Lambda", "Errors"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    }


def test_the_dashboard_of_a_cluster_has_each_metric_of_each_region() -> None:
    of_region = {(namespace, name) for namespace, name, _ in metrics_of(BODIES[0])}
    for place in PLACES:
        assert {(space, name) for space, name, region in metrics_of(BODIES[1]) if region == place.region} == of_region
    ids = [line[-1]["id"] for widget in BODIES[1]["widgets"] for line in lines(widget) if "id" in line[-1]]
    assert len(ids) == len(set(ids)) == 3 * len(PLACES)


def lines(widget: Mapping[str, Any]) -> list[list[Any]]:
    """The metrics of a widget."""
    found: list[list[Any]] = widget["properties"].get("metrics", [])
    return found


@pytest.mark.parametrize("body", BODIES, ids=["Region", "cluster"])
def test_the_widgets_fill_the_grid_without_overlap(body: Mapping[str, Any]) -> None:
    """Source: CloudWatch API Reference, "Dashboard body structure and syntax": 24 columns."""
    taken = [
        (x, y)
        for widget in body["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(taken) == len(set(taken))
    assert {x for x, _ in taken} == set(range(24))


def test_the_alarm_widgets_name_the_alarms_of_their_region() -> None:
    arns = [arn for widget in BODIES[1]["widgets"] for arn in widget["properties"].get("alarms", [])]
    assert "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:ringfence-demo-errors" in arns
    assert len(arns) == 6 * len(PLACES)


def test_the_dashboard_of_the_template_is_off_by_default_and_is_that_of_its_region() -> None:
    template = source()
    assert template["Parameters"]["Dashboard"]["Default"] == "none"
    resource = template["Resources"]["RegionDashboard"]
    assert resource["Condition"] == "HasDashboard"
    text = resource["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, value in {
        "ClusterName": "demo",
        "AWS::Region": "us-east-1",
        "AWS::AccountId": "123456789012",
        "AWS::Partition": "aws",
    }.items():
        text = text.replace(f"${{{name}}}", value)
    assert json.loads(text) == BODIES[0]
