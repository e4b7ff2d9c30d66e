"""Shows what a campaign covered: how often each fault met each call, and how often everything else happened.

Every call and every fault has a place in the tables, so that a zero is visible. It must not know how histories are
played.
"""

import re
from collections.abc import Iterator, Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ringfence_lab.sim.adversary import ACTIONS as FORGERIES
from ringfence_lab.sim.engine.call_faults import Effect
from ringfence_lab.sim.engine.services import OPERATIONS
from ringfence_lab.sim.operators import ALL_ACTIONS
from ringfence_lab.sim.weather import POLICIES, STALE_CALLS

OUTCOMES = ("ok", *(effect.value for effect in Effect), "Refused", "Conflict")
"""How a call can end."""

CAN_BE_REFUSED = frozenset(operation for operation in OPERATIONS if operation.endswith("SecurityGroupIngress"))
CAN_BE_REFUSED |= {"UpdateSecurityGroupRuleDescriptionsIngress"}
CAN_CONFLICT = frozenset({"PutItem", "DeleteItem"})


def counts(coverage: Mapping[str, int]) -> Iterator[tuple[str, list[int | None]]]:
    """Each operation with the count of each of the `OUTCOMES`; None if it cannot end so."""
    for operation in OPERATIONS:
        yield operation, [_count(coverage, operation, outcome) for outcome in OUTCOMES]


def _count(coverage: Mapping[str, int], operation: str, outcome: str) -> int | None:
    possible = {
        Effect.STALE.value: operation in STALE_CALLS,
        Effect.DENY.value: any(operation in policy for policy in POLICIES),
        "Refused": operation in CAN_BE_REFUSED,
        "Conflict": operation in CAN_CONFLICT,
    }.get(outcome, True)
    return coverage.get(f"{operation} {outcome}", 0) if possible else None


def happenings(coverage: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Everything else that can happen, with its count."""
    for name in HAPPENINGS:
        yield name.replace("_", " "), coverage.get(name, 0)


HAPPENINGS = (
    "2 Regions",
    "3 Regions",
    "overlapping invocations",
    "function-timeout",
    "hook-timeout",
    "event lost",
    "event late",
    "event doubled",
    "correlated lag",
    "table created",
    "table recreated",
    *(action.__name__ for action, _ in ALL_ACTIONS),
    *(action.__name__ for action, _ in FORGERIES),
    "siege",
)


_HEADS = {
    "throttle": "throt-\ntle",
    "lose-answer": "lose\nan-\nswer",
    "unreachable": "un-\nreach-\nable",
    "kill-before": "kill\nbe-\nfore",
    "kill-after": "kill\nafter",
    "Refused": "re-\nfused",
    "Conflict": "con-\nflict",
}
"""The wide ones of the `OUTCOMES`, so that all fit a terminal of 80 columns."""
_CAPITAL = re.compile("(?<=[a-z])(?=[A-Z])")


def shown(coverage: Mapping[str, int]) -> Iterator[Table]:
    """The tables for a terminal."""
    calls = Table(title="How calls ended", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    calls.add_column("call", min_width=13)
    for outcome in OUTCOMES:
        calls.add_column(_HEADS.get(outcome, outcome), justify="right", no_wrap=True)
    for operation, row in counts(coverage):
        calls.add_row(_CAPITAL.sub(" ", operation), *map(_cell, row))
    yield calls
    happened = Table(
        "", "", title="What else happened", title_justify="left", box=SIMPLE_HEAD, show_header=False, pad_edge=False
    )
    for name, count in happenings(coverage):
        happened.add_row(name, _cell(count))
    yield happened


def _cell(count: int | None) -> str:
    if count is None:
        return "[dim]-[/dim]"
    return _short(count) if count else "[red]0[/red]"


def _short(count: int) -> str:
    """The count in at most four characters, below a billion."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.{0 if count >= 10 * size else 1}f}{letter}"
    return str(count)


def markdown(coverage: Mapping[str, int]) -> Iterator[str]:
    """The tables in Markdown."""
    yield "| call | " + " | ".join(OUTCOMES) + " |"
    yield "|---|" + "---:|" * len(OUTCOMES)
    for operation, row in counts(coverage):
        yield f"| {operation} | " + " | ".join("" if count is None else f"{count:,}" for count in row) + " |"
    yield ""
    yield "| what else happened | times |"
    yield "|---|---:|"
    for name, count in happenings(coverage):
        yield f"| {name} | {count:,} |"
