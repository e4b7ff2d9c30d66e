"""The `RosterTable` interface on Amazon DynamoDB."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import CONDITION_FAILED, code_of, translated
from ringfence.aws.roster_item import GUARD, Item, from_item, held_from_item, held_to_item, key_of, to_item, version_of
from ringfence.core.errors import Conflict, Permanent, Unsafe
from ringfence.core.model.identifiers import Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import BadRow, HeldRemovals, Roster, Rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class AwsRosterTable:
    """A Region's table of rosters."""

    client: "DynamoDBClient"
    region: Region
    table: str

    def rows(self) -> Rows:
        """See `interfaces.RosterTable.rows`."""
        with translated(self.region, "Scan"):
            pages = self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
            return _rows(item for page in pages for item in page["Items"])

    def rows_of(self, region: Region) -> Rows:
        """See `interfaces.RosterTable.rows_of`."""
        with translated(self.region, "Query"):
            pages = self.client.get_paginator("query").paginate(
                TableName=self.table,
                ConsistentRead=True,
                KeyConditionExpression="#region = :region",
                ExpressionAttributeNames={"#region": "region"},
                ExpressionAttributeValues={":region": {"S": region}},
            )
            return _rows(item for page in pages for item in page["Items"])

    def replace(self, roster: Roster, current_version: int) -> None:
        """See `interfaces.RosterTable.replace`."""
        if current_version:
            condition, values = "version = :current", {":current": {"N": str(current_version)}}
        else:
            condition, values = "attribute_not_exists(version)", None
        existing = self._put(roster, condition, values)
        if existing == current_version == 0:
            raise self._unreadable(roster)
        if existing is not None:
            raise Conflict(f"{roster.key} was written by another invocation", {})

    def offer(self, roster: Roster) -> int:
        """See `interfaces.RosterTable.offer`."""
        condition = "attribute_not_exists(version) OR version < :version"
        existing = self._put(roster, condition, {":version": {"N": str(roster.version)}})
        if existing is not None and existing < roster.version:
            raise self._unreadable(roster)
        return roster.version if existing is None else existing

    def _unreadable(self, roster: Roster) -> Permanent:
        return Permanent(f"the row of {roster.key} in {self.region} has a version that is not a number: delete it")

    def hold(self, held: HeldRemovals) -> None:
        """See `interfaces.RosterTable.hold`."""
        with translated(self.region, "PutItem"):
            self.client.put_item(TableName=self.table, Item=held_to_item(held))

    def _put(self, roster: Roster, condition: str, values: dict[str, dict[str, str]] | None) -> int | None:
        """Writes the roster on the condition. If the condition fails, returns the version of the row."""
        with translated(self.region, "PutItem"):
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=to_item(roster),
                    ConditionExpression=condition,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **({"ExpressionAttributeValues": values} if values else {}),  # type: ignore[arg-type]  # it takes no empty map
                )
            except ClientError as error:
                if code_of(error) != CONDITION_FAILED:
                    raise
                return version_of(cast(Item, error.response.get("Item", {})))
        return None


def _rows(items: Iterable[Item]) -> Rows:
    rosters: dict[RosterKey, Roster] = {}
    bad: dict[RosterKey, BadRow] = {}
    held: dict[SecurityGroupId, HeldRemovals] = {}
    for item in items:
        key = key_of(item)
        if key.region == GUARD:
            with suppress(Unsafe):  # then nothing was held before, and the guard starts over
                held[SecurityGroupId(key.asg)] = held_from_item(item)
            continue
        try:
            rosters[key] = from_item(item)
        except Unsafe as error:
            bad[key] = BadRow(str(error), version_of(item))
    return Rows(rosters, bad, held)
