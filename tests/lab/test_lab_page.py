"""The commands of docs/lab.md, word for word, with the AWS CLI that the page names. `make test` installs it."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from ringfence_ops.cloudformation.artefact import PROJECT
from tests.lab.test_command_line import RINGFENCE, lab_up

AWS = PROJECT / ".venv" / "awscli" / "bin" / "aws"
PAGE = (PROJECT / "docs" / "lab.md").read_text()
REGIONS = ("us-east-1", "us-west-2")

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not AWS.exists(), reason="needs the AWS CLI: make .venv/awscli/.ready"),
]


def blocks() -> list[str]:
    """The blocks of commands of the page, in order, without those in Python."""
    found = re.findall(r"(?:^ {4}.+\n)+", PAGE, re.MULTILINE)
    return [block for block in found if "aws " in block or "ringfence " in block]


def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    up, *others = blocks()
    assert len(others) == 3
    assert up.strip() == ".venv/bin/ringfence lab up --region us-east-1 --region us-west-2"
    # given a lab as the page starts it, on a free port
    with lab_up(*(word for region in REGIONS for word in ("--region", region))) as (process, printed):
        # when
        script = "set -eux\n" + "".join(others).replace("http://127.0.0.1:4566", str(printed["endpoint_url"]))
        script = re.sub("^ +ringfence status$", "ringfence status || test $? = 2", script, flags=re.MULTILINE)
        path = f"{AWS.parent}:{Path(RINGFENCE).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=tmp_path,
            env={"PATH": path, "HOME": str(tmp_path), "LANG": os.environ.get("LANG", "C.UTF-8")},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert process.stderr is not None
        said = "".join(process.stderr.readline() for _ in range(len(REGIONS) + 3))
    # then
    assert done.returncode == 0, done.stderr[-2000:]
    assert "sg-" in done.stdout
    assert "removed: " in done.stdout
    assert f"export AWS_ENDPOINT_URL={printed['endpoint_url']} AWS_ACCESS_KEY_ID=test" in said


def test_the_cluster_file_that_init_writes_in_a_lab_says_what_the_lab_has_deployed(tmp_path: Path) -> None:
    # given
    named = [word for region in REGIONS for word in ("--region", region)]
    with lab_up(*named) as (_, printed):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        environment |= {"AWS_ENDPOINT_URL": str(printed["endpoint_url"])}

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [RINGFENCE, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )

        # when
        written = run("init", "--name", "demo", *named)
        # then
        assert written.returncode == 0, written.stderr
        status, deploy = run("status"), json.loads(run("deploy", "--dry-run", "--json").stdout)
    assert status.returncode == 0, status.stdout
    assert [stack["parameters"] for stack in deploy["regions"]] == [[], []]
