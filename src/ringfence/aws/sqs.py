"""The dead-letter queue on Amazon SQS, for messages that can never succeed.

A letter is made so that SQS accepts it, whatever its message contains. Knows nothing of why a message failed.

Sources: Amazon SQS API reference, SendMessage (characters, `MessageDeduplicationId`, attributes are part of the size);
Amazon SQS Developer Guide, "Message quotas" (1 MiB; a queue's `MaximumMessageSize` can be less).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringfence.aws.error_codes import translated
from ringfence.core.model.identifiers import Region

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

SIZE_LIMIT = 256 * 1024
"""Maximum bytes of a letter: SQS's limit until August 2025, which queues that were made before may still have."""

REASON_LIMIT = 1024
"""Maximum characters of the reason in a letter."""

BODY_LIMIT = SIZE_LIMIT - 4 * REASON_LIMIT - 1024
"""Maximum bytes of a letter's body. A character of the reason has at most 4 bytes; 1 KB is for the rest."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DEDUPLICATION_ID = re.compile(r"[\x21-\x7e]{1,128}")
_CUT = " (truncated)"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as the dead-letter queue accepts it.

    `changes` says what was done to the body: `escaped` if it had characters that SQS refuses, which are now `\\uXXXX`;
    `truncated`; `empty` if there was none. It is empty if the body is as it was received.
    """

    body: str
    reason: str
    changes: str = ""

    @classmethod
    def of(cls, body: str, reason: str) -> "Letter":
        """The letter of a message."""
        escaped = _escaped(body)
        fitting = escaped.encode()[:BODY_LIMIT].decode(errors="ignore")
        changes = ["escaped"] if escaped != body else []
        changes += [f"truncated from {len(escaped.encode())} bytes"] if fitting != escaped else []
        if not body:
            return cls("(empty)", _reason(reason), "empty")
        return cls(fitting, _reason(reason), ", ".join(changes))

    @property
    def attributes(self) -> "Mapping[str, MessageAttributeValueTypeDef]":
        """The message's attributes: the `reason`, and `body` if the body was changed."""
        texts = {"reason": self.reason} | ({"body": self.changes} if self.changes else {})
        return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


@dataclass(frozen=True, slots=True)
class AwsDeadLetters:
    """A FIFO queue of messages that an operator must look at."""

    client: "SQSClient"
    region: Region
    queue_url: str
    cluster: str

    def send(self, body: str, message_id: str, reason: str) -> None:
        """Sends a message there with the reason. Raises Retry, Permanent."""
        letter = Letter.of(body, reason)
        with translated(self.region, "SendMessage"):
            self.client.send_message(
                QueueUrl=self.queue_url,
                MessageBody=letter.body,
                MessageGroupId=self.cluster,
                MessageDeduplicationId=_deduplication_id(message_id),
                MessageAttributes=letter.attributes,
            )


def _escaped(text: str) -> str:
    """The text with each character that SQS refuses as `\\uXXXX`. Inside a string of JSON, it means the same."""
    return _FORBIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _reason(text: str) -> str:
    """The reason, in characters that SQS accepts. It is marked if it is truncated."""
    escaped = _escaped(text) or "unknown"
    return escaped if len(escaped) <= REASON_LIMIT else escaped[: REASON_LIMIT - len(_CUT)] + _CUT


def _deduplication_id(message_id: str) -> str:
    """The message's id, or its hash if SQS does not accept it as one."""
    if _DEDUPLICATION_ID.fullmatch(message_id):
        return message_id
    return hashlib.sha256(message_id.encode(errors="surrogatepass")).hexdigest()
