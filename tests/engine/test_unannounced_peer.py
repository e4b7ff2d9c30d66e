"""A peer that has a table, and has not announced itself: what the real engine does for instances meanwhile."""

import pytest

from ringfence.core.audit_events import HookHeld, RegionFailed, StaleDoor
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.reconciler.region_pass import DEPLOYMENT_SECONDS
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST


@pytest.fixture
def cloud() -> Cloud:
    """A Region whose engine runs, and a peer whose table was created this moment."""
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=0)
    cloud.invoke(EAST, TRUE_UP)
    return cloud


def launched(cloud: Cloud) -> InstanceId:
    """The first instance of the group, whose event the engine has handled."""
    group = cloud.region(EAST).groups["db"]
    group.scale_to(1)
    assert cloud.poll(EAST) is not None
    (instance,) = group.listed()
    return instance


def state(cloud: Cloud, instance: InstanceId) -> str:
    return cloud.region(EAST).groups["db"].listed()[instance]


def address(cloud: Cloud, instance: InstanceId) -> Cidr:
    return cloud.region(EAST).ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4][0]


def test_the_first_launch_waits_until_the_new_peer_admits_it(cloud: Cloud) -> None:
    # given
    instance = launched(cloud)
    assert state(cloud, instance) == "Pending:Wait"
    held = [event for event in cloud.invocations[-1].audit_events if isinstance(event, HookHeld)]
    assert [event.instance for event in held] == [instance]
    # when the peer's deployment announces it
    cloud.clock.advance(20)
    cloud.invoke(WEST, TRUE_UP)
    cloud.clock.advance(10)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert state(cloud, instance) == "InService"
    assert address(cloud, instance) in cloud.region(WEST).admitted()


def test_a_peer_that_does_not_announce_itself_in_time_is_a_debt_that_is_reported(cloud: Cloud) -> None:
    # given
    instance = launched(cloud)
    # when
    cloud.clock.advance(60)
    cloud.invoke(EAST, TRUE_UP)
    assert state(cloud, instance) == "Pending:Wait"
    cloud.clock.advance(60)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert state(cloud, instance) == "InService"
    failed = [event for event in cloud.invocations[-1].audit_events if isinstance(event, RegionFailed)]
    assert [event.region for event in failed] == [WEST]
    # and its own engine pays it
    cloud.invoke(WEST, TRUE_UP)
    assert address(cloud, instance) in cloud.region(WEST).admitted()


def test_a_launch_waits_for_a_new_peer_whose_only_row_cannot_be_read(cloud: Cloud) -> None:
    # given a row that another caller wrote while the peer was being deployed
    key = {"region": {"S": WEST}, "asg": {"S": "evil"}}
    cloud.region(WEST).table.put_item({**key, "version": {"S": "1"}})
    # when
    instance = launched(cloud)
    # then
    assert state(cloud, instance) == "Pending:Wait"
    # when nothing replaces it in time
    cloud.clock.advance(120)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert state(cloud, instance) == "InService"


def test_a_table_that_has_been_there_for_long_holds_no_launch(cloud: Cloud) -> None:
    # given
    cloud.clock.advance(DEPLOYMENT_SECONDS)
    # when
    instance = launched(cloud)
    # then
    assert state(cloud, instance) == "InService"
    assert any(isinstance(event, RegionFailed) for event in cloud.invocations[-1].audit_events)


def test_a_region_without_a_table_holds_no_launch_and_is_no_failure(cloud: Cloud) -> None:
    # given the list has a Region that is not deployed
    cloud.region(WEST).table.exists = False
    # when
    instance = launched(cloud)
    # then
    assert state(cloud, instance) == "InService"
    assert not any(isinstance(event, RegionFailed) for event in cloud.invocations[-1].audit_events)


@pytest.mark.parametrize("effect", [Effect.DENY, Effect.THROTTLE])
def test_a_table_whose_age_cannot_be_read_holds_no_launch(cloud: Cloud, effect: Effect) -> None:
    # given an engine that is newer than its role, for example
    cloud.fault(effect, operation="DescribeTable")
    # when
    instance = launched(cloud)
    # then
    assert state(cloud, instance) == "InService"


def test_a_departure_is_pending_in_a_new_peer_until_the_peer_is_known(cloud: Cloud) -> None:
    # given an instance that left before the peer announced itself
    instance = launched(cloud)
    cloud.clock.advance(120)
    cloud.invoke(EAST, TRUE_UP)
    group = cloud.region(EAST).groups["db"]
    group.scale_to(0)
    for _ in range(2):
        cloud.poll(EAST)
        cloud.clock.advance(60)
        cloud.invoke(EAST, TRUE_UP)
    # then it is let go, and the debt is recorded
    assert instance not in group.listed()
    cloud.invoke(EAST, TRUE_UP)
    assert any(isinstance(event, StaleDoor) for event in cloud.invocations[-1].audit_events)
    # when
    cloud.invoke(WEST, TRUE_UP)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert not any(isinstance(event, StaleDoor) for event in cloud.invocations[-1].audit_events)
    rosters = cloud.region(EAST).table.rosters.values()
    assert not any(roster.pending_releases for roster in rosters)


def test_a_peer_that_is_known_is_never_asked_for_the_age_of_its_table(cloud: Cloud) -> None:
    # given
    for region in (WEST, EAST):
        cloud.invoke(region, TRUE_UP)
    cloud.calls.clear()
    # when
    launched(cloud)
    # then
    assert "DescribeTable" not in {call.operation for call in cloud.calls}
    assert len(cloud.calls) == 12


def test_what_is_not_announced_is_named_with_the_age_of_the_table(cloud: Cloud) -> None:
    cloud.clock.advance(30)
    launched(cloud)
    (failed,) = (event for event in cloud.invocations[-1].audit_events if isinstance(event, RegionFailed))
    assert failed.region == Region(WEST)
    assert "has a table of 30 s" in failed.error
