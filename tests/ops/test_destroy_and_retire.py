"""`destroy` and `retire` save the audit log before it goes, and `retire --leave-stack` says what stays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually
from tests.ops.accounts import NAME, empty_account, stacks
from tests.ops.commands import CommandResult, Shell, shell


@pytest.fixture(scope="module")
def account() -> Iterator[Cluster]:
    """Two Regions with an Auto Scaling group and a security group each, and no Ringfence."""
    yield from empty_account(EAST, WEST)


@pytest.fixture
def operator(account: Cluster, tmp_path: Path) -> Shell:
    """A shell for the cluster, which is deployed with one member in each Region."""
    operator = shell(account, tmp_path)
    if stacks(account).keys() != {EAST, WEST}:
        assert operator.run("deploy", "--yes").code == 0
    for region in account.regions.values():
        region.scale_to(1)
    eventually(lambda: len(account.members()) == 2 and account.agrees(), 120)
    return operator


def saved(operator: Shell) -> Path | None:
    """The one file with an audit log that is in the operator's directory."""
    files = list(operator.directory.glob("*.jsonl"))
    assert len(files) <= 1
    return files[0] if files else None


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a saved log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def messages(path: Path, region: str) -> set[str]:
    """What the lines of a Region's engine say."""
    entries = [line["entry"] for line in lines(path) if line["engine"] == region]
    return {entry["message"] for entry in entries if isinstance(entry, dict) and "message" in entry}


def refused(ran: CommandResult, message: str) -> bool:
    """Whether the command was refused with one line that has this message."""
    return ran.code != 0 and message in ran.errors.splitlines()[-1] and "Traceback" not in ran.errors


# The tests run in this order: a later test uses the stacks of an earlier one, or deploys them.


def test_a_log_that_cannot_be_saved_stops_destroy_before_anything_is_deleted(account: Cluster, operator: Shell) -> None:
    # given
    account.lab.fault(WEST, "deny", "logs")
    # when
    try:
        ran = operator.run("destroy", "--confirm", NAME)
    finally:
        account.lab.heal()
    # then
    assert ran.code == 1
    assert refused(ran, f"nothing was deleted, because the audit log was not saved: {WEST}: FilterLogEvents was denied")
    assert "give --no-save-history" in ran.errors
    assert stacks(account).keys() == {EAST, WEST}
    assert [path.name for path in operator.directory.iterdir()] == ["ringfence.toml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--save-history", "ringfence.toml"), "--save-history ringfence.toml: the file exists: give another name"),
        (("--save-history", "nowhere/log.jsonl"), "there is no directory nowhere"),
        (("--save-history", "log.jsonl", "--no-save-history"), "contradict each other"),
    ],
)
def test_a_file_that_cannot_be_used_is_wrong_usage(
    account: Cluster, operator: Shell, arguments: tuple[str, ...], message: str
) -> None:
    for command in (("destroy", "--confirm", NAME), ("retire", WEST, "--yes")):
        ran = operator.run(*command, *arguments)
        assert (ran.code, ran.output) == (64, "")
        assert message in ran.errors
        assert len(ran.errors.splitlines()) == 1
    assert stacks(account).keys() == {EAST, WEST}


def test_leave_stack_says_what_stays_and_how_it_is_deleted_later(account: Cluster, operator: Shell) -> None:
    # given a Region that cannot be reached
    (lost,) = (instance.address for instance in account.regions[WEST].instances().values())
    account.lab.fault(WEST, "hang")
    # when
    try:
        ran = operator.run("retire", WEST, "--leave-stack", "--yes", COLUMNS="300")
    finally:
        account.lab.heal()
    # then
    assert ran.code == 0, ran
    assert "its stack, its audit log and its own rules stay" in ran.output
    assert "its stack is deleted" not in ran.output
    assert "how many is not known, because it does not answer" in ran.output
    assert stacks(account).keys() == {EAST, WEST}
    assert saved(operator) is None
    assert lost not in account.regions[EAST].admitted()
    # and as it says, the engine that is left puts its members back
    account.regions[WEST].true_up()
    assert lost in account.regions[EAST].admitted()
    # and when its stack is deleted with the command that was shown
    command = next(line for line in ran.output.splitlines() if "aws cloudformation" in line).split()
    assert command == [
        *("aws", "cloudformation", "delete-stack", "--region", WEST, "--stack-name"),
        f"ringfence-{NAME}",
    ]
    client = account.lab.client("cloudformation", command[4])
    client.delete_stack(StackName=command[6])
    client.get_waiter("stack_delete_complete").wait(StackName=command[6], WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    # then
    assert stacks(account).keys() == {EAST}


def test_leave_stack_of_a_region_that_answers_counts_the_rules_that_stay(account: Cluster, operator: Shell) -> None:
    shown = operator.run("retire", WEST, "--leave-stack", COLUMNS="300")

    assert "2 rules that Ringfence made in its own groups stay" in shown.output
    assert f"{WEST} answers: without --leave-stack, its stack is deleted too" in shown.output
    assert stacks(account).keys() == {EAST, WEST}


def test_retire_saves_the_audit_log_of_the_region_that_leaves(account: Cluster, operator: Shell) -> None:
    # when
    asked = operator.run("retire", WEST, "--save-history", "west.jsonl", COLUMNS="300")
    document = operator.document("retire", WEST, "--yes", "--save-history", "west.jsonl")
    # then
    assert "The audit log goes with it. It is saved first in west.jsonl" in asked.output
    assert document["failed"] == {}
    assert (document["history"], document["stack_stays"]) == ("west.jsonl", False)
    path = saved(operator)
    assert path is not None
    assert {line["engine"] for line in lines(path)} == {WEST}
    assert "reconciled" in messages(path, WEST)
    assert stacks(account).keys() == {EAST}


def test_destroy_saves_all_audit_logs_under_a_name_of_its_own(account: Cluster, operator: Shell) -> None:
    # when
    ran = operator.run("destroy", "--confirm", NAME)
    # then
    path = saved(operator)
    assert ran.code == 0, ran
    assert path is not None
    assert f"The audit log goes with it. It is saved first in {path.name}" in ran.errors
    assert f"is saved in {path.name}" in ran.errors
    assert path.name.startswith(f"ringfence-{NAME}-history-2")
    assert {"rule added", "reconciled"} <= messages(path, EAST) & messages(path, WEST)
    times = [line["at"] for line in lines(path)]
    assert times == sorted(times)
    assert stacks(account) == {}
    # and when there is no log any more
    again = operator.document("destroy", "--confirm", NAME, "--save-history", "again.jsonl")
    assert again["history"] is None
    assert not (operator.directory / "again.jsonl").exists()


def test_destroy_deletes_the_log_unsaved_where_it_is_told_to(account: Cluster, operator: Shell) -> None:
    # given
    account.lab.fault(WEST, "deny", "logs")
    # when
    try:
        ran = operator.run("destroy", "--confirm", NAME, "--no-save-history", "--json")
    finally:
        account.lab.heal()
    # then
    assert "The audit log goes with it, and is not saved." in ran.errors
    assert ran.document()["history"] is None
    assert saved(operator) is None
    assert WEST not in stacks(account) or ran.document()["failed"]
    assert EAST not in stacks(account)
