"""Follows the audit log: what is new in it since the last look.

CloudWatch Logs shows a line some seconds after it was written, and each Region at its own pace. So every look goes back
behind the one before, and what was seen is left out. Knows no terminal and no AWS client.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ringfence.core.model.identifiers import Region
from ringfence_ops.logs.audit_log import LoggedChange, LoggedEntry
from ringfence_ops.logs.decisions import DecisionRun, LoggedDecision, runs
from ringfence_ops.logs.logged_pauses import LoggedPause

PERIOD = 3.0
"""Seconds between two looks. FilterLogEvents allows five calls a second in a Region."""

OVERLAP = 120.0
"""Seconds that a look goes back behind the one before: a line that comes later is lost."""


@dataclass(frozen=True, slots=True)
class News:
    """What one look found: new entries, oldest first, and why a Region did not answer."""

    entries: list[LoggedEntry]
    unreachable: Mapping[Region, str]


def follow(
    read: Callable[[float], tuple[list[LoggedEntry], Mapping[Region, str]]],
    since: float,
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> Iterator[News]:
    """The news of one look after another, without end. `read` returns what is in the logs from a time on.

    While a Region does not answer, every look goes back to where it was last seen.
    """
    start, seen = since, set[LoggedEntry]()
    while True:
        began = now()
        entries, unreachable = read(start)
        yield News([entry for entry in entries if entry not in seen], unreachable)
        seen = {entry for entry in (*seen, *entries) if entry.at >= start}
        if not unreachable:
            start = max(since, began - OVERLAP)
        sleep(PERIOD)


class FollowedRuns:
    """What is shown while the log is followed: an instance that is held again for the same reason is no news."""

    def __init__(self) -> None:
        self._waits: dict[str, list[LoggedDecision]] = {}

    def news(self, entries: Sequence[LoggedEntry]) -> list[LoggedChange | LoggedPause | DecisionRun]:
        """The changes, the pauses, and the runs of decisions that began with these entries."""
        decisions: dict[str, list[LoggedDecision]] = {}
        for entry in entries:
            if isinstance(entry, LoggedDecision):
                decisions.setdefault(entry.instance, []).append(entry)
        began = [run for instance, new in decisions.items() for run in self._began(instance, new)]
        return [*(entry for entry in entries if not isinstance(entry, LoggedDecision)), *began]

    def _began(self, instance: str, new: Sequence[LoggedDecision]) -> list[DecisionRun]:
        """The runs of an instance that began with these decisions. What an answer ended is forgotten."""
        earlier = self._waits.pop(instance, [])
        known = {run.first for run in runs(earlier)}
        found = runs([*earlier, *new])
        if found and found[-1].last.answer is None:
            self._waits[instance] = [found[-1].first, found[-1].last] if found[-1].passes > 1 else [found[-1].first]
        return [run for run in found if run.first not in known]
