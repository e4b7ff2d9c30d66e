"""Announces a deployment, before its hooks exist: looks whether the configuration can work, and runs a true-up.

Only facts fail a deployment: a configuration that the engine refuses, or a group that is missing or has not its tag. A
peer that is down, a call that stays throttled or a policy that is not there yet does not: the schedule's true-ups go on
from there. Pure but for the calls that it is given. Knows neither CloudFormation's protocol nor AWS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ringfence.core.deployment import Existing, Requirements, unmet
from ringfence.core.errors import Denied, Retry
from ringfence.core.model.identifiers import SecurityGroupId

T = TypeVar("T")

WITHIN = 12.0
"""Seconds from the start, after which nothing is tried again. The function's time-out is 30 s."""

PAUSE = 3.0
"""Seconds between two attempts. A new role and a new tag take a few seconds to be seen everywhere."""

LOOKS = 3
"""A group counts as missing if it was missing so many times: a describe can be older than the group."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an announcement may take: whether another attempt may start, and how to wait before it."""

    has_time: Callable[[], bool]
    pause: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`failure` says why the deployment cannot work. `notes` say what could not be done, and will be tried again."""

    failure: str | None = None
    notes: tuple[str, ...] = ()


def announce(
    requirements: Requirements,
    before: Requirements | None,
    look: Callable[[Requirements], Existing],
    true_up: Callable[[], object],
    patience: Patience,
) -> Outcome:
    """Announces the Region. `before` are the requirements that an update replaces, None for a creation.

    An update of a configuration that did not work either cannot fail: it may be the rollback of a failed update, which
    CloudFormation does not tell from another update, and which would leave the stack stuck.
    """
    failure, note = _look(requirements, before, look, patience)
    if failure is not None:
        return Outcome(failure)
    notes = (note, _tried(true_up, patience))
    return Outcome(notes=tuple(note for note in notes if note is not None))


def replaced(requirements: Requirements, properties: Mapping[str, Any]) -> Requirements:
    """The requirements as the properties of the custom resource named them before. What is no name is left out."""
    groups, security_groups = (
        tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()
        for names in (properties.get("AutoScalingGroups"), properties.get("SecurityGroups"))
    )
    return replace(
        requirements, auto_scaling_groups=groups, security_groups=tuple(map(SecurityGroupId, security_groups))
    )


def _look(
    requirements: Requirements,
    before: Requirements | None,
    look: Callable[[Requirements], Existing],
    patience: Patience,
) -> tuple[str | None, str | None]:
    """Why the configuration cannot work, and why that could not be found out."""
    seen = requirements if before is None else _both(requirements, before)
    failure, note = None, None
    for _ in range(LOOKS):
        existing = _result(lambda: look(seen), patience)
        if isinstance(existing, Exception):
            return None, f"not known whether the groups exist: {existing}"
        missing = unmet(requirements, existing)
        if not missing:
            return None, None
        failure, note = "; ".join(missing), None
        if before is not None and unmet(before, existing):
            return None, f"{failure}. The configuration before did not work either"
        if not patience.has_time():
            break
        patience.pause()
    return failure, note


def _both(one: Requirements, other: Requirements) -> Requirements:
    return replace(
        one,
        auto_scaling_groups=tuple(dict.fromkeys(one.auto_scaling_groups + other.auto_scaling_groups)),
        security_groups=tuple(dict.fromkeys(one.security_groups + other.security_groups)),
    )


def _tried(work: Callable[[], object], patience: Patience) -> str | None:
    """Why the work could not be done, or None."""
    result = _result(work, patience)
    return f"not announced, or not everywhere: {result}" if isinstance(result, Exception) else None


def _result(work: Callable[[], T], patience: Patience) -> T | Exception:
    """What the work returned, or its last error. An error that may pass is tried again while there is time."""
    while True:
        try:
            return work()
        except (Retry, Denied) as error:
            if not patience.has_time():
                return error
            patience.pause()
        except Exception as error:  # noqa: BLE001  # no error of the engine is a fact about the configuration
            return error
