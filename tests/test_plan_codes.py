"""A plan in the id of a button: short enough, read back as it was, and taken from nobody who makes one up."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cogs.meetings import _codes as codes
from cogs.meetings import _plan_buttons as buttons
from cogs.meetings import _words as words
from cogs.meetings._codes import CodeRefused, Draft
from cogs.meetings._plan_cards import unharmed
from peerbot import phrases
from peerbot.recurrence import NTHS, Rule, instant
from peerbot.text import clean, harmless
from peerbot.timetables import LENGTHS

MOST_ID_LETTERS = 100
MINUTES = st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(second=0, microsecond=0))
NEAR = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(second=0, microsecond=0))
INTERVALS = st.integers(1, 52)
ENDS = st.none() | st.dates(date(2026, 1, 1), date(2100, 1, 1))
DAYS = st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days)))
RULES = st.one_of(
    st.just(Rule("once")),
    st.builds(lambda n, end: Rule("daily", n, until=end), INTERVALS, ENDS),
    st.builds(lambda n, days, end: Rule("weekly", n, days, until=end), INTERVALS, DAYS, ENDS),
    st.builds(
        lambda n, nth, day, end: Rule("monthly", n, nth=nth, weekday=day, until=end),
        INTERVALS, st.sampled_from(NTHS), st.integers(0, 6), ENDS,
    ),
)  # fmt: skip
IDS = st.integers(0, codes.MOST_ID)
DRAFTS = st.builds(
    Draft, IDS, st.none() | MINUTES, st.none() | RULES, st.integers(*LENGTHS), IDS, st.integers(0, 10**18)
)
LONGEST = Draft(
    codes.MOST_ID, datetime(2100, 1, 1), Rule("weekly", 52, tuple(range(7)), until=date(2100, 1, 1)), 240,
    codes.MOST_ID, codes.MOST_ID,
)  # fmt: skip


@given(DRAFTS)
@example(LONGEST)
def test_a_plan_comes_back_as_it_was(draft: Draft) -> None:
    code = draft.code()
    assert re.fullmatch(codes.STATE, code)
    assert Draft.parse(code) == draft
    for made in (f"{buttons.ScheduleButton.verb}:{code}", f"form/meetings:plan/{code}/12345678"):
        assert len(made) <= MOST_ID_LETTERS


@settings(max_examples=50)
@given(st.text(max_size=80) | st.from_regex(codes.STATE, fullmatch=True))
@example("1.1.w0-1.1o.0.0")
@example("1.1.w53-1.1o.0.0")
@example("1.1.w-11.1o.0.0")
@example("1.1.m-01.1o.0.0")
@example("1.1.m-61.1o.0.0")
@example("1.1.o-1.1o.0.0")
@example("1.1.d_zzzzz.1o.0.0")
@example("1.zzzzzz.d.1o.0.0")
@example("\u0661.1.d.1o.0.0")
@example("1.1.w\u0662-1.1o.0.0")
def test_what_somebody_made_up_is_a_plan_or_refused(code: str) -> None:
    try:
        draft = Draft.parse(code)
    except CodeRefused:
        return
    assert Draft.parse(draft.code()) == draft
    assert LENGTHS[0] <= draft.minutes <= LENGTHS[1]
    assert max(draft.group_id, draft.channel_id, draft.instead_of) <= codes.MOST_ID


@pytest.mark.parametrize(
    "code", ["", "1", "1.1.w.1o.0.0", "1.1.x.1o.0.0", "1.1.o.4.0.0", "1.1.o.zz.0.0", "-1.1.o.1o.0.0"]
)
def test_a_code_of_something_else_is_refused(code: str) -> None:
    with pytest.raises(CodeRefused):
        Draft.parse(code)


@settings(max_examples=50)
@given(NEAR, st.integers(1, 700))
def test_what_stands_in_a_form_reads_as_the_moment_that_it_is(local: datetime, days: int) -> None:
    zone = "America/New_York"
    now = instant(local, zone) - timedelta(days=days, minutes=1)
    reading = phrases.read(words.typed(local), now=now, zone=zone)
    assert (reading.first, reading.rule) == (local, Rule("once"))


@given(st.text(max_size=100))
@example("@everyone <@1> \\*x* \\\\ #1 @@")
@example("a\\")
def test_words_on_a_card_are_read_back_letter_by_letter(text: str) -> None:
    assert unharmed(harmless(clean(text))) == clean(text)
