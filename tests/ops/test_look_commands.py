"""`status`, `plan` and `sync` as the real command, on a cluster in the lab, in each state that they can show."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from ringfence_lab.demo.observer import Observer
from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually, session_of_role
from tests.ops.changes_in_lab import STRANGER, foreign_rule, schedules_stopped
from tests.ops.commands import HANGING_REGION_SECONDS, Shell, cluster_file

LEFTOVERS = [f"198.51.100.{n}" for n in range(12)]


def of(document: dict[str, Any], region: str) -> dict[str, Any]:
    """The Region's item in a document."""
    (item,) = [item for item in document["regions"] if item["region"] == region]
    return dict(item)


@contextmanager
def leftover_rules(cluster: Cluster, addresses: list[str]) -> Iterator[None]:
    """Owned rules in the west's group for instances that no roster contains; the schedules are stopped."""
    west = cluster.regions[WEST]
    with schedules_stopped(cluster):
        group = west.auto_scaling_group
        cidrs = [
            {"CidrIp": f"{address}/32", "Description": f"ringfence demo {WEST}/{group} i-00000000000000{n:03d}"}
            for n, address in enumerate(addresses)
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


def states(region: Observer) -> set[str]:
    """The lifecycle states of the Region's instances."""
    return {instance.lifecycle_state for instance in region.instances().values()}


def close_a_door(cluster: Cluster) -> str:
    """Revokes a member's rule in the west. Returns the rule's address."""
    west = cluster.regions[WEST]
    rule = west.rules()[0]
    west.client("ec2").revoke_security_group_ingress(
        GroupId=west.security_group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
    )
    return str(rule["CidrIpv4"]).partition("/")[0]


# In sync, and not.


def test_a_cluster_in_sync_is_reported_as_such(two_regions: Cluster, operator: Shell) -> None:
    # given
    with foreign_rule(two_regions, EAST, STRANGER):
        # when
        screen, document = operator.run("status"), operator.document("status")
        plan = operator.run("plan")
    # then
    assert (screen.code, screen.errors) == (0, "")
    assert "All in sync." in screen.output
    assert (plan.code, plan.output) == (0, "In sync: nothing to do.\n")
    east = of(document, EAST)
    (group,) = east["security_groups"]
    assert (group["owned"], group["foreign"]) == (2, 2)
    assert group["free"] == group["quota"] - 4
    assert east["members"] == {"member": 1}
    assert east["last_reconcile"]["failure"] is None
    assert all(version == roster["version"] for roster in east["rosters"] for version in roster["known"].values())


def test_drift_is_shown_planned_and_repaired(two_regions: Cluster, operator: Shell) -> None:
    with schedules_stopped(two_regions):
        # given
        address = close_a_door(two_regions)
        # when
        status = operator.run("status")
        plan = operator.run("plan")
        planned = operator.document("plan")
        # then nothing was changed by the plan
        assert address not in two_regions.regions[WEST].admitted()
        assert (status.code, plan.code) == (2, 2)
        assert "drift" in status.output
        assert f"+ {address}" in plan.output
        assert "1 to add" in plan.output
        ((change,), digest) = planned["changes"], planned["digest"]
        assert (change["region"], change["action"], change["address"]) == (WEST, "add", f"{address}/32")
        assert digest in plan.output
        # and when
        done = operator.document("sync")
        # then
        assert of(done, WEST)["added"] == 1
        assert address in two_regions.regions[WEST].admitted()
        assert operator.run("plan").code == 0


def test_a_local_true_up_lists_each_change(two_regions: Cluster, operator: Shell) -> None:
    with schedules_stopped(two_regions):
        address = close_a_door(two_regions)
        ran = operator.run("sync", WEST, "--local")
        assert ran.code == 0
        assert f"+ {address}" in ran.output
        assert address in two_regions.regions[WEST].admitted()


# The guard.


def test_what_the_guard_holds_is_removed_only_with_the_digest_of_the_plan(
    two_regions: Cluster, operator: Shell
) -> None:
    with leftover_rules(two_regions, LEFTOVERS):
        # given
        plan = operator.run("plan")
        document = operator.document("plan")
        assert plan.code == 2
        assert "12 held" in plan.output
        assert f"ringfence sync --confirm {document['digest']}" in plan.output
        assert {change["action"] for change in document["changes"]} == {"hold"}
        # when another plan is confirmed
        other = operator.run("sync", "--confirm", "0123456789ab")
        # then nothing is done
        assert other.code == 1
        assert other.errors.startswith("ringfence: the plan has changed since")
        assert set(LEFTOVERS) <= two_regions.regions[WEST].admitted()
        # when it is not confirmed
        unconfirmed = operator.document("sync", WEST)
        # then the guard holds it
        assert of(unconfirmed, WEST)["held"] == 12
        assert set(LEFTOVERS) <= two_regions.regions[WEST].admitted()
        # when this one is
        confirmed = operator.run("sync", "--confirm", document["digest"])
        # then
        assert confirmed.code == 0, confirmed
        assert not set(LEFTOVERS) & two_regions.regions[WEST].admitted()


def test_a_rule_that_is_modified_between_the_plan_and_its_confirmation_stays(
    two_regions: Cluster, operator: Shell
) -> None:
    west = two_regions.regions[WEST]
    with leftover_rules(two_regions, LEFTOVERS):
        # given the digest of a plan, and one of its rules that admits another port since
        digest = operator.document("plan")["digest"]
        (rule,) = [rule for rule in west.rules() if rule["CidrIpv4"] == f"{LEFTOVERS[0]}/32"]
        changed: Any = {"IpProtocol": "tcp", "FromPort": 444, "ToPort": 444}
        changed |= {"CidrIpv4": rule["CidrIpv4"], "Description": rule["Description"]}
        west.client("ec2").modify_security_group_rules(
            GroupId=west.security_group,
            SecurityGroupRules=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": changed}],
        )
        # when
        refused = operator.run("sync", "--confirm", digest)
        # then
        assert refused.code == 1
        assert refused.errors.startswith("ringfence: the plan has changed since")
        assert set(LEFTOVERS) <= west.admitted()


# Hooks, dead letters, observe mode.


def test_a_waiting_instance_and_a_dead_letter_are_shown(two_regions: Cluster, operator: Shell) -> None:
    # given an engine that gets no events, and a message in the dead-letter queue
    lab, east = two_regions.lab, two_regions.regions[EAST]
    sqs = east.client("sqs")
    url = sqs.get_queue_url(QueueName="ringfence-demo-dead.fifo")["QueueUrl"]
    with schedules_stopped(two_regions):
        events = east.client("events")
        events.disable_rule(Name="ringfence-demo")
        sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="demo", MessageDeduplicationId=lab.endpoint_url)
        try:
            east.scale_to(2)
            eventually(
                lambda: any(instance.lifecycle_state == "Pending:Wait" for instance in east.instances().values()), 30
            )
            # when
            screen, document = operator.run("status"), operator.document("status")
            planned = operator.document("plan")
        finally:
            events.enable_rule(Name="ringfence-demo")
            sqs.purge_queue(QueueUrl=url)
            two_regions.settle()
    # then
    assert screen.code == 2
    assert "waiting" in screen.output
    assert "Pending:Wait" in screen.output
    assert "dead letters" in screen.output
    assert set(of(document, EAST)["complaints"]) >= {"hooks wait", "dead letters"}
    assert [hook["answer"] for hook in planned["hooks"]] == ["CONTINUE"]


