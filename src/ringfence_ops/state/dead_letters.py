"""Reads the dead-letter queue of a Region, sends its messages back, and discards them. None is lost on the way.

A message that was received is hidden for a moment, and shown again as soon as it was read. A command that is ended
meanwhile changes nothing: the message is visible again after `HIDDEN_SECONDS`.

Source: Amazon SQS Developer Guide, "FIFO queue delivery logic": a receive returns at most ten messages of a message
group, and no more of that group until these are deleted or visible. All dead letters of a cluster have one group. So
the first ten are all that can be seen.

Knows no terminal.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ringfence.aws.error_codes import is_absent
from ringfence.core.events import Ignored, Launching, Malformed, Terminating, TrueUp
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.runtime.batch import Message
from ringfence_ops.aws.answer_time import answered_at
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10
"""Maximum messages of one call. Source: Amazon SQS API reference, ReceiveMessage."""
HIDDEN_SECONDS = 30
"""Seconds for which a received message is hidden, if nothing shows it again earlier."""
ROUNDS = 1000
"""Maximum receives of one command."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of the dead-letter queue. `sent_at` is in epoch seconds.

    `reason` says why the engine gave it up. It is empty if SQS moved the message, because no delivery was acknowledged.
    `changes` says what the engine had to do to the body: see `ringfence.aws.sqs.Letter`.
    """

    region: Region
    id: str
    receipt: str
    body: str
    reason: str
    changes: str
    sent_at: float
    deliveries: int

    @property
    def is_whole(self) -> bool:
        """Whether the body is what was received, so that it can be sent back."""
        return not any(word in self.changes for word in ("truncated", "empty"))

    @property
    def why(self) -> str:
        """Why it is here, in words."""
        if self.reason:
            return self.reason
        return "no delivery of it was ever acknowledged: the function crashed or timed out on it"

    @property
    def instance(self) -> InstanceId | None:
        """The instance that its lifecycle event is about, if it is one."""
        event = Message.read(self.id, self.body).event
        return event.instance if isinstance(event, Launching | Terminating) else None

    @property
    def what(self) -> str:
        """What the message is, in words."""
        match Message.read(self.id, self.body).event:
            case Launching() as event:
                return f"launch of {event.instance} of {event.group}"
            case Terminating() as event:
                return f"termination of {event.instance} of {event.group}"
            case TrueUp():
                return "true-up"
            case Ignored(reason=reason):
                return f"an event that asks for nothing: {reason}"
            case Malformed():
                return "a message that cannot be read"


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead letters of a Region that the queue shows, oldest first, and the approximate number of the others."""

    shown: tuple[DeadLetter, ...] = ()
    others: int = 0


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of dead letters: those that are done, and why another one is still there."""

    done: tuple[DeadLetter, ...] = ()
    kept: tuple[tuple[DeadLetter, str], ...] = ()


Wanted = Callable[[DeadLetter], bool]
"""Says which dead letters are to be handled."""


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """The dead-letter queue of a Region, and the queue that its messages came from.

    `opened_at` is when it was opened, in epoch seconds by AWS's clock.
    """

    client: "SQSClient"
    region: Region
    cluster: str
    url: str
    source_url: str
    opened_at: float

    @classmethod
    def open(cls, aws: Aws, cluster: str, region: Region) -> "DeadLetterQueue":
        """The queue. Raises CommandError where there is none, and botocore's errors."""
        client, name = aws.client("sqs", region), f"ringfence-{cluster}"
        try:
            dead, events = (client.get_queue_url(QueueName=queue) for queue in (f"{name}-dead.fifo", f"{name}.fifo"))
        except ClientError as error:
            if is_absent(error):
                raise CommandError(f"a queue of {name} does not exist: ringfence deploy {region}") from error
            raise
        return cls(client, region, cluster, dead["QueueUrl"], events["QueueUrl"], answered_at(events))

    def read(self) -> Letters:
        """The dead letters. Each is visible again afterwards."""
        with self._received() as letters:
            return Letters(tuple(letters), max(0, self._count() - len(letters)))

    def send_back(self, wanted: Wanted, most: int | None = None) -> Handled:
        """Sends the wanted dead letters to the queue of events, each before it is deleted here; at most so many."""
        return self._handle(wanted, self._send, most)

    def discard(self, wanted: Wanted, most: int | None = None) -> Handled:
        """Deletes the wanted dead letters; at most so many."""
        return self._handle(wanted, lambda _: None, most)

    def _handle(self, wanted: Wanted, before: Callable[[DeadLetter], str | None], most: int | None) -> Handled:
        """Deletes the wanted letters, after `before` did its part, which says why a letter must stay.

        In rounds, because the queue shows at most ten. It ends when a round deletes nothing.
        """
        done: list[DeadLetter] = []
        kept: dict[str, tuple[DeadLetter, str]] = {}
        for _ in range(ROUNDS):
            with self._received() as letters:
                progress = False
                for letter in [letter for letter in letters if wanted(letter) and letter.id not in kept]:
                    why = before(letter)
                    if why is None and (why := self._delete(letter)) is None:
                        done.append(letter)
                        letters.remove(letter)
                        progress = True
                    elif why is not None:
                        kept[letter.id] = (letter, why)
            if not progress or len(done) == most:
                break
        return Handled(tuple(done), tuple(kept.values()))

    def _send(self, letter: DeadLetter) -> str | None:
        if not letter.is_whole:
            return f"its body is not whole ({letter.changes}), so it cannot be sent back: discard it"
        try:
            self.client.send_message(
                QueueUrl=self.source_url,
                MessageBody=letter.body,
                MessageGroupId=self.cluster,
                # Within five minutes, SQS takes the same letter once only.
                MessageDeduplicationId=letter.id,
            )
        except (BotoCoreError, ClientError) as error:
            return f"it could not be sent back: {error}"
        return None

    def _delete(self, letter: DeadLetter) -> str | None:
        try:
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt)
        except (BotoCoreError, ClientError) as error:
            return f"it could not be deleted from the dead letters: {error}"
        return None

    @contextmanager
    def _received(self) -> Iterator[list[DeadLetter]]:
        """The dead letters that the queue shows. Those that are still in the list at the end are visible again."""
        letters: list[DeadLetter] = []
        try:
            for _ in range(ROUNDS):
                batch = self._receive()
                letters += batch
                if len(batch) < BATCH:
                    break
            yield letters
        finally:
            self._show(letters)

    def _receive(self) -> list[DeadLetter]:
        answer = self.client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=1,  # a short poll may miss messages
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return [_letter(self.region, message) for message in answer.get("Messages", [])]

    def _show(self, letters: Sequence[DeadLetter]) -> None:
        """Ends the time for which the letters are hidden. If that fails, they are hidden a little longer."""
        for first in range(0, len(letters), BATCH):
            entries: Any = [
                {"Id": str(number), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                for number, letter in enumerate(letters[first : first + BATCH])
            ]
            with suppress(BotoCoreError, ClientError):
                self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def _count(self) -> int:
        """The approximate number of all messages, hidden ones included."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in names)


def _letter(region: Region, message: Any) -> DeadLetter:
    """A message as SQS returns it. Its attributes are what another caller may have written."""
    attributes, system = message.get("MessageAttributes", {}), message.get("Attributes", {})
    reason, changes = (str(attributes.get(name, {}).get("StringValue", "")) for name in ("reason", "body"))
    sent_at = int(system["SentTimestamp"]) / 1000 if "SentTimestamp" in system else time.time()
    return DeadLetter(
        region=region,
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message.get("Body", ""),
        reason=reason,
        changes=changes,
        sent_at=sent_at,
        deliveries=int(system.get("ApproximateReceiveCount", 0)),
    )


def matching(letters: Iterable[DeadLetter], id: str) -> list[DeadLetter]:
    """The letters whose ids begin with this."""
    return [letter for letter in letters if letter.id.startswith(id)]
