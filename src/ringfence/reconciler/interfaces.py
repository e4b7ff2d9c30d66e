"""What the engine needs of AWS and of its own process: the calls that it makes, with the answers that it can get.

Every call may raise `errors.Retry` (throttled, no answer, overtaken) or `errors.Permanent` (denied, misconfigured).
What else a call can raise is documented with it. `ringfence.aws` implements these interfaces on AWS.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ringfence.core.audit_events import AuditEvent
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId, PrefixListId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rosters import HeldRemovals, Roster, Rows, RowVersion
from ringfence.core.model.rules import Label, Rule
from ringfence.core.observation import Described, Instance, Listing
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixLists

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Rules = Mapping[SecurityGroupId, tuple[Rule, ...]]
"""The inbound rules of security groups."""


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> float:
        """Seconds since the epoch."""


class Started(Protocol[T_co]):
    """Work in progress."""

    def result(self) -> T_co:
        """Waits for the work. Returns what it returned, or raises what it raised."""


class Tasks(Protocol):
    """Runs work concurrently."""

    def start(self, work: Callable[[], T]) -> Started[T]:
        """Starts the work. The caller need not wait for it."""

    def sleep(self, seconds: float) -> None:
        """Waits, while other work goes on."""


class AutoScaling(Protocol):
    """The home Region's Auto Scaling groups."""

    def groups(self, names: Sequence[str]) -> Listing:
        """The instances of each group and of its warm pool, with state and zone.

        A group that does not exist is not in the answer. An instance of which AWS shows two states is not in its group.
        """

    def complete(self, group: str, hook: str, instance: InstanceId, token: str | None, result: HookResult) -> bool:
        """Answers a waiting hook: the wait that the token names or, without a token, any wait of the instance.

        Returns False if no such lifecycle action is active. That is no error.
        """


class Instances(Protocol):
    """The home Region's instances, in any state.

    While an Availability Zone fails, every call fails, except one of `named` for instances of other zones.
    Source: EC2 API Reference, DescribeInstances: a call fails that names an instance of the affected zone, or none.
    """

    def of_groups(self, names: Sequence[str]) -> Mapping[InstanceId, Instance]:
        """The instances that are tagged with one of the Auto Scaling groups. Others may exist: tags come late."""

    def by_id(self, ids: Iterable[InstanceId]) -> Described:
        """The instances with the given ids, found among all of the Region, and the ids that EC2 does not know (yet, or
        any more)."""

    def named(self, ids: Iterable[InstanceId]) -> Described:
        """The instances with the given ids, in a call that depends on their zones alone, and the ids that EC2 does not
        know. Those cost a further call."""


class SecurityGroups(Protocol):
    """A Region's security groups. A change of a group that does not exist raises Permanent."""

    def rules(self, groups: Sequence[SecurityGroupId]) -> Rules:
        """The inbound rules of each group. A group that does not exist has none."""

    def missing(self, groups: Sequence[SecurityGroupId]) -> frozenset[SecurityGroupId]:
        """Those of the groups that do not exist."""

    def prefix_lists(self, ids: Sequence[PrefixListId]) -> PrefixLists:
        """What a rule that references one of the prefix lists counts as. A list that does not exist is left out."""

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        """Makes the rules in one call, and returns them. Raises `errors.Refused`, and may have made some of them.

        A rule that exists may be answered as if it were made: with its own id and label, or not at all.
        """

    def revoke(self, group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """Removes the rules in one call. Raises `errors.Refused`, and may have removed some of them."""

    def relabel(self, group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        """Gives the rules their labels in one call. Raises `errors.Refused`, and may have changed some of them."""


class RosterTable(Protocol):
    """A Region's table of rosters. Every read is strongly consistent.

    Every call raises `errors.NotDeployed` if the table does not exist.
    """

    def rows(self) -> Rows:
        """The whole table."""

    def rows_of(self, region: Region) -> Rows:
        """The rosters whose home is the given Region."""

    def created_at(self) -> float:
        """When the table was created, in epoch seconds."""

    def replace(self, roster: Roster, version_read: RowVersion) -> None:
        """Writes the roster if the row still has the version that was read (0: there is no row, or it has no version).

        Raises `errors.Conflict` if it has another one, and Permanent if the roster does not fit into an item.
        """

    def offer(self, roster: Roster) -> int:
        """Writes the roster if it is newer than the row, or if no engine can have written the row.

        Returns the version that the row has afterwards, or the next one if the row has our version and cannot be
        trusted: then another caller wrote it. Raises `errors.Conflict` if the row changes meanwhile.
        """

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        """Deletes the row if it still has the version that was read. Raises `errors.Conflict` if it has another one."""

    def hold(self, held: HeldRemovals) -> None:
        """Keeps the removals that the guard holds, for the next reconcile to confirm or not."""


@dataclass(frozen=True, slots=True)
class HomeServices:
    """The services of the home Region only."""

    auto_scaling: AutoScaling
    instances: Instances


@dataclass(frozen=True, slots=True)
class RegionServices:
    """The services of every Region."""

    table: RosterTable
    security_groups: SecurityGroups


@dataclass(frozen=True, slots=True)
class Services:
    """Everything outside the engine. `regions` includes the home Region. `audit` takes each fact as it happens."""

    home: HomeServices
    regions: Mapping[Region, RegionServices]
    clock: Clock
    tasks: Tasks
    audit: Callable[[AuditEvent], None]


def run_concurrently(tasks: Tasks, work: Sequence[Callable[[], T]]) -> list[T]:
    """Runs all work concurrently, and returns the results in the order of the work."""
    return [started.result() for started in [tasks.start(item) for item in work]]
