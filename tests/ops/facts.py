"""The facts of a healthy Region, with changes, and what `doctor` finds in them."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Roster
from ringfence_ops.doctor.access import check_access
from ringfence_ops.doctor.alarms import check_alarms
from ringfence_ops.doctor.facts import (
    AccessFacts,
    AlarmFacts,
    DeployedStack,
    EventRule,
    EventSource,
    Function,
    Grant,
    GroupFacts,
    Hook,
    Log,
    Queue,
    QuotaFacts,
    RegionFacts,
    ScalingGroup,
    Schedule,
    SecurityGroup,
    StackFacts,
    Table,
    TableContent,
    Topic,
)
from ringfence_ops.doctor.finding import Finding
from ringfence_ops.doctor.room import check_room
from ringfence_ops.doctor.rows import check_rows
from ringfence_ops.doctor.security_groups import check_groups
from ringfence_ops.doctor.stack import KEYS, Expected, check_stack
from ringfence_ops.logs.audit_log import LoggedReconcile
from ringfence_ops.state.alarms import Alarm, AlarmState, alarm_names
from tests.unit.builders import (
    DB,
    EAST,
    GROUP,
    I1,
    I2,
    NOW,
    WEST,
    WEST_DB,
    address,
    instance,
    label,
    roster,
    rows,
    rule,
    settings,
)

TOPIC = "arn:aws:sns:us-east-1:123456789012:operators"
ALARMS = {name: Alarm(name, AlarmState.OK, NOW, actions=(TOPIC,)) for name in alarm_names("demo")}
QUEUE, DEAD = "arn:aws:sqs:us-east-1:123456789012:ringfence-demo.fifo", "arn:dead"
PARAMETERS = {
    "Regions": "us-east-1,us-west-2",
    "Ports": "auto",
    "ScheduleExpression": "rate(1 minute)",
    "LaunchHeartbeat": "300",
    "LaunchDefaultResult": "CONTINUE",
    "TerminateHeartbeat": "900",
    "TerminateDefaultResult": "CONTINUE",
    "AlarmTopic": TOPIC,
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
SELF = replace(rule("sgr-self", None), source_group=GROUP)
ADMITTED = rule("sgr-1", address(1), label(I1))
EXPECTED = Expected(settings(), PARAMETERS)
WEST_GROUP = SecurityGroupId("sg-00000002")
EXPECTED_WEST = Expected(settings(region=WEST, security_groups=(WEST_GROUP,)), PARAMETERS)


def announcement(region: Region, **fields: Any) -> Roster:
    """What a Region announces: its one Auto Scaling group, and its security group."""
    groups = {"security_groups": (GROUP,), "groups": frozenset({DB.asg}), **fields}
    return Roster(RosterKey(region, ANNOUNCEMENT), 5, **groups)


def security_group(*rules: Any, **tags: str) -> dict[Any, SecurityGroup]:
    """The one security group, tagged as the cluster's."""
    return {GROUP: SecurityGroup(GROUP, {"ringfence-cluster": "demo", **tags}, rules or (SELF, ADMITTED))}


def scaling_group(
    maximum: int = 4, hooks: Sequence[Hook] = HOOKS, state: str = "InService", *, retains: bool = False
) -> dict[str, ScalingGroup]:
    """The one Auto Scaling group, with one instance."""
    return {DB.asg: ScalingGroup(DB.asg, maximum, {I1: state}, tuple(hooks), retains)}


ROWS = rows(
    roster({I1: address(1)}),
    roster({I2: address(2)}, key=WEST_DB),
    announcement(EAST),
    announcement(WEST, security_groups=(WEST_GROUP,)),
)
HEALTHY = RegionFacts(
    region=EAST,
    at=NOW,
    resources=StackFacts(
        stack=DeployedStack("UPDATE_COMPLETE", PARAMETERS),
        function=Function("Active", ENVIRONMENT, "arn:aws:iam::123456789012:role/engine"),
        event_source=EventSource("Enabled", QUEUE),
        event_rule=EventRule(is_enabled=True, targets=(QUEUE,)),
        schedule=Schedule(is_enabled=True, expression="rate(1 minute)", target=QUEUE),
        queue=Queue(QUEUE, 0),
        dead_letters=Queue(DEAD, 0),
        table=Table("ACTIVE", KEYS, {DB: "0.1.0"}),
    ),
    groups=GroupFacts(
        scaling_groups=scaling_group(),
        security_groups=security_group(),
        instances={I1: instance(I1, address(1))},
    ),
    log=Log((LoggedReconcile(NOW - 30, EAST, ("schedule now",)),), ()),
    access=AccessFacts(
        skew=0.4,
        own_grants={"ec2:AuthorizeSecurityGroupIngress": Grant.ALLOWED},
        engine_grants={("dynamodb:Query", WEST): Grant.ALLOWED},
    ),
    content=TableContent(ROWS),
    alarms=AlarmFacts(ALARMS, Topic(("email ops@example.com",))),
    quotas=QuotaFacts(60, 5),
)


def facts(**changes: Any) -> RegionFacts:
    """The east's facts: healthy, except for the changes, each by the name of its part."""
    changed: dict[str, Any] = {}
    for part in ("resources", "groups", "access", "content", "alarms", "quotas"):
        values = getattr(HEALTHY, part)
        named = {field.name: changes.pop(field.name) for field in fields(values) if field.name in changes}
        changed[part] = replace(values, **named)
    return replace(HEALTHY, **changed, **changes)


def findings_of(region: RegionFacts, expected: Expected = EXPECTED) -> list[Finding]:
    """The findings of all checks of one Region."""
    found = [*check_stack(region, expected), *check_groups(region, expected), *check_access(region, expected)]
    found += check_alarms(region, expected)
    found += check_rows([region], {expected.region: expected, WEST: EXPECTED_WEST})
    return [*found, *check_room([region], [expected])]
