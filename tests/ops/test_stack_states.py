"""A stack in any state is recognised, and `deploy` or `destroy` brings it out. `--one-by-one` stops at a problem.

The tests run in this order: each leaves a cluster that the next one uses.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.end_to_end.clusters import WEST
from tests.labs import eventually
from tests.ops.repair_lab import EAST, NAME, STACK, Operator, operated

pytestmark = pytest.mark.timeout(300)

HEALTHY = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "small"}}
NO_ANSWER = {
    "Type": "Custom::Failure",
    "DependsOn": "Queue",
    "Properties": {"ServiceToken": f"arn:aws:lambda:{EAST}:123456789012:function:none", "ServiceTimeout": "1"},
}


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    with operated(tmp_path_factory.mktemp("operator"), EAST, WEST) as operator:
        yield operator


@pytest.fixture(autouse=True)
def _healed(operator: Operator) -> Iterator[None]:
    yield
    operator.cluster.lab.heal()


def create(on: Operator, resources: Mapping[str, Any], wanted: str, **options: Any) -> None:
    """Creates a stack of the cluster's name, and waits for its state."""
    client = on.client("cloudformation")
    client.create_stack(StackName=STACK, TemplateBody=json.dumps({"Resources": resources}), **options)
    eventually(lambda: on.status() == wanted, 40, on.status)


def deploys(on: Operator, kind: str) -> None:
    """Deploys the first Region: what is shown has this kind, and afterwards its stack is healthy."""
    ran = on.shell.run("deploy", EAST, "--yes", "--json")
    assert ran.code == 0, ran
    document = ran.document()
    assert (document["failed"], document["regions"][0]["kind"]) == ({}, kind)
    assert on.status() in HEALTHY


def destroys(on: Operator) -> None:
    """Destroys the first Region."""
    ran = on.shell.run("destroy", EAST, "--confirm", NAME)
    assert (ran.code, on.status()) == (0, None), ran


def test_an_empty_stack_that_waits_for_its_change_set_is_deployed_or_destroyed(operator: Operator) -> None:
    for follows in (destroys, lambda on: deploys(on, "create"), destroys):
        if operator.status() is None:
            template = json.dumps({"Resources": {"Queue": QUEUE}})
            operator.client("cloudformation").create_change_set(
                StackName=STACK, ChangeSetName="other", ChangeSetType="CREATE", TemplateBody=template
            )
            assert operator.status() == "REVIEW_IN_PROGRESS"
        follows(operator)


@pytest.mark.parametrize(
    ("state", "options", "fault"),
    [
        ("ROLLBACK_COMPLETE", {}, None),
        ("CREATE_FAILED", {"DisableRollback": True}, None),
        ("ROLLBACK_FAILED", {}, "stuck"),
    ],
)
def test_a_stack_whose_creation_failed_is_replaced_or_destroyed(
    operator: Operator, state: str, options: dict[str, Any], fault: str | None
) -> None:
    for follows in (lambda on: deploys(on, "replace"), destroys):
        # given
        if operator.status() in HEALTHY:
            destroys(operator)
        if fault:
            operator.cluster.lab.fault(EAST, fault, "sqs")
        create(operator, {"Queue": QUEUE, "Failure": NO_ANSWER}, state, **options)
        operator.cluster.lab.heal()
        # when only shown, then nothing happens
        shown = operator.shell.document("deploy", EAST, "--dry-run")
        assert ([one["kind"] for one in shown["regions"]], operator.status()) == (["replace"], state)
        # then
        follows(operator)


def test_a_stack_that_cannot_be_deleted_is_destroyed_without_the_resource_that_stays(operator: Operator) -> None:
    # given
    deploys(operator, "create")
    operator.cluster.lab.fault(EAST, "stuck", "logs")
    # when
    first = operator.shell.run("destroy", EAST, "--confirm", NAME)
    # then
    assert (first.code, operator.status()) == (1, "DELETE_FAILED")
    assert "LogGroup: " in first.output
    assert "run the same command again to delete the stack without LogGroup" in " ".join(first.output.split())
    # and when
    second = operator.shell.document("destroy", EAST, "--confirm", NAME)
    # then
    assert second["regions"][0]["outcome"] == "destroyed, without what CloudFormation cannot delete: LogGroup"
    assert operator.status() is None
    operator.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{STACK}")


