"""What a processed template says of its resources: every intrinsic function is resolved. Pure.

Only the functions that the project's own template uses are known. Source: CloudFormation User Guide, "Intrinsic
function reference", "Pseudo parameters reference".
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

Properties = Mapping[str, Any]

_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
_LITERAL = "${!"
NO_VALUE = object()
"""What `AWS::NoValue` stands for: the property, or the element of a list, is absent."""


class NotResolved(ValueError):
    """The template uses what this module does not know, or refers to what the stack does not have."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack: its properties as the template says them, without intrinsic functions."""

    logical_id: str
    type: str
    physical_id: str
    properties: Properties


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stack is."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, name: str) -> str:
        """An ARN of the account in the Region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{name}"

    def role_arn(self, name: str) -> str:
        """The ARN of a role of the account: IAM has no Regions."""
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"


@dataclass(frozen=True, slots=True)
class DeployedTemplate:
    """A processed template with the values of its parameters, and the physical id of each resource."""

    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    physical_ids: Mapping[str, str]
    place: Place
    _lists: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        declared = self.template.get("Parameters", {})
        lists = frozenset(name for name, one in declared.items() if "List" in str(one.get("Type", "")))
        object.__setattr__(self, "_lists", lists)

    def resources(self, types: Container[str]) -> tuple[Resource, ...]:
        """The resources of these types that exist under the template's conditions.

        Raises NotResolved.
        """
        return tuple(
            Resource(id, str(one["Type"]), self.physical_ids.get(id, ""), self._resolved(one.get("Properties", {})))
            for id, one in self.template["Resources"].items()
            if one["Type"] in types and ("Condition" not in one or self._condition(one["Condition"]))
        )

    def _resolved(self, value: Any) -> Any:
        match value:
            case Mapping() if len(value) == 1 and (name := next(iter(value))) and _is_function(name):
                return self._called(name, value[name])
            case Mapping():
                pairs = ((key, self._resolved(one)) for key, one in value.items())
                return {key: one for key, one in pairs if one is not NO_VALUE}
            case list() | tuple():
                return [one for one in map(self._resolved, value) if one is not NO_VALUE]
            case _:
                return value

    def _called(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", str(target):
                return self._referenced(target)
            case "Fn::GetAtt", [str(target), str(attribute)]:
                return self._attribute(target, attribute)
            case "Fn::GetAtt", str(text):
                return self._attribute(*text.split(".", 1))
            case "Fn::Sub", str(text):
                return self._substituted(text, {})
            case "Fn::Sub", [str(text), Mapping() as names]:
                return self._substituted(text, names)
            case "Fn::Join", [str(separator), parts]:
                return separator.join(map(str, self._resolved(parts)))
            case "Fn::If", [str(condition), yes, no]:
                return self._resolved(yes if self._condition(condition) else no)
            case _:
                raise NotResolved(f"the stack's template uses {name}, which is not known here")

    def _referenced(self, target: str) -> Any:
        place = self.place
        pseudo = {
            "AWS::Region": place.region,
            "AWS::AccountId": place.account,
            "AWS::Partition": place.partition,
            "AWS::NoValue": NO_VALUE,
        }
        if target in pseudo:
            return pseudo[target]
        if target in self.parameters:
            value = self.parameters[target]
            return value.split(",") if target in self._lists else value
        return self._physical_id(target)

    def _physical_id(self, target: str) -> str:
        if target not in self.physical_ids:
            raise NotResolved(f"the stack has no resource {target}")
        return self.physical_ids[target]

    def _attribute(self, target: str, attribute: str) -> str:
        """The attributes are made of the names, so that they are known of a resource that somebody deleted too."""
        kind, id = self.template["Resources"].get(target, {}).get("Type"), self._physical_id(target)
        match kind, attribute:
            case "AWS::SQS::Queue", "Arn":
                return self.place.arn("sqs", _last(id))
            case "AWS::SQS::Queue", "QueueName":
                return _last(id)
            case "AWS::IAM::Role", "Arn":
                return self.place.role_arn(id)
            case "AWS::Events::Rule", "Arn":
                return self.place.arn("events", f"rule/{id}")
            case "AWS::DynamoDB::Table", "Arn":
                return self.place.arn("dynamodb", f"table/{id}")
            case "AWS::Lambda::Function", "Arn":
                return self.place.arn("lambda", f"function:{id}")
        raise NotResolved(f"the attribute {attribute} of {target} is not known here")

    def _substituted(self, text: str, names: Mapping[str, Any]) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name in names:
                return str(self._resolved(names[name]))
            if "." in name:
                return self._attribute(*name.split(".", 1))
            referenced = self._referenced(name)
            return ",".join(referenced) if isinstance(referenced, list) else str(referenced)

        return _PLACEHOLDER.sub(value, text).replace(_LITERAL, "${")

    def _condition(self, name: str) -> bool:
        if name not in self.template.get("Conditions", {}):
            raise NotResolved(f"the stack's template has no condition {name}")
        return self._holds(self.template["Conditions"][name])

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Fn::Equals": [left, right]}:
                return bool(self._resolved(left) == self._resolved(right))
            case {"Fn::Not": [other]}:
                return not self._holds(other)
            case {"Condition": str(name)}:
                return self._condition(name)
        raise NotResolved("a condition of the stack's template is not known here")


def _is_function(name: str) -> bool:
    return name == "Ref" or name.startswith("Fn::")


def _last(url: str) -> str:
    """The name of a queue, whose physical id is its URL."""
    return url.rsplit("/", 1)[-1]
