"""A resource type of CloudFormation in the lab, and functions that all types share. It must not know any type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ResourceProperties = Mapping[str, Any]
Created = tuple[str, dict[str, str]]
"""A resource's physical id, which Ref returns, and its attributes for GetAtt."""


@dataclass(frozen=True, slots=True)
class RegionClients:
    """RegionClients in the Region of the stack."""

    ec2: Any
    autoscaling: Any


def _cannot_change(_clients: RegionClients, id: str, _old: ResourceProperties, _new: ResourceProperties) -> Created:
    raise NotImplementedError(f"{id} is replaced, never updated")


@dataclass(frozen=True, slots=True)
class ResourceType:
    """How to create, update and delete a resource. `create` receives a generated name, for a resource without one.

    `changeable` are the properties that `update` can change; any other change replaces the resource.
    """

    create: Callable[[RegionClients, ResourceProperties, str], Created]
    delete: Callable[[RegionClients, str, ResourceProperties], None]
    update: Callable[[RegionClients, str, ResourceProperties, ResourceProperties], Created] = _cannot_change
    changeable: frozenset[str] = frozenset()

    def can_update(self, old: ResourceProperties, new: ResourceProperties) -> bool:
        """Whether the change is possible without a replacement."""
        return {name for name in {*old, *new} if old.get(name) != new.get(name)} <= self.changeable


def pick(properties: ResourceProperties, *names: str) -> dict[str, Any]:
    """The named properties that exist."""
    return {name: properties[name] for name in names if name in properties}


def is_true(value: object) -> bool:
    """Whether a property is true, as a boolean or as the text `true`."""
    return str(value).lower() == "true"


def api_tags(properties: ResourceProperties) -> list[dict[str, Any]]:
    """The tags without those that begin with `aws:`, which only CloudFormation may set."""
    return [tag for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:")]


def put_tags(clients: RegionClients, id: str, properties: ResourceProperties) -> None:
    """Adds the tags of the template to an EC2 resource."""
    if tags := api_tags(properties):
        clients.ec2.create_tags(Resources=[id], Tags=tags)


def change_tags(clients: RegionClients, id: str, old: ResourceProperties, new: ResourceProperties) -> None:
    """Removes the tags that the template no longer has, and adds the current ones."""
    kept = {tag["Key"] for tag in api_tags(new)}
    if gone := [{"Key": tag["Key"]} for tag in api_tags(old) if tag["Key"] not in kept]:
        clients.ec2.delete_tags(Resources=[id], Tags=gone)
    put_tags(clients, id, new)
