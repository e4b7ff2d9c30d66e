"""Earlier answers of a describe: EC2 and Auto Scaling are eventually consistent.

Source: EC2 API reference, "Eventual consistency". AWS gives no bound.
"""

from typing import Generic, TypeVar

from ringfence_lab.sim.aws.clock import VirtualClock

T = TypeVar("T")

REMEMBERED_SECONDS = 60.0
"""The maximum age of a stale answer. Assumed: what the engine allows for."""


class Past(Generic[T]):
    """The recent values of an answer. A recorded value must not change."""

    def __init__(self, clock: VirtualClock, first: T) -> None:
        self._clock = clock
        self._values = [(clock.now(), first)]

    def record(self, value: T) -> None:
        """Records the current value."""
        now, values = self._clock.now(), self._values
        if values[-1][0] == now and len(values) > 1:
            values[-1] = (now, value)
            return
        values.append((now, value))
        while values[1][0] <= now - REMEMBERED_SECONDS:
            del values[0]

    def seconds_ago(self, age: float) -> T:
        """The value of `age` seconds ago (0: now); the first value if none was recorded by then."""
        if age <= 0:
            return self._values[-1][1]
        then = self._clock.now() - age
        return next((value for at, value in reversed(self._values) if at <= then), self._values[0][1])
