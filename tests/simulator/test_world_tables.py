"""What a DynamoDB table does with rosters, as the simulated one does it.

Source where none is named: DynamoDB Developer Guide, "Condition expressions".
"""

from dataclasses import replace

import pytest

from ringfence.errors import Conflict, NotDeployed, Permanent
from ringfence.model import (
    Cidr,
    HeldRemovals,
    InstanceId,
    Member,
    MemberState,
    Region,
    Roster,
    RosterKey,
    SecurityGroupId,
)
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.tables import Table

EAST, WEST = Region("us-east-1"), Region("us-west-2")
KEY = RosterKey(EAST, "db")


def roster(version: int, *instances: str) -> Roster:
    members = {
        InstanceId(id): Member((Cidr(f"198.18.0.{n}/32"),), MemberState.MEMBER, 0) for n, id in enumerate(instances, 1)
    }
    return Roster(KEY, version, members)


@pytest.fixture
def table() -> Table:
    return Cloud([EAST]).region(EAST).table


def test_replace_takes_the_version_that_stands(table: Table) -> None:
    table.replace(roster(1), 0, None)
    table.replace(roster(2, "i-1"), 1, None)

    assert table.scan().rosters[KEY].version == 2
    assert list(table.query(EAST).rosters[KEY].members) == ["i-1"]
    assert table.query(WEST).rosters == {}


@pytest.mark.parametrize("standing", [0, 1, 3])
def test_replace_refuses_any_other_version(table: Table, standing: int) -> None:
    table.replace(roster(2), 0, None)

    with pytest.raises(Conflict):
        table.replace(roster(9, "i-1"), standing, None)

    assert table.scan().rosters[KEY] == roster(2)


def test_offer_takes_only_what_is_newer_and_returns_what_stands(table: Table) -> None:
    assert table.offer(roster(3), None) == 3
    assert table.offer(roster(3, "i-1"), None) == 3
    assert table.offer(roster(2, "i-1"), None) == 3
    assert table.scan().rosters[KEY].members == {}
    assert table.offer(roster(4, "i-1"), None) == 4


def test_what_is_stored_does_not_change_with_what_was_handed_in(table: Table) -> None:
    members = dict(roster(1, "i-1").members)
    table.offer(replace(roster(1), members=members), None)

    members.clear()

    assert list(table.scan().rosters[KEY].members) == ["i-1"]


def test_a_row_of_the_original_sample_counts_as_version_zero(table: Table) -> None:
    table.put_item({"region": {"S": EAST}, "asg": {"S": "db"}, "ips": {"SS": ["198.18.0.1"]}})

    assert [cidr for cidr, _ in table.scan().rosters[KEY].addresses()] == ["198.18.0.1/32"]
    table.replace(roster(1), 0, None)
    assert table.scan().rosters[KEY].version == 1


def test_a_bad_row_keeps_its_version_until_a_newer_one_replaces_it(table: Table) -> None:
    table.put_item({"region": {"S": EAST}, "asg": {"S": "db"}, "version": {"N": "5"}})

    assert table.scan().bad[KEY].version == 5
    assert table.offer(roster(5), None) == 5
    assert KEY in table.scan().bad
    assert table.offer(roster(6), None) == 6
    assert KEY not in table.scan().bad


def test_an_empty_set_is_refused(table: Table) -> None:
    # DynamoDB Developer Guide, "Supported data types": an empty set is not allowed.
    with pytest.raises(Permanent):
        table.offer(replace(roster(1), owed={WEST: frozenset()}), None)


def test_what_does_not_fit_into_an_item_is_refused(table: Table) -> None:
    # DynamoDB Developer Guide, "Service, account, and table quotas": 400 KB.
    with pytest.raises(Permanent, match="holds 409600"):
        table.offer(replace(roster(1), departed={InstanceId(f"i-{n:017x}"): 1 for n in range(20_000)}), None)


def test_a_table_that_is_not_deployed_says_so(table: Table) -> None:
    # DynamoDB API reference, ResourceNotFoundException.
    table.exists = False

    for call in (table.scan, lambda: table.query(EAST), lambda: table.offer(roster(1), None)):
        with pytest.raises(NotDeployed):
            call()


def test_a_table_that_is_made_anew_is_empty(table: Table) -> None:
    table.offer(roster(4), None)
    table.hold(HeldRemovals(SecurityGroupId("sg-1"), frozenset(), "digest", 0))

    table.make_anew()

    rows = table.scan()
    assert not rows.rosters
    assert not rows.held
