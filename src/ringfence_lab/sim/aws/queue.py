"""An SQS FIFO queue with one message group and its dead-letter queue.

Source: Amazon SQS Developer Guide, "FIFO queue delivery logic", "Exactly-once processing", "Visibility timeout" and
"Dead-letter queues". It must not know what the messages contain.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ringfence_lab.sim.aws.clock import VirtualClock

DEDUPLICATION_SECONDS = 300
BATCH = 10


@dataclass(slots=True)
class Message:
    """A message. It can be received from `visible_at` on. `reason` says why it is a dead letter."""

    id: str
    body: str
    visible_at: float
    receives: int = 0
    reason: str = ""


class Queue:
    """A FIFO queue. `visibility_seconds` and `max_receives` are those of the stack's template."""

    def __init__(self, clock: VirtualClock, visibility_seconds: float = 35.0, max_receives: int = 20) -> None:
        self.visibility_seconds = visibility_seconds
        self.max_receives = max_receives
        self.messages: list[Message] = []
        self.dead_letters: list[Message] = []
        self._clock = clock
        self._sent = 0
        self._recent: dict[str, float] = {}

    def send(self, body: str) -> None:
        """Accepts a message, unless one with the same content arrived less than five minutes ago."""
        now = self._clock.now()
        if now - self._recent.get(body, -DEDUPLICATION_SECONDS) < DEDUPLICATION_SECONDS:
            return
        self._recent[body] = now
        self._sent += 1
        self.messages.append(Message(f"message-{self._sent}", body, now))

    def receive(self) -> list[Message]:
        """Up to ten messages in order; none while a message of the group is in flight."""
        now = self._clock.now()
        if any(message.visible_at > now for message in self.messages):
            return []
        batch = self.messages[:BATCH]
        dead = [message for message in batch if message.receives >= self.max_receives]
        for message in dead:
            self.messages.remove(message)
            self.dead_letters.append(message)
        batch = [message for message in batch if message not in dead]
        for message in batch:
            message.receives += 1
            message.visible_at = now + self.visibility_seconds
        return batch

    def delete(self, messages: Iterable[Message]) -> None:
        """Deletes the messages."""
        done = {message.id for message in messages}
        self.messages = [message for message in self.messages if message.id not in done]

    def bury(self, message: Message, reason: str) -> None:
        """Copies the message to the dead-letter queue; the caller still has to delete it here."""
        self.dead_letters.append(replace(message, reason=reason))
