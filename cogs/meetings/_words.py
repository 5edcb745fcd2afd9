"""How facilitators read times and rules: wall time in words with its zone, and each reader's own beside it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_skeleton, format_time, get_day_names, get_timezone_location

from peerbot.recurrence import Rule
from peerbot.text import PSEUDO, Reader, Text, Verbatim, _, n_, timestamp

NTHS = {
    1: _("First {day} of each month"),
    2: _("Second {day} of each month"),
    3: _("Third {day} of each month"),
    4: _("Fourth {day} of each month"),
    -1: _("Last {day} of each month"),
}
HOUR, NOON = 60, 12


def when(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return a moment in words, and as it is for the reader: their own time, and how far away it is."""
    own, soon = timestamp(at, "F"), timestamp(at, "R")
    return Verbatim(
        reader.say(_("**{words}**. For you: {own}, {soon}", words=words(at, zone, reader), own=own, soon=soon))
    )


def words(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return "Tuesday, December 1, 6:30 pm (New York)"."""
    text = _("{day}, {time} ({city})", day=day(at, zone, reader), time=clock(at, zone, reader), city=city(zone, reader))
    return Verbatim(reader.say(text))


def short(local: datetime, reader: Reader) -> str:
    """Return a wall time for a choice, which shows no timestamps: "Tue, Dec 1, 6:30 pm"."""
    date = format_skeleton("MMMEd", local, locale=_locale(reader))
    return reader.say(_("{day}, {time}", day=Verbatim(date), time=wall_clock(local, reader)))


def day(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return the day of a moment in a zone: "Tuesday, December 1"."""
    return Verbatim(format_datetime(at, "EEEE, MMMM d", tzinfo=ZoneInfo(zone), locale=_locale(reader)))


def clock(at: datetime, zone: str, reader: Reader) -> Verbatim:
    """Return what clocks in a zone show at a moment: "6:30 pm"."""
    return wall_clock(at.astimezone(ZoneInfo(zone)).replace(tzinfo=None), reader)


def wall_clock(local: datetime, reader: Reader) -> Verbatim:
    """Return a time of day: "6:30 pm"."""
    shown = format_time(local, "short", locale=_locale(reader)).replace("\u202f", " ")
    return Verbatim(shown.lower() if _locale(reader).language == "en" else shown)


def city(zone: str, reader: Reader) -> Verbatim:
    """Return the city that a zone is named after."""
    if "/" not in zone:
        return Verbatim(zone)
    named = get_timezone_location(ZoneInfo(zone), locale=_locale(reader), return_city=True)
    return Verbatim(named.rsplit("/", 1)[-1])


def length(minutes: int) -> Text:
    """Return how long something takes."""
    if minutes % HOUR == 0:
        return n_("{n} hour", "{n} hours", minutes // HOUR)
    return n_("{n} minutes", "{n} minutes", minutes)


def typed(local: datetime) -> str:
    """Return a wall time as phrases.read takes it, to stand in a form: "dec 1 2026 6:30 pm"."""
    if local.hour == 0:
        return f"{typed_day(local)} {local:%H:%M}"
    half = "pm" if local.hour >= NOON else "am"
    return f"{typed_day(local)} {(local.hour - 1) % NOON + 1}:{local:%M} {half}"


def typed_day(local: datetime) -> str:
    """Return a day as phrases.read takes it: "dec 1 2026"."""
    return f"{format_date(local, 'MMM', locale='en').lower()} {local.day} {local.year}"


def repeats(rule: Rule, reader: Reader) -> Text:
    """Return how a rule repeats: "Every Tuesday", "Last Friday of each month"."""
    names = get_day_names("wide", locale=_locale(reader))
    if rule.until is not None:
        end = Verbatim(format_date(rule.until, "long", locale=_locale(reader)))
        rule = Rule(rule.freq, rule.interval, rule.weekdays, rule.nth, rule.weekday)
        return _("{repeats}, until {end}", repeats=repeats(rule, reader), end=end)
    if rule.freq == "once":
        return _("Once")
    if rule.freq == "daily":
        return n_("Every day", "Every {n} days", rule.interval)
    if rule.freq == "weekly":
        days = reader.say(_(" and ")).join(str(names[each]) for each in rule.weekdays)
        return n_("Every {days}", "Every {n} weeks on {days}", rule.interval, days=Verbatim(days))
    counted = Text(NTHS[rule.nth or 1].message, {"day": Verbatim(names[rule.weekday or 0])})
    if rule.interval == 1:
        return counted
    return _("{counted}, every {n} months", counted=counted, n=rule.interval)


def change_day(zone: str, before: datetime, after: datetime) -> datetime:
    """Return noon of the day on which clocks change between two instants, which have another offset."""
    place = ZoneInfo(zone)
    noon = before.astimezone(place).replace(hour=NOON, minute=0, tzinfo=None)
    offset = before.astimezone(place).utcoffset()
    while noon < after.astimezone(place).replace(tzinfo=None):
        if noon.replace(tzinfo=place).utcoffset() != offset:
            return noon.replace(tzinfo=place)
        noon += timedelta(days=1)
    return after


def _locale(reader: Reader) -> Locale:
    """Return Babel's locale; one that it does not know is read in English."""
    try:
        return Locale("en") if reader.locale == PSEUDO else Locale.parse(reader.locale.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return Locale("en")
