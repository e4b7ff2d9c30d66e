"""Times and ages as people write and read them."""

import pytest

from ringfence_ops.cli import times
from tests.unit.builders import NOW  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds_ago"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("2 H", 7200), ("7d", 604800), ("1w", 604800)],
)
def test_an_age_is_a_time_before_now(text: str, seconds_ago: int) -> None:
    assert times.parse(text, NOW) == NOW - seconds_ago


@pytest.mark.parametrize(
    "text", ["2027-01-15T08:00", "2027-01-15 08:00:00", "2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00"]
)
def test_a_time_is_in_utc_unless_it_has_an_offset(text: str) -> None:
    assert times.parse(text, 0) == NOW


@pytest.mark.parametrize("text", ["", "h", "2y", "-2h", "yesterday"])
def test_a_text_that_is_not_a_time_is_rejected_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="give an age such as 90s"):
        times.parse(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (40000, "11 h"),
        (47 * 3600, "47 h"),
        (48 * 3600, "2 d"),
    ],
)
def test_an_age_is_written_in_its_largest_units(seconds: float, text: str) -> None:
    assert times.age(seconds) == text


def test_a_time_is_written_as_day_time_of_day_and_timestamp() -> None:
    assert (times.day(NOW), times.time_of_day(NOW)) == ("15 Jan 2027", "08:00:00")
    assert times.timestamp(NOW) == "2027-01-15T08:00:00Z"
