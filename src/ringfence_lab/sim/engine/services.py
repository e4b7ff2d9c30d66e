"""The engine's service interfaces on the cloud: each method is one AWS call on one invocation's line."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ringfence.core.errors import Permanent
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId, PrefixListId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rosters import HeldRemovals, Roster, Rows, RowVersion
from ringfence.core.model.rules import Label, Rule
from ringfence.core.observation import Described, Instance, Listing, without_contradictions
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixLists
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.engine.line import Line
from ringfence_lab.sim.invocation import Invocation

T = TypeVar("T")

OPERATIONS = (
    "DescribeAutoScalingGroups",
    "DescribeWarmPool",
    "DescribeInstances",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroups",
    "DescribeManagedPrefixLists",
    "Scan",
    "Query",
    "DescribeTable",
    "PutItem",
    "DeleteItem",
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
    "CompleteLifecycleAction",
)
"""Every AWS operation that the services below call."""


@dataclass(slots=True)
class SimulatedAutoScaling:
    """The `AutoScaling` interface."""

    region: CloudRegion
    line: Line
    invocation: Invocation

    def groups(self, names: Sequence[str]) -> Listing:
        """See `interfaces.AutoScaling.groups`."""
        groups = self.region.groups
        shown = self._describe(
            "DescribeAutoScalingGroups",
            lambda age: {
                name: (groups[name].listed(age), groups[name].has_warm_pool(age)) for name in names if name in groups
            },
        )
        pools = {name: self._describe("DescribeWarmPool", groups[name].pooled) for name in shown if shown[name][1]}
        zone_of = self.region.ec2.zone_of
        return Listing(
            {name: without_contradictions(listed, pools.get(name, {})) for name, (listed, _) in shown.items()},
            {id: zone_of[id] for name, (listed, _) in shown.items() for id in [*listed, *pools.get(name, {})]},
        )

    def _describe(self, operation: str, answer: Callable[[float], T]) -> T:
        return self.line.call(self.region.name, "autoscaling", operation, answer)

    def complete(self, group: str, hook: str, instance: InstanceId, token: str | None, result: HookResult) -> bool:
        """See `interfaces.AutoScaling.complete`."""
        return self.line.call(
            self.region.name,
            "autoscaling",
            "CompleteLifecycleAction",
            lambda _: self._group(group).complete(hook, instance, result, self.invocation, token),
            mutating=True,
        )

    def _group(self, name: str) -> AutoScalingGroup:
        if name not in self.region.groups:
            raise Permanent(f"ValidationError: AutoScalingGroup name not found: {name}")
        return self.region.groups[name]


@dataclass(slots=True)
class SimulatedInstances:
    """The `Instances` interface. A call depends on the zones of the instances that it names, or on all zones.

    Source: EC2 API Reference, DescribeInstances. A filter names no instance: assumed, because it is no `InstanceId`.
    """

    region: CloudRegion
    line: Line

    def of_groups(self, names: Sequence[str]) -> Mapping[InstanceId, Instance]:
        """See `interfaces.Instances.of_groups`."""
        return self._describe(lambda age: self.region.ec2.of_groups(names, age), self.region.ec2.zones)

    def by_id(self, ids: Iterable[InstanceId]) -> Described:
        """See `interfaces.Instances.by_id`."""
        return self._by_id(frozenset(ids), self.region.ec2.zones)

    def named(self, ids: Iterable[InstanceId]) -> Described:
        """See `interfaces.Instances.named`."""
        wanted = frozenset(ids)
        return self._by_id(wanted, self.region.ec2.zones_of(wanted))

    def _by_id(self, wanted: frozenset[InstanceId], zones: frozenset[str]) -> Described:
        found = self._describe(lambda age: self.region.ec2.by_id(wanted, age), zones)
        return Described(found, wanted - found.keys())

    def _describe(
        self, answer: Callable[[float], Mapping[InstanceId, Instance]], zones: frozenset[str]
    ) -> Mapping[InstanceId, Instance]:
        return self.line.call(self.region.name, "ec2", "DescribeInstances", answer, zones=zones)


@dataclass(slots=True)
class SimulatedSecurityGroups:
    """The `SecurityGroups` interface."""

    region: CloudRegion
    line: Line
    invocation: Invocation

    def rules(self, groups: Sequence[SecurityGroupId]) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        """See `interfaces.SecurityGroups.rules`."""
        return self.line.call(
            self.region.name, "ec2", "DescribeSecurityGroupRules", lambda age: self._described(groups, age)
        )

    def _described(self, ids: Sequence[SecurityGroupId], age: float) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        groups = self.region.security_groups.groups
        self.invocation.read_old_rules.update(id for id in ids if id in groups and groups[id].is_shown_late)
        return self.region.security_groups.described(ids, age)

    def missing(self, groups: Sequence[SecurityGroupId]) -> frozenset[SecurityGroupId]:
        """See `interfaces.SecurityGroups.missing`."""
        existing = self.region.security_groups.existing
        return self.line.call(
            self.region.name, "ec2", "DescribeSecurityGroups", lambda age: frozenset(groups) - existing(age)
        )

    def prefix_lists(self, ids: Sequence[PrefixListId]) -> PrefixLists:
        """See `interfaces.SecurityGroups.prefix_lists`."""
        existing = self.region.prefix_lists
        return self.line.call(
            self.region.name,
            "ec2",
            "DescribeManagedPrefixLists",
            lambda _: {id: existing[id] for id in ids if id in existing},
        )

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        """See `interfaces.SecurityGroups.authorize`."""
        return self.line.call(
            self.region.name,
            "ec2",
            "AuthorizeSecurityGroupIngress",
            lambda _: self.region.security_groups.group(group).authorize(additions, self.invocation),
            mutating=True,
        )

    def revoke(self, group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """See `interfaces.SecurityGroups.revoke`."""
        self.line.call(
            self.region.name,
            "ec2",
            "RevokeSecurityGroupIngress",
            lambda _: self.region.security_groups.group(group).revoke(rules, self.invocation),
            mutating=True,
        )

    def relabel(self, group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        """See `interfaces.SecurityGroups.relabel`."""
        self.line.call(
            self.region.name,
            "ec2",
            "UpdateSecurityGroupRuleDescriptionsIngress",
            lambda _: self.region.security_groups.group(group).relabel(labels, self.invocation),
            mutating=True,
        )


@dataclass(slots=True)
class SimulatedRosterTable:
    """The `RosterTable` interface."""

    region: CloudRegion
    line: Line
    invocation: Invocation

    def rows(self) -> Rows:
        """See `interfaces.RosterTable.rows`."""
        return self.line.call(self.region.name, "dynamodb", "Scan", lambda _: self.region.table.scan())

    def created_at(self) -> float:
        """See `interfaces.RosterTable.created_at`."""
        return self.line.call(self.region.name, "dynamodb", "DescribeTable", lambda _: self.region.table.describe())

    def rows_of(self, region: Region) -> Rows:
        """See `interfaces.RosterTable.rows_of`."""
        return self.line.call(self.region.name, "dynamodb", "Query", lambda _: self.region.table.query(region))

    def replace(self, roster: Roster, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.replace`."""
        table, by = self.region.table, self.invocation
        self.line.call(
            self.region.name,
            "dynamodb",
            "PutItem",
            lambda _: table.replace(roster, version_read, by),
            mutating=True,
        )

    def offer(self, roster: Roster) -> int:
        """See `interfaces.RosterTable.offer`."""
        table, by = self.region.table, self.invocation
        return self.line.call(self.region.name, "dynamodb", "PutItem", lambda _: table.offer(roster, by), mutating=True)

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.delete`."""
        table, by = self.region.table, self.invocation
        self.line.call(
            self.region.name,
            "dynamodb",
            "DeleteItem",
            lambda _: table.delete(key, version_read, by),
            mutating=True,
        )

    def hold(self, held: HeldRemovals) -> None:
        """See `interfaces.RosterTable.hold`."""
        self.line.call(self.region.name, "dynamodb", "PutItem", lambda _: self.region.table.hold(held), mutating=True)
