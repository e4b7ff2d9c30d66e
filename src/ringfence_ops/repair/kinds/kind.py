"""What every kind of resource can do, and what kinds share."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ringfence_ops.repair.drift import Fields, Repair
from ringfence_ops.repair.template import Properties, Resource

ClientOf = Callable[[str], Any]
"""A client of a service in the stack's Region."""


class Kind(Protocol):
    """How to read and repair the resources of one type.

    `found` returns None for a resource that does not exist, or raises botocore's error that says so.
    """

    def name(self, resource: Resource) -> str:
        """The name that an operator knows."""

    def wanted(self, resource: Resource) -> Fields:
        """The properties as the template says them, with the defaults of those that it leaves out."""

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The same properties as they are."""

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Makes the resource as the template says. Safe to run again."""


def pick(properties: Properties, *names: str) -> dict[str, Any]:
    """The named properties that are set."""
    return {name: properties[name] for name in names if properties.get(name) is not None}


def document(text: str | Mapping[str, Any] | None) -> Any:
    """A JSON document as AWS returns it: as text, or decoded already."""
    return json.loads(text) if isinstance(text, str) and text else text or None
