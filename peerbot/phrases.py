"""What "every other thursday 6:30 pm" means: a first wall time and a rule, or a kind refusal.

Decides which English phrases have only one reading, and takes no others: the grammar has to match the whole text, and
what people read in two ways (a time without am or pm, 5/12, "next tuesday", "biweekly", "every second thursday",
midnight) is refused by name, with an example. Relative days count in the zone that is given, the group's.

The invariant: nothing is guessed. What is returned is later than `now`, and whoever asks shows it before it is kept.
Wall times that a change of clocks skips or repeats pass (`recurrence.kind_of` tells). dateparser is not asked as well:
of the phrases that this refuses it reads too many wrongly, and nothing here could tell which.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from peerbot.recurrence import MOST_INTERVAL, NTHS, Rule, instant, occurrences
from peerbot.text import Text, Verbatim, _, clean

LONGEST = 80
"""Characters of a phrase; a longer one is not looked at."""
YEAR_NEEDED = timedelta(days=183)
"""A date further away than this is taken only with its year: more often it is a slip than a plan."""
FARTHEST = timedelta(days=731)
NOON = 12
EVENING = time(17)
"""When "tonight" may begin."""

WEEKDAYS = (
    ("monday", "mon"),
    ("tuesday", "tue", "tues"),
    ("wednesday", "wed", "weds"),
    ("thursday", "thu", "thur", "thurs"),
    ("friday", "fri"),
    ("saturday", "sat"),
    ("sunday", "sun"),
)
MONTHS = (
    ("january", "jan"),
    ("february", "feb"),
    ("march", "mar"),
    ("april", "apr"),
    ("may",),
    ("june", "jun"),
    ("july", "jul"),
    ("august", "aug"),
    ("september", "sep", "sept"),
    ("october", "oct"),
    ("november", "nov"),
    ("december", "dec"),
)
ORDINALS = ("first", "second", "third", "fourth", "fifth")
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

WORDS: dict[str, str] = {
    **{name: f"w{day}" for day, names in enumerate(WEEKDAYS) for name in names},
    **{f"{names[0]}s": f"p{day}" for day, names in enumerate(WEEKDAYS)},
    **{name: f"m{month}" for month, names in enumerate(MONTHS, 1) for name in names},
    **{name: f"o{number}" for number, name in enumerate(ORDINALS, 1)},
    **{name: str(number) for number, name in enumerate(NUMBERS, 1)},
    **{word: word for word in ("after", "and", "day", "every", "from", "in", "month", "of", "on", "other", "starting")},
    **{word: word for word in ("this", "today", "tomorrow", "tonight", "week")},
    "the": "",
    "last": "o-1",
    "a": "1",
    "&": "and",
    "each": "every",
    "days": "day",
    "weeks": "week",
    "months": "month",
    "everyday": "every day",
    "daily": "every day",
    "weekly": "every week",
    "fortnightly": "every 2 week",
    "monthly": "every month",
    "beginning": "starting",
}
"""What the grammar is written in: w0 a weekday, p0 its plural, m1 a month, o1 first, o-1 last; plain words stay."""


class PhraseRefused(ValueError):
    """The phrase has no reading, or more than one; `text` is a sentence for whoever typed it."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.message)
        self.text = text


class SeriesNamed(PhraseRefused):
    """Refused with a series as an example, which helps nobody who was asked for one moment."""


@dataclass(frozen=True)
class Reading:
    """What a phrase means."""

    first: datetime
    """The wall time of the first meeting, naive."""
    rule: Rule


def read(text: str, *, now: datetime, zone: str, on: date | None = None) -> Reading:
    """Return the only reading of a phrase, in a zone and later than `now` (aware); raises PhraseRefused.

    A time alone is `on` a day where one is given, and else it is not clear.
    """
    if len(text) > LONGEST:
        raise SeriesNamed(
            _("That is longer than I can read. A short line is enough, like **{example}**.", example=_EXAMPLE)
        )
    phrase = _tidy(text)
    _refuse_what_has_two_readings(phrase)
    day, at = _without_time(phrase)
    reader = _Reader(now, zone, at)
    words, starting, start = _in_own_words(day).partition(" starting ")
    for pattern, take in _SERIES:
        if found := pattern.fullmatch(words):
            rule = take(found)
            return reader.series(rule, start.removeprefix("on ") if starting else None)
    if starting:
        raise _not_sure()
    on = on if on is not None and not words else reader.day(words)
    return Reading(reader.not_past(on), Rule("once"))


