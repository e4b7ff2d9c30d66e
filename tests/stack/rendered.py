"""The stack's template as CloudFormation sees it: loops unrolled for given parameters, references replaced."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml
from ministack.services.cloudformation import engine, language_extensions

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATE = PROJECT / "template.yaml"

REGION, ACCOUNT = "us-east-1", "123456789012"

_PSEUDO_PARAMETERS = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws"}


def source() -> dict[str, Any]:
    """The template as it is written, with short forms as functions."""
    return deepcopy(_loaded())


@cache
def _loaded() -> dict[str, Any]:
    loaded: dict[str, Any] = cfn_yaml.load(str(TEMPLATE))
    return loaded


def rendered(regions: str = REGION, groups: str = "db", security_groups: str = "sg-1") -> dict[str, Any]:
    """The template's resources for these Regions and groups, all comma separated."""
    values = parameters(regions, groups, security_groups)
    template = source()
    applied = language_extensions.apply(template, values)
    resources: dict[str, Any] = (applied or template)["Resources"]
    return resources


def parameters(regions: str, groups: str, security_groups: str) -> dict[str, str]:
    """Every parameter's value: the default, but for what has none."""
    values = {name: str(parameter.get("Default", "")) for name, parameter in source()["Parameters"].items()}
    return values | {
        "ClusterName": "demo",
        "Regions": regions,
        "AutoScalingGroups": groups,
        "SecurityGroups": security_groups,
    }


def refusal(**given: str) -> str | None:
    """Why CloudFormation would refuse a value of these parameters, or None."""
    template = {"Parameters": {name: source()["Parameters"][name] for name in given}}
    try:
        engine._resolve_parameters(template, [{"Key": name, "Value": value} for name, value in given.items()])
    except ValueError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, its references replaced by values."""

    actions: frozenset[str]
    resource: str
    condition: dict[str, dict[str, str | list[str]]] = field(default_factory=dict)


def statements(regions: str = REGION, groups: str = "db", security_groups: str = "sg-1") -> list[Statement]:
    """Every statement of the engine's role, with the policies attached to it."""
    return [
        Statement(frozenset(listed(each["Action"])), each["Resource"], each.get("Condition", {}))
        for document in policies(regions, groups, security_groups)
        for each in document["Statement"]
    ]


def all_statements(regions: str, groups: str, security_groups: str) -> list[dict[str, Any]]:
    """Every statement of every policy in the template, of whatever resource, its references replaced by values."""
    return [
        _resolved(statement, _values(regions, groups, security_groups))
        for document in _documents(rendered(regions, groups, security_groups))
        for statement in document["Statement"]
    ]


def _documents(node: Any) -> Iterator[dict[str, Any]]:
    """Every policy document in a value."""
    if isinstance(node, dict) and "Statement" in node:
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _documents(part)


def policies(regions: str, groups: str, security_groups: str) -> list[dict[str, Any]]:
    """Every inline policy of the engine's role."""
    resources = rendered(regions, groups, security_groups)
    documents = [policy["PolicyDocument"] for policy in resources["EngineRole"]["Properties"]["Policies"]]
    documents += [each["Properties"]["PolicyDocument"] for each in resources.values() if _is_policy(each)]
    return [_resolved(document, _values(regions, groups, security_groups)) for document in documents]


def _values(regions: str, groups: str, security_groups: str) -> dict[str, str | list[str]]:
    return {**parameters(regions, groups, security_groups), **_PSEUDO_PARAMETERS, "Regions": regions.split(",")}


def arns(partition: str, region: str) -> list[str]:
    """Every ARN that the template writes, as a stack in a Region of the partition has it."""
    values = {"AWS::Partition": partition, "AWS::Region": region, "AWS::AccountId": ACCOUNT, "ClusterName": "demo"}
    found = re.findall(r'"(arn:[^"]*)"', json.dumps(rendered(region)))
    return [re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], text) for text in found]


def _is_policy(resource: dict[str, Any]) -> bool:
    return bool(resource["Type"] == "AWS::IAM::Policy" and resource["Properties"]["Roles"] == [{"Ref": "EngineRole"}])


def _resolved(node: Any, values: dict[str, str | list[str]]) -> Any:
    """A value with what the template's policies use of functions replaced; an attribute stands as its name."""
    match node:
        case {"Ref": name}:
            return values[name]
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda match: str(values[match[1]]), text)
        case {"Fn::GetAtt": [*path]}:
            return ".".join(path)
        case dict():
            return {key: _resolved(value, values) for key, value in node.items()}
        case list():
            return [_resolved(value, values) for value in node]
    return node


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
