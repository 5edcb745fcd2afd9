"""One way to write a moment for a reader: the wall time of the group in words, and Discord's timestamps beside it.

The words name the zone, so that two people can speak of the same meeting; the timestamps show each reader's own time.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime, format_time, get_timezone_location

from peerbot.languages import language
from peerbot.text import Reader, Text, Verbatim, _, n_, timestamp

HOUR = 60
SKELETONS = ("MMMMEEEEd", "MMMMEd", "MMMEd", "MEd")
"""Patterns of a day with its weekday and without its year, the longest first; not every language has each."""
FIELDS = re.compile(r"'[^']*'|[EcML]+")
WIDE = {"E": "EEEE", "c": "cccc", "MMM": "MMMM", "LLL": "LLLL"}


def when(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return a moment in words and as timestamps, to be put into a sentence or to stand alone.

    "Tuesday, December 1, 6:30 pm (New York) · <t:1796167800:F> for you, <t:1796167800:R>"
    """
    text = _(
        "{words} · {local} for you, {soon}",
        words=words(at, zone, reader), local=timestamp(at, "F"), soon=timestamp(at, "R"),
    )  # fmt: skip
    return Verbatim(reader.say(text))


def words(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return a moment in words alone: "Tuesday, December 1, 6:30 pm (New York)", in the reader's language."""
    text = _("{day}, {time} ({city})", day=day(at, zone, reader), time=clock(at, zone, reader), city=city(zone, reader))
    return Verbatim(reader.say(text))


def short(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return a moment for a button or a choice, which show no timestamps: "Tue, Dec 1, 6:30 pm"."""
    locale = language(reader.locale)
    date = Verbatim(format_datetime(at, _pattern(locale, "MMMEd"), tzinfo=ZoneInfo(zone), locale=locale))
    return Verbatim(reader.say(_("{day}, {time}", day=date, time=clock(at, zone, reader))))


def day(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return the day of a moment in a zone: "Tuesday, December 1"."""
    locale = language(reader.locale)
    wide = FIELDS.sub(_widened, _pattern(locale, *SKELETONS))
    return Verbatim(format_datetime(at, wide, tzinfo=ZoneInfo(zone), locale=locale))


def clock(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return what clocks in a zone show at a moment: "6:30 pm", or "18:30" where that is usual."""
    return wall_clock(at.astimezone(ZoneInfo(zone)).replace(tzinfo=None), reader)


def wall_clock(local: datetime, reader: Reader) -> Verbatim:
    """Return a time of day on a clock, also one that a change of clocks skips: "6:30 pm"."""
    locale = language(reader.locale)
    shown = format_time(local, "short", locale=locale).replace("\u202f", " ")
    return Verbatim(shown.lower() if locale.language == "en" else shown)


def city(zone: str, reader: Reader) -> Verbatim:
    """Return the city that a zone is named after, in the reader's language."""
    if "/" not in zone:
        return Verbatim(zone)
    named = get_timezone_location(ZoneInfo(zone), locale=language(reader.locale), return_city=True)
    return Verbatim(named.rsplit("/", 1)[-1])


def length(minutes: int) -> Text:
    """Return how long something takes: "1 hour", "90 minutes"."""
    if minutes % HOUR == 0:
        return n_("{n} hour", "{n} hours", minutes // HOUR)
    return n_("{n} minute", "{n} minutes", minutes)


def minutes_between(a: datetime, b: datetime) -> int:
    """Return the whole minutes from one moment to another."""
    return (b - a) // timedelta(minutes=1)


def _pattern(locale: Locale, *skeletons: str) -> str:
    known = locale.datetime_skeletons
    return next((known[each].pattern for each in skeletons if each in known), "EEEE, MMMM d")


def _widened(field: re.Match[str]) -> str:
    letters = field.group()
    return WIDE.get(letters) or (WIDE.get(letters[0], letters) if letters[0] in "Ec" else letters)
