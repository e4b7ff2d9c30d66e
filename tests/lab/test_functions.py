"""Lambda functions behind a FIFO queue: partial failures, the dead-letter queue, timeouts, logs, and Regions."""

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ringfence_lab.control.lab import Lab
from tests.labs import HOME, PEER, eventually, make_function

PARTIAL = """
import json
def handler(event, context):
    bodies = [json.loads(record["body"]) for record in event["Records"]]
    print(json.dumps({"took": [body["n"] for body in bodies]}))
    return {"batchItemFailures": [
        {"itemIdentifier": record["messageId"]}
        for record, body in zip(event["Records"], bodies) if body["fails"]
    ]}
"""

SLEEPER = """
import os, time
def handler(event, context):
    open(event["pid_file"], "w").write(str(os.getpid()))
    time.sleep(60)
"""

ENVIRONMENT = """
import os
def handler(event, context):
    return dict(os.environ)
"""

WHERE = """
import os
def handler(event, context):
    return {"region": os.environ["AWS_REGION"], "process": os.getpid()}
"""


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
)


def create_queue(lab: Lab, name: str, **attributes: str) -> tuple[str, str]:
    """Creates a FIFO queue, and returns its URL and ARN."""
    sqs = lab.client("sqs", HOME)
    asked = {"FifoQueue": "true", "ContentBasedDeduplication": "true", **attributes}
    url: str = sqs.create_queue(QueueName=name, Attributes=asked)["QueueUrl"]
    described = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, described["Attributes"]["QueueArn"]


def bodies_in(lab: Lab, url: str) -> list[Any]:
    answer = lab.client("sqs", HOME).receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def log_lines(lab: Lab, region: str, name: str) -> list[str]:
    logs, group = lab.client("logs", region), f"/aws/lambda/{name}"
    try:
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    events = [
        event
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]
    return [event["message"] for event in sorted(events, key=lambda event: int(event["timestamp"]))]


def test_only_failed_messages_return_and_end_in_the_dead_letter_queue(empty_lab: Lab) -> None:
    """AWS Lambda Developer Guide, "Implementing partial batch responses"; Amazon SQS, "Using dead-letter queues"."""
    name = f"partial-{uuid4().hex[:8]}"
    dead_url, dead_arn = create_queue(empty_lab, f"{name}-dead.fifo")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = create_queue(empty_lab, f"{name}.fifo", VisibilityTimeout="1", RedrivePolicy=redrive)
    sqs = empty_lab.client("sqs", HOME)
    for number, fails in enumerate([False, True]):
        body = json.dumps({"n": number, "fails": fails})
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=f"group-{number}")

    make_function(empty_lab, HOME, name, PARTIAL, timeout=1)
    empty_lab.client("lambda", HOME).create_event_source_mapping(
        EventSourceArn=arn, FunctionName=name, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"]
    )

    assert eventually(lambda: bodies_in(empty_lab, dead_url)) == [{"n": 1, "fails": True}]
    took = [json.loads(line)["took"] for line in log_lines(empty_lab, HOME, name) if line.startswith('{"took"')]
    assert took == [[0, 1], [1]]


def test_a_function_that_exceeds_its_timeout_is_killed(empty_lab: Lab, tmp_path: Path) -> None:
    name, pid_file = f"sleeper-{uuid4().hex[:8]}", tmp_path / "pid"
    make_function(empty_lab, HOME, name, SLEEPER, timeout=2)

    started = time.monotonic()
    answer = empty_lab.client("lambda", HOME).invoke(FunctionName=name, Payload=json.dumps({"pid_file": str(pid_file)}))

    assert "Task timed out" in json.loads(answer["Payload"].read())["errorMessage"]
    assert time.monotonic() - started < 10
    assert not Path("/proc", pid_file.read_text()).exists()


def test_functions_with_the_same_name_in_two_regions_run_separately(empty_lab: Lab) -> None:
    name = f"where-{uuid4().hex[:8]}"
    function = {"FunctionName": name, "Runtime": "python3.13", "Handler": "index.handler", "Code": {"ZipFile": WHERE}}
    role = empty_lab.client("iam", HOME).create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    resource = {"Type": "AWS::Lambda::Function", "Properties": {**function, "Role": role}}

    def deploy(region: str) -> None:
        cloudformation = empty_lab.client("cloudformation", region)
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Function": resource}}))
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})

    def where(region: str) -> dict[str, Any]:
        answer = empty_lab.client("lambda", region).invoke(FunctionName=name)
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        return result

    deploy(HOME)
    first = where(HOME)
    deploy(PEER)
    there = where(PEER)

    assert (first["region"], there["region"]) == (HOME, PEER)
    assert where(HOME)["process"] == first["process"], "the second deployment must not end the first process"


@pytest.mark.lab
def test_a_function_does_not_see_the_environment_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("USERS_OWN", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://production.invalid")

    with Lab(regions=[HOME]) as lab:
        make_function(
            lab, HOME, "environment", "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
        )
        answer = lab.client("lambda", HOME).invoke(FunctionName="environment")
        environment = json.loads(answer["Payload"].read())

    assert "USERS_OWN" not in environment
    assert environment["AWS_ENDPOINT_URL"] == lab.endpoint_url


@pytest.mark.parametrize("region", [HOME, PEER])
def test_the_output_of_a_function_is_in_its_regions_log(empty_lab: Lab, region: str) -> None:
    name = f"logger-{uuid4().hex[:8]}"
    make_function(empty_lab, region, name, "def handler(event, context):\n    print('a printed line')\n")

    empty_lab.client("lambda", region).invoke(FunctionName=name)

    assert eventually(lambda: "a printed line" in log_lines(empty_lab, region, name))
    assert log_lines(empty_lab, PEER if region == HOME else HOME, name) == []
