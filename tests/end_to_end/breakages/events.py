"""Breakages on the way of an event: EventBridge, its schedule, the queues and the mapping."""

import json
from collections.abc import Iterator
from typing import Any

from ringfence_lab.demo.observer import Observer
from tests.end_to_end.breakages.breakage import NAME, Breakage, in_east


@in_east
def rule_disabled(east: Observer) -> Iterator[None]:
    events = east.client("events")
    events.disable_rule(Name=NAME)
    yield
    events.enable_rule(Name=NAME)


@in_east
def rule_deleted(east: Observer) -> Iterator[None]:
    events = east.client("events")
    rule, targets = events.describe_rule(Name=NAME), events.list_targets_by_rule(Rule=NAME)["Targets"]
    events.remove_targets(Rule=NAME, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=NAME)
    yield
    events.put_rule(Name=NAME, EventPattern=rule["EventPattern"], State="ENABLED")
    events.put_targets(Rule=NAME, Targets=targets)


@in_east
def rule_with_another_pattern(east: Observer) -> Iterator[None]:
    events = east.client("events")
    pattern = events.describe_rule(Name=NAME)["EventPattern"]
    events.put_rule(Name=NAME, EventPattern=json.dumps({"source": ["aws.ec2"]}), State="ENABLED")
    yield
    events.put_rule(Name=NAME, EventPattern=pattern, State="ENABLED")


@in_east
def rule_without_target(east: Observer) -> Iterator[None]:
    events = east.client("events")
    targets = events.list_targets_by_rule(Rule=NAME)["Targets"]
    events.remove_targets(Rule=NAME, Ids=[target["Id"] for target in targets])
    yield
    events.put_targets(Rule=NAME, Targets=targets)


@in_east
def target_with_input(east: Observer) -> Iterator[None]:
    events = east.client("events")
    targets = events.list_targets_by_rule(Rule=NAME)["Targets"]
    events.put_targets(Rule=NAME, Targets=[{**target, "Input": '{"a": 1}'} for target in targets])
    yield
    events.remove_targets(Rule=NAME, Ids=[target["Id"] for target in targets])
    events.put_targets(Rule=NAME, Targets=targets)


def schedule_with(**changes: Any) -> Breakage:
    """The schedule with other fields."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        scheduler = east.client("scheduler")
        found = scheduler.get_schedule(Name=NAME)
        schedule = {name: found[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
        target = {**found["Target"], **changes.pop("target", {})}
        scheduler.update_schedule(**{**schedule, "State": "ENABLED", "Target": target, **changes})
        yield
        scheduler.delete_schedule(Name=NAME)
        scheduler.create_schedule(**schedule, State="ENABLED")

    return changed


@in_east
def schedule_deleted(east: Observer) -> Iterator[None]:
    scheduler = east.client("scheduler")
    found = scheduler.get_schedule(Name=NAME)
    scheduler.delete_schedule(Name=NAME)
    yield
    wanted = {name: found[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.create_schedule(**wanted, State="ENABLED")


def queue_with(**attributes: str) -> Breakage:
    """The queue with other attributes."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        sqs = east.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{NAME}.fifo")["QueueUrl"]
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        yield
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before[name] for name in attributes})

    return changed


def queue_deleted(name: str) -> Breakage:
    """One of the queues is deleted."""

    @in_east
    def deleted(east: Observer) -> Iterator[None]:
        sqs = east.client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        sqs.delete_queue(QueueUrl=url)
        yield
        kept = ("FifoQueue", "ContentBasedDeduplication", "VisibilityTimeout", "Policy", "RedrivePolicy")
        sqs.create_queue(QueueName=name, Attributes={name: found[name] for name in kept if found.get(name)})

    return deleted


@in_east
def dead_letter(east: Observer) -> Iterator[None]:
    sqs = east.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{NAME}-dead.fifo")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId=east.endpoint_url)
    yield
    sqs.purge_queue(QueueUrl=url)


def mapping_with(**changes: Any) -> Breakage:
    """The event source mapping with other fields."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        functions = east.client("lambda")
        (mapping,) = functions.list_event_source_mappings(FunctionName=NAME)["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], **changes)
        yield
        functions.update_event_source_mapping(
            UUID=mapping["UUID"], Enabled=True, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"]
        )

    return changed
