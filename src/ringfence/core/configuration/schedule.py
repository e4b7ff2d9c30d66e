"""Schedule expressions of EventBridge Scheduler: what is one, and how long one can be silent.

Pure: it reads no clock, and a cron schedule is judged over every day of four years. Source: EventBridge Scheduler User
Guide, "Schedule types on EventBridge Scheduler"; the fields of cron with their examples: EventBridge User Guide,
"Setting a schedule pattern". `ScheduleExpressionTimezone` is not used here, so that days have 24 hours (UTC).
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

DAY = 86_400
WEEK = 7 * DAY
"""Seconds. No schedule counts as silent for longer than a week."""

_RATE = re.compile(r"([0-9]+) (minute|hour|day)(s?)")
_UNITS = {"minute": 60, "hour": 3600, "day": DAY}

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

_SAMPLE = (date(2023, 12, 25), date(2028, 1, 7))
"""Four years, one of them a leap year, with a week on both sides."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a cron expression: its name, its bounds, and the names of its values from the lowest on."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> frozenset[int]:
        """The values that the text names: `*`, `5`, `MON-FRI`, `22-2`, `0/15`, `8-17/2`, with commas between them.

        Raises ValueError.
        """
        found: set[int] = set()
        for part in text.split(","):
            span, slash, step = part.partition("/")
            if slash and not (step.isdecimal() and int(step) > 0):
                raise ValueError(f"{self.name}: {part!r} is not an increment such as 0/15")
            found.update(self._span(span, open_ended=bool(slash))[:: int(step) if slash else 1])
        return frozenset(found)

    def _span(self, text: str, *, open_ended: bool) -> list[int]:
        if text == "*":
            return list(range(self.lowest, self.highest + 1))
        first, dash, last = text.partition("-")
        begin = self.value(first)
        end = self.value(last) if dash else self.highest if open_ended else begin
        if begin <= end:
            return list(range(begin, end + 1))
        return [*range(begin, self.highest + 1), *range(self.lowest, end + 1)]

    def value(self, text: str) -> int:
        """One value, by number or by name. Raises ValueError."""
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.lowest
        if not (text.isascii() and text.isdecimal() and self.lowest <= int(text) <= self.highest):
            raise ValueError(f"{self.name}: {text!r} is not within {self.lowest} to {self.highest}")
        return int(text)


_MINUTES, _HOURS = _Field("minutes", 0, 59), _Field("hours", 0, 23)
_DAY_OF_MONTH, _MONTH = _Field("day of month", 1, 31), _Field("month", 1, 12, _MONTHS)
_DAY_OF_WEEK, _YEAR = _Field("day of week", 1, 7, _WEEKDAYS), _Field("year", 1970, 2199)


def period(expression: str) -> int:
    """The longest time in seconds between two firings of a schedule, and no more than a week.

    Raises ValueError, which says what to write, for what EventBridge Scheduler does not accept, and for `at(...)`,
    which fires once.
    """
    kind, parenthesis, rest = expression.partition("(")
    if not parenthesis or not rest.endswith(")") or kind not in ("rate", "cron", "at"):
        raise ValueError(f"must be rate(...) or cron(...), such as rate(1 minute), got {expression!r}")
    if kind == "at":
        raise ValueError(f"{expression} fires once: write a schedule that repeats, such as rate(1 minute)")
    try:
        return _rate(rest[:-1]) if kind == "rate" else _cron(rest[:-1])
    except ValueError as error:
        raise ValueError(f"{expression} is not a schedule: {error}") from None


def expression(text: str) -> str:
    """The text itself, if it is a schedule expression. Raises ValueError."""
    period(text)
    return text


def _rate(text: str) -> int:
    match = _RATE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError("write a number and minutes, hours or days, such as rate(5 minutes)")
    number, unit = int(match[1]), match[2]
    right = f"rate({number} {unit}{'s' * (number > 1)})"
    if right != f"rate({match[0]})":
        raise ValueError(f"write {right}")
    return min(number * _UNITS[unit], WEEK)


def _cron(text: str) -> int:
    fields = text.split()
    if len(fields) != 6:
        raise ValueError(
            f"it has {len(fields)} fields, and needs six: minutes, hours, day of month, month, day of week and year"
        )
    minutes, hours, years = _MINUTES.values(fields[0]), _HOURS.values(fields[1]), _YEAR.values(fields[5])
    days = _Days(fields[2], fields[4], _MONTH.values(fields[3]))
    times = sorted(3600 * hour + 60 * minute for hour in hours for minute in minutes)
    within_a_day = max((later - earlier for earlier, later in pairwise(times)), default=0)
    if len(years) <= _YEAR.highest - _YEAR.lowest:
        return WEEK  # in the years that are not named it does not fire at all
    return min(WEEK, max(within_a_day, days.longest_gap() * DAY - times[-1] + times[0]))


