"""The policy of the queue: what becomes of a batch's messages after the reconcile that they started.

Pure. The function's handler and the simulator both use it. Knows nothing of SQS's API or of Lambda.

Unless the error is permanent, the whole batch goes back, so that its order stays. A lifecycle event that can never
succeed goes to the dead-letter queue with its reason. A true-up that cannot succeed is only logged and counted: the
schedule sends the next one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ringfence.core.errors import Permanent, RingfenceError
from ringfence.core.events import Event, Ignored, Launching, Terminating, parse


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the queue with the event in it."""

    id: str
    body: str
    event: Event

    @classmethod
    def read(cls, id: str, body: str) -> "Message":
        """The message. A body that is not JSON becomes an ignored event."""
        try:
            return cls(id, body, parse(json.loads(body), id))
        except ValueError as error:
            return cls(id, body, Ignored(id, f"the message is not JSON: {error}"))


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The messages that the queue must deliver again, and those that belong in the dead-letter queue."""

    delivered_again: tuple[Message, ...] = ()
    dead_letters: tuple[Message, ...] = ()


def after(messages: Sequence[Message], error: RingfenceError | None) -> BatchResult:
    """What becomes of the messages after a reconcile that raised the error, or none. All others are done."""
    match error:
        case None:
            return BatchResult()
        case Permanent():
            hopeless = (message for message in messages if _is_hopeless(message.event, error))
            return BatchResult(dead_letters=tuple(hopeless))
        case _:
            return BatchResult(delivered_again=tuple(messages))


def _is_hopeless(event: Event, error: Permanent) -> bool:
    """Whether the error concerns a lifecycle event's own group, so that no delivery of the event can succeed."""
    return isinstance(event, Launching | Terminating) and (not error.groups or event.group in error.groups)
