"""Ports: what `tcp/9042` or `auto` means, and which ports a security group is managed on."""

import re
from dataclasses import dataclass
from typing import Self

from ringfence.core.model.addresses import Cidr, is_ipv6


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """A protocol with its ports as EC2 has them. ICMP has a type and a code, and `-1` (all protocols) has -1 and -1."""

    protocol: str
    from_port: int
    to_port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses `tcp/9042` or `udp/7000-7001`. Raises ValueError, which says what is wrong."""
        match = _PORT_SYNTAX.fullmatch(text.strip().lower())
        if match is None:
            raise ValueError(f"{text!r} is not a port: write tcp/9042 or udp/7000-7001")
        first, last = int(match[2]), int(match[3] or match[2])
        if not 0 <= first <= last <= 65535:
            raise ValueError(f"{text!r} is not a port: 0 to 65535, the lower one first")
        return cls(match[1], first, last)

    def suits(self, cidr: Cidr) -> bool:
        """Whether EC2 accepts the protocol for addresses of the CIDR's family."""
        return self.protocol != ("icmp" if is_ipv6(cidr) else "icmpv6")

    def __str__(self) -> str:
        if self.protocol == "-1":
            return "all"
        if self.from_port == self.to_port:
            return f"{self.protocol}/{self.from_port}"
        return f"{self.protocol}/{self.from_port}-{self.to_port}"


_PORT_SYNTAX = re.compile(r"(tcp|udp)/(\d{1,5})(?:-(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that a security group is managed on: the explicit ones or, without any (`auto`), those on which the
    group admits itself."""

    explicit: tuple[PortRange, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses `auto` or `tcp/7000-7001,tcp/9042`. Raises ValueError, which says what is wrong."""
        if text.strip().lower() == "auto":
            return cls()
        return cls(tuple(sorted({PortRange.parse(part) for part in text.split(",")})))

    def __str__(self) -> str:
        return ",".join(map(str, self.explicit)) or "auto"
