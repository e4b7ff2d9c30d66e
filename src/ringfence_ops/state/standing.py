"""How a Region stands: the words for it, and the order of them.

`standings` decides it, and `status`, `plan`, `sync`, `doctor`, `explain` and their exit codes show it. A Region stands
at its worst reason, and it is in sync only if everything was seen and no reason was found. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.model.identifiers import Region


class State(StrEnum):
    """How a Region stands, the worst first."""

    UNKNOWN = "unknown"  # a part could not be seen, so nothing is said of it
    FAILING = "failing"  # the engine does not work here, or no event reaches it
    OPEN = "open"  # a security group admits an address that no member explains
    LACKING = "lacking"  # a security group does not admit a member
    WAITING = "waiting"  # something is under way and ends by itself, or waits for an operator's confirmation
    PAUSED = "paused"  # an operator stopped all changes
    OBSERVED = "observed"  # the cluster file says mode = "observe": nothing is changed
    IN_SYNC = "in sync"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(State).index(self)


SHOWN = 5
"""Maximum reasons of one kind in a Region; one more says how many there are."""

REGION = "Region"
"""The part of the one reason of a Region that does not answer."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a Region is not in sync. `part` is what it is about, such as `hooks`: a check of `doctor` has the same name.

    `fix` is the command that fixes it, word for word, or what to do where no command can.
    """

    state: State
    part: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a Region stands, with all reasons, the worst first. `answers` is False if it could not be read at all."""

    region: Region
    reasons: tuple[Reason, ...] = ()
    answers: bool = True

    @property
    def state(self) -> State:
        """The worst state of all reasons."""
        return self.reasons[0].state if self.reasons else State.IN_SYNC

    def of(self, part: str) -> tuple[Reason, ...]:
        """The reasons of one part."""
        return tuple(reason for reason in self.reasons if reason.part == part)


def standing(region: Region, reasons: Iterable[Reason], *, answers: bool = True) -> Standing:
    """How a Region with these reasons stands. Of equal reasons, one is kept."""
    distinct = list(dict.fromkeys(reasons))
    return Standing(region, tuple(sorted(distinct, key=lambda reason: reason.state.rank)), answers)


def unseen(part: str, why: str) -> Reason:
    """The part could not be read, so it is not judged."""
    return Reason(State.UNKNOWN, part, f"not checked: {why}", "grant the permission to read it, or try again")


def failing(part: str, why: str, fix: str) -> Reason:
    """The engine does not work, or gets no events, because of the part."""
    return Reason(State.FAILING, part, why, fix)


def unreachable(why: str) -> Reason:
    """The reason of a Region that does not answer."""
    fix = "see AWS's health dashboard; the other Regions continue, and record what this one misses"
    return Reason(State.UNKNOWN, REGION, f"unreachable: {why}", fix)


def exit_code(standings: Iterable[Standing]) -> int:
    """0 if all Regions are in sync, 2 if one is in another state, 1 if one does not answer."""
    standings = list(standings)
    if not all(one.answers for one in standings):
        return 1
    return 0 if all(one.state is State.IN_SYNC for one in standings) else 2


def some(part: str, reasons: Sequence[Reason]) -> Iterator[Reason]:
    """The first few reasons of a kind, and how many more there are."""
    yield from reasons[:SHOWN]
    if (more := len(reasons) - SHOWN) > 0:
        yield Reason(reasons[SHOWN].state, part, f"and {more} more", reasons[SHOWN].fix)