_EXAMPLE = Verbatim("every other thursday 6:30 pm")


def _not_sure() -> PhraseRefused:
    return SeriesNamed(
        _(
            "I'm not sure what that means. These I can read: **{one}**, **{two}**, **{three}**.",
            one=_EXAMPLE,
            two=Verbatim("first tuesday 19:00"),
            three=Verbatim("dec 3 7:30 pm"),
        )
    )


def _tidy(text: str) -> str:
    """Return the phrase in lower case with plain digits and single spaces."""
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in clean(text))
    plain = " ".join(plain.replace(",", " ").lower().split()).rstrip(".!")
    plain = re.sub(r"\b([ap])\.? ?m\b\.?", r"\1m", plain)
    return re.sub(r"([a-z])\.(?= |$)", r"\1", plain)


_NUMERIC_DATE = re.compile(r"(?<![\d-])(?:\d{1,4}/\d{1,2}|\d{1,2}-\d{1,2}-\d|\d{1,2}\.\d{1,2}\.|\d{4}[./]\d)")
_DOT_DATE = re.compile(r"(?<!\S)\d{1,2}\.(?:0?[1-9]|1[0-2])(?= |$)(?! [ap]m\b)")
_ZONE = re.compile(
    r"\b(?:z|utc|gmt|[abhijkn]st|[ecmp][sd]?t|[wce]es?t|a[cekw][sd]t|nz[sd]t|eastern|central|mountain|pacific)\b|\+"
)
_MIDNIGHT = re.compile(r"\bmidnight\b|(?<!\S)(?:12|0?0)(?:[:.]\d\d)? ?am\b")
_OTHER_WORDS_FOR_TWO = re.compile(r"\b(?:bi|semi|fort)-?(?:weekly|monthly|nightly)\b|\btwice\b")
_EVERY_SECOND = re.compile(r"\b(?:every|each) (?:second|third|fourth|fifth|2nd|3rd|4th|5th) (?!.*\bmonth\b)(\w+)")


def _refuse_what_has_two_readings(phrase: str) -> None:
    """Say what is not clear, where it can be named."""
    if _NUMERIC_DATE.search(phrase) or _DOT_DATE.search(phrase):
        raise PhraseRefused(
            _("Numbers like 5/12 are read in two ways. Please write the month as a word, like **dec 5 7:30 pm**.")
        )
    if _ZONE.search(phrase):
        raise PhraseRefused(_("I use the group's time zone. Please leave the zone out, like **7:30 pm**."))
    if _MIDNIGHT.search(phrase):
        raise PhraseRefused(
            _("Midnight could belong to either day. Please write **00:00** with the new day, or a minute more or less.")
        )
    if "next" in phrase.split():
        raise PhraseRefused(
            _('"Next" is read in two ways. Please write the date, like **dec 8 7:30 pm**, or **tomorrow 7:30 pm**.')
        )
    if (found := _OTHER_WORDS_FOR_TWO.search(phrase)) and found[0] != "fortnightly":
        raise SeriesNamed(
            _("That word has two meanings. Please write **every other thursday 6:30 pm**, or name each weekday.")
        )
    if _EVERY_SECOND.search(phrase):
        raise SeriesNamed(
            _(
                "That is read in two ways. Please write **every other thursday 6:30 pm**, or "
                "**second thursday of the month 6:30 pm**."
            )
        )


_TIME = re.compile(
    r"(?:^| )(?:at |@ ?)?(?:(?P<noon>(?:12 )?noon)"
    r"|(?P<hour>0?[1-9]|1[0-2])(?:[:.](?P<minute>[0-5]\d))? ?(?P<half>[ap])m"
    r"|(?P<clock>(?:[01]?\d|2[0-3])[:.][0-5]\d))(?= |$)"
)
_BEHIND_A_TIME = ("on", "every", "each", "starting", "from", "beginning", "weekly", "daily", "monthly", "fortnightly")


