# The settings, with the names of the cluster file's keys, and what the module itself needs. `make docs` writes them.
# [[[cog cog.out(terraform_variables()) ]]]
variable "cluster" {
  description = "Names the cluster, the stacks, tables, functions and hooks, and the label of every rule. It is the same in every Region and cannot be changed later."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z][a-z0-9-]{0,31})$", var.cluster))
    error_message = "cluster must be 1 to 32 of a-z, 0-9 and hyphen, the first a letter, such as my-cluster."
  }
}

variable "regions" {
  description = "All Regions of the cluster, including this one. Give the same list in every Region. A Region can be on the list before it is deployed."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.regions) > 0 && alltrue([for each in var.regions : each != "" && can(regex("^([a-z]+(-[a-z]+)+-[0-9]+)$", each))])
    error_message = "regions must be a list of Regions such as us-east-1,eu-west-1."
  }
}

variable "auto_scaling_groups" {
  description = "The Auto Scaling groups in this Region whose instances are members."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.auto_scaling_groups) > 0 && alltrue([for each in var.auto_scaling_groups : each != "" && can(regex("^([\\w+=.@-]{1,112})$", each))])
    error_message = "auto_scaling_groups must be a list of names of 1 to 112 letters, digits and any of + = . @ _ -."
  }
}

variable "security_groups" {
  description = "The security groups in this Region that Ringfence manages. Each needs the tag ringfence-cluster with the name of the cluster; Ringfence cannot change a group without it."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.security_groups) > 0 && alltrue([for each in var.security_groups : each != "" && can(regex("^(sg-[0-9a-f]{8,17})$", each))])
    error_message = "security_groups must be a list of ids such as sg-0123456789abcdef0."
  }
}

variable "ports" {
  description = "The ports on which members are admitted. auto uses the ports on which each security group admits itself. A list names them, such as tcp/7000-7001,tcp/9042."
  type        = string
  default     = "auto"
  nullable    = false

  validation {
    condition     = can(regex("^(auto|(tcp|udp)/[0-9]+(-[0-9]+)?(,(tcp|udp)/[0-9]+(-[0-9]+)?)*)$", var.ports))
    error_message = "ports must be auto, or a list such as tcp/7000-7001,udp/8301."
  }
}

variable "address_kinds" {
  description = "The kinds of addresses that members use to reach one another: public-ipv4, private-ipv4, ipv6, carrier-ipv4 (Wavelength) and customer-owned-ipv4 (Outposts)."
  type        = list(string)
  default     = ["public-ipv4"]
  nullable    = false

  validation {
    condition     = length(var.address_kinds) > 0 && alltrue([for each in var.address_kinds : each != "" && can(regex("^(public-ipv4|private-ipv4|ipv6|carrier-ipv4|customer-owned-ipv4)$", each))])
    error_message = "address_kinds must be a list of public-ipv4, private-ipv4, ipv6, carrier-ipv4, customer-owned-ipv4."
  }
}

variable "private_addresses" {
  description = "With private-ipv4: all admits every private IPv4 address of an instance, secondary ones included, of which a node of a container cluster can have dozens. primary admits only the instance's own."
  type        = string
  default     = "all"
  nullable    = false

  validation {
    condition     = contains(["all", "primary"], var.private_addresses)
    error_message = "private_addresses must be one of all, primary."
  }
}

variable "static_members" {
  description = "CIDRs that are always admitted, such as the CIDR of an office or of a monitoring host: unicast addresses only, in networks of at most /8 (IPv4) or /16 (IPv6)."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for each in var.static_members : each != "" && can(regex("^(([0-9a-fA-F:.]+(/[0-9]{1,3})?)?)$", each))])
    error_message = "static_members must be empty, or a list of CIDRs such as 192.0.2.0/24,2001:db8::/64."
  }
}

variable "mode" {
  description = "observe changes no rule and holds no instance: it records the members, and logs and counts what it would do. owned removes only rules that Ringfence made. mirror also removes every other CIDR that is not a member's, on the managed ports."
  type        = string
  default     = "owned"
  nullable    = false

  validation {
    condition     = contains(["observe", "owned", "mirror"], var.mode)
    error_message = "mode must be one of observe, owned, mirror."
  }
}

