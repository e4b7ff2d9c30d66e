"""Judges how the true-ups of a Region go: whether they run, whether the last one succeeded, and when the next is due.

Pure. After a deployment, the engine has done nothing yet: until its first true-up is overdue, that is *waiting*.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ringfence_ops.logs.audit_log import LoggedReconcile
from ringfence_ops.state.path import DeployedStack, Expected, Function, PathFacts, Unread
from ringfence_ops.state.standing import Reason, State, unseen

SLACK = 60
"""Seconds that a schedule may be late. Source: EventBridge Scheduler User Guide, "Schedule types": 60 s."""

PERIODS = 3
"""A Region in which no reconcile succeeded for so many periods of its schedule is failing."""

DEPLOYMENT_SECONDS = 15 * 60
"""A change of the function so long after the stack's is none of the deployment."""

PART = "true-ups"


def true_up_reasons(path: PathFacts, expected: Expected, at: float) -> Iterator[Reason]:
    """What is wrong with the true-ups at the time given."""
    if path.resources.stack is None:
        return  # nothing runs here
    if isinstance(path.reconciles, Unread):
        yield unseen(PART, path.reconciles.reason)
        return
    if path.reconciles is None:
        why = f"the log group /aws/lambda/{expected.name} does not exist, so nothing shows whether the engine runs"
        yield Reason(State.FAILING, PART, why, expected.deploy)
        return
    if (due := first_due(path, expected, at)) is not None:
        yield Reason(State.WAITING, PART, f"its first true-up is due by {time_of_day(due)} UTC", expected.sync)
        return
    last = path.reconciles[-1] if path.reconciles else None
    succeeded = _last_success(path.reconciles)
    if succeeded is None or at - succeeded.at > PERIODS * expected.period + SLACK:
        since = "none is in the log" if succeeded is None else f"the last one was {round(at - succeeded.at)} s ago"
        why = f"no reconcile has succeeded for {PERIODS} periods of the schedule: {since}"
        yield Reason(State.FAILING, PART, why + _failure(last), expected.sync)
    elif last is not None and last.failure is not None:
        yield Reason(State.FAILING, PART, f"the last reconcile failed: {last.failure}", expected.sync)


def _failure(last: LoggedReconcile | None) -> str:
    return "" if last is None or last.failure is None else f"; the last one failed: {last.failure}"


def first_due(path: PathFacts, expected: Expected, at: float) -> float | None:
    """When the first true-up after the deployment is due at the latest; None if it has run, or is overdue."""
    if isinstance(path.reconciles, Unread) or path.reconciles is None:
        return None
    deployed = _deployed_at(path)
    succeeded = _last_success(path.reconciles)
    due = deployed + PERIODS * expected.period + SLACK
    is_new = not (succeeded is not None and succeeded.at >= deployed)
    return due if deployed and is_new and at < due else None


def _deployed_at(path: PathFacts) -> float:
    """When the last deployment ended, as far as it can be seen: it begins with the stack, and changes the function
    some time later. 0 if nothing tells."""
    stack, function = path.resources.stack, path.resources.function
    began = stack.changed_at if isinstance(stack, DeployedStack) else 0.0
    changed = function.changed_at if isinstance(function, Function) else 0.0
    return changed if began <= changed <= began + DEPLOYMENT_SECONDS else began


def next_due(path: PathFacts, expected: Expected) -> float | None:
    """When the next true-up of the schedule is due; None if the log tells of none."""
    reconciles = path.reconciles if isinstance(path.reconciles, tuple) else ()
    scheduled = [reconcile.at for reconcile in reconciles if reconcile.is_scheduled]
    return scheduled[-1] + expected.period + SLACK if scheduled else None


def _last_success(reconciles: Sequence[LoggedReconcile]) -> LoggedReconcile | None:
    succeeded = [reconcile for reconcile in reconciles if reconcile.failure is None]
    return succeeded[-1] if succeeded else None


def time_of_day(at: float) -> str:
    """The time of day, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"
