"""Which rules there are, how they are written, and that no other is read."""

from __future__ import annotations

import re
import time
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from recurring import RULES

from peerbot.recurrence import Rule, RuleRefused


@given(RULES)
@example(Rule("once"))
@example(Rule("weekly", 52, (0, 1, 2, 3, 4, 5, 6), until=date(9999, 12, 31)))
def test_a_rule_is_read_as_it_was_written(rule: Rule) -> None:
    assert Rule.parse(rule.text()) == rule
    assert re.fullmatch(r"[A-Z0-9=;,-]{0,67}", rule.text())


def test_rules_are_written_as_calendars_write_them() -> None:
    assert Rule("once").text() == ""
    assert Rule("daily").text() == "FREQ=DAILY"
    assert Rule("weekly", 2, (1,)).text() == "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"
    assert Rule("weekly", weekdays=(0, 4)).text() == "FREQ=WEEKLY;BYDAY=MO,FR"
    last = Rule("monthly", nth=-1, weekday=4, until=date(2026, 12, 31))
    assert last.text() == "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20261231"
    assert Rule.parse("BYDAY=TH,TU;FREQ=WEEKLY") == Rule("weekly", weekdays=(1, 3))


HOSTILE = [
    "FREQ=MINUTELY",
    "FREQ=SECONDLY;INTERVAL=1",
    "FREQ=HOURLY",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=20",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=DAILY;COUNT=1000000000",
    "FREQ=WEEKLY;BYDAY=TU;COUNT=5",
    "FREQ=WEEKLY;BYDAY=TU;WKST=SU",
    "FREQ=WEEKLY;BYDAY=TU;BYSETPOS=1",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=",
    "FREQ=WEEKLY;BYDAY=TU,TU",
    "FREQ=WEEKLY;BYDAY=1TU",
    "FREQ=WEEKLY;BYDAY=XX",
    "FREQ=WEEKLY;BYDAY=TU,",
    "FREQ=WEEKLY;BYDAY= TU",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYDAY=TU",
    "FREQ=MONTHLY;BYDAY=5MO",
    "FREQ=MONTHLY;BYDAY=0MO",
    "FREQ=MONTHLY;BYDAY=-2MO",
    "FREQ=MONTHLY;BYDAY=1MO,3MO",
    "FREQ=MONTHLY;BYDAY=1XX",
    "FREQ=DAILY;BYDAY=TU",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;INTERVAL=-1",
    "FREQ=DAILY;INTERVAL=53",
    "FREQ=DAILY;INTERVAL=1000000000",
    "FREQ=DAILY;INTERVAL=1.5",
    "FREQ=DAILY;INTERVAL=\u0661",
    "FREQ=DAILY;INTERVAL=",
    "FREQ=DAILY;INTERVAL=2\n",
    "FREQ=DAILY;UNTIL=20260230",
    "FREQ=DAILY;UNTIL=20261203T000000Z",
    "FREQ=DAILY;UNTIL=2026-12-03",
    "FREQ=DAILY;UNTIL=00000000",
    "FREQ=DAILY;FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=1;INTERVAL=2",
    "FREQ=DAILY;",
    ";FREQ=DAILY",
    "FREQ",
    "INTERVAL=2",
    "freq=daily",
    "RRULE:FREQ=DAILY",
    "DTSTART:19970902T090000\nRRULE:FREQ=DAILY",
    " ",
    "every tuesday",
    "\x00",
    "FREQ=ONCE",
    "FREQ=WEEKLY;BYDAY=" + "TU," * 1_300,
    "FREQ=DAILY;INTERVAL=" + "9" * 3_980,
    "FREQ=DAILY;" * 363,
    "=" * 4_000,
    ";" * 4_000,
    "\U0001f600" * 4_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_rule_is_refused_at_once(text: str) -> None:
    took: list[float] = []
    for _ in range(5):
        begun = time.perf_counter()
        with pytest.raises(RuleRefused):
            Rule.parse(text)
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.005


@given(st.text(st.sampled_from("FREQ=DAILYWEKMONTHINTERVAL;BYDAY,UNTIL0123456789-\u0663"), max_size=110))
def test_whatever_is_read_is_a_rule_that_can_be_written(text: str) -> None:
    try:
        rule = Rule.parse(text)
    except RuleRefused:
        return
    assert Rule.parse(rule.text()) == rule


@pytest.mark.parametrize(
    "parts",
    [
        {"freq": "yearly"},
        {"freq": "once", "interval": 2},
        {"freq": "once", "until": date(2026, 12, 3)},
        {"freq": "daily", "interval": 0},
        {"freq": "daily", "interval": 53},
        {"freq": "daily", "weekdays": (1,)},
        {"freq": "daily", "nth": 1},
        {"freq": "weekly"},
        {"freq": "weekly", "weekdays": (1, 1)},
        {"freq": "weekly", "weekdays": (3, 1)},
        {"freq": "weekly", "weekdays": (7,)},
        {"freq": "weekly", "weekdays": (1,), "weekday": 1},
        {"freq": "monthly"},
        {"freq": "monthly", "nth": 5, "weekday": 0},
        {"freq": "monthly", "nth": 1, "weekday": 7},
        {"freq": "monthly", "nth": 1, "weekday": 0, "weekdays": (0,)},
    ],
    ids=str,
)
def test_there_is_no_rule_outside_the_whitelist(parts: dict[str, object]) -> None:
    with pytest.raises(RuleRefused):
        Rule(**parts)  # pyright: ignore[reportArgumentType]
