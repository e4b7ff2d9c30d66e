"""What is wrong with the path of events of a Region: each breakage has a reason of its own, with what fixes it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ringfence_ops.state.path import DeployedStack, Grant, Hook, Queue, ScalingGroup, Table, Target, Unread
from ringfence_ops.state.path_reasons import KEYS, path_reasons
from ringfence_ops.state.standing import Reason, State
from tests.ops.paths import (
    ALLOW,
    DEAD,
    ENVIRONMENT,
    EXPECTED,
    FUNCTION,
    HOOKS,
    PARAMETERS,
    PARTS,
    PATTERN,
    POLICY,
    QUEUE,
    REDRIVE,
    RULE,
    SCHEDULE,
    SOURCE,
    path,
)
from tests.unit.builders import DB, EAST, GROUP, WEST


def reasons(**changes: Any) -> list[Reason]:
    return list(path_reasons(path(**changes), EXPECTED))


def hooks(*changed: Hook) -> dict[str, ScalingGroup]:
    return {DB.asg: ScalingGroup(DB.asg, 4, {}, changed)}


def queue(**changes: Any) -> Queue:
    return replace(Queue(QUEUE, 0, POLICY, REDRIVE, 35), **changes)


def test_a_healthy_path_has_no_reason() -> None:
    assert reasons() == []


BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("stack", "is not deployed", {"stack": None}),
    ("stack", "is ROLLBACK_COMPLETE", {"stack": DeployedStack("ROLLBACK_COMPLETE", {})}),
    ("stack", "Ports is 'tcp/1'", {"stack": DeployedStack("CREATE_COMPLETE", PARAMETERS | {"Ports": "tcp/1"})}),
    ("engine", "does not exist", {"function": None}),
    ("engine", "is Failed", {"function": replace(FUNCTION, state="Failed")}),
    ("engine", "its reserved concurrency is 0", {"function": replace(FUNCTION, concurrency=0)}),
    ("engine", "its time-out is 3 s instead of 30 s", {"function": replace(FUNCTION, seconds=3)}),
    ("engine", "its handler is index.handler", {"function": replace(FUNCTION, handler="index.handler")}),
    (
        "engine",
        "differ from the cluster file's: rules quota",
        {"function": replace(FUNCTION, environment=ENVIRONMENT | {"RINGFENCE_RULES_QUOTA": "100"})},
    ),
    (
        "engine",
        "differ from the cluster file's: table",
        {"function": replace(FUNCTION, environment=ENVIRONMENT | {"RINGFENCE_TABLE": "ringfence-other"})},
    ),
    ("engine", "RINGFENCE_CLUSTER", {"function": replace(FUNCTION, environment={})}),
    (
        "engine's access",
        "may not dynamodb:Query in us-west-2",
        {"engine_grants": {("dynamodb:Query", WEST): Grant.DENIED}},
    ),
    ("events", "does not exist", {"event_rule": None}),
    ("events", "is disabled", {"event_rule": replace(RULE, is_enabled=False)}),
    ("events", "does not send to the queue", {"event_rule": replace(RULE, targets=(Target(DEAD),))}),
    ("events", "does not send to the queue", {"event_rule": replace(RULE, targets=())}),
    ("events", "an input of its own", {"event_rule": replace(RULE, targets=(Target(QUEUE, "demo", True),))}),
    ("events", "the message group other", {"event_rule": replace(RULE, targets=(Target(QUEUE, "other"),))}),
    ("events", "another pattern", {"event_rule": replace(RULE, pattern=json.dumps(PATTERN | {"source": ["aws.ec2"]}))}),
    ("queue", "the queue ringfence-demo.fifo does not exist", {"queue": None}),
    ("queue", "no function receives", {"event_source": None}),
    ("queue", "is Disabled", {"event_source": replace(SOURCE, state="Disabled")}),
    ("queue", "receives from", {"event_source": replace(SOURCE, queue=DEAD)}),
    ("queue", "the batch size 1 instead of 10", {"event_source": replace(SOURCE, batch=1)}),
    ("queue", "ReportBatchItemFailures", {"event_source": replace(SOURCE, reports_failures=False)}),
    ("queue", "does not let EventBridge send", {"queue": queue(policy="")}),
    ("queue", "does not let EventBridge send", {"queue": queue(policy=json.dumps({"Statement": []}))}),
    (
        "queue",
        "does not let EventBridge send",
        {"queue": queue(policy=json.dumps({"Statement": [ALLOW, ALLOW | {"Effect": "Deny"}]}))},
    ),
    ("queue", "has no dead-letter queue", {"queue": queue(redrive="")}),
    ("queue", "shows a message again after 0 s", {"queue": queue(visibility=0)}),
    ("dead letters", "2 events could not be handled", {"dead_letters": Queue(DEAD, 2)}),
    ("dead letters", "does not exist", {"dead_letters": None}),
    ("schedule", "does not exist", {"schedule": None}),
    ("schedule", "is disabled", {"schedule": replace(SCHEDULE, is_enabled=False)}),
    ("schedule", "runs rate(1 day) instead of", {"schedule": replace(SCHEDULE, expression="rate(1 day)")}),
    ("schedule", "has a start or an end date", {"schedule": replace(SCHEDULE, is_bounded=True)}),
    ("schedule", "does not send to the queue", {"schedule": replace(SCHEDULE, target=DEAD)}),
    ("schedule", "something else than a true-up", {"schedule": replace(SCHEDULE, input="{}")}),
    ("table", "does not exist", {"table": None}),
    ("table", "other keys: id (HASH)", {"table": Table("ACTIVE", (("id", "HASH"),))}),
    ("table", "INACCESSIBLE_ENCRYPTION_CREDENTIALS", {"table": Table("INACCESSIBLE_ENCRYPTION_CREDENTIALS", KEYS)}),
    ("hooks", "the Auto Scaling group db does not exist", {"scaling_groups": {}}),
    ("hooks", "db: has no hook ringfence-demo-terminate", {"scaling_groups": hooks(HOOKS[0])}),
    (
        "hooks",
        "heartbeat 3600 instead of 300, default result ABANDON instead of CONTINUE",
        {"scaling_groups": hooks(replace(HOOKS[0], heartbeat=3600, default_result="ABANDON"), HOOKS[1])},
    ),
    ("groups", "sg-00000001 does not exist", {"tags": {}}),
    ("groups", "lacks the tag", {"tags": {GROUP: {}}}),
    ("groups", "has the tag ringfence-cluster=other", {"tags": {GROUP: {"ringfence-cluster": "other"}}}),
]


@pytest.mark.parametrize(("part", "why", "changes"), BROKEN, ids=[f"{case[0]}: {case[1][:40]}" for case in BROKEN])
def test_a_breakage_is_failing_by_its_own_reason(part: str, why: str, changes: dict[str, Any]) -> None:
    (found,) = reasons(**changes)
    assert (found.state, found.part) == (State.FAILING, part)
    assert why in found.why
    assert found.fix


@pytest.mark.parametrize(
    ("part", "of"),
    [
        *[("stack", "stack"), ("engine", "function"), ("events", "event_rule"), ("queue", "event_source")],
        *[("queue", "queue"), ("dead letters", "dead_letters"), ("schedule", "schedule"), ("table", "table")],
        *[("hooks", "scaling_groups"), ("groups", "tags"), ("engine's access", "engine_grants")],
    ],
)
def test_a_part_that_could_not_be_read_is_unknown_and_never_fine(part: str, of: str) -> None:
    (found,) = reasons(**{of: Unread("GetSomething was denied")})
    assert (found.state, found.part) == (State.UNKNOWN, part)
    assert "GetSomething was denied" in found.why


def test_a_stack_that_is_being_changed_is_waiting() -> None:
    (found,) = reasons(stack=DeployedStack("UPDATE_IN_PROGRESS", PARAMETERS))
    assert (found.state, found.part) == (State.WAITING, "stack")


def test_a_function_that_is_being_made_ready_is_waiting_and_its_settings_are_judged() -> None:
    pending = replace(FUNCTION, state="Pending")
    (found,) = reasons(function=pending)
    assert (found.state, found.part) == (State.WAITING, "engine")
    changed = replace(pending, environment=ENVIRONMENT | {"RINGFENCE_RULES_QUOTA": "100"})
    assert [reason.state for reason in reasons(function=changed)] == [State.WAITING, State.FAILING]


def test_a_region_without_a_stack_says_nothing_of_what_would_be_in_it() -> None:
    gone: dict[str, Any] = dict.fromkeys(PARTS)
    found = reasons(**gone)
    assert [(reason.part, reason.fix) for reason in found] == [("stack", f"ringfence deploy {EAST}")]
