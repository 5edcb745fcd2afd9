"""Phrases and their only reading; phrases that must be refused; texts that mean harm."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phrase_corpus import NEW_YORK, NOW, READ, REFUSED

from peerbot.phrases import LONGEST, WORDS, PhraseRefused, Reading, read
from peerbot.recurrence import Rule, instant, kind_of
from peerbot.text import Reader


def cases() -> list[tuple[str, str, str]]:
    """Return each phrase with its first meeting and its rule."""
    return [(phrase, first, rule) for (first, rule), phrases in READ.items() for phrase in phrases]


def refusals() -> list[tuple[str, str]]:
    """Return each phrase that must be refused with words of the refusal."""
    return [(phrase, why) for why, phrases in REFUSED.items() for phrase in phrases]


def refusal_of(phrase: str, now: datetime = NOW) -> PhraseRefused | None:
    """Return how a phrase is refused."""
    try:
        read(phrase, now=now, zone=NEW_YORK)
    except PhraseRefused as refused:
        return refused
    return None


def test_the_corpus_is_large_enough() -> None:
    assert len({phrase for phrase, *_ in cases()}) == len(cases()) >= 120
    assert len({phrase for phrase, _ in refusals()}) == len(refusals()) >= 60


@pytest.mark.parametrize(("phrase", "first", "rule"), cases())
def test_a_phrase_has_this_reading(phrase: str, first: str, rule: str) -> None:
    assert read(phrase, now=NOW, zone=NEW_YORK) == Reading(datetime.fromisoformat(first), Rule.parse(rule))


@pytest.mark.parametrize(("phrase", "why"), refusals())
def test_a_phrase_is_refused_with_a_reason(phrase: str, why: str) -> None:
    with pytest.raises(PhraseRefused) as refused:
        read(phrase, now=NOW, zone=NEW_YORK)
    said = Reader().say(refused.value.text)
    assert why in said
    assert said.isascii()
    assert "{" not in said


def test_an_example_in_a_refusal_can_be_read() -> None:
    said = [Reader().say(refused.text) for refused in map(refusal_of, [phrase for phrase, _ in refusals()]) if refused]
    examples = {part for sentence in said for part in sentence.split("**")[1::2]}
    assert len(examples) >= 8
    for each in examples:
        # Some are only a time, because the rest was clear.
        phrase = (
            each
            if any(letter in each.replace("pm", "").replace("am", "") for letter in "aeiou")
            else f"tomorrow {each}"
        )
        read(phrase, now=NOW, zone=NEW_YORK)


def test_a_day_before_all_others_is_refused_where_the_sun_rises_first() -> None:
    with pytest.raises(PhraseRefused):
        read("jan 1 0001 00:30", now=NOW, zone="Pacific/Chatham")


@pytest.mark.parametrize(
    ("zone", "phrase", "first"),
    [
        # 15:00 UTC is Thursday already on Chatham (04:45), and Wednesday in Honolulu (05:00).
        ("Pacific/Chatham", "today 7pm", "2026-11-26 19:00"),
        ("Pacific/Chatham", "wednesday 7pm", "2026-12-02 19:00"),
        ("Pacific/Chatham", "every day 5am", "2026-11-26 05:00"),
        ("Pacific/Chatham", "every day 4am", "2026-11-27 04:00"),
        ("Pacific/Honolulu", "tomorrow 7pm", "2026-11-26 19:00"),
        ("Pacific/Honolulu", "every wednesday 06:00", "2026-11-25 06:00"),
    ],
)
def test_days_are_those_of_the_zone(zone: str, phrase: str, first: str) -> None:
    assert read(phrase, now=NOW, zone=zone).first == datetime.fromisoformat(first)


def test_wall_times_that_clocks_skip_or_repeat_are_for_the_caller_to_point_out() -> None:
    gap = read("mar 14 2:30am", now=NOW, zone=NEW_YORK)
    assert kind_of(gap.first, NEW_YORK) == "gap"
    before = datetime(2026, 10, 30, 12, 0, tzinfo=UTC)
    fold = read("sunday 1:30am", now=before, zone=NEW_YORK)
    assert fold.first == datetime.fromisoformat("2026-11-01 01:30")
    assert kind_of(fold.first, NEW_YORK) == "fold"


def test_a_time_inside_a_fold_has_passed_once_its_first_round_has() -> None:
    for minute, left in ((29, True), (30, False)):
        now = datetime(2026, 11, 1, 5, minute, tzinfo=UTC)
        assert (refusal_of("today 1:30am", now) is None) is left
        first = read("every sunday 1:30am", now=now, zone=NEW_YORK).first
        assert first == datetime.fromisoformat("2026-11-01 01:30" if left else "2026-11-08 01:30")


HOSTILE = [
    " " * 4_000,
    "1" * 4_000,
    "1 " * 2_000,
    "every " * 666,
    "7pm " * 1_000,
    "tuesday and " * 333,
    "a.m." * 1_000,
    "\u0301" * 4_000,
    "\U0001f600" * 4_000,
    "\u0663" * 4_000,
    "\x00" * 4_000,
    # As long as is looked at, which is where a bad expression would show.
    "1 " * 40,
    "tue " * 20,
    "p. " * 26,
    "at " * 26,
    "1." * 40,
    "1-" * 40,
    "every " * 13,
    ("w1 and " * 12)[:LONGEST],
    " " * LONGEST,
    "every second " * 6,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_is_refused_at_once(text: str) -> None:
    took: list[float] = []
    for _ in range(5):
        begun = time.perf_counter()
        with pytest.raises(PhraseRefused):
            read(text, now=NOW, zone=NEW_YORK)
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.005


PIECES = [*WORDS, "7pm", "18:30", "6:30 pm", "noon", "3rd", "2026", "2026-12-03", "12", "1", "at", "next", ",", "31"]


PHRASES = st.sampled_from([phrase for phrase, *_ in cases()])


@given(PHRASES | st.lists(st.sampled_from(PIECES), max_size=9).map(" ".join), st.integers(0, 366 * 24 * 60))
@example("every day 7pm", 0)
@example("dec 31 9999 11:59pm", 0)
def test_whatever_is_read_is_still_to_come_and_one_of_its_own_rule(phrase: str, minutes: int) -> None:
    now = NOW + timedelta(minutes=minutes)
    if refusal_of(phrase, now):
        return
    reading = read(phrase, now=now, zone=NEW_YORK)
    assert instant(reading.first, NEW_YORK) > now
    rule = reading.rule
    assert not rule.weekdays or reading.first.weekday() in rule.weekdays
    assert rule.weekday is None or reading.first.weekday() == rule.weekday


@given(st.text(max_size=LONGEST + 5))
def test_any_text_is_read_or_refused(text: str) -> None:
    refusal_of(text)
