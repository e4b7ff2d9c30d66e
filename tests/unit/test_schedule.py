"""Schedule expressions: AWS's documented examples with the period of each, and every mistake with what to write."""

import re

import pytest

from ringfence.core.configuration.schedule import DAY, WEEK, period

HOUR, MINUTE = 3600, 60


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(1 hour)", HOUR),
        ("rate(12 hours)", 12 * HOUR),
        ("rate(1 day)", DAY),
        ("rate(5 days)", 5 * DAY),
        ("rate(8 days)", WEEK),
    ],
)
def test_the_period_of_a_rate(expression: str, seconds: int) -> None:
    assert period(expression) == seconds


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        # The EventBridge User Guide's examples.
        ("0 10 * * ? *", DAY),  # at 10:00 every day
        ("15 12 * * ? *", DAY),  # at 12:15 every day
        ("0 18 ? * MON-FRI *", 3 * DAY),  # at 18:00 from Monday to Friday
        ("0 8 1 * ? *", WEEK),  # at 8:00 on the first day of the month
        ("0/15 * * * ? *", 15 * MINUTE),  # every 15 minutes
        ("0/10 * ? * MON-FRI *", 2 * DAY + 10 * MINUTE),  # every 10 minutes from Monday to Friday
        ("0/5 8-17 ? * MON-FRI *", 2 * DAY + 14 * HOUR + 5 * MINUTE),  # from 8:00 to 17:55
        ("0/30 20-2 ? * MON-FRI *", 2 * DAY + 30 * MINUTE),  # over midnight: from 20:00 to 2:30
        ("15 10 ? * 6L 2022-2023", WEEK),  # the last Friday of the month, for two years
        # Each wildcard by itself.
        ("* * * * ? *", MINUTE),
        ("* * ? * * *", MINUTE),
        ("0 * * * ? *", HOUR),
        ("1/10 * * * ? *", 10 * MINUTE),
        ("*/20 * * * ? *", 20 * MINUTE),
        ("0,10 * * * ? *", 50 * MINUTE),
        ("0-29 * * * ? *", 31 * MINUTE),
        ("0 8-20/4 * * ? *", 12 * HOUR),
        ("59 23 1-30 * ? *", 2 * DAY),  # the 31st has none
        ("0 0 ? * L *", WEEK),  # each Saturday
        ("0 0 ? * MON,wed,FRI *", 3 * DAY),
        ("0 0 ? * FRI-MON *", 4 * DAY),
        ("0 0 ? * 3#2 *", WEEK),
        ("0 0 ? * MON#1 *", WEEK),
        ("0 0 L * ? *", WEEK),
        ("0 0 L-3 * ? *", WEEK),
        ("0 0 LW * ? *", WEEK),
        ("0 0 15W * ? *", WEEK),
        ("* * * JAN-NOV ? *", WEEK),  # nothing in December
        ("* * * * ? 2026", WEEK),  # nothing afterwards
        ("* * * * ? 1970-2199", MINUTE),
        ("0 0 */2 * ? *", 2 * DAY),
        ("0 0 1/3 * ? *", 3 * DAY),
    ],
)
def test_the_period_of_a_cron_schedule_is_its_longest_gap_in_a_week(fields: str, seconds: int) -> None:
    assert period(f"cron({fields})") == seconds


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "must be rate(...) or cron(...), such as rate(1 minute), got ''"),
        ("every minute", "must be rate(...) or cron(...)"),
        ("Rate(1 minute)", "must be rate(...) or cron(...)"),
        ("rate(1 minute) ", "must be rate(...) or cron(...)"),
        ("at(2026-11-20T13:00:00)", "at(2026-11-20T13:00:00) fires once: write a schedule that repeats"),
        ("rate(1 minutes)", "rate(1 minutes) is not a schedule: write rate(1 minute)"),
        ("rate(5 minute)", "write rate(5 minutes)"),
        ("rate(0 minutes)", "write a number and minutes, hours or days"),
        ("rate(30 seconds)", "write a number and minutes, hours or days"),
        ("rate(1.5 hours)", "write a number and minutes, hours or days"),
        ("rate(-1 minutes)", "write a number and minutes, hours or days"),
        ("rate(05 minutes)", "write rate(5 minutes)"),
        ("rate(5  minutes)", "write a number and minutes, hours or days"),
        ("cron(* * * * *)", "it has 5 fields, and needs six"),
        ("cron(0 * * * * ? *)", "it has 7 fields, and needs six"),
        ("cron(* * * * * *)", "write ? for the day of month or for the day of week, and not for both"),
        ("cron(* * ? * ? *)", "write ? for the day of month or for the day of week, and not for both"),
        ("cron(* * 1 * MON *)", "write ? for the day of month or for the day of week, and not for both"),
        ("cron(60 * * * ? *)", "minutes: '60' is not within 0 to 59"),
        ("cron(* 24 * * ? *)", "hours: '24' is not within 0 to 23"),
        ("cron(* * 0 * ? *)", "day of month: '0' is not within 1 to 31"),
        ("cron(* * 32W * ? *)", "day of month: '32' is not within 1 to 31"),
        ("cron(* * XL * ? *)", "day of month: "),
        ("cron(* * * 13 ? *)", "month: '13' is not within 1 to 12"),
        ("cron(* * ? * 8 *)", "day of week: '8' is not within 1 to 7"),
        ("cron(* * ? * 0L *)", "day of week: '0' is not within 1 to 7"),
        ("cron(* * ? * MO *)", "day of week: 'MO' is not within 1 to 7"),
        ("cron(* * ? * 3#6 *)", "day of week: '3#6' is not a day such as MON, 6L or 3#2"),
        ("cron(* * ? * 3#1,6#3 *)", "day of week: "),
        ("cron(* * * * ? 1969)", "year: '1969' is not within 1970 to 2199"),
        ("cron(0/0 * * * ? *)", "minutes: '0/0' is not an increment such as 0/15"),
        ("cron(0/x * * * ? *)", "minutes: '0/x' is not an increment such as 0/15"),
        ("cron(, * * * ? *)", "minutes: '' is not within 0 to 59"),
        ("cron()", "it has 0 fields"),
    ],
)
def test_what_is_not_a_schedule_is_refused_with_what_to_write(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        period(expression)
