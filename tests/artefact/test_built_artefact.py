"""The artefact as it was built: it is small, it starts fast, and it can make every call."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ringfence_ops.cloudformation.artefact import artefact
from tests.artefact.calls import CALLS

BUDGET = 4_500_000
"""Maximum bytes of the zipped artefact. Lambda downloads it at every cold start."""

UNPACKED_BUDGET = 15_000_000
"""Maximum bytes of its unpacked files. Lambda's own limit is 250 MB."""

NEVER_NEEDED = ("aws_xray_sdk", "boto3", "pydantic", "ringfence_lab", "ringfence_ops", "s3transfer")
"""Packages that a library could import at every start, and that the engine does not need."""

REQUESTS = """
import json, sys
from botocore.session import Session

def requests():
    for service, operation, arguments in json.load(sys.stdin):
        client = Session().create_client(
            service, "eu-west-1", aws_access_key_id="key", aws_secret_access_key="secret"
        )
        found = []
        def keep(request, **_):
            headers = {name: str(value) for name, value in request.headers.items()}
            for changing in ("User-Agent", "X-Amz-Date", "Authorization", "amz-sdk-invocation-id"):
                headers.pop(changing, None)
            found.extend([request.method, request.url, str(request.body), headers])
            raise KeyboardInterrupt
        client.meta.events.register("before-send", keep)
        try:
            client._make_api_call(operation, arguments)
        except KeyboardInterrupt:
            yield found

print(json.dumps(list(requests())))
"""
"""Prints the request of each call. Sends no request."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the artefact's unpacked files."""
    directory = tmp_path_factory.mktemp("artefact")
    with zipfile.ZipFile(artefact()) as archive:
        archive.extractall(directory)
    return directory


def run(program: str, directory: Path | None = None, stdin: str = "") -> str:
    """What a new process prints. It imports only from the artefact's directory or, without one, what is installed."""
    isolated = [] if directory is None else ["-I", "-S"]
    path = "" if directory is None else f"import sys; sys.path.insert(0, {str(directory)!r})\n"
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    command = [sys.executable, *isolated, "-c", path + program]
    done = subprocess.run(command, input=stdin, env=variables, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_artefact_is_within_its_budgets(unpacked: Path) -> None:
    assert artefact().stat().st_size < BUDGET
    assert sum(path.stat().st_size for path in unpacked.rglob("*") if path.is_file()) < UNPACKED_BUDGET


def test_the_artefact_makes_the_same_request_for_every_call_as_an_unpruned_botocore(unpacked: Path) -> None:
    calls = json.dumps(CALLS)

    ours: list[Any] = json.loads(run(REQUESTS, unpacked, calls))

    assert ours == json.loads(run(REQUESTS, stdin=calls))
    assert len(ours) == len(CALLS)


def test_a_start_imports_no_package_that_is_never_needed(unpacked: Path) -> None:
    imported = set(run("import sys, ringfence.runtime.entry\nprint(*sys.modules)", unpacked).split())

    assert not imported & set(NEVER_NEEDED)
    assert "botocore.client" in imported


def test_every_source_of_the_artefact_is_compiled(unpacked: Path) -> None:
    sources = sorted(path for path in unpacked.rglob("*.py"))
    tag = sys.implementation.cache_tag

    assert [path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists()] == []
