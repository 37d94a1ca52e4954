"""NCRONTAB schedules, by tables of cases."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.functions_host.ncrontab import ScheduleError, parse_schedule

START = datetime(2026, 11, 22, 10, 15, 30, 250_000, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * * *", "2026-11-22 10:15:31"),
        ("*/2 * * * * *", "2026-11-22 10:15:32"),
        ("0 * * * * *", "2026-11-22 10:16:00"),
        ("0 */5 * * * *", "2026-11-22 10:20:00"),
        ("30 15 10 * * *", "2026-11-23 10:15:30"),
        ("0 0 9-17 * * Mon-Fri", "2026-11-23 09:00:00"),
        ("0 0 17-9/4 * * 1", "2026-11-23 09:00:00"),
        ("5/15 * * * * *", "2026-11-22 10:15:35"),
        ("0 0 0 1 1 *", "2027-01-01 00:00:00"),
        ("0 0 0 29 Feb *", "2028-02-29 00:00:00"),
        ("0 0 0 13 * 5", "2027-08-13 00:00:00"),
        ("10,20,40 * * * * *", "2026-11-22 10:15:40"),
        ("0 30 9 * jan,JULY su", "2027-01-03 09:30:00"),
        ("0 0 0 31 * *", "2026-12-31 00:00:00"),
        ("*/5 * * * *", "2026-11-22 10:20:00"),
    ],
)
def test_the_next_occurrence(expression: str, expected: str) -> None:
    assert parse_schedule(expression).next_after(START).strftime("%Y-%m-%d %H:%M:%S") == expected


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("00:00:30", "1 fields"),
        ("60 * * * * *", "second"),
        ("0 0 24 * * *", "hour"),
        ("0 0 0 0 * *", "day"),
        ("0 0 0 * 13 *", "month"),
        ("0 0 0 * * 7", "day of week"),
        ("0 0 0 * * x", "day of week"),
        ("a * * * * *", "second"),
        ("1,,2 * * * * *", "second"),
        ("*/x * * * * *", "second"),
        ("-1 * * * * *", "second"),
        ("? * * * * *", "second"),
    ],
)
def test_a_wrong_expression_is_refused_by_naming_its_field(expression: str, fault: str) -> None:
    with pytest.raises(ScheduleError, match=fault):
        parse_schedule(expression)


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(ScheduleError, match="never"):
        parse_schedule("0 0 0 31 2 *").next_after(START)


@given(
    st.integers(0, 3_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds + 0.25, UTC)),
    st.sampled_from(["*/7", "3", "*", "10-20/3"]),
    st.sampled_from(["*/7", "3", "*", "10-20/3"]),
    st.sampled_from(["*", "5", "*/9"]),
)
def test_the_next_occurrence_is_the_first_moment_that_fits(
    moment: datetime, seconds: str, minutes: str, hours: str
) -> None:
    schedule = parse_schedule(f"{seconds} {minutes} {hours} * * *")
    found = schedule.next_after(moment)
    assert found > moment
    candidate = moment.replace(microsecond=0) + timedelta(seconds=1)
    for _ in range(2000):
        if candidate == found:
            break
        assert not (
            candidate.second in schedule.seconds
            and candidate.minute in schedule.minutes
            and candidate.hour in schedule.hours
        )
        candidate += timedelta(seconds=1)