def test_a_plan_in_observe_mode_says_that_nothing_is_changed(two_regions: Cluster, operator: Shell) -> None:
    file = operator.directory / "ringfence.toml"
    file.write_text('mode = "observe"\n' + file.read_text())
    with schedules_stopped(two_regions):
        address = close_a_door(two_regions)
        planned = operator.run("plan")
        assert f"+ {address}" in planned.output
        assert "nothing is changed" in planned.output
        assert operator.run("sync", "--local").code == 0
        assert address not in two_regions.regions[WEST].admitted()
        file.write_text(cluster_file(two_regions))
        assert operator.run("sync").code == 0


# Regions that do not answer, or are not deployed.


def test_a_region_that_hangs_is_reported_and_the_others_are_complete(two_regions: Cluster, operator: Shell) -> None:
    two_regions.lab.fault(WEST, "hang")
    try:
        with ThreadPoolExecutor(2) as pool:
            status, plan = pool.map(operator.run, ["status", "plan"])
    finally:
        two_regions.lab.heal()
    for ran in (status, plan):
        assert ran.code == 1
        assert f"{WEST}" in ran.output
        assert "unreachable: " in ran.output
        assert "no answer" in ran.output
        assert "Traceback" not in ran.errors
        assert ran.seconds < HANGING_REGION_SECONDS
    assert "1 with an address" in status.output
    # and the Region that was not read is not reported as in sync
    assert "In sync" not in plan.output
    assert "Nothing to do in the Regions that answer." in plan.output


