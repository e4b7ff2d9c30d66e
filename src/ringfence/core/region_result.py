"""What is known of a Region after its pass: which instances it admits, and whose rules are still there.

Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringfence.core.errors import CannotAdmit, NotAnnounced, Refused, RingfenceError
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Roster, Rows

RosterInstance = tuple[RosterKey, str]
"""An instance as a rule's label names it: its roster, and its id."""


@dataclass(frozen=True, slots=True)
class RegionResult:
    """What is known of a Region after its pass.

    `error` says why the Region could not be brought up to date. In that case nothing else is known of it. `barred`
    says why no instance can be admitted, although the Region's rules are known and departed instances are released,
    and `gone` names the security groups that do not exist. The other fields name instances: `lacking` those that
    are not admitted in every group, each with EC2's refusal; `borrowed` those that a group admits only by a rule
    that names another instance; `lingering` those whose rules are still there. `doubtful` names the rosters for
    which a rule names an instance that the roster does not know: that rule may admit any instance's address. `rows`
    are the rows that the groups agree with, `labelled` the rosters for which the Region has rules, and `changed`
    says whether a rule was changed.
    """

    region: Region
    error: RingfenceError | None = None
    barred: CannotAdmit | None = None
    gone: frozenset[SecurityGroupId] = frozenset()
    lacking: Mapping[RosterInstance, Refused] = field(default_factory=dict)
    borrowed: frozenset[RosterInstance] = frozenset()
    lingering: frozenset[RosterInstance] = frozenset()
    doubtful: frozenset[RosterKey] = frozenset()
    rows: Rows | None = None
    labelled: frozenset[RosterKey] = frozenset()
    changed: bool = False

    @property
    def is_about_to_announce(self) -> bool:
        """Whether the Region's deployment is in progress, so that its engine will soon admit what it finds."""
        return isinstance(self.error, NotAnnounced) and self.error.is_new

    @property
    def is_unannounced(self) -> bool:
        """Whether the Region has a table, and its security groups are not known."""
        return isinstance(self.error, NotAnnounced)

    @property
    def problem(self) -> RingfenceError | None:
        """Why the Region is not as it should be: nothing could be done, or nothing can be admitted."""
        return self.error or self.barred

    def was_compared_with(self, roster: RosterKey) -> bool:
        """Whether the pass compared the Region's rules with the roster. It did not if another caller spoilt the row."""
        return self.error is None and (self.rows is None or roster in self.rows.rosters)

    def admits(self, roster: RosterKey, instance: str) -> bool:
        """Whether every group of the Region admits all of the instance's addresses."""
        return self.barred is None and self.was_compared_with(roster) and (roster, instance) not in self.lacking

    def has_released(self, roster: RosterKey, instance: str) -> bool:
        """Whether no group of the Region has a rule for the instance."""
        is_certain = self.was_compared_with(roster) and roster not in self.doubtful
        return is_certain and (roster, instance) not in self.lingering


def pending_releases(
    roster: Roster, earlier: Roster | None, waiting: frozenset[InstanceId], results: Mapping[Region, RegionResult]
) -> dict[Region, frozenset[InstanceId]]:
    """For each Region, the departed instances that it may still admit.

    Candidates are the instances that departed just now (`earlier` is the roster before), that wait in a hook
    (`waiting`), or whose release was pending before. Those that the Region has released are left out.
    """
    known = earlier.departed if earlier is not None else {}
    candidates = {id for id in roster.departed if id not in known or id in waiting}
    pending = {}
    for region, result in results.items():
        unreleased = frozenset(
            id
            for id in candidates | roster.pending_releases.get(region, frozenset())
            if not result.has_released(roster.key, id)
        )
        if unreleased:
            pending[region] = unreleased
    return pending
