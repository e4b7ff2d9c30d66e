"""What the engine sees of its home Region at one moment: lifecycle states of instances, and their addresses.

Pure values. An instance that is not in `instances` is not described. That is no evidence: only the ids in `absent` are
known to be absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

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

    `group` is the Auto Scaling group in its tag, if it has that tag.
    """

    id: InstanceId
    power: Power
    group: str | None
    addresses: Mapping[AddressKind, tuple[Cidr, ...]]

    def of_kinds(self, kinds: frozenset[AddressKind]) -> tuple[Cidr, ...]:
        """The addresses of the given kinds, sorted."""
        return tuple(sorted({cidr for kind in kinds for cidr in self.addresses.get(kind, ())}))


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
    """

    groups: Mapping[str, Mapping[InstanceId, str]]
    instances: Mapping[InstanceId, Instance]
    absent: frozenset[InstanceId] = frozenset()

    def phase(self, group: str, instance: InstanceId) -> Phase | None:
        """The instance's phase in the group, or None if the group does not list it."""
        state = self.groups[group].get(instance)
        return None if state is None else phase_of(state)
