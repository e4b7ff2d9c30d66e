"""The queue's policy: which messages are delivered again, which are dead letters, and which are done."""

import json
from collections.abc import Mapping, Sequence

import pytest

from ringfence.core.errors import (
    POLICIES_ARE_NEW,
    Conflict,
    Denied,
    HookNotAnswered,
    NotDeployed,
    Permanent,
    Refusal,
    Refused,
    Retry,
    RingfenceError,
    Several,
    Unsafe,
)
from ringfence.core.events import Event, Ignored, Launching, Malformed, TrueUp
from ringfence.runtime.batch import CONTROL, BatchResult, DeadLetter, Message, after, serve
from tests.unit.builders import DB, I1, I2, I3, NOW, WEST, launching, terminating


def message(id: str, event: Event | Malformed) -> Message:
    return Message(id, f"body of {id}", event)


def dead(reason: str, *messages: Message) -> tuple[DeadLetter, ...]:
    return tuple(DeadLetter(message, reason) for message in messages)


LAUNCH = message("1", launching())
TERMINATION = message("2", terminating(I2))
TRUE_UP = message("3", TrueUp("schedule"))
NAMED_TRUE_UP = message("4", TrueUp("manual", DB.asg))
IGNORED = message("5", Ignored("5", "unknown"))
BATCH = (TRUE_UP, LAUNCH, IGNORED, TERMINATION, NAMED_TRUE_UP)

# Reading a message.


def test_a_message_has_the_event_of_its_body() -> None:
    body = json.dumps({"trueup": True, "confirm": "0123456789ab"})
    assert Message.read("message-1", body) == Message("message-1", body, TrueUp("message-1", confirm="0123456789ab"))


@pytest.mark.parametrize("body", ["", "{", "true-up", "{'trueup': True}"])
def test_a_body_that_is_not_json_becomes_a_malformed_event(body: str) -> None:
    message = Message.read("message-1", body)
    assert (message.id, message.body) == ("message-1", body)
    assert isinstance(message.event, Malformed)
    assert message.event.id == "message-1"
    assert "not JSON" in message.event.reason


@pytest.mark.parametrize("body", ["null", "7", "[]", '"trueup"', "{}"])
def test_a_body_of_json_that_is_no_event_becomes_an_ignored_event(body: str) -> None:
    message = Message.read("message-1", body)
    assert isinstance(message.event, Ignored)
    assert "not JSON" not in message.event.reason


# After the reconcile.


def test_every_message_is_done_after_a_reconcile_without_an_error() -> None:
    assert after(BATCH, None, NOW) == BatchResult()


RETRIES = [Retry("throttled"), Conflict("overtaken", {})]
UNCLASSIFIED = [Unsafe("bad row"), Refused(Refusal.QUOTA, "full")]
"""Errors that say nothing of another delivery. None may lose a lifecycle event."""


@pytest.mark.parametrize("error", [*RETRIES, *UNCLASSIFIED], ids=lambda error: type(error).__name__)
def test_the_whole_batch_is_delivered_again_in_its_order_unless_the_error_is_permanent(error: RingfenceError) -> None:
    assert after(BATCH, error, NOW) == BatchResult(delivered_again=BATCH)


@pytest.mark.parametrize("error", [Permanent("denied"), NotDeployed("no table")], ids=["Permanent", "NotDeployed"])
def test_every_lifecycle_event_is_a_dead_letter_after_a_permanent_error_without_groups(error: RingfenceError) -> None:
    assert after(BATCH, error, NOW) == BatchResult(dead_letters=dead(str(error), LAUNCH, TERMINATION))


def test_only_the_lifecycle_events_of_its_groups_are_dead_letters_after_a_permanent_error_with_groups() -> None:
    # given a lifecycle event of another group than the error names
    error = Permanent("the group cache does not exist", frozenset({"cache"}))
    other = message("6", launching(I2, group="cache"))
    # when / then
    assert after((*BATCH, other), error, NOW) == BatchResult(dead_letters=dead(str(error), other))


def test_no_message_is_a_dead_letter_if_the_error_names_the_groups_of_none() -> None:
    assert after(BATCH, Permanent("why", frozenset({"cache"})), NOW) == BatchResult()


@pytest.mark.parametrize("true_up", [TRUE_UP, NAMED_TRUE_UP], ids=["scheduled", "of the group"])
@pytest.mark.parametrize("groups", [frozenset(), frozenset({DB.asg})], ids=["all groups", "its group"])
def test_a_true_up_is_done_after_a_permanent_error(true_up: Message, groups: frozenset[str]) -> None:
    assert after([true_up], Permanent("why", groups), NOW) == BatchResult()


def test_an_ignored_event_is_done_after_a_permanent_error() -> None:
    assert after([IGNORED], Permanent("why"), NOW) == BatchResult()


def test_an_empty_batch_has_no_messages_to_deliver_again() -> None:
    assert after([], Retry(f"{WEST} got no answer"), NOW) == BatchResult()


