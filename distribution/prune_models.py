"""Reduces botocore's descriptions of AWS to what the engine calls and reads, so that botocore has less to load.

Most of a cold start would load the description of EC2, which has hundreds of operations; the engine calls seven. Most
of parsing an answer would search for members of an instance that the engine never reads: botocore searches for each
member that is described. Needs only the standard library. Knows nothing of how the artefact is built.
"""

import gzip
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

OPERATIONS: Mapping[str, frozenset[str]] = {
    "autoscaling": frozenset({"CompleteLifecycleAction", "DescribeAutoScalingGroups", "DescribeWarmPool"}),
    "dynamodb": frozenset({"DeleteItem", "DescribeTable", "PutItem", "Query", "Scan"}),
    "ec2": frozenset(
        {
            "AuthorizeSecurityGroupIngress",
            "DescribeInstances",
            "DescribeManagedPrefixLists",
            "DescribeSecurityGroupRules",
            "DescribeSecurityGroups",
            "RevokeSecurityGroupIngress",
            "UpdateSecurityGroupRuleDescriptionsIngress",
        }
    ),
    "sqs": frozenset({"SendMessage"}),
}
"""The operations of each service that the adapters in `ringfence.aws` call."""

MEMBERS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "autoscaling": {
        "AutoScalingGroup": frozenset({"AutoScalingGroupName", "Instances", "WarmPoolConfiguration"}),
        "Instance": frozenset({"InstanceId", "LifecycleState"}),
    },
    "ec2": {
        "Instance": frozenset({"InstanceId", "NetworkInterfaces", "PublicIpAddress", "State", "Tags"}),
        "InstanceNetworkInterface": frozenset({"Association", "Ipv6Addresses", "PrivateIpAddresses"}),
        "InstanceNetworkInterfaceAssociation": frozenset({"PublicIp"}),
        "InstancePrivateIpAddress": frozenset({"Association", "PrivateIpAddress"}),
        "ManagedPrefixList": frozenset({"AddressFamily", "MaxEntries", "PrefixListId", "PrefixListName"}),
        "ReferencedSecurityGroup": frozenset({"GroupId"}),
        "Reservation": frozenset({"Instances"}),
        "SecurityGroup": frozenset({"GroupId", "Tags"}),
        "SecurityGroupRule": frozenset(
            {
                "CidrIpv4",
                "CidrIpv6",
                "Description",
                "FromPort",
                "GroupId",
                "IpProtocol",
                "IsEgress",
                "PrefixListId",
                "ReferencedGroupInfo",
                "SecurityGroupRuleId",
                "ToPort",
            }
        ),
    },
}
"""The members of large structures that the adapters read. Structures that are not named keep all members."""

_KEPT = ("service-2", "paginators-1", "paginators-1.sdk-extras", "endpoint-rule-set-1")
"""The files that a client reads; the others are for waiters, documentation and examples."""


def prune(data: Path) -> None:
    """Prunes botocore's `data` directory in place."""
    for directory in [path for path in data.iterdir() if path.is_dir()]:
        if directory.name in OPERATIONS:
            _prune_service(directory, OPERATIONS[directory.name])
        else:
            shutil.rmtree(directory)
    _rewrite(data / "endpoints.json", _endpoints(_read(data / "endpoints.json")))


def _prune_service(directory: Path, operations: frozenset[str]) -> None:
    *outdated, latest = sorted(directory.iterdir())
    for version in outdated:
        shutil.rmtree(version)
    for path in sorted(latest.iterdir()):
        match path.name.removesuffix(".gz").removesuffix(".json"):
            case "service-2":
                _rewrite(path, _service(_read(path), operations, MEMBERS.get(directory.name, {})))
            case "paginators-1":
                pages = _read(path)["pagination"]
                _rewrite(path, {"pagination": {name: pages[name] for name in sorted(operations & pages.keys())}})
            case name if name not in _KEPT:
                path.unlink()


def _service(
    model: dict[str, Any], operations: frozenset[str], members: Mapping[str, frozenset[str]]
) -> dict[str, Any]:
    """The model with only these operations and the shapes that they reach, some with only the members given. Raises
    KeyError for an operation, a shape or a member that does not exist."""
    few = {name: _only(model, name, kept) for name, kept in members.items()}
    model = {**model, "shapes": {**model["shapes"], **few}}
    kept = {name: model["operations"][name] for name in sorted(operations)}
    reached: set[str] = set()
    ahead = set(_shapes_named(kept.values()))
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead |= set(_shapes_named([model["shapes"][name]])) - reached
    shapes = {name: model["shapes"][name] for name in sorted(reached)}
    pruned: dict[str, Any] = _undocumented({**model, "operations": kept, "shapes": shapes})
    return pruned


def _only(model: Mapping[str, Any], shape: str, members: frozenset[str]) -> dict[str, Any]:
    """The structure with only these members."""
    whole = model["shapes"][shape]
    return {**whole, "members": {name: whole["members"][name] for name in sorted(members)}}


def _shapes_named(parts: Iterable[Any]) -> Iterable[str]:
    """The shapes that parts of a model refer to: a reference is an object whose `shape` is a name."""
    for part in parts:
        if isinstance(part, dict):
            if isinstance(part.get("shape"), str):
                yield part["shape"]
            yield from _shapes_named(part.values())
        elif isinstance(part, list):
            yield from _shapes_named(part)


def _undocumented(part: Any) -> Any:
    """The part without its documentation. A structure can have a member of that name, which is no text and stays."""
    if isinstance(part, dict):
        return {
            name: _undocumented(value)
            for name, value in part.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    return [_undocumented(item) for item in part] if isinstance(part, list) else part


def _endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    """All partitions and Regions, with only the services that are called."""
    for partition in endpoints["partitions"]:
        partition["services"] = {name: service for name, service in partition["services"].items() if name in OPERATIONS}
    return endpoints


def _read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    read: dict[str, Any] = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return read


def _rewrite(path: Path, content: dict[str, Any]) -> None:
    """Writes without compression: the artefact is zipped as a whole."""
    path.unlink()
    path.with_name(path.name.removesuffix(".gz")).write_text(json.dumps(content, separators=(",", ":")))
