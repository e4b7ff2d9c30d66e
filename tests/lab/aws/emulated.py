"""A small AWS for these tests: moto's server on loopback with the lab's patches, and a clock that tests advance."""

import heapq
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ringfence_lab.emulator.aws.installation import install
from ringfence_lab.emulator.aws.journeys import Environment
from ringfence_lab.emulator.aws.security_groups import RulesQuota

REGION = "us-east-1"
GROUP = "db"
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"

_ONCE = Config(retries={"total_max_attempts": 1})


@dataclass(slots=True)
class ManualClock:
    """Time passes only when a test advances it."""

    time: float = 0.0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def now(self) -> float:
        return self.time

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.time + seconds, next(self._numbers), call))

    def advance(self, seconds: float) -> None:
        until = self.time + seconds
        while self._due and self._due[0][0] <= until:
            self.time, _, call = heapq.heappop(self._due)
            call()
        self.time = until


@dataclass(frozen=True, slots=True)
class SentEvent:
    region: str
    source: str
    type: str
    detail: Mapping[str, Any]
    resources: Sequence[str]


@dataclass(slots=True)
class CountingLock(AbstractContextManager[None, None]):
    """Counts how often it is acquired. These tests send sequential requests, so that only the patches acquire it."""

    taken: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __enter__(self) -> None:
        self._lock.acquire()
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@dataclass(slots=True)
class EmulatedAws:
    """Clients of one Region with a VPC and a public subnet in each of two zones, and the events sent so far."""

    ec2: Any
    autoscaling: Any
    clock: ManualClock = field(default_factory=ManualClock)
    lock: CountingLock = field(default_factory=CountingLock)
    quota: RulesQuota = field(default_factory=RulesQuota)
    events: list[SentEvent] = field(default_factory=list)
    vpc: str = ""
    subnets: list[str] = field(default_factory=list)
    security_group: str = ""

    def send_event(
        self, region: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str], /
    ) -> None:
        self.events.append(SentEvent(region, source, detail_type, detail, resources))

    def install(self, step_seconds: float = 0.0, settle_seconds: float = 0.0) -> None:
        """Patches moto."""
        environment = Environment(
            send_event=self.send_event,
            call_later=self.clock.call_later,
            lock=self.lock,
            now=self.clock.now,
            step_seconds=step_seconds,
            settle_seconds=settle_seconds,
        )
        self.quota = install(environment)

    def build_network(self, zones: Sequence[str] = ("us-east-1a", "us-east-1b")) -> None:
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        for number, zone in enumerate(zones):
            asked = {"VpcId": self.vpc, "CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": zone}
            subnet = self.ec2.create_subnet(**asked)["Subnet"]["SubnetId"]
            self.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
            self.subnets.append(subnet)
        made = self.ec2.create_security_group(GroupName="members", Description="members", VpcId=self.vpc)
        self.security_group = made["GroupId"]

    def create_group(self, *, template: Mapping[str, Any] | None = None, **asked: Any) -> None:
        data = template or {"SecurityGroupIds": [self.security_group]}
        launch_template = self.ec2.create_launch_template(
            LaunchTemplateName=f"{asked.get('AutoScalingGroupName', GROUP)}-template",
            LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t4g.nano", **data},
        )["LaunchTemplate"]
        defaults = {
            "AutoScalingGroupName": GROUP,
            "MinSize": 0,
            "MaxSize": 10,
            "VPCZoneIdentifier": ",".join(self.subnets),
            "LaunchTemplate": {"LaunchTemplateId": launch_template["LaunchTemplateId"], "Version": "$Latest"},
        }
        self.autoscaling.create_auto_scaling_group(**(defaults | asked))

    def put_hook(self, name: str, transition: str, **asked: Any) -> None:
        self.autoscaling.put_lifecycle_hook(
            AutoScalingGroupName=GROUP, LifecycleHookName=name, LifecycleTransition=transition, **asked
        )

    def scale_to(self, desired: int) -> None:
        self.autoscaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=desired)

    def complete(self, hook: str, instance_id: str, result: str = "CONTINUE", **asked: Any) -> None:
        self.autoscaling.complete_lifecycle_action(
            AutoScalingGroupName=GROUP,
            LifecycleHookName=hook,
            InstanceId=instance_id,
            LifecycleActionResult=result,
            **asked,
        )

    def complete_all(self, hook: str, result: str = "CONTINUE") -> None:
        waiting = {id: state for id, state in {**self.states(), **self.pool_states()}.items() if ":Wait" in state}
        for instance_id in waiting:
            self.complete(hook, instance_id, result)

    def group(self) -> dict[str, Any]:
        described = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
        group: dict[str, Any] = described["AutoScalingGroups"][0]
        return group

    def states(self) -> dict[str, str]:
        """The lifecycle state of each of the group's instances."""
        return {instance["InstanceId"]: instance["LifecycleState"] for instance in self.group()["Instances"]}

    def pool_states(self) -> dict[str, str]:
        pool = self.autoscaling.describe_warm_pool(AutoScalingGroupName=GROUP)
        return {instance["InstanceId"]: instance["LifecycleState"] for instance in pool["Instances"]}

    def only_instance(self) -> str:
        [instance_id] = self.states()
        return instance_id

    def instance(self, instance_id: str) -> dict[str, Any]:
        [reservation] = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        instance: dict[str, Any] = reservation["Instances"][0]
        return instance

    def run_instance(self, **asked: Any) -> str:
        placement = {} if "NetworkInterfaces" in asked else {"SubnetId": self.subnets[0]}
        run = self.ec2.run_instances(
            ImageId="ami-12345678", InstanceType="t4g.nano", MinCount=1, MaxCount=1, **placement, **asked
        )
        instance_id: str = run["Instances"][0]["InstanceId"]
        return instance_id

    def events_of(self, detail_type: str) -> list[SentEvent]:
        return [event for event in self.events if event.type == detail_type]


_session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")


@cache
def client(service: str, endpoint: str, region: str = REGION, config: Config = _ONCE) -> Any:
    """A client, created once for all tests: loading the model of a service takes longer than a test."""
    return _session.client(service, region_name=region, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]  # by name


def refused(call: Callable[[], object]) -> tuple[str, str]:
    """The code and the message of the error of a refused call."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
