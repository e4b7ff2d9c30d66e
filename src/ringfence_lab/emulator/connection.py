"""One client's HTTP/1.1 connection: complete requests, the answers of an ASGI application, and network faults.

h11 does the framing. It must not know what is served.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import h11

from ringfence_lab.emulator.request_filter import without_cors

AsgiMessage = dict[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
Application = Callable[[AsgiMessage, Receive, Send], Awaitable[None]]
"""An ASGI application. Source: the ASGI specification, version 3."""

BadRequest = h11.RemoteProtocolError
"""The client sent something that is not HTTP."""

_CHUNK = 1 << 16
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of zero: closing sends RST. Source: socket(7)."""
_LINGER_SECONDS = 1.0
"""How long a refused client may take to read the answer. Closing earlier can discard it: what is unread sends RST."""


class BodyTooLarge(Exception):
    """The body of a request is larger than its maximum."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body. Header names are in lower case; `target` is the path as it was sent."""

    method: str
    target: str
    query: str
    headers: dict[str, str]
    raw_headers: list[tuple[bytes, bytes]]

    @property
    def path(self) -> str:
        """The decoded path."""
        return unquote(self.target)


@dataclass(frozen=True, slots=True)
class Request(Head):
    """A complete request."""

    body: bytes


@dataclass(slots=True)
class Connection:
    """One client's connection. `status` is that of the last answer, 0 if there was none."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    _method: str = ""
    _http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER))

    async def next_head(self) -> Head | None:
        """Reads a request up to its body; None if the client has closed the connection."""
        self.status = 0
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        self._method = head.method.decode()
        target, _, query = head.target.decode("latin-1").partition("?")
        raw_headers = [(name.lower(), value) for name, value in head.headers]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw_headers}
        return Head(self._method, target, query, headers, raw_headers)

    async def complete(self, head: Head, maximum: int) -> Request | None:
        """Reads the body of the request; None if the client has closed the connection.

        Raises BodyTooLarge for a body of more than `maximum` bytes.
        """
        length = head.headers.get("content-length", "")
        if length.isdecimal() and int(length) > maximum:
            raise BodyTooLarge
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > maximum:
                raise BodyTooLarge
        if not isinstance(event, h11.EndOfMessage):
            return None
        return Request(head.method, head.target, head.query, head.headers, head.raw_headers, bytes(body))

    async def _next_event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            self._http.receive_data(await self.reader.read(_CHUNK))
        return event

    async def _send(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        self.writer.write(data)
        await self.writer.drain()

    def keeps_alive(self) -> bool:
        """Whether both sides keep the connection open for another request."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def answer(self, status: int, content_type: str, body: bytes) -> None:
        """Sends a complete answer."""
        headers = [("content-type", content_type), ("content-length", str(len(body)))]
        self.status = status
        content = b"" if self._method == "HEAD" else body
        await self._send(h11.Response(status_code=status, headers=headers), h11.Data(content), h11.EndOfMessage())

    async def end(self) -> None:
        """Ends the connection after an answer. Waits a moment for the client to read it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                if self.writer.can_write_eof():
                    self.writer.write_eof()
                await self.wait_until_closed()

    async def run(self, application: Application, request: Request) -> None:
        """Runs an ASGI application, which sends the answer."""
        requests = iter([{"type": "http.request", "body": request.body, "more_body": False}])
        over = asyncio.Event()

        async def receive() -> AsgiMessage:
            for message in requests:
                return message
            await over.wait()
            return {"type": "http.disconnect"}

        head: list[h11.Response] = []

        async def send(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                headers = without_cors(list(message.get("headers", ())))
                head.append(h11.Response(status_code=self.status, headers=headers))
                return
            data, more = message.get("body", b""), message.get("more_body", False)
            if request.method == "HEAD":
                data = b""
            elif head and not more:
                head[0] = _sized(head[0], len(data))
            events: list[h11.Event] = [*head, h11.Data(data)]
            head.clear()
            await self._send(*events, *([] if more else [h11.EndOfMessage()]))

        try:
            await application(self._scope(request), receive, send)
        finally:
            over.set()

    def _scope(self, request: Request) -> AsgiMessage:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.path,
            "raw_path": request.target.encode("latin-1"),
            "query_string": request.query.encode("latin-1"),
            "root_path": "",
            "headers": request.raw_headers,
            "client": self.writer.get_extra_info("peername"),
            "server": self.writer.get_extra_info("sockname"),
        }

    def reset(self) -> None:
        """Closes the connection with a TCP reset."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.writer.transport.abort()

    async def wait_until_closed(self) -> None:
        """Ignores everything that the client sends, until it closes the connection."""
        while await self.reader.read(_CHUNK):
            pass


def _sized(response: h11.Response, length: int) -> h11.Response:
    """The response with the actual length of its body."""
    headers = [
        (name, value) for name, value in response.headers if name not in (b"content-length", b"transfer-encoding")
    ]
    return h11.Response(status_code=response.status_code, headers=[*headers, (b"content-length", b"%d" % length)])
