"""Reads the facts of one Region: all parts concurrently and independently, so that one that fails or hangs hides no
other.

Changes nothing: permissions are tested by dry runs and with IAM's policy simulator. Judges nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ringfence.aws.assembly import ClientOf, home_services
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsSecurityGroups
from ringfence.aws.error_codes import dry_run_allowed, is_absent, is_absent_stack
from ringfence.core.errors import NotDeployed
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.observation import Instance
from ringfence.core.rule_count import prefix_lists_of
from ringfence_ops.aws.errors import in_one_line
from ringfence_ops.doctor.facts import (
    AccessFacts,
    DeployedStack,
    EventRule,
    EventSource,
    Function,
    Grant,
    GroupFacts,
    Hook,
    Log,
    Queue,
    RegionFacts,
    ScalingGroup,
    Schedule,
    SecurityGroup,
    StackFacts,
    Table,
    TableContent,
    Unread,
)
from ringfence_ops.doctor.stack import Expected, period
from ringfence_ops.logs.audit_log import AuditLog, log_group
from ringfence_ops.logs.cloudtrail import EventHistory
from ringfence_ops.logs.json_values import ID_LIMIT, text_of
from ringfence_ops.repair.stack_repair import StackRepair
from ringfence_ops.state.region_snapshot import observe
from ringfence_ops.state.unowned_rules import UnownedRule, judged, with_callers

T = TypeVar("T")
SERVICES = (
    "ec2",
    "autoscaling",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "dynamodb",
    "events",
    "iam",
    "lambda",
    "logs",
    "s3",
    "scheduler",
    "sqs",
    "sts",
)
"""The services that `Reader` calls."""

CHANGES_BACK = 24 * 3600
RECONCILES_BACK = 1200
"""Seconds of the log that are read. For a slow schedule, reconciles are read back for three of its periods."""

_DOCUMENTATION_RULE = {"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
"""The rule of the dry runs: the discard port, for an address reserved for documentation (RFC 5737)."""

_IN_EACH_GROUP = ("ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress")
_LEADING_KEYS = "dynamodb:LeadingKeys"
_IN_EACH_TABLE = ("dynamodb:Query", "dynamodb:DescribeTable", "dynamodb:PutItem", "dynamodb:DeleteItem")
_IN_EACH_REGION = ("ec2:DescribeManagedPrefixLists", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups")
_AT_HOME = ("autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeWarmPool", "ec2:DescribeInstances")
"""Calls that name no resource."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one Region. `cluster` is what is expected of every Region, including this one."""

    client_of: ClientOf
    expected: Expected
    cluster: Sequence[Expected]

    def facts(self) -> RegionFacts:
        """The facts. An error of AWS is not raised: it is part of the facts, as Unread."""
        name = self.expected.name
        with ThreadPoolExecutor(16) as pool:

            def start(**reads: Callable[[], object]) -> dict[str, Future[Any]]:
                return {part: pool.submit(self._part, read) for part, read in reads.items()}

            (function,) = start(function=self._function).values()
            resources = start(
                stack=self._stack,
                event_source=self._event_source,
                event_rule=self._event_rule,
                schedule=self._schedule,
                queue=lambda: self._queue(f"{name}.fifo"),
                dead_letters=lambda: self._queue(f"{name}-dead.fifo"),
                table=self._table,
            )
            (drift,) = start(drift=lambda: StackRepair(self._client, name).find()).values()
            (rows,) = start(rows=self._rows).values()
            groups = start(
                scaling_groups=self._scaling_groups, security_groups=self._security_groups, instances=self._instances
            )
            (log,) = start(log=self._log).values()
            access = start(skew=self._skew, own_grants=self._own_grants)
            unowned = pool.submit(self._part, lambda: self._unowned(rows.result(), groups["security_groups"].result()))
            deployed = function.result()
            if isinstance(deployed, Function):
                access |= start(engine_grants=lambda: self._engine_grants(deployed.role))
        return RegionFacts(
            self.region,
            time.time(),
            StackFacts(function=deployed, **_results(resources)),
            GroupFacts(**_results(groups)),
            log.result(),
            AccessFacts(**_results(access)),
            TableContent(rows.result(), unowned.result() or ()),
            drift.result(),
        )

    @property
    def region(self) -> Region:
        """The Region that is read."""
        return self.expected.region

    def _part(self, read: Callable[[], T]) -> T | Unread | None:
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

    def _client(self, service: str) -> Any:
        return self.client_of(service, self.region)

    def _stack(self) -> DeployedStack | None:
        try:
            described = self._client("cloudformation").describe_stacks(StackName=self.expected.name)["Stacks"]
        except ClientError as error:
            if is_absent_stack(error):
                return None
            raise
        parameters = {
            parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described[0].get("Parameters", [])
        }
        return DeployedStack(described[0]["StackStatus"], parameters)

    def _function(self) -> Function:
        described = self._client("lambda").get_function_configuration(FunctionName=self.expected.name)
        environment = described.get("Environment", {}).get("Variables", {})
        return Function(described.get("State", "Active"), environment, described["Role"])

    def _event_source(self) -> EventSource | None:
        listed = self._client("lambda").list_event_source_mappings(FunctionName=self.expected.name)
        for mapping in listed["EventSourceMappings"]:
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
        names = ["QueueArn", "ApproximateNumberOfMessages"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return Queue(attributes["QueueArn"], int(attributes["ApproximateNumberOfMessages"]))

    def _table(self) -> Table:
        dynamodb, name = self._client("dynamodb"), self.expected.name
        described = dynamodb.describe_table(TableName=name)["Table"]
        order = {"HASH": 0, "RANGE": 1}
        keys = sorted(
            ((key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]), key=lambda key: order[key[1]]
        )
        pages = dynamodb.get_paginator("query").paginate(
            TableName=name,
            KeyConditionExpression="#region = :region",
            ProjectionExpression="#region, asg, engine, updated_at",
            ExpressionAttributeNames={"#region": "region"},
            ExpressionAttributeValues={":region": {"S": self.region}},
        )
        rows = {RosterKey(self.region, row["asg"]["S"]): row for page in pages for row in page["Items"]}
        engines, written_at = (
            # The original sample's rows have neither.
            {key: text for key, row in rows.items() if (text := text_of(row.get(name, {}).get("S"), ID_LIMIT))}
            for name in ("engine", "updated_at")
        )
        return Table(described["TableStatus"], tuple(keys), engines, written_at)

    def _rows(self) -> Rows:
        return AwsRosterTable(self._client("dynamodb"), self.region, self.expected.name).rows()

    def _unowned(self, rows: object, groups: object) -> tuple[UnownedRule, ...]:
        """The rules of unknown owner, with who made them if CloudTrail tells."""
        if not isinstance(rows, Rows) or not isinstance(groups, Mapping):
            return ()
        rules = {id: group.rules for id, group in groups.items() if isinstance(group, SecurityGroup)}
        found = judged(self.expected.settings, rules, rows)
        with suppress(ClientError, BotoCoreError):
            return with_callers(found, EventHistory(self._client("cloudtrail"), self.region))
        return found  # their age is unknown

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

    def _security_groups(self) -> Mapping[SecurityGroupId, SecurityGroup]:
        ec2, ids = self._client("ec2"), self.expected.settings.security_groups
        described = ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": list(ids)}])
        tags = {
            SecurityGroupId(group["GroupId"]): {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
            for group in described["SecurityGroups"]
        }
        security_groups = AwsSecurityGroups(ec2, self.region)
        rules = security_groups.rules(tuple(tags)) if tags else {}
        lists = prefix_lists_of(rule for group in rules.values() for rule in group)
        prefix_lists = security_groups.prefix_lists(lists) if lists else {}
        return {id: SecurityGroup(id, tags[id], rules[id], prefix_lists) for id in tags}

    def _instances(self) -> Mapping[InstanceId, Instance]:
        """The instances that EC2 describes. While a zone fails, its instances are missing."""
        observation, _ = observe(home_services(self.client_of, self.region), self.expected.settings)
        return observation.instances

    def _log(self) -> Log:
        log = AuditLog(self._client("logs"), self.region, log_group(self.expected.settings.cluster))
        now, schedule_period = time.time(), period(self.expected.parameters.get("ScheduleExpression", "")) or 0
        reconciles = log.reconciles(now - max(RECONCILES_BACK, 3 * schedule_period))
        return Log(tuple(reconciles), tuple(log.changes(now - CHANGES_BACK)))

    def _skew(self) -> float:
        """Seconds that this machine's clock is ahead of AWS's. `Date` has whole seconds, so AWS's clock is half a
        second past it on average."""
        sent = time.time()
        response = self._client("sts").get_caller_identity()
        here = (sent + time.time()) / 2
        return here - parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp() - 0.5

    def _own_grants(self) -> Mapping[str, Grant]:
        ec2, group = self._client("ec2"), self.expected.settings.security_groups[0]
        calls = {
            "ec2:AuthorizeSecurityGroupIngress": ec2.authorize_security_group_ingress,
            "ec2:RevokeSecurityGroupIngress": ec2.revoke_security_group_ingress,
            "ec2:UpdateSecurityGroupRuleDescriptionsIngress": ec2.update_security_group_rule_descriptions_ingress,
        }
        rule = {"GroupId": group, "IpPermissions": [_DOCUMENTATION_RULE]}
        return {action: _dry_run(partial(call, **rule, DryRun=True)) for action, call in calls.items()}

    def _engine_grants(self, role: str) -> Mapping[tuple[str, Region], Grant]:
        """The permissions of the engine's role in each Region, by IAM's simulator, which knows only the given tags."""
        settings, partition = self.expected.settings, role.split(":")[1]
        groups = [
            f"arn:{partition}:autoscaling:{self.region}:{settings.account}:autoScalingGroup:*:autoScalingGroupName/{name}"
            for name in settings.auto_scaling_groups
        ]
        found = self._simulated(role, self.region, ("autoscaling:CompleteLifecycleAction",), groups)
        found |= self._simulated(role, self.region, _AT_HOME, ["*"])
        for peer in self.cluster:
            found |= self._simulated(role, peer.region, _IN_EACH_REGION, ["*"])
            owner = f"{peer.region}:{settings.account}"
            group_arns = [f"arn:{partition}:ec2:{owner}:security-group/{id}" for id in peer.settings.security_groups]
            found |= self._simulated(role, peer.region, _IN_EACH_GROUP, group_arns)
            tables = [f"arn:{partition}:dynamodb:{owner}:table/{self.expected.name}"]
            found |= self._simulated(role, peer.region, _IN_EACH_TABLE, tables)
        return found

    def _simulated(
        self, role: str, region: Region, actions: Sequence[str], resources: Sequence[str]
    ) -> dict[tuple[str, Region], Grant]:
        """An action counts as allowed if it is allowed on each of the resources.

        Source: IAM API Reference, `SimulatePrincipalPolicy`.
        """
        context = {
            "aws:RequestedRegion": region,
            "aws:ResourceTag/ringfence-cluster": self.expected.settings.cluster,
            _LEADING_KEYS: self.region,  # the engine writes only the rows of its own Region
        }
        response = self.client_of("iam", region).simulate_principal_policy(
            PolicySourceArn=role,
            ActionNames=list(actions),
            ResourceArns=list(resources),
            ContextEntries=[
                {
                    "ContextKeyName": name,
                    "ContextKeyValues": [value],
                    "ContextKeyType": "stringList" if name == _LEADING_KEYS else "string",
                }
                for name, value in context.items()
            ],
        )
        denied = {
            result["EvalActionName"]
            for result in response["EvaluationResults"]
            if result["EvalDecision"] != Grant.ALLOWED.value
        }
        return {(action, region): Grant.DENIED if action in denied else Grant.ALLOWED for action in actions}


def _results(parts: Mapping[str, Future[Any]]) -> dict[str, Any]:
    return {name: part.result() for name, part in parts.items()}


def _dry_run(call: Callable[[], object]) -> Grant:
    """Whether EC2 would allow the call, which has the parameter `DryRun`."""
    try:
        call()
    except ClientError as error:
        allowed = dry_run_allowed(error)
        if allowed is None:
            raise
        return Grant.ALLOWED if allowed else Grant.DENIED
    return Grant.ALLOWED
