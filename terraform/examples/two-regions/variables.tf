variable "auto_scaling_groups" {
  description = "The names of the Auto Scaling groups of each Region."
  type        = map(list(string))
}

variable "security_groups" {
  description = "The ids of the security groups of each Region."
  type        = map(list(string))
}

variable "code_key" {
  description = "The key of the function's code, as `ringfence template --upload` prints it."
  type        = string
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number
  default     = 90
}
