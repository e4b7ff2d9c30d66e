"""CloudFormation's resource types of EC2 and Auto Scaling, made in moto through its API.

Each type says what AWS's CloudFormation Template Reference says of it: what Ref and GetAtt return, and which
properties change without a replacement. Knows no emulator of CloudFormation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Properties = Mapping[str, Any]
Made = tuple[str, dict[str, str]]
"""A resource's physical id, which Ref returns, and its attributes for GetAtt."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients of the Region that the stack is in."""

    ec2: Any
    autoscaling: Any


def _cannot_change(_clients: Clients, id: str, _old: Properties, _new: Properties) -> Made:
    raise NotImplementedError(f"{id} is replaced, never changed")


@dataclass(frozen=True, slots=True)
class ResourceType:
    """How to make, change and delete a resource. `create` takes a name for what the template leaves nameless.

    `changeable` are the properties that `update` can change; where another changed, the resource is replaced.
    """

    create: Callable[[Clients, Properties, str], Made]
    delete: Callable[[Clients, str, Properties], None]
    update: Callable[[Clients, str, Properties, Properties], Made] = _cannot_change
    changeable: frozenset[str] = frozenset()

    def can_update(self, old: Properties, new: Properties) -> bool:
        """Whether the change needs no replacement."""
        return {name for name in {*old, *new} if old.get(name) != new.get(name)} <= self.changeable


def _chosen(properties: Properties, *names: str) -> dict[str, Any]:
    return {name: properties[name] for name in names if name in properties}


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _tags(properties: Properties) -> list[dict[str, Any]]:
    """The tags that an API takes: CloudFormation sets those that begin with `aws:` by a way of its own."""
    return [tag for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:")]


def _tag(clients: Clients, id: str, properties: Properties) -> None:
    if tags := _tags(properties):
        clients.ec2.create_tags(Resources=[id], Tags=tags)


def _retag(clients: Clients, id: str, old: Properties, new: Properties) -> None:
    kept = {tag["Key"] for tag in _tags(new)}
    if gone := [{"Key": tag["Key"]} for tag in _tags(old) if tag["Key"] not in kept]:
        clients.ec2.delete_tags(Resources=[id], Tags=gone)
    _tag(clients, id, new)


# EC2's network


def _create_vpc(clients: Clients, properties: Properties, _name: str) -> Made:
    vpc = clients.ec2.create_vpc(**_chosen(properties, "CidrBlock", "InstanceTenancy"))["Vpc"]
    id: str = vpc["VpcId"]
    for flag in ("EnableDnsSupport", "EnableDnsHostnames"):
        if flag in properties:
            clients.ec2.modify_vpc_attribute(VpcId=id, **{flag: {"Value": _is_true(properties[flag])}})
    _tag(clients, id, properties)
    default = clients.ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [id]}, {"Name": "group-name", "Values": ["default"]}]
    )
    groups = default["SecurityGroups"]
    return id, {
        "VpcId": id,
        "CidrBlock": vpc["CidrBlock"],
        "DefaultSecurityGroup": groups[0]["GroupId"] if groups else "",
    }


def _delete_vpc(clients: Clients, id: str, _properties: Properties) -> None:
    clients.ec2.delete_vpc(VpcId=id)


def _create_vpc_cidr_block(clients: Clients, properties: Properties, _name: str) -> Made:
    asked = _chosen(properties, "VpcId", "CidrBlock", "AmazonProvidedIpv6CidrBlock")
    made = clients.ec2.associate_vpc_cidr_block(**asked)
    association = made.get("Ipv6CidrBlockAssociation") or made["CidrBlockAssociation"]
    return association["AssociationId"], {"Id": association["AssociationId"]}


def _delete_vpc_cidr_block(clients: Clients, id: str, _properties: Properties) -> None:
    clients.ec2.disassociate_vpc_cidr_block(AssociationId=id)


def _create_subnet(clients: Clients, properties: Properties, _name: str) -> Made:
    asked = _chosen(properties, "VpcId", "CidrBlock", "AvailabilityZone", "Ipv6CidrBlock")
    subnet = clients.ec2.create_subnet(**asked)["Subnet"]
    id: str = subnet["SubnetId"]
    for flag in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"):
        if flag in properties:
            clients.ec2.modify_subnet_attribute(SubnetId=id, **{flag: {"Value": _is_true(properties[flag])}})
    _tag(clients, id, properties)
    return id, {"SubnetId": id, **_chosen(subnet, "VpcId", "AvailabilityZone", "CidrBlock")}


