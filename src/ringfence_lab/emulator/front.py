"""The lab's port: an HTTP server in front of an ASGI application, with network faults.

Faults apply to the connection itself, before the application sees the request: a reset is a TCP reset, a hang is never
answered. Every signed request is logged. Requests that a web page may have sent are refused. It must not know any
service or emulator.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, assert_never
from urllib.parse import parse_qs

from ringfence_lab.emulator.call_log import Caller, CallLog, CredentialScope, LoggedCall, action_of, scope_of
from ringfence_lab.emulator.connection import Application, BadRequest, BodyTooLarge, Connection, Request
from ringfence_lab.emulator.faults import (
    BadFault,
    ConnectionFault,
    Delay,
    Deny,
    FaultRequest,
    Faults,
    Hang,
    Inactive,
    Reset,
    Throttle,
    denied,
    fault_text,
    inactive,
    throttled,
)
from ringfence_lab.emulator.request_filter import Refusal, RequestFilter

CONTROL = "/_lab/"
"""The path of the lab's own requests, which are not signed."""

CONTROL_METHODS = {"faults": ("DELETE", "GET", "PUT"), "calls": ("DELETE", "GET")}

_SHOWN = 64
"""Characters of a path that an answer shows."""

CONTROL_MAXIMUM, MAXIMUM = 1 << 16, 1 << 28
"""Maximum bytes of the body of one of the lab's own requests, and of any other request."""


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """The owner of an access key: its ARN, and the ARN of the Lambda function that uses it, or empty."""

    principal: str = ""
    function: str = ""


@dataclass(slots=True)
class Front:
    """Serves an application on a socket. `owner_of` returns the owner of an access key."""

    application: Application
    owner_of: Callable[[str], KeyOwner]
    faults: Faults = field(default_factory=Faults)
    call_log: CallLog = field(default_factory=CallLog)

    async def serve(self, listener: socket.socket) -> asyncio.Server:
        """Starts to serve on a bound socket."""
        return await asyncio.start_server(self._connected, sock=listener, backlog=512)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The end of the server cancels connections.
        with contextlib.suppress(ConnectionError, BadRequest, asyncio.CancelledError):
            await self._converse(Connection(reader, writer), RequestFilter(writer.get_extra_info("sockname")[1]))
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _converse(self, connection: Connection, request_filter: RequestFilter) -> None:
        """Answers the requests of a connection, until one is refused or ends it."""
        while (head := await connection.next_head()) is not None:
            refusal = request_filter.refusal(head.method, head.target, head.raw_headers)
            if refusal is not None:
                return await _refuse(connection, refusal)
            maximum = CONTROL_MAXIMUM if head.path.startswith(CONTROL) else MAXIMUM
            try:
                request = await connection.complete(head, maximum)
            except BodyTooLarge:
                return await _refuse(connection, Refusal(413, f"the body is larger than {maximum} bytes"))
            if request is None or not (await self._handle(connection, request) and connection.keeps_alive()):
                return None
        return None

    async def _handle(self, connection: Connection, request: Request) -> bool:
        """Answers a request. Returns whether the connection can serve another request."""
        if request.path.startswith(CONTROL):
            await self._control(connection, request)
            return True
        scope = scope_of(request.headers.get("authorization", ""), request.query)
        fault = self.faults.on(scope.region, scope.service)
        if isinstance(fault, Inactive) and _action(request) != Inactive.action:
            fault = None
        started, began = time.time(), time.monotonic()
        try:
            return await self._serve(connection, request, scope, fault)
        finally:
            if scope.access_key:
                timing = _Timing(started, time.monotonic() - began)
                self._log(request, scope, fault, timing, connection.status)

    async def _serve(
        self, connection: Connection, request: Request, scope: CredentialScope, fault: ConnectionFault | None
    ) -> bool:
        match fault:
            case None:
                await connection.run(self.application, request)
            case Delay(seconds):
                await asyncio.sleep(seconds)
                await connection.run(self.application, request)
            case Throttle() | Deny():
                answer = throttled(scope.service) if fault == Throttle() else denied(scope.service)
                await connection.answer(answer.status, answer.content_type, answer.body)
            case Inactive():
                answer = inactive()
                await connection.answer(answer.status, answer.content_type, answer.body)
            case Reset():
                connection.reset()
                return False
            case Hang():
                await connection.wait_until_closed()
                return False
            case _:
                assert_never(fault)
        return True

    def _log(
        self, request: Request, scope: CredentialScope, fault: ConnectionFault | None, timing: "_Timing", status: int
    ) -> None:
        owner, user_agent = self.owner_of(scope.access_key), request.headers.get("user-agent", "")
        self.call_log.record(
            LoggedCall(
                region=scope.region,
                service=scope.service,
                action=_action(request),
                started=timing.started,
                milliseconds=round(timing.seconds * 1000, 3),
                status=status,
                fault="" if fault is None else fault_text(fault),
                caller=Caller(scope.access_key, owner.principal, owner.function, user_agent),
            )
        )

    async def _control(self, connection: Connection, request: Request) -> None:
        """Answers the lab's own requests."""
        name = request.path.removeprefix(CONTROL)
        status, document = 200, None
        try:
            if request.method in CONTROL_METHODS.get(name, ()):
                document = self._controlled(name, request)
            else:
                status = 405 if name in CONTROL_METHODS else 404
                document = {"error": f"the lab does not know {request.method} {request.path[:_SHOWN]!r}"}
        except BadFault as error:
            status, document = 400, {"error": str(error)}
        await connection.answer(status, "application/json", json.dumps(document).encode())

    def _controlled(self, name: str, request: Request) -> Any:
        match name, request.method:
            case "calls", "GET":
                return self.call_log.as_json()
            case "calls", "DELETE":
                self.call_log.clear()
                return []
            case "faults", "PUT":
                asked = FaultRequest.parse(request.body)
                self.faults.set(asked.region, asked.service, asked.fault)
            case "faults", "DELETE":
                self.faults.heal(next(iter(parse_qs(request.query).get("region", [])), None))
        return [
            {"region": region, "service": service, "fault": fault_text(fault)} for region, service, fault in self.faults
        ]


def _action(request: Request) -> str:
    return action_of(request.method, request.path, request.headers, request.query, request.body)


async def _refuse(connection: Connection, refusal: Refusal) -> None:
    document = {"error": refusal.reason}
    await connection.answer(refusal.status, "application/json", json.dumps(document).encode())
    await connection.end()


@dataclass(frozen=True, slots=True)
class _Timing:
    """When a call started, in seconds since the epoch, and how many seconds it took."""

    started: float
    seconds: float
