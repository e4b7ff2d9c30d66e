"""An operator's pause: the engine of a paused Region only observes, and no other engine changes the Region's groups."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ringfence.aws.pause_item import PAUSE, pause_to_item
from ringfence.core.audit_events import HookCompleted, PauseSeen, RuleUnwanted, RuleWanted
from ringfence.core.configuration.settings import Mode
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.core.model.pauses import Pause
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST, second_look
from tests.engine.test_observe import CHANGES

OPERATOR = "arn:aws:iam::111122223333:user/on-call"


def pause(cloud: Cloud, region: str, *, is_over: bool = False, tables: tuple[str, ...] = (EAST, WEST)) -> None:
    """What `ringfence pause` or `ringfence resume` writes into the tables."""
    for table in tables:
        now = int(cloud.clock.now())
        cloud.region(table).table.pause(Pause(Region(region), OPERATOR, "a drill", now, is_over=is_over))


def changes(cloud: Cloud, region: str | None = None, home: str | None = None) -> Iterator[str]:
    """The calls that changed rules: in a Region, or of a Region's engine."""
    for call in cloud.calls:
        if call.operation in CHANGES and region in (None, call.region) and home in (None, call.invocation.home):
            yield str(call)


def test_a_paused_region_lets_a_launch_go_and_changes_no_rule(cloud: Cloud) -> None:
    # given
    pause(cloud, EAST)
    group = cloud.region(EAST).groups["db"]
    # when
    group.scale_to(3)
    seen = cloud.poll(EAST)
    # then
    assert seen is not None
    assert set(group.listed().values()) == {"InService"}
    assert not list(changes(cloud, home=EAST))
    assert {type(event) for event in seen.audit_events} >= {RuleWanted, PauseSeen}
    (answer,) = [event for event in seen.audit_events if isinstance(event, HookCompleted)]
    assert OPERATOR in answer.why
    assert "a drill" in answer.why


def test_a_paused_region_lets_a_termination_go_and_says_which_rules_it_would_remove(cloud: Cloud) -> None:
    # given
    pause(cloud, EAST)
    group = cloud.region(EAST).groups["db"]
    leaving = next(iter(group.listed()))
    # when
    group.terminate(leaving, decrement=True)
    seen = cloud.poll(EAST)
    # then
    assert seen is not None
    assert leaving not in group.listed()
    assert {event.label.instance for event in seen.audit_events if isinstance(event, RuleUnwanted) and event.label} == {
        leaving
    }
    assert not list(changes(cloud, home=EAST))


def test_a_true_up_lets_go_what_waited_when_the_region_was_paused(cloud: Cloud) -> None:
    # given a launch whose event was lost
    group = cloud.region(EAST).groups["db"]
    group.scale_to(3)
    cloud.region(EAST).queue.delete(cloud.region(EAST).queue.receive())
    pause(cloud, EAST)
    # when
    seen = cloud.invoke(EAST, TRUE_UP)
    # then
    assert set(group.listed().values()) == {"InService"}
    (answer,) = [event for event in seen.audit_events if isinstance(event, HookCompleted)]
    assert OPERATOR in answer.why


def test_a_true_up_lets_go_a_launch_that_no_rule_can_admit(cloud: Cloud) -> None:
    # given a launch without an address, whose event was lost
    east = cloud.region(EAST)
    east.ec2.assigns_public_addresses = False
    group = east.groups["db"]
    group.scale_to(3)
    east.queue.delete(east.queue.receive())
    pause(cloud, EAST)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert set(group.listed().values()) == {"InService"}


def test_a_failing_describe_holds_no_instance_of_a_paused_region(cloud: Cloud) -> None:
    pause(cloud, EAST)
    cloud.fault(Effect.FAIL, region=EAST, operation="DescribeAutoScalingGroups")
    cloud.region(EAST).groups["db"].scale_to(1)
    cloud.poll(EAST)
    assert len(cloud.region(EAST).groups["db"].listed()) == 1


@pytest.mark.parametrize("tables", [(EAST, WEST), (WEST,)], ids=["everywhere", "in the peer's table only"])
def test_no_other_engine_changes_a_paused_region(cloud: Cloud, tables: tuple[str, ...]) -> None:
    # given that the engine of the paused Region has not run since
    pause(cloud, EAST, tables=tables)
    # when
    cloud.region(WEST).groups["db"].scale_to(3)
    cloud.poll(WEST)
    cloud.region(WEST).groups["db"].scale_to(1)
    cloud.poll(WEST)
    second_look(cloud, WEST)
    # then
    assert not list(changes(cloud, region=EAST))
    assert list(changes(cloud, region=WEST))
    assert set(cloud.region(WEST).groups["db"].listed().values()) == {"InService"}


