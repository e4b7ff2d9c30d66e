"""A dry run of every Region's true-up: the real engine, with real reads, and with writes that stay in memory.

So a plan is exactly what a reconcile does, the guard included, and no part of the engine knows that it is a dry run.
All Regions share the written state, as they share AWS. Knows no terminal.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from ringfence.aws.assembly import (
    ClientOf,
    SystemClock,
    Threads,
    home_services,
    region_services,
    table_name,
    worker_threads,
)
from ringfence.core.audit_events import AuditEvent
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import Conflict, Refusal, Refused, Retry, RingfenceError
from ringfence.core.events import TrueUp
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId, PrefixListId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rosters import HeldRemovals, Roster, Rows, RowVersion
from ringfence.core.model.rules import Label, Rule
from ringfence.core.observation import Listing
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixLists, count_rules, prefix_lists_of
from ringfence.reconciler.interfaces import (
    AutoScaling,
    HomeServices,
    RegionServices,
    RosterTable,
    SecurityGroups,
    Services,
)
from ringfence.reconciler.reconcile import reconcile


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """What the true-up of one Region would do. `failure` says why it would fail, None where it would not."""

    audit_events: tuple[AuditEvent, ...]
    failure: str | None = None


def dry_run(
    client_of: ClientOf, cluster: Sequence[Settings], unreachable: Mapping[Region, str] | None = None
) -> Mapping[Region, DryRunResult]:
    """Runs the true-ups of all Regions one after the other, on shared state. Changes nothing.

    Regions that are known to be unreachable are not asked again: the others see them fail.
    """
    unreachable = unreachable or {}
    reachable = [settings for settings in cluster if settings.region not in unreachable]
    shared = {settings.region: _region(client_of, settings) for settings in reachable}
    shared |= {region: _unreachable(reason) for region, reason in unreachable.items()}
    results: dict[Region, DryRunResult] = {}
    with worker_threads(len(cluster)) as pool:
        for settings in reachable:
            audit_events: list[AuditEvent] = []
            failure = None
            try:
                home = _home(client_of, settings)
                services = Services(home, shared, SystemClock(), DryRunThreads(pool), audit_events.append)
                reconcile([TrueUp("dry run")], services, settings)
            except RingfenceError as error:
                failure = str(error)
            results[settings.region] = DryRunResult(tuple(audit_events), failure)
    return results


def _region(client_of: ClientOf, settings: Settings) -> RegionServices:
    services = region_services(client_of, settings.region, table_name(settings.cluster))
    groups = DryRunSecurityGroups(services.security_groups, settings.rules_quota)
    return RegionServices(DryRunTable(services.table), groups)


def _home(client_of: ClientOf, settings: Settings) -> HomeServices:
    services = home_services(client_of, settings.region)
    return HomeServices(DryRunAutoScaling(services.auto_scaling), services.instances)


@dataclass(frozen=True, slots=True)
class _UnreachableRegion:
    """The table and the security groups of a Region that does not answer, as far as a dry run reads them."""

    reason: str

    def rules(self, _groups: object) -> Any:
        raise Retry(self.reason)

    rows_of = rules

    def rows(self) -> Any:
        raise Retry(self.reason)


def _unreachable(reason: str) -> RegionServices:
    region: Any = _UnreachableRegion(reason)
    return RegionServices(DryRunTable(region), DryRunSecurityGroups(region, 0))


@dataclass(frozen=True, slots=True)
class DryRunAutoScaling:
    """The `AutoScaling` interface. Completing a hook does nothing."""

    real: AutoScaling

    def groups(self, names: Sequence[str]) -> Listing:
        """See `interfaces.AutoScaling.groups`."""
        return self.real.groups(names)

    def complete(self, _group: str, _hook: str, _instance: InstanceId, _token: str | None, _result: HookResult) -> bool:
        """See `interfaces.AutoScaling.complete`."""
        return True


@dataclass(frozen=True, slots=True)
class DryRunThreads(Threads):
    """The `Tasks` interface. It never sleeps: in a dry run, a second look follows the first one immediately."""

    def sleep(self, _seconds: float) -> None:
        """See `interfaces.Tasks.sleep`."""


@dataclass(slots=True)
class DryRunTable:
    """The `RosterTable` interface. Rosters written in the dry run replace those that are read."""

    real: RosterTable
    _written: dict[RosterKey, Roster] = field(default_factory=dict)
    _deleted: set[RosterKey] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rows(self) -> Rows:
        """See `interfaces.RosterTable.rows`."""
        return self._with_written(self.real.rows(), None)

    def created_at(self) -> float:
        """See `interfaces.RosterTable.created_at`."""
        return self.real.created_at()

    def rows_of(self, region: Region) -> Rows:
        """See `interfaces.RosterTable.rows_of`."""
        return self._with_written(self.real.rows_of(region), region)

    def replace(self, roster: Roster, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.replace`."""
        with self._lock:
            self._expect(roster.key, version_read)
            self._write(roster)

    def offer(self, roster: Roster) -> int:
        """See `interfaces.RosterTable.offer`."""
        with self._lock:
            current = self._version(roster.key)
            if isinstance(current, int) and current >= roster.version:
                return current
            self._write(roster)
            return roster.version

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.delete`."""
        with self._lock:
            self._expect(key, version_read)
            self._written.pop(key, None)
            self._deleted.add(key)

    def hold(self, held: HeldRemovals) -> None:
        """See `interfaces.RosterTable.hold`. The audit events report what is held; no second true-up follows."""

    def _expect(self, key: RosterKey, version_read: RowVersion) -> None:
        if self._version(key) != version_read:
            raise Conflict(f"{key} was written concurrently", {})

    def _version(self, key: RosterKey) -> RowVersion:
        return self._with_written(self.real.rows_of(key.region), key.region).version_read(key)

    def _write(self, roster: Roster) -> None:
        self._written[roster.key] = roster
        self._deleted.discard(roster.key)

    def _with_written(self, rows: Rows, region: Region | None) -> Rows:
        written = {key: roster for key, roster in self._written.items() if region in (None, key.region)}
        read = {key: roster for key, roster in rows.rosters.items() if key not in self._deleted}
        bad = {key: row for key, row in rows.bad.items() if key not in written and key not in self._deleted}
        return replace(rows, rosters={**read, **written}, bad=bad)


@dataclass(slots=True)
class DryRunSecurityGroups:
    """The `SecurityGroups` interface. Changes of the dry run are applied to what is read.

    A call that would exceed `quota`, the maximum number of rules of a group in an address family, is refused as EC2
    refuses it. Its other refusals are not foreseen.
    """

    real: SecurityGroups
    quota: int
    _read: dict[SecurityGroupId, tuple[Rule, ...]] = field(default_factory=dict)
    _added: dict[RuleId, Rule] = field(default_factory=dict)
    _removed: set[RuleId] = field(default_factory=set)
    _labels: dict[RuleId, Label] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def rules(self, groups: Sequence[SecurityGroupId]) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        """See `interfaces.SecurityGroups.rules`."""
        read = self.real.rules(groups)
        self._read |= read
        return {group: tuple(self._changed(group, rules)) for group, rules in read.items()}

    def missing(self, groups: Sequence[SecurityGroupId]) -> frozenset[SecurityGroupId]:
        """See `interfaces.SecurityGroups.missing`."""
        return self.real.missing(groups)

    def prefix_lists(self, ids: Sequence[PrefixListId]) -> PrefixLists:
        """See `interfaces.SecurityGroups.prefix_lists`."""
        return self.real.prefix_lists(ids)

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        """See `interfaces.SecurityGroups.authorize`."""
        added = [
            Rule(
                RuleId(f"sgr-dry-run-{next(self._numbers)}"),
                group,
                addition.opening.ports,
                addition.opening,
                description=str(addition.label),
            )
            for addition in additions
        ]
        self._refuse_beyond_quota(group, added)
        self._added |= {rule.id: rule for rule in added}
        return tuple(added)

    def _refuse_beyond_quota(self, group: SecurityGroupId, added: Sequence[Rule]) -> None:
        """Raises Refused if the group has no room for all of these rules, which are of no prefix list."""
        present = self._changed(group, self._read.get(group, ()))
        lists = prefix_lists_of(present)
        weights = self.prefix_lists(lists) if lists else {}
        before, after = count_rules(present, weights), count_rules([*present, *added], weights)
        families = (("IPv4", before.ipv4, after.ipv4), ("IPv6", before.ipv6, after.ipv6))
        for family, has, needs in families:
            if needs > max(has, self.quota):
                raise Refused(Refusal.QUOTA, f"the group has {has} of {self.quota} {family} rules")

    def revoke(self, _group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """See `interfaces.SecurityGroups.revoke`."""
        self._removed |= set(rules)

    def relabel(self, _group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        """See `interfaces.SecurityGroups.relabel`."""
        self._labels |= labels

    def _changed(self, group: SecurityGroupId, rules: Sequence[Rule]) -> list[Rule]:
        added = [rule for rule in self._added.values() if rule.group == group]
        present = [rule for rule in [*rules, *added] if rule.id not in self._removed]
        return [
            replace(rule, description=str(self._labels[rule.id])) if rule.id in self._labels else rule
            for rule in present
        ]