variable "address_wait" {
  description = "How long a launching instance waits for an address of the configured kinds."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = floor(var.address_wait) == var.address_wait && var.address_wait >= 1 && var.address_wait <= 3600
    error_message = "address_wait must be a whole number, 1 to 3600 seconds."
  }
}

variable "no_address" {
  description = "What happens to a launching instance that has no such address when the wait is over."
  type        = string
  default     = "continue"
  nullable    = false

  validation {
    condition     = contains(["continue", "abandon"], var.no_address)
    error_message = "no_address must be one of continue, abandon."
  }
}

variable "peer_deadline" {
  description = "How long one reconcile waits for a peer Region in total."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = floor(var.peer_deadline) == var.peer_deadline && var.peer_deadline >= 1 && var.peer_deadline <= 15
    error_message = "peer_deadline must be a whole number, 1 to 15 seconds."
  }
}

variable "release_deadline" {
  description = "How long a terminating instance is held while a peer Region that fails may still admit its address. Then it is released, and counts as a stale door until that Region is up to date."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = floor(var.release_deadline) == var.release_deadline && var.release_deadline >= 1 && var.release_deadline <= 6900
    error_message = "release_deadline must be a whole number, 1 to 6900 seconds."
  }
}

variable "required_peers" {
  description = "Peer Regions whose failure holds instances for as long as their hook allows."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for each in var.required_peers : each != "" && can(regex("^(([a-z]+(-[a-z]+)+-[0-9]+)?)$", each))])
    error_message = "required_peers must be empty, or a list of Regions such as us-east-1,eu-west-1."
  }
}

variable "launch_heartbeat" {
  description = "How long Auto Scaling waits for an answer to a launch. It must be longer than the wait for an address plus the period of the schedule."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = floor(var.launch_heartbeat) == var.launch_heartbeat && var.launch_heartbeat >= 30 && var.launch_heartbeat <= 7200
    error_message = "launch_heartbeat must be a whole number, 30 to 7200 seconds."
  }
}

variable "launch_default_result" {
  description = "What happens to a launch without an answer. With ABANDON, Auto Scaling launches and terminates instances in a loop while the engine is down."
  type        = string
  default     = "CONTINUE"
  nullable    = false

  validation {
    condition     = contains(["CONTINUE", "ABANDON"], var.launch_default_result)
    error_message = "launch_default_result must be one of CONTINUE, ABANDON."
  }
}

variable "terminate_heartbeat" {
  description = "How long Auto Scaling waits for an answer to a termination. It must be longer than the release deadline plus the period of the schedule."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = floor(var.terminate_heartbeat) == var.terminate_heartbeat && var.terminate_heartbeat >= 30 && var.terminate_heartbeat <= 7200
    error_message = "terminate_heartbeat must be a whole number, 30 to 7200 seconds."
  }
}

variable "terminate_default_result" {
  description = "What happens to a termination without an answer. CONTINUE lets other hooks finish first, and terminates the instance. ABANDON terminates it at once, unless the group's instance lifecycle policy retains what is abandoned: then the instance runs on, outside of the group's capacity."
  type        = string
  default     = "CONTINUE"
  nullable    = false

  validation {
    condition     = contains(["CONTINUE", "ABANDON"], var.terminate_default_result)
    error_message = "terminate_default_result must be one of CONTINUE, ABANDON."
  }
}

variable "guard_percent" {
  description = "Unexplained removals above this percentage need a second observation."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = floor(var.guard_percent) == var.guard_percent && var.guard_percent >= 0 && var.guard_percent <= 100
    error_message = "guard_percent must be a whole number, 0 to 100 percent."
  }
}

variable "guard_minimum" {
  description = "The guard holds fewer unexplained removals than this only if the roster does not know their instance, or no address of it."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = floor(var.guard_minimum) == var.guard_minimum && var.guard_minimum >= 1 && var.guard_minimum <= 1000
    error_message = "guard_minimum must be a whole number, 1 to 1000 rules."
  }
}

