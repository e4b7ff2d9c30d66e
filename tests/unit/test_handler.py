"""Lambda's handler without AWS: a wrong configuration, and what becomes of the messages of a batch.

Every answer of AWS comes from botocore's own stubs on the engine's clients. Nothing is sent.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from ringfence.core.errors import Permanent, Retry
from ringfence.runtime.handler import Handler
from tests.unit.buckets import Bucket, bucket
from tests.unit.builders import DB, EAST, WEST, environment

__all__ = ["bucket"]

TRUE_UP = {"trueup": True}
WRONG = environment(RINGFENCE_PORTS="9042", RINGFENCE_MODE="strict")
DENIED = "AccessDeniedException"
THROTTLED = "ThrottlingException"


@dataclass(frozen=True, slots=True)
class Context:
    """The part of Lambda's context that the handler reads."""

    aws_request_id: str = "request-1"


@pytest.fixture(autouse=True, scope="module")
def function_variables() -> Iterator[pytest.MonkeyPatch]:
    """The variables that libraries read: Powertools' names, and credentials that botocore signs with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_SERVICE_NAME", "demo")
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Ringfence")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setattr("botocore.endpoint.time.sleep", lambda _: None)  # botocore waits between its attempts
        yield patch


@pytest.fixture(scope="module")
def handler(function_variables: pytest.MonkeyPatch) -> Handler:
    """The handler of a right configuration. Making its clients takes a while, so the tests share it."""
    assert function_variables
    handler = Handler(environment())
    handler.prepare()
    return handler


def lifecycle_event(group: str = DB.asg, **detail: object) -> dict[str, Any]:
    """Source: Amazon EC2 Auto Scaling User Guide, "EventBridge event reference"."""
    return {
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "EC2 Instance-launch Lifecycle Action",
        "source": "aws.autoscaling",
        "time": "2025-11-30T12:00:00Z",
        "detail": {
            "AutoScalingGroupName": group,
            "LifecycleHookName": "ringfence-demo-launch",
            "EC2InstanceId": "i-0123456789abcdef0",
            "Origin": "EC2",
            "Destination": "AutoScalingGroup",
            **detail,
        },
    }


def batch(**bodies: object) -> dict[str, Any]:
    """A batch of the queue, by the ids of its messages. A text is a body as it is."""
    return {
        "Records": [
            {
                "messageId": id,
                "eventSourceARN": environment()["RINGFENCE_QUEUE_ARN"],
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for id, body in bodies.items()
        ]
    }


def failures(answer: dict[str, Any]) -> list[str]:
    """The ids of the messages that the queue delivers again."""
    assert answer.keys() == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


# A wrong configuration.


def test_a_direct_invoke_raises_permanent_that_names_every_mistake_of_the_configuration() -> None:
    with pytest.raises(Permanent, match="the configuration is wrong") as raised:
        Handler(WRONG)(TRUE_UP, Context())
    assert all(name in str(raised.value) for name in ("RINGFENCE_PORTS", "RINGFENCE_MODE"))


def test_preparing_the_engine_raises_no_error_for_a_wrong_configuration() -> None:
    handler = Handler(WRONG)
    handler.prepare()
    with pytest.raises(Permanent, match="RINGFENCE_PORTS"):
        handler(TRUE_UP, Context())


def test_a_batch_keeps_its_lifecycle_events_in_the_queue_if_the_configuration_is_wrong() -> None:
    # given a queue whose dead-letter queue is not known either
    messages = batch(first=lifecycle_event(), second=TRUE_UP, third=lifecycle_event("other"), fourth="no JSON")
    # when / then only the true-up is done
    assert failures(Handler(WRONG)(messages, Context())) == ["first", "third", "fourth"]


def test_the_log_says_that_the_configuration_is_wrong_and_the_metrics_count_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a logger of its own: a logger is found again by its name, with the stream that it was made with
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "wrong")
    # when
    Handler(WRONG)(batch(first=TRUE_UP), Context())
    # then
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (failed,) = (line for line in lines if line.get("level") == "ERROR")
    assert failed["message"].startswith("reconcile failed: the configuration is wrong: RINGFENCE_PORTS")
    assert [line["Errors"] for line in lines if "_aws" in line] == [[1.0]]


# A right configuration.


def test_the_engine_has_the_services_of_every_region_and_is_built_once() -> None:
    handler = Handler(environment())
    handler.prepare()
    engine = handler.engine()
    handler.prepare()
    assert handler.engine() is engine
    assert engine.settings.region == EAST
    assert engine.regions.keys() == {EAST, WEST}


def test_a_direct_invoke_returns_the_summary(handler: Handler) -> None:
    assert handler({"source": "my.app"}, Context())["ignored"] == 1


@pytest.mark.parametrize("event", [None, "text", [], 7])
def test_an_event_that_is_no_object_is_a_direct_invoke(handler: Handler, event: object) -> None:
    assert handler(event, Context())["ignored"] == 1


def test_a_malformed_event_of_a_direct_invoke_is_an_error_with_its_reason(handler: Handler) -> None:
    with pytest.raises(Permanent, match=r"the event is malformed: EC2InstanceId is not valid: '\*'"):
        handler(lifecycle_event(EC2InstanceId="*"), Context())


def test_a_batch_of_ignored_messages_is_done(handler: Handler) -> None:
    messages = batch(first="[]", second={"source": "my.app"}, third=lifecycle_event("other"))
    assert failures(handler(messages, Context())) == []


FOREIGN_RECORDS: list[object] = [
    None,
    "text",
    {},
    [],
    ["text", None],
    [{"messageId": "1", "body": json.dumps(lifecycle_event())}],
    [{"messageId": "1", "body": "{}", "eventSourceARN": 7}],
    [{"messageId": "1", "body": "{}", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:other.fifo"}],
    [{"messageId": "1", "body": "{}", "eventSourceARN": "\ud800\x1b" * 40_000}],
    [*batch(first=lifecycle_event())["Records"], {"messageId": "2", "body": "{}"}],
]


@pytest.mark.parametrize("records", FOREIGN_RECORDS)
def test_records_of_another_queue_are_an_error_and_no_call_is_made(stubs: "Stubs", records: object) -> None:
    with pytest.raises(Permanent, match=r"[Aa] direct invoke must not have Records") as raised:
        stubs.handler({"Records": records}, Context())
    assert str(raised.value).isascii()
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_stack_that_does_not_tell_its_queue_has_the_queue_of_its_cluster(partition: str) -> None:
    # given the environment of version 0.1
    variables = environment(RINGFENCE_QUEUE_ARN="")
    arn = f"arn:{partition}:sqs:us-east-1:123456789012:ringfence-demo.fifo"
    record = {"messageId": "first", "body": "[]", "eventSourceARN": arn}
    # when / then
    assert failures(Handler(variables)({"Records": [record]}, Context())) == []
    for other in (arn.replace("demo", "other"), arn.replace("east", "west"), arn.replace("123", "321"), f"{arn}x"):
        with pytest.raises(Permanent, match="own queue"):
            Handler(variables)({"Records": [{**record, "eventSourceARN": other}]}, Context())


# The custom resource of a deployment.


HOST = "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com"
REQUEST = {
    "RequestType": "Create",
    "RequestId": "request-1",
    "ResponseURL": f"https://{HOST}/key?signature",
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/ringfence-demo/1",
    "LogicalResourceId": "Announcement",
    "ResourceProperties": {},
}


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("url", ["https://example.com/key", "http://169.254.169.254/latest/meta-data"])
def test_a_request_whose_answer_would_go_elsewhere_is_an_error_and_does_nothing(
    stubs: "Stubs", kind: str, url: str
) -> None:
    with pytest.raises(Permanent, match="own bucket of us-east-1 only"):
        stubs.handler({**REQUEST, "RequestType": kind, "ResponseURL": url}, Context())


def answers(bucket: Bucket) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, _, body in bucket.received]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_configuration_that_the_engine_refuses_fails_the_deployment(bucket: Bucket, kind: str) -> None:
    # given a stack whose list of Regions does not have its own
    variables = environment(RINGFENCE_REGIONS=WEST, AWS_ENDPOINT_URL=bucket.url)
    # when
    Handler(variables)({**REQUEST, "RequestType": kind, "ResponseURL": f"{bucket.url}/key"}, Context())
    # then
    (answer,) = answers(bucket)
    assert answer["Status"] == "FAILED"
    assert "us-east-1 itself is not among the Regions us-west-2" in answer["Reason"]


def test_a_deletion_always_succeeds_even_with_a_wrong_configuration(bucket: Bucket) -> None:
    variables = {**WRONG, "AWS_ENDPOINT_URL": bucket.url}
    deletion = {**REQUEST, "RequestType": "Delete", "PhysicalResourceId": "one", "ResponseURL": f"{bucket.url}/key"}
    Handler(variables)(deletion, Context())
    assert [(answer["Status"], answer["PhysicalResourceId"]) for answer in answers(bucket)] == [("SUCCESS", "one")]


def test_an_answer_that_cloudformation_does_not_take_makes_lambda_try_the_request_again(bucket: Bucket) -> None:
    bucket.statuses = [403]
    variables = {**WRONG, "AWS_ENDPOINT_URL": bucket.url}
    with pytest.raises(Retry):
        Handler(variables)({**REQUEST, "ResponseURL": f"{bucket.url}/key"}, Context())


# An error of AWS.


@dataclass(frozen=True, slots=True)
class Stubs:
    """A handler whose home table and dead-letter queue are stubs of botocore."""

    handler: Handler
    table: Stubber
    dead_letters: Stubber

    def fail_table(self, code: str) -> None:
        self.table.add_client_error("scan", code, "the table said so")


def refuse(request: AWSPreparedRequest, **_: object) -> None:
    raise EndpointConnectionError(endpoint_url=request.url)


@pytest.fixture
def stubs(handler: Handler) -> Iterator[Stubs]:
    """Stubs of the home table and of the dead-letter queue. No other service of the home Region can be reached."""
    engine = handler.engine()
    table: Any = engine.regions[EAST].table
    auto_scaling: Any = engine.home.auto_scaling
    instances: Any = engine.home.instances
    for client in (auto_scaling.client, instances.client):
        client.meta.events.register("before-send.*", refuse, unique_id="refuse")
    with Stubber(table.client) as rosters, Stubber(engine.dead_letters().client) as dead_letters:
        yield Stubs(handler, rosters, dead_letters)
        rosters.assert_no_pending_responses()
        dead_letters.assert_no_pending_responses()


def expect_dead_letter(
    stubs: Stubs, id: str, body: object, reason: str = "Scan in us-east-1", changes: str | None = None
) -> None:
    marks = {} if changes is None else {"body": {"DataType": "String", "StringValue": _Containing(changes)}}
    expected = {
        "QueueUrl": environment()["RINGFENCE_DEAD_LETTER_QUEUE_URL"],
        "MessageBody": _Containing(body[:1000]) if isinstance(body, str) else json.dumps(body),
        "MessageGroupId": "demo",
        "MessageDeduplicationId": id,
        "MessageAttributes": {
            "reason": {"DataType": "String", "StringValue": _Containing(reason)},
            **marks,
        },
    }
    answer = {"MessageId": "1", "MD5OfMessageBody": "0" * 32}
    stubs.dead_letters.add_response("send_message", answer, expected)


class _Containing(str):
    """Equals every text that contains this one."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and str(self) in other

    def __ne__(self, other: object) -> bool:
        return not self == other


