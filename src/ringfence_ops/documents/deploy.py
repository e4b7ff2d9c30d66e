"""The document of `ringfence deploy --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region
from ringfence_ops.cloudformation.difference import Part
from ringfence_ops.cloudformation.stacks import DeploymentKind, Replacement


@dataclass(frozen=True, slots=True)
class ResourceChangeItem:
    """A change of a change set."""

    action: str
    """Add, Modify or Remove."""
    resource: str
    """The resource's logical id in the template."""
    type: str
    """The resource's type."""
    replaced: bool
    """Whether the resource is replaced, or may be."""
    replacement: Replacement
    """The same as the change set says it: False, True, or Conditional for may be."""


@dataclass(frozen=True, slots=True)
class RepairItem:
    """A resource that is not as the stack's template says, and is repaired."""

    resource: str
    """The resource's logical id in the template."""
    type: str
    """The resource's type."""
    said: str
    """What is wrong."""


@dataclass(frozen=True, slots=True)
class ParameterChangeItem:
    """A setting that an update changes."""

    setting: str
    """The setting's name in the cluster file."""
    parameter: str
    """The stack's parameter."""
    was: str | None
    """The old value; null if the stack has no such parameter."""
    becomes: str | None
    """The new value; null if the stack will have no such parameter."""


@dataclass(frozen=True, slots=True)
class CodeChangeItem:
    """The function's code, whose name holds a digest of its content."""

    was: str | None
    """The place of the old code; null if it is not known."""
    becomes: str | None
    """The place of the new code."""


@dataclass(frozen=True, slots=True)
class TagChangeItem:
    """A security group that gets the cluster's tag."""

    security_group: str
    """The group's id."""
    was: str | None
    """The tag's old value; null if the group has no such tag."""
    becomes: str
    """The tag's new value."""


@dataclass(frozen=True, slots=True)
class StackItem:
    """One Region's stack."""

    region: str
    """The Region."""
    kind: DeploymentKind
    """What the deployment does to the stack; replace: a stack that cannot be updated is deleted first; recover: a
    roll-back that failed is finished first."""
    changes: Sequence[ResourceChangeItem]
    """The changes of CloudFormation's change set."""
    parts: Sequence[Part]
    """What of an existing stack changes: its code, its template, or its configuration."""
    parameters: Sequence[ParameterChangeItem]
    """The settings that an update changes, with their old and new values."""
    code: CodeChangeItem | None
    """How the function's code changes in an update; null if it does not."""
    tags: Sequence[TagChangeItem]
    """The security groups that get the cluster's tag."""
    outcome: str | None
    """What was done; null if nothing was."""
    repairs: Sequence[RepairItem] = ()
    """What somebody changed by hand, and the deployment repairs."""
    not_checked: Sequence[str] = ()
    """What could not be read, so that it is not repaired."""


@dataclass(frozen=True, slots=True)
class DeployDocument:
    """What `ringfence deploy --json` prints."""

    schema: Literal["ringfence.deploy/1"] = field(default="ringfence.deploy/1", init=False)
    """The name and version of this document."""
    regions: Sequence[StackItem]
    """One item for each Region that answered."""
    failed: Mapping[Region, str]
    """The Regions in which the deployment failed, each with the reason."""
