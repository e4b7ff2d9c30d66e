"""Launch templates and Auto Scaling as CloudFormation's resources.

Source: AWS CloudFormation Template Reference, each type's page.
"""

from collections.abc import Mapping
from typing import Any

from ringfence_lab.emulator.resources.resource_type import (
    Created,
    RegionClients,
    ResourceProperties,
    ResourceType,
    api_tags,
    is_true,
)


def _launch_template_versions(template: ResourceProperties) -> dict[str, str]:
    return {
        "LaunchTemplateId": template["LaunchTemplateId"],
        "LatestVersionNumber": str(template["LatestVersionNumber"]),
        "DefaultVersionNumber": str(template["DefaultVersionNumber"]),
    }


def _create_launch_template(clients: RegionClients, properties: ResourceProperties, name: str) -> Created:
    template = clients.ec2.create_launch_template(
        LaunchTemplateName=properties.get("LaunchTemplateName", name),
        LaunchTemplateData=properties["LaunchTemplateData"],
    )["LaunchTemplate"]
    return template["LaunchTemplateId"], _launch_template_versions(template)


def _update_launch_template(
    clients: RegionClients, id: str, _old: ResourceProperties, new: ResourceProperties
) -> Created:
    clients.ec2.create_launch_template_version(LaunchTemplateId=id, LaunchTemplateData=new["LaunchTemplateData"])
    described = clients.ec2.describe_launch_templates(LaunchTemplateIds=[id])
    return id, _launch_template_versions(described["LaunchTemplates"][0])


def _delete_launch_template(clients: RegionClients, id: str, _properties: ResourceProperties) -> None:
    clients.ec2.delete_launch_template(LaunchTemplateId=id)


def _group_parameters(properties: ResourceProperties) -> dict[str, Any]:
    """An Auto Scaling group's properties as parameters of the API."""
    numbers = ("MinSize", "MaxSize", "DesiredCapacity", "Cooldown", "HealthCheckGracePeriod", "DefaultInstanceWarmup")
    asked = {name: value for name, value in properties.items() if name not in ("Tags", "VPCZoneIdentifier")}
    asked |= {name: int(properties[name]) for name in numbers if name in properties}
    if "VPCZoneIdentifier" in properties:
        asked["VPCZoneIdentifier"] = ",".join(properties["VPCZoneIdentifier"])
    if "CapacityRebalance" in asked:
        asked["CapacityRebalance"] = is_true(asked["CapacityRebalance"])
    return asked


def _group_tags(name: str, properties: ResourceProperties) -> list[dict[str, Any]]:
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": tag["Key"],
            "Value": tag["Value"],
            "PropagateAtLaunch": is_true(tag.get("PropagateAtLaunch", False)),
        }
        for tag in api_tags(properties)
    ]


def _described_group(clients: RegionClients, name: str) -> Created:
    groups = clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return name, {"AutoScalingGroupARN": groups[0]["AutoScalingGroupARN"]}


def _create_group(clients: RegionClients, properties: ResourceProperties, generated: str) -> Created:
    name = properties.get("AutoScalingGroupName", generated)
    asked = _group_parameters(properties) | {"AutoScalingGroupName": name}
    clients.autoscaling.create_auto_scaling_group(**asked, Tags=_group_tags(name, properties))
    return _described_group(clients, name)


def _update_group(clients: RegionClients, name: str, old: ResourceProperties, new: ResourceProperties) -> Created:
    # Only changed properties are updated, so that a capacity that was scaled in the meantime stays.
    changed = {key: value for key, value in _group_parameters(new).items() if value != _group_parameters(old).get(key)}
    if changed:
        clients.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, **changed)
    kept = {tag["Key"] for tag in api_tags(new)}
    if gone := [tag for tag in _group_tags(name, old) if tag["Key"] not in kept]:
        clients.autoscaling.delete_tags(Tags=gone)
    if tags := _group_tags(name, new):
        clients.autoscaling.create_or_update_tags(Tags=tags)
    return _described_group(clients, name)


def _delete_group(clients: RegionClients, name: str, _properties: ResourceProperties) -> None:
    clients.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def _put_lifecycle_hook(clients: RegionClients, properties: ResourceProperties, generated: str) -> Created:
    name = properties.get("LifecycleHookName", generated)
    asked = dict(properties) | {"LifecycleHookName": name}
    if "HeartbeatTimeout" in asked:
        asked["HeartbeatTimeout"] = int(asked["HeartbeatTimeout"])
    clients.autoscaling.put_lifecycle_hook(**asked)
    return name, {"LifecycleHookName": name}


def _update_lifecycle_hook(
    clients: RegionClients, name: str, _old: ResourceProperties, new: ResourceProperties
) -> Created:
    return _put_lifecycle_hook(clients, new, name)


def _delete_lifecycle_hook(clients: RegionClients, name: str, properties: ResourceProperties) -> None:
    clients.autoscaling.delete_lifecycle_hook(
        AutoScalingGroupName=properties["AutoScalingGroupName"], LifecycleHookName=name
    )


def _put_warm_pool(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    asked = dict(properties)
    asked |= {name: int(asked[name]) for name in ("MinSize", "MaxGroupPreparedCapacity") if name in asked}
    clients.autoscaling.put_warm_pool(**asked)
    return properties["AutoScalingGroupName"], {}


def _update_warm_pool(clients: RegionClients, name: str, _old: ResourceProperties, new: ResourceProperties) -> Created:
    return _put_warm_pool(clients, new, name)


def _delete_warm_pool(clients: RegionClients, name: str, _properties: ResourceProperties) -> None:
    clients.autoscaling.delete_warm_pool(AutoScalingGroupName=name, ForceDelete=True)


TYPES: Mapping[str, ResourceType] = {
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
