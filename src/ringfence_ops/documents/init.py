"""The document of `ringfence init --json`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class ClusterRegionItem:
    """A Region of the cluster."""

    region: str
    """The Region."""
    auto_scaling_groups: Sequence[str]
    """The Auto Scaling groups whose instances are members."""
    security_groups: Sequence[str]
    """The ids of the security groups that Ringfence manages."""
    alarm_topic: str | None
    """The ARN of the SNS topic that its alarms notify; null for none."""


@dataclass(frozen=True, slots=True)
class InitDocument:
    """What `ringfence init --json` prints."""

    schema: Literal["ringfence.init/1"] = field(default="ringfence.init/1", init=False)
    """The name and version of this document."""
    file: str
    """The file that was written."""
    name: str
    """The cluster's name."""
    address_kinds: Sequence[str]
    """The kinds of addresses that are admitted."""
    regions: Sequence[ClusterRegionItem]
    """One item for each Region."""
