"""The engine's log, its metrics, and the messages and payloads that it accepts, on two Regions."""

import json
import uuid
from typing import Any

import pytest

from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually


def test_every_change_is_logged_and_every_call_names_its_event(two_regions: Cluster) -> None:
    # given
    two_regions.lab.clear_calls()
    before = set(two_regions.regions[EAST].instances())
    # when
    two_regions.scale(EAST, 2)
    (launched,) = set(two_regions.regions[EAST].instances()) - before

    def rules_added() -> list[dict[str, Any]]:
        added = [line for line in two_regions.log(EAST) if line.get("message") == "rule added"]
        return [line for line in added if line["instance"] == launched]

    # then the log of the invocation follows its answer to the hook
    eventually(lambda: {line["region"] for line in rules_added()} == {EAST, WEST})
    added = rules_added()
    for line in added:
        assert {"address", "protocol", "ports", "security_group", "rule", "instance", "auto_scaling_group"} <= set(line)
    (causes,) = {tuple(line["cause"]) for line in added}
    # The schedule may send its true-up into the same batch. The launch is the only other message.
    (launch,) = [cause for cause in causes if not cause.startswith("schedule 20")]
    assert uuid.UUID(launch)
    (named,) = {
        call.cause for call in two_regions.lab.engine_calls(EAST) if call.action == "AuthorizeSecurityGroupIngress"
    }
    assert launch in named.split("+")
    assert len(named.split("+")) == len(causes)


def test_the_metrics_are_embedded_in_the_log(two_regions: Cluster) -> None:
    metrics = [line for line in two_regions.log(EAST) if "_aws" in line]
    names = {
        metric["Name"]
        for line in metrics
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }
    assert names == {
        "AdmissionSeconds",
        "Errors",
        "QuotaUsedPercent",
        "ReleaseSeconds",
        "StaleDoorSeconds",
        "UnknownOwners",
        "UnservedMessages",
    }
    # and what has no metric is a field of the same lines
    succeeded = [line for line in metrics if line.get("Succeeded") == 1]
    assert any(line.get("MembersWanted") == line.get("MembersAdmitted") == 2 for line in succeeded)
    assert all(line["ReconcileSeconds"] > 0 for line in succeeded)


def test_the_schedule_sends_true_ups_that_differ(two_regions: Cluster) -> None:
    # given the schedule fired when the stack was created
    causes = [line["cause"] for line in two_regions.log(EAST) if line.get("message") == "reconciled"]
    # then its message contains the time, so that the queue does not drop the next one as a duplicate
    scheduled = [event_id for cause in causes for event_id in cause if event_id.startswith("schedule 20")]
    assert scheduled
    assert len(scheduled) == len(set(scheduled))


@pytest.mark.parametrize(
    "payload",
    [{"detail": {"AutoScalingGroupName": None}}, {"detail": {"AutoScalingGroupName": None}, "trueup": True}],
)
def test_a_true_up_in_the_original_samples_form_works(two_regions: Cluster, payload: dict[str, Any]) -> None:
    east = two_regions.regions[EAST]
    named = {**payload, "detail": {"AutoScalingGroupName": east.auto_scaling_group}}
    answer = east.client("lambda").invoke(FunctionName=east.function, Payload=json.dumps(named))
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read())["problems"] == []


def test_a_true_up_of_an_unknown_group_fails_with_the_reason(two_regions: Cluster) -> None:
    east = two_regions.regions[EAST]
    payload = json.dumps({"detail": {"AutoScalingGroupName": "typo"}})
    answer = east.client("lambda").invoke(FunctionName=east.function, Payload=payload)
    assert answer["FunctionError"]
    assert "typo is none of this Region's groups" in json.loads(answer["Payload"].read())["errorMessage"]


def test_an_unknown_message_is_ignored_and_does_not_block_the_queue(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    sqs = east.client("sqs")
    queue = sqs.get_queue_url(QueueName="ringfence-demo.fifo")["QueueUrl"]
    # when
    for body in ("7", "[]", json.dumps({"Event": "autoscaling:TEST_NOTIFICATION"})):
        sqs.send_message(QueueUrl=queue, MessageBody=f"{body}", MessageGroupId="demo")
    two_regions.scale(EAST, 2)

    # then
    def is_logged(reason: str) -> bool:
        ignored = (line for line in two_regions.log(EAST) if line.get("message") == "event ignored")
        return any(reason in line.get("reason", "") for line in ignored)

    # the log of an invocation appears when it has ended, which may be after the instance continued
    eventually(lambda: is_logged("expected a JSON object") and is_logged("test notification"))
