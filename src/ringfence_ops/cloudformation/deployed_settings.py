"""What the stacks of a cluster are deployed with, so that a new cluster file says the same of a cluster that runs.

Changes nothing. A Region without a stack has no settings. Which groups it has is found elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ringfence.core.configuration.setting import Reading, Scope, Setting
from ringfence.core.configuration.setting_table import SETTINGS, TABLE
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cloudformation.present_stack import present_parameters

_FOUND_OTHERWISE = ("auto_scaling_groups", "security_groups", "rules_quota", "private_addresses")
"""The groups are discovered and the quota is read. A new file always says which private addresses it means."""


@dataclass(frozen=True, slots=True)
class DeployedSettings:
    """The settings of the stacks that exist, by name: those that all of them share, and those of each Region.

    `differ` are the settings that should be shared and are not: of these, `shared` has none. `required` are the Regions
    that another one waits for. `unread` are the Regions whose stack could not be read, and why.
    """

    shared: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[Region, Mapping[str, Any]] = field(default_factory=dict)
    differ: tuple[str, ...] = ()
    required: frozenset[Region] = frozenset()
    unread: Mapping[Region, str] = field(default_factory=dict)


def deployed_settings(aws: Aws, name: str, regions: Sequence[Region]) -> DeployedSettings:
    """The settings of the cluster's stacks in these Regions."""

    def read(region: Region) -> Mapping[str, str]:
        return present_parameters(aws.client("cloudformation", region), f"ringfence-{name}")

    answers = aws.each_region(regions, read)
    found = settings_of({region: one for region, one in answers.items() if not isinstance(one, Unreachable)})
    return replace(
        found, unread={region: one.reason for region, one in answers.items() if isinstance(one, Unreachable)}
    )


def settings_of(parameters: Mapping[Region, Mapping[str, str]]) -> DeployedSettings:
    """The settings that the parameters of the stacks say."""
    deployed = {region: found for region, found in parameters.items() if found}
    values = {region: _values(found, Scope.CLUSTER) for region, found in deployed.items()}
    names = dict.fromkeys(name for found in values.values() for name in found)
    differ = tuple(name for name in names if any(found.get(name) != _first(values, name) for found in values.values()))
    return DeployedSettings(
        shared={name: _first(values, name) for name in names if name not in differ},
        own={region: _values(found, Scope.REGION) for region, found in deployed.items()},
        differ=differ,
        required=frozenset(region for found in deployed.values() for region in _required_peers(found)),
    )


def _first(values: Mapping[Region, Mapping[str, Any]], name: str) -> Any:
    return next(found[name] for found in values.values() if name in found)


def _values(parameters: Mapping[str, str], scope: Scope) -> dict[str, Any]:
    """The values of the settings of a scope that the cluster file has keys for."""
    settings = (one for one in TABLE if one.scope is scope and one.path and one.name not in _FOUND_OTHERWISE)
    readings = {setting.name: _read(setting, parameters) for setting in settings}
    return {name: reading.value for name, reading in readings.items() if reading is not None}


def _required_peers(parameters: Mapping[str, str]) -> Iterable[Region]:
    """The Regions that the stack's Region waits for. The cluster file says it of these Regions themselves."""
    reading = _read(SETTINGS["required_peers"], parameters)
    return () if reading is None else reading.value


def _read(setting: Setting, parameters: Mapping[str, str]) -> Reading | None:
    """What a parameter says; None where there is no such parameter, or one that no cluster file may have."""
    if setting.parameter_name not in parameters:
        return None
    reading = setting.read(setting.split(parameters[setting.parameter_name]))
    return None if reading.mistakes or reading.limits else reading