def test_a_permanent_error_puts_each_lifecycle_event_into_the_dead_letter_queue_with_its_reason(stubs: Stubs) -> None:
    stubs.fail_table(DENIED)
    expect_dead_letter(stubs, "first", lifecycle_event())
    answer = stubs.handler(batch(first=lifecycle_event(), second=TRUE_UP), Context())
    assert failures(answer) == []


@pytest.mark.parametrize("code", [DENIED, "ServiceUnavailable"])
def test_a_message_stays_in_the_queue_if_the_dead_letter_queue_refuses_it(stubs: Stubs, code: str) -> None:
    stubs.fail_table(DENIED)
    stubs.dead_letters.add_client_error("send_message", code)
    expect_dead_letter(stubs, "second", lifecycle_event())
    answer = stubs.handler(batch(first=lifecycle_event(), second=lifecycle_event(), third=TRUE_UP), Context())
    assert failures(answer) == ["first"]


def test_a_retry_returns_the_whole_batch_in_its_order(stubs: Stubs) -> None:
    stubs.fail_table(THROTTLED)
    answer = stubs.handler(batch(first=TRUE_UP, second=lifecycle_event(), third="[]"), Context())
    assert failures(answer) == ["first", "second", "third"]


POISON = {
    "deep": ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "more than 16384 bytes", None),
    "deep and small": ("[" * 8000, "20 levels", None),
    "a lone surrogate": (json.dumps(lifecycle_event(EC2InstanceId="i-\ud800")), "surrogate", None),
    "NaN": ('{"detail": NaN}', "NaN", None),
    "an overflowing number": ('{"detail": 1e999}', "too large", None),
    "a huge integer": ('{"detail": ' + "9" * 5000 + "}", "too large", None),
    "no JSON": ("hello", "not JSON", None),
    "1 MiB": ("x" * 1_048_576, "more than 16384 bytes", "truncated"),
    "characters that SQS refuses": ("a\x00", "not JSON", "escaped"),
    "a malformed token": (json.dumps(lifecycle_event(LifecycleActionToken="x")), "LifecycleActionToken", None),
    "a long instance id": (json.dumps(lifecycle_event(EC2InstanceId="i-" + "0" * 9000)), "EC2InstanceId", None),
    "every instance": (json.dumps(lifecycle_event(EC2InstanceId="*")), "EC2InstanceId", None),
}


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize(("body", "reason", "changes"), POISON.values(), ids=POISON)
def test_poison_is_a_dead_letter_with_its_reason_and_the_others_are_served_at_once(
    stubs: Stubs, position: int, body: str, reason: str, changes: str | None
) -> None:
    # given a launch beside it, whose reconcile reads the table once
    messages = [("launch", lifecycle_event()), ("junk", body)]
    stubs.fail_table(THROTTLED)
    expect_dead_letter(stubs, "junk", body[:1] if changes == "escaped" else body, reason, changes)
    # when
    answer = stubs.handler(batch(**dict(reversed(messages) if position else messages)), Context())
    # then only the launch, whose call was throttled, is delivered again
    assert failures(answer) == ["launch"]


