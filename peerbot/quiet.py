"""Quiet hours: from ten in the evening to eight in the morning nothing is sent that can wait.

The hours are local wall time of whoever reads: of their own zone, else of their server's.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

BEGINS = time(22)
ENDS = time(8)


def after_quiet(at: datetime, zone: str) -> datetime:
    """Return the moment itself, or the end of the quiet hours that it falls into, in UTC.

    A wall time that a change of clocks skips or repeats is read as RFC 5545 (3.3.5) reads it.
    """
    local = at.astimezone(ZoneInfo(zone))
    wall = local.time()
    if ENDS <= wall < BEGINS:
        return at
    day = local.date() + timedelta(days=1) if wall >= BEGINS else local.date()
    return datetime.combine(day, ENDS, ZoneInfo(zone)).astimezone(UTC)


def before_quiet(at: datetime, zone: str) -> datetime:
    """Return the moment itself, or the beginning of the quiet hours that it falls into, in UTC."""
    local = at.astimezone(ZoneInfo(zone))
    wall = local.time()
    if ENDS <= wall < BEGINS:
        return at
    day = local.date() if wall >= BEGINS else local.date() - timedelta(days=1)
    return datetime.combine(day, BEGINS, ZoneInfo(zone)).astimezone(UTC)
