"""The explanation of a subject: its identities, and the verdict on each door. Pure values; `evidence` derives them."""

from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Member
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence_ops.explain.subject import Subject


@dataclass(frozen=True, slots=True)
class ClusterMember:
    """An instance of the cluster. `lifecycle_state` is None where its home Region did not answer."""

    roster: RosterKey
    instance: InstanceId
    member: Member
    lifecycle_state: str | None = None


@dataclass(frozen=True, slots=True)
class DepartedInstance:
    """An instance that left the cluster. `at` is in epoch seconds; None where its roster no longer records it."""

    roster: RosterKey
    instance: InstanceId
    at: int | None = None


@dataclass(frozen=True, slots=True)
class JoiningInstance:
    """An instance that its Auto Scaling group lists and no roster contains yet."""

    roster: RosterKey
    instance: InstanceId
    lifecycle_state: str


@dataclass(frozen=True, slots=True)
class StaticMember:
    """A static member of the cluster, by its CIDR in the configuration."""

    cidr: Cidr


@dataclass(frozen=True, slots=True)
class Stranger:
    """An instance of the account that belongs to no Auto Scaling group of the cluster."""

    region: Region
    instance: InstanceId


@dataclass(frozen=True, slots=True)
class ClaimedAddress:
    """An instance that only a row in a Region's table calls a member: its Region has no such roster, or another one.

    Anyone who may write to the table can write such a row.
    """

    table: Region
    roster: RosterKey
    instance: InstanceId


@dataclass(frozen=True, slots=True)
class OtherAddress:
    """An instance of the cluster that has the address, but not as one that is admitted: the address is of a kind that
    the cluster does not use, or a secondary one, or lies in a delegated `prefix`."""

    roster: RosterKey
    instance: InstanceId
    kind: AddressKind
    prefix: str | None = None
    is_configured: bool = False


Identity = ClusterMember | DepartedInstance | JoiningInstance | StaticMember | ClaimedAddress | OtherAddress | Stranger


class DoorVerdict(StrEnum):
    """Whether a door is right, and what happens to it if not. The `would` verdicts are those of observe mode."""

    RIGHT = "right"  # it admits a member, and stays
    RENAMED = "renamed"  # it admits a member under another instance's name: the next reconcile corrects the name
    GOES = "goes"  # it admits no member: the next reconcile closes it
    WOULD_GO = "would go"
    HELD = "held"  # it admits no member, but the guard holds the removal
    COMES = "comes"  # it is missing: the next reconcile opens it
    WOULD_COME = "would come"
    REFUSED = "refused"  # it is missing, and EC2 refuses it
    FOREIGN = "foreign"  # it was not made by Ringfence, which never changes it
    KEPT = "kept"  # it was made by Ringfence for an unknown member: unknown is not absent
    UNOWNED = "owner unknown"  # it has Ringfence's label, no member explains it, and no engine removes it


@dataclass(frozen=True, slots=True)
class Door:
    """A rule of a group that admits the subject, or one that is missing (`rule` is None).

    `reason` is why it goes, is refused or has no known owner; for a renamed door, the instance that it is named after
    next. `wider` says that it admits other addresses too.
    """

    region: Region
    group: SecurityGroupId
    opening: Opening
    verdict: DoorVerdict
    rule: Rule | None = None
    label: Label | None = None
    reason: str | None = None
    wider: bool = False

    @property
    def is_right(self) -> bool:
        """Whether nothing has to be done about it."""
        return self.verdict in (DoorVerdict.RIGHT, DoorVerdict.FOREIGN)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation. `addresses` are those that the subject has or had. `narrower` is the number of rules that admit
    only a part of a network: they are no doors of its own."""

    subject: Subject
    addresses: tuple[Cidr, ...]
    identities: tuple[Identity, ...]
    doors: tuple[Door, ...]
    narrower: int = 0

    @property
    def is_right(self) -> bool:
        """Whether nothing has to be done about any door."""
        return all(door.is_right for door in self.doors)
