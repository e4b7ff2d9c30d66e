"""The table of rosters: what a conditional write means, and that one bad row spoils no other. Nothing is sent."""

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
    """A client of DynamoDB that answers what it is told to, and must be asked for all of it."""
    client = boto3.client("dynamodb", region_name=EAST, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def table(stub: Stubber) -> AwsRosterTable:
    client: Any = stub.client
    return AwsRosterTable(client, EAST, NAME)


def refuse(stub: Stubber, standing: dict[str, Any]) -> None:
    """The condition does not hold for the item that stands there."""
    stub.add_client_error("put_item", "ConditionalCheckFailedException", modeled_fields={"Item": standing})


def test_a_read_is_consistent_and_takes_every_page(stub: Stubber) -> None:
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


def test_the_rows_of_one_region_are_asked_for_by_its_key(stub: Stubber) -> None:
    expected = {
        "TableName": NAME,
        "ConsistentRead": True,
        "KeyConditionExpression": "#region = :region",
        "ExpressionAttributeNames": {"#region": "region"},
        "ExpressionAttributeValues": {":region": {"S": WEST}},
    }
    stub.add_response("query", {"Items": []}, expected)
    assert table(stub).rows_of(WEST).rosters == {}


def test_one_bad_row_spoils_no_other(stub: Stubber) -> None:
    # given
    bad = {**to_item(roster(key=WEST_DB, version=9)), "members": {"S": "nobody"}}
    stub.add_response("scan", {"Items": [bad, to_item(ROSTER)]})
    # when
    rows = table(stub).rows()
    # then
    assert rows.rosters == {DB: ROSTER}
    assert rows.versions() == {DB: 5, WEST_DB: 9}


def test_a_record_of_the_guard_that_cannot_be_read_counts_as_none(stub: Stubber) -> None:
    stub.add_response("scan", {"Items": [{**key(GUARD, GROUP), "rules": {"S": "all"}}]})
    rows = table(stub).rows()
    assert (rows.held, rows.bad) == ({}, {})


@pytest.mark.parametrize(
    ("standing", "condition"),
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
def test_our_own_row_is_replaced_only_if_it_is_the_one_that_was_read(
    stub: Stubber, standing: int, condition: dict[str, Any]
) -> None:
    item = {"TableName": NAME, "Item": to_item(ROSTER), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    stub.add_response("put_item", {}, item | condition)
    table(stub).replace(ROSTER, standing)


def test_a_row_that_another_invocation_wrote_is_a_conflict(stub: Stubber) -> None:
    refuse(stub, to_item(roster(version=6)))
    with pytest.raises(Conflict, match="written by another invocation"):
        table(stub).replace(ROSTER, 4)


def test_our_own_row_without_a_readable_version_is_for_a_person_to_mend(stub: Stubber) -> None:
    # given a row that was read as one without a version, and that no condition on a version's absence lets replace
    refuse(stub, to_item(ROSTER) | {"version": {"S": "7"}})
    # when / then
    with pytest.raises(Permanent):
        table(stub).replace(ROSTER, 0)


def test_a_peer_takes_a_newer_row(stub: Stubber) -> None:
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
def test_a_peer_that_holds_as_new_a_row_says_which(stub: Stubber, version: int) -> None:
    refuse(stub, to_item(roster(version=version)))
    assert table(stub).offer(ROSTER) == version


def test_a_peer_that_refuses_a_row_for_one_without_a_readable_version_has_not_taken_it(stub: Stubber) -> None:
    # given a row whose version is no number: no comparison with a number holds for it
    refuse(stub, to_item(ROSTER) | {"version": {"S": "7"}})
    # when / then
    with pytest.raises(RingfenceError):
        table(stub).offer(ROSTER)


def test_what_the_guard_holds_is_kept_under_the_groups_name(stub: Stubber) -> None:
    stub.add_response("put_item", {}, {"TableName": NAME, "Item": held_to_item(HELD)})
    table(stub).hold(HELD)
    assert held_to_item(HELD)["asg"] == {"S": SecurityGroupId("sg-1")}


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("scan", AwsRosterTable.rows),
        ("query", lambda one: one.rows_of(WEST)),
        ("put_item", lambda one: one.hold(HELD)),
        ("put_item", lambda one: one.offer(ROSTER)),
    ],
)
def test_a_table_that_does_not_exist_is_a_region_that_is_not_deployed(
    stub: Stubber, operation: str, call: Callable[[AwsRosterTable], object]
) -> None:
    stub.add_client_error(operation, "ResourceNotFoundException")
    with pytest.raises(NotDeployed):
        call(table(stub))
