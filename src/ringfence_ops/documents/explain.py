"""The document of `ringfence explain --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region
from ringfence.core.model.rosters import MemberState
from ringfence_ops.documents.history import LoggedChangeItem, LoggedDecisionItem
from ringfence_ops.explain.explanation import DoorVerdict


@dataclass(frozen=True, slots=True)
class MemberItem:
    """A member of the cluster."""

    kind: Literal["member"] = field(default="member", init=False)
    """An instance in a roster."""
    instance: str
    """The instance id."""
    auto_scaling_group: str
    """`Region/group`."""
    since: str
    """When the instance became a member, in UTC."""
    state: MemberState
    """The member's state in its roster."""
    lifecycle_state: str | None
    """Auto Scaling's lifecycle state; null if the instance's Region did not answer."""


@dataclass(frozen=True, slots=True)
class JoiningItem:
    """An instance that joins the cluster."""

    kind: Literal["joining"] = field(default="joining", init=False)
    """An instance that its Auto Scaling group lists and no roster contains yet."""
    instance: str
    """The instance id."""
    auto_scaling_group: str
    """`Region/group`."""
    lifecycle_state: str
    """Auto Scaling's lifecycle state."""


@dataclass(frozen=True, slots=True)
class DepartedItem:
    """An instance that left the cluster."""

    kind: Literal["departed"] = field(default="departed", init=False)
    """An instance that left."""
    instance: str
    """The instance id."""
    auto_scaling_group: str
    """`Region/group`."""
    at: str | None
    """When the instance departed, in UTC; null if its roster no longer records it."""


@dataclass(frozen=True, slots=True)
class StaticItem:
    """A static member."""

    kind: Literal["static"] = field(default="static", init=False)
    """A CIDR in the configuration."""
    cidr: str
    """The CIDR."""


@dataclass(frozen=True, slots=True)
class StrangerItem:
    """An instance of the account that is not in the cluster."""

    kind: Literal["stranger"] = field(default="stranger", init=False)
    """An instance of the account in no Auto Scaling group of the cluster."""
    instance: str
    """The instance id."""
    region: str
    """The instance's Region."""


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """An instance that only a row in a Region's table calls a member."""

    kind: Literal["claimed"] = field(default="claimed", init=False)
    """An instance that is no member: only a row of a table says so, and the Region of the row does not confirm it."""
    instance: str
    """The instance id in the row."""
    auto_scaling_group: str
    """`Region/group`, the key of the row."""
    table: str
    """The Region of the table that has the row."""


@dataclass(frozen=True, slots=True)
class OtherAddressItem:
    """An instance of the cluster that has the address, but not as one that is admitted."""

    kind: Literal["other address"] = field(default="other address", init=False)
    """An instance of the cluster whose address this is, although the cluster does not admit it by this address."""
    instance: str
    """The instance id."""
    auto_scaling_group: str
    """`Region/group`."""
    address_kind: AddressKind
    """The kind of the address."""
    prefix: str | None
    """The delegated prefix that the address lies in; null if the address is assigned by itself."""


IdentityItem = MemberItem | JoiningItem | DepartedItem | StaticItem | ClaimedItem | OtherAddressItem | StrangerItem


@dataclass(frozen=True, slots=True)
class AdviceItem:
    """What can be done."""

    why: str
    """What the advice is about."""
    command: str | None
    """The command, word for word; null where no command helps."""


@dataclass(frozen=True, slots=True)
class MakerItem:
    """The API call that made a rule."""

    who: str
    """The ARN of the caller."""
    action: str
    """The API operation."""
    event: str
    """CloudTrail's event id."""


@dataclass(frozen=True, slots=True)
class DoorItem:
    """A rule that admits the subject, or one that is missing."""

    region: str
    """The Region."""
    security_group: str
    """The security group's id."""
    address: str
    """The CIDR that is admitted, or would be."""
    ports: str
    """The ports."""
    rule: str | None
    """The rule's id; null for a missing rule."""
    description: str | None
    """The rule's description."""
    owned: bool
    """Whether the rule is Ringfence's."""
    verdict: DoorVerdict
    """`goes` and `comes`: at the next reconcile. `would`: in observe mode. `held`: by the guard. `kept`: the rule's
    member is unknown, and unknown is not absent. `owner unknown`: the rule has Ringfence's label, no member explains
    it, and no engine removes it."""
    reason: str | None
    """Why the rule goes, is refused or has no known owner; for `renamed`, the instance that it is named after next."""
    wider: bool
    """Whether the rule admits other addresses too."""
    since: str | None
    """When the rule was made, in UTC; null if neither the audit log nor CloudTrail reaches back to it."""
    causes: Sequence[str]
    """The ids of the events and true-ups that opened the door."""
    made_by: MakerItem | None
    """Who made the rule, by CloudTrail; null if the audit log explains it, or nothing does."""


@dataclass(frozen=True, slots=True)
class ExplainDocument:
    """What `ringfence explain --json` prints."""

    schema: Literal["ringfence.explain/1"] = field(default="ringfence.explain/1", init=False)
    """The name and version of this document."""
    subject: str
    """What the question was about."""
    addresses: Sequence[str]
    """The CIDRs that the subject has or had."""
    right: bool
    """Whether nothing has to be done about it."""
    identities: Sequence[IdentityItem]
    """Who the subject is; empty if it is unknown to the cluster."""
    doors: Sequence[DoorItem]
    """Each rule that admits the subject, and each that is missing. A network is admitted by rules for all of it."""
    narrower_rules: int
    """The number of rules that admit only a part of a network."""
    advice: Sequence[AdviceItem]
    """What can be done; empty if everything is right."""
    decisions: Sequence[LoggedDecisionItem]
    """The decisions about the subject's instances at lifecycle hooks, oldest first, as in `ringfence.history/1`."""
    history: Sequence[LoggedChangeItem]
    """The changes of rules about the subject, oldest first, as in `ringfence.history/1`."""
    unreachable: Mapping[Region, str]
    """The Regions that did not answer in time, each with the reason."""
