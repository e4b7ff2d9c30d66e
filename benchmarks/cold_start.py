"""A cold start: from a new process to the first API call, of the deployed artefact and of the baseline.

Each sample is a separate process and includes the start of the interpreter and all imports. It ends when the first
request would be sent. It must not know what the function does afterwards.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3

from benchmarks.deployed import unpacked
from benchmarks.figures import SAMPLES, Figure, figure
from benchmarks.harness import HOME, PEER, TRUE_UP, environment

_UNTIL_FIRST_CALL = """
import json, os, time
from botocore.httpsession import URLLib3Session
def first(session, request):
    ended = time.perf_counter()
    # Not getrusage: its value is at least that of the parent process.
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
    os.write(2, json.dumps([ended, peak]).encode())
    os._exit(0)
URLLib3Session.send = first
"""
"""From here on, the first request ends the process, which prints the time and its peak memory."""

ENGINE = f"""
import ringfence.runtime.entry
{_UNTIL_FIRST_CALL}
ringfence.runtime.entry.handler({TRUE_UP}, type("Context", (), {{"aws_request_id": "bench"}}))
"""

BASELINE = f"""
import boto3
autoscaling = boto3.client("autoscaling", region_name="{HOME}")
for service in ("dynamodb", "ec2"):
    for region in ("{HOME}", "{PEER}"):
        boto3.client(service, region_name=region)
{_UNTIL_FIRST_CALL}
autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["db"])
"""
"""The five clients of two Regions, as the original creates them before its first event."""


def cold_start(samples: int = 2 * SAMPLES) -> Iterator[Figure]:
    """The time and the peak memory of both sides."""
    packages = str(Path(boto3.__file__).parent.parent)
    pairs = [(_start(ENGINE, str(unpacked())), _start(BASELINE, packages)) for _ in range(samples + 1)][1:]
    # Simple code before a fast start, which few invocations have: see docs/decisions/0015.
    yield figure("cold start: to the first call", "ms", [(a[0] * 1000, b[0] * 1000) for a, b in pairs], 0.70)
    yield figure("cold start: peak memory", "MB", [(a[1] / 1e6, b[1] / 1e6) for a, b in pairs], 0.60)


def _start(program: str, path: str) -> tuple[float, int]:
    """Seconds and bytes. Raises CalledProcessError if the process fails before its first call."""
    variables: Mapping[str, str] = environment(HOME, (HOME, PEER)) | {"PATH": os.environ["PATH"]}
    # Without `site`: a development environment runs code at its start that Lambda does not.
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {path!r})\n{program}"]
    began = time.perf_counter()
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
    ended, peak = json.loads(done.stderr)
    return ended - began, peak
