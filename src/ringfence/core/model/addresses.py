"""Addresses: single hosts, networks, and the kinds of addresses that members use."""

import ipaddress
from enum import Enum
from functools import lru_cache
from typing import NewType

Cidr = NewType("Cidr", str)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NO_HOSTS = {
    ipaddress.IPv4Network("0.0.0.0/8"): "this network",
    ipaddress.IPv4Network("127.0.0.0/8"): "loopback",
    ipaddress.IPv4Network("169.254.0.0/16"): "link-local",
    ipaddress.IPv4Network("224.0.0.0/4"): "multicast",
    ipaddress.IPv4Network("240.0.0.0/4"): "reserved",
}
"""The IPv4 addresses that are not unicast hosts'. Source: IANA IPv4 Special-Purpose Address Registry; RFC 5771."""

_IPV6_HOSTS = (ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("fc00::/7"))
"""The IPv6 addresses of unicast hosts: global unicast and unique local ones. Source: RFC 4291, 2.4; RFC 4193.

All others are unspecified, loopback, link-local, multicast, reserved, or stand for an IPv4 address (::ffff:0:0/96,
64:ff9b::/96)."""

_6TO4 = ipaddress.IPv6Network("2002::/16")
"""Bits 16 to 47 of these addresses are the IPv4 address of a site's router, which is unicast. Source: RFC 3056, 2."""


class AddressKind(Enum):
    """Which of an instance's addresses the cluster's members use to reach one another.

    EC2 calls the carrier address of an instance in a Wavelength Zone its public address, too. Then both kinds have it.
    Source: EC2 API Reference, Instance, PublicIpAddress.
    """

    PUBLIC_IPV4 = "public-ipv4"
    PRIVATE_IPV4 = "private-ipv4"
    IPV6 = "ipv6"
    CARRIER_IPV4 = "carrier-ipv4"  # of a Wavelength Zone
    CUSTOMER_OWNED_IPV4 = "customer-owned-ipv4"  # of an Outpost, from a pool of the customer's own network


@lru_cache(maxsize=4096)  # the same address is parsed for its instance, its rules and its row, in every Region
def host(address: str) -> Cidr:
    """The canonical CIDR of one unicast host, from an address or a host's CIDR.

    Raises ValueError for a network, and for an address that is not a unicast host's (0.0.0.0, multicast, loopback,
    link-local, reserved): such an entry would admit more than one member, or none.
    """
    network = ipaddress.ip_network(address, strict=True)
    if network.num_addresses != 1:
        raise ValueError(f"{address} is a network, not a single host")
    _refuse_if_not_unicast(network)
    return Cidr(str(network))


@lru_cache(maxsize=4096)
def network(cidr: str) -> Cidr:
    """The canonical CIDR of a host or a network, but not of all addresses.

    Raises ValueError for a malformed CIDR, for one with host bits set, and for 0.0.0.0/0 and ::/0.
    """
    parsed = ipaddress.ip_network(cidr, strict=True)
    if parsed.prefixlen == 0:
        raise ValueError(f"{cidr} admits all addresses")
    return Cidr(str(parsed))


LARGEST_STATIC = {4: 8, 6: 16}
"""The shortest prefix of a static member, by IP version: a larger network is more than any organization has."""


@lru_cache(maxsize=4096)
def static_member(cidr: str) -> Cidr:
    """The canonical CIDR of a static member: a unicast host, or a network of unicast hosts.

    Raises ValueError for a malformed CIDR, for one with host bits set, for a network larger than /8 (IPv4) or /16
    (IPv6), and for a network that contains an address which is no unicast host's. A 6to4 network is judged by the IPv4
    network that it stands for.
    """
    parsed = ipaddress.ip_network(cidr, strict=True)
    _refuse_if_too_large(parsed)
    _refuse_if_not_unicast(parsed)
    if isinstance(parsed, ipaddress.IPv6Network) and parsed.subnet_of(_6TO4):
        _refuse_if_too_large(_embedded(parsed), f"{cidr} stands for ")
    return Cidr(str(parsed))


def is_static_member(cidr: Cidr) -> bool:
    """Whether a canonical CIDR can be a static member's."""
    try:
        static_member(cidr)
    except ValueError:
        return False
    return True


def is_host(cidr: Cidr) -> bool:
    """Whether a canonical CIDR is a single unicast host's."""
    try:
        host(cidr)
    except ValueError:
        return False
    return True


def in_order(cidr: str) -> tuple[int, int, int, str]:
    """The key by which CIDRs sort as addresses: 10.0.0.9 before 10.0.0.10, IPv4 before IPv6, and other text last."""
    try:
        parsed = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return (10, 0, 0, cidr)
    return (parsed.version, int(parsed.network_address), parsed.prefixlen, cidr)


def _refuse_if_too_large(network: _Network, prefix: str = "") -> None:
    if network.prefixlen < (largest := LARGEST_STATIC[network.version]):
        which = ", which" if prefix else ""
        raise ValueError(
            f"{prefix}{network}{which} is larger than /{largest}, the largest network that can be a static member"
        )


def _refuse_if_not_unicast(network: _Network) -> None:
    """Raises ValueError if the network contains an address that no unicast host has."""
    if isinstance(network, ipaddress.IPv4Network):
        _refuse_if_no_hosts(network, f"{network}")
        return
    if network.network_address.scope_id is not None:
        raise ValueError(f"{network} names an interface, and is no CIDR")
    if not any(network.subnet_of(hosts) for hosts in _IPV6_HOSTS):
        raise ValueError(
            f"{network} contains addresses outside of 2000::/3 (global unicast) and fc00::/7 (unique local)"
        )
    if network.subnet_of(_6TO4):
        embedded = _embedded(network)
        if embedded.prefixlen > 0:
            _refuse_if_no_hosts(embedded, f"{network} stands for {embedded}: it")


def _refuse_if_no_hosts(network: ipaddress.IPv4Network, what: str) -> None:
    for special, kind in _NO_HOSTS.items():
        if network.overlaps(special):
            raise ValueError(f"{what} contains addresses of {special} ({kind})")


def _embedded(network: ipaddress.IPv6Network) -> ipaddress.IPv4Network:
    """The IPv4 network that a network of 6to4 addresses stands for."""
    address = int(network.network_address) >> 80 & 0xFFFF_FFFF
    return ipaddress.IPv4Network((address, min(network.prefixlen - 16, 32)))


def is_ipv6(cidr: Cidr) -> bool:
    """Whether a canonical CIDR is an IPv6 one."""
    return ":" in cidr
