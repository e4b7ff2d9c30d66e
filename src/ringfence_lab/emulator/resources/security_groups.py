"""EC2's security groups as CloudFormation's resources.

Source: AWS CloudFormation Template Reference, each type's page.
"""

from collections.abc import Mapping
from typing import Any

from ringfence_lab.emulator.resources.resource_type import (
    Created,
    RegionClients,
    ResourceProperties,
    ResourceType,
    change_tags,
    pick,
    put_tags,
)


def _permission(rule: ResourceProperties) -> dict[str, Any]:
    """A rule of a template as a parameter of the API."""
    description = pick(rule, "Description")
    permission = pick(rule, "IpProtocol") | {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule}
    if "CidrIp" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["CidrIp"], **description}]
    if "CidrIpv6" in rule:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **description}]
    if "SourcePrefixListId" in rule:
        permission["PrefixListIds"] = [{"PrefixListId": rule["SourcePrefixListId"], **description}]
    if "SourceSecurityGroupId" in rule:
        permission["UserIdGroupPairs"] = [{"GroupId": rule["SourceSecurityGroupId"], **description}]
    return permission


def _create_security_group(clients: RegionClients, properties: ResourceProperties, name: str) -> Created:
    id: str = clients.ec2.create_security_group(
        GroupName=properties.get("GroupName", name),
        Description=properties["GroupDescription"],
        **pick(properties, "VpcId"),
    )["GroupId"]
    put_tags(clients, id, properties)
    if ingress := properties.get("SecurityGroupIngress"):
        clients.ec2.authorize_security_group_ingress(GroupId=id, IpPermissions=[_permission(rule) for rule in ingress])
    return id, {"GroupId": id, "Id": id, "VpcId": properties.get("VpcId", "")}


def _update_security_group(
    clients: RegionClients, id: str, old: ResourceProperties, new: ResourceProperties
) -> Created:
    change_tags(clients, id, old, new)
    before, after = ([_permission(rule) for rule in rules.get("SecurityGroupIngress", [])] for rules in (old, new))
    if removed := [rule for rule in before if rule not in after]:
        clients.ec2.revoke_security_group_ingress(GroupId=id, IpPermissions=removed)
    if added := [rule for rule in after if rule not in before]:
        clients.ec2.authorize_security_group_ingress(GroupId=id, IpPermissions=added)
    return id, {"GroupId": id, "Id": id, "VpcId": new.get("VpcId", "")}


def _delete_security_group(clients: RegionClients, id: str, _properties: ResourceProperties) -> None:
    clients.ec2.delete_security_group(GroupId=id)


def _create_ingress(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    made = clients.ec2.authorize_security_group_ingress(
        GroupId=properties["GroupId"], IpPermissions=[_permission(properties)]
    )
    id: str = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return id, {"Id": id}


def _delete_ingress(clients: RegionClients, id: str, properties: ResourceProperties) -> None:
    clients.ec2.revoke_security_group_ingress(GroupId=properties["GroupId"], SecurityGroupRuleIds=[id])


TYPES: Mapping[str, ResourceType] = {
    "AWS::EC2::SecurityGroup": ResourceType(
        _create_security_group,
        _delete_security_group,
        _update_security_group,
        frozenset({"SecurityGroupIngress", "Tags"}),
    ),
    "AWS::EC2::SecurityGroupIngress": ResourceType(_create_ingress, _delete_ingress),
}
