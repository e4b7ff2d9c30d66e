"""Relations between settings: which hold, and what is said of one that does not."""

from typing import Any

import pytest

from ringfence.core.configuration.relations import broken_relations
from ringfence.core.configuration.setting_table import DEFAULTS
from ringfence.core.configuration.settings import ANNOUNCEMENT_WAIT, announcement_wait

TOPIC = "arn:aws:sns:us-east-1:123456789012:operators"


def said(**changes: Any) -> list[str]:
    return [broken.message for broken in broken_relations({**DEFAULTS, "region": "us-east-1", **changes})]


def test_the_defaults_satisfy_every_relation() -> None:
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"launch_heartbeat": 181}, True),
        ({"launch_heartbeat": 180}, False),
        ({"address_wait": 239}, True),
        ({"address_wait": 240}, False),
        ({"terminate_heartbeat": 361}, True),
        ({"terminate_heartbeat": 360}, False),
        ({"release_deadline": 839}, True),
        ({"release_deadline": 840}, False),
        ({"schedule": "rate(2 minutes)"}, True),
        ({"schedule": "rate(3 minutes)"}, False),
        ({"schedule": "cron(0/2 * * * ? *)"}, True),
        ({"schedule": "cron(0/2 8-20 * * ? *)"}, False),
    ],
    ids=str,
)
def test_a_heartbeat_is_longer_than_the_wait_and_the_period_together(changes: dict[str, Any], holds: bool) -> None:
    assert (said(**changes) == []) == holds


def test_a_broken_heartbeat_is_reported_with_its_numbers_and_what_to_write() -> None:
    slow = {"schedule": "rate(5 minutes)", "silence_alarm_minutes": 7}
    launch, terminate = said(terminate_heartbeat=300, release_deadline=200, address_wait=1, **slow)
    assert launch == (
        "launch_heartbeat must be longer than address_wait plus the period of the schedule rate(5 minutes), which is"
        " 1 + 300 = 301 seconds, got 300: write launch_heartbeat = 302"
    )
    assert terminate.endswith("which is 200 + 300 = 500 seconds, got 300: write terminate_heartbeat = 501")
    (one,) = said(address_wait=290)
    assert one.endswith("write launch_heartbeat = 351 or address_wait = 239")


def test_a_schedule_that_no_heartbeat_can_outlast_is_to_be_changed_itself() -> None:
    assert all(message.endswith(": write a schedule with a shorter period") for message in said(schedule="rate(1 day)"))
    assert len(said(schedule="rate(1 day)")) == 3


@pytest.mark.parametrize(
    ("schedule", "minutes", "holds"),
    [
        ("rate(1 minute)", 2, True),
        ("rate(2 minutes)", 3, True),
        ("rate(2 minutes)", 2, False),
        ("rate(5 minutes)", 6, True),
        ("rate(5 minutes)", 5, False),
        ("cron(0/10 * * * ? *)", 11, True),
        ("cron(0/10 * * * ? *)", 10, False),
        ("none", 2, True),
    ],
)
def test_the_alarm_for_silence_outlasts_the_schedule(schedule: str, minutes: int, holds: bool) -> None:
    heartbeats = {"launch_heartbeat": 7200, "terminate_heartbeat": 7200}
    assert (said(schedule=schedule, silence_alarm_minutes=minutes, **heartbeats) == []) == holds


def test_an_alarm_for_silence_that_is_too_short_is_reported_with_what_to_write() -> None:
    (one,) = said(schedule="rate(5 minutes)", launch_heartbeat=7200)
    assert one == (
        "silence_alarm_minutes must be longer than the period of the schedule rate(5 minutes) by a minute, which is"
        " 300 + 60 = 360 seconds, got 3 minutes: write silence_alarm_minutes = 7"
    )


@pytest.mark.parametrize("missing", ["launch_heartbeat", "address_wait", "schedule"])
@pytest.mark.parametrize("value", [None, ...])
def test_what_is_not_known_is_not_judged(missing: str, value: Any) -> None:
    values = {**DEFAULTS, "address_wait": 3000, missing: value}
    if value is ...:
        del values[missing]
    assert broken_relations(values) == []


def test_a_schedule_that_is_none_is_left_to_its_own_check() -> None:
    assert said(schedule="rate(1 minutes)", address_wait=3000) == []


def test_an_alarm_topic_is_in_its_own_region() -> None:
    assert said(alarm_topic=TOPIC) == []
    (other,) = said(alarm_topic=TOPIC, region="eu-west-1")
    assert (
        'own Region, eu-west-1, and this topic is in us-east-1: write alarm_topic = "arn:aws:sns:eu-west-1:1234'
        in other
    )
    (malformed,) = said(alarm_topic="arn:aws:sns:operators")
    assert "this topic is in no Region" in malformed


# The wait for a new peer.


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, ANNOUNCEMENT_WAIT),
        ({"launch_heartbeat": 230}, 50),
        ({"launch_heartbeat": 60}, 0),
        ({"schedule": "rate(3 minutes)"}, 0),
        ({"schedule": "every minute"}, ANNOUNCEMENT_WAIT),
        ({"launch_heartbeat": None, "schedule": None}, ANNOUNCEMENT_WAIT),
    ],
    ids=str,
)
def test_a_launch_waits_for_a_new_peer_and_never_past_its_heartbeat(changes: dict[str, Any], seconds: int) -> None:
    assert announcement_wait({**DEFAULTS, **changes}) == seconds
