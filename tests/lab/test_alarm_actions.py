"""An alarm whose state changes notifies its topic, and its history tells whether the topic took the message.

Sources: CloudWatch API Reference, SetAlarmState, DescribeAlarmHistory; SNS Developer Guide, topic policies.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from ringfence_lab.control.lab import Lab
from tests.labs import HOME


@dataclass(frozen=True, slots=True)
class Wired:
    """An alarm that notifies a topic with a queue as its subscriber."""

    lab: Lab
    name: str
    topic: str
    queue: str

    def set(self, state: str, reason: str = "a test") -> None:
        """Sets the state of the alarm."""
        cloudwatch = self.lab.client("cloudwatch", HOME)
        cloudwatch.set_alarm_state(AlarmName=self.name, StateValue=state, StateReason=reason)

    def messages(self) -> list[dict[str, Any]]:
        """What arrived in the queue."""
        received = self.lab.client("sqs", HOME).receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [json.loads(json.loads(message["Body"])["Message"]) for message in received.get("Messages", [])]

    def actions(self) -> list[str]:
        """The summaries of the alarm's actions."""
        history = self.lab.client("cloudwatch", HOME).describe_alarm_history(
            AlarmName=self.name, HistoryItemType="Action"
        )
        return [item["HistorySummary"] for item in history["AlarmHistoryItems"]]


@pytest.fixture
def wired(empty_lab: Lab) -> Wired:
    name = f"alarm-{uuid4().hex}"
    sns, sqs = empty_lab.client("sns", HOME), empty_lab.client("sqs", HOME)
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    empty_lab.client("cloudwatch", HOME).put_metric_alarm(
        AlarmName=name,
        Namespace="Tests",
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    return Wired(empty_lab, name, topic, queue)


def test_a_state_that_changes_notifies_the_topic_and_is_in_the_history(wired: Wired) -> None:
    wired.set("ALARM", "for this test")
    (message,) = wired.messages()
    assert (message["AlarmName"], message["NewStateValue"]) == (wired.name, "ALARM")
    assert message["NewStateReason"] == "for this test"
    assert wired.actions() == [f"Successfully executed action {wired.topic}"]
    # and the same state again, or one without an action, notifies nobody
    wired.set("ALARM")
    wired.set("OK")
    assert wired.messages() == []
    assert len(wired.actions()) == 1


def test_an_alarm_whose_actions_are_disabled_does_nothing(wired: Wired) -> None:
    wired.lab.client("cloudwatch", HOME).disable_alarm_actions(AlarmNames=[wired.name])
    wired.set("ALARM")
    assert (wired.messages(), wired.actions()) == ([], [])


def test_a_topic_whose_policy_does_not_allow_cloudwatch_gets_nothing(wired: Wired) -> None:
    statement = {"Sid": "other", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}
    statement |= {"Action": "sns:Publish", "Resource": wired.topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    wired.lab.client("sns", HOME).set_topic_attributes(
        TopicArn=wired.topic, AttributeName="Policy", AttributeValue=policy
    )
    wired.set("ALARM")
    assert wired.messages() == []
    (summary,) = wired.actions()
    assert summary.startswith(f'Failed to execute action {wired.topic}. Received error: "CloudWatch Alarms is not auth')


def test_a_topic_that_was_deleted_is_a_failure_in_the_history(wired: Wired) -> None:
    wired.lab.client("sns", HOME).delete_topic(TopicArn=wired.topic)
    wired.set("ALARM")
    (summary,) = wired.actions()
    assert summary.startswith(f"Failed to execute action {wired.topic}")


def test_a_state_that_does_not_exist_is_refused(wired: Wired) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        wired.set("RINGING")
