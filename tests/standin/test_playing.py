"""When the tour begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from peerbot.rehearsal.playing import HERE, first_moment


@pytest.mark.parametrize("day", range(0, 400, 3))
def test_the_tour_begins_ahead_on_a_tuesday_at_noon_with_clocks_that_change_47_days_later(day: int) -> None:
    now = datetime(2026, 11, 26, 17, 30, tzinfo=UTC) + timedelta(days=day)
    first = first_moment(now)
    here = first.astimezone(HERE)
    assert now < first < now + timedelta(days=285)
    assert (here.weekday(), here.hour) == (1, 12)
    before, after = ((here.replace(hour=0) + timedelta(days=days)).utcoffset() for days in (47, 48))
    assert before != after
