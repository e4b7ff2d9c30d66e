"""The rows of a retired Region in the other Regions' tables."""

from dataclasses import dataclass, field, replace

import pytest

from ringfence.core.errors import Conflict, NotDeployed
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.core.model.rosters import BadRow, HeldRemovals, RawVersion, Roster, Rows, RowVersion
from ringfence_ops.state.retired_rows import ATTEMPTS, delete_rows
from tests.ops.facts import ROWS
from tests.unit.builders import DB, EAST, WEST, WEST_DB

BAD = RosterKey(WEST, "bad")


@dataclass
class Table:
    """A table in memory. The first `conflicts` deletions meet a row that was written meanwhile."""

    content: Rows = field(
        default_factory=lambda: replace(ROWS, bad={BAD: BadRow("why", 0, RawVersion({"N": "1E+125"}))})
    )
    conflicts: int = 0

    def rows(self) -> Rows:
        return self.content

    def rows_of(self, region: Region) -> Rows:
        bad = {key: row for key, row in self.content.bad.items() if key.region == region}
        return Rows(self.content.of(region), bad)

    def created_at(self) -> float:
        return 0.0

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("written", {})
        assert version_read == self.content.version_read(key)
        rosters = {own: row for own, row in self.content.rosters.items() if own != key}
        self.content = Rows(rosters, {own: row for own, row in self.content.bad.items() if own != key})

    def replace(self, roster: Roster, version_read: RowVersion) -> None:
        raise AssertionError(roster, version_read)

    def offer(self, roster: Roster) -> int:
        raise AssertionError(roster)

    def hold(self, held: HeldRemovals) -> None:
        raise AssertionError(held)


class Missing(Table):
    """A table that does not exist."""

    def rows_of(self, region: Region) -> Rows:
        raise NotDeployed(f"no table in {region}")


def test_its_rosters_its_announcement_and_its_bad_rows_go_and_no_other() -> None:
    table = Table()
    assert delete_rows(table, WEST) == 3
    assert table.content.versions().keys() == {DB, RosterKey(EAST, ANNOUNCEMENT)}
    assert delete_rows(table, WEST) == 0


def test_at_first_only_its_bad_rows_go() -> None:
    table = Table()
    assert delete_rows(table, WEST, only_bad=True) == 1
    assert WEST_DB in table.content.rosters


def test_a_row_that_is_written_meanwhile_is_read_again() -> None:
    assert delete_rows(Table(conflicts=ATTEMPTS - 1), WEST) == 3
    with pytest.raises(Conflict, match="an engine still writes the rows of us-west-2"):
        delete_rows(Table(conflicts=ATTEMPTS), WEST)


def test_without_a_table_there_is_nothing_to_delete() -> None:
    assert delete_rows(Missing(), WEST) == 0
