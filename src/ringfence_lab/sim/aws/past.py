"""Earlier answers of a describe: EC2 and Auto Scaling are eventually consistent.

Source: EC2 API reference, "Eventual consistency". AWS gives no bound. An answer can lag behind for a while: then every
answer is the one that was right when the lag began.
"""

from typing import Generic, TypeVar

from ringfence_lab.sim.aws.clock import VirtualClock

T = TypeVar("T")

REMEMBERED_SECONDS = 60.0
"""The maximum age of a stale answer, of rules: `RULES_REMEMBERED_SECONDS`. Assumed: what the engine allows for."""
RULES_REMEMBERED_SECONDS = 300.0


class Past(Generic[T]):
    """The recent values of an answer. A recorded value must not change."""

    def __init__(self, clock: VirtualClock, first: T, remembered: float = REMEMBERED_SECONDS) -> None:
        self._clock = clock
        self._remembered = remembered
        self._lags_since = self._lags_until = 0.0
        self._values = [(clock.now(), first)]

    def record(self, value: T) -> None:
        """Records the current value."""
        now, values = self._clock.now(), self._values
        if values[-1][0] == now and len(values) > 1:
            values[-1] = (now, value)
            return
        values.append((now, value))
        while values[1][0] <= now - self._remembered:
            del values[0]

    def lag(self, seconds: float) -> None:
        """From now on, for so long, every answer is the present one. 0 lets the answers catch up."""
        self._lags_since = self._clock.now()
        self._lags_until = self._lags_since + min(seconds, self._remembered)

    def seconds_ago(self, age: float) -> T:
        """The value of `age` seconds ago (0: now); the first value if none was recorded by then."""
        then = self._clock.now() - age
        if self._clock.now() < self._lags_until:
            then = min(then, self._lags_since)
        elif age <= 0:
            return self._values[-1][1]
        return next((value for at, value in reversed(self._values) if at <= then), self._values[0][1])
