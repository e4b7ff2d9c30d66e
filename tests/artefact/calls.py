"""An example of every call that the engine can make."""

from typing import Any

REGION = "eu-west-1"

Call = tuple[str, str, dict[str, Any]]

CALLS: list[Call] = [
    ("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": ["db"]}),
    ("autoscaling", "DescribeWarmPool", {"AutoScalingGroupName": "db", "MaxRecords": 50}),
    (
        "autoscaling",
        "CompleteLifecycleAction",
        {
            "LifecycleHookName": "launch",
            "AutoScalingGroupName": "db",
            "LifecycleActionResult": "CONTINUE",
            "InstanceId": "i-1",
        },
    ),
    ("dynamodb", "Scan", {"TableName": "t", "ConsistentRead": True}),
    ("dynamodb", "Query", {"TableName": "t", "KeyConditionExpression": "a = b"}),
    ("dynamodb", "DescribeTable", {"TableName": "t"}),
    ("dynamodb", "PutItem", {"TableName": "t", "Item": {"region": {"S": REGION}, "members": {"M": {}}}}),
    (
        "dynamodb",
        "DeleteItem",
        {
            "TableName": "t",
            "Key": {"region": {"S": REGION}, "asg": {"S": "db"}},
            "ConditionExpression": "version = :read",
            "ExpressionAttributeValues": {":read": {"N": "7"}},
        },
    ),
    ("ec2", "DescribeInstances", {"Filters": [{"Name": "tag:x", "Values": ["y"]}]}),
    ("ec2", "DescribeSecurityGroups", {"Filters": [{"Name": "group-id", "Values": ["sg-1"]}]}),
    ("ec2", "DescribeSecurityGroupRules", {"Filters": [{"Name": "group-id", "Values": ["sg-1"]}]}),
    ("ec2", "DescribeManagedPrefixLists", {"Filters": [{"Name": "prefix-list-id", "Values": ["pl-1"]}]}),
    ("ec2", "DescribeSecurityGroups", {"Filters": [{"Name": "group-id", "Values": ["sg-1"]}]}),
    (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {
            "GroupId": "sg-1",
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 1,
                    "ToPort": 2,
                    "IpRanges": [{"CidrIp": "198.51.100.1/32", "Description": "x"}],
                    "Ipv6Ranges": [{"CidrIpv6": "2001:db8::1/128"}],
                }
            ],
        },
    ),
    ("ec2", "RevokeSecurityGroupIngress", {"GroupId": "sg-1", "SecurityGroupRuleIds": ["sgr-1"]}),
    (
        "ec2",
        "UpdateSecurityGroupRuleDescriptionsIngress",
        {
            "GroupId": "sg-1",
            "SecurityGroupRuleDescriptions": [{"SecurityGroupRuleId": "sgr-1", "Description": "x"}],
        },
    ),
    ("sqs", "SendMessage", {"QueueUrl": "https://sqs.invalid/1/q", "MessageBody": "x", "MessageGroupId": "g"}),
]
