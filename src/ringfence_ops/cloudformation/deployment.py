"""Deploys a cluster and takes it down, all Regions at a time.

Every Region is worked at in its own thread and told of through `tell`; one that fails or hangs holds up no other.
Knows no terminal.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ringfence.aws.ec2 import AwsSecurityGroups
from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cloudformation.artefact import PROJECT, artefact
from ringfence_ops.cloudformation.bucket import Bucket
from ringfence_ops.cloudformation.stacks import Kind, Proposal, Stack, Step
from ringfence_ops.cluster.cluster_file import Cluster

_CODE_URI = re.compile(r"^(\s+CodeUri:) \.$", re.MULTILINE)
_RUNTIME = re.compile(r"^\s+Runtime: python(\S+)$", re.MULTILINE)
TAG = "ringfence-cluster"
"""What says which security groups may be changed. See docs/decisions/0012."""

LOOKING, WORKING = 120.0, 3600.0
"""Seconds within which a change set is made, and within which a stack is."""

Tell = Callable[[Region, Step], None]


@dataclass(frozen=True, slots=True)
class Deployer:
    """Deploys the cluster of an account, from this checkout."""

    aws: Aws
    cluster: Cluster
    account: str
    project: Path = field(default=PROJECT)
    poll: float = 1.0

    def ill_compiled(self) -> str | None:
        """What is to be said where this Python is another one than the function's: it works, and starts slower."""
        runtime = _RUNTIME.search((self.project / "template.yaml").read_text())
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        if runtime is None or runtime[1] == here:
            return None
        return (
            f"The function runs Python {runtime[1]} and is built with {here}: it works, and compiles itself at each"
            f" cold start. For a faster one, make .venv with Python {runtime[1]}: make set-up PYTHON=python{runtime[1]}"
        )

    def stack(self, region: Region) -> Stack:
        """The Region's stack."""
        client = self.aws.client("cloudformation", region, patient=True)
        return Stack(client, region, f"ringfence-{self.cluster.name}", self.poll)

    def propose(self, regions: Sequence[Region]) -> Mapping[Region, Proposal | Unreachable]:
        """What a deployment would change in each Region: a change set each, which nobody has executed. A Region that
        does not answer at once is not waited for. Raises CommandError where settings contradict each other."""
        if broken := self.cluster.broken_relations():
            raise CommandError("; ".join(broken))
        code = artefact(self.project)
        template = (self.project / "template.yaml").read_text()
        for service in ("s3", "cloudformation"):  # in one thread: the first client of a service reads its model
            self.aws.client(service, regions[0], patient=True)

        def one(region: Region) -> Proposal:
            uri = Bucket(self.aws.client("s3", region, patient=True), self.account, region).put(code)
            packaged, places = _CODE_URI.subn(rf"\1 {uri}", template)
            if places != 1:
                raise CommandError(f"template.yaml has {places} functions with `CodeUri: .`, where one is expected")
            return self.stack(region).propose(packaged, self.cluster.parameters(region))

        found: dict[Region, Proposal | Unreachable] = dict(self.silent(regions))
        return found | dict(self.aws.each_region([each for each in regions if each not in found], one, LOOKING))

    def silent(self, regions: Sequence[Region]) -> dict[Region, Unreachable]:
        """The Regions that do not answer now, and why."""

        def look(region: Region) -> None:
            Stack(self.aws.client("cloudformation", region), region, f"ringfence-{self.cluster.name}").status()

        found = self.aws.each_region(regions, look)
        return {region: one for region, one in found.items() if isinstance(one, Unreachable)}

    def drop(self, proposals: Mapping[Region, Proposal]) -> None:
        """Takes the change sets away again."""
        self.aws.each_region(proposals, lambda region: self.stack(region).drop(proposals[region]), LOOKING)

    def deploy(self, proposals: Mapping[Region, Proposal], tell: Tell) -> Mapping[Region, str | Unreachable]:
        """Does what was proposed. Says of each Region what was done; the groups are tagged first."""

        def one(region: Region) -> str:
            proposal = proposals[region]
            self._tag(region)
            self.stack(region).execute(proposal, lambda step: tell(region, step))
            return {Kind.UPDATE: "updated", Kind.NOTHING: "unchanged"}.get(proposal.kind, "created")

        return self.aws.each_region(proposals, one, WORKING)

    def _tag(self, region: Region) -> None:
        groups = self.cluster.of(region).security_groups
        tags = [{"Key": TAG, "Value": self.cluster.name}]
        self.aws.client("ec2", region, patient=True).create_tags(Resources=list(groups), Tags=tags)

    def destroy(self, regions: Sequence[Region], tell: Tell) -> Mapping[Region, str | Unreachable]:
        """Takes the stacks down. Says of each Region what was done."""

        def one(region: Region) -> str:
            stack = self.stack(region)
            if stack.status() is None:
                return "was not deployed"
            stack.delete(lambda step: tell(region, step))
            return "destroyed"

        found: dict[Region, str | Unreachable] = dict(self.silent(regions))
        return found | dict(self.aws.each_region([each for each in regions if each not in found], one, WORKING))

    def owned(self, region: Region) -> dict[SecurityGroupId, list[RuleId]]:
        """The rules in the Region's groups that are this cluster's, by their labels."""
        groups = self._security_groups(region).rules(self.cluster.of(region).security_groups)
        return {
            group: [rule.id for rule in rules if rule.label(self.cluster.name) is not None]
            for group, rules in groups.items()
        }

    def remove_rules(self, region: Region) -> int:
        """Removes the cluster's own rules from the Region's groups, once no engine puts them back. Counts them."""
        port, removed = self._security_groups(region), 0
        for group, rules in self.owned(region).items():
            for at in range(0, len(rules), _AT_ONCE):
                port.revoke(group, rules[at : at + _AT_ONCE])
                removed += len(rules[at : at + _AT_ONCE])
        return removed

    def _security_groups(self, region: Region) -> AwsSecurityGroups:
        return AwsSecurityGroups(self.aws.client("ec2", region, patient=True), region)


_AT_ONCE = 100
"""Rules that one call removes."""