def _delete_subnet(clients: Clients, id: str, _properties: Properties) -> None:
    clients.ec2.delete_subnet(SubnetId=id)


def _create_internet_gateway(clients: Clients, properties: Properties, _name: str) -> Made:
    id: str = clients.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    _tag(clients, id, properties)
    return id, {"InternetGatewayId": id}


def _delete_internet_gateway(clients: Clients, id: str, _properties: Properties) -> None:
    clients.ec2.delete_internet_gateway(InternetGatewayId=id)


def _attach_gateway(clients: Clients, properties: Properties, _name: str) -> Made:
    clients.ec2.attach_internet_gateway(**_chosen(properties, "VpcId", "InternetGatewayId"))
    return f"IGW|{properties['VpcId']}", {"AttachmentType": "IGW"}


def _detach_gateway(clients: Clients, _id: str, properties: Properties) -> None:
    clients.ec2.detach_internet_gateway(**_chosen(properties, "VpcId", "InternetGatewayId"))


def _create_route_table(clients: Clients, properties: Properties, _name: str) -> Made:
    id: str = clients.ec2.create_route_table(VpcId=properties["VpcId"])["RouteTable"]["RouteTableId"]
    _tag(clients, id, properties)
    return id, {"RouteTableId": id}


def _delete_route_table(clients: Clients, id: str, _properties: Properties) -> None:
    clients.ec2.delete_route_table(RouteTableId=id)


_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


def _create_route(clients: Clients, properties: Properties, _name: str) -> Made:
    clients.ec2.create_route(**properties)
    destination = next(properties[name] for name in _DESTINATIONS if name in properties)
    return f"{properties['RouteTableId']}|{destination}", {"CidrBlock": destination}


def _delete_route(clients: Clients, _id: str, properties: Properties) -> None:
    clients.ec2.delete_route(**_chosen(properties, "RouteTableId", *_DESTINATIONS))


def _associate_route_table(clients: Clients, properties: Properties, _name: str) -> Made:
    id: str = clients.ec2.associate_route_table(**_chosen(properties, "SubnetId", "RouteTableId"))["AssociationId"]
    return id, {"Id": id}


def _disassociate_route_table(clients: Clients, id: str, _properties: Properties) -> None:
    clients.ec2.disassociate_route_table(AssociationId=id)


# EC2's security groups


def _permission(rule: Properties) -> dict[str, Any]:
    """A rule of a template in the form that the API takes."""
    description = _chosen(rule, "Description")
    permission = _chosen(rule, "IpProtocol") | {
        name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule
    }
    if "CidrIp" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["CidrIp"], **description}]
    if "CidrIpv6" in rule:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **description}]
    if "SourcePrefixListId" in rule:
        permission["PrefixListIds"] = [{"PrefixListId": rule["SourcePrefixListId"], **description}]
    if "SourceSecurityGroupId" in rule:
        permission["UserIdGroupPairs"] = [{"GroupId": rule["SourceSecurityGroupId"], **description}]
    return permission


def _create_security_group(clients: Clients, properties: Properties, name: str) -> Made:
    id: str = clients.ec2.create_security_group(
        GroupName=properties.get("GroupName", name),
        Description=properties["GroupDescription"],
        **_chosen(properties, "VpcId"),
    )["GroupId"]
    _tag(clients, id, properties)
    if ingress := properties.get("SecurityGroupIngress"):
        clients.ec2.authorize_security_group_ingress(GroupId=id, IpPermissions=[_permission(rule) for rule in ingress])
    return id, {"GroupId": id, "Id": id, "VpcId": properties.get("VpcId", "")}


def _update_security_group(clients: Clients, id: str, old: Properties, new: Properties) -> Made:
    _retag(clients, id, old, new)
    before, after = ([_permission(rule) for rule in rules.get("SecurityGroupIngress", [])] for rules in (old, new))
    if gone := [rule for rule in before if rule not in after]:
        clients.ec2.revoke_security_group_ingress(GroupId=id, IpPermissions=gone)
    if come := [rule for rule in after if rule not in before]:
        clients.ec2.authorize_security_group_ingress(GroupId=id, IpPermissions=come)
    return id, {"GroupId": id, "Id": id, "VpcId": new.get("VpcId", "")}


