"""The checks of `doctor` of what the tables hold: announcements, and rules of unknown owner."""

from dataclasses import replace
from typing import Any

import pytest

from ringfence.core.model.addresses import Cidr, network
from ringfence.core.model.identifiers import SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import BadRow, Rows
from ringfence_ops.doctor.facts import SecurityGroup
from ringfence_ops.doctor.finding import Finding, Severity
from ringfence_ops.doctor.rows import check_rows
from ringfence_ops.state.path import Expected
from ringfence_ops.state.unowned_rules import RuleOrigin, judged
from tests.ops.facts import (
    ADMITTED,
    ENVIRONMENT,
    EXPECTED,
    EXPECTED_WEST,
    PARAMETERS,
    ROWS,
    SELF,
    WEST_GROUP,
    announcement,
    facts,
    findings_of,
)
from tests.ops.paths import FUNCTION
from tests.unit.builders import (
    DB,
    EAST,
    GROUP,
    I1,
    NOW,
    TCP,
    WEST,
    WEST_DB,
    address,
    label,
    rule,
    settings,
)


def expected(**changes: Any) -> Expected:
    return Expected(settings(**changes), PARAMETERS)


def rows_findings(rows: Rows, *, west: Any = None, expected_of_east: Expected = EXPECTED) -> list[Finding]:
    regions = [facts(rows=rows), *([west] if west is not None else [])]
    found = check_rows(regions, {EAST: expected_of_east, WEST: EXPECTED_WEST})
    return [finding for finding in found if finding.severity is not Severity.OK and finding.region == EAST]


def with_west(**fields: Any) -> Rows:
    west = announcement(WEST, **{"security_groups": (WEST_GROUP,), **fields})
    return replace(ROWS, rosters={**ROWS.rosters, west.key: west})


WIDE = Ports((TCP, PortRange("tcp", 0, 65535)))


def test_ports_that_a_peer_announces_and_that_are_not_ours_are_found() -> None:
    ours = replace(EXPECTED, settings=settings(ports=Ports((TCP,))))
    (found,) = rows_findings(with_west(ports=WIDE), expected_of_east=ours)
    assert found.message == (
        "us-west-2 announces sg-00000002 with tcp/0-65535, which are not our ports: they are not opened"
    )
    assert rows_findings(with_west(ports=Ports((TCP,))), expected_of_east=ours) == []


def test_with_auto_the_rules_of_the_peers_own_group_tell() -> None:
    own = replace(SELF, group=WEST_GROUP, source_group=WEST_GROUP)
    west = facts(region=WEST, rows=None, security_groups={WEST_GROUP: SecurityGroup(WEST_GROUP, {}, (own,))})
    (found,) = rows_findings(with_west(ports=WIDE), west=west)
    assert "with tcp/0-65535, which are not our ports" in found.message
    assert rows_findings(with_west(), west=west) == []
    assert rows_findings(with_west(ports=WIDE)) == []  # the group was not read: nothing is known


def test_a_group_that_a_peer_announces_and_the_cluster_file_does_not_name_is_found() -> None:
    (found,) = rows_findings(with_west(security_groups=(SecurityGroupId("sg-0000000e"),)))
    assert found.message == "us-west-2 announces sg-0000000e, which the cluster file does not name"


@pytest.mark.parametrize(
    ("origin", "since"),
    [
        (None, "(age unknown)"),
        (RuleOrigin(NOW, "arn:aws:iam::1:user/a"), "(since 2027-01-15 08:00 UTC, by arn:aws"),
    ],
)
def test_a_rule_of_unknown_owner_is_found_with_its_age_and_what_to_do(origin: RuleOrigin | None, since: str) -> None:
    wide = rule("sgr-9", Cidr("0.0.0.0/0"), label())
    (unowned,) = judged(settings(), {GROUP: (SELF, ADMITTED, wide)}, ROWS)
    (found,) = [
        finding
        for finding in check_rows([facts(unowned=(replace(unowned, origin=origin),))], {EAST: EXPECTED})
        if finding.check == "owners"
    ]
    assert found.severity is Severity.PROBLEM
    assert "sgr-9 in sg-00000001 admits 0.0.0.0/0 on tcp/9042" in found.message
    assert since in found.message
    assert "revoke-security-group-ingress --region us-east-1 --group-id sg-00000001" in found.fix


def test_the_rules_of_our_own_groups_have_an_owner_while_their_row_is_bad_or_missing() -> None:
    for table in (Rows(), Rows(bad={DB: BadRow("why")})):
        assert judged(settings(), {GROUP: (SELF, ADMITTED)}, table) == ()
    peers = rule("sgr-2", address(2), label(I1, WEST_DB))
    (unowned,) = judged(settings(), {GROUP: (SELF, peers)}, Rows(bad={WEST_DB: BadRow("why")}))
    assert (unowned.rule, unowned.why) == ("sgr-2", "the roster of us-west-2/db cannot be trusted")


def test_a_static_member_beyond_the_bounds_in_the_running_engine_is_a_finding() -> None:
    static = (network("0.0.0.0/1"),)
    running = replace(FUNCTION, environment=ENVIRONMENT | {"RINGFENCE_STATIC_MEMBERS": "0.0.0.0/1"})
    (found,) = [
        finding
        for finding in findings_of(facts(function=running), expected(static_members=static))
        if finding.check == "engine"
    ]
    assert found.severity is Severity.WARNING
    assert "0.0.0.0/1 is larger than /8" in found.message
