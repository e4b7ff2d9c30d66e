"""How a stack is now: its identity, its status, and what it was last deployed with. Raises botocore's errors.

Source: CloudFormation API Reference, DescribeStacks and GetTemplate. The stage `Original` is the template as it was
sent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent_stack
from ringfence_ops.cloudformation.difference import Definition


@dataclass(frozen=True, slots=True)
class PresentStack:
    """A stack. `updated` is the time of its last update, or of its creation, as CloudFormation says it."""

    id: str
    status: str
    updated: str
    definition: Definition


def present_stack(client: Any, name: str) -> PresentStack | None:
    """The stack of this name; None where there is none, or one that has not been created yet."""
    try:
        if (described := _described(client, name)) is None:
            return None
        template = client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    except ClientError as error:
        if is_absent_stack(error):
            return None
        raise
    return PresentStack(
        id=described["StackId"],
        status=described["StackStatus"],
        updated=_time(described.get("LastUpdatedTime") or described["CreationTime"]),
        # botocore turns a template in JSON into a mapping.
        definition=Definition(template if isinstance(template, str) else json.dumps(template), _parameters(described)),
    )


def present_parameters(client: Any, name: str) -> Mapping[str, str]:
    """The parameters that the stack of this name was last deployed with; none where there is no such stack."""
    try:
        described = _described(client, name)
    except ClientError as error:
        if is_absent_stack(error):
            return {}
        raise
    return {} if described is None else _parameters(described)


def _described(client: Any, name: str) -> Mapping[str, Any] | None:
    (described,) = client.describe_stacks(StackName=name)["Stacks"]
    return None if described["StackStatus"] == "REVIEW_IN_PROGRESS" else described


def _parameters(described: Mapping[str, Any]) -> dict[str, str]:
    return {
        parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in described.get("Parameters", ())
    }


def _time(value: datetime | str) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
