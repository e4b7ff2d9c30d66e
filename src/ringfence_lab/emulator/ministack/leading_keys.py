"""The partition keys that a DynamoDB request names, for IAM's condition key `dynamodb:LeadingKeys`.

A patch of MiniStack's IAM, which does not know the key. A request without a partition key, such as Scan, has none.

Source: DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control".
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ministack.core import iam_actions
from ministack.services import dynamodb

CONDITION_KEY = "dynamodb:LeadingKeys"

_EQUALS = re.compile(r"([#:]?[\w.-]+)\s*=\s*([#:]?[\w.-]+)")
_IN_TRANSACTION = ("Put", "Update", "Delete", "ConditionCheck", "Get")

Request = Mapping[str, Any]
"""The JSON object of a request to DynamoDB, or a part of it that has the form of one."""

Context = dict[str, Any]


def install() -> None:
    """Patches MiniStack. Call it once in a process."""
    iam_actions.dynamodb_service_context = _with_leading_keys(iam_actions.dynamodb_service_context)


def _with_leading_keys(context_of: Callable[[bytes], Context]) -> Callable[[bytes], Context]:
    def dynamodb_service_context(body: bytes) -> Context:
        context = context_of(body)
        try:
            request = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            return context
        keys = sorted(set(leading_keys(request, _partition_key))) if isinstance(request, dict) else []
        return context | ({CONDITION_KEY: keys} if keys else {})

    return dynamodb_service_context


def leading_keys(request: Request, partition_key: Callable[[str, str], str]) -> Iterator[str]:
    """The values of the partition keys in a request, with those of its parts.

    `partition_key` returns the name of the partition key of a table, or of one of its indexes, or an empty text.
    """
    for single in _singles(request):
        name = partition_key(str(single.get("TableName", "")), str(single.get("IndexName", "")))
        if name:
            yield from _values(single, name)


def _singles(request: Request) -> Iterator[Request]:
    """The request, and each part of it as a request for its own table."""
    yield request
    for item in _dicts(request.get("TransactItems")):
        yield from (item[member] for member in _IN_TRANSACTION if isinstance(item.get(member), dict))
    batch = request.get("RequestItems")
    for table, asked in batch.items() if isinstance(batch, dict) else ():
        for write in _dicts(asked):
            yield from ({**part, "TableName": table} for part in write.values() if isinstance(part, dict))
        for key in _dicts(asked.get("Keys")) if isinstance(asked, dict) else ():
            yield {"Key": key, "TableName": table}


def _values(request: Request, name: str) -> Iterator[str]:
    """The values of the partition key in an item, a key, or the condition of a query."""
    for item in _dicts([request.get("Item"), request.get("Key")]):
        yield from _text(item.get(name))
    names, values = (
        given if isinstance(given := request.get(f"ExpressionAttribute{kind}"), dict) else {}
        for kind in ("Names", "Values")
    )
    for sides in _EQUALS.findall(str(request.get("KeyConditionExpression", ""))):
        for side, other in (sides, reversed(sides)):
            if names.get(side, side) == name:
                yield from _text(values.get(other))
    conditions = request.get("KeyConditions")
    condition = conditions.get(name) if isinstance(conditions, dict) else None
    if isinstance(condition, dict) and condition.get("ComparisonOperator") == "EQ":
        for value in condition.get("AttributeValueList", ()):
            yield from _text(value)


def _text(value: object) -> Iterator[str]:
    """The content of a scalar attribute value: `{"S": "us-east-1"}`."""
    if isinstance(value, dict):
        yield from (content for kind, content in value.items() if kind in ("S", "N", "B") and isinstance(content, str))


def _dicts(values: object) -> Iterator[dict[str, Any]]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))


def _partition_key(table: str, index: str) -> str:
    """From the schema of a table of the request's account and Region."""
    found = dynamodb._tables.get(table.rpartition(":table/")[2])  # a name or an ARN
    if not found:
        return ""
    if not index:
        return str(found["pk_name"])
    indexes = [*(found["GlobalSecondaryIndexes"] or ()), *(found["LocalSecondaryIndexes"] or ())]
    hashes = (
        element["AttributeName"]
        for described in indexes
        if described["IndexName"] == index
        for element in described["KeySchema"]
        if element["KeyType"] == "HASH"
    )
    return next(hashes, "")
