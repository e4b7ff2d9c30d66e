"""Patches of MiniStack: the lab's CloudFormation, CloudTrail, EventBridge, IAM and Lambda, as AWS documents them.

They must not know Ringfence.
"""
