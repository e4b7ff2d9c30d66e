"""The only reader of the environment: turns the stack's parameters into checked Settings.

Knows no AWS client. Every mistake is told at once, in the words of the stack's parameters.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ringfence.core.errors import Permanent
from ringfence.core.model.addresses import AddressKind, network
from ringfence.core.model.identifiers import STATIC, Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rules import DESCRIPTION_LIMIT, Label, is_describable
from ringfence.core.settings import GuardLimits, Mode, NoAddress, Settings

T = TypeVar("T")

_CLUSTER = re.compile(r"[a-z][a-z0-9-]{0,31}")
_INSTANCE_ID_LENGTH = len("i-0123456789abcdef0")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the stack says of itself: where the table and the dead-letter queue are."""

    settings: Settings
    table: str
    dead_letter_queue_url: str


def read(environment: Mapping[str, str]) -> Deployment:
    """The deployment that the function's environment describes. Raises Permanent, which names every mistake."""
    reader = _Reader(environment)
    settings = Settings(
        cluster=reader.one("CLUSTER", _cluster),
        region=Region(environment.get("AWS_REGION", "")),
        regions=reader.many("REGIONS", Region),
        auto_scaling_groups=reader.many("AUTO_SCALING_GROUPS", str),
        security_groups=reader.many("SECURITY_GROUPS", SecurityGroupId),
        account=reader.one("ACCOUNT", str),
        launch_hook=reader.one("LAUNCH_HOOK", str),
        terminate_hook=reader.one("TERMINATE_HOOK", str),
        ports=reader.one("PORTS", Ports.parse, "auto"),
        address_kinds=frozenset(reader.many("ADDRESS_KINDS", AddressKind, "public-ipv4")),
        static_members=reader.many("STATIC_MEMBERS", network, ""),
        mode=reader.one("MODE", Mode, "owned"),
        required_peers=frozenset(reader.many("REQUIRED_PEERS", Region, "")),
        address_wait=reader.one("ADDRESS_WAIT", _seconds, "120"),
        no_address=reader.one("NO_ADDRESS", NoAddress, "continue"),
        peer_deadline=reader.one("PEER_DEADLINE", _seconds, "5"),
        release_deadline=reader.one("RELEASE_DEADLINE", _seconds, "300"),
        guard=GuardLimits(
            reader.one("GUARD_PERCENT", _whole_number, "30"), reader.one("GUARD_MINIMUM", _whole_number, "10")
        ),
        rules_quota=reader.one("RULES_QUOTA", _whole_number, "60"),
    )
    table = reader.one("TABLE", str)
    dead_letter_queue_url = reader.one("DEAD_LETTER_QUEUE_URL", str)
    mistakes = reader.mistakes + ([] if reader.mistakes else _contradictions(settings))
    if mistakes:
        raise Permanent("the configuration is wrong: " + "; ".join(mistakes))
    return Deployment(settings, table, dead_letter_queue_url)


@dataclass(slots=True)
class _Reader:
    """Reads variables and collects what is wrong with them."""

    environment: Mapping[str, str]
    mistakes: list[str] = field(default_factory=list)

    def one(self, name: str, parse: Callable[[str], T], default: str | None = None) -> T:
        text = self.environment.get(f"RINGFENCE_{name}", "").strip() or default
        if text is None:
            self.mistakes.append(f"RINGFENCE_{name} is missing")
            return None  # type: ignore[return-value]  # a mistake: the settings are never used
        try:
            return parse(text)
        except ValueError as error:
            self.mistakes.append(f"RINGFENCE_{name}: {error}")
            return None  # type: ignore[return-value]  # likewise

    def many(self, name: str, parse: Callable[[str], T], default: str | None = None) -> tuple[T, ...]:
        text = self.environment.get(f"RINGFENCE_{name}", "") or default
        parts = [part.strip() for part in (text or "").split(",") if part.strip()]
        if text is None or (not parts and default != ""):
            self.mistakes.append(f"RINGFENCE_{name} is missing")
        values = []
        for part in dict.fromkeys(parts):
            try:
                values.append(parse(part))
            except ValueError as error:
                self.mistakes.append(f"RINGFENCE_{name}: {error}")
        return tuple(values)


def _contradictions(settings: Settings) -> list[str]:
    """What is wrong with settings that are each right by themselves."""
    found = []
    if settings.region not in settings.regions:
        found.append(f"{settings.region} itself is not among the Regions {', '.join(settings.regions)}")
    if strangers := settings.required_peers - set(settings.peers):
        found.append(f"a required peer is no peer of {settings.region}: {', '.join(sorted(strangers))}")
    for name in settings.auto_scaling_groups:
        label = str(Label(settings.cluster, RosterKey(settings.region, name), "i" * _INSTANCE_ID_LENGTH))
        if name == STATIC or not is_describable(name):
            found.append(f"the Auto Scaling group's name {name!r} cannot stand in a rule's description")
        elif len(label) > DESCRIPTION_LIMIT:
            found.append(f"the Auto Scaling group's name {name!r} is too long for a rule's description")
    return found


def _cluster(text: str) -> str:
    if _CLUSTER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no cluster's name: 1 to 32 of a-z, 0-9 and -, the first a letter")
    return text


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _seconds(text: str) -> int:
    seconds = _whole_number(text)
    if seconds == 0:
        raise ValueError("0 is no time to wait")
    return seconds
