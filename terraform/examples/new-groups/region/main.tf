# One Region: a network with two public subnets, an Auto Scaling group, a security group that admits itself on tcp/443,
# and Ringfence. Terraform deletes Ringfence's stack before the groups, because the stack refers to them.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.39"
    }
  }
}

variable "cluster" {
  type = string
}

variable "regions" {
  type = list(string)
}

variable "code_key" {
  type = string
}

data "aws_availability_zones" "available" {
  state = "available"
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

resource "aws_vpc" "this" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "ringfence-${var.cluster}" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_route_table" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_route" "default" {
  route_table_id         = aws_route_table.this.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_subnet" "this" {
  count = 2

  vpc_id                  = aws_vpc.this.id
  cidr_block              = cidrsubnet(aws_vpc.this.cidr_block, 4, count.index)
  availability_zone       = data.aws_availability_zones.available.names[count.index]
  map_public_ip_on_launch = true
}

resource "aws_route_table_association" "this" {
  count = 2

  route_table_id = aws_route_table.this.id
  subnet_id      = aws_subnet.this[count.index].id
}

# No `ingress` here: Terraform would remove the rules of the members in other Regions.
resource "aws_security_group" "members" {
  name_prefix = "${var.cluster}-members-"
  description = "Members of the cluster ${var.cluster}"
  vpc_id      = aws_vpc.this.id
  tags        = { ringfence-cluster = var.cluster }
}

resource "aws_security_group_rule" "itself" {
  type              = "ingress"
  security_group_id = aws_security_group.members.id
  self              = true
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "Members in this Region"
}

resource "aws_security_group_rule" "egress" {
  type              = "egress"
  security_group_id = aws_security_group.members.id
  cidr_blocks       = ["0.0.0.0/0"]
  protocol          = "-1"
  from_port         = 0
  to_port           = 0
}

resource "aws_launch_template" "members" {
  name_prefix            = "${var.cluster}-"
  image_id               = data.aws_ssm_parameter.image.value
  instance_type          = "t4g.nano"
  vpc_security_group_ids = [aws_security_group.members.id]

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }
}

resource "aws_autoscaling_group" "members" {
  name_prefix         = "${var.cluster}-"
  min_size            = 0
  max_size            = 10
  vpc_zone_identifier = aws_subnet.this[*].id

  launch_template {
    id      = aws_launch_template.members.id
    version = aws_launch_template.members.latest_version
  }

  lifecycle {
    ignore_changes = [desired_capacity]
  }
}

module "ringfence" {
  source = "../../.."

  cluster             = var.cluster
  regions             = var.regions
  auto_scaling_groups = [aws_autoscaling_group.members.name]
  security_groups     = [aws_security_group.members.id]
  code_key            = var.code_key
}

output "groups" {
  description = "The Auto Scaling group and the security group."
  value = {
    auto_scaling_group = aws_autoscaling_group.members.name
    security_group     = aws_security_group.members.id
  }
}
