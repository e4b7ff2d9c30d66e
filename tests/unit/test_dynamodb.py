"""The table of rosters: what a conditional write means; a bad row does not affect others. No request is sent."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.roster_item import GUARD, held_to_item, key, to_item
from ringfence.core.errors import Conflict, NotDeployed, Permanent
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.rosters import VERSION_MARGIN, HeldRemovals, RawVersion, Rows, RowVersion
from tests.unit.builders import DB, EAST, GROUP, I1, NOW, WEST, WEST_DB, address, roster

NAME = "ringfence-demo"
ROSTER = roster({I1: address(1)}, version=5)
PUT = {"TableName": NAME, "Item": to_item(ROSTER), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
HOSTILE_VERSIONS: list[dict[str, Any]] = [
    {"N": "1e125"},
    {"N": "9" * 38},
    {"N": "0"},
    {"N": "-1"},
    {"N": "1.5"},
    {"N": str(NOW + VERSION_MARGIN + 1)},
    {"S": "7"},
    {"NULL": True},
    {"L": []},
]
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
    return AwsRosterTable(client, EAST, NAME, now=lambda: NOW)


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


@pytest.mark.parametrize("keeps_text", [False, True])
def test_a_table_says_when_it_was_created_whatever_form_the_client_gives_to_times(
    stub: Stubber, keeps_text: bool
) -> None:
    # given the engine's own clients keep timestamps as text, and those of the command line do not
    created: Any = str(float(NOW)) if keeps_text else datetime.fromtimestamp(NOW, UTC)
    answer = {"Table": {"CreationDateTime": created}}
    client: Any = stub.client
    if keeps_text:
        client = SimpleNamespace(describe_table=lambda **_: answer)
    else:
        stub.add_response("describe_table", answer, {"TableName": NAME})
    # when / then
    assert AwsRosterTable(client, EAST, NAME).created_at() == NOW


def test_a_table_that_does_not_exist_has_no_age(stub: Stubber) -> None:
    stub.add_client_error("describe_table", "ResourceNotFoundException")
    with pytest.raises(NotDeployed):
        table(stub).created_at()


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
    assert (rows.version_read(DB), rows.version_read(WEST_DB)) == (5, 9)


def test_a_version_that_no_engine_can_have_written_is_read_raw_and_counts_as_zero(stub: Stubber) -> None:
    for attribute in HOSTILE_VERSIONS:
        stub.add_response("scan", {"Items": [to_item(ROSTER) | {"version": attribute}]})
        rows = table(stub).rows()
        assert rows.versions() == {DB: 0}
        assert rows.version_read(DB) == RawVersion(attribute)


def test_rows_of_other_kinds_are_neither_rosters_nor_bad(stub: Stubber) -> None:
    items = [key(EAST, "(future)"), key("(lease)", "db"), key(GUARD, GROUP) | {"rules": {"L": []}}]
    stub.add_response("scan", {"Items": items})
    assert table(stub).rows() == Rows()


def test_a_record_of_the_guard_from_the_future_counts_as_no_record(stub: Stubber) -> None:
    stub.add_response("scan", {"Items": [held_to_item(replace(HELD, at=NOW + 60))]})
    assert table(stub).rows().held == {}


def test_an_unreadable_record_of_the_guard_counts_as_no_record(stub: Stubber) -> None:
    stub.add_response("scan", {"Items": [{**key(GUARD, GROUP), "rules": {"S": "all"}}]})
    rows = table(stub).rows()
    assert (rows.held, rows.bad) == ({}, {})


STILL = [
    (0, {"ConditionExpression": "attribute_not_exists(version)"}),
    (RawVersion(None), {"ConditionExpression": "attribute_not_exists(version)"}),
    *(
        (
            version,
            {"ConditionExpression": "version = :read", "ExpressionAttributeValues": {":read": attribute}},
        )
        for version, attribute in [
            (4, {"N": "4"}),
            *((RawVersion(attribute), attribute) for attribute in HOSTILE_VERSIONS),
        ]
    ),
]
"""Versions that were read, and the condition that the row still has that version."""


@pytest.mark.parametrize(("version_read", "condition"), STILL)
def test_our_own_row_is_replaced_only_if_it_has_the_version_that_was_read(
    stub: Stubber, version_read: RowVersion, condition: dict[str, Any]
) -> None:
    stub.add_response("put_item", {}, PUT | condition)
    table(stub).replace(ROSTER, version_read)


@pytest.mark.parametrize("version_read", [0, 4, RawVersion({"S": "7"})])
@pytest.mark.parametrize("version", [{"N": "6"}, {"S": "7"}, None])
def test_a_row_that_another_invocation_wrote_raises_conflict(
    stub: Stubber, version_read: RowVersion, version: dict[str, Any] | None
) -> None:
    existing = to_item(ROSTER) | ({"version": version} if version else {})
    refuse(stub, existing)
    with pytest.raises(Conflict, match="written by another invocation"):
        table(stub).replace(ROSTER, version_read)


# Deletion.


@pytest.mark.parametrize(("version_read", "condition"), STILL)
def test_a_row_is_deleted_only_if_it_has_the_version_that_was_read(
    stub: Stubber, version_read: RowVersion, condition: dict[str, Any]
) -> None:
    stub.add_response("delete_item", {}, {"TableName": NAME, "Key": key(DB.region, DB.asg)} | condition)
    table(stub).delete(DB, version_read)


def test_a_row_that_another_invocation_wrote_is_not_deleted(stub: Stubber) -> None:
    stub.add_client_error("delete_item", "ConditionalCheckFailedException")
    with pytest.raises(Conflict, match="us-east-1/db was written by another invocation"):
        table(stub).delete(DB, 4)


def test_a_deletion_that_is_denied_raises_permanent(stub: Stubber) -> None:
    stub.add_client_error("delete_item", "AccessDeniedException")
    with pytest.raises(Permanent):
        table(stub).delete(DB, 4)


# Offers.


def test_an_offer_writes_a_newer_row(stub: Stubber) -> None:
    condition = "attribute_not_exists(version) OR version < :version"
    values = {":version": {"N": "5"}}
    expected = {"ConditionExpression": condition, "ExpressionAttributeValues": values}
    stub.add_response("put_item", {}, PUT | expected)
    assert table(stub).offer(ROSTER) == 5


@pytest.mark.parametrize("version", [5, 8])
def test_an_offer_returns_the_version_of_a_row_that_is_as_new(stub: Stubber, version: int) -> None:
    refuse(stub, to_item(roster(version=version)))
    assert table(stub).offer(ROSTER) == version


@pytest.mark.parametrize("attribute", HOSTILE_VERSIONS)
def test_an_offer_replaces_a_row_that_no_engine_can_have_written(stub: Stubber, attribute: dict[str, Any]) -> None:
    # given a row whose version is higher than ours, or no number, so that our condition does not hold
    refuse(stub, to_item(ROSTER) | {"version": attribute})
    condition = {"ConditionExpression": "version = :read", "ExpressionAttributeValues": {":read": attribute}}
    stub.add_response("put_item", {}, PUT | condition)
    # when / then
    assert table(stub).offer(ROSTER) == 5


def test_an_offer_over_a_row_that_changes_meanwhile_raises_conflict(stub: Stubber) -> None:
    refuse(stub, to_item(ROSTER) | {"version": {"N": "1e125"}})
    refuse(stub, to_item(ROSTER) | {"version": {"N": "2e125"}})
    with pytest.raises(Conflict, match="written by another caller"):
        table(stub).offer(ROSTER)


@pytest.mark.parametrize("version", [5, 9, NOW + VERSION_MARGIN])
def test_an_offer_returns_the_version_of_a_bad_row_that_an_engine_can_have_written(stub: Stubber, version: int) -> None:
    refuse(stub, to_item(roster(version=version)) | {"members": {"S": "none"}})
    # ours must be written again at a higher version
    assert table(stub).offer(ROSTER) == max(version, ROSTER.version + 1)


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
        ("delete_item", lambda table: table.delete(DB, 5)),
    ],
)
def test_a_table_that_does_not_exist_raises_not_deployed(
    stub: Stubber, operation: str, call: Callable[[AwsRosterTable], object]
) -> None:
    stub.add_client_error(operation, "ResourceNotFoundException")
    with pytest.raises(NotDeployed):
        call(table(stub))
