"""What one look at the home Region saw: the groups' instances by lifecycle state, and the instances' addresses.

Pure values. An instance that is not in `instances` could not be described: that is unknown, not absent.
"""

from collections.abc import Mapping
from enum import Enum

from ringfence.core.lifecycle import Phase, phase_of
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId
from ringfence.records import dataclass


class Power(Enum):
    """An instance's state in EC2, as far as its addresses depend on it."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPED = "stopped"  # or stopping: its public address is released
    TERMINATED = "terminated"  # or shutting down: it will never come back


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as DescribeInstances gives it, with the addresses of all its network interfaces.

    `group` is the Auto Scaling group in whose name it is tagged.
    """

    id: InstanceId
    power: Power
    group: str | None
    addresses: Mapping[AddressKind, tuple[Cidr, ...]]

    def of_kinds(self, kinds: frozenset[AddressKind]) -> tuple[Cidr, ...]:
        """The addresses of the kinds given, sorted."""
        return tuple(sorted({cidr for kind in kinds for cidr in self.addresses.get(kind, ())}))


@dataclass(frozen=True, slots=True)
class Observation:
    """The home Region at one moment. `groups` maps a group's name to its instances' `LifecycleState`s; a group
    that does not exist is not in it."""

    groups: Mapping[str, Mapping[InstanceId, str]]
    instances: Mapping[InstanceId, Instance]

    def phase(self, group: str, instance: InstanceId) -> Phase | None:
        """The instance's phase in the group; None where the group does not list it."""
        state = self.groups[group].get(instance)
        return None if state is None else phase_of(state)
