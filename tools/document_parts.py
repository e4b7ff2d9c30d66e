"""The generated parts of the documents: each function returns the text of one part.

A document names its parts itself, between `[[[cog` and `[[[end]]]`: cog (cogapp) runs the call that stands there and
puts in what it returns. `make docs` writes all parts, and `make test` checks that they are current. Parts that take
minutes to make are `measured`: their own commands write them (see ringfence_lab/proof/sections.py).
"""

from pathlib import Path
from typing import Any

import yaml
from command_reference import commands_reference, schemas_reference
from conformance_table import conformance_table
from cost_table import bill, comparison
from house_figures import house_figures

__all__ = [
    "bill",
    "commands_reference",
    "comparison",
    "conformance_table",
    "house_figures",
    "measured",
    "parameters_table",
    "schemas_reference",
    "template",
]

PROJECT = Path(__file__).resolve().parent.parent


class _Template(yaml.SafeLoader):
    """Reads YAML with CloudFormation's short forms, of which it keeps the values alone."""


_Template.add_multi_constructor("!", lambda _loader, _suffix, node: getattr(node, "value", None))


def template() -> dict[str, Any]:
    """The stack's template, without its functions."""
    read: dict[str, Any] = yaml.load((PROJECT / "template.yaml").read_text(), Loader=_Template)  # noqa: S506  # a SafeLoader of our own
    return read


def parameters_table(template: dict[str, Any]) -> str:
    """The stack's parameters in the order and under the labels in which the console shows them."""
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    lines = []
    for group in interface["ParameterGroups"]:
        lines += [f"**{group['Label']['default']}**", "", "| parameter | default | what it says |", "|---|---|---|"]
        for name in group["Parameters"]:
            parameter = template["Parameters"][name]
            default = parameter.get("Default")
            shown = "required" if default is None else f"`{default}`" if default != "" else "none"
            lines.append(f"| `{name}` | {shown} | {parameter['Description'].strip()} |")
        lines.append("")
    return "\n".join(lines)


def measured(name: str) -> str:
    """A part that another command writes, as it is. The name is what that command finds the part by."""
    import cog  # noqa: PLC0415  # cog provides this module while it runs

    previous: str = cog.previous
    if not previous.strip():
        raise ValueError(f"{name} is empty: run the command that writes it")
    return previous
