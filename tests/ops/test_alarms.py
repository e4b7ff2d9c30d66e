"""What `doctor` finds of alarms, and what `status` shows of them."""

from dataclasses import replace

import pytest

from ringfence_ops.doctor.alarms import check_alarms
from ringfence_ops.doctor.facts import RegionFacts, Topic
from ringfence_ops.doctor.finding import Finding, Severity
from ringfence_ops.state.alarms import ALARMS as NAMES
from ringfence_ops.state.alarms import Alarm, AlarmsSeen, AlarmState
from ringfence_ops.state.path import Expected, Unread
from tests.ops.facts import ALARMS, EXPECTED, TOPIC, facts
from tests.ops.test_region_state import ENGINE, screen, snapshot, state
from tests.stack.test_alarms import resources
from tests.unit.builders import EAST, NOW

ERRORS = "ringfence-demo-errors"
RINGING = replace(
    ALARMS[ERRORS], state=AlarmState.ALARM, reason="3 datapoints were over 0", description="run `ringfence doctor`"
)


def found(region: RegionFacts, **parameters: str) -> list[Finding]:
    """What is wrong."""
    expected = Expected(EXPECTED.settings, {**EXPECTED.parameters, **parameters})
    return [finding for finding in check_alarms(region, expected) if finding.severity is not Severity.OK]


def changed(**of: Alarm) -> tuple[Alarm, ...]:
    """The alarms, some of them changed, by the last part of their names."""
    named = ALARMS | {f"ringfence-demo-{name.replace('_', '-')}": alarm for name, alarm in of.items()}
    return tuple(named.values())


def test_the_alarms_that_are_expected_are_those_of_the_template() -> None:
    in_template = {properties["AlarmName"]["Fn::Sub"] for properties in resources().values()}
    assert in_template == {f"ringfence-${{ClusterName}}-{name}" for name in NAMES}


def test_alarms_that_exist_and_notify_someone_are_no_finding() -> None:
    assert found(facts()) == []
    (exist, notify) = check_alarms(facts(alarms=changed(quota=without_data())), EXPECTED)
    assert exist.message == "all 6 exist, none rings, 1 of them without data yet"
    assert notify.message == f"{TOPIC} notifies email ops@example.com"


def without_data() -> Alarm:
    return replace(ALARMS["ringfence-demo-quota"], state=AlarmState.INSUFFICIENT_DATA)


def test_an_alarm_that_was_deleted_is_found() -> None:
    fewer = tuple(alarm for name, alarm in ALARMS.items() if name != ERRORS)
    (finding,) = found(facts(alarms=fewer))
    assert (finding.severity, finding.message) == (Severity.PROBLEM, f"{ERRORS} does not exist")
    assert finding.fix == "ringfence deploy us-east-1"


def test_disabled_actions_are_found_with_the_command_that_enables_them() -> None:
    (finding,) = found(facts(alarms=changed(errors=replace(ALARMS[ERRORS], is_enabled=False))))
    assert finding.severity is Severity.PROBLEM
    assert finding.fix == f"aws cloudwatch enable-alarm-actions --region us-east-1 --alarm-names {ERRORS}"


def test_an_alarm_that_notifies_another_topic_is_found() -> None:
    (finding,) = found(facts(alarms=changed(errors=replace(ALARMS[ERRORS], actions=()))))
    assert (finding.severity, finding.message) == (Severity.PROBLEM, f"{ERRORS}: does not notify {TOPIC}")


def test_an_alarm_that_rings_is_a_warning_with_what_its_description_says() -> None:
    (finding,) = found(facts(alarms=changed(errors=RINGING)))
    assert finding.severity is Severity.WARNING
    assert finding.message.startswith(f"{ERRORS} rings since 20")
    assert finding.message.endswith("UTC: 3 datapoints were over 0")
    assert finding.fix == "run `ringfence doctor`"


def test_a_cluster_file_without_a_topic_is_a_warning() -> None:
    (finding,) = found(facts(topic=None), AlarmTopic="")
    assert (finding.severity, finding.message) == (
        Severity.WARNING,
        "there is no alarm_topic: alarms notify no one",
    )
    assert "ringfence deploy us-east-1" in finding.fix


@pytest.mark.parametrize(
    ("topic", "severity", "message"),
    [
        (None, Severity.PROBLEM, f"the topic {TOPIC} does not exist: alarms notify no one"),
        (Topic(()), Severity.PROBLEM, f"no one has a confirmed subscription to {TOPIC}"),
        (
            Topic((), ("email a@example.com",)),
            Severity.PROBLEM,
            f"no one has a confirmed subscription to {TOPIC}; not confirmed: email a@example.com",
        ),
        (
            Topic(("sqs q",), ("email a@example.com",)),
            Severity.WARNING,
            f"{TOPIC} notifies sqs q; not confirmed: email a@example.com",
        ),
        (Unread("denied"), Severity.WARNING, "not checked: denied"),
    ],
)
def test_a_topic_that_notifies_no_one_is_found(topic: Topic | Unread | None, severity: Severity, message: str) -> None:
    (finding,) = found(facts(topic=topic))
    assert (finding.severity, finding.message) == (severity, message)


def test_alarms_that_could_not_be_read_are_not_judged_and_without_a_stack_nothing_is_said() -> None:
    (finding,) = found(facts(alarms=Unread("denied")))
    assert (finding.severity, finding.message) == (Severity.WARNING, "not checked: denied")
    assert found(facts(stack=None, alarms=())) == []


def test_status_shows_an_alarm_that_rings_and_what_to_do() -> None:
    taken = replace(snapshot(), engines={EAST: replace(ENGINE, alarms=AlarmsSeen((RINGING, *ALARMS.values())))})
    shown = " ".join(screen(replace(taken, at=NOW + 300), state(taken)).split())
    assert f"{ERRORS} rings, 5 min: 3 datapoints were over 0 run `ringfence doctor`" in shown
    assert shown.count("rings") == 1


def test_status_says_that_the_alarms_could_not_be_read_and_judges_the_rest() -> None:
    taken = replace(snapshot(), engines={EAST: replace(ENGINE, alarms=AlarmsSeen(unread="DescribeAlarms was denied"))})
    shown = " ".join(screen(taken, state(taken)).split())
    assert "not known whether one rings: DescribeAlarms was denied" in shown
    assert "All in sync." in shown
