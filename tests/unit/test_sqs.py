"""Letters to the dead-letter queue: SQS accepts each of them, and none hides what was done to it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.aws.sqs import BODY_LIMIT, REASON_LIMIT, SIZE_LIMIT, Letter

ALLOWED = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
"""Source: Amazon SQS API reference, SendMessage."""


def is_accepted(letter: Letter) -> bool:
    """Whether SQS accepts the letter: no part is empty, has other characters, or makes it too large."""
    texts = [letter.body, *(str(value["StringValue"]) for value in letter.attributes.values())]
    names = [text for name, value in letter.attributes.items() for text in (name, value["DataType"])]
    size = sum(len(text.encode()) for text in texts + names)
    return size <= SIZE_LIMIT and all(ALLOWED.fullmatch(text) for text in texts)


def test_a_letter_has_the_body_as_it_was_received_and_the_reason() -> None:
    letter = Letter.of('{"trueup": true}', "denied")
    assert (letter.body, letter.reason, letter.changes) == ('{"trueup": true}', "denied", "")
    assert letter.attributes == {"reason": {"DataType": "String", "StringValue": "denied"}}


def test_a_body_that_is_too_large_is_truncated_and_marked() -> None:
    letter = Letter.of("x" * 1_048_576, "too large")
    assert letter.body == "x" * BODY_LIMIT
    assert letter.attributes["body"]["StringValue"] == "truncated from 1048576 bytes"
    assert is_accepted(letter)


def test_a_body_is_truncated_between_characters() -> None:
    letter = Letter.of("x" + "\U0001f600" * BODY_LIMIT, "too large")
    assert letter.body == "x" + "\U0001f600" * ((BODY_LIMIT - 1) // 4)


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\ud800", "\udfff", "\ufffe", "\uffff"])  # noqa: PT014  # they differ
def test_a_character_that_sqs_refuses_is_escaped_as_json_does_and_marked(character: str) -> None:
    letter = Letter.of(f'{{"a": "{character}"}}', f"because of {character}")
    assert json.loads(letter.body) == {"a": character}
    assert letter.attributes["body"]["StringValue"] == "escaped"
    assert is_accepted(letter)


def test_a_body_that_is_escaped_and_truncated_is_marked_as_both() -> None:
    letter = Letter.of("\x00" * 100_000, "junk")
    assert letter.changes == "escaped, truncated from 600000 bytes"
    assert is_accepted(letter)


def test_an_empty_body_is_marked() -> None:
    letter = Letter.of("", "not JSON")
    assert letter.changes == "empty"
    assert is_accepted(letter)


def test_a_reason_that_is_too_long_is_truncated_and_marked() -> None:
    letter = Letter.of("{}", "y" * 5000)
    assert len(letter.reason) == REASON_LIMIT
    assert letter.reason.endswith("(truncated)")


def test_a_reason_is_never_empty() -> None:
    assert is_accepted(Letter.of("{}", ""))


@given(
    st.text(st.characters(codec=None, categories=None), max_size=200) | st.just("\U0010ffff" * 300_000),
    st.text(st.characters(codec=None, categories=None), max_size=50) | st.just("\U0010ffff" * 5000),
)
def test_sqs_accepts_every_letter(body: str, reason: str) -> None:
    assert is_accepted(Letter.of(body, reason))
