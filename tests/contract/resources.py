"""Makes and removes what a conformance run needs in its two Regions, through whatever answers AWS's API.

Everything carries the tag `ringfence-conformance` with the run's name: what was left behind is found by it. Knows
nothing of the clauses.
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
"""How long one step of making or removing may take: AWS is slow to give an instance's network interface back."""

ClientOf = Callable[[str, str], Any]
"""A client of a service in a Region."""


class CannotRun(Exception):
    """The run cannot be prepared. Its text is for the person who started it."""


class LeftBehind(Exception):
    """Something could not be removed. Its text says what, for a person to remove."""


@dataclass(slots=True)
class Resources:
    """What one run has. `removals` take away, in the reverse order, what a clause made; `started` names the Regions
    in which a stack was asked for."""

    run: str
    region: Region
    peer: Region
    client_of: ClientOf
    poll_seconds: float
    outputs: dict[Region, Mapping[str, str]] = field(default_factory=dict)
    removals: ExitStack = field(default_factory=ExitStack)
    started: list[Region] = field(default_factory=list)
    made: int = 0

    def name(self) -> str:
        """A name that nothing else has."""
        self.made += 1
        return f"{self.run}-{self.made}"

    def tags(self) -> list[dict[str, str]]:
        """The run's tag as most services write it."""
        return [{"Key": TAG, "Value": self.run}]

    def specification(self, kind: str) -> list[dict[str, Any]]:
        """The run's tag as EC2 takes it when it makes something of the kind."""
        return [{"ResourceType": kind, "Tags": self.tags()}]

    def create_stacks(self) -> None:
        """Makes the stack in each Region. Raises CannotRun with CloudFormation's reason."""
        for region in (self.region, self.peer):
            try:
                self.client_of("cloudformation", region).create_stack(
                    StackName=self.run,
                    TemplateBody=TEMPLATE.read_text(),
                    Parameters=[{"ParameterKey": "Run", "ParameterValue": self.run}],
                    Tags=self.tags(),
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
        """Removes everything, the rest even where something cannot be. Raises LeftBehind."""
        failed = []
        for step in (self.removals.close, self._end_instances, *map(self._stack_removal, self.started)):
            try:
                step()
            except (ClientError, BotoCoreError) as error:
                failed.append(str(error))
        left = [f"{region}: {each}" for region in self.started for each in self.leftovers(region)]
        if failed or left:
            raise LeftBehind("not everything was removed:\n  " + "\n  ".join([*failed, *left]))

    def leftovers(self, region: Region) -> Iterator[str]:
        """What still stands in the Region and carries the run's tag, or its name where it can carry no tag."""
        ec2 = self.client_of("ec2", region)
        mine = [{"Name": f"tag:{TAG}", "Values": [self.run]}]
        yield from (
            f"security group {one['GroupId']}" for one in ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
        )
        yield from (f"VPC {one['VpcId']}" for one in ec2.describe_vpcs(Filters=mine)["Vpcs"])
        yield from (f"Elastic IP {one['AllocationId']}" for one in ec2.describe_addresses(Filters=mine)["Addresses"])
        yield from (f"instance {one}" for one in self._instances(region))
        yield from (f"Auto Scaling group {name}" for name in self._auto_scaling_groups(region))
        yield from (f"queue {url}" for url in self._queues(region))
        stacks = self.client_of("cloudformation", region).get_paginator("describe_stacks").paginate()
        names = [one["StackName"] for page in stacks for one in page["Stacks"]]  # deleted ones are not in it
        yield from (f"stack {name}" for name in names if name == self.run)

    def _auto_scaling_groups(self, region: Region) -> list[str]:
        pages = self.client_of("autoscaling", region).get_paginator("describe_auto_scaling_groups").paginate()
        names = [one["AutoScalingGroupName"] for page in pages for one in page["AutoScalingGroups"]]
        return [name for name in names if name.startswith(f"{self.run}-")]

    def _queues(self, region: Region) -> list[str]:
        urls: list[str] = self.client_of("sqs", region).list_queues(QueueNamePrefix=self.run).get("QueueUrls", [])
        return urls

    def _instances(self, region: Region) -> list[str]:
        living = ["pending", "running", "stopping", "stopped", "shutting-down"]
        filters = [{"Name": f"tag:{TAG}", "Values": [self.run]}, {"Name": "instance-state-name", "Values": living}]
        pages = self.client_of("ec2", region).get_paginator("describe_instances").paginate(Filters=filters)
        return [one["InstanceId"] for page in pages for each in page["Reservations"] for one in each["Instances"]]

    def _end_instances(self) -> None:
        """Those that were detached, and those whose group is being deleted: they would keep the VPC."""
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
    """The resources, for as long as the `with` block runs; then, whatever happened, they are removed."""
    try:
        resources.create_stacks()
        yield resources
    finally:
        before_removal()
        resources.remove()
