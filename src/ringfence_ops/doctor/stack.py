"""Judges each resource of a stack: does it exist, is it configured as expected, enabled, connected, and working?

Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import Permanent
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.runtime import config
from ringfence_ops.doctor.facts import (
    DeployedStack,
    EventRule,
    EventSource,
    Function,
    Hook,
    Queue,
    RegionFacts,
    ScalingGroup,
    Schedule,
    Table,
    Unread,
)
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning
from ringfence_ops.repair.stack_repair import STABLE

KEYS = (("region", "HASH"), ("asg", "RANGE"))
"""The keys of the roster table."""

_PERIOD = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
SCHEDULE_SLACK = 60
"""Seconds that a schedule may be late. Source: EventBridge Scheduler User Guide, "Schedule types": 60 s."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the cluster file says about a Region: the engine's settings and the template's parameters."""

    settings: Settings
    parameters: Mapping[str, str]

    @property
    def region(self) -> Region:
        """The Region."""
        return self.settings.region

    @property
    def name(self) -> str:
        """The name of the stack and of its resources."""
        return f"ringfence-{self.settings.cluster}"

    @property
    def deploy(self) -> str:
        """The command that deploys the Region as the cluster file says."""
        return f"ringfence deploy {self.region}"


def check_stack(facts: RegionFacts, expected: Expected) -> Iterator[Finding]:
    """All checks of one Region's stack."""
    resources = facts.resources
    yield from _stack(resources.stack, expected)
    if resources.stack is None:
        return
    yield from _function(resources.function, expected)
    yield _event_rule(resources.event_rule, resources.queue, expected)
    yield _queue(resources.queue, resources.event_source, expected)
    yield _dead_letters(resources.dead_letters, expected)
    yield _schedule(facts, expected)
    yield _table(resources.table, expected)
    yield from _hooks(facts.groups.scaling_groups, expected)


def check_versions(facts: Sequence[RegionFacts]) -> Iterator[Finding]:
    """Whether the engines of all Regions have the same version."""
    versions: dict[Region, set[str]] = {}
    for region in facts:
        if isinstance(table := region.resources.table, Table):
            versions[region.region] = _engines_of(table, region.region)
    all_versions = set().union(*versions.values())
    if len(all_versions) > 1:
        found = ", ".join(f"{'/'.join(sorted(own))} in {region}" for region, own in versions.items() if own)
        yield warning("engines", None, f"the engines' versions differ: {found}", "ringfence deploy")
    elif all_versions:
        yield ok("engines", None, f"all have version {all_versions.pop()}")


def _engines_of(table: Table, region: Region) -> set[str]:
    """The versions of the Region's engine.

    A roster that says the same keeps the version that wrote it, even after an upgrade. The announcement does not, so it
    counts, if there is one. Version 0.1 leaves it behind, and shows in a roster that it wrote later.
    """
    own = {key: version for key, version in table.engines.items() if key.region == region}
    announcement = RosterKey(region, ANNOUNCEMENT)
    if announcement not in own:
        return set(own.values())
    announced_at = table.written_at.get(announcement, "")
    later = {key for key, at in table.written_at.items() if key in own and at > announced_at}
    return {own[key] for key in later if own[key].startswith("0.1.")} or {own[announcement]}


def _stack(stack: DeployedStack | Unread | None, expected: Expected) -> Iterator[Finding]:
    region = expected.region
    match stack:
        case Unread():
            yield unread("stack", region, stack)
        case None:
            yield problem("stack", region, f"{expected.name} is not deployed", expected.deploy)
        case DeployedStack(status=status) if status.endswith("_IN_PROGRESS"):
            yield warning("stack", region, f"{expected.name} is being changed: {status}", "wait, then run doctor again")
        case DeployedStack(status=status) if status not in STABLE:
            yield problem("stack", region, f"{expected.name} is {status}", expected.deploy)
        case DeployedStack(parameters=parameters):
            different = [
                f"{name} is {parameters.get(name)!r}, the cluster file says {value!r}"
                for name, value in expected.parameters.items()
                if not _same(parameters.get(name), value)
            ]
            if different:
                yield problem("stack", region, "; ".join(different), expected.deploy)
            else:
                yield ok("stack", region, f"{expected.name} is deployed as the cluster file says")


