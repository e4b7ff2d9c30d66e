"""`deploy`, `destroy` and `retire` as the real command, from an account with nothing in it but groups to look after."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pexpect
import pytest

from ringfence_lab.control.deploy import LabDeployment
from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.observer import Observer
from tests.end_to_end.clusters import EAST, SOUTH, WEST, Cluster
from tests.labs import eventually
from tests.ops.commands import COMMAND, Shell, shell
from tests.ops.test_explain_commands import checked

NAME = "demo"


@pytest.fixture(scope="module")
def account() -> Iterator[Cluster]:
    """Three Regions with an Auto Scaling group and a security group each, and no Ringfence."""
    with Lab(regions=[EAST, WEST, SOUTH]) as lab:
        regions = {}
        for region in lab.regions:
            made = prerequisites(lab, region)
            function = f"ringfence-{NAME}"
            regions[region] = Observer(
                lab.endpoint_url, region, made["AutoScalingGroup"], made["SecurityGroup"], function
            )
        yield Cluster(lab, regions)


def prerequisites(lab: Lab, region: str) -> Mapping[str, str]:
    """The example's groups."""
    deployment = LabDeployment(NAME, lab.regions, Path(), lab.client, {})
    template = (deployment.project / "examples" / "prerequisites.yaml").read_text()
    return deployment._create(region, f"{NAME}-prerequisites", template, {"ClusterName": NAME})


@pytest.fixture
def operator(account: Cluster, tmp_path: Path) -> Shell:
    return shell(account, tmp_path)


@pytest.fixture
def deployed(operator: Shell) -> Shell:
    """The cluster is deployed in all Regions."""
    ran = operator.run("deploy", "--yes")
    assert ran.code == 0, ran
    return operator


def stacks(account: Cluster) -> dict[str, str]:
    """The status of each Region's stack that there is."""
    found = {}
    for region, one in account.regions.items():
        for stack in one.client("cloudformation").describe_stacks()["Stacks"]:
            if stack["StackName"] == f"ringfence-{NAME}" and stack["StackStatus"] != "DELETE_COMPLETE":
                found[region] = stack["StackStatus"]
    return found


def is_looked_after(account: Cluster) -> None:
    """Each Region has a member, and every group admits just those; within a minute, by event or by schedule."""
    eventually(
        lambda: len(account.members()) == 3 and account.agrees(),
        90,
        lambda: {name: (one.instances(), one.admitted()) for name, one in account.regions.items()},
    )


def edit(operator: Shell, old: str, new: str) -> None:
    file = operator.directory / "ringfence.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


# In this order: what comes later needs the stacks that came before, or makes them as it needs them.


def test_nothing_is_deployed_that_nobody_agreed_to(account: Cluster, operator: Shell) -> None:
    # when
    shown = operator.run("deploy", "--dry-run")
    asked = operator.run("deploy")
    # then
    assert (shown.code, asked.code) == (2, 1)
    assert "+ RingfenceFunction" in shown.said
    assert asked.aside.endswith("ringfence: there is no terminal to ask on: give --yes to go on without being asked\n")
    document = checked(operator.run("deploy", "--dry-run", "--json"))
    assert {one["kind"] for one in document["regions"]} == {"create"}
    assert set(stacks(account).values()) <= {"REVIEW_IN_PROGRESS"}


def test_a_cluster_is_deployed_and_brought_up_to_date(account: Cluster, operator: Shell) -> None:
    # when
    first = checked(operator.run("deploy", "--yes", "--json"))
    again = checked(operator.run("deploy", "--yes", "--json"))
    edit(operator, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 7')
    update = checked(operator.run("deploy", WEST, "--yes", "--json"))
    # then
    assert [one["outcome"] for one in first["regions"]] == ["created"] * 3
    assert [one["kind"] for one in again["regions"]] == ["nothing"] * 3
    ((only,),) = [one["changes"] for one in update["regions"]]
    assert (only["action"], only["resource"]) == ("Modify", "RingfenceFunction")
    environment = account.regions[WEST].client("lambda").get_function(FunctionName=f"ringfence-{NAME}")
    assert environment["Configuration"]["Environment"]["Variables"]["RINGFENCE_RELEASE_DEADLINE"] == "7"
    # and the code lies in a bucket that is nobody else's business
    sts = account.lab.client("sts", EAST).get_caller_identity()["Account"]
    s3, bucket = account.lab.client("s3", EAST), f"ringfence-{sts}-{EAST}"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]


def test_what_was_deployed_looks_after_the_cluster(account: Cluster, deployed: Shell) -> None:
    for region in account.regions.values():
        region.scale_to(1)

    is_looked_after(account)

    assert deployed.run("status").code == 0


