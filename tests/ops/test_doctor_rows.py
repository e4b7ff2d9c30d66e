"""The checks of `doctor` of what the tables hold: rows, announcements, and rules of unknown owner."""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from ringfence.core.model.addresses import Cidr, network
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import BadRow, Rows
from ringfence_ops.doctor.facts import (
    Function,
    SecurityGroup,
    Table,
)
from ringfence_ops.doctor.finding import Finding, Severity
from ringfence_ops.doctor.rows import check_rows
from ringfence_ops.doctor.stack import KEYS, Expected, check_stack
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
)
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
    roster,
    rule,
    settings,
)


def expected(**changes: Any) -> Expected:
    return Expected(settings(**changes), PARAMETERS)


def rows_findings(rows: Rows, *, west: Any = None, expected_of_east: Expected = EXPECTED) -> list[Finding]:
    regions = [facts(rows=rows), *([west] if west is not None else [])]
    found = check_rows(regions, {EAST: expected_of_east, WEST: EXPECTED_WEST})
    return [finding for finding in found if finding.severity is not Severity.OK and finding.region == EAST]


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        (WEST_DB, "the engine of us-west-2 replaces it: ringfence sync us-west-2"),
        (RosterKey(WEST, ANNOUNCEMENT), "the engine of us-west-2 replaces it: ringfence sync us-west-2"),
        (DB, "the engine of us-east-1 replaces it: ringfence sync us-east-1"),
        (RosterKey(WEST, "evil"), "the engine of us-west-2 deletes it once no Region has a rule for it"),
        (RosterKey(Region("eu-north-1"), "db"), "no engine of the cluster writes it: aws dynamodb delete-item"),
    ],
    ids=str,
)
def test_a_bad_row_is_found_with_the_region_whose_engine_replaces_it(key: RosterKey, fix: str) -> None:
    (found,) = rows_findings(replace(ROWS, bad={key: BadRow("the version is out of bounds")}))
    assert (found.check, found.severity) == ("rows", Severity.WARNING)
    assert found.message == f"the row {key} cannot be trusted: the version is out of bounds"
    assert fix in found.fix


@pytest.mark.parametrize("region", [EAST, WEST, Region("eu-north-1")])
def test_a_row_of_no_group_of_the_cluster_is_found(region: Region) -> None:
    evil = roster({I1: address(66)}, key=RosterKey(region, "evil"))
    (found,) = rows_findings(replace(ROWS, rosters={**ROWS.rosters, evil.key: evil}))
    assert found.message == f"the row {region}/evil is of no group of the cluster"


def test_a_row_of_the_original_sample_is_no_finding() -> None:
    original = roster({I1: address(66)}, key=RosterKey(WEST, "old"), version=0)
    assert rows_findings(replace(ROWS, rosters={**ROWS.rosters, original.key: original})) == []


def test_the_key_of_a_row_is_quoted_for_a_shell() -> None:
    key = RosterKey(Region("x'; touch /tmp/owned; '"), "$(touch /tmp/owned)\n`id`")
    (found,) = rows_findings(replace(ROWS, bad={key: BadRow("why")}))
    words = shlex.split(found.fix.partition(": ")[2])
    assert words[:3] == ["aws", "dynamodb", "delete-item"]
    assert json.loads(words[-1]) == {"region": {"S": key.region}, "asg": {"S": key.asg}}


def test_a_thousand_rows_do_not_fill_the_screen() -> None:
    bad = {RosterKey(WEST, f"evil-{number}" * 50): BadRow("why") for number in range(1000)}
    found = rows_findings(replace(ROWS, bad=bad))
    assert len(found) == 21
    assert found[-1].message == "980 more of these"
    assert all(len(finding.message) < 400 for finding in found)


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


def test_an_announcement_is_no_roster_of_the_table() -> None:
    table = Table("ACTIVE", KEYS, {DB: "0.2.0", RosterKey(EAST, ANNOUNCEMENT): "0.2.0"})
    (found,) = [finding for finding in check_stack(facts(table=table), EXPECTED) if finding.check == "table"]
    assert found.message == "holds 1 roster"


def test_a_static_member_beyond_the_bounds_in_the_running_engine_is_a_finding() -> None:
    static = (network("0.0.0.0/1"),)
    running = Function("Active", ENVIRONMENT | {"RINGFENCE_STATIC_MEMBERS": "0.0.0.0/1"}, "")
    findings = check_stack(facts(function=running), expected(static_members=static))
    (found,) = [finding for finding in findings if finding.check == "engine"]
    assert found.severity is Severity.WARNING
    assert "0.0.0.0/1 is larger than /8" in found.message
