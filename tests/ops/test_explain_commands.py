"""`explain`, `history`, `doctor` and `adopt` as the real command, against a cluster on the lab."""

import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ringfence_ops.commands import history
from tests.end_to_end.clusters import EAST, WEST, Cluster, _two_regions, two_regions
from tests.labs import eventually
from tests.ops.commands import COMMAND, Ran, Shell, shell
from tests.ops.test_readings import STRANGER, disabled_event_rule, foreign_rule

__all__ = ["_two_regions", "two_regions"]


SCHEMAS = Path(history.__file__).resolve().parents[1] / "schemas"


@pytest.fixture
def operator(two_regions: Cluster, tmp_path: Path) -> Shell:
    return shell(two_regions, tmp_path)


def checked(ran: Ran) -> dict[str, Any]:
    """The document, which is as its schema says; nothing else stands on standard output."""
    document = ran.document()
    name = document["schema"].removeprefix("ringfence.").removesuffix("/1")
    jsonschema.validate(document, json.loads((SCHEMAS / f"{name}.json").read_text()))
    return document


def member(cluster: Cluster) -> tuple[str, str]:
    """The east's one member and its address."""
    ((id, one),) = cluster.regions[EAST].instances().items()
    assert one.address is not None
    return id, one.address


def test_a_member_is_explained_with_its_doors_in_both_regions(two_regions: Cluster, operator: Shell) -> None:
    id, address = member(two_regions)
    ran = operator.run("explain", address)
    assert (ran.code, ran.aside) == (0, "")
    for said in (id, EAST, WEST, "InService", "tcp/443", "All as it should be."):
        assert said in ran.said
    document = checked(operator.run("explain", id, "--json"))
    assert [(door["region"], door["verdict"]) for door in document["doors"]] == [(EAST, "right"), (WEST, "right")]
    assert all(door["since"] and door["causes"] for door in document["doors"])


def test_a_door_that_somebody_closed_is_found_lacking_before_any_reconcile(
    two_regions: Cluster, operator: Shell
) -> None:
    id, _ = member(two_regions)
    east = two_regions.regions[EAST]
    (rule,) = [rule for rule in east.rules() if rule["Description"].endswith(id)]
    with schedules_stopped(two_regions):
        east.client("ec2").revoke_security_group_ingress(
            GroupId=east.security_group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
        )
        document = checked(ran := operator.run("explain", id, "--json"))
        assert ran.code == 2
        assert {(door["region"], door["verdict"]) for door in document["doors"]} == {(EAST, "comes"), (WEST, "right")}
        assert "the next reconcile opens it" in operator.run("explain", id).said
        assert rule["CidrIpv4"].partition("/")[0] not in east.admitted()


@contextmanager
def schedules_stopped(cluster: Cluster) -> Iterator[None]:
    """No true-up of the schedule mends what a test breaks, for a while."""
    for region in cluster.regions.values():
        set_schedule(region, "DISABLED")
    try:
        yield
    finally:
        for region in cluster.regions.values():
            set_schedule(region, "ENABLED")


