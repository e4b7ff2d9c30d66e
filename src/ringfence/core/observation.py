"""What the engine sees of its home Region at one moment: lifecycle states of instances, and their addresses.

Pure values. An instance that is not in `instances` could not be described: it is unknown, not absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ringfence.core.configuration.choices import PrivateAddresses
from ringfence.core.lifecycle import Phase, phase_of
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId


class Power(Enum):
    """An instance's state in EC2, as far as its addresses depend on it."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPED = "stopped"  # or stopping: EC2 has released its public address
    TERMINATED = "terminated"  # or shutting down: it never runs again


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as DescribeInstances shows it, with the addresses of all its network interfaces.

    `group` is the Auto Scaling group in its tag, if it has that tag. `primary` is its own private IPv4 address: the
    primary one of its primary network interface. `prefixes` are the networks that are delegated to its interfaces, by
    the kind of their addresses. They are known only to be reported: a member has single addresses.
    """

    id: InstanceId
    power: Power
    group: str | None
    addresses: Mapping[AddressKind, tuple[Cidr, ...]]
    primary: Cidr | None = None
    prefixes: Mapping[AddressKind, tuple[str, ...]] = field(default_factory=dict)

    def of_kinds(
        self, kinds: frozenset[AddressKind], private: PrivateAddresses = PrivateAddresses.ALL
    ) -> tuple[Cidr, ...]:
        """The addresses of the given kinds, sorted. `private` says which of the private IPv4 addresses count."""
        return tuple(sorted({cidr for kind in kinds for cidr in self._of_kind(kind, private)}))

    def _of_kind(self, kind: AddressKind, private: PrivateAddresses) -> tuple[Cidr, ...]:
        if kind is AddressKind.PRIVATE_IPV4 and private is PrivateAddresses.PRIMARY:
            return () if self.primary is None else (self.primary,)
        return self.addresses.get(kind, ())


@dataclass(frozen=True, slots=True)
class Listing:
    """The Auto Scaling groups as they list their instances.

    `states` maps the name of each group to the `LifecycleState` of its instances. A group that does not exist is not
    in it. `zones` has the Availability Zone of each instance that is listed.
    """

    states: Mapping[str, Mapping[InstanceId, str]]
    zones: Mapping[InstanceId, str] = field(default_factory=dict)

    @property
    def instances(self) -> frozenset[InstanceId]:
        """Every instance that a group lists."""
        return frozenset(id for states in self.states.values() for id in states)


UNKNOWN_ZONE = ""
"""The Availability Zone of an instance that no group lists."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The home Region at one moment.

    `groups` maps the name of each Auto Scaling group to the `LifecycleState` of its instances. A group that does not
    exist is not in it. `undescribed` has the Availability Zone of each instance that EC2 was asked for without an
    answer, as it happens while a zone fails. EC2 may know it, and what was known of it before stays.
    """

    groups: Mapping[str, Mapping[InstanceId, str]]
    instances: Mapping[InstanceId, Instance]
    undescribed: Mapping[InstanceId, str] = field(default_factory=dict)

    def phase(self, group: str, instance: InstanceId) -> Phase | None:
        """The instance's phase in the group, or None if the group does not list it."""
        state = self.groups[group].get(instance)
        return None if state is None else phase_of(state)
