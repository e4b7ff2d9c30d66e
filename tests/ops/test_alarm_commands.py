"""Alarms, their test, and quotas, as the real command shows them on a cluster in the lab."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ringfence_ops.state.alarms import alarm_names
from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.ops.commands import Shell, alarm_topic

NAMES = alarm_names("demo")


def findings(document: dict[str, Any], *checks: str, region: str = EAST) -> list[dict[str, Any]]:
    """What is wrong in the Region, by these checks."""
    found = document["findings"]
    return [one for one in found if one["check"] in checks and one["region"] == region and one["severity"] != "ok"]


def states(cluster: Cluster, region: str = EAST) -> dict[str, str]:
    """The state of each alarm of the Region."""
    answer = cluster.regions[region].client("cloudwatch").describe_alarms(AlarmNames=NAMES)
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in answer["MetricAlarms"]}


def messages(cluster: Cluster, region: str = EAST) -> list[dict[str, Any]]:
    """What arrived in the queue that subscribes to the Region's topic, and is taken from it."""
    sqs = cluster.regions[region].client("sqs")
    queue = sqs.get_queue_url(QueueName="demo-alarms")["QueueUrl"]
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in received:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(json.loads(message["Body"])["Message"]) for message in received]


@pytest.fixture
def quiet(two_regions: Cluster) -> Iterator[Cluster]:
    """A cluster whose alarms do not ring, before and after, and notify a topic that exists."""
    for region in two_regions.regions:
        hush(two_regions, region)
    yield two_regions
    two_regions.lab.heal()
    for region in two_regions.regions:
        hush(two_regions, region)


def hush(cluster: Cluster, region: str) -> None:
    cloudwatch = cluster.regions[region].client("cloudwatch")
    for name, value in states(cluster, region).items():
        if value != "OK":
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="quiet")
    messages(cluster, region)


def test_a_test_alarm_arrives_in_the_queue_of_each_region_and_is_taken_back(quiet: Cluster, operator: Shell) -> None:
    before = states(quiet)
    # when
    ran = operator.run("doctor", "--test-alarm")
    # then
    assert ran.code == 0, ran.output + ran.errors
    shown = " ".join(ran.output.split())
    for region in quiet.regions:
        assert f"{alarm_topic(quiet, region)} took the message and sends it to sqs arn:aws:sqs:{region}" in shown
        (message,) = messages(quiet, region)
        assert message["NewStateValue"] == "ALARM"
        assert message["NewStateReason"].startswith("A test, sent by `ringfence doctor --test-alarm`")
        assert message["AlarmDescription"]
    assert states(quiet) == before


def test_a_test_alarm_of_one_region_leaves_the_others_alone(quiet: Cluster, operator: Shell) -> None:
    assert operator.run("doctor", "--test-alarm", WEST).code == 0
    assert (len(messages(quiet, WEST)), messages(quiet, EAST)) == (1, [])


def test_an_alarm_that_rings_already_is_not_used_unless_all_ring(quiet: Cluster, operator: Shell) -> None:
    cloudwatch = quiet.regions[EAST].client("cloudwatch")
    for name in NAMES:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="it is so")
    messages(quiet)
    # when
    assert operator.run("doctor", "--test-alarm", EAST).code == 0
    # then it was sent, and every alarm still rings for its own reason
    assert len(messages(quiet)) == 1
    assert set(states(quiet).values()) == {"ALARM"}
    # and when one does not ring
    cloudwatch.set_alarm_state(AlarmName=NAMES[3], StateValue="OK", StateReason="over")
    assert operator.run("doctor", "--test-alarm", EAST).code == 0
    assert [message["AlarmName"] for message in messages(quiet)] == [NAMES[3]]
    assert states(quiet)[NAMES[3]] == "OK"


def test_a_topic_that_does_not_let_cloudwatch_publish_is_found_by_the_test_alone(
    quiet: Cluster, operator: Shell
) -> None:
    sns, topic = quiet.regions[EAST].client("sns"), alarm_topic(quiet, EAST)
    policy = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    other = {"Sid": "other", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}
    strict = {"Version": "2012-10-17", "Statement": [{**other, "Action": "sns:Publish", "Resource": topic}]}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(strict))
    try:
        document = operator.document("doctor", "--test-alarm", EAST)
        assert messages(quiet) == []
    finally:
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    (found,) = document["findings"]
    assert found["severity"] == "problem"
    assert "rang, and notified no one: Failed to execute action" in found["said"]
    assert found["mend"] == "allow cloudwatch.amazonaws.com sns:Publish in the topic's policy"
    assert set(states(quiet).values()) == {"OK"}


