"""The table of rosters: what a conditional write means; a bad row does not affect others. No request is sent."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.roster_item import GUARD, held_to_item, key, to_item
from ringfence.core.errors import Conflict, NotDeployed, Permanent, RingfenceError
from ringfence.core.model.identifiers import RuleId, SecurityGroupId
from ringfence.core.model.rosters import HeldRemovals
from tests.unit.builders import DB, EAST, GROUP, I1, NOW, WEST, WEST_DB, address, roster

NAME = "ringfence-demo"
ROSTER = roster({I1: address(1)}, version=5)
HELD = HeldRemovals(GROUP, frozenset({RuleId("sgr-1")}), "0123456789ab", NOW)


@pytest.fixture
def stub() -> Iterator[Stubber]:
    """A stub of a DynamoDB client. A test fails if it leaves an answer unused."""
    client = boto3.client("dynamodb", region_name=EAST, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def table(stub: Stubber) -> AwsRosterTable:
    client: Any = stub.client
    return AwsRosterTable(client, EAST, NAME)


def refuse(stub: Stubber, existing: dict[str, Any]) -> None:
    """The condition does not hold for the existing item."""
    stub.add_client_error("put_item", "ConditionalCheckFailedException", modeled_fields={"Item": existing})


def test_a_read_is_consistent_and_reads_every_page(stub: Stubber) -> None:
    # given
    more = {"LastEvaluatedKey": key(DB.region, DB.asg)}
    stub.add_response("scan", {"Items": [to_item(ROSTER)], **more}, {"TableName": NAME, "ConsistentRead": True})
    other = roster({}, key=WEST_DB)
    expected = {"TableName": NAME, "ConsistentRead": True, "ExclusiveStartKey": key(DB.region, DB.asg)}
    stub.add_response("scan", {"Items": [to_item(other), held_to_item(HELD)]}, expected)
    # when
    rows = table(stub).rows()
    # then
    assert rows.rosters == {DB: ROSTER, WEST_DB: other}
    assert rows.held == {GROUP: HELD}
    assert rows.bad == {}


def test_the_rows_of_a_region_are_queried_by_its_key(stub: Stubber) -> None:
    expected = {
        "TableName": NAME,
        "ConsistentRead": True,
        "KeyConditionExpression": "#region = :region",
        "ExpressionAttributeNames": {"#region": "region"},
        "ExpressionAttributeValues": {":region": {"S": WEST}},
    }
    stub.add_response("query", {"Items": []}, expected)
    assert table(stub).rows_of(WEST).rosters == {}


def test_a_bad_row_does_not_affect_the_others(stub: Stubber) -> None:
    # given
    bad = {**to_item(roster(key=WEST_DB, version=9)), "members": {"S": "none"}}
    stub.add_response("scan", {"Items": [bad, to_item(ROSTER)]})
    # when
    rows = table(stub).rows()
    # then
    assert rows.rosters == {DB: ROSTER}
    assert rows.versions() == {DB: 5, WEST_DB: 9}


def test_an_unreadable_record_of_the_guard_counts_as_no_record(stub: Stubber) -> None:
    stub.add_response("scan", {"Items": [{**key(GUARD, GROUP), "rules": {"S": "all"}}]})
    rows = table(stub).rows()
    assert (rows.held, rows.bad) == ({}, {})


@pytest.mark.parametrize(
    ("current_version", "condition"),
    [
        (0, {"ConditionExpression": "attribute_not_exists(version)"}),
        (
            4,
            {
                "ConditionExpression": "version = :current",
                "ExpressionAttributeValues": {":current": {"N": "4"}},
            },
        ),
    ],
)
def test_our_own_row_is_replaced_only_if_it_has_the_version_that_was_read(
    stub: Stubber, current_version: int, condition: dict[str, Any]
) -> None:
    item = {"TableName": NAME, "Item": to_item(ROSTER), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    stub.add_response("put_item", {}, item | condition)
    table(stub).replace(ROSTER, current_version)


def test_a_row_that_another_invocation_wrote_raises_conflict(stub: Stubber) -> None:
    refuse(stub, to_item(roster(version=6)))
    with pytest.raises(Conflict, match="written by another invocation"):
        table(stub).replace(ROSTER, 4)


def test_our_own_row_without_a_readable_version_raises_permanent(stub: Stubber) -> None:
    # given a row that was read as a row without a version, but whose version attribute exists
    refuse(stub, to_item(ROSTER) | {"version": {"S": "7"}})
    # when / then
    with pytest.raises(Permanent):
        table(stub).replace(ROSTER, 0)


def test_an_offer_writes_a_newer_row(stub: Stubber) -> None:
    condition = "attribute_not_exists(version) OR version < :version"
    expected = {
        "TableName": NAME,
        "Item": to_item(ROSTER),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ConditionExpression": condition,
        "ExpressionAttributeValues": {":version": {"N": "5"}},
    }
    stub.add_response("put_item", {}, expected)
    assert table(stub).offer(ROSTER) == 5


@pytest.mark.parametrize("version", [5, 8])
def test_an_offer_returns_the_version_of_a_row_that_is_as_new(stub: Stubber, version: int) -> None:
    refuse(stub, to_item(roster(version=version)))
    assert table(stub).offer(ROSTER) == version


def test_an_offer_raises_an_error_if_the_row_has_no_readable_version(stub: Stubber) -> None:
    # given a row whose version is not a number, so that no comparison with a number is true
    refuse(stub, to_item(ROSTER) | {"version": {"S": "7"}})
    # when / then
    with pytest.raises(RingfenceError):
        table(stub).offer(ROSTER)


def test_the_removals_that_the_guard_holds_are_stored_under_their_group(stub: Stubber) -> None:
    stub.add_response("put_item", {}, {"TableName": NAME, "Item": held_to_item(HELD)})
    table(stub).hold(HELD)
    assert held_to_item(HELD)["asg"] == {"S": GROUP}


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("scan", AwsRosterTable.rows),
        ("query", lambda table: table.rows_of(WEST)),
        ("put_item", lambda table: table.hold(HELD)),
        ("put_item", lambda table: table.offer(ROSTER)),
    ],
)
def test_a_table_that_does_not_exist_raises_not_deployed(
    stub: Stubber, operation: str, call: Callable[[AwsRosterTable], object]
) -> None:
    stub.add_client_error(operation, "ResourceNotFoundException")
    with pytest.raises(NotDeployed):
        call(table(stub))
