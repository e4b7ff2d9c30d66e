"""What can be made to go wrong, by Region and service, and how each service says that it is throttled.

Pure: the front does to a connection what stands here. Knows nothing of connections.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, NamedTuple

from ringfence_ops.errors import CommandError

_PROTOCOLS = {
    "autoscaling": "query",
    "cloudformation": "query",
    "dynamodb": "json",
    "ec2": "ec2",
    "events": "json",
    "iam": "query",
    "lambda": "json",
    "logs": "json",
    "monitoring": "json",
    "s3": "rest-xml",
    "scheduler": "json",
    "sqs": "json",
    "ssm": "json",
    "sts": "query",
}
"""The services that faults can be set for, by their name in a signature, and how each writes its errors."""

KINDS = "reset, hang, throttle or delay=SECONDS"


class BadFault(CommandError, ValueError):
    """A fault that cannot be: what is wrong, why and what to do, in one line."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is dropped with a TCP reset."""


@dataclass(frozen=True, slots=True)
class Hang:
    """The connection stays open and is never answered."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """The service answers that it was called too often."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The request reaches the service so many seconds late."""

    seconds: float


Fault = Reset | Hang | Throttle | Delay


def parse(text: str) -> Fault:
    """Reads a fault as it is written on the command line. Raises BadFault."""
    match text.partition("="):
        case ("reset", "", ""):
            return Reset()
        case ("hang", "", ""):
            return Hang()
        case ("throttle", "", ""):
            return Throttle()
        case ("delay", "=", seconds):
            try:
                delay = float(seconds)
            except ValueError:
                delay = -1.0
            if 0 <= delay < float("inf"):
                return Delay(delay)
            raise BadFault(f"{text!r} is no delay: write the seconds, as in delay=0.5")
        case _:
            raise BadFault(f"{text!r} is no fault: use {KINDS}")


def written(fault: Fault) -> str:
    """The fault as it is written on the command line."""
    kind = type(fault).__name__.lower()
    return f"{kind}={fault.seconds:g}" if isinstance(fault, Delay) else kind


@cache
def all_regions() -> frozenset[str]:
    """The Regions of the partition `aws`, as botocore lists them."""
    import botocore.session  # noqa: PLC0415  # who only sets a fault in a lab that runs needs none of it

    return frozenset(botocore.session.get_session().get_available_regions("ec2"))


def check_region(region: str, known: Iterable[str]) -> None:
    """Raises BadFault where there is no such Region."""
    if region not in known:
        raise BadFault(f"{region!r} is no AWS Region: use a Region's code, as in us-east-1")


@dataclass(slots=True)
class Faults:
    """The faults that are set. One for a service outranks one for its whole Region."""

    regions: frozenset[str] = field(default_factory=all_regions)
    _set: dict[tuple[str, str | None], Fault] = field(default_factory=dict)

    def set(self, region: str, service: str | None, fault: Fault) -> None:
        """Sets a fault for a service in a Region, or for all of the Region. Raises BadFault."""
        check_region(region, self.regions)
        if service is not None and service not in _PROTOCOLS:
            raise BadFault(f"{service!r} is no service here: use one of {', '.join(_PROTOCOLS)}")
        self._set[region, service] = fault

    def heal(self, region: str | None) -> None:
        """Takes away every fault of the Region, or of all. Raises BadFault."""
        if region is not None:
            check_region(region, self.regions)
        self._set = {key: fault for key, fault in self._set.items() if region not in (None, key[0])}

    def on(self, region: str, service: str) -> Fault | None:
        """The fault that a call of the service in the Region meets."""
        return self._set.get((region, service)) or self._set.get((region, None))

    def __iter__(self) -> Iterator[tuple[str, str | None, Fault]]:
        return iter([(*key, fault) for key, fault in self._set.items()])


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    content_type: str
    body: bytes


def throttled(service: str) -> Answer:
    """The service's own answer to a caller that it throttles.

    Codes: EC2 `RequestLimitExceeded` (Amazon EC2 Developer Guide, "Request throttling"); DynamoDB and SQS, their API
    references' "Errors"; elsewhere "Common Errors".
    """
    match _PROTOCOLS.get(service, "json"):
        case "ec2":
            error = "<Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message>"
            body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>lab</RequestID></Response>"
            return Answer(503, "text/xml", body.encode())
        case "query":
            error = "<Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message>"
            body = f"<ErrorResponse><Error>{error}</Error><RequestId>lab</RequestId></ErrorResponse>"
            return Answer(400, "text/xml", body.encode())
        case "rest-xml":
            error = "<Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"
            return Answer(503, "application/xml", f"<Error>{error}</Error>".encode())
        case _:
            code = {
                "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                "sqs": "com.amazonaws.sqs#RequestThrottled",
            }.get(service, "ThrottlingException")
            body = json.dumps({"__type": code, "message": "Rate exceeded"})
            return Answer(400, "application/x-amz-json-1.0", body.encode())
