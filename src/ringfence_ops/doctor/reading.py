"""Reads the chart of one Region: every part at a time and by itself, so that one that fails or hangs hides no other.

Changes nothing: what is asked of permissions is asked by dry run or of IAM's simulator. Judges nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.core.errors import RingfenceError
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.observation import Instance
from ringfence_ops.aws.errors import in_one_line
from ringfence_ops.aws.sessions import ClientOf
from ringfence_ops.doctor.facts import (
    Chart,
    EventRule,
    EventSource,
    Function,
    Grant,
    Hook,
    Log,
    Queue,
    ScalingGroup,
    Schedule,
    SecurityGroup,
    Stack,
    Table,
    Unread,
)
from ringfence_ops.doctor.stack import Expected, period
from ringfence_ops.logs.audit_log import AuditLog, log_group

T = TypeVar("T")
SERVICES = (
    "ec2",
    "autoscaling",
    "cloudformation",
    "dynamodb",
    "events",
    "iam",
    "lambda",
    "logs",
    "scheduler",
    "sqs",
    "sts",
)
"""Those that a chart is read from."""

CHANGES_BACK = 24 * 3600
RECONCILES_BACK = 1200
"""Seconds for which the log is looked back at; for a slow schedule, three of its periods."""

_ABSENT = {
    "ResourceNotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
}
_DRY_RUN_ALLOWED, _DRY_RUN_DENIED = "DryRunOperation", "UnauthorizedOperation"
_NOBODY = {"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
"""What the dry runs are about: the discard port, for an address of documentation (RFC 5737)."""

_IN_EACH_GROUP = ("ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress")
_IN_EACH_TABLE = ("dynamodb:Query", "dynamodb:PutItem")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one Region's chart. `cluster` is what is expected of every Region, this one's included."""

    client_of: ClientOf
    expected: Expected
    cluster: Sequence[Expected]

    def chart(self) -> Chart:
        """The chart. Never raises for what AWS answers: that stands in the chart."""
        with ThreadPoolExecutor(16) as pool:
            function = pool.submit(self._absent_or_unread, self._function)
            others = {
                name: pool.submit(self._absent_or_unread, read)
                for name, read in {
                    "stack": self._stack,
                    "event_source": self._event_source,
                    "event_rule": self._event_rule,
                    "schedule": self._schedule,
                    "queue": lambda: self._queue(f"{self.expected.name}.fifo"),
                    "dead_letters": lambda: self._queue(f"{self.expected.name}-dead.fifo"),
                    "table": self._table,
                    "scaling_groups": self._scaling_groups,
                    "security_groups": self._security_groups,
                    "instances": self._instances,
                    "log": self._log,
                    "skew": self._skew,
                    "own_grants": self._own_grants,
                }.items()
            }
            found = function.result()
            grants: Any = {}
            if isinstance(found, Function):
                grants = self._absent_or_unread(lambda: self._engine_grants(found.role))
            parts: dict[str, Any] = {name: part.result() for name, part in others.items()}
        return Chart(self.region, time.time(), function=found, engine_grants=grants, **parts)

    @property
    def region(self) -> Region:
        """The Region that is read."""
        return self.expected.region

    def _absent_or_unread(self, read: Callable[[], T]) -> T | Unread | None:
        try:
            return read()
        except ClientError as error:
            absent = error.response.get("Error", {}).get("Code", "") in _ABSENT
            return None if absent else Unread(in_one_line(error))
        except (BotoCoreError, RingfenceError) as error:
            return Unread(in_one_line(error))

    def _client(self, service: str) -> Any:
        return self.client_of(service, self.region)

    def _stack(self) -> Stack | None:
        try:
            described = self._client("cloudformation").describe_stacks(StackName=self.expected.name)["Stacks"]
        except ClientError as error:
            # CloudFormation has no code of its own for it: `ValidationError`, "Stack with id ... does not exist".
            if "does not exist" in str(error):
                return None
            raise
        parameters = {each["ParameterKey"]: each["ParameterValue"] for each in described[0].get("Parameters", [])}
        return Stack(described[0]["StackStatus"], parameters)

    def _function(self) -> Function:
        described = self._client("lambda").get_function_configuration(FunctionName=self.expected.name)
        environment = described.get("Environment", {}).get("Variables", {})
        return Function(described.get("State", "Active"), environment, described["Role"])

    def _event_source(self) -> EventSource | None:
        found = self._client("lambda").list_event_source_mappings(FunctionName=self.expected.name)
        for mapping in found["EventSourceMappings"]:
            return EventSource(mapping["State"], mapping["EventSourceArn"])
        return None

    def _event_rule(self) -> EventRule:
        events = self._client("events")
        described = events.describe_rule(Name=self.expected.name)
        targets = events.list_targets_by_rule(Rule=self.expected.name)["Targets"]
        return EventRule(described["State"] == "ENABLED", tuple(target["Arn"] for target in targets))

    def _schedule(self) -> Schedule:
        described = self._client("scheduler").get_schedule(Name=self.expected.name)
        return Schedule(described["State"] == "ENABLED", described["ScheduleExpression"], described["Target"]["Arn"])

    def _queue(self, name: str) -> Queue:
        sqs = self._client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        asked = ["QueueArn", "ApproximateNumberOfMessages"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"]
        return Queue(attributes["QueueArn"], int(attributes["ApproximateNumberOfMessages"]))

    def _table(self) -> Table:
        dynamodb, name = self._client("dynamodb"), self.expected.name
        described = dynamodb.describe_table(TableName=name)["Table"]
        order = {"HASH": 0, "RANGE": 1}
        keys = sorted(
            ((key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]), key=lambda key: order[key[1]]
        )
        rows = dynamodb.query(
            TableName=name,
            KeyConditionExpression="#region = :region",
            ProjectionExpression="#region, asg, engine",
            ExpressionAttributeNames={"#region": "region"},
            ExpressionAttributeValues={":region": {"S": self.region}},
        )["Items"]
        engines = {
            RosterKey(self.region, row["asg"]["S"]): row["engine"]["S"]
            for row in rows
            if "engine" in row  # a row of the original sample has none
        }
        return Table(described["TableStatus"], tuple(keys), engines)

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
            instances = {InstanceId(one["InstanceId"]): one["LifecycleState"] for one in group["Instances"]}
            found[name] = ScalingGroup(name, group["MaxSize"], instances, hooks)
        return found

    def _security_groups(self) -> Mapping[SecurityGroupId, SecurityGroup]:
        ec2, ids = self._client("ec2"), self.expected.settings.security_groups
        described = ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": list(ids)}])
        tags = {
            SecurityGroupId(group["GroupId"]): {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
            for group in described["SecurityGroups"]
        }
        rules = AwsSecurityGroups(ec2, self.region).rules(tuple(tags)) if tags else {}
        return {id: SecurityGroup(id, tags[id], rules[id]) for id in tags}

    def _instances(self) -> Mapping[InstanceId, Instance]:
        return AwsInstances(self._client("ec2"), self.region).of_groups(self.expected.settings.auto_scaling_groups)

    def _log(self) -> Log:
        log = AuditLog(self._client("logs"), self.region, log_group(self.expected.settings.cluster))
        now, every = time.time(), period(self.expected.parameters.get("ScheduleExpression", "")) or 0
        reconciles = log.reconciles(now - max(RECONCILES_BACK, 3 * every))
        return Log(tuple(reconciles), tuple(log.changes(now - CHANGES_BACK)))

    def _skew(self) -> float:
        """By how much this machine's clock is ahead of the one that writes `Date`, in the middle of its second."""
        asked = time.time()
        answer = self._client("sts").get_caller_identity()
        here = (asked + time.time()) / 2
        return here - parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp() - 0.5

    def _own_grants(self) -> Mapping[str, Grant]:
        ec2, group = self._client("ec2"), self.expected.settings.security_groups[0]
        return {
            f"ec2:{operation}": _dry_run(lambda call=call: call(GroupId=group, IpPermissions=[_NOBODY], DryRun=True))  # type: ignore[misc]  # bound in the loop
            for operation, call in (
                ("AuthorizeSecurityGroupIngress", ec2.authorize_security_group_ingress),
                ("RevokeSecurityGroupIngress", ec2.revoke_security_group_ingress),
                (
                    "UpdateSecurityGroupRuleDescriptionsIngress",
                    ec2.update_security_group_rule_descriptions_ingress,
                ),
            )
        }

    def _engine_grants(self, role: str) -> Mapping[tuple[str, Region], Grant]:
        """What IAM's simulator says of the engine's role, in each Region. It knows no tags but those it is told."""
        settings, partition = self.expected.settings, role.split(":")[1]
        groups = [
            f"arn:{partition}:autoscaling:{self.region}:{settings.account}:autoScalingGroup:*:autoScalingGroupName/{name}"
            for name in settings.auto_scaling_groups
        ]
        found = self._simulated(role, self.region, ("autoscaling:CompleteLifecycleAction",), groups)
        for peer in self.cluster:
            owner = f"{peer.region}:{settings.account}"
            group_arns = [f"arn:{partition}:ec2:{owner}:security-group/{id}" for id in peer.settings.security_groups]
            found |= self._simulated(role, peer.region, _IN_EACH_GROUP, group_arns)
            tables = [f"arn:{partition}:dynamodb:{owner}:table/{self.expected.name}"]
            found |= self._simulated(role, peer.region, _IN_EACH_TABLE, tables)
        return found

    def _simulated(
        self, role: str, region: Region, actions: Sequence[str], resources: Sequence[str]
    ) -> dict[tuple[str, Region], Grant]:
        """An action counts as allowed if it is on each of the resources.

        Source: IAM API Reference, `SimulatePrincipalPolicy`.
        """
        context = {
            "aws:RequestedRegion": region,
            "aws:ResourceTag/ringfence-cluster": self.expected.settings.cluster,
            "dynamodb:LeadingKeys": self.region,  # the engine writes only the rows of its own Region
        }
        answer = self.client_of("iam", region).simulate_principal_policy(
            PolicySourceArn=role,
            ActionNames=list(actions),
            ResourceArns=list(resources),
            ContextEntries=[
                {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for name, value in context.items()
            ],
        )
        denied = {
            result["EvalActionName"]
            for result in answer["EvaluationResults"]
            if result["EvalDecision"] != Grant.ALLOWED.value
        }
        return {(action, region): Grant.DENIED if action in denied else Grant.ALLOWED for action in actions}


def _dry_run(call: Callable[[], object]) -> Grant:
    """What EC2 says of a call that it does not do. Source: EC2 API Reference, common parameter `DryRun`."""
    try:
        call()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code not in (_DRY_RUN_ALLOWED, _DRY_RUN_DENIED):
            raise
        return Grant.ALLOWED if code == _DRY_RUN_ALLOWED else Grant.DENIED
    return Grant.ALLOWED
