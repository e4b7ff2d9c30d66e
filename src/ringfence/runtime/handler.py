"""Answers Lambda: reads the configuration, assembles the services, and answers the queue or a direct invoke.

A batch of the queue is one reconcile. `batch` decides what becomes of its messages. Importing this module has no side
effect: `entry` builds the handler that Lambda calls.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from botocore.session import Session

from ringfence.aws.assembly import SystemClock, Threads, home_services, region_services, worker_threads
from ringfence.aws.clients import Attribution, Clients
from ringfence.aws.sqs import AwsDeadLetters
from ringfence.core.audit_events import AuditEvent
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import Permanent, RingfenceError
from ringfence.core.events import Event, Ignored, parse
from ringfence.core.model.identifiers import Region
from ringfence.reconciler.interfaces import HomeServices, RegionServices, Services
from ringfence.reconciler.reconcile import reconcile
from ringfence.runtime import config
from ringfence.runtime.batch import Message, after
from ringfence.runtime.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of one Region with its clients. These are all that is kept between invocations.

    `dead_letters` makes the dead-letter queue's client when it is needed, which is hardly ever. `warnings` say what an
    operator should change in the configuration.
    """

    settings: Settings
    attribution: Attribution
    home: HomeServices
    regions: Mapping[Region, RegionServices]
    dead_letters: Callable[[], AwsDeadLetters]
    clock: SystemClock
    tasks: Threads
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Engine":
        """The engine that the environment describes. Raises Permanent if the configuration is wrong."""
        deployment = config.read(environment)
        settings, home = deployment.settings, deployment.settings.region
        attribution = Attribution()
        client_of = cache(Clients(Session(), home, attribution).make)
        return cls(
            settings=settings,
            attribution=attribution,
            home=home_services(client_of, home),
            regions={region: region_services(client_of, region, deployment.table) for region in settings.regions},
            dead_letters=lambda: AwsDeadLetters(
                client_of("sqs", home), home, deployment.dead_letter_queue_url, settings.cluster
            ),
            clock=SystemClock(),
            tasks=Threads(worker_threads(len(settings.regions))),
            warnings=tuple(deployment.warnings),
        )

    def services(self, audit: Callable[[AuditEvent], None]) -> Services:
        """The services as one reconcile uses them."""
        return Services(self.home, self.regions, self.clock, self.tasks, audit)


class Handler:
    """Lambda's handler. It builds the engine once, from the environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._engine: Engine | None = None
        self._logger = Logger(location=None)  # a line says what happened, not where in the code
        self._metrics = Metrics()

    def prepare(self) -> None:
        """Builds the engine if the configuration allows it. If it does not, each event reports why."""
        with suppress(Permanent):
            self.engine()

    def engine(self) -> Engine:
        """The engine. Raises Permanent if the configuration is wrong."""
        if self._engine is None:
            self._engine = Engine.of(self._environment)
            for warning in self._engine.warnings:  # once per start of the function, not per invocation
                self._logger.warning("check the configuration: %s", warning)
        return self._engine

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        """Lambda's entry point. A direct invoke gets the engine's errors as its own."""
        if isinstance(event, Mapping) and isinstance(event.get("Records"), list):
            return self._consume([record for record in event["Records"] if isinstance(record, Mapping)])
        return self._run([parse(event, context.aws_request_id)])

    def _consume(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One reconcile for a batch of the queue. Returns the messages that the queue must deliver again.

        Source: Lambda Developer Guide, "Handling errors for an SQS event source", partial batch responses.
        """
        messages = [Message.read(str(record.get("messageId", "")), str(record.get("body", ""))) for record in records]
        failure: RingfenceError | None = None
        try:
            self._run([message.event for message in messages])
        except RingfenceError as error:
            failure = error
        result = after(messages, failure)
        again = [*result.delivered_again]
        again += [message for message in result.dead_letters if not self._is_buried(message, str(failure))]
        return {"batchItemFailures": [{"itemIdentifier": message.id} for message in again]}

    def _is_buried(self, message: Message, reason: str) -> bool:
        """Puts a message into the dead-letter queue. False if even that fails."""
        try:
            self.engine().dead_letters().send(message.body, message.id, reason)
        except RingfenceError as failure:
            self._logger.exception("not put into the dead-letter queue", extra={"error": str(failure)})
            return False
        return True

    def _run(self, events: Sequence[Event]) -> dict[str, Any]:
        """One reconcile with its log and metrics. Returns its summary."""
        causes = tuple(event.id for event in events if not isinstance(event, Ignored))
        telemetry = Telemetry(self._logger, self._metrics, causes or tuple(event.id for event in events))
        started, failure = time.monotonic(), None
        try:
            engine = self.engine()
            engine.attribution.causes = causes
            reconcile(events, engine.services(telemetry.record), engine.settings)
        except BaseException as error:
            failure = error
            raise
        finally:
            summary = telemetry.close(time.monotonic() - started, failure)
        return summary
