"""Runs the true-up of one Region: by its function, or by the same engine from here.

Raises what botocore raises, and CommandError where there is no function. Knows no terminal.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.core.audit_events import AuditEvent, Problem, RegionFailed
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import RingfenceError
from ringfence.core.events import TrueUp
from ringfence.core.model.identifiers import Region
from ringfence.reconciler.interfaces import HomeServices, RegionServices, Services
from ringfence.reconciler.reconcile import reconcile
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.state.changes import Action, Change, Held, changes
from ringfence_ops.state.machine import Clock, Threads


@dataclass(frozen=True, slots=True)
class Done:
    """What a true-up did. `changes` are told one by one where the engine ran here."""

    added: int = 0
    removed: int = 0
    relabelled: int = 0
    held: int = 0
    refused: int = 0
    seconds: float = 0.0
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()
    failure: str | None = None


def by_function(aws: Aws, cluster: str, region: Region, confirmed: Sequence[Held] = ()) -> Done:
    """The Region's own function does it, once for each digest that is confirmed. Raises CommandError where there is none.

    A true-up may take as long as the function may run, and that is nothing to wait for where the Region does not even
    answer: so it is asked first whether it would take one.
    """
    _invoke(aws, cluster, region, patient=False, InvocationType="DryRun")
    payloads: list[dict[str, object]] = [{"trueup": True, "confirm": one.digest} for one in confirmed]
    done = Done()
    for payload in payloads or [{"trueup": True}]:
        done = _sum(done, _invoked(aws, cluster, region, payload))
    return done


def _invoked(aws: Aws, cluster: str, region: Region, payload: Mapping[str, object]) -> Done:
    began = time.monotonic()
    answer = _invoke(aws, cluster, region, patient=True, Payload=json.dumps(payload))
    said = json.loads(answer["Payload"].read() or b"null")
    seconds = time.monotonic() - began
    if "FunctionError" in answer:
        words = said.get("errorMessage", said) if isinstance(said, dict) else said
        return Done(seconds=seconds, failure=str(words))
    return _summary(said if isinstance(said, dict) else {}, seconds)


def _invoke(aws: Aws, cluster: str, region: Region, patient: bool, **arguments: str) -> Mapping[str, Any]:
    name = f"ringfence-{cluster}"
    try:
        answer: Mapping[str, Any] = aws.client("lambda", region, patient).invoke(FunctionName=name, **arguments)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            raise CommandError(
                f"there is no function {name} in {region}: `ringfence deploy {region}` makes it"
            ) from error
        raise
    return answer


def _summary(said: Mapping[str, Any], seconds: float) -> Done:
    def count(name: str) -> int:
        return int(said.get(name, 0))

    return Done(
        count("added"),
        count("removed"),
        count("relabelled"),
        sum(len(one.get("rules", ())) for one in said.get("held", ())),
        count("refused"),
        seconds,
        problems=tuple(map(str, said.get("problems", ()))),
    )


def _sum(one: Done, other: Done) -> Done:
    return Done(
        one.added + other.added,
        one.removed + other.removed,
        one.relabelled + other.relabelled,
        other.held,
        other.refused,
        one.seconds + other.seconds,
        (*one.changes, *other.changes),
        tuple(dict.fromkeys((*one.problems, *other.problems))),
        one.failure or other.failure,
    )


def from_here(aws: Aws, settings: Settings, confirmed: Sequence[Held] = ()) -> Done:
    """The engine does it here, with the operator's own permissions. What it changed before it failed is told.

    As the function does, it waits for its own Region as long as it takes, and for no other. Raises Retry at once where
    not even its own answers.
    """
    home, entries, failure = settings.region, list[AuditEvent](), None
    began = time.monotonic()
    looking = AwsSecurityGroups(aws.client("ec2", home), home).rules(settings.security_groups)
    standing = {rule.id: rule for rules in looking.values() for rule in rules}
    regions = {region: _ports(aws, region, settings.cluster, patient=region == home) for region in settings.regions}
    own = HomeServices(
        AwsAutoScaling(aws.client("autoscaling", home, patient=True), home),
        AwsInstances(aws.client("ec2", home, patient=True), home),
    )
    with ThreadPoolExecutor(2 * len(regions) + 14) as pool:
        services = Services(own, regions, Clock(), Threads(pool), entries.append)
        try:
            reconcile([TrueUp("by hand", confirm=one) for one in _digests(confirmed)], services, settings)
        except RingfenceError as error:
            failure = str(error)
    changed = changes(settings.cluster, entries, standing)
    counts = {action: sum(change.action is action and not change.observed for change in changed) for action in Action}
    problems = [entry.what for entry in entries if isinstance(entry, Problem)]
    problems += [f"{entry.region}: {entry.error}" for entry in entries if isinstance(entry, RegionFailed)]
    return Done(
        counts[Action.ADD],
        counts[Action.REMOVE],
        counts[Action.RELABEL],
        counts[Action.HOLD],
        counts[Action.REFUSE],
        time.monotonic() - began,
        tuple(changed),
        tuple(problem for problem in dict.fromkeys(problems) if problem != failure),
        failure,
    )


def _digests(confirmed: Sequence[Held]) -> list[str | None]:
    return [one.digest for one in confirmed] or [None]


def _ports(aws: Aws, region: Region, cluster: str, patient: bool) -> RegionServices:
    table = AwsRosterTable(aws.client("dynamodb", region, patient), region, f"ringfence-{cluster}")
    return RegionServices(table, AwsSecurityGroups(aws.client("ec2", region, patient), region))
