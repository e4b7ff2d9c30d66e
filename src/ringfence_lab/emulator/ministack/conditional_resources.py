"""Change sets of templates with conditions: a resource whose condition is false does not exist.

A patch of MiniStack's CloudFormation, which compares such resources as if they existed, and so sees no change if only
their condition changes.

Source: CloudFormation User Guide, "Conditions": a resource with a condition is created when the condition is true, and
deleted by an update that makes it false.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services.cloudformation import changesets, engine

Resolve = Callable[..., dict[str, Any]]


def install() -> None:
    """Patches MiniStack. Call it once in a process."""
    changesets._resolve_props_for_diff = _existing_only(changesets._resolve_props_for_diff)


def _existing_only(resolve: Resolve) -> Resolve:
    def resolve_existing(template: Mapping[str, Any], parameters: Mapping[str, Any], *names: str) -> dict[str, Any]:
        resolved = resolve(template, parameters, *names)
        if not template:
            return resolved
        conditions = engine._evaluate_conditions(template, parameters)
        resources = {
            id: resource
            for id, resource in resolved.get("Resources", {}).items()
            if conditions.get(resource.get("Condition"), True)
        }
        return {**resolved, "Resources": resources}

    return resolve_existing
