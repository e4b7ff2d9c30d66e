"""Judges the path of events of a Region: the stack, what is in it, the hooks, and the tags of the security groups.

Each part has its own reasons, by the names of `doctor`'s checks. Pure. How the true-ups went is in `true_up_reasons`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from ringfence.core.configuration.settings import Settings
from ringfence.core.deployment import CLUSTER_TAG
from ringfence.core.errors import Permanent
from ringfence.core.lifecycle import Transition
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.runtime import config
from ringfence_ops.state.path import (
    DeployedStack,
    EventRule,
    EventSource,
    Expected,
    Function,
    Grant,
    Hook,
    PathFacts,
    Queue,
    ScalingGroup,
    Schedule,
    StackFacts,
    Table,
    Tags,
    Unread,
)
from ringfence_ops.state.standing import Reason, State

KEYS = (("region", "HASH"), ("asg", "RANGE"))
"""The keys of the roster table."""

FUNCTION_SECONDS, FUNCTION_HANDLER, BATCH = 30, "ringfence.runtime.entry.handler", 10
"""The function's time-out and handler, and the messages of a batch, as the template has them."""

SCHEDULE_SOURCE = "ringfence.schedule"
"""What the schedule's message names as its source."""

_COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}
_AT_WORK = {"Enabled", "Enabling", "Creating", "Updating"}
_DETAIL_TYPES = ["EC2 Instance-launch Lifecycle Action", "EC2 Instance-terminate Lifecycle Action"]


def path_reasons(path: PathFacts, expected: Expected) -> Iterator[Reason]:
    """What is wrong with the path, part by part. Without a stack, there is nothing else to judge but the groups."""
    resources = path.resources
    yield from _stack(resources.stack, expected)
    if resources.stack is not None:
        yield from _function(resources.function, expected)
        yield from _grants(path.engine_grants, expected)
        yield from _event_rule(resources, expected)
        yield from _queue(resources, expected)
        yield from _dead_letters(resources.dead_letters, expected)
        yield from _schedule(resources, expected)
        yield from _table(resources.table, expected)
        yield from _hooks(path.scaling_groups, expected)
    yield from _scaling_groups(path.scaling_groups, expected)
    yield from _security_groups(path.tags, expected)


def unseen(part: str, what: Unread) -> Reason:
    """The part could not be read, so it is not judged."""
    return Reason(State.UNKNOWN, part, f"not checked: {what.reason}", "grant the permission to read it, or try again")


def _failing(part: str, why: str, fix: str) -> Reason:
    return Reason(State.FAILING, part, why, fix)


def _stack(stack: DeployedStack | Unread | None, expected: Expected) -> Iterator[Reason]:
    match stack:
        case Unread():
            yield unseen("stack", stack)
        case None:
            yield _failing("stack", f"{expected.name} is not deployed", expected.deploy)
        case DeployedStack(status=status) if status.endswith("_IN_PROGRESS"):
            why = f"{expected.name} is being changed: {status}"
            yield Reason(State.WAITING, "stack", why, "wait until it ends, then run ringfence status again")
        case DeployedStack(status=status) if status not in _COMPLETE:
            yield _failing("stack", f"{expected.name} is {status}", expected.deploy)
        case DeployedStack(parameters=parameters):
            different = [
                f"{name} is {parameters.get(name)!r}, the cluster file says {value!r}"
                for name, value in expected.parameters.items()
                if not _same(parameters.get(name), value)
            ]
            if different:
                yield _failing("stack", "; ".join(different), expected.deploy)


def _same(current: str | None, wanted: str) -> bool:
    """Whether two values of a parameter are equal; the order of a list does not count."""
    return current is not None and sorted(current.split(",")) == sorted(wanted.split(","))


