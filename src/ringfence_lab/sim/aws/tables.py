"""A Region's DynamoDB table of rosters, with the conditional writes of `interfaces.RosterTable`.

Sources: DynamoDB Developer Guide, "Condition expressions" and "Read consistency"; every read here is
consistent. Stored values are immutable.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ringfence.aws.roster_item import from_item, key_of, to_item, version_of
from ringfence.core.errors import Conflict, NotDeployed, Permanent, Unsafe
from ringfence.core.model.identifiers import Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import BadRow, HeldRemovals, Roster, Rows
from ringfence_lab.sim.aws.history import CloudChange, RowWritten, TableRecreated
from ringfence_lab.sim.invocation import Invocation

SURELY_FITS = 500
"""A roster of this many instances certainly fits into an item."""


class DynamoDbTable:
    """One Region's table. It exists only once the Region is deployed."""

    def __init__(self, region: Region, record: Callable[[CloudChange], None]) -> None:
        self.region = region
        self.exists = True
        self.rosters: dict[RosterKey, Roster] = {}
        self.bad: dict[RosterKey, BadRow] = {}
        self.held: dict[SecurityGroupId, HeldRemovals] = {}
        self._record = record

    def scan(self) -> Rows:
        """All rows. Raises NotDeployed."""
        self._must_exist()
        return Rows(dict(self.rosters), dict(self.bad), dict(self.held))

    def query(self, region: Region) -> Rows:
        """The rows whose home is the Region. Raises NotDeployed."""
        self._must_exist()
        return Rows(
            {key: roster for key, roster in self.rosters.items() if key.region == region},
            {key: bad for key, bad in self.bad.items() if key.region == region},
        )

    def replace(self, roster: Roster, expected_version: int, by: Invocation | None) -> None:
        """See `interfaces.RosterTable.replace`."""
        current = self._check(roster)
        if current != expected_version:
            raise Conflict(f"{roster.key} was written by another invocation", {})
        self._write(roster, current, by)

    def offer(self, roster: Roster, by: Invocation | None) -> int:
        """See `interfaces.RosterTable.offer`."""
        current = self._check(roster)
        if current and current >= roster.version:
            return current
        self._write(roster, current, by)
        return roster.version

    def hold(self, held: HeldRemovals) -> None:
        """See `interfaces.RosterTable.hold`."""
        self._must_exist()
        self.held[held.group] = held

    # Actions of an operator, a migration or an accident.

    def put_item(self, item: Mapping[str, Any]) -> None:
        """Writes any item, as DynamoDB's attribute values: a row of the original sample, or a row that is no roster."""
        key = key_of(item)
        self.rosters.pop(key, None)
        self.bad.pop(key, None)
        try:
            self.rosters[key] = _frozen(from_item(item))
        except Unsafe as error:
            self.bad[key] = BadRow(str(error), version_of(item))

    def recreate(self) -> None:
        """Deletes the table and deploys it again, empty."""
        self.exists = True
        for items in (self.rosters, self.bad, self.held):
            items.clear()
        self._record(TableRecreated(self.region))

    def _check(self, roster: Roster) -> int:
        """The current version of the row. Raises NotDeployed, and Permanent for an invalid item."""
        self._must_exist()
        if any(not ids for ids in roster.pending_releases.values()):
            raise Permanent("ValidationException: a set may not be empty")
        if len(roster.members) + len(roster.departed) > SURELY_FITS:
            to_item(roster)
        key = roster.key
        if key in self.rosters:
            return self.rosters[key].version
        return self.bad[key].version if key in self.bad else 0

    def _write(self, roster: Roster, previous: int, by: Invocation | None) -> None:
        self.rosters[roster.key] = _frozen(roster)
        self.bad.pop(roster.key, None)
        self._record(RowWritten(self.region, roster.key, roster.version, previous, by))

    def _must_exist(self) -> None:
        if not self.exists:
            raise NotDeployed(f"ResourceNotFoundException: no table in {self.region}")


def _frozen(roster: Roster) -> Roster:
    if isinstance(roster.members, MappingProxyType):
        return roster
    return replace(
        roster,
        members=MappingProxyType(dict(roster.members)),
        departed=MappingProxyType(dict(roster.departed)),
        pending_releases=MappingProxyType(dict(roster.pending_releases)),
    )
