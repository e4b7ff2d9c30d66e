"""Addresses: single hosts, networks, and the kinds of addresses that members use."""

import ipaddress
from enum import Enum
from functools import lru_cache
from typing import NewType

Cidr = NewType("Cidr", str)

_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
"""Addresses that no host has. Source: RFC 1122, 3.2.1.3."""


class AddressKind(Enum):
    """Which of an instance's addresses the cluster's members use to reach one another."""

    PUBLIC_IPV4 = "public-ipv4"
    PRIVATE_IPV4 = "private-ipv4"
    IPV6 = "ipv6"


@lru_cache(maxsize=4096)  # the same address is parsed for its instance, its rules and its row, in every Region
def host(address: str) -> Cidr:
    """The canonical CIDR of one unicast host, from an address or a host's CIDR.

    Raises ValueError for a network, and for an address that is not a unicast host's (0.0.0.0, multicast, loopback,
    link-local, reserved): such an entry would admit more than one member, or none.
    """
    network = ipaddress.ip_network(address, strict=True)
    if network.num_addresses != 1:
        raise ValueError(f"{address} is a network, not a single host")
    if not _is_unicast(network.network_address):
        raise ValueError(f"{address} is not the address of a unicast host")
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
    (IPv6), and for addresses that are not unicast hosts' (0.0.0.0/8, multicast, loopback, link-local, reserved).
    """
    parsed = ipaddress.ip_network(cidr, strict=True)
    if parsed.prefixlen < (largest := LARGEST_STATIC[parsed.version]):
        raise ValueError(f"{cidr} is larger than /{largest}, the largest network that can be a static member")
    if not _is_unicast(parsed[0]) or not _is_unicast(parsed[-1]):
        raise ValueError(f"{cidr} has addresses that are not unicast hosts'")
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


def _is_unicast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether a host can have the address."""
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    if address.is_multicast or address.is_unspecified or address.is_loopback or address.is_link_local:
        return False
    return not address.is_reserved and address not in _THIS_NETWORK


def is_ipv6(cidr: Cidr) -> bool:
    """Whether a canonical CIDR is an IPv6 one."""
    return ":" in cidr
