"""The world behind AWS's API under contract: a lab, or a real account.

The engine's services are its own adapters; an operator's actions use boto3.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ClientError

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.core.events import Launching, LifecycleEvent, Terminating, parse
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.addresses import Cidr, host
from ringfence.core.model.identifiers import InstanceId, Region, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.reconciler.interfaces import HomeServices, RegionServices, RosterTable
from tests.contract.resources import Resources
from tests.contract.world import LAUNCH_HOOK, TERMINATE_HOOK

T = TypeVar("T")

_TRANSITIONS = {
    LAUNCH_HOOK: "autoscaling:EC2_INSTANCE_LAUNCHING",
    TERMINATE_HOOK: "autoscaling:EC2_INSTANCE_TERMINATING",
}


class OnAws:
    """A world of two Regions. `patience` is in seconds: a lab is fast, an instance on AWS takes minutes."""

    def __init__(self, name: str, resources: Resources, patience: float) -> None:
        self.name = name
        self.region = resources.region
        self.home = HomeServices(
            AwsAutoScaling(resources.client_of("autoscaling", self.region), self.region),
            AwsInstances(resources.client_of("ec2", self.region), self.region),
        )
        self.here, self.peer = (_region_services(resources, region) for region in (resources.region, resources.peer))
        self._resources = resources
        self._patience = patience
        self._mailbox = _Mailbox(self._client("sqs"), self._output("Queue"))

    def security_group(self, region_of: RegionServices) -> SecurityGroupId:
        """See `World.security_group`."""
        region = self._resources.region if region_of is self.here else self._resources.peer
        ec2, name = self._resources.client_of("ec2", region), self._resources.name()
        group: str = ec2.create_security_group(
            GroupName=name,
            Description="A Ringfence conformance run",
            VpcId=self._resources.outputs[region]["Vpc"],
            TagSpecifications=self._resources.specification("security-group"),
        )["GroupId"]
        self._resources.removals.callback(ec2.delete_security_group, GroupId=group)
        return SecurityGroupId(group)

    def allow(self, group: SecurityGroupId, cidr: str, ports: PortRange, description: str) -> RuleId:
        """See `World.allow`."""
        family, key = ("Ipv6Ranges", "CidrIpv6") if ":" in cidr else ("IpRanges", "CidrIp")
        return self._authorize(group, ports, {family: [{key: cidr, "Description": description}]})

    def allow_itself(self, group: SecurityGroupId, ports: PortRange) -> RuleId:
        """See `World.allow_itself`."""
        return self._authorize(group, ports, {"UserIdGroupPairs": [{"GroupId": group}]})

    def _authorize(self, group: SecurityGroupId, ports: PortRange, source: Mapping[str, Any]) -> RuleId:
        permission = {"IpProtocol": ports.protocol, "FromPort": ports.from_port, "ToPort": ports.to_port, **source}
        answer = self._client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
        return RuleId(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def auto_scaling_group(self, heartbeat: int = 600, default: HookResult = HookResult.CONTINUE) -> "OnAwsGroup":
        """See `World.auto_scaling_group`."""
        name, client = self._resources.name(), self._client("autoscaling")
        client.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=2,
            VPCZoneIdentifier=self._output("Subnet"),
            LaunchTemplate={"LaunchTemplateId": self._output("LaunchTemplate"), "Version": "$Latest"},
            Tags=[{**tag, "PropagateAtLaunch": True} for tag in self._resources.tags()],
            LifecycleHookSpecificationList=[
                {
                    "LifecycleHookName": hook,
                    "LifecycleTransition": transition,
                    "HeartbeatTimeout": heartbeat,
                    "DefaultResult": default.value,
                }
                for hook, transition in _TRANSITIONS.items()
            ],
        )
        self._resources.removals.callback(client.delete_auto_scaling_group, AutoScalingGroupName=name, ForceDelete=True)
        return OnAwsGroup(name, client, self._mailbox, self._launch_template())

    def _launch_template(self) -> "_LaunchTemplate":
        (version,) = self._client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self._output("LaunchTemplate"), Versions=["1"]
        )["LaunchTemplateVersions"]
        data = version["LaunchTemplateData"]
        return _LaunchTemplate(version["LaunchTemplateId"], data["InstanceType"], data["ImageId"])

    def associate_elastic_address(self, instance: InstanceId) -> Cidr:
        """See `World.associate_elastic_address`."""
        ec2 = self._client("ec2")
        allocated = ec2.allocate_address(Domain="vpc", TagSpecifications=self._resources.specification("elastic-ip"))
        self._resources.removals.callback(ec2.release_address, AllocationId=allocated["AllocationId"])
        association = ec2.associate_address(InstanceId=instance, AllocationId=allocated["AllocationId"])
        self._resources.removals.callback(_disassociate, ec2, association["AssociationId"])
        return host(allocated["PublicIp"])

    def peer_table_with_credentials_of_home(self) -> RosterTable:
        """See `World.peer_table_with_credentials_of_home`."""
        peer = self._resources.peer
        issued = self._client("sts").assume_role(RoleArn=self._output("Role"), RoleSessionName="conformance")
        credentials = issued["Credentials"]
        client = boto3.client(
            "dynamodb",
            region_name=peer,
            endpoint_url=self._resources.client_of("dynamodb", peer).meta.endpoint_url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        return AwsRosterTable(client, peer, self._resources.outputs[peer]["Table"])

    def put_item(self, item: Mapping[str, Any]) -> None:
        """See `World.put_item`."""
        self._client("dynamodb").put_item(TableName=self._output("Table"), Item=dict(item))

    def queue(self, visibility: int, receives: int) -> "OnAwsQueue":
        """See `World.queue`."""
        sqs = self._client("sqs")
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        dead = self._create_queue(attributes)
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": {receives}}}'
        url = self._create_queue({**attributes, "VisibilityTimeout": str(visibility), "RedrivePolicy": redrive})
        return OnAwsQueue(sqs, url, dead)

    def _create_queue(self, attributes: Mapping[str, str]) -> str:
        sqs, name = self._client("sqs"), f"{self._resources.name()}.fifo"
        tags = {tag["Key"]: tag["Value"] for tag in self._resources.tags()}
        url: str = sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags)["QueueUrl"]
        self._resources.removals.callback(sqs.delete_queue, QueueUrl=url)
        return url

    def tidy_up(self) -> None:
        """See `World.tidy_up`."""
        self._resources.removals.close()

    def wait(self, seconds: float) -> None:
        """See `World.wait`."""
        time.sleep(seconds)

    def eventually(self, look: Callable[[], T]) -> T:
        """See `World.eventually`."""
        deadline = time.monotonic() + self._patience
        while not (result := look()):
            assert time.monotonic() < deadline, f"no result within {self._patience} s"
            time.sleep(self._resources.poll_seconds)
        return result

    def _client(self, service: str) -> Any:
        return self._resources.client_of(service, self.region)

    def _output(self, name: str) -> str:
        return self._resources.outputs[self.region][name]


@dataclass(slots=True)
class _Mailbox:
    """All events of the run's Auto Scaling groups that have arrived."""

    sqs: Any
    url: str
    arrived: list[LifecycleEvent] = field(default_factory=list)

    def of(self, group: str) -> list[LifecycleEvent]:
        """The events of one group."""
        for message in _received(self.sqs, self.url):
            event = parse(json.loads(message["Body"]), message["MessageId"])
            if isinstance(event, Launching | Terminating):
                self.arrived.append(event)
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in self.arrived if event.group == group]


