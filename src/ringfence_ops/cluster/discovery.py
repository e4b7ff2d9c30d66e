"""Finds what a cluster could be made of: Auto Scaling groups, the security groups that their instances use, addresses.

A group, an instance or a launch template that cannot be described costs the others nothing. Changes nothing. Raises
what botocore raises. Knows no terminal.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import unknown_instances
from ringfence.core.deployment import CLUSTER_TAG
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence_ops.aws.errors import in_one_line
from ringfence_ops.aws.sessions import Aws, Unreachable

Described = Mapping[str, Any]
"""What AWS answers of one group or instance."""

_GONE = ("shutting-down", "terminated")


@dataclass(frozen=True, slots=True)
class FoundSecurityGroup:
    """A security group. `admits_itself` says that it has rules whose source is itself. `owner` is the cluster that its
    tag names. `instances` is the number of its Auto Scaling group's instances that have it."""

    id: SecurityGroupId
    name: str
    admits_itself: bool
    owner: str | None = None
    instances: int = 0


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """An Auto Scaling group with the security groups of its instances, or of its launch template where it has no
    instance; and the kinds of address by which its instances can be reached.

    `problem` says why the rest is not known.
    """

    name: str
    instances: int
    security_groups: tuple[FoundSecurityGroup, ...] = ()
    kinds: frozenset[AddressKind] = frozenset()
    problem: str | None = None


def enabled_regions(aws: Aws, asked: Region) -> list[Region]:
    """The Regions that the account can use, as one of them says: those of its own partition."""
    answer = aws.client("ec2", asked).describe_regions()
    return sorted(Region(one["RegionName"]) for one in answer["Regions"])


def discover(
    aws: Aws, regions: Sequence[Region], only: Collection[str] = ()
) -> Mapping[Region, list[FoundGroup] | Unreachable]:
    """The Auto Scaling groups of each Region. With `only`, no more than the names is found of the other groups."""
    for service in ("ec2", "autoscaling"):  # in one thread: the first client of a service reads its model
        aws.client(service, regions[0])
    return aws.each_region(regions, lambda region: _groups(aws, region, only))


def _groups(aws: Aws, region: Region, only: Collection[str]) -> list[FoundGroup]:
    autoscaling, ec2 = aws.client("autoscaling", region), aws.client("ec2", region)
    pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
    groups = [group for page in pages for group in page["AutoScalingGroups"]]
    wanted = [group for group in groups if not only or group["AutoScalingGroupName"] in only]
    described = _described(ec2, wanted)
    return [
        _group(ec2, group, described.get(group["AutoScalingGroupName"], "it was not asked for")) for group in groups
    ]


def _described(ec2: Any, groups: Sequence[Described]) -> Mapping[str, list[Described] | str]:
    """The instances of each group by its name, or why they cannot be described."""
    try:
        found = _instances(ec2, groups)
    except ClientError:
        return {group["AutoScalingGroupName"]: _described_alone(ec2, group) for group in groups}
    return {group["AutoScalingGroupName"]: [found[id] for id in _ids([group]) if id in found] for group in groups}


def _described_alone(ec2: Any, group: Described) -> list[Described] | str:
    try:
        return list(_instances(ec2, [group]).values())
    except ClientError as error:
        return in_one_line(error)


def _group(ec2: Any, group: Described, own: list[Described] | str) -> FoundGroup:
    name, count = group["AutoScalingGroupName"], len(group["Instances"])
    if isinstance(own, str):
        return FoundGroup(name, count, problem=own)
    try:
        counts = _shared(own) if own else dict.fromkeys(_of_template(ec2, group), 0)
        security_groups = tuple(_security_groups(ec2, counts))
    except ClientError as error:
        return FoundGroup(name, count, problem=in_one_line(error))
    return FoundGroup(name, len(own), security_groups, frozenset(map(_kind, own)))


def _ids(groups: Iterable[Described]) -> list[str]:
    return [one["InstanceId"] for group in groups for one in group["Instances"]]


def _instances(ec2: Any, groups: Iterable[Described]) -> dict[str, Described]:
    """The instances of the groups that are not gone, by id. One that EC2 does not know is left out."""
    ids = _ids(groups)
    while ids:
        try:
            pages = ec2.get_paginator("describe_instances").paginate(InstanceIds=ids)
            found = [one for page in pages for each in page["Reservations"] for one in each["Instances"]]
        except ClientError as error:
            unknown = unknown_instances(error) & set(ids)
            if not unknown:
                raise
            ids = [id for id in ids if id not in unknown]
        else:
            return {one["InstanceId"]: one for one in found if one["State"]["Name"] not in _GONE}
    return {}


def _shared(instances: Sequence[Described]) -> dict[str, int]:
    """The security groups that all of the instances have, or if there are none, most of them; with their numbers."""
    counts = Counter(each["GroupId"] for one in instances for each in one.get("SecurityGroups", []))
    common = {id: count for id, count in counts.items() if count == len(instances)}
    return common or {id: count for id, count in counts.items() if 2 * count > len(instances)}


def _of_template(ec2: Any, group: Described) -> list[str]:
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("LaunchTemplateSpecification")
    template = group.get("LaunchTemplate") or mixed
    if not template:
        return []
    named = {key: template[key] for key in ("LaunchTemplateId", "LaunchTemplateName") if key in template}
    which = dict(list(named.items())[:1])  # one of the two, as the call demands
    answer = ec2.describe_launch_template_versions(**which, Versions=[template.get("Version", "$Default")])
    launched = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    of_interfaces = [id for each in launched.get("NetworkInterfaces", []) for id in each.get("Groups", [])]
    return list(dict.fromkeys([*launched.get("SecurityGroupIds", []), *of_interfaces]))


def _security_groups(ec2: Any, counts: Mapping[str, int]) -> Iterator[FoundSecurityGroup]:
    """Those that exist: a template can name one that was deleted."""
    wanted = [{"Name": "group-id", "Values": sorted(counts)}]
    for one in ec2.describe_security_groups(Filters=wanted)["SecurityGroups"] if counts else ():
        sources = [pair.get("GroupId") for rule in one["IpPermissions"] for pair in rule.get("UserIdGroupPairs", [])]
        owner = next((tag["Value"] for tag in one.get("Tags", ()) if tag["Key"] == CLUSTER_TAG), None)
        id = SecurityGroupId(one["GroupId"])
        yield FoundSecurityGroup(id, one["GroupName"], id in sources, owner, counts[id])


def _kind(instance: Described) -> AddressKind:
    """By which address a member is most likely reached over Regions: a public IPv4 one, where it has one.

    Wavelength and Outposts have kinds of their own.
    """
    associations = [each.get("Association", {}) for each in instance.get("NetworkInterfaces", [])]
    if any(each.get("CarrierIp") for each in associations):
        return AddressKind.CARRIER_IPV4
    if any(each.get("CustomerOwnedIp") for each in associations):
        return AddressKind.CUSTOMER_OWNED_IPV4
    if instance.get("PublicIpAddress"):
        return AddressKind.PUBLIC_IPV4
    if any(each.get("Ipv6Addresses") for each in instance.get("NetworkInterfaces", [])):
        return AddressKind.IPV6
    return AddressKind.PRIVATE_IPV4