def is_complete(stack: DeployedStack | Unread | None) -> bool:
    """Whether the stack is in a state in which its resources are as its template says, unless somebody changed them."""
    return isinstance(stack, DeployedStack) and stack.status in STABLE


def _same(current: str | None, wanted: str) -> bool:
    """Whether two values of a parameter are equal; the order of a list does not count."""
    return current is not None and sorted(current.split(",")) == sorted(wanted.split(","))


def _function(function: Function | Unread | None, expected: Expected) -> Iterator[Finding]:
    region = expected.region
    match function:
        case Unread():
            yield unread("engine", region, function)
        case None:
            yield problem("engine", region, f"the function {expected.name} does not exist", expected.deploy)
        case Function(state=state) if state != "Active":
            yield problem("engine", region, f"the function {expected.name} is {state}", expected.deploy)
        case Function(environment=environment):
            try:
                running = config.read({**environment, "AWS_REGION": region})
            except Permanent as error:
                yield problem("engine", region, str(error), expected.deploy)
                return
            different = [
                setting.name.replace("_", " ")
                for setting in fields(Settings)
                if not _agree(getattr(running.settings, setting.name), getattr(expected.settings, setting.name))
            ]
            if different:
                message = f"its settings differ from the cluster file's: {', '.join(different)}"
                yield problem("engine", region, message, expected.deploy)
            elif running.warnings:
                fix = f"correct the cluster file, then {expected.deploy}"
                yield warning("engine", region, "; ".join(running.warnings), fix)
            else:
                yield ok("engine", region, "runs with the cluster file's settings")


def _agree(current: object, wanted: object) -> bool:
    """Whether two values of a setting are equal; the order of a list does not count."""
    both_lists = isinstance(current, tuple) and isinstance(wanted, tuple)
    return sorted(current) == sorted(wanted) if both_lists else current == wanted  # type: ignore[call-overload]  # tuples of strings


def _event_rule(rule: EventRule | Unread | None, queue: Queue | Unread | None, expected: Expected) -> Finding:
    region = expected.region
    match rule:
        case Unread():
            return unread("events", region, rule)
        case None:
            return problem("events", region, f"the EventBridge rule {expected.name} does not exist", expected.deploy)
        case EventRule(is_enabled=False):
            return problem("events", region, f"the EventBridge rule {expected.name} is disabled", expected.deploy)
        case EventRule(targets=targets) if isinstance(queue, Queue) and queue.arn not in targets:
            message = f"the EventBridge rule {expected.name} does not send to the queue"
            return problem("events", region, message, expected.deploy)
        case _:
            return ok("events", region, "lifecycle events go to the queue")


def _queue(queue: Queue | Unread | None, source: EventSource | Unread | None, expected: Expected) -> Finding:
    region, name = expected.region, f"{expected.name}.fifo"
    match queue, source:
        case (Unread() as part, _) | (_, Unread() as part):
            return unread("queue", region, part)
        case None, _:
            return problem("queue", region, f"the queue {name} does not exist", expected.deploy)
        case _, None:
            return problem("queue", region, f"no function receives the messages of {name}", expected.deploy)
        case Queue(), EventSource(state=state) if state not in ("Enabled", "Enabling"):
            return problem("queue", region, f"the function's mapping to {name} is {state}", expected.deploy)
        case Queue(messages=messages), _:
            return ok("queue", region, f"invokes the function; {_count(messages, 'message')} waiting")
    raise AssertionError(queue, source)


def _dead_letters(queue: Queue | Unread | None, expected: Expected) -> Finding:
    region, name = expected.region, f"{expected.name}-dead.fifo"
    match queue:
        case Unread():
            return unread("dead letters", region, queue)
        case None:
            return problem("dead letters", region, f"the queue {name} does not exist", expected.deploy)
        case Queue(messages=0):
            return ok("dead letters", region, "none")
        case Queue(messages=messages):
            fix = "read them with aws sqs receive-message: each has its reason; fix it, then delete them"
            return problem("dead letters", region, f"{_count(messages, 'event')} could not be handled", fix)


def _schedule(facts: RegionFacts, expected: Expected) -> Finding:
    region, schedule = expected.region, facts.resources.schedule
    match schedule:
        case Unread():
            return unread("schedule", region, schedule)
        case None:
            return problem("schedule", region, f"the schedule {expected.name} does not exist", expected.deploy)
        case Schedule(is_enabled=False):
            return problem("schedule", region, f"the schedule {expected.name} is disabled", expected.deploy)
        case Schedule(expression=expression):
            return _last_true_up(facts, period(expression), expected)


