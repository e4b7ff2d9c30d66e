"""Breakages of hooks, groups and rules, and what waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ringfence_lab.demo.observer import Observer
from tests.end_to_end.breakages.breakage import NAME, Breakage, in_east
from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually


def hook_with(**changes: Any) -> Breakage:
    """The launch hook with other fields."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        wanted = launch_hook(east)
        east.client("autoscaling").put_lifecycle_hook(**{**wanted, **changes})
        yield
        east.client("autoscaling").put_lifecycle_hook(**wanted)

    return changed


@in_east
def hook_deleted(east: Observer) -> Iterator[None]:
    wanted = launch_hook(east)
    names = {name: wanted[name] for name in ("AutoScalingGroupName", "LifecycleHookName")}
    east.client("autoscaling").delete_lifecycle_hook(**names)
    yield
    east.client("autoscaling").put_lifecycle_hook(**wanted)


def launch_hook(east: Observer) -> dict[str, Any]:
    """The launch hook, as PutLifecycleHook takes it."""
    (hook,) = east.client("autoscaling").describe_lifecycle_hooks(
        AutoScalingGroupName=east.auto_scaling_group, LifecycleHookNames=[f"{NAME}-launch"]
    )["LifecycleHooks"]
    names = ("AutoScalingGroupName", "LifecycleHookName", "LifecycleTransition", "HeartbeatTimeout", "DefaultResult")
    return {name: hook[name] for name in names}


@in_east
def tag_lost(east: Observer) -> Iterator[None]:
    tags = [{"Key": "ringfence-cluster", "Value": "demo"}]
    east.client("ec2").delete_tags(Resources=[east.security_group], Tags=tags)
    yield
    east.client("ec2").create_tags(Resources=[east.security_group], Tags=tags)


@in_east
def tag_of_another_cluster(east: Observer) -> Iterator[None]:
    for_cluster = {"Resources": [east.security_group]}
    east.client("ec2").create_tags(**for_cluster, Tags=[{"Key": "ringfence-cluster", "Value": "other"}])
    yield
    east.client("ec2").create_tags(**for_cluster, Tags=[{"Key": "ringfence-cluster", "Value": "demo"}])


@in_east
def self_rule_revoked(east: Observer) -> Iterator[None]:
    ec2, group = east.client("ec2"), east.security_group
    pairs = [{"GroupId": group}]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": pairs}
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    yield
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    east.true_up()


def permission(*openings: tuple[str, str]) -> dict[str, Any]:
    """The permission for these CIDRs with their descriptions on the managed port."""
    cidrs = [{"CidrIp": cidr, "Description": description} for cidr, description in openings]
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}


def rules_made(region: str, openings: Callable[[Cluster], list[tuple[str, str]]]) -> Breakage:
    """Rules made by hand, with these CIDRs and descriptions."""

    @contextmanager
    def made(cluster: Cluster) -> Iterator[None]:
        observer = cluster.regions[region]
        ec2, group = observer.client("ec2"), observer.security_group
        wanted = openings(cluster)
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(*wanted)])
        yield
        cidrs = {cidr for cidr, _ in wanted}
        left = [rule["SecurityGroupRuleId"] for rule in observer.rules() if rule.get("CidrIpv4") in cidrs]
        if left:
            ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=left)

    return made


def leftovers(number: int) -> Callable[[Cluster], list[tuple[str, str]]]:
    """So many owned rules of the east for instances that its roster does not have."""

    def openings(cluster: Cluster) -> list[tuple[str, str]]:
        group = cluster.regions[EAST].auto_scaling_group
        label = f"ringfence demo {EAST}/{group} i-00000000000000"
        return [(f"198.51.100.{n}/32", f"{label}{n:03d}") for n in range(number)]

    return openings


def network_of_no_member(cluster: Cluster) -> list[tuple[str, str]]:
    """A network with the label of a member."""
    west = cluster.regions[WEST]
    return [("10.99.0.0/16", f"ringfence demo {WEST}/{west.auto_scaling_group} i-00000000000000001")]


@contextmanager
def member_not_admitted(cluster: Cluster) -> Iterator[None]:
    """The rule of a member in the east is revoked, and its restoration is left to a true-up."""
    east = cluster.regions[EAST]
    (rule, *_) = [rule for rule in east.rules() if rule["Description"].startswith("ringfence demo ")]
    ids = [rule["SecurityGroupRuleId"]]
    east.client("ec2").revoke_security_group_ingress(GroupId=east.security_group, SecurityGroupRuleIds=ids)
    yield
    east.true_up()


@contextmanager
def full_group(cluster: Cluster) -> Iterator[None]:
    """The east's group is full of foreign rules, and an instance waits at its hook."""
    east = cluster.regions[EAST]
    ec2, group = east.client("ec2"), east.security_group
    # The quota counts the rule that names the group itself, too.
    free = 60 - len(east.rules()) - 1
    foreign = [(f"203.0.113.{number}/32", "by hand") for number in range(free)]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(*foreign)])
    with instance_at_hook(cluster):
        yield
        ids = [rule["SecurityGroupRuleId"] for rule in east.rules() if rule["Description"] == "by hand"]
        ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)


@contextmanager
def instance_at_hook(cluster: Cluster) -> Iterator[None]:
    """An instance waits in its hook, because no event reached the engine."""
    east = cluster.regions[EAST]
    east.client("events").disable_rule(Name=NAME)
    east.scale_to(2)
    eventually(lambda: "Pending:Wait" in east.lifecycle_states().values(), 30)
    east.client("events").enable_rule(Name=NAME)
    yield
    settle(cluster)


def settle(cluster: Cluster) -> None:
    """One instance in service in each Region, admitted everywhere. An instance at a hook is let go first."""
    for region in cluster.regions.values():
        region.true_up()
    eventually(lambda: set(cluster.regions[EAST].lifecycle_states().values()) == {"InService"}, 60)
    for region in cluster.regions.values():
        region.scale_to(1)
    eventually(lambda: all(cluster.is_settled(name, 1) for name in cluster.regions), 60)
    for region in (*cluster.regions.values(), *cluster.regions.values()):
        region.true_up()
