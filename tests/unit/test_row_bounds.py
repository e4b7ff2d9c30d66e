"""The bounds of a row: anyone with PutItem may write any number, any count and any text."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.aws.roster_item import (
    DEPARTED_LIMIT,
    GROUPS_LIMIT,
    MEMBERS_LIMIT,
    REGIONS_LIMIT,
    TEXT_LIMIT,
    bad_row,
    from_item,
    held_from_item,
    held_to_item,
    key,
)
from ringfence.core.errors import Unsafe
from ringfence.core.freshness import FUTURE_SECONDS
from ringfence.core.membership.addresses import ADDRESSES_LIMIT
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId
from ringfence.core.model.rosters import VERSION_MARGIN, HeldRemovals, RawVersion
from tests.unit.builders import EAST, GROUP, I1, I2, NOW, WEST, address
from tests.unit.rows import Item, is_trusted, row

Written = Callable[[Item, Any], None]
"""Writes an attribute value into one place of an item."""


def number(value: int) -> Item:
    return {"N": str(value)}


# Numbers.


def version_is(item: Item, value: Any) -> None:
    item["version"] = value


def since_is(item: Item, value: Any) -> None:
    item["members"]["M"][I1]["M"]["since"] = value


def departure_is(item: Item, value: Any) -> None:
    item["departed"]["M"][I2] = value


NUMBERS = [version_is, since_is, departure_is]
HOSTILE: list[Any] = [
    {"N": "1e125"},
    {"N": "1E125"},
    {"N": "9" * 38},
    {"N": "9" * 10**6},
    {"N": "-1"},
    {"N": "-" + "9" * 38},
    {"N": "1.5"},
    {"N": "1e-130"},
    {"N": "NaN"},
    {"N": "Infinity"},
    {"N": "-Infinity"},
    {"N": "1_0"},
    {"N": " 7"},
    {"N": "7\n"},
    {"N": "+7"},
    {"N": "0x7"},
    {"N": "\u0667"},
    {"N": ""},
    {"N": "seven"},
    {"N": 7},
    {"N": None},
    {"S": "7"},
    {"BOOL": True},
    {"NULL": True},
    {"L": [{"N": "7"}]},
    {"L": []},
    {"M": {"N": {"N": "7"}}},
    {"NS": ["7"]},
    {},
    [],
    None,
    "7",
]


def test_a_row_without_hostile_values_is_trusted() -> None:
    assert is_trusted(row())


@pytest.mark.parametrize("write", NUMBERS)
@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda value: str(value)[:20])
def test_a_number_that_is_no_whole_number_in_bounds_makes_its_row_unsafe(write: Written, hostile: Any) -> None:
    item = row()
    write(item, hostile)
    assert not is_trusted(item)


@pytest.mark.parametrize(
    ("write", "least", "most"),
    [
        (version_is, 1, NOW + VERSION_MARGIN),
        (since_is, 0, NOW + FUTURE_SECONDS),
        (departure_is, 0, NOW + FUTURE_SECONDS),
    ],
)
def test_a_number_is_trusted_up_to_its_bounds(write: Written, least: int, most: int) -> None:
    for value, trusted in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        item = row()
        write(item, number(value))
        assert is_trusted(item) is trusted, value


@pytest.mark.parametrize("attribute", ["version", "updated_at"])
def test_a_row_without_the_attribute_of_a_version_or_a_time_is_not_one_of_ours(attribute: str) -> None:
    item = row()
    del item[attribute]
    # a row without a version is one of the original sample: its addresses count, and nothing else
    if attribute == "version":
        assert from_item(item, NOW).departed == {}
    else:
        assert not is_trusted(item)


@pytest.mark.parametrize(
    ("written", "trusted"),
    [
        (datetime.fromtimestamp(NOW + FUTURE_SECONDS, UTC).isoformat(), True),
        (datetime.fromtimestamp(NOW + FUTURE_SECONDS + 1, UTC).isoformat(), False),
        ("1970-01-01T00:00:00+00:00", True),
        ("1969-12-31T23:59:59+00:00", False),
        ("9999-12-31T23:59:59+00:00", False),
        ("0001-01-01T00:00:00", False),
        ("0001-01-01T00:00:00+23:59", False),
        ("soon", False),
        ("", False),
    ],
)
def test_the_time_of_a_row_is_not_in_the_future_or_before_1970(written: str, trusted: bool) -> None:
    assert is_trusted(row() | {"updated_at": {"S": written}}) is trusted


@pytest.mark.parametrize("hostile", [*HOSTILE, number(NOW + FUTURE_SECONDS + 1)], ids=lambda value: str(value)[:20])
def test_what_the_guard_holds_is_not_trusted_with_a_time_out_of_bounds(hostile: Any) -> None:
    item = held_to_item(HeldRemovals(GROUP, frozenset(), "0123456789ab", NOW)) | {"at": hostile}
    with pytest.raises(Unsafe):
        held_from_item(item, NOW)


# The version of a row that cannot be trusted.


@pytest.mark.parametrize(
    "hostile", [*HOSTILE, number(0), number(NOW + VERSION_MARGIN + 1)], ids=lambda value: str(value)[:20]
)
def test_a_version_that_no_engine_can_have_written_is_kept_as_it_is(hostile: Any) -> None:
    bad = bad_row(row() | {"version": hostile}, "why", NOW)
    assert (bad.reason, bad.version, bad.raw) == ("why", 0, RawVersion(hostile))


def test_a_row_without_a_version_has_the_raw_version_none() -> None:
    item = row()
    del item["version"]
    assert bad_row(item, "why", NOW).raw == RawVersion(None)


@pytest.mark.parametrize("version", [1, 7, NOW + VERSION_MARGIN])
def test_a_version_in_bounds_counts_even_in_a_row_that_cannot_be_trusted(version: int) -> None:
    bad = bad_row(row() | {"version": number(version)}, "why", NOW)
    assert (bad.version, bad.raw) == (version, None)


def test_a_version_that_is_out_of_bounds_now_may_be_in_bounds_later() -> None:
    item = row() | {"version": number(NOW + VERSION_MARGIN + 1)}
    assert bad_row(item, "why", NOW).raw is not None
    assert bad_row(item, "why", NOW + 1).raw is None


# Counts and texts.


def ids(count: int) -> list[str]:
    return [f"i-{place:017x}" for place in range(count)]


def members(item: Item, count: int) -> None:
    value = item["members"]["M"][I1]
    item["members"]["M"] = dict.fromkeys(ids(count), value)


def departures(item: Item, count: int) -> None:
    item["departed"]["M"] = dict.fromkeys(ids(count), number(NOW))


def addresses(item: Item, count: int) -> None:
    item["members"]["M"][I1]["M"]["addresses"]["L"] = [{"S": address(place)} for place in range(count)]


def regions(item: Item, count: int) -> None:
    item["owed"]["M"] = {f"eu-test-{place}": {"SS": [I2]} for place in range(count)}


def security_groups(item: Item, count: int) -> None:
    item["security_groups"]["L"] = [{"S": f"sg-{place:08x}"} for place in range(count)]


def account(item: Item, count: int) -> None:
    item["account"] = {"S": "1" * count}


def group_name(item: Item, count: int) -> None:
    item |= key(EAST, ANNOUNCEMENT) | {"groups": {"L": [{"S": "g" * count}]}}


@pytest.mark.parametrize(
    ("write", "limit"),
    [
        (members, MEMBERS_LIMIT),
        (departures, DEPARTED_LIMIT),
        (addresses, ADDRESSES_LIMIT),
        (regions, REGIONS_LIMIT),
        (security_groups, GROUPS_LIMIT),
        (account, TEXT_LIMIT),
        (group_name, TEXT_LIMIT),
    ],
)
def test_a_row_with_more_than_its_limits_is_unsafe(write: Callable[[Item, int], None], limit: int) -> None:
    for count, trusted in ((limit, True), (limit + 1, False)):
        item = row()
        write(item, count)
        assert is_trusted(item) is trusted


def test_a_row_of_the_original_sample_with_too_many_addresses_is_unsafe() -> None:
    for count, trusted in ((MEMBERS_LIMIT, True), (MEMBERS_LIMIT + 1, False)):
        item = key(WEST, "db") | {"ips": {"SS": [address(place) for place in range(count)]}}
        assert is_trusted(item) is trusted


@pytest.mark.parametrize(
    ("id", "trusted"),
    [
        ("sg-01234567", True),
        ("sg-0123456789abcdef0", True),
        ("sg-0123456", False),
        ("sg-0123456789abcdef01", False),
        ("sg-0123456G", False),
        ("sg-01234567\n", False),
        ("SG-01234567", False),
        ("01234567", False),
        ("*", False),
        ("", False),
    ],
)
def test_a_security_group_has_an_id_of_awss_form(id: str, trusted: bool) -> None:
    assert is_trusted(row() | {"security_groups": {"L": [{"S": id}]}}) is trusted


@pytest.mark.parametrize("id", ["", "i-1 i-2", "i-1\n", "\u202ei-1", "i" * 65, "*", "i-1/32"])
def test_an_id_that_no_instance_has_is_read_over(id: str) -> None:
    # an engine of version 0.1 writes such ids: it does not check those in events
    departed = row() | {"departed": {"M": {id: number(NOW), "i-9": number(NOW)}}}
    pending = row() | {"owed": {"M": {WEST: {"SS": [id, "i-9"]}, EAST: {"SS": [id]}}}}
    assert from_item(departed, NOW).departed == {InstanceId("i-9"): NOW}
    assert from_item(pending, NOW).pending_releases == {WEST: frozenset({InstanceId("i-9")})}


values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.binary(max_size=3) | st.integers() | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["N", "S", "M", "L", "SS", "x"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(row() | {"groups": {}, "ips": {}})), values)
def test_any_value_of_an_attribute_is_read_or_makes_the_row_unsafe(attribute: str, value: Any) -> None:
    item = row() | {attribute: value}
    if attribute in ("region", "asg"):
        return  # DynamoDB allows only text in a key
    is_trusted(item)
    assert bad_row(item, "why", NOW).version in (0, 7, *range(10))
