"""The drift of a cluster's stacks, and what a deployment does about it before it executes its change sets.

Knows no terminal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Unreachable
from ringfence_ops.cloudformation.bucket import Bucket
from ringfence_ops.cloudformation.deployment import STACK_TIMEOUT, Deployer, OnStackEvent
from ringfence_ops.cloudformation.stacks import ChangeSet, DeploymentKind, StackEvent
from ringfence_ops.repair.reconnection import without
from ringfence_ops.repair.stack_repair import SERVICES, Drift, StackRepair

FIND_TIMEOUT = 60.0
"""Seconds that finding the drift of a Region may take."""

TEMPLATE_BODY = 51_200
"""Bytes of a template in a request. Source: CloudFormation User Guide, "Understand CloudFormation quotas"."""

REPAIRED = "REPAIRED"
"""The status of an event that is not CloudFormation's: a direct call repaired the resource."""


@dataclass(frozen=True, slots=True)
class ClusterRepair:
    """Repairs the stacks that the deployer deploys."""

    deployer: Deployer

    def find(self, change_sets: Mapping[Region, ChangeSet]) -> Mapping[Region, Drift | Unreachable]:
        """The drift of each Region whose stack exists and can be updated."""
        kinds = (DeploymentKind.UPDATE, DeploymentKind.NOTHING)
        regions = [region for region, change_set in change_sets.items() if change_set.kind in kinds]
        aws = self.deployer.aws
        if regions:
            aws.prepare(SERVICES, regions[0], patient=True)
        return aws.each_region(regions, lambda region: self._stack(region).find(), FIND_TIMEOUT)

    def repair(
        self, change_sets: Mapping[Region, ChangeSet], drift: Mapping[Region, Drift], on_event: OnStackEvent
    ) -> Mapping[Region, ChangeSet | Unreachable]:
        """Brings out what stands in the way of the change sets, and returns those to execute.

        Repairs drift, finishes a roll-back that failed, and deletes a stack that can only be deleted. What follows is
        planned again where the stack was changed: with the same template and parameters.
        """

        def prepare(region: Region) -> ChangeSet:
            return self._prepare(region, change_sets[region], drift.get(region, Drift()), on_event)

        return self.deployer.aws.each_region(change_sets, prepare, STACK_TIMEOUT)

    def _prepare(self, region: Region, change_set: ChangeSet, drift: Drift, on_event: OnStackEvent) -> ChangeSet:
        stack, kind = self.deployer.stack(region), change_set.kind
        if kind is DeploymentKind.REPLACE:
            stack.delete(partial(on_event, region))
        elif kind is DeploymentKind.RECOVER:
            stack.finish_rollback(partial(on_event, region))
            drift = self._stack(region).find()
        for repair in self._stack(region).apply(drift.repairs):
            if not repair.by_stack:
                on_event(region, StackEvent(repair.resource.logical_id, REPAIRED, repair.message))
        if drift.by_stack:
            self.deployer.discard({region: change_set})
            self._remove(region, drift.by_stack, on_event)
        if kind in (DeploymentKind.REPLACE, DeploymentKind.RECOVER) or drift.by_stack:
            return self.deployer.change_set(region)
        return change_set

    def _remove(self, region: Region, resources: Sequence[str], on_event: OnStackEvent) -> None:
        """Takes these resources out of the stack, so that the next update makes them again."""
        stack = self.deployer.stack(region)
        processed = stack.client.get_template(StackName=stack.name, TemplateStage="Processed")["TemplateBody"]
        template = without(processed, resources)
        source = {"TemplateBody": template}
        if len(template.encode()) > TEMPLATE_BODY:
            bucket = Bucket(self.deployer.aws.client("s3", region, patient=True), self.deployer.account, region)
            source = {"TemplateURL": bucket.put_template(f"{stack.name}-repair.json", template)}
        stack.update(source, partial(on_event, region))

    def _stack(self, region: Region) -> StackRepair:
        client = self.deployer.aws.client
        name = f"ringfence-{self.deployer.cluster.name}"
        return StackRepair(lambda service: client(service, region, patient=True), name)
