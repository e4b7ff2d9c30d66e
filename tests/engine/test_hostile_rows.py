"""Rows that no engine wrote: none stops, opens or empties the cluster, and all of them are replaced or deleted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ringfence.aws.roster_item import to_item
from ringfence.core.audit_events import Problem, RowRejected
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import VERSION_MARGIN
from ringfence.core.model.rules import Label
from ringfence_lab.sim.aws.history import CloudChange, RowDeleted, RowWritten, RuleMade, RuleRevoked
from ringfence_lab.sim.cloud import Cloud
from tests.engine.conftest import EAST, TRUE_UP, WEST, settled
from tests.engine.outsider import (
    HOSTILE_VERSIONS,
    STRANGER,
    assert_launch_is_served,
    assert_only_members_are_admitted,
    assert_tables_heal,
    in_sync_with_ids_of_aws,
    invented,
    item,
    members,
    with_ids_of_aws,
    write,
)

PLACES = [(EAST, EAST), (EAST, WEST), (WEST, EAST), (WEST, WEST)]
"""The table in which a row is written, and the home Region of the row."""


@pytest.fixture
def cloud() -> Cloud:
    """Two Regions with two members each, in sync."""
    return in_sync_with_ids_of_aws()


def changes_of_rules(cloud: Cloud) -> list[CloudChange]:
    return [change for change in cloud.history if isinstance(change, RuleMade | RuleRevoked)]


# Versions.


@pytest.mark.parametrize("version", HOSTILE_VERSIONS, ids=str)
@pytest.mark.parametrize("asg", ["db", ANNOUNCEMENT])
@pytest.mark.parametrize(("where", "home"), PLACES)
def test_a_version_that_no_engine_can_have_written_stops_nothing(
    cloud: Cloud, where: str, home: str, asg: str, version: Mapping[str, Any]
) -> None:
    write(cloud, where, item(cloud, where, home, asg), version=version)
    # when / then
    assert_launch_is_served(cloud, EAST)
    assert_launch_is_served(cloud, WEST)
    assert_tables_heal(cloud)


@pytest.mark.parametrize(
    "lie",
    [
        {"ports": {"S": "garbage"}},
        {"ports": {"S": "tcp/1-2"}},
        {"members": {"S": "x"}},
        {"departed": {"M": {"i-1": {"N": "1e99"}}}},
        {"security_groups": {"L": []}},
        {"security_groups": {"L": [{"S": "*"}]}},
        {"groups": {"S": "x"}},
        {"groups": {"L": []}},
        {"observed": {"BOOL": True}},
    ],
    ids=str,
)
@pytest.mark.parametrize("newer", [0, 7])
@pytest.mark.parametrize("asg", ["db", ANNOUNCEMENT])
@pytest.mark.parametrize("home", [EAST, WEST])
def test_a_lie_in_a_peers_copy_of_a_row_hides_no_launch_from_that_peer(
    cloud: Cloud, home: str, asg: str, newer: int, lie: Mapping[str, Any]
) -> None:
    peer = WEST if home == EAST else EAST
    copy = item(cloud, peer, home, asg)
    version = {"N": str(int(copy["version"]["N"]) + newer)}
    write(cloud, peer, copy, version=version, **lie)
    # when / then
    assert_launch_is_served(cloud, home)
    assert_tables_heal(cloud)


@pytest.mark.parametrize("above", [0, 1, 1000, VERSION_MARGIN - 60, VERSION_MARGIN])
@pytest.mark.parametrize(("where", "home"), PLACES)
def test_the_highest_version_that_is_believed_stops_nothing(cloud: Cloud, where: str, home: str, above: int) -> None:
    version = int(cloud.clock.now()) + above
    write(cloud, where, item(cloud, where, home), version={"N": str(version)})
    # when / then
    assert_launch_is_served(cloud, EAST)
    assert_launch_is_served(cloud, WEST)
    cloud.clock.advance(5)
    assert_tables_heal(cloud)


@pytest.mark.parametrize("version", HOSTILE_VERSIONS, ids=str)
def test_a_row_with_a_hostile_version_is_reported_and_admits_no_stranger(
    cloud: Cloud, version: Mapping[str, Any]
) -> None:
    write(cloud, EAST, invented(WEST, "db"), version=version)
    # when
    invocation = cloud.invoke(EAST, TRUE_UP)
    # then
    rejected = [event.roster for event in invocation.audit_events if isinstance(event, RowRejected)]
    assert rejected == [RosterKey(Region(WEST), "db")]
    assert not changes_of_rules(cloud)


# Invented rows.


@pytest.mark.parametrize("version", [{"N": "1"}, {"N": "1800000000"}, *HOSTILE_VERSIONS], ids=str)
@pytest.mark.parametrize(("where", "home"), PLACES)
def test_an_invented_row_of_a_group_that_its_region_does_not_announce_opens_nothing_and_is_deleted(
    cloud: Cloud, where: str, home: str, version: Mapping[str, Any]
) -> None:
    write(cloud, where, invented(home, "evil"), version=version)
    # when / then
    assert_launch_is_served(cloud, EAST)
    assert_launch_is_served(cloud, WEST)
    assert_tables_heal(cloud)
    assert RosterKey(Region(home), "evil") not in cloud.region(where).table.scan().versions()
    assert not any(isinstance(change, RuleMade) and STRANGER in str(change) for change in cloud.history)


@pytest.mark.parametrize("row", ["good", "bad", "none"])
@pytest.mark.parametrize("home", [EAST, WEST])
def test_the_rule_of_an_invented_row_does_not_outlive_it(cloud: Cloud, home: str, row: str) -> None:
    # given a rule that names an instance of a group that its Region does not announce
    label = Label("demo", RosterKey(Region(home), "evil"), "i-00000000000000bad")
    cloud.region(EAST).security_group.allow(STRANGER, "tcp/9042", str(label))
    if row != "none":
        write(cloud, EAST, invented(home, "evil"), **({"version": {"N": "1e125"}} if row == "bad" else {}))
    # when / then
    assert_tables_heal(cloud)
    assert_launch_is_served(cloud, EAST)


def test_an_invented_row_of_a_region_that_is_not_in_the_cluster_opens_nothing(cloud: Cloud) -> None:
    write(cloud, EAST, invented("eu-west-1", "db"))
    assert_launch_is_served(cloud, EAST)


def test_a_row_of_an_unknown_kind_is_ignored_and_never_deleted(cloud: Cloud) -> None:
    write(cloud, EAST, {"region": {"S": EAST}, "asg": {"S": "(future)"}, "version": {"N": "1e125"}})
    assert_launch_is_served(cloud, EAST)
    assert not any(isinstance(change, RowDeleted) for change in cloud.history)


def test_a_row_of_the_original_sample_is_admitted_until_its_region_announces_its_groups() -> None:
    # given a Region whose engine has not run yet
    cloud = with_ids_of_aws(Cloud([EAST, WEST]))
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    row = {"region": {"S": WEST}, "asg": {"S": "legacy"}, "ips": {"SS": ["54.9.9.9/32"]}}
    write(cloud, EAST, row)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert Cidr("54.9.9.9/32") in cloud.region(EAST).admitted()
    # when
    settled(cloud)
    cloud.clock.advance(61)
    settled(cloud)
    # then the row stays, and its addresses are no longer wanted
    assert_only_members_are_admitted(cloud)
    assert RosterKey(Region(WEST), "legacy") in cloud.region(EAST).table.scan().rosters


def test_an_announcement_without_groups_makes_no_invented_row_count(cloud: Cloud) -> None:
    announcement = item(cloud, EAST, WEST, ANNOUNCEMENT)
    del announcement["groups"]
    write(cloud, EAST, announcement)
    write(cloud, EAST, invented(WEST, "evil"))
    # when / then
    assert_launch_is_served(cloud, EAST)
    assert_tables_heal(cloud)


# Tombstones.


@pytest.mark.parametrize("seconds", [6, 60, 10**6, 10**12])
@pytest.mark.parametrize(("where", "home"), PLACES)
def test_tombstones_in_the_future_remove_no_member(cloud: Cloud, where: str, home: str, seconds: int) -> None:
    # given
    row = item(cloud, where, home)
    tombstone = {"N": str(int(cloud.clock.now()) + seconds)}
    row["departed"]["M"] = dict.fromkeys(row["members"]["M"], tombstone)
    row["members"]["M"] = {}
    write(cloud, where, row, version={"N": str(int(row["version"]["N"]) + 1)})
    # when / then
    assert_launch_is_served(cloud, EAST)
    assert_launch_is_served(cloud, WEST)
    assert_tables_heal(cloud)
    assert not any(isinstance(change, RuleRevoked) for change in cloud.history)


@pytest.mark.parametrize("home", [EAST, WEST])
def test_a_row_from_the_future_is_not_believed(cloud: Cloud, home: str) -> None:
    written = datetime.fromtimestamp(cloud.clock.now() + 60, UTC).isoformat()
    write(cloud, EAST, invented(home, "db", version=int(cloud.clock.now())), updated_at={"S": written})
    assert_launch_is_served(cloud, EAST)


# Ports and groups of a peer.


@pytest.mark.parametrize("asg", ["db", ANNOUNCEMENT])
@pytest.mark.parametrize("ports", ["tcp/0-65535", "tcp/9042,tcp/0-65535", "tcp/22", "udp/9042", "auto"])
def test_the_ports_in_a_peers_row_open_no_port_that_is_not_ours(cloud: Cloud, asg: str, ports: str) -> None:
    # given
    write(cloud, EAST, item(cloud, EAST, WEST, asg), ports={"S": ports})
    # when
    cloud.region(EAST).groups["db"].scale_to(3)
    invocation = cloud.poll(EAST)
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert invocation is not None
    assert invocation.error is None
    made = {str(change.rule.ports) for change in cloud.history if isinstance(change, RuleMade)}
    assert made == {"tcp/9042"}
    assert_only_members_are_admitted(cloud)


def test_ports_that_a_peer_announces_and_that_are_not_ours_are_reported_and_the_others_are_opened(
    cloud: Cloud,
) -> None:
    # given
    write(cloud, EAST, item(cloud, EAST, WEST, ANNOUNCEMENT), ports={"S": "tcp/9042,tcp/22"})
    cloud.region(EAST).groups["db"].scale_to(3)
    # when
    invocation = cloud.poll(EAST, cloud.settings(EAST, ports=Ports.parse("tcp/9042")))
    # then
    assert invocation is not None
    problems = [event.what for event in invocation.audit_events if isinstance(event, Problem)]
    assert any("tcp/22" in problem and "not among our ports" in problem for problem in problems)
    assert_only_members_are_admitted(cloud)


@pytest.mark.parametrize("group", ["*", "sg-1", "sg-0123456789abcdefg", "", "sg-" + "0" * 70_000])
def test_a_security_group_whose_id_is_not_of_awss_form_is_never_called(cloud: Cloud, group: str) -> None:
    write(cloud, EAST, item(cloud, EAST, WEST, ANNOUNCEMENT), security_groups={"L": [{"S": group}]})
    assert_launch_is_served(cloud, EAST)


# Quotas.


def test_invented_members_of_a_peer_leave_room_for_our_own_launch(cloud: Cloud) -> None:
    # given
    strangers = [Cidr(f"8.8.{number}.8/32") for number in range(70)]
    row = invented(WEST, "db", strangers, version=int(item(cloud, EAST, WEST)["version"]["N"]) + 1)
    write(cloud, EAST, row)
    group = cloud.region(EAST).groups["db"]
    # when
    group.scale_to(3)
    cloud.poll(EAST)
    # then
    assert set(group.listed().values()) == {"InService"}
    assert cloud.region(EAST).admitted() >= members(cloud)
    # when the peer's engine replaces its row, and the guard's second observation follows
    assert_tables_heal(cloud)
    # then
    assert_launch_is_served(cloud, EAST)


def test_a_member_with_many_addresses_leaves_room_for_launches() -> None:
    # given room for the first 64 addresses of a member with 71, and for three more members
    cloud = with_ids_of_aws(Cloud([EAST, WEST], quota=1 + 64 + 3))
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=1)
    settled(cloud)
    east = cloud.region(EAST)
    (greedy,) = east.groups["db"].listed()
    for number in range(70):
        east.ec2.add_interface(greedy, AddressKind.PUBLIC_IPV4, Cidr(f"8.8.{number}.8/32"))
    # when
    invocation = cloud.invoke(EAST, TRUE_UP)
    east.groups["db"].scale_to(2)
    cloud.poll(EAST)
    # then
    problems = [event.what for event in invocation.audit_events if isinstance(event, Problem)]
    assert problems == [f"{greedy} of {EAST}/db has 71 addresses, and only the first 64 are admitted"]
    assert set(east.groups["db"].listed().values()) == {"InService"}
    for region in cloud.regions.values():
        assert len(region.admitted()) == 64 + 2


@pytest.mark.parametrize("count", [65, 70, 5000])
def test_a_row_with_too_many_addresses_for_one_member_is_not_believed(cloud: Cloud, count: int) -> None:
    # given
    row = item(cloud, EAST, WEST)
    value = next(iter(row["members"]["M"].values()))["M"]
    value["addresses"]["L"] = [{"S": f"8.{number >> 8}.{number & 255}.8/32"} for number in range(count)]
    write(cloud, EAST, row, version={"N": str(int(row["version"]["N"]) + 1)})
    # when / then
    assert_launch_is_served(cloud, EAST)
    assert_tables_heal(cloud)


# A row that another caller changes while a reconcile runs.


@pytest.mark.parametrize("where", [EAST, WEST])
def test_a_row_that_is_spoilt_after_it_was_published_lets_no_departed_instance_go(cloud: Cloud, where: str) -> None:
    # given another caller who spoils our row each time that the engine writes it
    region, key = cloud.region(where), RosterKey(Region(EAST), "db")

    def spoil(change: CloudChange) -> None:
        if isinstance(change, RowWritten) and (change.region, change.key) == (region.name, key):
            region.table.put_item(to_item(region.table.rosters[key]) | {"version": {"N": "1e125"}})

    cloud.watchers.append(spoil)
    group = cloud.region(EAST).groups["db"]
    leaving = next(iter(group.listed()))
    # when
    group.terminate(leaving, decrement=True)
    invocation = cloud.poll(EAST)
    # then the hook of a Region that may still admit the instance is not answered
    assert invocation is not None
    assert leaving in group.listed()
    assert _is_admitted(cloud, leaving)
    # when the caller stops
    cloud.watchers.clear()
    cloud.clock.advance(35)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert leaving not in group.listed()
    assert_only_members_are_admitted(cloud)


def _is_admitted(cloud: Cloud, instance: InstanceId) -> bool:
    """Whether any Region has a rule for the instance."""
    rules = [rule for region in cloud.regions.values() for rule in region.owned_rules()]
    return any(rule.description.endswith(f" {instance}") for rule in rules)
