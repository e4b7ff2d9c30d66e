"""EC2 instances: their network after a termination, and their descriptions.

Sources: Amazon EC2 User Guide, "Terminate Amazon EC2 instances"; Amazon EC2 API Reference, DescribeInstances.
"""

from collections.abc import Callable, Sequence
from typing import Any

from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation
from moto.ec2.responses.instances import InstanceResponse

from ringfence_lab.emulator.aws.addresses import elastic_of
from ringfence_lab.emulator.aws.seams import original, replace, wrap

FailingZones = Callable[[str], frozenset[str]]
"""The Availability Zones of a Region that EC2 does not describe."""


def install(failing_zones: FailingZones) -> None:
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

    def describe_while_zones_fail(inner: Callable[[InstanceResponse], Any], response: InstanceResponse) -> Any:
        """Fails where the answer depends on a zone that fails."""
        failing = failing_zones(response.ec2_backend.region_name)
        return _ZONE_FAILS if failing and _depends_on(response, failing) else inner(response)

    wrap(InstanceResponse, "describe_instances", describe_while_zones_fail)
    wrap(Instance, "terminate", terminate)
    wrap(InstanceBackend, "get_reservations_by_instance_ids", describe)
    replace(Instance, **{name: _of_primary_interface(name) for name in _OF_PRIMARY_INTERFACE})


def _depends_on(response: InstanceResponse, failing: frozenset[str]) -> bool:
    """Whether a DescribeInstances names an instance of a failing zone, or no instance. A filter names none: assumed.

    Source: Amazon EC2 API Reference, DescribeInstances.
    """
    named = response._get_param("InstanceIds", [])
    known = response.ec2_backend.all_instances()
    return not named or any(one.id in named and one.availability_zone in failing for one in known)


_ERROR = "<Error><Code>InternalError</Code><Message>An internal error has occurred</Message></Error>"
_ZONE_FAILS = (
    500,
    {"Content-Type": "text/xml", "status": 500},
    f"<Response><Errors>{_ERROR}</Errors><RequestID>lab</RequestID></Response>",
)
"""The answer of a call that depends on a failing zone. Its code is assumed: EC2's documents do not name it."""

_OF_PRIMARY_INTERFACE = ("private_ip", "private_ip_address", "private_dns_name", "public_ip", "public_ip_address")


def _of_primary_interface(name: str) -> property:
    """A property that moto reads from the primary interface. A terminated instance does not have it."""
    read = original(Instance, name).fget
    return property(lambda instance: read(instance) if instance.nics else None)
