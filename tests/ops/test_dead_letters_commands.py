"""`dead-letters` and its subcommands as the real command, on a cluster in the lab."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually
from tests.ops.commands import HANGING_REGION_SECONDS, Shell

QUEUE, DEAD = "ringfence-demo.fifo", "ringfence-demo-dead.fifo"


class Queues:
    """The queue of events and the dead-letter queue of a Region."""

    def __init__(self, cluster: Cluster, region: str) -> None:
        self.client = cluster.regions[region].client("sqs")
        self.events, self.dead = (self.client.get_queue_url(QueueName=name)["QueueUrl"] for name in (QUEUE, DEAD))

    def bury(self, body: str, reason: str | None = "the reason", changes: str | None = None) -> str:
        """Sends a dead letter as the engine does, or as SQS does without a reason. Returns its id."""
        texts = {name: text for name, text in (("reason", reason), ("body", changes)) if text is not None}
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}
        sent = self.client.send_message(
            QueueUrl=self.dead,
            MessageBody=body,
            MessageGroupId="demo",
            MessageDeduplicationId=f"{time.monotonic_ns()}",
            MessageAttributes=attributes,
        )
        return str(sent["MessageId"])

    def visible(self) -> int:
        """The number of dead letters that a caller can receive now."""
        names = ["ApproximateNumberOfMessages"]
        answer = self.client.get_queue_attributes(QueueUrl=self.dead, AttributeNames=names)
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def launch(instance: str) -> str:
    """The event of a launch into a group that is none of the Region's."""
    detail = {
        "LifecycleActionToken": "87654321-4321-4321-4321-210987654321",
        "AutoScalingGroupName": "elsewhere",
        "LifecycleHookName": "ringfence-demo-launch",
        "EC2InstanceId": instance,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    event = {
        "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": "EC2 Instance-launch Lifecycle Action",
        "source": "aws.autoscaling",
        "time": "2026-11-23T15:00:00Z",
        "region": EAST,
        "detail": detail,
    }
    return json.dumps(event)


@pytest.fixture(autouse=True)
def _empty(two_regions: Cluster) -> Iterator[None]:
    """No dead letter outlives its test."""
    yield
    two_regions.lab.heal()
    for region in (EAST, WEST):
        queues = Queues(two_regions, region)
        queues.client.purge_queue(QueueUrl=queues.dead)


@pytest.fixture
def east(two_regions: Cluster) -> Queues:
    return Queues(two_regions, EAST)


def test_no_dead_letter_is_exit_code_0(east: Queues, operator: Shell) -> None:
    done = operator.run("dead-letters")
    assert (done.code, done.output) == (0, "No dead letters.\n")
    assert east.visible() == 0


def test_each_letter_is_listed_with_its_reason_and_stays_visible(east: Queues, operator: Shell) -> None:
    # given
    first = east.bury(launch("i-0123456789abcdef0"), "the engine failed on it with ValueError: \x1b[31mred")
    second = east.bury("not JSON", None)
    # when
    done, document = operator.run("dead-letters"), operator.document("dead-letters")
    # then
    assert done.code == 2
    assert "launch of i-0123456789abcdef0 of elsewhere" in done.output
    assert r"ValueError: \x1b[31mred" in done.output
    assert "no delivery of it was ever acknowledged" in done.output
    assert f"ringfence dead-letters show {first[:8]}" in done.output
    assert [letter["id"] for letter in document["letters"]] == [first, second]
    assert east.visible() == 2


def test_show_has_the_body_and_the_commands_that_work(east: Queues, operator: Shell) -> None:
    # given
    id = east.bury(launch("i-0123456789abcdef0"))
    # when
    done = operator.run("dead-letters", "show", id[:8])
    # then
    assert done.code == 0
    assert '"EC2InstanceId": "i-0123456789abcdef0"' in done.output
    commands = [line for line in done.output.splitlines() if line.startswith("ringfence dead-letters send-back")]
    assert operator.run(*commands[0].split()[1:]).code == 0
    assert east.visible() == 0


def test_a_letter_that_is_sent_back_reaches_the_engine(two_regions: Cluster, east: Queues, operator: Shell) -> None:
    # given
    id = east.bury(launch("i-0feedfeedfeedfee0"))
    # when
    document = operator.document("dead-letters", "send-back", id)
    # then
    assert [letter["outcome"] for letter in document["letters"]] == ["sent back"]
    event = "12345678-1234-1234-1234-123456789012"
    eventually(lambda: any(event in str(line.get("event")) for line in two_regions.log(EAST)), 30)
    assert east.visible() == 0


def test_a_truncated_letter_is_kept_and_does_not_stop_the_others(east: Queues, operator: Shell) -> None:
    # given
    kept = east.bury("{}", changes="truncated from 300000 bytes")
    sent = east.bury(launch("i-0123456789abcdef0"))
    # when
    done = operator.run("dead-letters", "send-back", "--all", "--json")
    # then
    assert done.code == 1
    outcomes = {letter["id"]: letter["outcome"] for letter in done.document()["letters"]}
    assert outcomes == {kept: "kept", sent: "sent back"}
    assert east.visible() == 1


def test_all_are_discarded_although_the_queue_shows_ten_at_a_time(east: Queues, operator: Shell) -> None:
    # given
    for number in range(23):
        east.bury(f"{number}")
    listed = operator.document("dead-letters")
    assert (len(listed["letters"]), listed["others"]) == (10, {EAST: 13})
    # when
    done = operator.run("dead-letters", "discard", "--all", "--yes")
    # then
    assert done.code == 0
    assert done.output.count("discarded: ") == 23
    assert east.visible() == 0


def test_nothing_is_discarded_without_an_answer(east: Queues, operator: Shell) -> None:
    id = east.bury("{}")
    done = operator.run("dead-letters", "discard", id)
    assert done.code == 64
    assert "--yes" in done.errors
    assert east.visible() == 1


def test_one_is_discarded_and_the_others_stay(east: Queues, operator: Shell) -> None:
    first, second = east.bury("1"), east.bury("2")
    assert operator.run("dead-letters", "discard", second, "--yes").code == 0
    assert [letter["id"] for letter in operator.document("dead-letters")["letters"]] == [first]


def test_a_region_that_does_not_answer_is_named(two_regions: Cluster, east: Queues, operator: Shell) -> None:
    # given
    id = east.bury("{}")
    two_regions.lab.fault(WEST, "hang")
    # when
    done = operator.run("dead-letters")
    # then
    assert done.code == 1
    assert f"{WEST}  not read:" in done.output
    assert id[:8] in done.output
    assert done.seconds < HANGING_REGION_SECONDS


WRONG = [("send-back",), ("discard",), ("discard", "12345678", "--all"), ("show",), ("--json", "show", "12345678")]


@pytest.mark.parametrize("arguments", WRONG)
def test_an_id_or_all_is_needed(operator: Shell, arguments: tuple[str, ...]) -> None:
    done = operator.run("dead-letters", *arguments)
    assert done.code == 64


def test_an_unknown_id_is_an_error_that_says_what_to_run(east: Queues, operator: Shell) -> None:
    east.bury("{}")
    done: Any = operator.run("dead-letters", "show", "ffffffffffff")
    assert done.code == 1
    assert "`ringfence dead-letters` lists them" in done.errors
