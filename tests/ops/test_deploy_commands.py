"""`deploy`, `destroy` and `retire` as the real command, in an account that has only the groups to manage."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.end_to_end.clusters import EAST, SOUTH, WEST, Cluster
from tests.labs import eventually
from tests.ops.accounts import NAME, edit, empty_account, stacks
from tests.ops.commands import COMMAND, Shell, shell


@pytest.fixture(scope="module")
def account() -> Iterator[Cluster]:
    """Three Regions with an Auto Scaling group and a security group each, and no Ringfence."""
    yield from empty_account(EAST, WEST, SOUTH)


@pytest.fixture
def operator(account: Cluster, tmp_path: Path) -> Shell:
    return shell(account, tmp_path)


@pytest.fixture
def deployed(operator: Shell) -> Shell:
    """The cluster is deployed in all Regions."""
    ran = operator.run("deploy", "--yes")
    assert ran.code == 0, ran
    return operator


def wait_until_managed(account: Cluster) -> None:
    """Waits until each Region has a member and every group admits exactly these: by event or by schedule."""
    eventually(
        lambda: len(account.members()) == 3 and account.agrees(),
        90,
        lambda: {name: (region.instances(), region.admitted()) for name, region in account.regions.items()},
    )


# The tests run in this order: a later test uses the stacks of an earlier one, or deploys them.


def test_nothing_is_deployed_without_confirmation(account: Cluster, operator: Shell) -> None:
    # when
    shown = operator.run("deploy", "--dry-run")
    asked = operator.run("deploy")
    # then
    assert (shown.code, asked.code) == (2, 64)
    assert "+ RingfenceFunction" in shown.output
    assert asked.errors.endswith(
        "ringfence: there is no terminal to ask on: give --yes to continue without being asked\n"
    )
    document = operator.document("deploy", "--dry-run")
    assert {stack["kind"] for stack in document["regions"]} == {"create"}
    assert set(stacks(account).values()) <= {"REVIEW_IN_PROGRESS"}


def test_a_cluster_is_deployed_and_updated(account: Cluster, operator: Shell) -> None:
    # given
    first = operator.document("deploy", "--yes")
    # and somebody opened the bucket with the code
    sts = account.lab.client("sts", EAST).get_caller_identity()["Account"]
    s3, bucket = account.lab.client("s3", EAST), f"ringfence-{sts}-{EAST}"
    s3.delete_public_access_block(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    # when
    again = operator.document("deploy", "--yes")
    edit(operator, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 7')
    update = operator.document("deploy", WEST, "--yes")
    # then
    assert [stack["outcome"] for stack in first["regions"]] == ["created"] * 3
    assert [stack["kind"] for stack in again["regions"]] == ["nothing"] * 3
    (changes,) = [stack["changes"] for stack in update["regions"]]
    assert {(change["action"], change["resource"]) for change in changes} == {
        ("Modify", "RingfenceFunction"),
        ("Modify", "Announcement"),
    }
    environment = account.regions[WEST].client("lambda").get_function(FunctionName=f"ringfence-{NAME}")
    assert environment["Configuration"]["Environment"]["Variables"]["RINGFENCE_RELEASE_DEADLINE"] == "7"
    # and the code is in a private bucket again
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]


def test_a_deployed_cluster_is_managed(account: Cluster, deployed: Shell) -> None:
    for region in account.regions.values():
        region.scale_to(1)

    wait_until_managed(account)

    assert deployed.run("status").code == 0


def quota_of_stack(account: Cluster, region: str) -> str:
    """The quota of rules that the Region's stack was deployed with."""
    stacks = account.regions[region].client("cloudformation").describe_stacks(StackName=f"ringfence-{NAME}")["Stacks"]
    quotas: list[str] = [
        each["ParameterValue"] for each in stacks[0]["Parameters"] if each["ParameterKey"] == "RulesQuota"
    ]
    return quotas[0]


