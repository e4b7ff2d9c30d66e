"""What `explain` advises helps: each case is made in the lab, and the printed command is run word for word."""

import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually
from tests.ops.aws_commands import run_aws
from tests.ops.changes_in_lab import schedules_stopped
from tests.ops.commands import COMMAND, CommandResult, Shell
from tests.ops.test_explain_commands import member

LEFT_OVER = "198.51.100.7"
WIDE = "198.51.0.0/16"


def advised(operator: Shell, subject: str) -> list[str]:
    """The commands that `explain` advises. Each is printed, too, at the end of a line."""
    document = operator.document("explain", subject)
    commands = [piece["command"] for piece in document["advice"] if piece["command"]]
    lines = operator.run("explain", subject, COLUMNS="1000").output.splitlines()
    for command in commands:
        assert any(line.rstrip().endswith(f": {command}") for line in lines), command
    return commands


def run_advised(operator: Shell, cluster: Cluster, command: str) -> CommandResult | Any:
    """Runs a printed command."""
    if command.startswith("aws "):
        return run_aws(cluster, command)
    program, *arguments = shlex.split(command)
    assert program == "ringfence"
    return operator.run(*arguments)


@contextmanager
def rule_in_the_west(cluster: Cluster, cidr: str, description: str) -> Iterator[str]:
    """A rule on the managed port. Yields its id."""
    west = cluster.regions[WEST]
    ec2, group = west.client("ec2"), west.security_group
    ranges = [{"CidrIp": cidr, "Description": description}]
    permission: Any = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": ranges}
    added = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    id: str = added["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    try:
        yield id
    finally:
        if id in {rule["SecurityGroupRuleId"] for rule in west.rules()}:
            ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[id])


def test_a_missing_door_is_opened_by_the_advised_true_up(two_regions: Cluster, operator: Shell) -> None:
    id, address = member(two_regions)
    west = two_regions.regions[WEST]
    (rule,) = [rule for rule in west.rules() if rule["CidrIpv4"] == f"{address}/32"]
    with schedules_stopped(two_regions):
        west.client("ec2").revoke_security_group_ingress(
            GroupId=west.security_group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
        )
        command = advised(operator, id)[0]  # the schedules, which this test has stopped, come after it
        run_advised(operator, two_regions, command)
        assert address in west.admitted()
    assert operator.run("explain", id).code == 0


def test_a_rule_of_unknown_owner_is_removed_by_the_advised_call(two_regions: Cluster, operator: Shell) -> None:
    with rule_in_the_west(two_regions, WIDE, f"ringfence demo {WEST}/db i-0123456789abcdef0") as id:
        (command,) = advised(operator, id)
        assert command.startswith("aws ec2 revoke-security-group-ingress")
        run_advised(operator, two_regions, command)
        assert id not in {rule["SecurityGroupRuleId"] for rule in two_regions.regions[WEST].rules()}


def test_what_the_guard_holds_is_removed_by_the_advised_confirmation(two_regions: Cluster, operator: Shell) -> None:
    group = two_regions.regions[WEST].auto_scaling_group
    description = f"ringfence demo {WEST}/{group} i-0123456789abcdef0"
    with schedules_stopped(two_regions), rule_in_the_west(two_regions, f"{LEFT_OVER}/32", description):
        ran = operator.run("explain", LEFT_OVER)
        assert ran.code == 2
        assert "the guard holds its removal" in ran.output
        # when a true-up runs, then it is held nevertheless
        assert operator.run("sync").code == 2
        command = advised(operator, LEFT_OVER)[0]
        assert re.fullmatch("ringfence sync --confirm [0-9a-f]{12}", command)
        run_advised(operator, two_regions, command)
        assert LEFT_OVER not in two_regions.regions[WEST].admitted()


def test_in_an_observed_region_the_advice_is_to_deploy_it_in_another_mode(
    two_regions: Cluster, operator: Shell
) -> None:
    id, address = member(two_regions)
    west = two_regions.regions[WEST]
    (rule,) = [rule for rule in west.rules() if rule["CidrIpv4"] == f"{address}/32"]
    file = operator.directory / "ringfence.toml"
    owned = file.read_text()
    with schedules_stopped(two_regions):
        west.client("ec2").revoke_security_group_ingress(
            GroupId=west.security_group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
        )
        file.write_text('mode = "observe"\n' + owned)
        ran = operator.run("explain", id)
        assert "missing, and stays so: this Region is in observe mode" in ran.output
        assert 'write mode = "owned" into the cluster file' in " ".join(ran.output.split())
        assert f"ringfence deploy {WEST}" in advised(operator, id)
        # when the file is as advised, then the advised command asks before it changes anything
        file.write_text(owned)
        asked = run_advised(operator, two_regions, f"ringfence deploy {WEST}")
        assert asked.code in (0, 64)
        assert "Traceback" not in asked.errors
    assert operator.run("sync").code == 0


