"""Finds the drift of a stack, and repairs it by direct calls. Knows no terminal, and no other Region."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ringfence.aws.error_codes import is_absent, is_absent_stack, is_new_role
from ringfence_ops.aws.errors import in_one_line
from ringfence_ops.errors import CommandError
from ringfence_ops.repair.drift import Difference, Fields, Repair, differences
from ringfence_ops.repair.kinds.kind import ClientOf
from ringfence_ops.repair.kinds.registry import KINDS
from ringfence_ops.repair.template import DeployedTemplate, NotResolved, Place, Resource
from ringfence_ops.state.path import COMPLETE

SERVICES = (
    "autoscaling",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "events",
    "iam",
    "lambda",
    "logs",
    "s3",
    "scheduler",
    "sqs",
)
"""The services that are called."""

FUNCTION, MAPPING, ROLE = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping", "AWS::IAM::Role"
_WORKERS = 12
_ROLE_ATTEMPTS, _ROLE_PAUSE = 15, 2.0
"""How often, and how many seconds apart, a service is asked again that does not see a new role yet."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs from the stack's template, in the order of repair; and by resource, why it could not be read."""

    repairs: tuple[Repair, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_stack(self) -> tuple[str, ...]:
        """The logical ids of the resources that only CloudFormation can make again."""
        return tuple(repair.resource.logical_id for repair in self.repairs if repair.by_stack)


@dataclass(frozen=True, slots=True)
class StackRepair:
    """The drift of the stack of this name."""

    client_of: ClientOf
    name: str

    def find(self) -> Drift:
        """The drift. A stack that does not exist, or is in no stable state, has none.

        Raises botocore's errors, and CommandError where the stack's template cannot be understood.
        """
        try:
            deployed = self._template()
            resources = list(deployed.resources(KINDS)) if deployed else []
        except NotResolved as error:
            raise CommandError(str(error)) from error
        resources.sort(key=lambda resource: list(KINDS).index(resource.type))
        with ThreadPoolExecutor(_WORKERS) as pool:
            answers = list(pool.map(self._compared, resources))
        repairs = [answer for answer in answers if isinstance(answer, Repair)]
        unread = {
            resource.logical_id: answer
            for resource, answer in zip(resources, answers, strict=True)
            if isinstance(answer, str)
        }
        return Drift(tuple(with_new_roles(repairs, resources)), unread)

    def _template(self) -> DeployedTemplate | None:
        client = self.client_of("cloudformation")
        stacks = [stack for stack in _stacks(client, self.name) if stack["StackStatus"] in COMPLETE]
        if not stacks:
            return None
        template = client.get_template(StackName=self.name, TemplateStage="Processed")["TemplateBody"]
        if not isinstance(template, Mapping):
            raise NotResolved("the stack's processed template is not JSON")
        pages = client.get_paginator("list_stack_resources").paginate(StackName=self.name)
        ids = {
            one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
            for page in pages
            for one in page["StackResourceSummaries"]
        }
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stacks[0].get("Parameters", [])}
        _, partition, _, region, account, _ = stacks[0]["StackId"].split(":", 5)
        return DeployedTemplate(template, parameters, ids, Place(partition, region, account))

    def _compared(self, resource: Resource) -> Repair | str | None:
        """The repair of the resource; None where it is as the template says; or why it could not be read."""
        kind = KINDS[resource.type]
        try:
            found = self._found(resource)
        except (ClientError, BotoCoreError) as error:
            return in_one_line(error)
        if found is None:
            return Repair(resource, kind.name(resource), by_stack=resource.type == MAPPING)
        if differing := differences(kind.wanted(resource), found):
            return Repair(resource, kind.name(resource), differing)
        return None

    def _found(self, resource: Resource) -> Fields | None:
        try:
            return KINDS[resource.type].found(self.client_of, resource)
        except ClientError as error:
            if is_absent(error):
                return None
            raise

    def apply(self, repairs: Sequence[Repair]) -> Iterator[Repair]:
        """Makes each repair that direct calls can make, in this order, and yields it when it is made.

        Raises CommandError at the end with each repair that failed: the others are made.
        """
        failed = []
        for repair in repairs:
            try:
                self._apply(repair)
            except (ClientError, BotoCoreError) as error:
                failed.append(f"{repair.title} could not be repaired: {in_one_line(error)}")
            else:
                yield repair
        if failed:
            raise CommandError("; ".join(failed))

    def _apply(self, repair: Repair) -> None:
        for attempt in range(1, _ROLE_ATTEMPTS + 1):
            try:
                KINDS[repair.resource.type].repair(self.client_of, repair)
            except ClientError as error:
                if attempt == _ROLE_ATTEMPTS or not is_new_role(str(error)):
                    raise
                time.sleep(_ROLE_PAUSE)
            else:
                return


def _stacks(client: Any, name: str) -> list[dict[str, Any]]:
    try:
        stacks: list[dict[str, Any]] = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if is_absent_stack(error):
            return []
        raise
    return stacks


def with_new_roles(repairs: Sequence[Repair], resources: Iterable[Resource]) -> Iterator[Repair]:
    """The repairs, and one of each function whose role is made again: Lambda knows the role by an id that is new.

    Source: IAM User Guide, "IAM identifiers": a role that is deleted and created again has a new unique id.
    """
    again = {repair.name for repair in repairs if repair.resource.type == ROLE and repair.is_missing}
    changed = {repair.resource.logical_id: repair for repair in repairs}
    for resource in resources:
        repair = changed.get(resource.logical_id)
        role = str(resource.properties.get("Role", "")).rsplit("/", 1)[-1]
        if resource.type == FUNCTION and role in again and (repair is None or not repair.is_missing):
            repair = repair or Repair(resource, KINDS[FUNCTION].name(resource))
            repair = replace(repair, differences=(*repair.differences, Difference("Role", "the new one", "deleted")))
        if repair is not None:
            yield repair
