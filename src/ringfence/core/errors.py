"""The engine's errors, named by what the caller does next.

Knows no AWS error code (`aws.error_codes` translates those) and no way to recover.
"""

from collections.abc import Mapping, Sequence
from enum import Enum

from ringfence.core.events import Event, Launching, Terminating
from ringfence.core.model.identifiers import RosterKey


class RingfenceError(Exception):
    """An error that the engine raises on purpose. Its text tells an operator what happened, why, and what to do."""


class Retry(RingfenceError):
    """The same call may work later: it was throttled, got no answer, or was overtaken by another invocation."""


class Permanent(RingfenceError):
    """The same call fails again until someone changes the configuration or a permission.

    `event` is the only event that is affected, or None. Else `groups` names the Auto Scaling groups that are affected.
    If it is empty, all groups of the Region are.
    """

    def __init__(self, message: str, groups: frozenset[str] = frozenset(), *, event: Event | None = None) -> None:
        super().__init__(message)
        self.groups = groups
        self.event = event

    def reason_for(self, event: Event) -> str | None:
        """Why no delivery of the event can succeed, or None if the error is not about the event."""
        if self.event is not None:
            return str(self) if event == self.event else None
        if not isinstance(event, Launching | Terminating):
            return None
        return str(self) if not self.groups or event.group in self.groups else None


class HookNotAnswered(Permanent):
    """One waiting hook cannot be answered. `event` is the event that named the wait, or None if none did."""

    def __init__(self, message: str, event: Event | None) -> None:
        super().__init__(message, event=event)

    def reason_for(self, event: Event) -> str | None:
        """See `Permanent.reason_for`. Without an event of its own, the error is about no event."""
        return str(self) if self.event is not None and event == self.event else None


class Several(Permanent):
    """Several permanent errors of one reconcile, each with what it is about."""

    def __init__(self, errors: Sequence[Permanent]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = tuple(errors)

    def reason_for(self, event: Event) -> str | None:
        """See `Permanent.reason_for`."""
        reasons = [reason for error in self.errors if (reason := error.reason_for(event)) is not None]
        return "; ".join(reasons) or None


class Unsafe(RingfenceError):
    """What was read cannot be trusted, so nothing may be removed because of it."""


class NotDeployed(Permanent):
    """The Region answered that it has no Ringfence table."""


class Conflict(Retry):
    """Another invocation wrote a row first, so the observation may be old. Observe again.

    `minimum_versions` maps the key of each roster to the version that our next row must exceed or reach: the version
    in the table that refused the write, or the next one if that row differs from ours at the same version.
    """

    def __init__(self, message: str, minimum_versions: Mapping[RosterKey, int]) -> None:
        super().__init__(message)
        self.minimum_versions = minimum_versions


class Refusal(Enum):
    """Why a security group refused a call, as far as the next step depends on it."""

    DUPLICATE = "duplicate"  # the rule exists already: the reading is old
    NOT_FOUND = "not-found"  # the rule does not exist any more: the reading is old
    QUOTA = "quota"  # the group has no room
    MALFORMED = "malformed"  # EC2 does not accept one of the rules
    UNCONFIRMED = "unconfirmed"  # AWS does not show the member at the moment, so no call was made


class Refused(RingfenceError):
    """A security group refused a call. No document says whether it changed a part of what was asked."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
