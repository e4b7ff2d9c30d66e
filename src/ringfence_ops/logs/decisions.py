"""Lines of the audit log about instances that wait at lifecycle hooks: what the engine decided, why, and how long they
waited.

`ringfence.runtime.telemetry` writes these lines. Anyone who may write into the log group can write lines too: a line of
another form is skipped, and a field of another type is left out. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ringfence.core.lifecycle import HookResult
from ringfence.core.lifecycle_decision import INACTIVE, MESSAGES, Decision
from ringfence.core.model.identifiers import Region
from ringfence_ops.logs.filter_pattern import quoted
from ringfence_ops.logs.json_values import ID_LIMIT, NAME_LIMIT, number_of, text_of, texts_of

_DECISIONS = {message: decision for decision, message in MESSAGES.items()}
_OF_0_1 = frozenset({"instance left waiting", "instance let go on"})
"""The messages of version 0.1, which knows no decisions."""


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One decision about an instance that waits at a hook. `at` is in epoch seconds; `engine` is the Region whose
    engine decided.

    `reason` is one of the engine's codes, `why` its sentence. `waited_seconds` is None if it is not known since when
    the instance waited; unless `is_exact`, it may have waited longer. `was_active` is False for an answer that came too
    late.
    """

    at: float
    engine: Region
    decision: Decision
    auto_scaling_group: str
    instance: str
    why: str
    reason: str | None = None
    transition: str | None = None
    hook: str | None = None
    waited_seconds: float | None = None
    is_exact: bool = False
    was_active: bool = True
    causes: tuple[str, ...] = ()

    @property
    def answer(self) -> HookResult | None:
        """The answer to the hook; None for an instance that was held."""
        match self.decision:
            case Decision.HELD:
                return None
            case Decision.ABANDONED:
                return HookResult.ABANDON
            case _:
                return HookResult.CONTINUE


def pattern(instances: Iterable[str]) -> str:
    """The condition of CloudWatch Logs for the decisions about these instances; about all, if none is named.

    Source: CloudWatch Logs User Guide, "Filter pattern syntax", JSON.
    """
    messages = ('"instance *"', f'"{MESSAGES[Decision.ABANDONED]}"', f'"{INACTIVE}"')
    is_decision = " || ".join(f"($.message = {message})" for message in messages)
    named = " || ".join(f"($.instance = {quoted(instance)})" for instance in sorted(instances))
    return f"(({is_decision}) && ({named}))" if named else f"({is_decision})"


def logged_decision(at: float, engine: Region, line: Mapping[str, Any]) -> LoggedDecision | None:
    """The decision that a line of the log reports; None where it reports something else, or lacks a field."""
    decision = _decision(line)
    group, instance = text_of(line.get("auto_scaling_group"), NAME_LIMIT), text_of(line.get("instance"), ID_LIMIT)
    if decision is None or group is None or instance is None:
        return None
    seconds = number_of(line.get("waited_seconds", line.get("seconds")))
    return LoggedDecision(
        at=at,
        engine=engine,
        decision=decision,
        auto_scaling_group=f"{engine}/{group}",
        instance=instance,
        why=text_of(line.get("why")) or "",
        reason=text_of(line.get("reason"), ID_LIMIT),
        transition=text_of(line.get("transition"), ID_LIMIT),
        hook=text_of(line.get("hook"), NAME_LIMIT),
        waited_seconds=seconds,
        is_exact=seconds is not None and line.get("waited_is_exact", "seconds" in line) is True,
        was_active=line.get("message") != INACTIVE,
        causes=texts_of(line.get("cause")),
    )


def _decision(line: Mapping[str, Any]) -> Decision | None:
    """The decision of a line. A line of version 0.1 has none: its fields tell."""
    message = text_of(line.get("message")) or ""
    if message in _DECISIONS:
        return _DECISIONS[message]
    if message not in (*_OF_0_1, INACTIVE):
        return None
    if (written := text_of(line.get("decision"), ID_LIMIT)) in {decision.value for decision in Decision}:
        return Decision(written)
    if message == "instance left waiting":
        return Decision.HELD
    if line.get("result") == HookResult.ABANDON.value:
        return Decision.ABANDONED
    why, is_launch = text_of(line.get("why")) or "", line.get("launching") is True
    if why.startswith("admitted") and is_launch:
        return Decision.ADMITTED
    return Decision.RELEASED if why.startswith("released") else Decision.LET_GO


@dataclass(frozen=True, slots=True)
class DecisionRun:
    """Decisions that say the same of one wait: an instance that is held is reported by every pass.

    `began` is when the wait began, as far as it is known, in epoch seconds; unless `is_exact`, it may be earlier.
    """

    first: LoggedDecision
    last: LoggedDecision
    passes: int = 1
    began: float | None = None
    is_exact: bool = False

    @property
    def waited_seconds(self) -> float | None:
        """How long the instance had waited at the last of the decisions."""
        return None if self.began is None else max(0.0, self.last.at - self.began)


def runs(decisions: Iterable[LoggedDecision]) -> list[DecisionRun]:
    """The decisions, given oldest first, as runs. An answer that came too late is left out if another one counted."""
    decisions = list(decisions)
    answered = {
        (decision.instance, decision.transition)
        for decision in decisions
        if decision.was_active and decision.answer is not None
    }
    found: list[DecisionRun] = []
    latest: dict[tuple[object, ...], int] = {}  # the run of each instance that is still held
    for decision in decisions:
        key = (decision.engine, decision.auto_scaling_group, decision.instance)
        if not decision.was_active and (decision.instance, decision.transition) in answered:
            continue
        earlier = found[latest[key]] if key in latest else None
        run = _run(decision, earlier)
        if earlier is not None and _is_continued(earlier, decision):
            found[latest[key]] = replace(run, first=earlier.first, passes=earlier.passes + 1)
        else:
            found.append(run)
            latest[key] = len(found) - 1
        if decision.answer is not None:
            del latest[key]
    return found


WAITS_WITHIN = 3600.0
"""Seconds after which an instance that is held again is held in another wait: the passes of one wait follow closely."""


def _is_continued(earlier: DecisionRun, decision: LoggedDecision) -> bool:
    """Whether a decision says again what a run says."""
    last = earlier.last
    return (
        decision.answer is None
        and (decision.reason, decision.transition) == (last.reason, last.transition)
        and (decision.reason is not None or decision.why == last.why)
        and decision.at - last.at <= WAITS_WITHIN
    )


def _run(decision: LoggedDecision, earlier: DecisionRun | None) -> DecisionRun:
    """A run of one decision. When its wait began is what it says itself, or what is known from earlier decisions."""
    began = None if decision.waited_seconds is None else decision.at - decision.waited_seconds
    if earlier is None or decision.at - earlier.last.at > WAITS_WITHIN or decision.is_exact:
        return DecisionRun(decision, decision, began=began, is_exact=decision.is_exact)
    known = earlier.first.at if earlier.began is None else earlier.began
    return DecisionRun(
        decision, decision, began=known if began is None else min(began, known), is_exact=earlier.is_exact
    )
