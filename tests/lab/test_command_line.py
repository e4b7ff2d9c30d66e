"""The command `ringfence lab`, for people and for programs."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from ringfence_ops.cloudformation.artefact import artefact
from tests.labs import HOME, PEER, eventually

pytestmark = pytest.mark.lab

RINGFENCE = str(Path(sys.executable).with_name("ringfence"))


def ringfence(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run([RINGFENCE, *arguments], capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def lab_up(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """A running lab on a free port, with the document that it printed."""
    command = [RINGFENCE, "lab", "up", "--port", str(free_port()), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def plain_client(service: str, printed: dict[str, object]) -> Any:
    """A client without retries, with any credentials."""
    return boto3.Session("any", "body").client(
        service,  # type: ignore[call-overload]  # by name
        region_name=HOME,
        endpoint_url=str(printed["endpoint_url"]),
        config=Config(retries={"total_max_attempts": 1}),
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def children_of(process: int) -> list[int]:
    """The child processes of a process, and their children."""
    own = [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return own + [grandchild for child in own for grandchild in children_of(child)]


def working_directory_of(server: int) -> Path:
    """The working directory of a lab's server."""
    directory = Path(f"/proc/{server}/cwd").readlink()
    assert directory.name.startswith("ringfence-lab-")
    return directory


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def one_line(answer: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The message of an error: one line on the standard error, with this exit code."""
    assert answer.returncode == code, answer.stderr
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    return line


def test_up_prints_the_resources_within_twenty_seconds_and_ends_cleanly() -> None:
    artefact()  # `make set-up` builds it
    started = time.monotonic()

    with lab_up("--region", HOME, "--region", PEER) as (process, printed):
        assert time.monotonic() - started < 20
        assert printed["cluster"] == "demo"
        assert isinstance(printed["regions"], dict)
        assert list(printed["regions"]) == [HOME, PEER]
        described = printed["regions"][HOME]
        names = "stack auto_scaling_group security_group table function queue dead_letter_queue"
        assert list(described) == names.split()
        lambda_ = plain_client("lambda", printed)
        lambda_.invoke(FunctionName=described["function"], Payload='{"trueup": true}')
        children = children_of(process.pid)
        assert len(children) >= 2, "the server, and a function process"
        directory = working_directory_of(children[0])

        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)

        assert (process.returncode, out) == (0, "")
        assert not [child for child in children if is_running(child)]
        assert not directory.exists()


def test_nothing_remains_of_a_killed_lab() -> None:
    with lab_up("--region", HOME, "--deploy-none") as (process, printed):
        assert printed["regions"] == {}
        children = children_of(process.pid)
        directory = working_directory_of(children[0])

        process.kill()
        process.wait()

        eventually(lambda: not any(is_running(child) for child in children))
        assert not directory.exists()


def test_faults_are_set_and_healed_from_another_process() -> None:
    with lab_up("--region", HOME, "--deploy-none") as (_, printed):
        port = str(printed["endpoint_url"]).rpartition(":")[2]
        client = plain_client("dynamodb", printed)

        assert ringfence("lab", "fault", HOME, "dynamodb", "throttle", "--port", port).returncode == 0
        with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
            client.list_tables()
        assert ringfence("lab", "heal", HOME, "--port", port).returncode == 0
        assert client.list_tables()["TableNames"] == []

        assert "explode" in one_line(ringfence("lab", "fault", HOME, "explode", "--port", port), 64)
        assert "teleport" in one_line(ringfence("lab", "fault", HOME, "teleport", "hang", "--port", port), 64)
        assert "mars-1" in one_line(ringfence("lab", "heal", "mars-1", "--port", port), 64)


def test_a_port_in_use_gets_a_message_of_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        line = one_line(ringfence("lab", "up", "--region", HOME, "--port", str(port)))

    assert str(port) in line
    assert "--port" in line


def test_an_unknown_region_gets_a_message_of_one_line() -> None:
    assert "mars-1" in one_line(ringfence("lab", "up", "--region", "mars-1", "--port", str(free_port())), 64)


@pytest.mark.parametrize("command", [["fault", HOME, "hang"], ["heal"]])
def test_a_lab_that_does_not_run_gets_a_message_of_one_line(command: list[str]) -> None:
    line = one_line(ringfence("lab", *command, "--port", str(free_port())))

    assert "ringfence lab up" in line


def test_another_server_on_the_port_gets_a_message_of_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = subprocess.Popen(
            [RINGFENCE, "lab", "heal", "--port", str(port)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        connection, _ = server.accept()
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        out, err = answer.communicate(timeout=20)

    assert (answer.returncode, out) == (1, "")
    assert "not a lab" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", [[], ["lab"], ["lab", "up"], ["lab", "fault"], ["lab", "heal"]])
def test_help_has_an_example(command: list[str]) -> None:
    answer = ringfence(*command, "-h")

    assert answer.returncode == 0
    assert ("Example" in answer.stdout) == (len(command) == 2)


def test_the_users_own_aws_settings_do_not_affect_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://production.invalid")

    with lab_up("--region", HOME) as (_, printed):
        monkeypatch.undo()
        assert isinstance(printed["regions"], dict)
        function = printed["regions"][HOME]["function"]
        answer = plain_client("lambda", printed).invoke(FunctionName=function, Payload='{"trueup": true}')

        assert "FunctionError" not in answer
