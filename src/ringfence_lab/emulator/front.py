"""The lab's port: an HTTP server in front of an ASGI application, with network faults.

Faults apply to the connection itself, before the application sees the request: a reset is a TCP reset, a hang is never
answered. Every signed request is logged. It must not know any service or emulator.
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
from ringfence_lab.emulator.connection import Application, BadRequest, Connection, Request
from ringfence_lab.emulator.faults import (
    BadFault,
    Delay,
    Fault,
    Faults,
    Hang,
    Reset,
    Throttle,
    fault_text,
    parse,
    throttled,
)

CONTROL = "/_lab/"
"""The path of the lab's own requests, which are not signed."""


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
            connection = Connection(reader, writer)
            while (request := await connection.next_request()) is not None:
                if not (await self._handle(connection, request) and connection.keeps_alive()):
                    break
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _handle(self, connection: Connection, request: Request) -> bool:
        """Answers a request. Returns whether the connection can serve another request."""
        if request.path.startswith(CONTROL):
            await self._control(connection, request)
            return True
        scope = scope_of(request.headers.get("authorization", ""), request.query)
        fault = self.faults.on(scope.region, scope.service)
        started, began = time.time(), time.monotonic()
        try:
            return await self._serve(connection, request, scope, fault)
        finally:
            if scope.access_key:
                timing = _Timing(started, time.monotonic() - began)
                self._log(request, scope, fault, timing, connection.status)

    async def _serve(
        self, connection: Connection, request: Request, scope: CredentialScope, fault: Fault | None
    ) -> bool:
        match fault:
            case None:
                await connection.run(self.application, request)
            case Delay(seconds):
                await asyncio.sleep(seconds)
                await connection.run(self.application, request)
            case Throttle():
                answer = throttled(scope.service)
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
        self, request: Request, scope: CredentialScope, fault: Fault | None, timing: "_Timing", status: int
    ) -> None:
        owner, user_agent = self.owner_of(scope.access_key), request.headers.get("user-agent", "")
        self.call_log.record(
            LoggedCall(
                region=scope.region,
                service=scope.service,
                action=action_of(request.method, request.path, request.headers, request.query, request.body),
                started=timing.started,
                milliseconds=round(timing.seconds * 1000, 3),
                status=status,
                fault="" if fault is None else fault_text(fault),
                caller=Caller(scope.access_key, owner.principal, owner.function, user_agent),
            )
        )

    async def _control(self, connection: Connection, request: Request) -> None:
        """Answers the lab's own requests."""
        try:
            status, document = 200, self._controlled(request)
        except BadFault as error:
            status, document = 400, {"error": str(error)}
        await connection.answer(status, "application/json", json.dumps(document).encode())

    def _controlled(self, request: Request) -> Any:
        match request.method, request.path.removeprefix(CONTROL):
            case "PUT", "faults":
                asked = json.loads(request.body)
                self.faults.set(asked["region"], asked.get("service"), parse(asked["fault"]))
            case "DELETE", "faults":
                self.faults.heal(next(iter(parse_qs(request.query).get("region", [])), None))
            case "GET", "faults":
                pass
            case "GET", "calls":
                return self.call_log.as_json()
            case "DELETE", "calls":
                self.call_log.clear()
                return []
            case method, path:
                raise BadFault(f"the lab does not know {method} {CONTROL}{path}")
        return [
            {"region": region, "service": service, "fault": fault_text(fault)} for region, service, fault in self.faults
        ]


@dataclass(frozen=True, slots=True)
class _Timing:
    """When a call started, in seconds since the epoch, and how many seconds it took."""

    started: float
    seconds: float
