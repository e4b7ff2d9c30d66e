"""The adversary does what its actions say, and the properties find an engine that believes it."""

import random

import pytest

from ringfence.core.model.identifiers import ANNOUNCEMENT, RosterKey
from ringfence.core.model.rules import Label
from ringfence_lab.sim.adversary import ACTIONS, messages
from ringfence_lab.sim.adversary.forgery import AdversaryAction, Forger
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.properties.admissions import unknown_owners_are_reported
from ringfence_lab.sim.properties.context import CheckContext
from ringfence_lab.sim.weather import Weather

TRUE_UP = {"trueup": True}


@pytest.fixture
def cloud() -> Cloud:
    cloud = Cloud(["us-east-1", "us-west-2"])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    for name in cloud.regions:
        cloud.invoke(name, TRUE_UP)
    return cloud


@pytest.fixture
def east(cloud: Cloud) -> CloudRegion:
    return cloud.region("us-east-1")


def forger(cloud: Cloud, seed: int) -> Forger:
    return Forger(cloud, random.Random(seed))


@pytest.mark.parametrize("action", [action for action, _ in ACTIONS], ids=lambda action: action.__name__)
def test_every_action_does_something_and_says_what(cloud: Cloud, east: CloudRegion, action: AdversaryAction) -> None:
    east.groups["db"].scale_to(3)

    assert any(action(forger(cloud, seed), east) for seed in range(10))


def test_a_forged_row_is_kept_as_an_engine_reads_it(cloud: Cloud, east: CloudRegion) -> None:
    # given
    key = RosterKey(east.name, ANNOUNCEMENT)
    item = dict(next(item for item in east.table.items() if item["asg"]["S"] == ANNOUNCEMENT))
    item["updated_at"] = {"S": "2027-01-15T08:01:00+00:00"}  # a minute from now
    # when
    east.table.put_item(item)
    # then
    assert key in east.table.scan().bad
    # when the time has come
    cloud.clock.advance(60)
    # then
    assert key in east.table.scan().rosters


def test_all_describes_of_a_region_lag_behind_together(cloud: Cloud, east: CloudRegion) -> None:
    # given
    weather = Weather(cloud, random.Random(0))
    cloud.clock.advance(60)
    weather.lag(east.name, 5.0)
    east.groups["db"].put_in_service(1)
    services = cloud.engine_services("us-east-1").home
    cloud.clock.advance(4)
    # then
    assert len(services.auto_scaling.groups(["db"]).states["db"]) == 2
    assert len(services.instances.of_groups(["db"])) == 2
    # when
    cloud.clock.advance(2)
    # then
    assert len(services.auto_scaling.groups(["db"]).states["db"]) == 3
    assert len(services.instances.of_groups(["db"])) == 3


def test_a_label_on_a_network_that_is_not_reported_is_found(cloud: Cloud, east: CloudRegion) -> None:
    # given
    context = CheckContext(cloud, {region: cloud.settings(region) for region in cloud.regions})
    east.security_group.allow("0.0.0.0/0", "tcp/9042", str(Label("demo", RosterKey(east.name, "db"), "i-0bad")))
    # then
    assert list(unknown_owners_are_reported(context, cloud.invocation("us-east-1")))
    # when
    invocation = cloud.invoke("us-east-1", TRUE_UP)
    # then
    assert not list(unknown_owners_are_reported(context, invocation))


@pytest.mark.parametrize("bodies", [messages.JUNK, messages.POISON], ids=["junk", "poison"])
def test_no_message_keeps_a_launch_from_being_served(cloud: Cloud, east: CloudRegion, bodies: tuple[str, ...]) -> None:
    # given
    for body in bodies:
        east.queue.send(body)
    east.groups["db"].scale_to(3)
    # when
    while cloud.poll("us-east-1") is not None:
        pass
    # then
    assert set(east.groups["db"].listed().values()) == {"InService"}
    assert not east.queue.messages
