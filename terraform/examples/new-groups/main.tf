# A cluster in two Regions with everything that it needs: networks, groups, and Ringfence. region/ has one Region of it.

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

variable "code_key" {
  description = "The key of the function's code in the deployment bucket of each Region."
  type        = string
}

locals {
  cluster = "new"
  regions = ["us-east-1", "us-west-2"]
}

module "us_east_1" {
  source    = "./region"
  providers = { aws = aws.us_east_1 }

  cluster  = local.cluster
  regions  = local.regions
  code_key = var.code_key
}

module "us_west_2" {
  source    = "./region"
  providers = { aws = aws.us_west_2 }

  cluster  = local.cluster
  regions  = local.regions
  code_key = var.code_key
}

output "groups" {
  description = "The Auto Scaling group and the security group of each Region."
  value = {
    "us-east-1" = module.us_east_1.groups
    "us-west-2" = module.us_west_2.groups
  }
}
