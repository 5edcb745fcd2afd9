"""How a rule reads, and how a wall time stands in a form. Moments are written by peerbot.times."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_date, get_day_names

from peerbot.languages import language
from peerbot.recurrence import Rule
from peerbot.text import Reader, Text, Verbatim, _, n_

NTHS = {
    1: _("First {day} of each month"),
    2: _("Second {day} of each month"),
    3: _("Third {day} of each month"),
    4: _("Fourth {day} of each month"),
    -1: _("Last {day} of each month"),
}
NOON = 12


def typed(local: datetime) -> str:
    """Return a wall time as phrases.read takes it, to stand in a form: "dec 1 2026 6:30 pm"."""
    if local.hour == 0:
        return f"{typed_day(local)} {local:%H:%M}"
    half = "pm" if local.hour >= NOON else "am"
    return f"{typed_day(local)} {(local.hour - 1) % NOON + 1}:{local:%M} {half}"


def typed_day(local: datetime) -> str:
    """Return a day as phrases.read takes it: "dec 1 2026"."""
    return f"{format_date(local, 'MMM', locale=language('en')).lower()} {local.day} {local.year}"


def repeats(rule: Rule, reader: Reader) -> Text:
    """Return how a rule repeats: "Every Tuesday", "Last Friday of each month"."""
    names = get_day_names("wide", locale=language(reader.locale))
    if rule.until is not None:
        end = Verbatim(format_date(rule.until, "long", locale=language(reader.locale)))
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
