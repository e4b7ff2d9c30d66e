"""One Region's stack: creates and executes change sets, deletes the stack, and reports its events meanwhile.

Uses change sets, so that exactly what was shown is executed. Knows no terminal.

Source: CloudFormation User Guide, "Update CloudFormation stacks using change sets", "Stack status codes".
Raises botocore's errors, and CommandError.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, assert_never

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent_stack, is_new_role
from ringfence.core.model.identifiers import Region
from ringfence_ops.cloudformation.difference import NO_DIFFERENCE, NOTHING, Definition, Difference, difference
from ringfence_ops.cloudformation.ownership import TagChange
from ringfence_ops.cloudformation.present_stack import PresentStack, present_stack
from ringfence_ops.errors import CommandError

DEAD = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
"""The states of a stack that can only be deleted."""

PATIENCE = 90.0
"""Seconds that a deployment waits for another operation of the stack, before it says so."""

OPERATION_TIMEOUT = 3600.0
"""Seconds that a deletion waits for another operation of the stack."""

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
_EMPTY_CHANGE_SET = ("didn't contain changes", "No updates are to be performed")
"""How CloudFormation reports that a change set is empty."""


class DeploymentKind(StrEnum):
    """What a deployment does to a stack."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"  # it cannot be updated, so it is deleted and created again
    RECOVER = "recover"  # its last roll-back failed: it is finished first, then the stack is updated
    NOTHING = "nothing"


class Replacement(StrEnum):
    """Whether a change makes a resource again and deletes the present one. Source: CloudFormation API Reference,
    ResourceChange; "Conditional" is said of a value that is only known while the stack is updated. A word that is not
    known excludes nothing."""

    NO = "False"
    POSSIBLE = "Conditional"
    YES = "True"

    @classmethod
    def _missing_(cls, _value: object) -> "Replacement":
        return cls.POSSIBLE


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """The change of one resource. `action` is Add, Modify or Remove."""

    action: str
    resource: str
    type: str
    replacement: Replacement = Replacement.NO

    @property
    def replaced(self) -> str:
        """Whether the resource is replaced, in words; empty if it is not."""
        match self.replacement:
            case Replacement.NO:
                return ""
            case Replacement.POSSIBLE:
                return "may be replaced"
            case Replacement.YES:
                return "replaced"
            case _:
                assert_never(self.replacement)


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that is ready to execute, and its changes.

    `id` is None where there is nothing to change, and for a stack of which CloudFormation makes no change set yet: to
    REPLACE and to RECOVER.

    `present` is the stack that it changes, None for a creation; `becomes` is what the stack is after it. `tags` are the
    tags of security groups that the deployment sets before it executes the change set.
    """

    kind: DeploymentKind
    changes: tuple[ResourceChange, ...] = ()
    id: str | None = None
    present: PresentStack | None = None
    becomes: Definition = NOTHING
    tags: tuple[TagChange, ...] = ()

    @property
    def difference(self) -> Difference:
        """What changes in an existing stack, in the operator's terms."""
        return NO_DIFFERENCE if self.present is None else difference(self.present.definition, self.becomes)

    @property
    def is_empty(self) -> bool:
        """Whether the deployment changes nothing."""
        return self.kind is DeploymentKind.NOTHING and not self.tags


@dataclass(frozen=True, slots=True)
class StackEvent:
    """An event of one resource during a stack operation."""

    resource: str
    status: str
    reason: str


