"""The changes of the cloud, one value for each fact, with their author. The properties are checked on them.

Pure values. `by` is the invocation that made the change; None stands for an operator, or AWS itself.
"""

from dataclasses import dataclass

from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rosters import RowVersion
from ringfence.core.model.rules import Rule
from ringfence_lab.sim.invocation import Invocation


@dataclass(frozen=True, slots=True)
class RuleMade:
    """A rule was added to a security group."""

    region: Region
    rule: Rule
    by: Invocation | None

    def __str__(self) -> str:
        return f"+ {_text(self.rule)} in {self.rule.group}"


@dataclass(frozen=True, slots=True)
class RuleRevoked:
    """A rule was removed from a security group."""

    region: Region
    rule: Rule
    by: Invocation | None

    def __str__(self) -> str:
        return f"- {_text(self.rule)} in {self.rule.group}"


@dataclass(frozen=True, slots=True)
class LabelChanged:
    """The description of a rule changed."""

    region: Region
    rule: Rule
    was: Rule
    by: Invocation | None

    def __str__(self) -> str:
        return f"~ {_text(self.rule)} in {self.rule.group}, was {_text(self.was)}"


@dataclass(frozen=True, slots=True)
class RuleChanged:
    """An operator changed the ports or the description of a rule."""

    region: Region
    rule: Rule
    was: Rule

    def __str__(self) -> str:
        return f"~ {_text(self.rule)} in {self.rule.group}, was {_text(self.was)}"


@dataclass(frozen=True, slots=True)
class ActionCompleted:
    """A lifecycle action ended: by an answer, or (`by` is None) by its timeout or because another action abandoned.

    `by_token`: the answer named the action, not only the instance.

    Recorded before it takes effect, while the instance still has its addresses. `began` is in seconds since the epoch.
    """

    region: Region
    group: str
    instance: InstanceId
    transition: Transition
    result: HookResult
    to_group: bool
    by: Invocation | None
    began: float
    by_token: bool = False

    def __str__(self) -> str:
        answer = self.result.value if self.by else f"{self.result.value}, not by an invocation"
        return f"hook of {self.instance}, {self.transition.name}: {answer}"


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The lifecycle state of an instance changed; None if the group no longer lists it."""

    region: Region
    group: str
    instance: InstanceId
    state: str | None

    def __str__(self) -> str:
        return f"{self.region}/{self.group} {self.instance} is {self.state or 'no longer listed'}"


@dataclass(frozen=True, slots=True)
class AddressReturned:
    """An instance has an address again that it released before."""

    region: Region
    instance: InstanceId
    address: Cidr

    def __str__(self) -> str:
        return f"{self.address} returns to {self.instance}"


@dataclass(frozen=True, slots=True)
class AddressReleased:
    """An instance released an address, and a stranger has it now."""

    region: Region
    instance: InstanceId
    address: Cidr

    def __str__(self) -> str:
        return f"{self.address} of {self.instance} goes to a stranger"


@dataclass(frozen=True, slots=True)
class GroupDeleted:
    """A security group was deleted by an operator."""

    region: Region
    group: SecurityGroupId

    def __str__(self) -> str:
        return f"{self.group} in {self.region} is deleted"


@dataclass(frozen=True, slots=True)
class RowWritten:
    """A row of a Region's table was written. `previous` is the version before, 0 if there was no row."""

    region: Region
    key: RosterKey
    version: int
    previous: RowVersion
    by: Invocation | None

    def __str__(self) -> str:
        return f"row {self.key} in {self.region}: version {self.version} over {self.previous}"


@dataclass(frozen=True, slots=True)
class RowDeleted:
    """A row of a Region's table was deleted."""

    region: Region
    key: RosterKey
    by: Invocation | None

    def __str__(self) -> str:
        return f"row {self.key} in {self.region} is deleted"


@dataclass(frozen=True, slots=True)
class ItemPut:
    """A caller that is no engine wrote or deleted a row of a Region's table."""

    region: Region
    key: RosterKey

    def __str__(self) -> str:
        return f"row {self.key} in {self.region} is written or deleted by another caller"


@dataclass(frozen=True, slots=True)
class PauseWritten:
    """An operator wrote a Region's pause, or its end, into the table of a Region."""

    region: Region
    pause: Pause

    def __str__(self) -> str:
        return f"in the table of {self.region}: {self.pause}"


@dataclass(frozen=True, slots=True)
class TableRecreated:
    """A Region's table was deleted and created again, and is empty."""

    region: Region

    def __str__(self) -> str:
        return f"the table of {self.region} is created again, empty"


def _text(rule: Rule) -> str:
    return f"{rule.id} {rule.opening or rule.ports} [{rule.description}]"


CloudChange = (
    RuleMade
    | RuleRevoked
    | LabelChanged
    | RuleChanged
    | ActionCompleted
    | StateChanged
    | AddressReleased
    | AddressReturned
    | RowWritten
    | RowDeleted
    | GroupDeleted
    | ItemPut
    | PauseWritten
    | TableRecreated
)
