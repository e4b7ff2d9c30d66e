"""The simulated DynamoDB table stores rosters as documented.

Default source: DynamoDB Developer Guide, "Condition expressions".
"""

from dataclasses import replace

import pytest

from ringfence.core.errors import NotDeployed
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import HeldRemovals, Member, MemberState, Roster
from ringfence_lab.sim.aws.tables import DynamoDbTable
from ringfence_lab.sim.cloud import Cloud

EAST = Region("us-east-1")
KEY = RosterKey(EAST, "db")


def roster(version: int, *instances: str) -> Roster:
    members = {
        InstanceId(id): Member((Cidr(f"198.18.0.{number}/32"),), MemberState.MEMBER, 0)
        for number, id in enumerate(instances, 1)
    }
    return Roster(KEY, version, members)


@pytest.fixture
def table() -> DynamoDbTable:
    return Cloud([EAST]).region(EAST).table


def test_a_stored_row_does_not_change_with_its_input(table: DynamoDbTable) -> None:
    members = dict(roster(1, "i-1").members)
    table.offer(replace(roster(1), members=members), None)

    members.clear()

    assert list(table.scan().rosters[KEY].members) == ["i-1"]


def test_a_table_that_is_not_deployed_raises(table: DynamoDbTable) -> None:
    # DynamoDB API reference, ResourceNotFoundException.
    table.exists = False

    for call in (table.scan, lambda: table.query(EAST), lambda: table.offer(roster(1), None)):
        with pytest.raises(NotDeployed):
            call()


def test_a_recreated_table_is_empty(table: DynamoDbTable) -> None:
    table.offer(roster(4), None)
    table.hold(HeldRemovals(SecurityGroupId("sg-1"), frozenset(), "digest", 0))

    table.recreate()

    rows = table.scan()
    assert not rows.rosters
    assert not rows.held
