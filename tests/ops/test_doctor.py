"""The checks of `doctor`: a healthy cluster has no finding, and each fault has its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ringfence.core.configuration.settings import PrivateAddresses, Settings
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, RosterKey, RuleId
from ringfence.core.model.ports import PortRange, Ports
from ringfence_ops.doctor.facts import (
    DeployedStack,
    EventRule,
    EventSource,
    Function,
    Grant,
    Log,
    Queue,
    RegionFacts,
    ScalingGroup,
    Schedule,
    SecurityGroup,
    Table,
    Unread,
)
from ringfence_ops.doctor.finding import Finding, Severity, worst
from ringfence_ops.doctor.room import check_room
from ringfence_ops.doctor.security_groups import check_groups
from ringfence_ops.doctor.stack import KEYS, Expected, check_stack, check_versions, period
from ringfence_ops.logs.audit_log import LoggedAction, LoggedChange, LoggedReconcile, LoggedRule
from tests.ops.facts import (
    ADMITTED,
    DEAD,
    ENVIRONMENT,
    EXPECTED,
    HOOKS,
    PARAMETERS,
    QUEUE,
    SELF,
    facts,
    findings_of,
    scaling_group,
    security_group,
)
from tests.unit.builders import (
    EAST,
    GROUP,
    I1,
    I2,
    NOW,
    TCP,
    WEST,
    WEST_DB,
    address,
    instance,
    rule,
    settings,
)


def expected(**changes: Any) -> Expected:
    return Expected(settings(**changes), PARAMETERS)


def only(findings: Sequence[Finding]) -> Finding:
    """The one finding that is not OK; every other check must be OK."""
    (wrong,) = [finding for finding in findings if finding.severity is not Severity.OK]
    return wrong


def test_a_healthy_region_passes_every_check() -> None:
    findings = findings_of(facts())
    assert worst(findings) is Severity.OK
    checks = ["stack", "engine", "events", "queue", "dead letters", "schedule", "table", "hooks"]
    checks += ["groups", "addresses", "rivals", "clock", "your access", "engine's access"]
    checks += ["alarms", "notification", "rows", "announcements", "owners", "room"]
    assert [finding.check for finding in findings] == checks


WRONG: list[tuple[str, Severity, str, Callable[[], RegionFacts]]] = [
    (
        "stack",
        Severity.PROBLEM,
        "is UPDATE_ROLLBACK_FAILED",
        lambda: facts(stack=DeployedStack("UPDATE_ROLLBACK_FAILED", {})),
    ),
    ("stack", Severity.WARNING, "is being changed", lambda: facts(stack=DeployedStack("UPDATE_IN_PROGRESS", {}))),
    (
        "stack",
        Severity.PROBLEM,
        "Ports is 'tcp/1', the cluster file says 'auto'",
        lambda: facts(stack=DeployedStack("CREATE_COMPLETE", PARAMETERS | {"Ports": "tcp/1"})),
    ),
    ("engine", Severity.PROBLEM, "does not exist", lambda: facts(function=None)),
    ("engine", Severity.PROBLEM, "is Pending", lambda: facts(function=Function("Pending", ENVIRONMENT, ""))),
    (
        "engine",
        Severity.PROBLEM,
        "its settings differ from the cluster file's: rules quota",
        lambda: facts(function=Function("Active", ENVIRONMENT | {"RINGFENCE_RULES_QUOTA": "100"}, "")),
    ),
    (
        "engine",
        Severity.PROBLEM,
        "RINGFENCE_MODE: must be one of observe, owned, mirror, got 'no'",
        lambda: facts(function=Function("Active", ENVIRONMENT | {"RINGFENCE_MODE": "no"}, "")),
    ),
    ("events", Severity.PROBLEM, "does not exist", lambda: facts(event_rule=None)),
    ("events", Severity.PROBLEM, "is disabled", lambda: facts(event_rule=EventRule(False, (QUEUE,)))),
    ("events", Severity.PROBLEM, "does not send to the queue", lambda: facts(event_rule=EventRule(True, (DEAD,)))),
    ("queue", Severity.PROBLEM, "the queue ringfence-demo.fifo does not exist", lambda: facts(queue=None)),
    ("queue", Severity.PROBLEM, "no function receives the messages", lambda: facts(event_source=None)),
    ("queue", Severity.PROBLEM, "is Disabled", lambda: facts(event_source=EventSource("Disabled", QUEUE))),
    ("dead letters", Severity.PROBLEM, "2 events could not be handled", lambda: facts(dead_letters=Queue(DEAD, 2))),
    ("dead letters", Severity.PROBLEM, "does not exist", lambda: facts(dead_letters=None)),
    ("schedule", Severity.PROBLEM, "does not exist", lambda: facts(schedule=None)),
    ("schedule", Severity.PROBLEM, "is disabled", lambda: facts(schedule=Schedule(False, "rate(1 minute)", QUEUE))),
    ("schedule", Severity.PROBLEM, "the log has no scheduled true-up", lambda: facts(log=Log((), ()))),
    (
        "schedule",
        Severity.PROBLEM,
        "the last true-up was 181 s ago, and one is due every 60 s",
        lambda: facts(
            log=Log((LoggedReconcile(NOW - 181, EAST, ("schedule then",)), LoggedReconcile(NOW, EAST, ("1",))), ())
        ),
    ),
    (
        "schedule",
        Severity.PROBLEM,
        "the last true-up failed: denied",
        lambda: facts(log=Log((LoggedReconcile(NOW - 9, EAST, ("schedule now",), "denied"),), ())),
    ),
    ("table", Severity.PROBLEM, "does not exist", lambda: facts(table=None)),
    ("table", Severity.PROBLEM, "other keys: id (HASH)", lambda: facts(table=Table("ACTIVE", (("id", "HASH"),), {}))),
    ("table", Severity.PROBLEM, "is DELETING", lambda: facts(table=Table("DELETING", KEYS, {}))),
    ("hooks", Severity.PROBLEM, "the Auto Scaling group db does not exist", lambda: facts(scaling_groups={})),
    (
        "hooks",
        Severity.PROBLEM,
        "db: has no hook ringfence-demo-terminate",
        lambda: facts(scaling_groups=scaling_group(hooks=HOOKS[:1])),
    ),
    (
        "hooks",
        Severity.PROBLEM,
        "heartbeat 3600 instead of 300, default result ABANDON instead of CONTINUE",
        lambda: facts(
            scaling_groups=scaling_group(
                hooks=(replace(HOOKS[0], heartbeat=3600, default_result="ABANDON"), HOOKS[1]),
            )
        ),
    ),
    ("groups", Severity.PROBLEM, "sg-00000001 does not exist", lambda: facts(security_groups={})),
    (
        "groups",
        Severity.PROBLEM,
        "lacks the tag ringfence-cluster=demo",
        lambda: facts(security_groups={GROUP: SecurityGroup(GROUP, {}, (SELF,))}),
    ),
    (
        "addresses",
        Severity.PROBLEM,
        "i-1: no public-ipv4 address",
        lambda: facts(instances={I1: instance(I1, private_ipv4=(Cidr("10.0.0.1/32"),))}),
    ),
    (
        "addresses",
        Severity.WARNING,
        "i-1: in service, and EC2 does not show it, so its addresses are not known",
        lambda: facts(instances={}),
    ),
    (
        "addresses",
        Severity.WARNING,
        "only the first 64 addresses of an instance are admitted: i-1 has 65",
        lambda: facts(instances={I1: instance(I1, *(address(number) for number in range(65)))}),
    ),
    (
        "rivals",
        Severity.WARNING,
        "has a tag that names Terraform",
        lambda: facts(security_groups=security_group(by="Terraform")),
    ),
    ("clock", Severity.WARNING, "6 s ahead of AWS's", lambda: facts(skew=6.1)),
    ("clock", Severity.PROBLEM, "200 s behind AWS's", lambda: facts(skew=-200.0)),
    (
        "your access",
        Severity.WARNING,
        "you may not ec2:RevokeSecurityGroupIngress",
        lambda: facts(own_grants={"ec2:RevokeSecurityGroupIngress": Grant.DENIED}),
    ),
    (
        "engine's access",
        Severity.PROBLEM,
        "the engine may not dynamodb:Query in us-west-2",
        lambda: facts(engine_grants={("dynamodb:Query", WEST): Grant.DENIED, ("dynamodb:Query", EAST): Grant.ALLOWED}),
    ),
    (
        "room",
        Severity.PROBLEM,
        "sg-00000001 needs 61 of 60 IPv4 rules for 60 members at all groups' MaxSize",
        lambda: facts(scaling_groups=scaling_group(maximum=60)),
    ),
    (
        "room",
        Severity.WARNING,
        "56 of 60 IPv4 rules for 55 members at all groups' MaxSize, 62 while 6 more replace others",
        lambda: facts(scaling_groups=scaling_group(maximum=55)),
    ),
]


@pytest.mark.parametrize(
    ("check", "severity", "message", "broken"), WRONG, ids=[f"{case[0]}: {case[2][:40]}" for case in WRONG]
)
def test_a_fault_is_found_by_its_own_check_with_a_fix(
    check: str, severity: Severity, message: str, broken: Callable[[], RegionFacts]
) -> None:
    found = only(findings_of(broken()))
    assert (found.check, found.severity) == (check, severity)
    assert message in found.message
    assert found.fix


def test_a_region_without_a_stack_has_one_finding() -> None:
    gone: dict[str, Any] = dict.fromkeys(("stack", "function", "event_source", "event_rule", "schedule", "queue"))
    findings = list(check_stack(facts(**gone), EXPECTED))
    assert [(finding.check, finding.fix) for finding in findings] == [("stack", "ringfence deploy us-east-1")]


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
        ("rows", ["rows"]),
        ("unowned", ["owners"]),
    ],
)
def test_a_part_that_could_not_be_read_is_a_warning(part: str, checks: list[str]) -> None:
    findings = findings_of(facts(**{part: Unread("AccessDenied")}))
    wrong = [finding for finding in findings if finding.severity is not Severity.OK]
    assert [(finding.check, finding.severity, finding.message) for finding in wrong] == [
        (check, Severity.WARNING, "not checked: AccessDenied") for check in checks
    ]


def test_auto_needs_a_group_that_admits_itself() -> None:
    findings = list(check_groups(facts(security_groups=security_group(ADMITTED)), EXPECTED))
    assert "admits itself on no port" in only(findings).message
    explicit = expected(ports=Ports((TCP,)))
    assert worst(check_groups(facts(security_groups=security_group(ADMITTED)), explicit)) is Severity.OK


def test_an_instance_that_is_launching_may_lack_an_address() -> None:
    waiting = facts(instances={I1: instance(I1)}, scaling_groups=scaling_group(state="Pending:Wait"))
    assert worst(check_groups(waiting, EXPECTED)) is Severity.OK


def test_an_instance_that_is_not_seen_is_not_counted_among_those_with_an_address() -> None:
    # given two instances in service, one of which EC2 does not show, and one without an address
    two = {"db": replace(scaling_group()["db"], instances={I1: "InService", I2: "InService"})}
    for seen, messages in (
        ({I1: instance(I1, address(1))}, ["i-2: in service, and EC2 does not show it, so its addresses are not known"]),
        (
            {I1: instance(I1)},
            [
                "i-1: no public-ipv4 address, so no group admits it",
                "i-2: in service, and EC2 does not show it, so its addresses are not known",
            ],
        ),
    ):
        # when
        found = check_groups(facts(instances=seen, scaling_groups=two), EXPECTED)
        # then
        assert [finding.message for finding in found if finding.check == "addresses"] == messages


def put_back(times: int, *, drift: bool = True) -> Log:
    rule = LoggedRule(WEST, GROUP, RuleId("sgr-1"), address(1), "tcp/9042")
    change = LoggedChange(NOW, EAST, LoggedAction.ADDED, rule, drift=drift)
    return Log((LoggedReconcile(NOW - 30, EAST, ("schedule now",)),), (change,) * times)


def test_a_rule_that_is_put_back_repeatedly_has_a_rival() -> None:
    found = only(list(check_groups(facts(log=put_back(3)), EXPECTED)))
    assert "198.18.0.1/32 tcp/9042 was put back 3 times in sg-00000001" in found.message
    assert "--region us-west-2" in found.fix


@pytest.mark.parametrize("log", [put_back(2), put_back(9, drift=False)])
def test_a_rule_that_is_put_back_rarely_or_is_new_has_no_rival(log: Log) -> None:
    assert worst(check_groups(facts(log=log), EXPECTED)) is Severity.OK


def room(of: Settings, *regions: RegionFacts) -> list[str]:
    return [finding.message for finding in check_room(regions, [Expected(of, PARAMETERS), expected(region=WEST)])]


def test_room_counts_the_members_of_all_regions_on_every_port_and_all_other_rules() -> None:
    two_ports = settings(ports=Ports((TCP, PortRange("tcp", 7000, 7001))), static_members=(Cidr("192.0.2.0/24"),))
    west = facts(region=WEST, scaling_groups={"web": ScalingGroup("web", 10, {}, ())}, security_groups={})
    # 14 members and a static one on two ranges each, and the rule that names the group itself.
    assert room(two_ports, facts(), west) == [
        "sg-00000001 needs 31 of 60 IPv4 rules for 14 members, 35 while 2 more replace others"
    ]


def test_room_is_counted_separately_for_each_family() -> None:
    both = settings(address_kinds=frozenset({AddressKind.PUBLIC_IPV4, AddressKind.PRIVATE_IPV4, AddressKind.IPV6}))
    foreign = rule("sgr-9", Cidr("2001:db8::/64"))
    messages = room(both, facts(security_groups=security_group(SELF, foreign), rows=None))
    assert messages[0].startswith("sg-00000001 needs 9 of 60 IPv4 rules for 4 members with up to 2 addresses each")
    assert messages[1].startswith("sg-00000001 needs 6 of 60 IPv6 rules for 4 members,")


def test_many_private_addresses_and_delegated_prefixes_are_findings_where_private_addresses_are_used() -> None:
    # given
    private = tuple(Cidr(f"10.0.0.{number}/32") for number in range(1, 32))
    node = replace(
        instance(I1, address(1), private_ipv4=private),
        primary=private[0],
        prefixes={AddressKind.PRIVATE_IPV4: ("10.0.1.16/28",)},
    )
    kinds = frozenset({AddressKind.PRIVATE_IPV4})

    def said(**changes: Any) -> list[str]:
        found = check_groups(facts(instances={I1: node}), Expected(settings(**changes), PARAMETERS))
        return [f.message for f in found if f.check == "addresses" and f.severity is Severity.WARNING]

    # then
    prefixes = "delegated prefixes are not supported, no group admits them: i-1 has 10.0.1.16/28"
    many = "each private address of an instance takes a rule in every group: i-1 has 31"
    assert said(address_kinds=kinds) == [prefixes, many]
    assert said(address_kinds=kinds, private_addresses=PrivateAddresses.PRIMARY) == [prefixes]
    assert said() == []


def test_an_instance_with_only_a_carrier_address_is_a_finding_that_names_its_kind() -> None:
    carrier = instance(I1, carrier_ipv4=(Cidr("155.146.0.1/32"),))
    assert (
        "i-1 (it has carrier-ipv4): no public-ipv4 address" in only(findings_of(facts(instances={I1: carrier}))).message
    )


def test_room_names_the_regions_that_are_not_counted() -> None:
    assert "us-west-2 not counted" in room(settings(), facts())[0]


def test_engines_of_two_versions_are_a_finding() -> None:
    west, same_version = (
        facts(region=WEST, table=Table("ACTIVE", KEYS, {WEST_DB: version})) for version in ("0.2.0", "0.1.0")
    )
    (found,) = check_versions([facts(), west])
    assert found.message == "the engines' versions differ: 0.1.0 in us-east-1, 0.2.0 in us-west-2"
    (same,) = check_versions([facts(), same_version])
    assert same.severity is Severity.OK


def test_a_row_that_an_earlier_engine_wrote_is_no_finding_after_an_upgrade() -> None:
    engines = {WEST_DB: "0.1.0", RosterKey(WEST, ANNOUNCEMENT): "0.2.0"}
    (same,) = check_versions([facts(region=WEST, table=Table("ACTIVE", KEYS, engines))])
    assert (same.severity, same.message) == (Severity.OK, "all have version 0.2.0")


@pytest.mark.parametrize(
    ("written", "version"),
    [("2026-01-02T00:00:00+00:00", "0.1.0"), ("2026-01-01T00:00:00+00:00", "0.2.0"), ("", "0.2.0")],
    ids=["a downgrade", "an upgrade", "no time"],
)
def test_a_roster_that_an_engine_without_announcements_wrote_later_shows_a_downgrade(
    written: str, version: str
) -> None:
    announcement = RosterKey(WEST, ANNOUNCEMENT)
    engines = {WEST_DB: "0.1.0", announcement: "0.2.0"}
    times = {WEST_DB: written, announcement: "2026-01-01T12:00:00+00:00"}
    (found,) = check_versions([facts(region=WEST, table=Table("ACTIVE", KEYS, engines, times))])
    assert found.message == f"all have version {version}"


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(2 hours)", 7200), ("cron(0 * * * ? *)", None)]
)
def test_the_period_of_a_schedule_comes_from_its_expression(expression: str, seconds: int | None) -> None:
    assert period(expression) == seconds


def test_a_group_that_retains_what_is_abandoned_is_a_warning_if_an_unanswered_termination_is_abandoned() -> None:
    # given
    abandons = Expected(settings(), {**PARAMETERS, "TerminateDefaultResult": "ABANDON"})
    abandoning = (HOOKS[0], replace(HOOKS[1], default_result="ABANDON"))
    stack = DeployedStack("UPDATE_COMPLETE", abandons.parameters)
    retaining = facts(stack=stack, scaling_groups=scaling_group(hooks=abandoning, retains=True))
    # when
    found = only(list(check_stack(retaining, abandons)))
    # then
    assert (found.check, found.severity) == ("hooks", Severity.WARNING)
    assert "db has an instance lifecycle policy that retains what is abandoned" in found.message
    assert found.fix.startswith('write terminate_default_result = "CONTINUE", then ringfence deploy us-east-1')
    # and nothing is said where the default result is CONTINUE, or the group terminates what is abandoned
    assert worst(check_stack(facts(scaling_groups=scaling_group(retains=True)), EXPECTED)) is Severity.OK
    terminating = facts(stack=stack, scaling_groups=scaling_group(hooks=abandoning))
    assert worst(check_stack(terminating, abandons)) is Severity.OK


def test_a_schedule_without_a_period_only_needs_a_true_up_in_the_log() -> None:
    cron = facts(
        schedule=Schedule(True, "cron(0 * * * ? *)", QUEUE),
        log=Log((LoggedReconcile(NOW - 3000, EAST, ("schedule then",)),), ()),
    )
    assert worst(check_stack(cron, EXPECTED)) is Severity.OK
