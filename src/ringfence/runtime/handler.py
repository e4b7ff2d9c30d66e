"""Answers Lambda: reads the configuration, assembles the services, and answers the queue or a direct invoke.

A batch of the queue is one reconcile. `batch` decides what becomes of its messages. Only records of the stack's own
queue are a batch. Importing this module has no side effect: `entry` builds the handler that Lambda calls.
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
from ringfence.aws.ec2 import AwsSecurityGroupTags
from ringfence.aws.presigned_url import put
from ringfence.aws.sqs import AwsDeadLetters
from ringfence.core.audit_events import AuditEvent
from ringfence.core.configuration.settings import Settings
from ringfence.core.deployment import CLUSTER_TAG, Existing, Requirements
from ringfence.core.errors import Permanent
from ringfence.core.events import Event, Ignored, Malformed, TrueUp, parse, shown
from ringfence.core.model.identifiers import Region
from ringfence.reconciler.interfaces import HomeServices, RegionServices, Services
from ringfence.reconciler.reconcile import reconcile
from ringfence.runtime import announcement, config, custom_resource
from ringfence.runtime.announcement import Outcome, Patience
from ringfence.runtime.batch import ATTEMPT_STARTS_WITHIN, DEAD_LETTERS_WITHIN, DeadLetter, Message, serve
from ringfence.runtime.custom_resource import Request, RequestType
from ringfence.runtime.log_fields import ascii_json, bounded
from ringfence.runtime.telemetry import Telemetry, count_unserved


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of one Region with its clients. These are all that is kept between invocations.

    `dead_letters` makes the dead-letter queue's client when it is needed, which is hardly ever. `warnings` say what an
    operator should change in the configuration.
    """

    settings: Settings
    attribution: Attribution
    home: HomeServices
    tags: AwsSecurityGroupTags
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
            tags=AwsSecurityGroupTags(client_of("ec2", home), home),
            regions={region: region_services(client_of, region, deployment.table) for region in settings.regions},
            dead_letters=lambda: AwsDeadLetters(
                client_of("sqs", home), home, deployment.dead_letter_queue_url, settings.cluster
            ),
            clock=SystemClock(),
            tasks=Threads(worker_threads(len(settings.regions))),
            warnings=tuple(deployment.warnings),
        )

    def existing(self, requirements: Requirements) -> Existing:
        """Which of the required groups exist."""
        return Existing(
            self.home.auto_scaling.groups(requirements.auto_scaling_groups).states.keys(),
            self.tags.values(requirements.security_groups, CLUSTER_TAG),
        )

    def services(self, audit: Callable[[AuditEvent], None]) -> Services:
        """The services as one reconcile uses them."""
        return Services(self.home, self.regions, self.clock, self.tasks, audit)


