"""Decisions about waiting instances in the audit log: what the engine's telemetry writes is read, and shown once."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import pytest
from rich.console import Console

from ringfence.core.audit_events import HookCompleted, HookHeld, Waited
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.lifecycle_decision import Decision, Reason
from ringfence.core.model.identifiers import Region
from ringfence_ops.commands.decision_rows import decision_item, sentence
from ringfence_ops.commands.history import HistoryReport
from ringfence_ops.logs.audit_log import ChangeFilter, EntryFilter, LoggedEntry, logged_change
from ringfence_ops.logs.decisions import LoggedDecision, logged_decision, runs
from ringfence_ops.logs.following import OVERLAP, FollowedRuns, follow
from tests.ops.test_audit_log import ADDED, STRANGE, written
from tests.unit.builders import EAST, I1, I2, NOW, WEST

HELD = HookHeld("db", I1, "launch-hook", Transition.LAUNCH, Reason.NO_ADDRESS, "no address", Waited(2.5, is_exact=True))
ADMITTED = HookCompleted(
    "db", I1, "launch-hook", Transition.LAUNCH, Decision.ADMITTED, Reason.ADMITTED_EVERYWHERE, "everywhere", True, None
)


def read(*events: HookHeld | HookCompleted) -> list[LoggedDecision]:
    """The decisions in the lines of a reconcile, a second apart."""
    lines = [json.loads(line) for line in written(*events)]
    found = [logged_decision(NOW + number, EAST, line) for number, line in enumerate(lines)]
    return [decision for decision in found if decision is not None]


def held(at: float, reason: str = "no-address", **changes: Any) -> LoggedDecision:
    decision = LoggedDecision(NOW + at, EAST, Decision.HELD, "us-east-1/db", I1, f"{reason} at {at}", reason)
    return replace(decision, **changes)


def answered(at: float, decision: Decision = Decision.ADMITTED, **changes: Any) -> LoggedDecision:
    return replace(held(at), decision=decision, reason="admitted-everywhere", why="admitted everywhere", **changes)


def test_a_held_instance_is_read_with_its_hook_its_reason_and_how_long_it_waited() -> None:
    (decision,) = read(HELD)
    assert decision == LoggedDecision(
        at=NOW,
        engine=EAST,
        decision=Decision.HELD,
        auto_scaling_group="us-east-1/db",
        instance=I1,
        why="no address",
        reason="no-address",
        transition="autoscaling:EC2_INSTANCE_LAUNCHING",
        hook="launch-hook",
        waited_seconds=2.5,
        is_exact=True,
        causes=("event-1",),
    )


@pytest.mark.parametrize("decision", [one for one in Decision if one is not Decision.HELD])
def test_each_answer_is_read_and_an_unknown_wait_stays_unknown(decision: Decision) -> None:
    (found,) = read(replace(ADMITTED, decision=decision))
    assert (found.decision, found.waited_seconds, found.is_exact, found.was_active) == (decision, None, False, True)
    assert found.answer is (HookResult.ABANDON if decision is Decision.ABANDONED else HookResult.CONTINUE)


def test_an_answer_that_came_too_late_is_marked() -> None:
    (found,) = read(replace(ADMITTED, was_active=False))
    assert (found.decision, found.was_active) == (Decision.ADMITTED, False)


@pytest.mark.parametrize(
    ("line", "decision"),
    [
        ({"message": "instance left waiting", "why": "no address"}, Decision.HELD),
        (
            {"message": "instance let go on", "result": "CONTINUE", "launching": True, "why": "admitted everywhere"},
            Decision.ADMITTED,
        ),
        ({"message": "instance let go on", "result": "ABANDON", "launching": True, "why": "full"}, Decision.ABANDONED),
        ({"message": "instance let go on", "result": "CONTINUE", "why": "released everywhere"}, Decision.RELEASED),
        ({"message": "instance let go on", "result": "CONTINUE", "why": "a stale door"}, Decision.LET_GO),
    ],
)
def test_lines_of_version_0_1_are_read(line: Mapping[str, object], decision: Decision) -> None:
    found = logged_decision(NOW, EAST, {"auto_scaling_group": "db", "instance": I1, "seconds": 3.0, **line})
    assert found is not None
    assert (found.decision, found.reason, found.waited_seconds, found.is_exact) == (decision, None, 3.0, True)


def test_a_field_of_another_type_is_skipped_or_shown() -> None:
    (text, *_) = written(replace(ADMITTED, waited=Waited(2.5, is_exact=True)))
    good = json.loads(text)
    for name in good:
        for strange in STRANGE:
            if (found := logged_decision(NOW, EAST, good | {name: strange})) is not None:
                json.dumps(asdict(decision_item(found)), default=lambda member: member.value, allow_nan=False)
                (run,) = runs([found])
                assert len(sentence(run, NOW)) < 5000


def test_other_lines_are_no_decisions() -> None:
    assert logged_decision(NOW, EAST, json.loads(written(ADDED)[0])) is None
    assert logged_decision(NOW, EAST, {"message": "instance held", "instance": I1}) is None


# What says the same is shown once.


def test_an_instance_that_every_pass_holds_for_one_reason_is_one_run() -> None:
    (run,) = runs([held(0, waited_seconds=5.0, is_exact=True), held(60), held(120)])
    assert (run.first.at, run.last.at, run.passes) == (NOW, NOW + 120, 3)
    assert run.waited_seconds == 125


def test_a_change_of_the_reason_and_another_instance_begin_runs_of_their_own() -> None:
    found = runs([held(0), held(1, instance=I2), held(2, "region-failed"), held(3, instance=I2), held(4)])
    assert [(run.first.instance, run.first.reason, run.passes) for run in found] == [
        (I1, "no-address", 1),
        (I2, "no-address", 2),
        (I1, "region-failed", 1),
        (I1, "no-address", 1),
    ]


def test_an_answer_without_an_event_has_waited_since_the_first_pass_that_held_it() -> None:
    found = runs([held(0, waited_seconds=3.0, is_exact=True), held(60, "no-room"), answered(90, waited_seconds=1.0)])
    assert [run.waited_seconds for run in found] == [3, 63, 93]
    assert [run.is_exact for run in found] == [True, True, True]


def test_what_was_known_of_an_earlier_wait_is_not_of_the_next() -> None:
    later = [answered(60), held(4000, waited_seconds=2.0), held(9000)]
    found = runs([held(0, waited_seconds=3.0), *later])
    assert [run.waited_seconds for run in found] == [3, 63, 2, None]


def test_an_answer_that_came_too_late_is_shown_only_if_no_other_one_counted() -> None:
    late = answered(2, was_active=False)
    assert [run.last.was_active for run in runs([late])] == [False]
    assert [run.last.was_active for run in runs([answered(1), late])] == [True]


# Words.


def test_a_run_is_said_with_its_time_and_its_reason() -> None:
    (run,) = runs([held(0, waited_seconds=5.0), held(60)])
    assert sentence(run, NOW + 90).startswith("held since 07:59:55 UTC")
    assert sentence(run, NOW + 90).endswith("UTC, 65 s until the last look: no-address at 60")
    (gone,) = runs([answered(0, Decision.ABANDONED, waited_seconds=7.0)])
    assert "sent away (ABANDON) at" in sentence(gone, NOW)
    assert "after 7 s at its hook: admitted everywhere" in sentence(gone, NOW)


def test_the_history_has_a_line_for_each_run_between_the_changes() -> None:
    console = Console(width=200, record=True)
    change = logged_change(NOW + 30, EAST, json.loads(written(ADDED)[0]))
    assert change is not None
    console.print(HistoryReport([held(0), change, held(60), answered(90)]))
    lines = console.export_text().splitlines()
    assert lines[1].split() == ["time", "change", "instance", "why", "where", "cause"]
    assert [line.split()[1] for line in lines[2:5]] == ["held", "+", "admitted"]
    assert "no-address at 60, in us-east-1/db" in lines[2]
    assert lines[-1] == "1 rule added, 0 removed; instances: 1 held, 1 admitted"


# Which entries are read.


def test_a_filter_names_the_decisions_beside_the_changes() -> None:
    pattern = EntryFilter(ChangeFilter(instances=frozenset({I1})), frozenset({I1})).pattern()
    assert '($.message = "rule added")' in pattern
    assert '(($.message = "instance *") || ($.message = "launch abandoned")' in pattern
    assert pattern.count(f'($.instance = "{I1}")') == 2
    assert "launch abandoned" not in EntryFilter(ChangeFilter(), frozenset()).pattern()


def test_a_pattern_that_cloudwatch_logs_would_refuse_is_wider_and_selects_the_same() -> None:
    rules = frozenset(f"sgr-{number:017x}" for number in range(60))
    selected = EntryFilter(ChangeFilter(rules=rules), frozenset({I1}))
    assert len(selected.pattern()) <= 1024
    assert selected.includes(held(0))
    assert not selected.includes(held(0, instance=I2))


# Following.


class Ended(Exception):
    """The test has seen enough."""


def looks(*answers: tuple[list[LoggedEntry], dict[Region, str]]) -> Iterator[tuple[list[LoggedEntry], list[float]]]:
    """The entries of each look at logs that answer so, and the starts of the looks so far. A look takes a minute."""
    starts: list[float] = []
    time = [float(NOW)]

    def read(start: float) -> tuple[list[LoggedEntry], dict[Region, str]]:
        if len(starts) == len(answers):
            raise Ended
        starts.append(start)
        return answers[len(starts) - 1]

    def sleep(_seconds: float) -> None:
        time[0] += 60

    for news in follow(read, NOW - 3600, lambda: time[0], sleep):
        yield news.entries, starts


def test_following_shows_each_entry_once_and_late_ones_too() -> None:
    late = held(-30, instance=I2)
    seen = [entries for entries, _ in take(looks(([held(0)], {}), ([late, held(0), held(60)], {}), ([held(60)], {})))]
    assert seen == [[held(0)], [late, held(60)], []]


def test_a_region_that_does_not_answer_is_read_again_from_where_it_was_last_seen() -> None:
    starts = [list(starts) for _, starts in take(looks(([], {}), ([], {WEST: "no answer"}), ([], {}), ([], {})))][-1]
    assert starts == [NOW - 3600, NOW - OVERLAP, NOW - OVERLAP, NOW + 120 - OVERLAP]


def take(found: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from found
    except Ended:
        return


def test_while_the_log_is_followed_a_held_instance_is_shown_once_for_each_reason() -> None:
    shown = FollowedRuns()
    told = [
        [run.last.why for run in shown.news(entries)]  # type: ignore[union-attr]  # there are no changes
        for entries in (
            [held(0)],
            [held(60)],
            [held(120, "no-room"), held(180, "no-room")],
            [held(240, "no-room")],
            [answered(250)],
            [held(300, "no-room")],
            [held(360, "no-room")],
        )
    ]
    assert told == [
        ["no-address at 0"],
        [],
        ["no-room at 180"],
        [],
        ["admitted everywhere"],
        ["no-room at 300"],
        [],
    ]
