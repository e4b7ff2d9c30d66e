"""Text for people. Text from outside can contain characters that control the terminal: this module escapes them.

Names, tags, rows, rule descriptions, log lines and error messages are written by others. All text that the commands
show is a `Text` of this module, so that each string becomes visible as soon as it is part of a report. Knows no
console.

Pure.
"""

import re
from typing import Any, Self

from rich import text as rich_text

LIMIT = 4_000
"""Maximum characters of one string that is shown."""

_MARGIN = 50
"""Characters above the limit that are not worth a cut: more than the words that a cut adds."""

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that count as printable and show nothing. Source: Unicode, `Default_Ignorable_Code_Point`."""

_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    """The text with each character escaped that a terminal does not show as itself, and cut after `LIMIT` characters.

    Escaped are control characters (line breaks and tabs too), format characters (bidirectional, zero-width, tags),
    surrogates, separators other than the space, and characters without a meaning. The result of a second call is the
    same.
    """
    shown = text[: LIMIT + _MARGIN]
    if not (shown.isprintable() and (shown.isascii() or _INVISIBLE.search(shown) is None)):
        shown = "".join(map(_visible, shown))
    if len(text) <= LIMIT + _MARGIN and len(shown) <= LIMIT + _MARGIN:
        return shown
    return f"{shown[:LIMIT]}... ({max(len(text), len(shown)) - LIMIT} more characters)"


def _visible(character: str) -> str:
    if character.isprintable() and _INVISIBLE.match(character) is None:
        return character
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Text(rich_text.Text):
    """Rich's `Text`, of which each string is made visible. `line` begins a new line; a line break in a string does
    not. Markup in a string is shown as it is."""

    def __init__(self, text: str = "", style: Any = "", **options: Any) -> None:
        super().__init__(visible(text), style, **options)

    def append(self, text: Any, style: Any = None) -> Self:
        """Adds a string with a style, or a text."""
        super().append(visible(text) if isinstance(text, str) else text, style)
        return self

    def line(self, text: str, style: Any = None) -> Self:
        """Adds a string with a style on a new line."""
        super().append("\n")
        return self.append(text, style)

    @classmethod
    def assemble(cls, *parts: Any, style: Any = "", **options: Any) -> Self:
        """A text of parts: strings, texts, or strings with their styles."""
        text = cls(style=style, **options)
        for part in parts:
            text.append(*part) if isinstance(part, tuple) else text.append(part)
        return text