@pytest.mark.parametrize("culprit", [NAMED_TRUE_UP, LAUNCH], ids=["a true-up", "a launch"])
def test_only_the_event_that_a_permanent_error_is_about_is_a_dead_letter(culprit: Message) -> None:
    assert not isinstance(culprit.event, Malformed)
    error = Permanent("the group is unknown", event=culprit.event)
    assert after(BATCH, error, NOW) == BatchResult(dead_letters=dead("the group is unknown", culprit))


def test_a_launch_with_the_id_of_the_true_up_that_an_error_is_about_is_done() -> None:
    # given a true-up whose sender chose the id of a launch
    true_up = TrueUp(LAUNCH.event.id, "typo")
    # when / then
    assert after([LAUNCH], Permanent("typo is unknown", event=true_up), NOW) == BatchResult()


OLD = NOW - POLICIES_ARE_NEW


@pytest.mark.parametrize(("time", "is_dead"), [(NOW, False), (OLD + 1, False), (OLD, True), (None, True)])
@pytest.mark.parametrize("kind", ["alone", "of one hook", "one of several"])
def test_a_denied_lifecycle_event_is_a_dead_letter_only_once_it_is_five_minutes_old(
    kind: str, time: int | None, is_dead: bool
) -> None:
    # given the hooks of a stack, whose policies are not there yet
    launch = message("6", launching(at=time))
    assert isinstance(launch.event, Launching)
    error: Permanent = Denied("access denied")
    if kind != "alone":
        error = HookNotAnswered(error, launch.event)
    if kind == "one of several":
        error = Several([error])
    # when / then
    expected = dead("access denied", launch) if is_dead else ()
    assert after([launch, TRUE_UP], error, NOW) == BatchResult(dead_letters=expected)


def test_another_permanent_error_makes_a_new_event_a_dead_letter() -> None:
    error = Several([Denied("access denied"), Permanent("no such group")])
    new = message("6", launching(at=NOW))
    assert after([new], error, NOW) == BatchResult(dead_letters=dead("no such group", new))


# Serving a batch.


class Poison(Exception):
    """An error that is not the engine's own."""


class Engine:
    """A reconcile that raises an error for some events, and counts what it is asked to do."""

    def __init__(self, errors: Mapping[str, BaseException] | None = None) -> None:
        self.errors = errors or {}
        self.batches: list[list[str]] = []
        self.served: list[str] = []

    def __call__(self, events: Sequence[Event]) -> None:
        ids = [event.id for event in events]
        self.batches.append(ids)
        for id in ids:
            if id in self.errors:
                raise self.errors[id]
        self.served += ids


def always() -> bool:
    return True


def now() -> float:
    return NOW


MALFORMED = message("6", Malformed("6", "EC2InstanceId is not valid: '*'"))
THIRD = message("7", launching(I3))
CRASHES = [
    Poison("why"),
    RecursionError("too deep"),
    MemoryError(),
    KeyError("x"),
    UnicodeEncodeError("utf-8", "", 0, 1, ""),
]


def test_a_batch_without_an_error_is_one_reconcile() -> None:
    engine = Engine()
    assert serve(BATCH, engine, has_time=always, now=now) == BatchResult()
    assert engine.batches == [[message.event.id for message in BATCH]]


def test_no_reconcile_sees_a_malformed_message_and_it_is_a_dead_letter_with_its_reason() -> None:
    engine = Engine()
    result = serve([MALFORMED, LAUNCH, TERMINATION], engine, has_time=always, now=now)
    assert result == BatchResult(dead_letters=dead("EC2InstanceId is not valid: '*'", MALFORMED))
    assert engine.batches == [[LAUNCH.event.id, TERMINATION.event.id]]


def test_a_batch_of_malformed_messages_starts_no_reconcile() -> None:
    engine = Engine()
    assert len(serve([MALFORMED], engine, has_time=always, now=now).dead_letters) == 1
    assert engine.batches == []


@pytest.mark.parametrize("error", [Retry("throttled"), Unsafe("bad row")], ids=lambda error: type(error).__name__)
def test_a_retry_returns_the_others_in_order_and_buries_the_malformed_message(error: RingfenceError) -> None:
    engine = Engine({LAUNCH.event.id: error})
    result = serve([TRUE_UP, MALFORMED, LAUNCH, TERMINATION], engine, has_time=always, now=now)
    assert result.delivered_again == (TRUE_UP, LAUNCH, TERMINATION)
    assert [letter.message for letter in result.dead_letters] == [MALFORMED]
    assert len(engine.batches) == 1


