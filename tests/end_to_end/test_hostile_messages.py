"""Messages that cannot be served, on the real stack: a launch behind them is served within seconds.

Each of them is a dead letter with its reason. IAM is enforced, and EventBridge, SQS and Lambda carry the messages.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.end_to_end.clusters import EAST, Cluster
from tests.labs import eventually

SECONDS = 10.0
"""Maximum seconds until a launch is in service, with junk before it in the queue."""

TOKEN = "87654321-4321-4321-4321-210987654321"


def forged_launch(group: str, **detail: object) -> str:
    """The body of a launch event with a changed detail."""
    real = {
        "LifecycleActionToken": TOKEN,
        "AutoScalingGroupName": group,
        "LifecycleHookName": "ringfence-demo-launch",
        "EC2InstanceId": "i-0123456789abcdef0",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    return json.dumps(
        {
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "EC2 Instance-launch Lifecycle Action",
            "source": "aws.autoscaling",
            "time": "2025-11-30T12:00:00Z",
            "detail": real | detail,
        }
    )


Body = Callable[[str], str]
"""Makes the body of a message, for the name of an Auto Scaling group."""

HOSTILE: Mapping[str, tuple[Body, str]] = {
    "nested deeper than Python's stack": (lambda _: '{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "16384 bytes"),
    "nested deep in 8 KB": (lambda _: "[" * 8000, "20 levels"),
    "256 KB": (lambda _: "x" * 262_144, "16384 bytes"),
    "a lone surrogate": (lambda group: forged_launch(group, EC2InstanceId="i-\ud800"), "surrogate"),
    "an overflowing number": (lambda _: '{"detail": 1e999}', "too large"),
    "a huge integer": (lambda _: '{"detail": ' + "9" * 5000 + "}", "too large"),
    "NaN": (lambda _: '{"detail": NaN}', "NaN"),
    "duplicate names": (lambda _: '{"trueup": true, "trueup": true}', "twice"),
    "no JSON": (lambda _: "hello", "not JSON"),
    "a token of one character": (lambda group: forged_launch(group, LifecycleActionToken="x"), "LifecycleActionToken"),
    "every instance": (lambda group: forged_launch(group, EC2InstanceId="*"), "EC2InstanceId"),
    "a long instance id": (lambda group: forged_launch(group, EC2InstanceId="i-" + "0" * 16_000), "16384 bytes"),
    "a true-up of an unknown group": (
        lambda _: json.dumps({"trueup": True, "detail": {"AutoScalingGroupName": "typo"}}),
        "typo is none of this Region's groups",
    ),
}


@dataclass(frozen=True, slots=True)
class Queues:
    """The queue of a Region's stack and its dead-letter queue."""

    sqs: Any
    queue: str
    dead: str

    @classmethod
    def of(cls, cluster: Cluster, region: str) -> "Queues":
        """The queues of a Region, without a dead letter."""
        sqs = cluster.regions[region].client("sqs")
        urls = [sqs.get_queue_url(QueueName=f"ringfence-demo{name}.fifo")["QueueUrl"] for name in ("", "-dead")]
        found = cls(sqs, *urls)
        while found.letters():
            pass
        return found

    def send(self, body: str) -> None:
        """Sends a message to the queue of events. The id keeps SQS from taking it as a duplicate of another test's."""
        self.sqs.send_message(
            QueueUrl=self.queue, MessageBody=body, MessageGroupId="demo", MessageDeduplicationId=str(time.time_ns())
        )

    def letters(self) -> list[dict[str, Any]]:
        """Takes the dead letters."""
        taken: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.dead, MessageAttributeNames=["All"], MaxNumberOfMessages=10
        ).get("Messages", [])
        for letter in taken:
            self.sqs.delete_message(QueueUrl=self.dead, ReceiptHandle=letter["ReceiptHandle"])
        return taken


@pytest.mark.parametrize(("body", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_launch_behind_a_hostile_message_is_served_in_seconds_and_the_message_is_a_dead_letter(
    two_regions: Cluster, body: Body, reason: str
) -> None:
    # given
    east = two_regions.regions[EAST]
    queues = Queues.of(two_regions, EAST)
    # when
    sent = body(east.auto_scaling_group)
    queues.send(sent)
    began = time.monotonic()
    two_regions.scale(EAST, 2)
    # then
    assert time.monotonic() - began < SECONDS
    assert two_regions.agrees()
    (letter,) = eventually(queues.letters)
    assert reason in letter["MessageAttributes"]["reason"]["StringValue"]
    assert sent.startswith(letter["Body"]) or letter["Body"] == sent
    assert ("body" in letter["MessageAttributes"]) == (letter["Body"] != sent)


def test_a_launch_in_the_midst_of_all_hostile_messages_is_served_in_seconds(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    queues = Queues.of(two_regions, EAST)
    # when
    for body, _ in HOSTILE.values():
        queues.send(body(east.auto_scaling_group))
    began = time.monotonic()
    two_regions.scale(EAST, 3)
    # then
    assert time.monotonic() - began < SECONDS
    assert two_regions.agrees()
    found: list[dict[str, Any]] = []

    def all_found() -> bool:
        found.extend(queues.letters())
        return len(found) >= len(HOSTILE)

    eventually(all_found)
    assert len(found) == len(HOSTILE)


def test_a_direct_invoke_with_records_is_an_error_and_no_dead_letter(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    queues = Queues.of(two_regions, EAST)
    records = [{"messageId": "1", "body": forged_launch(east.auto_scaling_group)}]
    # when
    answer = east.client("lambda").invoke(FunctionName=east.function, Payload=json.dumps({"Records": records}))
    # then
    assert answer["FunctionError"]
    assert "must not have Records" in json.loads(answer["Payload"].read())["errorMessage"]
    assert not queues.letters()
