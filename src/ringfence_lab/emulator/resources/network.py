"""EC2's networks as CloudFormation's resources.

Source: AWS CloudFormation Template Reference, each type's page.
"""

from collections.abc import Mapping

from ringfence_lab.emulator.resources.resource_type import (
    Created,
    RegionClients,
    ResourceProperties,
    ResourceType,
    is_true,
    pick,
    put_tags,
)


def _create_vpc(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    vpc = clients.ec2.create_vpc(**pick(properties, "CidrBlock", "InstanceTenancy"))["Vpc"]
    id: str = vpc["VpcId"]
    for flag in ("EnableDnsSupport", "EnableDnsHostnames"):
        if flag in properties:
            clients.ec2.modify_vpc_attribute(VpcId=id, **{flag: {"Value": is_true(properties[flag])}})
    put_tags(clients, id, properties)
    default = clients.ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [id]}, {"Name": "group-name", "Values": ["default"]}]
    )
    groups = default["SecurityGroups"]
    return id, {
        "VpcId": id,
        "CidrBlock": vpc["CidrBlock"],
        "DefaultSecurityGroup": groups[0]["GroupId"] if groups else "",
    }


def _delete_vpc(clients: RegionClients, id: str, _properties: ResourceProperties) -> None:
    clients.ec2.delete_vpc(VpcId=id)


def _create_vpc_cidr_block(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    asked = pick(properties, "VpcId", "CidrBlock", "AmazonProvidedIpv6CidrBlock")
    made = clients.ec2.associate_vpc_cidr_block(**asked)
    association = made.get("Ipv6CidrBlockAssociation") or made["CidrBlockAssociation"]
    return association["AssociationId"], {"Id": association["AssociationId"]}


def _delete_vpc_cidr_block(clients: RegionClients, id: str, _properties: ResourceProperties) -> None:
    clients.ec2.disassociate_vpc_cidr_block(AssociationId=id)


def _create_subnet(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    asked = pick(properties, "VpcId", "CidrBlock", "AvailabilityZone", "Ipv6CidrBlock")
    subnet = clients.ec2.create_subnet(**asked)["Subnet"]
    id: str = subnet["SubnetId"]
    for flag in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"):
        if flag in properties:
            clients.ec2.modify_subnet_attribute(SubnetId=id, **{flag: {"Value": is_true(properties[flag])}})
    put_tags(clients, id, properties)
    return id, {"SubnetId": id, **pick(subnet, "VpcId", "AvailabilityZone", "CidrBlock")}


def _delete_subnet(clients: RegionClients, id: str, _properties: ResourceProperties) -> None:
    clients.ec2.delete_subnet(SubnetId=id)


def _create_internet_gateway(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    id: str = clients.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    put_tags(clients, id, properties)
    return id, {"InternetGatewayId": id}


def _delete_internet_gateway(clients: RegionClients, id: str, _properties: ResourceProperties) -> None:
    clients.ec2.delete_internet_gateway(InternetGatewayId=id)


def _attach_gateway(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    clients.ec2.attach_internet_gateway(**pick(properties, "VpcId", "InternetGatewayId"))
    return f"IGW|{properties['VpcId']}", {"AttachmentType": "IGW"}


def _detach_gateway(clients: RegionClients, _id: str, properties: ResourceProperties) -> None:
    clients.ec2.detach_internet_gateway(**pick(properties, "VpcId", "InternetGatewayId"))


def _create_route_table(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    id: str = clients.ec2.create_route_table(VpcId=properties["VpcId"])["RouteTable"]["RouteTableId"]
    put_tags(clients, id, properties)
    return id, {"RouteTableId": id}


def _delete_route_table(clients: RegionClients, id: str, _properties: ResourceProperties) -> None:
    clients.ec2.delete_route_table(RouteTableId=id)


_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


def _create_route(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    clients.ec2.create_route(**properties)
    destination = next(properties[name] for name in _DESTINATIONS if name in properties)
    return f"{properties['RouteTableId']}|{destination}", {"CidrBlock": destination}


def _delete_route(clients: RegionClients, _id: str, properties: ResourceProperties) -> None:
    clients.ec2.delete_route(**pick(properties, "RouteTableId", *_DESTINATIONS))


def _associate_route_table(clients: RegionClients, properties: ResourceProperties, _name: str) -> Created:
    id: str = clients.ec2.associate_route_table(**pick(properties, "SubnetId", "RouteTableId"))["AssociationId"]
    return id, {"Id": id}


def _disassociate_route_table(clients: RegionClients, id: str, _properties: ResourceProperties) -> None:
    clients.ec2.disassociate_route_table(AssociationId=id)


TYPES: Mapping[str, ResourceType] = {
    "AWS::EC2::VPC": ResourceType(_create_vpc, _delete_vpc),
    "AWS::EC2::VPCCidrBlock": ResourceType(_create_vpc_cidr_block, _delete_vpc_cidr_block),
    "AWS::EC2::Subnet": ResourceType(_create_subnet, _delete_subnet),
    "AWS::EC2::InternetGateway": ResourceType(_create_internet_gateway, _delete_internet_gateway),
    "AWS::EC2::VPCGatewayAttachment": ResourceType(_attach_gateway, _detach_gateway),
    "AWS::EC2::RouteTable": ResourceType(_create_route_table, _delete_route_table),
    "AWS::EC2::Route": ResourceType(_create_route, _delete_route),
    "AWS::EC2::SubnetRouteTableAssociation": ResourceType(_associate_route_table, _disassociate_route_table),
}
