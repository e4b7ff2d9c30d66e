"""What others can do to a cluster in memory: send messages, write rows and make rules by hand. And its recovery.

The rows are DynamoDB items, as anyone with PutItem can write them.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ringfence.aws.roster_item import to_item
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.invocation import Invocation
from tests.engine.conftest import EAST, TRUE_UP, WEST, settled

STRANGER = Cidr("8.8.8.8/32")
HOSTILE_VERSIONS: list[Mapping[str, Any]] = [
    {"N": "1e125"},
    {"N": "9" * 38},
    {"N": "0"},
    {"N": "-5"},
    {"N": "1.5"},
    {"S": "7"},
    {"NULL": True},
]
"""Versions that no engine can have written."""


def with_ids_of_aws(cloud: Cloud) -> Cloud:
    """The cloud, before any engine ran, with security group ids as AWS forms them: a row needs those."""
    for number, region in enumerate(cloud.regions.values()):
        region.security_groups.groups.clear()
        region.security_group = region.add_security_group(f"sg-{number:017x}", cloud.ports)
    return cloud


def in_sync_with_ids_of_aws() -> Cloud:
    """Two Regions with two members each, in sync, with security group ids as AWS forms them."""
    cloud = with_ids_of_aws(Cloud([EAST, WEST]))
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    return settled(cloud)


def item(cloud: Cloud, where: str, home: str, asg: str = "db") -> dict[str, Any]:
    """The item of a stored row: the copy of a home Region's row in the table of a Region."""
    return to_item(cloud.region(where).table.scan().rosters[RosterKey(Region(home), asg)])


def invented(home: str, asg: str, addresses: Iterable[Cidr] = (STRANGER,), version: int = 1) -> dict[str, Any]:
    """The item of a row with one invented member for each address."""
    members = {
        InstanceId(f"i-{number:017x}"): Member((address,), MemberState.MEMBER, 0)
        for number, address in enumerate(addresses, 0xBAD)
    }
    return to_item(Roster(RosterKey(Region(home), asg), version, members))


def write(cloud: Cloud, where: str, row: Mapping[str, Any], **attributes: Mapping[str, Any]) -> None:
    """Writes a row into the table of a Region, with other values of some attributes."""
    cloud.region(where).table.put_item({**row, **attributes})


def forge(cloud: Cloud, region: str, instance: str, kind: str = "launch", **detail: str | None) -> None:
    """Sends a lifecycle event that Auto Scaling never sent. The detail can be changed; None removes a part of it."""
    launches = kind == "launch"
    written = {
        "LifecycleActionToken": "deadbeef-dead-4ead-8ead-deadbeefdead",
        "AutoScalingGroupName": "db",
        "LifecycleHookName": f"ringfence-{cloud.cluster}-{'launch' if launches else 'terminate'}",
        "EC2InstanceId": instance,
        "Origin": "EC2" if launches else "AutoScalingGroup",
        "Destination": "AutoScalingGroup" if launches else "EC2",
        **detail,
    }
    queue = cloud.region(region).queue
    event = {
        "id": f"forged-{len(queue.messages)}-{cloud.clock.now()}-{instance}",
        "source": "aws.autoscaling",
        "detail-type": f"EC2 Instance-{kind} Lifecycle Action",
        "time": at(cloud.clock.now()),
        "detail": {name: value for name, value in written.items() if value is not None},
    }
    queue.send(json.dumps(event))


def at(seconds: float) -> str:
    """A time in the form of an event."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def drain(cloud: Cloud, region: str) -> list[Invocation]:
    """Invokes the function until its queue is empty."""
    invocations = []
    while (invocation := cloud.poll(region)) is not None:
        invocations.append(invocation)
    return invocations


def members(cloud: Cloud) -> set[Cidr]:
    """The public addresses of all instances that are in service."""
    return {
        address
        for region in cloud.regions.values()
        for group in region.groups.values()
        for id, state in group.listed().items()
        if state == "InService"
        for address in region.ec2.instances[id].addresses[AddressKind.PUBLIC_IPV4]
    }


def assert_launch_is_served(cloud: Cloud, home: str, name: str = "db") -> None:
    """A real launch is admitted in every Region and in service after one invocation, and no one else is admitted."""
    group = cloud.region(home).groups[name]
    group.scale_to(group.desired + 1)
    began = cloud.clock.now()
    invocation = cloud.poll(home)
    assert invocation is not None
    assert invocation.error is None
    assert set(group.listed().values()) == {"InService"}
    assert cloud.clock.now() - began <= 3
    assert_only_members_are_admitted(cloud)


def assert_only_members_are_admitted(cloud: Cloud) -> None:
    """Every Region admits every member, and no other address has a rule of ours."""
    for region in cloud.regions.values():
        assert region.admitted() == members(cloud), region.name


def assert_tables_heal(cloud: Cloud) -> None:
    """After three true-ups in each Region, no row is bad, and every table has every row in the same version.

    The guard holds removals that no departure explains until a second observation.
    """
    for _ in range(3):
        for region in cloud.regions:
            cloud.invoke(region, TRUE_UP)
        cloud.clock.advance(61)
    tables = [region.table.scan() for region in cloud.regions.values()]
    assert all(not table.bad for table in tables)
    assert all(table.rosters == tables[0].rosters for table in tables)
    assert_only_members_are_admitted(cloud)
