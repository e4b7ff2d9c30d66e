"""Forged messages and rows neither delay nor open anything."""

import json
from typing import Any

import pytest

from ringfence.aws.roster_item import to_item
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.cloud import Cloud

EAST, WEST = Region("us-east-1"), Region("us-west-2")
TRUE_UP = {"trueup": True}
STRANGER = Cidr("8.8.8.8/32")


def group_of(cloud: Cloud, region: str) -> AutoScalingGroup:
    return cloud.region(region).groups["db"]


@pytest.fixture
def cloud() -> Cloud:
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    for _ in range(2):
        for name in cloud.regions:
            cloud.invoke(name, TRUE_UP)
    return cloud


def forged_termination(cloud: Cloud, instance: InstanceId, **detail: Any) -> str:
    genuine = dict(cloud.region(EAST).events.emitted[-1])
    genuine["detail-type"] = "EC2 Instance-terminate Lifecycle Action"
    genuine["id"] = "forged"
    genuine["detail"] = {
        "AutoScalingGroupName": "db",
        "EC2InstanceId": instance,
        "LifecycleHookName": "ringfence-demo-terminate",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        **detail,
    }
    return json.dumps(genuine)


@pytest.mark.parametrize("token", [{}, {"LifecycleActionToken": "0" * 36}], ids=["without a token", "with a token"])
def test_a_forged_termination_does_not_hide_the_launch_of_its_instance(cloud: Cloud, token: dict[str, str]) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    (instance,) = (id for id, state in group.listed().items() if state == "Pending:Wait")
    cloud.region(EAST).queue.send(forged_termination(cloud, instance, **token))
    # when
    cloud.poll(EAST)
    # then
    assert group.listed()[instance] == "InService"
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted()


@pytest.mark.parametrize("missing", ["version", "groups"])
def test_an_announcement_that_no_engine_wrote_admits_no_invented_roster(cloud: Cloud, missing: str) -> None:
    # given
    table, before = cloud.region(EAST).table, cloud.region(EAST).admitted()
    announcement = to_item(table.rosters[RosterKey(WEST, ANNOUNCEMENT)])
    del announcement[missing]
    member = Member((STRANGER,), MemberState.MEMBER, int(cloud.clock.now()))
    evil = Roster(RosterKey(WEST, "evil"), int(cloud.clock.now()), {InstanceId("i-bad"): member})
    # when
    table.put_item(announcement)
    table.put_item(to_item(evil))
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert cloud.region(EAST).admitted() == before


def test_a_launch_waits_until_a_peers_unreadable_row_at_our_version_is_replaced(cloud: Cloud) -> None:
    # given a row that cannot be trusted, at the version that our next row will have
    key, table = RosterKey(EAST, "db"), cloud.region(WEST).table
    item = to_item(table.rosters[key])
    item["version"] = {"N": str(table.rosters[key].version + 1)}
    del item["departed"]
    table.put_item(item)
    group = group_of(cloud, EAST)
    # when
    group.scale_to(3)
    cloud.poll(EAST)
    # then
    assert key in table.rosters
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted()
    assert len(cloud.region(WEST).admitted()) == 5
