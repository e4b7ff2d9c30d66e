"""Decides which HTTP requests the lab refuses: those that a web page may have sent, and those that control an emulator.

A browser lets any page send requests to the ports of its machine, and a lab runs code as its user. AWS's clients send
none of the headers that are refused here. Pure: it must not know connections or services.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

Headers = list[tuple[bytes, bytes]]
"""Names in lower case with their values. A name can be there more than once."""

HTTP_PORT = 80

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine that a client may use. Any other name may be an attacker's that resolves to 127.0.0.1."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""The methods of AWS's protocols. OPTIONS is a browser's question whether a page may send a request."""

_TRUSTED_SITES = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site for the lab's own pages, and for what the user enters. Source: W3C, Fetch Metadata."""

_CONTROL = ("/_ministack", "/_localstack", "/moto-api")
"""The paths by which emulators are reset and configured, without a signature."""

_SERVED = re.compile(r"/_(ministack|localstack)/(health|ready)|/_ministack/cfn-(response|signal)/.+")
"""The control paths that change nothing, and those by which functions answer CloudFormation, with a secret token."""

_SLASHES = re.compile("//+")


class Refusal(NamedTuple):
    """The HTTP status of a refused request, and the reason in one line."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """The filter of a lab on a port."""

    port: int

    @property
    def authorities(self) -> frozenset[str]:
        """The values of the header Host that name this lab."""
        names = {f"{name}:{self.port}" for name in _LOOPBACK}
        return frozenset(names | set(_LOOPBACK) if self.port == HTTP_PORT else names)

    def refusal(self, method: str, target: str, headers: Headers) -> Refusal | None:
        """Why the request is refused, or None. `target` is the path without the query, as it was sent."""
        if (foreign := self._foreign(headers)) is not None:
            return Refusal(403, foreign)
        if method == "OPTIONS":
            return Refusal(403, "the lab lets no web page send requests")
        if method not in _METHODS:
            return Refusal(405, "the lab knows no such method")
        if not target.startswith("/"):
            return Refusal(400, "the lab is not a proxy")
        if _is_control(unquote(target)):
            return Refusal(403, "the lab does not serve the control paths of its emulators")
        return None

    def _foreign(self, headers: Headers) -> str | None:
        """Which header names another host or origin, if any does."""
        hosts = list(_values(headers, b"host"))
        if len(hosts) != 1 or hosts[0] not in self.authorities:
            return f"the header Host does not name this lab: use http://127.0.0.1:{self.port}"
        if not all(map(self._is_own, _values(headers, b"origin"))):
            return "the header Origin names another origin"
        if not all(map(self._is_own, _values(headers, b"referer"))):
            return "the header Referer names another origin"
        if not _TRUSTED_SITES.issuperset(_values(headers, b"sec-fetch-site")):
            return "the header Sec-Fetch-Site says that another site sent the request"
        if any(name == b"upgrade" or name.startswith(b"sec-websocket-") for name, _ in headers):
            return "the lab changes to no other protocol"
        return None

    def _is_own(self, url: str) -> bool:
        """Whether the URL is one of this lab."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme == "http" and parts.netloc in self.authorities


def without_cors(headers: Headers) -> Headers:
    """The headers of an answer without those that let a page of another origin read it."""
    return [(name, value) for name, value in headers if not _opens(name.lower())]


def _opens(name: bytes) -> bool:
    return name.startswith(b"access-control-") or name == b"timing-allow-origin"


def _is_control(path: str) -> bool:
    normal = _SLASHES.sub("/", path).lower()
    return normal.startswith(_CONTROL) and _SERVED.fullmatch(path) is None


def _values(headers: Headers, name: bytes) -> Iterator[str]:
    """The values of a header, in lower case."""
    return (value.decode("latin-1").strip().lower() for found, value in headers if found == name)
