"""`ringfence.toml`: what a cluster is, as one checked value, and what each Region's engine and stack get of it.

Every mistake is told at once, with its line. Knows no AWS.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ringfence.core.model.addresses import AddressKind, Cidr, network
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.settings import GuardLimits, Mode, NoAddress, Settings
from ringfence_ops.aws.errors import CommandError

T = TypeVar("T")

NAME = "ringfence.toml"

_CLUSTER = re.compile(r"[a-z][a-z0-9-]{0,31}")
_REGION = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")
_HEADING = re.compile(r"\s*\[([^\[\]]+)\]")
_GROUP = re.compile(r"sg-[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class RegionOfCluster:
    """One Region's groups. `required` says that instances elsewhere wait for it."""

    region: Region
    auto_scaling_groups: tuple[str, ...]
    security_groups: tuple[SecurityGroupId, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster with every parameter of the template. Times are in seconds."""

    name: str
    regions: tuple[RegionOfCluster, ...]
    ports: Ports = Ports()
    address_kinds: frozenset[AddressKind] = frozenset({AddressKind.PUBLIC_IPV4})
    mode: Mode = Mode.OWNED
    static_members: tuple[Cidr, ...] = ()
    guard: GuardLimits = field(default_factory=GuardLimits)
    address_wait: int = 120
    no_address: NoAddress = NoAddress.CONTINUE
    peer_deadline: int = 5
    release_deadline: int = 300
    rules_quota: int = 60
    launch_heartbeat: int = 300
    launch_default_result: str = "CONTINUE"
    terminate_heartbeat: int = 900
    terminate_default_result: str = "CONTINUE"
    schedule: str = "rate(1 minute)"
    alarm_topic: str = ""
    stale_door_alarm_seconds: int = 60
    log_retention_days: int = 90
    log_level: str = "INFO"

    @property
    def region_names(self) -> tuple[Region, ...]:
        """The Regions in the file's order."""
        return tuple(one.region for one in self.regions)

    def of(self, region: Region) -> RegionOfCluster:
        """One Region's groups. Raises CommandError, with the nearest name, where the cluster has no such Region."""
        for one in self.regions:
            if one.region == region:
                return one
        raise CommandError(f"{region} is no Region of the cluster {self.name}{nearest(region, self.region_names)}")

    def settings(self, region: Region, account: str) -> Settings:
        """What the engine of the Region runs with."""
        own = self.of(region)
        return Settings(
            cluster=self.name,
            region=region,
            regions=self.region_names,
            auto_scaling_groups=own.auto_scaling_groups,
            security_groups=own.security_groups,
            account=account,
            launch_hook=f"ringfence-{self.name}-launch",
            terminate_hook=f"ringfence-{self.name}-terminate",
            ports=self.ports,
            address_kinds=self.address_kinds,
            static_members=self.static_members,
            mode=self.mode,
            required_peers=frozenset(self._required_peers(region)),
            address_wait=self.address_wait,
            no_address=self.no_address,
            peer_deadline=self.peer_deadline,
            release_deadline=self.release_deadline,
            guard=self.guard,
            rules_quota=self.rules_quota,
        )

    def parameters(self, region: Region) -> Mapping[str, str]:
        """The parameters of the Region's stack."""
        own = self.of(region)
        return {
            "ClusterName": self.name,
            "Regions": ",".join(self.region_names),
            "AutoScalingGroups": ",".join(own.auto_scaling_groups),
            "SecurityGroups": ",".join(own.security_groups),
            "Ports": str(self.ports),
            "AddressKinds": ",".join(sorted(kind.value for kind in self.address_kinds)),
            "StaticMembers": ",".join(self.static_members),
            "Mode": self.mode.value,
            "AddressWait": str(self.address_wait),
            "NoAddress": self.no_address.value,
            "PeerDeadline": str(self.peer_deadline),
            "ReleaseDeadline": str(self.release_deadline),
            "RequiredPeers": ",".join(self._required_peers(region)),
            "LaunchHeartbeat": str(self.launch_heartbeat),
            "LaunchDefaultResult": self.launch_default_result,
            "TerminateHeartbeat": str(self.terminate_heartbeat),
            "TerminateDefaultResult": self.terminate_default_result,
            "GuardPercent": str(self.guard.percent),
            "GuardMinimum": str(self.guard.minimum),
            "RulesQuota": str(self.rules_quota),
            "ScheduleExpression": self.schedule,
            "AlarmTopic": self.alarm_topic,
            "StaleDoorAlarmSeconds": str(self.stale_door_alarm_seconds),
            "LogRetentionDays": str(self.log_retention_days),
            "LogLevel": self.log_level,
        }

    def _required_peers(self, region: Region) -> list[Region]:
        return [one.region for one in self.regions if one.required and one.region != region]


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean ...?` with the nearest of the names, or all of them where none is near."""
    names = list(names)
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]}?" if near else f": it has {', '.join(names)}"


def read(path: Path) -> Cluster:
    """The cluster that the file describes. Raises CommandError with every mistake in it."""
    try:
        text = path.read_text()
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read ({error.strerror}): run `ringfence init`, or name one with --cluster-file"
        ) from None
    return parse(text, path)


def parse(text: str, path: Path) -> Cluster:
    """The cluster that the text describes; the path is for what is said of it. Raises CommandError with every mistake."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"{path} is not TOML: {error}") from None
    return _Reader(path, text).cluster(found)


def without(text: str, region: Region) -> str:
    """The text without the Region's table: from its heading up to the next one, with the comments in between."""
    kept, skips = [], False
    for line in text.splitlines(keepends=True):
        if heading := _HEADING.match(line):
            name = tuple(part.strip().strip("\"'") for part in heading[1].split("."))
            skips = name[:2] == ("regions", region)
        if not skips:
            kept.append(line)
    return "".join(kept).rstrip() + "\n"


class _Reader:
    """Turns the file's tables into a cluster, and collects what is wrong with them."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.mistakes: list[tuple[int, str]] = []

    def cluster(self, found: Mapping[str, Any]) -> Cluster:
        """Raises CommandError."""
        values: dict[str, Any] = {}
        for key, value in found.items():
            if key == "guard":
                values[key] = self._guard(value)
            elif key == "regions":
                values[key] = self._regions(value)
            elif key in _TOP:
                values[key] = self._value(key, value, _TOP[key], ())
            else:
                self._mistake(key, (), f"{key} is no setting{nearest(key, [*_TOP, 'guard', 'regions'])}")
        for key in ("name", "regions"):
            if key not in found:
                self.mistakes.append((0, f"{key} is missing"))
        if self.mistakes:
            said = "; ".join(f"line {line}: {what}" if line else what for line, what in sorted(self.mistakes))
            raise CommandError(f"{self.path}: {said}")
        return Cluster(**values)

    def _regions(self, found: Any) -> tuple[RegionOfCluster, ...]:
        regions = []
        for name, value in found.items() if isinstance(found, dict) else ():
            within = ("regions", name)
            if _REGION.fullmatch(name) is None:
                self._mistake(name, ("regions",), f"{name!r} is no Region: expected a code such as us-east-1")
            fields: dict[str, Any] = {}
            for key, each in value.items() if isinstance(value, dict) else ():
                if key in _REGIONAL:
                    fields[key] = self._value(key, each, _REGIONAL[key], within)
                else:
                    self._mistake(key, within, f"{key} is no setting of a Region{nearest(key, _REGIONAL)}")
            for key in ("auto_scaling_groups", "security_groups"):
                if not fields.setdefault(key, ()):
                    self._mistake(name, ("regions",), f"{name} has no {key}")
            regions.append(RegionOfCluster(Region(name), **fields))
        if not regions:
            self._mistake("regions", (), "regions: expected a table such as [regions.us-east-1]")
        return tuple(regions)

    def _guard(self, found: Any) -> GuardLimits:
        fields: dict[str, int] = {}
        if not isinstance(found, dict):
            self._mistake("guard", (), f"guard: expected a table such as {{ percent = 30 }}, got {found!r}")
            return GuardLimits()
        for key, value in found.items():
            if key in ("percent", "minimum"):
                fields[key] = self._value(key, value, _number, ("guard",))
            else:
                self._mistake(
                    key, ("guard",), f"{key} is no setting of the guard{nearest(key, ('percent', 'minimum'))}"
                )
        return GuardLimits(**fields)

    def _value(self, key: str, value: Any, parse: Callable[[Any], T], within: tuple[str, ...]) -> T:
        try:
            return parse(value)
        except (TypeError, ValueError) as error:
            self._mistake(key, within, f"{key}: {error}")
            return None  # type: ignore[return-value]  # a mistake: the cluster is never made

    def _mistake(self, key: str, within: tuple[str, ...], what: str) -> None:
        self.mistakes.append((self._line(key, within), what))

    def _line(self, key: str, within: tuple[str, ...]) -> int:
        """The line on which the key stands, 0 where it is written in a way that is not looked for."""
        table: tuple[str, ...] = ()
        for number, line in enumerate(self.lines, 1):
            if heading := _HEADING.match(line):
                table = tuple(part.strip().strip("\"'") for part in heading[1].split("."))
                if table == (*within, key):
                    return number
            elif table == within and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return 0


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text in quotes, got {value!r}")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"expected a whole number, got {value!r}")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, got {value!r}")
    return value


def _many(parse: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    def parse_all(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise TypeError(f"expected a list in brackets, got {value!r}")
        parsed, wrong = [], []
        for each in value:
            try:
                parsed.append(parse(each))
            except (TypeError, ValueError) as error:
                wrong.append(str(error))
        if wrong:
            raise ValueError(", and ".join(wrong))
        return tuple(parsed)

    return parse_all


def _like(pattern: re.Pattern[str], example: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if pattern.fullmatch(_text(value)) is None:
            raise ValueError(f"expected one such as {example}, got {value!r}")
        return str(value)

    return parse


def _one_of(names: Iterable[str], make: Callable[[str], T]) -> Callable[[Any], T]:
    known = list(names)

    def parse(value: Any) -> T:
        if _text(value) not in known:
            near = difflib.get_close_matches(value, known, 1)
            raise ValueError(f"expected one of {', '.join(known)}, got {value!r}" + (f": {near[0]}?" if near else ""))
        return make(value)

    return parse


_RESULTS = _one_of(("CONTINUE", "ABANDON"), str)

_TOP: Mapping[str, Callable[[Any], Any]] = {
    "name": _like(_CLUSTER, "my-cluster"),
    "ports": lambda value: Ports.parse(_text(value)),
    "address_kinds": lambda value: frozenset(_many(_one_of([kind.value for kind in AddressKind], AddressKind))(value)),
    "mode": _one_of([mode.value for mode in Mode], Mode),
    "static_members": _many(lambda value: network(_text(value))),
    "address_wait": _number,
    "no_address": _one_of([each.value for each in NoAddress], NoAddress),
    "peer_deadline": _number,
    "release_deadline": _number,
    "rules_quota": _number,
    "launch_heartbeat": _number,
    "launch_default_result": _RESULTS,
    "terminate_heartbeat": _number,
    "terminate_default_result": _RESULTS,
    "schedule": _text,
    "alarm_topic": _text,
    "stale_door_alarm_seconds": _number,
    "log_retention_days": _number,
    "log_level": _one_of(("DEBUG", "INFO", "WARNING", "ERROR"), str),
}

_REGIONAL: Mapping[str, Callable[[Any], Any]] = {
    "auto_scaling_groups": _many(_text),
    "security_groups": _many(lambda value: SecurityGroupId(_like(_GROUP, "sg-0123456789abcdef0")(value))),
    "required": _truth,
}
