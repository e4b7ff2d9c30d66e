"""`ringfence status --watch`: the state of every Region on one screen, or as one JSON document after the other.

The screen shows less than the report of `ringfence status`: one line for each Region, the worst first, what is wrong
below it, and ids by their first characters. Knows no AWS: it is given what takes a report.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import typer
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding

from ringfence.core.model.identifiers import Region
from ringfence_ops.cli import times
from ringfence_ops.cli.columns import columns, widths
from ringfence_ops.cli.screen import Screen
from ringfence_ops.cli.standing_text import state_text
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cli.text import Text
from ringfence_ops.documents.status import StatusDocument
from ringfence_ops.errors import CommandError, Interrupted, WrongUsage
from ringfence_ops.plurals import counted
from ringfence_ops.state.region_state import RegionState
from ringfence_ops.state.snapshot import Snapshot
from ringfence_ops.state.standing import Standing, State

PERIOD = 2.0
"""Seconds between two readings."""

_HEADERS = ("Region", "members", "rules", "free", "reconciled", "state")

_IDS = re.compile(
    r"\b((?:i|sg|sgr|eni|subnet|vpc)-[0-9a-f]{8})[0-9a-f]{4,}\b|\b([0-9a-f]{8})-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
)
"""The ids of AWS's resources, and the UUIDs of events."""

_NAMES = re.compile(r"[A-Za-z0-9._/-]{33,}")
"""Names that leave no room for anything else, such as those that CloudFormation makes."""


class Report(Protocol):
    """What is watched: a report of `ringfence status`."""

    @property
    def snapshot(self) -> Snapshot:
        """What was read."""

    @property
    def regions(self) -> Sequence[RegionState]:
        """The Regions that answered."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""

    @property
    def standings(self) -> Mapping[Region, Standing]:
        """How each Region stands."""

    def document(self) -> StatusDocument:
        """The state for programs."""

    def brief(self, region: RegionState) -> Iterator[tuple[str, Text]]:
        """What is said of a Region that is not in sync, each line with its name."""


def stream(take: Callable[[], Report], output: Output) -> None:
    """Prints one document on each line until Ctrl-C. What fails meanwhile is said on standard error."""
    report = take()
    while True:
        output.line(report.document())
        time.sleep(PERIOD)
        try:
            report = take()
        except WrongUsage:
            raise
        except CommandError as error:
            output.fail(error)


def watch(take: Callable[[], Report], output: Output) -> None:
    """Shows the screen until the operator quits, with the exit code of the last report. It stays on the terminal."""
    readings = Readings(take)
    with output.working("reading every Region"):
        readings.take()
    threading.Thread(target=readings.repeat, daemon=True).start()
    try:
        with Screen(output.results) as screen:
            screen.show(readings.shown())

            def at_each_tick() -> None:
                if readings.is_new():
                    screen.show(readings.shown())

            screen.run(at_each_tick)
    except KeyboardInterrupt:
        raise Interrupted("interrupted") from None
    finally:
        readings.is_over = True
    raise typer.Exit(readings.latest.exit_code)


class Readings:
    """The latest report, taken again and again in a thread, and the error of the latest reading if it failed."""

    def __init__(self, take: Callable[[], Report]) -> None:
        self._take, self._new, self.is_over = take, threading.Event(), False
        self.error: CommandError | None = None
        self._latest: Report | None = None

    @property
    def latest(self) -> Report:
        """The latest report."""
        if self._latest is None:
            raise RuntimeError("nothing was read yet")
        return self._latest

    def take(self) -> None:
        """Takes a report. Raises CommandError."""
        self._latest, self.error = self._take(), None

    def repeat(self) -> None:
        """Takes reports until it is over."""
        while not self.is_over:
            time.sleep(PERIOD)
            try:
                self.take()
            except CommandError as error:
                self.error = error
            self._new.set()

    def is_new(self) -> bool:
        """Whether there is a reading since the last call."""
        found = self._new.is_set()
        self._new.clear()
        return found

    def shown(self) -> RenderableType:
        """The screen's content."""
        return WatchReport(self.latest, self.error)


class WatchReport:
    """A report that fits a screen, the worst Region first."""

    def __init__(self, report: Report, error: CommandError | None = None) -> None:
        self.report, self.error = report, error

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        report, snapshot = self.report, self.report.snapshot
        total = len(report.standings)
        good = sum(standing.state is State.IN_SYNC for standing in report.standings.values())
        verdict = ("all in sync", "green") if report.exit_code == 0 else (f"{good} of {total} in sync", "yellow")
        at = times.time_of_day(snapshot.at)
        yield Text.assemble((snapshot.cluster, "bold"), f"  {counted(total, 'Region')}  {at} UTC  ", verdict)
        if self.error is not None:
            yield Text(f"not read since: {self.error}", style="red")
        for name in snapshot.unreachable:
            for reason in report.standings[name].reasons[:1]:
                yield short(Text.assemble((name, "bold"), "  ", (reason.why, "red")))
        rows = [(state, self._row(state)) for state in worst_first(report)]
        minimum = widths([row for _, row in rows], len(_HEADERS) - 1, _HEADERS)
        headers: Sequence[str] = _HEADERS
        for state, row in rows:
            yield columns([row], minimum, headers)
            headers = ()
            lines = [[Text(name, style="dim"), short(line)] for name, line in report.brief(state)]
            if lines:
                yield Padding(columns(lines, 1), (0, 0, 0, 2))

    def _row(self, region: RegionState) -> list[Text]:
        reconcile = region.engine.last_reconcile
        return [
            Text(region.region, style="bold"),
            Text(str(sum(region.counts.members.values())), justify="right"),
            Text(str(sum(group.owned for group in region.groups)), justify="right"),
            Text(min((f"{group.free} of {group.quota}" for group in region.groups), key=_number, default="")),
            Text("" if reconcile is None else f"{times.age(self.report.snapshot.at - reconcile.at)} ago"),
            state_text(self.report.standings[region.region].state),
        ]


def worst_first(report: Report) -> list[RegionState]:
    """The Regions that answered, by how they stand; of equal ones, the one with more reasons is first."""

    def rank(region: RegionState) -> tuple[int, int]:
        standing = report.standings[region.region]
        return standing.state.rank, -len(standing.reasons)

    return sorted(report.regions, key=rank)


def short(text: Text) -> Text:
    """The text with ids by their first characters, and long names without their middle; its styles stay."""
    for pattern, shortened in ((_IDS, _short_id), (_NAMES, _short_name)):
        while match := pattern.search(text.plain):
            before, after = text[: match.start()], text[match.end() :]
            text = Text.assemble(before, shortened(match), after, style=text.style)
    return text


def _short_id(match: re.Match[str]) -> str:
    return f"{match[1] or match[2]}…"


def _short_name(match: re.Match[str]) -> str:
    return f"{match[0][:20]}…{match[0][-8:]}"


def _number(text: str) -> int:
    return int(text.partition(" ")[0])
