"""A Region's DynamoDB table of rosters, with the conditional writes of `interfaces.RosterTable`.

Sources: DynamoDB Developer Guide, "Condition expressions" and "Read consistency"; every read here is
consistent. Stored values are immutable. The rows of one Region are read in the order of their names, as DynamoDB reads
the items of a partition in the order of their sort key.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from ringfence.aws.pause_item import PAUSE, pause_from_item, pause_to_item
from ringfence.aws.roster_item import (
    GUARD,
    Item,
    bad_row,
    from_item,
    held_from_item,
    held_to_item,
    is_roster,
    key_of,
    to_item,
)
from ringfence.core.errors import Conflict, NotDeployed, Permanent, Unsafe
from ringfence.core.membership.addresses import ADDRESSES_LIMIT
from ringfence.core.model.identifiers import Region, RosterKey, SecurityGroupId
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rosters import VERSION_MARGIN, BadRow, HeldRemovals, Roster, Rows, RowVersion
from ringfence_lab.sim.aws.history import CloudChange, ItemPut, PauseWritten, RowDeleted, RowWritten, TableRecreated
from ringfence_lab.sim.invocation import Invocation

SURELY_FITS = 500
"""A roster of this many instances certainly fits into an item."""


class DynamoDbTable:
    """One Region's table. It exists only once the Region is deployed."""

    def __init__(self, region: Region, now: Callable[[], float], record: Callable[[CloudChange], None]) -> None:
        self.region = region
        self.exists = True
        self.created_at = now()
        self.rosters: dict[RosterKey, Roster] = {}
        self.bad: dict[RosterKey, BadRow] = {}
        self.held: dict[SecurityGroupId, HeldRemovals] = {}
        self.pauses: dict[Region, Pause] = {}
        self._as_written: dict[RosterKey, Item] = {}
        self._now = now
        self._record = record

    def scan(self) -> Rows:
        """All rows. Raises NotDeployed."""
        self._must_exist()
        self._read_bad_items_again()
        rosters, bad = dict(sorted(self.rosters.items())), dict(sorted(self.bad.items()))
        return Rows(rosters, bad, dict(self.held), dict(self.pauses))

    def query(self, region: Region) -> Rows:
        """The rows whose home is the Region. Raises NotDeployed."""
        self._must_exist()
        self._read_bad_items_again()
        return Rows(
            {key: roster for key, roster in sorted(self.rosters.items()) if key.region == region},
            {key: bad for key, bad in sorted(self.bad.items()) if key.region == region},
        )

    def describe(self) -> float:
        """When it was created, in seconds since the epoch. Raises NotDeployed."""
        self._must_exist()
        return self.created_at

    def replace(self, roster: Roster, version_read: RowVersion, by: Invocation | None) -> None:
        """See `interfaces.RosterTable.replace`."""
        self._check(roster)
        if self._version(roster.key) != version_read:
            raise Conflict(f"{roster.key} was written by another invocation", {})
        self._write(roster, by)

    def offer(self, roster: Roster, by: Invocation | None) -> int:
        """See `interfaces.RosterTable.offer`."""
        self._check(roster)
        current = self._version(roster.key)
        if isinstance(current, int) and current >= roster.version:
            return current + 1 if roster.key in self.bad and current == roster.version else current
        self._write(roster, by)
        return roster.version

    def delete(self, key: RosterKey, version_read: RowVersion, by: Invocation | None) -> None:
        """See `interfaces.RosterTable.delete`."""
        self._must_exist()
        if self._version(key) != version_read:
            raise Conflict(f"{key} was written by another invocation", {})
        self._remove(key)
        self._record(RowDeleted(self.region, key, by))

    def hold(self, held: HeldRemovals) -> None:
        """See `interfaces.RosterTable.hold`."""
        self._must_exist()
        self.held[held.group] = held

    # Actions of an operator, a migration or an accident.

    def put_item(self, item: Item) -> None:
        """Writes any item, as DynamoDB's attribute values: a row of the original sample, or a row that is no roster."""
        self._put(item)
        self._record(ItemPut(self.region, key_of(item)))

    def delete_item(self, key: RosterKey) -> None:
        """Deletes a row without any condition."""
        self._remove(key)
        self._record(ItemPut(self.region, key))

    def pause(self, pause: Pause) -> None:
        """Writes a Region's pause, or its end, as `ringfence pause` and `ringfence resume` do."""
        self._must_exist()
        self._put(pause_to_item(pause))

    def recreate(self) -> None:
        """Deletes the table, if there is one, and deploys it, empty."""
        self.exists = True
        self.created_at = self._now()
        for items in (self.rosters, self.bad, self.held, self.pauses, self._as_written):
            items.clear()
        self._record(TableRecreated(self.region))

    # Items, for an engine of another version: it shares nothing with this one but the items of the tables.

    def items(self) -> list[Item]:
        """Every item, with the attributes that its writer gave it. Raises NotDeployed."""
        self._must_exist()
        ours = {key: to_item(roster) for key, roster in self.rosters.items() if key not in self._as_written}
        rows = [item for _, item in sorted({**ours, **self._as_written}.items())]
        others = [held_to_item(held) for held in self.held.values()]
        return [*rows, *others, *map(pause_to_item, self.pauses.values())]

    def write_item(self, item: Item, by: Invocation) -> None:
        """Writes an engine's item. Raises NotDeployed. The conditions of the write are the caller's."""
        self._must_exist()
        key = key_of(item)
        if key.region == GUARD:
            self.hold(held_from_item(item, self._now()))
            return
        previous = self._version(key)
        self._put(item)
        self._record(RowWritten(self.region, key, int(item["version"]["N"]), previous, by))

    def _check(self, roster: Roster) -> None:
        """Raises NotDeployed, and Permanent for an invalid item."""
        self._must_exist()
        if any(not ids for ids in roster.pending_releases.values()):
            raise Permanent("ValidationException: a set may not be empty")
        if len(roster.members) + len(roster.departed) > SURELY_FITS:
            to_item(roster)

    def _version(self, key: RosterKey) -> RowVersion:
        return Rows(self.rosters, self.bad).version_read(key)

    def _write(self, roster: Roster, by: Invocation | None) -> None:
        previous = self._version(roster.key)
        self._remove(roster.key)
        if self._is_readable(roster):
            self.rosters[roster.key] = _frozen(roster)
        else:
            self._put(to_item(roster))
        self._record(RowWritten(self.region, roster.key, roster.version, previous, by))

    def _is_readable(self, roster: Roster) -> bool:
        """Whether it is clear, without making an item of it, that every engine can read the roster."""
        in_bounds = roster.version <= self._now() + VERSION_MARGIN
        return in_bounds and all(len(member.addresses) <= ADDRESSES_LIMIT for member in roster.members.values())

    def _put(self, item: Item) -> None:
        """Keeps the item, and its row as an engine reads it."""
        key = key_of(item)
        if key.region == GUARD:
            self.held.pop(SecurityGroupId(key.asg), None)
            with suppress(Unsafe):  # an engine reads it as if nothing was held
                self.held[SecurityGroupId(key.asg)] = held_from_item(item, self._now())
            return
        if key.region == PAUSE:
            pause = self.pauses[Region(key.asg)] = pause_from_item(item, self._now())
            self._record(PauseWritten(self.region, pause))
            return
        self._remove(key)
        self._as_written[key] = item
        if is_roster(item):
            now = self._now()
            try:
                self.rosters[key] = _frozen(from_item(item, now))
            except Unsafe as error:
                self.bad[key] = bad_row(item, str(error), now)

    def _read_bad_items_again(self) -> None:
        """A time or a version that was in the future may not be so any more."""
        for key in list(self.bad):
            self._put(self._as_written[key])

    def _remove(self, key: RosterKey) -> None:
        for items in (self.rosters, self.bad, self._as_written):
            items.pop(key, None)

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
