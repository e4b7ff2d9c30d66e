"""What can be broken in a Region of the lab, each as a context manager that breaks it and heals it again.

Everything is done as a person would do it by hand, with AWS's own calls. The Region that breaks is the east.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from ringfence_lab.demo.observer import Observer
from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually

NAME = "ringfence-demo"
Breakage = Callable[[Cluster], Any]


def in_east(broken: Callable[[Observer], Iterator[None]]) -> Breakage:
    """A breakage of the east's resources: a generator that breaks, yields, and heals."""
    manager = contextmanager(broken)

    @wraps(broken)
    def of_cluster(cluster: Cluster) -> Any:
        return manager(cluster.regions[EAST])

    return of_cluster


# The events: EventBridge, its schedule, and the queues.


@in_east
def rule_disabled(east: Observer) -> Iterator[None]:
    events = east.client("events")
    events.disable_rule(Name=NAME)
    yield
    events.enable_rule(Name=NAME)


@in_east
def rule_deleted(east: Observer) -> Iterator[None]:
    events = east.client("events")
    rule, targets = events.describe_rule(Name=NAME), events.list_targets_by_rule(Rule=NAME)["Targets"]
    events.remove_targets(Rule=NAME, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=NAME)
    yield
    events.put_rule(Name=NAME, EventPattern=rule["EventPattern"], State="ENABLED")
    events.put_targets(Rule=NAME, Targets=targets)


@in_east
def rule_with_another_pattern(east: Observer) -> Iterator[None]:
    events = east.client("events")
    pattern = events.describe_rule(Name=NAME)["EventPattern"]
    events.put_rule(Name=NAME, EventPattern=json.dumps({"source": ["aws.ec2"]}), State="ENABLED")
    yield
    events.put_rule(Name=NAME, EventPattern=pattern, State="ENABLED")


@in_east
def rule_without_target(east: Observer) -> Iterator[None]:
    events = east.client("events")
    targets = events.list_targets_by_rule(Rule=NAME)["Targets"]
    events.remove_targets(Rule=NAME, Ids=[target["Id"] for target in targets])
    yield
    events.put_targets(Rule=NAME, Targets=targets)


@in_east
def target_with_input(east: Observer) -> Iterator[None]:
    events = east.client("events")
    targets = events.list_targets_by_rule(Rule=NAME)["Targets"]
    events.put_targets(Rule=NAME, Targets=[{**target, "Input": '{"a": 1}'} for target in targets])
    yield
    events.remove_targets(Rule=NAME, Ids=[target["Id"] for target in targets])
    events.put_targets(Rule=NAME, Targets=targets)


def schedule_with(**changes: Any) -> Breakage:
    """The schedule with other fields."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        scheduler = east.client("scheduler")
        found = scheduler.get_schedule(Name=NAME)
        schedule = {name: found[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
        target = {**found["Target"], **changes.pop("target", {})}
        scheduler.update_schedule(**{**schedule, "State": "ENABLED", "Target": target, **changes})
        yield
        scheduler.delete_schedule(Name=NAME)
        scheduler.create_schedule(**schedule, State="ENABLED")

    return changed


@in_east
def schedule_deleted(east: Observer) -> Iterator[None]:
    scheduler = east.client("scheduler")
    found = scheduler.get_schedule(Name=NAME)
    scheduler.delete_schedule(Name=NAME)
    yield
    wanted = {name: found[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.create_schedule(**wanted, State="ENABLED")


def queue_with(**attributes: str) -> Breakage:
    """The queue with other attributes."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        sqs = east.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{NAME}.fifo")["QueueUrl"]
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        yield
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before[name] for name in attributes})

    return changed


def queue_deleted(name: str) -> Breakage:
    """One of the queues is deleted."""

    @in_east
    def deleted(east: Observer) -> Iterator[None]:
        sqs = east.client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        sqs.delete_queue(QueueUrl=url)
        yield
        kept = ("FifoQueue", "ContentBasedDeduplication", "VisibilityTimeout", "Policy", "RedrivePolicy")
        sqs.create_queue(QueueName=name, Attributes={name: found[name] for name in kept if found.get(name)})

    return deleted


