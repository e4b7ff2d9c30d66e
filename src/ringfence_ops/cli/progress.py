"""Shows stacks that are under way, Region by Region: live on a terminal, line by line elsewhere.

Used by the commands that deploy and destroy. Everything goes to standard error.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.live import Live
from rich.table import Table
from rich.text import Text

from ringfence.core.model.identifiers import Region
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cloudformation.stacks import Step


@dataclass(slots=True)
class _Row:
    done: set[str] = field(default_factory=set)
    step: Step | None = None
    failed: bool = False


class Progress:
    """For a `with` statement. `tell` may be called by any thread."""

    def __init__(self, output: Output, regions: Sequence[Region]) -> None:
        self._output = output
        self._rows = {region: _Row() for region in regions}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Callable[[Region, Step], None]:
        if self._output.aside.is_terminal:
            self._live = Live(console=self._output.aside, get_renderable=self._shown, refresh_per_second=4)
            self._live.start()
        return self.tell

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def tell(self, region: Region, step: Step) -> None:
        """A resource's status changed."""
        with self._lock:
            row = self._rows[region]
            row.step = step
            row.failed = row.failed or step.status.endswith("_FAILED")
            if step.status.endswith(("_COMPLETE", "_FAILED")):
                row.done.add(step.resource)
        if self._live is None and step.status.endswith("_FAILED"):
            self._output.say(Text(f"{region}  {step.resource}: {step.status}: {step.reason}"))

    @property
    def under_way(self) -> dict[Region, str]:
        """What each Region that anything was heard of was last at."""
        with self._lock:
            return {
                region: f"{row.step.resource} {row.step.status}"
                for region, row in self._rows.items()
                if row.step is not None
            }

    def _shown(self) -> Table:
        with self._lock:
            return columns([self._row(region, row) for region, row in self._rows.items()], 2)

    def _row(self, region: Region, row: _Row) -> list[Text]:
        if row.step is None:
            return [Text(region, style="bold"), Text("waiting", style="dim"), Text()]
        said = f"{row.step.resource} {row.step.status.lower().replace('_', ' ')}"
        style = "red" if row.failed else "cyan"
        return [Text(region, style="bold"), Text(f"{len(row.done)} resources", style=style), Text(said, style="dim")]
