"""Input becomes an event, is ignored or is malformed, and no input raises an error."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.events import SCHEDULE, Action, Ignored, Launching, Malformed, Place, Terminating, TrueUp, parse
from ringfence.core.model.identifiers import InstanceId

FALLBACK = "message-1"
LAUNCH = "EC2 Instance-launch Lifecycle Action"
TERMINATE = "EC2 Instance-terminate Lifecycle Action"
NOON = 1764504000  # 2025-11-30T12:00:00Z


INSTANCE = InstanceId("i-0123456789abcdef0")
TOKEN = "87654321-4321-4321-4321-210987654321"


def lifecycle(detail_type: str = LAUNCH, **changes: Any) -> dict[str, Any]:
    """Source: Amazon EC2 Auto Scaling User Guide, "EventBridge event reference"; `changes` are those of the detail."""
    terminates = detail_type == TERMINATE
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": detail_type,
        "source": "aws.autoscaling",
        "account": "123456789012",
        "time": "2025-11-30T12:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:x:autoScalingGroupName/db"],
        "detail": {
            "LifecycleActionToken": TOKEN,
            "AutoScalingGroupName": "db",
            "LifecycleHookName": "ringfence-demo-launch",
            "EC2InstanceId": INSTANCE,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_" + ("TERMINATING" if terminates else "LAUNCHING"),
            "NotificationMetadata": "additional-info",
            "Origin": "AutoScalingGroup" if terminates else "EC2",
            "Destination": "EC2" if terminates else "AutoScalingGroup",
        }
        | changes,
    }


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**event, "detail": {name: value for name, value in event["detail"].items() if name not in names}}


# Lifecycle events.


def test_a_launch_has_its_instance_places_time_and_token() -> None:
    assert parse(lifecycle(), FALLBACK) == Launching(
        "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        NOON,
        "db",
        INSTANCE,
        "ringfence-demo-launch",
        Place.EC2,
        Place.GROUP,
        TOKEN,
    )


def test_a_termination_has_its_instance_places_time_and_token() -> None:
    assert parse(lifecycle(TERMINATE), FALLBACK) == Terminating(
        "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        NOON,
        "db",
        INSTANCE,
        "ringfence-demo-launch",
        Place.GROUP,
        Place.EC2,
        TOKEN,
    )


@pytest.mark.parametrize(
    ("detail_type", "origin", "destination", "places"),
    [
        (LAUNCH, "EC2", "WarmPool", (Place.EC2, Place.WARM_POOL)),
        (LAUNCH, "WarmPool", "AutoScalingGroup", (Place.WARM_POOL, Place.GROUP)),
        (TERMINATE, "AutoScalingGroup", "WarmPool", (Place.GROUP, Place.WARM_POOL)),
        (TERMINATE, "WarmPool", "EC2", (Place.WARM_POOL, Place.EC2)),
    ],
)
def test_a_lifecycle_event_has_its_places_of_a_warm_pool(
    detail_type: str, origin: str, destination: str, places: tuple[Place, Place]
) -> None:
    event = parse(lifecycle(detail_type, Origin=origin, Destination=destination), FALLBACK)
    assert isinstance(event, Launching | Terminating)
    assert (event.origin, event.destination) == places


@pytest.mark.parametrize("detail_type", [LAUNCH, TERMINATE])
def test_both_events_of_a_root_volume_replacement_have_its_action(detail_type: str) -> None:
    places = {"Origin": "AutoScalingGroup", "Destination": "AutoScalingGroup"}
    event = parse(lifecycle(detail_type, **places, Action="ReplaceRootVolume"), FALLBACK)
    assert isinstance(event, Launching | Terminating)
    assert (event.origin, event.destination, event.action) == (Place.GROUP, Place.GROUP, Action.REPLACE_ROOT_VOLUME)


@pytest.mark.parametrize("action", [None, "", "Explode", 7, ["ReplaceRootVolume"]])
def test_an_unknown_action_is_none(action: object) -> None:
    assert parse(lifecycle(TERMINATE, Action=action), FALLBACK) == parse(lifecycle(TERMINATE), FALLBACK)


@pytest.mark.parametrize("destination", ["EC2", "WarmPool", None])
def test_an_instance_whose_root_volume_is_replaced_is_not_on_its_way_out(destination: object) -> None:
    event = parse(lifecycle(TERMINATE, Destination=destination, Action="ReplaceRootVolume"), FALLBACK)
    assert isinstance(event, Terminating)
    assert not event.leads_out


@pytest.mark.parametrize("places", [{}, {"Origin": "Moon", "Destination": 7}])
@pytest.mark.parametrize(
    ("detail_type", "default"), [(LAUNCH, (Place.EC2, Place.GROUP)), (TERMINATE, (Place.GROUP, Place.EC2))]
)
def test_an_event_without_valid_places_has_the_default_places(
    detail_type: str, default: tuple[Place, Place], places: dict[str, object]
) -> None:
    event = parse(
        {**(bare := without(lifecycle(detail_type), "Origin", "Destination")), "detail": bare["detail"] | places},
        FALLBACK,
    )
    assert isinstance(event, Launching | Terminating)
    assert (event.origin, event.destination) == default


@pytest.mark.parametrize("name", ["AutoScalingGroupName", "EC2InstanceId", "LifecycleHookName"])
@pytest.mark.parametrize("value", [None, "", 7, ["db"], {"db": 1}, True, 1.5])
def test_a_lifecycle_event_without_group_instance_or_hook_is_malformed(name: str, value: object) -> None:
    event = parse(lifecycle(LAUNCH, **{name: value}), FALLBACK)
    assert isinstance(event, Malformed)
    assert event.id == "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
    assert name in event.reason


@pytest.mark.parametrize("detail", [None, "text", [], 7])
def test_a_lifecycle_event_without_detail_is_malformed(detail: object) -> None:
    assert isinstance(parse({**lifecycle(), "detail": detail}, FALLBACK), Malformed)


INVALID: dict[str, list[Any]] = {
    "AutoScalingGroupName": ["d" * 256, "db\n", "db\x1b[2J", "d\u202eb", "\ud800", "db\x00"],
    "EC2InstanceId": [
        *("*", "i-", "i-1", "i-0123456789abcdef", "i-0123456789ABCDEF0", "i-0123456789abcdefg", "i-\ud800"),
        *(f"{INSTANCE}\n", f" {INSTANCE}", "i-" + "0" * 70_000, "i-٠١٢٣٤٥٦٧"),
    ],
    "LifecycleHookName": ["h" * 256, "a hook", "hook:1", "hook\n", "*", "h\u00f6ok"],
    "LifecycleActionToken": ["x", "0" * 36, TOKEN[:-1], f"{TOKEN}0", f"{TOKEN}\n", "*", 7, [TOKEN]],
}


@pytest.mark.parametrize("detail_type", [LAUNCH, TERMINATE])
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in INVALID.items() for value in values])
def test_an_id_or_a_name_that_aws_cannot_have_made_is_malformed(detail_type: str, name: str, value: object) -> None:
    event = parse(lifecycle(detail_type, **{name: value}), FALLBACK)
    assert isinstance(event, Malformed)
    assert event.reason.startswith(name)
    assert len(event.reason) < 150
    assert event.reason.isascii()
    assert event.reason.isprintable()


VALID: dict[str, list[Any]] = {
    "AutoScalingGroupName": ["d", "d" * 255, "db-East_1.a/b#2", "an old name", "old:name"],
    "EC2InstanceId": ["i-01234567", "i-0123456789abcdef0", "i-00000000000000001"],
    "LifecycleHookName": ["h", "h" * 255, "ringfence-demo-launch", "a/b_c-D1"],
    "LifecycleActionToken": [TOKEN, TOKEN.replace("4321", "abcd"), "ABCDEF01-4321-4321-4321-210987654321", None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALID.items() for value in values])
def test_every_id_and_name_that_aws_makes_is_accepted(name: str, value: object) -> None:
    assert isinstance(parse(lifecycle(LAUNCH, **{name: value}), FALLBACK), Launching)


@pytest.mark.parametrize("id", [None, "", 7, "x" * 65, "a\nb", "\ud800", "two words", ["id"]])
def test_an_event_without_a_valid_id_has_the_id_of_its_message(id: object) -> None:
    event = parse({**lifecycle(), "id": id}, FALLBACK)
    assert isinstance(event, Launching)
    assert event.id == FALLBACK


@pytest.mark.parametrize(
    "time",
    [None, "", "noon", 12, "2025-11-30T12:00:00", "0001-01-01T00:00:00+23:59", "2025-13-30T12:00:00Z", "2" * 9000],
)
def test_an_event_without_a_valid_time_is_accepted(time: object) -> None:
    event = parse({**lifecycle(), "time": time}, FALLBACK)
    assert isinstance(event, Launching)
    assert event.time is None


def test_only_auto_scaling_can_send_a_lifecycle_event() -> None:
    event = parse({**lifecycle(), "source": "my.app"}, FALLBACK)
    assert isinstance(event, Ignored)
    assert "my.app" in event.reason


@pytest.mark.parametrize(
    "detail_type",
    [
        "EC2 Instance Launch Successful",
        "EC2 Instance Terminate Unsuccessful",
        "EC2 Auto Scaling Instance Refresh Started",
    ],
)
def test_another_event_of_auto_scaling_is_ignored_and_the_reason_names_it(detail_type: str) -> None:
    event = parse(lifecycle(detail_type), FALLBACK)
    assert isinstance(event, Ignored)
    assert detail_type in event.reason


# True-ups.


def test_a_scheduled_true_up_is_named_after_its_time() -> None:
    event = {"source": SCHEDULE, "time": "2025-11-30T12:00:00Z"}
    assert parse(event, FALLBACK) == TrueUp("schedule 2025-11-30T12:00:00Z")


@pytest.mark.parametrize("time", [None, "", 7, "x" * 9000, "\ud800", "noon\x1b[2J"])
def test_a_scheduled_true_up_without_a_valid_time_is_named_after_the_schedule(time: object) -> None:
    assert parse({"source": SCHEDULE, "time": time}, FALLBACK) == TrueUp("schedule")


def test_an_operator_invokes_a_true_up() -> None:
    assert parse({"trueup": True}, FALLBACK) == TrueUp(FALLBACK)


def test_an_operator_confirms_held_removals() -> None:
    assert parse({"trueup": True, "confirm": "0123456789ab"}, FALLBACK) == TrueUp(FALLBACK, confirm="0123456789ab")


@pytest.mark.parametrize("further", [{}, {"trueup": True}, {"trueup": "yes"}, {"trueup": None}])
def test_the_original_form_is_a_true_up_with_any_value_of_trueup(further: dict[str, object]) -> None:
    event = {"detail": {"AutoScalingGroupName": "db"}} | further
    assert parse(event, FALLBACK) == TrueUp(FALLBACK, "db")


def test_the_original_form_can_confirm_held_removals() -> None:
    event = {"detail": {"AutoScalingGroupName": "db"}, "confirm": "0123456789ab"}
    assert parse(event, FALLBACK) == TrueUp(FALLBACK, "db", "0123456789ab")


@pytest.mark.parametrize(
    "event",
    [
        {"detail": {"AutoScalingGroupName": 7}},
        {"detail": {"AutoScalingGroupName": "d" * 256}},
        {"detail": {"AutoScalingGroupName": "db\n"}, "trueup": True},
        {"trueup": True, "confirm": 7},
        {"trueup": True, "confirm": "x" * 65},
        {"trueup": True, "confirm": "\ud800"},
    ],
)
def test_a_true_up_with_an_invalid_group_or_digest_is_malformed(event: dict[str, Any]) -> None:
    assert isinstance(parse(event, FALLBACK), Malformed)


def test_an_event_of_another_source_that_names_a_group_is_no_true_up() -> None:
    event = {"source": "my.app", "detail": {"AutoScalingGroupName": "db"}}
    assert isinstance(parse(event, FALLBACK), Ignored)


# Ignored input.


@pytest.mark.parametrize(
    "event",
    [
        {"Event": "autoscaling:TEST_NOTIFICATION", "AutoScalingGroupName": "db", "Service": "AWS Auto Scaling"},
        {"source": "aws.autoscaling", "detail": {"Event": "autoscaling:TEST_NOTIFICATION"}},
    ],
)
def test_a_test_notification_is_ignored_and_the_reason_names_it(event: dict[str, Any]) -> None:
    ignored = parse(event, FALLBACK)
    assert isinstance(ignored, Ignored)
    assert "test notification" in ignored.reason


@pytest.mark.parametrize("event", [None, True, 0, "text", [], [{"trueup": True}], {}, {"detail": "text"}])
def test_other_input_is_ignored_with_a_reason(event: object) -> None:
    ignored = parse(event, FALLBACK)
    assert isinstance(ignored, Ignored)
    assert ignored.id == FALLBACK
    assert ignored.reason


@pytest.mark.parametrize("text", ["x" * 70_000, "\ud800", "\x1b[2J", "\u202e", "\x9b"])
def test_the_reason_of_an_ignored_event_is_short_and_printable(text: str) -> None:
    ignored = parse({"source": text, "detail-type": text}, FALLBACK)
    assert isinstance(ignored, Ignored)
    assert len(ignored.reason) < 300
    assert ignored.reason.isascii()
    assert ignored.reason.isprintable()


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
times = st.datetimes(timezones=st.none() | st.timezones()).map(lambda time: time.isoformat())
nearly_events = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values,
        "source": st.sampled_from(["aws.autoscaling", SCHEDULE]) | json_values,
        "detail-type": st.sampled_from([LAUNCH, TERMINATE]) | json_values,
        "time": times | json_values,
        "trueup": json_values,
        "confirm": json_values,
        "Event": json_values,
        "detail": json_values
        | st.fixed_dictionaries(
            {"AutoScalingGroupName": st.just("db") | json_values},
            optional={
                name: st.text() | json_values
                for name in ("EC2InstanceId", "LifecycleHookName", "Origin", "Destination")
            },
        ),
    },
)


@given(json_values | nearly_events)
def test_no_input_raises_an_error(event: object) -> None:
    parsed = parse(event, FALLBACK)
    assert isinstance(parsed.id, str)
    assert parsed.id
