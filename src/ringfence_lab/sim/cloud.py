"""A cluster's part of AWS, in memory: several Regions, each with Auto Scaling, EC2, DynamoDB, EventBridge and SQS.

For a test that wants to see what the engine does:

    cloud = Cloud(["us-east-1", "us-west-2"])
    east = cloud.region("us-east-1")
    group = east.auto_scaling_group("db", desired=2)      # two are in service already; group.scale_to(3) runs hooks
    fault = cloud.fault(Effect.UNREACHABLE, region="us-west-2")
    invocation = cloud.poll("us-east-1")                  # the function takes what is in the queue, as on AWS
    cloud.invoke("us-east-1", {"trueup": True})           # a direct invoke; raises what the engine raises
    invocation.journal, cloud.calls, cloud.history        # what the engine said, called, and changed
    east.admitted(), group.listed(), east.queue.dead_letters
    cloud.heal(fault)                                     # or cloud.heal() for all; cloud.clock.advance(60)

`cloud.engine_services(home)` gives the engine's services, `cloud.settings(home, ...)` the settings of that Region's
engine. With a `Scheduler`, invocations overlap (see `tasks`). Everything is deterministic: ids are counted, and all
chance comes from the one `random.Random` that is given.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from ringfence.core.lifecycle import Transition
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rules import Rule
from ringfence.core.settings import Settings
from ringfence.reconciler.interfaces import HomeServices, RegionServices, Services, Tasks
from ringfence_lab.sim.aws.addresses import AddressPool
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup, Hook
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.event_bridge import EventBridge
from ringfence_lab.sim.aws.history import Change
from ringfence_lab.sim.aws.instances import Ec2
from ringfence_lab.sim.aws.queue import Queue
from ringfence_lab.sim.aws.security_groups import SecurityGroup, SecurityGroups
from ringfence_lab.sim.aws.tables import Table
from ringfence_lab.sim.engine.call_faults import Effect, Fault, Faults
from ringfence_lab.sim.engine.function import Function
from ringfence_lab.sim.engine.line import Call, Invocation, Line, Waiting
from ringfence_lab.sim.engine.services import (
    SimulatedAutoScaling,
    SimulatedInstances,
    SimulatedRosterTable,
    SimulatedSecurityGroups,
)
from ringfence_lab.sim.engine.tasks import Cooperative, Immediate, Scheduler

ACCOUNT = "123456789012"


class CloudRegion:
    """One Region with what stands in it. `security_group` is the one that it starts with."""

    def __init__(self, cloud: "Cloud", name: Region, number: int) -> None:
        self.name = name
        self.queue = Queue(cloud.clock)
        self.events = EventBridge(name, ACCOUNT, cloud.clock, self.queue.send)
        self.ec2 = Ec2(name, number, cloud.clock, AddressPool(number, cloud.chance), cloud.record)
        self.groups: dict[str, AutoScalingGroup] = {}
        self.security_groups = SecurityGroups()
        self.table = Table(name, cloud.record)
        self._cloud = cloud
        self.security_group = self.add_security_group(f"sg-{name}", cloud.ports)

    def auto_scaling_group(
        self, name: str, desired: int = 0, launch_heartbeat: float = 300.0, terminate_heartbeat: float = 900.0
    ) -> AutoScalingGroup:
        """A group with both of Ringfence's hooks, and so many instances that are in service since before them."""
        cluster = self._cloud.cluster
        hooks = [
            Hook(f"ringfence-{cluster}-launch", Transition.LAUNCH, launch_heartbeat),
            Hook(f"ringfence-{cluster}-terminate", Transition.TERMINATE, terminate_heartbeat),
        ]
        group = AutoScalingGroup(
            name, self.ec2, self._cloud.clock, self._cloud.record, self.events.lifecycle_action, hooks
        )
        self.groups[name] = group
        group.put_in_service(desired)
        return group

    def add_security_group(self, id: str, ports: str) -> SecurityGroup:
        """A security group that admits itself on the ports (`tcp/9042,udp/7000`)."""
        group = SecurityGroup(SecurityGroupId(id), self.name, self._cloud.clock, self._cloud.record, self._cloud.quota)
        self.security_groups.groups[group.id] = group
        for range_ in ports.split(",") if ports else ():
            group.allow_group(group.id, range_)
        return group

    def owned_rules(self) -> list[Rule]:
        """The rules that carry a label of the cluster, in every security group."""
        groups = self.security_groups.groups.values()
        return [rule for group in groups for rule in group.rules.values() if rule.label(self._cloud.cluster)]

    def admitted(self) -> set[Cidr]:
        """The addresses that an owned rule admits somewhere."""
        return {rule.opening.cidr for rule in self.owned_rules() if rule.opening is not None}


