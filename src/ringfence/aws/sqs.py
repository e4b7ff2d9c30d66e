"""The dead-letter queue on Amazon SQS, for messages that can never succeed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringfence.aws.error_codes import translated
from ringfence.core.model.identifiers import Region

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REASON_LIMIT = 1024
"""Maximum characters of the reason in a message."""


@dataclass(frozen=True, slots=True)
class AwsDeadLetters:
    """A FIFO queue of messages that an operator must look at."""

    client: "SQSClient"
    region: Region
    queue_url: str
    cluster: str

    def send(self, body: str, message_id: str, reason: str) -> None:
        """Sends a message there with the reason. Raises Retry, Permanent."""
        with translated(self.region, "SendMessage"):
            self.client.send_message(
                QueueUrl=self.queue_url,
                MessageBody=body,
                MessageGroupId=self.cluster,
                MessageDeduplicationId=message_id,
                MessageAttributes={"reason": {"DataType": "String", "StringValue": reason[:REASON_LIMIT]}},
            )
