"""Whose a security group is: which cluster may change it, and how one cluster hands a group over to another.

The tag says it (docs/decisions/0012). A group with the tag of another cluster is never taken: its engines would lose
the permission to close doors in it. Raises botocore's errors, and CommandError. Knows no terminal.
"""

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from ringfence.aws.error_codes import is_absent_stack
from ringfence.core.deployment import CLUSTER_TAG
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.errors import CommandError

Owners = Mapping[SecurityGroupId, str | None]
"""The security groups that exist, each with the cluster that its tag names; None without the tag."""

_CLUSTER = re.compile("[a-z][a-z0-9-]{0,31}")
"""The name of a cluster. A tag can have any text."""


@dataclass(frozen=True, slots=True)
class TagChange:
    """A security group whose tag a deployment sets. `was` is None where it has none."""

    group: SecurityGroupId
    was: str | None
    becomes: str


def owners(aws: Aws, region: Region, groups: Collection[SecurityGroupId], *, patient: bool = False) -> Owners:
    """The owners of those of the groups that exist.

    By a filter, because a call that names a group that does not exist fails as a whole.
    """
    if not groups:
        return {}
    pages = aws.client("ec2", region, patient=patient).get_paginator("describe_security_groups")
    return {
        SecurityGroupId(group["GroupId"]): _owner(group.get("Tags", ()))
        for page in pages.paginate(Filters=[{"Name": "group-id", "Values": sorted(groups)}])
        for group in page["SecurityGroups"]
    }


def _owner(tags: Collection[Mapping[str, str]]) -> str | None:
    return next((tag["Value"] for tag in tags if tag["Key"] == CLUSTER_TAG), None)


def tag_changes(
    aws: Aws, region: Region, groups: Collection[SecurityGroupId], cluster: str, *, patient: bool = False
) -> tuple[TagChange, ...]:
    """What must change so that the cluster may change the groups.

    Raises CommandError where a group does not exist, or belongs to another cluster.
    """
    found = owners(aws, region, groups, patient=patient)
    absent = [
        f"the security group {group} does not exist in {region}: correct security_groups in the cluster file"
        for group in groups
        if group not in found
    ]
    if said := [*absent, *refusals(aws, region, found, cluster)]:
        raise CommandError("; ".join(said))
    return tuple(TagChange(group, found[group], cluster) for group in groups if found[group] != cluster)


def refusals(aws: Aws, region: Region, found: Owners, cluster: str) -> list[str]:
    """For each group of another cluster, whose it is and how to hand it over."""
    return [
        f"the security group {group} in {region} belongs to the cluster {owner}, and is not taken from it."
        f" To hand it over: {_hand_over(aws, region, group, owner)}"
        for group, owner in found.items()
        if owner is not None and owner != cluster
    ]


def refuse_groups_of_others(aws: Aws, groups: Mapping[Region, Collection[SecurityGroupId]], cluster: str) -> None:
    """Raises CommandError where one of the groups belongs to another cluster. Skips Regions that do not answer."""

    def refused(region: Region) -> list[str]:
        return refusals(aws, region, owners(aws, region, groups[region]), cluster)

    answers = aws.each_region(groups, refused)
    if said := [one for answer in answers.values() if not isinstance(answer, Unreachable) for one in answer]:
        raise CommandError("; ".join(said))


def _hand_over(aws: Aws, region: Region, group: SecurityGroupId, owner: str) -> str:
    """The steps, with the commands to run. Only a stack of the owner makes the first one necessary."""
    untag = f"`aws ec2 delete-tags --region {region} --resources {group} --tags {_tag(owner)}`"
    if not _is_managed(aws, region, group, owner):
        return f"run {untag} (no stack of {owner} in {region} manages it), then run this again"
    return (
        f"take it out of security_groups in {owner}'s cluster file and run `ringfence deploy {region}` with that file"
        f" (or `ringfence retire {region}`, where it is {owner}'s only group there), then run {untag}, then run this"
        " again"
    )


def _tag(owner: str) -> str:
    """The tag as the AWS CLI's shorthand writes it. Without a value, the call removes the tag whatever its value."""
    value = f",Value={owner}" if _CLUSTER.fullmatch(owner) else ""
    return shlex.quote(f"Key={CLUSTER_TAG}{value}")


def _is_managed(aws: Aws, region: Region, group: SecurityGroupId, owner: str) -> bool:
    """Whether a stack of the owner has the group. Where that cannot be found out, it may have."""
    if not _CLUSTER.fullmatch(owner):
        return False
    try:
        stacks = aws.client("cloudformation", region).describe_stacks(StackName=f"ringfence-{owner}")["Stacks"]
    except ClientError as error:
        return not is_absent_stack(error)
    except BotoCoreError:
        return True
    return any(
        parameter["ParameterKey"] == "SecurityGroups" and group in parameter.get("ParameterValue", "").split(",")
        for stack in stacks
        if stack["StackStatus"] != "DELETE_COMPLETE"
        for parameter in stack.get("Parameters", ())
    )
