"""The document of `ringfence pause --json` and `ringfence resume --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region


@dataclass(frozen=True, slots=True)
class PauseItem:
    """The pause of one Region, or its end."""

    region: str
    """The Region."""
    paused: bool
    """Whether the Region is paused now."""
    by: str | None
    """The ARN of who paused or resumed it; null if the row does not say."""
    since: str | None
    """When, in UTC: 2026-11-23T15:00:03Z; null if the row does not say."""
    reason: str
    """Why it was paused; empty if no reason was given."""
    unchanged: bool
    """Whether it was so already, so that nothing was written."""
    tables: Sequence[str]
    """The Regions whose engines know it now."""
    failed: Mapping[Region, str]
    """The Regions whose tables could not be read or written, each with the reason."""
    ignored_by: Sequence[str]
    """The Regions whose engines are of version 0.1, which does not know pauses."""


@dataclass(frozen=True, slots=True)
class PauseDocument:
    """What `ringfence pause --json` and `ringfence resume --json` print."""

    schema: Literal["ringfence.pause/1"] = field(default="ringfence.pause/1", init=False)
    """The name and version of this document."""
    regions: Sequence[PauseItem]
    """One item for each Region that was to be paused or resumed."""
    failed: Mapping[Region, str]
    """The Regions in which the true-up that follows failed, each with the reason. The schedule runs the next one."""