def crash(**_: object) -> None:
    raise KeyError("an answer that nobody expects")


@pytest.mark.usefixtures("stubs")
def test_an_engine_that_crashes_on_everything_keeps_its_launches_in_the_queue_and_logs_where(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a table whose answers crash the engine, and a logger of its own
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "crashes")
    handler = Handler(environment())
    table: Any = handler.engine().regions[EAST].table
    table.client.meta.events.register("before-call.*", crash)
    # when
    answer = handler(batch(first=TRUE_UP, second=lifecycle_event(), third=lifecycle_event()), Context())
    # then
    assert failures(answer) == ["second", "third"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failed = [line for line in lines if line.get("level") == "ERROR"]
    assert len(failed) == 5
    assert all(line["message"].startswith("reconcile failed: KeyError: ") for line in failed)
    assert all("test_handler.py" in line["traceback"] for line in failed)


@dataclass(frozen=True, slots=True)
class Counted:
    """A handler with a metric output of its own."""

    capsys: pytest.CaptureFixture[str]

    def unserved(self) -> list[float]:
        """The values of the metric of unserved messages, but for the zeros of reconciles."""
        lines = [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
        found = [line["UnservedMessages"] for line in lines if "UnservedMessages" in line]
        assert all(isinstance(value, list) for value in found)
        return [value for values in found for value in values if value]


@pytest.fixture
def counted(capsys: pytest.CaptureFixture[str]) -> Counted:
    """What the metrics say of the messages that were not served."""
    return Counted(capsys)


def test_dead_letters_are_counted_at_once_even_if_their_queue_refuses_them(stubs: Stubs, counted: Counted) -> None:
    stubs.fail_table(DENIED)
    expect_dead_letter(stubs, "second", "hello", "not JSON")
    stubs.dead_letters.add_client_error("send_message", DENIED)
    stubs.handler(batch(first=lifecycle_event(), second="hello", third=TRUE_UP), Context())
    assert counted.unserved() == [2]


@pytest.mark.usefixtures("stubs")
def test_messages_that_crash_the_engine_are_counted_at_once(counted: Counted) -> None:
    # given an engine that crashes on everything, so that no message is a dead letter
    handler = Handler(environment())
    table: Any = handler.engine().regions[EAST].table
    table.client.meta.events.register("before-call.*", crash)
    # when
    handler(batch(first=TRUE_UP, second=lifecycle_event()), Context())
    # then
    assert counted.unserved() == [2]


def test_messages_that_the_queue_delivers_again_are_not_counted(stubs: Stubs, counted: Counted) -> None:
    stubs.fail_table(THROTTLED)
    stubs.handler(batch(first=TRUE_UP, second=lifecycle_event(), third="[]"), Context())
    assert counted.unserved() == []


def test_a_batch_of_poison_makes_no_call_but_those_for_its_dead_letters(stubs: Stubs) -> None:
    for id in ("first", "second"):
        expect_dead_letter(stubs, id, "hello", "not JSON")
    assert failures(stubs.handler(batch(first="hello", second="hello"), Context())) == []


@pytest.mark.usefixtures("handler")
def test_no_line_of_the_log_is_longer_than_its_content_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given five events with long ids
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "long")
    long = {**lifecycle_event("other"), "id": "x" * 9000}
    # when
    Handler(environment())(batch(**{f"message-{number}": long for number in range(5)}), Context())
    # then
    assert max(map(len, capsys.readouterr().out.splitlines())) < 5000


@pytest.mark.parametrize(("code", "error"), [(DENIED, Permanent), (THROTTLED, Retry)])
def test_a_direct_invoke_raises_the_error_of_the_engine(
    stubs: Stubs, code: str, error: type[Permanent] | type[Retry]
) -> None:
    stubs.fail_table(code)
    with pytest.raises(error):
        stubs.handler(TRUE_UP, Context())


def test_the_clients_name_the_ids_of_the_current_invocations_events(stubs: Stubs) -> None:
    causes = []
    for request in ("request-1", "request-2"):
        stubs.fail_table(DENIED)
        with pytest.raises(Permanent):
            stubs.handler(TRUE_UP, Context(request))
        causes.append(stubs.handler.engine().attribution.causes)
    assert causes == [("request-1",), ("request-2",)]
