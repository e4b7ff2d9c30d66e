"""`ringfence.toml`: what a cluster is, as one checked value, and what each Region's engine and stack get of it.

Reports all mistakes together, each with its line. The table of settings (`setting_table`) says what a setting may be.
Knows no AWS.
"""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ringfence.core.configuration.relations import broken_relations, topic_region
from ringfence.core.configuration.setting import Number, Scope, Setting, Text
from ringfence.core.configuration.setting_table import SETTINGS, TABLE, Table, defaults
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence_ops.cluster.toml_lines import line_of, without_region
from ringfence_ops.errors import CommandError, WrongUsage

NAME = "ringfence.toml"

_OF_REGION = ("auto_scaling_groups", "security_groups")
"""The settings that each Region must have; the others of a Region have defaults."""


@dataclass(frozen=True, slots=True)
class RegionOfCluster:
    """One Region's groups. `required` says that instances elsewhere wait for it. `values` are its other settings, by
    name."""

    region: Region
    auto_scaling_groups: tuple[str, ...]
    security_groups: tuple[SecurityGroupId, ...]
    required: bool = False
    values: Mapping[str, Any] = field(default_factory=lambda: defaults(TABLE, Scope.REGION))


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster. `values` are the settings that all Regions share, by name, the name of the cluster apart.

    `given` are the names of those that the file says. `quotas` are the account's quotas of rules, as they were read:
    they hold in place of the default, but not of what the file says.
    """

    name: str
    regions: tuple[RegionOfCluster, ...]
    values: Mapping[str, Any] = field(default_factory=lambda: shared_defaults(TABLE))
    given: frozenset[str] = field(default=frozenset(), compare=False)
    quotas: Mapping[Region, int] = field(default_factory=dict, compare=False)

    @property
    def says_quota(self) -> bool:
        """Whether the file says the quota of rules."""
        return "rules_quota" in self.given

    def knows_quota(self, region: Region) -> bool:
        """Whether the quota of rules in the Region is what the file says or what was read, and no default."""
        return self.says_quota or region in self.quotas

    def with_quotas(self, quotas: Mapping[Region, int]) -> "Cluster":
        """The cluster with the account's quotas of rules in these Regions."""
        return replace(self, quotas=quotas)

    @property
    def region_names(self) -> tuple[Region, ...]:
        """The Regions in the file's order."""
        return tuple(member.region for member in self.regions)

    @property
    def ports(self) -> Ports:
        """The ports on which members are admitted."""
        ports: Ports = self.values["ports"]
        return ports

    @property
    def address_kinds(self) -> frozenset[AddressKind]:
        """The kinds of addresses that members use."""
        kinds: frozenset[AddressKind] = self.values["address_kinds"]
        return kinds

    @property
    def static_members(self) -> tuple[Cidr, ...]:
        """The CIDRs that are always admitted."""
        members: tuple[Cidr, ...] = self.values["static_members"]
        return members

    def of(self, region: Region) -> RegionOfCluster:
        """One Region's groups. Raises WrongUsage, with the nearest name, where the cluster has no such Region."""
        for member in self.regions:
            if member.region == region:
                return member
        raise WrongUsage(f"{region} is no Region of the cluster {self.name}{nearest(region, self.region_names)}")

    def values_of(self, region: Region) -> Mapping[str, Any]:
        """The value of every setting in one Region, by name, and the Region itself as `region`."""
        own = self.of(region)
        measured = {} if self.says_quota or region not in self.quotas else {"rules_quota": self.quotas[region]}
        return {
            **self.values,
            **measured,
            **own.values,
            "cluster": self.name,
            "region": region,
            "regions": self.region_names,
            "auto_scaling_groups": own.auto_scaling_groups,
            "security_groups": own.security_groups,
            "required_peers": tuple(
                member.region for member in self.regions if member.required and member.region != region
            ),
        }

    def settings(self, region: Region, account: str) -> Settings:
        """What the engine of the Region runs with."""
        hooks = {f"{which}_hook": f"ringfence-{self.name}-{which}" for which in ("launch", "terminate")}
        return Settings.of({**self.values_of(region), **hooks, "account": account})

    def parameters(self, region: Region, table: Table = TABLE) -> Mapping[str, str]:
        """The parameters of the Region's stack."""
        values = self.values_of(region)
        return {setting.parameter_name: ",".join(setting.texts(values[setting.name])) for setting in table}

    def broken_relations(self) -> list[str]:
        """The relations between settings that do not hold, each once."""
        found = (broken for region in self.region_names for broken in broken_relations(self.values_of(region)))
        return list(dict.fromkeys(broken.message for broken in found))


