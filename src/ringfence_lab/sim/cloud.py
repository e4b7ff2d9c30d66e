"""A cluster's part of AWS, in memory: several Regions, each with Auto Scaling, EC2, DynamoDB, EventBridge and SQS.

For a test that observes what the engine does:

    cloud = Cloud(["us-east-1", "us-west-2"])
    east = cloud.region("us-east-1")
    group = east.auto_scaling_group("db", desired=2)      # two are already in service; group.scale_to(3) runs hooks
    fault = cloud.fault(Effect.UNREACHABLE, region="us-west-2")
    invocation = cloud.poll("us-east-1")                  # the function consumes the queue, as on AWS
    cloud.invoke("us-east-1", {"trueup": True})           # a direct invoke; raises what the engine raises
    invocation.audit_events, cloud.calls, cloud.history   # what the engine reported, called, and changed
    east.admitted(), group.listed(), east.queue.dead_letters
    cloud.heal(fault)                                     # or cloud.heal() for all; cloud.clock.advance(60)

`cloud.engine_services(home)` gives the engine's services, `cloud.settings(home, ...)` the settings of that Region's
engine. With a `Scheduler`, invocations overlap (see `tasks`). Everything is deterministic: ids are counters, and every
random choice comes from the one `random.Random` that is given.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.identifiers import Region
from ringfence.core.model.ports import PortRange, Ports
from ringfence.reconciler.interfaces import HomeServices, RegionServices, Services, Tasks
from ringfence_lab.sim.aws.addresses import AddressPool
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.history import CloudChange
from ringfence_lab.sim.aws.region import ACCOUNT, CloudContext, CloudRegion
from ringfence_lab.sim.engine.call import Call
from ringfence_lab.sim.engine.call_faults import CallFault, CallFaults, Effect
from ringfence_lab.sim.engine.function import Function
from ringfence_lab.sim.engine.line import Line, Waiting
from ringfence_lab.sim.engine.services import (
    SimulatedAutoScaling,
    SimulatedInstances,
    SimulatedRosterTable,
    SimulatedSecurityGroups,
)
from ringfence_lab.sim.engine.tasks import Cooperative, Immediate, Scheduler
from ringfence_lab.sim.invocation import Invocation


class Cloud:
    """All Regions of a cluster. `ports` are those of their first security groups. `chance` makes the random choices;
    without it nothing is random."""

    def __init__(
        self,
        regions: Sequence[str],
        cluster: str = "demo",
        ports: str = "tcp/9042",
        *,
        quota: int = 60,
        chance: random.Random | None = None,
    ) -> None:
        self.cluster = cluster
        self.ports = ports
        self.quota = quota
        self.clock = VirtualClock()
        self.faults = CallFaults()
        self.calls: list[Call] = []
        self.history: list[CloudChange] = []
        self.watchers: list[Callable[[CloudChange], None]] = []
        self.invocations: list[Invocation] = []
        context = CloudContext(cluster, ports, quota, self.clock, self.record)
        self.regions = {
            Region(name): CloudRegion(context, Region(name), number, AddressPool(number, chance))
            for number, name in enumerate(regions)
        }

    def region(self, name: str) -> CloudRegion:
        """The Region of that name."""
        return self.regions[Region(name)]

    def settings(self, home: str, **changes: object) -> Settings:
        """The settings of a Region's engine, with the changes that a test needs."""
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
        """The ports on which the engine manages a Region's groups."""
        return settings.ports.explicit or Ports.parse(self.ports).explicit

    def fault(
        self,
        effect: Effect,
        *,
        region: str | None = None,
        service: str | None = None,
        operation: str | None = None,
        home: str | None = None,
        zone: str | None = None,
        seconds: float = 0.0,
        times: int | None = None,
        after: int = 0,
    ) -> CallFault:
        """Sets a fault; see `call_faults.CallFault`."""
        return self.faults.add(
            CallFault(
                effect=effect,
                region=region,
                service=service,
                operation=operation,
                home=home,
                zone=zone,
                seconds=seconds,
                times=times,
                after=after,
            )
        )

    def heal(self, fault: CallFault | None = None) -> None:
        """Removes a fault; without one, all of them."""
        self.faults.heal(fault)

    def record(self, change: CloudChange) -> None:
        """Records a change in the history, and calls the watchers."""
        self.history.append(change)
        for watch in self.watchers:
            watch(change)

    # Invocations.

    def invocation(self, home: str) -> Invocation:
        """A new run of a Region's engine."""
        invocation = Invocation(len(self.invocations) + 1, Region(home), self.clock.now())
        self.invocations.append(invocation)
        return invocation

    def engine_services(
        self, home: str, invocation: Invocation | None = None, scheduler: Scheduler | None = None
    ) -> Services:
        """The services of the Region's engine. Audit events go to the invocation, by default a new one: the last of
        `invocations`."""
        run = invocation or self.invocation(home)
        tasks: _Tasks = Immediate(self.clock) if scheduler is None else Cooperative(scheduler, run)
        line = Line(run, self.faults, self.calls, self.clock.now, tasks)
        own_region = self.region(home)
        return Services(
            home=HomeServices(SimulatedAutoScaling(own_region, line, run), SimulatedInstances(own_region, line)),
            regions={
                name: RegionServices(
                    SimulatedRosterTable(region, line, run), SimulatedSecurityGroups(region, line, run)
                )
                for name, region in self.regions.items()
            },
            clock=self.clock,
            tasks=tasks,
            audit=run.audit_events.append,
        )

    def function(self, home: str, settings: Settings | None = None) -> Function:
        """The Region's function."""
        return Function(self.region(home).queue, settings or self.settings(home))

    def invoke(self, home: str, payload: object, settings: Settings | None = None) -> Invocation:
        """Invokes the Region's function directly and runs it to its end. Raises what the engine raises."""
        invocation = self.invocation(home)
        self.function(home, settings).invoke(invocation, self.engine_services(home, invocation), payload)
        return invocation

    def poll(self, home: str, settings: Settings | None = None) -> Invocation | None:
        """Runs the Region's function on a batch of its queue. None if the queue has none.

        An error of the engine is the invocation's `error`: as on AWS, the queue only sees which messages remain.
        """
        batch = self.region(home).queue.receive()
        if not batch:
            return None
        invocation = self.invocation(home)
        self.function(home, settings).consume(invocation, self.engine_services(home, invocation), batch)
        return invocation


class _Tasks(Tasks, Waiting, Protocol):
    """Tasks on which the line can wait, too."""