def _last_true_up(facts: RegionFacts, period: int | None, expected: Expected) -> Finding:
    region, log = expected.region, facts.log
    if isinstance(log, Unread):
        return unread("schedule", region, log)
    scheduled = [reconcile for reconcile in log.reconciles if reconcile.is_scheduled] if log is not None else []
    look = f"see the log group /aws/lambda/{expected.name}, then the queue"
    if not scheduled:
        return problem("schedule", region, "the log has no scheduled true-up", look)
    last = scheduled[-1]
    age = max(0, round(facts.at - last.at))
    if period is not None and age > 2 * period + SCHEDULE_SLACK:
        message = f"the last true-up was {age} s ago, and one is due every {period} s"
        return problem("schedule", region, message, look)
    if last.failure is not None:
        return problem("schedule", region, f"the last true-up failed: {last.failure}", "fix what the message says")
    return ok("schedule", region, f"the last true-up was {age} s ago")


def period(expression: str) -> int | None:
    """Seconds between two invocations of a schedule; None for a cron expression, which has no fixed period."""
    match = _PERIOD.fullmatch(expression.strip())
    return int(match[1]) * _SECONDS[match[2]] if match else None


def _table(table: Table | Unread | None, expected: Expected) -> Finding:
    region = expected.region
    match table:
        case Unread():
            return unread("table", region, table)
        case None:
            return problem("table", region, f"the table {expected.name} does not exist", expected.deploy)
        case Table(keys=keys) if keys != KEYS:
            found = ", ".join(f"{name} ({kind})" for name, kind in keys)
            delete = f"aws dynamodb delete-table --region {region} --table-name {expected.name}"
            fix = f"{delete} && {expected.deploy}"  # the engines write its content again
            return problem("table", region, f"{expected.name} has other keys: {found}", fix)
        case Table(status=status) if status not in ("ACTIVE", "UPDATING"):
            return problem("table", region, f"{expected.name} is {status}", "wait, then run doctor again")
        case Table(engines=engines):
            rosters = sum(not key.is_announcement for key in engines)
            return ok("table", region, f"holds {_count(rosters, 'roster')}")


def _hooks(groups: Mapping[str, ScalingGroup] | Unread, expected: Expected) -> Iterator[Finding]:
    region, settings, parameters = expected.region, expected.settings, expected.parameters
    if isinstance(groups, Unread):
        yield unread("hooks", region, groups)
        return
    wanted = [
        Hook(
            name,
            transition.value,
            int(parameters.get(f"{which}Heartbeat", 0)),
            parameters.get(f"{which}DefaultResult", ""),
        )
        for name, transition, which in (
            (settings.launch_hook, Transition.LAUNCH, "Launch"),
            (settings.terminate_hook, Transition.TERMINATE, "Terminate"),
        )
    ]
    for name in settings.auto_scaling_groups:
        if name not in groups:
            fix = "correct its name in the cluster file, or create it"
            yield problem("hooks", region, f"the Auto Scaling group {name} does not exist", fix)
            continue
        differences = [difference for hook in wanted if (difference := _difference(hook, groups[name].hooks))]
        if differences:
            yield problem("hooks", region, f"{name}: {'; '.join(differences)}", expected.deploy)
        elif groups[name].retains and wanted[1].default_result == HookResult.ABANDON.value:
            yield _retained(name, expected)
        else:
            others = len(groups[name].hooks) - len(wanted)
            beside = f", and has {_count(others, 'other hook')}" if others else ""
            yield ok("hooks", region, f"{name} waits for the engine{beside}")


def _retained(name: str, expected: Expected) -> Finding:
    """Source: Amazon EC2 Auto Scaling User Guide, "Configure instance retention"."""
    message = (
        f"{name} has an instance lifecycle policy that retains what is abandoned (TerminateHookAbandon), and"
        " terminate_default_result is ABANDON: an instance whose termination gets no answer runs on"
    )
    fix = f'write terminate_default_result = "CONTINUE", then {expected.deploy}'
    return warning("hooks", expected.region, message, fix)


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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
