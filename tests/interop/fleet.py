"""A simulated cluster in which each Region runs one of two versions of the engine, with traffic and its checks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ringfence.aws.roster_item import GUARD, from_item, key_of
from ringfence.core.audit_events import Problem, RegionFailed, RowRejected, RuleRefused
from ringfence.core.configuration.settings import Settings
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.function import Function, Reconcile
from ringfence_lab.sim.properties.checker import Checker
from ringfence_lab.sim.properties.convergence import unconverged
from tests.interop import engine_0_1, frozen

ROUNDS = 8
"""Rounds of true-ups within which a cluster converges, as in the simulator's histories."""
ROUND_SECONDS = 61.0

UNWANTED = (Problem, RegionFailed, RowRejected, RuleRefused)
"""Audit events that no healthy cluster reports."""


class Version(Enum):
    """The versions of the engine. The value names it in a test's id."""

    OLD = "0.1.0"
    NEW = "present"

    @property
    def engine(self) -> Reconcile:
        """The reconcile of this version."""
        return engine_0_1.reconcile if self is Version.OLD else reconcile


@dataclass
class Fleet:
    """A cluster and the version that each Region runs. `wrong` lists what is not as it should be."""

    cloud: Cloud
    versions: dict[Region, Version]
    settings: dict[Region, Settings] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    deployed: set[Region] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.settings = self.settings or {region: self.cloud.settings(region) for region in self.cloud.regions}
        self.checker = Checker(self.cloud, self.settings)
        self.cloud.watchers += [self.checker.watch, self._watch]
        self._note_versions()

    def deploy(self, region: Region, version: Version) -> None:
        """Replaces the engine of a Region, and runs its first true-up."""
        self.versions[region] = version
        self._note_versions()
        self.true_up(region)

    def _note_versions(self) -> None:
        old = {region for region, version in self.versions.items() if version is Version.OLD}
        self.checker.context.know_no_fence.clear()
        self.checker.context.know_no_fence.update(old)

    def true_up(self, region: Region) -> None:
        """The schedule fires, and the function empties its queue."""
        self.cloud.clock.advance(1.0)  # the queue takes two messages of one second for one
        self.cloud.region(region).events.schedule()
        self.serve(region)

    def serve(self, region: Region) -> None:
        """The function empties its queue. Every run must succeed and must find every row good."""
        queue, version = self.cloud.region(region).queue, self.versions[region]
        while batch := queue.receive():
            run = self.cloud.invocation(region)
            function = Function(queue, self.settings[region], version.engine)
            function.consume(run, self.cloud.engine_services(region, run), batch)
            if run.error is not None:
                self.wrong.append(f"{run}, {version.value}: {run.error}")
            self.deployed.add(region)
            found = [event for event in run.audit_events if isinstance(event, UNWANTED) and not self._is_early(event)]
            self.wrong += [f"{run}, {version.value}: {event}" for event in found]

    def _is_early(self, event: object) -> bool:
        """Whether the event says that a Region whose engine has not run yet has announced nothing."""
        return isinstance(event, RegionFailed) and event.region not in self.deployed

    # Traffic.

    def traffic(self) -> None:
        """Launches, terminations and Elastic IPs that move, in every Region, each followed by the next true-up."""
        for region in self.cloud.regions:
            for group in self.cloud.region(region).groups.values():
                for act in (_launches, _terminates, _moves_an_elastic_ip, _loses, _refills):
                    act(self, region, group)
                    self.serve(region)
                    self.cloud.clock.advance(5.0)
                    self.serve(region)
                for other in self.cloud.regions:
                    self.true_up(other)
                self.cloud.clock.advance(ROUND_SECONDS)

    def converge(self) -> None:
        """True-ups until the cluster has converged. Fails if it does not, or if anything was wrong before."""
        old = {region for region, version in self.versions.items() if version is Version.OLD}
        self.checker.context.keep_strange_rows.clear()
        self.checker.context.keep_strange_rows.update(old)
        for _ in range(ROUNDS):
            self.cloud.clock.advance(ROUND_SECONDS)
            for region in self.cloud.regions:
                self.true_up(region)
            remaining = list(unconverged(self.checker.context))
            if not remaining:
                break
        else:
            self.wrong.append(f"not converged: {'; '.join(remaining)}")
        self.check()

    def check(self) -> None:
        """Fails if anything was wrong so far."""
        self.wrong += [str(violation) for violation in self.checker.violations]
        self.wrong += [f"unreadable row: {row}" for row in self.unreadable_rows()]
        dead = [message.body for region in self.cloud.regions.values() for message in region.queue.dead_letters]
        self.wrong += [f"dead letter: {body}" for body in dead]
        assert not self.wrong, "\n".join([self.text(), *self.wrong])

    def text(self) -> str:
        """Which Region runs which version."""
        return ", ".join(f"{region} runs {version.value}" for region, version in self.versions.items())

    def unreadable_rows(self) -> Iterator[str]:
        """The rows that one of the versions cannot read."""
        now, read_by_old = self.cloud.clock.now(), frozen.module("aws.roster_item").from_item
        readers = {Version.NEW: lambda item: from_item(item, now), Version.OLD: read_by_old}
        for region in self.cloud.regions.values():
            for item in region.table.items():
                if key_of(item).region == GUARD:
                    continue
                for version, read in readers.items():
                    try:
                        read(item)
                    except Exception as error:  # noqa: BLE001  # each version has its own errors
                        yield f"{key_of(item)} in {region.name}, read by {version.value}: {error}"

    def _watch(self, change: CloudChange) -> None:
        """No hook may time out, and a launch continues only when every Region admits the instance."""
        if not isinstance(change, ActionCompleted):
            return
        if change.by is None:
            self.wrong.append(f"no engine answered: {change}")
        if change.transition is Transition.LAUNCH and change.result is HookResult.CONTINUE and change.to_group:
            needed = self.checker.context.openings(change.region, change.instance)
            for region in self.cloud.regions:
                for group in self.checker.context.security_groups(region):
                    if any(group.admits(opening) is None for opening in needed):
                        self.wrong.append(f"{change}, but {group.id} in {region} does not admit it")


