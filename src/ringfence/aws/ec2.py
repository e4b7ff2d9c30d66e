"""The `Instances` and `SecurityGroups` interfaces on Amazon EC2."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringfence.aws.error_codes import translated
from ringfence.core.model.addresses import AddressKind, Cidr, host, is_ipv6, network
from ringfence.core.model.identifiers import InstanceId, PrefixListId, Region, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.observation import Described, Instance, Power
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixList, PrefixLists

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        InstanceNetworkInterfaceTypeDef,
        InstanceTypeDef,
        IpPermissionTypeDef,
        ManagedPrefixListTypeDef,
        SecurityGroupRuleTypeDef,
    )

GROUP_TAG = "aws:autoscaling:groupName"
FILTER_VALUES = 200
"""Maximum values per filter. Source: EC2 API, `Filter`."""
PAGE = 1000
"""Maximum page size of DescribeInstances, DescribeSecurityGroups and DescribeSecurityGroupRules. Source: EC2 API."""

_POWER = {
    "pending": Power.PENDING,
    "running": Power.RUNNING,
    "stopping": Power.STOPPED,
    "stopped": Power.STOPPED,
    "shutting-down": Power.TERMINATED,
    "terminated": Power.TERMINATED,
}


@dataclass(frozen=True, slots=True)
class AwsInstances:
    """A Region's instances. See `interfaces.Instances`."""

    client: "EC2Client"
    region: Region

    def of_groups(self, names: Sequence[str]) -> Mapping[InstanceId, Instance]:
        """See `interfaces.Instances.of_groups`."""
        return _usable(self._described(f"tag:{GROUP_TAG}", names))

    def by_id(self, ids: Iterable[InstanceId]) -> Described:
        """See `interfaces.Instances.by_id`. Uses a filter, because a call by ids fails if one id is unknown."""
        wanted = list(ids)
        found = self._described("instance-id", wanted)
        return Described(_usable(found), frozenset(wanted) - found.keys())

    def _described(self, filter_name: str, values: Sequence[str]) -> Mapping[InstanceId, Instance | None]:
        """The instances that the filter finds. None for one with an address that no member can have."""
        found: dict[InstanceId, Instance | None] = {}
        for start in range(0, len(values), FILTER_VALUES):
            filters: list[FilterTypeDef] = [
                {"Name": filter_name, "Values": list(values[start : start + FILTER_VALUES])}
            ]
            with translated(self.region, "DescribeInstances"):
                paginator = self.client.get_paginator("describe_instances")
                for page in paginator.paginate(Filters=filters, PaginationConfig={"PageSize": PAGE}):
                    for reservation in page["Reservations"]:
                        for described in reservation["Instances"]:
                            id = InstanceId(described["InstanceId"])
                            found[id] = None
                            with suppress(ValueError):
                                found[id] = _instance(described)
        return found


def _usable(found: Mapping[InstanceId, Instance | None]) -> Mapping[InstanceId, Instance]:
    """Without the instances that have an address that no member can have: those count as not described."""
    return {id: instance for id, instance in found.items() if instance is not None}


def _instance(described: "InstanceTypeDef") -> Instance:
    interfaces = described.get("NetworkInterfaces", [])
    public = [described["PublicIpAddress"]] if described.get("PublicIpAddress") else []
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    return Instance(
        id=InstanceId(described["InstanceId"]),
        power=_POWER[described["State"]["Name"]],
        group=tags.get(GROUP_TAG),
        addresses={
            AddressKind.PUBLIC_IPV4: _hosts(
                [*public, *(address for interface in interfaces for address in _public(interface))]
            ),
            AddressKind.PRIVATE_IPV4: _hosts(
                address["PrivateIpAddress"]
                for interface in interfaces
                for address in interface.get("PrivateIpAddresses", [])
            ),
            AddressKind.IPV6: _hosts(
                address["Ipv6Address"] for interface in interfaces for address in interface.get("Ipv6Addresses", [])
            ),
        },
    )


def _public(interface: "InstanceNetworkInterfaceTypeDef") -> Iterable[str]:
    """The public addresses of a network interface: its own, and those of its secondary private addresses."""
    associations = [interface.get("Association", {})]
    associations += [address.get("Association", {}) for address in interface.get("PrivateIpAddresses", [])]
    return [association["PublicIp"] for association in associations if association.get("PublicIp")]


def _hosts(addresses: Iterable[str]) -> tuple[Cidr, ...]:
    return tuple(sorted({host(address) for address in addresses}))