def test_the_real_quota_is_deployed_unless_the_file_says_another(account: Cluster, deployed: Shell) -> None:
    # given
    file = deployed.directory / "ringfence.toml"
    before, asked = file.read_text(), {"ServiceCode": "vpc", "QuotaCode": "L-0EA8095F"}
    account.lab.client("service-quotas", WEST).request_service_quota_increase(**asked, DesiredValue=80)
    # when
    ran = deployed.run("deploy", EAST, WEST, "--yes")
    # then
    assert f"{WEST}: RulesQuota is 80, the account's quota of rules in a security group" in ran.errors
    assert [quota_of_stack(account, region) for region in (EAST, WEST)] == ["60", "80"]
    assert file.read_text() == before
    document = deployed.document("doctor", WEST)
    assert [one["severity"] for one in document["findings"] if one["check"] in ("stack", "engine", "room")] == [
        *("ok", "ok", "ok")
    ]
    assert deployed.document("status")["regions"][1]["security_groups"][0]["quota"] == 80
    # and a call that is denied is said, and the default is deployed
    account.lab.fault(WEST, "deny", "servicequotas")
    denied = deployed.run("deploy", WEST, "--dry-run")
    account.lab.heal()
    assert f"{WEST}: the account's quota of rules in a security group could not be read (GetServiceQuota was" in (
        denied.errors
    )
    assert "RulesQuota is the default, 60" in denied.errors
    # and what the file says is deployed
    edit(deployed, f'name = "{NAME}"', f'name = "{NAME}"\nrules_quota = 70')
    assert "RulesQuota" not in deployed.run("deploy", WEST, "--yes").errors
    assert quota_of_stack(account, WEST) == "70"


def test_a_dashboard_of_a_region_is_part_of_its_stack_if_the_file_says_so(account: Cluster, deployed: Shell) -> None:
    cloudwatch = account.regions[WEST].client("cloudwatch")
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
    edit(deployed, f'name = "{NAME}"', f'name = "{NAME}"\ndashboard = "region"')
    assert deployed.run("deploy", WEST, "--yes").code == 0
    (entry,) = cloudwatch.list_dashboards()["DashboardEntries"]
    assert entry["DashboardName"] == f"ringfence-{NAME}-{WEST}"
    body = json.loads(cloudwatch.get_dashboard(DashboardName=entry["DashboardName"])["DashboardBody"])
    assert body["widgets"][0]["properties"]["alarms"][0].endswith(f":alarm:ringfence-{NAME}-errors")


def test_ctrl_c_says_what_continues_and_the_same_command_shows_the_result(account: Cluster, deployed: Shell) -> None:
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
        terminal.expect("interrupted: CloudFormation continues")
        terminal.expect(pexpect.EOF)
    finally:
        account.lab.heal()
    terminal.close()
    # then
    assert terminal.exitstatus == 130
    # and after the delayed calls arrive and CloudFormation ends
    time.sleep(3)
    eventually(lambda: stacks(account).get(SOUTH) != "CREATE_IN_PROGRESS", 40)
    again = deployed.run("deploy", "--yes")
    assert again.code == 0, again
    assert stacks(account)[SOUTH] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def test_a_stack_that_fails_is_reported_with_the_resource_and_the_others_are_deployed(
    account: Cluster, deployed: Shell
) -> None:
    # given an Auto Scaling group that does not exist, in one Region
    assert deployed.run("destroy", SOUTH, "--confirm", NAME).code == 0
    file = deployed.directory / "ringfence.toml"
    correct = file.read_text()
    edit(deployed, f'["{account.regions[SOUTH].auto_scaling_group}"]', '["no-such-group"]')
    # when
    ran = deployed.run("deploy", "--yes", "--json")
    # then
    document = ran.document()
    assert ran.code == 1
    assert list(document["failed"]) == [SOUTH]
    assert f"Announcement: the Auto Scaling group no-such-group does not exist in {SOUTH}" in document["failed"][SOUTH]
    assert {stack["region"] for stack in document["regions"] if stack["outcome"]} == {EAST, WEST}
    # and after the file is corrected, the failed stack is replaced
    file.write_text(correct)
    corrected = deployed.run("deploy", "--yes", "--json")
    assert corrected.code == 0, corrected
    assert stacks(account)[SOUTH] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@pytest.mark.parametrize("service", ["lambda", "scheduler"])
