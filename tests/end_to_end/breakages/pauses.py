"""Pauses: in every table, in some only, and one that cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ringfence.aws.pause_item import pause_key, pause_to_item
from ringfence.core.model.identifiers import Region
from ringfence.core.model.pauses import Pause
from tests.end_to_end.breakages.breakage import NAME, Breakage
from tests.end_to_end.clusters import EAST, Cluster

PAUSE = Pause(Region(EAST), "arn:aws:iam::123456789012:user/on-call", "incident 4711", 1_700_000_000)


def paused_in(*tables: str, item: dict[str, Any] | None = None) -> Breakage:
    """The east is paused in the tables of these Regions."""

    @contextmanager
    def changed(cluster: Cluster) -> Iterator[None]:
        for table in tables:
            cluster.regions[table].client("dynamodb").put_item(TableName=NAME, Item=item or pause_to_item(PAUSE))
        yield
        for table in tables:
            cluster.regions[table].client("dynamodb").delete_item(TableName=NAME, Key=pause_key(PAUSE.region))
        for observer in cluster.regions.values():
            observer.true_up()

    return changed


unreadable = paused_in(EAST, item={**pause_key(PAUSE.region), "paused": {"S": "no"}})
