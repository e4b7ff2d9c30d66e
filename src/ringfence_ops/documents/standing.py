"""How a Region stands, in the documents of several commands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.standing import Reason, Standing, State


@dataclass(frozen=True, slots=True)
class ReasonItem:
    """Why a Region is not in sync."""

    state: State
    """The state that follows from the reason."""
    part: str
    """What it is about."""
    why: str
    """What was found."""
    fix: str
    """The command that mends it, or what to do."""


@dataclass(frozen=True, slots=True)
class StandingItem:
    """How a Region stands."""

    region: Region
    """The Region."""
    state: State
    """The worst state of all reasons; `in sync` without any."""
    reasons: Sequence[ReasonItem]
    """The reasons, the worst first."""


def reason_items(reasons: Iterable[Reason]) -> list[ReasonItem]:
    """The reasons for programs."""
    return [ReasonItem(reason.state, reason.part, reason.why, reason.fix) for reason in reasons]


def standing_items(standings: Iterable[Standing]) -> list[StandingItem]:
    """The standings for programs."""
    return [StandingItem(one.region, one.state, reason_items(one.reasons)) for one in standings]
