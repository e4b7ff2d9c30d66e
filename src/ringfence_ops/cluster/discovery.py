"""Finds what a cluster could be made of: Auto Scaling groups, the security groups that their instances use, addresses.

Changes nothing. Raises what botocore raises. Knows no terminal.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence_ops.aws.sessions import Aws, Unreachable


@dataclass(frozen=True, slots=True)
class FoundSecurityGroup:
    """A security group. `admits_itself` says that it has rules whose source is itself."""

    id: SecurityGroupId
    name: str
    admits_itself: bool


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """An Auto Scaling group with the security groups of all its instances, or of its launch template where it has no
    instance; and the kinds of address by which its instances can be reached."""

    name: str
    instances: int
    security_groups: tuple[FoundSecurityGroup, ...]
    kinds: frozenset[AddressKind]


def enabled_regions(aws: Aws, asked: Region) -> list[Region]:
    """The Regions that the account can use, as one of them says: those of its own partition."""
    answer = aws.client("ec2", asked).describe_regions()
    return sorted(Region(one["RegionName"]) for one in answer["Regions"])


def discover(aws: Aws, regions: Sequence[Region]) -> Mapping[Region, list[FoundGroup] | Unreachable]:
    """The Auto Scaling groups of each Region."""
    for service in ("ec2", "autoscaling"):  # in one thread: the first client of a service reads its model
        aws.client(service, regions[0])
    return aws.each_region(regions, lambda region: _groups(aws, region))


def _groups(aws: Aws, region: Region) -> list[FoundGroup]:
    autoscaling, ec2 = aws.client("autoscaling", region), aws.client("ec2", region)
    pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
    groups = [group for page in pages for group in page["AutoScalingGroups"]]
    described = _instances(ec2, [one["InstanceId"] for group in groups for one in group["Instances"]])
    found = []
    for group in groups:
        own = [described[one["InstanceId"]] for one in group["Instances"] if one["InstanceId"] in described]
        ids = _common(own) if own else _of_template(ec2, group)
        security_groups = tuple(_security_groups(ec2, ids))
        found.append(FoundGroup(group["AutoScalingGroupName"], len(own), security_groups, frozenset(map(_kind, own))))
    return found


def _instances(ec2: Any, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    pages = ec2.get_paginator("describe_instances").paginate(InstanceIds=list(ids))
    return {one["InstanceId"]: one for page in pages for each in page["Reservations"] for one in each["Instances"]}


def _common(instances: Sequence[Mapping[str, Any]]) -> list[str]:
    """The security groups that all of the instances have."""
    counts = Counter(each["GroupId"] for one in instances for each in one.get("SecurityGroups", []))
    return [id for id, count in counts.items() if count == len(instances)]


def _of_template(ec2: Any, group: Mapping[str, Any]) -> list[str]:
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("LaunchTemplateSpecification")
    template = group.get("LaunchTemplate") or mixed
    if not template:
        return []
    versions = [template.get("Version", "$Default")]
    answer = ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"], Versions=versions)
    launched = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    of_interfaces = [id for each in launched.get("NetworkInterfaces", []) for id in each.get("Groups", [])]
    return list(dict.fromkeys([*launched.get("SecurityGroupIds", []), *of_interfaces]))


def _security_groups(ec2: Any, ids: Iterable[str]) -> Iterator[FoundSecurityGroup]:
    wanted = sorted(ids)
    for one in ec2.describe_security_groups(GroupIds=wanted)["SecurityGroups"] if wanted else ():
        sources = [pair.get("GroupId") for rule in one["IpPermissions"] for pair in rule.get("UserIdGroupPairs", [])]
        yield FoundSecurityGroup(SecurityGroupId(one["GroupId"]), one["GroupName"], one["GroupId"] in sources)


def _kind(instance: Mapping[str, Any]) -> AddressKind:
    """By which address a member is most likely reached over Regions: a public IPv4 one, where it has one."""
    if instance.get("PublicIpAddress"):
        return AddressKind.PUBLIC_IPV4
    if any(each.get("Ipv6Addresses") for each in instance.get("NetworkInterfaces", [])):
        return AddressKind.IPV6
    return AddressKind.PRIVATE_IPV4
