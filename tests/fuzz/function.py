"""The real handler on a simulated cloud: it consumes batches, and the dead-letter queue takes what SQS takes."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ringfence.aws.clients import Attribution
from ringfence.aws.ec2 import AwsSecurityGroupTags
from ringfence.aws.sqs import AwsDeadLetters
from ringfence.core.freshness import SETTLED_SECONDS
from ringfence.core.model.identifiers import Region
from ringfence.runtime.handler import Engine, Handler
from ringfence_lab.sim.cloud import Cloud
from tests.unit.builders import environment

EAST = Region("us-east-1")
ALLOWED = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


@dataclass(slots=True)
class DeadLetterClient:
    """SQS's client, as far as the engine uses it. Checks what SQS checks.

    Source: Amazon SQS API reference, SendMessage.
    """

    reasons: dict[str, str] = field(default_factory=dict)

    def send_message(self, **message: Any) -> None:
        """Takes a message."""
        attributes, id = message["MessageAttributes"], message["MessageDeduplicationId"]
        texts = [message["MessageBody"], *(attribute["StringValue"] for attribute in attributes.values())]
        assert all(ALLOWED.fullmatch(text) for text in texts)
        assert sum(len(text.encode()) for text in texts) < 262_144 - 100
        assert re.fullmatch(r"[\x21-\x7e]{1,128}", id)
        self.reasons[id] = attributes["reason"]["StringValue"]


@dataclass(frozen=True, slots=True)
class Context:
    """The part of Lambda's context that the handler reads."""

    aws_request_id: str = "request-1"


@dataclass(frozen=True, slots=True)
class Function:
    """The function of one Region of a cluster of two."""

    cloud: Cloud
    handler: Handler
    dead_letters: DeadLetterClient

    @classmethod
    def made(cls) -> "Function":
        """A function whose Region has two members."""
        cloud = Cloud([EAST, "us-west-2"])
        cloud.region(EAST).auto_scaling_group("db", desired=2)
        cloud.region("us-west-2").auto_scaling_group("db-west", desired=1)
        for home in (EAST, "us-west-2", EAST):
            cloud.invoke(home, {"trueup": True})
        services, client = cloud.engine_services(EAST), DeadLetterClient()
        untyped: Any = client
        tasks: Any = services.tasks
        clock: Any = services.clock
        engine = Engine(
            settings=cloud.settings(EAST),
            attribution=Attribution(),
            home=services.home,
            tags=AwsSecurityGroupTags(untyped, EAST),
            regions=services.regions,
            dead_letters=lambda: AwsDeadLetters(untyped, EAST, "https://dead-letters", "demo"),
            clock=clock,
            tasks=tasks,
            warnings=(),
        )
        return cls(cloud, Handler(environment(), engine), client)


@cache
def _function() -> Function:
    return Function.made()


def consume(bodies: Sequence[str]) -> None:
    """Serves a batch with a real launch in it. Asserts that the launch goes into service, and that nothing is lost."""
    function = _function()
    group, queue = function.cloud.region(EAST).groups["db"], function.cloud.region(EAST).queue
    group.scale_to(3)
    (launch,) = queue.messages
    queue.delete([launch])
    batch = {f"message-{number}": body for number, body in enumerate([*bodies, launch.body])}
    arn = environment()["RINGFENCE_QUEUE_ARN"]
    records = [{"messageId": id, "eventSourceARN": arn, "body": body} for id, body in batch.items()]
    function.dead_letters.reasons.clear()
    answer = function.handler({"Records": records}, Context())
    assert answer == {"batchItemFailures": []}
    assert not any("the engine failed" in reason for reason in function.dead_letters.reasons.values())
    assert set(group.listed().values()) == {"InService"}, json.dumps(group.listed())
    assert f"message-{len(bodies)}" not in function.dead_letters.reasons
    function.cloud.clock.advance(SETTLED_SECONDS)  # so that no departure needs a second look a minute later
    group.scale_to(2)
    _finish(function)


def _finish(function: Function) -> None:
    """Lets the third instance go, so that the next batch starts as this one did."""
    queue = function.cloud.region(EAST).queue
    while messages := list(queue.messages):
        queue.delete(messages)
        arn = environment()["RINGFENCE_QUEUE_ARN"]
        records = [{"messageId": message.id, "eventSourceARN": arn, "body": message.body} for message in messages]
        function.handler({"Records": records}, Context())
    function.cloud.calls.clear()
    function.cloud.history.clear()
    function.cloud.invocations[-1].audit_events.clear()