def _launches(_fleet: Fleet, _region: Region, group: AutoScalingGroup) -> None:
    group.scale_to(group.desired + 2)


def _terminates(_fleet: Fleet, _region: Region, group: AutoScalingGroup) -> None:
    group.terminate(_in_service(group)[0], decrement=True)


def _moves_an_elastic_ip(fleet: Fleet, region: Region, group: AutoScalingGroup) -> None:
    ec2, members = fleet.cloud.region(region).ec2, _in_service(group)
    holders = [instance.id for instance in ec2.instances.values() if instance.elastic and instance.id in members]
    if holders:
        ec2.move_elastic_address(holders[0], next(id for id in members if id != holders[0]))
    else:
        ec2.assign_public_address(members[0], elastic=True)
    fleet.true_up(region)


def _loses(_fleet: Fleet, _region: Region, group: AutoScalingGroup) -> None:
    group.lose(_in_service(group)[-1])


def _refills(_fleet: Fleet, _region: Region, group: AutoScalingGroup) -> None:
    group.scale_to(2)


def _in_service(group: AutoScalingGroup) -> list[InstanceId]:
    return [instance.id for instance in group.instances.values() if instance.state == "InService"]


def fleet(versions: Mapping[str, Version], *, ports: str = "tcp/9042", groups: int = 1, **settings: object) -> Fleet:
    """A cluster with members in each Region, whose engines have not run yet."""
    cloud = Cloud(list(versions), ports=ports)
    for number, region in enumerate(cloud.regions.values()):
        for name in ("db", "web")[:groups]:
            region.auto_scaling_group(f"{name}-{number}", desired=2)
    of = {region: cloud.settings(region, **settings) for region in cloud.regions}
    return Fleet(cloud, {Region(name): version for name, version in versions.items()}, of)
