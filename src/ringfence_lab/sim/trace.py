"""The trace of a history: each call, each change and each step, with its time. For people, and off by default."""

from ringfence_lab.sim.aws.history import CloudChange
from ringfence_lab.sim.cloud import Cloud


class Trace:
    """Collects lines. If it is not `enabled` it collects none, to save time."""

    def __init__(self, cloud: Cloud, *, enabled: bool) -> None:
        self.lines: list[str] = []
        self._cloud = cloud
        self._enabled = enabled
        self._calls = 0

    def step(self, text: str) -> None:
        """Writes the calls so far, then what happened, if anything."""
        if self._enabled:
            self._write_calls()
            if text:
                self.lines.append(f"{self._time()} {text}")

    def change(self, change: CloudChange) -> None:
        """Writes the calls so far, then a change of the cloud."""
        if self._enabled:
            self._write_calls()
            self.lines.append(f"{self._time()}     {change}")

    def _write_calls(self) -> None:
        for call in self._cloud.calls[self._calls :]:
            self.lines.append(f"{self._time()}   {call}")
        self._calls = len(self._cloud.calls)

    def _time(self) -> str:
        return f"{self._cloud.clock.now() % 100_000:10.3f}"
