"""The interface of a world under contract: the engine's services, and the actions of an operator.

It must not know an implementation: `in_memory` has the simulator, `on_aws` everything with AWS's API.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ringfence.core.events import LifecycleEvent
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.reconciler.interfaces import HomeServices, RegionServices, RosterTable

T = TypeVar("T")

LAUNCH_HOOK, TERMINATE_HOOK = "contract-launch", "contract-terminate"
PROVIDED = "the-world-under-contract"
"""The name of the pytest plugin with which a conformance run provides its world."""

SHORTEST_HEARTBEAT = 30
"""Seconds. Source: Auto Scaling API Reference, PutLifecycleHook."""


class Group(Protocol):
    """An Auto Scaling group of one clause, at first without instances, and the actions of an operator.

    It has a hook for launches and one for terminations.
    """

    @property
    def name(self) -> str:
        """Its name in Auto Scaling."""

    def scale_to(self, desired: int) -> None:
        """Sets the desired capacity."""

    def terminate(self, instance: InstanceId) -> None:
        """Terminates an instance; the group replaces it."""

    def detach(self, instance: InstanceId) -> None:
        """Detaches an instance and decrements the desired capacity."""

    def enter_standby(self, instance: InstanceId) -> None:
        """Moves an instance into standby and decrements the desired capacity."""

    def exit_standby(self, instance: InstanceId) -> None:
        """Moves an instance out of standby."""

    def replace_root_volumes(self) -> None:
        """Starts to replace the root volume of each instance in service."""

    def keep_warm(self, size: int) -> None:
        """Prepares so many instances, in service or stopped in a warm pool. Scaling in returns them to the pool."""

    def events(self) -> Sequence[LifecycleEvent]:
        """The events of the group that have arrived, in order."""


class Queue(Protocol):
    """A FIFO queue of one clause, with content-based deduplication and a dead-letter queue."""

    def send(self, body: str) -> None:
        """Sends a message to the queue's one message group."""

    def receive(self) -> list[str]:
        """Receives up to ten messages."""

    def delete_received(self) -> None:
        """Deletes the messages that were received last."""

    def dead_letters(self) -> list[str]:
        """The messages of the dead-letter queue."""


class World(Protocol):
    """One world under contract, in two Regions. It removes all of its resources."""

    name: str
    region: Region
    home: HomeServices
    here: RegionServices
    peer: RegionServices

    def security_group(self, region_of: RegionServices) -> SecurityGroupId:
        """A new security group without inbound rules, in the Region of these services, not in a default VPC."""

    def allow(self, group: SecurityGroupId, cidr: str, ports: PortRange, description: str) -> RuleId:
        """Adds a rule to a home security group by hand; the CIDR is passed unchanged."""

    def allow_itself(self, group: SecurityGroupId, ports: PortRange) -> RuleId:
        """Adds a rule to a home security group by which it admits itself."""

    def auto_scaling_group(self, heartbeat: int = 600, default: HookResult = HookResult.CONTINUE) -> Group:
        """A new group whose hooks wait for `heartbeat` seconds and then use the default result."""

    def associate_elastic_address(self, instance: InstanceId) -> Cidr:
        """Allocates an Elastic IP and associates it with a running instance."""

    def peer_table_with_credentials_of_home(self) -> RosterTable:
        """The peer's table, with credentials of a role that STS of the home Region issued."""

    def put_item(self, item: Mapping[str, Any]) -> None:
        """Writes an item into the home table, unchanged."""

    def queue(self, visibility: int, receives: int) -> Queue:
        """A new queue. `visibility` is in seconds; after `receives` receives a message is a dead letter."""

    def tidy_up(self) -> None:
        """Removes the resources of the clause, so that the instances of two clauses never run concurrently."""

    def wait(self, seconds: float) -> None:
        """Waits."""

    def eventually(self, look: Callable[[], T]) -> T:
        """The first true value of `look`. Fails after the patience of the world."""
