"""CloudFormation's EC2 and Auto Scaling resources, created in moto: Ref and GetAtt, updates, deletion."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import WaiterError

from ringfence_lab.control.lab import Lab
from ringfence_ops.cloudformation.artefact import PROJECT
from tests.labs import HOME, PEER

PREREQUISITES = (PROJECT / "examples" / "prerequisites.yaml").read_text()
POLL = {"Delay": 0.05, "MaxAttempts": 600}


@dataclass
class Stack:
    """A stack of one test."""

    lab: Lab
    region: str = HOME
    name: str = field(default_factory=lambda: f"stack-{uuid4().hex[:12]}")

    def deploy(self, template: str | Mapping[str, Any], verb: str = "create") -> None:
        """Creates or updates the stack, and waits."""
        client = self.lab.client("cloudformation", self.region)
        body = template if isinstance(template, str) else json.dumps(template)
        getattr(client, f"{verb}_stack")(StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        client.get_waiter(f"stack_{verb}_complete").wait(StackName=self.name, WaiterConfig=POLL)

    def delete(self) -> None:
        """Deletes the stack, and waits."""
        client = self.lab.client("cloudformation", self.region)
        client.delete_stack(StackName=self.name)
        client.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig=POLL)

    @property
    def outputs(self) -> dict[str, str]:
        stack = self.lab.client("cloudformation", self.region).describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    @property
    def ids(self) -> dict[str, str]:
        """The physical ids by the logical ids."""
        client = self.lab.client("cloudformation", self.region)
        resources = client.describe_stack_resources(StackName=self.name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def group(self) -> dict[str, Any]:
        """The stack's Auto Scaling group."""
        name = self.ids["AutoScalingGroup"]
        groups = self.lab.client("autoscaling", self.region).describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        described: dict[str, Any] = groups["AutoScalingGroups"][0]
        return described


@pytest.fixture(scope="module")
def prerequisites(empty_lab: Lab) -> Iterator[Stack]:
    """The example, in a Region where no test of this module changes it."""
    stack = Stack(empty_lab, PEER)
    stack.deploy(PREREQUISITES)
    yield stack
    stack.delete()


@pytest.mark.parametrize(
    ("logical", "pattern"),
    [
        ("Vpc", "vpc-"),
        ("InternetGateway", "igw-"),
        ("InternetGatewayAttachment", "IGW|vpc-"),
        ("RouteTable", "rtb-"),
        ("DefaultRoute", "rtb-"),
        ("SubnetA", "subnet-"),
        ("SubnetARouteTable", "rtbassoc-"),
        ("SecurityGroup", "sg-"),
        ("SecurityGroupAdmitsItself", "sgr-"),
        ("LaunchTemplate", "lt-"),
    ],
)
def test_ref_returns_the_documented_value(prerequisites: Stack, logical: str, pattern: str) -> None:
    """AWS CloudFormation Template Reference, "Return values" of each type."""
    assert prerequisites.ids[logical].startswith(pattern)


def test_an_auto_scaling_group_has_a_generated_name_and_the_given_subnets(prerequisites: Stack) -> None:
    group = prerequisites.group()

    assert group["AutoScalingGroupName"] == prerequisites.outputs["AutoScalingGroup"]
    assert group["AutoScalingGroupName"].startswith(f"{prerequisites.name}-AutoScalingGroup-")
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (0, 0, 10)
    subnets = {prerequisites.ids["SubnetA"], prerequisites.ids["SubnetB"]}
    assert set(group["VPCZoneIdentifier"].split(",")) == subnets
    assert group["LaunchTemplate"]["LaunchTemplateId"] == prerequisites.ids["LaunchTemplate"]


def test_the_groups_tags_propagate_at_launch(prerequisites: Stack) -> None:
    (tag,) = [tag for tag in prerequisites.group()["Tags"] if tag["Key"] == "Name"]

    assert tag["PropagateAtLaunch"] is True


def test_the_latest_image_exists_in_the_region(prerequisites: Stack) -> None:
    ec2 = prerequisites.lab.client("ec2", PEER)

    versions = ec2.describe_launch_template_versions(LaunchTemplateId=prerequisites.ids["LaunchTemplate"])
    image = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]

    (described,) = ec2.describe_images(ImageIds=[image])["Images"]
    assert described["Architecture"] == "arm64"


