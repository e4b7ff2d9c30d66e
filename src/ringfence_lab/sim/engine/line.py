"""The way of every call from an engine to the cloud: where it can wait, fail, be lost, be counted, or be the last.

Knows nothing of what the calls do.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ringfence.core.audit_events import AuditEvent
from ringfence.core.errors import Permanent, Retry, RingfenceError
from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.engine.call_faults import Effect, Fault, Faults

T = TypeVar("T")


class Killed(BaseException):
    """The process of an invocation is gone. No error: nothing in the engine may catch it."""


@dataclass(slots=True, eq=False, repr=False)
class Invocation:
    """One run of one Region's engine. `disturbed` are the services of Regions that did not answer it as they
    should, `misled` says that a describe was stale; `journal` is what it says of itself."""

    number: int
    home: Region
    started: float
    audit_events: list[AuditEvent] = field(default_factory=list)
    disturbed: set[tuple[Region, str]] = field(default_factory=set)
    misled: bool = False
    killed: bool = False
    ended: bool = False
    error: RingfenceError | None = None

    def reached(self, region: Region) -> bool:
        """Whether the Region answered every call as it should."""
        return all(region != disturbed for disturbed, _ in self.disturbed)

    @property
    def running(self) -> bool:
        """Whether it can still make calls."""
        return not (self.ended or self.killed)

    def __repr__(self) -> str:
        return f"#{self.number} {self.home}"


@dataclass(slots=True, eq=False)
class Call:
    """A call as it was made. `outcome` is `ok`, a fault's effect, or the name of the error it was answered with."""

    invocation: Invocation
    region: Region
    service: str
    operation: str
    mutating: bool
    at: float
    outcome: str = "ok"

    def __str__(self) -> str:
        return f"{self.invocation} {self.region} {self.service}:{self.operation} {self.outcome}"


class Waiting(Protocol):
    """How a call waits: the part of the tasks that the line needs."""

    def pause(self) -> None:
        """Others may run now."""

    def sleep(self, seconds: float) -> None:
        """Time passes."""


class Line:
    """One invocation's line to the cloud."""

    def __init__(
        self, invocation: Invocation, faults: Faults, log: list[Call], now: Callable[[], float], waiting: Waiting
    ) -> None:
        self._invocation = invocation
        self._faults = faults
        self._log = log
        self._now = now
        self._waiting = waiting

    def call(
        self, region: Region, service: str, operation: str, effect: Callable[[float], T], mutating: bool = False
    ) -> T:
        """Makes the call. `effect` is told how many seconds ago its answer should be true.

        Raises what the effect raises, Retry or Permanent by a fault, and Killed.
        """
        self._waiting.pause()
        if self._invocation.killed:
            raise Killed
        call = Call(self._invocation, region, service, operation, mutating, self._now())
        self._log.append(call)
        fault = self._faults.on(call)
        if fault is not None:
            return self._disturbed(call, effect, fault)
        return self._answered(call, effect, 0.0)

    def _disturbed(self, call: Call, effect: Callable[[float], T], fault: Fault) -> T:
        call.outcome = fault.effect.value
        said = f"{call.operation} in {call.region}"
        if fault.effect is Effect.STALE:
            self._invocation.misled = True
        else:
            self._invocation.disturbed.add((call.region, call.service))
        match fault.effect:
            case Effect.KILL_BEFORE:
                self._invocation.killed = True
                raise Killed
            case Effect.FAIL:
                raise Retry(f"{said}: InternalError")
            case Effect.THROTTLE:
                raise Retry(f"{said}: RequestLimitExceeded")
            case Effect.DENY:
                raise Permanent(f"{said}: UnauthorizedOperation")
            case Effect.UNREACHABLE:
                self._wait(fault.seconds)
                raise Retry(f"{said} got no answer")
            case Effect.SLOW:
                self._wait(fault.seconds)
            case _:
                pass
        if fault.effect is Effect.KILL_AFTER:
            with suppress(RingfenceError):  # whatever the answer is, nobody is there to hear it
                self._answered(call, effect, 0.0)
            self._invocation.killed = True
            raise Killed
        answer = self._answered(call, effect, fault.seconds if fault.effect is Effect.STALE else 0.0)
        if fault.effect is Effect.LOSE_ANSWER:
            raise Retry(f"{said} got no answer")
        return answer

    def _answered(self, call: Call, effect: Callable[[float], T], age: float) -> T:
        try:
            return effect(age)
        except RingfenceError as error:
            call.outcome = type(error).__name__
            raise

    def _wait(self, seconds: float) -> None:
        self._waiting.sleep(seconds)
        if self._invocation.killed:
            raise Killed
