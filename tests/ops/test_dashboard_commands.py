"""`ringfence dashboard` on a cluster in the lab, and what its engines emit."""

import json
from typing import Any

from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.ops.commands import ACCOUNT, Shell
from tests.stack.test_dashboard import fields_of, metrics_of


def dashboards(cluster: Cluster) -> list[str]:
    """The names of the account's dashboards."""
    entries = cluster.regions[EAST].client("cloudwatch").list_dashboards()["DashboardEntries"]
    return [entry["DashboardName"] for entry in entries]


def test_a_dashboard_is_printed_put_and_deleted(two_regions: Cluster, operator: Shell) -> None:
    # when
    printed = operator.run("dashboard")
    # then nothing was made
    assert printed.code == 0
    assert "ringfence dashboard --put" in printed.errors
    assert dashboards(two_regions) == []
    # and when
    put = operator.document("dashboard", "--put", "--yes")
    # then what was put is what was printed
    assert put["done"] == "put"
    cloudwatch = two_regions.regions[EAST].client("cloudwatch")
    kept = json.loads(cloudwatch.get_dashboard(DashboardName="ringfence-demo")["DashboardBody"])
    assert kept == put["body"] == json.loads(printed.output)
    assert f"arn:aws:cloudwatch:{WEST}:{ACCOUNT}:alarm:ringfence-demo-quota" in json.dumps(kept)
    # and when
    assert operator.run("dashboard", "--delete", "--yes").code == 0
    assert dashboards(two_regions) == []
    assert operator.run("dashboard", "--put", "--delete").code == 1


def test_every_metric_and_field_on_the_dashboard_is_in_the_log_of_the_engine(
    two_regions: Cluster, operator: Shell
) -> None:
    # given a launch and a termination
    two_regions.scale(EAST, 2)
    two_regions.scale(EAST, 1)
    body: dict[str, Any] = operator.document("dashboard")["body"]
    # when
    emitted = [line for line in two_regions.log(EAST) if "_aws" in line]
    # then
    fields = set().union(*(line.keys() for line in emitted))
    metrics = {
        metric["Name"]
        for line in emitted
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }
    assert {name for namespace, name, _ in metrics_of(body) if namespace == "Ringfence"} == metrics
    assert fields_of(body) <= fields - metrics
