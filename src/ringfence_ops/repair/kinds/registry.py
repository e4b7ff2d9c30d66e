"""Which kind repairs which type of resource, in the order of repair: what others need comes first."""

from collections.abc import Mapping

from ringfence_ops.repair.kinds.events import Rules, Schedules
from ringfence_ops.repair.kinds.functions import EventSourceMappings, Functions
from ringfence_ops.repair.kinds.hooks import LifecycleHooks
from ringfence_ops.repair.kinds.kind import Kind
from ringfence_ops.repair.kinds.monitoring import Alarms, LogGroups
from ringfence_ops.repair.kinds.queues import QueuePolicies, Queues
from ringfence_ops.repair.kinds.roles import Policies, Roles
from ringfence_ops.repair.kinds.tables import Tables

KINDS: Mapping[str, Kind] = {
    "AWS::DynamoDB::Table": Tables(),
    "AWS::Logs::LogGroup": LogGroups(),
    "AWS::SQS::Queue": Queues(),
    "AWS::SQS::QueuePolicy": QueuePolicies(),
    "AWS::IAM::Role": Roles(),
    "AWS::IAM::Policy": Policies(),
    "AWS::Lambda::Function": Functions(),
    "AWS::Lambda::EventSourceMapping": EventSourceMappings(),
    "AWS::Events::Rule": Rules(),
    "AWS::Scheduler::Schedule": Schedules(),
    "AWS::CloudWatch::Alarm": Alarms(),
    # Last, so that nothing waits before somebody can answer.
    "AWS::AutoScaling::LifecycleHook": LifecycleHooks(),
}
"""The template's custom resource is not among them: its deployment leaves nothing behind but a row, which the engine
writes again."""
