"""What the stacks of a cluster are deployed with, so that a new cluster file says the same of a cluster that runs.

Changes nothing. A Region without a stack has no settings. Which groups it has is found elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ringfence.core.configuration.setting import Scope, Setting
from ringfence.core.configuration.setting_table import TABLE
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cloudformation.present_stack import present_stack

_FOUND_OTHERWISE = ("auto_scaling_groups", "security_groups", "rules_quota", "private_addresses")
"""The groups are discovered and the quota is read. A new file always says which private addresses it means."""


@dataclass(frozen=True, slots=True)
class DeployedSettings:
    """The settings of the stacks that exist, by name: those that all of them share, and those of each Region.

    `differ` are the settings that should be shared and are not: of these, `shared` has none. `required` are the Regions
    that another one waits for.
    """

    shared: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[Region, Mapping[str, Any]] = field(default_factory=dict)
    differ: tuple[str, ...] = ()
    required: frozenset[Region] = frozenset()


def deployed_settings(aws: Aws, name: str, regions: Sequence[Region]) -> DeployedSettings:
    """The settings of the cluster's stacks in these Regions. What cannot be read is left out."""

    def read(region: Region) -> Mapping[str, str]:
        stack = present_stack(aws.client("cloudformation", region), f"ringfence-{name}")
        return {} if stack is None else stack.definition.parameters

    answers = aws.each_region(regions, read)
    return settings_of({region: found for region, found in answers.items() if not isinstance(found, Unreachable)})


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
        required=frozenset(Region(one) for found in deployed.values() for one in _list(found.get("RequiredPeers", ""))),
    )


def _first(values: Mapping[Region, Mapping[str, Any]], name: str) -> Any:
    return next(found[name] for found in values.values() if name in found)


def _values(parameters: Mapping[str, str], scope: Scope) -> dict[str, Any]:
    """The values of the settings of a scope that the cluster file has keys for."""
    found = {}
    for setting in _settings(scope):
        if setting.parameter_name in parameters:
            reading = setting.read(setting.split(parameters[setting.parameter_name]))
            if not reading.mistakes and not reading.limits:
                found[setting.name] = reading.value
    return found


def _settings(scope: Scope) -> Iterable[Setting]:
    return (one for one in TABLE if one.scope is scope and one.path and one.name not in _FOUND_OTHERWISE)


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]
