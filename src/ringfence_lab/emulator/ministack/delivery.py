"""Delivers AWS's own events and schedules to their targets, as EventBridge and EventBridge Scheduler do.

Patches of MiniStack's EventBridge and Scheduler. It must not know what an event means.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import eventbridge, scheduler, sqs

_TICK_SECONDS = 1
"""The period at which schedules are checked. AWS promises a precision of 60 s."""


@dataclass(frozen=True, slots=True)
class AwsEvent:
    """An event of an AWS service, in the terms of EventBridge's envelope."""

    region: str
    source: str
    detail_type: str
    detail: Mapping[str, Any]
    resources: Sequence[str]


@dataclass(slots=True)
class EventBus:
    """Sends the events of AWS's own services to the default bus of their Region, in order, from one thread."""

    account: str
    _events: queue.SimpleQueue[AwsEvent] = field(default_factory=queue.SimpleQueue)

    def start(self) -> None:
        """Starts the delivery."""
        threading.Thread(target=self._deliver, name="event-bus", daemon=True).start()

    def send(
        self, region: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Sends an event, without waiting for its delivery."""
        self._events.put(AwsEvent(region, source, detail_type, dict(detail), tuple(resources)))

    def _deliver(self) -> None:
        while True:
            event = self._events.get()
            entry = {
                "Source": event.source,
                "DetailType": event.detail_type,
                "Detail": json.dumps(event.detail),
                "Resources": list(event.resources),
            }
            with request_scope(self.account, event.region):
                eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def install() -> None:
    """Patches MiniStack and starts the schedules. Call it once in a process."""
    eventbridge._dispatch_to_sqs = send_to_queue
    eventbridge._invoke_target = _with_context_attributes(_with_queue_policy(eventbridge._invoke_target))
    scheduler._create_schedule = _with_first_run(scheduler._create_schedule)
    scheduler._SCHEDULE_TICK_INTERVAL = _TICK_SECONDS
    eventbridge.start_scheduler()
    scheduler.start_scheduler()


def send_to_queue(queue_arn: Any, body: str, parameters: Mapping[str, str] | None = None) -> None:
    """Sends through the API of SQS, so that a FIFO queue drops duplicates of the last five minutes.

    Source: Amazon SQS Developer Guide, "Exactly-once processing in Amazon SQS".
    """
    found = sqs._queue_by_arn(str(queue_arn))
    if found is None:
        raise LookupError(f"there is no queue {queue_arn}")
    message = {"QueueUrl": sqs._queue_url(queue_arn.resource), "MessageBody": body}
    if group := (parameters or {}).get("MessageGroupId"):
        message["MessageGroupId"] = group
    with sqs._queues_lock:
        sqs._act_send_message(message, message["QueueUrl"])


Invoke = Callable[..., None]


def _with_queue_policy(invoke: Invoke) -> Invoke:
    """Lets a rule send only if the queue's policy allows it.

    Source: Amazon EventBridge User Guide, "Using resource-based policies for Amazon EventBridge".
    """

    def invoke_allowed(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        arn = target.get("Arn", "")
        sent_by_rule = event.get("Source") != "aws.scheduler" and ":sqs:" in arn
        if sent_by_rule and not sqs.queue_policy_allows(arn, "events.amazonaws.com", rule["Arn"], get_account_id()):
            eventbridge.logger.warning("the policy of %s does not allow %s to send messages", arn, rule["Arn"])
            return
        invoke(target, event, rule, view)

    return invoke_allowed


def _with_context_attributes(invoke: Invoke) -> Invoke:
    """Replaces the context attributes of a schedule's input.

    Source: EventBridge Scheduler User Guide, "Adding context attributes in EventBridge Scheduler".
    """

    def invoke_filled(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        if event.get("Source") == "aws.scheduler" and "Input" in target:
            attributes = {
                "schedule-arn": rule.get("Arn", ""),
                "scheduled-time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event["Time"])),
                "execution-id": event["EventId"],
                "attempt-number": "1",
            }
            text = target["Input"]
            for name, value in attributes.items():
                text = text.replace(f"<aws.scheduler.{name}>", value)
            target = {**target, "Input": text}
        invoke(target, event, rule, view)

    return invoke_filled


def _with_first_run(create: Callable[[str, dict[str, Any]], Any]) -> Callable[[str, dict[str, Any]], Any]:
    """Fires a rate schedule without a start date when it is created.

    Source: EventBridge Scheduler User Guide, "Schedule types on EventBridge Scheduler".
    """

    def create_schedule(name: str, body: dict[str, Any]) -> Any:
        answer = create(name, body)
        if body.get("ScheduleExpression", "").startswith("rate(") and not body.get("StartDate"):
            key = (get_account_id(), get_region(), f"{body.get('GroupName', 'default')}/{name}")
            scheduler._schedule_last_fired[key] = 0.0
        return answer

    return create_schedule