def _delete_security_group(clients: Clients, id: str, _properties: Properties) -> None:
    clients.ec2.delete_security_group(GroupId=id)


def _create_ingress(clients: Clients, properties: Properties, _name: str) -> Made:
    made = clients.ec2.authorize_security_group_ingress(
        GroupId=properties["GroupId"], IpPermissions=[_permission(properties)]
    )
    id: str = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return id, {"Id": id}


def _delete_ingress(clients: Clients, id: str, properties: Properties) -> None:
    clients.ec2.revoke_security_group_ingress(GroupId=properties["GroupId"], SecurityGroupRuleIds=[id])


# What instances are launched from


def _launch_template_versions(template: Properties) -> dict[str, str]:
    return {
        "LaunchTemplateId": template["LaunchTemplateId"],
        "LatestVersionNumber": str(template["LatestVersionNumber"]),
        "DefaultVersionNumber": str(template["DefaultVersionNumber"]),
    }


def _create_launch_template(clients: Clients, properties: Properties, name: str) -> Made:
    template = clients.ec2.create_launch_template(
        LaunchTemplateName=properties.get("LaunchTemplateName", name),
        LaunchTemplateData=properties["LaunchTemplateData"],
    )["LaunchTemplate"]
    return template["LaunchTemplateId"], _launch_template_versions(template)


def _update_launch_template(clients: Clients, id: str, _old: Properties, new: Properties) -> Made:
    clients.ec2.create_launch_template_version(LaunchTemplateId=id, LaunchTemplateData=new["LaunchTemplateData"])
    described = clients.ec2.describe_launch_templates(LaunchTemplateIds=[id])
    return id, _launch_template_versions(described["LaunchTemplates"][0])


def _delete_launch_template(clients: Clients, id: str, _properties: Properties) -> None:
    clients.ec2.delete_launch_template(LaunchTemplateId=id)


# Auto Scaling


def _group_parameters(properties: Properties) -> dict[str, Any]:
    """An Auto Scaling group's properties in the form that the API takes."""
    numbers = ("MinSize", "MaxSize", "DesiredCapacity", "Cooldown", "HealthCheckGracePeriod", "DefaultInstanceWarmup")
    asked = {name: value for name, value in properties.items() if name not in ("Tags", "VPCZoneIdentifier")}
    asked |= {name: int(properties[name]) for name in numbers if name in properties}
    if "VPCZoneIdentifier" in properties:
        asked["VPCZoneIdentifier"] = ",".join(properties["VPCZoneIdentifier"])
    if "CapacityRebalance" in asked:
        asked["CapacityRebalance"] = _is_true(asked["CapacityRebalance"])
    return asked


def _group_tags(name: str, properties: Properties) -> list[dict[str, Any]]:
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": tag["Key"],
            "Value": tag["Value"],
            "PropagateAtLaunch": _is_true(tag.get("PropagateAtLaunch", False)),
        }
        for tag in _tags(properties)
    ]


def _described_group(clients: Clients, name: str) -> Made:
    groups = clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return name, {"AutoScalingGroupARN": groups[0]["AutoScalingGroupARN"]}


def _create_group(clients: Clients, properties: Properties, generated: str) -> Made:
    name = properties.get("AutoScalingGroupName", generated)
    asked = _group_parameters(properties) | {"AutoScalingGroupName": name}
    clients.autoscaling.create_auto_scaling_group(**asked, Tags=_group_tags(name, properties))
    return _described_group(clients, name)


def _update_group(clients: Clients, name: str, old: Properties, new: Properties) -> Made:
    # What the template does not change stays as it is: a capacity that was scaled since then.
    changed = {key: value for key, value in _group_parameters(new).items() if value != _group_parameters(old).get(key)}
    if changed:
        clients.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, **changed)
    kept = {tag["Key"] for tag in _tags(new)}
    if gone := [tag for tag in _group_tags(name, old) if tag["Key"] not in kept]:
        clients.autoscaling.delete_tags(Tags=gone)
    if tags := _group_tags(name, new):
        clients.autoscaling.create_or_update_tags(Tags=tags)
    return _described_group(clients, name)


