"""Answers of AWS with every member that its service description allows, in the XML of EC2 and Auto Scaling."""

from typing import Any
from xml.etree import ElementTree

LEAVES = {
    "CidrIpv4": "198.51.100.7/32",
    "CidrIpv6": "",  # a rule has one source
    "Description": "ringfence demo us-east-1/db i-1",
    "GroupId": "sg-1",
    "InstanceId": "i-1",
    "IpProtocol": "tcp",
    "Ipv6Address": "2001:db8::7",
    "Key": "aws:autoscaling:groupName",
    "LifecycleState": "InService",
    "Name": "running",
    "NextToken": "",  # the only page
    "PrivateIpAddress": "10.0.0.7",
    "CarrierIp": "198.51.100.8",
    "CustomerOwnedIp": "198.51.100.9",
    "PublicIp": "203.0.113.7",
    "PublicIpAddress": "198.51.100.7",
    "SecurityGroupRuleId": "sgr-1",
    "Value": "db",
}
"""The members that the engine reads, with possible values. Any other member has its own name as its value."""

SIMPLE = {"boolean": "false", "integer": "9042", "long": "9042", "double": "1.5", "timestamp": "2026-01-01T00:00:00Z"}


def answer(operation: Any) -> bytes:
    """An answer to botocore's operation with every member of every structure, and one element in every list."""
    root = ElementTree.Element(f"{operation.name}Response")
    shape = operation.output_shape
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper")
        _fill(root if wrapper is None else ElementTree.SubElement(root, wrapper), shape, operation.name, ())
    return ElementTree.tostring(root)


def _fill(element: ElementTree.Element, shape: Any, name: str, above: tuple[str, ...]) -> None:
    if shape.name in above:  # a recursive structure
        return
    match shape.type_name:
        case "structure":
            for member, inner in shape.members.items():
                tag = inner.serialization.get("name", member)
                _fill(ElementTree.SubElement(element, tag), inner, member, (*above, shape.name))
        case "list":
            tag = shape.member.serialization.get("name", "member")
            _fill(ElementTree.SubElement(element, tag), shape.member, name, (*above, shape.name))
        case simple:
            element.text = SIMPLE.get(simple, LEAVES.get(name, name))
