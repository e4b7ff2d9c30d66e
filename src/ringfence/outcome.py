"""What is known of a Region once it had its turn: who is admitted there, and whose rules still stand.

Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringfence.errors import Refused, RingfenceError
from ringfence.model import Region, RosterKey, Rows


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a Region after its turn.

    `error` says why it could not be brought up to date; then nothing else is known of it. `lacking` names the
    members that are not in every group of it, with the refusal; `lingering` the instances whose rules still stand.
    """

    region: Region
    error: RingfenceError | None = None
    lacking: Mapping[tuple[RosterKey, str], Refused] = field(default_factory=dict)
    lingering: frozenset[tuple[RosterKey, str]] = frozenset()
    rows: Rows | None = None
    changed: bool = False

    def admits(self, roster: RosterKey, instance: str) -> bool:
        """Whether the instance's addresses are in every group of the Region."""
        return self.error is None and (roster, instance) not in self.lacking

    def has_released(self, roster: RosterKey, instance: str) -> bool:
        """Whether no rule of the instance is left in any group of the Region."""
        return self.error is None and (roster, instance) not in self.lingering
