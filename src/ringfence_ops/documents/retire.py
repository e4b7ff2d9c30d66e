"""The document of `ringfence retire --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region
from ringfence_ops.documents.deploy import StackItem


@dataclass(frozen=True, slots=True)
class RetireDocument:
    """What `ringfence retire --json` prints."""

    schema: Literal["ringfence.retire/1"] = field(default="ringfence.retire/1", init=False)
    """The name and version of this document."""
    region: str
    """The Region that leaves."""
    stacks: Sequence[StackItem]
    """The changes in the other Regions."""
    rules_elsewhere: int
    """The number of rules of its members in the other Regions' groups."""
    stack_stays: bool
    """Whether the Region's own stack, rules and audit log stay, by --leave-stack."""
    rules_in_its_own_groups: int | None
    """The number of rules that Ringfence made in its own groups; null if the Region does not answer."""
    history: str | None
    """The file in which the Region's audit log was saved; null if none was."""
    done: Sequence[str]
    """What was done, step by step; empty if nothing was."""
    failed: Mapping[Region, str]
    """The Regions in which the command failed, each with the reason."""