def test_the_other_regions_keep_admitting_the_members_of_a_paused_region(cloud: Cloud) -> None:
    # given
    pause(cloud, EAST)
    cloud.region(EAST).groups["db"].scale_to(3)
    cloud.poll(EAST)
    # when
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert len(cloud.region(WEST).admitted()) == 5
    assert len(cloud.region(EAST).admitted()) == 4


def test_an_engine_that_does_not_know_pauses_learns_from_the_announcement(cloud: Cloud) -> None:
    # given that only the paused Region's own table has the pause, as if the peer's engine read over it
    pause(cloud, EAST, tables=(EAST,))
    cloud.invoke(EAST, TRUE_UP)
    assert cloud.region(WEST).table.rosters[RosterKey(Region(EAST), ANNOUNCEMENT)].observed
    # when
    cloud.region(WEST).groups["db"].scale_to(3)
    cloud.poll(WEST)
    # then
    assert not list(changes(cloud, region=EAST))


def test_a_resumed_region_makes_the_changes_that_the_pause_kept_back(cloud: Cloud) -> None:
    # given
    pause(cloud, EAST)
    for region in (EAST, WEST):
        cloud.region(region).groups["db"].scale_to(3)
        cloud.poll(region)
        cloud.region(region).groups["db"].scale_to(1)
        cloud.poll(region)
    # when
    pause(cloud, EAST, is_over=True)
    for _ in range(4):
        cloud.clock.advance(61)
        for region in (EAST, WEST):
            cloud.invoke(region, TRUE_UP)
    # then
    assert [len(region.admitted()) for region in cloud.regions.values()] == [2, 2]


def test_the_beginning_and_the_end_of_a_pause_are_news_once(cloud: Cloud) -> None:
    def news() -> list[tuple[bool, bool]]:
        seen = cloud.invoke(EAST, TRUE_UP)
        return [(event.pause.is_over, event.is_news) for event in seen.audit_events if isinstance(event, PauseSeen)]

    pause(cloud, EAST)
    assert [news(), news()] == [[(False, True)], [(False, False)]]
    pause(cloud, EAST, is_over=True)
    assert [news(), news()] == [[(True, True)], []]


@pytest.mark.parametrize(
    "spoilt",
    [
        {},
        {"paused": {"BOOL": False}, "by": {"S": OPERATOR}, "reason": {"S": ""}, "since": {"N": "1e125"}},
        {"paused": {"BOOL": False}, "by": {"S": OPERATOR}, "reason": {"S": "x" * 9999}, "since": {"N": "1"}},
        {"paused": {"BOOL": False}, "by": {"S": OPERATOR}, "reason": {"S": ""}, "since": {"N": "99999999999"}},
        {"paused": {"S": "no"}, "by": {"S": OPERATOR}, "reason": {"S": ""}, "since": {"N": "1"}},
    ],
    ids=["empty", "time", "reason", "future", "type"],
)
def test_a_pause_that_cannot_be_read_is_a_pause_and_is_reported(cloud: Cloud, spoilt: Mapping[str, Any]) -> None:
    # given
    cloud.region(EAST).table.put_item({"region": {"S": PAUSE}, "asg": {"S": EAST}, **spoilt})
    # when
    cloud.region(EAST).groups["db"].scale_to(3)
    seen = cloud.poll(EAST)
    # then
    assert seen is not None
    assert not list(changes(cloud, home=EAST))
    assert [bool(event.pause.problem) for event in seen.audit_events if isinstance(event, PauseSeen)] == [True]


def test_the_pause_of_a_region_outside_the_cluster_changes_nothing(cloud: Cloud) -> None:
    cloud.region(EAST).table.put_item(pause_to_item(Pause(Region("eu-west-1"), OPERATOR)))
    cloud.region(EAST).groups["db"].scale_to(3)
    cloud.poll(EAST)
    assert len(cloud.region(EAST).admitted()) == 5


def test_a_paused_mirror_says_which_foreign_rules_it_would_remove(cloud: Cloud) -> None:
    # given
    cloud.region(EAST).security_group.allow("203.0.113.9/32", "tcp/9042", "by hand")
    pause(cloud, EAST)
    # when
    seen = cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, mode=Mode.MIRROR))
    # then
    unwanted = [event.opening.cidr for event in seen.audit_events if isinstance(event, RuleUnwanted)]
    assert unwanted == ["203.0.113.9/32"]
    assert not list(changes(cloud))


def test_a_pause_costs_no_call(cloud: Cloud) -> None:
    cloud.invoke(EAST, TRUE_UP)
    without = len(cloud.calls)
    pause(cloud, EAST)
    cloud.invoke(EAST, TRUE_UP)  # it announces that it observes
    cloud.calls.clear()
    cloud.invoke(EAST, TRUE_UP)
    assert len(cloud.calls) == without