def test_the_security_group_admits_itself_and_carries_its_tag(prerequisites: Stack) -> None:
    ec2, group = prerequisites.lab.client("ec2", PEER), prerequisites.ids["SecurityGroup"]

    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    described = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]

    (inbound,) = [rule for rule in rules if not rule["IsEgress"]]
    assert inbound["SecurityGroupRuleId"] == prerequisites.ids["SecurityGroupAdmitsItself"]
    assert (inbound["ReferencedGroupInfo"]["GroupId"], inbound["FromPort"]) == (group, 443)
    assert {"Key": "ringfence-cluster", "Value": "demo"} in described["Tags"]


def test_an_update_changes_properties_in_place(empty_lab: Lab) -> None:
    stack = Stack(empty_lab)
    stack.deploy(PREREQUISITES)
    before = stack.ids
    autoscaling = empty_lab.client("autoscaling", HOME)
    autoscaling.set_desired_capacity(AutoScalingGroupName=before["AutoScalingGroup"], DesiredCapacity=1)

    stack.deploy(PREREQUISITES.replace('MaxSize: "10"', 'MaxSize: "12"').replace("t4g.nano", "t4g.micro"), "update")

    group = stack.group()
    assert stack.ids == before
    assert (group["MaxSize"], group["LaunchTemplate"]["Version"]) == (12, "2")
    assert group["DesiredCapacity"] == 1, "the update does not change the scaled capacity"
    stack.delete()


def test_an_update_replaces_a_resource_that_cannot_change(empty_lab: Lab) -> None:
    stack = Stack(empty_lab)
    stack.deploy(PREREQUISITES)
    before = stack.ids

    stack.deploy(
        PREREQUISITES.replace("FromPort: 443", "FromPort: 444").replace("ToPort: 443", "ToPort: 444"), "update"
    )

    after = stack.ids
    assert {name for name in after if after[name] != before[name]} == {"SecurityGroupAdmitsItself"}
    rules = empty_lab.client("ec2", HOME).describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [after["SecurityGroup"]]}]
    )["SecurityGroupRules"]
    assert [rule["FromPort"] for rule in rules if not rule["IsEgress"]] == [444]
    stack.delete()


def test_a_deleted_stack_leaves_nothing(empty_lab: Lab) -> None:
    stack = Stack(empty_lab)
    stack.deploy(PREREQUISITES)
    ids, ec2 = stack.ids, empty_lab.client("ec2", HOME)
    empty_lab.client("autoscaling", HOME).set_desired_capacity(
        AutoScalingGroupName=ids["AutoScalingGroup"], DesiredCapacity=1
    )

    stack.delete()

    assert ids["Vpc"] not in {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]}
    assert ids["SecurityGroup"] not in {group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]}
    templates = ec2.describe_launch_templates()["LaunchTemplates"]
    assert ids["LaunchTemplate"] not in {template["LaunchTemplateId"] for template in templates}
    groups = empty_lab.client("autoscaling", HOME).describe_auto_scaling_groups()["AutoScalingGroups"]
    assert ids["AutoScalingGroup"] not in {group["AutoScalingGroupName"] for group in groups}


def test_a_failure_rolls_the_stack_back_with_the_reason(empty_lab: Lab) -> None:
    stack = Stack(empty_lab)
    bad_route = {"RouteTableId": "rtb-0123456789abcdef0", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-0"}
    template = {
        "Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
            "Route": {"Type": "AWS::EC2::Route", "DependsOn": "Vpc", "Properties": bad_route},
        }
    }

    with pytest.raises(WaiterError):
        stack.deploy(template)

    client = empty_lab.client("cloudformation", HOME)
    assert client.describe_stacks(StackName=stack.name)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in client.describe_stack_events(StackName=stack.name)["StackEvents"]
    ]
    assert any("rtb-0123456789abcdef0" in reason for reason in reasons)


