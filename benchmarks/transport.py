"""The latency to AWS: replaces the sockets under botocore, so that the caller serializes, signs and parses as usual.

Every request takes the latency of its Region; then `aws` answers it. Sockets, TLS and name resolution are omitted for
both sides, which favours the side that opens more connections. It must not know the caller.
"""

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from benchmarks.aws import StubAws, operation_of

READ_TIMEOUT = 60.0
"""The default time in seconds that botocore waits for an answer. Source: botocore, `Config.read_timeout`."""


@dataclass(frozen=True, slots=True)
class TimedCall:
    """A request, answered or not. `ended` is in seconds of the transport's clock."""

    region: str
    service: str
    operation: str
    ended: float
    answered: bool


@dataclass(slots=True)
class Transport:
    """Lets `aws` answer after the latency of the Region, in seconds. Regions in `hangs` never answer. With `counting`
    the time is counted instead of waited, which is correct for a caller that makes sequential calls."""

    aws: StubAws
    latency: Mapping[str, float]
    hangs: frozenset[str] = frozenset()
    counting: bool = False
    calls: list[TimedCall] = field(default_factory=list)
    counted: float = 0.0

    def now(self) -> float:
        """Seconds of this transport's clock."""
        return time.perf_counter() + self.counted

    def wait(self, seconds: float) -> None:
        """Waits, or counts the time."""
        if self.counting:
            self.counted += seconds
        else:
            time.sleep(seconds)

    def send(self, session: Any, request: AWSPreparedRequest) -> AWSResponse:
        """Replaces `URLLib3Session.send`. Raises ReadTimeoutError if the Region hangs."""
        service, region = (urlsplit(request.url).hostname or "").split(".")[:2]
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        operation = operation_of(service, request.headers.get("X-Amz-Target"), body)
        if region in self.hangs:
            self.wait(_read_timeout(session))
            self.calls.append(TimedCall(region, service, operation, self.now(), answered=False))
            raise ReadTimeoutError(endpoint_url=request.url)
        self.wait(self.latency[region])
        answer = self.aws.answer(service, region, operation, body)
        self.calls.append(TimedCall(region, service, operation, self.now(), answered=True))
        headers: Any = HeadersDict()
        response = AWSResponse(request.url, 200, headers, _Raw(answer))
        _ = response.content  # read, as botocore does
        return response

    @contextmanager
    def in_place(self) -> Iterator["Transport"]:
        """During a `with` block, every client of this process calls this stub."""
        # Only a function becomes a method of the session, like the one it replaces.
        sleep = self.wait if self.counting else time.sleep  # botocore sleeps between its attempts
        with (
            patch.object(URLLib3Session, "send", lambda session, request: self.send(session, request)),  # noqa: PLW0108  # see above
            patch.object(time, "sleep", sleep),
        ):
            yield self


class _Raw(io.BytesIO):
    """A body in the form of urllib3."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """The whole body."""
        while chunk := self.read(65536):
            yield chunk


def _read_timeout(session: Any) -> float:
    timeout = session._timeout
    return float(getattr(timeout, "read_timeout", None) or getattr(timeout, "_read", None) or timeout or READ_TIMEOUT)
