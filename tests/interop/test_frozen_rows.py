"""What 0.1.0 makes of the rows of this version, and what this version makes of the rows of 0.1.0."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ringfence.aws.roster_item import from_item, held_from_item, held_to_item, key_of, to_item
from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import HeldRemovals, Member, MemberState, Roster
from tests.interop import frozen
from tests.interop.announcements import announcement
from tests.interop.fleet import Fleet, Version, fleet

EAST, WEST = Region("us-east-1"), Region("us-west-2")
NEW, OLD = Version.NEW, Version.OLD

old_rows = frozen.module("aws.roster_item")

NOW = 1_795_000_000

ROSTER = Roster(
    RosterKey(EAST, "db"),
    version=NOW,
    members={
        InstanceId("i-0123456789abcdef0"): Member((Cidr("203.0.113.1/32"),), MemberState.MEMBER, 1_794_000_000),
        InstanceId("i-0123456789abcdef1"): Member((), MemberState.WAITING, 1_794_000_001),
        InstanceId("i-0123456789abcdef2"): Member((), MemberState.BARE, 1_794_000_002),
        InstanceId("i-0123456789abcdef3"): Member((Cidr("2001:db8::1/128"),), MemberState.MISSING, 1_794_000_003),
    },
    departed={InstanceId("i-0123456789abcdef4"): 1_794_000_004},
    pending_releases={WEST: frozenset({InstanceId("i-0123456789abcdef4")})},
    security_groups=(SecurityGroupId("sg-0123456789abcdef0"),),
    ports=Ports.parse("tcp/7000-7001,udp/9042"),
    account="123456789012",
    observed=True,
    updated_at=1_794_000_005,
)

HELD = HeldRemovals(SecurityGroupId("sg-0123456789abcdef0"), frozenset({RuleId("sgr-1")}), "digest", 1_794_000_000)


def without(item: Any, *names: str) -> Any:
    """The item without attributes."""
    return {name: value for name, value in item.items() if name not in names}


def test_a_roster_of_this_version_is_the_same_roster_for_the_old_one_and_back() -> None:
    there_and_back = old_rows.to_item(old_rows.from_item(to_item(ROSTER)))

    assert from_item(there_and_back, NOW) == replace(ROSTER, of_0_1=True)
    assert without(there_and_back, "engine") == without(to_item(ROSTER), "engine")


@pytest.mark.parametrize(
    "content",
    [
        {"departed": {InstanceId("*"): NOW - 1, InstanceId("I-0123456789ABCDEF0"): NOW - 1}},
        {"pending_releases": {WEST: frozenset({InstanceId("I-0123456789ABCDEF0")})}},
        {"security_groups": tuple(SecurityGroupId(f"sg-{number:017x}") for number in range(40))},
        {
            "members": {
                InstanceId("i-0123456789abcdef0"): Member(
                    tuple(Cidr(f"10.0.0.{number}/32") for number in range(100)), MemberState.MEMBER, NOW - 1
                )
            }
        },
    ],
    ids=["departed-ids", "released-ids", "security-groups", "addresses"],
)
def test_a_row_that_the_old_version_can_write_is_readable(content: dict[str, Any]) -> None:
    """0.1.0 keeps the ids of events as they come, and has no limit of addresses or of security groups."""
    item = old_rows.to_item(old_rows.from_item(to_item(replace(ROSTER, **content))))

    assert from_item(item, NOW).key == ROSTER.key


def test_held_removals_of_this_version_are_the_same_for_the_old_one_and_back() -> None:
    assert held_from_item(old_rows.held_to_item(old_rows.held_from_item(held_to_item(HELD))), NOW) == HELD


def test_the_old_version_reads_an_announcement_as_a_roster_without_members() -> None:
    roster = old_rows.from_item(announcement(EAST, at=NOW))

    assert (roster.key.region, roster.key.asg, roster.version) == (EAST, ANNOUNCEMENT, NOW)
    assert not any((roster.members, roster.departed, roster.owed, roster.security_groups))


@pytest.mark.parametrize(
    "attribute", ["updated_at", "members", "departed", "owed", "security_groups", "ports", "account"]
)
def test_the_old_version_rejects_a_row_that_lacks_an_attribute(attribute: str) -> None:
    with pytest.raises(frozen.module("errors").Unsafe, match="missing"):
        old_rows.from_item(without(announcement(EAST, at=NOW), attribute))


def test_every_row_that_a_cluster_of_this_version_writes_is_one_that_the_old_version_reads() -> None:
    cluster = fleet({EAST: NEW, WEST: NEW})

    cluster.traffic()

    assert not list(cluster.unreadable_rows())


# Announcements in the tables of clusters on both versions.


def announced(cluster: Fleet, *regions: Region) -> None:
    """Writes the announcements of these Regions into every table, as an engine that announces does."""
    now = int(cluster.cloud.clock.now())
    for holder in cluster.cloud.regions.values():
        for region in regions:
            if not any(key.asg == ANNOUNCEMENT for key in holder.table.scan().of(region)):
                settings = cluster.settings[region]
                holder.table.put_item(
                    announcement(
                        region,
                        at=now,
                        groups=settings.auto_scaling_groups,
                        security_groups=settings.security_groups,
                        ports=str(settings.ports),
                    )
                )


@pytest.mark.parametrize("mode", [Mode.OWNED, Mode.MIRROR])
@pytest.mark.parametrize("upgraded", [(EAST,), (WEST,), (EAST, WEST)], ids=", ".join)
def test_the_old_version_serves_a_cluster_with_announcements(upgraded: tuple[Region, ...], mode: Mode) -> None:
    cluster = fleet({region: NEW if region in upgraded else OLD for region in (EAST, WEST)}, mode=mode)
    cluster.converge()
    announced(cluster, *upgraded)

    cluster.traffic()
    cluster.converge()
    for region in (EAST, WEST):
        cluster.deploy(region, OLD)
        cluster.traffic()
        cluster.converge()


def test_a_downgraded_region_passes_its_announcement_on_without_new_attributes_and_loses_no_rule() -> None:
    # given an announcement that only the home table has, so that 0.1.0 offers it to the peer
    cluster = fleet({EAST: NEW, WEST: NEW})
    cluster.converge()
    announced(cluster, EAST)
    east_table, west_table = (cluster.cloud.region(region).table for region in (EAST, WEST))
    cluster.cloud.clock.advance(60.0)
    later = int(cluster.cloud.clock.now())
    settings = cluster.settings[EAST]
    groups, security_groups = settings.auto_scaling_groups, settings.security_groups
    east_table.put_item(announcement(EAST, at=later, groups=groups, security_groups=security_groups))
    # when
    cluster.deploy(EAST, OLD)
    # then
    (passed_on,) = (item for item in west_table.items() if key_of(item) == RosterKey(EAST, ANNOUNCEMENT))
    assert (passed_on["version"]["N"], "groups" in passed_on) == (str(later), False)
    cluster.traffic()
    cluster.converge()
    # and the Region is upgraded again
    cluster.deploy(EAST, NEW)
    cluster.traffic()
    cluster.converge()


def adds_an_auto_scaling_group(cluster: Fleet) -> Settings:
    """Another group in the east."""
    region = cluster.cloud.region(EAST)
    region.auto_scaling_group("added", desired=2)
    return replace(cluster.settings[EAST], auto_scaling_groups=tuple(region.groups))


def adds_a_security_group(cluster: Fleet) -> Settings:
    """Another security group in the east."""
    region = cluster.cloud.region(EAST)
    region.add_security_group("sg-0000000b", "tcp/9042")
    return replace(cluster.settings[EAST], security_groups=tuple(region.security_groups.groups))


def renames_its_auto_scaling_group(cluster: Fleet) -> Settings:
    """Another group in the east, in the place of the first one."""
    region = cluster.cloud.region(EAST)
    (name,) = region.groups
    region.groups[name].scale_to(0)
    for _ in range(2):
        cluster.true_up(EAST)
    del region.groups[name]
    region.auto_scaling_group("another", desired=2)
    return replace(cluster.settings[EAST], auto_scaling_groups=tuple(region.groups))


@pytest.mark.parametrize(
    "change",
    [adds_an_auto_scaling_group, adds_a_security_group, renames_its_auto_scaling_group],
    ids=lambda change: change.__name__,
)
def test_a_downgraded_region_that_changes_its_configuration_is_not_judged_by_its_old_announcement(
    change: Callable[[Fleet], Settings],
) -> None:
    # given a Region that announced itself before it was downgraded
    cluster = fleet({EAST: NEW, WEST: NEW})
    cluster.converge()
    announced(cluster, EAST, WEST)
    cluster.deploy(EAST, OLD)
    # when
    cluster.settings[EAST] = change(cluster)
    # then
    cluster.converge()
    cluster.traffic()
    cluster.converge()
    # and it is upgraded again
    cluster.deploy(EAST, NEW)
    cluster.traffic()
    cluster.converge()


def test_a_message_that_was_forged_in_an_old_region_does_not_make_its_row_unreadable() -> None:
    # given
    cluster = fleet({EAST: OLD, WEST: NEW})
    cluster.converge()
    east = cluster.cloud.region(EAST)
    (group,) = east.groups
    detail = {"AutoScalingGroupName": group, "EC2InstanceId": "*", "LifecycleHookName": "hook"}
    event = {
        "id": "forged",
        "source": "aws.autoscaling",
        "detail-type": "EC2 Instance-terminate Lifecycle Action",
        "detail": detail,
    }
    # when
    east.queue.send(json.dumps(event))
    cluster.serve(EAST)
    east.queue.dead_letters.clear()
    cluster.wrong.clear()  # no hook waits for it
    # then
    cluster.traffic()
    cluster.converge()


def test_a_downgraded_region_with_a_restored_table_works_once_its_announcement_is_deleted() -> None:
    # given an announcement that is older at home than in the peer
    cluster = fleet({EAST: NEW, WEST: NEW})
    cluster.converge()
    announced(cluster, EAST)
    key = RosterKey(EAST, ANNOUNCEMENT)
    backup = next(item for item in cluster.cloud.region(EAST).table.items() if key_of(item) == key)
    cluster.cloud.clock.advance(60.0)
    later = announcement(EAST, at=int(cluster.cloud.clock.now()))
    cluster.cloud.region(WEST).table.put_item(later)
    cluster.cloud.region(EAST).table.put_item(backup)
    # when
    cluster.deploy(EAST, OLD)
    # then
    assert "overtook" in cluster.wrong[0]
    # when an operator deletes the row
    table = cluster.cloud.region(EAST).table
    table.delete(key, table.scan().version_read(key), None)
    cluster.wrong.clear()
    # then
    cluster.cloud.clock.advance(60.0)
    cluster.true_up(EAST)
    assert not cluster.wrong
