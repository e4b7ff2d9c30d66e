"""Writes `ringfence.toml`, with a comment for each setting, so that the file is its own manual.

Pure. What is as by default stands there commented out.
"""

import json
from collections.abc import Iterator
from dataclasses import fields

from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster

_SETTINGS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("ports",),
        """What members are admitted on. auto: every port on which a security group admits itself; else a list such as
        tcp/7000-7001,tcp/9042.""",
    ),
    (("address_kinds",), "Which addresses of a member are admitted: public-ipv4, private-ipv4, ipv6."),
    (
        ("mode",),
        """owned: Ringfence changes its own rules alone. mirror: on the managed ports it removes every other CIDR too.
        observe: it plans, logs and measures, and changes no rule.""",
    ),
    (("static_members",), "CIDRs that are always admitted, such as a monitoring host's."),
    (
        ("address_wait", "no_address"),
        "Seconds for which a launching instance may be without an address; and then: continue or abandon.",
    ),
    (("peer_deadline",), "Seconds that another Region's turn may take while a hook waits."),
    (
        ("release_deadline",),
        """Seconds for which a terminating instance waits for a Region that does not answer. Then it goes on, and what
        is still open is counted as a stale door.""",
    ),
    (
        ("rules_quota",),
        """How many inbound rules a security group may hold for each address family: the account's quota "Inbound or
        outbound rules per security group".""",
    ),
    (
        ("launch_heartbeat", "launch_default_result", "terminate_heartbeat", "terminate_default_result"),
        "Seconds for which the hooks wait; and if nobody answers: CONTINUE or ABANDON.",
    ),
    (("schedule",), "How often everything is trued up."),
    (
        ("alarm_topic", "stale_door_alarm_seconds"),
        """The ARN of an SNS topic for the alarms, empty for alarms that tell nobody; and after how many seconds a stale
        door is one.""",
    ),
    (
        ("log_retention_days", "log_level"),
        "Days for which the audit log is kept; and what is logged: DEBUG, INFO, WARNING or ERROR.",
    ),
)
"""The settings that share some words, with the words."""

_GUARD = """Removals that nothing explains wait for a second look, if they are at least `minimum`, and more than
`percent` of a group's rules."""
_REQUIRED = "true: instances everywhere wait for this Region, for as long as it does not answer"


def written(cluster: Cluster) -> str:
    """The file. `cluster_file.parse` reads the same cluster from it."""
    return "\n".join(_lines(cluster)).rstrip() + "\n"


def _lines(cluster: Cluster) -> Iterator[str]:
    yield "# A cluster that Ringfence looks after. What is commented out is as by default."
    yield ""
    yield "# Names the stacks, tables, functions and hooks: it cannot be changed later."
    yield f"name = {_toml(cluster.name)}"
    default = Cluster("any", ())
    for names, words in _SETTINGS:
        yield ""
        yield from _comment(words)
        for name in names:
            value = getattr(cluster, name)
            yield f"{'# ' if value == getattr(default, name) else ''}{name} = {_toml(value)}"
    yield ""
    yield from _comment(_GUARD)
    guard = f"guard = {{ percent = {cluster.guard.percent}, minimum = {cluster.guard.minimum} }}"
    yield f"# {guard}" if cluster.guard == default.guard else guard
    yield ""
    yield "# The Regions: the Auto Scaling groups whose instances are members, and the security groups to look after."
    for one in cluster.regions:
        yield from _region(one)


def _region(one: RegionOfCluster) -> Iterator[str]:
    yield f"[regions.{one.region}]"
    yield f"auto_scaling_groups = {_toml(one.auto_scaling_groups)}"
    yield f"security_groups = {_toml(one.security_groups)}"
    yield f"required = true  # {_REQUIRED}" if one.required else f"# required = false  # {_REQUIRED}"
    yield ""


def _comment(words: str) -> Iterator[str]:
    yield from (f"# {line.strip()}" for line in words.splitlines())


def _toml(value: object) -> str:
    """TOML's strings and lists are JSON's. Enumerations are written by their value, ports as they are read."""
    if isinstance(value, frozenset):
        return _toml(tuple(sorted(value, key=lambda one: str(one.value))))
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool | int):
        return json.dumps(value)
    return json.dumps(str(getattr(value, "value", value)), ensure_ascii=False)


SETTINGS = frozenset(name for names, _ in _SETTINGS for name in names) | {"name", "guard", "regions"}
assert frozenset(one.name for one in fields(Cluster)) == SETTINGS, "every setting has its words"  # noqa: S101  # a typo here must not reach a file
