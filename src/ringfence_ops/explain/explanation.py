"""The answer to what an operator asks of an address, an instance or a rule: who it is, and what of its doors.

Pure values; `inquiry` finds them.
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rosters import Member
from ringfence.core.model.rules import Label, Opening, Rule

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_RULE = re.compile(r"sgr-[0-9a-f]{8,17}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked about: exactly one of the three."""

    text: str
    cidr: Cidr | None = None
    instance: InstanceId | None = None
    rule: RuleId | None = None

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """From an address, a CIDR, an instance id or a rule id. Raises ValueError that says what would do."""
        text = text.strip()
        if _INSTANCE.fullmatch(text):
            return cls(text, instance=InstanceId(text))
        if _RULE.fullmatch(text):
            return cls(text, rule=RuleId(text))
        try:
            return cls(text, cidr=Cidr(str(ipaddress.ip_network(text, strict=False))))
        except ValueError:
            raise ValueError(
                f"{text!r} is no address, no instance id and no rule id: give one such as 203.0.113.7,"
                " i-0123456789abcdef0 or sgr-0123456789abcdef0"
            ) from None


@dataclass(frozen=True, slots=True)
class IsMember:
    """An instance of the cluster. `lifecycle_state` is None where its home Region could not be asked."""

    roster: RosterKey
    instance: InstanceId
    member: Member
    lifecycle_state: str | None = None


@dataclass(frozen=True, slots=True)
class HasDeparted:
    """An instance that left the cluster. `at` is the epoch second; None where its roster has forgotten it."""

    roster: RosterKey
    instance: InstanceId
    at: int | None = None


@dataclass(frozen=True, slots=True)
class IsJoining:
    """An instance that its Auto Scaling group lists, and that no roster holds yet."""

    roster: RosterKey
    instance: InstanceId
    lifecycle_state: str


@dataclass(frozen=True, slots=True)
class IsStatic:
    """A static member of the cluster, by its CIDR in the configuration."""

    cidr: Cidr


@dataclass(frozen=True, slots=True)
class IsStranger:
    """An instance of the account that belongs to no group of the cluster."""

    region: Region
    instance: InstanceId


Identity = IsMember | HasDeparted | IsJoining | IsStatic | IsStranger


class Verdict(StrEnum):
    """What of a door."""

    RIGHT = "right"  # it admits a member, and stays
    RENAMED = "renamed"  # likewise, but it names another instance: the next reconcile corrects that
    GOES = "goes"  # it admits nobody's member: the next reconcile closes it
    WOULD_GO = "would go"  # likewise, but the Region is only observed
    HELD = "held"  # likewise, but the guard holds that back
    COMES = "comes"  # it is lacking: the next reconcile opens it
    WOULD_COME = "would come"  # likewise, but the Region is only observed
    REFUSED = "refused"  # it is lacking, and EC2 refuses it
    FOREIGN = "foreign"  # another's rule: it stays whatever Ringfence does
    KEPT = "kept"  # ours, and nobody known is behind it; but unknown is not absent


@dataclass(frozen=True, slots=True)
class Door:
    """One rule of one group that admits the subject, or one that is lacking (`rule` is None).

    `reason` says why it goes or is refused. `wider` says that it admits others too.
    """

    region: Region
    group: SecurityGroupId
    opening: Opening
    verdict: Verdict
    rule: Rule | None = None
    label: Label | None = None
    reason: str | None = None
    wider: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer. `addresses` are those that the subject is or was known by."""

    subject: Subject
    addresses: tuple[Cidr, ...]
    identities: tuple[Identity, ...]
    doors: tuple[Door, ...]

    @property
    def is_right(self) -> bool:
        """Whether nothing is to be done about it."""
        return all(door.verdict in (Verdict.RIGHT, Verdict.FOREIGN) for door in self.doors)