@pytest.mark.parametrize("options", [(), ("--local",)], ids=["by-function", "locally"])
def test_a_region_that_hangs_does_not_stop_a_true_up_of_the_others(
    two_regions: Cluster, operator: Shell, options: tuple[str, ...]
) -> None:
    # given a missing rule in one Region, and another Region that hangs
    with schedules_stopped(two_regions):
        address = close_a_door(two_regions)
        two_regions.lab.fault(EAST, "hang")
        # when
        try:
            ran = operator.run("sync", *options)
        finally:
            two_regions.lab.heal()
        # then
        assert address in two_regions.regions[WEST].admitted()
    assert ran.code == 1
    assert f"{EAST}  failed: " in ran.output
    assert "no answer" in ran.output
    # the deadline for a peer is 5 s, and the peer is read twice
    assert ran.seconds < 2 * HANGING_REGION_SECONDS


def test_a_region_without_a_deployment_is_reported(operator: Shell) -> None:
    # given a third Region in the file, with nothing deployed
    file = operator.directory / "ringfence.toml"
    groups = 'auto_scaling_groups = ["none"]\nsecurity_groups = ["sg-0123456789abcdef0"]\n'
    file.write_text(file.read_text() + f"\n[regions.eu-west-1]\n{groups}")
    # when
    document = operator.document("status")
    ran = operator.run("sync", "eu-west-1")
    # then
    assert "not deployed" in of(document, "eu-west-1")["complaints"]
    assert ran.code == 1
    assert "there is no function ringfence-demo in eu-west-1: `ringfence deploy eu-west-1` creates it" in ran.output


BAD_INPUT: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
    (("status",), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "there are no AWS credentials"),
    (("--endpoint-url", "http://127.0.0.1:1", "plan"), {}, 1, "no Region answers"),
    (("status", "--watch"), {}, 1, "--watch needs a terminal"),
    (("sync", "us-west-1"), {}, 1, "did you mean us-west-2?"),
    (("plan", "us-west-1"), {}, 64, "unexpected extra argument"),
]


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"), BAD_INPUT, ids=[case[3] for case in BAD_INPUT]
)
def test_an_error_is_one_line(
    operator: Shell, arguments: tuple[str, ...], environment: dict[str, str], code: int, message: str
) -> None:
    ran = operator.run(*arguments, **environment)
    assert (ran.code, ran.output) == (code, "")
    assert message in ran.errors
    assert "Traceback" not in ran.errors


def test_a_document_is_the_only_text_on_standard_output(operator: Shell) -> None:
    for command in ("status", "plan"):
        json.loads(operator.run(command, "--json").output)


def test_a_stale_door_is_shown_while_it_exists(two_regions: Cluster, operator: Shell) -> None:
    # given a Region whose security groups cannot be changed until an instance elsewhere was released
    east = two_regions.regions[EAST]
    (departed,) = east.instances()
    two_regions.lab.fault(WEST, "throttle", "ec2")
    try:
        east.scale_to(0)
        eventually(lambda: departed not in east.instances(), 100)  # at the next true-up of the schedule
        # when the Region answers again, before any reconcile
        with schedules_stopped(two_regions):
            two_regions.lab.heal()
            screen, document = operator.run("status"), operator.document("status")
    finally:
        two_regions.settle()
    # then
    assert screen.code == 2
    assert f"{WEST} may still admit {departed}" in screen.output
    (door,) = of(document, EAST)["stale_doors"]
    assert (door["instance"], door["region"]) == (departed, WEST)
    assert operator.document("status")["in_sync"]


def test_a_denied_operation_is_named(two_regions: Cluster, operator: Shell) -> None:
    # given a role with almost no permissions
    session = session_of_role(
        two_regions.lab, "looks-at-nothing", [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]
    )
    credentials = session.get_credentials()
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
    assert "DescribeSecurityGroupRules" in ran.output
    assert "UnauthorizedOperation" in ran.output or "denied" in ran.output
    assert "Traceback" not in ran.errors
