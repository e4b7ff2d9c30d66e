# `make docs` writes them from the outputs of template.yaml.
# [[[cog cog.out(terraform_outputs()) ]]]
output "stack_id" {
  description = "The id of the CloudFormation stack"
  value       = aws_cloudformation_stack.this.id
}

output "table" {
  description = "The table of rosters"
  value       = aws_cloudformation_stack.this.outputs["Table"]
}

output "function" {
  description = "The engine; invoke it with {\"trueup\": true} for a true-up by hand"
  value       = aws_cloudformation_stack.this.outputs["Function"]
}

output "queue" {
  description = "The URL of the queue of events"
  value       = aws_cloudformation_stack.this.outputs["Queue"]
}

output "dead_letter_queue" {
  description = "The URL of the queue of what someone must look at"
  value       = aws_cloudformation_stack.this.outputs["DeadLetterQueue"]
}

output "log_group" {
  description = "The audit trail"
  value       = aws_cloudformation_stack.this.outputs["LogGroup"]
}

output "launch_hook" {
  description = "The lifecycle hook of each Auto Scaling group that holds an instance until it is admitted"
  value       = aws_cloudformation_stack.this.outputs["LaunchHook"]
}

output "terminate_hook" {
  description = "The lifecycle hook of each Auto Scaling group that holds an instance until it is released"
  value       = aws_cloudformation_stack.this.outputs["TerminateHook"]
}
# [[[end]]]
