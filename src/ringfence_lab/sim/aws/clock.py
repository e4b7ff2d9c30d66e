"""Virtual time with timers.

Time moves only when a caller moves it. It must not know what the timers do.
"""

from collections.abc import Callable
from heapq import heappop, heappush

START = 1_800_000_000.0
"""The epoch second at which every virtual clock starts."""


class VirtualClock:
    """The `Clock` interface, and the timers of the whole cloud. All times are in seconds."""

    def __init__(self) -> None:
        self._now = START
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._set = 0

    def now(self) -> float:
        """See `interfaces.Clock.now`."""
        return self._now

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Runs the action after so many seconds. Timers of the same moment run in the order in which they were set."""
        self._set += 1
        heappush(self._timers, (self._now + seconds, self._set, action))

    def advance(self, seconds: float) -> None:
        """Moves time forward and runs the timers that come due, each at its own time."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, action = heappop(self._timers)
            self._now = max(self._now, due)
            action()
        self._now = max(self._now, end)

    def advance_to_next_timer(self) -> bool:
        """Moves time forward to the next timer and runs it. False if no timer is set."""
        if not self._timers:
            return False
        self.advance(max(0.0, self._timers[0][0] - self._now))
        return True
