"""The Terraform module, applied to a lab in two Regions: what it makes, what it changes, what it refuses.

`make test-terraform` runs this. The tests of the cluster stand in the order of its life, and each needs those before.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ringfence_lab.control.deploy import LabDeployment
from tests.end_to_end.clusters import EAST, WEST
from tests.ops.commands import Shell
from tests.terraform.accounts import PROJECT, Account, Groups, made, uploaded_code
from tests.terraform.terraform import Terraform

pytestmark = pytest.mark.terraform

GIVEN = {
    "cluster": "demo",
    "regions": [EAST, WEST],
    "auto_scaling_groups": ["nodes"],
    "security_groups": ["sg-0123456789abcdef0"],
    "code_key": "artefact.zip",
}
"""What the module needs at least."""

WRONG = {
    "cluster": "Demo",
    "regions": ["us-east-1", "somewhere"],
    "auto_scaling_groups": [],
    "security_groups": ["sg-1", "sg-0123456789abcdef0"],
    "ports": "tcp/a",
    "address_kinds": ["public-ipv5"],
    "private_addresses": "some",
    "static_members": ["office"],
    "mode": "Owned",
    "address_wait": 1.5,
    "no_address": "wait",
    "peer_deadline": 16,
    "release_deadline": 0,
    "required_peers": [""],
    "launch_heartbeat": 29,
    "launch_default_result": "continue",
    "terminate_heartbeat": 7201,
    "terminate_default_result": "",
    "guard_percent": 101,
    "guard_minimum": 0,
    "rules_quota": 1001,
    "schedule": "1 minute",
    "alarm_topic": "alarms",
    "silence_alarm_minutes": 1,
    "stale_door_alarm_seconds": 0,
    "dashboard": "all",
    "log_retention_days": 2,
    "log_level": "info",
    "code_key": "a key",
    "code_bucket": "My_Bucket",
}
"""A wrong value of every variable that has a condition."""

AT_THE_LIMIT = GIVEN | {
    "cluster": "a" + "-" * 31,
    "auto_scaling_groups": ["a" * 112, "nodes+=.@-_"],
    "ports": "tcp/7000-7001,udp/8301",
    "address_kinds": ["private-ipv4", "ipv6"],
    "static_members": ["192.0.2.0/24", "2001:db8::/64"],
    "address_wait": 3600,
    "launch_heartbeat": 7200,
    "release_deadline": 6900,
    "terminate_heartbeat": 7200,
    "required_peers": [WEST],
    "schedule": "cron(0/2 * * * ? *)",
    "alarm_topic": f"arn:aws:sns:{EAST}:000000000000:alarms",
    "log_retention_days": 3653,
    "stale_door_alarm_seconds": 100_000,
}
"""Right values, some of them the last that are."""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    yield from made(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="module")
def groups(account: Account) -> dict[str, Groups]:
    """The example's groups, by Region."""
    deployment = LabDeployment("demo", account.lab.regions, Path(), account.lab.client, {})
    found = {region: deployment.deploy_prerequisites(region) for region in account.lab.regions}
    return {region: Groups(each["AutoScalingGroup"], each["SecurityGroup"]) for region, each in found.items()}


@pytest.fixture(scope="module")
def module(account: Account) -> Terraform:
    """The module by itself, in one Region: another copy, because a module that is called has no provider of its own."""
    copied = shutil.copytree(account.module, account.module.parent / "alone")
    terraform = account.terraform(copied, None)
    return Terraform(terraform.directory, terraform.python, {**terraform.environment, "AWS_REGION": EAST})


def test_its_files_are_in_the_layout_of_terraform_fmt(account: Account) -> None:
    terraform = Terraform.of(account.module, account.lab.endpoint_url, account.mirror)
    assert terraform.run("fmt", "-check", "-diff", "-recursive").worked().output == ""


def test_it_refuses_a_wrong_value_of_each_variable(module: Terraform) -> None:
    # given
    conditions = (module.directory / "variables.tf").read_text().count("validation {")
    assert len(WRONG) == conditions, "a variable with a condition needs a wrong value here"
    module.give(**WRONG)
    # when
    refused = module.run("plan", "-input=false")
    # then
    assert refused.code == 1
    missing = [name for name in WRONG if f"{name} must be " not in refused.words()]
    assert missing == [], refused.words()


def test_it_takes_the_last_values_that_are_right(module: Terraform) -> None:
    module.give(**AT_THE_LIMIT)
    module.run("plan", "-input=false").worked()


def test_it_refuses_what_does_not_fit_together(module: Terraform) -> None:
    # given
    module.give(
        **GIVEN
        | {
            "regions": [WEST],
            "required_peers": ["eu-west-1"],
            "alarm_topic": f"arn:aws:sns:{WEST}:000000000000:alarms",
            "schedule": "rate(5 minutes)",
            "launch_heartbeat": 420,
            "terminate_heartbeat": 600,
            "silence_alarm_minutes": 5,
        }
    )
    # when
    refused = module.run("plan", "-input=false")
    # then
    assert refused.code == 1
    for said in (
        f"regions must contain the Region of the provider, {EAST}",
        "required_peers must be Regions of the cluster",
        f"alarm_topic must be a topic of {EAST}",
        "launch_heartbeat must be longer than address_wait plus the period of the schedule, 420 seconds",
        "terminate_heartbeat must be longer than release_deadline plus the period of the schedule, 600 seconds",
        "silence_alarm_minutes must be longer than the period of the schedule by a minute",
    ):
        assert said in refused.words()


