"""Times and ages as an operator writes and reads them, in UTC like the logs. Pure."""

import re
from datetime import UTC, datetime

_AGE = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse(text: str, now: float) -> float:
    """The epoch second of `2h` (ago) or of `2026-11-23T15:00` (UTC, unless it has an offset).

    Raises ValueError with examples.
    """
    text = text.strip()
    if match := _AGE.fullmatch(text.lower()):
        return now - int(match[1]) * _UNITS[match[2]]
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time: give an age such as 90s, 30m, 2h, 7d, or 2026-11-23T15:00") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def age(seconds: float) -> str:
    """A duration in its one or two largest units: `40 s`, `3 min`, `2 h 5 min`, `9 d`."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{hours // 24} d"


def day(at: float) -> str:
    """The day of an epoch second: `23 Nov 2026`."""
    time = datetime.fromtimestamp(at, UTC)
    return f"{time.day} {time:%b %Y}"


def time_of_day(at: float) -> str:
    """The time of day of an epoch second: `15:00:03`."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def timestamp(at: float) -> str:
    """An epoch second for programs: `2026-11-23T15:00:03Z`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
