"""The addresses of instances: allocation, release and reuse."""

import ipaddress
from typing import Any

import pytest

from tests.lab.aws.emulated import GROUP, LAUNCHING, EmulatedAws, client, refused


def public_address(aws: EmulatedAws, instance_id: str) -> str | None:
    return aws.instance(instance_id).get("PublicIpAddress")


def elastic_on(aws: EmulatedAws, instance_id: str) -> dict[str, Any]:
    elastic: dict[str, Any] = aws.ec2.allocate_address(Domain="vpc")
    aws.ec2.associate_address(InstanceId=instance_id, AllocationId=elastic["AllocationId"])
    return elastic


def test_public_addresses_are_public_and_unique(aws: EmulatedAws, endpoint: str) -> None:
    elsewhere = EmulatedAws(client("ec2", endpoint, "us-west-2"), aws.autoscaling)
    elsewhere.build_network(["us-west-2a"])

    addresses = [str(public_address(region, region.run_instance())) for region in (aws, elsewhere) for _ in range(20)]

    assert len(set(addresses)) == 40
    assert all(ipaddress.ip_address(address).is_global for address in addresses)


def test_the_next_instance_reuses_the_address_of_a_terminated_one(aws: EmulatedAws) -> None:
    first, second = aws.run_instance(), aws.run_instance()
    addresses = [public_address(aws, first), public_address(aws, second)]

    aws.ec2.terminate_instances(InstanceIds=[first])
    aws.ec2.terminate_instances(InstanceIds=[second])

    assert [public_address(aws, aws.run_instance()) for _ in range(2)] == addresses


def test_a_terminated_instance_remains_listed_without_addresses(aws: EmulatedAws) -> None:
    aws.create_group(DesiredCapacity=1)
    instance_id = aws.only_instance()

    aws.scale_to(0)

    described = aws.instance(instance_id)
    assert described["State"]["Name"] == "terminated"
    assert described["NetworkInterfaces"] == []
    assert not {"PublicIpAddress", "PrivateIpAddress", "SubnetId", "VpcId"} & set(described)
    assert {"Key": "aws:autoscaling:groupName", "Value": GROUP} in described["Tags"]


def test_a_stopped_instance_releases_its_address_and_gets_one_when_it_starts(aws: EmulatedAws) -> None:
    stopped, private = aws.run_instance(), None
    before, private = public_address(aws, stopped), aws.instance(stopped)["PrivateIpAddress"]

    aws.ec2.stop_instances(InstanceIds=[stopped])
    while_stopped = public_address(aws, stopped)
    heir = aws.run_instance()
    aws.ec2.start_instances(InstanceIds=[stopped])

    assert while_stopped is None
    assert public_address(aws, heir) == before
    assert public_address(aws, stopped) not in (None, before)
    assert aws.instance(stopped)["PrivateIpAddress"] == private


def test_starting_a_running_instance_does_not_change_its_address(aws: EmulatedAws) -> None:
    instance_id = aws.run_instance()
    before = public_address(aws, instance_id)

    aws.ec2.start_instances(InstanceIds=[instance_id])

    assert public_address(aws, instance_id) == before


def test_an_elastic_address_replaces_the_assigned_one(aws: EmulatedAws) -> None:
    instance_id = aws.run_instance()
    assigned = public_address(aws, instance_id)

    elastic = elastic_on(aws, instance_id)

    assert public_address(aws, instance_id) == elastic["PublicIp"] != assigned
    assert public_address(aws, aws.run_instance()) == assigned


def test_a_stopped_instance_keeps_its_elastic_address(aws: EmulatedAws) -> None:
    instance_id = aws.run_instance()
    elastic = elastic_on(aws, instance_id)

    aws.ec2.stop_instances(InstanceIds=[instance_id])
    while_stopped = public_address(aws, instance_id)
    aws.ec2.start_instances(InstanceIds=[instance_id])

    assert while_stopped == public_address(aws, instance_id) == elastic["PublicIp"]


def test_the_account_keeps_the_elastic_address_of_a_terminated_instance(aws: EmulatedAws) -> None:
    instance_id = aws.run_instance()
    elastic = elastic_on(aws, instance_id)

    aws.ec2.terminate_instances(InstanceIds=[instance_id])

    [address] = aws.ec2.describe_addresses(AllocationIds=[elastic["AllocationId"]])["Addresses"]
    assert not address.get("InstanceId")
    assert elastic["PublicIp"] not in [public_address(aws, aws.run_instance()) for _ in range(3)]


def test_a_released_elastic_address_is_reused(aws: EmulatedAws) -> None:
    elastic = aws.ec2.allocate_address(Domain="vpc")

    aws.ec2.release_address(AllocationId=elastic["AllocationId"])

    assert public_address(aws, aws.run_instance()) == elastic["PublicIp"]


def test_an_instance_that_loses_its_elastic_address_is_assigned_one_again(aws: EmulatedAws) -> None:
    instance_id = aws.run_instance()
    elastic = elastic_on(aws, instance_id)

    aws.ec2.disassociate_address(PublicIp=elastic["PublicIp"])

    assert public_address(aws, instance_id) not in (None, elastic["PublicIp"])


def test_a_private_address_is_released_too(aws: EmulatedAws) -> None:
    instance_id = aws.run_instance()
    private = aws.instance(instance_id)["PrivateIpAddress"]

    aws.ec2.terminate_instances(InstanceIds=[instance_id])

    assert aws.instance(aws.run_instance())["PrivateIpAddress"] == private


