"""The public addresses of EC2's instances: allocated from a pool, released, and soon reused by another instance.

Sources: Amazon EC2 User Guide, "Amazon EC2 instance IP addressing", "Elastic IP addresses"; Amazon VPC User Guide, "IP
addressing for your VPCs and subnets". AWS does not document the order in which it reuses addresses. Here released
addresses are reused first, the oldest first, so that a rule that was left behind soon admits a stranger. A released
Elastic IP address is reused, too.
"""

import ipaddress
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses as AddressResponse
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces as InterfaceResponse

from ringfence_lab.emulator.aws.seams import original, replace, wrap

_BLOCKS = [ipaddress.IPv4Network(f"54.{second}.0.0/16") for second in range(144, 256)]
"""One block for each Region and account. AWS owns these blocks, so the addresses are realistic."""


@dataclass(slots=True)
class Pool:
    """One Region's public addresses."""

    block: ipaddress.IPv4Network
    _used: int = 0
    _returned: deque[str] = field(default_factory=deque)

    def take(self) -> str:
        """Allocates an address that is not in use."""
        if self._returned:
            return self._returned.popleft()
        self._used += 1
        return str(self.block[self._used])

    def give_back(self, address: str) -> None:
        """Releases an address, if it belongs to the pool."""
        if ipaddress.ip_address(address) in self.block:
            self._returned.append(address)


@dataclass(slots=True)
class Pools:
    """The pools of all Regions."""

    _pools: dict[tuple[str, str], Pool] = field(default_factory=dict)

    def of(self, ec2_backend: Any) -> Pool:
        """The pool of moto's EC2 in one Region and account."""
        key = (ec2_backend.account_id, ec2_backend.region_name)
        if key not in self._pools:
            self._pools[key] = Pool(_BLOCKS[len(self._pools)])
        return self._pools[key]

    def assign(self, interface: NetworkInterface) -> None:
        """Assigns a public address to an interface that should have one and has none."""
        if str(interface.public_ip_auto_assign).lower() == "true" and interface.public_ip is None:
            interface.public_ip = self.of(interface.ec2_backend).take()

    def release(self, interface: NetworkInterface) -> None:
        """Releases the public address of a stopped or terminated instance; it keeps an Elastic IP address."""
        if interface.public_ip and not elastic_of(interface):
            self.of(interface.ec2_backend).give_back(interface.public_ip)
            interface.public_ip = None

    def make_elastic(self, inner: Callable[..., None], elastic: ElasticAddress, backend: Any, **asked: Any) -> None:
        """Allocates an Elastic IP address."""
        asked["address"] = asked.get("address") or self.of(backend).take()
        inner(elastic, backend, **asked)

    def associate(self, inner: Callable[..., ElasticAddress], backend: Any, **asked: Any) -> ElasticAddress:
        """Replaces the assigned address by an Elastic IP address; the pool gets the assigned one back."""
        interface = asked.get("eni") or (asked["instance"].nics[0] if asked.get("instance") else None)
        before = interface.public_ip if interface and not elastic_of(interface) else None
        elastic = inner(backend, **asked)
        if before:
            self.of(backend).give_back(before)
        return elastic

    def release_elastic(self, inner: Callable[..., None], backend: Any, **asked: Any) -> None:
        """Releases an Elastic IP address."""
        found = backend.describe_addresses(
            allocation_ids=[id] if (id := asked.get("allocation_id")) else None,
            public_ips=[address] if (address := asked.get("address")) else None,
        )
        inner(backend, **asked)
        for elastic in found:
            self.of(backend).give_back(elastic.public_ip)


def install() -> None:
    """Patches moto, with pools that are still unused."""
    pools = Pools()
    replace(NetworkInterface, check_auto_public_ip=pools.assign, stop=pools.release)
    wrap(NetworkInterface, "__init__", _make_interface)
    wrap(ElasticAddress, "__init__", pools.make_elastic)
    wrap(ElasticAddressBackend, "associate_address", pools.associate)
    wrap(ElasticAddressBackend, "release_address", pools.release_elastic)
    _install_prefixes()
    _install_address_kinds()


def _make_interface(
    inner: Callable[..., None], interface: NetworkInterface, backend: Any, subnet: Any, *rest: Any, **asked: Any
) -> None:
    """Assigns an IPv6 address to an interface, if its subnet is configured so."""
    subnet = backend.get_subnet(subnet) if isinstance(subnet, str) else subnet
    if subnet.ipv6_cidr_block_associations and subnet.assign_ipv6_address_on_creation:
        asked["ipv6_address_count"] = asked.get("ipv6_address_count") or 1
    inner(interface, backend, subnet, *rest, **asked)


def _install_prefixes() -> None:
    """Delegates prefixes to network interfaces.

    Source: Amazon EC2 API Reference, AssignPrivateIpAddresses (`Ipv4Prefixes`), AssignIpv6Addresses (`Ipv6Prefixes`).
    """

    def assign(inner: Callable[[Any], Any], response: Any, family: str) -> Any:
        prefixes = response._get_param(f"{family}Prefixes", [])
        answer = inner(response)
        interface = response.ec2_backend.get_network_interface(response._get_param("NetworkInterfaceId"))
        known = getattr(interface, f"{family.lower()}_prefixes", [])
        delegated = [*known, *({f"{family}Prefix": prefix} for prefix in prefixes)]
        setattr(interface, f"{family.lower()}_prefixes", delegated)
        return answer

    for name, family in (("assign_private_ip_addresses", "Ipv4"), ("assign_ipv6_addresses", "Ipv6")):
        wrap(InterfaceResponse, name, partial(_with_family, assign, family))


def _with_family(assign: Callable[..., Any], family: str, inner: Callable[[Any], Any], response: Any) -> Any:
    return assign(inner, response, family)


def _install_address_kinds() -> None:
    """Carrier addresses of Wavelength Zones, and customer-owned addresses of Outposts, beside Elastic IP addresses.

    Sources: Amazon EC2 API Reference, AllocateAddress (`NetworkBorderGroup`, `CustomerOwnedIpv4Pool`) and Instance
    (`PublicIpAddress` is the carrier address, if there is one). Assumed: it is empty for a customer-owned address.
    """

    def allocate(inner: Callable[[Any], Any], response: Any) -> Any:
        before = set(response.ec2_backend.addresses)
        answer = inner(response)
        for elastic in set(response.ec2_backend.addresses) - before:
            if "-wlz-" in (response._get_param("NetworkBorderGroup") or ""):
                elastic.association_member = "carrierIp"
            elif response._get_param("CustomerOwnedIpv4Pool"):
                elastic.association_member = "customerOwnedIp"
        return answer

    read = original(NetworkInterface, "association").fget

    def association(interface: NetworkInterface) -> dict[str, Any]:
        found: dict[str, Any] = read(interface)
        member = getattr(elastic_of(interface), "association_member", "publicIp")
        return {member if key == "publicIp" else key: value for key, value in found.items()}

    wrap(AddressResponse, "allocate_address", allocate)
    replace(NetworkInterface, association=property(association))


def elastic_of(interface: NetworkInterface) -> ElasticAddress | None:
    """The Elastic IP address that is associated with an interface."""
    return next((elastic for elastic in interface.ec2_backend.addresses if elastic.eni is interface), None)
