"""What differs between a resource and its template, as a value. Pure.

Two values are equal if they mean the same to AWS: the order of a list does not count, nor does a number's form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ringfence_ops.repair.template import Resource

Fields = Mapping[str, Any]
"""The properties of a resource that are compared, by name. None, an empty list and an empty mapping mean: not set."""

LONGEST = 40
"""Characters of a value that a message shows. A longer value only `differs`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A property that is not as the template says. `wanted` and `found` are None where the property is not set."""

    name: str
    wanted: Any
    found: Any

    def __str__(self) -> str:
        texts = [_text(value) for value in (self.found, self.wanted)]
        if None in texts:
            return f"no {self.name}" if self.found is None else f"{self.name} differs"
        return f"{self.name} is {texts[0]} instead of {texts[1]}"


@dataclass(frozen=True, slots=True)
class Repair:
    """What is repaired of one resource: it does not exist, or some properties differ. `by_stack` says that only
    CloudFormation can make it again."""

    resource: Resource
    name: str
    differences: tuple[Difference, ...] = ()
    by_stack: bool = False

    @property
    def is_missing(self) -> bool:
        """Whether the resource does not exist."""
        return not self.differences

    @property
    def title(self) -> str:
        """What it is, in AWS's words, and its name."""
        return f"the {_TITLES.get(self.resource.type, self.resource.type)} {self.name}"

    @property
    def message(self) -> str:
        """What is wrong, in one line."""
        if self.is_missing:
            return f"{self.title} does not exist"
        return f"{self.title}: {', '.join(map(str, self.differences))}"


_TITLES = {
    "AWS::AutoScaling::LifecycleHook": "lifecycle hook",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::DynamoDB::Table": "table",
    "AWS::Events::Rule": "EventBridge rule",
    "AWS::IAM::Policy": "policy",
    "AWS::IAM::Role": "role",
    "AWS::Lambda::EventSourceMapping": "event source mapping of",
    "AWS::Lambda::Function": "function",
    "AWS::Logs::LogGroup": "log group",
    "AWS::SQS::Queue": "queue",
    "AWS::SQS::QueuePolicy": "policy of the queue",
    "AWS::Scheduler::Schedule": "schedule",
}


def differences(wanted: Fields, found: Fields) -> tuple[Difference, ...]:
    """The properties that differ, in the order of their names."""
    names = sorted({*wanted, *found})
    return tuple(
        Difference(name, wanted.get(name), found.get(name))
        for name in names
        if canonical(wanted.get(name)) != canonical(found.get(name))
    )


def canonical(value: Any) -> Any:
    """A form that is equal for values that mean the same."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{float(value):.15g}"
        case str():
            return f"{float(value):.15g}" if value.isdecimal() and len(value) <= _DIGITS else value
        case Mapping():
            pairs = ((key, canonical(one)) for key, one in value.items())
            return tuple(sorted((key, one) for key, one in pairs if one is not None)) or None
        case list() | tuple():
            members = sorted((canonical(one) for one in value), key=repr)
            return members[0] if len(members) == 1 else tuple(members) or None
    return value


_DIGITS = 6
"""Digits of a text that may be a number. An account's id has 12, and is none."""


def _text(value: Any) -> str | None:
    """A short text of the value; None for a value that is too long to show."""
    match value:
        case None:
            return "not set"
        case bool() | int() | float() | str():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            return text if len(text) <= LONGEST else None
    return None