@dataclass(frozen=True, slots=True)
class AwsSecurityGroups:
    """A Region's security groups."""

    client: "EC2Client"
    region: Region

    def rules(self, groups: Sequence[SecurityGroupId]) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        """See `interfaces.SecurityGroups.rules`."""
        found: dict[SecurityGroupId, list[Rule]] = {group: [] for group in groups}
        with translated(self.region, "DescribeSecurityGroupRules"):
            pages = self.client.get_paginator("describe_security_group_rules").paginate(
                Filters=[{"Name": "group-id", "Values": list(groups)}], PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                for described in page["SecurityGroupRules"]:
                    if not described["IsEgress"]:
                        rule = _rule(described)
                        found[rule.group].append(rule)
        return {group: tuple(rules) for group, rules in found.items()}

    def missing(self, groups: Sequence[SecurityGroupId]) -> frozenset[SecurityGroupId]:
        """See `interfaces.SecurityGroups.missing`. Uses a filter, because a call by ids names only one of them."""
        with translated(self.region, "DescribeSecurityGroups"):
            pages = self.client.get_paginator("describe_security_groups").paginate(
                Filters=[{"Name": "group-id", "Values": list(groups)}], PaginationConfig={"PageSize": PAGE}
            )
            found = {described["GroupId"] for page in pages for described in page["SecurityGroups"]}
        return frozenset(group for group in groups if group not in found)

    def prefix_lists(self, ids: Sequence[PrefixListId]) -> PrefixLists:
        """See `interfaces.SecurityGroups.prefix_lists`. Uses a filter: a call by ids fails if one is unknown."""
        found: dict[PrefixListId, PrefixList] = {}
        with translated(self.region, "DescribeManagedPrefixLists"):
            for start in range(0, len(ids), FILTER_VALUES):
                pages = self.client.get_paginator("describe_managed_prefix_lists").paginate(
                    Filters=[{"Name": "prefix-list-id", "Values": list(ids[start : start + FILTER_VALUES])}]
                )
                for page in pages:
                    for described in page["PrefixLists"]:
                        found[PrefixListId(described["PrefixListId"])] = _prefix_list(described)
        return found

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        """See `interfaces.SecurityGroups.authorize`."""
        with translated(self.region, "AuthorizeSecurityGroupIngress"):
            answer = self.client.authorize_security_group_ingress(GroupId=group, IpPermissions=_permissions(additions))
        return tuple(_rule(described) for described in answer["SecurityGroupRules"])

    def revoke(self, group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """See `interfaces.SecurityGroups.revoke`."""
        with translated(self.region, "RevokeSecurityGroupIngress"):
            self.client.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=list(rules))

    def relabel(self, group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        """See `interfaces.SecurityGroups.relabel`."""
        with translated(self.region, "UpdateSecurityGroupRuleDescriptionsIngress"):
            self.client.update_security_group_rule_descriptions_ingress(
                GroupId=group,
                SecurityGroupRuleDescriptions=[
                    {"SecurityGroupRuleId": rule, "Description": str(label)} for rule, label in labels.items()
                ],
            )


@dataclass(frozen=True, slots=True)
class AwsSecurityGroupTags:
    """A tag of a Region's security groups."""

    client: "EC2Client"
    region: Region

    def values(self, groups: Sequence[SecurityGroupId], tag: str) -> Mapping[SecurityGroupId, str | None]:
        """The tag's value of each group that exists, None for a group without the tag.

        Uses a filter, because a call by ids fails if one id is unknown.
        """
        found: dict[SecurityGroupId, str | None] = {}
        with translated(self.region, "DescribeSecurityGroups"):
            pages = self.client.get_paginator("describe_security_groups").paginate(
                Filters=[{"Name": "group-id", "Values": list(groups)}], PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                for described in page["SecurityGroups"]:
                    tags = {item["Key"]: item["Value"] for item in described.get("Tags", [])}
                    found[SecurityGroupId(described["GroupId"])] = tags.get(tag)
        return found


def _rule(described: "SecurityGroupRuleTypeDef") -> Rule:
    ports = PortRange(described["IpProtocol"], described.get("FromPort", -1), described.get("ToPort", -1))
    cidr = described.get("CidrIpv4") or described.get("CidrIpv6")
    source = described.get("ReferencedGroupInfo", {}).get("GroupId")
    return Rule(
        id=RuleId(described["SecurityGroupRuleId"]),
        group=SecurityGroupId(described["GroupId"]),
        ports=ports,
        opening=Opening(ports, _canonical(cidr)) if cidr else None,
        source_group=SecurityGroupId(source) if source else None,
        description=described.get("Description", ""),
        prefix_list=PrefixListId(described["PrefixListId"]) if described.get("PrefixListId") else None,
    )


AWS_WEIGHTS = {
    "cloudfront.origin-facing": 55,
    "dynamodb": 1,
    "ec2-instance-connect": 2,
    "groundstation": 5,
    "route53-healthchecks": 25,
    "s3": 1,
    "s3express": 6,
    "vpc-lattice": 10,
}
"""The weights of AWS-managed prefix lists by the end of their names, as far as AWS does not answer with a maximum.

Source: Amazon VPC User Guide, "AWS-managed prefix list weight"."""


def _prefix_list(described: "ManagedPrefixListTypeDef") -> PrefixList:
    """The prefix list. AWS documents a weight for each list of its own, and shows a maximum for a customer's list."""
    service = described.get("PrefixListName", "").split(".", 3)[-1].removeprefix("ipv6.")
    weight = described.get("MaxEntries") or AWS_WEIGHTS.get(service, 1)
    return PrefixList(ipv6=described.get("AddressFamily") == "IPv6", weight=weight)


def _canonical(cidr: str) -> Cidr:
    """The canonical CIDR. One that admits all addresses belongs to a foreign rule and stays as it is."""
    try:
        return network(cidr)
    except ValueError:
        return Cidr(cidr)


def _permissions(additions: Sequence[Addition]) -> "list[IpPermissionTypeDef]":
    """One permission per port range, with a description on each source."""
    permissions: dict[PortRange, IpPermissionTypeDef] = {}
    for addition in additions:
        ports, cidr = addition.opening.ports, addition.opening.cidr
        permission = permissions.setdefault(ports, _permission(ports))
        if is_ipv6(cidr):
            ranges = [*permission.get("Ipv6Ranges", []), {"CidrIpv6": cidr, "Description": str(addition.label)}]
            permission["Ipv6Ranges"] = ranges  # type: ignore[typeddict-item]  # a literal in a list loses its type
        else:
            ranges = [*permission.get("IpRanges", []), {"CidrIp": cidr, "Description": str(addition.label)}]
            permission["IpRanges"] = ranges  # type: ignore[typeddict-item]  # likewise
    return list(permissions.values())


def _permission(ports: PortRange) -> "IpPermissionTypeDef":
    if ports.protocol == "-1":
        return {"IpProtocol": "-1"}
    return {"IpProtocol": ports.protocol, "FromPort": ports.from_port, "ToPort": ports.to_port}
