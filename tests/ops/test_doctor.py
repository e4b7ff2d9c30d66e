"""The checks of an examination: a healthy cluster has no finding, and each thing that is wrong has its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.ports import PortRange, Ports
from ringfence_ops.doctor.access import check_access
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
from ringfence_ops.doctor.finding import Finding, Severity, worst
from ringfence_ops.doctor.security_groups import check_groups, check_room
from ringfence_ops.doctor.stack import KEYS, Expected, check_agreement, check_deployment, period
from ringfence_ops.logs.audit_log import Reconciled, RuleChange, Turn
from tests.unit.builders import DB, EAST, GROUP, I1, NOW, TCP, WEST, WEST_DB, address, instance, label, rule, settings

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
SELF = replace(rule("sgr-self", None), source_group=GROUP)
ADMITTED = rule("sgr-1", address(1), label(I1))
EXPECTED = Expected(settings(), PARAMETERS)


def expected(**changes: Any) -> Expected:
    return Expected(settings(**changes), PARAMETERS)


def security_group(*rules: Any, **tags: str) -> dict[Any, SecurityGroup]:
    return {GROUP: SecurityGroup(GROUP, {"ringfence-cluster": "demo", **tags}, rules or (SELF, ADMITTED))}


def scaling_group(maximum: int = 4, hooks: Sequence[Hook] = HOOKS, state: str = "InService") -> dict[str, ScalingGroup]:
    return {DB.asg: ScalingGroup(DB.asg, maximum, {I1: state}, tuple(hooks))}


def chart(**changes: Any) -> Chart:
    """A healthy east, but for what is changed."""
    healthy = Chart(
        region=EAST,
        at=NOW,
        stack=Stack("UPDATE_COMPLETE", PARAMETERS),
        function=Function("Active", ENVIRONMENT, "arn:aws:iam::123456789012:role/engine"),
        event_source=EventSource("Enabled", QUEUE),
        event_rule=EventRule(is_enabled=True, targets=(QUEUE,)),
        schedule=Schedule(is_enabled=True, expression="rate(1 minute)", target=QUEUE),
        queue=Queue(QUEUE, 0),
        dead_letters=Queue(DEAD, 0),
        table=Table("ACTIVE", KEYS, {DB: "0.1.0"}),
        scaling_groups=scaling_group(),
        security_groups=security_group(),
        instances={I1: instance(I1, address(1))},
        log=Log((Reconciled(NOW - 30, EAST, ("schedule now",)),), ()),
        skew=0.4,
        own_grants={"ec2:AuthorizeSecurityGroupIngress": Grant.ALLOWED},
        engine_grants={("dynamodb:Query", WEST): Grant.ALLOWED},
    )
    return replace(healthy, **changes)


def examined(of: Chart, by: Expected = EXPECTED) -> list[Finding]:
    """Every check of one Region."""
    found = [*check_deployment(of, by), *check_groups(of, by), *check_access(of, by)]
    return [*found, *check_room([of], [by])]


def only(findings: Sequence[Finding]) -> Finding:
    """The one finding that is not well; every other check must be."""
    (wrong,) = [finding for finding in findings if finding.severity is not Severity.OK]
    return wrong


def test_a_healthy_region_passes_every_check() -> None:
    findings = examined(chart())
    assert worst(findings) is Severity.OK
    checks = ["stack", "engine", "events", "queue", "dead letters", "schedule", "table", "hooks"]
    checks += ["groups", "addresses", "rivals", "clock", "your access", "engine's access", "room"]
    assert [finding.check for finding in findings] == checks


WRONG: list[tuple[str, Severity, str, Callable[[], Chart]]] = [
    ("stack", Severity.PROBLEM, "is UPDATE_ROLLBACK_FAILED", lambda: chart(stack=Stack("UPDATE_ROLLBACK_FAILED", {}))),
    ("stack", Severity.WARNING, "is being changed", lambda: chart(stack=Stack("UPDATE_IN_PROGRESS", {}))),
    (
        "stack",
        Severity.PROBLEM,
        "Ports is 'tcp/1', the cluster file says 'auto'",
        lambda: chart(stack=Stack("CREATE_COMPLETE", PARAMETERS | {"Ports": "tcp/1"})),
    ),
    ("engine", Severity.PROBLEM, "does not exist", lambda: chart(function=None)),
    ("engine", Severity.PROBLEM, "is Pending", lambda: chart(function=Function("Pending", ENVIRONMENT, ""))),
    (
        "engine",
        Severity.PROBLEM,
        "other settings than the cluster file's: rules quota",
        lambda: chart(function=Function("Active", ENVIRONMENT | {"RINGFENCE_RULES_QUOTA": "100"}, "")),
    ),
    (
        "engine",
        Severity.PROBLEM,
        "RINGFENCE_MODE: must be one of observe, owned, mirror, got 'no'",
        lambda: chart(function=Function("Active", ENVIRONMENT | {"RINGFENCE_MODE": "no"}, "")),
    ),
    ("events", Severity.PROBLEM, "does not exist", lambda: chart(event_rule=None)),
    ("events", Severity.PROBLEM, "is disabled", lambda: chart(event_rule=EventRule(False, (QUEUE,)))),
    ("events", Severity.PROBLEM, "does not send to the queue", lambda: chart(event_rule=EventRule(True, (DEAD,)))),
    ("queue", Severity.PROBLEM, "the queue ringfence-demo.fifo does not exist", lambda: chart(queue=None)),
    ("queue", Severity.PROBLEM, "nothing takes messages", lambda: chart(event_source=None)),
    ("queue", Severity.PROBLEM, "is Disabled", lambda: chart(event_source=EventSource("Disabled", QUEUE))),
    ("dead letters", Severity.PROBLEM, "2 events could not be handled", lambda: chart(dead_letters=Queue(DEAD, 2))),
    ("dead letters", Severity.PROBLEM, "does not exist", lambda: chart(dead_letters=None)),
    ("schedule", Severity.PROBLEM, "does not exist", lambda: chart(schedule=None)),
    ("schedule", Severity.PROBLEM, "is disabled", lambda: chart(schedule=Schedule(False, "rate(1 minute)", QUEUE))),
    ("schedule", Severity.PROBLEM, "no true-up of the schedule", lambda: chart(log=Log((), ()))),
    (
        "schedule",
        Severity.PROBLEM,
        "the last true-up was 181 s ago, and one is due every 60 s",
        lambda: chart(log=Log((Reconciled(NOW - 181, EAST, ("schedule then",)), Reconciled(NOW, EAST, ("1",))), ())),
    ),
    (
        "schedule",
        Severity.PROBLEM,
        "the last true-up failed: denied",
        lambda: chart(log=Log((Reconciled(NOW - 9, EAST, ("schedule now",), "denied"),), ())),
    ),
    ("table", Severity.PROBLEM, "does not exist", lambda: chart(table=None)),
    ("table", Severity.PROBLEM, "other keys: id (HASH)", lambda: chart(table=Table("ACTIVE", (("id", "HASH"),), {}))),
    ("table", Severity.PROBLEM, "is DELETING", lambda: chart(table=Table("DELETING", KEYS, {}))),
    ("hooks", Severity.PROBLEM, "the Auto Scaling group db does not exist", lambda: chart(scaling_groups={})),
    (
        "hooks",
        Severity.PROBLEM,
        "db: has no hook ringfence-demo-terminate",
        lambda: chart(scaling_groups=scaling_group(hooks=HOOKS[:1])),
    ),
    (
        "hooks",
        Severity.PROBLEM,
        "heartbeat 3600 instead of 300, default result ABANDON instead of CONTINUE",
        lambda: chart(
            scaling_groups=scaling_group(
                hooks=(replace(HOOKS[0], heartbeat=3600, default_result="ABANDON"), HOOKS[1]),
            )
        ),
    ),
    ("groups", Severity.PROBLEM, "sg-1 does not exist", lambda: chart(security_groups={})),
    (
        "groups",
        Severity.PROBLEM,
        "lacks the tag ringfence-cluster=demo",
        lambda: chart(security_groups={GROUP: SecurityGroup(GROUP, {}, (SELF,))}),
    ),
    (
        "addresses",
        Severity.PROBLEM,
        "i-1: no public-ipv4 address",
        lambda: chart(instances={I1: instance(I1, private_ipv4=(Cidr("10.0.0.1/32"),))}),
    ),
    (
        "rivals",
        Severity.WARNING,
        "tagged as Terraform's",
        lambda: chart(security_groups=security_group(by="Terraform")),
    ),
    ("clock", Severity.WARNING, "6 s ahead of AWS's", lambda: chart(skew=6.1)),
    ("clock", Severity.PROBLEM, "200 s behind AWS's", lambda: chart(skew=-200.0)),
    (
        "your access",
        Severity.WARNING,
        "you may not ec2:RevokeSecurityGroupIngress",
        lambda: chart(own_grants={"ec2:RevokeSecurityGroupIngress": Grant.DENIED}),
    ),
    (
        "engine's access",
        Severity.PROBLEM,
        "the engine may not dynamodb:Query in us-west-2",
        lambda: chart(engine_grants={("dynamodb:Query", WEST): Grant.DENIED, ("dynamodb:Query", EAST): Grant.ALLOWED}),
    ),
    (
        "room",
        Severity.PROBLEM,
        "sg-1 needs 61 of 60 IPv4 rules for 60 members at all groups' MaxSize",
        lambda: chart(scaling_groups=scaling_group(maximum=60)),
    ),
    (
        "room",
        Severity.WARNING,
        "56 of 60 IPv4 rules for 55 members at all groups' MaxSize, 62 while 6 more replace others",
        lambda: chart(scaling_groups=scaling_group(maximum=55)),
    ),
]


@pytest.mark.parametrize(
    ("check", "severity", "said", "broken"), WRONG, ids=[f"{case[0]}: {case[2][:40]}" for case in WRONG]
)
def test_what_is_wrong_is_found_by_its_own_check_and_says_how_to_mend_it(
    check: str, severity: Severity, said: str, broken: Callable[[], Chart]
) -> None:
    found = only(examined(broken()))
    assert (found.check, found.severity) == (check, severity)
    assert said in found.said
    assert found.mend


def test_a_region_without_a_stack_is_not_reproached_for_each_of_its_parts() -> None:
    gone: dict[str, Any] = dict.fromkeys(("stack", "function", "event_source", "event_rule", "schedule", "queue"))
    findings = list(check_deployment(chart(**gone), EXPECTED))
    assert [(finding.check, finding.mend) for finding in findings] == [("stack", "ringfence deploy us-east-1")]


@pytest.mark.parametrize(
    ("part", "checks"),
    [
        ("stack", ["stack"]),
        ("function", ["engine"]),
        ("event_rule", ["events"]),
        ("event_source", ["queue"]),
        ("dead_letters", ["dead letters"]),
        ("schedule", ["schedule"]),
        ("table", ["table"]),
        ("scaling_groups", ["hooks"]),
        ("security_groups", ["groups"]),
        ("instances", ["addresses"]),
        ("log", ["schedule", "rivals"]),
        ("skew", ["clock"]),
        ("own_grants", ["your access"]),
        ("engine_grants", ["engine's access"]),
    ],
)
def test_what_could_not_be_read_is_neither_well_nor_broken(part: str, checks: list[str]) -> None:
    findings = examined(chart(**{part: Unread("AccessDenied")}))
    wrong = [finding for finding in findings if finding.severity is not Severity.OK]
    assert [(finding.check, finding.severity, finding.said) for finding in wrong] == [
        (check, Severity.WARNING, "not checked: AccessDenied") for check in checks
    ]


def test_auto_needs_a_group_that_admits_itself() -> None:
    findings = list(check_groups(chart(security_groups=security_group(ADMITTED)), EXPECTED))
    assert "admits itself on no port" in only(findings).said
    explicit = expected(ports=Ports((TCP,)))
    assert worst(check_groups(chart(security_groups=security_group(ADMITTED)), explicit)) is Severity.OK


def test_an_instance_that_is_on_its_way_may_still_lack_an_address() -> None:
    waiting = chart(instances={I1: instance(I1)}, scaling_groups=scaling_group(state="Pending:Wait"))
    assert worst(check_groups(waiting, EXPECTED)) is Severity.OK


def put_back(times: int, drift: bool = True) -> Log:
    change = RuleChange(NOW, EAST, Turn.ADDED, WEST, GROUP, RuleId("sgr-1"), address(1), "tcp/9042", drift=drift)
    return Log((Reconciled(NOW - 30, EAST, ("schedule now",)),), (change,) * times)


def test_a_rule_that_is_put_back_again_and_again_has_a_rival() -> None:
    found = only(list(check_groups(chart(log=put_back(3)), EXPECTED)))
    assert "198.18.0.1/32 tcp/9042 was put back 3 times in sg-1" in found.said
    assert "--region us-west-2" in found.mend


@pytest.mark.parametrize("log", [put_back(2), put_back(9, drift=False)])
def test_a_rule_that_is_put_back_now_and_then_or_is_new_has_none(log: Log) -> None:
    assert worst(check_groups(chart(log=log), EXPECTED)) is Severity.OK


def room(of: Settings, *groups: Chart) -> list[str]:
    return [finding.said for finding in check_room(groups, [Expected(of, PARAMETERS), expected(region=WEST)])]


def test_room_is_counted_for_every_regions_members_on_every_port_and_for_all_others_rules() -> None:
    two_ports = settings(ports=Ports((TCP, PortRange("tcp", 7000, 7001))), static_members=(Cidr("192.0.2.0/24"),))
    west = chart(region=WEST, scaling_groups={"web": ScalingGroup("web", 10, {}, ())}, security_groups={})
    # 14 members and a static one on two ranges each, and the rule that names the group itself.
    assert room(two_ports, chart(), west) == [
        "sg-1 needs 31 of 60 IPv4 rules for 14 members, 35 while 2 more replace others"
    ]


def test_room_is_counted_apart_for_each_family() -> None:
    both = settings(address_kinds=frozenset({AddressKind.PUBLIC_IPV4, AddressKind.PRIVATE_IPV4, AddressKind.IPV6}))
    foreign = rule("sgr-9", Cidr("2001:db8::/64"))
    said = room(both, chart(security_groups=security_group(SELF, foreign)))
    assert said[0].startswith("sg-1 needs 9 of 60 IPv4 rules for 4 members")
    assert said[1].startswith("sg-1 needs 6 of 60 IPv6 rules for 4 members")


def test_room_says_which_regions_it_could_not_count() -> None:
    assert "us-west-2 not counted" in room(settings(), chart())[0]


def test_engines_of_two_versions_are_told_apart() -> None:
    west = chart(region=WEST, table=Table("ACTIVE", KEYS, {WEST_DB: "0.2.0"}))
    (found,) = check_agreement([chart(), west])
    assert found.said == "the engines differ: 0.1.0 in us-east-1, 0.2.0 in us-west-2"
    (same,) = check_agreement([chart(), replace(west, table=Table("ACTIVE", KEYS, {WEST_DB: "0.1.0"}))])
    assert same.severity is Severity.OK


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(2 hours)", 7200), ("cron(0 * * * ? *)", None)]
)
def test_the_period_of_a_schedule_is_read_off_its_expression(expression: str, seconds: int | None) -> None:
    assert period(expression) == seconds


def test_a_schedule_without_a_period_is_only_asked_to_have_fired() -> None:
    cron = chart(
        schedule=Schedule(True, "cron(0 * * * ? *)", QUEUE),
        log=Log((Reconciled(NOW - 3000, EAST, ("schedule then",)),), ()),
    )
    assert worst(check_deployment(cron, EXPECTED)) is Severity.OK
