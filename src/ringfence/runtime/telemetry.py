"""Turns the audit events of a reconcile into log lines, metrics and a summary.

The only module that logs. Calls no AWS API. It gets each event as it happens, so that a crash loses none.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, assert_never

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from ringfence.core.audit_events import (
    AuditEvent,
    EventIgnored,
    HookCompleted,
    HookHeld,
    PauseSeen,
    Problem,
    QuotaUsed,
    RegionFailed,
    RemovalsHeld,
    RosterPublished,
    RowRejected,
    RuleAdded,
    RuleOwnerUnknown,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
    StaleDoor,
    ZoneNotDescribed,
)
from ringfence.core.errors import RingfenceError
from ringfence.core.lifecycle_decision import INACTIVE, MESSAGES, Decision, Reason
from ringfence.core.model.rules import Label, Opening
from ringfence.runtime.log_fields import bounded, cut, stack_of

_UNSERVED = "UnservedMessages"
"""Messages that were given up or that crashed the engine. A reconcile has none: `count_unserved` counts them."""

_COUNTED = (
    "RulesAdded",
    "RulesRemoved",
    "RulesHeld",
    "RulesRefused",
    "DriftHealed",
    "PeersUnreachable",
    "WaitingHooks",
    "StaleDoors",
    "UnknownOwners",
    _UNSERVED,
)

_OF_RULES = frozenset({"StaleDoors", "UnknownOwners"})
"""Counts of what stands in the security groups."""


_TIMED = {Decision.ADMITTED: "AdmissionSeconds", Decision.RELEASED: "ReleaseSeconds"}
"""The metric of how long an instance waited, for the decisions that have one."""


@dataclass(slots=True)
class Telemetry:
    """The log and the metrics of one invocation. `causes` are the ids of the events that started it."""

    logger: Logger
    metrics: Metrics
    causes: tuple[str, ...]
    counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    quota_percent: float = 0.0
    held: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    not_described: dict[str, str] = field(default_factory=dict)
    paused: str = ""
    waiting: dict[tuple[str, str], Reason] = field(default_factory=dict)

    def record(self, event: AuditEvent) -> None:
        """Logs one audit event and counts it."""
        match event:
            case RuleAdded() | RuleRemoved() | RuleRelabelled():
                self._record_change(event)
            case RuleWanted() | RuleUnwanted() | RemovalsHeld() | RuleRefused() | RuleOwnerUnknown():
                self._record_no_change(event)
            case QuotaUsed():
                self.quota_percent = max(self.quota_percent, 100 * event.rules / event.quota)
            case RosterPublished() | RowRejected() | RegionFailed() | Problem():
                self._record_progress(event)
            case HookCompleted() | HookHeld() | StaleDoor() | EventIgnored():
                self._record_instance(event)
            case ZoneNotDescribed():
                self._zone_not_described(event)
            case PauseSeen():
                self._pause_seen(event)
            case _:
                assert_never(event)

    def close(self, reconcile_seconds: float, error: BaseException | None) -> dict[str, Any]:
        """Logs the line of the whole reconcile, emits its metrics, and returns the content of that line."""
        summary = {
            "added": self.counts["RulesAdded"],
            "removed": self.counts["RulesRemoved"],
            "relabelled": self.counts["RulesRelabelled"],
            "would_add": self.counts["RulesWanted"],
            "would_remove": self.counts["RulesUnwanted"],
            "held": self.held,
            "refused": self.counts["RulesRefused"],
            "admitted": self.counts[Decision.ADMITTED.value],
            "released": self.counts[Decision.RELEASED.value],
            "let_go": self.counts[Decision.LET_GO.value],
            "abandoned": self.counts[Decision.ABANDONED.value],
            "waiting": len(self.waiting),
            "stale_doors": self.counts["StaleDoors"],
            "peers_unreachable": self.counts["PeersUnreachable"],
            "ignored": self.counts["EventsIgnored"],
            "zones_not_described": sorted(set(self.not_described.values())),
            "problems": [cut(problem) for problem in self.problems],
            "seconds": round(reconcile_seconds, 3),
        }
        if self.paused:
            summary["paused"] = self.paused
        if error is None:
            self._log("reconciled", **summary)
        else:
            stack = {} if isinstance(error, RingfenceError) else {"traceback": stack_of(error)}
            said = str(error) if isinstance(error, RingfenceError) else f"{type(error).__name__}: {error}"
            self.logger.error(cut(f"reconcile failed: {said}"), extra=self._fields({**summary, **stack}))
        self._emit(reconcile_seconds, error is not None)
        return summary

    def _record_change(self, event: RuleAdded | RuleRemoved | RuleRelabelled) -> None:
        """A rule that was changed."""
        match event:
            case RuleAdded():
                self._log("rule added", **_rule(event.opening, event.label), **_place(event), drift=event.drift)
                self.counts["RulesAdded"] += 1
                self.counts["DriftHealed"] += event.drift
            case RuleRemoved():
                self._rule_removed(event)
            case RuleRelabelled():
                self._log("rule relabelled", **_rule(event.opening, event.label), **_place(event), was=str(event.was))
                self.counts["RulesRelabelled"] += 1
            case _:
                assert_never(event)

    def _record_no_change(
        self, event: RuleWanted | RuleUnwanted | RemovalsHeld | RuleRefused | RuleOwnerUnknown
    ) -> None:
        """A rule that was not changed, and why."""
        match event:
            case RuleWanted():
                self._log("rule would be added", **_rule(event.opening, event.label), **_place(event))
                self.counts["RulesWanted"] += 1
            case RuleUnwanted():
                rule = _rule(event.opening, event.label)
                self._log("rule would be removed", **rule, **_place(event), reason=event.reason)
                self.counts["RulesUnwanted"] += 1
            case RemovalsHeld():
                self.held.append(
                    {"region": event.region, "security_group": event.group, "digest": event.digest}
                    | {"rules": list(event.rules), "owned": event.owned}
                )
                self._warn("removals held until the next reconcile agrees", **self.held[-1])
                self.counts["RulesHeld"] += len(event.rules)
            case RuleRefused():
                rule = _rule(event.opening, event.label)
                self._warn("rule refused", **rule, **_place(event), refusal=event.refusal, answer=event.message)
                self.counts["RulesRefused"] += 1
            case RuleOwnerUnknown():
                self._warn("owner of rule unknown", **_rule(event.opening, event.label), **_place(event), why=event.why)
                self.counts["UnknownOwners"] += 1
            case _:
                assert_never(event)

    def _record_progress(self, event: RosterPublished | RowRejected | RegionFailed | Problem) -> None:
        """What happened to the rosters and the Regions."""
        match event:
            case RosterPublished():
                self._log("roster published", **_flat(event))
            case RowRejected():
                effect = (
                    "nothing is removed because of it" if event.may_be_a_roster else "it is no roster of the cluster"
                )
                self._problem(f"row rejected, {effect}", **_flat(event))
            case RegionFailed():
                self._problem("Region not brought up to date", **_flat(event))
                self.counts["PeersUnreachable"] += not event.at_home
            case Problem():
                self._problem(event.what)
            case _:
                assert_never(event)

    def _record_instance(self, event: HookCompleted | HookHeld | StaleDoor | EventIgnored) -> None:
        """What happened to an instance that waits or that left."""
        match event:
            case HookCompleted():
                self._hook_completed(event)
            case HookHeld():
                self._hook_held(event)
            case StaleDoor():
                self._warn("stale door", **_flat(event))
                self.counts["StaleDoors"] += 1
                self._time("StaleDoorSeconds", event.seconds)
            case EventIgnored():
                self._log("event ignored", **_flat(event))
                self.counts["EventsIgnored"] += 1
            case _:
                assert_never(event)

    def _rule_removed(self, event: RuleRemoved) -> None:
        rule = _rule(event.opening, event.label)
        stale = {} if event.stale_seconds is None else {"stale_seconds": round(event.stale_seconds, 3)}
        self._log("rule removed", **rule, **_place(event), reason=event.reason, drift=event.drift, **stale)
        self.counts["RulesRemoved"] += 1
        self.counts["DriftHealed"] += event.drift
        if event.stale_seconds is not None:
            self._time("StaleDoorSeconds", event.stale_seconds)

    def _zone_not_described(self, event: ZoneNotDescribed) -> None:
        """A second look at the same instances is no news."""
        zone = event.zone or "unknown"
        if not event.instances or event.instances[0] not in self.not_described:
            known = f"what is known of its {len(event.instances)} instances stays"
            self._problem(f"zone {zone} not described, {known}", **{**_flat(event), "zone": zone})
        self.not_described |= dict.fromkeys(event.instances, zone)

    def _pause_seen(self, event: PauseSeen) -> None:
        pause = event.pause
        self.paused = "" if pause.is_over else cut(str(pause))
        if pause.problem:
            self._problem(f"the pause cannot be read, and counts: {pause.problem}", region=pause.region)
        if event.is_news:
            said = "resumed" if pause.is_over else "paused"
            self._log(said, region=pause.region, by=pause.by, why=pause.reason, since=pause.since)

    def _hook_held(self, event: HookHeld) -> None:
        """An invocation has one line for each instance that it holds, and another one if the reason changes."""
        key = (event.group, event.instance)
        if self.waiting.get(key) is not event.reason:
            self._log(MESSAGES[Decision.HELD], **_decided(event, Decision.HELD))
        self.waiting[key] = event.reason
        self.counts["WaitingHooks"] = len(self.waiting)

    def _hook_completed(self, event: HookCompleted) -> None:
        fields = _decided(event, event.decision) | {"result": event.result}
        self._log(MESSAGES[event.decision] if event.was_active else INACTIVE, **fields)
        self.waiting.pop((event.group, event.instance), None)
        self.counts["WaitingHooks"] = len(self.waiting)
        if event.was_active:
            self.counts[event.decision.value] += 1
            timed = _TIMED.get(event.decision)
            if timed is not None and event.waited is not None and event.waited.is_exact:
                self._time(timed, event.waited.seconds)

    def _time(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)

    def _log(self, message: str, **fields: object) -> None:
        self.logger.info(cut(message), extra=self._fields(fields))

    def _warn(self, message: str, **fields: object) -> None:
        self.logger.warning(cut(message), extra=self._fields(fields))

    def _fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        return bounded({"cause": list(self.causes), **fields})

    def _problem(self, message: str, **fields: object) -> None:
        detail = fields.get("error") or fields.get("reason")
        self.problems.append(f"{message}: {detail}" if detail else message)
        self._warn(message, **fields)

    def _emit(self, reconcile_seconds: float, failed: bool) -> None:
        """Emits the metrics. A metric that an alarm watches is emitted every time, so that the alarm can end.

        But a reconcile that failed may not have seen the rules, and then it cannot say that all is well with them: it
        emits no 0 of them, and their alarms stay as they are.
        """
        for name in _COUNTED:
            if self.counts[name] or not (failed and name in _OF_RULES):
                self.metrics.add_metric(name, MetricUnit.Count, self.counts[name])
        self.metrics.add_metric("Errors", MetricUnit.Count, int(failed))
        self.metrics.add_metric("ReconcileSeconds", MetricUnit.Seconds, reconcile_seconds)
        stale = max(self.seconds.get("StaleDoorSeconds", [0.0]))
        if stale or not failed:
            self.metrics.add_metric("StaleDoorSeconds", MetricUnit.Seconds, stale)
        if self.quota_percent or not failed:
            self.metrics.add_metric("QuotaUsedPercent", MetricUnit.Percent, self.quota_percent)
        for name in ("RulesWanted", "RulesUnwanted"):
            if self.counts[name]:
                self.metrics.add_metric(name, MetricUnit.Count, self.counts[name])
        if self.not_described:
            self.metrics.add_metric("InstancesNotDescribed", MetricUnit.Count, len(self.not_described))
        for name in ("AdmissionSeconds", "ReleaseSeconds"):
            for seconds in self.seconds.get(name, ()):
                self.metrics.add_metric(name, MetricUnit.Seconds, seconds)
        self.metrics.flush_metrics()


def count_unserved(metrics: Metrics, number: int) -> None:
    """Emits the number of messages of a batch that an operator must look at.

    The metrics of the dead-letter queue itself can come up to 15 minutes late. Source: Amazon SQS Developer Guide,
    "Monitoring Amazon SQS queues using CloudWatch".
    """
    metrics.add_metric(_UNSERVED, MetricUnit.Count, number)
    metrics.flush_metrics()


def _rule(opening: Opening, label: Label | None) -> dict[str, object]:
    """The log's fields of a rule."""
    ports = opening.ports
    fields: dict[str, object] = {
        "address": opening.cidr,
        "protocol": "all" if ports.protocol == "-1" else ports.protocol,
        "ports": "all" if ports.protocol == "-1" else str(ports).partition("/")[2],
    }
    if label is not None:
        fields |= {"auto_scaling_group": str(label.roster), "instance": label.instance}
    return fields


