"""Judges what a stack is made of: is each part there, as configured, switched on, connected, and at work?

Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import Permanent
from ringfence.core.lifecycle import Transition
from ringfence.core.model.identifiers import Region
from ringfence.runtime import config
from ringfence_ops.doctor.facts import (
    Chart,
    EventRule,
    EventSource,
    Function,
    Hook,
    Queue,
    ScalingGroup,
    Schedule,
    Stack,
    Table,
    Unread,
)
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning

KEYS = (("region", "HASH"), ("asg", "RANGE"))
"""The keys of the table of rosters."""

_PERIOD = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
SCHEDULE_SLACK = 60
"""Seconds by which a schedule may be late. Source: EventBridge Scheduler User Guide, "Schedule types": 60 s."""

_COMPLETE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the cluster file says of a Region: the engine's settings and the template's parameters."""

    settings: Settings
    parameters: Mapping[str, str]

    @property
    def region(self) -> Region:
        """The Region."""
        return self.settings.region

    @property
    def name(self) -> str:
        """The name of the stack and of what is in it."""
        return f"ringfence-{self.settings.cluster}"

    @property
    def deploy(self) -> str:
        """How to bring the Region to what the cluster file says."""
        return f"ringfence deploy {self.region}"


def check_deployment(chart: Chart, expected: Expected) -> Iterator[Finding]:
    """Every check of one Region's stack."""
    yield from _stack(chart.stack, expected)
    if chart.stack is None:
        return
    yield from _function(chart.function, expected)
    yield _event_rule(chart.event_rule, chart.queue, expected)
    yield _queue(chart.queue, chart.event_source, expected)
    yield _dead_letters(chart.dead_letters, expected)
    yield _schedule(chart, expected)
    yield _table(chart.table, expected)
    yield from _hooks(chart.scaling_groups, expected)


def check_agreement(charts: Sequence[Chart]) -> Iterator[Finding]:
    """Whether the engines of all Regions are of one version."""
    engines = {
        chart.region: {version for key, version in chart.table.engines.items() if key.region == chart.region}
        for chart in charts
        if isinstance(chart.table, Table)
    }
    versions = {version for found in engines.values() for version in found}
    if len(versions) > 1:
        which = ", ".join(f"{'/'.join(sorted(found))} in {region}" for region, found in engines.items() if found)
        yield warning("engines", None, f"the engines differ: {which}", "ringfence deploy")
    elif versions:
        yield ok("engines", None, f"all of version {versions.pop()}")


def _stack(stack: Stack | Unread | None, expected: Expected) -> Iterator[Finding]:
    region = expected.region
    match stack:
        case Unread():
            yield unread("stack", region, stack)
        case None:
            yield problem("stack", region, f"{expected.name} is not deployed", expected.deploy)
        case Stack(status=status) if status.endswith("_IN_PROGRESS"):
            yield warning("stack", region, f"{expected.name} is being changed: {status}", "wait, and look again")
        case Stack(status=status) if status not in _COMPLETE:
            yield problem("stack", region, f"{expected.name} is {status}", expected.deploy)
        case Stack(parameters=parameters):
            different = [
                f"{name} is {parameters.get(name)!r}, the cluster file says {value!r}"
                for name, value in expected.parameters.items()
                if not _same(parameters.get(name), value)
            ]
            if different:
                yield problem("stack", region, "; ".join(different), expected.deploy)
            else:
                yield ok("stack", region, f"{expected.name} is deployed as the cluster file says")


def _same(standing: str | None, wanted: str) -> bool:
    """Whether two values of a parameter say the same; the order in a list says nothing."""
    return standing is not None and sorted(standing.split(",")) == sorted(wanted.split(","))


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
                settings = config.read({**environment, "AWS_REGION": region}).settings
            except Permanent as error:
                yield problem("engine", region, str(error), expected.deploy)
                return
            different = [
                one.name.replace("_", " ")
                for one in fields(Settings)
                if not _agree(getattr(settings, one.name), getattr(expected.settings, one.name))
            ]
            if different:
                said = f"runs with other settings than the cluster file's: {', '.join(different)}"
                yield problem("engine", region, said, expected.deploy)
            else:
                yield ok("engine", region, "runs with the cluster file's settings")


def _agree(one: object, other: object) -> bool:
    """Whether two settings say the same; the order in a list says nothing."""
    both_lists = isinstance(one, tuple) and isinstance(other, tuple)
    return sorted(one) == sorted(other) if both_lists else one == other  # type: ignore[call-overload]  # tuples of strings


