"""What someone with rights in the account can do to a cluster from outside: rows, rules and events of their own."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ringfence.aws.roster_item import GUARD
from ringfence_lab.demo.observer import Observer
from tests.end_to_end.clusters import Cluster
from tests.labs import eventually

Item = dict[str, Any]

TABLE, QUEUE = "ringfence-demo", "ringfence-demo.fifo"

SERVED_SECONDS = 15
"""Seconds within which a launch is served after an attack: the second looks of forged events take up to 3."""


@dataclass(frozen=True, slots=True)
class Table:
    """A Region's table, for someone with PutItem."""

    region: Observer

    def rows(self) -> dict[tuple[str, str], Item]:
        """The rosters and announcements by their keys."""
        items = self.region.client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"]
        rows = {(item["region"]["S"], item["asg"]["S"]): item for item in items}
        return {key: item for key, item in rows.items() if key[0] != GUARD}

    def write(self, item: Item, **attributes: Any) -> None:
        """Writes an item with other attributes than it has."""
        self.region.client("dynamodb").put_item(TableName=TABLE, Item={**item, **attributes})


def newer(item: Item) -> dict[str, Any]:
    """The next version of an item, as its engine would write it."""
    return {"N": str(int(item["version"]["N"]) + 1)}


def member(address: str) -> dict[str, Any]:
    """A member with an address, as rows have it."""
    return {
        "M": {
            "addresses": {"L": [{"S": f"{address}/32"}]},
            "state": {"S": "member"},
            "since": {"N": str(int(time.time()) - 600)},
        }
    }


def event(region: Observer, instance: str, kind: str, **detail: str) -> dict[str, Any]:
    """A lifecycle event as EventBridge sends it. `kind` is `launch` or `terminate`.

    Source: Auto Scaling User Guide, "Create EventBridge rules for instance launch and terminate".
    """
    transition = {"launch": "LAUNCHING", "terminate": "TERMINATING"}[kind]
    places = {"launch": ("EC2", "AutoScalingGroup"), "terminate": ("AutoScalingGroup", "EC2")}[kind]
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": f"EC2 Instance-{kind} Lifecycle Action",
        "source": "aws.autoscaling",
        "account": "123456789012",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region.region,
        "resources": [],
        "detail": {
            "LifecycleActionToken": str(uuid.uuid4()),
            "AutoScalingGroupName": region.auto_scaling_group,
            "LifecycleHookName": f"ringfence-demo-{kind}",
            "EC2InstanceId": instance,
            "LifecycleTransition": f"autoscaling:EC2_INSTANCE_{transition}",
            "Origin": places[0],
            "Destination": places[1],
            **detail,
        },
    }


def send(region: Observer, *bodies: Mapping[str, Any]) -> None:
    """Sends messages to a Region's queue, as someone with SendMessage."""
    sqs = region.client("sqs")
    queue = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(body), MessageGroupId="demo")


def stranger(region: Observer) -> tuple[str, str]:
    """The id and the public address of a running instance that is of no group."""
    ec2 = region.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    id = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    eventually(lambda: region.addresses([id]))
    return id, region.addresses([id])[id]


def admit(region: Observer, cidr: str, description: str) -> str:
    """Makes a rule by hand, and returns its id."""
    source = {"CidrIp": cidr, "Description": description}
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [source]}
    made = region.client("ec2").authorize_security_group_ingress(
        GroupId=region.security_group, IpPermissions=[permission]
    )
    return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def revoke(region: Observer, rule: str) -> None:
    """Removes a rule, if it is still there."""
    if rule in {found["SecurityGroupRuleId"] for found in region.rules()}:
        region.client("ec2").revoke_security_group_ingress(GroupId=region.security_group, SecurityGroupRuleIds=[rule])


def true_ups(cluster: Cluster, times: int = 1) -> None:
    """True-ups of all Regions. An engine that fails shows in what it leaves behind."""
    for _ in range(times):
        for region in cluster.regions.values():
            region.client("lambda").invoke(FunctionName=region.function, Payload=json.dumps({"trueup": True}))


def assert_served(cluster: Cluster, region: str) -> None:
    """A launch is in service, and admitted in all Regions, within seconds."""
    before = set(cluster.regions[region].instances())
    cluster.regions[region].scale_to(len(before) + 1)

    def is_served() -> bool:
        launched = [instance for id, instance in cluster.regions[region].instances().items() if id not in before]
        return [instance.lifecycle_state for instance in launched] == ["InService"] and all(
            instance.address in other.admitted() for instance in launched for other in cluster.regions.values()
        )

    eventually(is_served, SERVED_SECONDS)


@contextmanager
def watched(cluster: Cluster, *, never: frozenset[str] = frozenset()) -> Iterator[None]:
    """Watches until the end and for some seconds more: no member loses a rule, and `never` is never admitted."""
    members = cluster.members()
    assert members
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for region in cluster.regions.values():
            admitted = region.admitted()
            assert members <= admitted, f"{region.region} lost {members - admitted}"
            assert not never & admitted, f"{region.region} admits {never & admitted}"