def _decided(event: HookHeld | HookCompleted, decision: Decision) -> dict[str, object]:
    """The log's fields of a decision about a waiting instance. What is not known is left out."""
    known: dict[str, object] = {
        "auto_scaling_group": event.group,
        "instance": event.instance,
        "decision": decision.value,
        "reason": event.reason.value,
        "why": event.why,
    }
    if event.hook is not None:
        known["hook"] = event.hook
    if event.transition is not None:
        known["transition"] = event.transition.value
    if event.waited is not None:
        known |= {"waited_seconds": round(event.waited.seconds, 3), "waited_is_exact": event.waited.is_exact}
    return known


def _place(
    event: RuleAdded | RuleRemoved | RuleRelabelled | RuleRefused | RuleWanted | RuleUnwanted | RuleOwnerUnknown,
) -> dict[str, object]:
    """The log's fields of the place of a rule."""
    place: dict[str, object] = {"region": event.region, "security_group": event.group}
    return place if isinstance(event, RuleRefused | RuleWanted) else place | {"rule": event.rule}


def _flat(event: Any) -> dict[str, object]:
    """An audit event's fields as JSON values, under names that the logger does not use itself."""
    fields = {name: str(value) if isinstance(value, dict) else value for name, value in asdict(event).items()}
    if "roster" in fields:
        fields["roster"] = str(event.roster)
    if "group" in fields:
        fields["auto_scaling_group"] = fields.pop("group")
    return fields
