"""Reads the path of events of one Region: all parts concurrently, so that one that fails or hangs hides no other.

Changes nothing: permissions are tested with IAM's policy simulator. Judges nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from ringfence.aws.assembly import ClientOf
from ringfence.aws.error_codes import is_absent, is_absent_stack
from ringfence.core.errors import NotDeployed
from ringfence.core.model.identifiers import InstanceId, Region, SecurityGroupId
from ringfence_ops.aws.errors import in_one_line
from ringfence_ops.logs.audit_log import AuditLog, LoggedReconcile, log_group
from ringfence_ops.state.grants import Grants, KnownGrants, Simulation
from ringfence_ops.state.path import (
    DeployedStack,
    EventRule,
    EventSource,
    Expected,
    Function,
    Hook,
    PathFacts,
    Queue,
    ScalingGroup,
    Schedule,
    StackFacts,
    Table,
    Tags,
    Target,
    Unread,
)

T = TypeVar("T")

SERVICES = ("autoscaling", "cloudformation", "dynamodb", "ec2", "events", "iam", "lambda", "logs", "scheduler", "sqs")
"""The services that `PathReader` calls."""

LOOK_BACK = 1200
"""Seconds of the log that are searched for reconciles; for a slow schedule, three of its periods."""


def part(read: Callable[[], T]) -> T | Unread | None:
    """What the function reads; None where it does not exist, and Unread where it could not be read.

    An answer of a form that is not known is not read either: it hides no other part.
    """
    try:
        return read()
    except ClientError as error:
        return None if is_absent(error) else Unread(in_one_line(error))
    except NotDeployed:
        return None
    except Exception as error:  # noqa: BLE001  # rows and log lines are written by others
        return Unread(in_one_line(error))


@dataclass(frozen=True, slots=True)
class PathReader:
    """Reads one Region. `cluster` is what is expected of every Region, including this one."""

    client_of: ClientOf
    expected: Expected
    cluster: Sequence[Expected]
    known_grants: KnownGrants = field(default_factory=KnownGrants)

    def path(self) -> PathFacts:
        """The path. An error of AWS is not raised: it is part of the facts, as Unread."""
        name = self.expected.name
        reads: dict[str, Callable[[], object]] = {
            "stack": self._stack,
            "event_source": self._event_source,
            "event_rule": self._event_rule,
            "schedule": self._schedule,
            "queue": lambda: self._queue(f"{name}.fifo"),
            "dead_letters": lambda: self._queue(f"{name}-dead.fifo"),
            "table": self._table,
            "scaling_groups": self._scaling_groups,
            "tags": self._tags,
            "reconciles": self._reconciles,
        }
        with ThreadPoolExecutor(16) as pool:
            function = pool.submit(part, self._function)
            started = {name: pool.submit(part, read) for name, read in reads.items()}
            deployed = function.result()
            role = deployed.role if isinstance(deployed, Function) else ""
            grants = pool.submit(part, lambda: self._grants(role)) if role else None
            read: dict[str, Any] = {name: future.result() for name, future in started.items()}
        path = {name: read.pop(name) for name in ("scaling_groups", "tags", "reconciles")}
        return PathFacts(
            StackFacts(function=deployed, **read),
            **path,
            engine_grants=(grants.result() if grants is not None else None) or {},
        )

    @property
    def region(self) -> Region:
        """The Region that is read."""
        return self.expected.region

    def _client(self, service: str) -> Any:
        return self.client_of(service, self.region)

    def _stack(self) -> DeployedStack | None:
        try:
            (stack,) = self._client("cloudformation").describe_stacks(StackName=self.expected.name)["Stacks"]
        except ClientError as error:
            if is_absent_stack(error):
                return None
            raise
        if stack["StackStatus"] in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
            return None
        parameters = {
            parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack.get("Parameters", [])
        }
        changed_at = stack.get("LastUpdatedTime") or stack.get("CreationTime")
        return DeployedStack(stack["StackStatus"], parameters, changed_at.timestamp() if changed_at else 0.0)

    def _function(self) -> Function:
        described = self._client("lambda").get_function(FunctionName=self.expected.name)
        function = described["Configuration"]
        return Function(
            state=function.get("State", "Active"),
            environment=function.get("Environment", {}).get("Variables", {}),
            role=function["Role"],
            concurrency=described.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            seconds=function.get("Timeout"),
            handler=function.get("Handler", ""),
            code=function.get("CodeSha256", ""),
            changed_at=_seconds(function.get("LastModified", "")),
        )

    def _event_source(self) -> EventSource | None:
        pages = self._client("lambda").get_paginator("list_event_source_mappings")
        found = [
            EventSource(
                mapping["State"],
                mapping["EventSourceArn"],
                mapping.get("BatchSize"),
                "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
            )
            for page in pages.paginate(FunctionName=self.expected.name)
            for mapping in page["EventSourceMappings"]
        ]
        # A second mapping, of another queue, is not the path's.
        ours = [source for source in found if source.queue.endswith(f":{self.expected.name}.fifo")]
        return next(iter([*ours, *found]), None)

    def _event_rule(self) -> EventRule:
        events = self._client("events")
        described = events.describe_rule(Name=self.expected.name)
        targets = events.list_targets_by_rule(Rule=self.expected.name)["Targets"]
        return EventRule(
            described["State"] == "ENABLED",
            tuple(
                Target(
                    target["Arn"],
                    target.get("SqsParameters", {}).get("MessageGroupId", ""),
                    any(target.get(name) for name in ("Input", "InputPath", "InputTransformer")),
                )
                for target in targets
            ),
            described.get("EventPattern", ""),
        )

    def _schedule(self) -> Schedule:
        described = self._client("scheduler").get_schedule(Name=self.expected.name)
        target = described["Target"]
        return Schedule(
            described["State"] == "ENABLED",
            described["ScheduleExpression"],
            target["Arn"],
            target.get("RoleArn", ""),
            target.get("Input", ""),
            target.get("SqsParameters", {}).get("MessageGroupId", ""),
            is_bounded="StartDate" in described or "EndDate" in described,
        )

    def _queue(self, name: str) -> Queue:
        sqs = self._client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return Queue(
            attributes["QueueArn"],
            int(attributes["ApproximateNumberOfMessages"]),
            attributes.get("Policy", ""),
            attributes.get("RedrivePolicy", ""),
            int(attributes["VisibilityTimeout"]) if "VisibilityTimeout" in attributes else None,
        )

    def _table(self) -> Table:
        described = self._client("dynamodb").describe_table(TableName=self.expected.name)["Table"]
        order = {"HASH": 0, "RANGE": 1}
        keys = sorted(
            ((key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]), key=lambda key: order[key[1]]
        )
        return Table(described["TableStatus"], tuple(keys))

    def _scaling_groups(self) -> Mapping[str, ScalingGroup]:
        autoscaling, names = self._client("autoscaling"), list(self.expected.settings.auto_scaling_groups)
        pages = autoscaling.get_paginator("describe_auto_scaling_groups").paginate(AutoScalingGroupNames=names)
        found = {}
        for group in (group for page in pages for group in page["AutoScalingGroups"]):
            name = group["AutoScalingGroupName"]
            described = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
            hooks = tuple(
                Hook(
                    hook["LifecycleHookName"],
                    hook["LifecycleTransition"],
                    hook["HeartbeatTimeout"],
                    hook["DefaultResult"],
                )
                for hook in described
            )
            instances = {
                InstanceId(instance["InstanceId"]): instance["LifecycleState"] for instance in group["Instances"]
            }
            triggers = group.get("InstanceLifecyclePolicy", {}).get("RetentionTriggers", {})
            retains = triggers.get("TerminateHookAbandon") == "retain"
            found[name] = ScalingGroup(name, group["MaxSize"], instances, hooks, retains)
        return found

    def _tags(self) -> Mapping[SecurityGroupId, Tags]:
        """The tags of the security groups that exist. A filter, unlike ids, does not fail for one that does not."""
        filters = [{"Name": "group-id", "Values": list(self.expected.settings.security_groups)}]
        described = self._client("ec2").describe_security_groups(Filters=filters)
        return {
            SecurityGroupId(group["GroupId"]): {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
            for group in described["SecurityGroups"]
        }

    def _grants(self, role: str) -> Grants:
        simulation = Simulation(self._client("iam"), self.expected, self.cluster, role)
        return self.known_grants.of(self.region, role, simulation.grants)

    def _reconciles(self) -> tuple[LoggedReconcile, ...]:
        log = AuditLog(self._client("logs"), self.region, log_group(self.expected.settings.cluster))
        return tuple(log.reconciles(time.time() - max(LOOK_BACK, 3 * self.expected.period)))


def _seconds(text: str) -> float:
    """A time of Lambda, such as 2026-01-31T12:00:00.000+0000, in epoch seconds; 0 for another text."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
