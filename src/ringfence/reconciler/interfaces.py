"""What the engine needs of the world: only the calls it makes, each with the answers it can get.

Every call may raise `errors.Retry` (throttled, unreachable, overtaken) or `errors.Permanent` (denied, misconfigured);
what else a call can raise stands with it. Implemented on AWS by `ringfence.aws`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from ringfence.core.audit_events import AuditEvent
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId, Region, RuleId, SecurityGroupId
from ringfence.core.model.rosters import HeldRemovals, Roster, Rows
from ringfence.core.model.rules import Label, Rule
from ringfence.core.observation import Instance
from ringfence.core.plan import Addition
from ringfence.records import dataclass

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Clock(Protocol):
    """The one source of time."""

    def now(self) -> float:
        """Seconds since the epoch."""


class Started(Protocol[T_co]):
    """Work under way."""

    def result(self) -> T_co:
        """Waits for the work and gives what it returned, or raises what it raised."""


class Tasks(Protocol):
    """Runs work on several Regions at a time."""

    def start(self, work: Callable[[], T]) -> Started[T]:
        """Starts the work; nobody needs to wait for it."""


class AutoScaling(Protocol):
    """The home Region's Auto Scaling groups."""

    def groups(self, names: Sequence[str]) -> Mapping[str, Mapping[InstanceId, str]]:
        """Each group's instances with their `LifecycleState`; a group that does not exist is not in the answer."""

    def complete(self, group: str, hook: str, instance: InstanceId, token: str | None, result: HookResult) -> bool:
        """Answers a waiting hook: the one wait that the token names, or without one whichever the instance is in.

        False where no such action is active (any more): that is no error.
        """


class Instances(Protocol):
    """The home Region's instances, in whatever state. What EC2 does not (yet) know is not in an answer."""

    def of_groups(self, names: Sequence[str]) -> Mapping[InstanceId, Instance]:
        """Those tagged with one of the Auto Scaling groups."""

    def by_id(self, ids: Iterable[InstanceId]) -> Mapping[InstanceId, Instance]:
        """Those with the ids."""


class SecurityGroups(Protocol):
    """A Region's security groups."""

    def rules(self, groups: Sequence[SecurityGroupId]) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        """The inbound rules of each group. Raises Permanent where one of them does not exist."""

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        """Makes all of the rules in one call, or none: raises `errors.Refused`. Returns the rules made."""

    def revoke(self, group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """Removes all of the rules in one call, or none: raises `errors.Refused`."""

    def relabel(self, group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        """Gives all of the rules their labels in one call, or none: raises `errors.Refused`."""


class RosterTable(Protocol):
    """A Region's table of rosters. Every read is strongly consistent.

    Every call raises `errors.NotDeployed` where the table does not exist.
    """

    def rows(self) -> Rows:
        """All of the table."""

    def rows_of(self, region: Region) -> Rows:
        """The rosters whose home is the Region."""

    def replace(self, roster: Roster, standing_version: int) -> None:
        """Writes the roster if the row is still at the version given (0: not there, or never versioned).

        Raises `errors.Conflict` where it is not, and Permanent where the roster does not fit into an item.
        """

    def offer(self, roster: Roster) -> int:
        """Writes the roster if it is newer than the row. Returns the version that stands there afterwards."""

    def hold(self, held: HeldRemovals) -> None:
        """Keeps what the guard held, for the next reconcile to agree with or not."""


@dataclass(frozen=True, slots=True)
class HomeServices:
    """What only the home Region has."""

    auto_scaling: AutoScaling
    instances: Instances


@dataclass(frozen=True, slots=True)
class RegionServices:
    """What every Region has: its table and its security groups."""

    table: RosterTable
    security_groups: SecurityGroups


@dataclass(frozen=True, slots=True)
class Services:
    """All that the engine touches. `regions` holds the home Region and every peer."""

    home: HomeServices
    regions: Mapping[Region, RegionServices]
    clock: Clock
    tasks: Tasks
    audit: Callable[[AuditEvent], None]


def gather(tasks: Tasks, work: Sequence[Callable[[], T]]) -> list[T]:
    """Does all of the work at a time and returns the results in its order."""
    return [started.result() for started in [tasks.start(each) for each in work]]
