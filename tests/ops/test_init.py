"""`init`: what it finds, what it asks, and what it writes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pexpect
import pytest

from ringfence.core.configuration.settings import PrivateAddresses
from ringfence.core.model.identifiers import Region
from ringfence_ops.cluster.cluster_file import read
from tests.end_to_end.clusters import EAST, RELEASE_DEADLINE, WEST, Cluster
from tests.ops.commands import COMMAND, Shell, alarm_topic

BOTH = ("--region", EAST, "--region", WEST)


@pytest.fixture(autouse=True)
def _no_cluster_file(operator: Shell) -> None:
    """There is no cluster file yet."""
    (operator.directory / "ringfence.toml").unlink()


@contextmanager
def second_group(cluster: Cluster) -> Iterator[str]:
    """A second Auto Scaling group in the east, without instances."""
    east = cluster.regions[EAST]
    client = east.client("autoscaling")
    (first,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=[east.auto_scaling_group])["AutoScalingGroups"]
    client.create_auto_scaling_group(
        AutoScalingGroupName="batch",
        MinSize=0,
        MaxSize=1,
        LaunchTemplate={name: first["LaunchTemplate"][name] for name in ("LaunchTemplateId", "Version")},
        VPCZoneIdentifier=first["VPCZoneIdentifier"],
    )
    try:
        yield "batch"
    finally:
        client.delete_auto_scaling_group(AutoScalingGroupName="batch", ForceDelete=True)


def test_it_describes_what_the_regions_have(two_regions: Cluster, operator: Shell) -> None:
    # when
    document = operator.document("init", "--name", "demo", *BOTH)
    # then
    cluster = read(operator.directory / "ringfence.toml")
    assert document["file"] == "ringfence.toml"
    for name, region in two_regions.regions.items():
        described = cluster.of(Region(name))
        assert described.auto_scaling_groups == (region.auto_scaling_group,)
        assert described.security_groups == (region.security_group,)
    assert cluster.values["private_addresses"] is PrivateAddresses.PRIMARY
    # and a new file has what the stacks have
    assert cluster.values["release_deadline"] == RELEASE_DEADLINE
    assert cluster.of(Region(EAST)).values["alarm_topic"] == alarm_topic(two_regions, EAST)
    changed = operator.document("deploy", "--dry-run")["regions"]
    # except for the one setting that it always writes
    assert {change["setting"] for stack in changed for change in stack["parameters"]} == {"private_addresses"}
    assert "a reconcile would change no rule" in operator.run("plan").output


def test_an_existing_file_is_not_overwritten_by_default(operator: Shell) -> None:
    file = operator.directory / "ringfence.toml"
    file.write_text("mine")

    refused = operator.run("init", "--name", "demo", *BOTH)

    assert (refused.code, file.read_text()) == (1, "mine")
    assert "give --force to overwrite it" in refused.errors
    assert operator.run("init", "--name", "demo", *BOTH, "--force").code == 0
    assert file.read_text() != "mine"


def test_of_several_groups_at_least_one_must_be_named(two_regions: Cluster, operator: Shell) -> None:
    with second_group(two_regions) as second:
        unnamed = operator.run("init", "--name", "demo", "--region", EAST)
        mistaken = operator.run("init", "--name", "demo", "--region", EAST, "--auto-scaling-group", "bach")
        named = operator.run("init", "--name", "demo", "--region", EAST, "--auto-scaling-group", second)
    assert (unnamed.code, mistaken.code, named.code) == (64, 64, 0)
    assert "name them with --auto-scaling-group" in unnamed.errors
    assert "did you mean batch?" in mistaken.errors
    described = read(operator.directory / "ringfence.toml").of(Region(EAST))
    assert described.auto_scaling_groups == (second,)
    assert described.security_groups == (two_regions.regions[EAST].security_group,)


def test_on_a_terminal_it_asks_for_the_rest(two_regions: Cluster, operator: Shell) -> None:
    topic = alarm_topic(two_regions, EAST)
    with second_group(two_regions) as second:
        terminal = pexpect.spawn(
            COMMAND,
            ["init"],
            cwd=str(operator.directory),
            env={**operator.environment, "TERM": "xterm", "NO_COLOR": "1"},
            encoding="utf-8",
            dimensions=(40, 200),
            timeout=40,
        )
        terminal.expect("The cluster's name")
        terminal.sendline("demo")
        terminal.expect("Regions of the cluster")
        terminal.sendline(EAST)
        terminal.expect("Auto Scaling groups of the cluster")
        terminal.expect(rf"(\d)  {second}")
        number = str(terminal.match[1]) if isinstance(terminal.match, re.Match) else ""
        terminal.expect("Their numbers")
        terminal.sendline("7")
        terminal.expect("names none of them")
        terminal.sendline(number)
        terminal.expect(f"The SNS topic in {EAST} that alarms notify")
        terminal.expect(rf"(\d+)  {topic}")
        number = str(terminal.match[1]) if isinstance(terminal.match, re.Match) else ""
        for wrong, said in (
            (alarm_topic(two_regions, WEST), f"topics of their own Region, {EAST}"),
            (f"{topic}-2", "does not exist"),
            ("operators", "must be the ARN of an SNS topic"),
        ):
            terminal.expect("Its number or its ARN")
            terminal.sendline(wrong)
            terminal.expect(said)
        terminal.expect("Its number or its ARN")
        terminal.sendline(number)
        terminal.expect("is written")
        terminal.expect(pexpect.EOF)
        terminal.close()
    assert terminal.exitstatus == 0
    described = read(operator.directory / "ringfence.toml").of(Region(EAST))
    assert described.auto_scaling_groups == (second,)
    assert described.values["alarm_topic"] == topic


def test_topics_are_named_by_option_where_there_is_no_terminal(two_regions: Cluster, operator: Shell) -> None:
    topics = [alarm_topic(two_regions, region) for region in (WEST, EAST)]
    named = [part for topic in topics for part in ("--alarm-topic", topic)]
    document = operator.document("init", "--name", "demo", *BOTH, *named)
    assert [region["alarm_topic"] for region in document["regions"]] == topics[::-1]
    described = read(operator.directory / "ringfence.toml")
    assert [described.of(Region(region)).values["alarm_topic"] for region in (WEST, EAST)] == topics
    # and without one, those that are deployed stay
    document = operator.document("init", "--name", "demo", *BOTH, "--force")
    assert [region["alarm_topic"] for region in document["regions"]] == topics[::-1]


def test_a_stack_that_cannot_be_read_is_said(two_regions: Cluster, operator: Shell) -> None:
    # given
    two_regions.lab.fault(WEST, "deny", "cloudformation")
    # when
    ran = operator.run("init", "--name", "demo", *BOTH)
    # then
    two_regions.lab.heal()
    assert ran.code == 0
    assert f"Whether {WEST} has a stack is not known, so the file has nothing of it: " in ran.errors
    described = read(operator.directory / "ringfence.toml")
    topics = [described.of(Region(region)).values["alarm_topic"] for region in (EAST, WEST)]
    assert topics == [alarm_topic(two_regions, EAST), ""]


def test_ctrl_c_at_a_question_writes_nothing(operator: Shell) -> None:
    terminal = pexpect.spawn(
        COMMAND,
        ["init"],
        cwd=str(operator.directory),
        env={**operator.environment, "TERM": "xterm"},
        encoding="utf-8",
        timeout=20,
    )
    terminal.expect("The cluster's name")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert not (operator.directory / "ringfence.toml").exists()


def test_a_wrong_answer_is_answered_with_its_rule_and_asked_for_again(two_regions: Cluster, operator: Shell) -> None:
    with second_group(two_regions):
        terminal = pexpect.spawn(
            COMMAND,
            ["init", "--auto-scaling-group", two_regions.regions[EAST].auto_scaling_group],
            cwd=str(operator.directory),
            env={**operator.environment, "TERM": "xterm", "NO_COLOR": "1"},
            encoding="utf-8",
            timeout=60,
            dimensions=(40, 200),
        )
        terminal.expect("The cluster's name")
        terminal.sendline("My Cluster")
        terminal.expect("must be 1 to 32 of a-z, 0-9 and hyphen, the first a letter")
        terminal.expect("The cluster's name")
        terminal.sendline("demo")
        terminal.expect("Regions of the cluster")
        terminal.sendline("us-esat-1")
        terminal.expect("us-esat-1 is no Region that this account can use; did you mean us-")
        terminal.expect("Regions of the cluster")
        terminal.sendline(EAST)
        terminal.expect("Its number or its ARN")
        terminal.sendline("")
        terminal.expect("is written")
        terminal.expect(pexpect.EOF)
        terminal.close()
    assert terminal.exitstatus == 0
    assert read(operator.directory / "ringfence.toml").region_names == (EAST,)


def test_a_broken_group_stops_only_who_asks_for_it(two_regions: Cluster, operator: Shell) -> None:
    # given a group whose launch template is gone
    east = two_regions.regions[EAST]
    ec2, client = east.client("ec2"), east.client("autoscaling")
    (first,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=[east.auto_scaling_group])["AutoScalingGroups"]
    template = ec2.create_launch_template(
        LaunchTemplateName="broken", LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    client.create_auto_scaling_group(
        AutoScalingGroupName="broken",
        MinSize=0,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        VPCZoneIdentifier=first["VPCZoneIdentifier"],
    )
    ec2.delete_launch_template(LaunchTemplateId=template)
    # when
    options = ("--name", "demo", "--region", EAST, "--force")
    try:
        other = operator.run("init", *options, "--auto-scaling-group", east.auto_scaling_group)
        unnamed = operator.run("init", *options)
        itself = operator.run("init", *options, "--auto-scaling-group", "broken")
    finally:
        client.delete_auto_scaling_group(AutoScalingGroupName="broken", ForceDelete=True)
    # then
    assert other.code == 0, other
    assert unnamed.code == 64
    assert "broken, 0 instances, cannot be used: " in unnamed.errors
    assert itself.code == 1
    assert f"the Auto Scaling group broken in {EAST} cannot be used: DescribeLaunchTemplateVersions" in itself.errors


def test_a_named_security_group_is_taken_if_it_exists(two_regions: Cluster, operator: Shell) -> None:
    # given a security group that no instance has
    ec2 = two_regions.regions[EAST].client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    spare = ec2.create_security_group(GroupName="spare", Description="spare", VpcId=vpc)["GroupId"]
    # when
    try:
        ran = operator.run("init", "--name", "demo", *BOTH, "--security-group", spare)
    finally:
        ec2.delete_security_group(GroupId=spare)
    # then
    assert ran.code == 0, ran
    assert f"has {spare} in {EAST} yet" in ran.errors
    cluster = read(operator.directory / "ringfence.toml")
    assert cluster.of(Region(EAST)).security_groups == (spare,)
    assert cluster.of(Region(WEST)).security_groups == (two_regions.regions[WEST].security_group,)


@pytest.mark.parametrize("named", [True, False])
def test_no_security_group_is_taken_from_another_cluster(two_regions: Cluster, operator: Shell, named: bool) -> None:
    # given the groups of the cluster demo
    group = two_regions.regions[EAST].security_group
    option = ("--security-group", group) if named else ()
    # when
    ran = operator.run("init", "--name", "other", "--region", EAST, *option)
    # then
    assert (ran.code, ran.output) == (64, "")
    assert f"the security group {group} in {EAST} belongs to the cluster demo, and is not taken from it" in ran.errors
    assert f"aws ec2 delete-tags --region {EAST} --resources {group} --tags" in ran.errors
    assert not (operator.directory / "ringfence.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 64, "there is no terminal to ask on: give --name"),
        (("--name", "demo"), 64, "there is no terminal to ask on: give --region"),
        (
            ("--name", "Demo", "--region", EAST),
            64,
            "--name: must be 1 to 32 of a-z, 0-9 and hyphen, the first a letter, such as my-cluster, got 'Demo'",
        ),
        (("--name", "demo", "--region", "eu-west-1"), 1, "eu-west-1 has no Auto Scaling group"),
        (("--name", "demo", "--region", "us-esat-1"), 64, "us-esat-1 is no Region that this account can use; did you"),
        (("--name", "demo", "--region", "mars-north-1"), 64, "mars-north-1 is no Region that this account can use"),
        (("--name", "demo", "--region", "Virginia"), 64, "--region: must be a list of Regions such as us-east-1"),
        (
            ("--name", "demo", "--region", EAST, "--security-group", "sg-1234"),
            64,
            "--security-group: must be a list of ids such as sg-0123456789abcdef0, got 'sg-1234'",
        ),
        (
            ("--name", "demo", *BOTH, "--security-group", "sg-0123456789abcdef0"),
            64,
            f"--security-group: sg-0123456789abcdef0 does not exist in {EAST}, {WEST}",
        ),
        (("--name", "demo", "--region", EAST, "--mode", "own"), 64, "--mode: must be one of observe, owned, mirror"),
        (("--name", "demo", "--region", EAST, "--ports", "9042"), 64, "--ports: "),
        (
            ("--name", "demo", "--region", EAST, "--alarm-topic", "arn:aws:sns:us-east-1:123456789012:no-such"),
            64,
            "no-such does not exist: aws sns create-topic --region us-east-1 --name no-such",
        ),
        (
            ("--name", "demo", "--region", EAST, "--alarm-topic", "arn:aws:sns:us-west-2:123456789012:demo-alarms"),
            64,
            "is in no Region of the cluster",
        ),
    ],
)
def test_an_error_is_one_line_and_nothing_is_written(
    operator: Shell, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran = operator.run("init", *arguments)
    assert (ran.code, ran.output) == (code, "")
    assert message in ran.errors
    assert len(ran.errors.splitlines()) == 1
    assert not (operator.directory / "ringfence.toml").exists()
