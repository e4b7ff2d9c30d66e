"""The names of things: Regions, instances, security groups, rules, prefix lists and rosters."""

from dataclasses import dataclass
from typing import NewType

Region = NewType("Region", str)
InstanceId = NewType("InstanceId", str)
SecurityGroupId = NewType("SecurityGroupId", str)
RuleId = NewType("RuleId", str)
PrefixListId = NewType("PrefixListId", str)

ANNOUNCEMENT = "(region)"
"""In the key of a Region's announcement, this is in the place of the Auto Scaling group. No group has such a name."""

STATIC = "(static)"
"""In the label of a static member's rule, this is in the place of the Auto Scaling group. No group has such a name."""


@dataclass(frozen=True, slots=True, order=True)
class RosterKey:
    """The name of a roster: an Auto Scaling group in its home Region."""

    region: Region
    asg: str

    @property
    def is_announcement(self) -> bool:
        """Whether the row is the announcement of its Region, not the roster of a group."""
        return self.asg == ANNOUNCEMENT

    def __str__(self) -> str:
        return f"{self.region}/{self.asg}"


RosterInstance = tuple[RosterKey, str]
"""An instance as a rule's label names it: its roster, and its id."""
