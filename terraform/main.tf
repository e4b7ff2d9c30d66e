# A Region of a Ringfence cluster: the stack that `ringfence deploy` makes, by the same template.

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

locals {
  # Versions of the provider from 6 on call it `region`, and earlier ones `name`.
  region = coalesce([for name in ["region", "name"] : try(data.aws_region.this[name], null)]...)

  template    = file(coalesce(var.template_file, "${path.module}/../template.yaml"))
  code_uri    = "/(?m)^( +CodeUri:) \\.$/"
  code_bucket = coalesce(var.code_bucket, "ringfence-${data.aws_caller_identity.this.account_id}-${local.region}")

  # The period of a rate(...) in seconds. That of a cron(...) counts as 0 here; the engine warns of what does not fit.
  rate   = try(regex("^rate\\((\\d+) (minute|hour|day)s?\\)$", var.schedule), ["0", "minute"])
  period = tonumber(local.rate[0]) * { minute = 60, hour = 3600, day = 86400 }[local.rate[1]]
}

# By this tag the engines may change a group.
resource "aws_ec2_tag" "cluster" {
  count = var.tag_security_groups ? length(var.security_groups) : 0

  resource_id = var.security_groups[count.index]
  key         = "ringfence-cluster"
  value       = var.cluster
}

resource "aws_cloudformation_stack" "this" {
  name          = "ringfence-${var.cluster}"
  template_body = replace(local.template, local.code_uri, "$1 s3://${local.code_bucket}/${var.code_key}")
  capabilities  = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  iam_role_arn  = var.cloudformation_role_arn
  tags          = var.tags

  parameters = {
    # [[[cog cog.out(terraform_parameters()) ]]]
    ClusterName            = var.cluster
    Regions                = join(",", distinct(var.regions))
    AutoScalingGroups      = join(",", distinct(var.auto_scaling_groups))
    SecurityGroups         = join(",", distinct(var.security_groups))
    Ports                  = var.ports
    AddressKinds           = join(",", distinct(var.address_kinds))
    PrivateAddresses       = var.private_addresses
    StaticMembers          = join(",", distinct(var.static_members))
    Mode                   = var.mode
    AddressWait            = tostring(var.address_wait)
    NoAddress              = var.no_address
    PeerDeadline           = tostring(var.peer_deadline)
    ReleaseDeadline        = tostring(var.release_deadline)
    RequiredPeers          = join(",", distinct(var.required_peers))
    LaunchHeartbeat        = tostring(var.launch_heartbeat)
    LaunchDefaultResult    = var.launch_default_result
    TerminateHeartbeat     = tostring(var.terminate_heartbeat)
    TerminateDefaultResult = var.terminate_default_result
    GuardPercent           = tostring(var.guard_percent)
    GuardMinimum           = tostring(var.guard_minimum)
    RulesQuota             = tostring(var.rules_quota)
    ScheduleExpression     = var.schedule
    AlarmTopic             = var.alarm_topic
    SilenceAlarmMinutes    = tostring(var.silence_alarm_minutes)
    StaleDoorAlarmSeconds  = tostring(var.stale_door_alarm_seconds)
    Dashboard              = var.dashboard
    LogRetentionDays       = tostring(var.log_retention_days)
    LogLevel               = var.log_level
    # [[[end]]]
  }

  depends_on = [aws_ec2_tag.cluster]

  lifecycle {
    precondition {
      condition     = length(regexall("(?m)^ +CodeUri: \\.$", local.template)) == 1
      error_message = "The template must have one function with `CodeUri: .`: use the template of the code's version."
    }

    precondition {
      condition     = contains(var.regions, local.region)
      error_message = "regions must contain the Region of the provider, ${local.region}."
    }

    precondition {
      condition     = alltrue([for region in var.required_peers : contains(var.regions, region)])
      error_message = "required_peers must be Regions of the cluster: regions does not contain all of them."
    }

    precondition {
      condition     = var.alarm_topic == "" || try(split(":", var.alarm_topic)[3], "") == local.region
      error_message = "alarm_topic must be a topic of ${local.region}: an alarm can notify only a topic of its own Region."
    }

    precondition {
      condition     = var.launch_heartbeat > var.address_wait + local.period
      error_message = "launch_heartbeat must be longer than address_wait plus the period of the schedule, ${var.address_wait + local.period} seconds."
    }

    precondition {
      condition     = var.terminate_heartbeat > var.release_deadline + local.period
      error_message = "terminate_heartbeat must be longer than release_deadline plus the period of the schedule, ${var.release_deadline + local.period} seconds."
    }

    precondition {
      condition     = 60 * var.silence_alarm_minutes >= local.period + 60
      error_message = "silence_alarm_minutes must be longer than the period of the schedule by a minute."
    }
  }
}
