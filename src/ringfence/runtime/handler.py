"""The composition root: what Lambda calls. Reads the configuration, builds the world, and answers queue or caller.

A batch of the queue is one reconcile. What another delivery may mend goes back to the queue as a whole, so that its
order stays; a lifecycle event that never can succeed goes to the dead-letter queue with its reason; a true-up that
cannot is only logged and counted, since the schedule sends the next one.
"""

import gc

gc.disable()  # all that a start makes is there to stay: looking for garbage in it again and again is lost time

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import field
from functools import lru_cache
from typing import Any, TypeVar

from aws_lambda_powertools import Logger, Metrics

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.clients import Attribution, Clients, session
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.aws.sqs import AwsDeadLetters
from ringfence.core.audit_events import AuditEvent
from ringfence.core.errors import Permanent, Retry, RingfenceError
from ringfence.core.events import Event, Ignored, Launching, Terminating, parse
from ringfence.core.model.identifiers import Region
from ringfence.core.settings import Settings
from ringfence.reconciler.interfaces import HomeServices, RegionServices, Services
from ringfence.reconciler.reconcile import reconcile
from ringfence.records import dataclass
from ringfence.runtime import config
from ringfence.runtime.telemetry import Telemetry

T = TypeVar("T")

logger = Logger(location=None)  # every line is about what happened, none about where in the code
metrics = Metrics()


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


@dataclass(frozen=True, slots=True)
class Threads:
    """Work in threads: a call that hangs holds up nobody but its own Region."""

    pool: ThreadPoolExecutor

    def start(self, work: Callable[[], T]) -> Future[T]:
        """See `interfaces.Tasks.start`."""
        return self.pool.submit(work)


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of one Region with its clients, kept between invocations. It keeps nothing else.

    The dead-letter queue's client is made when it is needed: that is hardly ever.
    """

    settings: Settings
    attribution: Attribution
    home: HomeServices
    regions: Mapping[Region, RegionServices]
    dead_letters: Callable[[], AwsDeadLetters]
    clock: SystemClock
    tasks: Threads

    def services(self, audit: Callable[[AuditEvent], None]) -> Services:
        """The world as one reconcile sees it."""
        return Services(self.home, self.regions, self.clock, self.tasks, audit)


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Builds the engine that the environment describes. Raises Permanent where the configuration is wrong."""
    deployment = config.read(os.environ)
    for warning in deployment.warnings:  # once for each start of the function, not for each invocation
        logger.warning("check the configuration: %s", warning)
    settings = deployment.settings
    attribution = Attribution()
    make = Clients(session(), settings.region, attribution).make
    ec2 = {region: make("ec2", region) for region in settings.regions}
    tables = {region: make("dynamodb", region) for region in settings.regions}
    home = settings.region
    return Engine(
        settings=settings,
        attribution=attribution,
        home=HomeServices(AwsAutoScaling(make("autoscaling", home), home), AwsInstances(ec2[home], home)),
        regions={
            region: RegionServices(
                AwsRosterTable(tables[region], region, deployment.table), AwsSecurityGroups(ec2[region], region)
            )
            for region in settings.regions
        },
        dead_letters=lambda: AwsDeadLetters(
            make("sqs", home), home, deployment.dead_letter_queue_url, settings.cluster
        ),
        clock=SystemClock(),
        # Each Region has its own turn and one reading of its rules ahead; at home three descriptions go at a time.
        tasks=Threads(ThreadPoolExecutor(max_workers=2 * len(settings.regions) + 14)),
    )


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the queue with the event in it."""

    id: str
    body: str
    event: Event


@dataclass(slots=True)
class Batch:
    """What became of a batch of the queue's messages."""

    messages: Sequence[Message]
    failed: list[Message] = field(default_factory=list)

    def answer(self) -> dict[str, Any]:
        """What the event source mapping expects. Source: Lambda Developer Guide, "Handling errors for an SQS event
        source", partial batch responses."""
        return {"batchItemFailures": [{"itemIdentifier": message.id} for message in self.failed]}


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Lambda's entry point. Raises, for a direct invoke, what the engine raises: the caller sees it as the error."""
    if isinstance(event, Mapping) and isinstance(event.get("Records"), list):
        return _queue([record for record in event["Records"] if isinstance(record, Mapping)])
    return _run([parse(event, context.aws_request_id)])


def _queue(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    batch = Batch([_message(record) for record in records])
    try:
        _run([message.event for message in batch.messages])
    except Retry:
        batch.failed = list(batch.messages)
    except Permanent as error:
        for message in batch.messages:
            if _is_hopeless(message.event, error):
                _bury(batch, message, error)
    return batch.answer()


def _message(record: Mapping[str, Any]) -> Message:
    body, id = str(record.get("body", "")), str(record.get("messageId", ""))
    try:
        event = parse(json.loads(body), id)
    except ValueError as error:
        event = Ignored(id, f"the message is not JSON: {error}")
    return Message(id, body, event)


def _is_hopeless(event: Event, error: Permanent) -> bool:
    """Whether the error is about a lifecycle event's own group, so that no delivery of it can succeed."""
    return isinstance(event, Launching | Terminating) and (not error.groups or event.group in error.groups)


def _bury(batch: Batch, message: Message, error: Permanent) -> None:
    """Puts a message into the dead-letter queue, or back where even that fails."""
    try:
        engine().dead_letters().send(message.body, message.id, str(error))
    except RingfenceError as failure:
        logger.exception("not put into the dead-letter queue", extra={"error": str(failure)})
        batch.failed.append(message)


def _run(events: Sequence[Event]) -> dict[str, Any]:
    """One reconcile with its log and metrics. Returns its summary."""
    causes = tuple(event.id for event in events if not isinstance(event, Ignored))
    telemetry = Telemetry(logger, metrics, causes or tuple(event.id for event in events))
    started, failure = time.monotonic(), None
    try:
        ready = engine()
        ready.attribution.causes = causes
        reconcile(events, ready.services(telemetry.record), ready.settings)
    except BaseException as error:
        failure = error
        raise
    finally:
        summary = telemetry.close(time.monotonic() - started, failure)
    return summary


with suppress(Permanent):  # which the first event will meet again, and tell
    engine()  # before the first event Lambda gives a whole CPU, whatever the memory; afterwards a share of one

gc.freeze()
gc.enable()
