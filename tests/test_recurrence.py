"""What comes next, against RFC 5545, the tz database, and two calculations that share nothing with peerbot's."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recurring import AFTERS, FIRSTS, RULES, by_dateutil, by_hand, expected_of

from peerbot.recurrence import (
    Occurrence,
    Rule,
    clock_change_between,
    instant,
    kind_of,
    occurrences,
)

NEW_YORK = "America/New_York"
ZONES = (
    "UTC",
    NEW_YORK,
    "America/Santiago",
    "America/St_Johns",
    "Europe/Dublin",
    "Europe/Berlin",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Antarctica/Troll",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
)
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def utc(text: str) -> datetime:
    """Return an instant that is written like 2026-11-01 05:30."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    """Return a wall time that is written like 2026-11-01 01:30."""
    return datetime.fromisoformat(text)


# What RFC 5545 and the tz database say


@pytest.mark.parametrize(
    ("zone", "local", "kind", "at"),
    [
        (NEW_YORK, "2026-03-08 01:59", "plain", "2026-03-08 06:59"),
        (NEW_YORK, "2026-03-08 02:00", "gap", "2026-03-08 07:00"),
        (NEW_YORK, "2026-03-08 02:30", "gap", "2026-03-08 07:30"),
        (NEW_YORK, "2026-03-08 03:00", "plain", "2026-03-08 07:00"),
        (NEW_YORK, "2026-11-01 00:59", "plain", "2026-11-01 04:59"),
        (NEW_YORK, "2026-11-01 01:30", "fold", "2026-11-01 05:30"),
        (NEW_YORK, "2026-11-01 02:00", "plain", "2026-11-01 07:00"),
        (NEW_YORK, "2050-03-13 02:30", "gap", "2050-03-13 07:30"),
        ("America/St_Johns", "2026-03-08 02:30", "gap", "2026-03-08 06:00"),
        ("America/Santiago", "2026-09-06 00:30", "gap", "2026-09-06 04:30"),
        ("America/Santiago", "2026-04-04 23:30", "fold", "2026-04-05 02:30"),
        ("Europe/Berlin", "2026-03-29 02:30", "gap", "2026-03-29 01:30"),
        ("Europe/Berlin", "2026-10-25 02:30", "fold", "2026-10-25 00:30"),
        ("Europe/Dublin", "2026-03-29 01:30", "gap", "2026-03-29 01:30"),
        ("Europe/Dublin", "2026-10-25 01:30", "fold", "2026-10-25 00:30"),
        ("Africa/Cairo", "2026-04-24 00:15", "gap", "2026-04-23 22:15"),
        ("Africa/Cairo", "2026-10-29 23:30", "fold", "2026-10-29 20:30"),
        ("Africa/Casablanca", "2026-02-15 02:30", "fold", "2026-02-15 01:30"),
        ("Africa/Casablanca", "2026-03-22 02:30", "gap", "2026-03-22 02:30"),
        ("Asia/Kathmandu", "2026-06-01 19:00", "plain", "2026-06-01 13:15"),
        ("Antarctica/Troll", "2026-03-29 02:00", "gap", "2026-03-29 02:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "gap", "2026-10-03 15:45"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "fold", "2026-04-04 14:45"),
        ("Australia/Lord_Howe", "2026-04-05 02:00", "plain", "2026-04-04 15:30"),
        ("Pacific/Chatham", "2026-09-27 03:00", "gap", "2026-09-26 14:15"),
        ("Pacific/Chatham", "2026-04-05 03:00", "fold", "2026-04-04 13:15"),
        ("Pacific/Apia", "2011-12-30 18:00", "gap", "2011-12-31 04:00"),
        ("Pacific/Apia", "2011-12-31 18:00", "plain", "2011-12-31 04:00"),
        ("Pacific/Kwajalein", "1993-08-21 12:00", "gap", "1993-08-22 00:00"),
    ],
)
def test_a_wall_time_is_the_instant_that_the_standard_says(zone: str, local: str, kind: str, at: str) -> None:
    assert kind_of(wall(local), zone) == kind
    assert instant(wall(local), zone) == utc(at)
    assert instant(wall(local).replace(fold=1), zone) == utc(at)


@pytest.mark.parametrize(
    ("text", "first", "expected"),
    [
        ("", "1997-09-02", ["09-02"]),
        ("FREQ=DAILY;INTERVAL=10;UNTIL=19971012", "1997-09-02", ["09-02", "09-12", "09-22", "10-02", "10-12"]),
        ("FREQ=WEEKLY;BYDAY=TU,TH;UNTIL=19970915", "1997-09-02", ["09-02", "09-04", "09-09", "09-11"]),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;UNTIL=19971103",
            "1997-09-01",
            [
                *("09-01", "09-03", "09-05", "09-15", "09-17", "09-19", "09-29", "10-01", "10-03", "10-13", "10-15"),
                *("10-17", "10-27", "10-29", "10-31"),
            ],
        ),
        # The RFC's own example of what the first day of a week changes.
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;UNTIL=19970824", "1997-08-05", ["08-05", "08-10", "08-19", "08-24"]),
        ("FREQ=MONTHLY;BYDAY=1FR;UNTIL=19971224", "1997-09-05", ["09-05", "10-03", "11-07", "12-05"]),
        ("FREQ=MONTHLY;BYDAY=-1SU;UNTIL=19971231", "1997-09-01", ["09-28", "10-26", "11-30", "12-28"]),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=-1WE;UNTIL=19971231", "1997-07-31", ["09-24", "11-26"]),
        ("FREQ=MONTHLY;BYDAY=4MO;UNTIL=19971231", "1997-09-23", ["10-27", "11-24", "12-22"]),
    ],
)
def test_a_rule_gives_the_days_that_rfc_5545_lists(text: str, first: str, expected: list[str]) -> None:
    found = occurrences(Rule.parse(text), wall(f"{first} 09:00"), NEW_YORK, after=LONG_AGO, limit=50)
    assert [f"{each.local:%m-%d}" for each in found] == expected
    assert {each.local.time() for each in found} == {time(9)}
    # 9 am in New York, before and after the clocks changed on October 26.
    assert all(each.at.hour == (13 if each.local < wall("1997-10-26 02:00") else 14) for each in found)


@pytest.mark.parametrize(
    ("zone", "text", "first", "after", "expected"),
    [
        # The hour in New York stays, also over the end of summer time.
        (
            NEW_YORK,
            "FREQ=WEEKLY;BYDAY=TU",
            "2016-01-05 18:30",
            "2026-10-25 00:00",
            [("2026-10-27 18:30", "2026-10-27 22:30"), ("2026-11-03 18:30", "2026-11-03 23:30")],
        ),
        # A meeting inside a gap, asked a week before, one minute before the gap, while it lasts, and when it begins.
        (
            NEW_YORK,
            "FREQ=WEEKLY;BYDAY=SU",
            "2020-03-01 02:30",
            "2026-03-01 07:00",
            [
                ("2026-03-01 02:30", "2026-03-01 07:30"),
                ("2026-03-08 02:30", "2026-03-08 07:30"),
                ("2026-03-15 02:30", "2026-03-15 06:30"),
            ],
        ),
        (NEW_YORK, "FREQ=DAILY", "2020-03-01 02:30", "2026-03-08 06:59", [("2026-03-08 02:30", "2026-03-08 07:30")]),
        (NEW_YORK, "FREQ=DAILY", "2020-03-01 02:30", "2026-03-08 07:29", [("2026-03-08 02:30", "2026-03-08 07:30")]),
        (NEW_YORK, "FREQ=DAILY", "2020-03-01 02:30", "2026-03-08 07:30", [("2026-03-09 02:30", "2026-03-09 06:30")]),
        # A meeting inside a fold is the first of the two, once; asked before, at, and in the second time round.
        (NEW_YORK, "FREQ=DAILY", "2020-03-01 01:30", "2026-11-01 05:29", [("2026-11-01 01:30", "2026-11-01 05:30")]),
        (NEW_YORK, "FREQ=DAILY", "2020-03-01 01:30", "2026-11-01 05:30", [("2026-11-02 01:30", "2026-11-02 06:30")]),
        (NEW_YORK, "FREQ=DAILY", "2020-03-01 01:30", "2026-11-01 06:15", [("2026-11-02 01:30", "2026-11-02 06:30")]),
        # A midnight that there is not.
        (
            "Africa/Cairo",
            "FREQ=DAILY",
            "2024-01-01 00:15",
            "2026-04-22 22:00",
            [
                ("2026-04-23 00:15", "2026-04-22 22:15"),
                ("2026-04-24 00:15", "2026-04-23 22:15"),
                ("2026-04-25 00:15", "2026-04-24 21:15"),
            ],
        ),
        # Half an hour of summer time.
        (
            "Australia/Lord_Howe",
            "FREQ=WEEKLY;BYDAY=SU",
            "2026-01-04 02:15",
            "2026-09-26 00:00",
            [
                ("2026-09-27 02:15", "2026-09-26 15:45"),
                ("2026-10-04 02:15", "2026-10-03 15:45"),
                ("2026-10-11 02:15", "2026-10-10 15:15"),
            ],
        ),
        # A day that there never was: a weekly meeting comes once, a daily one not twice at the same moment.
        (
            "Pacific/Apia",
            "FREQ=WEEKLY;BYDAY=FR",
            "2011-01-07 18:00",
            "2011-12-20 00:00",
            [
                ("2011-12-23 18:00", "2011-12-24 04:00"),
                ("2011-12-30 18:00", "2011-12-31 04:00"),
                ("2012-01-06 18:00", "2012-01-06 04:00"),
            ],
        ),
        (
            "Pacific/Apia",
            "FREQ=DAILY",
            "2011-01-07 18:00",
            "2011-12-30 03:00",
            [
                ("2011-12-29 18:00", "2011-12-30 04:00"),
                ("2011-12-30 18:00", "2011-12-31 04:00"),
                ("2012-01-01 18:00", "2012-01-01 04:00"),
            ],
        ),
        (
            "Pacific/Apia",
            "FREQ=MONTHLY;BYDAY=-1FR",
            "2011-01-28 18:00",
            "2011-12-01 00:00",
            [("2011-12-30 18:00", "2011-12-31 04:00"), ("2012-01-27 18:00", "2012-01-27 04:00")],
        ),
        # Ireland counts winter as the exception, Morocco the month of fasting.
        (
            "Europe/Dublin",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU",
            "2026-03-15 01:30",
            "2026-03-01 00:00",
            [
                ("2026-03-15 01:30", "2026-03-15 01:30"),
                ("2026-03-29 01:30", "2026-03-29 01:30"),
                ("2026-04-12 01:30", "2026-04-12 00:30"),
            ],
        ),
        (
            "Africa/Casablanca",
            "FREQ=WEEKLY;BYDAY=SU",
            "2026-02-01 19:00",
            "2026-02-08 12:00",
            [("2026-02-08 19:00", "2026-02-08 18:00"), ("2026-02-15 19:00", "2026-02-15 19:00")],
        ),
        (
            "Pacific/Chatham",
            "FREQ=MONTHLY;BYDAY=-1SU",
            "2025-12-28 03:00",
            "2026-08-20 00:00",
            [
                ("2026-08-30 03:00", "2026-08-29 14:15"),
                ("2026-09-27 03:00", "2026-09-26 14:15"),
                ("2026-10-25 03:00", "2026-10-24 13:15"),
            ],
        ),
        # Last weekdays where the month has five of them, four, and 28 days.
        (
            "UTC",
            "FREQ=MONTHLY;BYDAY=-1MO",
            "2025-12-01 00:00",
            "2026-01-01 00:00",
            [("2026-01-26 00:00",) * 2, ("2026-02-23 00:00",) * 2, ("2026-03-30 00:00",) * 2],
        ),
        ("UTC", "FREQ=MONTHLY;BYDAY=-1SA", "2025-12-31 23:59", "2026-02-01 00:00", [("2026-02-28 23:59",) * 2]),
        ("UTC", "FREQ=MONTHLY;BYDAY=-1TH", "2023-01-31 23:59", "2024-02-01 00:00", [("2024-02-29 23:59",) * 2]),
    ],
)
def test_a_series_keeps_its_wall_time(
    zone: str, text: str, first: str, after: str, expected: list[tuple[str, str]]
) -> None:
    found = occurrences(Rule.parse(text), wall(first), zone, after=utc(after), limit=len(expected))
    assert found == [Occurrence(wall(local), utc(at)) for local, at in expected]


def test_the_last_day_is_a_local_date_and_counts() -> None:
    tuesdays = Rule("weekly", weekdays=(1,), until=date(2026, 12, 8))
    found = occurrences(tuesdays, wall("2026-12-01 23:30"), NEW_YORK, after=LONG_AGO, limit=9)
    # In UTC the second of them is on December 9 already.
    assert [each.at for each in found] == [utc("2026-12-02 04:30"), utc("2026-12-09 04:30")]
    for gone in ("2026-12-09 04:30", "2030-01-01 00:00"):
        assert occurrences(tuesdays, wall("2026-12-01 23:30"), NEW_YORK, after=utc(gone), limit=9) == []
    before = Rule("daily", until=date(2026, 11, 30))
    assert occurrences(before, wall("2026-12-01 23:30"), NEW_YORK, after=LONG_AGO, limit=9) == []


def test_what_happens_once_happens_once() -> None:
    first = wall("2026-12-03 19:30")
    only = Occurrence(first, utc("2026-12-04 00:30"))
    assert occurrences(Rule("once"), first, NEW_YORK, after=utc("2026-12-04 00:29"), limit=9) == [only]
    assert occurrences(Rule("once"), first, NEW_YORK, after=utc("2026-12-04 00:30"), limit=9) == []
    assert occurrences(Rule("once"), first, NEW_YORK, after=LONG_AGO, limit=0) == []


def test_clocks_that_change_between_two_instants_are_told_with_their_direction() -> None:
    before, behind = utc("2026-10-27 22:30"), utc("2026-11-03 23:30")
    assert clock_change_between(NEW_YORK, before, behind) == timedelta(hours=-1)
    assert clock_change_between(NEW_YORK, behind, before) == timedelta(hours=1)
    assert not clock_change_between(NEW_YORK, behind, behind + timedelta(days=7))
    assert not clock_change_between("Asia/Kathmandu", before, behind)
    half = clock_change_between("Australia/Lord_Howe", utc("2026-10-03 15:29"), utc("2026-10-03 15:30"))
    assert half == timedelta(minutes=30)
    there = [at.astimezone(ZoneInfo(NEW_YORK)) for at in (before, behind)]
    assert clock_change_between(NEW_YORK, *there) == timedelta(hours=-1)


def test_times_that_could_mean_anything_are_errors() -> None:
    daily, first = Rule("daily"), wall("2026-12-03 19:30")
    with pytest.raises(TypeError):
        occurrences(daily, first, NEW_YORK, after=first, limit=1)
    with pytest.raises(TypeError):
        occurrences(daily, first.replace(tzinfo=UTC), NEW_YORK, after=LONG_AGO, limit=1)
    with pytest.raises(TypeError):
        instant(first.replace(tzinfo=UTC), NEW_YORK)
    with pytest.raises(TypeError):
        kind_of(first.replace(tzinfo=UTC), NEW_YORK)
    with pytest.raises(ZoneInfoNotFoundError):
        occurrences(daily, first, "Mars/Olympus", after=LONG_AGO, limit=1)


def test_the_calendar_has_an_end() -> None:
    for rule in (Rule("daily"), Rule("monthly", nth=1, weekday=1), Rule("weekly", 52, (6,))):
        latest = datetime.max.replace(tzinfo=UTC)
        assert occurrences(rule, wall("2026-01-01 20:00"), NEW_YORK, after=latest, limit=3) == []


# At random


@settings(max_examples=2_000)
@given(RULES, FIRSTS, st.sampled_from(ZONES), AFTERS)
@example(Rule("daily"), datetime(2011, 1, 1, 18), "Pacific/Apia", timedelta(days=362))
@example(Rule("weekly", 2, (0, 6)), datetime(2011, 1, 2, 18), "Pacific/Apia", timedelta(days=14))
@example(Rule("monthly", 5, nth=-1, weekday=0), datetime(2012, 1, 31), "UTC", timedelta(days=29))
def test_occurrences_are_those_of_dateutils_plain_evaluation(
    rule: Rule, first: datetime, zone: str, passed: timedelta
) -> None:
    after = first.replace(tzinfo=UTC) + passed
    expected = expected_of(by_dateutil(rule, first), zone, after, 3)
    assert occurrences(rule, first, zone, after=after, limit=3) == expected
    # The boundary: an instant is not later than itself, and what was found is found again from just before it.
    for number, each in enumerate(expected):
        assert occurrences(rule, first, zone, after=each.at, limit=2 - number) == expected[number + 1 :]
        just_before = each.at - timedelta(seconds=1)
        assert occurrences(rule, first, zone, after=just_before, limit=1) == [each]
    if rule.until is None:
        assert len(expected) == 3


@settings(max_examples=300)
@given(RULES, FIRSTS, st.sampled_from(ZONES), AFTERS.map(lambda passed: passed / 6))
def test_occurrences_are_those_of_asking_each_day(rule: Rule, first: datetime, zone: str, passed: timedelta) -> None:
    after = first.replace(tzinfo=UTC) + passed - timedelta(days=2)
    expected = expected_of(by_hand(rule, first), zone, after, 4)
    assert occurrences(rule, first, zone, after=after, limit=4) == expected
