"""What a clause of the contract has in its hands: the engine's own ports, and an operator's hand beside them.

Knows no implementation: `in_memory` has the simulator's, `on_aws` the one for whatever answers AWS's API.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ringfence.core.events import LifecycleEvent
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.reconciler.interfaces import HomeServices, RegionServices

T = TypeVar("T")

LAUNCH_HOOK, TERMINATE_HOOK = "contract-launch", "contract-terminate"
BROUGHT = "the-world-under-contract"
"""The name under which a run that brings its own world registers it with pytest."""

SHORTEST_HEARTBEAT = 30
"""Seconds. Source: Auto Scaling API Reference, PutLifecycleHook."""


class Group(Protocol):
    """An Auto Scaling group of one clause's own, at first without instances, and what an operator does to it.

    It has a hook for launches and one for terminations.
    """

    @property
    def name(self) -> str:
        """What Auto Scaling calls it."""

    def scale_to(self, desired: int) -> None:
        """Sets the desired capacity."""

    def terminate(self, instance: InstanceId) -> None:
        """Terminates an instance of the group, which is then replaced."""

    def detach(self, instance: InstanceId) -> None:
        """Detaches an instance and decrements the desired capacity."""

    def enter_standby(self, instance: InstanceId) -> None:
        """Moves an instance into standby and decrements the desired capacity."""

    def exit_standby(self, instance: InstanceId) -> None:
        """Moves an instance from standby back."""

    def keep_warm(self, size: int) -> None:
        """Has so many instances, in service or stopped in a warm pool, to which scaling in returns them."""

    def events(self) -> Sequence[LifecycleEvent]:
        """The events of the group that have arrived so far, in their order."""


class Queue(Protocol):
    """A FIFO queue with content-based deduplication and a dead-letter queue, of one clause's own."""

    def send(self, body: str) -> None:
        """Sends a message to the queue's one message group."""

    def receive(self) -> list[str]:
        """What can be received now, up to ten."""

    def delete_received(self) -> None:
        """Deletes the messages that were received last."""

    def dead_letters(self) -> list[str]:
        """What the dead-letter queue holds."""


class World(Protocol):
    """One world under the contract, in two Regions. All that it makes is removed by itself."""

    name: str
    region: Region
    home: HomeServices
    here: RegionServices
    peer: RegionServices

    def security_group(self, region_of: RegionServices) -> SecurityGroupId:
        """A new security group without inbound rules in the Region with these ports, not in a default VPC."""

    def allow(self, group: SecurityGroupId, cidr: str, ports: PortRange, description: str) -> RuleId:
        """Makes a rule in a home security group by hand; the CIDR is passed as it is written."""

    def allow_itself(self, group: SecurityGroupId, ports: PortRange) -> RuleId:
        """Makes a rule in a home security group by which it admits itself."""

    def auto_scaling_group(self, heartbeat: int = 600, default: HookResult = HookResult.CONTINUE) -> Group:
        """A new group whose hooks wait for `heartbeat` seconds and then take the default result."""

    def associate_elastic_address(self, instance: InstanceId) -> Cidr:
        """Allocates an Elastic IP and associates it with a running instance."""

    def put_item(self, item: Mapping[str, Any]) -> None:
        """Writes an item into the home table as it is."""

    def queue(self, visibility: int, receives: int) -> Queue:
        """A new queue. `visibility` is in seconds; after so many receives a message is a dead letter."""

    def tidy_up(self) -> None:
        """Removes what the clause made, so that no two clauses' instances run at a time."""

    def wait(self, seconds: float) -> None:
        """Lets time pass."""

    def eventually(self, look: Callable[[], T]) -> T:
        """What `look` returns, once it is something. Fails where it stays nothing for the world's patience."""
