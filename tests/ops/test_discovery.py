"""What `init` finds is found although one instance or one group cannot be described."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ringfence.core.model.addresses import AddressKind
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cluster.discovery import FoundGroup, discover
from tests.unit.builders import EAST

CLUSTER, DATABASE, WEB = "sg-0000000000000001", "sg-0000000000000002", "sg-0000000000000003"


@dataclass
class Account(Aws):
    """One Region's EC2 and Auto Scaling: groups with their instances, and the instances that EC2 knows."""

    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    instances: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failing: frozenset[str] = frozenset()

    def client(self, service: str, region: str, *, patient: bool = False) -> Any:  # noqa: ARG002
        """The account, which is its services' clients too."""
        return self

    def get_paginator(self, operation: str) -> Any:
        return _Pages(getattr(self, operation))

    def describe_auto_scaling_groups(self) -> dict[str, Any]:
        return {
            "AutoScalingGroups": [
                {"AutoScalingGroupName": name, "Instances": [{"InstanceId": id} for id in ids]}
                for name, ids in self.groups.items()
            ]
        }

    def describe_instances(self, InstanceIds: Sequence[str]) -> dict[str, Any]:  # noqa: N803  # boto3's
        """As EC2 does: fails as a whole for an id that it does not know, or that is in a zone that fails."""
        if failing := self.failing & set(InstanceIds):
            raise _error("InternalError", f"the zone of {', '.join(failing)} is not available")
        if unknown := [id for id in InstanceIds if id not in self.instances]:
            names = ", ".join(unknown)
            raise _error("InvalidInstanceID.NotFound", f"The instance IDs '{names}' do not exist")
        return {"Reservations": [{"Instances": [self.instances[id] for id in InstanceIds]}]}

    def describe_security_groups(self, Filters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803  # boto3's
        ids = Filters[0]["Values"]
        return {"SecurityGroups": [{"GroupId": id, "GroupName": id, "IpPermissions": []} for id in ids]}


class _Pages:
    def __init__(self, call: Any) -> None:
        self.call = call

    def paginate(self, **arguments: Any) -> Iterator[Any]:
        yield self.call(**arguments)


def _error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeInstances")


def instance(id: str, *groups: str, state: str = "running") -> dict[str, Any]:
    """An instance as EC2 describes it; one that is gone has no security group."""
    return {
        "InstanceId": id,
        "State": {"Name": state},
        "SecurityGroups": [{"GroupId": group} for group in groups],
        "PublicIpAddress": "198.51.100.1",
    }


def found(account: Account, only: Sequence[str] = ()) -> dict[str, FoundGroup]:
    """What is found, by the groups' names."""
    groups = discover(account, [EAST], only)[EAST]
    assert not isinstance(groups, Unreachable)
    return {group.name: group for group in groups}


def ids(group: FoundGroup) -> set[str]:
    return {found.id for found in group.security_groups}


def test_an_instance_that_ec2_does_not_know_is_left_out() -> None:
    account = Account(
        groups={"a": ["i-01", "i-02"], "b": ["i-03"]},
        instances={"i-01": instance("i-01", CLUSTER), "i-03": instance("i-03", WEB)},
    )

    groups = found(account)

    assert (ids(groups["a"]), groups["a"].instances) == ({CLUSTER}, 1)
    assert ids(groups["b"]) == {WEB}
    assert groups["a"].kinds == {AddressKind.PUBLIC_IPV4}


def test_an_instance_that_is_gone_hides_no_security_group() -> None:
    account = Account(
        groups={"a": ["i-01", "i-02"]},
        instances={"i-01": instance("i-01", CLUSTER), "i-02": instance("i-02", state="terminated")},
    )

    assert ids(found(account)["a"]) == {CLUSTER}


def test_one_instance_with_other_security_groups_does_not_hide_what_most_have() -> None:
    account = Account(
        groups={"a": ["i-01", "i-02", "i-03"]},
        instances={
            "i-01": instance("i-01", CLUSTER, DATABASE),
            "i-02": instance("i-02", CLUSTER),
            "i-03": instance("i-03", WEB),
        },
    )

    (group,) = found(account)["a"].security_groups

    assert (group.id, group.instances) == (CLUSTER, 2)


def test_a_group_whose_instances_cannot_be_described_costs_the_others_nothing() -> None:
    account = Account(
        groups={"a": ["i-01"], "b": ["i-02"]},
        instances={"i-01": instance("i-01", CLUSTER), "i-02": instance("i-02", WEB)},
        failing=frozenset({"i-02"}),
    )

    groups = found(account)

    assert (ids(groups["a"]), groups["a"].problem) == ({CLUSTER}, None)
    assert groups["b"].problem == "DescribeInstances: InternalError: the zone of i-02 is not available"


def test_what_was_not_asked_for_is_not_described() -> None:
    account = Account(
        groups={"a": ["i-01"], "b": ["i-02"]},
        instances={"i-01": instance("i-01", CLUSTER)},
        failing=frozenset({"i-02"}),
    )

    groups = found(account, only=["a"])

    assert ids(groups["a"]) == {CLUSTER}
    assert groups["b"].problem == "it was not asked for"
