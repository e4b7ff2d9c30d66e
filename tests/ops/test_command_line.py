"""The command as a whole: in a real terminal, with shell completion, and with wrong usage."""

import subprocess

import pexpect
import pyte
import pytest

from tests.end_to_end.clusters import EAST, WEST
from tests.ops.commands import COMMAND, Shell


def terminal(operator: Shell, *arguments: str, columns: int = 80, **environment: str) -> "pexpect.spawn[bytes]":
    return pexpect.spawn(
        COMMAND,
        list(arguments),
        cwd=str(operator.directory),
        env={**operator.environment, "TERM": "xterm-256color", **environment},
        dimensions=(50, columns),
        timeout=40,
    )


def screen(output: bytes, columns: int) -> list[str]:
    """The lines that a terminal of that width shows."""
    shown = pyte.Screen(columns, 50)
    pyte.ByteStream(shown).feed(output)
    return [line.rstrip() for line in shown.display]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_screen_fits_its_terminal_without_loss(operator: Shell, columns: int) -> None:
    # when
    process = terminal(operator, "status", columns=columns)
    process.expect(pexpect.EOF)
    process.close()
    # then
    lines = screen(process.before or b"", columns)
    assert process.exitstatus == 0
    for region in (EAST, WEST):
        assert any(line.startswith(f"{region}  in sync") for line in lines)
    assert lines[[n for n, line in enumerate(lines) if line][-1]] == "All in sync."


def test_colour_depends_on_no_color(operator: Shell) -> None:
    for no_color, coloured in (("", True), ("1", False)):
        process = terminal(operator, "plan", NO_COLOR=no_color)
        process.expect(pexpect.EOF)
        assert (b"\x1b[32m" in (process.before or b"")) is coloured


def completed(operator: Shell, words: str) -> list[str]:
    """The completions of the last word in bash."""
    environment = {"_RINGFENCE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [COMMAND],
        cwd=operator.directory,
        env={**operator.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_a_shell_completes_commands_and_regions(operator: Shell) -> None:
    assert completed(operator, "ringfence st") == ["status"]
    assert completed(operator, "ringfence sync us-w") == [WEST]
    assert completed(operator, "ringfence retire us") == [EAST, WEST]
    (operator.directory / "ringfence.toml").unlink()
    assert completed(operator, "ringfence sync us") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("statis",), "No such command 'statis'"),
        (("status", "--jsn"), "No such option: --jsn"),
        (("history", "--since"), "requires an argument"),
    ],
)
def test_wrong_usage_has_its_own_exit_code(operator: Shell, arguments: tuple[str, ...], message: str) -> None:
    ran = operator.run(*arguments)
    assert (ran.code, ran.output) == (64, "")
    assert message in ran.errors
