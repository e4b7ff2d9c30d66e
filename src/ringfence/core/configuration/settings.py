"""What an operator configures, as one checked value.

Pure: `config` reads it from the environment; nothing here knows where it came from. What each setting may be, and what
it is called elsewhere, is in `setting_table`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from ringfence.core.configuration import schedule
from ringfence.core.configuration.choices import Mode, NoAddress
from ringfence.core.configuration.setting_table import DEFAULTS
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports

__all__ = ["GuardLimits", "Mode", "NoAddress", "Settings"]


ANNOUNCEMENT_WAIT = 90
"""Seconds for which an instance waits for a peer whose deployment is in progress. A deployment announces its Region
before its hooks exist, about a minute after its table: see docs/decisions/0022."""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Unexplained removals of more than `percent` of a group's owned rules, and at least `minimum` of them, need a
    second observation."""

    percent: int = DEFAULTS["guard_percent"]
    minimum: int = DEFAULTS["guard_minimum"]


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
    ports: Ports = DEFAULTS["ports"]
    address_kinds: frozenset[AddressKind] = DEFAULTS["address_kinds"]
    static_members: tuple[Cidr, ...] = DEFAULTS["static_members"]
    mode: Mode = DEFAULTS["mode"]
    required_peers: frozenset[Region] = frozenset()
    address_wait: int = DEFAULTS["address_wait"]
    no_address: NoAddress = DEFAULTS["no_address"]
    peer_deadline: int = DEFAULTS["peer_deadline"]
    release_deadline: int = DEFAULTS["release_deadline"]
    announcement_wait: int = ANNOUNCEMENT_WAIT
    guard: GuardLimits = field(default_factory=GuardLimits)
    rules_quota: int = DEFAULTS["rules_quota"]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From values by the names of their settings; what the engine does not work with is left out."""
        grouped = {
            "guard": GuardLimits(values["guard_percent"], values["guard_minimum"]),
            "required_peers": frozenset(values["required_peers"]),
            "announcement_wait": announcement_wait(values),
        }
        known = {setting.name for setting in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known} | grouped)

    @property
    def peers(self) -> tuple[Region, ...]:
        """Every Region of the cluster but this one."""
        return tuple(region for region in self.regions if region != self.region)


def announcement_wait(values: Mapping[str, Any]) -> int:
    """Seconds for which an instance waits for a new peer: less if the launch hook's heartbeat would be over first.

    The hook may have held the instance for an address before, and the true-up that ends the wait comes up to one period
    of the schedule later. A value that is not given is the default's.
    """
    heartbeat: int = values.get("launch_heartbeat") or DEFAULTS["launch_heartbeat"]
    address_wait: int = values["address_wait"]
    try:
        period = schedule.period(values.get("schedule") or DEFAULTS["schedule"])
    except ValueError:
        period = schedule.period(DEFAULTS["schedule"])
    return max(0, min(ANNOUNCEMENT_WAIT, heartbeat - address_wait - period))