@in_east
def dead_letter(east: Observer) -> Iterator[None]:
    sqs = east.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{NAME}-dead.fifo")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId=east.endpoint_url)
    yield
    sqs.purge_queue(QueueUrl=url)


def mapping_with(**changes: Any) -> Breakage:
    """The event source mapping with other fields."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        functions = east.client("lambda")
        (mapping,) = functions.list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], **changes)
        yield
        functions.update_event_source_mapping(
            UUID=mapping["UUID"], Enabled=True, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"]
        )

    return changed


# The function and its role.


@in_east
def never_runs(east: Observer) -> Iterator[None]:
    functions = east.client("lambda")
    functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=0)
    yield
    functions.delete_function_concurrency(FunctionName=NAME)


def function_with(variables: dict[str, str] | None = None, **changes: Any) -> Breakage:
    """The function with other variables or other fields."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        functions = east.client("lambda")
        before = functions.get_function_configuration(FunctionName=NAME)
        environment = {"Variables": before["Environment"]["Variables"] | (variables or {})}
        functions.update_function_configuration(FunctionName=NAME, **{"Environment": environment, **changes})
        yield
        kept = {name: before[name] for name in ("Timeout", "Handler", "Role")}
        wanted = {"Variables": before["Environment"]["Variables"]}
        functions.update_function_configuration(FunctionName=NAME, Environment=wanted, **kept)

    return changed


@in_east
def other_code(east: Observer) -> Iterator[None]:
    """The same code in another archive: its hash differs, as that of a build from another checkout does."""
    functions, s3 = east.client("lambda"), east.client("s3")
    bucket = f"ringfence-artefacts-{EAST}"
    key = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
    archive = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    changed = io.BytesIO(archive)
    with zipfile.ZipFile(changed, "a") as zipped:
        zipped.writestr("note.txt", "changed")
    functions.update_function_code(FunctionName=NAME, ZipFile=changed.getvalue())
    yield
    functions.update_function_code(FunctionName=NAME, ZipFile=archive)


@in_east
def role_without_scan(east: Observer) -> Iterator[None]:
    iam, role = east.client("iam"), engine_role(east)
    policy = iam.get_role_policy(RoleName=role, PolicyName="home-region")["PolicyDocument"]
    kept = [statement for statement in policy["Statement"] if statement["Sid"] != "ReadTable"]
    names = {"RoleName": role, "PolicyName": "home-region"}
    iam.put_role_policy(**names, PolicyDocument=json.dumps({**policy, "Statement": kept}))
    yield
    iam.put_role_policy(**names, PolicyDocument=json.dumps(policy))


@in_east
def another_role(east: Observer) -> Iterator[None]:
    functions, iam = east.client("lambda"), east.client("iam")
    before = functions.get_function_configuration(FunctionName=NAME)["Role"]
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName="some-other-role", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    functions.update_function_configuration(FunctionName=NAME, Role=made)
    yield
    functions.update_function_configuration(FunctionName=NAME, Role=before)
    iam.delete_role(RoleName="some-other-role")


def engine_role(east: Observer) -> str:
    """The name of the function's role."""
    arn: str = east.client("lambda").get_function_configuration(FunctionName=NAME)["Role"]
    return arn.rpartition("/")[2]


@in_east
def log_group_deleted(east: Observer) -> Iterator[None]:
    logs, name = east.client("logs"), f"/aws/lambda/{NAME}"
    logs.delete_log_group(logGroupName=name)
    yield
    logs.create_log_group(logGroupName=name)
    east.true_up()


@in_east
def last_reconcile_failed(east: Observer) -> Iterator[None]:
    east.client("ec2")
    iam, role = east.client("iam"), engine_role(east)
    deny = {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=document)
    east.client("lambda").invoke(FunctionName=NAME, Payload=b'{"trueup": true}')
    iam.delete_role_policy(RoleName=role, PolicyName="deny")
    yield


# Hooks and groups.


