"""What is known of a Region once it had its turn: who is admitted there, and whose rules still stand.

Pure.
"""

from collections.abc import Mapping
from dataclasses import field

from ringfence.core.errors import Refused, RingfenceError
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey
from ringfence.core.model.rosters import Roster, Rows
from ringfence.records import dataclass


@dataclass(frozen=True, slots=True)
class RegionResult:
    """What is known of a Region after its turn.

    `error` says why it could not be brought up to date; then nothing else is known of it. `lacking` names the
    members that are not in every group of it, with the refusal; `borrowed` those that a group admits only by a rule
    which names another instance; `lingering` the instances whose rules still stand; `doubtful` the rosters of which a
    rule stands that names an instance nobody knows: it may admit anybody's address.
    """

    region: Region
    error: RingfenceError | None = None
    lacking: Mapping[tuple[RosterKey, str], Refused] = field(default_factory=dict)
    borrowed: frozenset[tuple[RosterKey, str]] = frozenset()
    lingering: frozenset[tuple[RosterKey, str]] = frozenset()
    doubtful: frozenset[RosterKey] = frozenset()
    rows: Rows | None = None
    changed: bool = False

    def admits(self, roster: RosterKey, instance: str) -> bool:
        """Whether the instance's addresses are in every group of the Region."""
        return self.error is None and (roster, instance) not in self.lacking

    def has_released(self, roster: RosterKey, instance: str) -> bool:
        """Whether no rule of the instance is left in any group of the Region."""
        return self.error is None and roster not in self.doubtful and (roster, instance) not in self.lingering


def debts(
    roster: Roster, earlier: Roster | None, waiting: frozenset[InstanceId], outcomes: Mapping[Region, RegionResult]
) -> dict[Region, frozenset[InstanceId]]:
    """Which departed instances which peer may still admit: of those that departed just now (`earlier` is the roster
    before), that still wait, or that were owed before, those whose release there is not confirmed."""
    known = earlier.departed if earlier is not None else {}
    at_risk = {id for id in roster.departed if id not in known or id in waiting}
    owed = {}
    for region, outcome in outcomes.items():
        candidates = at_risk | roster.owed.get(region, frozenset())
        if due := frozenset(id for id in candidates if not outcome.has_released(roster.key, id)):
            owed[region] = due
    return owed
