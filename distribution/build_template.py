"""Makes of template.yaml what `ringfence template` unrolls: JSON without SAM's short forms, its loops left in place.

Usage: build_template.py FILE

AWS's own translator expands the function. The loops stay, because the groups are known only when a cluster is. Needs
aws-sam-translator. Knows nothing of the packages of the project.

Source: SAM Developer Guide, "Generated CloudFormation resources"; CloudFormation's service applies the same translator.
"""

import json
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

PROJECT = Path(__file__).resolve().parent.parent

CODE_URI = "s3://bucket/key"
"""Stands for the code, which `ringfence template` knows: the translator wants some."""

_LOOP = "Fn::ForEach::"
_ANY_REGION = "us-east-1"
"""The translator asks for one. Nothing in this template depends on it."""


def build(template: Path = PROJECT / "template.yaml") -> str:
    """The template as JSON: the same source gives the same text."""
    whole: dict[str, Any] = yaml_parse(template.read_text())
    resources = whole["Resources"]
    for resource in resources.values():
        if isinstance(resource, dict) and resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = CODE_URI
    loops = {name: loop for name, loop in resources.items() if name.startswith(_LOOP)}
    whole["Resources"] = {name: resource for name, resource in resources.items() if name not in loops}
    whole["Transform"] = "AWS::Serverless-2016-10-31"
    expanded = _translated(whole)
    expanded["Resources"] |= loops
    return json.dumps(expanded, indent=1) + "\n"


def _translated(template: dict[str, Any]) -> dict[str, Any]:
    # Without it, the translator asks AWS for the Region's name.
    os.environ.setdefault("AWS_DEFAULT_REGION", _ANY_REGION)
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of metrics that are not collected
    no_managed_policies = SimpleNamespace(load=dict)
    translated: dict[str, Any] = transform(template, {}, no_managed_policies)
    return translated


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Path(sys.argv[1]).write_text(build())
