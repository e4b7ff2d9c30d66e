"""`explain`, `history`, `doctor` and `adopt` as the real command, on a cluster in the lab."""

import json
import os
import pty
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually
from tests.ops.changes_in_lab import STRANGER, disabled_event_rule, foreign_rule, schedules_stopped
from tests.ops.commands import COMMAND, HANGING_REGION_SECONDS, Shell


def member(cluster: Cluster) -> tuple[str, str]:
    """The east's one member and its address."""
    ((id, instance),) = cluster.regions[EAST].instances().items()
    assert instance.address is not None
    return id, instance.address


def test_a_member_is_explained_with_its_doors_in_both_regions(two_regions: Cluster, operator: Shell) -> None:
    id, address = member(two_regions)
    ran = operator.run("explain", address)
    assert (ran.code, ran.errors) == (0, "")
    for part in (id, EAST, WEST, "InService", "tcp/443", "Everything is as it should be."):
        assert part in ran.output
    document = operator.document("explain", id)
    assert [(door["region"], door["verdict"]) for door in document["doors"]] == [(EAST, "right"), (WEST, "right")]
    assert all(door["since"] and door["causes"] for door in document["doors"])


def test_a_door_that_was_closed_by_hand_is_missing_before_any_reconcile(two_regions: Cluster, operator: Shell) -> None:
    id, _ = member(two_regions)
    east = two_regions.regions[EAST]
    (rule,) = [rule for rule in east.rules() if rule["Description"].endswith(id)]
    with schedules_stopped(two_regions):
        east.client("ec2").revoke_security_group_ingress(
            GroupId=east.security_group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
        )
        document = (ran := operator.run("explain", id, "--json")).document()
        assert ran.code == 2
        assert {(door["region"], door["verdict"]) for door in document["doors"]} == {(EAST, "comes"), (WEST, "right")}
        assert "the next reconcile opens it" in operator.run("explain", id).output
        assert rule["CidrIpv4"].partition("/")[0] not in east.admitted()


def test_a_foreign_rules_maker_is_named(two_regions: Cluster, operator: Shell) -> None:
    with foreign_rule(two_regions, EAST, STRANGER):
        ran = operator.run("explain", STRANGER)
    assert ran.code == 0
    assert "is not a member of the cluster" in ran.output
    assert ":root (AuthorizeSecurityGroupIngress)" in ran.output


def test_the_history_covers_both_regions_and_can_be_filtered(two_regions: Cluster, operator: Shell) -> None:
    id, address = member(two_regions)
    document = operator.document("history", "--since", "1h", "--instance", id)
    assert {(change["region"], change["turn"]) for change in document["changes"]} == {(EAST, "added"), (WEST, "added")}
    by_address = operator.run("history", "--since", "1h", "--address", address, "--region", WEST, "--lines")
    lines = [json.loads(line) for line in by_address.output.splitlines()]
    assert {change["region"] for change in lines} == {WEST}
    assert id in {change["instance"] for change in lines}
    assert id in operator.run("history", "--since", "1h").output


def test_a_healthy_cluster_passes_and_a_broken_one_does_not(two_regions: Cluster, operator: Shell) -> None:
    healthy = operator.run("doctor")
    assert (healthy.code, healthy.errors) == (0, "")
    assert "no problem found" in healthy.output
    with disabled_event_rule(two_regions):
        ran = operator.run("doctor", "--json")
    assert ran.code == 2
    wrong = [finding for finding in ran.document()["findings"] if finding["severity"] != "ok"]
    assert {(finding["check"], finding["region"]) for finding in wrong} == {("events", EAST), ("drift", EAST)}
    assert {finding["mend"] for finding in wrong} == {f"ringfence deploy {EAST}"}


def strip_label(cluster: Cluster) -> str:
    """Replaces the label of the east's member's rule in the west, as if it were made by hand. Returns the rule's id."""
    _, address = member(cluster)
    west = cluster.regions[WEST]
    (rule,) = [rule for rule in west.rules() if rule["CidrIpv4"] == f"{address}/32"]
    id: str = rule["SecurityGroupRuleId"]
    west.client("ec2").update_security_group_rule_descriptions_ingress(
        GroupId=west.security_group,
        SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": id, "Description": "by hand"}],
    )
    return id


def test_without_a_terminal_nothing_is_adopted_unless_confirmed(two_regions: Cluster, operator: Shell) -> None:
    id = strip_label(two_regions)
    refused = operator.run("adopt")
    assert refused.code == 64
    assert refused.errors == "ringfence: there is no terminal to ask on: give --yes to continue without being asked\n"
    assert id in refused.output
    shown = operator.run("adopt", "--json")
    assert (shown.code, [rule["adopted"] for rule in shown.document()["rules"]]) == (2, [False])
    done = operator.run("adopt", "--yes", "--json")
    assert (done.code, [(rule["rule"], rule["adopted"]) for rule in done.document()["rules"]]) == (0, [(id, True)])
    assert operator.document("adopt", "--yes")["rules"] == []


