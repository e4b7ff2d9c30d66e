"""Breakages of the table and its rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.end_to_end.breakages.breakage import NAME, Breakage
from tests.end_to_end.clusters import EAST, Cluster


def row_with(attributes: dict[str, Any], key: Callable[[Cluster], tuple[str, str]]) -> Breakage:
    """A row of the east's table with other attributes, until a true-up replaces it or it is deleted."""

    @contextmanager
    def changed(cluster: Cluster) -> Iterator[None]:
        east = cluster.regions[EAST]
        region, asg = key(cluster)
        name = {"region": {"S": region}, "asg": {"S": asg}}
        dynamodb = east.client("dynamodb")
        before = dynamodb.get_item(TableName=NAME, Key=name).get("Item")
        dynamodb.put_item(TableName=NAME, Item={**(before or name), **attributes})
        yield
        if before is None:
            dynamodb.delete_item(TableName=NAME, Key=name)
        for observer in cluster.regions.values():
            observer.true_up()

    return changed


def own_row(cluster: Cluster) -> tuple[str, str]:
    """The key of the east's roster."""
    return EAST, cluster.regions[EAST].auto_scaling_group


def announcement(_cluster: Cluster) -> tuple[str, str]:
    """The key of what the east announces."""
    return EAST, "(region)"


def row_of_no_region(_cluster: Cluster) -> tuple[str, str]:
    """A key of no Region of the cluster."""
    return "eu-north-1", "db"


def table_made_again(keys: tuple[str, str] | None) -> Breakage:
    """The table is deleted, and made again with other keys, if any. It is healed by one with the right keys."""

    @contextmanager
    def changed(cluster: Cluster) -> Iterator[None]:
        dynamodb = cluster.regions[EAST].client("dynamodb")
        dynamodb.delete_table(TableName=NAME)
        if keys is not None:
            _make_table(dynamodb, *keys)
        yield
        if keys is not None:
            dynamodb.delete_table(TableName=NAME)
        _make_table(dynamodb, "region", "asg")
        for observer in (*cluster.regions.values(), *cluster.regions.values()):
            observer.true_up()

    return changed


def _make_table(dynamodb: Any, *keys: str) -> None:
    dynamodb.create_table(
        TableName=NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
    )
