"""Creates and removes the resources of a conformance run in its two Regions, through AWS's API.

All resources have the tag `ringfence-conformance` with the run's name, by which leftovers are found. It must not know
the clauses.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from ringfence.core.model.identifiers import Region

TAG = "ringfence-conformance"
TEMPLATE = Path(__file__).with_name("resources.yaml")

REMOVAL_SECONDS = 900
"""The maximum time of one step: AWS releases an instance's network interface slowly."""

ClientOf = Callable[[str, str], Any]
"""A client of a service in a Region."""


class CannotRun(Exception):
    """The run cannot start. The message is for the user."""


class LeftBehind(Exception):
    """Some resources could not be removed. The message lists them for the user."""


@dataclass(slots=True)
class Resources:
    """The resources of one run. `removals` removes the resources of a clause, in the reverse order; `started` are the
    Regions in which the creation of a stack was started."""

    run: str
    region: Region
    peer: Region
    client_of: ClientOf
    poll_seconds: float
    outputs: dict[Region, Mapping[str, str]] = field(default_factory=dict)
    removals: ExitStack = field(default_factory=ExitStack)
    started: list[Region] = field(default_factory=list)
    names: int = 0

    def name(self) -> str:
        """A unique name."""
        self.names += 1
        return f"{self.run}-{self.names}"

    def tags(self) -> list[dict[str, str]]:
        """The run's tag in the format of most services."""
        return [{"Key": TAG, "Value": self.run}]

    def specification(self, kind: str) -> list[dict[str, Any]]:
        """The run's tag in the format of EC2, for a new resource of this kind."""
        return [{"ResourceType": kind, "Tags": self.tags()}]

    def create_stacks(self) -> None:
        """Creates the stack in each Region. Raises CannotRun with CloudFormation's reason."""
        for region in (self.region, self.peer):
            try:
                self.client_of("cloudformation", region).create_stack(
                    StackName=self.run,
                    TemplateBody=TEMPLATE.read_text(),
                    Parameters=[{"ParameterKey": "Run", "ParameterValue": self.run}],
                    Tags=self.tags(),
                    Capabilities=["CAPABILITY_IAM"],
                    OnFailure="DELETE",
                )
            except ClientError as error:
                raise CannotRun(f"the stack in {region} was refused: {error}") from None
            self.started.append(region)
        for region in (self.region, self.peer):
            self.outputs[region] = self._created(region)

    def _created(self, region: Region) -> Mapping[str, str]:
        cloudformation = self.client_of("cloudformation", region)
        try:
            self._wait(cloudformation, "stack_create_complete")
        except WaiterError as error:
            raise CannotRun(f"the stack {self.run} in {region} was not created: {error}") from None
        (stack,) = cloudformation.describe_stacks(StackName=self.run)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def remove(self) -> None:
        """Removes everything, and continues after an error. Raises LeftBehind."""
        errors = []
        for step in (self.removals.close, self._end_instances, *map(self._stack_removal, self.started)):
            try:
                step()
            except (ClientError, BotoCoreError) as error:
                errors.append(str(error))
        left = [f"{region}: {leftover}" for region in self.started for leftover in self.leftovers(region)]
        if errors or left:
            raise LeftBehind("not everything was removed:\n  " + "\n  ".join([*errors, *left]))

    def leftovers(self, region: Region) -> Iterator[str]:
        """The remaining resources in the Region with the run's tag, or with its name if they cannot have a tag."""
        ec2 = self.client_of("ec2", region)
        filters = [{"Name": f"tag:{TAG}", "Values": [self.run]}]
        yield from (
            f"security group {group['GroupId']}"
            for group in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        )
        yield from (f"VPC {vpc['VpcId']}" for vpc in ec2.describe_vpcs(Filters=filters)["Vpcs"])
        yield from (
            f"Elastic IP {address['AllocationId']}" for address in ec2.describe_addresses(Filters=filters)["Addresses"]
        )
        yield from (f"instance {instance}" for instance in self._instances(region))
        yield from (f"Auto Scaling group {name}" for name in self._auto_scaling_groups(region))
        yield from (f"queue {url}" for url in self._queues(region))
        stacks = self.client_of("cloudformation", region).get_paginator("describe_stacks").paginate()
        names = [stack["StackName"] for page in stacks for stack in page["Stacks"]]  # without deleted stacks
        yield from (f"stack {name}" for name in names if name == self.run)

    def _auto_scaling_groups(self, region: Region) -> list[str]:
        pages = self.client_of("autoscaling", region).get_paginator("describe_auto_scaling_groups").paginate()
        names = [group["AutoScalingGroupName"] for page in pages for group in page["AutoScalingGroups"]]
        return [name for name in names if name.startswith(f"{self.run}-")]

    def _queues(self, region: Region) -> list[str]:
        urls: list[str] = self.client_of("sqs", region).list_queues(QueueNamePrefix=self.run).get("QueueUrls", [])
        return urls

    def _instances(self, region: Region) -> list[str]:
        living = ["pending", "running", "stopping", "stopped", "shutting-down"]
        filters = [{"Name": f"tag:{TAG}", "Values": [self.run]}, {"Name": "instance-state-name", "Values": living}]
        pages = self.client_of("ec2", region).get_paginator("describe_instances").paginate(Filters=filters)
        return [
            instance["InstanceId"]
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]

    def _end_instances(self) -> None:
        """Terminates detached instances, and those of deleted groups: they would prevent the deletion of the VPC."""
        if self.region not in self.started:
            return
        if living := self._instances(self.region):
            ec2 = self.client_of("ec2", self.region)
            ec2.terminate_instances(InstanceIds=living)
            self._wait(ec2, "instance_terminated", InstanceIds=living)
        deadline = time.monotonic() + REMOVAL_SECONDS
        while self._auto_scaling_groups(self.region) and time.monotonic() < deadline:
            time.sleep(self.poll_seconds)

    def _stack_removal(self, region: Region) -> Callable[[], None]:
        def remove() -> None:
            cloudformation = self.client_of("cloudformation", region)
            cloudformation.delete_stack(StackName=self.run)
            self._wait(cloudformation, "stack_delete_complete")

        return remove

    def _wait(self, client: Any, waiter: str, **asked: Any) -> None:
        asked = asked or {"StackName": self.run}
        attempts = int(REMOVAL_SECONDS / self.poll_seconds)
        client.get_waiter(waiter).wait(**asked, WaiterConfig={"Delay": self.poll_seconds, "MaxAttempts": attempts})


@contextmanager
def made(resources: Resources, before_removal: Callable[[], None] = lambda: None) -> Iterator[Resources]:
    """The resources, for a `with` block. At its end they are always removed."""
    try:
        resources.create_stacks()
        yield resources
    finally:
        before_removal()
        resources.remove()
