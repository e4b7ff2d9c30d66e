"""How the command is called: global options, wrong usage, bad files and endpoints, and output that nothing reads.

No test needs a lab: nothing is asked of AWS.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer

from ringfence import __version__
from ringfence_ops.cli.global_options import PANEL
from ringfence_ops.main import app, run
from tests.ops.commands import COMMAND, CommandResult

FILE = """name = "demo"
[regions.us-east-1]
auto_scaling_groups = ["db"]
security_groups = ["sg-0123456789abcdef0"]
"""

NOBODY = "http://127.0.0.1:1"
"""An endpoint at which nothing listens."""


ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": NOBODY,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """A directory with a cluster file, credentials, and no AWS. Commands run in this process: most end at once."""

    directory: Path
    monkeypatch: pytest.MonkeyPatch

    def run(self, *arguments: str, **environment: str) -> CommandResult:
        """Runs a command without a terminal."""
        output, errors = StringIO(), StringIO()
        with self.monkeypatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
            for name in [name for name in os.environ if name.startswith(("AWS_", "RINGFENCE_"))]:
                patch.delenv(name)
            for name, value in {**ENVIRONMENT, **environment}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["ringfence"])
            patch.setattr(sys, "stdin", StringIO())
            patch.chdir(self.directory)
            code = run(list(arguments))
        return CommandResult(code, output.getvalue(), errors.getvalue(), 0.0)

    def process(self, command: list[str]) -> "subprocess.Popen[str]":
        """Starts a process here."""
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env={**environment, **ENVIRONMENT},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    (tmp_path / "ringfence.toml").write_text(FILE)
    return Desk(tmp_path, monkeypatch)


def one_line(ran: CommandResult) -> str:
    """The one line on standard error, where there is nothing on standard output."""
    (line,) = ran.errors.splitlines()
    assert ran.output == ""
    return line


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command without subcommands, with its words."""
    if not hasattr(command, "list_commands"):
        yield words, command
        return
    context = command.make_context("ringfence", [], resilient_parsing=True)
    for name in command.list_commands(context):
        yield from commands(command.get_command(context, name), (*words, name))


ROOT: Any = typer.main.get_command(app)
COMMANDS = dict(commands(ROOT))
GLOBAL = [option for option in ROOT.params if getattr(option, "rich_help_panel", None) == PANEL]


# Global options.


