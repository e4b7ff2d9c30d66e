"""What the Terraform module in terraform/ says of the settings and of the stack's outputs, from their tables.

Pure but for reading template.yaml and terraform/versions.tf. Each function returns text, in the layout of
`terraform fmt`; the README's tables are in the format of terraform-docs.

Source: Terraform documentation, "variable block" (conditions, `nullable`), "Strings and Templates" (escapes).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ringfence.core.configuration.setting import Number, Setting, Text
from ringfence.core.configuration.setting_table import TABLE, Table

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the module. `type` and `default` are HCL; a default of None makes it required. `condition` is HCL,
    and `message` the sentence that Terraform shows where it does not hold."""

    name: str
    type: str
    description: str
    default: str | None = None
    condition: str = ""
    message: str = ""


OWN = (
    Variable(
        "code_key",
        "string",
        "The key of the function's code in the bucket. It names the code's version: `ringfence template --upload`"
        " prints it in its template.",
        condition='can(regex("^[A-Za-z0-9!_.*()/-]+$", var.code_key))',
        message="code_key must be the key of an object, such as artefact-0123456789abcdef.zip.",
    ),
    Variable(
        "code_bucket",
        "string",
        "The bucket with the function's code, in the Region of the stack. By default Ringfence's deployment bucket,"
        " ringfence-ACCOUNT-REGION.",
        "null",
        'var.code_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.code_bucket))',
        "code_bucket must be the name of a bucket.",
    ),
    Variable(
        "template_file",
        "string",
        "The path of the template, if the module is used without the rest of the repository: a release has it as"
        " ringfence-VERSION-template.yaml.",
        "null",
    ),
    Variable(
        "tag_security_groups",
        "bool",
        "Whether the module sets the tag ringfence-cluster on the security groups. Leave it false for groups that"
        " Terraform manages, and write the tag in their own tags: both would undo each other.",
        "false",
    ),
    Variable(
        "cloudformation_role_arn",
        "string",
        "The role with which CloudFormation makes the resources. By default it uses the caller's permissions.",
        "null",
    ),
    Variable("tags", "map(string)", "Tags of the stack, which CloudFormation also sets on its resources.", "{}"),
)
"""The variables that are no settings of the cluster."""


def terraform_variables(table: Table = TABLE) -> str:
    """The module's variables: the settings first, then its own."""
    return "\n".join(_block(variable) for variable in _variables(table))


def terraform_parameters(table: Table = TABLE) -> str:
    """The stack's parameters, each from its variable, as lines of a map."""
    width = max(len(setting.parameter_name) for setting in table)
    return "".join(f"{setting.parameter_name.ljust(width)} = {_reference(setting)}\n" for setting in table)


def terraform_outputs() -> str:
    """The module's outputs: the stack's id and every output of the template."""
    return "\n".join(
        _lines("output", name, {"description": _quoted(description), "value": value})
        for name, description, value in _outputs()
    )


def terraform_requirements() -> str:
    """The tables of the README that say what the module needs, from terraform/versions.tf."""
    text = (PROJECT / "terraform" / "versions.tf").read_text(encoding="utf-8")
    (terraform,) = re.findall(r'required_version\s+= "(.+)"', text)
    (provider,) = re.findall(r'\n\s+version\s+= "(.+)"', text)
    rows = [("terraform", terraform), ("aws", provider)]
    return _table(("Name", "Version"), rows)


def terraform_inputs(table: Table = TABLE) -> str:
    """The README's table of inputs: those that must be given first."""
    rows = [
        (
            f'<a name="input_{variable.name}"></a> {variable.name}',
            variable.description.replace("|", "\\|"),
            f"`{variable.type}`",
            "n/a" if variable.default is None else f"`{variable.default}`",
            "yes" if variable.default is None else "no",
        )
        for variable in sorted(_variables(table), key=lambda variable: variable.default is not None)
    ]
    return _table(("Name", "Description", "Type", "Default", "Required"), rows)


def terraform_outputs_table() -> str:
    """The README's table of outputs."""
    return _table(
        ("Name", "Description"),
        [(f'<a name="output_{name}"></a> {name}', description) for name, description, _ in _outputs()],
    )


def _variables(table: Table) -> list[Variable]:
    return [*(_variable(setting, table) for setting in table), *OWN]


