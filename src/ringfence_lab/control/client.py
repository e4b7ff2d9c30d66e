"""A client of a running lab: its faults, and the log of its calls. It knows only the lab's port."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ringfence_lab.emulator.call_log import LoggedCall
from ringfence_lab.emulator.faults import BadFault
from ringfence_lab.emulator.partition import PARTITION
from ringfence_ops.errors import CommandError

_TIMEOUT = 10
"""Seconds after which a lab that does not answer counts as not running."""


class LabError(CommandError):
    """An error of the lab. The message says in one line what failed, why, and what to do."""


DEFAULT_PORT = 4566


@dataclass(slots=True, kw_only=True)
class RunningLab:
    """A lab on a port of this machine. All methods raise LabError if it does not answer, and BadFault where it refuses
    a fault."""

    port: int = DEFAULT_PORT

    @property
    def endpoint_url(self) -> str:
        """The endpoint for AWS clients."""
        return f"http://127.0.0.1:{self.port}"

    def fault(self, region: str, kind: str, service: str | None = None) -> None:
        """Sets a fault (see `faults.KINDS`) for a service, or for the whole Region."""
        self._request("PUT", "faults", {"region": region, "service": service, "fault": kind})

    def heal(self, region: str | None = None) -> None:
        """Removes all faults of the Region, or of all Regions."""
        self._request("DELETE", "faults" if region is None else f"faults?region={quote(region)}")

    def faults(self) -> list[dict[str, str | None]]:
        """The current faults, each with its `region`, `service` and `fault`."""
        faults: list[dict[str, str | None]] = self._request("GET", "faults")
        return faults

    def calls(self) -> list[LoggedCall]:
        """The signed requests that were served or met a fault, the oldest first."""
        return [LoggedCall.from_json(call) for call in self._request("GET", "calls")]

    def engine_calls(self, region: str) -> list[LoggedCall]:
        """The calls of the Lambda functions of the Region, to any Region."""
        return [call for call in self.calls() if call.caller.function.startswith(f"arn:{PARTITION}:lambda:{region}:")]

    def clear_calls(self) -> None:
        """Clears the log of calls."""
        self._request("DELETE", "calls")

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint_url}/_lab/{path}", data, method=method)  # noqa: S310  # http
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            kind = BadFault if error.code == HTTPStatus.BAD_REQUEST else LabError
            raise kind(self._refusal(error)) from None
        except (OSError, ValueError):
            raise LabError(
                f"no lab answers on port {self.port}: start one with `ringfence lab up`, or give its port with --port"
            ) from None

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        try:
            return str(json.load(error)["error"])
        except (ValueError, KeyError, TypeError):
            return f"the server on port {self.port} is not a lab: give the lab's port with --port"
