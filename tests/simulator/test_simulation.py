"""Histories of the real engine hold. Each engine with a defect violates the property that names the defect."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from ringfence.core.configuration.settings import Settings
from ringfence.core.events import Event
from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import PrefixListId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rosters import HeldRemovals, Roster, Rows, RowVersion
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixLists
from ringfence.reconciler.interfaces import RegionServices, RosterTable, SecurityGroups, Services
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.function import Reconcile
from ringfence_lab.sim.properties.context import CheckContext
from ringfence_lab.sim.properties.departures import strangers_are_not_admitted
from ringfence_lab.sim.simulation import History, simulate


def test_a_seed_is_the_same_history_in_every_process() -> None:
    program = (
        "from ringfence_lab.sim.simulation import History;"
        "print([History(seed, traced=True).play().trace for seed in (3, 4)])"
    )

    def digest(hash_seed: str) -> str:
        run = subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": hash_seed}, capture_output=True, check=True
        )
        assert len(run.stdout) > 10_000
        return hashlib.sha256(run.stdout).hexdigest()

    assert digest("1") == digest("2")


def test_seeds_differ() -> None:
    assert len({tuple(History(seed, traced=True).play().trace) for seed in range(5)}) == 5


# Engines with one defect each.


def does_nothing(_events: Sequence[Event], _world: Services, _settings: Settings) -> None:
    """Changes nothing."""


def answers_hooks_first(_events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Continues every launch and termination without reading any rule."""
    for group, instances in services.home.auto_scaling.groups(settings.auto_scaling_groups).items():
        for instance in instances:
            for hook in (settings.launch_hook, settings.terminate_hook):
                services.home.auto_scaling.complete(group, hook, instance, None, HookResult.CONTINUE)


def lets_go_first(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Continues every termination before it reconciles."""
    for group, instances in services.home.auto_scaling.groups(settings.auto_scaling_groups).items():
        for instance in instances:
            services.home.auto_scaling.complete(group, settings.terminate_hook, instance, None, HookResult.CONTINUE)
    reconcile(events, services, settings)


def revokes_all(which: Callable[[Rule, Settings], bool]) -> Reconcile:
    """Reconciles, then revokes the rules at home that `which` selects."""

    def engine(events: Sequence[Event], services: Services, settings: Settings) -> None:
        reconcile(events, services, settings)
        groups = services.regions[settings.region].security_groups
        for group, rules in groups.rules(settings.security_groups).items():
            doomed = [rule.id for rule in rules if rule.opening is not None and which(rule, settings)]
            if doomed:
                groups.revoke(group, doomed)

    return engine


def writes_for_others(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Reconciles, then writes the rosters of other Regions."""
    reconcile(events, services, settings)
    table = services.regions[settings.region].table
    for key, roster in table.rows().rosters.items():
        if key.region != settings.region:
            table.offer(replace(roster, version=roster.version + 1))


def counts_down(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Reconciles, then writes its rosters at a version that is not newer."""
    reconcile(events, services, settings)
    table = services.regions[settings.region].table
    for roster in table.rows_of(settings.region).rosters.values():
        table.replace(roster, roster.version)


@dataclass(frozen=True)
class Restless:
    """A table to which every scan writes."""

    table: RosterTable

    def rows(self) -> Rows:
        self.table.hold(HeldRemovals(SecurityGroupId("sg"), frozenset(), "", 0))
        return self.table.rows()

    def created_at(self) -> float:
        return self.table.created_at()

    def rows_of(self, region: Region) -> Rows:
        return self.table.rows_of(region)

    def replace(self, roster: Roster, version_read: RowVersion) -> None:
        self.table.replace(roster, version_read)

    def offer(self, roster: Roster) -> int:
        return self.table.offer(roster)

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.delete`."""
        self.table.delete(key, version_read)

    def hold(self, held: HeldRemovals) -> None:
        self.table.hold(held)


def never_rests(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Writes at every reconcile."""
    regions = {
        name: RegionServices(Restless(region.table), region.security_groups)
        for name, region in services.regions.items()
    }
    reconcile(events, replace(services, regions=regions), settings)


@dataclass(frozen=True)
class WithoutRevoke:
    """Security groups that ignore every revoke without an error."""

    inner: SecurityGroups

    def rules(self, groups: Sequence[SecurityGroupId]) -> dict[SecurityGroupId, tuple[Rule, ...]]:
        return dict(self.inner.rules(groups))

    def missing(self, groups: Sequence[SecurityGroupId]) -> frozenset[SecurityGroupId]:
        return self.inner.missing(groups)

    def prefix_lists(self, ids: Sequence[PrefixListId]) -> PrefixLists:
        return self.inner.prefix_lists(ids)

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        return self.inner.authorize(group, additions)

    def revoke(self, group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """Ignored."""

    def relabel(self, group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        self.inner.relabel(group, labels)


def never_revokes(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Reconciles, but every revoke is ignored."""
    regions = {
        name: RegionServices(region.table, WithoutRevoke(region.security_groups))
        for name, region in services.regions.items()
    }
    reconcile(events, replace(services, regions=regions), settings)


@pytest.mark.parametrize(
    ("engine", "caught_by"),
    [
        (does_nothing, "converges"),
        (answers_hooks_first, "launches_are_admitted_first"),
        (lets_go_first, "terminations_are_released_first"),
        (never_revokes, "terminations_are_released_first"),
        (revokes_all(lambda rule, settings: rule.label(settings.cluster) is None), "foreign_rules_stay"),
        (
            revokes_all(lambda rule, settings: rule.label(settings.cluster) is not None),
            "members_in_service_stay_admitted",
        ),
        (writes_for_others, "rows_are_written_by_their_home"),
        (counts_down, "versions_only_grow"),
        (never_rests, "quiet_once_converged"),
    ],
)
def test_a_defect_is_caught(engine: Reconcile, caught_by: str) -> None:
    found = {result.violation.name for result in (simulate(seed, engine) for seed in range(80)) if result.violation}

    assert caught_by in found


def test_a_stranger_that_is_still_admitted_is_found() -> None:
    # given an admitted instance
    cloud = Cloud(["us-east-1"])
    region = cloud.region("us-east-1")
    group = region.auto_scaling_group("db", desired=1)
    cloud.invoke("us-east-1", {"trueup": True})
    context = CheckContext(cloud, {region.name: cloud.settings("us-east-1")})
    (instance,) = group.listed()
    assert not list(strangers_are_not_admitted(context, cloud.invocations[-1]))

    # when a stranger has its address, and no description without one can be older than the address
    cloud.clock.advance(STALE_SECONDS)
    group.lose(instance)

    # then the check finds it until the rule is gone
    assert list(strangers_are_not_admitted(context, cloud.invocations[-1]))
    cloud.invoke("us-east-1", {"trueup": True})
    assert not list(strangers_are_not_admitted(context, cloud.invocations[-1]))


def test_a_rule_of_another_regions_roster_is_not_checked() -> None:
    cloud = Cloud(["us-east-1", "us-west-2"])
    east, west = cloud.region("us-east-1"), cloud.region("us-west-2")
    instance = west.ec2.launch()
    label = str(Label("demo", RosterKey(west.name, "db"), instance.id))
    (address,) = (cidr for cidr in west.ec2.holders if cidr.startswith("198.18."))
    east.security_group.allow(address, "tcp/9042", label)
    west.ec2.terminate(instance.id)

    context = CheckContext(cloud, {region: cloud.settings(region) for region in cloud.regions})

    assert not list(strangers_are_not_admitted(context, cloud.invocation("us-east-1")))
