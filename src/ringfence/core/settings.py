"""What an operator configures, as one checked value.

Pure: `config` reads it from the environment; nothing here knows where it came from.
"""

from dataclasses import dataclass, field
from enum import Enum

from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports


class Mode(Enum):
    """What Ringfence may change."""

    OBSERVE = "observe"  # nothing: it says what it would do, and lets every instance go on at once
    OWNED = "owned"  # its own rules only
    MIRROR = "mirror"  # on the managed ports, any CIDR that is no member's: what the original sample did


class NoAddress(Enum):
    """What becomes of a launching instance that has no address of a configured kind when its wait is over."""

    CONTINUE = "continue"
    ABANDON = "abandon"


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Unexplained removals of more than `percent` of a group's owned rules, and at least `minimum` of them,
    need a second observation."""

    percent: int = 30
    minimum: int = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """One Region's configuration. Times are in seconds."""

    cluster: str
    region: Region
    regions: tuple[Region, ...]
    auto_scaling_groups: tuple[str, ...]
    security_groups: tuple[SecurityGroupId, ...]
    account: str
    launch_hook: str
    terminate_hook: str
    ports: Ports = Ports()
    address_kinds: frozenset[AddressKind] = frozenset({AddressKind.PUBLIC_IPV4})
    static_members: tuple[Cidr, ...] = ()
    mode: Mode = Mode.OWNED
    required_peers: frozenset[Region] = frozenset()
    address_wait: int = 120
    no_address: NoAddress = NoAddress.CONTINUE
    peer_deadline: int = 5
    release_deadline: int = 300
    guard: GuardLimits = field(default_factory=GuardLimits)
    rules_quota: int = 60

    @property
    def peers(self) -> tuple[Region, ...]:
        """Every Region of the cluster but this one."""
        return tuple(region for region in self.regions if region != self.region)
