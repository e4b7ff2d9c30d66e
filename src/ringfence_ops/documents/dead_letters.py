"""The document of `ringfence dead-letters --json` and of its subcommands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region


@dataclass(frozen=True, slots=True)
class DeadLetterItem:
    """A message that the engine could not handle."""

    region: str
    """The Region of its queue."""
    id: str
    """The message's id."""
    at: str
    """When it was sent, in UTC: 2026-11-23T15:00:03Z."""
    what: str
    """What it is, in words."""
    instance: str | None
    """The instance that it is about; null if it is no lifecycle event."""
    why: str
    """Why the engine gave it up."""
    body: str
    """Its body."""
    changes: str
    """What the engine had to do to its body: escaped, truncated or empty. Otherwise an empty text."""
    outcome: Literal["kept", "sent back", "discarded"]
    """What the command did with it."""
    problem: str | None
    """Why it is still there although it was to be sent back or discarded; otherwise null."""


@dataclass(frozen=True, slots=True)
class DeadLettersDocument:
    """What `ringfence dead-letters --json` prints."""

    schema: Literal["ringfence.dead_letters/1"] = field(default="ringfence.dead_letters/1", init=False)
    """The name and version of this document."""
    letters: Sequence[DeadLetterItem]
    """The dead letters that the queues show, oldest first in each Region. A queue shows at most ten."""
    others: Mapping[Region, int]
    """The approximate number of further dead letters in each Region that has some."""
    failed: Mapping[Region, str]
    """The Regions whose queues could not be read, each with the reason."""
