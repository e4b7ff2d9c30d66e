"""What a resource type of CloudFormation is to the lab, and what the types have in common. Knows no type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Properties = Mapping[str, Any]
Made = tuple[str, dict[str, str]]
"""A resource's physical id, which Ref returns, and its attributes for GetAtt."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Clients of the Region that the stack is in."""

    ec2: Any
    autoscaling: Any


def _cannot_change(_clients: Clients, id: str, _old: Properties, _new: Properties) -> Made:
    raise NotImplementedError(f"{id} is replaced, never changed")


@dataclass(frozen=True, slots=True)
class ResourceType:
    """How to make, change and delete a resource. `create` takes a name for what the template leaves nameless.

    `changeable` are the properties that `update` can change; where another changed, the resource is replaced.
    """

    create: Callable[[Clients, Properties, str], Made]
    delete: Callable[[Clients, str, Properties], None]
    update: Callable[[Clients, str, Properties, Properties], Made] = _cannot_change
    changeable: frozenset[str] = frozenset()

    def can_update(self, old: Properties, new: Properties) -> bool:
        """Whether the change needs no replacement."""
        return {name for name in {*old, *new} if old.get(name) != new.get(name)} <= self.changeable


def chosen(properties: Properties, *names: str) -> dict[str, Any]:
    """Those of the named properties that are there."""
    return {name: properties[name] for name in names if name in properties}


def is_true(value: object) -> bool:
    """Whether a property says true, as a boolean or as the text that a template may have made of it."""
    return str(value).lower() == "true"


def api_tags(properties: Properties) -> list[dict[str, Any]]:
    """The tags that an API takes: CloudFormation sets those that begin with `aws:` by a way of its own."""
    return [tag for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:")]


def put_tags(clients: Clients, id: str, properties: Properties) -> None:
    """Gives a resource of EC2 the tags of its template."""
    if tags := api_tags(properties):
        clients.ec2.create_tags(Resources=[id], Tags=tags)


def change_tags(clients: Clients, id: str, old: Properties, new: Properties) -> None:
    """Takes away the tags that a template gives no more, and gives those that it gives now."""
    kept = {tag["Key"] for tag in api_tags(new)}
    if gone := [{"Key": tag["Key"]} for tag in api_tags(old) if tag["Key"] not in kept]:
        clients.ec2.delete_tags(Resources=[id], Tags=gone)
    put_tags(clients, id, new)
