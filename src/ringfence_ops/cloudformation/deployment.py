"""Deploys a cluster and removes it, in all Regions concurrently.

Each Region has its own thread and reports its progress through a callback; one that fails or hangs delays no other.
Knows no terminal.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ringfence.aws.ec2 import AwsSecurityGroups
from ringfence.core.deployment import CLUSTER_TAG
from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cloudformation.artefact import PROJECT, artefact
from ringfence_ops.cloudformation.bucket import Bucket
from ringfence_ops.cloudformation.limits import EVENT_PATTERN, Subject, exceeded
from ringfence_ops.cloudformation.stacks import ChangeSet, DeploymentKind, RoleNotVisible, Stack, StackEvent
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.errors import CommandError

T = TypeVar("T")

_CODE_URI = re.compile(r"^(\s+CodeUri:) \.$", re.MULTILINE)
_RUNTIME = re.compile(r"^\s+Runtime: python(\S+)$", re.MULTILINE)
CHANGE_SET_TIMEOUT, STACK_TIMEOUT = 120.0, 3600.0
"""Seconds within which a change set is created, and within which a stack operation ends."""

AGAIN = "CREATED_AGAIN"
"""The status of an event that is not CloudFormation's: the stack is created once more."""

RULES_PER_CALL = 100
"""Rules that one call removes."""

OnStackEvent = Callable[[Region, StackEvent], None]


