"""One look at every Region of a cluster: what is there, the status of each engine, and what a reconcile would do now.

Changes nothing and judges nothing. A Region that does not answer is reported as unreachable, and delays no other. Knows
no terminal.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ringfence.aws.assembly import ClientOf, table_name
from ringfence.aws.error_codes import is_absent
from ringfence.core.audit_events import AuditEvent
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import NotDeployed
from ringfence.core.model.identifiers import Region, RuleId
from ringfence.core.model.rules import Rule
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.logs.audit_log import AuditLog, LoggedReconcile, log_group
from ringfence_ops.state.changes import Change, changes
from ringfence_ops.state.dry_run import DryRunResult, dry_run
from ringfence_ops.state.region_snapshot import RegionSnapshot, read_region

TIMEOUT = 10.0
"""Seconds that reading a Region may take: some calls after one another. Of a Region that hangs, the first call gives up
in a third of that."""

LOOK_BACK = 1200
"""Seconds of the engine's log that are searched for its last reconcile."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The status of a Region's engine. `queued` and `dead_letters` are approximate counts of messages, None where there
    is no queue. `last_reconcile` is None where the log has none."""

    is_deployed: bool
    queued: int | None
    dead_letters: int | None
    last_reconcile: LoggedReconcile | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All Regions at `at` (epoch seconds). `unreachable` holds the reason for each Region that did not answer."""

    cluster: str
    at: float
    regions: Mapping[Region, RegionSnapshot]
    engines: Mapping[Region, EngineStatus]
    dry_runs: Mapping[Region, DryRunResult]
    unreachable: Mapping[Region, str]

    @property
    def audit_events(self) -> tuple[AuditEvent, ...]:
        """The audit events of a dry run of every Region's reconcile."""
        return tuple(event for result in self.dry_runs.values() for event in result.audit_events)

    @property
    def rules(self) -> dict[RuleId, Rule]:
        """Every rule in a security group of the cluster."""
        return {rule.id: rule for region in self.regions.values() for rules in region.rules.values() for rule in rules}

    @property
    def planned(self) -> list[Change]:
        """What a reconcile of every Region would change now."""
        return changes(self.cluster, self.audit_events, self.rules)

    @property
    def failures(self) -> dict[Region, str]:
        """Why the reconcile of a Region would fail."""
        return {region: result.failure for region, result in self.dry_runs.items() if result.failure is not None}


def take_snapshot(aws: Aws, settings: Mapping[Region, Settings], *, with_engines: bool = True) -> Snapshot:
    """Reads every Region; `with_engines` also reads queues and logs. Raises CommandError where there are no
    credentials."""
    services = ("ec2", "dynamodb", "autoscaling", *(("sqs", "logs") if with_engines else ()))
    aws.prepare(services, next(iter(settings)))

    def read(region: Region) -> tuple[RegionSnapshot, EngineStatus | None]:
        own = settings[region]
        with ThreadPoolExecutor(2) as pool:
            snapshot = pool.submit(read_region, aws.client, own)
            status = pool.submit(_engine_status, aws.client, own) if with_engines else None
            return snapshot.result(), None if status is None else status.result()

    answers = aws.each_region(settings, read, TIMEOUT)
    unreachable = {region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)}
    reachable = {region: answer for region, answer in answers.items() if not isinstance(answer, Unreachable)}
    cluster = next(iter(settings.values())).cluster
    return Snapshot(
        cluster,
        time.time(),
        {region: snapshot for region, (snapshot, _) in reachable.items()},
        {region: status for region, (_, status) in reachable.items() if status is not None},
        dry_run(aws.client, list(settings.values()), unreachable),
        unreachable,
    )


def _engine_status(client_of: ClientOf, settings: Settings) -> EngineStatus:
    name = table_name(settings.cluster)
    return EngineStatus(
        _is_deployed(client_of, settings.region, name),
        _depth(client_of, settings.region, f"{name}.fifo"),
        _depth(client_of, settings.region, f"{name}-dead.fifo"),
        _last_reconcile(client_of, settings),
    )


def _is_deployed(client_of: ClientOf, region: Region, table: str) -> bool:
    try:
        client_of("dynamodb", region).describe_table(TableName=table)
    except ClientError as error:
        if is_absent(error):
            return False
        raise
    except NotDeployed:
        return False
    return True


def _depth(client_of: ClientOf, region: Region, queue: str) -> int | None:
    sqs, attribute = client_of("sqs", region), "ApproximateNumberOfMessages"
    try:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])["Attributes"][attribute])
    except ClientError as error:
        if is_absent(error):
            return None
        raise


def _last_reconcile(client_of: ClientOf, settings: Settings) -> LoggedReconcile | None:
    log = AuditLog(client_of("logs", settings.region), settings.region, log_group(settings.cluster))
    try:
        reconciles = log.reconciles(time.time() - LOOK_BACK)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return max(reconciles, key=lambda reconcile: reconcile.at, default=None)
