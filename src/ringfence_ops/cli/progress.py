"""Shows stack operations in progress, Region by Region: live on a terminal, line by line elsewhere.

For the commands that deploy and destroy. Writes to standard error only.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.live import Live
from rich.table import Table

from ringfence.core.model.identifiers import Region
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cli.text import Text
from ringfence_ops.cloudformation.deployment import AGAIN
from ringfence_ops.cloudformation.stacks import StackEvent
from ringfence_ops.plurals import counted
from ringfence_ops.repair.cluster_repair import REPAIRED


@dataclass(slots=True)
class _Row:
    done: set[str] = field(default_factory=set)
    latest: StackEvent | None = None
    failed: bool = False


class Progress:
    """A context manager. Any thread may call `on_event`."""

    def __init__(self, output: Output, regions: Sequence[Region]) -> None:
        self._output = output
        self._rows = {region: _Row() for region in regions}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Callable[[Region, StackEvent], None]:
        if self._output.messages.is_terminal:
            self._live = Live(console=self._output.messages, get_renderable=self._table, refresh_per_second=4)
            self._live.start()
        return self.on_event

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def on_event(self, region: Region, event: StackEvent) -> None:
        """Records that a resource's status changed."""
        with self._lock:
            row = self._rows[region]
            row.latest = event
            row.failed = (row.failed and event.status != AGAIN) or event.status.endswith("_FAILED")
            if event.status.endswith(("_COMPLETE", "_FAILED")):
                row.done.add(event.resource)
        if self._live is None and event.status.endswith(("_FAILED", AGAIN, REPAIRED)):
            self._output.say(Text(f"{region}  {event.resource}: {event.status}: {event.reason}"))

    @property
    def latest(self) -> dict[Region, str]:
        """The latest event of each Region that had any."""
        with self._lock:
            return {
                region: f"{row.latest.resource} {row.latest.status}"
                for region, row in self._rows.items()
                if row.latest is not None
            }

    def _table(self) -> Table:
        with self._lock:
            return columns([_cells(region, row) for region, row in self._rows.items()], 2)


def _cells(region: Region, row: _Row) -> list[Text]:
    if row.latest is None:
        return [Text(region, style="bold"), Text("waiting", style="dim"), Text()]
    event = f"{row.latest.resource} {row.latest.status.lower().replace('_', ' ')}"
    style = "red" if row.failed else "cyan"
    return [Text(region, style="bold"), Text(counted(len(row.done), "resource"), style=style), Text(event, style="dim")]
