"""The delivery of events and schedules to a FIFO queue."""

import json
import re
import time
from typing import Any
from uuid import uuid4

import pytest

from ringfence_lab.control.lab import Lab
from tests.labs import HOME, eventually


class Queue:
    """A FIFO queue with content-based deduplication."""

    def __init__(self, lab: Lab, allowed_rule: str | None) -> None:
        self.sqs = lab.client("sqs", HOME)
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self.url: str = self.sqs.create_queue(QueueName=f"q-{uuid4().hex}.fifo", Attributes=attributes)["QueueUrl"]
        self.arn: str = self._attribute("QueueArn")
        if allowed_rule:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": self.arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": allowed_rule}},
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})

    def _attribute(self, name: str) -> str:
        return str(self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name])

    def messages(self) -> list[dict[str, Any]]:
        """Receives and deletes the messages."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=0, MessageSystemAttributeNames=["All"]
        )
        taken: list[dict[str, Any]] = answer.get("Messages", [])
        for message in taken:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return taken


@pytest.fixture
def source() -> str:
    """A source of events that no other test uses."""
    return f"test.{uuid4().hex}"


def create_rule(lab: Lab, source: str) -> tuple[str, str]:
    name = f"r-{uuid4().hex}"
    pattern = json.dumps({"source": [source]})
    return name, lab.client("events", HOME).put_rule(Name=name, EventPattern=pattern)["RuleArn"]


def add_target(lab: Lab, rule: str, queue: Queue, **target: Any) -> None:
    entry = {"Id": "queue", "Arn": queue.arn, "SqsParameters": {"MessageGroupId": "cluster"}, **target}
    lab.client("events", HOME).put_targets(Rule=rule, Targets=[entry])


def put_event(lab: Lab, source: str, detail: str = "{}") -> None:
    entry = {"Source": source, "DetailType": "Test", "Detail": detail, "Resources": ["arn:of:something"]}
    lab.client("events", HOME).put_events(Entries=[entry])


def test_an_event_arrives_with_its_envelope_and_message_group(empty_lab: Lab, source: str) -> None:
    rule, arn = create_rule(empty_lab, source)
    queue = Queue(empty_lab, arn)
    add_target(empty_lab, rule, queue)

    put_event(empty_lab, source, json.dumps({"answer": 42}))

    (message,) = eventually(queue.messages)
    envelope = json.loads(message["Body"])
    assert (envelope["source"], envelope["detail-type"], envelope["detail"]) == (source, "Test", {"answer": 42})
    assert (envelope["account"], envelope["region"]) == ("123456789012", HOME)
    assert envelope["resources"] == ["arn:of:something"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", envelope["time"])
    assert envelope["id"]
    assert message["Attributes"]["MessageGroupId"] == "cluster"


def test_a_queue_whose_policy_denies_the_rule_receives_nothing(empty_lab: Lab, source: str) -> None:
    """Amazon EventBridge User Guide, "Using resource-based policies for Amazon EventBridge"."""
    (denied_rule, _), (rule, arn) = create_rule(empty_lab, source), create_rule(empty_lab, source)
    closed, opened = Queue(empty_lab, None), Queue(empty_lab, arn)
    add_target(empty_lab, denied_rule, closed)
    add_target(empty_lab, rule, opened)

    put_event(empty_lab, source)

    assert eventually(opened.messages)
    assert closed.messages() == []


def test_a_constant_input_is_dropped_as_a_duplicate(empty_lab: Lab, source: str) -> None:
    """Amazon SQS Developer Guide, "Exactly-once processing in Amazon SQS"."""
    rule, arn = create_rule(empty_lab, source)
    queue = Queue(empty_lab, arn)
    add_target(empty_lab, rule, queue, Input='{"always": "the same"}')

    put_event(empty_lab, source)
    first = eventually(queue.messages)
    put_event(empty_lab, source)
    time.sleep(0.3)

    assert [json.loads(message["Body"]) for message in first] == [{"always": "the same"}]
    assert queue.messages() == []


def test_a_rate_schedule_fires_when_it_is_created_with_its_scheduled_time(empty_lab: Lab) -> None:
    """EventBridge Scheduler User Guide, "Schedule types" and "Adding context attributes"."""
    queue, name = Queue(empty_lab, None), f"s-{uuid4().hex}"

    empty_lab.client("scheduler", HOME).create_schedule(
        Name=name,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": queue.arn,
            "RoleArn": "arn:aws:iam::123456789012:role/schedule",
            "Input": '{"source": "test", "time": "<aws.scheduler.scheduled-time>"}',
            "SqsParameters": {"MessageGroupId": "cluster"},
        },
    )

    (message,) = eventually(queue.messages, 5)
    body = json.loads(message["Body"])
    assert body["source"] == "test"
    scheduled = time.mktime(time.strptime(body["time"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(scheduled - time.time()) < 10
    empty_lab.client("scheduler", HOME).delete_schedule(Name=name)