def _without_time(phrase: str) -> tuple[str, time]:
    """Return the phrase without its only time, and that time."""
    found = list(_TIME.finditer(phrase))
    if not found:
        raise PhraseRefused(
            _("I don't see a clear time in that. Please write it like **6:30 pm** or **18:30**, and only one.")
        )
    if len(found) > 1:
        raise PhraseRefused(_("I see more than one time in that. Please write only when it begins."))
    before, behind = phrase[: found[0].start()].strip(), phrase[found[0].end() :].strip()
    if before and behind and behind.split()[0] not in _BEHIND_A_TIME:
        raise _not_sure()
    return f"{before} {behind}".strip(), _time(found[0])


def _time(found: re.Match[str]) -> time:
    if found["noon"]:
        return time(NOON)
    if found["half"]:
        return time(int(found["hour"]) % NOON + (NOON if found["half"] == "p" else 0), int(found["minute"] or 0))
    digits = found["clock"]
    hour, minute = int(digits[:-3]), int(digits[-2:])
    if 1 <= hour <= NOON and not digits.startswith("0"):
        morning = f"{hour}:{minute:02} am" if hour < NOON else f"00:{minute:02}"
        raise PhraseRefused(
            _(
                "Is that morning or evening? Please write **{morning}** or **{evening}**.",
                morning=Verbatim(morning),
                evening=Verbatim(f"{hour}:{minute:02} pm"),
            )
        )
    return time(hour, minute)


_DAY_NUMBER = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")
_NUMBER = re.compile(r"\d{1,2}|\d{4}|\d{4}-\d\d-\d\d")


def _in_own_words(phrase: str) -> str:
    """Return the phrase in the words that the grammar is written in; a word that it does not know is refused."""
    words: list[str] = []
    for word in phrase.split():
        if word in WORDS:
            words.append(WORDS[word])
        elif found := _DAY_NUMBER.fullmatch(word):
            words.append(f"o{int(found[1])}")
        elif _NUMBER.fullmatch(word):
            words.append(word)
        else:
            raise _not_sure()
    return " ".join(" ".join(words).split()).removeprefix("on ")


_DAYS = r"(?P<days>[wp]\d(?: (?:and )?[wp]\d){0,6})"
_PLURALS = r"(?P<days>p\d(?: (?:and )?p\d){0,6})"
_NTH = r"o(?P<nth>-?\d{1,2}) w(?P<day>\d)"


def _every(unit: str) -> str:
    return rf"every (?:(?P<every>\d{{1,2}}|other) )?{unit}"


def _weekly(found: re.Match[str]) -> Rule:
    days = [int(day) for day in re.findall(r"[wp](\d)", found["days"])]
    if len(set(days)) != len(days):
        raise _not_sure()
    return Rule("weekly", _interval(found), tuple(sorted(days)))


def _every_other(found: re.Match[str]) -> Rule:
    return Rule("weekly", 2, (int(found["day"]),))


def _daily(found: re.Match[str]) -> Rule:
    return Rule("daily", _interval(found))


def _monthly(found: re.Match[str]) -> Rule:
    nth = int(found["nth"])
    if nth not in NTHS:
        raise SeriesNamed(
            _("Not every month has that day. The first to the fourth and the last I can do, like **last friday 7 pm**.")
        )
    return Rule("monthly", _interval(found), nth=nth, weekday=int(found["day"]))


def _interval(found: re.Match[str]) -> int:
    every = found.groupdict().get("every") or "1"
    interval = 2 if every == "other" else int(every)
    if interval < 1:
        raise _not_sure()
    if interval > MOST_INTERVAL:
        raise SeriesNamed(_("That is too rare for me. 52 is the most: **every 52 weeks on tuesday 7 pm**."))
    return interval


_SERIES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Rule]], ...] = (
    (re.compile(rf"every {_DAYS}"), _weekly),
    (re.compile(_PLURALS), _weekly),
    (re.compile(rf"{_every('week')} (?:on )?{_DAYS}"), _weekly),
    (re.compile(rf"{_DAYS} {_every('week')}"), _weekly),
    (re.compile(r"every other w(?P<day>\d)"), _every_other),
    (re.compile(_every("day")), _daily),
    (re.compile(rf"(?:every )?{_NTH}(?: (?:of|in) (?:every )?month| every month)?"), _monthly),
    (re.compile(rf"{_every('month')} (?:on )?{_NTH}"), _monthly),
)

