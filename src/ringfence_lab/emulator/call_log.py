"""The log of the calls that the lab served: caller, action, Region and result.

It knows how AWS's protocols name an action. It must not know what an action does.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qs

_SCOPE = re.compile(r"Credential=(?P<key>[^/,]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_CAUSE = re.compile(r"\bcause/(\S+)")

MAXIMUM_CALLS = 20_000
"""The number of calls that the log keeps; it drops the oldest first."""


@dataclass(frozen=True, slots=True)
class CredentialScope:
    """The scope of a request's signature. Empty if the request is not signed."""

    access_key: str = ""
    region: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a call: `principal` is its ARN, `function` the ARN of the calling Lambda function, or empty."""

    access_key: str
    principal: str
    function: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """A call that was served or met a fault. `started` is in seconds since the epoch. `status` is 0 without an answer;
    `fault` is empty without a fault."""

    region: str
    service: str
    action: str
    started: float
    milliseconds: float
    status: int
    fault: str
    caller: Caller

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "LoggedCall":
        """The call from its JSON value."""
        return cls(**{**value, "caller": Caller(**value["caller"])})

    @property
    def cause(self) -> str:
        """The events that caused the engine's call, according to its user agent; empty for other callers."""
        found = _CAUSE.search(self.caller.user_agent)
        return found.group(1) if found else ""


@dataclass(slots=True)
class CallLog:
    """The last calls, oldest first."""

    _calls: deque[LoggedCall] = field(default_factory=lambda: deque(maxlen=MAXIMUM_CALLS))

    def record(self, call: LoggedCall) -> None:
        """Adds a call."""
        self._calls.append(call)

    def clear(self) -> None:
        """Removes all calls."""
        self._calls.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """The calls as JSON values."""
        return [asdict(call) for call in self._calls]


def scope_of(authorization: str, query: str) -> CredentialScope:
    """The credential scope of a request, from its Authorization header or, if it is presigned, from its query.

    Source: AWS's "Signature Version 4", "Create a signed AWS API request".
    """
    found = _SCOPE.search(authorization)
    if found is None and (credentials := parse_qs(query).get("X-Amz-Credential")):
        found = _SCOPE.search(f"Credential={credentials[0]}")
    return CredentialScope(found["key"], found["region"], found["service"]) if found else CredentialScope()


def action_of(method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> str:
    """The action's name as AWS documents it, or method and path if the protocol does not name the action."""
    target = headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    form = body.decode("latin-1") if headers.get("content-type", "").startswith("application/x-www-form") else query
    named = parse_qs(form).get("Action")
    return named[0] if named else f"{method} {path}"
