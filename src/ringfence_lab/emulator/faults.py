"""Faults by Region and service, and the errors with which each service throttles and denies its callers.

Pure values; `front` applies them to connections. It must not know connections.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, NamedTuple

from ringfence_ops.errors import WrongUsage

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
    "servicequotas": "json",
    "sns": "query",
    "sqs": "json",
    "ssm": "json",
    "sts": "query",
}
"""The services that can have faults, by their name in a signature, with the format of their errors."""

KINDS = "reset, hang, throttle, deny, inactive, new-role, stuck, delay=SECONDS or zone=ZONE"

MAXIMUM_DELAY = 86_400
"""Seconds."""

_SHOWN = 64
"""Characters of a value that a message shows."""


class BadFault(WrongUsage, ValueError):
    """An invalid fault. The message says in one line what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Closes the connection with a TCP reset."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Keeps the connection open and never answers."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """Answers with the service's throttling error."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Answers as the service does to a caller without permission: a policy is missing, or not known there yet."""


@dataclass(frozen=True, slots=True)
class Inactive:
    """Answers each CompleteLifecycleAction with the error that no lifecycle action is active, although one is.

    Auto Scaling does that for a moment (PrairieLearn #15586). Other calls are served.
    """

    action: ClassVar[str] = "CompleteLifecycleAction"


