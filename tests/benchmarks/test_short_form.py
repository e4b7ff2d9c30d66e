"""The benchmark's short form, which counts calls and measures no time: what a pull request is held to."""

import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import unexpected
from benchmarks.baseline import TABLE
from benchmarks.counts import NOWHERE_FAR, Count
from benchmarks.figures import measure
from benchmarks.harness import HOME, PEER, Baseline, Engine, Stage

PROJECT = Path(__file__).resolve().parents[2]


def test_the_engine_makes_exactly_the_calls_that_it_should() -> None:
    command = [sys.executable, "-m", "benchmarks", "--short"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "missed" not in done.stdout
    assert done.stdout.count("met") == 8


def test_a_count_that_is_not_as_expected_is_told() -> None:
    right, wrong = Count("one launch", 12, 20, 12, 0.6), Count("a burst", 44, 742, 43, 0.1)

    assert unexpected([right, wrong]) == [wrong]


def test_both_sides_let_the_same_instance_into_both_groups_and_answer_its_hook() -> None:
    for side in (Engine(Stage.of(3, NOWHERE_FAR)), Baseline(Stage.of(3, NOWHERE_FAR))):
        # when
        measure(side)  # which fails where somebody waits, or is not let in
        # then
        regions = side.stage.transport.aws.regions
        new = list(regions[HOME].instances.values())[-1]
        assert all(region.admits(new) for region in regions.values())
        assert set(regions[HOME].states.values()) == {"InService"}


def test_the_baseline_does_what_the_original_is_described_to_do() -> None:
    # given one launch in a group of three
    side = Baseline(Stage.of(3, NOWHERE_FAR))
    measure(side)
    # then n + 9 calls, one after the other, for the four that there are now
    calls = [f"{call.region} {call.operation}" for call in side.stage.transport.calls]
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
    # and everybody's address is in both tables
    for region in side.stage.transport.aws.regions.values():
        assert len(region.items[TABLE, HOME, "db"]["ips"]["SS"]) == 4