def test_a_launch_that_is_sent_away_is_told_with_the_full_group(two_regions: Cluster, operator: Shell) -> None:
    east = two_regions.regions[EAST]
    ec2, group = east.client("ec2"), east.security_group
    # given: a group that foreign rules fill up to its quota
    answer = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    used = sum(not rule["IsEgress"] for rule in answer["SecurityGroupRules"])
    ranges = [{"CidrIp": f"198.51.100.{number}/32", "Description": "by hand"} for number in range(60 - used)]
    permission: Any = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": ranges}
    added = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"]
    try:
        # when
        before = set(east.lifecycle_states())
        east.scale_to(2)
        sent_away = str(eventually(lambda: _sent_away(operator), 30))
        assert sent_away not in before
        east.scale_to(1)
        shown = operator.run("explain", sent_away)
        # then
        said = " ".join(shown.output.split())
        assert shown.code == 2
        assert f"{sent_away} was sent away (ABANDON) at" in said
        assert f"there is no room for its rules: {group} in {EAST} is full, 60 of 60 rules" in said
        assert f"{group} of {EAST} is full: 60 of 60" in said
        assert "ringfence doctor" in advised(operator, sent_away)
        assert run_advised(operator, two_regions, "ringfence doctor").code in (0, 2)
    finally:
        ec2.revoke_security_group_ingress(
            GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"] for rule in added]
        )


def _sent_away(operator: Shell) -> str | None:
    """An instance whose launch was abandoned lately."""
    document = operator.document("history", "--since", "60s", "--region", EAST)
    found = [decision["instance"] for decision in document["decisions"] if decision["turn"] == "abandoned"]
    return found[0] if found else None


def test_an_instance_that_is_held_is_told_with_its_reason_and_released_by_the_advised_true_up(
    two_regions: Cluster, operator: Shell
) -> None:
    # given: a young instance that departs, so that its release needs a second look a minute later
    east = two_regions.regions[EAST]
    before = set(east.lifecycle_states())
    two_regions.scale(EAST, 2)
    (id,) = set(east.lifecycle_states()) - before
    with schedules_stopped(two_regions):
        east.client("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=id, ShouldDecrementDesiredCapacity=True
        )
        eventually(lambda: _turns(operator, id)[-1:] == ["held"], 60)
        shown = operator.run("explain", id)
        said = " ".join(shown.output.split())
        assert shown.code == 2
        assert f"{id} is held since" in said
        assert "its rules are so new that a second look must follow" in said
        command = f"ringfence sync {EAST}"
        assert command in advised(operator, id)
        # when
        eventually(lambda: _turns_after(operator, two_regions, command, id)[-1] == "released", 120)
        # then every pass that held it is one line
        said = " ".join(operator.run("explain", id).output.split())
        assert f"{id} was released (CONTINUE) at" in said
        shown = operator.run("history", "--since", "10m", "--instance", id)
        assert len([line for line in shown.output.splitlines() if " held " in line]) == 1


def _turns_after(operator: Shell, cluster: Cluster, command: str, instance: str) -> list[str]:
    """The decisions about an instance after an advised command."""
    run_advised(operator, cluster, command)
    return _turns(operator, instance)


def _turns(operator: Shell, instance: str) -> list[str]:
    document = operator.document("history", "--since", "10m", "--instance", instance)
    return [decision["turn"] for decision in document["decisions"] if decision["active"]]


def test_the_history_is_followed_until_it_is_interrupted(two_regions: Cluster, operator: Shell) -> None:
    following = subprocess.Popen(
        [COMMAND, "history", "--follow", "--since", "10m", "--region", EAST],
        cwd=operator.directory,
        env=dict(operator.environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    watchdog = threading.Timer(120, following.kill)
    watchdog.start()
    # given that it has shown what was there
    seen = following.stdout.readline()
    # when
    before = set(two_regions.regions[EAST].lifecycle_states())
    two_regions.scale(EAST, 2)
    (new,) = set(two_regions.regions[EAST].lifecycle_states()) - before
    # then
    admitted = re.compile(rf"admitted +{new} +after [0-9]+ s +admitted everywhere")
    while not admitted.search(seen) and (line := following.stdout.readline()):
        seen += line
    following.send_signal(signal.SIGINT)
    code = following.wait(20)
    watchdog.cancel()
    assert admitted.search(seen)
    assert code == 130