def shared_defaults(table: Table) -> Mapping[str, Any]:
    """The defaults of the settings that all Regions share and that the cluster file has keys for."""
    shared = defaults(table, Scope.CLUSTER)
    return {setting.name: shared[setting.name] for setting in table if setting.name in shared and setting.path}


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean ...?` with the nearest of the names, or all of them where none is near."""
    names = list(names)
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]}?" if near else f": it has {', '.join(names)}"


def read(path: Path) -> Cluster:
    """The cluster that the file describes. Raises WrongUsage with every mistake in it."""
    return parse(text_of(path), path)


def text_of(path: Path) -> str:
    """The text of the cluster file, without the byte order mark that some editors write. Raises WrongUsage."""
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: the file's name has a null character
        why = error.strerror if isinstance(error, OSError) else error
        raise WrongUsage(
            f"{path} cannot be read ({why}): run `ringfence init`, or name one with --cluster-file"
        ) from None
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise WrongUsage(f"{path} is no UTF-8 text: line {line} has the byte 0x{byte:02x}: save it as UTF-8") from None


def parse(text: str, path: Path, table: Table = TABLE) -> Cluster:
    """The cluster that the text describes; the path is for messages. Raises WrongUsage with every mistake."""
    try:
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond Python's limits is no TOMLDecodeError
        raise WrongUsage(f"{path} is not TOML: {error}") from None
    reader = _Reader(text, table)
    cluster = reader.cluster(found)
    if reader.mistakes:
        ordered = sorted(dict.fromkeys(reader.mistakes))
        said = "; ".join(f"line {line}: {what}" if line else what for line, what in ordered)
        raise WrongUsage(f"{path}: {said}")
    return cluster


def without(text: str, region: Region) -> str:
    """The text without the Region's table. The comments and the order of everything else stay."""
    try:
        return without_region(text, region)
    except TOMLKitError as error:
        raise CommandError(f"the cluster file cannot be edited: {error}") from None


class _Reader:
    """Turns the file's tables into a cluster, and collects what is wrong with them."""

    def __init__(self, text: str, table: Table) -> None:
        self.lines = text.splitlines()
        self.table = table
        self.regions: frozenset[str] = frozenset()
        self.mistakes: list[tuple[int, str]] = []

    def cluster(self, found: Mapping[str, Any]) -> Cluster:
        """The cluster. With mistakes, some of its values are None."""
        self.regions = frozenset(found["regions"]) if isinstance(found.get("regions"), dict) else frozenset()
        rows = [setting for setting in self.table if setting.scope is Scope.CLUSTER and setting.path]
        given = self._values(found, rows, (), ["regions"])
        values = {**shared_defaults(self.table), **given}
        for key in ("name", "regions"):
            if key not in found:
                self.mistakes.append((0, f"{key} is missing"))
        regions = self._regions(found["regions"]) if "regions" in found else ()
        name = values.pop("cluster", "")
        cluster = Cluster(name, regions, values, frozenset(given))
        for member in regions:
            self._relations(cluster, member.region)
        return cluster

    def _values(
        self, found: Mapping[str, Any], rows: list[Setting], within: tuple[str, ...], others: list[str]
    ) -> dict[str, Any]:
        """The values in a table of the file, by the names of their settings. `others` are the table's further keys."""
        by_path = {setting.path: setting for setting in rows}
        groups = {path[:-1] for path in by_path if len(path) > 1}
        values = {}
        for path, value in _leaves(found, groups):
            setting = by_path.get(path)
            if setting is not None:
                values[setting.name] = self._value(setting, value, (*within, *path))
            elif path in groups:
                example = next(setting for setting in rows if setting.path[:-1] == path)
                said = f"expected a table such as {{ {example.path[-1]} = {example.default} }}, got {value!r}"
                self._mistake((*within, *path), f"{'.'.join(path)}: {said}")
            elif path[0] not in others:
                self._mistake((*within, *path), self._unknown(path, value, within, [*by_path, *((o,) for o in others)]))
        return values

    def _unknown(self, path: tuple[str, ...], value: Any, within: tuple[str, ...], known: list[tuple[str, ...]]) -> str:
        """What is said of a key that is no setting of its table."""
        setting = next((row for row in self.table if row.path == path), None)
        if setting is not None and setting.scope is Scope.REGION and not within:
            return self._of_region(setting, value)
        siblings = list(dict.fromkeys(key[len(path) - 1] for key in known if key[: len(path) - 1] == path[:-1]))
        owner = f" of the {path[-2]}" if len(path) > 1 else " of a Region" if within else ""
        return f"{path[-1]} is no setting{owner}{nearest(path[-1], siblings)}"

    def _of_region(self, setting: Setting, value: Any) -> str:
        """What is said of a Region's setting that is outside of the Regions' tables, as `alarm_topic` was in 0.1."""
        said = f"{setting.name} is a setting of each Region: delete this line"
        if not value:
            return said
        region = topic_region(str(value)) if setting.name == "alarm_topic" else ""
        if region and region not in self.regions:
            return f"{said}, since the cluster has no Region {region} and alarms notify topics of their own Region"
        line = f"{setting.path[-1]} = {tomlkit.item(value).as_string()}"
        return f"{said}, and write {line} under {f'[regions.{region}]' if region else 'the heading of each Region'}"

    def _regions(self, found: Any) -> tuple[RegionOfCluster, ...]:
        code = SETTINGS["regions"]
        rows = [setting for setting in self.table if setting.scope is Scope.REGION]
        regions = []
        for name, value in found.items() if isinstance(found, dict) else ():
            within = ("regions", name)
            if code.read([name]).limits:
                self._mistake(within, f"{name!r} is no Region: expected a code such as us-east-1")
            table = value if isinstance(value, dict) else {}
            values = {**defaults(self.table, Scope.REGION), **self._values(table, rows, within, ["required"])}
            groups = [values.pop(key, None) or () for key in _OF_REGION]
            for key, group in zip(_OF_REGION, groups, strict=True):
                if not group and not table.get(key):
                    self._mistake(within, f"{name} has no {key}")
            required = table.get("required", False)
            if not isinstance(required, bool):
                self._mistake((*within, "required"), f"required: expected true or false, got {required!r}")
            regions.append(RegionOfCluster(Region(name), groups[0], groups[1], required, values))
        if not regions:
            self._mistake(("regions",), "regions: expected a table such as [regions.us-east-1]")
        return tuple(regions)

    def _value(self, setting: Setting, value: Any, path: tuple[str, ...]) -> Any:
        key = ".".join(setting.path)
        texts, said = _texts(setting, value)
        reading = setting.read(texts) if not said else None
        if reading is None or reading.mistakes or reading.limits:
            wrong = said if reading is None else ", and ".join([*reading.mistakes, *reading.limits])
            self._mistake(path, f"{key}: {wrong}{_hint(setting, value)}")
            return None
        return reading.value

    def _relations(self, cluster: Cluster, region: Region) -> None:
        for broken in broken_relations(cluster.values_of(region)):
            lines = [self._line(self._path(SETTINGS[name], region)) for name in broken.settings]
            self.mistakes.append((next(filter(None, lines), 0), broken.message))

    @staticmethod
    def _path(setting: Setting, region: Region) -> tuple[str, ...]:
        return setting.path if setting.scope is Scope.CLUSTER else ("regions", region, *setting.path)

    def _mistake(self, path: tuple[str, ...], what: str) -> None:
        line = self._line(path) or self._line(path[:-1])
        self.mistakes.append((line, what))

    def _line(self, path: tuple[str, ...]) -> int:
        return line_of(self.lines, path)


def _leaves(found: Mapping[str, Any], groups: set[tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The keys of a table with their values; those of a table that groups settings, such as `guard`, one by one."""
    for key, value in found.items():
        if (key,) in groups and isinstance(value, dict):
            yield from (((key, inner), each) for inner, each in value.items())
        else:
            yield (key,), value


def _texts(setting: Setting, value: Any) -> tuple[list[str], str]:
    """The texts of a value as TOML has it; or what is wrong with its type."""
    if isinstance(setting.type, Number):
        if isinstance(value, int) and not isinstance(value, bool):
            return [str(value)], ""
        return [], f"must be {setting.type.must_be}, got {value!r}"
    if not setting.is_list:
        return ([value], "") if isinstance(value, str) else ([], f"expected a text in quotes, got {value!r}")
    if not isinstance(value, list):
        return [], f"expected a list in brackets, got {value!r}"
    wrong = [part for part in value if not isinstance(part, str)]
    return (value, "") if not wrong else ([], f"expected a text in quotes, got {wrong[0]!r}")


def _hint(setting: Setting, value: Any) -> str:
    """The nearest of the values that a setting takes, if one is near."""
    allowed = setting.type.allowed
    if isinstance(setting.type, Text):
        near = difflib.get_close_matches(str(value), map(str, allowed), 1)
        return f"; did you mean {near[0]}?" if near else ""
    if allowed and isinstance(value, int):
        return f"; the nearest is {min(setting.type.allowed, key=lambda number: abs(number - value))}"
    return ""
