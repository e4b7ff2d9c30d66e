"""The plain template of a cluster: CloudFormation without transform, macro or loop.

Pure. Unrolls the loops of the template that `distribution.build_template` makes, and nothing else: CloudFormation's own
rules for loops, as far as this template uses them. Knows no file and no AWS.

Sources: CloudFormation Template Reference, "Fn::ForEach" (the identifier in keys, `Fn::Sub` and `Ref`; `&{...}` drops
what is not alphanumeric), "Fn::Or" (2 to 10 conditions), "Mappings" (lists of strings).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.core.model.identifiers import Region
from ringfence_ops.errors import CommandError

_LOOP = "Fn::ForEach::"
_GROUPS = ("AutoScalingGroups", "SecurityGroups")
"""The parameters that loops run over. A plain template fixes them: other values would need other resources."""

_MAPPING = "Regions"
_OR_TAKES = 10


@dataclass(frozen=True, slots=True)
class Code:
    """Where the function's code is. A bucket can contain `${AWS::Region}` and `${AWS::AccountId}`."""

    bucket: str
    key: str


def plain_template(
    looped: Mapping[str, Any], parameters: Mapping[Region, Mapping[str, str]], code: Code
) -> dict[str, Any]:
    """One template for all these Regions, with the parameters of their stacks as defaults.

    Where the Regions' values differ, a mapping has them, and the resources of a group have the condition that the stack
    is in the group's Region. Raises CommandError where two groups would get the same logical id.
    """
    fixed = {name: [values[name] for values in parameters.values()] for name in _fixed(parameters)}
    lists = {name for name in fixed if looped["Parameters"][name]["Type"] == "CommaDelimitedList"}
    regions = tuple(parameters)
    values: dict[str, Any] = {
        name: _value(found[0], is_list=name in lists)
        if len(regions) == 1
        else {"Fn::FindInMap": [_MAPPING, {"Ref": "AWS::Region"}, name]}
        for name, found in fixed.items()
    }
    unrolled = _Unroller(parameters)
    resources = dict(unrolled.resources(looped["Resources"]))
    plain = {
        "AWSTemplateFormatVersion": looped["AWSTemplateFormatVersion"],
        "Description": looped["Description"],
        "Metadata": _metadata(looped["Metadata"], fixed),
        "Parameters": {
            name: _with_default(parameter, parameters[regions[0]][name])
            for name, parameter in looped["Parameters"].items()
            if name not in fixed
        },
        "Mappings": {
            _MAPPING: {
                region: {name: _value(found[name], is_list=name in lists) for name in fixed}
                for region, found in parameters.items()
            }
        },
        "Conditions": looped["Conditions"] | unrolled.conditions,
        "Resources": resources,
        "Outputs": looped["Outputs"],
    }
    if len(regions) == 1:
        del plain["Mappings"]
    resources["RingfenceFunction"]["Properties"]["Code"] = {
        "S3Bucket": {"Fn::Sub": code.bucket} if "${" in code.bucket else code.bucket,
        "S3Key": code.key,
    }
    replaced: dict[str, Any] = _with_values(plain, values)
    return replaced


def text(template: Mapping[str, Any]) -> str:
    """The template as it is printed."""
    return json.dumps(template, indent=1) + "\n"


def _fixed(parameters: Mapping[Region, Mapping[str, str]]) -> list[str]:
    """The parameters that are values in the template: those of loops, and those that differ between Regions."""
    first, *others = parameters.values()
    return [name for name in first if name in _GROUPS or any(other[name] != first[name] for other in others)]


class _Unroller:
    """Unrolls loops. `conditions` are those that the unrolled resources need."""

    def __init__(self, parameters: Mapping[Region, Mapping[str, str]]) -> None:
        self._parameters = parameters
        self.conditions: dict[str, Any] = {}

    def resources(self, looped: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Every resource with its logical id."""
        origin: dict[str, str] = {}
        for name, part in looped.items():
            if not name.startswith(_LOOP):
                yield name, json.loads(json.dumps(part))  # a copy
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
                    yield id, {**_with_item(resource, variable, item), **condition}

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


def _with_item(node: Any, variable: str, item: str) -> Any:
    """A loop's fragment for one item."""
    match node:
        case {"Ref": str(name)} if name == variable:
            return item
        case {"Fn::Sub": str(pattern)}:
            return {"Fn::Sub": pattern.replace(f"${{{variable}}}", item)}
        case dict():
            return {key: _with_item(value, variable, item) for key, value in node.items()}
        case list():
            return [_with_item(value, variable, item) for value in node]
    return node


def _with_values(node: Any, values: Mapping[str, Any]) -> Any:
    """A value with values for references. A list of texts that is joined becomes one text."""
    match node:
        case {"Ref": str(name)} if name in values:
            return values[name]
        case {"Fn::Join": [str(separator), {"Ref": str(name)}]} if isinstance(values.get(name), list):
            return separator.join(values[name])
        case {"Fn::Sub": str(pattern)} if "${" not in pattern:
            return pattern
        case dict():
            return {key: _with_values(value, values) for key, value in node.items()}
        case list():
            return [_with_values(value, values) for value in node]
    return node


def _value(value: str, *, is_list: bool) -> str | list[str]:
    return value.split(",") if is_list else value


def _with_default(parameter: Mapping[str, Any], value: str) -> dict[str, Any]:
    return {**parameter, "Default": int(value) if parameter["Type"] == "Number" else value}


def _metadata(metadata: Mapping[str, Any], fixed: Mapping[str, object]) -> dict[str, Any]:
    """The console's description of the parameters, without those that are fixed."""
    (name, interface), *_ = metadata.items()
    groups = [
        {**group, "Parameters": [parameter for parameter in group["Parameters"] if parameter not in fixed]}
        for group in interface["ParameterGroups"]
    ]
    labels = {parameter: label for parameter, label in interface["ParameterLabels"].items() if parameter not in fixed}
    shown = [group for group in groups if group["Parameters"]]
    return {name: {**interface, "ParameterGroups": shown, "ParameterLabels": labels}}
