"""A deployment as a file: what `ringfence deploy --out` showed, and by which everything is found that has moved since.

The file holds what is to be deployed and what was there. Nothing is deployed from the file itself: the deployment is
planned again, and must be the same. Pure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from ringfence.core.deployment import CLUSTER_TAG
from ringfence.core.model.identifiers import Region
from ringfence_ops.cloudformation.difference import ParameterChange, difference_of_parameters
from ringfence_ops.cloudformation.stacks import ChangeSet

SCHEMA: Literal["ringfence.deploy-plan/1"] = "ringfence.deploy-plan/1"


@dataclass(frozen=True, slots=True)
class PlannedStack:
    """A Region's stack in a plan: what it is to become, and what was there. Digests stand for templates.

    `stack`, `status`, `updated`, `template_was` and `parameters_were` are of the stack that was there; None and empty
    where there was none. `tags` are the tags of the security groups that the deployment sets, by what they were.
    `changes` are the resources that CloudFormation changes.
    """

    template: str
    code: str | None
    parameters: Mapping[str, str]
    stack: str | None
    status: str | None
    updated: str | None
    template_was: str | None
    code_was: str | None
    parameters_were: Mapping[str, str]
    tags: Mapping[str, str | None]
    changes: Sequence[str]

    @classmethod
    def of(cls, change_set: ChangeSet) -> Self:
        """The Region's stack as a change set plans it."""
        present = change_set.present
        was = None if present is None else present.definition
        return cls(
            template=change_set.becomes.template_digest,
            code=_name(change_set.becomes.code),
            parameters=dict(change_set.becomes.parameters),
            stack=None if present is None else present.id,
            status=None if present is None else present.status,
            updated=None if present is None else present.updated,
            template_was=None if was is None else was.template_digest,
            code_was=None if was is None else was.code,
            parameters_were={} if was is None else dict(was.parameters),
            tags={change.group: change.was for change in change_set.tags},
            changes=sorted(
                f"{change.action} {change.resource} {change.type} {change.replaced}".strip()
                for change in change_set.changes
            ),
        )

    def moved(self, now: "PlannedStack") -> Iterator[str]:
        """What has moved between this plan and the same deployment planned now."""
        if moved := [*self._moved_here(now), *self._moved_in_aws(now)]:
            yield from moved
        elif self.changes != now.changes:
            added = [change for change in now.changes if change not in self.changes]
            gone = [change for change in self.changes if change not in now.changes]
            yield f"CloudFormation would change other resources: {_listed(added, gone)}"

    def _moved_here(self, now: "PlannedStack") -> Iterator[str]:
        """What has moved on the operator's side."""
        for change in difference_of_parameters(self.parameters, now.parameters):
            yield f"the cluster file has {_values(change)}"
        if self.code != now.code:
            yield f"the function's code of this checkout is {now.code}, not {self.code}"
        if self.template != now.template:
            yield "template.yaml of this checkout has changed"

    def _moved_in_aws(self, now: "PlannedStack") -> Iterator[str]:
        if self.stack != now.stack:
            yield _other_stack(self.stack, now.stack)
        else:
            changes = [
                _values(change) for change in difference_of_parameters(self.parameters_were, now.parameters_were)
            ]
            if self.code_was != now.code_was:
                changes.append(f"the code {now.code_was}, not {self.code_was}")
            if self.template_was != now.template_was:
                changes.append("another template")
            if changes:
                yield f"the stack was updated at {now.updated} and has {', '.join(changes)}"
            elif self.updated != now.updated:
                yield f"the stack was updated at {now.updated}"
            elif self.status != now.status:
                yield f"the stack is in {now.status}, not in {self.status}"
        for group in sorted({*self.tags, *now.tags}):
            if group not in now.tags:
                yield f"the security group {group} has its tag {CLUSTER_TAG} now"
            elif group not in self.tags or self.tags[group] != now.tags[group]:
                yield f"the security group {group} has {now.tags[group] or 'no value'} in its tag {CLUSTER_TAG} now"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan of a deployment. `made_at` is for people."""

    cluster: str
    account: str
    made_at: str
    stacks: Mapping[str, PlannedStack]
    schema: Literal["ringfence.deploy-plan/1"] = field(default=SCHEMA)

    def written(self) -> str:
        """The file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def of(cls, cluster: str, account: str, made_at: str, change_sets: Mapping[Region, ChangeSet]) -> Self:
        """The plan that these change sets carry out."""
        return cls(cluster, account, made_at, {name: PlannedStack.of(planned) for name, planned in change_sets.items()})

    def moved(self, cluster: str, account: str, change_sets: Mapping[Region, ChangeSet]) -> list[str]:
        """What has moved since, as the same deployment planned now shows it."""
        if (self.cluster, self.account) != (cluster, account):
            return [f"it is of the cluster {self.cluster} in the account {self.account}, not of {cluster} in {account}"]
        return [
            f"{region}: {said}"
            for region, change_set in change_sets.items()
            for said in self.stacks[region].moved(PlannedStack.of(change_set))
        ]


def parse(text: str) -> SavedPlan:
    """The plan in a file. Raises ValueError where it is none."""
    try:
        found: Any = json.loads(text)
        if found["schema"] != SCHEMA:
            raise ValueError(f"its schema is {found['schema']!r}, not {SCHEMA}")
        stacks = {region: PlannedStack(**stack) for region, stack in found["stacks"].items()}
        plan = SavedPlan(**{**found, "stacks": stacks})
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is no plan of ringfence deploy ({type(error).__name__}: {error})") from None
    if not stacks or not all(_is_whole(stack) for stack in stacks.values()):
        raise ValueError("it is no plan of ringfence deploy")
    return plan


def _is_whole(stack: PlannedStack) -> bool:
    """Whether the values that are looked into are of their types. The others are only compared."""
    mappings = (stack.parameters, stack.parameters_were, stack.tags)
    return all(isinstance(each, dict) for each in mappings) and isinstance(stack.changes, list)


def _name(uri: str | None) -> str | None:
    """The name of the code's archive, which holds a digest of the code."""
    return None if uri is None else uri.rpartition("/")[2]


def _values(change: ParameterChange) -> str:
    return f"{change.setting} = {_value(change.becomes)}, not {_value(change.was)}"


def _value(value: str | None) -> str:
    return "no value" if value is None else value or "empty"


def _other_stack(was: str | None, now: str | None) -> str:
    if was is None:
        return "there is a stack now, and there was none"
    return "the stack is gone" if now is None else "there is another stack of the same name now"


def _listed(added: Sequence[str], gone: Sequence[str]) -> str:
    return ", ".join([*(f"also {change}" for change in added), *(f"not {change}" for change in gone)])
