"""`init`: what it finds, what it asks, and what it writes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from ringfence.core.model.identifiers import Region
from ringfence_ops.cluster.cluster_file import read
from tests.end_to_end.clusters import EAST, WEST, Cluster, _two_regions, two_regions
from tests.ops.commands import COMMAND, Shell, shell
from tests.ops.test_explain_commands import checked

__all__ = ["_two_regions", "two_regions"]


BOTH = ("--region", EAST, "--region", WEST)


@pytest.fixture
def operator(two_regions: Cluster, tmp_path: Path) -> Shell:
    operator = shell(two_regions, tmp_path)
    (tmp_path / "ringfence.toml").unlink()
    return operator


@contextmanager
def second_group(cluster: Cluster) -> Iterator[str]:
    """An Auto Scaling group beside the cluster's, without an instance, in the east."""
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
    document = checked(operator.run("init", "--name", "demo", *BOTH, "--json"))
    # then
    cluster = read(operator.directory / "ringfence.toml")
    assert document["file"] == "ringfence.toml"
    for region, one in two_regions.regions.items():
        described = cluster.of(Region(region))
        assert described.auto_scaling_groups == (one.auto_scaling_group,)
        assert described.security_groups == (one.security_group,)
    assert operator.run("plan").code == 0


def test_a_file_that_is_there_stays_unless_told_otherwise(operator: Shell) -> None:
    file = operator.directory / "ringfence.toml"
    file.write_text("mine")

    refused = operator.run("init", "--name", "demo", *BOTH)

    assert (refused.code, file.read_text()) == (1, "mine")
    assert "give --force to write over it" in refused.aside
    assert operator.run("init", "--name", "demo", *BOTH, "--force").code == 0
    assert file.read_text() != "mine"


def test_of_several_groups_some_must_be_named(two_regions: Cluster, operator: Shell) -> None:
    with second_group(two_regions) as second:
        unnamed = operator.run("init", "--name", "demo", "--region", EAST)
        mistaken = operator.run("init", "--name", "demo", "--region", EAST, "--auto-scaling-group", "bach")
        named = operator.run("init", "--name", "demo", "--region", EAST, "--auto-scaling-group", second)
    assert (unnamed.code, mistaken.code, named.code) == (1, 1, 0)
    assert "name them with --auto-scaling-group" in unnamed.aside
    assert "did you mean batch?" in mistaken.aside
    described = read(operator.directory / "ringfence.toml").of(Region(EAST))
    assert described.auto_scaling_groups == (second,)
    assert described.security_groups == (two_regions.regions[EAST].security_group,)


def test_on_a_terminal_it_asks_for_what_it_cannot_know(two_regions: Cluster, operator: Shell) -> None:
    with second_group(two_regions) as second:
        terminal = pexpect.spawn(
            COMMAND,
            ["init"],
            cwd=str(operator.directory),
            env={**operator.environment, "TERM": "xterm", "NO_COLOR": "1"},
            encoding="utf-8",
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
        terminal.expect("is written")
        terminal.expect(pexpect.EOF)
        terminal.close()
    assert terminal.exitstatus == 0
    assert read(operator.directory / "ringfence.toml").of(Region(EAST)).auto_scaling_groups == (second,)


def test_ctrl_c_at_a_question_leaves_nothing(operator: Shell) -> None:
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "there is no terminal to ask on: give --name"),
        (("--name", "demo"), "there is no terminal to ask on: give --region"),
        (
            ("--name", "Demo", "--region", EAST),
            "name: must be 1 to 32 of a-z, 0-9 and hyphen, the first a letter, such as my-cluster, got 'Demo'",
        ),
        (("--name", "demo", "--region", "eu-west-1"), "eu-west-1 has no Auto Scaling group"),
        (("--name", "demo", "--region", EAST, "--mode", "own"), "--mode: 'own' is not a valid Mode"),
        (("--name", "demo", "--region", EAST, "--ports", "9042"), "--ports: "),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_nothing_is_written(
    operator: Shell, arguments: tuple[str, ...], said: str
) -> None:
    ran = operator.run("init", *arguments)
    assert (ran.code, ran.said) == (1, "")
    assert said in ran.aside
    assert len(ran.aside.splitlines()) == 1
    assert not (operator.directory / "ringfence.toml").exists()