def test_ctrl_c_says_what_goes_on_and_the_same_command_again_shows_how_it_ended(
    account: Cluster, deployed: Shell
) -> None:
    # given
    assert deployed.run("destroy", SOUTH, "--confirm", NAME).code == 0
    terminal = pexpect.spawn(
        COMMAND,
        ["deploy", SOUTH],
        cwd=str(deployed.directory),
        env={**deployed.environment, "TERM": "xterm"},
        dimensions=(60, 120),
        timeout=60,
    )
    # when
    terminal.expect("Deploy this")
    account.lab.fault(SOUTH, "delay=3", "cloudformation")
    try:
        terminal.sendline("y")
        terminal.expect(f"{SOUTH}.*waiting")
        terminal.sendintr()
        terminal.expect("interrupted: CloudFormation goes on by itself")
        terminal.expect(pexpect.EOF)
    finally:
        account.lab.heal()
    terminal.close()
    # then
    assert terminal.exitstatus == 130
    # and once what was on its way has arrived, and CloudFormation is through with it
    time.sleep(3)
    eventually(lambda: stacks(account).get(SOUTH) != "CREATE_IN_PROGRESS", 40)
    again = deployed.run("deploy", "--yes")
    assert again.code == 0, again
    assert stacks(account)[SOUTH] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def test_a_region_whose_stack_fails_says_which_resource_and_why_and_the_others_are_deployed(
    account: Cluster, deployed: Shell
) -> None:
    # given an Auto Scaling group that does not exist, in one Region
    assert deployed.run("destroy", SOUTH, "--confirm", NAME).code == 0
    file = deployed.directory / "ringfence.toml"
    well = file.read_text()
    edit(deployed, f'["{account.regions[SOUTH].auto_scaling_group}"]', '["no-such-group"]')
    # when
    ran = deployed.run("deploy", "--yes", "--json")
    # then
    document = checked(ran)
    assert ran.code == 1
    assert list(document["failed"]) == [SOUTH]
    assert "no-such-group" in document["failed"][SOUTH] or "Hook" in document["failed"][SOUTH]
    assert {one["region"] for one in document["regions"] if one["outcome"]} == {EAST, WEST}
    # and once it is mended, what was left of the failure is replaced
    file.write_text(well)
    mended = deployed.run("deploy", "--yes", "--json")
    assert mended.code == 0, mended
    assert stacks(account)[SOUTH] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def test_a_region_that_hangs_stops_a_deployment_before_it_begins(account: Cluster, deployed: Shell) -> None:
    edit(deployed, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 11')
    account.lab.fault(WEST, "hang")
    try:
        ran = deployed.run("deploy", "--yes")
    finally:
        account.lab.heal()
    assert ran.code == 1
    assert WEST in ran.said
    assert "no answer" in ran.said
    assert "Nothing was deployed" in ran.aside
    assert ran.seconds < 25  # five for the Region, and a machine that is busy with other tests


@pytest.mark.timeout(300)
def test_a_region_retires_with_its_rules_and_the_others_go_on(account: Cluster, deployed: Shell) -> None:
    # given
    eventually(lambda: deployed.run("sync").code == 0, 120, lambda: deployed.run("status"))
    is_looked_after(account)
    (leaving,) = (one.address for one in account.regions[SOUTH].instances().values())
    refused = deployed.run("retire", SOUTH)
    assert (refused.code, set(stacks(account))) == (1, {EAST, WEST, SOUTH})
    # when
    ran = deployed.run("retire", SOUTH, "--yes", "--json")
    # then
    document = checked(ran)
    assert ran.code == 0, ran
    assert (document["rules_elsewhere"], document["rules_in_its_own_groups"]) == (2, 3)
    assert stacks(account).keys() == {EAST, WEST}
    assert account.regions[SOUTH].admitted() == set()
    for region in (EAST, WEST):
        assert leaving not in account.regions[region].admitted()
    assert SOUTH not in (deployed.directory / "ringfence.toml").read_text()
    assert deployed.run("status").code == 0
    gone = deployed.run("retire", SOUTH, "--yes")
    assert (gone.code, f"{SOUTH} is no Region of the cluster" in gone.aside) == (1, True)


def test_a_cluster_is_taken_down_only_by_its_name_and_its_rules_stay_unless_they_are_to_go(
    account: Cluster, deployed: Shell
) -> None:
    # when nobody says its name, or another one
    unasked, mistaken = deployed.run("destroy"), deployed.run("destroy", "--confirm", "prod")
    # then
    assert (unasked.code, mistaken.code) == (1, 1)
    assert f"give --confirm {NAME}" in unasked.aside
    assert "prod is not the cluster's name: nothing was done" in mistaken.aside
    assert stacks(account).keys() == {EAST, WEST, SOUTH}
    # when
    is_looked_after(account)
    first = checked(deployed.run("destroy", "--confirm", NAME, "--json"))
    # then
    assert {one["outcome"] for one in first["regions"]} == {"destroyed"}
    assert stacks(account) == {}
    assert account.agrees()
    # and when the rules are to go
    second = checked(deployed.run("destroy", "--confirm", NAME, "--remove-rules", "--json"))
    # then
    assert second["failed"] == {}
    assert {one["outcome"] for one in second["regions"]} == {"was not deployed"}
    assert sum(one["rules_removed"] for one in second["regions"]) == 9
    assert all(region.admitted() == set() for region in account.regions.values())


BAD_INPUT: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
    (("deploy", "us-west-1"), {}, 1, "did you mean us-west-2?"),
    (("deploy",), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "there are no AWS credentials"),
    (("--endpoint-url", "http://127.0.0.1:1", "destroy"), {}, 1, "no Region answers"),
    (("retire", "eu-west-9"), {}, 1, "is no Region of the cluster"),
    (("retire",), {}, 64, "Missing argument"),
]


@pytest.mark.parametrize(("arguments", "environment", "code", "said"), BAD_INPUT, ids=[case[3] for case in BAD_INPUT])
def test_what_cannot_be_done_is_said_in_one_line(
    operator: Shell, arguments: tuple[str, ...], environment: dict[str, str], code: int, said: str
) -> None:
    ran = operator.run(*arguments, **environment)
    assert (ran.code, ran.said) == (code, "")
    assert said in ran.aside
    assert "Traceback" not in ran.aside
