"""Instance refreshes that replace root volumes: what is refused, which instance is next, and how one ends.

Sources: Amazon EC2 Auto Scaling User Guide, "Replace root volumes during instance refresh"; API Reference,
StartInstanceRefresh and DescribeInstanceRefreshes. No document has the wording of the refusals. Assumed: one instance
after the other. Not modelled: the strategy Rolling, preferences, and that the group gets the desired configuration. It
must not know how an instance moves through its lifecycle.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup as Group

REPLACE_ROOT_VOLUME = "ReplaceRootVolume"
_FLOATING = ("$Latest", "$Default")


@dataclass(slots=True)
class InstanceRefresh:
    """One refresh of a group. `remaining` are the instances that wait for their turn, `current` is the one that has it,
    or None at the end."""

    group: str
    remaining: list[str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    current: str | None = None

    def next(self, present: Sequence[str]) -> str | None:
        """The instance whose turn it is now, or None if all that are present had theirs."""
        self.current = next((id for id in self.remaining if id in present), None)
        if self.current is None:
            self.remaining, self.status = [], "Successful"
        else:
            self.remaining = self.remaining[self.remaining.index(self.current) + 1 :]
        return self.current

    def described(self) -> dict[str, Any]:
        """The refresh as DescribeInstanceRefreshes shows it."""
        to_update = len(self.remaining) + (self.current is not None)
        return {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group,
            "Status": self.status,
            "InstancesToUpdate": to_update,
            "Strategy": REPLACE_ROOT_VOLUME,
        }


@dataclass(slots=True)
class InstanceRefreshes:
    """All refreshes, the oldest first."""

    _refreshes: list[InstanceRefresh] = field(default_factory=list)

    def start(self, group: Group, instances: Sequence[str]) -> InstanceRefresh:
        """A new refresh of these instances. Raises ValidationError if another one of the group is in progress."""
        if self.active(group.name) is not None:
            raise ValidationError("An Instance Refresh is already in progress and blocks the execution of this one.")
        self._refreshes.append(InstanceRefresh(group.name, list(instances)))
        return self._refreshes[-1]

    def active(self, group: str) -> InstanceRefresh | None:
        """The refresh of a group that is in progress."""
        return next((found for found in self._refreshes if found.group == group and found.status == "InProgress"), None)

    def of(self, group: str) -> list[InstanceRefresh]:
        """The refreshes of a group, the latest first."""
        return [found for found in reversed(self._refreshes) if found.group == group]


def require_replaceable(group: Group, asked: Mapping[str, Any]) -> None:
    """Raises ValidationError if AWS would not start to replace the root volumes of a group's instances."""
    if asked.get("Strategy", "Rolling") != REPLACE_ROOT_VOLUME:
        raise ValidationError(f"The lab knows no other strategy of an instance refresh than {REPLACE_ROOT_VOLUME}.")
    if group.warm_pool is not None:
        raise ValidationError(f"The group {group.name} has a warm pool, so its root volumes cannot be replaced.")
    policy = asked.get("DesiredConfiguration", {}).get("MixedInstancesPolicy")
    if not group.mixed_instances_policy or not policy:
        raise ValidationError("The group and the desired configuration must have a mixed instances policy.")
    template = policy["LaunchTemplate"]
    if any(version in _FLOATING for version in _versions(group.mixed_instances_policy["LaunchTemplate"], template)):
        raise ValidationError(f"The version of the launch template must not be {' or '.join(_FLOATING)}.")
    overrides = template.get("Overrides", [])
    if not overrides or not all(override.get("ImageId") for override in overrides):
        raise ValidationError("Every override of the desired configuration must have an ImageId.")


def _versions(*templates: Mapping[str, Any]) -> Iterator[str]:
    for template in templates:
        yield str(template["LaunchTemplateSpecification"].get("Version", "$Default"))
