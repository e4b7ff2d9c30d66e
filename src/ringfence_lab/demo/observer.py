"""Observes a cluster through the AWS APIs with boto3: groups, instances, addresses, rules.

It must not know the expected state. Of Ringfence's tables it knows one thing: how to make members old.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ringfence.core.freshness import SETTLED_SECONDS

GROUP_TAG = "aws:autoscaling:groupName"


@dataclass(frozen=True, slots=True)
class ObservedInstance:
    """An instance of an Auto Scaling group at one moment. `address` is its public IPv4 address, if any."""

    id: str
    lifecycle_state: str
    address: str | None


@dataclass(slots=True)
class Observer:
    """One Region of a cluster, observed from outside."""

    endpoint_url: str
    region: str
    auto_scaling_group: str
    security_group: str
    function: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client of the service in the Region, with dummy credentials."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]  # by name
                region_name=self.region,
                endpoint_url=self.endpoint_url,
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106  # the lab accepts any
                config=Config(connect_timeout=2, read_timeout=40, retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def instances(self) -> dict[str, ObservedInstance]:
        """The group's instances by id."""
        states = self.lifecycle_states()
        addresses = self.addresses(states)
        return {id: ObservedInstance(id, state, addresses.get(id)) for id, state in states.items()}

    def lifecycle_states(self) -> dict[str, str]:
        """The lifecycle state of each of the group's instances, by id. EC2 is not asked."""
        answer = self.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.auto_scaling_group]
        )
        return {
            instance["InstanceId"]: instance["LifecycleState"]
            for group in answer["AutoScalingGroups"]
            for instance in group["Instances"]
        }

    def addresses(self, ids: Iterable[str]) -> dict[str, str]:
        """The public IPv4 address of each instance that has one."""
        wanted = sorted(ids)
        if not wanted:
            return {}
        answer = self.client("ec2").describe_instances(Filters=[{"Name": "instance-id", "Values": wanted}])
        return {
            instance["InstanceId"]: instance["PublicIpAddress"]
            for reservation in answer["Reservations"]
            for instance in reservation["Instances"]
            if instance.get("PublicIpAddress")
        }

    def rules(self) -> list[dict[str, Any]]:
        """The inbound rules of the security group whose source is a CIDR."""
        answer = self.client("ec2").describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [self.security_group]}]
        )
        rules = answer["SecurityGroupRules"]
        return [rule for rule in rules if not rule["IsEgress"] and ("CidrIpv4" in rule or "CidrIpv6" in rule)]

    def admitted(self) -> set[str]:
        """The addresses that the security group admits on any port."""
        return {rule.get("CidrIpv4", rule.get("CidrIpv6", "")).partition("/")[0] for rule in self.rules()}

    def scale_to(self, capacity: int) -> None:
        """Sets the group's desired capacity. Before instances leave, their rules get old: see `let_members_age`."""
        if capacity < len(self.lifecycle_states()):
            self.let_members_age()
        self.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName=self.auto_scaling_group, DesiredCapacity=capacity
        )

    def let_members_age(self) -> None:
        """Makes the Region's members so old that the engine releases them without a second look a minute later.

        A lab does not wait for six minutes, so the table gets an older time for each of them.
        """
        dynamodb = self.client("dynamodb")
        tables = [name for name in dynamodb.list_tables()["TableNames"] if name.startswith("ringfence-")]
        old = {"N": str(int(time.time()) - 2 * SETTLED_SECONDS)}
        for table in tables:
            key = {"region": {"S": self.region}, "asg": {"S": self.auto_scaling_group}}
            item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
            for id in item.get("members", {"M": {}})["M"]:
                with suppress(ClientError):  # it has left meanwhile
                    dynamodb.update_item(
                        TableName=table,
                        Key=key,
                        UpdateExpression="SET members.#id.since = :old REMOVE members.#id.moved",
                        ConditionExpression="attribute_exists(members.#id)",
                        ExpressionAttributeNames={"#id": id},
                        ExpressionAttributeValues={":old": old},
                    )

    def true_up(self) -> Mapping[str, Any]:
        """Invokes a true-up of the Region's engine, and returns its result."""
        answer = self.client("lambda").invoke(FunctionName=self.function, Payload=json.dumps({"trueup": True}))
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise RuntimeError(f"the true-up in {self.region} failed: {result.get('errorMessage', result)}")
        return result


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.02) -> float | None:
    """Polls until the condition holds. Returns the seconds that it took; None if it did not hold in time."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            return None
        time.sleep(every)
    return time.monotonic() - started
