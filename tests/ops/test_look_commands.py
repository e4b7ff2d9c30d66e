"""`status`, `plan` and `sync` as the real command, against a cluster on the lab, in each state that they can show."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.clusters import EAST, WEST, Cluster, _two_regions, two_regions
from tests.labs import eventually, session_of_role
from tests.ops.commands import Shell, cluster_file, shell
from tests.ops.test_explain_commands import HELD_UP, checked, schedules_stopped
from tests.ops.test_readings import STRANGER, foreign_rule

__all__ = ["_two_regions", "two_regions"]


LEFTOVERS = [f"198.51.100.{n}" for n in range(12)]


@pytest.fixture
def operator(two_regions: Cluster, tmp_path: Path) -> Shell:
    return shell(two_regions, tmp_path)


def of(document: dict[str, Any], region: str) -> dict[str, Any]:
    """The one Region's part of a document."""
    (one,) = [one for one in document["regions"] if one["region"] == region]
    return dict(one)


@contextmanager
def leftover_rules(cluster: Cluster, addresses: list[str]) -> Iterator[None]:
    """Owned rules of instances that no roster has ever heard of, in the west's group; the schedule mends nothing."""
    west = cluster.regions[WEST]
    with schedules_stopped(cluster):
        group = west.auto_scaling_group
        cidrs = [
            {"CidrIp": f"{one}/32", "Description": f"ringfence demo {WEST}/{group} i-00000000000000{n:03d}"}
            for n, one in enumerate(addresses)
        ]
        permission: Any = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}
        west.client("ec2").authorize_security_group_ingress(GroupId=west.security_group, IpPermissions=[permission])
        try:
            yield
        finally:
            ids = [
                rule["SecurityGroupRuleId"] for rule in west.rules() if rule["CidrIpv4"].partition("/")[0] in LEFTOVERS
            ]
            if ids:
                west.client("ec2").revoke_security_group_ingress(GroupId=west.security_group, SecurityGroupRuleIds=ids)


def close_a_door(cluster: Cluster) -> str:
    """Somebody takes a member's rule in the west away. Returns its address."""
    west = cluster.regions[WEST]
    rule = west.rules()[0]
    west.client("ec2").revoke_security_group_ingress(
        GroupId=west.security_group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
    )
    return str(rule["CidrIpv4"]).partition("/")[0]


# In sync, and not.


def test_a_cluster_in_sync_is_seen_as_such(two_regions: Cluster, operator: Shell) -> None:
    # given
    with foreign_rule(two_regions, EAST, STRANGER):
        # when
        screen, document = operator.run("status"), checked(operator.run("status", "--json"))
        plan = operator.run("plan")
    # then
    assert (screen.code, screen.aside) == (0, "")
    assert "All in sync." in screen.said
    assert (plan.code, plan.said) == (0, "In sync: nothing to do.\n")
    east = of(document, EAST)
    (group,) = east["security_groups"]
    assert (group["owned"], group["foreign"]) == (2, 2)
    assert group["free"] == group["quota"] - 4
    assert east["members"] == {"member": 1}
    assert east["last_reconcile"]["failure"] is None
    assert all(version == roster["version"] for roster in east["rosters"] for version in roster["known"].values())


def test_drift_is_shown_planned_and_mended(two_regions: Cluster, operator: Shell) -> None:
    with schedules_stopped(two_regions):
        # given
        address = close_a_door(two_regions)
        # when
        status = operator.run("status")
        plan = operator.run("plan")
        planned = checked(operator.run("plan", "--json"))
        # then nothing was changed by looking
        assert address not in two_regions.regions[WEST].admitted()
        assert (status.code, plan.code) == (2, 2)
        assert "drift" in status.said
        assert f"+ {address}" in plan.said
        assert "1 to add" in plan.said
        ((change,), digest) = planned["changes"], planned["digest"]
        assert (change["region"], change["action"], change["address"]) == (WEST, "add", f"{address}/32")
        assert digest in plan.said
        # and when
        done = checked(operator.run("sync", "--json"))
        # then
        assert of(done, WEST)["added"] == 1
        assert address in two_regions.regions[WEST].admitted()
        assert operator.run("plan").code == 0


def test_from_here_the_same_is_done_and_each_change_is_told(two_regions: Cluster, operator: Shell) -> None:
    with schedules_stopped(two_regions):
        address = close_a_door(two_regions)
        ran = operator.run("sync", WEST, "--local")
        assert ran.code == 0
        assert f"+ {address}" in ran.said
        assert address in two_regions.regions[WEST].admitted()


