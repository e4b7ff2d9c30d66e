"""The lab's port: an HTTP server in front of an ASGI application that can fail as a network does.

Faults are done to the connection itself, before the application sees the request: what resets is reset by TCP, what
hangs is never answered. Every signed request is noted in the journal. Knows no service, and no emulator.
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

from ringfence_lab.emulator.call_log import Call, CallLog, Scope, action_of, scope_of
from ringfence_lab.emulator.connection import Application, BadRequest, Connection, Request
from ringfence_lab.emulator.faults import (
    BadFault,
    Delay,
    Fault,
    Faults,
    Hang,
    Reset,
    Throttle,
    parse,
    throttled,
    written,
)

CONTROL = "/_lab/"
"""Where the lab itself is asked, without a signature."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signs with an access key. `function` is empty where no Lambda function does."""

    principal: str = ""
    function: str = ""


@dataclass(slots=True)
class Front:
    """Serves an application on a socket. `caller` says who signs with an access key."""

    application: Application
    caller: Callable[[str], Caller]
    faults: Faults = field(default_factory=Faults)
    call_log: CallLog = field(default_factory=CallLog)

    async def serve(self, listener: socket.socket) -> asyncio.Server:
        """Starts to serve on a socket that is bound."""
        return await asyncio.start_server(self._connected, sock=listener, backlog=512)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled is what the server's end does to connections.
        with contextlib.suppress(ConnectionError, BadRequest, asyncio.CancelledError):
            connection = Connection(reader, writer)
            while (request := await connection.next_request()) is not None:
                if not (await self._handle(connection, request) and connection.keeps_alive()):
                    break
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _handle(self, connection: Connection, request: Request) -> bool:
        """Answers a request. Returns whether the connection can serve another."""
        if request.path.startswith(CONTROL):
            await self._control(connection, request)
            return True
        scope = scope_of(request.headers.get("authorization", ""), request.query)
        fault = self.faults.on(scope.region, scope.service)
        started, clock = time.time(), time.monotonic()
        try:
            return await self._serve(connection, request, scope, fault)
        finally:
            if scope.access_key:
                self._note(request, scope, fault, started, time.monotonic() - clock, connection.status)

    async def _serve(self, connection: Connection, request: Request, scope: Scope, fault: Fault | None) -> bool:
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

    def _note(
        self, request: Request, scope: Scope, fault: Fault | None, started: float, seconds: float, status: int
    ) -> None:
        caller = self.caller(scope.access_key)
        self.call_log.record(
            Call(
                region=scope.region,
                service=scope.service,
                action=action_of(request.method, request.path, request.headers, request.query, request.body),
                started=started,
                milliseconds=round(seconds * 1000, 3),
                status=status,
                fault="" if fault is None else written(fault),
                access_key=scope.access_key,
                principal=caller.principal,
                function=caller.function,
                user_agent=request.headers.get("user-agent", ""),
            )
        )

    async def _control(self, connection: Connection, request: Request) -> None:
        """Answers the lab's own questions."""
        try:
            status, said = 200, self._controlled(request)
        except BadFault as error:
            status, said = 400, {"error": str(error)}
        await connection.answer(status, "application/json", json.dumps(said).encode())

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
                self.call_log.forget()
                return []
            case method, what:
                raise BadFault(f"the lab knows no {method} {CONTROL}{what}")
        return [
            {"region": region, "service": service, "fault": written(fault)} for region, service, fault in self.faults
        ]
