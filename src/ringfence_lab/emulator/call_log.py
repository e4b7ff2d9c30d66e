"""The journal of the calls that the lab served: who called what, where, and how it went.

Knows how AWS's protocols name an action. Knows nothing of what an action does.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qs

_SCOPE = re.compile(r"Credential=(?P<key>[^/,]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_CAUSE = re.compile(r"\bcause/(\S+)")

JOURNAL_LENGTH = 20_000
"""Calls that are remembered; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request is signed for. Empty where it is not signed."""

    access_key: str = ""
    region: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was served, or met a fault. `started` is in seconds since the epoch; `status` is 0 without an answer.

    `principal` is the caller's ARN; `function` the ARN of the Lambda function that called, or empty.
    """

    region: str
    service: str
    action: str
    started: float
    milliseconds: float
    status: int
    fault: str
    access_key: str
    principal: str
    function: str
    user_agent: str

    @property
    def cause(self) -> str:
        """The events in whose name the engine called, as its user agent says; empty where it does not."""
        found = _CAUSE.search(self.user_agent)
        return found.group(1) if found else ""


@dataclass(slots=True)
class CallLog:
    """The last calls, oldest first."""

    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=JOURNAL_LENGTH))

    def record(self, call: Call) -> None:
        """Notes a call."""
        self._calls.append(call)

    def forget(self) -> None:
        """Starts anew."""
        self._calls.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """The calls as JSON values."""
        return [asdict(call) for call in self._calls]


def scope_of(authorization: str, query: str) -> Scope:
    """What a request is signed for, by its Authorization header or, presigned, by its query.

    Source: AWS's "Signature Version 4", "Create a signed AWS API request".
    """
    found = _SCOPE.search(authorization)
    if found is None and "X-Amz-Credential=" in query:
        credential = parse_qs(query)["X-Amz-Credential"][0]
        found = _SCOPE.search(f"Credential={credential}")
    return Scope(found["key"], found["region"], found["service"]) if found else Scope()


def action_of(method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> str:
    """The action's name as AWS documents it, or method and path where the protocol names none."""
    target = headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    form = body.decode("latin-1") if headers.get("content-type", "").startswith("application/x-www-form") else query
    named = parse_qs(form).get("Action")
    return named[0] if named else f"{method} {path}"
