"""What reaches a terminal: text from outside is shown, and never obeyed."""

import ast
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
import rich.text
from rich.console import Group
from rich.padding import Padding

import ringfence_ops
from ringfence.core.audit_events import Problem, RuleRemoved
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rules import Label, Opening
from ringfence_ops.cli import completion
from ringfence_ops.cli.columns import columns
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cli.text import LIMIT, Text, visible
from ringfence_ops.commands.plan import PlanReport
from ringfence_ops.errors import CommandError
from ringfence_ops.main import run
from ringfence_ops.state.changes import Action, Change, digest
from ringfence_ops.state.dry_run import DryRunResult
from ringfence_ops.state.snapshot import Snapshot
from ringfence_ops.state.standing import Reason, State, standing
from tests.unit.builders import CLUSTER, EAST, GROUP, NOW, TCP, address

HOSTILE = {
    "\x1b[2J": r"\x1b[2J",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "\x9b31m": r"\x9b31m",
    "\x7f\x08\r": r"\x7f\x08\r",
    "\x00\x0b\x0c": r"\x00\x0b\x0c",
    "\u202egnp.exe": r"\u202egnp.exe",
    "\u2066\u2069\u200b\ufeff": r"\u2066\u2069\u200b\ufeff",
    "\U000e0041": r"\U000e0041",
    "\u2028\u2029": r"\u2028\u2029",
    "\ud800": r"\ud800",
    "\u3164\u115f\u034f\ufe0f": r"\u3164\u115f\u034f\ufe0f",
    "a\nb\tc": r"a\nb\tc",
}


def is_harmless(output: str) -> bool:
    """Whether a terminal only shows the output, line by line."""
    return all(character.isprintable() for character in output.replace("\n", ""))


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items(), ids=ascii)
def test_a_character_that_is_not_shown_as_itself_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert Text(text).plain == shown
    assert Text.assemble((text, "bold"), text).plain == shown * 2
    assert Text().append(text, "red").plain == shown


@pytest.mark.parametrize("text", ["", "db-1", "Zürich 東京 é", r"\x1b", "[bold]x[/bold]", "✓ → ·"])
def test_text_that_is_shown_as_itself_stays(text: str) -> None:
    assert visible(text) == text
    assert visible(visible(text)) == visible(text)


def test_a_digest_of_hostile_text_is_made() -> None:
    label = Label(CLUSTER, RosterKey(EAST, "\ud800"), "\n")
    change = Change(EAST, GROUP, Action.REMOVE, None, label)
    assert len(digest([change])) == 12


def test_a_long_text_is_cut() -> None:
    assert visible("x" * LIMIT) == "x" * LIMIT
    cut = visible("x" * (LIMIT + 1000))
    assert len(cut) < LIMIT + 50
    assert cut.endswith("... (1000 more characters)")


def test_a_line_break_of_ours_is_one() -> None:
    assert Text("a").line("b\nc", "dim").plain == "a\nb\\nc"


