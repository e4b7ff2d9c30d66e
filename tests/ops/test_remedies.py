"""Each finding of `doctor` that `deploy` fixes: break it, run the printed remedy word for word, `doctor` finds nothing.

The cluster is real, in the lab. Each breakage is what somebody does by hand with AWS's API.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from ringfence_ops.repair.stack_repair import StackRepair
from tests.ops.repair_lab import EAST, STACK, Operator, operated, policy_text

LAUNCH, TERMINATE = f"{STACK}-launch", f"{STACK}-terminate"


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with operated(tmp_path_factory.mktemp("operator"), EAST) as operator:
        deployed = operator.shell.run("deploy", "--yes")
        assert deployed.code == 0, deployed
        operator.until_clean()
        yield operator


def delete_launch_hook(on: Operator) -> None:
    on.client("autoscaling").delete_lifecycle_hook(AutoScalingGroupName=on.group, LifecycleHookName=LAUNCH)


def change_hook(on: Operator) -> None:
    on.client("autoscaling").put_lifecycle_hook(
        AutoScalingGroupName=on.group, LifecycleHookName=TERMINATE, HeartbeatTimeout=60, DefaultResult="ABANDON"
    )


def disable_rule(on: Operator) -> None:
    on.client("events").disable_rule(Name=STACK)


def change_pattern(on: Operator) -> None:
    on.client("events").put_rule(Name=STACK, EventPattern=json.dumps({"source": ["aws.ec2"]}), State="ENABLED")


def remove_target(on: Operator) -> None:
    on.client("events").remove_targets(Rule=STACK, Ids=["queue"])


def redirect_target(on: Operator) -> None:
    dead = on.client("sqs").get_queue_attributes(QueueUrl=on.resource("DeadLetterQueue"), AttributeNames=["QueueArn"])
    target = {"Id": "queue", "Arn": dead["Attributes"]["QueueArn"], "SqsParameters": {"MessageGroupId": "demo"}}
    on.client("events").put_targets(Rule=STACK, Targets=[target])


def delete_rule(on: Operator) -> None:
    remove_target(on)
    on.client("events").delete_rule(Name=STACK)


def _schedule(on: Operator, **changes: object) -> None:
    scheduler = on.client("scheduler")
    schedule = scheduler.get_schedule(Name=STACK)
    kept = ("ScheduleExpression", "FlexibleTimeWindow", "Target", "State")
    scheduler.update_schedule(Name=STACK, **{name: schedule[name] for name in kept} | changes)


def disable_schedule(on: Operator) -> None:
    _schedule(on, State="DISABLED")


def slow_schedule(on: Operator) -> None:
    _schedule(on, ScheduleExpression="rate(1 day)")


def change_schedule_input(on: Operator) -> None:
    target = on.client("scheduler").get_schedule(Name=STACK)["Target"]
    _schedule(on, Target={**target, "Input": "{}"})


def delete_schedule(on: Operator) -> None:
    on.client("scheduler").delete_schedule(Name=STACK)


def disable_mapping(on: Operator) -> None:
    on.client("lambda").update_event_source_mapping(UUID=on.resource("RingfenceFunctionQueue"), Enabled=False)


def narrow_mapping(on: Operator) -> None:
    on.client("lambda").update_event_source_mapping(UUID=on.resource("RingfenceFunctionQueue"), BatchSize=1)


def delete_mapping(on: Operator) -> None:
    on.client("lambda").delete_event_source_mapping(UUID=on.resource("RingfenceFunctionQueue"))


def replace_mapping(on: Operator) -> None:
    delete_mapping(on)
    queue = on.client("sqs").get_queue_attributes(QueueUrl=on.resource("Queue"), AttributeNames=["QueueArn"])
    arn = queue["Attributes"]["QueueArn"]
    on.client("lambda").create_event_source_mapping(FunctionName=STACK, EventSourceArn=arn, BatchSize=1)


def stop_function(on: Operator) -> None:
    on.client("lambda").put_function_concurrency(FunctionName=STACK, ReservedConcurrentExecutions=0)


def change_environment(on: Operator) -> None:
    client = on.client("lambda")
    variables = client.get_function_configuration(FunctionName=STACK)["Environment"]["Variables"]
    changed = {**variables, "RINGFENCE_RULES_QUOTA": "100", "ADDED": "1"}
    client.update_function_configuration(FunctionName=STACK, Environment={"Variables": changed})


def shorten_timeout(on: Operator) -> None:
    on.client("lambda").update_function_configuration(FunctionName=STACK, Timeout=3, MemorySize=128)


def change_role(on: Operator) -> None:
    role = on.client("iam").get_role(RoleName=on.resource("ScheduleRole"))["Role"]["Arn"]
    on.client("lambda").update_function_configuration(FunctionName=STACK, Role=role)


def change_code(on: Operator) -> None:
    s3, code = on.client("s3"), "other.zip"
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    first = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
    body = s3.get_object(Bucket=bucket, Key=first)["Body"].read()
    s3.put_object(Bucket=bucket, Key=code, Body=body + b"comment")
    on.client("lambda").update_function_code(FunctionName=STACK, S3Bucket=bucket, S3Key=code)


def delete_function(on: Operator) -> None:
    on.client("lambda").delete_function(FunctionName=STACK)


def delete_engine_policy(on: Operator) -> None:
    on.client("iam").delete_role_policy(RoleName=on.resource("EngineRole"), PolicyName="every-region")


def widen_engine_policy(on: Operator) -> None:
    everything = policy_text({"Effect": "Allow", "Action": "*", "Resource": "*"})
    on.client("iam").put_role_policy(
        RoleName=on.resource("EngineRole"), PolicyName="home-region", PolicyDocument=everything
    )


def delete_group_policy(on: Operator) -> None:
    iam, role = on.client("iam"), on.resource("EngineRole")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    iam.delete_role_policy(RoleName=role, PolicyName=next(name for name in names if name.startswith("change-")))


def distrust_lambda(on: Operator) -> None:
    trust = policy_text({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    on.client("iam").update_assume_role_policy(RoleName=on.resource("EngineRole"), PolicyDocument=trust)


def delete_engine_role(on: Operator) -> None:
    iam, role = on.client("iam"), on.resource("EngineRole")
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    iam.delete_role(RoleName=role)


def delete_schedule_policy(on: Operator) -> None:
    on.client("iam").delete_role_policy(RoleName=on.resource("ScheduleRole"), PolicyName="send-true-up")


def remove_queue_policy(on: Operator) -> None:
    on.client("sqs").set_queue_attributes(QueueUrl=on.resource("Queue"), Attributes={"Policy": ""})


def deny_in_queue_policy(on: Operator) -> None:
    deny = policy_text({"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"})
    on.client("sqs").set_queue_attributes(QueueUrl=on.resource("Queue"), Attributes={"Policy": deny})


def change_queue(on: Operator) -> None:
    attributes = {"VisibilityTimeout": "300", "RedrivePolicy": ""}
    on.client("sqs").set_queue_attributes(QueueUrl=on.resource("Queue"), Attributes=attributes)


def delete_queue(on: Operator) -> None:
    on.client("sqs").delete_queue(QueueUrl=on.resource("Queue"))


def delete_dead_letter_queue(on: Operator) -> None:
    on.client("sqs").delete_queue(QueueUrl=on.resource("DeadLetterQueue"))


def delete_table(on: Operator) -> None:
    on.client("dynamodb").delete_table(TableName=STACK)


def stop_recovery(on: Operator) -> None:
    on.client("dynamodb").update_continuous_backups(
        TableName=STACK, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def keep_log_for_ever(on: Operator) -> None:
    on.client("logs").delete_retention_policy(logGroupName=f"/aws/lambda/{STACK}")


def delete_log(on: Operator) -> None:
    on.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{STACK}")


def delete_alarm(on: Operator) -> None:
    on.client("cloudwatch").delete_alarms(AlarmNames=[f"{STACK}-unserved"])


def change_alarm(on: Operator) -> None:
    cloudwatch = on.client("cloudwatch")
    alarm = cloudwatch.describe_alarms(AlarmNames=[f"{STACK}-quota"])["MetricAlarms"][0]
    kept = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "ComparisonOperator")
    settings = {name: alarm[name] for name in kept}
    cloudwatch.put_metric_alarm(**settings, Threshold=1000, EvaluationPeriods=3)


def silence_alarm(on: Operator) -> None:
    on.client("cloudwatch").disable_alarm_actions(AlarmNames=[f"{STACK}-errors"])


def lose_tag(on: Operator) -> None:
    group = on.cluster.regions[EAST].security_group
    on.client("ec2").delete_tags(Resources=[group], Tags=[{"Key": "ringfence-cluster"}])


Breakage = tuple[Callable[[Operator], None], str, str]
"""What somebody does, the check of `doctor` that finds it, and a part of its message."""

ROUNDS: list[list[Breakage]] = [
    [
        (delete_launch_hook, "drift", "does not exist"),
        (change_hook, "drift", "HeartbeatTimeout is 60 instead of 900"),
        (disable_rule, "drift", "State is DISABLED instead of ENABLED"),
        (disable_schedule, "drift", "State is DISABLED instead of ENABLED"),
        (disable_mapping, "drift", "Enabled is false instead of true"),
        (remove_queue_policy, "drift", "the policy of the queue ringfence-demo.fifo does not exist"),
        (stop_function, "drift", "ReservedConcurrency is 0"),
        (delete_engine_policy, "drift", "no every-region"),
        (stop_recovery, "drift", "PointInTimeRecoverySpecification differs"),
        (keep_log_for_ever, "drift", "RetentionInDays is not set instead of 90"),
        (delete_alarm, "drift", "does not exist"),
        (silence_alarm, "drift", "ActionsEnabled is false instead of true"),
        (lose_tag, "groups", "lacks the tag ringfence-cluster"),
    ],
    [
        (change_pattern, "drift", "EventPattern differs"),
        (slow_schedule, "drift", "ScheduleExpression is rate(1 day) instead of rate(1 minute)"),
        (narrow_mapping, "drift", "BatchSize is 1 instead of 10"),
        (deny_in_queue_policy, "drift", "PolicyDocument differs"),
        (change_queue, "drift", "VisibilityTimeout is 300 instead of 35"),
        (change_environment, "drift", "RINGFENCE_RULES_QUOTA is 100 instead of 60"),
        (widen_engine_policy, "drift", "home-region differs"),
        (delete_group_policy, "drift", "does not exist"),
        (change_alarm, "drift", "Threshold is 1000"),
        (delete_schedule_policy, "drift", "no send-true-up"),
    ],
    [
        (redirect_target, "drift", "Targets differs"),
        (change_schedule_input, "drift", "Target differs"),
        (shorten_timeout, "drift", "Timeout is 3 instead of 30"),
        (distrust_lambda, "drift", "AssumeRolePolicyDocument differs"),
        (delete_mapping, "drift", "event source mapping of ringfence-demo does not exist"),
        (delete_queue, "drift", "the queue ringfence-demo.fifo does not exist"),
        (delete_log, "drift", "does not exist"),
    ],
    [
        (delete_rule, "drift", "does not exist"),
        (delete_schedule, "drift", "does not exist"),
        (replace_mapping, "drift", "event source mapping of ringfence-demo does not exist"),
        (change_role, "drift", "Role differs"),
        (delete_table, "drift", "does not exist"),
    ],
    [
        (remove_target, "drift", "no Targets"),
        (change_code, "drift", "Code is changed instead of as deployed"),
        (delete_engine_role, "drift", "does not exist"),
    ],
    [
        (delete_function, "drift", "does not exist"),
        (delete_dead_letter_queue, "drift", "the queue ringfence-demo-dead.fifo does not exist"),
    ],
]
"""Breakages that one deployment fixes together: each takes half a minute, and doctor finds each of them by itself."""


@dataclass(frozen=True, slots=True)
class Played:
    """What `doctor` found after the breakages of a round, and after the remedies that it printed."""

    broken: list[dict[str, str]]
    mended: list[dict[str, str]]


@pytest.fixture(scope="module")
def played() -> dict[int, Played]:
    """The rounds that were played."""
    return {}


def play(operator: Operator, breakages: list[Breakage]) -> Played:
    """Breaks, runs each printed remedy word for word, and waits until `doctor` finds nothing."""
    for breaks, _, _ in breakages:
        breaks(operator)
    broken = operator.findings()
    with suppress(AssertionError):
        for remedy in sorted({one["mend"] for one in broken if one["check"] in ("drift", "groups")}):
            operator.obey(remedy)
        operator.until_clean()
    return Played(broken, operator.findings())


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("number", "breakage"),
    [
        pytest.param(number, breakage, id=breakage[0].__name__)
        for number, breakages in enumerate(ROUNDS)
        for breakage in breakages
    ],
)
def test_the_remedy_of_a_finding_mends_it(
    operator: Operator, played: dict[int, Played], number: int, breakage: Breakage
) -> None:
    # given, and when
    _, check, said = breakage
    if number not in played:
        played[number] = play(operator, ROUNDS[number])
    # then
    found = [one for one in played[number].broken if one["check"] == check]
    assert any(said in one["said"] for one in found), played[number].broken
    assert {one["mend"] for one in found if said in one["said"]} == {f"ringfence deploy {EAST}"}
    assert played[number].mended == []


def test_many_breakages_are_shown_and_repaired_at_once(operator: Operator) -> None:
    # given
    for breaks in (delete_launch_hook, delete_rule, disable_schedule, stop_function, delete_alarm, remove_queue_policy):
        breaks(operator)
    # when
    shown = operator.shell.document("deploy", "--dry-run")
    refused = operator.shell.run("deploy")
    # then
    (stack,) = shown["regions"]
    assert len(stack["repairs"]) == 6
    assert (refused.code, stack["outcome"]) == (64, None)
    assert len(StackRepair(operator.client, STACK).find().repairs) == 6
    # and when
    done = operator.shell.document("deploy", "--yes")
    # then
    assert [one["outcome"] for one in done["regions"]] == ["repaired"]
    assert StackRepair(operator.client, STACK).find().repairs == ()
    operator.until_clean()


def test_a_mapping_that_was_made_again_goes_with_its_stack(operator: Operator) -> None:
    # given
    delete_mapping(operator)
    operator.obey(f"ringfence deploy {EAST}")
    # when
    destroyed = operator.shell.run("destroy", "--confirm", "demo")
    # then
    assert destroyed.code == 0, destroyed
    assert operator.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