@dataclass(frozen=True, slots=True)
class _LaunchTemplate:
    """The first version of the run's launch template."""

    id: str
    instance_type: str
    image: str


@dataclass(frozen=True, slots=True)
class OnAwsGroup:
    """An Auto Scaling group."""

    name: str
    client: Any
    mailbox: _Mailbox
    template: "_LaunchTemplate"

    def scale_to(self, desired: int) -> None:
        """See `world.Group.scale_to`."""
        self.client.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=desired)

    def terminate(self, instance: InstanceId) -> None:
        """See `world.Group.terminate`."""
        self.client.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=False)

    def detach(self, instance: InstanceId) -> None:
        """See `world.Group.detach`."""
        self.client.detach_instances(
            AutoScalingGroupName=self.name, InstanceIds=[instance], ShouldDecrementDesiredCapacity=True
        )

    def enter_standby(self, instance: InstanceId) -> None:
        """See `world.Group.enter_standby`."""
        self.client.enter_standby(
            AutoScalingGroupName=self.name, InstanceIds=[instance], ShouldDecrementDesiredCapacity=True
        )

    def exit_standby(self, instance: InstanceId) -> None:
        """See `world.Group.exit_standby`."""
        self.client.exit_standby(AutoScalingGroupName=self.name, InstanceIds=[instance])

    def replace_root_volumes(self) -> None:
        """See `world.Group.replace_root_volumes`."""
        policy = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": self.template.id, "Version": "1"},
                "Overrides": [{"InstanceType": self.template.instance_type, "ImageId": self.template.image}],
            }
        }
        self.client.update_auto_scaling_group(AutoScalingGroupName=self.name, MixedInstancesPolicy=policy)
        self.client.start_instance_refresh(
            AutoScalingGroupName=self.name,
            Strategy="ReplaceRootVolume",
            DesiredConfiguration={"MixedInstancesPolicy": policy},
            Preferences={"MinHealthyPercentage": 0, "InstanceWarmup": 0, "SkipMatching": False},
        )

    def keep_warm(self, size: int) -> None:
        """See `world.Group.keep_warm`."""
        self.client.put_warm_pool(
            AutoScalingGroupName=self.name,
            MinSize=0,
            MaxGroupPreparedCapacity=size,
            PoolState="Stopped",
            InstanceReusePolicy={"ReuseOnScaleIn": True},
        )

    def events(self) -> Sequence[LifecycleEvent]:
        """See `world.Group.events`."""
        return self.mailbox.of(self.name)


@dataclass(slots=True)
class OnAwsQueue:
    """A queue with its dead-letter queue, by their URLs."""

    sqs: Any
    url: str
    dead: str
    handles: list[str] = field(default_factory=list)

    def send(self, body: str) -> None:
        """See `world.Queue.send`."""
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageGroupId="contract")

    def receive(self) -> list[str]:
        """See `world.Queue.receive`."""
        messages = _received(self.sqs, self.url)
        self.handles = [message["ReceiptHandle"] for message in messages]
        return [message["Body"] for message in messages]

    def delete_received(self) -> None:
        """See `world.Queue.delete_received`."""
        for handle in self.handles:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=handle)

    def dead_letters(self) -> list[str]:
        """See `world.Queue.dead_letters`."""
        return [message["Body"] for message in _received(self.sqs, self.dead)]


def _region_services(resources: Resources, region: Region) -> RegionServices:
    table = AwsRosterTable(resources.client_of("dynamodb", region), region, resources.outputs[region]["Table"])
    return RegionServices(table, AwsSecurityGroups(resources.client_of("ec2", region), region))


def _received(sqs: Any, url: str) -> list[dict[str, Any]]:
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def _disassociate(ec2: Any, association: str) -> None:
    """Ignores an error: the association may have ended with the instance."""
    with suppress(ClientError):
        ec2.disassociate_address(AssociationId=association)
