"""What changed in the cloud, one value for each fact, and by whom: what the properties are checked on.

Pure values. `by` is the invocation that made the change; None is an operator, or AWS itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringfence.lifecycle import HookResult, Transition
from ringfence.model import Cidr, InstanceId, Region, RosterKey, Rule

if TYPE_CHECKING:
    from ringfence_lab.sim.calls import Invocation


@dataclass(frozen=True, slots=True)
class RuleMade:
    """A rule stands in a security group from now on."""

    region: Region
    rule: Rule
    by: "Invocation | None"


@dataclass(frozen=True, slots=True)
class RuleRevoked:
    """A rule is gone."""

    region: Region
    rule: Rule
    by: "Invocation | None"


@dataclass(frozen=True, slots=True)
class RuleRelabelled:
    """A rule has another description than it had."""

    region: Region
    rule: Rule
    was: Rule
    by: "Invocation | None"


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


@dataclass(frozen=True, slots=True)
class StateChanged:
    """An instance of an Auto Scaling group is in another lifecycle state; None once the group does not list it."""

    region: Region
    group: str
    instance: InstanceId
    state: str | None


@dataclass(frozen=True, slots=True)
class AddressReleased:
    """An instance gave an address back, and a stranger has it now."""

    region: Region
    instance: InstanceId
    address: Cidr


@dataclass(frozen=True, slots=True)
class RowWritten:
    """A row of a Region's table was written. `standing` is the version that stood there before, 0 for none."""

    region: Region
    key: RosterKey
    version: int
    standing: int
    by: "Invocation | None"


Change = RuleMade | RuleRevoked | RuleRelabelled | ActionCompleted | StateChanged | AddressReleased | RowWritten
