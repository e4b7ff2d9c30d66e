"""One Region's stack: what a deployment would change of it, doing that, taking it down, and what is going on meanwhile.

Speaks CloudFormation through change sets, so that what was shown is what is done. Knows no terminal.

Source: CloudFormation User Guide, "Update CloudFormation stacks using change sets", "Stack status codes".
Raises what botocore raises, and CommandError.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent_stack
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.errors import CommandError

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
"""How CloudFormation says that a change set is empty."""


class Kind(StrEnum):
    """What a deployment is to a stack."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"  # its first creation failed: it has to go before it can be made
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What becomes of a resource: `action` is Add, Modify or Remove."""

    action: str
    resource: str
    type: str
    replaced: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change set that can be executed, and what it changes. `id` is None where there is nothing to do."""

    kind: Kind
    changes: tuple[ResourceChange, ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A resource's event, while a stack is under way."""

    resource: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of this name in a Region. `poll` is in seconds."""

    client: Any
    region: Region
    name: str
    poll: float = 1.0

    def status(self) -> str | None:
        """Its status; None where there is none."""
        try:
            return str(self.client.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if is_absent_stack(error):
                return None
            raise

    def propose(self, template: str, parameters: Mapping[str, str]) -> Proposal:
        """What a deployment would change. Raises CommandError where the stack is at something else, or cannot be changed."""
        kind = self._kind()
        existing = kind is Kind.UPDATE
        made = self.client.create_change_set(
            StackName=self.name,
            ChangeSetName=f"ringfence-{int(time.time() * 1000)}",
            ChangeSetType="UPDATE" if existing else "CREATE",
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=CAPABILITIES,
        )
        described = self._made(made["Id"])
        if described["Status"] == "FAILED":
            reason = str(described.get("StatusReason", "CloudFormation gives no reason"))
            self.client.delete_change_set(ChangeSetName=made["Id"], StackName=self.name)
            if any(words in reason for words in _UNCHANGED):
                return Proposal(Kind.NOTHING)
            raise CommandError(f"CloudFormation refuses the change: {reason}")
        changes = tuple(self._changes(made["Id"]))
        if existing and not changes:
            self.client.delete_change_set(ChangeSetName=made["Id"], StackName=self.name)
            return Proposal(Kind.NOTHING)
        return Proposal(kind, changes, made["Id"])

    def _kind(self) -> Kind:
        match self.status():
            case None | "REVIEW_IN_PROGRESS":
                return Kind.CREATE
            case "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED":
                # Nothing can be changed of it: it is taken down, and made anew.
                self.client.delete_stack(StackName=self.name)
                self._settle(lambda _step: None, time.time())
                return Kind.REPLACE
            case str(status) if status.endswith("_IN_PROGRESS"):
                raise CommandError(f"the stack {self.name} is at something else ({status}): wait until it is done")
            case "UPDATE_ROLLBACK_FAILED":
                raise CommandError(
                    f"the stack {self.name} could not be rolled back: `aws cloudformation continue-update-rollback"
                    f" --stack-name {self.name} --region {self.region}` first"
                )
            case _:
                return Kind.UPDATE

    def _made(self, id: str) -> Mapping[str, Any]:
        while True:
            described: Mapping[str, Any] = self.client.describe_change_set(ChangeSetName=id, StackName=self.name)
            if described["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                return described
            time.sleep(self.poll)

    def _changes(self, id: str) -> Iterator[ResourceChange]:
        token: dict[str, str] = {}
        while True:
            page = self.client.describe_change_set(ChangeSetName=id, StackName=self.name, **token)
            for change in page.get("Changes", []):
                if (one := change.get("ResourceChange")) is not None:
                    replaced = one.get("Replacement") in ("True", "Conditional")
                    yield ResourceChange(one["Action"], one["LogicalResourceId"], one["ResourceType"], replaced)
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def drop(self, proposal: Proposal) -> None:
        """Takes the change set away, and the empty stack that stands for one that would be created."""
        if proposal.id is None:
            return
        self.client.delete_change_set(ChangeSetName=proposal.id, StackName=self.name)
        if self.status() == "REVIEW_IN_PROGRESS":
            self.client.delete_stack(StackName=self.name)

    def execute(self, proposal: Proposal, tell: Callable[[Step], None]) -> None:
        """Does what was proposed and waits for it. Raises CommandError with the reason of the resource that failed first."""
        if proposal.id is None:
            return
        since = time.time()
        self.client.execute_change_set(ChangeSetName=proposal.id, StackName=self.name)
        status = self._settle(tell, since)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise CommandError(f"{self.name}: {self._first_failure(since) or status}")

    def delete(self, tell: Callable[[Step], None]) -> None:
        """Takes the stack down and waits for it. Raises CommandError with the reason of the resource that failed first."""
        since = time.time()
        self.client.delete_stack(StackName=self.name)
        status = self._settle(tell, since)
        if status is not None and status != "DELETE_COMPLETE":
            raise CommandError(f"{self.name}: {self._first_failure(since) or status}")

    def _settle(self, tell: Callable[[Step], None], since: float) -> str | None:
        told: set[str] = set()
        while True:
            status = self.status()
            for event in self._events(since):
                if event["EventId"] not in told:
                    told.add(event["EventId"])
                    tell(_step(event))
            # An executed change set leaves REVIEW_IN_PROGRESS a moment later.
            if status is None or not status.endswith("_IN_PROGRESS") or status.endswith("CLEANUP_IN_PROGRESS"):
                return "UPDATE_COMPLETE" if status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" else status
            time.sleep(self.poll)

    def _first_failure(self, since: float) -> str | None:
        failed = [_step(event) for event in self._events(since) if event["ResourceStatus"].endswith("_FAILED")]
        causes = [step for step in failed if "cancelled" not in step.reason] or failed
        return f"{causes[0].resource}: {causes[0].reason}" if causes else None

    def _events(self, since: float) -> list[dict[str, Any]]:
        """The stack's events since then, oldest first; none where the stack is gone."""
        try:
            events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        except ClientError as error:
            if is_absent_stack(error):
                return []
            raise
        # Clocks differ a little; an earlier operation ended long before.
        return [one for one in reversed(events) if one["Timestamp"].timestamp() >= since - 5]


def _step(event: Mapping[str, Any]) -> Step:
    reason = str(event.get("ResourceStatusReason", "no reason given"))
    return Step(str(event["LogicalResourceId"]), str(event["ResourceStatus"]), reason)