def _function(function: Function | Unread | None, expected: Expected) -> Iterator[Reason]:
    match function:
        case Unread():
            yield unseen("engine", function)
        case None:
            yield _failing("engine", f"the function {expected.name} does not exist", expected.deploy)
        case Function(state=state) if state not in ("Active", "Inactive"):
            yield _failing("engine", f"the function {expected.name} is {state}", expected.deploy)
        case Function():
            if function.concurrency == 0:
                why = f"the function {expected.name} never runs: its reserved concurrency is 0"
                yield _failing("engine", why, expected.deploy)
            for said in _changed_function(function):
                yield _failing("engine", f"the function {expected.name} was changed: {said}", expected.deploy)
            yield from _environment(function, expected)


def _changed_function(function: Function) -> Iterator[str]:
    if function.seconds not in (None, FUNCTION_SECONDS):
        yield f"its time-out is {function.seconds} s instead of {FUNCTION_SECONDS} s"
    if function.handler not in ("", FUNCTION_HANDLER):
        yield f"its handler is {function.handler} instead of {FUNCTION_HANDLER}"


def _environment(function: Function, expected: Expected) -> Iterator[Reason]:
    try:
        running = config.read({**function.environment, "AWS_REGION": expected.region})
    except Permanent as error:
        yield _failing("engine", str(error), expected.deploy)
        return
    different = [
        setting.name.replace("_", " ")
        for setting in fields(Settings)
        if not _agree(getattr(running.settings, setting.name), getattr(expected.settings, setting.name))
    ]
    if running.table != expected.name:
        different.append("table")
    if different:
        why = f"its settings differ from the cluster file's: {', '.join(different)}"
        yield _failing("engine", why, expected.deploy)
    elif running.warnings:
        fix = f"correct the cluster file, then {expected.deploy}"
        yield Reason(State.WAITING, "engine", "; ".join(running.warnings), fix)  # the engine works with them


def _agree(current: object, wanted: object) -> bool:
    """Whether two values of a setting are equal; the order of a list does not count."""
    both_lists = isinstance(current, tuple) and isinstance(wanted, tuple)
    return sorted(current) == sorted(wanted) if both_lists else current == wanted  # type: ignore[call-overload]  # tuples of strings


def _grants(grants: Mapping[tuple[str, Region], Grant] | Unread, expected: Expected) -> Iterator[Reason]:
    part = "engine's access"
    if isinstance(grants, Unread):
        yield unseen(part, grants)
        return
    denied: dict[Region, list[str]] = {}
    for (action, target), grant in grants.items():
        if grant is Grant.DENIED:
            denied.setdefault(target, []).append(action)
    for target, actions in denied.items():
        fix = f"{expected.deploy}; then look for a permissions boundary or an SCP"
        yield _failing(part, f"the engine may not {', '.join(actions)} in {target}", fix)


def _event_rule(resources: StackFacts, expected: Expected) -> Iterator[Reason]:
    rule, queue = resources.event_rule, resources.queue
    match rule:
        case Unread():
            yield unseen("events", rule)
        case None:
            yield _failing("events", f"the EventBridge rule {expected.name} does not exist", expected.deploy)
        case EventRule():
            for said in _changed_rule(rule, queue, expected):
                yield _failing("events", f"the EventBridge rule {expected.name} {said}", expected.deploy)


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
            yield unseen("queue", part)
    if queue is None:
        yield _failing("queue", f"the queue {name} does not exist", expected.deploy)
    if source is None:
        yield _failing("queue", f"no function receives the messages of {name}", expected.deploy)
    if isinstance(source, EventSource):
        for said in _changed_source(source, queue, name):
            yield _failing("queue", f"the function's mapping {said}", expected.deploy)
    if isinstance(queue, Queue):
        for said in _changed_queue(queue):
            yield _failing("queue", f"the queue {name} {said}", expected.deploy)


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
            yield unseen(part, queue)
        case None:
            yield _failing(part, f"the queue {name} does not exist", expected.deploy)
        case Queue(messages=messages) if messages:
            said = f"{messages} event{'s' * (messages > 1)} could not be handled"
            yield _failing(part, said, "ringfence dead-letters")