def test_the_version_is_shown(desk: Desk) -> None:
    for arguments in (("--version",), ("status", "--version"), ("lab", "heal", "--version")):
        ran = desk.run(*arguments)
        assert (ran.code, ran.output, ran.errors) == (0, f"ringfence {__version__}\n", "")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_takes_every_global_option(words: tuple[str, ...]) -> None:
    own = [name for option in COMMANDS[words].params for name in option.opts]
    assert len(own) == len(set(own))
    assert {name for option in GLOBAL for name in option.opts} <= set(own)
    assert len(GLOBAL) == 5


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--cluster-file", "other.toml"), "other.toml cannot be read"),
        (("--profile", "nobody"), "The config profile (nobody) could not be found"),
        (("--endpoint-url", "http://127.0.0.1:2"), "http://127.0.0.1:2"),
        (("--debug",), "Traceback"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_global_option_counts_before_and_after_the_command(desk: Desk, option: tuple[str, ...], message: str) -> None:
    before, after = desk.run(*option, "plan"), desk.run("plan", *option)
    assert message in before.errors
    assert message in after.errors
    assert before.code == after.code


def test_of_an_option_given_twice_the_later_one_counts(desk: Desk) -> None:
    ran = desk.run("--cluster-file", "a.toml", "plan", "--cluster-file", "b.toml", RINGFENCE_CLUSTER_FILE="c.toml")
    assert "b.toml cannot be read" in one_line(ran)
    assert "c.toml cannot be read" in one_line(desk.run("plan", RINGFENCE_CLUSTER_FILE="c.toml"))
    assert "d.toml cannot be read" in one_line(
        desk.run("plan", "--cluster-file=d.toml", RINGFENCE_CLUSTER_FILE="c.toml")
    )


# Wrong usage.

WRONG: list[tuple[tuple[str, ...], dict[str, str], str]] = [
    (("plan", "--endpoint-url", "localhost:4566"), {}, "--endpoint-url is 'localhost:4566', which is no URL: give one"),
    (("plan", "--endpoint-url", "http://h:99999"), {}, "which is no URL"),
    (("plan", "--endpoint-url", "ftp://h"), {}, "which is no URL"),
    (("plan",), {"AWS_ENDPOINT_URL": "localhost:4566"}, "'localhost:4566', which is no URL"),
    (("plan",), {"AWS_ENDPOINT_URL": "127.0.0.1"}, "'127.0.0.1', which is no URL"),
    (("plan",), {"AWS_PROFILE": "nobody"}, "(nobody) could not be found"),
    (("plan", "--cluster-file", "none.toml"), {}, "none.toml cannot be read"),
    (("plan", "--cluster-file", "."), {}, "cannot be read (Is a directory)"),
    (("sync", "us-west-2"), {}, "us-west-2 is no Region of the cluster demo"),
    (("deploy", "us-west-2"), {}, "us-west-2 is no Region of the cluster demo"),
    (("history", "--region", "us-west-2"), {}, "us-west-2 is no Region of the cluster demo"),
    (("retire", "us-west-2"), {}, "us-west-2 is no Region of the cluster demo"),
    (("retire", "us-east-1"), {}, "us-east-1 is the only Region of demo"),
    (("history", "--since", "soon"), {}, "'soon' is not a time"),
    (("history", "--address", "db-1"), {}, "is not an address"),
    (("explain", "db-1"), {}, "is not an address, an instance id or a rule id"),
    (("init", "--name", "x", "--region", "mars-1", "--force"), {}, "got 'mars-1'"),
    (("init", "--name", "x", "--region", "us east", "--force"), {}, "got 'us east'"),
    (("init", "--force"), {}, "there is no terminal to ask on: give --name"),
    (("lab", "fault", "us-east-1", "hang", "--endpoint-url", "4566"), {}, "which is no URL"),
    (("lab", "heal"), {"AWS_ENDPOINT_URL": "https://ec2.us-east-1.amazonaws.com"}, "is no lab on this machine"),
    (("lab", "up", "--region", "mars-1"), {}, "'mars-1' is not an AWS Region"),
]


@pytest.mark.parametrize(("arguments", "environment", "message"), WRONG, ids=[" ".join(case[0]) for case in WRONG])
def test_wrong_usage_is_one_line_and_exit_code_64(
    desk: Desk, arguments: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    ran = desk.run(*arguments, **environment)
    assert ran.code == 64, ran.errors
    assert message in one_line(ran)
    assert one_line(ran).startswith("ringfence: ")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("lab",),
        ("statis",),
        ("status", "--jsn"),
        ("history", "--since"),
        ("lab", "up"),
        ("lab", "fault"),
        ("lab", "x"),
        ("lab", "fault", "us-east-1", "hang", "--port", "0"),
        ("deploy", "--event-pattern-quota", "many"),
    ],
    ids=" ".join,
)
def test_what_the_command_line_cannot_parse_is_wrong_usage(desk: Desk, arguments: tuple[str, ...]) -> None:
    ran = desk.run(*arguments)
    assert ran.code == 64
    assert "Traceback" not in ran.errors


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FILE.encode() + b"# caf\xe9\n", "is no UTF-8 text: line 5 has the byte 0xe9: save it as UTF-8"),
        (FILE.encode("utf-16"), "is no UTF-8 text: line 1 has the byte 0xff"),
        (b"name = ", "is not TOML"),
        (b'nmae = "demo"\n', "nmae is no setting"),
        (b"", "name is missing"),
    ],
)
def test_a_cluster_file_that_is_none_is_one_line(desk: Desk, content: bytes, message: str) -> None:
    (desk.directory / "ringfence.toml").write_bytes(content)
    ran = desk.run("status")
    assert ran.code == 64
    assert message in one_line(ran)


def test_a_byte_order_mark_and_other_line_ends_do_no_harm(desk: Desk) -> None:
    (desk.directory / "ringfence.toml").write_bytes(FILE.replace("\n", "\r\n").encode("utf-8-sig"))
    assert "no Region answers" in one_line(desk.run("plan"))


def test_a_configuration_file_of_aws_that_is_no_text_is_one_line(desk: Desk) -> None:
    (desk.directory / "config").write_bytes(b"[default]\nregion = \xff\xfe\n")
    ran = desk.run("plan", AWS_CONFIG_FILE="config")
    assert "config is no configuration file of AWS" in one_line(ran)
    assert ran.code == 64


def test_help_names_the_exit_codes_and_the_precedence(desk: Desk) -> None:
    shown = " ".join(desk.run("--help").output.split())
    for code in (0, 1, 2, 64, 130, 141):
        assert re.search(rf"\b{code} +\w", shown)
    assert shown.index("1. an option") < shown.index("2. the environment") < shown.index("3. the AWS profile")


# Output that cannot be written, and Ctrl-C.


def shell_run(desk: Desk, script: str) -> tuple[int, str]:
    """The exit code of a script in bash, and what is on standard error."""
    process = desk.process(["bash", "-c", script.replace("ringfence", COMMAND)])
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("arguments", ["--version", "lab sim --histories 1 --seed 1"])
def test_a_reader_that_ends_early_is_no_error(desk: Desk, arguments: str) -> None:
    _, errors = shell_run(desk, f"(sleep 0.2; ringfence {arguments}; echo code=$? >&2) | true")
    assert errors == "code=141\n"


def test_a_full_disk_is_one_line(desk: Desk) -> None:
    code, errors = shell_run(desk, "ringfence --version > /dev/full")
    assert (code, errors) == (1, "ringfence: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("seconds", [0.2, 1.0, 3.0])
def test_ctrl_c_is_clean_at_any_time(desk: Desk, seconds: float) -> None:
    # given a command that waits for an endpoint that never answers
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = desk.process([COMMAND, "plan", "--endpoint-url", f"http://127.0.0.1:{silent.getsockname()[1]}"])
        # when
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    # then
    assert output == ""
    assert errors in ("", "ringfence: interrupted\n")
    assert process.returncode in (130, -signal.SIGINT)
