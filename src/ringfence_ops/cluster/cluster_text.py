"""Writes `ringfence.toml`, with a comment for each setting, so that the file is its own manual.

Pure. A setting that has its default is written as a comment. The words and the order are those of
`ringfence.core.configuration.setting_table`.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from ringfence.core.configuration.setting import Number, Scope, Setting
from ringfence.core.configuration.setting_table import SETTINGS, TABLE, Table
from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster

_WIDTH = 116

_BARE_KEY = re.compile("[A-Za-z0-9_-]+")
"""A key that TOML takes without quotes."""

_REQUIRED = "true: instances of every Region wait for this Region while it does not answer."


def written(cluster: Cluster, table: Table = TABLE) -> str:
    """The file. `cluster_file.parse` reads the same cluster from it."""
    return "\n".join(_lines(cluster, table)).rstrip() + "\n"


def _lines(cluster: Cluster, table: Table) -> Iterator[str]:
    yield "# A cluster that Ringfence manages. A setting that is commented out has its default, which is shown."
    yield ""
    yield from _comment(SETTINGS["cluster"].description)
    yield f"name = {_toml(SETTINGS['cluster'], cluster.name)}"
    for setting in table:
        if setting.scope is Scope.CLUSTER and setting.path and setting.name != "cluster":
            yield ""
            yield from _setting(setting, cluster.values[setting.name])
    yield ""
    yield "# The Regions: the Auto Scaling groups whose instances are members, and the security groups to manage."
    for region in cluster.regions:
        yield from _region(region, table)


def _region(own: RegionOfCluster, table: Table) -> Iterator[str]:
    yield f"[regions.{own.region if _BARE_KEY.fullmatch(own.region) else _string(own.region)}]"
    yield f"auto_scaling_groups = {_toml(SETTINGS['auto_scaling_groups'], own.auto_scaling_groups)}"
    yield f"security_groups = {_toml(SETTINGS['security_groups'], own.security_groups)}"
    yield f"required = true  # {_REQUIRED}" if own.required else f"# required = false  # {_REQUIRED}"
    for setting in table:
        if setting.scope is Scope.REGION and setting.name in own.values:
            yield from _setting(setting, own.values[setting.name])
    yield ""


def _setting(setting: Setting, value: Any) -> Iterator[str]:
    """A setting with its comment, commented out where it has its default."""
    yield from _comment(f"{setting.description}{_values(setting)}")
    is_default = setting.default is not None and value == setting.default_value
    yield f"{'# ' if is_default else ''}{'.'.join(setting.path)} = {_toml(setting, value)}"


def _values(setting: Setting) -> str:
    """A sentence about the values of a setting, where its description does not name them."""
    if isinstance(setting.type, Number):
        return f" {setting.type.must_be[0].upper()}{setting.type.must_be[1:]}."
    if not setting.type.allowed or all(value in setting.description for value in setting.type.allowed):
        return ""
    return f" One of {', '.join(setting.type.allowed)}."


def _comment(words: str) -> Iterator[str]:
    yield from textwrap.wrap(words, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _toml(setting: Setting, value: Any) -> str:
    """The value in TOML."""
    texts = setting.texts(value)
    if isinstance(setting.type, Number):
        return texts[0]
    return f"[{', '.join(map(_string, texts))}]" if setting.is_list else _string(texts[0])


def _string(text: str) -> str:
    """A string in TOML. Names come from AWS: what an editor or a terminal does not show as itself is escaped."""
    return "".join(map(_character, json.dumps(text, ensure_ascii=False)))


def _character(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
