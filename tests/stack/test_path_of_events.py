"""What the command line takes for a healthy path of events is what the template makes."""

import json

from ringfence_ops.state import event_reasons, path_reasons
from ringfence_ops.state.path import FUNCTION_HANDLER, EventRule, EventSource, Queue, Schedule, StackFacts, Target
from ringfence_ops.state.standing import Reason
from tests.ops.paths import DEAD, EXPECTED, HEALTHY, QUEUE
from tests.stack.rendered import rendered


def test_the_constants_of_the_judgement_are_the_templates() -> None:
    function = rendered()["RingfenceFunction"]["Properties"]
    assert function["Timeout"] == event_reasons.FUNCTION_SECONDS
    assert function["Handler"] == FUNCTION_HANDLER
    assert function["Events"]["Queue"]["Properties"]["BatchSize"] == event_reasons.BATCH
    keys = rendered()["Table"]["Properties"]["KeySchema"]
    assert tuple((key["AttributeName"], key["KeyType"]) for key in keys) == path_reasons.KEYS


def test_the_templates_own_resources_have_no_reason() -> None:
    # given what the template makes of the path
    resources = rendered(groups="db")
    rule = resources["LifecycleEvents"]["Properties"]
    pattern = json.loads(json.dumps(rule["EventPattern"]).replace('{"Ref": "AutoScalingGroups"}', '["db"]'))
    queue, schedule = resources["Queue"]["Properties"], resources["TrueUp"]["Properties"]
    source = resources["RingfenceFunction"]["Properties"]["Events"]["Queue"]["Properties"]
    policy = resources["QueuePolicy"]["Properties"]["PolicyDocument"]
    facts = StackFacts(
        stack=HEALTHY.resources.stack,
        function=HEALTHY.resources.function,
        event_source=EventSource(
            "Enabled", QUEUE, source["BatchSize"], "ReportBatchItemFailures" in source["FunctionResponseTypes"]
        ),
        event_rule=EventRule(True, (Target(QUEUE, "demo", "Input" in rule["Targets"][0]),), json.dumps(pattern)),
        schedule=Schedule(True, "rate(1 minute)", QUEUE, "role", schedule["Target"]["Input"], "demo"),
        queue=Queue(QUEUE, 0, json.dumps(policy), json.dumps(queue["RedrivePolicy"]), queue["VisibilityTimeout"]),
        dead_letters=Queue(DEAD, 0),
        table=HEALTHY.resources.table,
    )
    # when, then
    found: list[Reason] = list(event_reasons.event_reasons(facts, EXPECTED))
    assert found == []
