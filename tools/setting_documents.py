"""What the stack's template and the README say of the settings, from their table.

Pure: each function takes the table and returns text, without an indentation of its own.
"""

from typing import Any

import yaml

from ringfence.core.configuration.setting import Number, Scope, Section, Setting, Text, Use
from ringfence.core.configuration.setting_table import TABLE, Table

_WIDTH = 112


class _Dumper(yaml.SafeDumper):
    """Writes lists on one line, and what they are in on lines of their own."""


_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)


class _Block(list[Any]):
    """A list whose items are on lines of their own."""


class _Inline(dict[str, Any]):
    """A mapping on one line, in which texts with commas are quoted."""


_Dumper.add_representer(
    _Block, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=False)
)


_Dumper.add_representer(
    _Inline, lambda dumper, content: dumper.represent_mapping("tag:yaml.org,2002:map", content, flow_style=True)
)


def template_interface(table: Table = TABLE) -> str:
    """`AWS::CloudFormation::Interface`: the groups and the labels that the console shows."""
    groups = [
        {
            "Label": _Inline(default=section.value),
            "Parameters": [setting.parameter_name for setting in table if setting.section is section],
        }
        for section in _sections(table)
    ]
    labels = {setting.parameter_name: _Inline(default=_label(setting)) for setting in table}
    return _yaml({"ParameterGroups": _Block(groups), "ParameterLabels": labels})


def template_parameters(table: Table = TABLE) -> str:
    """The stack's parameters with their types, defaults, bounds and descriptions."""
    return _yaml({setting.parameter_name: _parameter(setting) for setting in table})


def template_environment(table: Table = TABLE) -> str:
    """The variables of the function's environment that are settings."""
    return "".join(f"{setting.variable}: {_reference(setting)}\n" for setting in table if setting.use is not Use.STACK)


def template_announcement(table: Table = TABLE) -> str:
    """The properties of the deployment's announcement: every setting that the function has in its environment."""
    names = (setting.parameter_name for setting in table if setting.use is not Use.STACK)
    return "".join(f"{name}: !Ref {name}\n" for name in names)


def parameters_table(table: Table = TABLE) -> str:
    """The README's tables: the stack's parameters in the order and under the headings of the console."""
    lines = []
    for section in _sections(table):
        lines += [f"**{section.value}**", "", "| parameter | default | values | description |", "|---|---|---|---|"]
        lines += [_row(setting) for setting in table if setting.section is section]
        lines.append("")
    return "\n".join(lines)


def settings_table(table: Table = TABLE) -> str:
    """The tables of docs/settings.md: the keys of the cluster file, each with its parameter."""
    head = ["| key, and parameter of the stack | default | values | description |", "|---|---|---|---|"]
    lines = []
    for scope, title in ((Scope.CLUSTER, "At the top of the file"), (Scope.REGION, "Under each Region's heading")):
        lines += [f"## {title}", "", *head]
        lines += [_key_row(setting) for setting in table if setting.scope is scope and setting.path]
        lines.append("")
    return "\n".join(lines)


def _key_row(setting: Setting) -> str:
    name = f"`{'.'.join(setting.path)}`"
    _, _, cells = _row(setting).partition(f"`{setting.parameter_name}` | ")
    return f"| {name}<br>`{setting.parameter_name}` | {cells}"


def _yaml(content: dict[str, Any]) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=_WIDTH, default_flow_style=False)


def _reference(setting: Setting) -> str:
    """The parameter's value as one text."""
    reference = f"!Ref {setting.parameter_name}"
    return f'!Join [",", {reference}]' if setting.is_list else reference


def _sections(table: Table) -> list[Section]:
    return list(dict.fromkeys(setting.section for setting in table))


def _label(setting: Setting) -> str:
    """The label in the console, with the unit of a number unless it names it."""
    if isinstance(setting.type, Number) and setting.type.unit not in setting.label:
        return f"{setting.label} ({setting.type.unit})"
    return setting.label


def _parameter(setting: Setting) -> dict[str, Any]:
    kind = setting.type
    parameter: dict[str, Any] = {
        "Type": "Number" if isinstance(kind, Number) else "CommaDelimitedList" if setting.is_list else "String"
    }
    if setting.default is not None:
        parameter["Default"] = setting.default
    match kind:
        case Number(allowed=()):
            parameter["MinValue"] = kind.minimum
            parameter |= {} if kind.maximum is None else {"MaxValue": kind.maximum}
        case Text(pattern=str(pattern)) if pattern:
            parameter |= {"AllowedPattern": pattern, "ConstraintDescription": f"must be {kind.must_be}"}
        case Number(allowed=allowed) | Text(allowed=allowed) if allowed:
            parameter["AllowedValues"] = list(allowed)
    return parameter | {"Description": setting.description}


def _row(setting: Setting) -> str:
    default = setting.default
    shown = "required" if default is None else f"`{default}`" if default != "" else "none"
    return f"| `{setting.parameter_name}` | {shown} | {_values(setting)} | {setting.description} |"


def _values(setting: Setting) -> str:
    """The values that a setting takes, for a cell of a table."""
    match setting.type:
        case Text(pattern="", allowed=(_, *_)):
            return ", ".join(f"`{value}`" for value in setting.type.allowed)
        case Text(must_be=must_be):
            return must_be.replace("|", "\\|")
        case Number(must_be=must_be):
            return must_be.removeprefix("a whole number, ")