def _variable(setting: Setting, table: Table) -> Variable:
    condition, must_be = _condition(setting)
    return Variable(
        name=setting.name,
        type="number" if isinstance(setting.type, Number) else "list(string)" if setting.is_list else "string",
        description=_in_words_of_terraform(setting.description, table),
        default=_default(setting),
        condition=condition,
        message=f"{setting.name} must be {must_be}.",
    )


def _in_words_of_terraform(description: str, table: Table) -> str:
    """The description with the names of variables for those of parameters, where these are no words of English."""
    for setting in table:
        if len(re.findall("[A-Z]", setting.parameter_name)) > 1:
            description = re.sub(rf"\b{setting.parameter_name}\b", setting.name, description)
    return description


def _default(setting: Setting) -> str | None:
    if setting.default is None:
        return None
    if setting.is_list:
        return f"[{', '.join(map(_quoted, setting.split(str(setting.default))))}]"
    return str(setting.default) if isinstance(setting.type, Number) else _quoted(str(setting.default))


def _condition(setting: Setting) -> tuple[str, str]:
    """What a value must hold in HCL, and in words."""
    name = f"var.{setting.name}"
    match setting.type:
        case Number(allowed=allowed) if allowed:
            return f"contains({json.dumps(list(allowed))}, {name})", setting.type.must_be
        case Number(minimum=minimum, maximum=maximum):
            bounds = [f"floor({name}) == {name}", f"{name} >= {minimum}"]
            bounds += [] if maximum is None else [f"{name} <= {maximum}"]
            return " && ".join(bounds), setting.type.must_be
        case Text(many=None):
            return _of_text(setting.type, name), _must_be(setting.type)
        case Text():
            each = f'each != "" && {_of_text(setting.type, "each")}'
            condition = f"alltrue([for each in {name} : {each}])"
            is_required = setting.default is None or setting.split(str(setting.default))
            return f"length({name}) > 0 && {condition}" if is_required else condition, _must_be(setting.type)


def _of_text(kind: Text, value: str) -> str:
    if kind.pattern:
        return f"can(regex({_quoted(f'^({kind.pattern})$')}, {value}))"
    return f"contains({json.dumps(list(kind.allowed))}, {value})"


def _must_be(kind: Text) -> str:
    return kind.must_be or f"one of {', '.join(kind.allowed)}"


def _reference(setting: Setting) -> str:
    """A parameter's value: CloudFormation takes texts, and lists with commas."""
    if setting.is_list:
        return f'join(",", distinct(var.{setting.name}))'
    return f"tostring(var.{setting.name})" if isinstance(setting.type, Number) else f"var.{setting.name}"


def _block(variable: Variable) -> str:
    content = {"description": _quoted(variable.description), "type": variable.type}
    if variable.default is not None:
        content["default"] = variable.default
    if variable.default != "null":
        content["nullable"] = "false"
    validation = {"condition": variable.condition, "error_message": _quoted(variable.message)}
    inner = "\n" + _lines("validation", None, validation, "  ") if variable.condition else ""
    return _lines("variable", variable.name, content, inner=inner)


def _lines(kind: str, name: str | None, content: Mapping[str, str], margin: str = "", inner: str = "") -> str:
    """A block of HCL with its arguments aligned."""
    width = max(map(len, content))
    arguments = "".join(f"{margin}  {key.ljust(width)} = {value}\n" for key, value in content.items())
    label = "" if name is None else f' "{name}"'
    return f"{margin}{kind}{label} {{\n{arguments}{inner}{margin}}}\n"


def _quoted(text: str) -> str:
    """The text as a string of HCL."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _outputs() -> Iterator[tuple[str, str, str]]:
    """The name, the description and the value of each output."""
    yield "stack_id", "The id of the CloudFormation stack", "aws_cloudformation_stack.this.id"
    for name, output in _template()["Outputs"].items():
        own = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        yield own, output["Description"], f'aws_cloudformation_stack.this.outputs["{name}"]'


class _Loader(yaml.SafeLoader):
    """Reads the template's short forms, such as !Ref, as nothing."""


def _nothing(*_: Any) -> None:
    return None


_Loader.add_multi_constructor("!", _nothing)


def _template() -> Any:
    return yaml.load((PROJECT / "template.yaml").read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # a safe one


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["------"] * len(names), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
