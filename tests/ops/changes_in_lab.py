"""Temporary changes of a cluster in the lab, as context managers that undo them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ringfence_lab.demo.observer import Observer
from tests.end_to_end.clusters import EAST, Cluster

STRANGER = "203.0.113.9"
"""An address that is not a member's."""


@contextmanager
def schedules_stopped(cluster: Cluster) -> Iterator[None]:
    """No scheduled true-up repairs what a test breaks."""
    for region in cluster.regions.values():
        _set_schedule(region, "DISABLED")
    try:
        yield
    finally:
        for region in cluster.regions.values():
            _set_schedule(region, "ENABLED")


def _set_schedule(region: Observer, state: str) -> None:
    scheduler = region.client("scheduler")
    schedule = scheduler.get_schedule(Name="ringfence-demo")
    wanted = {name: schedule[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**wanted, State=state)


@contextmanager
def foreign_rule(cluster: Cluster, region: str, address: str) -> Iterator[Any]:
    """A rule on the managed port, made by hand. Yields its id."""
    observer = cluster.regions[region]
    ec2, group = observer.client("ec2"), observer.security_group
    cidrs: list[Any] = [{"CidrIp": f"{address}/32", "Description": "by hand"}]
    permission: Any = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}
    added = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    id = added["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    try:
        yield id
    finally:
        if id in {rule["SecurityGroupRuleId"] for rule in observer.rules()}:
            ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[id])


@contextmanager
def disabled_event_rule(cluster: Cluster) -> Iterator[None]:
    """The east's EventBridge rule is disabled."""
    events = cluster.regions[EAST].client("events")
    events.disable_rule(Name="ringfence-demo")
    yield
    events.enable_rule(Name="ringfence-demo")
