"""A healthy path of events, with changes."""

import json
from dataclasses import fields, replace
from typing import Any

from ringfence_ops.state.path import (
    DeployedStack,
    EventRule,
    EventSource,
    Expected,
    Function,
    Grant,
    Hook,
    PathFacts,
    Queue,
    ScalingGroup,
    Schedule,
    StackFacts,
    Table,
    Target,
)
from ringfence_ops.state.path_reasons import KEYS
from tests.unit.builders import DB, GROUP, I1, WEST, settings

QUEUE, DEAD = "arn:aws:sqs:us-east-1:123456789012:ringfence-demo.fifo", "arn:dead"
PARAMETERS = {
    "Regions": "us-east-1,us-west-2",
    "Ports": "auto",
    "ScheduleExpression": "rate(1 minute)",
    "LaunchHeartbeat": "300",
    "LaunchDefaultResult": "CONTINUE",
    "TerminateHeartbeat": "900",
    "TerminateDefaultResult": "CONTINUE",
}
ENVIRONMENT = {
    "RINGFENCE_CLUSTER": "demo",
    "RINGFENCE_REGIONS": "us-west-2,us-east-1",
    "RINGFENCE_AUTO_SCALING_GROUPS": "db",
    "RINGFENCE_SECURITY_GROUPS": GROUP,
    "RINGFENCE_ACCOUNT": "123456789012",
    "RINGFENCE_LAUNCH_HOOK": "ringfence-demo-launch",
    "RINGFENCE_TERMINATE_HOOK": "ringfence-demo-terminate",
    "RINGFENCE_TABLE": "ringfence-demo",
    "RINGFENCE_DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
}
HOOKS = (
    Hook("ringfence-demo-launch", "autoscaling:EC2_INSTANCE_LAUNCHING", 300, "CONTINUE"),
    Hook("ringfence-demo-terminate", "autoscaling:EC2_INSTANCE_TERMINATING", 900, "CONTINUE"),
)
PATTERN = {
    "source": ["aws.autoscaling"],
    "detail-type": ["EC2 Instance-launch Lifecycle Action", "EC2 Instance-terminate Lifecycle Action"],
    "detail": {"AutoScalingGroupName": ["db"]},
}
ALLOW = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": QUEUE,
}
POLICY = json.dumps({"Statement": [ALLOW]})
REDRIVE = json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 20})
EXPECTED = Expected(settings(), PARAMETERS)
FUNCTION = Function("Active", ENVIRONMENT, "role", None, 30, "ringfence.runtime.entry.handler")
SOURCE = EventSource("Enabled", QUEUE, 10)
RULE = EventRule(is_enabled=True, targets=(Target(QUEUE, "demo"),), pattern=json.dumps(PATTERN))
SCHEDULE = Schedule(True, "rate(1 minute)", QUEUE, "role", '{"source": "ringfence.schedule"}', "demo")
HEALTHY = PathFacts(
    StackFacts(
        stack=DeployedStack("UPDATE_COMPLETE", PARAMETERS),
        function=FUNCTION,
        event_source=SOURCE,
        event_rule=RULE,
        schedule=SCHEDULE,
        queue=Queue(QUEUE, 0, POLICY, REDRIVE, 35),
        dead_letters=Queue(DEAD, 0),
        table=Table("ACTIVE", KEYS),
    ),
    scaling_groups={DB.asg: ScalingGroup(DB.asg, 4, {I1: "InService"}, HOOKS)},
    tags={GROUP: {"ringfence-cluster": "demo"}},
    reconciles=(),
    engine_grants={("dynamodb:Query", WEST): Grant.ALLOWED},
)
PARTS = {field.name for field in fields(StackFacts)}


def path(**changes: Any) -> PathFacts:
    """The healthy path with other parts."""
    resources = {name: changes.pop(name) for name in list(changes) if name in PARTS}
    return replace(HEALTHY, resources=replace(HEALTHY.resources, **resources), **changes)
