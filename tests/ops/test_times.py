"""Times and ages as people write and read them."""

import pytest

from ringfence_ops.cli import times as moments
from tests.unit.builders import NOW  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds_ago"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("2 H", 7200), ("7d", 604800), ("1w", 604800)],
)
def test_an_age_is_so_long_ago(text: str, seconds_ago: int) -> None:
    assert moments.parse(text, NOW) == NOW - seconds_ago


@pytest.mark.parametrize(
    "text", ["2027-01-15T08:00", "2027-01-15 08:00:00", "2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00"]
)
def test_a_time_is_in_utc_unless_it_says_otherwise(text: str) -> None:
    assert moments.parse(text, 0) == NOW


@pytest.mark.parametrize("text", ["", "h", "2y", "-2h", "yesterday"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="give an age such as 90s"):
        moments.parse(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "said"),
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
def test_an_age_is_said_in_its_largest_units(seconds: float, said: str) -> None:
    assert moments.age(seconds) == said


def test_a_moment_has_its_day_its_time_of_day_and_its_stamp() -> None:
    assert (moments.day(NOW), moments.clock(NOW)) == ("15 Jan 2027", "08:00:00")
    assert moments.stamp(NOW) == "2027-01-15T08:00:00Z"
