"""Counted things in words."""

import ast
import re
from pathlib import Path

import pytest

import ringfence_lab
import ringfence_ops
from ringfence_ops.plurals import abridged, counted, plural


@pytest.mark.parametrize(
    ("number", "word", "said"),
    [
        (1, "rule", "1 rule"),
        (0, "rule", "0 rules"),
        (2, "Region", "2 Regions"),
        (2, "address", "2 addresses"),
        (1, "address", "1 address"),
        (2, "entry", "2 entries"),
        (2, "day", "2 days"),
        (2, "stale door", "2 stale doors"),
    ],
)
def test_a_count_has_the_form_of_its_number(number: int, word: str, said: str) -> None:
    assert counted(number, word) == said


@pytest.mark.parametrize(("names", "said"), [(["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more")])
def test_a_long_list_of_names_says_how_many_are_left_out(names: list[str], said: str) -> None:
    assert abridged(names, 2) == said


def test_verbs_follow_the_number() -> None:
    assert [plural("is", 1), plural("is", 2), plural("needs", 2)] == ["is", "are", "need"]


NOUNS = (
    "rule|Region|instance|member|message|removal|check|row|door|roster|resource|event|stack|alarm|letter|hook|launch"
)


def test_no_command_writes_a_plural_behind_a_number_itself() -> None:
    # given every text of the commands with a value in it, as `{}`
    written = []
    for package in (ringfence_ops, ringfence_lab):
        folder = Path(package.__file__ or "").parent
        for path in [path for path in folder.rglob("*.py") if not {"sim", "proof", "emulator"} & set(path.parts)]:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
                    written.append((path.name, "".join(map(str, parts))))
    # then none has a fixed plural behind the value; "3 of 60 rules" is about the 60
    assert len(written) > 300
    fixed = re.compile(rf"(?<!of )(?<!of \{{\}} )\{{\}} ({NOUNS})(e?s)\b")
    assert [text for text in written if fixed.search(text[1])] == []
