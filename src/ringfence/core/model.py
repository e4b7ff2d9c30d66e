"""The words of Ringfence as values: addresses, ports, rules, labels, members, rosters.

Pure: no I/O, no clock, no environment. Knows nothing of how AWS spells these in its calls.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum
from functools import lru_cache
from typing import NewType, Self

from ringfence.records import dataclass

Region = NewType("Region", str)
InstanceId = NewType("InstanceId", str)
SecurityGroupId = NewType("SecurityGroupId", str)
RuleId = NewType("RuleId", str)
Cidr = NewType("Cidr", str)

STATIC = "(static)"
"""Stands for an Auto Scaling group in the label of a static member's rule; no group's name has parentheses
and nothing else."""

_DESCRIBABLE = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*")
DESCRIPTION_LIMIT = 255
"""Characters in a rule's description. Source: EC2 API reference, `IpRange`."""

_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
"""Addresses of no host. Source: RFC 1122, 3.2.1.3."""


@lru_cache(maxsize=4096)  # an address is looked at in its instance, its rules and its row, in each of the Regions
def host(address: str) -> Cidr:
    """The canonical CIDR of one unicast host, from an address or a host's CIDR.

    Raises ValueError for a network and for what is no unicast host (0.0.0.0, multicast, loopback, link-local,
    reserved): such an entry would admit more than one member, or none.
    """
    network = ipaddress.ip_network(address, strict=True)
    if network.num_addresses != 1:
        raise ValueError(f"{address} is a network, not a single host")
    one = network.network_address
    scoped = isinstance(one, ipaddress.IPv6Address) and one.scope_id is not None
    if scoped or one in _THIS_NETWORK or one.is_multicast or one.is_unspecified or one.is_loopback:
        raise ValueError(f"{address} is not the address of a unicast host")
    if one.is_link_local or one.is_reserved:
        raise ValueError(f"{address} is not the address of a unicast host")
    return Cidr(str(network))


@lru_cache(maxsize=4096)
def network(cidr: str) -> Cidr:
    """The canonical CIDR of a static member: a host or a network, never everybody.

    Raises ValueError for a malformed one, for one with host bits set, and for 0.0.0.0/0 and ::/0.
    """
    parsed = ipaddress.ip_network(cidr, strict=True)
    if parsed.prefixlen == 0:
        raise ValueError(f"{cidr} admits everybody")
    return Cidr(str(parsed))


def is_ipv6(cidr: Cidr) -> bool:
    """Whether a canonical CIDR is one of IPv6."""
    return ":" in cidr