def test_a_stack_whose_deletion_failed_is_deployed_again(operator: Operator) -> None:
    # given
    deploys(operator, "create")
    operator.cluster.lab.fault(EAST, "stuck", "dynamodb")
    operator.shell.run("destroy", EAST, "--confirm", NAME)
    operator.cluster.lab.heal()
    assert operator.status() == "DELETE_FAILED"
    (finding,) = [one for one in operator.findings() if one["check"] == "stack" and one["region"] == EAST]
    # when
    operator.obey(finding["mend"])
    # then
    assert operator.status() in HEALTHY


def test_a_stack_whose_roll_back_failed_is_recovered_and_updated(operator: Operator) -> None:
    # given an update that fails, and a log group that cannot be rolled back and is deleted then
    file = operator.shell.directory / "ringfence.toml"
    correct = file.read_text()
    file.write_text(correct.replace(f'["{operator.group}"]', '["no-such-group"]', 1) + "log_retention_days = 30\n")
    broken = file.read_text().replace("log_retention_days = 30\n", "")
    file.write_text(broken.replace(f'name = "{NAME}"', f'name = "{NAME}"\nlog_retention_days = 30', 1))
    operator.cluster.lab.fault(EAST, "stuck", "logs")
    failed = operator.shell.run("deploy", EAST, "--yes")
    assert (failed.code, operator.status()) == (1, "UPDATE_ROLLBACK_FAILED"), failed
    operator.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{STACK}")
    file.write_text(correct)
    (finding,) = [one for one in operator.findings() if one["check"] == "stack" and one["region"] == EAST]
    # when
    shown = operator.shell.document("deploy", EAST, "--dry-run")
    operator.obey(finding["mend"])
    # then
    assert [one["kind"] for one in shown["regions"]] == ["recover"]
    assert operator.status() in (*HEALTHY, "UPDATE_ROLLBACK_COMPLETE")
    log = operator.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK}")["logGroups"]
    assert [group["retentionInDays"] for group in log] == [90]


def test_an_operation_of_another_is_waited_for(operator: Operator) -> None:
    # given
    client = operator.client("cloudformation")
    client.delete_stack(StackName=STACK)
    # then
    deploys(operator, "create")
    # and when it is being created
    destroys(operator)
    client.create_stack(StackName=STACK, TemplateBody=json.dumps({"Resources": {"Queue": QUEUE, "Failure": NO_ANSWER}}))
    destroys(operator)


def test_one_by_one_stops_at_the_first_region_in_which_doctor_finds_a_problem(operator: Operator) -> None:
    # given a message that nobody handles in the first Region
    deploys(operator, "create")
    sqs = operator.client("sqs")
    dead = sqs.get_queue_url(QueueName=f"{STACK}-dead.fifo")["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="{}", MessageGroupId="x", MessageDeduplicationId="x")
    # when
    ran = operator.shell.run("deploy", "--one-by-one", "--yes")
    # then
    assert ran.code == 1, ran
    assert f"{EAST}  doctor finds a problem: dead letters" in ran.errors
    assert f"Not begun: {WEST}" in ran.errors
    assert operator.status(WEST) in (None, "REVIEW_IN_PROGRESS")
    # and when the problem is fixed
    sqs.purge_queue(QueueUrl=dead)
    again = operator.shell.run("deploy", "--one-by-one", "--yes")
    # then
    assert again.code == 0, again
    assert operator.status(WEST) == "CREATE_COMPLETE"
    assert [f"{region}: doctor finds no problem" in again.errors for region in (EAST, WEST)] == [True, True]
