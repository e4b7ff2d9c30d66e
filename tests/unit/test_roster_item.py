"""A roster as an item: an item is checked before it becomes a roster."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.aws.roster_item import (
    ITEM_LIMIT,
    from_item,
    held_from_item,
    held_to_item,
    item_size,
    to_item,
)
from ringfence.core.errors import Permanent, Unsafe
from ringfence.core.freshness import FUTURE_SECONDS
from ringfence.core.model.addresses import Cidr, host
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import VERSION_MARGIN, HeldRemovals, Member, MemberState, Roster
from tests.unit.builders import NOW

KEY = RosterKey(Region("us-east-1"), "db")

TIMES = st.integers(0, NOW + FUTURE_SECONDS)
ADDRESSES = st.integers(0x36000000, 0x36FFFFFF).map(
    lambda n: host(f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}")
)
IDS = st.integers(0, 2**68).map(lambda n: InstanceId(f"i-{n:017x}"))
MEMBERS = st.builds(Member, st.lists(ADDRESSES, max_size=3).map(tuple), st.sampled_from(MemberState), TIMES, TIMES)
ROSTERS = st.builds(
    Roster,
    key=st.just(KEY),
    version=st.integers(1, NOW + VERSION_MARGIN),
    members=st.dictionaries(IDS, MEMBERS, max_size=5),
    departed=st.dictionaries(IDS, TIMES, max_size=5),
    fenced=st.dictionaries(IDS, TIMES, max_size=5),
    pending_releases=st.dictionaries(st.just(Region("us-west-2")), st.frozensets(IDS, min_size=1, max_size=3)),
    security_groups=st.lists(st.integers(0, 9).map(lambda n: SecurityGroupId(f"sg-{n:017x}")), max_size=3).map(tuple),
    ports=st.sampled_from([Ports(), Ports.parse("tcp/7000-7001,udp/53")]),
    account=st.just("123456789012"),
    updated_at=TIMES,
)


@given(ROSTERS)
def test_a_written_roster_reads_back(roster: Roster) -> None:
    assert from_item(to_item(roster), NOW) == roster


@given(ROSTERS)
def test_an_item_has_the_original_samples_attribute_unless_it_would_be_an_empty_set(roster: Roster) -> None:
    assert to_item(roster).get("ips", {"SS": []})["SS"] == sorted({address for address, _ in roster.addresses()})
    assert to_item(roster).get("ips") != {"SS": []}


def item_with(address: str) -> dict[str, Any]:
    member = Member((Cidr("54.1.2.3/32"),), MemberState.MEMBER, 0)
    item = to_item(Roster(KEY, 7, {InstanceId("i-1"): member}))
    item["members"]["M"]["i-1"]["M"]["addresses"]["L"][0]["S"] = address
    return item


@pytest.mark.parametrize(
    "address", ["0.0.0.0/0", "54.1.2.0/24", "54.1.2.3", "054.1.2.3/32", "224.0.0.1/32", "::/0", "fe80::1/128", "", "x"]
)
def test_an_address_that_is_no_single_unicast_host_makes_its_row_unsafe(address: str) -> None:
    with pytest.raises(Unsafe):
        from_item(item_with(address), NOW)


@pytest.mark.parametrize(
    "attribute", ["members", "departed", "owed", "security_groups", "ports", "account", "updated_at"]
)
@pytest.mark.parametrize("value", [None, {"S": "x"}, {"N": "1"}, {"M": {"x": {"S": "y"}}}, {"L": [{"N": "1"}]}])
def test_an_attribute_of_another_type_makes_its_row_unsafe(attribute: str, value: dict[str, Any] | None) -> None:
    # given
    item = item_with("54.1.2.3/32")
    if value is None:
        del item[attribute]
    else:
        item[attribute] = value
    # when
    try:
        roster = from_item(item, NOW)
    except Unsafe:
        return
    # then only text is accepted where text belongs
    assert attribute == "account"
    assert roster.account == "x"


def test_a_row_of_the_original_sample_has_its_addresses_and_version_zero() -> None:
    row = {"region": {"S": "us-west-2"}, "asg": {"S": "db"}, "ips": {"SS": ["54.1.2.3/32", "54.1.2.4"]}}
    roster = from_item(row, NOW)
    assert roster.version == 0
    assert [address for address, _ in roster.addresses()] == ["54.1.2.3/32", "54.1.2.4/32"]
    assert from_item({"region": {"S": "us-west-2"}, "asg": {"S": "db"}, "ips": {"NULL": True}}, NOW).members == {}


def test_more_members_than_an_item_can_hold_raise_permanent() -> None:
    members = {InstanceId(f"i-{n:017x}"): Member((Cidr("54.1.2.3/32"),), MemberState.MEMBER, 1) for n in range(6000)}
    with pytest.raises(Permanent, match=r"us-east-1/db with 6000 members takes \d+ bytes.*split"):
        to_item(Roster(KEY, 1, members))


def test_two_thousand_members_fit_into_an_item() -> None:
    members = {
        InstanceId(f"i-{n:017x}"): Member((Cidr("54.100.200.3/32"),), MemberState.MEMBER, 1) for n in range(2000)
    }
    assert item_size(to_item(Roster(KEY, 1, members))) < ITEM_LIMIT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", {"S": "retired"}),
        ("state", {"N": "1"}),
        ("since", {"N": "soon"}),
        ("since", {"S": "1"}),
        ("addresses", {"SS": ["54.1.2.3/32"]}),
        ("addresses", {"L": [{"M": {}}]}),
    ],
)
def test_an_invalid_member_makes_its_row_unsafe(field: str, value: dict[str, Any]) -> None:
    item = item_with("54.1.2.3/32")
    item["members"]["M"]["i-1"]["M"][field] = value
    with pytest.raises(Unsafe):
        from_item(item, NOW)


@pytest.mark.parametrize("instance", ["", "i-1 i-2", "i-1\n", "grün", "i" * 250])
def test_an_instance_that_no_label_can_name_makes_its_row_unsafe(instance: str) -> None:
    item = item_with("54.1.2.3/32")
    item["members"]["M"] = {instance: item["members"]["M"]["i-1"]}
    with pytest.raises(Unsafe):
        from_item(item, NOW)


@pytest.mark.parametrize("address", ["0.0.0.0/0", "54.1.2.0/24", "x"])
def test_an_invalid_address_makes_a_row_of_the_original_sample_unsafe(address: str) -> None:
    with pytest.raises(Unsafe):
        from_item({"region": {"S": "us-west-2"}, "asg": {"S": "db"}, "ips": {"SS": ["54.1.2.3/32", address]}}, NOW)


@given(st.frozensets(st.integers(0, 99).map(lambda n: RuleId(f"sgr-{n}"))), TIMES)
def test_a_written_record_of_the_guard_reads_back(rules: frozenset[RuleId], at: int) -> None:
    held = HeldRemovals(SecurityGroupId("sg-00000001"), rules, "0123456789ab", at)
    assert held_from_item(held_to_item(held), NOW) == held


@given(ROSTERS)
def test_the_computed_size_of_an_item_is_at_least_the_size_that_dynamodb_documents(roster: Roster) -> None:
    # DynamoDB Developer Guide, "DynamoDB item sizes and formats": names and text in UTF-8, 3 bytes for each list or
    # map and 1 for each of its elements, about 1 byte for each two digits of a number and 1 more.
    def size(value: dict[str, Any]) -> int:
        ((kind, content),) = value.items()
        match kind:
            case "S":
                return len(content.encode())
            case "N":
                return (len(content) + 1) // 2 + 1
            case "SS":
                return sum(len(text.encode()) for text in content)
            case "BOOL":
                return 1
            case "L":
                return 3 + sum(1 + size(element) for element in content)
            case _:
                return 3 + sum(1 + len(name.encode()) + size(element) for name, element in content.items())

    item = to_item(roster)
    documented = sum(len(name.encode()) + size(value) for name, value in item.items())
    assert documented <= item_size(item) <= 3 * documented
