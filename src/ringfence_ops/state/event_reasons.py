"""Judges the way of an event to the function: the EventBridge rule, the queues, the mapping and the schedule. Pure.

Each is compared with what the template says: one that exists may not work.
"""

import json
from collections.abc import Iterator

from ringfence_ops.plurals import counted
from ringfence_ops.state.path import EventRule, EventSource, Expected, Queue, Schedule, StackFacts, Unread
from ringfence_ops.state.standing import Reason, failing, unseen

FUNCTION_SECONDS, BATCH = 30, 10
"""The function's time-out, and the messages of a batch, as the template has them."""

SCHEDULE_SOURCE = "ringfence.schedule"
"""What the schedule's message names as its source."""

_AT_WORK = {"Enabled", "Enabling", "Creating", "Updating"}
_DETAIL_TYPES = ["EC2 Instance-launch Lifecycle Action", "EC2 Instance-terminate Lifecycle Action"]


def event_reasons(resources: StackFacts, expected: Expected) -> Iterator[Reason]:
    """What is wrong on the way, part by part."""
    yield from _event_rule(resources, expected)
    yield from _queue(resources, expected)
    yield from _dead_letters(resources.dead_letters, expected)
    yield from _schedule(resources, expected)


def _event_rule(resources: StackFacts, expected: Expected) -> Iterator[Reason]:
    rule, queue = resources.event_rule, resources.queue
    match rule:
        case Unread():
            yield unseen("events", rule.reason)
        case None:
            yield failing("events", f"the EventBridge rule {expected.name} does not exist", expected.deploy)
        case EventRule():
            for said in _changed_rule(rule, queue, expected):
                yield failing("events", f"the EventBridge rule {expected.name} {said}", expected.deploy)


def _changed_rule(rule: EventRule, queue: Queue | Unread | None, expected: Expected) -> Iterator[str]:
    if not rule.is_enabled:
        yield "is disabled"
    if rule.pattern and not _matches(rule.pattern, expected):
        yield "has another pattern: it does not match the lifecycle events of exactly the cluster's groups"
    if not isinstance(queue, Queue):
        return
    targets = [target for target in rule.targets if target.arn == queue.arn]
    if not targets:
        yield "does not send to the queue"
    elif any(target.is_changed for target in targets):
        yield "sends the queue something else than the event: its target has an input of its own"
    elif any(target.group not in ("", expected.settings.cluster) for target in targets):
        yield f"sends to the message group {targets[0].group} instead of {expected.settings.cluster}"


def _matches(pattern: str, expected: Expected) -> bool:
    """Whether an event pattern is the template's. The order of its lists does not count."""
    wanted = {
        "source": ["aws.autoscaling"],
        "detail-type": _DETAIL_TYPES,
        "detail": {"AutoScalingGroupName": list(expected.settings.auto_scaling_groups)},
    }
    try:
        return bool(_sorted(json.loads(pattern)) == _sorted(wanted))
    except (ValueError, RecursionError, TypeError):
        return False


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in value.items()}
    return sorted(map(str, value)) if isinstance(value, list) else value


def _queue(resources: StackFacts, expected: Expected) -> Iterator[Reason]:
    queue, source, name = resources.queue, resources.event_source, f"{expected.name}.fifo"
    for part in (queue, source):
        if isinstance(part, Unread):
            yield unseen("queue", part.reason)
    if queue is None:
        yield failing("queue", f"the queue {name} does not exist", expected.deploy)
    if source is None:
        yield failing("queue", f"no function receives the messages of {name}", expected.deploy)
    if isinstance(source, EventSource):
        for said in _changed_source(source, queue, name):
            yield failing("queue", f"the function's mapping {said}", expected.deploy)
    if isinstance(queue, Queue):
        for said in _changed_queue(queue):
            yield failing("queue", f"the queue {name} {said}", expected.deploy)


def _changed_source(source: EventSource, queue: Queue | Unread | None, name: str) -> Iterator[str]:
    if source.state not in _AT_WORK:
        yield f"to {name} is {source.state}"
    if isinstance(queue, Queue) and source.queue != queue.arn:
        yield f"receives from {source.queue} instead of {name}"
    if source.batch not in (None, BATCH):
        yield f"to {name} has the batch size {source.batch} instead of {BATCH}"
    if not source.reports_failures:
        yield f"to {name} does not report single messages that failed (ReportBatchItemFailures)"


def _changed_queue(queue: Queue) -> Iterator[str]:
    if not _admits_events(queue.policy):
        yield "does not let EventBridge send: its policy was removed or changed"
    if not queue.redrive:
        yield "has no dead-letter queue: a message that fails is tried again for a day"
    if queue.visibility is not None and queue.visibility < FUNCTION_SECONDS:
        yield f"shows a message again after {queue.visibility} s, while the function may still handle it"


def _admits_events(policy: str) -> bool:
    """Whether the policy of the queue lets EventBridge send events, and denies nothing."""
    try:
        statements = json.loads(policy)["Statement"]
        allowed = any(
            statement["Effect"] == "Allow"
            and statement["Principal"] != "*"
            and "events.amazonaws.com" in statement["Principal"].get("Service", "")
            and "sendmessage" in str(statement["Action"]).lower()
            for statement in statements
        )
        return allowed and not any(statement["Effect"] == "Deny" for statement in statements)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return False


def _dead_letters(queue: Queue | Unread | None, expected: Expected) -> Iterator[Reason]:
    part, name = "dead letters", f"{expected.name}-dead.fifo"
    match queue:
        case Unread():
            yield unseen(part, queue.reason)
        case None:
            yield failing(part, f"the queue {name} does not exist", expected.deploy)
        case Queue(messages=messages) if messages:
            said = f"{counted(messages, 'event')} could not be handled"
            yield failing(part, said, "ringfence dead-letters")


def _schedule(resources: StackFacts, expected: Expected) -> Iterator[Reason]:
    schedule, queue = resources.schedule, resources.queue
    match schedule:
        case Unread():
            yield unseen("schedule", schedule.reason)
        case None:
            yield failing("schedule", f"the schedule {expected.name} does not exist", expected.deploy)
        case Schedule():
            for said in _changed_schedule(schedule, queue, expected):
                yield failing("schedule", f"the schedule {expected.name} {said}", expected.deploy)


def _changed_schedule(schedule: Schedule, queue: Queue | Unread | None, expected: Expected) -> Iterator[str]:
    if not schedule.is_enabled:
        yield "is disabled"
    if schedule.is_bounded:
        yield "has a start or an end date: it does not always run"
    if expected.schedule and schedule.expression != expected.schedule:
        yield f"runs {schedule.expression} instead of {expected.schedule}"
    if isinstance(queue, Queue) and schedule.target != queue.arn:
        yield "does not send to the queue"
    if schedule.input and SCHEDULE_SOURCE not in schedule.input:
        yield "sends something else than a true-up"
