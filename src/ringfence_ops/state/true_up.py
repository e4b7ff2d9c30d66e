"""Runs the true-up of one Region: by its function, or with the same engine in this process.

Raises botocore's errors, and CommandError where there is no function. Knows no terminal.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.assembly import SystemClock, Threads, home_services, region_services, table_name, worker_threads
from ringfence.aws.error_codes import is_absent
from ringfence.core.audit_events import AuditEvent, Problem, RegionFailed
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import RingfenceError
from ringfence.core.events import TrueUp
from ringfence.core.model.identifiers import Region
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.errors import CommandError
from ringfence_ops.logs.audit_log import by_hand
from ringfence_ops.logs.json_values import ID_LIMIT, MESSAGE_LIMIT, count_of, json_object, text_of, texts_of
from ringfence_ops.state.changes import Action, Change, GuardHold, changes


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """How many rules a true-up changed, held back (the guard) or could not add (refused by EC2)."""

    added: int = 0
    removed: int = 0
    relabelled: int = 0
    held: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class TrueUpResult:
    """What a true-up did. `changes` lists each change where the engine ran in this process; a function returns counts
    only. `failure` is None where the true-up succeeded."""

    counts: RuleCounts = RuleCounts()
    seconds: float = 0.0
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()
    failure: str | None = None

    def followed_by(self, other: "TrueUpResult") -> "TrueUpResult":
        """Both as one: changes add up, and what is held or refused is what the later one reports."""
        counts = RuleCounts(
            self.counts.added + other.counts.added,
            self.counts.removed + other.counts.removed,
            self.counts.relabelled + other.counts.relabelled,
            other.counts.held,
            other.counts.refused,
        )
        return TrueUpResult(
            counts,
            self.seconds + other.seconds,
            (*self.changes, *other.changes),
            tuple(dict.fromkeys((*self.problems, *other.problems))),
            self.failure or other.failure,
        )


def true_up_by_function(aws: Aws, cluster: str, region: Region, confirmed: Sequence[GuardHold] = ()) -> TrueUpResult:
    """Invokes the Region's function, once for each confirmed hold of the guard.

    Raises CommandError where there is no function. A true-up may take as long as the function's timeout, so a Lambda
    dry run checks first whether the Region answers at all.
    """
    _invoke(aws, cluster, region, patient=False, InvocationType="DryRun")
    asked: dict[str, object] = {"trueup": True, "id": by_hand(aws.caller(region))}
    result = TrueUpResult()
    for payload in [{**asked, "confirm": hold.digest} for hold in confirmed] or [asked]:
        result = result.followed_by(_invoked(aws, cluster, region, payload))
    return result


def _invoked(aws: Aws, cluster: str, region: Region, payload: Mapping[str, object]) -> TrueUpResult:
    began = time.monotonic()
    response = _invoke(aws, cluster, region, patient=True, Payload=json.dumps(payload))
    answer = response["Payload"].read()
    summary = json_object(answer)
    seconds = time.monotonic() - began
    if "FunctionError" in response:
        message = text_of((summary or {}).get("errorMessage"))
        return TrueUpResult(seconds=seconds, failure=message or f"the function failed: {answer[:ID_LIMIT]!r}")
    if summary is None:
        return TrueUpResult(seconds=seconds, failure="the function's answer is not a summary of a true-up")
    return _result(summary, seconds)


def _invoke(aws: Aws, cluster: str, region: Region, *, patient: bool, **arguments: str) -> Mapping[str, Any]:
    name = f"ringfence-{cluster}"
    try:
        response: Mapping[str, Any] = aws.client("lambda", region, patient=patient).invoke(
            FunctionName=name, **arguments
        )
    except ClientError as error:
        if is_absent(error):
            raise CommandError(
                f"there is no function {name} in {region}: `ringfence deploy {region}` creates it"
            ) from error
        raise
    return response


def _result(summary: Mapping[str, Any], seconds: float) -> TrueUpResult:
    """The function's summary. `ringfence.runtime.telemetry` makes it. What is of another type does not count."""
    added, removed, relabelled, refused = (
        count_of(summary.get(name)) for name in ("added", "removed", "relabelled", "refused")
    )
    holds = summary.get("held")
    rules = [hold.get("rules") for hold in holds if isinstance(hold, dict)] if isinstance(holds, list) else []
    held = sum(len(ids) for ids in rules if isinstance(ids, list))
    problems = texts_of(summary.get("problems"), MESSAGE_LIMIT)
    return TrueUpResult(RuleCounts(added, removed, relabelled, held, refused), seconds, problems=problems)


def true_up_locally(aws: Aws, settings: Settings, confirmed: Sequence[GuardHold] = ()) -> TrueUpResult:
    """Runs the engine in this process with the operator's permissions. A failure keeps what was changed before it.

    Like the function, it waits for its own Region as long as needed, and for no other. Raises Retry immediately where
    its own Region does not answer.
    """
    home, audit_events, failure = settings.region, list[AuditEvent](), None
    began = time.monotonic()
    table = table_name(settings.cluster)
    before = region_services(aws.client, home, table).security_groups.rules(settings.security_groups)
    patient = partial(aws.client, patient=True)
    regions = {
        region: region_services(patient if region == home else aws.client, region, table) for region in settings.regions
    }
    digests: Sequence[str | None] = [hold.digest for hold in confirmed] or [None]
    with worker_threads(len(regions)) as pool:
        services = Services(home_services(patient, home), regions, SystemClock(), Threads(pool), audit_events.append)
        try:
            reconcile([TrueUp("by hand", confirm=digest) for digest in digests], services, settings)
        except RingfenceError as error:
            failure = str(error)
    changed = changes(settings.cluster, audit_events, {rule.id: rule for rules in before.values() for rule in rules})
    problems = [event.what for event in audit_events if isinstance(event, Problem)]
    problems += [f"{event.region}: {event.error}" for event in audit_events if isinstance(event, RegionFailed)]
    return TrueUpResult(
        _counts(changed),
        time.monotonic() - began,
        tuple(changed),
        tuple(problem for problem in dict.fromkeys(problems) if problem != failure),
        failure,
    )


def _counts(changed: Sequence[Change]) -> RuleCounts:
    counts = {action: sum(change.action is action and not change.observed for change in changed) for action in Action}
    return RuleCounts(
        counts[Action.ADD],
        counts[Action.REMOVE],
        counts[Action.RELABEL],
        counts[Action.HOLD],
        counts[Action.REFUSE],
    )
