"""One look at every Region of a cluster: what stands there, what the engines' workings are at, and what a reconcile
would do now.

Changes nothing, judges nothing. A Region that does not answer is a Region of which nothing is known, and holds up
nobody. Knows no terminal.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ringfence.core.audit_events import AuditEvent
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import NotDeployed
from ringfence.core.model.identifiers import Region, RuleId
from ringfence.core.model.rules import Rule
from ringfence_ops.aws.sessions import Aws, ClientOf, Unreachable
from ringfence_ops.explain.evidence import Investigator
from ringfence_ops.explain.subject import Sight
from ringfence_ops.logs.audit_log import AuditLog, Reconciled, log_group
from ringfence_ops.state.changes import Change, changes
from ringfence_ops.state.dry_run import Rehearsed, rehearse

LOOK_BACK = 1200
"""Seconds of the engine's log that are searched for its last reconcile."""

_ABSENT = {"ResourceNotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}


@dataclass(frozen=True, slots=True)
class Workings:
    """What a Region's engine is at. `queued` and `dead_letters` count messages, about; None where there is no queue.
    `last` is its last reconcile, None where the log tells of none."""

    is_deployed: bool
    queued: int | None
    dead_letters: int | None
    last: Reconciled | None


@dataclass(frozen=True, slots=True)
class Survey:
    """All Regions at `at` (epoch seconds). `unreachable` says of each Region that did not answer why."""

    cluster: str
    at: float
    sights: Mapping[Region, Sight]
    workings: Mapping[Region, Workings]
    rehearsed: Mapping[Region, Rehearsed]
    unreachable: Mapping[Region, str]

    @property
    def entries(self) -> tuple[AuditEvent, ...]:
        """What the reconciles of all Regions would write into their journals."""
        return tuple(entry for one in self.rehearsed.values() for entry in one.entries)

    @property
    def rules(self) -> dict[RuleId, Rule]:
        """Every rule that stands in a group of the cluster."""
        return {rule.id: rule for sight in self.sights.values() for rules in sight.rules.values() for rule in rules}

    @property
    def planned(self) -> list[Change]:
        """What a reconcile of every Region would change now."""
        return changes(self.cluster, self.entries, self.rules)

    @property
    def failures(self) -> dict[Region, str]:
        """Why the reconcile of a Region would fail."""
        return {region: one.failure for region, one in self.rehearsed.items() if one.failure is not None}


def survey(aws: Aws, settings: Mapping[Region, Settings], with_workings: bool = True) -> Survey:
    """Looks at every Region. Raises Refused where there are no credentials."""
    for service in ("ec2", "dynamodb", "autoscaling", *(("sqs", "logs") if with_workings else ())):
        aws.client(service, next(iter(settings)))  # in one thread: the first client of a service reads its model

    def look(region: Region) -> tuple[Sight, Workings | None]:
        one = settings[region]
        with ThreadPoolExecutor(2) as pool:
            sight = pool.submit(Investigator(aws.client, one).sight)
            workings = pool.submit(_workings, aws.client, one) if with_workings else None
            return sight.result(), None if workings is None else workings.result()

    found = aws.each_region(settings, look)
    unreachable = {region: one.reason for region, one in found.items() if isinstance(one, Unreachable)}
    seen = {region: one for region, one in found.items() if not isinstance(one, Unreachable)}
    cluster = next(iter(settings.values())).cluster
    return Survey(
        cluster,
        time.time(),
        {region: sight for region, (sight, _) in seen.items()},
        {region: workings for region, (_, workings) in seen.items() if workings is not None},
        rehearse(aws.client, list(settings.values()), unreachable),
        unreachable,
    )


def _workings(client_of: ClientOf, settings: Settings) -> Workings:
    name = f"ringfence-{settings.cluster}"
    return Workings(
        _is_deployed(client_of, settings.region, name),
        _depth(client_of, settings.region, f"{name}.fifo"),
        _depth(client_of, settings.region, f"{name}-dead.fifo"),
        _last(client_of, settings),
    )


def _is_deployed(client_of: ClientOf, region: Region, table: str) -> bool:
    try:
        client_of("dynamodb", region).describe_table(TableName=table)
    except ClientError as error:
        if _code(error) in _ABSENT:
            return False
        raise
    except NotDeployed:
        return False
    return True


def _depth(client_of: ClientOf, region: Region, queue: str) -> int | None:
    sqs = client_of("sqs", region)
    try:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        asked = ["ApproximateNumberOfMessages"]
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"][asked[0]])
    except ClientError as error:
        if _code(error) in _ABSENT:
            return None
        raise


def _last(client_of: ClientOf, settings: Settings) -> Reconciled | None:
    log = AuditLog(client_of("logs", settings.region), settings.region, log_group(settings.cluster))
    try:
        reconciles = log.reconciles(time.time() - LOOK_BACK)
    except ClientError as error:
        if _code(error) in _ABSENT:
            return None
        raise
    return max(reconciles, key=lambda one: one.at, default=None)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
