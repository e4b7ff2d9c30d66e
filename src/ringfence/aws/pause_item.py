"""Converts a pause to an item of the table, and back.

Anyone with PutItem can write an item, so its texts and its time are bounded. The key alone makes the pause: an item
that cannot be read is a pause whose author, reason and time are not known. Knows no client.
"""

from collections.abc import Mapping
from typing import Any

from ringfence.core.freshness import is_future
from ringfence.core.model.identifiers import Region
from ringfence.core.model.pauses import Pause

PAUSE = "(pause)"
"""In the key of a pause, this is in the place of the Region, and the Region is in the place of the group. No Region has
such a name, so no engine's role can write it, and version 0.1 reads it as an empty roster of no Region."""

REASON_LIMIT = 256
"""Maximum characters of the reason."""
CALLER_LIMIT = 2_048
"""Maximum characters of an ARN. Source: IAM API reference, `arnType`."""


def pause_to_item(pause: Pause) -> dict[str, Any]:
    """The item of a pause."""
    return {
        **pause_key(pause.region),
        "paused": {"BOOL": not pause.is_over},
        "by": {"S": pause.by},
        "reason": {"S": pause.reason},
        "since": {"N": str(pause.since)},
    }


def pause_key(region: Region) -> dict[str, Any]:
    """The key of a Region's pause."""
    return {"region": {"S": PAUSE}, "asg": {"S": region}}


def pause_from_item(item: Mapping[str, Any], now: float) -> Pause:
    """The pause in an item whose key says that it is one. `now` is in epoch seconds."""
    region = Region(item["asg"]["S"])
    try:
        by, reason, since = item["by"]["S"], item["reason"]["S"], int(item["since"]["N"])
        is_over = item["paused"]["BOOL"] is False
        if problem := _problem(by, reason, since, now):
            return Pause(region, problem=problem)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        return Pause(region, problem=f"an attribute is missing or of another type: {error}")
    return Pause(region, by, reason, since, is_over=is_over)


def _problem(by: str, reason: str, since: int, now: float) -> str:
    """What is out of bounds, or an empty text."""
    if since < 0 or is_future(since, now):
        return "its time is in the future, or before 1970"
    if len(by) > CALLER_LIMIT or len(reason) > REASON_LIMIT:
        return f"a text is longer than {CALLER_LIMIT} or {REASON_LIMIT} characters"
    return ""
