"""The checks of `doctor`: a healthy cluster has no finding, and each fault has its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ringfence.core.configuration.settings import PrivateAddresses, Settings
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.ports import PortRange, Ports
from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Finding, Severity, worst
from ringfence_ops.doctor.security_groups import check_groups, check_room
from ringfence_ops.doctor.stack import check_standing, check_versions
from ringfence_ops.logs.audit_log import LoggedAction, LoggedChange, LoggedReconcile, LoggedRule
from ringfence_ops.state.path import DeployedStack, Expected, Grant, Queue, ScalingGroup, Unread
from ringfence_ops.state.standing import Reason, State, standing
from tests.ops.facts import (
    DEAD,
    EXPECTED,
    HOOKS,
    PARAMETERS,
    SELF,
    announcement,
    facts,
    findings_of,
    scaling_group,
    security_group,
)
from tests.unit.builders import (
    EAST,
    GROUP,
    I1,
    NOW,
    TCP,
    WEST,
    address,
    instance,
    rows,
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
    checks = ["stack", "engine", "engine's access", "events", "queue", "dead letters", "schedule", "true-ups", "table"]
    checks += ["hooks", "groups", "addresses", "rules", "rosters", "rows", "rivals", "clock", "your access"]
    checks += ["announcements", "owners", "room"]
    assert [finding.check for finding in findings] == checks


WRONG: list[tuple[str, Severity, str, Callable[[], RegionFacts]]] = [
    ("stack", Severity.WARNING, "is being changed", lambda: facts(stack=DeployedStack("UPDATE_IN_PROGRESS", {}))),
    ("events", Severity.PROBLEM, "does not exist", lambda: facts(event_rule=None)),
    ("dead letters", Severity.PROBLEM, "2 events could not be handled", lambda: facts(dead_letters=Queue(DEAD, 2))),
    ("true-ups", Severity.PROBLEM, "none is in the log", lambda: facts(reconciles=())),
    (
        "true-ups",
        Severity.PROBLEM,
        "no reconcile has succeeded for 3 periods of the schedule: the last one was 241 s ago",
        lambda: facts(reconciles=(LoggedReconcile(NOW - 241, EAST, ("schedule then",)),)),
    ),
    (
        "true-ups",
        Severity.PROBLEM,
        "the last reconcile failed: denied",
        lambda: facts(
            reconciles=(LoggedReconcile(NOW - 60, EAST, ("1",)), LoggedReconcile(NOW - 9, EAST, ("2",), "denied"))
        ),
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


@pytest.mark.parametrize(
    ("state", "severity"),
    [
        *[(State.UNKNOWN, Severity.WARNING), (State.FAILING, Severity.PROBLEM), (State.OPEN, Severity.PROBLEM)],
        *[(State.LACKING, Severity.PROBLEM), (State.WAITING, Severity.WARNING), (State.PAUSED, Severity.WARNING)],
    ],
)
def test_each_reason_of_a_region_is_a_finding_with_its_fix(state: State, severity: Severity) -> None:
    reason = Reason(state, "instances", "i-1 waits", "ringfence explain i-1")
    found = only(list(check_standing(facts(), EXPECTED, standing(EAST, [reason]))))
    assert found == Finding("instances", EAST, severity, "i-1 waits", "ringfence explain i-1")


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
        ("tags", ["groups"]),
        ("instances", ["addresses"]),
        ("reconciles", ["true-ups"]),
        ("changes", ["rivals"]),
        ("skew", ["clock"]),
        ("own_grants", ["your access"]),
        ("engine_grants", ["engine's access"]),
        ("rows", ["announcements"]),
        ("unowned", ["owners"]),
    ],
)
def test_a_part_that_could_not_be_read_is_a_warning(part: str, checks: list[str]) -> None:
    findings = findings_of(facts(**{part: Unread("AccessDenied")}))
    wrong = [finding for finding in findings if finding.severity is not Severity.OK]
    assert [(finding.check, finding.severity, finding.message) for finding in wrong] == [
        (check, Severity.WARNING, "not checked: AccessDenied") for check in checks
    ]


def put_back(times: int, *, drift: bool = True) -> tuple[LoggedChange, ...]:
    rule = LoggedRule(WEST, GROUP, RuleId("sgr-1"), address(1), "tcp/9042")
    change = LoggedChange(NOW, EAST, LoggedAction.ADDED, rule, drift=drift)
    return (change,) * times


def test_a_rule_that_is_put_back_repeatedly_has_a_rival() -> None:
    found = only(list(check_groups(facts(changes=put_back(3)), EXPECTED)))
    assert "198.18.0.1/32 tcp/9042 was put back 3 times in sg-00000001" in found.message
    assert "--region us-west-2" in found.fix


@pytest.mark.parametrize("changes", [put_back(2), put_back(9, drift=False)])
def test_a_rule_that_is_put_back_rarely_or_is_new_has_no_rival(changes: tuple[LoggedChange, ...]) -> None:
    assert worst(check_groups(facts(changes=changes), EXPECTED)) is Severity.OK


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
    messages = room(both, facts(security_groups=security_group(SELF, foreign)))
    assert messages[0].startswith("sg-00000001 needs 9 of 60 IPv4 rules for 4 members")
    assert messages[1].startswith("sg-00000001 needs 6 of 60 IPv6 rules for 4 members")


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


def test_room_names_the_regions_that_are_not_counted() -> None:
    assert "us-west-2 not counted" in room(settings(), facts())[0]


def test_one_version_of_all_engines_is_fine() -> None:
    announced = announcement(EAST, engine="0.2.0")
    region = facts(rows=rows(announced))
    (same,) = check_versions([region], {})
    assert (same.severity, same.message) == (Severity.OK, "all have version 0.2.0")
    differ = {EAST: standing(EAST, [Reason(State.WAITING, "engines", "others differ", "ringfence deploy")])}
    assert list(check_versions([region], differ)) == []


def test_a_group_that_retains_what_is_abandoned_is_a_warning_if_an_unanswered_termination_is_abandoned() -> None:
    # given
    abandons = Expected(settings(), {**PARAMETERS, "TerminateDefaultResult": "ABANDON"})
    abandoning = (HOOKS[0], replace(HOOKS[1], default_result="ABANDON"))
    stack = DeployedStack("UPDATE_COMPLETE", abandons.parameters)
    retaining = facts(stack=stack, scaling_groups=scaling_group(hooks=abandoning, retains=True))
    # when
    found = only(list(check_standing(retaining, abandons, standing(EAST, []))))
    # then
    assert (found.check, found.severity) == ("hooks", Severity.WARNING)
    assert "db has an instance lifecycle policy that retains what is abandoned" in found.message
    assert found.fix.startswith('write terminate_default_result = "CONTINUE", then ringfence deploy us-east-1')
    # and nothing is said where the default result is CONTINUE, or the group terminates what is abandoned
    fine = standing(EAST, [])
    assert worst(check_standing(facts(scaling_groups=scaling_group(retains=True)), EXPECTED, fine)) is Severity.OK
    terminating = facts(stack=stack, scaling_groups=scaling_group(hooks=abandoning))
    assert worst(check_standing(terminating, abandons, fine)) is Severity.OK
