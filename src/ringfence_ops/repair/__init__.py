"""Drift of a deployed stack: how its resources differ from its own template, and how each difference is repaired.

CloudFormation does not look at drift when it updates a stack with an equal template (aws-cdk issue 16769), so what
somebody changed by hand stays changed. `template` says what each resource should be, `kinds` read and write one
resource each, `drift` compares, and `stack_repair` does all of it for a stack.
"""
