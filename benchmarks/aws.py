"""A stub of AWS for the benchmarks: a few services of several Regions in memory, with AWS's own formats.

It is fast, so that the measurement shows the caller, and its answers are XML and JSON as in the API references. It
refuses nothing and has no latency; `transport` adds the latency.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

GROUP = "db"
SECURITY_GROUP = "sg-0123456789abcdef0"
PORT = 9042

FormParameters = Mapping[str, str]
Item = dict[str, Any]


@dataclass(slots=True)
class RegionState:
    """The state of one Region: addresses by instance, lifecycle states, rules, and items of tables."""

    name: str
    number: int
    instances: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    items: dict[tuple[str, str, str], Item] = field(default_factory=dict)
    made: int = 0

    @property
    def waiting(self) -> list[str]:
        """The instances that wait for a lifecycle hook."""
        return [id for id, state in self.states.items() if state.endswith(":Wait")]

    def admits(self, address: str) -> bool:
        """Whether the security group admits the address."""
        return any(rule["cidr"] == f"{address}/32" for rule in self.rules.values())

    def launch(self, state: str) -> str:
        """Adds an instance in this state. Returns its id."""
        number = self.made = self.made + 1
        id = f"i-{self.number:04x}{number:013x}"
        self.instances[id] = f"198.{18 + number // 256}.{self.number}.{number % 256}"
        self.states[id] = state
        return id


class StubAws:
    """Several Regions. `answer` is thread-safe."""

    def __init__(self, names: Iterable[str]) -> None:
        self.regions = {name: RegionState(name, number) for number, name in enumerate(names)}
        self._lock = Lock()

    def keep(self) -> dict[str, RegionState]:
        """A copy of the state, for `restore`."""
        return deepcopy(self.regions)

    def restore(self, kept: Mapping[str, RegionState]) -> None:
        """Restores the state of all Regions."""
        self.regions = deepcopy(dict(kept))

    def answer(self, service: str, region: str, operation: str, body: bytes) -> bytes:
        """The body of the response to a request. Raises KeyError for an operation that no caller should use."""
        with self._lock:
            state = self.regions[region]
            if service == "dynamodb":
                return json.dumps(_TABLE[operation](state, json.loads(body))).encode()
            parameters = dict(parse_qsl(body.decode()))
            return _QUERY[operation](state, parameters).encode()


def operation_of(service: str, target: str | bytes | None, body: bytes) -> str:
    """The operation that a request names: DynamoDB in a header, the others in the body."""
    if service == "dynamodb":
        return (target.decode() if isinstance(target, bytes) else str(target)).rpartition(".")[2]
    return dict(parse_qsl(body.decode()))["Action"]


# Amazon EC2 Auto Scaling, in the query protocol.


def _describe_groups(region: RegionState, _: FormParameters) -> str:
    members = "".join(
        f"<member><InstanceId>{id}</InstanceId><AvailabilityZone>{region.name}a</AvailabilityZone>"
        f"<LifecycleState>{state}</LifecycleState><HealthStatus>Healthy</HealthStatus>"
        f"<LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>1</Version></LaunchTemplate>"
        f"<ProtectedFromScaleIn>false</ProtectedFromScaleIn><InstanceType>m7g.large</InstanceType></member>"
        for id, state in region.states.items()
    )
    return _result(
        "DescribeAutoScalingGroups",
        f"<AutoScalingGroups><member><AutoScalingGroupName>{GROUP}</AutoScalingGroupName><MinSize>0</MinSize>"
        f"<MaxSize>100</MaxSize><DesiredCapacity>{len(region.states)}</DesiredCapacity>"
        f"<Instances>{members}</Instances></member></AutoScalingGroups>",
    )


def _complete(region: RegionState, parameters: FormParameters) -> str:
    token = parameters.get("LifecycleActionToken", "")
    region.states[parameters.get("InstanceId") or f"i-{token[:8]}{token[-9:]}"] = "InService"
    return _result("CompleteLifecycleAction", "")


def _result(operation: str, content: str) -> str:
    return (
        f'<{operation}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><{operation}Result>{content}'
        f"</{operation}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    )


# Amazon EC2.


def _describe_instances(region: RegionState, parameters: FormParameters) -> str:
    named = {value for name, value in parameters.items() if name.startswith("InstanceId.")}
    asked = {value for name, value in parameters.items() if ".Value." in name}
    chosen = [id for id in region.instances if not named or id in named]
    if parameters.get("Filter.1.Name") == "instance-id":
        chosen = [id for id in chosen if id in asked]
    return _response(
        "DescribeInstances", f"<reservationSet>{''.join(_reservation(region, id) for id in chosen)}</reservationSet>"
    )


def _reservation(region: RegionState, id: str) -> str:
    public, private = region.instances[id], f"10.{region.number}.0.{int(id[-4:], 16) % 250 + 1}"
    association = f"<association><publicIp>{public}</publicIp><ipOwnerId>amazon</ipOwnerId></association>"
    return (
        f"<item><reservationId>r-{id}</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet><item>"
        f"<instanceId>{id}</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name>"
        f"</instanceState><privateDnsName>ip.{region.name}</privateDnsName><instanceType>m7g.large</instanceType>"
        f"<launchTime>2026-01-01T00:00:00.000Z</launchTime><placement><availabilityZone>{region.name}a</availabilityZone>"
        f"<tenancy>default</tenancy></placement><monitoring><state>disabled</state></monitoring><subnetId>subnet-1</subnetId>"
        f"<vpcId>vpc-1</vpcId><privateIpAddress>{private}</privateIpAddress><ipAddress>{public}</ipAddress>"
        f"<groupSet><item><groupId>{SECURITY_GROUP}</groupId><groupName>db</groupName></item></groupSet>"
        f"<architecture>arm64</architecture><rootDeviceType>ebs</rootDeviceType><virtualizationType>hvm</virtualizationType>"
        f"<tagSet><item><key>aws:autoscaling:groupName</key><value>{GROUP}</value></item></tagSet>"
        f"<networkInterfaceSet><item><networkInterfaceId>eni-{id}</networkInterfaceId><subnetId>subnet-1</subnetId>"
        f"<vpcId>vpc-1</vpcId><status>in-use</status><privateIpAddress>{private}</privateIpAddress>{association}"
        f"<privateIpAddressesSet><item><privateIpAddress>{private}</privateIpAddress><primary>true</primary>{association}"
        f"</item></privateIpAddressesSet></item></networkInterfaceSet></item></instancesSet></item>"
    )


def _describe_rules(region: RegionState, _: FormParameters) -> str:
    itself = (
        f"<item><securityGroupRuleId>sgr-self</securityGroupRuleId><groupId>{SECURITY_GROUP}</groupId>"
        f"<groupOwnerId>123456789012</groupOwnerId><isEgress>false</isEgress><ipProtocol>tcp</ipProtocol>"
        f"<fromPort>{PORT}</fromPort><toPort>{PORT}</toPort><referencedGroupInfo><groupId>{SECURITY_GROUP}</groupId>"
        f"</referencedGroupInfo><tagSet/></item>"
    )
    rules = "".join(_rule(id, rule) for id, rule in region.rules.items())
    return _response("DescribeSecurityGroupRules", f"<securityGroupRuleSet>{itself}{rules}</securityGroupRuleSet>")


def _rule(id: str, rule: Mapping[str, str]) -> str:
    return (
        f"<item><securityGroupRuleId>{id}</securityGroupRuleId><groupId>{SECURITY_GROUP}</groupId>"
        f"<groupOwnerId>123456789012</groupOwnerId><isEgress>false</isEgress><ipProtocol>tcp</ipProtocol>"
        f"<fromPort>{PORT}</fromPort><toPort>{PORT}</toPort><cidrIpv4>{rule['cidr']}</cidrIpv4>"
        f"<description>{rule['description']}</description><tagSet/></item>"
    )


def _describe_groups_of_rules(region: RegionState, _: FormParameters) -> str:
    ranges = "".join(f"<item><cidrIp>{rule['cidr']}</cidrIp></item>" for rule in region.rules.values())
    return _response(
        "DescribeSecurityGroups",
        f"<securityGroupInfo><item><groupId>{SECURITY_GROUP}</groupId><groupName>db</groupName><vpcId>vpc-1</vpcId>"
        f"<ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>{PORT}</fromPort><toPort>{PORT}</toPort>"
        f"<groups><item><groupId>{SECURITY_GROUP}</groupId></item></groups><ipRanges>{ranges}</ipRanges></item>"
        f"</ipPermissions></item></securityGroupInfo>",
    )


def _authorize(region: RegionState, parameters: FormParameters) -> str:
    made = []
    for name, cidr in parameters.items():
        if name.endswith(".CidrIp"):
            region.made += 1
            id = f"sgr-{region.number:04x}{region.made:013x}"
            description = parameters.get(name.removesuffix("CidrIp") + "Description", "")
            region.rules[id] = {"cidr": cidr, "description": description}
            made.append(_rule(id, region.rules[id]))
    return _response(
        "AuthorizeSecurityGroupIngress",
        f"<return>true</return><securityGroupRuleSet>{''.join(made)}</securityGroupRuleSet>",
    )


def _revoke(region: RegionState, parameters: FormParameters) -> str:
    for name, id in parameters.items():
        if name.startswith("SecurityGroupRuleId."):
            del region.rules[id]
    return _response("RevokeSecurityGroupIngress", "<return>true</return>")


def _response(operation: str, content: str) -> str:
    return (
        f'<{operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>{content}'
        f"</{operation}Response>"
    )


_QUERY = {
    "DescribeAutoScalingGroups": _describe_groups,
    "CompleteLifecycleAction": _complete,
    "DescribeInstances": _describe_instances,
    "DescribeSecurityGroupRules": _describe_rules,
    "DescribeSecurityGroups": _describe_groups_of_rules,
    "AuthorizeSecurityGroupIngress": _authorize,
    "RevokeSecurityGroupIngress": _revoke,
}


# Amazon DynamoDB, in JSON.


def _items(region: RegionState, table: str) -> Iterator[Item]:
    return (item for key, item in region.items.items() if key[0] == table)


def _scan(region: RegionState, request: Mapping[str, Any]) -> Mapping[str, Any]:
    found = list(_items(region, request["TableName"]))
    return {"Items": found, "Count": len(found), "ScannedCount": len(found)}


def _describe_table(_: RegionState, request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"Table": {"TableName": request["TableName"], "TableStatus": "ACTIVE", "CreationDateTime": 0.0}}


def _query(region: RegionState, request: Mapping[str, Any]) -> Mapping[str, Any]:
    (home,) = (value["S"] for value in request["ExpressionAttributeValues"].values())
    found = [item for item in _items(region, request["TableName"]) if item["region"]["S"] == home]
    return {"Items": found, "Count": len(found), "ScannedCount": len(found)}


def _put(region: RegionState, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Ignores conditions: there is no other writer."""
    item = request["Item"]
    region.items[request["TableName"], item["region"]["S"], item["asg"]["S"]] = item
    return {}


_TABLE = {"DescribeTable": _describe_table, "Scan": _scan, "Query": _query, "PutItem": _put}
