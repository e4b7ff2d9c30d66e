"""The plain template, as `ringfence template` prints it, deployed in a lab by CloudFormation alone."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ringfence_lab.control.deploy import LabDeployment
from ringfence_lab.control.lab import Lab
from tests.end_to_end.clusters import EAST, WEST
from tests.labs import eventually
from tests.ops.commands import CommandResult, Shell, lab_environment

MANY = 40


@pytest.fixture(scope="module")
def account() -> Iterator[Lab]:
    """An account with the example's groups in two Regions."""
    with Lab(regions=[EAST, WEST]) as lab:
        yield lab


@pytest.fixture(scope="module")
def groups(account: Lab) -> Mapping[str, Mapping[str, str]]:
    deployment = LabDeployment("demo", account.regions, Path(), account.client, {})
    return {region: deployment.deploy_prerequisites(region) for region in account.regions}


def operator(account: Lab, directory: Path, groups: Mapping[str, tuple[list[str], list[str]]], name: str) -> Shell:
    """An operator's shell in a directory with a cluster file."""
    lines = [f'name = "{name}"', 'ports = "tcp/7000"']
    for region, (scaling, security) in groups.items():
        lines += ["", f"[regions.{region}]"]
        lines += [f"auto_scaling_groups = {json.dumps(scaling)}", f"security_groups = {json.dumps(security)}"]
    (directory / "ringfence.toml").write_text("\n".join(lines) + "\n")
    return Shell(directory, lab_environment(account.endpoint_url))


def create(account: Lab, region: str, stack: str, **template: str) -> None:
    """Creates the stack without parameters, and without the capability that macros need."""
    cloudformation = account.client("cloudformation", region)
    cloudformation.create_stack(StackName=stack, Capabilities=["CAPABILITY_IAM"], **template)
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def admitted(account: Lab, region: str, security_group: str) -> set[str]:
    described = account.client("ec2", region).describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [security_group]}]
    )
    return {rule["CidrIpv4"] for rule in described["SecurityGroupRules"] if "CidrIpv4" in rule and not rule["IsEgress"]}


def in_service(account: Lab, region: str, group: str) -> set[str]:
    """The addresses of the group's instances in service."""
    described = account.client("autoscaling", region).describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    instances = described["AutoScalingGroups"][0]["Instances"]
    ids = [instance["InstanceId"] for instance in instances if instance["LifecycleState"] == "InService"]
    if not ids:
        return set()
    found = account.client("ec2", region).describe_instances(InstanceIds=ids)["Reservations"]
    return {f"{instance['PublicIpAddress']}/32" for each in found for instance in each["Instances"]}


def tag(account: Lab, region: str, security_groups: list[str], name: str) -> None:
    """What docs/stack-sets.md tells the operator to do: `ringfence deploy` does it itself."""
    tags = [{"Key": "ringfence-cluster", "Value": name}]
    account.client("ec2", region).create_tags(Resources=security_groups, Tags=tags)


def printed(result: CommandResult) -> dict[str, Any]:
    assert result.code == 0, result
    template: dict[str, Any] = json.loads(result.output)
    return template


def test_one_template_admits_the_instances_of_both_regions(
    account: Lab, groups: Mapping[str, Mapping[str, str]], tmp_path: Path
) -> None:
    # given
    own = {region: ([found["AutoScalingGroup"]], [found["SecurityGroup"]]) for region, found in groups.items()}
    shell = operator(account, tmp_path, own, "demo")
    # when
    result = shell.run("template", "--upload")
    printed(result)
    for region in account.regions:
        tag(account, region, own[region][1], "demo")
        create(account, region, "ringfence-demo", TemplateBody=result.output)
    for region in account.regions:
        account.client("autoscaling", region).set_desired_capacity(
            AutoScalingGroupName=own[region][0][0], DesiredCapacity=1
        )

    # then
    def members() -> set[str]:
        return {address for region in account.regions for address in in_service(account, region, own[region][0][0])}

    eventually(lambda: len(members()) == 2, 90)
    for region in account.regions:
        true_up(account, region, "ringfence-demo")
    eventually(
        lambda: all(admitted(account, region, own[region][1][0]) == members() for region in own),
        90,
        lambda: (members(), [admitted(account, region, own[region][1][0]) for region in own]),
    )
    assert shell.run("deploy", "--dry-run").code in (0, 2), "the command manages the same stacks"


def test_a_template_that_is_too_long_for_a_request_deploys_from_s3(
    account: Lab, groups: Mapping[str, Mapping[str, str]], tmp_path: Path
) -> None:
    # given forty groups of each kind
    own = many(account, groups[EAST])
    shell = operator(account, tmp_path, {EAST: own}, "wide")
    # when
    result = shell.run("template", "--region", EAST, "--upload")
    printed(result)
    assert len(result.output) > 51_200
    assert "51,200" in result.errors
    assert "--template-url" in result.errors
    s3 = account.client("s3", EAST)
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="wide.json", Body=result.output.encode())
    tag(account, EAST, own[1], "wide")
    create(account, EAST, "ringfence-wide", TemplateURL=f"{account.endpoint_url}/templates/wide.json")
    # then
    for name in own[0]:
        hooks = account.client("autoscaling", EAST).describe_lifecycle_hooks(AutoScalingGroupName=name)
        assert len([hook for hook in hooks["LifecycleHooks"] if "ringfence-wide" in hook["LifecycleHookName"]]) == 2
    true_up(account, EAST, "ringfence-wide")


def true_up(account: Lab, region: str, function: str) -> None:
    answer = account.client("lambda", region).invoke(FunctionName=function, Payload=b'{"trueup": true}')
    assert "FunctionError" not in answer, answer["Payload"].read()


def many(account: Lab, made: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Forty Auto Scaling groups and as many security groups, like the example's."""
    scaling, ec2 = account.client("autoscaling", EAST), account.client("ec2", EAST)
    described = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[made["AutoScalingGroup"]])
    (group,) = described["AutoScalingGroups"]
    (security,) = ec2.describe_security_groups(GroupIds=[made["SecurityGroup"]])["SecurityGroups"]
    names, ids = [f"wide-nodes-of-the-cluster-{number}" for number in range(MANY)], []
    for name in names:
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=1,
            LaunchTemplate={key: group["LaunchTemplate"][key] for key in ("LaunchTemplateId", "Version")},
            VPCZoneIdentifier=group["VPCZoneIdentifier"],
        )
        created = ec2.create_security_group(GroupName=name, Description=name, VpcId=security["VpcId"])
        ids.append(created["GroupId"])
    return names, ids
