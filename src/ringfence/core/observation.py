"""What the engine sees of its home Region at one moment: lifecycle states of instances, and their addresses.

Pure values. An instance that is not in `instances` is not described. That is no evidence: only the ids in `absent` are
known to be absent.
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


def without_contradictions(
    listed: Mapping[InstanceId, str], pooled: Mapping[InstanceId, str]
) -> Mapping[InstanceId, str]:
    """The states of a group's instances, from two answers: those of the group and those of its warm pool.

    An instance in both moved between the two calls, or one answer is stale. It counts as not listed: it is unknown.
    """
    both = listed.keys() & pooled.keys()
    return {id: state for id, state in {**listed, **pooled}.items() if id not in both}


@dataclass(frozen=True, slots=True)
class Described:
    """The answer of DescribeInstances to a question for ids.

    `absent` are the ids that the answer covers and that EC2 does not know. An id that is in neither is not described:
    the call did not cover it, or EC2 shows something of it that cannot be used.
    """

    instances: Mapping[InstanceId, Instance]
    absent: frozenset[InstanceId] = frozenset()


@dataclass(frozen=True, slots=True)
class Observation:
    """The home Region at one moment.

    `groups` maps the name of each Auto Scaling group to the `LifecycleState` of its instances, those of its warm pool
    included. A group that does not exist is not in it. `absent` are the instances that EC2 was asked for and does not
    know: it never knew them, does not know them yet, or has forgotten them about an hour after their termination.
    `undescribed` has the Availability Zone of each instance that EC2 was asked for without an answer, as it happens
    while a zone fails. EC2 may know it, so it is not absent, and what was known of it before stays.
    """

    groups: Mapping[str, Mapping[InstanceId, str]]
    instances: Mapping[InstanceId, Instance]
    absent: frozenset[InstanceId] = frozenset()
    undescribed: Mapping[InstanceId, str] = field(default_factory=dict)

    def phase(self, group: str, instance: InstanceId) -> Phase | None:
        """The instance's phase in the group, or None if the group does not list it."""
        state = self.groups[group].get(instance)
        return None if state is None else phase_of(state)
