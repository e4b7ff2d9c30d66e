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
    parsed = network.network_address
    scoped = isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None
    if scoped or parsed in _THIS_NETWORK or parsed.is_multicast or parsed.is_unspecified or parsed.is_loopback:
        raise ValueError(f"{address} is not the address of a unicast host")
    if parsed.is_link_local or parsed.is_reserved:
        raise ValueError(f"{address} is not the address of a unicast host")
    return Cidr(str(network))


@lru_cache(maxsize=4096)
def network(cidr: str) -> Cidr:
    """The canonical CIDR of a static member: a host or a network, but not all addresses.

    Raises ValueError for a malformed CIDR, for one with host bits set, and for 0.0.0.0/0 and ::/0.
    """
    parsed = ipaddress.ip_network(cidr, strict=True)
    if parsed.prefixlen == 0:
        raise ValueError(f"{cidr} admits everybody")
    return Cidr(str(parsed))


def is_ipv6(cidr: Cidr) -> bool:
    """Whether a canonical CIDR is an IPv6 one."""
    return ":" in cidr