@dataclass(frozen=True, slots=True)
class Deployer:
    """Deploys the cluster of an account from this checkout.

    `poll` is in seconds, and `event_pattern_quota` in characters.
    """

    aws: Aws
    cluster: Cluster
    account: str
    project: Path = field(default=PROJECT)
    poll: float = 1.0
    event_pattern_quota: int = EVENT_PATTERN

    def python_mismatch(self) -> str | None:
        """A note for the operator where this Python is not the function's: the function works, and starts slower."""
        runtime = _RUNTIME.search((self.project / "template.yaml").read_text())
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        if runtime is None or runtime[1] == here:
            return None
        return (
            f"The function runs Python {runtime[1]} and is built with {here}: it works, and compiles itself at each"
            f" cold start. For faster cold starts, make .venv with Python {runtime[1]}:"
            f" make set-up PYTHON=python{runtime[1]}"
        )

    def stack(self, region: Region) -> Stack:
        """The Region's stack."""
        client = self.aws.client("cloudformation", region, patient=True)
        return Stack(client, region, f"ringfence-{self.cluster.name}", self.poll)

    def create_change_sets(self, regions: Sequence[Region]) -> Mapping[Region, ChangeSet | Unreachable]:
        """A change set for each Region, not executed. Does not wait for a Region that does not answer.

        Raises CommandError where settings contradict each other or are longer than AWS accepts, or the Regions are of
        several partitions.
        """
        if broken := [*self.cluster.broken_relations(), *self.exceeded_limits(regions)]:
            raise CommandError("; ".join(broken))
        code = artefact(self.project)
        self.aws.prepare(("s3", "cloudformation"), regions[0], patient=True)
        return self._in_reachable(regions, lambda region: self._change_set(region, code), CHANGE_SET_TIMEOUT)

    def _change_set(self, region: Region, code: Path) -> ChangeSet:
        """A change set that is not executed. Deletes the remains of a creation that failed."""
        uri = Bucket(self.aws.client("s3", region, patient=True), self.account, region).put(code)
        packaged, places = _CODE_URI.subn(rf"\1 {uri}", (self.project / "template.yaml").read_text())
        if places != 1:
            raise CommandError(f"template.yaml has {places} functions with `CodeUri: .`, expected one")
        return self.stack(region).create_change_set(packaged, self.cluster.parameters(region))

    def exceeded_limits(self, regions: Iterable[Region]) -> list[str]:
        """The limits of AWS that the stacks of these Regions would exceed."""
        partition = self.aws.partition(self.cluster.region_names)
        subjects = [
            Subject(self.cluster.name, partition, region, self.account, self.cluster.parameters(region))
            for region in regions
        ]
        return [said for subject in subjects for said in exceeded(subject, self.event_pattern_quota)]

    def unreachable(self, regions: Iterable[Region]) -> dict[Region, Unreachable]:
        """The Regions that do not answer now, and why."""

        def look(region: Region) -> None:
            Stack(self.aws.client("cloudformation", region), region, f"ringfence-{self.cluster.name}").status()

        answers = self.aws.each_region(regions, look)
        return {region: answer for region, answer in answers.items() if isinstance(answer, Unreachable)}

    def discard(self, change_sets: Mapping[Region, ChangeSet]) -> None:
        """Deletes the change sets."""
        self.aws.each_region(
            change_sets, lambda region: self.stack(region).discard(change_sets[region]), CHANGE_SET_TIMEOUT
        )

    def deploy(
        self, change_sets: Mapping[Region, ChangeSet], on_event: OnStackEvent
    ) -> Mapping[Region, str | Unreachable]:
        """Tags the security groups and executes the change sets. Returns what was done in each Region.

        A creation that fails because a service does not see a new role yet is made once more, with the same template
        and parameters.
        """

        def execute(region: Region) -> str:
            change_set = change_sets[region]
            self._tag(region)
            stack = self.stack(region)
            try:
                stack.execute(change_set, lambda event: on_event(region, event))
            except RoleNotVisible as error:
                on_event(region, StackEvent(stack.name, AGAIN, f"a new role is not visible yet: {error}"))
                again = self._change_set(region, artefact(self.project))
                stack.execute(again, lambda event: on_event(region, event))
            done = {DeploymentKind.UPDATE: "updated", DeploymentKind.NOTHING: "unchanged"}
            return done.get(change_set.kind, "created")

        return self.aws.each_region(change_sets, execute, STACK_TIMEOUT)

    def _tag(self, region: Region) -> None:
        groups = self.cluster.of(region).security_groups
        tags = [{"Key": CLUSTER_TAG, "Value": self.cluster.name}]
        self.aws.client("ec2", region, patient=True).create_tags(Resources=list(groups), Tags=tags)

    def destroy(self, regions: Sequence[Region], on_event: OnStackEvent) -> Mapping[Region, str | Unreachable]:
        """Deletes the stacks. Returns what was done in each Region."""

        def delete(region: Region) -> str:
            stack = self.stack(region)
            if stack.status() is None:
                return "was not deployed"
            stack.delete(lambda event: on_event(region, event))
            return "destroyed"

        return self._in_reachable(regions, delete, STACK_TIMEOUT)

    def _in_reachable(
        self, regions: Sequence[Region], work: Callable[[Region], T], seconds: float
    ) -> Mapping[Region, T | Unreachable]:
        """Runs long work in each Region that answers a short call first."""
        found: dict[Region, T | Unreachable] = dict(self.unreachable(regions))
        return found | dict(self.aws.each_region([region for region in regions if region not in found], work, seconds))

    def owned_rules(self, region: Region) -> dict[SecurityGroupId, list[RuleId]]:
        """This cluster's own rules in the Region's groups, by their labels."""
        groups = self._security_groups(region).rules(self.cluster.of(region).security_groups)
        return {
            group: [rule.id for rule in rules if rule.label(self.cluster.name) is not None]
            for group, rules in groups.items()
        }

    def remove_rules(self, region: Region) -> int:
        """Removes the cluster's own rules from the Region's groups, where no engine can put them back. Returns how
        many."""
        security_groups, removed = self._security_groups(region), 0
        for group, rules in self.owned_rules(region).items():
            for start in range(0, len(rules), RULES_PER_CALL):
                batch = rules[start : start + RULES_PER_CALL]
                security_groups.revoke(group, batch)
                removed += len(batch)
        return removed

    def _security_groups(self, region: Region) -> AwsSecurityGroups:
        return AwsSecurityGroups(self.aws.client("ec2", region, patient=True), region)
