"""The simulator as the world under contract. No function polls its queues, so hooks wait until a clause answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ringfence.core.events import Launching, LifecycleEvent, Terminating, parse
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.reconciler.interfaces import RegionServices, RosterTable
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.lifecycle import Hook
from ringfence_lab.sim.aws.queue import Message
from ringfence_lab.sim.aws.queue import Queue as SimulatedQueue
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud
from tests.contract.world import LAUNCH_HOOK, TERMINATE_HOOK

T = TypeVar("T")

PATIENCE = 900
"""Virtual seconds after which `eventually` fails."""


class InMemory:
    """A cloud of two Regions, new for each clause."""

    name = "simulator"

    def __init__(self) -> None:
        self.region = Region("us-east-1")
        self._cloud = Cloud([self.region, "us-west-2"], ports="")
        services = self._cloud.engine_services(self.region)
        self.home = services.home
        self.here, self.peer = services.regions.values()
        self._created = 0

    def security_group(self, region_of: RegionServices) -> SecurityGroupId:
        """See `World.security_group`."""
        self._created += 1
        region = self._home if region_of is self.here else self._cloud.region("us-west-2")
        return region.add_security_group(f"sg-{self._created:08x}", "").id

    def allow(self, group: SecurityGroupId, cidr: str, ports: PortRange, description: str) -> RuleId:
        """See `World.allow`."""
        return self._home.security_groups.group(group).allow(cidr, str(ports), description)

    def allow_itself(self, group: SecurityGroupId, ports: PortRange) -> RuleId:
        """See `World.allow_itself`."""
        return self._home.security_groups.group(group).allow_group(group, str(ports))

    def auto_scaling_group(self, heartbeat: int = 600, default: HookResult = HookResult.CONTINUE) -> "InMemoryGroup":
        """See `World.auto_scaling_group`."""
        self._created += 1
        group = self._home.auto_scaling_group(f"group-{self._created}")
        group.hooks = {
            name: Hook(name, transition, heartbeat, default)
            for name, transition in ((LAUNCH_HOOK, Transition.LAUNCH), (TERMINATE_HOOK, Transition.TERMINATE))
        }
        return InMemoryGroup(group.name, group, self._home)

    def associate_elastic_address(self, instance: InstanceId) -> Cidr:
        """See `World.associate_elastic_address`."""
        self._home.ec2.assign_public_address(instance, elastic=True)
        return self._home.ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4][0]

    def peer_table_with_credentials_of_home(self) -> RosterTable:
        """See `World.peer_table_with_credentials_of_home`. The simulator knows no credentials."""
        return self.peer.table

    def put_item(self, item: Mapping[str, Any]) -> None:
        """See `World.put_item`."""
        self._home.table.put_item(item)

    def queue(self, visibility: int, receives: int) -> "InMemoryQueue":
        """See `World.queue`."""
        return InMemoryQueue(SimulatedQueue(self._cloud.clock, visibility, receives))

    def tidy_up(self) -> None:
        """See `World.tidy_up`: this world ends with its clause."""

    def wait(self, seconds: float) -> None:
        """See `World.wait`."""
        self._cloud.clock.advance(seconds)

    def eventually(self, look: Callable[[], T]) -> T:
        """See `World.eventually`."""
        return _eventually(look, self._cloud.clock)

    @property
    def _home(self) -> CloudRegion:
        return self._cloud.region(self.region)


@dataclass(frozen=True, slots=True)
class InMemoryGroup:
    """A simulated Auto Scaling group."""

    name: str
    group: AutoScalingGroup
    region: CloudRegion

    def scale_to(self, desired: int) -> None:
        """See `world.Group.scale_to`."""
        self.group.scale_to(desired)

    def terminate(self, instance: InstanceId) -> None:
        """See `world.Group.terminate`."""
        self.group.terminate(instance)

    def detach(self, instance: InstanceId) -> None:
        """See `world.Group.detach`."""
        self.group.detach(instance)

    def enter_standby(self, instance: InstanceId) -> None:
        """See `world.Group.enter_standby`."""
        self.group.enter_standby(instance)

    def exit_standby(self, instance: InstanceId) -> None:
        """See `world.Group.exit_standby`."""
        self.group.exit_standby(instance)

    def replace_root_volumes(self) -> None:
        """See `world.Group.replace_root_volumes`."""
        for id in [id for id, state in self.group.listed().items() if state == "InService"]:
            self.group.replace_root_volume(id)

    def keep_warm(self, size: int) -> None:
        """See `world.Group.keep_warm`."""
        self.group.put_warm_pool(size, reuse_on_scale_in=True)

    def events(self) -> Sequence[LifecycleEvent]:
        """See `world.Group.events`."""
        parsed = [parse(event, "") for event in self.region.events.emitted]
        return [event for event in parsed if isinstance(event, Launching | Terminating) and event.group == self.name]


class InMemoryQueue:
    """A simulated queue."""

    def __init__(self, queue: SimulatedQueue) -> None:
        self._queue = queue
        self._received: list[Message] = []

    def send(self, body: str) -> None:
        """See `world.Queue.send`."""
        self._queue.send(body)

    def receive(self) -> list[str]:
        """See `world.Queue.receive`."""
        self._received = self._queue.receive()
        return [message.body for message in self._received]

    def delete_received(self) -> None:
        """See `world.Queue.delete_received`."""
        self._queue.delete(self._received)

    def dead_letters(self) -> list[str]:
        """See `world.Queue.dead_letters`."""
        return [message.body for message in self._queue.dead_letters]


def _eventually(look: Callable[[], T], clock: VirtualClock) -> T:
    for _ in range(PATIENCE):
        if result := look():
            return result
        clock.advance(1)
    raise AssertionError(f"no result within {PATIENCE} virtual seconds")
