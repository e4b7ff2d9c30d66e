"""Rows of other kinds and of other versions: what is ignored, the announcement, and what version 0.1 can read."""

from typing import Any

import pytest

from ringfence.aws.roster_item import (
    GUARD,
    from_item,
    is_roster,
    key,
    to_item,
)
from ringfence.core.model.identifiers import ANNOUNCEMENT, RosterKey
from ringfence.core.model.ports import Ports
from tests.unit.builders import DB, EAST, GROUP, I1, NOW, TCP, WEST, roster
from tests.unit.rows import Item, is_trusted, row

# Rows of other kinds, of later versions, and of 0.1.


@pytest.mark.parametrize("kind", [GUARD, "(future)", "()", "(region)"])
def test_a_row_of_an_unknown_kind_is_no_roster(kind: str) -> None:
    assert not is_roster(key(kind, "db"))
    assert is_roster(key(EAST, kind)) is (kind == ANNOUNCEMENT)


def test_the_row_of_a_group_is_a_roster_whatever_its_name_contains() -> None:
    for name in ("db", "(db", "db)", "a(b)c"):
        assert is_roster(key(EAST, name))


def test_attributes_of_later_versions_are_ignored() -> None:
    item = row()
    expected = from_item(item, NOW)
    item |= {"features": {"SS": ["spread"]}, "states": {"M": {GROUP: {"S": "rising"}}}}
    item["members"]["M"][I1]["M"]["interfaces"] = {"L": []}
    assert from_item(item, NOW) == expected


ANNOUNCED = roster(
    key=RosterKey(WEST, ANNOUNCEMENT),
    version=9,
    security_groups=(GROUP,),
    ports=Ports((TCP,)),
    account="123456789012",
    observed=True,
    groups=frozenset({"db", "seeds"}),
    engine="9.9.9",
    updated_at=NOW,
)


def test_a_written_announcement_reads_back() -> None:
    assert from_item(to_item(ANNOUNCED), NOW) == ANNOUNCED
    assert "groups" not in row()


@pytest.mark.parametrize("missing", ["groups", "version"])
def test_an_announcement_without_its_groups_or_version_is_unsafe(missing: str) -> None:
    item = to_item(ANNOUNCED)
    del item[missing]
    assert not is_trusted(item)


@pytest.mark.parametrize("hostile", [{"S": "db"}, {"L": [{"N": "1"}]}, {"SS": ["db"]}, {"L": "db"}, None, {}])
def test_an_announcement_with_groups_of_another_type_is_unsafe(hostile: Any) -> None:
    assert not is_trusted(to_item(ANNOUNCED) | {"groups": hostile})


ATTRIBUTES_OF_0_1 = {
    "region": "S",
    "asg": "S",
    "version": "N",
    "updated_at": "S",
    "members": "M",
    "departed": "M",
    "owed": "M",
    "security_groups": "L",
    "ports": "S",
    "account": "S",
    "observed": "BOOL",
    "engine": "S",
}
"""What version 0.1 requires of a row, or writes into every row."""


@pytest.mark.parametrize("item", [row(), to_item(ANNOUNCED)], ids=["roster", "announcement"])
def test_version_0_1_can_read_every_row(item: Item) -> None:
    assert {name: next(iter(item[name])) for name in ATTRIBUTES_OF_0_1} == ATTRIBUTES_OF_0_1
    assert item.keys() - ATTRIBUTES_OF_0_1.keys() <= {"ips", "groups"}


def test_version_0_1_can_read_every_member() -> None:
    (value,) = row()["members"]["M"].values()
    assert {name: next(iter(content)) for name, content in value["M"].items()} == {
        "addresses": "L",
        "state": "S",
        "since": "N",
    }


def test_version_0_1_reads_an_announcement_as_an_empty_roster() -> None:
    item = to_item(ANNOUNCED)
    assert (item["members"], item["departed"], item["owed"]) == ({"M": {}}, {"M": {}}, {"M": {}})


def test_a_row_of_version_0_1_without_the_attribute_observed_is_not_in_observe_mode() -> None:
    item = row()
    del item["observed"]
    assert from_item(item, NOW).observed is False
    assert from_item(item, NOW).groups is None


def test_the_key_of_a_row_is_that_of_its_roster() -> None:
    assert from_item(row(), NOW).key == DB
