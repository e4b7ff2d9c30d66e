"""Someone from outside who writes rows, sends messages and changes labels, to open a security group or to empty it.

`rows`, `messages` and `rules` have what the adversary can do; `lies` has the forged rows that no engine can tell from a
Region's own. It has no right to change instances, groups or an engine's configuration. It must not know any property.
"""

import random
from collections.abc import Sequence
from enum import Enum

from ringfence.core.model.identifiers import InstanceId
from ringfence_lab.sim.adversary import lies, messages, rows, rules
from ringfence_lab.sim.adversary.forgery import AdversaryAction, Forger
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud

PREVENTED: tuple[tuple[AdversaryAction, int], ...] = (*rows.ACTIONS, *messages.ACTIONS, *rules.ACTIONS)
"""Actions whose effect is prevented: all properties hold whatever they do."""

ACTIONS = (*PREVENTED, *lies.ACTIONS)
"""Every action with its weight."""


class Level(Enum):
    """How far an adversary goes."""

    ABSENT = "no adversary"
    OUTSIDER = "an adversary"
    LIAR = "an adversary that writes rows as a Region would"


LEVELS = (*[Level.ABSENT] * 3, *[Level.OUTSIDER] * 6, Level.LIAR)


class Adversary:
    """The adversary of one history."""

    def __init__(self, cloud: Cloud, chance: random.Random, level: Level | None = None) -> None:
        self._level = level or chance.choice(LEVELS)
        self._forger = Forger(cloud, chance)
        actions = ACTIONS if self._level is Level.LIAR else PREVENTED
        self._actions, self._weights = zip(*actions, strict=True)

    @property
    def is_absent(self) -> bool:
        """Whether there is none."""
        return self._level is Level.ABSENT

    @property
    def lies(self) -> bool:
        """Whether it writes rows that no engine can tell from a Region's own."""
        return self._level is Level.LIAR

    def act(self, region: CloudRegion) -> tuple[str, str]:
        """Does one random thing in a Region. Returns its name and its text, which may be empty."""
        if self.is_absent:
            return "", ""
        action: AdversaryAction = self._forger.chance.choices(self._actions, self._weights)[0]
        text = action(self._forger, region)
        return action.__name__, f"{region.name}: an adversary {text}" if text else ""

    def send_junk(self, region: CloudRegion) -> str:
        """Fills the Region's queue with junk."""
        return messages.send_junk(self._forger, region)

    def flood(
        self, region: CloudRegion, *, named: Sequence[InstanceId] = (), unknown: Sequence[InstanceId] = ()
    ) -> str:
        """Fills the Region's queue with junk and forged events, many of the `named` instances, none of `unknown`."""
        return messages.flood(self._forger, region, named, unknown)

    def __str__(self) -> str:
        return self._level.value