def set_schedule(region: Any, state: str) -> None:
    scheduler = region.client("scheduler")
    kept = scheduler.get_schedule(Name="ringfence-demo")
    wanted = {name: kept[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**wanted, State=state)


def test_a_foreign_rules_maker_is_named(two_regions: Cluster, operator: Shell) -> None:
    with foreign_rule(two_regions, EAST, STRANGER):
        ran = operator.run("explain", STRANGER)
    assert ran.code == 0
    assert "is nobody of the cluster" in ran.said
    assert ":root (AuthorizeSecurityGroupIngress)" in ran.said


def test_the_history_tells_of_both_regions_and_can_be_narrowed(two_regions: Cluster, operator: Shell) -> None:
    id, address = member(two_regions)
    document = checked(operator.run("history", "--since", "1h", "--instance", id, "--json"))
    assert {(one["region"], one["turn"]) for one in document["changes"]} == {(EAST, "added"), (WEST, "added")}
    by_address = operator.run("history", "--since", "1h", "--address", address, "--region", WEST, "--lines")
    lines = [json.loads(line) for line in by_address.said.splitlines()]
    assert {one["region"] for one in lines} == {WEST}
    assert id in {one["instance"] for one in lines}
    assert id in operator.run("history", "--since", "1h").said


def test_a_healthy_cluster_passes_and_a_broken_one_does_not(two_regions: Cluster, operator: Shell) -> None:
    well = operator.run("doctor")
    assert (well.code, well.aside) == (0, "")
    assert "all well" in well.said
    with disabled_event_rule(two_regions):
        ran = operator.run("doctor", "--json")
    assert ran.code == 2
    wrong = [finding for finding in checked(ran)["findings"] if finding["severity"] != "ok"]
    assert [(finding["check"], finding["region"]) for finding in wrong] == [("events", EAST)]
    assert "aws events enable-rule" in wrong[0]["mend"]


def strip_label(cluster: Cluster) -> str:
    """The east's member's rule in the west loses its label, as one made by hand has none. Returns its id."""
    _, address = member(cluster)
    west = cluster.regions[WEST]
    (rule,) = [rule for rule in west.rules() if rule["CidrIpv4"] == f"{address}/32"]
    id: str = rule["SecurityGroupRuleId"]
    west.client("ec2").update_security_group_rule_descriptions_ingress(
        GroupId=west.security_group,
        SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": id, "Description": "by hand"}],
    )
    return id


def test_without_a_terminal_nothing_is_adopted_unless_told_so(two_regions: Cluster, operator: Shell) -> None:
    id = strip_label(two_regions)
    refused = operator.run("adopt")
    assert refused.code == 1
    assert refused.aside == ("ringfence: there is no terminal to ask on: give --yes to go on without being asked\n")
    assert id in refused.said
    shown = operator.run("adopt", "--json")
    assert (shown.code, [one["adopted"] for one in checked(shown)["rules"]]) == (2, [False])
    done = operator.run("adopt", "--yes", "--json")
    assert (done.code, [(one["rule"], one["adopted"]) for one in checked(done)["rules"]]) == (0, [(id, True)])
    assert checked(operator.run("adopt", "--yes", "--json"))["rules"] == []


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
    said = ""
    while "Adopt them?" not in said:
        said += os.read(primary, 4096).decode()
    os.write(primary, typed.encode())
    assert process.wait(20) == code
    os.close(primary)
    assert id in said
    rules = {rule["SecurityGroupRuleId"]: rule["Description"] for rule in two_regions.regions[WEST].rules()}
    assert (rules[id] != "by hand") is adopted
    assert checked(operator.run("adopt", "--yes", "--json"))["failed"] == {}


def test_a_region_that_hangs_is_shown_as_such_and_holds_nobody_up(two_regions: Cluster, operator: Shell) -> None:
    two_regions.lab.fault(WEST, "hang")
    commands = [("explain", "203.0.113.9"), ("history",), ("doctor",), ("adopt",)]
    with ThreadPoolExecutor(len(commands)) as pool:
        every = list(pool.map(lambda arguments: operator.run(*arguments), commands))
    for ran in every:
        assert ran.code == 1
        assert WEST in ran.said + ran.aside
        assert "no answer" in ran.said + ran.aside
        assert "Traceback" not in ran.aside
        assert ran.seconds < HELD_UP
    # and what was not looked at is not said to be well
    assert "Nothing is wrong in what was looked at." in every[0].said


HELD_UP = 20.0
"""Seconds: five for the Region, and the work of four commands on a machine that is busy with other tests."""

BAD_INPUT: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
    (("doctor",), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "there are no AWS credentials"),
    (("--endpoint-url", "http://127.0.0.1:1", "explain", "i-00000001"), {}, 1, "no Region answers"),
    (("--profile", "nobody", "history"), {}, 1, "profile (nobody) could not be found"),
    (("--cluster-file", "none.toml", "doctor"), {}, 1, "none.toml cannot be read"),
    (("explain", "db-1"), {}, 1, "is no address, no instance id and no rule id"),
    (("history", "--since", "soon"), {}, 1, "'soon' is no time"),
    (("history", "--region", "us-west-1"), {}, 1, "did you mean us-west-2?"),
    (("explain",), {}, 64, "Missing argument"),
    (("history", "--sinc", "2h"), {}, 64, "No such option"),
]


@pytest.mark.parametrize(("arguments", "environment", "code", "said"), BAD_INPUT, ids=[case[3] for case in BAD_INPUT])
def test_what_cannot_be_done_is_said_in_one_line_with_what_to_do(
    operator: Shell, arguments: tuple[str, ...], environment: dict[str, str], code: int, said: str
) -> None:
    ran = operator.run(*arguments, **environment)
    assert (ran.code, ran.said) == (code, "")
    assert said in ran.aside
    assert "Traceback" not in ran.aside
    if code == 1:
        assert len(ran.aside.splitlines()) == 1
        assert ran.aside.startswith("ringfence: ")


def test_where_an_error_comes_from_is_told_on_demand(operator: Shell) -> None:
    assert "Traceback" in operator.run("--debug", "--cluster-file", "none.toml", "doctor").aside


def test_nothing_is_coloured_where_colour_is_not_wanted(operator: Shell) -> None:
    assert "\x1b" not in operator.run("doctor", NO_COLOR="1").said


def test_a_departed_instance_is_known_until_its_tombstone_is_pruned(two_regions: Cluster, operator: Shell) -> None:
    id, address = member(two_regions)
    two_regions.regions[EAST].scale_to(0)
    eventually(lambda: not two_regions.regions[EAST].instances(), 30)
    eventually(gone_everywhere(two_regions, address), 30)
    document = checked(ran := operator.run("explain", id, "--json"))
    assert ran.code == 0
    assert [(one["kind"], one["instance"]) for one in document["identities"]] == [("departed", id)]
    assert document["doors"] == []
    turns = [one["turn"] for one in document["history"]]
    assert turns[-2:] == ["removed", "removed"]


def gone_everywhere(cluster: Cluster, address: str) -> Callable[[], bool]:
    return lambda: all(address not in region.admitted() for region in cluster.regions.values())
