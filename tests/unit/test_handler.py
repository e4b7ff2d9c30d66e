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
from tests.unit.builders import DB, EAST, WEST, environment

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


def lifecycle_event(group: str = DB.asg) -> dict[str, Any]:
    """Source: Amazon EC2 Auto Scaling User Guide, "EventBridge event reference"."""
    return {
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "EC2 Instance-launch Lifecycle Action",
        "source": "aws.autoscaling",
        "time": "2025-11-30T12:00:00Z",
        "detail": {
            "AutoScalingGroupName": group,
            "LifecycleHookName": "ringfence-demo-launch",
            "EC2InstanceId": "i-1",
            "Origin": "EC2",
            "Destination": "AutoScalingGroup",
        },
    }


def batch(**bodies: object) -> dict[str, Any]:
    """A batch of the queue, by the ids of its messages. A text is a body as it is."""
    return {
        "Records": [
            {"messageId": id, "body": body if isinstance(body, str) else json.dumps(body)}
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
    # when / then the true-up and the message without an event are done
    assert failures(Handler(WRONG)(messages, Context())) == ["first", "third"]


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


@pytest.mark.parametrize("event", [None, "text", {"Records": None}, {"Records": "text"}])
def test_an_event_without_a_list_of_records_is_a_direct_invoke(handler: Handler, event: object) -> None:
    assert handler(event, Context())["ignored"] == 1


def test_a_batch_of_ignored_messages_is_done(handler: Handler) -> None:
    messages = batch(first="no JSON", second={"source": "my.app"}, third=lifecycle_event("other"))
    assert failures(handler(messages, Context())) == []


def test_a_record_that_is_no_object_is_left_out(handler: Handler) -> None:
    assert failures(handler({"Records": ["text", None]}, Context())) == []


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


def expect_dead_letter(stubs: Stubs, id: str, body: object) -> None:
    expected = {
        "QueueUrl": environment()["RINGFENCE_DEAD_LETTER_QUEUE_URL"],
        "MessageBody": json.dumps(body),
        "MessageGroupId": "demo",
        "MessageDeduplicationId": id,
        "MessageAttributes": {
            "reason": {"DataType": "String", "StringValue": _Containing("Scan in us-east-1")},
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
    answer = stubs.handler(batch(first=TRUE_UP, second=lifecycle_event(), third="no JSON"), Context())
    assert failures(answer) == ["first", "second", "third"]


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
