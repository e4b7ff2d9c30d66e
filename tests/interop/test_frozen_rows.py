"""What 0.1.0 makes of the rows of this version, and what this version makes of the rows of 0.1.0."""

from dataclasses import replace
from typing import Any

import pytest

from ringfence.aws.roster_item import from_item, held_from_item, held_to_item, to_item
from ringfence.core.configuration.settings import Mode
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import HeldRemovals, Member, MemberState, Roster
from tests.interop import frozen
from tests.interop.announcements import ANNOUNCEMENT, announcement
from tests.interop.fleet import Fleet, Version, fleet

EAST, WEST = Region("us-east-1"), Region("us-west-2")
NEW, OLD = Version.NEW, Version.OLD

old_rows = frozen.module("aws.roster_item")

ROSTER = Roster(
    RosterKey(EAST, "db"),
    version=1_795_000_000,
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

    assert from_item(there_and_back) == ROSTER
    assert without(there_and_back, "engine") == without(to_item(ROSTER), "engine")


def test_held_removals_of_this_version_are_the_same_for_the_old_one_and_back() -> None:
    assert held_from_item(old_rows.held_to_item(old_rows.held_from_item(held_to_item(HELD)))) == HELD


def test_the_old_version_reads_an_announcement_as_a_roster_without_members() -> None:
    roster = old_rows.from_item(announcement(EAST, at=1_795_000_000))

    assert (roster.key.region, roster.key.asg, roster.version) == (EAST, ANNOUNCEMENT, 1_795_000_000)
    assert not any((roster.members, roster.departed, roster.owed, roster.security_groups))


@pytest.mark.parametrize(
    "attribute", ["updated_at", "members", "departed", "owed", "security_groups", "ports", "account"]
)
def test_the_old_version_rejects_a_row_that_lacks_an_attribute(attribute: str) -> None:
    with pytest.raises(frozen.module("errors").Unsafe, match="missing"):
        old_rows.from_item(without(announcement(EAST, at=1_795_000_000), attribute))


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
                groups, ports = settings.security_groups, str(settings.ports)
                holder.table.put_item(announcement(region, at=now, security_groups=groups, ports=ports))


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
    later = int(cluster.cloud.clock.now()) + 60
    east_table.put_item(announcement(EAST, at=later))
    cluster.cloud.clock.advance(60.0)
    # when
    cluster.deploy(EAST, OLD)
    # then
    (passed_on,) = (item for item in west_table.items() if item["asg"]["S"] == ANNOUNCEMENT)
    assert (passed_on["version"]["N"], "auto_scaling_groups" in passed_on) == (str(later), False)
    cluster.traffic()
    cluster.converge()
    # and the Region is upgraded again
    cluster.deploy(EAST, NEW)
    cluster.traffic()
    cluster.converge()


def test_a_group_that_a_downgraded_region_adds_is_admitted_although_no_announcement_lists_it() -> None:
    # given a Region that announced itself before it was downgraded
    cluster = fleet({EAST: NEW, WEST: NEW})
    cluster.converge()
    announced(cluster, EAST, WEST)
    cluster.deploy(EAST, OLD)
    # when
    cluster.cloud.region(EAST).auto_scaling_group("added", desired=2)
    groups = tuple(cluster.cloud.region(EAST).groups)
    cluster.settings[EAST] = replace(cluster.settings[EAST], auto_scaling_groups=groups)
    # then
    cluster.converge()
    cluster.traffic()
    cluster.converge()
