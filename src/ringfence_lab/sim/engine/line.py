"""The path of every call from an engine to the cloud: a call can wait, fail, lose its answer or end the process.

Every call is recorded. It must not know what the calls do.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from ringfence.core.errors import Denied, Retry, RingfenceError
from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.engine.call import Call
from ringfence_lab.sim.engine.call_faults import CallFault, CallFaults, Effect
from ringfence_lab.sim.invocation import Invocation

T = TypeVar("T")


class Killed(BaseException):
    """The process of an invocation ended. It is no `Exception`, because the engine must not catch it."""


class Waiting(Protocol):
    """How a call waits: the part of the tasks that the line needs."""

    def pause(self) -> None:
        """Lets other tasks run."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class Line:
    """The connection of one invocation to the cloud. Appends every call to `log`."""

    def __init__(
        self, invocation: Invocation, faults: CallFaults, log: list[Call], now: Callable[[], float], waiting: Waiting
    ) -> None:
        self._invocation = invocation
        self._faults = faults
        self._log = log
        self._now = now
        self._waiting = waiting

    def call(
        self, region: Region, service: str, operation: str, effect: Callable[[float], T], *, mutating: bool = False
    ) -> T:
        """Makes the call. `effect` receives the age, in seconds, of the state that it must answer from.

        Raises what the effect raises, Retry or Denied because of a fault, and Killed.
        """
        self._waiting.pause()
        if self._invocation.killed:
            raise Killed
        call = Call(self._invocation, region, service, operation, mutating, self._now())
        self._log.append(call)
        self._invocation.calls += 1
        fault = self._faults.on(call)
        if fault is not None:
            return self._disturbed(call, effect, fault)
        return self._answered(call, effect, 0.0)

    def _disturbed(self, call: Call, effect: Callable[[float], T], fault: CallFault) -> T:
        call.outcome = fault.effect.value
        description = f"{call.operation} in {call.region}"
        if fault.effect is Effect.STALE:
            self._invocation.misled = True
        else:
            self._invocation.disturbed.add((call.region, call.service))
        match fault.effect:
            case Effect.KILL_BEFORE:
                self._invocation.killed = True
                raise Killed
            case Effect.FAIL:
                raise Retry(f"{description}: InternalError")
            case Effect.THROTTLE:
                raise Retry(f"{description}: RequestLimitExceeded")
            case Effect.DENY:
                raise Denied(f"{description}: UnauthorizedOperation")
            case Effect.UNREACHABLE:
                self._wait(fault.seconds)
                raise Retry(f"{description} got no answer")
            case Effect.SLOW:
                self._wait(fault.seconds)
            case _:
                pass
        if fault.effect is Effect.KILL_AFTER:
            with suppress(RingfenceError):  # no process is left to receive the answer
                self._answered(call, effect, 0.0)
            self._invocation.killed = True
            raise Killed
        answer = self._answered(call, effect, fault.seconds if fault.effect is Effect.STALE else 0.0)
        if fault.effect is Effect.LOSE_ANSWER:
            raise Retry(f"{description} got no answer")
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
