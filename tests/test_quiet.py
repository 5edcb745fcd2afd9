"""Quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from peerbot.quiet import after_quiet


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("Europe/Berlin", "2026-11-25T12:00", "2026-11-25T12:00"),
        ("Europe/Berlin", "2026-11-25T20:59", "2026-11-25T20:59"),  # 21:59 there
        ("Europe/Berlin", "2026-11-25T21:00", "2026-11-26T07:00"),  # 22:00 there
        ("Europe/Berlin", "2026-11-25T23:30", "2026-11-26T07:00"),  # half past midnight there
        ("Europe/Berlin", "2026-11-26T06:59", "2026-11-26T07:00"),
        ("Europe/Berlin", "2026-11-26T07:00", "2026-11-26T07:00"),
        ("America/New_York", "2026-11-26T02:59", "2026-11-26T02:59"),  # 21:59 there
        ("America/New_York", "2026-11-26T03:00", "2026-11-26T13:00"),
        ("Asia/Kathmandu", "2026-11-25T16:15", "2026-11-26T02:15"),  # a zone of quarters of an hour
        ("America/New_York", "2026-11-01T03:00", "2026-11-01T13:00"),  # the clocks go back in that night
        ("America/New_York", "2026-03-08T03:30", "2026-03-08T12:00"),  # and forward in that one
    ],
)
def test_what_falls_into_the_night_waits_for_the_morning_of_whoever_reads(zone: str, at: str, expected: str) -> None:
    assert after_quiet(_utc(at), zone) == _utc(expected)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
