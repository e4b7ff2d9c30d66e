"""What a Region has that could be a cluster's: Auto Scaling groups, and the security groups of their instances.

Only reads. Knows no terminal and no file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.model import Region
from ringfence.settings import AddressKind
from ringfence_ops.sessions import Aws, Unreachable


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a Region has. Names are sorted."""

    auto_scaling_groups: tuple[str, ...]
    security_groups: tuple[str, ...]
    address_kinds: frozenset[AddressKind]


def discover(
    aws: Aws, regions: Sequence[Region], names: Sequence[str] = ()
) -> Mapping[Region, Discovered | Unreachable]:
    """What each Region has; with `names`, of these Auto Scaling groups alone. Raises Refused without credentials."""
    return aws.each_region(regions, lambda region: _discover(aws, region, names))


def _discover(aws: Aws, region: Region, names: Sequence[str]) -> Discovered:
    groups = [
        group
        for page in aws.client("autoscaling", region).get_paginator("describe_auto_scaling_groups").paginate()
        for group in page["AutoScalingGroups"]
        if not names or group["AutoScalingGroupName"] in names
    ]
    instances = _instances(aws, region, [each["InstanceId"] for group in groups for each in group["Instances"]])
    return Discovered(
        auto_scaling_groups=tuple(sorted(group["AutoScalingGroupName"] for group in groups)),
        security_groups=tuple(
            sorted({group["GroupId"] for instance in instances for group in instance.get("SecurityGroups", ())})
        ),
        address_kinds=frozenset(kind for instance in instances for kind in _kinds(instance)),
    )


def _instances(aws: Aws, region: Region, ids: Sequence[str]) -> list[dict[str, Any]]:
    if not ids:  # no filter would mean every instance
        return []
    pages = aws.client("ec2", region).get_paginator("describe_instances").paginate(InstanceIds=list(ids))
    return [instance for page in pages for each in page["Reservations"] for instance in each["Instances"]]


def _kinds(instance: Mapping[str, Any]) -> set[AddressKind]:
    """What a peer could know the instance by: its public address, or the private one where there is no public one."""
    kinds = {AddressKind.PUBLIC_IPV4 if instance.get("PublicIpAddress") else AddressKind.PRIVATE_IPV4}
    if any(interface.get("Ipv6Addresses") for interface in instance.get("NetworkInterfaces", ())):
        kinds.add(AddressKind.IPV6)
    return kinds