def _delete_group(clients: Clients, name: str, _properties: Properties) -> None:
    clients.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def _put_lifecycle_hook(clients: Clients, properties: Properties, generated: str) -> Made:
    name = properties.get("LifecycleHookName", generated)
    asked = dict(properties) | {"LifecycleHookName": name}
    if "HeartbeatTimeout" in asked:
        asked["HeartbeatTimeout"] = int(asked["HeartbeatTimeout"])
    clients.autoscaling.put_lifecycle_hook(**asked)
    return name, {"LifecycleHookName": name}


def _update_lifecycle_hook(clients: Clients, name: str, _old: Properties, new: Properties) -> Made:
    return _put_lifecycle_hook(clients, new, name)


def _delete_lifecycle_hook(clients: Clients, name: str, properties: Properties) -> None:
    clients.autoscaling.delete_lifecycle_hook(
        AutoScalingGroupName=properties["AutoScalingGroupName"], LifecycleHookName=name
    )


def _put_warm_pool(clients: Clients, properties: Properties, _name: str) -> Made:
    asked = dict(properties)
    asked |= {name: int(asked[name]) for name in ("MinSize", "MaxGroupPreparedCapacity") if name in asked}
    clients.autoscaling.put_warm_pool(**asked)
    return properties["AutoScalingGroupName"], {}


def _update_warm_pool(clients: Clients, name: str, _old: Properties, new: Properties) -> Made:
    return _put_warm_pool(clients, new, name)


def _delete_warm_pool(clients: Clients, name: str, _properties: Properties) -> None:
    clients.autoscaling.delete_warm_pool(AutoScalingGroupName=name, ForceDelete=True)


TYPES: Mapping[str, ResourceType] = {
    "AWS::EC2::VPC": ResourceType(_create_vpc, _delete_vpc),
    "AWS::EC2::VPCCidrBlock": ResourceType(_create_vpc_cidr_block, _delete_vpc_cidr_block),
    "AWS::EC2::Subnet": ResourceType(_create_subnet, _delete_subnet),
    "AWS::EC2::InternetGateway": ResourceType(_create_internet_gateway, _delete_internet_gateway),
    "AWS::EC2::VPCGatewayAttachment": ResourceType(_attach_gateway, _detach_gateway),
    "AWS::EC2::RouteTable": ResourceType(_create_route_table, _delete_route_table),
    "AWS::EC2::Route": ResourceType(_create_route, _delete_route),
    "AWS::EC2::SubnetRouteTableAssociation": ResourceType(_associate_route_table, _disassociate_route_table),
    "AWS::EC2::SecurityGroup": ResourceType(
        _create_security_group,
        _delete_security_group,
        _update_security_group,
        frozenset({"SecurityGroupIngress", "Tags"}),
    ),
    "AWS::EC2::SecurityGroupIngress": ResourceType(_create_ingress, _delete_ingress),
    "AWS::EC2::LaunchTemplate": ResourceType(
        _create_launch_template, _delete_launch_template, _update_launch_template, frozenset({"LaunchTemplateData"})
    ),
    "AWS::AutoScaling::AutoScalingGroup": ResourceType(
        _create_group,
        _delete_group,
        _update_group,
        frozenset(
            {
                "CapacityRebalance",
                "Cooldown",
                "DefaultInstanceWarmup",
                "DesiredCapacity",
                "HealthCheckGracePeriod",
                "HealthCheckType",
                "LaunchTemplate",
                "MaxSize",
                "MinSize",
                "NewInstancesProtectedFromScaleIn",
                "Tags",
                "TerminationPolicies",
                "VPCZoneIdentifier",
            }
        ),
    ),
    "AWS::AutoScaling::LifecycleHook": ResourceType(
        _put_lifecycle_hook,
        _delete_lifecycle_hook,
        _update_lifecycle_hook,
        frozenset({"DefaultResult", "HeartbeatTimeout", "NotificationMetadata"}),
    ),
    "AWS::AutoScaling::WarmPool": ResourceType(
        _put_warm_pool,
        _delete_warm_pool,
        _update_warm_pool,
        frozenset({"InstanceReusePolicy", "MaxGroupPreparedCapacity", "MinSize", "PoolState"}),
    ),
}