_FROM_TODAY = re.compile(r"in (\d{1,2}) (day|week)|(\d{1,2}) (day|week) from today")
_DATE = re.compile(
    r"(?:w(?P<weekday>\d) )?(?:m(?P<month>\d{1,2}) o?(?P<day>\d{1,2})|o?(?P<day_>\d{1,2}) (?:of )?m(?P<month_>\d{1,2}))"
    r"(?: (?P<year>\d{4}))?"
)
_ISO = re.compile(r"(?:w(?P<weekday>\d) )?(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)")
_WEEKDAY = re.compile(r"(this )?w(\d)")


@dataclass(frozen=True)
class _Reader:
    """Somebody who reads at an instant in a zone, and knows the time of day already."""

    now: datetime
    zone: str
    at: time

    @property
    def today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def series(self, rule: Rule, start: str | None) -> Reading:
        """Return the first meeting of a series, which is the next that the weekday or the month allows."""
        if start is None:
            # The interval counts from the first one; any week or month would do for it.
            begin, after = datetime.combine(self.today, self.at), self.now
            found = occurrences(replace(rule, interval=1), begin, self.zone, after=after, limit=1)
            return Reading(found[0].local, rule)
        first = self.not_past(self.day(start))
        found = occurrences(rule, first, self.zone, after=instant(first, self.zone) - timedelta(seconds=1), limit=1)
        if found[0].local != first:
            raise PhraseRefused(_("The first day is not one of the days it repeats on. Please look at both again."))
        return Reading(first, rule)

    def not_past(self, day: date) -> datetime:
        """Return the day at the time of day, if it is still to come, and not in a far year."""
        if day - self.today > FARTHEST:
            raise PhraseRefused(_("That is more than two years away. Please look at the year again."))
        local = datetime.combine(day, self.at)
        if day < self.today or instant(local, self.zone) <= self.now:
            raise PhraseRefused(_("That time has passed already. Please choose one that is still to come."))
        return local

    def day(self, words: str) -> date:
        """Return the only day that the words mean."""
        if words == "today":
            return self.today
        if words == "tonight" and self.at >= EVENING:
            return self.today
        if words == "tomorrow":
            return self.today + timedelta(days=1)
        if words == "day after tomorrow":
            return self.today + timedelta(days=2)
        if found := _FROM_TODAY.fullmatch(words):
            number, unit = int(found[1] or found[3]), found[2] or found[4]
            return self.today + timedelta(days=number * (7 if unit == "week" else 1))
        if found := _WEEKDAY.fullmatch(words):
            return self._coming(int(found[2]), this=bool(found[1]))
        if found := _DATE.fullmatch(words):
            month, day = int(found["month"] or found["month_"]), int(found["day"] or found["day_"])
            return self._on(found, self._dated(found["year"], month, day))
        if found := _ISO.fullmatch(words):
            return self._on(found, self._dated(found["year"], int(found["month"]), int(found["day"])))
        raise _not_sure()

    def _coming(self, weekday: int, *, this: bool) -> date:
        ahead = (weekday - self.today.weekday()) % 7
        if ahead == 0:
            raise PhraseRefused(
                _("Today, or in a week? Please write **today 7:30 pm** or the date, like **dec 8 7:30 pm**.")
            )
        if this and weekday < self.today.weekday():
            raise PhraseRefused(_("I'm not sure which week you mean. Please write the date, like **dec 8 7:30 pm**."))
        return self.today + timedelta(days=ahead)

    def _dated(self, year: str | None, month: int, day: int) -> date:
        """Return a date; without a year the next one, if it is near."""
        years = [int(year)] if year else [self.today.year, self.today.year + 1]
        there = [found for found in (_date(each, month, day) for each in years) if found]
        if not there:
            raise PhraseRefused(_("There is no such day. Please look at the date again."))
        if year:
            return there[0]
        for found in there:
            if self.today <= found <= self.today + YEAR_NEEDED:
                return found
        raise PhraseRefused(_("Which year do you mean? Please write it too, like **dec 3 2027 7:30 pm**."))

    def _on(self, found: re.Match[str], day: date) -> date:
        """Return the day if it is the weekday that was written with it."""
        if found["weekday"] and int(found["weekday"]) != day.weekday():
            raise PhraseRefused(_("That date is another weekday. Please write the date alone, or look at both again."))
        return day


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
