"""The `RosterTable` interface on Amazon DynamoDB."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Required, TypedDict, cast

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import CONDITION_FAILED, code_of, translated
from ringfence.aws.pause_item import PAUSE, pause_from_item
from ringfence.aws.roster_item import (
    GUARD,
    Item,
    bad_row,
    from_item,
    held_from_item,
    held_to_item,
    is_readable,
    is_roster,
    key_of,
    to_item,
)
from ringfence.aws.roster_item import key as item_key
from ringfence.core.errors import Conflict, Unsafe
from ringfence.core.model.identifiers import Region, RosterKey, SecurityGroupId
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rosters import BadRow, HeldRemovals, RawVersion, Roster, Rows, RowVersion

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class AwsRosterTable:
    """A Region's table of rosters."""

    client: "DynamoDBClient"
    region: Region
    table: str
    now: Callable[[], float] = time.time

    def rows(self) -> Rows:
        """See `interfaces.RosterTable.rows`."""
        with translated(self.region, "Scan"):
            pages = self.client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
            return _rows((item for page in pages for item in page["Items"]), self.now())

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
            return _rows((item for page in pages for item in page["Items"]), self.now())

    def created_at(self) -> float:
        """See `interfaces.RosterTable.created_at`. The engine's own clients keep timestamps as text: see `clients`."""
        with translated(self.region, "DescribeTable"):
            created = self.client.describe_table(TableName=self.table)["Table"]["CreationDateTime"]
        return created.timestamp() if isinstance(created, datetime) else float(created)

    def replace(self, roster: Roster, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.replace`."""
        if self._put(roster, _still(version_read)) is not None:
            raise Conflict(f"{roster.key} was written by another invocation", {})

    def offer(self, roster: Roster) -> int:
        """See `interfaces.RosterTable.offer`. A row that no engine can have written is replaced, whatever it says."""
        existing = self._put(roster, _older_than(roster.version))
        if existing is None:
            return roster.version
        bad = bad_row(existing, "", self.now())
        if bad.raw is None:
            same = bad.version == roster.version
            return bad.version + 1 if same and not is_readable(existing, self.now()) else bad.version
        if self._put(roster, _still(bad.raw)) is not None:
            raise Conflict(f"the row of {roster.key} in {self.region} was written by another caller", {})
        return roster.version

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.delete`."""
        condition = _still(version_read)
        with translated(self.region, "DeleteItem"):
            try:
                self.client.delete_item(TableName=self.table, Key=item_key(key.region, key.asg), **condition)
            except ClientError as error:
                if code_of(error) != CONDITION_FAILED:
                    raise
                raise Conflict(f"{key} was written by another invocation", {}) from error

    def hold(self, held: HeldRemovals) -> None:
        """See `interfaces.RosterTable.hold`."""
        with translated(self.region, "PutItem"):
            self.client.put_item(TableName=self.table, Item=held_to_item(held))

    def _put(self, roster: Roster, condition: "Condition") -> Item | None:
        """Writes the roster on the condition. If the condition fails, returns the item that is there."""
        with translated(self.region, "PutItem"):
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=to_item(roster),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except ClientError as error:
                if code_of(error) != CONDITION_FAILED:
                    raise
                return cast(Item, error.response.get("Item", {}))
        return None


class Condition(TypedDict, total=False):
    """The condition of a write. DynamoDB accepts no empty map of values."""

    ConditionExpression: Required[str]
    ExpressionAttributeValues: Mapping[str, Any]


def _still(version_read: RowVersion) -> Condition:
    """The row has the version that was read."""
    match version_read:
        case 0 | RawVersion(attribute=None):
            return {"ConditionExpression": "attribute_not_exists(version)"}
        case RawVersion(attribute=attribute):
            return {"ConditionExpression": "version = :read", "ExpressionAttributeValues": {":read": attribute}}
        case version:
            read = {":read": {"N": str(version)}}
            return {"ConditionExpression": "version = :read", "ExpressionAttributeValues": read}


def _older_than(version: int) -> Condition:
    """The row is older, or there is none."""
    condition = "attribute_not_exists(version) OR version < :version"
    return {"ConditionExpression": condition, "ExpressionAttributeValues": {":version": {"N": str(version)}}}


def _rows(items: Iterable[Item], now: float) -> Rows:
    rosters: dict[RosterKey, Roster] = {}
    bad: dict[RosterKey, BadRow] = {}
    held: dict[SecurityGroupId, HeldRemovals] = {}
    pauses: dict[Region, Pause] = {}
    for item in items:
        key = key_of(item)
        if key.region == GUARD:
            with suppress(Unsafe):  # then nothing was held before, and the guard starts over
                held[SecurityGroupId(key.asg)] = held_from_item(item, now)
        elif key.region == PAUSE:
            pauses[Region(key.asg)] = pause_from_item(item, now)
        elif is_roster(item):
            try:
                rosters[key] = from_item(item, now)
            except Unsafe as error:
                bad[key] = bad_row(item, str(error), now)
    return Rows(rosters, bad, held, pauses)
