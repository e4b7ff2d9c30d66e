"""A lab that runs, as its neighbours ask it: faults, and the journal of calls. Knows only the lab's port."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from ringfence_lab.emulator.call_log import Call
from ringfence_ops.errors import CommandError

_TIMEOUT = 10
"""Seconds within which a lab answers."""


class LabError(CommandError):
    """What a lab cannot do: what, why and what to do, in one line."""

    exit_code: ClassVar[int] = 2


DEFAULT_PORT = 4566


@dataclass(slots=True, kw_only=True)
class RunningLab:
    """A lab on a port of this machine. Everything here raises LabError where it does not answer, or refuses."""

    port: int = DEFAULT_PORT

    @property
    def endpoint_url(self) -> str:
        """Where AWS clients find the lab."""
        return f"http://127.0.0.1:{self.port}"

    def fault(self, region: str, kind: str, service: str | None = None) -> None:
        """Sets a fault, `reset`, `hang`, `throttle` or `delay=SECONDS`, for a service or for all of the Region."""
        self._ask("PUT", "faults", {"region": region, "service": service, "fault": kind})

    def heal(self, region: str | None = None) -> None:
        """Takes away every fault of the Region, or of all."""
        self._ask("DELETE", "faults" if region is None else f"faults?region={quote(region)}")

    def faults(self) -> list[dict[str, str | None]]:
        """The faults that are set, each with its `region`, `service` and `fault`."""
        faults: list[dict[str, str | None]] = self._ask("GET", "faults")
        return faults

    def calls(self) -> list[Call]:
        """The signed requests that were served or met a fault, oldest first."""
        return [Call(**call) for call in self._ask("GET", "calls")]

    def engine_calls(self, region: str) -> list[Call]:
        """The calls that Lambda functions of the Region made, to any Region."""
        return [call for call in self.calls() if call.function.startswith(f"arn:aws:lambda:{region}:")]

    def forget_calls(self) -> None:
        """Starts the journal of calls anew."""
        self._ask("DELETE", "calls")

    def _ask(self, method: str, what: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint_url}/_lab/{what}", data, method=method)  # noqa: S310  # http
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise LabError(self._refusal(error)) from None
        except (OSError, ValueError):
            raise LabError(
                f"no lab answers on port {self.port}: start one with `ringfence lab up`, or name its port with --port"
            ) from None

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        try:
            return str(json.load(error)["error"])
        except (ValueError, KeyError, TypeError):
            return f"what answers on port {self.port} is no lab: name the lab's port with --port"
