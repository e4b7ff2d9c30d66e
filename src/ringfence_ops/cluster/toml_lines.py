"""The cluster file as a text: on which line a key is, and how a Region's table is taken out.

Knows TOML and no setting.
"""

import re
from collections.abc import Sequence
from typing import Any

import tomlkit

_HEADING = re.compile(r"\s*\[([^\[\]]+)\]")


def line_of(lines: Sequence[str], path: tuple[str, ...]) -> int:
    """The line, from 1, of a key or of a table's heading; 0 if it is written in a way that is not looked for."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        if heading := _HEADING.match(line):
            table = _keys(heading[1])
            if table == path:
                return number
        elif "=" in line and (*table, *_keys(line.partition("=")[0])) == path:
            return number
    return 0


def without_region(text: str, region: str) -> str:
    """The text without `regions.<region>`. Other comments stay, and so does the order.

    A block of comments directly above a heading, with a blank line before it, belongs to that heading. Raises
    tomlkit's errors.
    """
    lines = text.splitlines(keepends=True)
    start = line_of(lines, ("regions", region)) - 1
    if start >= 0 and _HEADING.match(lines[start]):
        end = _end_of_table(lines, start)
        own, following = _comments_above(lines, start), _comments_above(lines, end)
        lines = lines[:own] + lines[following:end] + lines[start:following] + lines[end:]
    document = tomlkit.parse("".join(lines))
    regions: Any = document["regions"]
    del regions[region]
    return tomlkit.dumps(document).rstrip() + "\n"


def _end_of_table(lines: Sequence[str], start: int) -> int:
    """The index of the next heading that is not within the table whose heading is at `start`."""
    heading = _HEADING.match(lines[start])
    name = _keys(heading[1]) if heading else ()
    for at in range(start + 1, len(lines)):
        if (following := _HEADING.match(lines[at])) and _keys(following[1])[: len(name)] != name:
            return at
    return len(lines)


def _comments_above(lines: Sequence[str], at: int) -> int:
    """The index at which the comments that belong to a heading begin; the heading's own if there are none."""
    first = at
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return first if first == 0 or not lines[first - 1].strip() else at


def _keys(text: str) -> tuple[str, ...]:
    """The parts of a dotted key."""
    return tuple(part.strip().strip("\"'") for part in text.split("."))
