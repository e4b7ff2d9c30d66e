"""The distance to AWS: in place of sockets, under botocore, so that whoever calls serialises, signs and parses as ever.

Every request takes its Region's latency, and then is answered by `aws`. Sockets, TLS and name resolution are left out:
for both sides alike, which favours whoever opens more connections. It knows nothing of who calls.
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

from benchmarks.aws import Aws, operation_of

READ_TIMEOUT = 60.0
"""Seconds that botocore waits for an answer unless told otherwise. Source: botocore, `Config.read_timeout`."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was answered, or was not. `ended` is in the seconds of the transport's clock."""

    region: str
    service: str
    operation: str
    ended: float
    answered: bool


@dataclass(slots=True)
class Transport:
    """Answers by `aws`, after the latency of the Region, in seconds. Regions that hang never answer; with `counting`
    that time is counted and not waited, which is right for a caller that makes one call after the other."""

    aws: Aws
    latency: Mapping[str, float]
    hangs: frozenset[str] = frozenset()
    counting: bool = False
    calls: list[Call] = field(default_factory=list)
    counted: float = 0.0

    def now(self) -> float:
        """Seconds of this transport's clock."""
        return time.perf_counter() + self.counted

    def wait(self, seconds: float) -> None:
        """Lets the time pass."""
        if self.counting:
            self.counted += seconds
        else:
            time.sleep(seconds)

    def send(self, session: Any, request: AWSPreparedRequest) -> AWSResponse:
        """Stands in for `URLLib3Session.send`. Raises ReadTimeoutError where the Region hangs."""
        service, region = (urlsplit(request.url).hostname or "").split(".")[:2]
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        operation = operation_of(service, request.headers.get("X-Amz-Target"), body)
        if region in self.hangs:
            self.wait(_read_timeout(session))
            self.calls.append(Call(region, service, operation, self.now(), False))
            raise ReadTimeoutError(endpoint_url=request.url)
        self.wait(self.latency[region])
        answer = self.aws.answer(service, region, operation, body)
        self.calls.append(Call(region, service, operation, self.now(), True))
        headers: Any = HeadersDict()
        response = AWSResponse(request.url, 200, headers, _Raw(answer))
        _ = response.content  # read, as botocore does
        return response

    @contextmanager
    def in_place(self) -> Iterator["Transport"]:
        """For as long as the block runs, every client of this process talks to this AWS."""
        # A function becomes a method of the session, as the one in whose place it stands; a method would not.
        sleep = self.wait if self.counting else time.sleep  # what botocore waits between its attempts
        with (
            patch.object(URLLib3Session, "send", lambda session, request: self.send(session, request)),  # noqa: PLW0108  # see above
            patch.object(time, "sleep", sleep),
        ):
            yield self


class _Raw(io.BytesIO):
    """A body, as urllib3 gives it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """All of it."""
        while chunk := self.read(65536):
            yield chunk


def _read_timeout(session: Any) -> float:
    timeout = session._timeout
    return float(getattr(timeout, "read_timeout", None) or getattr(timeout, "_read", None) or timeout or READ_TIMEOUT)
