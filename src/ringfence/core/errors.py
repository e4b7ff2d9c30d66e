"""The engine's errors, named by what the caller does next.

Knows no AWS error code (`aws.error_codes` translates those) and no way to recover.
"""

from collections.abc import Mapping, Sequence
from enum import Enum

from ringfence.core.events import Event, Launching, Terminating
from ringfence.core.model.identifiers import RosterKey
from ringfence.core.model.rosters import Roster


class RingfenceError(Exception):
    """An error that the engine raises on purpose. Its text tells an operator what happened, why, and what to do."""


class Retry(RingfenceError):
    """The same call may work later: it was throttled, got no answer, or was overtaken by another invocation."""


class Throttled(Retry):
    """AWS refused the call because there were too many. More calls would make it worse."""


class Permanent(RingfenceError):
    """The same call fails again until someone changes the configuration or a permission.

    `event` is the only event that is affected, or None. Else `groups` names the Auto Scaling groups that are affected.
    If it is empty, all groups of the Region are.
    """

    def __init__(self, message: str, groups: frozenset[str] = frozenset(), *, event: Event | None = None) -> None:
        super().__init__(message)
        self.groups = groups
        self.event = event

    is_denial = False
    """Whether the caller lacks a permission."""

    def reason_for(self, event: Event, now: float) -> str | None:
        """Why no delivery of the event can succeed, or None if the error is not about the event.

        None, too, for a denial while the event is new: its hook holds the instance, and a true-up tries again. `now` is
        in epoch seconds.
        """
        may_pass = self.is_denial and _is_new(event, now)
        return str(self) if self._is_about(event) and not may_pass else None

    def _is_about(self, event: Event) -> bool:
        if self.event is not None:
            return event == self.event
        if not isinstance(event, Launching | Terminating):
            return False
        return not self.groups or event.group in self.groups


class Denied(Permanent):
    """The caller lacks the permission."""

    is_denial = True


POLICIES_ARE_NEW = 300
"""Seconds from a lifecycle event during which a denial may pass by itself. The hooks of a stack exist before all of its
policies do, and a policy takes a while to reach all of AWS. Source: IAM User Guide, "Troubleshoot IAM", "Changes that I
make are not always immediately visible"; it names no time."""


def _is_new(event: Event, now: float) -> bool:
    """Whether the event is a lifecycle event that may be older than the policies of its stack."""
    return isinstance(event, Launching | Terminating) and event.time is not None and now - event.time < POLICIES_ARE_NEW


class CannotAdmit(Permanent):
    """A Region can admit no instance until someone changes something. It still releases departed instances."""

    def reason_for(self, event: Event, now: float) -> str | None:
        """See `Permanent.reason_for`. A termination is not affected."""
        return super().reason_for(event, now) if isinstance(event, Launching) else None


class HookNotAnswered(Permanent):
    """One waiting hook cannot be answered because of another error. `event` named the wait, or is None."""

    def __init__(self, cause: Permanent, event: Event | None) -> None:
        super().__init__(str(cause), event=event)
        self.is_denial = cause.is_denial

    def _is_about(self, event: Event) -> bool:
        """Without an event of its own, the error is about no event."""
        return self.event is not None and event == self.event


class Several(Permanent):
    """Several permanent errors of one reconcile, each with what it is about."""

    def __init__(self, errors: Sequence[Permanent]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = tuple(errors)

    def reason_for(self, event: Event, now: float) -> str | None:
        """See `Permanent.reason_for`."""
        reasons = [reason for error in self.errors if (reason := error.reason_for(event, now)) is not None]
        return "; ".join(reasons) or None


class Unsafe(RingfenceError):
    """What was read cannot be trusted, so nothing may be removed because of it."""


class NotDeployed(Permanent):
    """The Region answered that it has no Ringfence table."""


class NotAnnounced(RingfenceError):
    """The Region has a table, and its engine has not announced yet which security groups it has.

    `is_new` says that the table is so young that its deployment is probably in progress. `may_have` says that the table
    has rows of the Region that cannot be read, so that the Region may have announced them.
    """

    def __init__(self, message: str, *, is_new: bool, may_have: bool = False) -> None:
        super().__init__(message)
        self.is_new = is_new
        self.may_have = may_have


class Conflict(Retry):
    """Another invocation wrote a row first, so the observation may be old. Observe again.

    `minimum_versions` maps the key of each roster to the version that our next row must exceed or reach: the version
    in the table that refused the write, or the next one if that row differs from ours at the same version. `copies`
    are the rosters of ours that a peer has and the home table lacks.
    """

    def __init__(
        self,
        message: str,
        minimum_versions: Mapping[RosterKey, int],
        copies: Mapping[RosterKey, Roster] | None = None,
    ) -> None:
        super().__init__(message)
        self.minimum_versions = minimum_versions
        self.copies = copies or {}


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
