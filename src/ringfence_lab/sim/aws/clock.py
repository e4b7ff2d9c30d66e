"""Virtual time with timers.

Knows nothing of what the timers do. Time moves only when someone moves it.
"""

from collections.abc import Callable
from heapq import heappop, heappush

START = 1_800_000_000.0
"""The epoch second at which every virtual clock starts."""


class VirtualClock:
    """The `Clock` port, and the timers of everything in the cloud. All times are in seconds."""

    def __init__(self) -> None:
        self._now = START
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._set = 0

    def now(self) -> float:
        """See `interfaces.Clock.now`."""
        return self._now

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Runs the action once so many seconds have passed; those of the same moment in the order of setting."""
        self._set += 1
        heappush(self._timers, (self._now + seconds, self._set, action))

    def advance(self, seconds: float) -> None:
        """Lets time pass, and runs the timers that come due, each at its own time."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, action = heappop(self._timers)
            self._now = max(self._now, due)
            action()
        self._now = max(self._now, end)

    def advance_to_next_timer(self) -> bool:
        """Lets time pass until a timer comes due. False where none is set."""
        if not self._timers:
            return False
        self.advance(max(0.0, self._timers[0][0] - self._now))
        return True
