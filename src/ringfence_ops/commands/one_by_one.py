"""`ringfence deploy --one-by-one`: Region after Region, as long as `doctor` finds no problem. No command itself."""

import time
from collections.abc import Callable, Sequence

from ringfence.core.model.identifiers import Region
from ringfence_ops.cli.command_run import CommandRun
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.commands.doctor import check
from ringfence_ops.doctor.finding import Severity

PATIENCE, PAUSE = 150.0, 5.0
"""Seconds that the first scheduled true-up of a deployed Region may take, and seconds between two looks."""


def deploy_one_by_one(
    run: CommandRun,
    output: Output,
    cluster: Cluster,
    regions: Sequence[Region],
    deploy: Callable[[Region], str | None],
) -> tuple[dict[Region, str], list[Region]]:
    """Deploys Region after Region, and stops at the first that fails or in which `doctor` finds a problem.

    `deploy` returns why a Region failed, or None. Returns the Regions with problems, and those that were not begun.
    """
    for number, region in enumerate(regions, 1):
        reason = deploy(region)
        if reason is None:
            with output.working(f"waiting until doctor finds no problem in {region}"):
                reason = problem_of(run, cluster, region)
        if reason is not None:
            return {region: reason}, list(regions[number:])
        output.say(f"{region}: doctor finds no problem")
    return {}, []


def problem_of(run: CommandRun, cluster: Cluster, region: Region) -> str | None:
    """The Region's first problem. Warnings stop no deployment. Only a scheduled true-up comes by waiting for it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        findings, unreachable = check(run, cluster)
        problems = [one for one in findings if one.region == region and one.severity is Severity.PROBLEM]
        if region in unreachable:
            return unreachable[region]
        if not problems:
            return None
        problem = next((one for one in problems if one.check != "schedule"), problems[0])
        if problem.check != "schedule" or time.monotonic() > deadline:
            return f"doctor finds a problem: {problem.check}: {problem.message}"
        time.sleep(PAUSE)
