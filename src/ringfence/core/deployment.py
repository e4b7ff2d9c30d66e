"""What must be there for a configuration to work: the Auto Scaling groups, and the security groups with their tag.

Pure. Knows nothing of how it is looked up, nor of who is told.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region, SecurityGroupId

CLUSTER_TAG = "ringfence-cluster"
"""The tag of the security groups that may be changed. See docs/decisions/0012."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """The groups that a configuration names."""

    region: Region
    cluster: str
    auto_scaling_groups: tuple[str, ...]
    security_groups: tuple[SecurityGroupId, ...]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of the settings."""
        return cls(settings.region, settings.cluster, settings.auto_scaling_groups, settings.security_groups)


@dataclass(frozen=True, slots=True)
class Existing:
    """The groups that exist in a Region. A security group has the cluster that its tag names, None without the tag."""

    auto_scaling_groups: Collection[str]
    security_groups: Mapping[SecurityGroupId, str | None]


def unmet(requirements: Requirements, existing: Existing) -> list[str]:
    """What is missing, in one sentence each, with what to do."""
    region, cluster = requirements.region, requirements.cluster
    missing = [
        f"the Auto Scaling group {name} does not exist in {region}: correct AutoScalingGroups"
        for name in requirements.auto_scaling_groups
        if name not in existing.auto_scaling_groups
    ]
    for group in requirements.security_groups:
        if group not in existing.security_groups:
            missing.append(f"the security group {group} does not exist in {region}: correct SecurityGroups")
        elif (tag := existing.security_groups[group]) != cluster:
            has = "no tag" if tag is None else f"the value {tag} in the tag"
            missing.append(f"the security group {group} has {has} {CLUSTER_TAG}: give it the value {cluster}")
    return missing
