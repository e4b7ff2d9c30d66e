"""EC2 instances: their network after a termination, and their descriptions.

Sources: Amazon EC2 User Guide, "Terminate Amazon EC2 instances"; Amazon EC2 API Reference, DescribeInstances.
"""

from collections.abc import Callable, Sequence
from typing import Any

from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation

from ringfence_lab.emulator.aws.addresses import elastic_of
from ringfence_lab.emulator.aws.seams import original, replace, wrap


def install() -> None:
    """Patches moto."""

    def terminate(inner: Callable[[Instance], InstanceState], instance: Instance) -> InstanceState:
        """A terminated instance remains visible for a while, without addresses, interfaces and subnet."""
        interfaces = list(instance.nics.values())
        for interface in interfaces:
            if elastic := elastic_of(interface):
                instance.ec2_backend.disassociate_address(address=elastic.public_ip)
        previous = inner(instance)
        for interface in interfaces:
            if interface.id in instance.ec2_backend.enis:
                interface.delete()
        instance.nics = {}
        instance._subnet_id = None
        return previous

    def describe(
        inner: Callable[..., list[Reservation]], backend: Any, instance_ids: Sequence[str], filters: Any = None
    ) -> list[Reservation]:
        """Ignores repeated instance ids."""
        return inner(backend, list(dict.fromkeys(instance_ids)), filters)

    wrap(Instance, "terminate", terminate)
    wrap(InstanceBackend, "get_reservations_by_instance_ids", describe)
    replace(Instance, **{name: _of_primary_interface(name) for name in _OF_PRIMARY_INTERFACE})


_OF_PRIMARY_INTERFACE = ("private_ip", "private_ip_address", "private_dns_name", "public_ip", "public_ip_address")


def _of_primary_interface(name: str) -> property:
    """A property that moto reads from the primary interface. A terminated instance does not have it."""
    read = original(Instance, name).fget
    return property(lambda instance: read(instance) if instance.nics else None)
