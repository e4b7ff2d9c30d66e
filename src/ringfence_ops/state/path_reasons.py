"""Judges the path of events of a Region: the stack, what is in it, the hooks, and the tags of the security groups.

Each part has its own reasons, by the names of `doctor`'s checks. Pure. How the true-ups went is in `true_up_reasons`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from ringfence.core.configuration.settings import Settings
from ringfence.core.deployment import CLUSTER_TAG
from ringfence.core.errors import Permanent
from ringfence.core.lifecycle import Transition
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.runtime import config
from ringfence_ops.state.event_reasons import FUNCTION_SECONDS, event_reasons
from ringfence_ops.state.path import (
    COMPLETE,
    DeployedStack,
    Expected,
    Function,
    Grant,
    Hook,
    PathFacts,
    ScalingGroup,
    Table,
    Tags,
    Unread,
)
from ringfence_ops.state.standing import Reason, State, failing, unseen
from ringfence_ops.state.version_0_1 import as_version_0_1, grants_of_version_0_1, is_version_0_1, upgrade_reason

KEYS = (("region", "HASH"), ("asg", "RANGE"))
"""The keys of the roster table."""


def path_reasons(path: PathFacts, expected: Expected) -> Iterator[Reason]:
    """What is wrong with the path, part by part. Without a stack, there is nothing else to judge but the groups."""
    resources, grants = path.resources, path.engine_grants
    if is_version_0_1(resources.function):
        yield upgrade_reason(expected)
        expected, grants = as_version_0_1(expected), grants_of_version_0_1(path)
    yield from _stack(resources.stack, expected)
    if resources.stack is not None:
        yield from _function(resources.function, expected)
        yield from _grants(grants, expected)
        yield from event_reasons(resources, expected)
        yield from _table(resources.table, expected)
        yield from _hooks(path.scaling_groups, expected)
    yield from _scaling_groups(path.scaling_groups, expected)
    yield from _security_groups(path.tags, expected)


def _stack(stack: DeployedStack | Unread | None, expected: Expected) -> Iterator[Reason]:
    match stack:
        case Unread():
            yield unseen("stack", stack.reason)
        case None:
            yield failing("stack", f"{expected.name} is not deployed", expected.deploy)
        case DeployedStack(status=status) if status.endswith("_IN_PROGRESS"):
            why = f"{expected.name} is being changed: {status}"
            yield Reason(State.WAITING, "stack", why, "wait until it ends, then run ringfence status again")
        case DeployedStack(status=status) if status not in COMPLETE:
            yield failing("stack", f"{expected.name} is {status}", expected.deploy)
        case DeployedStack(parameters=parameters):
            different = [
                f"{name} is {parameters.get(name)!r}, the cluster file says {value!r}"
                for name, value in expected.parameters.items()
                if not _same(parameters.get(name), value)
            ]
            if different:
                yield failing("stack", "; ".join(different), expected.deploy)


def _same(current: str | None, wanted: str) -> bool:
    """Whether two values of a parameter are equal; the order of a list does not count."""
    return current is not None and sorted(current.split(",")) == sorted(wanted.split(","))


def _function(function: Function | Unread | None, expected: Expected) -> Iterator[Reason]:
    match function:
        case Unread():
            yield unseen("engine", function.reason)
        case None:
            yield failing("engine", f"the function {expected.name} does not exist", expected.deploy)
        case Function():
            yield from _function_state(function, expected)
            if function.concurrency == 0:
                why = f"the function {expected.name} never runs: its reserved concurrency is 0"
                yield failing("engine", why, expected.deploy)
            for said in _changed_function(function, expected):
                yield failing("engine", f"the function {expected.name} was changed: {said}", expected.deploy)
            yield from _environment(function, expected)


def _function_state(function: Function, expected: Expected) -> Iterator[Reason]:
    """Source: Lambda Developer Guide, "Lambda function states"; an idle function is Inactive until its next event."""
    if function.state == "Pending":
        why = f"the function {expected.name} is being made ready: it is Pending"
        yield Reason(State.WAITING, "engine", why, "wait some seconds, then run ringfence status again")
    elif function.state not in ("Active", "Inactive"):
        yield failing("engine", f"the function {expected.name} is {function.state}", expected.deploy)


def _changed_function(function: Function, expected: Expected) -> Iterator[str]:
    if function.seconds not in (None, FUNCTION_SECONDS):
        yield f"its time-out is {function.seconds} s instead of {FUNCTION_SECONDS} s"
    if function.handler not in ("", expected.handler):
        yield f"its handler is {function.handler} instead of {expected.handler}"


def _environment(function: Function, expected: Expected) -> Iterator[Reason]:
    try:
        running = config.read({**function.environment, "AWS_REGION": expected.region})
    except Permanent as error:
        yield failing("engine", str(error), expected.deploy)
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
        yield failing("engine", why, expected.deploy)
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
        yield unseen(part, grants.reason)
        return
    denied: dict[Region, list[str]] = {}
    for (action, target), grant in grants.items():
        if grant is Grant.DENIED:
            denied.setdefault(target, []).append(action)
    for target, actions in denied.items():
        yield failing(part, f"the engine may not {', '.join(actions)} in {target}", expected.deploy)


def _table(table: Table | Unread | None, expected: Expected) -> Iterator[Reason]:
    match table:
        case Unread():
            yield unseen("table", table.reason)
        case None:
            yield failing("table", f"the table {expected.name} does not exist", expected.deploy)
        case Table(keys=keys) if keys != KEYS:
            found = ", ".join(f"{name} ({kind})" for name, kind in keys)
            delete = f"aws dynamodb delete-table --region {expected.region} --table-name {expected.name}"
            fix = f"{delete} && {expected.deploy}"  # the engines write its content again
            yield failing("table", f"{expected.name} has other keys: {found}", fix)
        case Table(status=status) if status not in ("ACTIVE", "UPDATING"):
            yield failing("table", f"{expected.name} is {status}", "wait, then run ringfence status again")
        case Table():
            return


def _scaling_groups(groups: Mapping[str, ScalingGroup] | Unread, expected: Expected) -> Iterator[Reason]:
    if isinstance(groups, Unread):
        yield unseen("hooks", groups.reason)
        return
    for name in expected.settings.auto_scaling_groups:
        if name not in groups:
            fix = "correct its name in the cluster file, or create it"
            yield failing("hooks", f"the Auto Scaling group {name} does not exist", fix)


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
            yield failing("hooks", f"{name}: {said}", expected.deploy)


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
        yield unseen(part, tags.reason)
        return
    for id in settings.security_groups:
        if id not in tags:
            yield failing(part, f"{id} does not exist", "correct its id in the cluster file")
        elif (found := tags[id].get(CLUSTER_TAG)) != settings.cluster:
            has = f"{id} has the tag {CLUSTER_TAG}={found}" if found else f"{id} lacks the tag {CLUSTER_TAG}"
            why = f"{has}, and not {CLUSTER_TAG}={settings.cluster}, so no engine may change it"
            yield failing(part, why, expected.deploy)