@pytest.fixture
def dual_stack(aws: EmulatedAws) -> EmulatedAws:
    """The same aws, its first subnet with a block of IPv6 addresses."""
    aws.ec2.associate_vpc_cidr_block(VpcId=aws.vpc, AmazonProvidedIpv6CidrBlock=True)
    [vpc] = aws.ec2.describe_vpcs(VpcIds=[aws.vpc])["Vpcs"]
    [block] = vpc["Ipv6CidrBlockAssociationSet"]
    network = next(ipaddress.IPv6Network(block["Ipv6CidrBlock"]).subnets(new_prefix=64))
    aws.ec2.associate_subnet_cidr_block(SubnetId=aws.subnets[0], Ipv6CidrBlock=str(network))
    aws.subnets = aws.subnets[:1]
    return aws


def ipv6_addresses(aws: EmulatedAws, instance_id: str) -> list[str]:
    interfaces = aws.instance(instance_id)["NetworkInterfaces"]
    return [address["Ipv6Address"] for interface in interfaces for address in interface["Ipv6Addresses"]]


def test_an_instance_has_an_ipv6_address_if_its_subnet_assigns_them(dual_stack: EmulatedAws) -> None:
    dual_stack.ec2.modify_subnet_attribute(SubnetId=dual_stack.subnets[0], AssignIpv6AddressOnCreation={"Value": True})

    dual_stack.create_group(DesiredCapacity=2)

    addresses = [address for id in dual_stack.states() for address in ipv6_addresses(dual_stack, id)]
    assert len({ipaddress.IPv6Address(address) for address in addresses}) == 2


def test_an_instance_has_an_ipv6_address_if_its_launch_template_requests_one(dual_stack: EmulatedAws) -> None:
    interface = {"DeviceIndex": 0, "Ipv6AddressCount": 1, "Groups": [dual_stack.security_group]}
    dual_stack.create_group(template={"NetworkInterfaces": [interface]}, DesiredCapacity=1)

    assert len(ipv6_addresses(dual_stack, dual_stack.only_instance())) == 1


def test_an_instance_has_no_ipv6_address_by_default(dual_stack: EmulatedAws) -> None:
    dual_stack.create_group(DesiredCapacity=1)

    assert ipv6_addresses(dual_stack, dual_stack.only_instance()) == []


def test_all_interfaces_of_a_launch_template_are_described(aws: EmulatedAws) -> None:
    interfaces = [{"DeviceIndex": index, "Groups": [aws.security_group]} for index in (0, 1)]
    aws.create_group(template={"NetworkInterfaces": interfaces}, DesiredCapacity=1)

    described = aws.instance(aws.only_instance())["NetworkInterfaces"]

    assert [interface["Attachment"]["DeviceIndex"] for interface in described] == [0, 1]
    assert len({interface["PrivateIpAddress"] for interface in described}) == 2


def test_instances_are_found_by_their_group_their_state_and_their_id(aws: EmulatedAws) -> None:
    aws.create_group(DesiredCapacity=2)
    gone, left = aws.states()
    aws.run_instance()
    aws.scale_to(1)

    def found(*filters: tuple[str, str], **asked: Any) -> set[str]:
        spelled = [{"Name": name, "Values": [value]} for name, value in filters]
        pages = aws.ec2.describe_instances(Filters=spelled, **asked)["Reservations"]
        return {instance["InstanceId"] for page in pages for instance in page["Instances"]}

    mine = ("tag:aws:autoscaling:groupName", GROUP)
    assert found(mine) == {gone, left}
    assert found(mine, ("instance-state-name", "running")) == {left}
    assert found(("instance-id", gone)) == found(InstanceIds=[gone, gone]) == {gone}


def test_an_unknown_instance_is_refused(aws: EmulatedAws) -> None:
    known = aws.run_instance()
    describe = aws.ec2.describe_instances

    code, message = refused(lambda: describe(InstanceIds=[known, "i-0123456789abcdef0"]))

    assert code == "InvalidInstanceID.NotFound"
    assert "i-0123456789abcdef0" in message


GROUP_TAG = {"Key": "aws:autoscaling:groupName", "Value": GROUP}


def test_the_tag_and_the_address_can_come_a_moment_after_the_instance_runs(aws: EmulatedAws) -> None:
    """flocker #2237."""
    aws.install(settle_seconds=2)
    aws.create_group()
    aws.put_hook("admit", LAUNCHING)
    aws.scale_to(1)
    instance_id = aws.only_instance()

    early = aws.instance(instance_id)
    aws.clock.advance(2)
    late = aws.instance(instance_id)

    assert early["State"]["Name"] == "running"
    assert "PublicIpAddress" not in early
    assert GROUP_TAG not in early.get("Tags", [])
    assert late["PublicIpAddress"]
    assert GROUP_TAG in late["Tags"]


def test_an_instance_that_left_its_group_before_gets_no_tag_later(aws: EmulatedAws) -> None:
    aws.install(settle_seconds=2)
    aws.create_group()
    aws.scale_to(1)
    instance_id = aws.only_instance()

    aws.autoscaling.detach_instances(
        AutoScalingGroupName=GROUP, InstanceIds=[instance_id], ShouldDecrementDesiredCapacity=True
    )
    aws.clock.advance(2)

    assert GROUP_TAG not in aws.instance(instance_id).get("Tags", [])
