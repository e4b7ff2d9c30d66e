"""The short form of the benchmark, which counts calls and measures no time: a check of every pull request."""

import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import unexpected
from benchmarks.baseline import TABLE
from benchmarks.counts import NO_LATENCY, Count
from benchmarks.figures import measure
from benchmarks.harness import HOME, PEER, BaselineSide, EngineSide, Testbed

PROJECT = Path(__file__).resolve().parents[2]


def test_the_engine_makes_exactly_the_expected_calls() -> None:
    command = [sys.executable, "-m", "benchmarks", "--short"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "missed" not in done.stdout
    assert done.stdout.count("met") == 8


def test_an_unexpected_count_is_reported() -> None:
    right, wrong = Count("one launch", 12, 20, 12, 0.6), Count("a burst", 44, 742, 43, 0.1)

    assert unexpected([right, wrong]) == [wrong]


def test_both_sides_admit_the_same_instance_in_both_groups_and_answer_its_hook() -> None:
    for side in (EngineSide(Testbed.of(3, NO_LATENCY)), BaselineSide(Testbed.of(3, NO_LATENCY))):
        # when
        measure(side)  # fails if an instance waits, or is not admitted
        # then
        regions = side.testbed.transport.aws.regions
        new = list(regions[HOME].instances.values())[-1]
        assert all(region.admits(new) for region in regions.values())
        assert set(regions[HOME].states.values()) == {"InService"}


def test_the_baseline_makes_the_calls_of_the_original() -> None:
    # given one launch in a group of three
    side = BaselineSide(Testbed.of(3, NO_LATENCY))
    measure(side)
    # then n + 9 calls in sequence, for the four members
    calls = [f"{call.region} {call.operation}" for call in side.testbed.transport.calls]
    assert calls == [
        f"{HOME} DescribeAutoScalingGroups",
        *[f"{HOME} DescribeInstances"] * 4,
        f"{HOME} PutItem",
        f"{PEER} PutItem",
        f"{HOME} Query",
        f"{HOME} DescribeSecurityGroups",
        f"{HOME} AuthorizeSecurityGroupIngress",
        f"{PEER} DescribeSecurityGroups",
        f"{PEER} AuthorizeSecurityGroupIngress",
        f"{HOME} CompleteLifecycleAction",
    ]
    # and every address is in both tables
    for region in side.testbed.transport.aws.regions.values():
        assert len(region.items[TABLE, HOME, "db"]["ips"]["SS"]) == 4
