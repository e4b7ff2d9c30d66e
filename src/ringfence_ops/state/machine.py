"""This machine's clock and threads, as the engine's ports want them where the engine runs here."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """See `interfaces.Clock`."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


@dataclass(frozen=True, slots=True)
class Threads:
    """See `interfaces.Tasks`."""

    pool: ThreadPoolExecutor

    def start(self, work: Callable[[], T]) -> Future[T]:
        """See `interfaces.Tasks.start`."""
        return self.pool.submit(work)

    def sleep(self, seconds: float) -> None:
        """See `interfaces.Tasks.sleep`."""
        time.sleep(seconds)