class _Days:
    """The days on which a cron expression fires."""

    def __init__(self, day_of_month: str, day_of_week: str, months: frozenset[int]) -> None:
        if (day_of_month == "?") == (day_of_week == "?"):
            raise ValueError("write ? for the day of month or for the day of week, and not for both")
        self.day_of_month, self.day_of_week, self.months = day_of_month.upper(), day_of_week.upper(), months
        self._numbers = frozenset() if self._is_special(day_of_month) else _DAY_OF_MONTH.values(day_of_month)
        self._weekdays = frozenset() if self._is_special(day_of_week) else _DAY_OF_WEEK.values(day_of_week)
        list(self._of_month(2024, 1))  # refuses at once what is malformed

    @staticmethod
    def _is_special(text: str) -> bool:
        """Whether a field names days by `?`, `L`, `W` or `#`. SUN and WED are names of days."""
        return text == "?" or re.fullmatch(r"[0-9LW#-]*[LW#][0-9LW#-]*|[A-Z]{3}(L|#[0-9]+)", text.upper()) is not None

    def longest_gap(self) -> int:
        """The longest time from a day on which it fires to the next one, in days; more than a week counts as eight."""
        first, last = _SAMPLE
        fires = {day for year in range(first.year, last.year + 1) for day in self._of_year(year)}
        longest = gap = 1
        for day in (first + timedelta(days=number) for number in range(1, (last - first).days)):
            gap = 1 if day in fires else gap + 1
            longest = max(longest, gap)
        return min(longest, 8)

    def _of_year(self, year: int) -> Iterator[date]:
        for month in self.months:
            yield from (date(year, month, number) for number in self._of_month(year, month))

    def _of_month(self, year: int, month: int) -> Iterator[int]:
        """The days of a month on which it fires."""
        length = monthrange(year, month)[1]
        if self.day_of_week == "?":
            if self._numbers:
                yield from (number for number in self._numbers if number <= length)
            elif (number := self._special_day(year, month, length)) is not None:
                yield number
        elif self._weekdays:
            yield from (number for number in range(1, length + 1) if _weekday(year, month, number) in self._weekdays)
        else:
            yield from self._special_weekday(year, month, length)

    def _special_day(self, year: int, month: int, length: int) -> int | None:
        """The day of `L` (the last), `L-3`, `15W` (the nearest weekday) or `LW` in a month, if it has that day."""
        match = re.fullmatch(r"(?:(L)(?:-([0-9]{1,2}))?|([0-9]{1,2}))(W?)", self.day_of_month)
        if match is None:
            raise ValueError(f"day of month: {self.day_of_month!r} is not a day such as 15, L or 15W")
        number = length - int(match[2] or 0) if match[1] else _DAY_OF_MONTH.value(match[3])
        if not 1 <= number <= length:
            return None
        return _nearest_weekday(year, month, number, length) if match[4] else number

    def _special_weekday(self, year: int, month: int, length: int) -> Iterator[int]:
        """The days of `L` (each Saturday), `6L` (the last Friday) or `3#2` (the second Tuesday) in a month."""
        match = re.fullmatch(r"([0-9A-Z]+?)?(L|#([1-5]))", self.day_of_week)
        if match is None or (match[3] and not match[1]):
            raise ValueError(f"day of week: {self.day_of_week!r} is not a day such as MON, 6L or 3#2")
        weekday = _DAY_OF_WEEK.value(match[1]) if match[1] else _DAY_OF_WEEK.highest
        numbers = [number for number in range(1, length + 1) if _weekday(year, month, number) == weekday]
        if not match[1]:
            yield from numbers
        elif match[3]:
            yield from numbers[int(match[3]) - 1 : int(match[3])]
        else:
            yield numbers[-1]


def _weekday(year: int, month: int, number: int) -> int:
    """The day of the week as cron numbers it: 1 is Sunday."""
    return date(year, month, number).isoweekday() % 7 + 1


def _nearest_weekday(year: int, month: int, number: int, length: int) -> int:
    """The day from Monday to Friday nearest to a day of a month, in the same month."""
    match date(year, month, number).isoweekday():
        case 6:
            return number - 1 if number > 1 else number + 2
        case 7:
            return number + 1 if number < length else number - 2
        case _:
            return number
