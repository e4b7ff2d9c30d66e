"""The document of `ringfence adopt --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.adoption import WhyForeign


@dataclass(frozen=True, slots=True)
class AdoptedRuleItem:
    """A rule that is adopted."""

    region: str
    """The Region."""
    security_group: str
    """The security group's id."""
    rule: str
    """The rule's id."""
    address: str
    """The CIDR that the rule admits."""
    ports: str
    """The ports."""
    was: str
    """The description that the rule had."""
    description: str
    """The label that the rule gets."""
    adopted: bool
    """Whether the rule was adopted: false without confirmation, or if the rule changed in the meantime."""


@dataclass(frozen=True, slots=True)
class ForeignRuleItem:
    """A rule that stays foreign."""

    region: str
    """The Region."""
    security_group: str
    """The security group's id."""
    rule: str
    """The rule's id."""
    address: str
    """The CIDR that the rule admits."""
    ports: str
    """The ports."""
    description: str
    """The rule's description."""
    why: WhyForeign
    """Why the rule stays foreign."""


@dataclass(frozen=True, slots=True)
class AdoptDocument:
    """What `ringfence adopt --json` prints."""

    schema: Literal["ringfence.adopt/1"] = field(default="ringfence.adopt/1", init=False)
    """The name and version of this document."""
    rules: Sequence[AdoptedRuleItem]
    """The foreign rules that match the rosters exactly."""
    left: Sequence[ForeignRuleItem]
    """The foreign rules that stay foreign."""
    failed: Mapping[Region, str]
    """The Regions in which the command failed, each with the reason."""