# The guard.


def test_what_the_guard_holds_goes_with_the_digest_of_the_plan_and_no_other(
    two_regions: Cluster, operator: Shell
) -> None:
    with leftover_rules(two_regions, LEFTOVERS):
        # given
        plan = operator.run("plan")
        document = checked(operator.run("plan", "--json"))
        assert plan.code == 2
        assert "12 held" in plan.said
        assert f"ringfence sync --confirm {document['digest']}" in plan.said
        assert {change["action"] for change in document["changes"]} == {"hold"}
        # when another plan is confirmed
        other = operator.run("sync", "--confirm", "0123456789ab")
        # then nothing is done
        assert other.code == 1
        assert other.aside.startswith("ringfence: the plan has changed since")
        assert set(LEFTOVERS) <= two_regions.regions[WEST].admitted()
        # when it is not confirmed
        unconfirmed = checked(operator.run("sync", WEST, "--json"))
        # then the guard holds it
        assert of(unconfirmed, WEST)["held"] == 12
        assert set(LEFTOVERS) <= two_regions.regions[WEST].admitted()
        # when this one is
        confirmed = operator.run("sync", "--confirm", document["digest"])
        # then
        assert confirmed.code == 0, confirmed
        assert not set(LEFTOVERS) & two_regions.regions[WEST].admitted()


# Hooks, dead letters, observing.


def test_an_instance_that_waits_and_a_letter_that_is_dead_are_seen(two_regions: Cluster, operator: Shell) -> None:
    # given an engine that gets no events, and a message that was given up
    lab, east = two_regions.lab, two_regions.regions[EAST]
    sqs = east.client("sqs")
    url = sqs.get_queue_url(QueueName="ringfence-demo-dead.fifo")["QueueUrl"]
    with schedules_stopped(two_regions):
        events = east.client("events")
        events.disable_rule(Name="ringfence-demo")
        sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="demo", MessageDeduplicationId=lab.endpoint_url)
        try:
            east.scale_to(2)
            eventually(lambda: any(one.lifecycle_state == "Pending:Wait" for one in east.instances().values()), 30)
            # when
            screen, document = operator.run("status"), checked(operator.run("status", "--json"))
            planned = checked(operator.run("plan", "--json"))
        finally:
            events.enable_rule(Name="ringfence-demo")
            sqs.purge_queue(QueueUrl=url)
            two_regions.settle()
    # then
    assert screen.code == 2
    assert "waiting" in screen.said
    assert "Pending:Wait" in screen.said
    assert "dead letters" in screen.said
    one = of(document, EAST)
    assert set(one["complaints"]) >= {"hooks wait", "dead letters"}
    assert [hook["answer"] for hook in planned["hooks"]] == ["CONTINUE"]


def test_where_ringfence_only_observes_a_plan_says_that_nothing_is_done(two_regions: Cluster, operator: Shell) -> None:
    file = operator.directory / "ringfence.toml"
    file.write_text('mode = "observe"\n' + file.read_text())
    with schedules_stopped(two_regions):
        address = close_a_door(two_regions)
        planned = operator.run("plan")
        assert f"+ {address}" in planned.said
        assert "nothing is done" in planned.said
        assert operator.run("sync", "--local").code == 0
        assert address not in two_regions.regions[WEST].admitted()
        file.write_text(cluster_file(two_regions))
        assert operator.run("sync").code == 0


# Regions that do not answer, or are not deployed.


def test_a_region_that_hangs_is_shown_as_such_and_the_others_in_full(two_regions: Cluster, operator: Shell) -> None:
    two_regions.lab.fault(WEST, "hang")
    try:
        with ThreadPoolExecutor(2) as pool:
            status, plan = pool.map(operator.run, ["status", "plan"])
    finally:
        two_regions.lab.heal()
    for ran in (status, plan):
        assert ran.code == 1
        assert f"{WEST}" in ran.said
        assert "unreachable: " in ran.said
        assert "no answer" in ran.said
        assert "Traceback" not in ran.aside
        assert ran.seconds < HELD_UP
    assert "1 with an address" in status.said
    # and what was not looked at is not said to be well
    assert "In sync" not in plan.said
    assert "Nothing to do in the Regions that answer." in plan.said


