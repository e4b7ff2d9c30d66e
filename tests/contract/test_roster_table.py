"""The roster table: the conditional writes that the protocol between two engines requires."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from ringfence.aws.pause_item import PAUSE, pause_to_item
from ringfence.core.errors import Conflict, Permanent
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.pauses import Pause
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import HeldRemovals, Member, MemberState, RawVersion, Roster, Rows, RowVersion
from tests.contract.sources import assumed, documented
from tests.contract.world import World

HOSTILE: list[Mapping[str, Any] | None] = [
    None,
    {"N": "1e125"},
    {"N": "9" * 38},
    {"N": "0"},
    {"N": "-1"},
    {"N": "1.5"},
    {"S": "7"},
    {"NULL": True},
    {"L": []},
]
"""Versions that no engine can have written. None is a row without a version."""


@pytest.fixture
def empty(world: World) -> Roster:
    """A roster without members or version, with a unique key."""
    return Roster(RosterKey(world.region, f"group-{uuid4().hex}"), updated_at=1_700_000_000)


def at(roster: Roster, version: int, *instances: str) -> Roster:
    members = {
        InstanceId(id): Member((Cidr(f"198.18.0.{number}/32"), Cidr(f"2001:db8::{number}/128")), MemberState.MEMBER, 7)
        for number, id in enumerate(instances, 1)
    }
    return replace(roster, version=version, members=members)


def stored(world: World, roster: Roster) -> Roster | None:
    return world.here.table.rows().rosters.get(roster.key)


@documented("DynamoDB Developer Guide, Read consistency: a strongly consistent read reflects all earlier writes")
def test_scan_and_query_see_a_write_immediately_and_completely(world: World, empty: Roster) -> None:
    full = replace(
        at(empty, 1, "i-1", "i-2"),
        departed={InstanceId("i-0"): 1_699_999_999},
        pending_releases={Region("us-west-2"): frozenset({InstanceId("i-0")})},
        security_groups=(SecurityGroupId("sg-0123456789abcdef0"),),
        ports=Ports.parse("tcp/7000-7001,udp/1"),
        account="123456789012",
    )

    world.here.table.replace(full, 0)

    assert stored(world, empty) == full
    assert world.here.table.rows_of(world.region).rosters[empty.key] == full
    assert empty.key not in world.here.table.rows_of(Region("eu-west-9")).rosters


@documented("DynamoDB Developer Guide, Condition expressions: optimistic locking with a version number")
def test_a_row_is_replaced_at_its_current_version(world: World, empty: Roster) -> None:
    world.here.table.replace(at(empty, 1), 0)

    world.here.table.replace(at(empty, 2, "i-1"), 1)

    assert stored(world, empty) == at(empty, 2, "i-1")


@documented("DynamoDB Developer Guide, Condition expressions: a condition that does not hold changes nothing")
@pytest.mark.parametrize("expected", [0, 1, 3])
def test_another_expected_version_is_a_conflict_and_changes_nothing(world: World, empty: Roster, expected: int) -> None:
    world.here.table.replace(at(empty, 2), 0)

    with pytest.raises(Conflict):
        world.here.table.replace(at(empty, 9, "i-1"), expected)

    assert stored(world, empty) == at(empty, 2)


@documented("DynamoDB Developer Guide, Condition expressions: attribute_not_exists fails only for an existing row")
def test_a_missing_row_cannot_be_replaced_at_an_old_version(world: World, empty: Roster) -> None:
    with pytest.raises(Conflict):
        world.here.table.replace(at(empty, 4), 3)

    assert stored(world, empty) is None


@documented("DynamoDB API Reference, PutItem, ReturnValuesOnConditionCheckFailure: ALL_OLD returns the current row")
def test_an_offer_is_accepted_if_newer_and_returns_the_current_version(world: World, empty: Roster) -> None:
    peer = world.peer.table

    answers = [peer.offer(at(empty, version, f"i-{number}")) for number, version in enumerate((3, 3, 2))]
    before = peer.rows_of(world.region).rosters[empty.key]
    answers.append(peer.offer(at(empty, 4, "i-9")))

    assert answers == [3, 3, 3, 4]
    assert before == at(empty, 3, "i-0")
    assert peer.rows_of(world.region).rosters[empty.key] == at(empty, 4, "i-9")


@documented("DynamoDB Developer Guide, Supported data types: set types, a number set or string set without order")
def test_a_row_of_the_original_sample_has_addresses_and_can_be_replaced(world: World, empty: Roster) -> None:
    addresses = ["198.18.0.2/32", "198.18.0.1/32"]
    world.put_item({"region": {"S": empty.key.region}, "asg": {"S": empty.key.asg}, "ips": {"SS": addresses}})

    read = stored(world, empty)
    world.here.table.replace(at(empty, 1), 0)

    assert read is not None
    assert (read.version, sorted(cidr for cidr, _ in read.addresses())) == (0, sorted(addresses))
    assert stored(world, empty) == at(empty, 1)


@documented("DynamoDB Developer Guide, Supported data types: a string set may not be empty, so NULL represents it")
def test_a_row_of_the_original_sample_without_addresses_has_no_members(world: World, empty: Roster) -> None:
    world.put_item({"region": {"S": empty.key.region}, "asg": {"S": empty.key.asg}, "ips": {"NULL": True}})

    assert stored(world, empty) == Roster(empty.key)


@documented("DynamoDB API Reference, PutItem: only the key attributes are required")
def test_a_row_that_is_no_roster_is_listed_separately_with_its_version(world: World, empty: Roster) -> None:
    world.put_item({"region": {"S": empty.key.region}, "asg": {"S": empty.key.asg}, "version": {"N": "5"}})

    answers = [world.here.table.offer(at(empty, 5))]
    bad = world.here.table.rows().bad[empty.key]
    answers.append(world.here.table.offer(at(empty, 6)))

    assert (bad.version, answers) == (5, [6, 6])  # first, ours must be written again at a higher version
    assert world.here.table.rows().rosters[empty.key] == at(empty, 6)


def spoiled(world: World, empty: Roster, version: Mapping[str, Any] | None) -> RowVersion:
    """Writes the row by hand with this version attribute, or without one, and returns its version as it is read."""
    item: dict[str, Any] = {"region": {"S": empty.key.region}, "asg": {"S": empty.key.asg}, "ips": {"SS": ["x"]}}
    world.put_item(item if version is None else item | {"version": version})
    rows = world.here.table.rows()
    assert empty.key in rows.bad
    return rows.version_read(empty.key)


@documented("DynamoDB API Reference, AttributeValue: a number has up to 38 digits and an exponent of up to 125")
@pytest.mark.parametrize("version", HOSTILE)
def test_a_row_that_no_engine_can_have_written_is_replaced_by_its_raw_version(
    world: World, empty: Roster, version: Mapping[str, Any] | None
) -> None:
    version_read = spoiled(world, empty, version)
    assert isinstance(version_read, RawVersion)

    world.here.table.replace(at(empty, 3, "i-1"), version_read)

    assert stored(world, empty) == at(empty, 3, "i-1")
    assert empty.key not in world.here.table.rows().bad


@documented("DynamoDB Developer Guide, Condition expressions: a condition that does not hold changes nothing")
@pytest.mark.parametrize("version", HOSTILE)
def test_a_raw_version_is_a_conflict_after_another_write(
    world: World, empty: Roster, version: Mapping[str, Any] | None
) -> None:
    version_read = spoiled(world, empty, version)
    world.put_item({"region": {"S": empty.key.region}, "asg": {"S": empty.key.asg}, "version": {"N": "7e20"}})

    with pytest.raises(Conflict):
        world.here.table.replace(at(empty, 3), version_read)
    with pytest.raises(Conflict):
        world.here.table.delete(empty.key, version_read)

    assert empty.key in world.here.table.rows().bad


@documented("DynamoDB Developer Guide, Condition expressions: a condition that does not hold changes nothing")
@pytest.mark.parametrize("version", HOSTILE[1:])
def test_a_row_with_another_version_is_not_replaced_as_if_it_had_none(
    world: World, empty: Roster, version: Mapping[str, Any]
) -> None:
    spoiled(world, empty, version)

    with pytest.raises(Conflict):
        world.here.table.replace(at(empty, 3), 0)

    assert stored(world, empty) is None


@documented("DynamoDB API Reference, PutItem, ReturnValuesOnConditionCheckFailure: ALL_OLD returns the current row")
@pytest.mark.parametrize("version", HOSTILE)
def test_an_offer_replaces_a_row_that_no_engine_can_have_written(
    world: World, empty: Roster, version: Mapping[str, Any] | None
) -> None:
    spoiled(world, empty, version)

    assert world.here.table.offer(at(empty, 3, "i-1")) == 3

    assert stored(world, empty) == at(empty, 3, "i-1")


@documented("DynamoDB API Reference, DeleteItem: a conditional delete")
def test_a_row_is_deleted_at_its_current_version(world: World, empty: Roster) -> None:
    world.here.table.replace(at(empty, 2), 0)
    for version_read in (0, 1, 3, RawVersion({"N": "1e125"}), RawVersion(None)):
        with pytest.raises(Conflict):
            world.here.table.delete(empty.key, version_read)
    assert stored(world, empty) == at(empty, 2)

    world.here.table.delete(empty.key, 2)

    assert stored(world, empty) is None
    world.here.table.replace(at(empty, 1), 0)
    assert stored(world, empty) == at(empty, 1)


@documented("DynamoDB API Reference, DeleteItem: a conditional delete")
@pytest.mark.parametrize("version", HOSTILE)
def test_a_row_that_no_engine_can_have_written_is_deleted_by_its_raw_version(
    world: World, empty: Roster, version: Mapping[str, Any] | None
) -> None:
    world.here.table.delete(empty.key, spoiled(world, empty, version))

    rows = world.here.table.rows()
    assert empty.key not in rows.versions()


@documented("DynamoDB Developer Guide, Core components: items of one table need not have the same attributes")
def test_a_row_of_an_unknown_kind_is_neither_a_roster_nor_bad(world: World) -> None:
    unknown = RosterKey(world.region, "(future)")
    world.put_item({"region": {"S": unknown.region}, "asg": {"S": unknown.asg}, "version": {"N": "1e125"}})

    for rows in (world.here.table.rows(), world.here.table.rows_of(world.region)):
        assert unknown not in rows.versions()


@documented("DynamoDB Developer Guide, Core components: items of one table need not have the same attributes")
def test_an_announcement_is_stored_beside_the_rosters(world: World, empty: Roster) -> None:
    key, groups = RosterKey(world.region, ANNOUNCEMENT), frozenset({"db", "seeds"})
    announcement = replace(at(empty, 1), key=key, groups=groups, engine="0.2.0")
    world.here.table.replace(announcement, world.here.table.rows().version_read(announcement.key))

    rows = world.here.table.rows_of(world.region)
    assert rows.announcement(world.region) == announcement
    assert not rows.is_announced(empty.key)


@documented("DynamoDB Developer Guide, Supported data types: a set may not be empty")
def test_an_empty_set_is_refused(world: World, empty: Roster) -> None:
    with pytest.raises(Permanent):
        world.here.table.offer(replace(at(empty, 1), pending_releases={Region("us-west-2"): frozenset()}))

    assert stored(world, empty) is None


@documented("DynamoDB Developer Guide, Service, account, and table quotas: 400 KB for an item")
def test_a_roster_that_fits_into_an_item_is_stored_and_a_larger_one_refused(world: World, empty: Roster) -> None:
    def departed(count: int) -> Roster:
        return replace(at(empty, 1), departed={InstanceId(f"i-{number:017x}"): 1 for number in range(count)})

    with pytest.raises(Permanent):
        world.here.table.offer(departed(20_000))
    assert stored(world, empty) is None

    assert world.here.table.offer(departed(15_000)) == 1
    assert stored(world, empty) == departed(15_000)


@documented("DynamoDB API Reference, Scan: a page ends at 1 MB and returns the key to continue from")
def test_a_scan_returns_the_rows_of_all_pages(world: World, empty: Roster) -> None:
    large = {InstanceId(f"i-{number:017x}"): 1 for number in range(12_000)}
    keys = [RosterKey(world.region, f"{empty.key.asg}-{number}") for number in range(5)]
    for key in keys:
        world.here.table.offer(replace(at(empty, 1), key=key, departed=large))

    for rows in (world.here.table.rows(), world.here.table.rows_of(world.region)):
        assert set(keys) <= set(rows.rosters)


@documented("DynamoDB Developer Guide, Core components: items of one table need not have the same attributes")
def test_held_removals_are_stored_beside_the_rosters(world: World, empty: Roster) -> None:
    held = HeldRemovals(SecurityGroupId(empty.key.asg), frozenset({RuleId("sgr-1")}), "0123456789ab", 1_700_000_000)

    world.here.table.hold(held)
    world.here.table.hold(replace(held, at=1_700_000_001))

    assert world.here.table.rows().held[held.group] == replace(held, at=1_700_000_001)
    assert empty.key not in world.here.table.rows_of(world.region).rosters


@documented("DynamoDB Developer Guide, Core components: items of one table need not have the same attributes")
@pytest.mark.parametrize("is_over", [False, True])
def test_a_pause_is_read_with_the_whole_table_and_is_no_roster(world: World, empty: Roster, is_over: bool) -> None:
    pause = Pause(Region("mars-1"), "arn:aws:iam::111122223333:user/on-call", "a drill", 1_700_000_000, is_over)
    world.here.table.replace(at(empty, 1), 0)
    world.put_item(pause_to_item(pause))

    rows = world.here.table.rows()

    assert rows.pauses[pause.region] == pause
    assert RosterKey(Region(PAUSE), pause.region) not in rows.versions()
    assert empty.key in rows.rosters


@documented("DynamoDB API Reference, TableDescription, CreationDateTime: in epoch seconds")
def test_a_table_says_when_it_was_created_and_a_write_changes_nothing_about_it(world: World, empty: Roster) -> None:
    created = [region.table.created_at() for region in (world.here, world.peer)]

    world.here.table.replace(at(empty, 1), 0)

    assert [region.table.created_at() for region in (world.here, world.peer)] == created
    assert all(1_600_000_000 < seconds < 16_000_000_000 for seconds in created)


@assumed("tokens of a regional STS endpoint are valid in opt-in Regions; IAM User Guide, Managing AWS STS in a Region")
def test_credentials_that_the_home_region_issued_are_valid_in_the_peer_region(world: World, empty: Roster) -> None:
    world.peer.table.offer(at(empty, 1, "i-1"))

    def rows() -> Rows | None:
        try:
            return world.peer_table_with_credentials_of_home().rows_of(world.region)
        except Permanent:  # the role is new, and not visible everywhere yet
            return None

    seen = world.eventually(rows)
    assert seen is not None
    assert seen.rosters[empty.key] == at(empty, 1, "i-1")