def is_describable(text: str) -> bool:
    """Whether EC2 takes the text within a rule's description."""
    return _DESCRIBABLE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """A protocol with its ports as EC2 has them: for ICMP a type and a code, for `-1` (all) none: -1 and -1."""

    protocol: str
    from_port: int
    to_port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `tcp/9042` or `udp/7000-7001`. Raises ValueError that says what is wrong."""
        match = _PORT_SYNTAX.fullmatch(text.strip().lower())
        if match is None:
            raise ValueError(f"{text!r} is not a port: write tcp/9042 or udp/7000-7001")
        first, last = int(match[2]), int(match[3] or match[2])
        if not 0 <= first <= last <= 65535:
            raise ValueError(f"{text!r} is not a port: 0 to 65535, the lower one first")
        return cls(match[1], first, last)

    def suits(self, cidr: Cidr) -> bool:
        """Whether EC2 takes the protocol together with addresses of the CIDR's family."""
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
    """Which ports a security group is managed on: those given, or with none given (`auto`) those on which the
    group admits itself."""

    explicit: tuple[PortRange, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `auto` or `tcp/7000-7001,tcp/9042`. Raises ValueError that says what is wrong."""
        if text.strip().lower() == "auto":
            return cls()
        return cls(tuple(sorted({PortRange.parse(part) for part in text.split(",")})))

    def __str__(self) -> str:
        return ",".join(map(str, self.explicit)) or "auto"


@dataclass(frozen=True, slots=True, order=True)
class RosterKey:
    """Names a roster: an Auto Scaling group in its home Region."""

    region: Region
    asg: str

    def __str__(self) -> str:
        return f"{self.region}/{self.asg}"


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """What the description of an owned rule says: which instance of which group the rule is for."""

    cluster: str
    roster: RosterKey
    instance: str

    def __str__(self) -> str:
        return f"ringfence {self.cluster} {self.roster} {self.instance}"

    @staticmethod
    @lru_cache(maxsize=4096)  # a group's descriptions are looked at several times in each reconcile
    def parse(description: str) -> "Label | None":
        """The label in a rule's description; None where the rule is not Ringfence's."""
        match = _LABEL_SYNTAX.fullmatch(description)
        if match is None:
            return None
        return Label(match[1], RosterKey(Region(match[2]), match[3]), match[4])


_LABEL_SYNTAX = re.compile(r"ringfence (\S+) ([a-z0-9-]+)/(.+) (\S+)")


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """What a rule lets in: a source address on a range of ports. EC2 allows one rule for each in a group."""

    ports: PortRange
    cidr: Cidr

    def __hash__(self) -> int:
        """Of the address alone: few rules of a group share one."""
        return hash(self.cidr)

    def __str__(self) -> str:
        return f"{self.cidr} on {self.ports}"


@dataclass(frozen=True, slots=True)
class Rule:
    """An inbound rule that stands in a security group.

    `opening` is None where the source is no CIDR; `source_group` is the group that it admits, if any.
    """

    id: RuleId
    group: SecurityGroupId
    ports: PortRange
    opening: Opening | None
    source_group: SecurityGroupId | None = None
    description: str = ""

    def label(self, cluster: str) -> Label | None:
        """The rule's label if the cluster owns the rule; None for every foreign rule."""
        label = Label.parse(self.description)
        return label if label is not None and label.cluster == cluster and self.opening is not None else None


class MemberState(Enum):
    """How far a member's place in the roster is settled."""

    WAITING = "waiting"  # launched, and no address of a configured kind is known of it yet
    MEMBER = "member"
    BARE = "bare"  # had an address of a configured kind, and has none now
    MISSING = "missing"  # its group no longer lists it, for too short a time to believe it


@dataclass(frozen=True, slots=True)
class Member:
    """An instance of the cluster with the addresses it is known by. `since` is the epoch second of its state."""

    addresses: tuple[Cidr, ...]
    state: MemberState
    since: int


@dataclass(frozen=True, slots=True)
class Roster:
    """What the home Region of one Auto Scaling group says its members are, at a version.

    `departed` holds a tombstone for each instance that left, with the epoch second at which that was first
    known. `owed` names, for each peer Region, the departed instances whose release there is not confirmed.
    `observed` says that nobody is to change the security groups: their Region is only observed.
    """

    key: RosterKey
    version: int = 0
    members: Mapping[InstanceId, Member] = field(default_factory=dict)
    departed: Mapping[InstanceId, int] = field(default_factory=dict)
    owed: Mapping[Region, frozenset[InstanceId]] = field(default_factory=dict)
    security_groups: tuple[SecurityGroupId, ...] = ()
    ports: Ports = Ports()
    account: str = ""
    observed: bool = False
    updated_at: int = 0

    def addresses(self) -> Iterator[tuple[Cidr, InstanceId]]:
        """Every address that the roster wants admitted, with the instance it belongs to."""
        for instance, member in self.members.items():
            for address in member.addresses:
                yield address, instance

    def says_the_same_as(self, other: "Roster") -> bool:
        """Whether both say the same of the cluster, whatever their version and time."""
        return (
            self.members == other.members
            and self.departed == other.departed
            and self.owed == other.owed
            and self.security_groups == other.security_groups
            and self.ports == other.ports
            and self.account == other.account
            and self.observed == other.observed
        )


@dataclass(frozen=True, slots=True)
class HeldRemovals:
    """Removals that the guard held in one security group, kept until the next reconcile agrees or not."""

    group: SecurityGroupId
    rules: frozenset[RuleId]
    digest: str
    at: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be trusted: what is wrong with it, and its version as far as it has one."""

    reason: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """A Region's table as read at one moment."""

    rosters: Mapping[RosterKey, Roster] = field(default_factory=dict)
    bad: Mapping[RosterKey, BadRow] = field(default_factory=dict)
    held: Mapping[SecurityGroupId, HeldRemovals] = field(default_factory=dict)

    def of(self, region: Region) -> dict[RosterKey, Roster]:
        """The rosters whose home is the Region."""
        return {key: roster for key, roster in self.rosters.items() if key.region == region}

    def versions(self) -> dict[RosterKey, int]:
        """The version of every row."""
        return {key: row.version for rows in (self.rosters, self.bad) for key, row in rows.items()}