def hook_with(**changes: Any) -> Breakage:
    """The launch hook with other fields."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        wanted = launch_hook(east)
        east.client("autoscaling").put_lifecycle_hook(**{**wanted, **changes})
        yield
        east.client("autoscaling").put_lifecycle_hook(**wanted)

    return changed


@in_east
def hook_deleted(east: Observer) -> Iterator[None]:
    wanted = launch_hook(east)
    names = {name: wanted[name] for name in ("AutoScalingGroupName", "LifecycleHookName")}
    east.client("autoscaling").delete_lifecycle_hook(**names)
    yield
    east.client("autoscaling").put_lifecycle_hook(**wanted)


def launch_hook(east: Observer) -> dict[str, Any]:
    """The launch hook, as PutLifecycleHook takes it."""
    (hook,) = east.client("autoscaling").describe_lifecycle_hooks(
        AutoScalingGroupName=east.auto_scaling_group, LifecycleHookNames=[f"{NAME}-launch"]
    )["LifecycleHooks"]
    names = ("AutoScalingGroupName", "LifecycleHookName", "LifecycleTransition", "HeartbeatTimeout", "DefaultResult")
    return {name: hook[name] for name in names}


@in_east
def tag_lost(east: Observer) -> Iterator[None]:
    tags = [{"Key": "ringfence-cluster", "Value": "demo"}]
    east.client("ec2").delete_tags(Resources=[east.security_group], Tags=tags)
    yield
    east.client("ec2").create_tags(Resources=[east.security_group], Tags=tags)


@in_east
def tag_of_another_cluster(east: Observer) -> Iterator[None]:
    for_cluster = {"Resources": [east.security_group]}
    east.client("ec2").create_tags(**for_cluster, Tags=[{"Key": "ringfence-cluster", "Value": "other"}])
    yield
    east.client("ec2").create_tags(**for_cluster, Tags=[{"Key": "ringfence-cluster", "Value": "demo"}])


@in_east
def self_rule_revoked(east: Observer) -> Iterator[None]:
    ec2, group = east.client("ec2"), east.security_group
    pairs = [{"GroupId": group}]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": pairs}
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    yield
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])


# Rules.


def permission(*openings: tuple[str, str]) -> dict[str, Any]:
    """The permission for these CIDRs with their descriptions on the managed port."""
    cidrs = [{"CidrIp": cidr, "Description": description} for cidr, description in openings]
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}


def rules_made(region: str, openings: Callable[[Cluster], list[tuple[str, str]]]) -> Breakage:
    """Rules made by hand, with these CIDRs and descriptions."""

    @contextmanager
    def made(cluster: Cluster) -> Iterator[None]:
        observer = cluster.regions[region]
        ec2, group = observer.client("ec2"), observer.security_group
        wanted = openings(cluster)
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(*wanted)])
        yield
        cidrs = {cidr for cidr, _ in wanted}
        left = [rule["SecurityGroupRuleId"] for rule in observer.rules() if rule.get("CidrIpv4") in cidrs]
        if left:
            ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=left)

    return made


def rule_of_a_departed_instance(cluster: Cluster) -> list[tuple[str, str]]:
    """An owned rule of the east for an instance that its roster does not have."""
    group = cluster.regions[EAST].auto_scaling_group
    return [("198.51.100.7/32", f"ringfence demo {EAST}/{group} i-00000000000000009")]


def leftovers(number: int) -> Callable[[Cluster], list[tuple[str, str]]]:
    """So many owned rules of the east for instances that its roster does not have."""

    def openings(cluster: Cluster) -> list[tuple[str, str]]:
        group = cluster.regions[EAST].auto_scaling_group
        label = f"ringfence demo {EAST}/{group} i-00000000000000"
        return [(f"198.51.100.{n}/32", f"{label}{n:03d}") for n in range(number)]

    return openings


def network_of_no_member(cluster: Cluster) -> list[tuple[str, str]]:
    """A network with the label of a member."""
    west = cluster.regions[WEST]
    return [("10.99.0.0/16", f"ringfence demo {WEST}/{west.auto_scaling_group} i-00000000000000001")]


@contextmanager
def member_not_admitted(cluster: Cluster) -> Iterator[None]:
    """The rule of a member in the east is revoked, and its restoration is left to a true-up."""
    east = cluster.regions[EAST]
    (rule, *_) = [rule for rule in east.rules() if rule["Description"].startswith("ringfence demo ")]
    ids = [rule["SecurityGroupRuleId"]]
    east.client("ec2").revoke_security_group_ingress(GroupId=east.security_group, SecurityGroupRuleIds=ids)
    yield
    east.true_up()


@contextmanager
def full_group(cluster: Cluster) -> Iterator[None]:
    """The east's group is full of foreign rules, and an instance launches."""
    east = cluster.regions[EAST]
    ec2, group = east.client("ec2"), east.security_group
    # The quota counts the rule that names the group itself, too.
    free = 60 - len(east.rules()) - 1
    foreign = [(f"203.0.113.{number}/32", "by hand") for number in range(free)]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(*foreign)])
    east.scale_to(2)
    eventually(lambda: "Pending:Wait" in east.lifecycle_states().values(), 30)
    yield
    ids = [rule["SecurityGroupRuleId"] for rule in east.rules() if rule["Description"] == "by hand"]
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)
    settle(cluster)