def _schedule(resources: StackFacts, expected: Expected) -> Iterator[Reason]:
    schedule, queue = resources.schedule, resources.queue
    match schedule:
        case Unread():
            yield unseen("schedule", schedule)
        case None:
            yield _failing("schedule", f"the schedule {expected.name} does not exist", expected.deploy)
        case Schedule():
            for said in _changed_schedule(schedule, queue, expected):
                yield _failing("schedule", f"the schedule {expected.name} {said}", expected.deploy)


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


def _table(table: Table | Unread | None, expected: Expected) -> Iterator[Reason]:
    match table:
        case Unread():
            yield unseen("table", table)
        case None:
            yield _failing("table", f"the table {expected.name} does not exist", expected.deploy)
        case Table(keys=keys) if keys != KEYS:
            found = ", ".join(f"{name} ({kind})" for name, kind in keys)
            fix = "rename the cluster, or delete that table and deploy again: the engines rebuild its content"
            yield _failing("table", f"{expected.name} has other keys: {found}", fix)
        case Table(status=status) if status not in ("ACTIVE", "UPDATING"):
            yield _failing("table", f"{expected.name} is {status}", "wait, then run ringfence status again")
        case Table():
            return


def _scaling_groups(groups: Mapping[str, ScalingGroup] | Unread, expected: Expected) -> Iterator[Reason]:
    if isinstance(groups, Unread):
        yield unseen("hooks", groups)
        return
    for name in expected.settings.auto_scaling_groups:
        if name not in groups:
            fix = "correct its name in the cluster file, or create it"
            yield _failing("hooks", f"the Auto Scaling group {name} does not exist", fix)


def wanted_hooks(expected: Expected) -> list[Hook]:
    """The hooks of each Auto Scaling group, as the template has them."""
    settings, parameters = expected.settings, expected.parameters
    return [
        Hook(name, of.value, int(parameters.get(f"{which}Heartbeat", 0)), parameters.get(f"{which}DefaultResult", ""))
        for name, of, which in (
            (settings.launch_hook, Transition.LAUNCH, "Launch"),
            (settings.terminate_hook, Transition.TERMINATE, "Terminate"),
        )
    ]


def _hooks(groups: Mapping[str, ScalingGroup] | Unread, expected: Expected) -> Iterator[Reason]:
    if isinstance(groups, Unread):
        return
    for name in expected.settings.auto_scaling_groups:
        hooks = groups[name].hooks if name in groups else None
        differences = [] if hooks is None else [_difference(hook, hooks) for hook in wanted_hooks(expected)]
        if said := "; ".join(filter(None, differences)):
            yield _failing("hooks", f"{name}: {said}", expected.deploy)


def _difference(wanted: Hook, hooks: Sequence[Hook]) -> str:
    """How the hook of the wanted name differs from what is wanted; empty where it does not."""
    current = {hook.name: hook for hook in hooks}.get(wanted.name)
    if current is None:
        return f"has no hook {wanted.name}"
    different = [
        f"{name.replace('_', ' ')} {getattr(current, name)} instead of {getattr(wanted, name)}"
        for name in ("transition", "heartbeat", "default_result")
        if getattr(wanted, name) and getattr(current, name) != getattr(wanted, name)
    ]
    return f"{wanted.name} has {', '.join(different)}" if different else ""


def _security_groups(tags: Mapping[SecurityGroupId, Tags] | Unread, expected: Expected) -> Iterator[Reason]:
    part, settings = "groups", expected.settings
    if isinstance(tags, Unread):
        yield unseen(part, tags)
        return
    for id in settings.security_groups:
        if id not in tags:
            yield _failing(part, f"{id} does not exist", "correct its id in the cluster file")
        elif (found := tags[id].get(CLUSTER_TAG)) != settings.cluster:
            has = f"{id} has the tag {CLUSTER_TAG}={found}" if found else f"{id} lacks the tag {CLUSTER_TAG}"
            why = f"{has}, and not {CLUSTER_TAG}={settings.cluster}, so no engine may change it"
            yield _failing(part, why, expected.deploy)
