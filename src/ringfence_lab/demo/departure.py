"""Measures how an instance leaves: when its address is in no security group, and when the instance is gone.

It must not know the demo.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ringfence_lab.demo.observer import Observer

PATIENCE = 20.0
"""Seconds after which an instance counts as not gone."""


@dataclass(frozen=True, slots=True)
class Departure:
    """How an instance left: seconds until its address was in no group, and until the instance was gone. None: never."""

    closed: float | None
    gone: float | None
    closed_first: bool


class DepartureWatch:
    """Watches one address and its instance from a thread, as fast as the lab answers. For a `with` statement."""

    def __init__(self, regions: Iterable[Observer], home: Observer, instance: str, address: str) -> None:
        self._regions, self._home = list(regions), home
        self._instance, self._address = instance, address
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._result = Departure(None, None, closed_first=False)

    def __enter__(self) -> "DepartureWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE + 5)

    def _run(self) -> None:
        """Reads the instance first, then the rules: an address in a rule was there when the instance was gone."""
        started, closed = time.monotonic(), None
        while time.monotonic() - started < PATIENCE:
            gone = self._instance not in self._home.instances()
            admitted = any(self._address in region.admitted() for region in self._regions)
            elapsed = time.monotonic() - started
            if not admitted and closed is None:
                closed = elapsed
            if gone:
                self._result = Departure(closed, elapsed, closed_first=not admitted)
                return
            time.sleep(0.01)
        self._result = Departure(closed, None, closed_first=False)

    @property
    def departure(self) -> Departure:
        """The departure, after the `with` statement."""
        return self._result
