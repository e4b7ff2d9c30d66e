"""How `history` and `explain` show decisions about instances that wait at lifecycle hooks."""

from collections.abc import Iterator

from ringfence.core.lifecycle_decision import Decision
from ringfence_ops.cli import times
from ringfence_ops.cli.text import Text
from ringfence_ops.documents.history import LoggedDecisionItem
from ringfence_ops.logs.decisions import DecisionRun, LoggedDecision

STYLES = {
    Decision.HELD: "yellow",
    Decision.ADMITTED: "green",
    Decision.RELEASED: "green",
    Decision.LET_GO: "yellow",
    Decision.ABANDONED: "red",
}

WORDS = {
    Decision.HELD: "held",
    Decision.ADMITTED: "admitted",
    Decision.RELEASED: "released",
    Decision.LET_GO: "let go",
    Decision.ABANDONED: "sent away",
}


def decision_item(decision: LoggedDecision) -> LoggedDecisionItem:
    """One decision for programs."""
    return LoggedDecisionItem(
        at=times.timestamp(decision.at),
        engine=decision.engine,
        turn=decision.decision,
        auto_scaling_group=decision.auto_scaling_group,
        instance=decision.instance,
        transition=decision.transition,
        hook=decision.hook,
        reason=decision.reason,
        why=decision.why,
        waited_seconds=decision.waited_seconds,
        waited_is_exact=decision.is_exact,
        active=decision.was_active,
        causes=list(decision.causes),
    )


def decision_row(run: DecisionRun) -> Iterator[Text]:
    """A run of decisions in the columns of the history: time, what, instance, how long, why."""
    decision = run.last.decision
    word = WORDS[decision] if run.last.was_active else "too late"
    yield Text(times.time_of_day(run.first.at), style="dim")
    yield Text(word, style=STYLES[decision] if run.last.was_active else "dim")
    yield Text(run.last.instance)
    yield Text(waited(run))
    why = run.last.why if run.last.was_active else f"the hook was answered already, or timed out: {run.last.why}"
    yield Text(f"{why}, in {run.last.auto_scaling_group}")


def waited(run: DecisionRun) -> str:
    """How long the instance had waited; empty if it is not known since when."""
    return "" if run.waited_seconds is None else f"after {times.age(run.waited_seconds)}"


def sentence(run: DecisionRun, now: float) -> str:
    """A run as a predicate: `held since 15:04:05 UTC, 3 min ago: ...`."""
    if run.last.decision is Decision.HELD:
        began = run.first.at if run.began is None else run.began
        told = "" if run.last.at - began < 1 else f", {times.age(run.last.at - began)} until the last look"
        return f"held since {at(began, now)}{told}: {run.last.why}"
    answer = "ABANDON" if run.last.decision is Decision.ABANDONED else "CONTINUE"
    late = "" if run.last.was_active else ", too late: its hook was answered already, or had timed out"
    after = f", {waited(run)} at its hook" if run.waited_seconds is not None else ""
    return f"{WORDS[run.last.decision]} ({answer}) at {at(run.last.at, now)}{after}{late}: {run.last.why}"


def at(moment: float, now: float) -> str:
    """A time of day, with its day if that is another one."""
    day = "" if times.day(moment) == times.day(now) else f"{times.day(moment)} "
    return f"{day}{times.time_of_day(moment)} UTC"
