"""The policy of the queue: how a batch is served, and what becomes of its messages.

A message that cannot be served costs the others nothing. What cannot be read goes to the dead-letter queue with its
reason, and no reconcile sees it. The other messages are one reconcile. If that raises an error that is not the engine's
own, each message is tried alone, and one that fails alone is a dead letter.

Unless an error of the engine is permanent, the whole batch goes back, so that its order stays. A lifecycle event that
can never succeed goes to the dead-letter queue with its reason. A true-up that cannot succeed is only logged and
counted, unless the error is about that true-up: the schedule sends the next one. A lifecycle event that a permission
is missing for is done while it is new: the hook holds its instance, and the next true-up serves it.

The function's handler and the simulator both use it. Knows nothing of SQS's API or of Lambda, and reads no clock.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from ringfence.core.errors import Permanent, RingfenceError
from ringfence.core.events import Event, Ignored, Launching, Malformed, Terminating, TrueUp, parse
from ringfence.runtime.message_body import Unreadable, decode

ATTEMPT_STARTS_WITHIN = 12.0
"""Seconds from the start of an invocation, after which no message is tried alone any more. The function's time-out is
30 s, and a reconcile whose calls all time out can take more than 10 s."""

DEAD_LETTERS_WITHIN = 5.0
"""Seconds from the first dead letter of a batch, after which no other one is sent: its message goes back."""

CONTROL = TrueUp("control")
"""Tells a message that the engine cannot serve from an engine that can serve none."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the queue with the event in it."""

    id: str
    body: str
    event: Event | Malformed

    @classmethod
    def read(cls, id: str, body: str) -> "Message":
        """The message. A body that cannot be read becomes a malformed event."""
        try:
            return cls(id, body, parse(decode(body), id))
        except Unreadable as unreadable:
            return cls(id, body, Malformed(id, str(unreadable)))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that no delivery can serve, and why."""

    message: Message
    reason: str


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The messages that the queue must deliver again, those that belong in the dead-letter queue, and those on which
    the engine crashed."""

    delivered_again: tuple[Message, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    crashed: tuple[Message, ...] = ()

    @property
    def unserved(self) -> frozenset[str]:
        """The ids of the messages that an operator must look at: those given up, and those that crashed the engine."""
        return frozenset(message.id for message in (*self.crashed, *(letter.message for letter in self.dead_letters)))


@dataclass(frozen=True, slots=True)
class _Crash:
    """A reconcile raised an error that is not the engine's own."""

    reason: str


Reconcile = Callable[[Sequence[Event]], object]
"""One reconcile for the events. Raises what the engine raises."""

_Attempt = Callable[[Sequence[Message]], BatchResult | _Crash]
"""One reconcile for the messages, and what becomes of them."""


def serve(
    messages: Sequence[Message],
    reconcile: Reconcile,
    *,
    has_time: Callable[[], bool],
    now: Callable[[], float],
) -> BatchResult:
    """Serves a batch, and returns what becomes of its messages. All others are done. Raises no Exception.

    `has_time` says whether another reconcile may start. There are at most two more reconciles than messages. `now` is
    the time in epoch seconds.
    """
    attempt = partial(_attempt, reconcile=reconcile, now=now)
    readable, refused = [], []
    for message in messages:
        if isinstance(message.event, Malformed):
            refused.append(DeadLetter(message, message.event.reason))
        else:
            readable.append(message)
    result = attempt(readable) if readable else BatchResult()
    if isinstance(result, _Crash):
        result = _serve_each([message for message in readable if _asks(message)], attempt, has_time)
    return BatchResult(result.delivered_again, (*refused, *result.dead_letters), result.crashed)


def after(messages: Sequence[Message], error: RingfenceError | None, now: float) -> BatchResult:
    """What becomes of the messages after a reconcile that raised the error, or none. All others are done."""
    match error:
        case None:
            return BatchResult()
        case Permanent():
            reasons = [(message, _reason(message.event, error, now)) for message in messages]
            dead = tuple(DeadLetter(message, reason) for message, reason in reasons if reason is not None)
            return BatchResult(dead_letters=dead)
        case _:
            return BatchResult(delivered_again=tuple(messages))


def _attempt(messages: Sequence[Message], reconcile: Reconcile, now: Callable[[], float]) -> BatchResult | _Crash:
    """What becomes of the messages after one reconcile for all of them."""
    try:
        reconcile([message.event for message in messages if not isinstance(message.event, Malformed)])
    except RingfenceError as error:
        return after(messages, error, now())
    except Exception as error:  # noqa: BLE001  # any message can be the cause of any error
        return _Crash(f"the engine failed on it with {type(error).__name__}: {error}")
    return BatchResult()


def _serve_each(messages: Sequence[Message], attempt: _Attempt, has_time: Callable[[], bool]) -> BatchResult:
    """One reconcile for each message, in order, until one must be delivered again.

    A message that crashes the engine is a dead letter if the engine can serve a true-up. If it cannot, the messages are
    not the cause, and they go back. Without time for a single one, all of them may be the cause.
    """
    dead, suspects, left = list[DeadLetter](), list[DeadLetter](), list(messages)
    while left and has_time():
        result = attempt(left[:1])
        if isinstance(result, _Crash):
            suspects.append(DeadLetter(left[0], result.reason))
        elif result.delivered_again:
            break
        else:
            dead += result.dead_letters
        left = left[1:]
    crashed = tuple(letter.message for letter in suspects) if len(left) < len(messages) else tuple(messages)
    if suspects and has_time() and _works(attempt):
        letters = sorted((*dead, *suspects), key=lambda letter: messages.index(letter.message))
        return BatchResult(tuple(left), tuple(letters), crashed)
    return BatchResult((*_lifecycle(letter.message for letter in suspects), *left), tuple(dead), crashed)


def _works(attempt: _Attempt) -> bool:
    """Whether the engine can serve a true-up. What must be tried again later says nothing."""
    result = attempt([Message(CONTROL.id, "", CONTROL)])
    return isinstance(result, BatchResult) and not result.delivered_again


def _lifecycle(messages: Iterable[Message]) -> list[Message]:
    """The messages of lifecycle events. The schedule repeats the others."""
    return [message for message in messages if isinstance(message.event, Launching | Terminating)]


def _asks(message: Message) -> bool:
    return not isinstance(message.event, Ignored)


def _reason(event: Event | Malformed, error: Permanent, now: float) -> str | None:
    """Why no delivery of the event can succeed, or None if the error is not about it."""
    return None if isinstance(event, Malformed) else error.reason_for(event, now)