variable "rules_quota" {
  description = "The account's quota of inbound rules for a security group and an address family. ringfence deploy reads it from Service Quotas, unless the cluster file says it. The quota alarm rings at 90 percent of it."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = floor(var.rules_quota) == var.rules_quota && var.rules_quota >= 1 && var.rules_quota <= 1000
    error_message = "rules_quota must be a whole number, 1 to 1000 rules."
  }
}

variable "schedule" {
  description = "How often a true-up runs. It repairs what no event reported, and answers the hooks that still wait. With a longer period than two minutes, raise silence_alarm_minutes too."
  type        = string
  default     = "rate(1 minute)"
  nullable    = false

  validation {
    condition     = can(regex("^((rate|cron)\\(.+\\))$", var.schedule))
    error_message = "schedule must be a rate(...) or cron(...) expression of EventBridge Scheduler."
  }
}

variable "alarm_topic" {
  description = "The SNS topic of this Region that alarms notify. Without one, alarms notify no one."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^((arn:aws[a-z-]*:sns:.+)?)$", var.alarm_topic))
    error_message = "alarm_topic must be the ARN of an SNS topic in this Region, or empty."
  }
}

variable "silence_alarm_minutes" {
  description = "The alarm rings when there was a failed reconcile, or none, in each of so many minutes. It must be at least a minute longer than the period of the schedule."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = floor(var.silence_alarm_minutes) == var.silence_alarm_minutes && var.silence_alarm_minutes >= 2 && var.silence_alarm_minutes <= 180
    error_message = "silence_alarm_minutes must be a whole number, 2 to 180 minutes."
  }
}

variable "stale_door_alarm_seconds" {
  description = "The alarm rings when a rule is still in place this long after its member left."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = floor(var.stale_door_alarm_seconds) == var.stale_door_alarm_seconds && var.stale_door_alarm_seconds >= 1
    error_message = "stale_door_alarm_seconds must be a whole number, 1 or more seconds."
  }
}

variable "dashboard" {
  description = "region adds a CloudWatch dashboard of the Region to its stack. CloudWatch charges 3 dollars a month for each beyond the first three of an account. ringfence dashboard makes one of the whole cluster."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "region"], var.dashboard)
    error_message = "dashboard must be one of none, region."
  }
}

variable "log_retention_days" {
  description = "How long the log is kept. It is the audit trail of all rules that were added and removed."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653 days."
  }
}

variable "log_level" {
  description = "INFO logs every change. WARNING logs only what needs attention."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "log_level must be one of DEBUG, INFO, WARNING, ERROR."
  }
}

variable "code_key" {
  description = "The key of the function's code in the bucket. It names the code's version: `ringfence template --upload` prints it in its template."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9!_.*()/-]+$", var.code_key))
    error_message = "code_key must be the key of an object, such as artefact-0123456789abcdef.zip."
  }
}

variable "code_bucket" {
  description = "The bucket with the function's code, in the Region of the stack. By default Ringfence's deployment bucket, ringfence-ACCOUNT-REGION."
  type        = string
  default     = null

  validation {
    condition     = var.code_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.code_bucket))
    error_message = "code_bucket must be the name of a bucket."
  }
}

variable "template_file" {
  description = "The path of the template, if the module is used without the rest of the repository: a release has it as ringfence-VERSION-template.yaml."
  type        = string
  default     = null
}

variable "tag_security_groups" {
  description = "Whether the module sets the tag ringfence-cluster on the security groups. Leave it false for groups that Terraform manages, and write the tag in their own tags: both would undo each other."
  type        = bool
  default     = false
  nullable    = false
}

variable "cloudformation_role_arn" {
  description = "The role with which CloudFormation makes the resources. By default it uses the caller's permissions."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the stack, which CloudFormation also sets on its resources."
  type        = map(string)
  default     = {}
  nullable    = false
}
# [[[end]]]
