"""Launches instances for an Auto Scaling group from its launch template or launch configuration.

It must not know what a lifecycle state means.
"""

from collections import Counter
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG
from moto.autoscaling.models import FakeAutoScalingGroup as Group
from moto.autoscaling.models import InstanceState as Member


def launch(group: Group, count: int) -> list[Member]:
    """Launches instances and adds them to the group, each in the Availability Zone with the fewest.

    Raises moto's ServiceException if EC2 would refuse the launch.
    """
    return [_launch_one(group) for _ in range(count)]


def _launch_one(group: Group) -> Member:
    subnet_id, zone = _emptiest_place(group)
    reservation = group.ec2_backend.run_instances(
        group.image_id,
        1,
        group.user_data,
        group.security_groups,
        tags={"instance": group.get_propagated_tags() | group.instance_tags | {ASG_NAME_TAG: group.name}},
        instance_type=group.instance_type,
        is_instance_type_default=False,
        placement=zone,
        subnet_id=subnet_id,
        region_name=group.region,
        launch_config=group.launch_config,
        associate_public_ip=group.launch_config.associate_public_ip_address if group.launch_config else None,
        **_from_template(group),
    )
    [instance] = reservation.instances
    return join(group, instance, "Pending")


def join(group: Group, instance: Any, state: str) -> Member:
    """Adds an instance to a group, in a lifecycle state."""
    instance.autoscaling_group = group
    member = Member(instance, state, protected_from_scale_in=group.new_instances_protected_from_scale_in)
    group.instance_states.append(member)
    return member


def unsettle(group: Group, member: Member) -> None:
    """Takes the group's tag and the public addresses from a new instance, as if they were not there yet."""
    group.ec2_backend.delete_tags([member.instance_id], {ASG_NAME_TAG: group.name})
    for interface in member.instance.nics.values():
        interface.stop()


def settle(group: Group, member: Member) -> None:
    """Gives them back, if the instance is still in its group and runs."""
    if member in group.instance_states and member.instance.is_running():
        group.ec2_backend.create_tags([member.instance_id], {ASG_NAME_TAG: group.name})
        for interface in member.instance.nics.values():
            interface.check_auto_public_ip()


def _emptiest_place(group: Group) -> tuple[str | None, str]:
    """A subnet of the group, if it names subnets, and its Availability Zone."""
    taken = Counter(member.availability_zone for member in group.instance_states)
    if not group.vpc_zone_identifier:
        return None, min(group.availability_zones, key=lambda zone: taken[zone])
    subnets = group.ec2_backend.describe_subnets(subnet_ids=group.vpc_zone_identifier.split(","))
    subnet = min(subnets, key=lambda subnet: taken[subnet.availability_zone])
    return subnet.id, subnet.availability_zone


def _from_template(group: Group) -> dict[str, Any]:
    """Parameters of a launch template that moto does not read by itself."""
    if not group.ec2_launch_template:
        return {}
    version = group.ec2_launch_template.get_version(group.launch_template_version)
    interfaces = version.data.get("NetworkInterfaces", [])
    return {
        "launch_template": {"LaunchTemplateId": group.ec2_launch_template.id, "Version": str(version.number)},
        "nics": interfaces,
        "ipv6_address_count": max((int(interface.get("Ipv6AddressCount", 0)) for interface in interfaces), default=0),
    }
