"""Which help lines a person may be shown, and which country they mean.

A number that is wrong is worse than none. So rows of low confidence are never shown, nor any whose check is older than
two years; the strings of the file are shown as they stand; and a country that is not certain is asked, never guessed.
No country ever stands in for another: where nothing is left, the directory is.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from typing import Annotated, Literal, NamedTuple

from babel.dates import format_skeleton
from msgspec import Meta, Struct, json

from peerbot import countries
from peerbot.countries import country_name
from peerbot.errors import NotValid
from peerbot.languages import language
from peerbot.text import _, clean

MOST_COUNTRIES = 3
MOST_ROUTES = 3
"""Long lists are hard to use in distress."""
OLDEST_CHECK = 2
"""Years after which a check no longer counts."""

Way = Literal["call", "text", "chat"]
# A pattern is looked for anywhere in a text, and $ would let a line break follow.
Code = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
Words = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f`]+\Z")]
Dialled = Annotated[str, Meta(max_length=80, pattern=r"^[^+\x00-\x1f`][^\x00-\x1f`]*\Z")]
Https = Annotated[str, Meta(max_length=200, pattern=r"^https://[^\s<>]+\Z")]
Checked = Annotated[str, Meta(pattern=r"^20\d\d(-\d\d(-\d\d)?)?\Z")]
Sources = Annotated[list[Words], Meta(min_length=1)]


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file; what the schema does not name is refused."""


class Check(Row, frozen=True):
    """When a row was last confirmed, as exactly as its source says: a year, a month or a day."""

    checked: Checked

    @property
    def checked_on(self) -> date:
        """The day of the check; of a month or a year, the first day."""
        year, month, day = ([int(part) for part in self.checked.split("-")] + [1, 1])[:3]
        return date(year, month, day)

    def __post_init__(self) -> None:
        _ = self.checked_on  # raises ValueError for a day that no calendar has

    def checked_in(self, locale: str) -> str:
        """Return the date of the check as a reader writes it, no more exact than it is."""
        skeleton = ("y", "yMMM", "yMMMd")[self.checked.count("-")]
        return format_skeleton(skeleton, self.checked_on, tzinfo=None, locale=language(locale))


class Emergency(Row, frozen=True):
    """An emergency number of a country."""

    number: Annotated[str, Meta(pattern=r"^\d{2,5}\Z")]
    service: Literal["any", "ambulance", "police"]


class Country(Row, frozen=True):
    """What holds for a whole country. Without a number that is certain, `emergency` is empty."""

    emergency: list[Emergency]


class Directory(Check, frozen=True):
    """Where lines of every country are listed."""

    name: Words
    url: Https
    sources: Sources


class Line(Check, frozen=True):
    """A help line. `phone` and `text` are as people dial them there; `note` is for whoever checks the row again."""

    country: Code
    name: Words
    phone: Dialled | None
    text: Dialled | None
    chat: Https | None
    hours: Words | None
    languages: Annotated[list[Words], Meta(min_length=1)]
    area: Words | None
    confidence: Literal["high", "medium", "low"]
    website: str | None
    sources: Sources
    note: Words | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.phone or self.text or self.chat):
            msg = f"{self.name} has neither phone nor text nor chat"
            raise ValueError(msg)

    def may_be_shown(self, today: date) -> bool:
        """Say whether the row is sure enough and was checked lately enough."""
        return self.confidence != "low" and self.checked_on >= oldest_check(today)

    @property
    def always_open(self) -> bool:
        """Whether every way of this line is open day and night."""
        return self.hours == "24/7"

    @property
    def texts_to_its_phone(self) -> bool:
        """Whether one number takes calls and texts: then both are one route."""
        return self.phone is not None and self.text == f"Text {self.phone}"

    def speaks(self, locale: str) -> bool:
        """Say whether somebody there speaks the reader's language."""
        return _tongue(locale) in {_tongue(each) for each in self.languages}


class Route(NamedTuple):
    """One way to reach one line; `both` when the number takes calls and texts."""

    line: Line
    way: Way
    words: str
    both: bool = False


class Helplines(Row, frozen=True):
    """The file."""

    directory: Directory
    countries: dict[Code, Country]
    lines: list[Line]

    def __post_init__(self) -> None:
        missing = {line.country for line in self.lines} - self.countries.keys()
        if missing:
            msg = f"lines of countries that are not listed: {sorted(missing)}"
            raise ValueError(msg)

    def emergency(self, code: str) -> list[Emergency]:
        """Return the emergency numbers of a country; none when none is certain."""
        country = self.countries.get(code)
        return country.emergency if country else []

    def routes(self, codes: list[str], *, locale: str, today: date, text_first: bool = False) -> list[Route]:
        """Return at most three routes for the countries: by turns, each country's first way before any second."""
        turns = zip_longest(
            *(self.routes_of(code, locale=locale, today=today, text_first=text_first) for code in codes)
        )
        chosen = [route for turn in turns for route in turn if route is not None][:MOST_ROUTES]
        return sorted(chosen, key=lambda route: codes.index(route.line.country))

    def routes_of(self, code: str, *, locale: str, today: date, text_first: bool = False) -> list[Route]:
        """Return every route of a country, a voice and a text first (or the texts first)."""
        lines = [line for line in self.lines if line.country == code and line.may_be_shown(today)]
        lines.sort(key=lambda line: (not line.speaks(locale), line.confidence != "high", not line.always_open))
        calls = [Route(line, "call", line.phone, line.texts_to_its_phone) for line in lines if line.phone]
        texts = [Route(line, "text", line.text) for line in lines if line.text and not line.texts_to_its_phone]
        chats = [Route(line, "chat", line.chat) for line in lines if line.chat]
        if text_first:
            both = [route for route in calls if route.both]
            return [*both, *texts, *chats, *(route for route in calls if not route.both)]
        written = texts + chats
        return [*calls[:1], *written[:1], *calls[1:], *written[1:]]


def oldest_check(today: date) -> date:
    """Return the day before which a check no longer counts."""
    day = 28 if (today.month, today.day) == (2, 29) else today.day
    return date(today.year - OLDEST_CHECK, today.month, day)


def parse(text: str) -> Helplines:
    """Return the lines of a file; raise ValueError when it breaks the schema."""
    return json.decode(text, type=Helplines)


@cache
def shipped() -> Helplines:
    """Return the lines that come with peerbot."""
    return parse(files("peerbot").joinpath("helplines.json").read_text(encoding="utf-8"))


def match_all(words: str, *, locale: str = "en") -> list[str]:
    """Return the countries of a list with commas, at most three; raise NotValid with close ones for an unknown name."""
    codes: list[str] = []
    for part in filter(None, map(clean, re.split(r"[,;/\n]", words))):
        found = countries.find(part)
        if found.code is None:
            close = ", ".join(country_name(code, locale) for code in found.close) or "United States, Canada"
            raise NotValid(
                _("I'm not sure which country “{asked}” is. Close ones: {close}", asked=part[:60], close=close)
            )
        codes.append(found.code)
    codes = list(dict.fromkeys(codes))
    if len(codes) > MOST_COUNTRIES:
        raise NotValid(_("Please choose up to {most} countries.", most=MOST_COUNTRIES))
    return codes


def language_names(languages: list[str], locale: str) -> list[str]:
    """Return the names of languages in a language."""
    known = language(locale).languages
    return [known.get(each.replace("-", "_")) or known.get(_tongue(each), each) for each in languages]


def _tongue(locale: str) -> str:
    return locale.replace("_", "-").split("-", maxsplit=1)[0].lower()
