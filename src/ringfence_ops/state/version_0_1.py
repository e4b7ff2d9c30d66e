"""What a stack of version 0.1 is without, so that a cluster in an upgrade is not judged to fail. Pure.

Its engine works as that version does. It lacks what later versions added, which an upgrade brings: see docs/upgrade.md.
"""

from collections.abc import Mapping
from dataclasses import replace

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.path import Expected, Function, Grant, PathFacts, Unread
from ringfence_ops.state.standing import Reason, State

HANDLER = "ringfence.handler.handler"
"""The handler of the function, as the template of version 0.1 has it. No later version has it."""

PARAMETERS_ADDED = frozenset({"Dashboard", "PrivateAddresses", "SilenceAlarmMinutes"})
"""The parameters that the cluster file sets, and that the template of version 0.1 does not have."""

ACTIONS_ADDED = frozenset(
    {
        "autoscaling:DescribeWarmPool",
        "dynamodb:DeleteItem",
        "dynamodb:DescribeTable",
        "ec2:DescribeManagedPrefixLists",
        "ec2:DescribeSecurityGroups",
    }
)
"""The actions that its engine does not call, and may not."""

ALARMS_ADDED = frozenset({"unserved", "unknown-owners"})
"""The alarms that its template does not have, by the last part of their name."""


def is_version_0_1(function: Function | Unread | None) -> bool:
    """Whether the function is that of version 0.1."""
    return isinstance(function, Function) and function.handler == HANDLER


def upgrade_reason(expected: Expected) -> Reason:
    """The reason of a Region of version 0.1: its engine works, and an operator upgrades it."""
    why = f"{expected.name} is of version 0.1: its engine works, without what later versions added"
    return Reason(State.WAITING, "stack", why, expected.deploy)


def as_version_0_1(expected: Expected) -> Expected:
    """What the cluster file says, as far as version 0.1 knows it."""
    known = {name: value for name, value in expected.parameters.items() if name not in PARAMETERS_ADDED}
    return replace(expected, parameters=known, handler=HANDLER)


def grants_of_version_0_1(path: PathFacts) -> Mapping[tuple[str, Region], Grant] | Unread:
    """The permissions that the engine of version 0.1 needs."""
    if isinstance(path.engine_grants, Unread):
        return path.engine_grants
    grants = path.engine_grants.items()
    return {(action, region): grant for (action, region), grant in grants if action not in ACTIONS_ADDED}
