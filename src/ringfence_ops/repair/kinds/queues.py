"""Queues and their policies."""

import json
import time
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_deleted_queue
from ringfence_ops.repair.drift import Fields, Repair
from ringfence_ops.repair.kinds.kind import ClientOf, document
from ringfence_ops.repair.template import Resource

PAUSE, ATTEMPTS = 5.0, 15
"""Seconds between attempts to create a queue, and their number: a deleted queue's name is blocked for 60 seconds."""

_DEFAULTS: dict[str, str | None] = {"ContentBasedDeduplication": "false", "DelaySeconds": "0"} | dict.fromkeys(
    ("KmsMasterKeyId", "RedriveAllowPolicy")
)
_FIXED = ("QueueName", "FifoQueue", "Tags")
_OTHERS = ("MessageRetentionPeriod", "VisibilityTimeout", "SqsManagedSseEnabled", "RedrivePolicy")


class Queues:
    """`AWS::SQS::Queue`."""

    def name(self, resource: Resource) -> str:
        """The queue's name."""
        return str(resource.properties["QueueName"])

    def wanted(self, resource: Resource) -> Fields:
        """The attributes that can change. SQS has its own defaults for those that the template leaves out."""
        return _DEFAULTS | {name: value for name, value in resource.properties.items() if name not in _FIXED}

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The attributes of the queue."""
        attributes = _attributes(client_of("sqs"), self.name(resource))
        names = {*_DEFAULTS, *(name for name in _OTHERS if name in resource.properties)}
        return {
            name: document(value) if name.endswith("Policy") else _boolean(value)
            for name, value in ((name, attributes.get(name, _DEFAULTS.get(name))) for name in names)
        }

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Creates the queue, or sets the attributes that differ."""
        sqs, wanted, name = client_of("sqs"), self.wanted(repair.resource), self.name(repair.resource)
        if repair.is_missing:
            _create(sqs, name, {"FifoQueue": "true"} | _texts(wanted))
            return
        changed = {one.name: one.wanted for one in repair.differences}
        if "KmsMasterKeyId" in changed:  # SQS's own encryption replaces it
            changed["SqsManagedSseEnabled"] = wanted.get("SqsManagedSseEnabled", True)
        removed = {name: "" for name in changed if name == "RedriveAllowPolicy"}
        sqs.set_queue_attributes(QueueUrl=_url(sqs, name), Attributes=_texts(changed) | removed)


class QueuePolicies:
    """`AWS::SQS::QueuePolicy`: the policy is an attribute of its queue."""

    def name(self, resource: Resource) -> str:
        """The name of the queue."""
        return str(resource.properties["Queues"][0]).rsplit("/", 1)[-1]

    def wanted(self, resource: Resource) -> Fields:
        """The policy."""
        return {"PolicyDocument": resource.properties["PolicyDocument"]}

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The policy of the queue; None for a queue without one."""
        attributes = _attributes(client_of("sqs"), self.name(resource))
        policy = document(attributes.get("Policy"))
        return {"PolicyDocument": policy} if policy else None

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Sets the policy."""
        sqs, name = client_of("sqs"), self.name(repair.resource)
        policy = json.dumps(repair.resource.properties["PolicyDocument"])
        sqs.set_queue_attributes(QueueUrl=_url(sqs, name), Attributes={"Policy": policy})


def _url(sqs: Any, name: str) -> str:
    return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])


def _attributes(sqs: Any, name: str) -> dict[str, str]:
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=_url(sqs, name), AttributeNames=["All"])[
        "Attributes"
    ]
    return attributes


def _create(sqs: Any, name: str, attributes: dict[str, str]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            sqs.create_queue(QueueName=name, Attributes=attributes)
        except ClientError as error:
            if not is_deleted_queue(error) or attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE)
        else:
            return


def _boolean(value: str | None) -> str | bool | None:
    return {"true": True, "false": False}.get(value, value) if value is not None else None


def _texts(attributes: Fields) -> dict[str, str]:
    """The attributes as SQS takes them: each as a text, and none that is not set."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in attributes.items()
        if value is not None
    }
