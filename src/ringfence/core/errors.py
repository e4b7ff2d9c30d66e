"""The engine's errors, named by what the caller does next.

Knows no AWS error code (`aws.faults` translates those) and no way to recover.
"""

from collections.abc import Mapping
from enum import Enum

from ringfence.core.model.identifiers import RosterKey


class RingfenceError(Exception):
    """Any error that the engine raises on purpose. Its text is for an operator: what, why, what to do."""


class Retry(RingfenceError):
    """The same call may work later: throttled, unreachable, or overtaken by another invocation."""


class Permanent(RingfenceError):
    """The same call will fail again until someone changes the configuration or a permission.

    `groups` names the Auto Scaling groups that are affected; with none named, all of the Region's are.
    """

    def __init__(self, message: str, groups: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.groups = groups


class Unsafe(RingfenceError):
    """What was read cannot be trusted, so nothing may be removed because of it."""


class NotDeployed(Permanent):
    """The Region answered that Ringfence's table does not exist there."""


class Conflict(Retry):
    """Another invocation wrote a row first, so what was observed may be old: observe again.

    `standing` maps the key of each roster concerned to the version that ours must have reached: the one that stands in
    the table that refused it, or the next where that one says something else at our version.
    """

    def __init__(self, message: str, standing: Mapping[RosterKey, int]) -> None:
        super().__init__(message)
        self.standing = standing


class Refusal(Enum):
    """Why a security group refused a call, as far as the next step depends on it."""

    DUPLICATE = "duplicate"  # the rule is there already: what was read is old, read again
    NOT_FOUND = "not-found"  # the rule is gone already: read again
    QUOTA = "quota"  # the group has no room
    MALFORMED = "malformed"  # one of the rules is one that EC2 does not take


class Refused(RingfenceError):
    """A security group refused a whole call, and changed nothing."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