class RoleNotVisible(CommandError):
    """A stack was not created, because a service does not see one of its new roles yet. The same again can work.

    Source: IAM User Guide, "Troubleshoot IAM", "Changes that I make are not always immediately visible".
    """


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of this name in a Region. `poll` is in seconds."""

    client: Any
    region: Region
    name: str
    poll: float = 1.0

    def status(self) -> str | None:
        """The stack's status; None where there is no stack."""
        try:
            return str(self.client.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if is_absent_stack(error):
                return None
            raise

    def create_change_set(self, definition: Definition) -> ChangeSet:
        """What a deployment would change.

        Changes nothing: a stack that must be replaced or recovered first gets no change set.

        Raises CommandError where another operation is in progress for long, or where the stack cannot be changed.
        """
        change_set = self._create_change_set(definition.template, definition.parameters)
        is_creation = change_set.kind in (DeploymentKind.CREATE, DeploymentKind.REPLACE)
        present = None if is_creation else present_stack(self.client, self.name)
        return replace(change_set, present=present, becomes=definition)

    def _create_change_set(self, template: str, parameters: Mapping[str, str]) -> ChangeSet:
        kind = self._kind()
        if kind in (DeploymentKind.REPLACE, DeploymentKind.RECOVER):
            return ChangeSet(kind)
        is_update = kind is DeploymentKind.UPDATE
        created = self.client.create_change_set(
            StackName=self.name,
            ChangeSetName=f"ringfence-{int(time.time() * 1000)}",
            ChangeSetType="UPDATE" if is_update else "CREATE",
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=CAPABILITIES,
        )
        described = self._completed_change_set(created["Id"])
        if described["Status"] == "FAILED":
            reason = str(described.get("StatusReason", "CloudFormation gives no reason"))
            self.client.delete_change_set(ChangeSetName=created["Id"], StackName=self.name)
            if any(words in reason for words in _EMPTY_CHANGE_SET):
                return ChangeSet(DeploymentKind.NOTHING)
            raise CommandError(f"CloudFormation refuses the change: {reason}")
        changes = tuple(self._changes(created["Id"]))
        if is_update and not changes:
            self.client.delete_change_set(ChangeSetName=created["Id"], StackName=self.name)
            return ChangeSet(DeploymentKind.NOTHING)
        return ChangeSet(kind, changes, created["Id"])

    def _kind(self) -> DeploymentKind:
        match self._settled(PATIENCE):
            case None | "REVIEW_IN_PROGRESS":
                return DeploymentKind.CREATE
            case str(status) if status in DEAD:
                return DeploymentKind.REPLACE
            case str(status) if status.endswith("_IN_PROGRESS"):
                raise CommandError(
                    f"another operation of the stack {self.name} is in progress ({status}): run the command again when"
                    " it has ended"
                )
            case "UPDATE_ROLLBACK_FAILED":
                return DeploymentKind.RECOVER
            case _:
                return DeploymentKind.UPDATE

    def _settled(self, seconds: float) -> str | None:
        """The status when the operation of another caller has ended, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            is_settled = status is None or status == "REVIEW_IN_PROGRESS" or not status.endswith("_IN_PROGRESS")
            if is_settled or time.monotonic() > deadline:
                return status
            time.sleep(self.poll)

    def _completed_change_set(self, id: str) -> Mapping[str, Any]:
        while True:
            described: Mapping[str, Any] = self.client.describe_change_set(ChangeSetName=id, StackName=self.name)
            if described["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                return described
            time.sleep(self.poll)

    def _changes(self, id: str) -> Iterator[ResourceChange]:
        token: dict[str, str] = {}
        while True:
            page = self.client.describe_change_set(ChangeSetName=id, StackName=self.name, **token)
            for entry in page.get("Changes", []):
                if (change := entry.get("ResourceChange")) is not None:
                    replacement = Replacement(change.get("Replacement", Replacement.NO))
                    yield ResourceChange(
                        change["Action"], change["LogicalResourceId"], change["ResourceType"], replacement
                    )
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def discard(self, change_set: ChangeSet) -> None:
        """Deletes the change set, and the empty stack that CloudFormation made for a creation."""
        if change_set.id is None:
            return
        self.client.delete_change_set(ChangeSetName=change_set.id, StackName=self.name)
        if self.status() == "REVIEW_IN_PROGRESS":
            self.client.delete_stack(StackName=self.name)

    def execute(self, change_set: ChangeSet, on_event: Callable[[StackEvent], None]) -> None:
        """Executes the change set and waits until it ends.

        Raises CommandError with the reason of the resource that failed first; RoleNotVisible for a creation that may
        succeed a moment later.
        """
        if change_set.id is None:
            return
        since = time.time()
        self.client.execute_change_set(ChangeSetName=change_set.id, StackName=self.name)
        status = self._wait(on_event, since)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            failure = f"{self.name}: {self._first_failure(since) or status}"
            is_creation = change_set.kind in (DeploymentKind.CREATE, DeploymentKind.REPLACE)
            raise RoleNotVisible(failure) if is_creation and is_new_role(failure) else CommandError(failure)

    def update(self, source: Mapping[str, str], on_event: Callable[[StackEvent], None]) -> None:
        """Updates the stack to another template with its own parameters, and waits until it ends.

        `source` is `TemplateBody` or `TemplateURL`. Raises CommandError with the reason of the resource that failed
        first.
        """
        described = self.client.describe_stacks(StackName=self.name)["Stacks"][0]
        parameters = [
            {"ParameterKey": parameter["ParameterKey"], "UsePreviousValue": True}
            for parameter in described.get("Parameters", [])
        ]
        since = time.time()
        self.client.update_stack(StackName=self.name, Parameters=parameters, Capabilities=CAPABILITIES, **source)
        status = self._wait(on_event, since)
        if status != "UPDATE_COMPLETE":
            raise CommandError(f"{self.name}: {self._first_failure(since) or status}")

    def finish_rollback(self, on_event: Callable[[StackEvent], None]) -> None:
        """Finishes a roll-back that failed. A resource that fails again is left as it is: its drift can be repaired.

        Raises CommandError with the reason of the resource that failed first.
        Source: CloudFormation API Reference, `ContinueUpdateRollback`, `ResourcesToSkip`.
        """
        since = time.time()
        self.client.continue_update_rollback(StackName=self.name)
        status = self._wait(on_event, since)
        if status == "UPDATE_ROLLBACK_FAILED":
            skipped = self._resources_in("UPDATE_FAILED")
            self.client.continue_update_rollback(StackName=self.name, ResourcesToSkip=skipped)
            status = self._wait(on_event, since)
        if status != "UPDATE_ROLLBACK_COMPLETE":
            raise CommandError(f"{self.name}: {self._first_failure(since) or status}")

    def delete(self, on_event: Callable[[StackEvent], None]) -> list[str]:
        """Deletes the stack and waits until it is gone. Returns the resources that were left.

        A resource is left only if its deletion fails and the stack was already in a state that nothing but its deletion
        ends. Raises CommandError with the reason of the resource that failed first.
        Source: CloudFormation API Reference, `DeleteStack`, `RetainResources`.
        """
        left: list[str] = []
        if (earlier := self._settled(OPERATION_TIMEOUT)) is None:
            return left
        since = time.time()
        self.client.delete_stack(StackName=self.name)
        status = self._wait(on_event, since)
        if status == "DELETE_FAILED" and earlier in DEAD:
            left = self._resources_in("DELETE_FAILED")
            self.client.delete_stack(StackName=self.name, RetainResources=left)
            status = self._wait(on_event, since)
        if status is not None and status != "DELETE_COMPLETE":
            stuck = ", ".join(self._resources_in("DELETE_FAILED"))
            again = f": run the same command again to delete the stack without {stuck}" if stuck and not left else ""
            raise CommandError(f"{self.name}: {self._first_failure(since) or status}{again}")
        return left

    def _resources_in(self, status: str) -> list[str]:
        """The logical ids of the resources in a state."""
        pages = self.client.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [
            str(resource["LogicalResourceId"])
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceStatus"] == status
        ]

    def _wait(self, on_event: Callable[[StackEvent], None], since: float) -> str | None:
        """Reports the stack's events until the operation ends. Returns the final status."""
        reported: set[str] = set()
        while True:
            status = self.status()
            for event in self._events(since):
                if event["EventId"] not in reported:
                    reported.add(event["EventId"])
                    on_event(_stack_event(event))
            # After the execution of a change set starts, the status is REVIEW_IN_PROGRESS for a moment.
            if status is None or not status.endswith("_IN_PROGRESS") or status == _CLEANUP:
                return "UPDATE_COMPLETE" if status == _CLEANUP else status
            time.sleep(self.poll)

    def _first_failure(self, since: float) -> str | None:
        failed = [_stack_event(event) for event in self._events(since) if event["ResourceStatus"].endswith("_FAILED")]
        causes = [event for event in failed if "cancelled" not in event.reason] or failed
        return f"{causes[0].resource}: {causes[0].reason}" if causes else None

    def _events(self, since: float) -> list[dict[str, Any]]:
        """The stack's events since then, oldest first; none where there is no stack."""
        try:
            events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        except ClientError as error:
            if is_absent_stack(error):
                return []
            raise
        # Clocks may differ by a few seconds; an earlier operation ended long before.
        return [event for event in reversed(events) if event["Timestamp"].timestamp() >= since - 5]


def _stack_event(event: Mapping[str, Any]) -> StackEvent:
    reason = str(event.get("ResourceStatusReason", "no reason given"))
    return StackEvent(str(event["LogicalResourceId"]), str(event["ResourceStatus"]), reason)
