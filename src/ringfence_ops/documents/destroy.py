"""The document of `ringfence destroy --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region


@dataclass(frozen=True, slots=True)
class DestroyedRegionItem:
    """A Region without a stack."""

    region: str
    """The Region."""
    outcome: str
    """What was done."""
    rules_removed: int
    """The number of Ringfence's own rules that were removed."""
    rules_left: int
    """The number of Ringfence's own rules that are still in the security groups."""


@dataclass(frozen=True, slots=True)
class DestroyDocument:
    """What `ringfence destroy --json` prints."""

    schema: Literal["ringfence.destroy/1"] = field(default="ringfence.destroy/1", init=False)
    """The name and version of this document."""
    regions: Sequence[DestroyedRegionItem]
    """One item for each Region whose stack is gone."""
    failed: Mapping[Region, str]
    """The Regions in which the command failed, each with the reason."""
    history: str | None
    """The file in which the audit log was saved; null if none was."""