def test_status_shows_an_alarm_that_rings_with_one_call_for_each_region(quiet: Cluster, operator: Shell) -> None:
    cloudwatch = quiet.regions[EAST].client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=NAMES[0], StateValue="ALARM", StateReason="3 datapoints were over 0")
    quiet.lab.clear_calls()
    # when
    screen = operator.run("status")
    # then
    assert f"{NAMES[0]} rings, " in screen.output
    assert "3 datapoints were over 0" in screen.output
    calls = [(call.region, call.action) for call in quiet.lab.calls() if call.service == "monitoring"]
    assert sorted(calls) == [(EAST, "DescribeAlarms"), (WEST, "DescribeAlarms")]
    (east, west) = operator.document("status")["regions"]
    assert [alarm["name"] for alarm in east["alarms"]] == [NAMES[0]]
    assert west["alarms"] == []


def test_status_does_not_know_of_alarms_that_it_cannot_read(quiet: Cluster, operator: Shell) -> None:
    quiet.lab.fault(EAST, "deny", "monitoring")
    screen = operator.run("status")
    assert "not known whether one rings: DescribeAlarms was denied" in screen.output
    assert operator.document("status")["regions"][0]["alarms"] is None


def test_doctor_finds_alarms_that_notify_no_one_and_what_it_prints_mends_them(quiet: Cluster, operator: Shell) -> None:
    cloudwatch, sns = quiet.regions[EAST].client("cloudwatch"), quiet.regions[EAST].client("sns")
    assert findings(operator.document("doctor"), "alarms", "notification") == []
    # given
    cloudwatch.disable_alarm_actions(AlarmNames=NAMES[:1])
    topic = alarm_topic(quiet, EAST)
    (subscribed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    # when
    disabled, unconfirmed = findings(operator.document("doctor"), "alarms", "notification")
    # then
    assert disabled["mend"] == f"aws cloudwatch enable-alarm-actions --region {EAST} --alarm-names {NAMES[0]}"
    assert unconfirmed["said"].endswith("; not confirmed: email ops@example.com")
    # and when
    cloudwatch.enable_alarm_actions(AlarmNames=NAMES[:1])
    sns.confirm_subscription(TopicArn=topic, Token="lab-ops@example.com")  # the lab's
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=subscribed["Endpoint"])
    # then
    assert findings(operator.document("doctor"), "alarms", "notification") == []


def test_a_deleted_alarm_is_made_again_by_what_doctor_prints(quiet: Cluster, operator: Shell) -> None:
    quiet.regions[EAST].client("cloudwatch").delete_alarms(AlarmNames=NAMES[:1])
    (found,) = findings(operator.document("doctor", EAST), "alarms")
    assert (found["said"], found["mend"]) == (f"{NAMES[0]} does not exist", f"ringfence deploy {EAST}")
    assert operator.run(*found["mend"].split()[1:], "--yes").code == 0
    assert set(states(quiet)) == set(NAMES)


def test_doctor_of_one_region_shows_that_region_alone(quiet: Cluster, operator: Shell) -> None:
    quiet.regions[WEST].client("cloudwatch").disable_alarm_actions(AlarmNames=NAMES)
    try:
        east = operator.document("doctor", EAST)
        west = operator.run("doctor", WEST)
    finally:
        quiet.regions[WEST].client("cloudwatch").enable_alarm_actions(AlarmNames=NAMES)
    assert {one["region"] for one in east["findings"]} == {EAST, None}
    assert east["worst"] == "ok"
    assert west.code == 2


# Quotas.


def test_a_denied_quota_is_said_and_the_quota_of_the_stack_is_taken(quiet: Cluster, operator: Shell) -> None:
    quiet.lab.fault(EAST, "deny", "servicequotas")
    document = operator.document("doctor")
    (found,) = findings(document, "room", "stack", "engine")
    denied = "the account's quota is not known, 60 rules are assumed: GetServiceQuota was denied"
    assert found["said"].startswith(denied)
