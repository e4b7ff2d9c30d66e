# A cluster in two Regions, whose Auto Scaling groups and security groups exist.

terraform {
  required_version = ">= 1.2"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 3.39"
    }
  }
}

provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

provider "aws" {
  alias  = "us_west_2"
  region = "us-west-2"
}

locals {
  # What is the same in every Region.
  cluster = "demo"
  regions = ["us-east-1", "us-west-2"]
}

module "us_east_1" {
  source    = "../.."
  providers = { aws = aws.us_east_1 }

  cluster             = local.cluster
  regions             = local.regions
  auto_scaling_groups = var.auto_scaling_groups["us-east-1"]
  security_groups     = var.security_groups["us-east-1"]
  tag_security_groups = true
  code_key            = var.code_key
  log_retention_days  = var.log_retention_days
}

module "us_west_2" {
  source    = "../.."
  providers = { aws = aws.us_west_2 }

  cluster             = local.cluster
  regions             = local.regions
  auto_scaling_groups = var.auto_scaling_groups["us-west-2"]
  security_groups     = var.security_groups["us-west-2"]
  tag_security_groups = true
  code_key            = var.code_key
  log_retention_days  = var.log_retention_days
}