@pytest.mark.parametrize(("typed", "code", "adopted"), [("y\n", 0, True), ("n\n", 2, False)])
def test_on_a_terminal_the_operator_is_asked(
    two_regions: Cluster, operator: Shell, typed: str, code: int, adopted: bool
) -> None:
    id = strip_label(two_regions)
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "adopt"],
        cwd=operator.directory,
        env={**operator.environment, "TERM": "xterm", "COLUMNS": "100"},
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
    )
    os.close(secondary)
    output = ""
    while "Adopt them?" not in output:
        output += os.read(primary, 4096).decode()
    os.write(primary, typed.encode())
    assert process.wait(20) == code
    os.close(primary)
    assert id in output
    rules = {rule["SecurityGroupRuleId"]: rule["Description"] for rule in two_regions.regions[WEST].rules()}
    assert (rules[id] != "by hand") is adopted
    assert operator.document("adopt", "--yes")["failed"] == {}


def test_a_region_that_hangs_is_reported_and_delays_no_other(two_regions: Cluster, operator: Shell) -> None:
    two_regions.lab.fault(WEST, "hang")
    commands = [("explain", "203.0.113.9"), ("history",), ("doctor",), ("adopt",)]
    with ThreadPoolExecutor(len(commands)) as pool:
        results = list(pool.map(lambda arguments: operator.run(*arguments), commands))
    for ran in results:
        assert ran.code == 1
        assert WEST in ran.output + ran.errors
        assert "no answer" in ran.output + ran.errors
        assert "Traceback" not in ran.errors
        assert ran.seconds < HANGING_REGION_SECONDS
    # and the Region that was not checked is not reported as right
    assert "Nothing is wrong in the Regions that were checked." in results[0].output


BAD_INPUT: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
    (("doctor",), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "there are no AWS credentials"),
    (("--endpoint-url", "http://127.0.0.1:1", "explain", "i-00000001"), {}, 1, "no Region answers"),
    (("--profile", "nobody", "history"), {}, 64, "profile (nobody) could not be found"),
    (("--cluster-file", "none.toml", "doctor"), {}, 64, "none.toml cannot be read"),
    (("explain", "db-1"), {}, 64, "is not an address, an instance id or a rule id"),
    (("history", "--since", "soon"), {}, 64, "'soon' is not a time"),
    (("history", "--region", "us-west-1"), {}, 64, "did you mean us-west-2?"),
    (("explain",), {}, 64, "Missing argument"),
    (("history", "--sinc", "2h"), {}, 64, "No such option"),
]


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"), BAD_INPUT, ids=[case[3] for case in BAD_INPUT]
)
def test_an_error_is_one_line_that_says_what_to_do(
    operator: Shell, arguments: tuple[str, ...], environment: dict[str, str], code: int, message: str
) -> None:
    ran = operator.run(*arguments, **environment)
    assert (ran.code, ran.output) == (code, "")
    assert message in ran.errors
    assert "Traceback" not in ran.errors
    if not ran.errors.startswith("Usage"):
        assert len(ran.errors.splitlines()) == 1
        assert ran.errors.startswith("ringfence: ")


def test_debug_shows_the_traceback_of_an_error(operator: Shell) -> None:
    assert "Traceback" in operator.run("--debug", "--cluster-file", "none.toml", "doctor").errors


def test_no_color_removes_all_colours(operator: Shell) -> None:
    assert "\x1b" not in operator.run("doctor", NO_COLOR="1").output


def test_a_departed_instance_is_known_while_its_tombstone_exists(two_regions: Cluster, operator: Shell) -> None:
    id, address = member(two_regions)
    two_regions.regions[EAST].scale_to(0)
    eventually(lambda: not two_regions.regions[EAST].instances(), 30)
    eventually(gone_everywhere(two_regions, address), 30)
    document = (ran := operator.run("explain", id, "--json")).document()
    assert ran.code == 0
    assert [(identity["kind"], identity["instance"]) for identity in document["identities"]] == [("departed", id)]
    assert document["doors"] == []
    turns = [change["turn"] for change in document["history"]]
    assert turns[-2:] == ["removed", "removed"]


def gone_everywhere(cluster: Cluster, address: str) -> Callable[[], bool]:
    return lambda: all(address not in region.admitted() for region in cluster.regions.values())
