"""The document of `ringfence sync --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region
from ringfence_ops.documents.plan import ChangeItem, StandingItem


@dataclass(frozen=True, slots=True)
class TrueUpItem:
    """The true-up of one Region."""

    region: str
    """The Region whose engine reconciled."""
    added: int
    """The number of rules added."""
    removed: int
    """The number of rules removed."""
    relabelled: int
    """The number of rules with a new description."""
    held: int
    """The number of removals that the guard holds."""
    refused: int
    """The number of rules that EC2 refused."""
    seconds: float
    """The duration."""
    changes: Sequence[ChangeItem]
    """Each change, where the engine ran locally; empty otherwise."""
    problems: Sequence[str]
    """The other problems."""
    failure: str | None
    """Why the true-up failed; null if it succeeded."""


@dataclass(frozen=True, slots=True)
class SyncDocument:
    """What `ringfence sync --json` prints."""

    schema: Literal["ringfence.sync/1"] = field(default="ringfence.sync/1", init=False)
    """The name and version of this document."""
    regions: Sequence[TrueUpItem]
    """One item for each Region that answered."""
    standings: Sequence[StandingItem]
    """How each of these Regions stands afterwards."""
    failed: Mapping[Region, str]
    """The Regions in which no true-up started or none ended in time, each with the reason."""