@dataclass(frozen=True, slots=True)
class Delay:
    """Delivers the request to the service after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NewRole:
    """The service does not see the role of the next resource that CloudFormation creates there. Happens once."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """CloudFormation can neither roll back nor delete resources of the service. Direct calls are served."""


@dataclass(frozen=True, slots=True)
class ZoneOutage:
    """EC2 describes no instance of the Availability Zone, and none in a call that names no instance."""

    zone: str


ConnectionFault = Reset | Hang | Throttle | Deny | Inactive | Delay
Fault = ConnectionFault | NewRole | Stuck
"""A fault of a service. One of an Availability Zone concerns EC2 beside it."""


_PLAIN: Mapping[str, Fault] = {
    "reset": Reset(),
    "hang": Hang(),
    "throttle": Throttle(),
    "deny": Deny(),
    "inactive": Inactive(),
    "new-role": NewRole(),
    "stuck": Stuck(),
}
"""The faults without a value, by their kind."""


def parse(text: str) -> Fault | ZoneOutage:
    """Parses a fault from the command line. Raises BadFault."""
    match text.partition("="):
        case (kind, "", "") if kind in _PLAIN:
            return _PLAIN[kind]
        case ("delay", "=", seconds):
            try:
                delay = float(seconds)
            except ValueError:
                delay = -1.0
            if 0 <= delay <= MAXIMUM_DELAY:
                return Delay(delay)
            raise BadFault(f"{_shown(text)} is not a valid delay: give the seconds, such as delay=0.5")
        case ("zone", "=", zone) if zone:
            return ZoneOutage(zone)
        case _:
            raise BadFault(f"{_shown(text)} is not a fault: use {KINDS}")


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """A request to set a fault, for a service in a Region or for the whole Region."""

    region: str
    service: str | None
    fault: Fault | ZoneOutage

    @classmethod
    def parse(cls, body: bytes) -> "FaultRequest":
        """Parses the body of a request. Raises BadFault."""
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise BadFault("the body is not JSON") from None
        match asked:
            case {"region": str(region), "fault": str(fault), "service": str() | None as service}:
                return cls(region, service, parse(fault))
            case {"region": str(region), "fault": str(fault)} if "service" not in asked:
                return cls(region, None, parse(fault))
        raise BadFault('the body is not a fault: give {"region": "us-east-1", "fault": "hang", "service": "ec2"}')


def fault_text(fault: Fault | ZoneOutage) -> str:
    """The fault as it is written on the command line."""
    match fault:
        case ZoneOutage(zone):
            return f"zone={zone}"
        case Delay(seconds):
            return f"delay={seconds:g}"
        case _:
            return next(kind for kind, plain in _PLAIN.items() if plain == fault)


@cache
def all_regions() -> frozenset[str]:
    """The Regions of the partition `aws`, as botocore lists them."""
    import botocore.session  # noqa: PLC0415  # the command `lab fault` does not need it

    return frozenset(botocore.session.get_session().get_available_regions("ec2"))


def check_region(region: str, known: Iterable[str]) -> None:
    """Raises BadFault if the Region does not exist."""
    if region not in known:
        raise BadFault(f"{_shown(region)} is not an AWS Region: use a Region code, such as us-east-1")


@dataclass(slots=True)
class Faults:
    """The faults that are set. A fault of a service takes precedence over one of its whole Region.

    An outage of a zone is one of EC2, beside any other fault.
    """

    regions: frozenset[str] = field(default_factory=all_regions)
    _set: dict[tuple[str, str | None], Fault] = field(default_factory=dict)
    _zones: dict[str, frozenset[str]] = field(default_factory=dict)

    def set(self, region: str, service: str | None, fault: Fault | ZoneOutage) -> None:
        """Sets a fault for a service in a Region, or for the whole Region. Raises BadFault."""
        check_region(region, self.regions)
        if service is not None and service not in _PROTOCOLS:
            raise BadFault(f"{_shown(service)} is not a service of the lab: use one of {', '.join(_PROTOCOLS)}")
        if isinstance(fault, Inactive) and service != "autoscaling":
            raise BadFault("inactive is a fault of the service autoscaling: name that service")
        if isinstance(fault, ZoneOutage):
            self._set_zone(region, service, fault.zone)
        else:
            self._set[region, service] = fault

    def _set_zone(self, region: str, service: str | None, zone: str) -> None:
        if service not in (None, "ec2"):
            raise BadFault(f"an outage of a zone is a fault of ec2, not of {service}")
        if not zone.startswith(region) or zone == region:
            raise BadFault(f"{_shown(zone)} is not a zone of {region}: use one such as {region}a")
        self._zones[region] = self.failing_zones(region) | {zone}

    def heal(self, region: str | None) -> None:
        """Removes all faults of a Region, or of all Regions. Raises BadFault."""
        if region is not None:
            check_region(region, self.regions)
        self._set = {key: fault for key, fault in self._set.items() if region not in (None, key[0])}
        self._zones = {name: zones for name, zones in self._zones.items() if region not in (None, name)}

    def on(self, region: str, service: str) -> ConnectionFault | None:
        """The fault of a call to the service in the Region."""
        found = (self._set.get((region, name)) for name in (service, None))
        return next((fault for fault in found if fault is not None and not isinstance(fault, NewRole | Stuck)), None)

    def is_stuck(self, region: str, service: str) -> bool:
        """Whether CloudFormation can neither roll back nor delete resources of the service."""
        return any(isinstance(self._set.get((region, name)), Stuck) for name in (service, None))

    def takes_new_role(self, region: str, service: str) -> bool:
        """Whether the service does not see the role of a new resource now. It sees the next one."""
        for name in (service, None):
            if isinstance(self._set.get((region, name)), NewRole):
                del self._set[region, name]
                return True
        return False

    def failing_zones(self, region: str) -> frozenset[str]:
        """The Availability Zones of the Region that EC2 does not describe."""
        return self._zones.get(region, frozenset())

    def __iter__(self) -> Iterator[tuple[str, str | None, Fault | ZoneOutage]]:
        yield from [(*key, fault) for key, fault in self._set.items()]
        for region, zones in sorted(self._zones.items()):
            yield from [(region, "ec2", ZoneOutage(zone)) for zone in sorted(zones)]


def _shown(text: str) -> str:
    """The start of a value as one line of text."""
    return ascii(text[:_SHOWN])


class ErrorResponse(NamedTuple):
    """An HTTP response with an error."""

    status: int
    content_type: str
    body: bytes


def inactive() -> ErrorResponse:
    """Auto Scaling's response to an answer for a lifecycle action that is not active.

    Source: Amazon EC2 Auto Scaling User Guide, "Troubleshoot lifecycle hooks".
    """
    error = "<Type>Sender</Type><Code>ValidationError</Code><Message>No active Lifecycle Action found</Message>"
    body = f"<ErrorResponse><Error>{error}</Error><RequestId>lab</RequestId></ErrorResponse>"
    return ErrorResponse(400, "text/xml", body.encode())


def throttled(service: str) -> ErrorResponse:
    """The service's own response to a caller that it throttles.

    Codes: EC2 `RequestLimitExceeded` (Amazon EC2 Developer Guide, "Request throttling"); DynamoDB and SQS, their API
    references' "Errors"; elsewhere "Common Errors".
    """
    match _PROTOCOLS.get(service, "json"):
        case "ec2":
            error = "<Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message>"
            body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>lab</RequestID></Response>"
            return ErrorResponse(503, "text/xml", body.encode())
        case "query":
            error = "<Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message>"
            body = f"<ErrorResponse><Error>{error}</Error><RequestId>lab</RequestId></ErrorResponse>"
            return ErrorResponse(400, "text/xml", body.encode())
        case "rest-xml":
            error = "<Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"
            return ErrorResponse(503, "application/xml", f"<Error>{error}</Error>".encode())
        case _:
            code = {
                "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                "sqs": "com.amazonaws.sqs#RequestThrottled",
            }.get(service, "ThrottlingException")
            body = json.dumps({"__type": code, "message": "Rate exceeded"})
            return ErrorResponse(400, "application/x-amz-json-1.0", body.encode())


def denied(service: str) -> ErrorResponse:
    """The service's own response to a caller without permission.

    Codes: Amazon EC2 API Reference, "Error codes" (`UnauthorizedOperation`); DynamoDB and Lambda, their API references'
    "Common Errors" (`AccessDeniedException`); Auto Scaling and the other services with the query protocol:
    `AccessDenied`, as in IAM User Guide, "Troubleshoot access denied error messages".
    """
    said = "You are not authorized to perform this operation."
    match _PROTOCOLS.get(service, "json"):
        case "ec2":
            error = f"<Code>UnauthorizedOperation</Code><Message>{said}</Message>"
            body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>lab</RequestID></Response>"
            return ErrorResponse(403, "text/xml", body.encode())
        case "query":
            error = f"<Type>Sender</Type><Code>AccessDenied</Code><Message>{said}</Message>"
            body = f"<ErrorResponse><Error>{error}</Error><RequestId>lab</RequestId></ErrorResponse>"
            return ErrorResponse(403, "text/xml", body.encode())
        case "rest-xml":
            error = f"<Code>AccessDenied</Code><Message>{said}</Message>"
            return ErrorResponse(403, "application/xml", f"<Error>{error}</Error>".encode())
        case _:
            body = json.dumps({"__type": "AccessDeniedException", "message": said})
            return ErrorResponse(400, "application/x-amz-json-1.0", body.encode())
