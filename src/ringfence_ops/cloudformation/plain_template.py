"""The plain template of a cluster: CloudFormation without transform, macro, loop or parameter.

Pure. Unrolls the loops of the template that `distribution.build_template` makes, and puts values for its parameters: a
tool that updates a stack keeps the values of the parameters, so that a changed cluster file would change nothing (AWS
CLI Command Reference, "cloudformation deploy"). Follows CloudFormation's own rules as far as this template uses them.
Knows no file and no AWS.

Sources: CloudFormation Template Reference, "Fn::ForEach" (the identifier in keys, `Fn::Sub` and `Ref`; `&{...}` drops
what is not alphanumeric), "Fn::Or" (2 to 10 conditions), "Mappings" (strings and lists of strings).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.core.model.identifiers import Region
from ringfence_ops.errors import CommandError

_LOOP = "Fn::ForEach::"
_MAPPING = "Regions"
_OR_TAKES = 10

Parameters = Mapping[Region, Mapping[str, str]]
"""The parameters of each Region's stack, as `Cluster.parameters` has them."""


@dataclass(frozen=True, slots=True)
class Code:
    """Where the function's code is. A bucket can contain `${AWS::Region}` and `${AWS::AccountId}`."""

    bucket: str
    key: str


def plain_template(looped: Mapping[str, Any], parameters: Parameters, code: Code) -> dict[str, Any]:
    """One template for all these Regions.

    Where the Regions' values differ, a mapping has them, and the resources of a group have the condition that the stack
    is in the group's Region. Raises CommandError where two groups would get the same logical id.
    """
    types = {name: parameter["Type"] for name, parameter in looped["Parameters"].items()}
    first, *others = parameters.values()
    differing = [name for name in first if any(other[name] != first[name] for other in others)]
    values: dict[str, Any] = {name: _value(types[name], value) for name, value in first.items()}
    values |= {name: {"Fn::FindInMap": [_MAPPING, {"Ref": "AWS::Region"}, name]} for name in differing}
    mapping = {
        region: {name: _value(types[name], own[name]) for name in differing} for region, own in parameters.items()
    }
    unroller = _Unroller(parameters)
    resources = dict(unroller.resources(looped["Resources"]))
    resources["RingfenceFunction"]["Properties"]["Code"] = {
        "S3Bucket": {"Fn::Sub": code.bucket} if "${" in code.bucket else code.bucket,
        "S3Key": code.key,
    }
    conditions = {name: _evaluated(_filled(condition, values)) for name, condition in looped["Conditions"].items()}
    known = {name: held for name, held in conditions.items() if isinstance(held, bool)}
    kept = {name: held for name, held in conditions.items() if name not in known} | unroller.conditions
    return {
        "AWSTemplateFormatVersion": looped["AWSTemplateFormatVersion"],
        "Description": looped["Description"],
        **({"Mappings": {_MAPPING: mapping}} if differing else {}),
        **({"Conditions": kept} if kept else {}),
        "Resources": dict(_existing(_decided(_filled(resources, values), known), known)),
        "Outputs": dict(_existing(_decided(_filled(looped["Outputs"], values), known), known)),
    }


def text(template: Mapping[str, Any]) -> str:
    """The template as it is printed."""
    return json.dumps(template, indent=1) + "\n"


