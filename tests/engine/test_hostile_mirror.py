"""Bad rows beside mirror mode: only one that may be a roster of the cluster keeps a foreign rule in place."""

from collections.abc import Callable
from typing import Any

import pytest

from ringfence.aws.roster_item import MEMBERS_LIMIT
from ringfence.core.audit_events import RowRejected
from ringfence.core.configuration.settings import Mode
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.core.model.rules import Label
from ringfence_lab.sim.cloud import Cloud
from tests.engine.conftest import EAST, TRUE_UP, WEST
from tests.engine.outsider import STRANGER, assert_launch_is_served, in_sync_with_ids_of_aws, invented, item, write


@pytest.fixture
def cloud() -> Cloud:
    """Two Regions with two members each, in sync."""
    return in_sync_with_ids_of_aws()


def breaks_version(row: dict[str, Any]) -> None:
    row["version"] = {"N": "1e125"}


def has_no_members(row: dict[str, Any]) -> None:
    del row["members"]


def is_huge(row: dict[str, Any]) -> None:
    member = next(iter(row["members"]["M"].values()))
    row["members"]["M"] = {f"i-{number:017x}": member for number in range(MEMBERS_LIMIT + 1)}


def has_huge_text(row: dict[str, Any]) -> None:
    row["ports"] = {"S": "x" * 390_000}


def has_binary_attributes(row: dict[str, Any]) -> None:
    for name in row.keys() - {"region", "asg"}:
        row[name] = {"B": b"\x00"}


BREAKS = [breaks_version, has_no_members, is_huge, has_huge_text, has_binary_attributes]
NO_ROSTERS = [
    ("eu-west-1", "db"),
    ("eu-west-1", ANNOUNCEMENT),
    ("eu-west-1", "(later)"),
    ("(later)", "db"),
    ("(later)", ANNOUNCEMENT),
    ("()", "db"),
    ("(", "db"),
    ("\x1b[2J", "db"),
    ("US-WEST-2", "db"),
    ("x" * 2048, "y" * 1024),
    (EAST, "evil"),
    (EAST, "(later)"),
    (WEST, "evil"),
    (WEST, "(later)"),
    (WEST, "("),
]
"""Keys under which no Region of the cluster has a roster.

DynamoDB refuses a key that is no string, is empty or is longer than the last one. Source: DynamoDB Developer Guide,
"Constraints in Amazon DynamoDB"."""


@pytest.mark.parametrize("spoil", BREAKS, ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize(("home", "asg"), NO_ROSTERS, ids=lambda name: repr(name[:12]))
def test_a_bad_row_that_is_no_roster_of_the_cluster_stops_no_mirror(
    cloud: Cloud, home: str, asg: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    # given
    row = invented(home, asg)
    spoil(row)
    write(cloud, EAST, row)
    group = cloud.region(EAST).security_group
    foreign = group.allow(STRANGER, "tcp/9042")
    # when
    for _ in range(2):
        cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, mode=Mode.MIRROR))
        cloud.clock.advance(61)
    # then
    assert foreign not in group.rules
    assert_launch_is_served(cloud, EAST)


@pytest.mark.parametrize(("home", "asg"), [(WEST, "db"), (WEST, ANNOUNCEMENT)])
def test_a_bad_row_that_may_be_a_roster_of_the_cluster_stops_the_mirror_until_it_is_replaced(
    cloud: Cloud, home: str, asg: str
) -> None:
    # given
    mirror = cloud.settings(EAST, mode=Mode.MIRROR)
    write(cloud, EAST, item(cloud, EAST, home, asg), version={"N": "1e125"})
    group = cloud.region(EAST).security_group
    foreign = group.allow(STRANGER, "tcp/9042")
    # when / then
    for _ in range(2):
        cloud.invoke(EAST, TRUE_UP, mirror)
        cloud.clock.advance(61)
        assert foreign in group.rules
    # when the row's own Region replaces it
    cloud.invoke(WEST, TRUE_UP)
    for _ in range(2):
        cloud.invoke(EAST, TRUE_UP, mirror)
        cloud.clock.advance(61)
    # then
    assert foreign not in group.rules


@pytest.mark.parametrize("asg", ["db", ANNOUNCEMENT])
def test_a_bad_row_of_a_region_outside_the_cluster_is_reported_and_keeps_no_rule(cloud: Cloud, asg: str) -> None:
    # given a rule whose label names a Region that is not in the cluster, and a bad row of it
    key = RosterKey(Region("eu-west-1"), asg)
    write(cloud, EAST, invented(key.region, asg), version={"N": "1e125"})
    made = cloud.region(EAST).security_group.allow(STRANGER, "tcp/9042", str(Label("demo", key, "i-00000000000000bad")))
    # when
    invocations = []
    for _ in range(3):
        invocations.append(cloud.invoke(EAST, TRUE_UP))
        cloud.clock.advance(61)
    # then
    assert made not in cloud.region(EAST).security_group.rules
    for invocation in invocations:
        assert invocation.error is None
        rejected = [event for event in invocation.audit_events if isinstance(event, RowRejected)]
        assert [(event.roster, event.may_be_a_roster) for event in rejected] == [(key, False)]
