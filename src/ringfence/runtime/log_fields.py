"""Bounds what is written into the log: ids, texts and lists that come from outside are cut.

Pure. The only place that cuts. Knows no logger and no audit event.
"""

import json
import traceback
from collections.abc import Mapping
from functools import partial

ID_LIMIT = 64
"""Maximum characters of an id. AWS's longest id in an event is a UUID of 36."""

TEXT_LIMIT = 4096
"""Maximum characters of any other text. An encoded authorization failure of EC2 has about a thousand."""

LIST_LIMIT = 1000
"""Maximum items of a list, such as the rules that the guard holds: no security group has more."""

_IDS = frozenset({"cause", "digest", "event", "hook", "instance", "message_id", "rule", "rules", "security_group"})

ascii_json = partial(json.dumps, default=str, separators=(",", ":"), ensure_ascii=True)
"""Writes a line in ASCII, so that it has no control, bidirectional or surrogate character."""


def bounded(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of a log line, with their texts and lists cut. Ids are recognized by the names of their fields."""
    return {name: _bounded(value, ID_LIMIT if name in _IDS else TEXT_LIMIT) for name, value in fields.items()}


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text, or its beginning and an ellipsis, in at most `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def stack_of(error: BaseException) -> str:
    """The end of the error's traceback."""
    stack = "".join(traceback.format_exception(error, limit=-20, chain=False))
    return stack if len(stack) <= TEXT_LIMIT else f"...{stack[3 - TEXT_LIMIT :]}"


def _bounded(value: object, limit: int) -> object:
    match value:
        case str():
            return cut(value, limit)
        case Mapping():
            return bounded({cut(str(name), ID_LIMIT): inner for name, inner in value.items()})
        case list() | tuple():
            return [_bounded(item, limit) for item in value[:LIST_LIMIT]]
        case _:
            return value