def _event_rule(rule: EventRule | Unread | None, queue: Queue | Unread | None, expected: Expected) -> Finding:
    region = expected.region
    match rule:
        case Unread():
            return unread("events", region, rule)
        case None:
            return problem("events", region, f"the EventBridge rule {expected.name} does not exist", expected.deploy)
        case EventRule(is_enabled=False):
            mend = f"aws events enable-rule --region {region} --name {expected.name}"
            return problem("events", region, f"the EventBridge rule {expected.name} is disabled", mend)
        case EventRule(targets=targets) if isinstance(queue, Queue) and queue.arn not in targets:
            said = f"the EventBridge rule {expected.name} does not send to the queue"
            return problem("events", region, said, expected.deploy)
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
            return problem("queue", region, f"nothing takes messages from {name}", expected.deploy)
        case Queue(), EventSource(state=state) if state not in ("Enabled", "Enabling"):
            mend = "aws lambda update-event-source-mapping --enabled"
            return problem("queue", region, f"the function's mapping to {name} is {state}", mend)
        case Queue(messages=messages), _:
            return ok("queue", region, f"feeds the function; {_count(messages, 'message')} waiting")
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
            mend = "read them with aws sqs receive-message: each carries its reason; delete them once that is mended"
            return problem("dead letters", region, f"{_count(messages, 'event')} could not be handled", mend)


def _schedule(chart: Chart, expected: Expected) -> Finding:
    region, schedule = expected.region, chart.schedule
    match schedule:
        case Unread():
            return unread("schedule", region, schedule)
        case None:
            return problem("schedule", region, f"the schedule {expected.name} does not exist", expected.deploy)
        case Schedule(is_enabled=False):
            return problem("schedule", region, f"the schedule {expected.name} is disabled", expected.deploy)
        case Schedule(expression=expression):
            return _firing(chart, period(expression), expected)


def _firing(chart: Chart, period: int | None, expected: Expected) -> Finding:
    region, log = expected.region, chart.log
    if isinstance(log, Unread):
        return unread("schedule", region, log)
    scheduled = [done for done in log.reconciles if done.is_scheduled] if log is not None else []
    if not scheduled:
        said = "no true-up of the schedule is in the log"
        return problem("schedule", region, said, f"see the log group /aws/lambda/{expected.name}, then the queue")
    last = scheduled[-1]
    age = max(0, round(chart.at - last.at))
    if period is not None and age > 2 * period + SCHEDULE_SLACK:
        said = f"the last true-up was {age} s ago, and one is due every {period} s"
        return problem("schedule", region, said, f"see the log group /aws/lambda/{expected.name}, then the queue")
    if last.failure is not None:
        return problem("schedule", region, f"the last true-up failed: {last.failure}", "mend what it says")
    return ok("schedule", region, f"the last true-up was {age} s ago")


def period(expression: str) -> int | None:
    """Seconds between two firings of a schedule; None for a cron expression, which has no one period."""
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
            mend = "name the cluster differently, or delete that table and deploy again: it rebuilds itself"
            return problem("table", region, f"{expected.name} has other keys: {found}", mend)
        case Table(status=status) if status not in ("ACTIVE", "UPDATING"):
            return problem("table", region, f"{expected.name} is {status}", "wait, and look again")
        case Table(engines=engines):
            return ok("table", region, f"holds {_count(len(engines), 'roster')}")


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
            mend = "correct its name in the cluster file, or create it"
            yield problem("hooks", region, f"the Auto Scaling group {name} does not exist", mend)
            continue
        wrong = [said for hook in wanted if (said := _wrong_with(hook, groups[name].hooks))]
        if wrong:
            yield problem("hooks", region, f"{name}: {'; '.join(wrong)}", expected.deploy)
        else:
            others = len(groups[name].hooks) - len(wanted)
            beside = f", beside {_count(others, 'other hook')}" if others else ""
            yield ok("hooks", region, f"{name} waits for the engine{beside}")


def _wrong_with(wanted: Hook, hooks: Sequence[Hook]) -> str:
    standing = {hook.name: hook for hook in hooks}.get(wanted.name)
    if standing is None:
        return f"has no hook {wanted.name}"
    different = [
        f"{name.replace('_', ' ')} {getattr(standing, name)} instead of {getattr(wanted, name)}"
        for name in ("transition", "heartbeat", "default_result")
        if getattr(wanted, name) and getattr(standing, name) != getattr(wanted, name)
    ]
    return f"{wanted.name} has {', '.join(different)}" if different else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