def printed(report: object) -> str:
    """What the report prints on standard output."""
    output = StringIO()
    with redirect_stdout(output):
        Output().show_report(report)  # type: ignore[arg-type]  # of several types
    return output.getvalue()


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_that_is_printed_controls_the_terminal(text: str) -> None:
    foreign = rich.text.Text("x")
    foreign._text = [text]  # as a text that was not made by ours
    cell = Text(text)
    for report in (text, foreign, Padding(foreign, 1), Group(foreign, text), columns([[cell, cell]], 1)):
        assert is_harmless(printed(report)), report


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[/nothing]", "[link=https://example.com]x[/link]", ":skull:"])
def test_foreign_text_is_no_markup(text: str) -> None:
    errors = StringIO()
    with redirect_stderr(errors):
        output = Output()
        output.say(text)
        output.say(Text(text))
        with output.working(text):
            pass
    assert errors.getvalue() == f"{text}\n{text}\n"
    assert printed(text) == f"{text}\n"


@dataclass(frozen=True, slots=True)
class Document:
    """A document with a text."""

    text: str


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_document_is_ascii_and_has_the_text_unchanged(text: str) -> None:
    output = StringIO()
    with redirect_stdout(output):
        Output(as_json=True).show_document(Document(text))
        Output().line(Document(text))
    assert output.getvalue().isascii()
    assert is_harmless(output.getvalue())
    assert json.loads(output.getvalue().splitlines()[-1]) == {"text": text}


def test_a_document_has_no_number_that_is_not_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Output(as_json=True).show_document(Document(float("inf")))  # type: ignore[arg-type]  # as from a reader's mistake


@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["", "debug"])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_an_error_is_shown_and_not_obeyed(text: str, debug: tuple[str, ...], tmp_path: Path) -> None:
    errors = StringIO()
    with redirect_stderr(errors):
        code = run([*debug, "--cluster-file", str(tmp_path / f"no{text}".replace("\0", "")), "status"])
    assert code in (1, 64)  # a surrogate is no file name
    assert is_harmless(errors.getvalue())


@pytest.mark.parametrize("arguments", [("\x1b[2Jstatus",), ("status", "--\x1b[2J"), ("history", "--\u202e", "x")])
def test_wrong_usage_is_shown_and_not_obeyed(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ringfence"])
    errors = StringIO()
    with redirect_stderr(errors):
        assert run(list(arguments)) == 64
    assert is_harmless(errors.getvalue())
    assert "\\x1b[2J" in errors.getvalue() or "\\u202e" in errors.getvalue()


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\n" not in text], ids=ascii)
def test_a_plan_shows_a_hostile_row_and_label(text: str) -> None:
    # given a label, an id, a reason and a problem from outside
    label = Label(CLUSTER, RosterKey(Region(f"us{text}"), f"db{text}"), f"i-{text}")
    removed = RuleRemoved(
        EAST,
        SecurityGroupId(f"{GROUP}{text}"),
        RuleId("sgr-1"),
        Opening(TCP, Cidr(f"{address(1)}{text}")),
        label,
        text,
        None,
        drift=False,
    )
    result = DryRunResult((removed, Problem(text)), failure=text)
    snapshot = Snapshot(CLUSTER, NOW, {}, {}, {EAST: result}, {Region(f"eu{text}"): text})
    # when
    stand = standing(Region(f"us{text}"), [Reason(State.FAILING, text, text, text)])
    shown = printed(PlanReport(snapshot, [stand]))
    # then
    assert is_harmless(shown)
    assert f"i-{visible(text)}" in shown


def test_only_one_module_makes_text_of_rich() -> None:
    folder = Path(ringfence_ops.__file__).parent
    users = [
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and node.module == "rich.text")
        or (isinstance(node, ast.Name) and node.id == "rich_text")
        or (isinstance(node, ast.Attribute) and node.attr == "from_markup")
    ]
    assert set(users) == {"cli/text.py"}


def test_only_the_terminal_and_the_prompts_write() -> None:
    folder = Path(ringfence_ops.__file__).parent
    writers = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in ("echo", "secho", "prompt", "confirm", "print_exc"))
        or (isinstance(node, ast.Name) and node.id == "print")
    }
    assert writers == {"cli/terminal.py"}


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"a = " + b"[" * 100_000, b'name = "demo"\n[regions."us-\\u001b[2J"]\n'],
    ids=["not UTF-8", "deep", "hostile name"],
)
def test_completion_in_the_shell_prints_nothing_of_a_file_that_cannot_be_read(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ringfence.toml"
    file.write_bytes(content)
    monkeypatch.setenv("RINGFENCE_CLUSTER_FILE", str(file))
    assert completion.regions("") == []


def test_an_error_of_ours_is_one_line() -> None:
    errors = StringIO()
    with redirect_stderr(errors):
        Output().fail(CommandError("a\nb  c\x1b[2J"))
    assert errors.getvalue() == "ringfence: a b c\\x1b[2J\n"
