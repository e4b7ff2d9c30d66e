"""Decodes the body of a message. Its size and depth are bounded before anything is decoded.

Pure. Knows nothing of what the JSON means. What it accepts is what AWS's services send: strict JSON (RFC 8259), without
duplicate names, without lone surrogates, and with numbers that a 64-bit float can hold.
"""

import json
import math
import re
from collections.abc import Sequence

SIZE_LIMIT = 16 * 1024
"""Maximum bytes of a body in UTF-8. An event of Auto Scaling has less than 1 KB without its metadata, which has at most
1,023 characters: see `NotificationMetadata` of PutLifecycleHook."""

DEPTH_LIMIT = 20
"""Maximum nested objects and arrays. An event of Auto Scaling has two."""

_DIGITS_LIMIT = 20
_MARKS = re.compile(r"\\.|[\"\[\]{}]", re.DOTALL)


class Unreadable(Exception):
    """The body cannot be decoded, and why."""


def decode(body: str) -> object:
    """The JSON value of the body. Raises Unreadable."""
    size = _size(body)
    if size > SIZE_LIMIT:
        raise Unreadable(f"the message has more than {SIZE_LIMIT} bytes")
    if _is_too_deep(body):
        raise Unreadable(f"the message is nested more than {DEPTH_LIMIT} levels deep")
    try:
        value: object = json.loads(
            body,
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_int,
        )
        # Escapes such as \ud800 decode to lone surrogates, which are no text: this raises UnicodeEncodeError.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unreadable("the message has a lone surrogate, which is no Unicode text") from None
    except ValueError as error:
        raise Unreadable(f"the message is not JSON: {error}") from None
    return value


def _size(body: str) -> int:
    """Bytes in UTF-8, or the characters if these are too many already."""
    return len(body) if len(body) > SIZE_LIMIT else len(body.encode(errors="surrogatepass"))


def _is_too_deep(body: str) -> bool:
    """Whether any value is nested too deep. Scans once, without recursion, and skips brackets in strings."""
    depth, in_string = 0, False
    for mark in _MARKS.finditer(body):
        match mark[0]:
            case '"':
                in_string = not in_string
            case "[" | "{" if not in_string:
                depth += 1
                if depth > DEPTH_LIMIT:
                    return True
            case "]" | "}" if not in_string:
                depth -= 1
    return False


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same name twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _int(text: str) -> int:
    if len(text) > _DIGITS_LIMIT:
        raise ValueError("a number is too large")
    return int(text)
