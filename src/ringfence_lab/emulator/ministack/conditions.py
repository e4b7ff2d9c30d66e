"""Lets conditions of a stack use the Region and the account, and mappings. MiniStack compares the words instead.

A patch of MiniStack's CloudFormation. Source: CloudFormation Template Reference, "Condition functions", "Supported
functions" (`Fn::FindInMap` and `Ref`), and "Get AWS values using pseudo parameters".
"""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import changesets, engine, handlers, stacks


def install() -> None:
    """Patches MiniStack. Call it once in a process."""
    evaluate = engine._evaluate_conditions

    def evaluate_resolved(template: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
        values = {"AWS::Region": get_region(), "AWS::AccountId": get_account_id(), "AWS::Partition": "aws"}
        values |= {name: parameter["Value"] for name, parameter in parameters.items()}
        conditions = _resolved(template.get("Conditions") or {}, values, template.get("Mappings") or {})
        return evaluate({**template, "Conditions": conditions}, parameters)

    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_resolved


def _resolved(node: Any, values: Mapping[str, Any], mappings: Mapping[str, Any]) -> Any:
    """The conditions with values for what they may use of pseudo parameters and mappings."""
    match node:
        case {"Ref": str(name)} if name.startswith("AWS::") and name in values:
            return values[name]
        case {"Fn::FindInMap": [mapping, first, second]}:
            return mappings[mapping][_key(first, values)][_key(second, values)]
        case dict():
            return {key: _resolved(value, values, mappings) for key, value in node.items()}
        case list():
            return [_resolved(value, values, mappings) for value in node]
    return node


def _key(node: Any, values: Mapping[str, Any]) -> str:
    return str(values[node["Ref"]] if isinstance(node, dict) else node)