def test_it_refuses_a_template_without_a_place_for_the_code(module: Terraform, tmp_path: Path) -> None:
    # given a template that has been packaged already
    packaged = (PROJECT / "template.yaml").read_text().replace("CodeUri: .", "CodeUri: s3://bucket/key")
    (tmp_path / "packaged.yaml").write_text(packaged)
    module.give(**GIVEN, template_file=str(tmp_path / "packaged.yaml"))
    # when
    refused = module.run("plan", "-input=false")
    # then
    assert refused.code == 1
    assert "must have one function with `CodeUri: .`" in refused.words()


@pytest.fixture(scope="module")
def operator(account: Account, groups: dict[str, Groups], tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The shell of an operator with a cluster file of the same cluster."""
    return account.operator(tmp_path_factory.mktemp("operator"), "demo", groups)


@pytest.fixture(scope="module")
def values(groups: dict[str, Groups], operator: Shell) -> dict[str, Any]:
    """What the example needs."""
    return {
        "auto_scaling_groups": {region: [found.auto_scaling_group] for region, found in groups.items()},
        "security_groups": {region: [found.security_group] for region, found in groups.items()},
        "code_key": uploaded_code(operator),
    }


@pytest.fixture(scope="module")
def example(account: Account) -> Terraform:
    """The example of two Regions."""
    return account.terraform(account.module / "examples" / "two-regions", "us_east_1", "us_west_2")


def hooks(account: Account, region: str, group: str) -> int:
    described = account.lab.client("autoscaling", region).describe_lifecycle_hooks(AutoScalingGroupName=group)
    return len(described["LifecycleHooks"])


def test_the_example_admits_the_instances_of_both_regions(
    account: Account, groups: dict[str, Groups], example: Terraform, values: dict[str, Any]
) -> None:
    # given security groups without the tag
    for region, found in groups.items():
        tags = [{"Key": "ringfence-cluster"}]
        account.lab.client("ec2", region).delete_tags(Resources=[found.security_group], Tags=tags)
    example.give(**values)
    # when
    example.run("apply", "-input=false", "-auto-approve").worked()
    # then
    functions = json.loads(example.run("output", "-json").worked().output)["functions"]["value"]
    assert functions == {EAST: "ringfence-demo", WEST: "ringfence-demo"}
    account.launch_and_admit("demo", groups)


def test_a_second_plan_is_empty(example: Terraform) -> None:
    planned = example.run("plan", "-input=false", "-detailed-exitcode")
    assert planned.code == 0, planned.output


@pytest.mark.usefixtures("example")
def test_the_command_finds_the_stacks_and_nothing_to_change(operator: Shell) -> None:
    shown = operator.run("deploy", "--dry-run")
    assert shown.code == 0, shown


def test_a_new_group_and_a_new_value_change_the_stacks_in_place(
    account: Account, groups: dict[str, Groups], example: Terraform, values: dict[str, Any]
) -> None:
    # given
    new = {region: second_group(account, region, found.auto_scaling_group) for region, found in groups.items()}
    both = {region: [*names, new[region]] for region, names in values["auto_scaling_groups"].items()}
    example.give(**values | {"auto_scaling_groups": both, "log_retention_days": 30})
    # when
    planned = example.run("plan", "-input=false", "-detailed-exitcode")
    example.run("apply", "-input=false", "-auto-approve").worked()
    # then
    assert planned.code == 2, planned
    assert "Plan: 0 to add, 2 to change, 0 to destroy" in planned.output
    for region, name in new.items():
        assert hooks(account, region, name) == 2
        logs = account.lab.client("logs", region).describe_log_groups(logGroupNamePrefix="/aws/lambda/ringfence-demo")
        assert [group["retentionInDays"] for group in logs["logGroups"]] == [30]


def second_group(account: Account, region: str, own: str) -> str:
    """Another Auto Scaling group, like the example's own. Returns its name."""
    scaling = account.lab.client("autoscaling", region)
    (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[own])["AutoScalingGroups"]
    template = {key: group["LaunchTemplate"][key] for key in ("LaunchTemplateId", "Version")}
    zones = group["VPCZoneIdentifier"]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="second", MinSize=0, MaxSize=1, LaunchTemplate=template, VPCZoneIdentifier=zones
    )
    return "second"


def test_destroy_leaves_no_stack_and_no_hook(account: Account, groups: dict[str, Groups], example: Terraform) -> None:
    # when
    example.run("destroy", "-input=false", "-auto-approve").worked()
    # then
    for region, found in groups.items():
        with pytest.raises(ClientError, match="does not exist"):
            account.lab.client("cloudformation", region).describe_stacks(StackName="ringfence-demo")
        assert hooks(account, region, found.auto_scaling_group) == 0