class _Unroller:
    """Unrolls loops. `conditions` are those that the unrolled resources need."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.conditions: dict[str, Any] = {}

    def resources(self, looped: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Every resource with its logical id, as a copy."""
        origin: dict[str, str] = {}
        for name, part in json.loads(json.dumps(looped)).items():
            if not name.startswith(_LOOP):
                yield name, part
                continue
            variable, collection, fragment = part
            for item, regions in self._items(collection["Ref"]).items():
                condition = self._condition(regions)
                for key, resource in fragment.items():
                    id = key.replace(f"&{{{variable}}}", re.sub(r"[^A-Za-z0-9]", "", item))
                    if origin.setdefault(id, item) != item:
                        raise CommandError(
                            f"{origin[id]} and {item} would both be {id}: in one template, the names of two groups must"
                            " differ in a letter or digit: print a template for each Region with --region"
                        )
                    yield id, {**_filled(resource, {variable: item}), **condition}

    def _items(self, parameter: str) -> dict[str, list[Region]]:
        """The items of a list, each with the Regions that have it."""
        items: dict[str, list[Region]] = {}
        for region, values in self._parameters.items():
            for item in values[parameter].split(","):
                items.setdefault(item, []).append(region)
        return items

    def _condition(self, regions: Sequence[Region]) -> dict[str, str]:
        """What restricts a resource to these Regions: nothing where these are all."""
        if len(regions) == len(self._parameters):
            return {}
        name = "In" + "".join(re.sub(r"[^a-z0-9]", "", region).capitalize() for region in regions)
        self.conditions[name] = _any_of([{"Fn::Equals": [{"Ref": "AWS::Region"}, region]} for region in regions])
        return {"Condition": name}


def _any_of(conditions: Sequence[Any]) -> Any:
    if len(conditions) == 1:
        return conditions[0]
    if len(conditions) <= _OR_TAKES:
        return {"Fn::Or": list(conditions)}
    parts = [conditions[start : start + _OR_TAKES] for start in range(0, len(conditions), _OR_TAKES)]
    return _any_of([_any_of(part) for part in parts])


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    """A part with values for references. A list of texts that is joined becomes one text."""
    match node:
        case {"Ref": str(name)} if name in values:
            return values[name]
        case {"Fn::Join": [str(separator), {"Ref": str(name)}]} if isinstance(values.get(name), list):
            return separator.join(values[name])
        case {"Fn::Sub": str(pattern)}:
            return _substituted(pattern, values)
        case dict():
            return {key: _filled(value, values) for key, value in node.items()}
        case list():
            return [_filled(value, values) for value in node]
    return node


def _substituted(pattern: str, values: Mapping[str, Any]) -> Any:
    """A text with values for what it substitutes; CloudFormation substitutes the rest."""
    inserted = {name: values[name] for name in re.findall(r"\$\{([^}]+)\}", pattern) if name in values}
    variable = {name: value for name, value in inserted.items() if isinstance(value, dict)}
    for name, value in inserted.items():
        if name not in variable:
            pattern = pattern.replace(f"${{{name}}}", str(value))
    if variable:
        return {"Fn::Sub": [pattern, variable]}
    return {"Fn::Sub": pattern} if "${" in pattern else pattern


def _evaluated(condition: Any) -> Any:
    """Whether a condition holds; the condition itself where only CloudFormation knows."""
    match condition:
        case {"Fn::Not": [part]}:
            held = _evaluated(part)
            return not held if isinstance(held, bool) else condition
        case {"Fn::Equals": [str(one), str(other)]}:
            return one == other
    return condition


def _decided(node: Any, known: Mapping[str, bool]) -> Any:
    """A part in which what depends on a known condition is decided."""
    match node:
        case {"Fn::If": [str(name), held, otherwise]} if name in known:
            return _decided(held if known[name] else otherwise, known)
        case dict():
            parts = {key: _decided(value, known) for key, value in node.items()}
            return {key: value for key, value in parts.items() if value != {"Ref": "AWS::NoValue"}}
        case list():
            return [_decided(value, known) for value in node]
    return node


def _existing(parts: Mapping[str, Any], known: Mapping[str, bool]) -> Iterator[tuple[str, Any]]:
    """The resources or outputs without those whose condition is known not to hold."""
    for name, part in parts.items():
        if (condition := part.get("Condition")) not in known:
            yield name, part
        elif known[condition]:
            yield name, {key: value for key, value in part.items() if key != "Condition"}


def _value(kind: str, value: str) -> str | list[str]:
    """A parameter's value as a reference gives it: that of a number is text too."""
    return value.split(",") if kind == "CommaDelimitedList" else value