def test_a_warm_pool_and_hooks_are_created_changed_and_deleted(empty_lab: Lab) -> None:
    stack, autoscaling = Stack(empty_lab), empty_lab.client("autoscaling", HOME)
    more = """
  WarmPool:
    Type: AWS::AutoScaling::WarmPool
    Properties: {AutoScalingGroupName: !Ref AutoScalingGroup, MinSize: 1, PoolState: Stopped}
  Hook:
    Type: AWS::AutoScaling::LifecycleHook
    Properties:
      AutoScalingGroupName: !Ref AutoScalingGroup
      LifecycleTransition: autoscaling:EC2_INSTANCE_TERMINATING
      HeartbeatTimeout: 60

Outputs:"""

    def pool_and_hooks() -> tuple[Any, Any]:
        pool = autoscaling.describe_warm_pool(AutoScalingGroupName=group).get("WarmPoolConfiguration")
        return pool, autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]

    template = PREREQUISITES.replace("\nOutputs:", more)
    stack.deploy(template)
    group = stack.ids["AutoScalingGroup"]
    pool, (hook,) = pool_and_hooks()
    stack.deploy(template.replace("MinSize: 1", "MinSize: 0").replace("Timeout: 60", "Timeout: 90"), "update")
    changed_pool, (changed_hook,) = pool_and_hooks()
    stack.deploy(PREREQUISITES, "update")

    assert (pool["MinSize"], pool["PoolState"], changed_pool["MinSize"]) == (1, "Stopped", 0)
    assert (hook["HeartbeatTimeout"], changed_hook["HeartbeatTimeout"]) == (60, 90)
    assert hook["LifecycleHookName"] == changed_hook["LifecycleHookName"]
    assert pool_and_hooks() == (None, [])
    stack.delete()


NETWORK = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.1.0.0/16}}
  Ipv6: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Vpc, AmazonProvidedIpv6CidrBlock: true}}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: rules in the group
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 192.0.2.0/24, Description: office}
        - {IpProtocol: udp, FromPort: 53, ToPort: 53, CidrIpv6: "2001:db8::/64"}
Outputs:
  Group: {Value: !GetAtt Group.GroupId}
