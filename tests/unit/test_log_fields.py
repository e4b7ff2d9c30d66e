"""Bounds of the log: no value from outside makes a line long, or shows a control character."""

import json

import pytest

from ringfence.runtime.log_fields import ID_LIMIT, LIST_LIMIT, TEXT_LIMIT, ascii_json, bounded, cut, stack_of


@pytest.mark.parametrize("name", ["instance", "event", "hook", "rule", "security_group", "digest", "message_id"])
def test_an_id_is_cut_to_its_limit(name: str) -> None:
    assert bounded({name: "i" * 70_000}) == {name: "i" * (ID_LIMIT - 3) + "..."}


@pytest.mark.parametrize("name", ["cause", "rules"])
def test_each_id_of_a_list_is_cut(name: str) -> None:
    assert bounded({name: ["i" * 70_000, "short"]}) == {name: ["i" * (ID_LIMIT - 3) + "...", "short"]}


def test_an_id_of_the_limit_is_not_cut() -> None:
    assert bounded({"instance": "i" * ID_LIMIT}) == {"instance": "i" * ID_LIMIT}


def test_other_texts_are_cut_to_a_longer_limit_at_any_depth() -> None:
    fields = bounded({"error": "e" * 70_000, "held": [{"rules": ["r" * 100], "why": "w" * 5000}]})
    assert fields["error"] == "e" * (TEXT_LIMIT - 3) + "..."
    assert fields["held"] == [{"rules": ["r" * (ID_LIMIT - 3) + "..."], "why": "w" * (TEXT_LIMIT - 3) + "..."}]


def test_a_list_is_cut() -> None:
    assert bounded({"rules": ["r"] * 5000}) == {"rules": ["r"] * LIST_LIMIT}


def test_numbers_stay_as_they_are() -> None:
    assert bounded({"seconds": 1.5, "drift": True, "version": 3, "was": None}) == {
        "seconds": 1.5,
        "drift": True,
        "version": 3,
        "was": None,
    }


def test_a_line_is_ascii() -> None:
    line = ascii_json({"instance": "\ud800\x9b\u202e"})
    assert line.isascii()
    assert json.loads(line) == {"instance": "\ud800\x9b\u202e"}


def test_the_stack_of_an_endless_recursion_is_cut_and_ends_with_the_error() -> None:
    def recur() -> None:
        recur()

    with pytest.raises(RecursionError) as raised:
        recur()
    stack = stack_of(raised.value)
    assert len(stack) <= TEXT_LIMIT
    assert "RecursionError" in stack


def test_a_short_text_is_not_cut() -> None:
    assert cut("short") == "short"
