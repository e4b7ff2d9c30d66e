"""What changed in the cloud, one value for each fact, and by whom: what the properties are checked on.

Pure values. `by` is the invocation that made the change; None is an operator, or AWS itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey
from ringfence.core.model.rules import Rule

if TYPE_CHECKING:
    from ringfence_lab.sim.engine.line import Invocation


@dataclass(frozen=True, slots=True)
class RuleMade:
    """A rule stands in a security group from now on."""

    region: Region
    rule: Rule
    by: "Invocation | None"

    def __str__(self) -> str:
        return f"+ {_told(self.rule)} in {self.rule.group}"


@dataclass(frozen=True, slots=True)
class RuleRevoked:
    """A rule is gone."""

    region: Region
    rule: Rule
    by: "Invocation | None"

    def __str__(self) -> str:
        return f"- {_told(self.rule)} in {self.rule.group}"


@dataclass(frozen=True, slots=True)
class RuleRelabelled:
    """A rule has another description than it had."""

    region: Region
    rule: Rule
    was: Rule
    by: "Invocation | None"

    def __str__(self) -> str:
        return f"~ {_told(self.rule)} in {self.rule.group}, was {_told(self.was)}"


@dataclass(frozen=True, slots=True)
class RuleChanged:
    """An operator gave a rule other ports or another description."""

    region: Region
    rule: Rule
    was: Rule

    def __str__(self) -> str:
        return f"~ {_told(self.rule)} in {self.rule.group}, was {_told(self.was)}"


@dataclass(frozen=True, slots=True)
class ActionCompleted:
    """A lifecycle action ended: by an answer, or (`by` is None) by its timeout or because another one abandoned.

    Recorded before it takes effect, while the instance still has its addresses.
    """

    region: Region
    group: str
    instance: InstanceId
    transition: Transition
    result: HookResult
    to_group: bool
    by: "Invocation | None"

    def __str__(self) -> str:
        answer = self.result.value if self.by else f"{self.result.value}, by itself"
        return f"hook of {self.instance}, {self.transition.name}: {answer}"


@dataclass(frozen=True, slots=True)
class StateChanged:
    """An instance of an Auto Scaling group is in another lifecycle state; None once the group does not list it."""

    region: Region
    group: str
    instance: InstanceId
    state: str | None

    def __str__(self) -> str:
        return f"{self.region}/{self.group} {self.instance} is {self.state or 'no longer listed'}"


@dataclass(frozen=True, slots=True)
class AddressReturned:
    """An instance has an address again that it gave up before."""

    region: Region
    instance: InstanceId
    address: Cidr

    def __str__(self) -> str:
        return f"{self.address} comes back to {self.instance}"


@dataclass(frozen=True, slots=True)
class AddressReleased:
    """An instance gave an address back, and a stranger has it now."""

    region: Region
    instance: InstanceId
    address: Cidr

    def __str__(self) -> str:
        return f"{self.address} of {self.instance} goes to a stranger"


@dataclass(frozen=True, slots=True)
class RowWritten:
    """A row of a Region's table was written. `standing` is the version that stood there before, 0 for none."""

    region: Region
    key: RosterKey
    version: int
    standing: int
    by: "Invocation | None"

    def __str__(self) -> str:
        return f"row {self.key} in {self.region}: version {self.version} over {self.standing}"


@dataclass(frozen=True, slots=True)
class TableMadeAnew:
    """A Region's table is another one, and empty."""

    region: Region

    def __str__(self) -> str:
        return f"the table of {self.region} is made anew"


def _told(rule: Rule) -> str:
    return f"{rule.id} {rule.opening or rule.ports} [{rule.description}]"


Change = (
    RuleMade
    | RuleRevoked
    | RuleRelabelled
    | RuleChanged
    | ActionCompleted
    | StateChanged
    | AddressReleased
    | AddressReturned
    | RowWritten
    | TableMadeAnew
)