@contextmanager
def instance_at_hook(cluster: Cluster) -> Iterator[None]:
    """An instance waits in its hook, because no event reached the engine."""
    east = cluster.regions[EAST]
    east.client("events").disable_rule(Name=NAME)
    east.scale_to(2)
    eventually(lambda: "Pending:Wait" in east.lifecycle_states().values(), 30)
    east.client("events").enable_rule(Name=NAME)
    yield
    settle(cluster)


def settle(cluster: Cluster) -> None:
    """One instance in service in each Region, admitted everywhere."""
    for region in cluster.regions.values():
        region.true_up()
        region.scale_to(1)
    eventually(lambda: all(cluster.is_settled(name, 1) for name in cluster.regions), 60)
    for region in cluster.regions.values():
        region.true_up()


# The table.


def row_with(attributes: dict[str, Any], key: Callable[[Cluster], tuple[str, str]]) -> Breakage:
    """A row of the east's table with other attributes, until a true-up replaces it or it is deleted."""

    @contextmanager
    def changed(cluster: Cluster) -> Iterator[None]:
        east = cluster.regions[EAST]
        region, asg = key(cluster)
        name = {"region": {"S": region}, "asg": {"S": asg}}
        dynamodb = east.client("dynamodb")
        before = dynamodb.get_item(TableName=NAME, Key=name).get("Item")
        dynamodb.put_item(TableName=NAME, Item={**(before or name), **attributes})
        yield
        if before is None:
            dynamodb.delete_item(TableName=NAME, Key=name)
        else:
            dynamodb.put_item(TableName=NAME, Item=before)
        for observer in cluster.regions.values():
            observer.true_up()

    return changed


def own_row(cluster: Cluster) -> tuple[str, str]:
    """The key of the east's roster."""
    return EAST, cluster.regions[EAST].auto_scaling_group


def announcement(_cluster: Cluster) -> tuple[str, str]:
    """The key of what the east announces."""
    return EAST, "(region)"


def row_of_no_region(_cluster: Cluster) -> tuple[str, str]:
    """A key of no Region of the cluster."""
    return "eu-north-1", "db"


def table_made_again(keys: tuple[str, str] | None) -> Breakage:
    """The table is deleted, and made again with other keys, if any. It is healed by one with the right keys."""

    @contextmanager
    def changed(cluster: Cluster) -> Iterator[None]:
        dynamodb = cluster.regions[EAST].client("dynamodb")
        dynamodb.delete_table(TableName=NAME)
        if keys is not None:
            _make_table(dynamodb, *keys)
        yield
        if keys is not None:
            dynamodb.delete_table(TableName=NAME)
        _make_table(dynamodb, "region", "asg")
        for observer in (*cluster.regions.values(), *cluster.regions.values()):
            observer.true_up()

    return changed


def _make_table(dynamodb: Any, *keys: str) -> None:
    dynamodb.create_table(
        TableName=NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
    )


# Regions and services that do not answer.


def fault(region: str, kind: str, service: str | None = None) -> Breakage:
    """A fault of the lab."""

    @contextmanager
    def set_fault(cluster: Cluster) -> Iterator[None]:
        cluster.lab.fault(region, kind, service)
        yield
        cluster.lab.heal()

    return set_fault
