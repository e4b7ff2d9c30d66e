"""The template of a stack without some of its resources: CloudFormation makes them again in the update that follows.

Pure.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any


def without(template: Mapping[str, Any], resources: Collection[str]) -> str:
    """The processed template without these resources and without the `DependsOn` that names them."""
    kept = {
        id: {key: value for key, value in one.items() if key != "DependsOn"} | _depends_on(one, resources)
        for id, one in template["Resources"].items()
        if id not in resources
    }
    return json.dumps({**template, "Resources": kept}, separators=(",", ":"))


def _depends_on(resource: Mapping[str, Any], gone: Collection[str]) -> dict[str, Any]:
    named = resource.get("DependsOn", [])
    kept = [id for id in ([named] if isinstance(named, str) else named) if id not in gone]
    return {"DependsOn": kept} if kept else {}