"""


def test_rules_of_a_group_follow_the_template_and_other_rules_stay(empty_lab: Lab) -> None:
    stack, ec2 = Stack(empty_lab), empty_lab.client("ec2", HOME)

    def sources() -> set[str]:
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
        inbound = [rule for rule in rules["SecurityGroupRules"] if not rule["IsEgress"]]
        return {rule.get("CidrIpv4") or rule["CidrIpv6"] for rule in inbound}

    stack.deploy(NETWORK)
    group = stack.outputs["Group"]
    first = sources()
    by_hand = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "198.51.100.1/32"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[by_hand])
    stack.deploy(NETWORK.replace("192.0.2.0/24", "203.0.113.0/24"), "update")

    assert first == {"192.0.2.0/24", "2001:db8::/64"}
    assert sources() == {"203.0.113.0/24", "2001:db8::/64", "198.51.100.1/32"}
    stack.delete()


ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            },
        }
    },
}


def _role_with_policy(name: str, action: str) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}}
    policy = {"RoleName": {"Ref": "Role"}, "PolicyName": name, "PolicyDocument": document}
    return {"Resources": {"Role": ROLE, "Policy": {"Type": "AWS::IAM::RolePolicy", "Properties": policy}}}


def test_equal_stacks_in_two_regions_create_separate_roles(empty_lab: Lab) -> None:
    """Roles are global: IAM User Guide, "IAM identifiers"."""
    stacks = [Stack(empty_lab, region, "equal-stacks") for region in (HOME, PEER)]

    for stack in stacks:
        stack.deploy({"Resources": {"Role": ROLE}})

    first, second = (stack.ids["Role"] for stack in stacks)
    assert first != second
    stacks[0].delete()
    assert empty_lab.client("iam", HOME).get_role(RoleName=second)["Role"]["RoleName"] == second
    stacks[1].delete()


def test_a_roles_policy_is_created_changed_renamed_and_deleted(empty_lab: Lab) -> None:
    iam, stack = empty_lab.client("iam", HOME), Stack(empty_lab)
    stack.deploy(_role_with_policy("first", "ec2:DescribeInstances"))
    role = stack.ids["Role"]

    stack.deploy(_role_with_policy("first", "ec2:DescribeVpcs"), "update")
    changed = iam.get_role_policy(RoleName=role, PolicyName="first")["PolicyDocument"]
    stack.deploy(_role_with_policy("second", "ec2:DescribeVpcs"), "update")
    renamed = iam.list_role_policies(RoleName=role)["PolicyNames"]
    stack.deploy({"Resources": {"Role": ROLE}}, "update")

    assert changed["Statement"]["Action"] == "ec2:DescribeVpcs"
    assert renamed == ["second"]
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
    stack.delete()


def test_a_table_has_the_point_in_time_recovery_of_its_template(empty_lab: Lab) -> None:
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    properties = {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": key,
        "BillingMode": "PAY_PER_REQUEST",
    }
    recovery = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    stack = Stack(empty_lab)
    stack.deploy(
        {
            "Resources": {
                "With": {"Type": "AWS::DynamoDB::Table", "Properties": properties | recovery},
                "Without": {"Type": "AWS::DynamoDB::Table", "Properties": properties},
            }
        }
    )
    dynamodb = empty_lab.client("dynamodb", HOME)

    def status(table: str) -> str:
        described = dynamodb.describe_continuous_backups(TableName=stack.ids[table])["ContinuousBackupsDescription"]
        return str(described["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"])

    assert (status("With"), status("Without")) == ("ENABLED", "DISABLED")


def test_a_stack_cannot_delete_what_a_fault_holds(empty_lab: Lab) -> None:
    # given
    stack, client = Stack(empty_lab), empty_lab.client("cloudformation", HOME)
    stack.deploy({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}, "Log": {"Type": "AWS::Logs::LogGroup"}}})
    empty_lab.fault(HOME, "stuck", "logs")
    # when
    client.delete_stack(StackName=stack.name)
    # then
    with pytest.raises(WaiterError):
        client.get_waiter("stack_delete_complete").wait(StackName=stack.name, WaiterConfig=POLL)
    described = client.describe_stacks(StackName=stack.name)["Stacks"][0]
    assert (described["StackStatus"], set(stack.ids)) == ("DELETE_FAILED", {"Log"})
    # and when
    empty_lab.heal(HOME)
    stack.delete()


def test_an_alarm_on_an_expression_keeps_its_metrics(empty_lab: Lab) -> None:
    # given
    metrics = [
        {"Id": "filled", "Expression": "FILL(errors, 1)", "ReturnData": True},
        {
            "Id": "errors",
            "ReturnData": False,
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "M"}, "Stat": "Sum", "Period": 60},
        },
    ]
    cloudwatch = empty_lab.client("cloudwatch", HOME)
    # when
    cloudwatch.put_metric_alarm(
        AlarmName="expression",
        Metrics=metrics,
        EvaluationPeriods=3,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    # then
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["expression"])["MetricAlarms"]
    assert [metric["Id"] for metric in alarm["Metrics"]] == ["filled", "errors"]
    assert alarm["Metrics"][0]["Expression"] == "FILL(errors, 1)"


def test_a_condition_can_ask_for_the_region_and_in_a_mapping(empty_lab: Lab) -> None:
    """CloudFormation Template Reference, "Condition functions": `Fn::Equals` takes `Ref` and `Fn::FindInMap`."""
    # given
    found = {"Fn::FindInMap": ["Kinds", {"Ref": "AWS::Region"}, "Kind"]}
    conditions = {
        "Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, HOME]},
        "There": {"Fn::Equals": [{"Ref": "AWS::Region"}, PEER]},
        "First": {"Fn::Equals": [found, "first"]},
        "Second": {"Fn::Equals": [found, "second"]},
    }
    stack = Stack(empty_lab)
    # when
    stack.deploy(
        {
            "Mappings": {"Kinds": {HOME: {"Kind": "first"}, PEER: {"Kind": "second"}}},
            "Conditions": conditions,
            "Resources": {name: {"Type": "AWS::SQS::Queue", "Condition": name} for name in conditions},
        }
    )
    # then
    assert stack.ids.keys() == {"Here", "First"}
    stack.delete()