class Cloud:
    """All Regions of a cluster. `ports` are those on which the security groups admit themselves at first; `chance`
    decides what chance decides; without it nothing is left to chance."""

    def __init__(
        self,
        regions: Sequence[str],
        cluster: str = "demo",
        ports: str = "tcp/9042",
        quota: int = 60,
        chance: random.Random | None = None,
    ) -> None:
        self.cluster = cluster
        self.ports = ports
        self.quota = quota
        self.chance = chance
        self.clock = VirtualClock()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.history: list[Change] = []
        self.watchers: list[Callable[[Change], None]] = []
        self.invocations: list[Invocation] = []
        self.regions = {Region(name): CloudRegion(self, Region(name), n) for n, name in enumerate(regions)}

    def region(self, name: str) -> CloudRegion:
        """The Region of that name."""
        return self.regions[Region(name)]

    def settings(self, home: str, **changes: object) -> Settings:
        """The configuration of a Region's engine, with whatever a test wants otherwise."""
        region = self.region(home)
        settings = Settings(
            cluster=self.cluster,
            region=region.name,
            regions=tuple(self.regions),
            auto_scaling_groups=tuple(region.groups),
            security_groups=tuple(region.security_groups.groups),
            account=ACCOUNT,
            launch_hook=f"ringfence-{self.cluster}-launch",
            terminate_hook=f"ringfence-{self.cluster}-terminate",
            rules_quota=self.quota,
        )
        return replace(settings, **changes) if changes else settings  # type: ignore[arg-type]  # a test names the fields

    def managed_ports(self, settings: Settings) -> tuple[PortRange, ...]:
        """The ports that a Region's groups are managed on."""
        return settings.ports.explicit or Ports.parse(self.ports).explicit

    def fault(
        self,
        effect: Effect,
        region: str | None = None,
        service: str | None = None,
        operation: str | None = None,
        home: str | None = None,
        seconds: float = 0.0,
        times: int | None = None,
        after: int = 0,
    ) -> Fault:
        """A fault that stands from now on; see `faults.Fault`."""
        return self.faults.add(Fault(effect, region, service, operation, home, seconds, times, after))

    def heal(self, fault: Fault | None = None) -> None:
        """Takes the fault away; without one, all of them."""
        self.faults.heal(fault)

    def record(self, change: Change) -> None:
        """Something changed: writes it into the history, and tells those who watch."""
        self.history.append(change)
        for watch in self.watchers:
            watch(change)

    # Invocations.

    def invocation(self, home: str) -> Invocation:
        """A new run of a Region's engine."""
        one = Invocation(len(self.invocations) + 1, Region(home), self.clock.now())
        self.invocations.append(one)
        return one

    def engine_services(
        self, home: str, invocation: Invocation | None = None, scheduler: Scheduler | None = None
    ) -> Services:
        """What the engine of the Region sees of the cloud. What it journals is the invocation's, by default that of
        a new one: the last of `invocations`."""
        one = invocation or self.invocation(home)
        tasks: _Tasks = Immediate(self.clock) if scheduler is None else Cooperative(scheduler, one)
        line = Line(one, self.faults, self.calls, self.clock.now, tasks)
        region = self.region(home)
        return Services(
            home=HomeServices(SimulatedAutoScaling(region, line, one), SimulatedInstances(region, line)),
            regions={
                name: RegionServices(SimulatedRosterTable(each, line, one), SimulatedSecurityGroups(each, line, one))
                for name, each in self.regions.items()
            },
            clock=self.clock,
            tasks=tasks,
            audit=one.audit_events.append,
        )

    def function(self, home: str, settings: Settings | None = None) -> Function:
        """The Region's function."""
        return Function(self.region(home).queue, settings or self.settings(home))

    def invoke(self, home: str, payload: object, settings: Settings | None = None) -> Invocation:
        """Invokes the Region's function directly and at once. Raises what the engine raises."""
        one = self.invocation(home)
        self.function(home, settings).invoke(one, self.engine_services(home, one), payload)
        return one

    def poll(self, home: str, settings: Settings | None = None) -> Invocation | None:
        """Lets the Region's function take what is in its queue, at once. None where nothing is.

        What the engine raised is the invocation's `error`: as on AWS, the queue sees only what is left in it.
        """
        batch = self.region(home).queue.receive()
        if not batch:
            return None
        one = self.invocation(home)
        self.function(home, settings).consume(one, self.engine_services(home, one), batch)
        return one


class _Tasks(Tasks, Waiting, Protocol):
    """Tasks that the line can wait on as well."""
