"""The conformance run on a lab in place of an account: its messages, and its cleanup."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ringfence.core.model.identifiers import Region
from ringfence_lab.control.lab import Lab
from tests.contract.resources import TAG, LeftBehind, Resources, made
from tests.labs import HOME, PEER


def conformance(lab: Lab, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    of_lab = {"AWS_ENDPOINT_URL": lab.endpoint_url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-m", "tests.contract.conformance", *arguments],
        cwd=Path(__file__).parents[2],
        env=inherited | of_lab | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def stacks(lab: Lab) -> set[str]:
    described = [lab.client("cloudformation", region).describe_stacks()["Stacks"] for region in (HOME, PEER)]
    return {
        stack["StackName"]
        for in_region in described
        for stack in in_region
        if stack["StackStatus"] != "DELETE_COMPLETE"
    }


def test_a_run_announces_its_cost_tests_the_clauses_and_leaves_nothing(empty_lab: Lab) -> None:
    done = conformance(
        empty_lab, "--region", HOME, "--peer-region", PEER, "--yes", "--", "-k", "a_wait_is_completed_by"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "US cents" in done.stdout.partition("Creating")[0]
    assert "2 passed" in done.stdout
    assert not {name for name in stacks(empty_lab) if name.startswith(TAG)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--region", "us-esat-1", "--peer-region", PEER, "--yes"], "unknown Region us-esat-1; did you mean"),
        (["--region", HOME, "--peer-region", PEER, "--profile", "unknown"], "profile (unknown) could not be found"),
        (["--region", HOME, "--peer-region", PEER], "cannot ask for confirmation"),
    ],
)
def test_bad_input_gets_one_line_and_creates_nothing(empty_lab: Lab, arguments: list[str], message: str) -> None:
    before = stacks(empty_lab)

    done = conformance(empty_lab, *arguments)

    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert stacks(empty_lab) == before


def test_leftovers_are_listed_and_the_rest_is_removed(empty_lab: Lab) -> None:
    resources = Resources(f"{TAG}-left", Region(HOME), Region(PEER), empty_lab.client, poll_seconds=0.02)
    ec2, sqs = empty_lab.client("ec2", HOME), empty_lab.client("sqs", HOME)
    queue = sqs.create_queue(QueueName=f"{resources.run}-forgotten")["QueueUrl"]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=resources.specification("elastic-ip"))
    resources.create_stacks()

    with pytest.raises(LeftBehind) as left:
        resources.remove()

    ec2.release_address(AllocationId=address["AllocationId"])
    sqs.delete_queue(QueueUrl=queue)
    assert f"Elastic IP {address['AllocationId']}" in str(left.value)
    assert queue in str(left.value)
    assert resources.run not in stacks(empty_lab)


def test_a_failed_run_removes_its_resources(empty_lab: Lab) -> None:
    resources = Resources(f"{TAG}-failed", Region(HOME), Region(PEER), empty_lab.client, poll_seconds=0.02)
    seen: list[set[str]] = []

    def fail() -> None:
        with made(resources):
            seen.append(stacks(empty_lab))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()

    assert resources.run in seen[0]
    assert resources.run not in stacks(empty_lab)
    assert not list(resources.leftovers(Region(HOME)))
