"""A row as DynamoDB stores it, for the tests that change one and read it again."""

from typing import Any

from ringfence.aws.roster_item import from_item, to_item
from ringfence.core.errors import Unsafe
from ringfence.core.model.ports import Ports
from tests.unit.builders import GROUP, I1, I2, NOW, TCP, WEST, address, member, roster

Item = dict[str, Any]


def row() -> Item:
    """A row with every attribute."""
    return to_item(
        roster(
            {I1: member(address(1))},
            {I2: NOW - 5},
            version=7,
            pending_releases={WEST: frozenset({I2})},
            security_groups=(GROUP,),
            ports=Ports((TCP,)),
            account="123456789012",
            updated_at=NOW,
        )
    )


def is_trusted(item: Item) -> bool:
    try:
        from_item(item, NOW)
    except Unsafe:
        return False
    return True