def test_a_stack_whose_new_role_is_not_visible_yet_is_created_once_more(
    account: Cluster, deployed: Shell, service: str
) -> None:
    # given
    assert deployed.run("destroy", SOUTH, "--confirm", NAME).code == 0
    account.lab.fault(SOUTH, "new-role", service)
    # when
    ran = deployed.run("deploy", SOUTH, "--yes")
    # then
    assert ran.code == 0, ran
    assert "CREATED_AGAIN: a new role is not visible yet" in ran.errors
    assert stacks(account)[SOUTH] == "CREATE_COMPLETE"
    assert account.lab.faults() == []


def test_a_region_that_hangs_stops_a_deployment_before_it_starts(account: Cluster, deployed: Shell) -> None:
    edit(deployed, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 11')
    account.lab.fault(WEST, "hang")
    try:
        ran = deployed.run("deploy", "--yes")
    finally:
        account.lab.heal()
    assert ran.code == 1
    assert WEST in ran.output
    assert "no answer" in ran.output
    assert "Nothing was deployed" in ran.errors
    assert ran.seconds < 25  # five for the Region, the rest for a busy machine


@pytest.mark.timeout(300)
def test_a_region_retires_with_its_rules_and_the_others_continue(account: Cluster, deployed: Shell) -> None:
    # given
    eventually(lambda: deployed.run("sync").code == 0, 120, lambda: deployed.run("status"))
    wait_until_managed(account)
    (leaving,) = (instance.address for instance in account.regions[SOUTH].instances().values())
    refused = deployed.run("retire", SOUTH)
    assert (refused.code, set(stacks(account))) == (64, {EAST, WEST, SOUTH})
    # when
    ran = deployed.run("retire", SOUTH, "--yes", "--json")
    # then
    document = ran.document()
    assert ran.code == 0, ran
    assert (document["rules_elsewhere"], document["rules_in_its_own_groups"]) == (2, 3)
    assert stacks(account).keys() == {EAST, WEST}
    assert account.regions[SOUTH].admitted() == set()
    for region in (EAST, WEST):
        assert leaving not in account.regions[region].admitted()
        rows = account.regions[region].client("dynamodb").scan(TableName="ringfence-demo")["Items"]
        assert {row["region"]["S"] for row in rows} - {"(guard)"} == {EAST, WEST}
        assert f"{region}: 2 rows of {SOUTH} deleted" in document["done"]
    assert SOUTH not in (deployed.directory / "ringfence.toml").read_text()
    assert deployed.run("status").code == 0
    gone = deployed.run("retire", SOUTH, "--yes")
    assert (gone.code, f"{SOUTH} is no Region of the cluster" in gone.errors) == (64, True)


def test_a_cluster_is_destroyed_only_by_name_and_its_rules_stay_by_default(account: Cluster, deployed: Shell) -> None:
    # when no name is given, or another one
    unasked, mistaken = deployed.run("destroy"), deployed.run("destroy", "--confirm", "prod")
    # then
    assert (unasked.code, mistaken.code) == (64, 64)
    assert f"give --confirm {NAME}" in unasked.errors
    assert "prod is not the cluster's name: nothing was done" in mistaken.errors
    assert stacks(account).keys() == {EAST, WEST, SOUTH}
    # when
    wait_until_managed(account)
    first = deployed.document("destroy", "--confirm", NAME)
    # then
    assert {region["outcome"] for region in first["regions"]} == {"destroyed"}
    assert stacks(account) == {}
    assert account.agrees()
    # and when the rules are removed too
    second = deployed.document("destroy", "--confirm", NAME, "--remove-rules")
    # then
    assert second["failed"] == {}
    assert {region["outcome"] for region in second["regions"]} == {"was not deployed"}
    assert sum(region["rules_removed"] for region in second["regions"]) == 9
    assert all(region.admitted() == set() for region in account.regions.values())


BAD_INPUT: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
    (("deploy", "us-west-1"), {}, 64, "did you mean us-west-2?"),
    (("deploy",), {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 1, "there are no AWS credentials"),
    (("--endpoint-url", "http://127.0.0.1:1", "destroy"), {}, 1, "no Region answers"),
    (("retire", "eu-west-9"), {}, 64, "is no Region of the cluster"),
    (("retire",), {}, 64, "Missing argument"),
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
