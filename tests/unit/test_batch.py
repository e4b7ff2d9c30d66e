"""The queue's policy: which messages are delivered again, which are dead letters, and which are done."""

import json

import pytest

from ringfence.core.errors import Conflict, NotDeployed, Permanent, Refusal, Refused, Retry, RingfenceError, Unsafe
from ringfence.core.events import Event, Ignored, TrueUp
from ringfence.runtime.batch import BatchResult, Message, after
from tests.unit.builders import DB, I2, WEST, launching, terminating


def message(id: str, event: Event) -> Message:
    return Message(id, f"body of {id}", event)


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
def test_a_body_that_is_not_json_becomes_an_ignored_event(body: str) -> None:
    message = Message.read("message-1", body)
    assert (message.id, message.body) == ("message-1", body)
    assert isinstance(message.event, Ignored)
    assert message.event.id == "message-1"
    assert "not JSON" in message.event.reason


@pytest.mark.parametrize("body", ["null", "7", "[]", '"trueup"', "{}"])
def test_a_body_of_json_that_is_no_event_becomes_an_ignored_event(body: str) -> None:
    message = Message.read("message-1", body)
    assert isinstance(message.event, Ignored)
    assert "not JSON" not in message.event.reason


# After the reconcile.


def test_every_message_is_done_after_a_reconcile_without_an_error() -> None:
    assert after(BATCH, None) == BatchResult()


RETRIES = [Retry("throttled"), Conflict("overtaken", {})]
UNCLASSIFIED = [Unsafe("bad row"), Refused(Refusal.QUOTA, "full")]
"""Errors that say nothing of another delivery. None may lose a lifecycle event."""


@pytest.mark.parametrize("error", [*RETRIES, *UNCLASSIFIED], ids=lambda error: type(error).__name__)
def test_the_whole_batch_is_delivered_again_in_its_order_unless_the_error_is_permanent(error: RingfenceError) -> None:
    assert after(BATCH, error) == BatchResult(delivered_again=BATCH)


@pytest.mark.parametrize("error", [Permanent("denied"), NotDeployed("no table")], ids=["Permanent", "NotDeployed"])
def test_every_lifecycle_event_is_a_dead_letter_after_a_permanent_error_without_groups(error: RingfenceError) -> None:
    assert after(BATCH, error) == BatchResult(dead_letters=(LAUNCH, TERMINATION))


def test_only_the_lifecycle_events_of_its_groups_are_dead_letters_after_a_permanent_error_with_groups() -> None:
    # given a lifecycle event of another group than the error names
    error = Permanent("the group cache does not exist", frozenset({"cache"}))
    other = message("6", launching(I2, group="cache"))
    # when / then
    assert after((*BATCH, other), error) == BatchResult(dead_letters=(other,))


def test_no_message_is_a_dead_letter_if_the_error_names_the_groups_of_none() -> None:
    assert after(BATCH, Permanent("why", frozenset({"cache"}))) == BatchResult()


@pytest.mark.parametrize("true_up", [TRUE_UP, NAMED_TRUE_UP], ids=["scheduled", "of the group"])
@pytest.mark.parametrize("groups", [frozenset(), frozenset({DB.asg})], ids=["all groups", "its group"])
def test_a_true_up_is_done_after_a_permanent_error(true_up: Message, groups: frozenset[str]) -> None:
    assert after([true_up], Permanent("why", groups)) == BatchResult()


def test_an_ignored_event_is_done_after_a_permanent_error() -> None:
    assert after([IGNORED], Permanent("why")) == BatchResult()


def test_an_empty_batch_has_no_messages_to_deliver_again() -> None:
    assert after([], Retry(f"{WEST} got no answer")) == BatchResult()
