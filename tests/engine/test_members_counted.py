"""The members that the home Region should admit, and does: what the dashboards show of it."""

from contextlib import suppress

from ringfence.core.audit_events import MembersCounted
from ringfence.core.errors import Retry
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST, settled


def counted(cloud: Cloud) -> list[tuple[int, int]]:
    """What a true-up of the east counts: the members that it should admit, and those that it does."""
    with suppress(Retry):
        cloud.invoke(EAST, TRUE_UP)
    events = [event for event in cloud.invocations[-1].audit_events if isinstance(event, MembersCounted)]
    return [(event.wanted, event.admitted) for event in events]


def test_the_members_of_all_regions_are_counted(cloud: Cloud) -> None:
    sizes = sum(len(cloud.region(region).groups["db"].listed()) for region in (EAST, WEST))
    assert counted(cloud) == [(sizes, sizes)]


def test_a_member_without_room_is_wanted_and_not_admitted() -> None:
    # given a group with room for its own rule and two members
    cloud = Cloud([EAST, WEST], quota=3)
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=1)
    settled(cloud)
    cloud.region(WEST).groups["db"].scale_to(2)
    # when
    cloud.poll(WEST)
    (found,) = counted(cloud)
    # then
    assert found == (3, 2)


def test_what_was_not_seen_is_not_counted(cloud: Cloud) -> None:
    cloud.fault(Effect.THROTTLE, region=EAST, operation="DescribeSecurityGroupRules")
    assert counted(cloud) == []
