"""What a true-up of every Region would do now: the real engine, on a world whose reads are real and whose writes stay
in memory.

So a plan is exactly what a reconcile does, its guard included, and no part of the engine knows that it is rehearsed.
All Regions share the world, as they share AWS. Knows no terminal.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.core.audit_events import AuditEvent
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import Conflict, Retry, RingfenceError
from ringfence.core.events import TrueUp
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rosters import HeldRemovals, Roster, Rows, RowVersion
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import Addition
from ringfence.reconciler.interfaces import (
    AutoScaling,
    HomeServices,
    RegionServices,
    RosterTable,
    SecurityGroups,
    Services,
)
from ringfence.reconciler.reconcile import reconcile
from ringfence_ops.aws.sessions import ClientOf
from ringfence_ops.state.machine import Clock, Threads


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What the true-up of one Region would do, and why it would fail, if it would."""

    entries: tuple[AuditEvent, ...]
    failure: str | None = None


def rehearse(
    client_of: ClientOf, cluster: Sequence[Settings], unreachable: Mapping[Region, str] | None = None
) -> Mapping[Region, Rehearsed]:
    """The true-ups of all Regions, one after the other, on one world. Changes nothing.

    The Regions that are known to be unreachable are not asked again: the others see them fail.
    """
    unreachable = unreachable or {}
    shared = {one.region: _region(client_of, one) for one in cluster if one.region not in unreachable}
    shared |= {region: _unreachable(reason) for region, reason in unreachable.items()}
    done: dict[Region, Rehearsed] = {}
    with ThreadPoolExecutor(2 * len(cluster) + 14) as pool:
        for settings in (one for one in cluster if one.region not in unreachable):
            entries: list[AuditEvent] = []
            failure = None
            try:
                services = Services(_home(client_of, settings), shared, Clock(), RehearsedThreads(pool), entries.append)
                reconcile([TrueUp("rehearsal")], services, settings)
            except RingfenceError as error:
                failure = str(error)
            done[settings.region] = Rehearsed(tuple(entries), failure)
    return done


def _region(client_of: ClientOf, settings: Settings) -> RegionServices:
    region = settings.region
    table = AwsRosterTable(client_of("dynamodb", region), region, f"ringfence-{settings.cluster}")
    return RegionServices(RehearsedTable(table), RehearsedGroups(AwsSecurityGroups(client_of("ec2", region), region)))


def _home(client_of: ClientOf, settings: Settings) -> HomeServices:
    region = settings.region
    auto_scaling = AwsAutoScaling(client_of("autoscaling", region), region)
    return HomeServices(RehearsedAutoScaling(auto_scaling), AwsInstances(client_of("ec2", region), region))


@dataclass(frozen=True, slots=True)
class _Silent:
    """A Region that does not answer, as far as the ports above read."""

    reason: str

    def rules(self, _groups: object) -> Any:
        raise Retry(self.reason)

    rows_of = rules

    def rows(self) -> Any:
        raise Retry(self.reason)


def _unreachable(reason: str) -> RegionServices:
    silent: Any = _Silent(reason)
    return RegionServices(RehearsedTable(silent), RehearsedGroups(silent))


class RehearsedThreads(Threads):
    """The `Tasks` interface. It never sleeps: a second look in a dry run follows the first one immediately."""

    def sleep(self, _seconds: float) -> None:
        """See `interfaces.Tasks.sleep`."""


@dataclass(frozen=True, slots=True)
class RehearsedAutoScaling:
    """The `AutoScaling` port: hooks are answered in words alone."""

    real: AutoScaling

    def groups(self, names: Sequence[str]) -> Mapping[str, Mapping[InstanceId, str]]:
        """See `interfaces.AutoScaling.groups`."""
        return self.real.groups(names)

    def complete(self, _group: str, _hook: str, _instance: InstanceId, _token: str | None, _result: HookResult) -> bool:
        """See `interfaces.AutoScaling.complete`."""
        return True


@dataclass(slots=True)
class RehearsedTable:
    """The `RosterTable` port: what was written stands over what is read."""

    real: RosterTable
    _written: dict[RosterKey, Roster] = field(default_factory=dict)
    _deleted: set[RosterKey] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rows(self) -> Rows:
        """See `interfaces.RosterTable.rows`."""
        return self._over(self.real.rows(), None)

    def rows_of(self, region: Region) -> Rows:
        """See `interfaces.RosterTable.rows_of`."""
        return self._over(self.real.rows_of(region), region)

    def replace(self, roster: Roster, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.replace`."""
        with self._lock:
            if self._version(roster.key) != version_read:
                raise Conflict(f"{roster.key} was written meanwhile", {})
            self._write(roster)

    def offer(self, roster: Roster) -> int:
        """See `interfaces.RosterTable.offer`."""
        with self._lock:
            version = self._version(roster.key)
            if isinstance(version, int) and version >= roster.version:
                return version
            self._write(roster)
            return roster.version

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.delete`."""
        with self._lock:
            if self._version(key) != version_read:
                raise Conflict(f"{key} was written meanwhile", {})
            self._written.pop(key, None)
            self._deleted.add(key)

    def hold(self, held: HeldRemovals) -> None:
        """See `interfaces.RosterTable.hold`. What is held is in the journal; the next true-up is not rehearsed."""

    def _version(self, key: RosterKey) -> RowVersion:
        return self._over(self.real.rows_of(key.region), key.region).version_read(key)

    def _write(self, roster: Roster) -> None:
        self._written[roster.key] = roster
        self._deleted.discard(roster.key)

    def _over(self, rows: Rows, region: Region | None) -> Rows:
        written = {key: one for key, one in self._written.items() if region in (None, key.region)}
        read = {key: roster for key, roster in rows.rosters.items() if key not in self._deleted}
        bad = {key: row for key, row in rows.bad.items() if key not in written and key not in self._deleted}
        return replace(rows, rosters={**read, **written}, bad=bad)


@dataclass(slots=True)
class RehearsedGroups:
    """The `SecurityGroups` port: what was changed stands over what is read. Quotas and refusals are not foreseen."""

    real: SecurityGroups
    _made: dict[RuleId, Rule] = field(default_factory=dict)
    _gone: set[RuleId] = field(default_factory=set)
    _labels: dict[RuleId, Label] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def rules(self, groups: Sequence[SecurityGroupId]) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        """See `interfaces.SecurityGroups.rules`."""
        return {group: tuple(self._standing(group, rules)) for group, rules in self.real.rules(groups).items()}

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        """See `interfaces.SecurityGroups.authorize`."""
        made = [
            Rule(
                RuleId(f"sgr-rehearsed-{next(self._numbers)}"),
                group,
                each.opening.ports,
                each.opening,
                description=str(each.label),
            )
            for each in additions
        ]
        self._made |= {rule.id: rule for rule in made}
        return tuple(made)

    def revoke(self, _group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """See `interfaces.SecurityGroups.revoke`."""
        self._gone |= set(rules)

    def relabel(self, _group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        """See `interfaces.SecurityGroups.relabel`."""
        self._labels |= labels

    def _standing(self, group: SecurityGroupId, rules: Sequence[Rule]) -> list[Rule]:
        made = [rule for rule in self._made.values() if rule.group == group]
        standing = [rule for rule in [*rules, *made] if rule.id not in self._gone]
        return [
            replace(rule, description=str(self._labels[rule.id])) if rule.id in self._labels else rule
            for rule in standing
        ]