class Handler:
    """Lambda's handler. It builds the engine once, from the environment, unless it is given one."""

    def __init__(self, environment: Mapping[str, str], engine: Engine | None = None) -> None:
        self._environment = environment
        self._engine = engine
        # A line says what happened, not where in the code. It is ASCII: what comes from outside must not be shown raw.
        self._logger = Logger(location=None, json_serializer=ascii_json)
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
        if isinstance(event, Mapping) and "Records" in event:
            return self._consume(self._own_records(event["Records"]))
        if (request := custom_resource.request_in(event)) is not None:
            return self._deployed(request)
        parsed = parse(event, context.aws_request_id)
        if isinstance(parsed, Malformed):
            raise Permanent(f"the event is malformed: {parsed.reason}")
        return self._run([parsed])

    def _deployed(self, request: Request) -> dict[str, Any]:
        """Serves the custom resource by which a deployment announces itself, and answers CloudFormation.

        Raises Permanent for an answer that would go elsewhere. Nothing is done then.
        """
        region, endpoint = config.region(self._environment), config.endpoint(self._environment)
        if not custom_resource.may_be_answered(request.url, region, endpoint):
            raise Permanent(f"an answer goes to CloudFormation's own bucket of {region} only, not to this ResponseURL")
        outcome = Outcome() if request.type is RequestType.DELETE else self._announced(request)
        for note in outcome.notes:
            self._logger.warning("deployed, and a later true-up must finish", extra=bounded({"reason": note}))
        if outcome.failure is not None:
            self._logger.error("the deployment cannot work", extra=bounded({"reason": outcome.failure}))
        put(request.url, custom_resource.answer(request, outcome.failure))
        return {"failure": outcome.failure, "notes": list(outcome.notes)}

    def _announced(self, request: Request) -> Outcome:
        """Looks whether the configuration can work, and announces the Region."""
        started = time.monotonic()
        try:
            engine = self.engine()
        except Permanent as error:
            return Outcome(str(error))
        engine.attribution.causes = (request.id,)
        requirements = Requirements.of(engine.settings)
        is_update = request.type is RequestType.UPDATE
        return announcement.announce(
            requirements,
            announcement.replaced(requirements, request.before) if is_update else None,
            engine.existing,
            lambda: self._run([TrueUp(f"deployment {request.id}")]),
            Patience(
                has_time=lambda: time.monotonic() - started < announcement.WITHIN,
                pause=lambda: engine.tasks.sleep(announcement.PAUSE),
            ),
        )

    def _own_records(self, records: object) -> Sequence[Mapping[str, Any]]:
        """The records, if all of them are of the stack's own queue. Raises Permanent."""
        if not isinstance(records, list) or not records:
            raise Permanent('a direct invoke must not have Records: send one event, or {"trueup": true}')
        for record in records:
            arn = record.get("eventSourceARN") if isinstance(record, Mapping) else None
            if not config.is_own_queue(arn, self._environment):
                source = shown(arn) if isinstance(arn, str) else "no queue"
                raise Permanent(
                    f"Records are accepted from this stack's own queue only, and these are of {source}. "
                    'A direct invoke must not have Records: send one event, or {"trueup": true}'
                )
        return records

    def _consume(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Serves a batch of the queue. Returns the messages that the queue must deliver again.

        Source: Lambda Developer Guide, "Handling errors for an SQS event source", partial batch responses.
        """
        started = time.monotonic()
        messages = [Message.read(str(record.get("messageId", "")), str(record.get("body", ""))) for record in records]
        result = serve(
            messages,
            self._run,
            has_time=lambda: time.monotonic() - started < ATTEMPT_STARTS_WITHIN,
            now=time.time,
        )
        if result.unserved:
            count_unserved(self._metrics, len(result.unserved))
        deadline = time.monotonic() + DEAD_LETTERS_WITHIN
        again = [*result.delivered_again, *self._bury(result.dead_letters, deadline)]
        in_order = [message for message in messages if message in again]
        return {"batchItemFailures": [{"itemIdentifier": message.id} for message in in_order]}

    def _bury(self, letters: Sequence[DeadLetter], deadline: float) -> list[Message]:
        """Puts messages into the dead-letter queue until the deadline, on the monotonic clock. Returns those left."""
        return [letter.message for letter in letters if time.monotonic() > deadline or not self._is_buried(letter)]

    def _is_buried(self, letter: DeadLetter) -> bool:
        """Puts a message into the dead-letter queue. False if even that fails, for any reason."""
        message = letter.message
        fields: dict[str, object] = {"cause": [message.event.id], "message_id": message.id, "reason": letter.reason}
        try:
            self.engine().dead_letters().send(message.body, message.id, letter.reason)
        except Exception as error:  # noqa: BLE001  # it must cost the other messages nothing
            fields["error"] = f"{type(error).__name__}: {error}"
            self._logger.warning("not put into the dead-letter queue", extra=bounded(fields))
            return False
        self._logger.warning("put into the dead-letter queue", extra=bounded(fields))
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
