"""Values in JSON that others may have written: log lines, records of calls, answers. Each is read or left out.

Pure. A function of this module raises nothing, whatever the value is.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

ID_LIMIT = 64
"""Maximum characters of an id. AWS's ids have at most 20."""

NAME_LIMIT = 300
"""Maximum characters of a name. An Auto Scaling group's has at most 255, and a Region's code 20."""

MESSAGE_LIMIT = 4_000
"""Maximum characters of a message."""

LIST_LIMIT = 100
"""Maximum elements of a list."""

_LARGEST = 2**53
"""Numbers above this are not exact in JSON."""


def json_object(text: str | bytes) -> Mapping[str, Any] | None:
    """The object that the text is in JSON; None if it is anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def text_of(value: object, limit: int = MESSAGE_LIMIT) -> str | None:
    """The value if it is a text, cut after `limit` characters; None if it is anything else."""
    if not isinstance(value, str):
        return None
    return value if len(value) <= limit else f"{value[:limit]}..."


def texts_of(value: object, limit: int = ID_LIMIT) -> tuple[str, ...]:
    """The texts of a list, each cut, up to the 100th element. Empty if the value is no list."""
    elements = value[:LIST_LIMIT] if isinstance(value, list) else ()
    return tuple(text for element in elements if (text := text_of(element, limit)) is not None)


def number_of(value: object) -> float | None:
    """The value if it is a finite number of a sane size, 0 or more; None if it is anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= _LARGEST and math.isfinite(value) else None


def count_of(value: object) -> int:
    """The value if it is a count; 0 if it is anything else."""
    number = number_of(value)
    return 0 if number is None else int(number)
