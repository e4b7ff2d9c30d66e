"""The only reader of the environment: turns the stack's parameters into checked Settings.

Knows no AWS client. Reports all mistakes together, by the names of their variables. What the engine can work with, and
should not have to, is a warning: a value beyond its bounds, and relations between settings that do not hold.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ringfence.core.configuration.relations import broken_relations
from ringfence.core.configuration.setting import Setting, Use
from ringfence.core.configuration.setting_table import TABLE, Table
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import Permanent
from ringfence.core.model.identifiers import ANNOUNCEMENT, STATIC, Region, RosterKey
from ringfence.core.model.rules import DESCRIPTION_LIMIT, Label, is_describable

_INSTANCE_ID_LENGTH = len("i-0123456789abcdef0")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the stack says of itself: its settings, and where the table and the dead-letter queue are.

    `warnings` are about settings that the engine works with, and that an operator should correct.
    """

    settings: Settings
    table: str
    dead_letter_queue_url: str
    warnings: tuple[str, ...] = ()


def read(environment: Mapping[str, str]) -> Deployment:
    """The deployment that the function's environment describes. Raises Permanent, which names every mistake."""
    reader = _Reader(environment)
    values = reader.values(TABLE)
    values |= {"region": Region(environment.get("AWS_REGION", ""))}
    values |= {name: reader.fact(name) for name in ("account", "launch_hook", "terminate_hook")}
    table, dead_letter_queue_url = reader.fact("table"), reader.fact("dead_letter_queue_url")
    settings = Settings.of(values) if not reader.mistakes else None
    mistakes = reader.mistakes if settings is None else _contradictions(settings)
    if settings is None or mistakes:
        raise Permanent("the configuration is wrong: " + "; ".join(mistakes))
    relations = [broken.message for broken in broken_relations(values)]
    return Deployment(settings, table, dead_letter_queue_url, (*reader.warnings, *relations))


def read_values(environment: Mapping[str, str], table: Table) -> Mapping[str, Any]:
    """The value of each setting of the table that the function has in its environment, by name.

    Raises Permanent, which names every mistake.
    """
    reader = _Reader(environment)
    values = reader.values(table)
    if reader.mistakes:
        raise Permanent("the configuration is wrong: " + "; ".join(reader.mistakes))
    return values


def region(environment: Mapping[str, str]) -> Region:
    """The Region that the function runs in. Lambda sets it, whatever the stack says."""
    return Region(environment.get("AWS_REGION", ""))


def endpoint(environment: Mapping[str, str]) -> str | None:
    """The endpoint that takes the place of AWS's own, as in a test. None on AWS.

    Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints", `AWS_ENDPOINT_URL`.
    """
    return environment.get("AWS_ENDPOINT_URL") or None


def is_own_queue(arn: object, environment: Mapping[str, str]) -> bool:
    """Whether the ARN is that of the stack's queue of events. The rest of the configuration may be wrong.

    A stack of version 0.1 does not tell the function its queue. There, the queue is known by its Region, its account
    and the name that the template gives it, so that the engine can be updated before its stack.
    """
    if own := environment.get("RINGFENCE_QUEUE_ARN", "").strip():
        return arn == own
    names = ("AWS_REGION", "RINGFENCE_ACCOUNT", "RINGFENCE_CLUSTER")
    region, account, cluster = (environment.get(name, "").strip() for name in names)
    if not (isinstance(arn, str) and region and account and cluster):
        return False
    return (
        re.fullmatch(
            rf"arn:aws[a-z-]*:sqs:{re.escape(region)}:{re.escape(account)}:ringfence-{re.escape(cluster)}\.fifo", arn
        )
        is not None
    )


@dataclass(slots=True)
class _Reader:
    """Reads variables and collects what is wrong with them."""

    environment: Mapping[str, str]
    mistakes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def values(self, table: Table) -> dict[str, Any]:
        """The values by name; None for a mistake. A variable of `Use.WARNING` that is not set has no value."""
        found = {}
        for setting in table:
            if setting.use is Use.ENGINE:
                found[setting.name] = self._setting(setting, self.mistakes)
            elif setting.use is Use.WARNING and self.environment.get(setting.variable, "").strip():
                found[setting.name] = self._setting(setting, self.warnings)
        return found

    def fact(self, name: str) -> str:
        """A variable that is not a setting. The stack always sets it."""
        variable = f"RINGFENCE_{name.upper()}"
        text = self.environment.get(variable, "").strip()
        if not text:
            self.mistakes.append(f"{variable} is missing")
        return text

    def _setting(self, setting: Setting, mistakes: list[str]) -> Any:
        given = self.environment.get(setting.variable, "").strip() or setting.default
        texts = [] if given is None else setting.split(str(given))
        if not texts and setting.default != "":
            mistakes.append(f"{setting.variable} is missing")
            return None
        reading = setting.read(texts)
        mistakes += [f"{setting.variable}: {said}" for said in reading.mistakes]
        self.warnings += [f"{setting.variable}: {said}" for said in reading.limits]
        return reading.value


def _contradictions(settings: Settings) -> list[str]:
    """What is wrong with settings that are each right by themselves, and that the engine cannot work with."""
    found = []
    if settings.region not in settings.regions:
        found.append(f"{settings.region} itself is not among the Regions {', '.join(settings.regions)}")
    if strangers := settings.required_peers - set(settings.peers):
        found.append(f"a required peer is not a peer of {settings.region}: {', '.join(sorted(strangers))}")
    for name in settings.auto_scaling_groups:
        label = str(Label(settings.cluster, RosterKey(settings.region, name), "i" * _INSTANCE_ID_LENGTH))
        if name in (ANNOUNCEMENT, STATIC) or not is_describable(name):
            found.append(f"the Auto Scaling group's name {name!r} cannot be part of a rule's description")
        elif len(label) > DESCRIPTION_LIMIT:
            found.append(f"the Auto Scaling group's name {name!r} is too long for a rule's description")
    return found