@pytest.mark.parametrize("error", CRASHES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("position", range(4))
def test_a_message_that_crashes_the_engine_is_found_and_the_others_are_served(error: Exception, position: int) -> None:
    # given
    others = [TRUE_UP, LAUNCH, THIRD]
    batch = [*others[:position], TERMINATION, *others[position:]]
    engine = Engine({TERMINATION.event.id: error})
    # when
    result = serve(batch, engine, has_time=always, now=now)
    # then
    (letter,) = result.dead_letters
    assert letter.message == TERMINATION
    assert letter.reason == f"the engine failed on it with {type(error).__name__}: {error}"
    assert result.delivered_again == ()
    assert engine.served == [*(message.event.id for message in others), CONTROL.id]
    assert len(engine.batches) == len(batch) + 2


def test_a_message_that_crashes_the_engine_alone_in_its_batch_is_a_dead_letter() -> None:
    result = serve([LAUNCH], Engine({LAUNCH.event.id: Poison()}), has_time=always, now=now)
    assert [letter.message for letter in result.dead_letters] == [LAUNCH]


def test_a_true_up_that_crashes_the_engine_is_a_dead_letter_if_the_engine_can_serve_others() -> None:
    result = serve([NAMED_TRUE_UP, LAUNCH], Engine({NAMED_TRUE_UP.event.id: Poison()}), has_time=always, now=now)
    assert [letter.message for letter in result.dead_letters] == [NAMED_TRUE_UP]


def test_dead_letters_stay_in_the_order_of_their_messages() -> None:
    engine = Engine({LAUNCH.event.id: Poison(), TERMINATION.event.id: Permanent("denied"), THIRD.event.id: Poison()})
    result = serve([LAUNCH, TERMINATION, THIRD], engine, has_time=always, now=now)
    assert [letter.message for letter in result.dead_letters] == [LAUNCH, TERMINATION, THIRD]


def test_no_message_is_a_dead_letter_if_the_engine_crashes_on_a_true_up_too() -> None:
    # given an engine that can serve nothing but an event that it ignores
    stranger = message("8", launching(I3, group="other"))
    crash = Poison("a bad row")
    engine = Engine({message.event.id: crash for message in (TRUE_UP, LAUNCH, TERMINATION)} | {CONTROL.id: crash})
    # when
    result = serve([TRUE_UP, LAUNCH, stranger, TERMINATION], engine, has_time=always, now=now)
    # then the schedule repeats the true-up
    assert result == BatchResult(delivered_again=(LAUNCH, TERMINATION), crashed=(TRUE_UP, LAUNCH, TERMINATION))


def test_no_message_is_a_dead_letter_if_the_control_must_be_tried_again() -> None:
    engine = Engine({LAUNCH.event.id: Poison(), CONTROL.id: Retry("throttled")})
    result = serve([LAUNCH, THIRD], engine, has_time=always, now=now)
    assert result == BatchResult(delivered_again=(LAUNCH,), crashed=(LAUNCH,))


def test_a_retry_of_one_message_returns_it_and_those_behind_it() -> None:
    # given a crash that takes the batch apart, and a call that is throttled afterwards
    engine = Engine({LAUNCH.event.id: Poison(), TERMINATION.event.id: Retry("throttled")})
    # when
    result = serve([TRUE_UP, LAUNCH, TERMINATION, THIRD], engine, has_time=always, now=now)
    # then
    assert [letter.message for letter in result.dead_letters] == [LAUNCH]
    assert result.delivered_again == (TERMINATION, THIRD)
    assert THIRD.event.id not in engine.served


@pytest.mark.parametrize("reconciles", range(1, 5))
def test_messages_that_no_time_is_left_for_go_back_in_order_and_none_is_lost(reconciles: int) -> None:
    # given
    batch = [THIRD, LAUNCH, TERMINATION]
    engine = Engine({LAUNCH.event.id: Poison()})
    # when
    result = serve(batch, engine, has_time=lambda: len(engine.batches) < reconciles, now=now)
    # then
    assert len(engine.batches) == reconciles
    assert not result.dead_letters
    assert [message for message in batch if message in result.delivered_again] == list(result.delivered_again)
    done = [message for message in batch if message not in result.delivered_again]
    assert all(message.event.id in engine.served for message in done)
    assert LAUNCH in result.delivered_again


def test_an_ignored_message_is_not_tried_alone() -> None:
    engine = Engine({LAUNCH.event.id: Poison()})
    serve([IGNORED, LAUNCH, THIRD], engine, has_time=always, now=now)
    assert [IGNORED.event.id] not in engine.batches


def test_the_end_of_the_process_is_no_crash_of_a_message() -> None:
    with pytest.raises(KeyboardInterrupt):
        serve(BATCH, Engine({LAUNCH.event.id: KeyboardInterrupt()}), has_time=always, now=now)


def test_a_full_batch_of_poison_costs_at_most_two_reconciles_more_than_messages() -> None:
    batch = [message(str(number), Launching(str(number), None, DB.asg, I1, "hook")) for number in range(10)]
    engine = Engine({message.event.id: Poison() for message in batch})
    assert len(serve(batch, engine, has_time=always, now=now).dead_letters) == 10
    assert len(engine.batches) == 12
