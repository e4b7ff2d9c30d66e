"""A Region's public IPv4 addresses. A released address belongs to a stranger immediately.

Source: EC2 User Guide, "Amazon EC2 instance IP addressing": a released address goes back to the pool, and another
customer's instance may receive it. An immediate reuse is the worst case, so the simulator assumes it.
"""

import random

from ringfence.core.model.addresses import Cidr

INVENTED = "192.0.2."
"""The network of the addresses that no instance ever has (RFC 5737, TEST-NET-1). Only an adversary names them."""


def is_invented(address: Cidr) -> bool:
    """Whether no instance ever has the address."""
    return address.startswith(INVENTED)


class AddressPool:
    """Allocates addresses. With `chance` given, it sometimes allocates one that a stranger had."""

    REUSED_ONE_IN = 3

    def __init__(self, number: int, chance: random.Random | None = None) -> None:
        self.strangers: dict[Cidr, None] = {}
        self._number = number
        self._chance = chance
        self._given = 0
        self._next: list[Cidr] = []

    def allocate(self) -> Cidr:
        """An address that no other instance has."""
        if self._next:
            return self._next.pop(0)
        if self._chance is not None and self.strangers and self._chance.randrange(self.REUSED_ONE_IN) == 0:
            address = self._chance.choice(list(self.strangers))
            del self.strangers[address]
            return address
        self._given += 1
        # 198.18.0.0/15 is reserved for benchmarks (RFC 2544): it has no owner, and is an ordinary unicast network.
        host = self._number * 4096 + self._given
        return Cidr(f"198.{18 + (host >> 16)}.{(host >> 8) & 255}.{host & 255}/32")

    def release(self, address: Cidr) -> None:
        """Gives the address to a stranger."""
        self.strangers[address] = None

    def take_back(self, address: Cidr) -> None:
        """Takes the address from its stranger; the next instance receives it."""
        del self.strangers[address]
        self._next.append(address)