@pytest.mark.parametrize("how", [(), ("--local",)], ids=["by-the-functions", "from-here"])
def test_a_region_that_hangs_does_not_hold_a_true_up_of_the_others(
    two_regions: Cluster, operator: Shell, how: tuple[str, ...]
) -> None:
    # given a rule that is lacking in one Region, and another Region that hangs
    with schedules_stopped(two_regions):
        address = close_a_door(two_regions)
        two_regions.lab.fault(EAST, "hang")
        # when
        try:
            ran = operator.run("sync", *how)
        finally:
            two_regions.lab.heal()
        # then
        assert address in two_regions.regions[WEST].admitted()
    assert ran.code == 1
    assert f"{EAST}  failed: " in ran.said
    assert "no answer" in ran.said
    # its own deadline for a peer is 5 s, and there are two reads of the peer before one of a machine that is busy
    assert ran.seconds < 2 * HELD_UP


def test_a_region_without_a_deployment_is_seen_as_such(operator: Shell) -> None:
    # given a third Region of the file, in which nothing is
    file = operator.directory / "ringfence.toml"
    groups = 'auto_scaling_groups = ["none"]\nsecurity_groups = ["sg-0123456789abcdef0"]\n'
    file.write_text(file.read_text() + f"\n[regions.eu-west-1]\n{groups}")
    # when
    document = checked(operator.run("status", "--json"))
    ran = operator.run("sync", "eu-west-1")
    # then
    assert "not deployed" in of(document, "eu-west-1")["complaints"]
    assert ran.code == 1
    assert "there is no function ringfence-demo in eu-west-1: `ringfence deploy eu-west-1` makes it" in ran.said


BAD_INPUT: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
    (("status",), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "there are no AWS credentials"),
    (("--endpoint-url", "http://127.0.0.1:1", "plan"), {}, 1, "no Region answers"),
    (("status", "--watch"), {}, 1, "--watch needs a terminal"),
    (("sync", "us-west-1"), {}, 1, "did you mean us-west-2?"),
    (("plan", "us-west-1"), {}, 64, "unexpected extra argument"),
]


@pytest.mark.parametrize(("arguments", "environment", "code", "said"), BAD_INPUT, ids=[case[3] for case in BAD_INPUT])
def test_what_cannot_be_done_is_said_in_one_line(
    operator: Shell, arguments: tuple[str, ...], environment: dict[str, str], code: int, said: str
) -> None:
    ran = operator.run(*arguments, **environment)
    assert (ran.code, ran.said) == (code, "")
    assert said in ran.aside
    assert "Traceback" not in ran.aside


def test_a_document_for_programs_is_all_that_stands_on_standard_output(operator: Shell) -> None:
    for command in ("status", "plan"):
        json.loads(operator.run(command, "--json").said)


def test_a_stale_door_is_shown_for_as_long_as_it_stands(two_regions: Cluster, operator: Shell) -> None:
    # given a Region whose security groups cannot be changed, until an instance elsewhere had to be let go
    east = two_regions.regions[EAST]
    (departed,) = east.instances()
    two_regions.lab.fault(WEST, "throttle", "ec2")
    try:
        east.scale_to(0)
        eventually(lambda: departed not in east.instances(), 60)
        # when it can be asked again, and nobody has reconciled yet
        with schedules_stopped(two_regions):
            two_regions.lab.heal()
            screen, document = operator.run("status"), checked(operator.run("status", "--json"))
    finally:
        two_regions.settle()
    # then
    assert screen.code == 2
    assert f"{WEST} may still admit {departed}" in screen.said
    (door,) = of(document, EAST)["stale_doors"]
    assert (door["instance"], door["region"]) == (departed, WEST)
    assert checked(operator.run("status", "--json"))["in_sync"]


def test_what_the_operator_may_not_do_is_said_with_the_operation(two_regions: Cluster, operator: Shell) -> None:
    # given somebody who may do next to nothing
    nobody = session_of_role(
        two_regions.lab, "looks-at-nothing", [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]
    )
    credentials = nobody.get_credentials()
    assert credentials is not None
    keys = {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token or "",
    }
    # when
    ran = operator.run("plan", **keys)
    # then
    assert ran.code == 1
    assert "DescribeSecurityGroupRules" in ran.said
    assert "UnauthorizedOperation" in ran.said or "denied" in ran.said
    assert "Traceback" not in ran.aside
