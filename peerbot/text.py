"""Words and times for one reader.

Rules and errors carry a `Text`: a message id (the English sentence) and parameters. Only the edge turns it into a
sentence, through a `Reader` who has a language and a time zone. Parameters that people typed are made harmless on the
way: they can neither ping, nor link, nor change the look of what stands around them.
"""

from __future__ import annotations

import gettext
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import as_file, files
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from peerbot.languages import language

MOST_MARKS = 3
"""Marks on one letter; Hebrew and Vietnamese need as many."""
PSEUDO = "en-XA"
"""The made-up language in which every translated sentence stands in brackets, so that a test sees what is not."""

FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Letters and signs that show nothing (Unicode: Default_Ignorable_Code_Point, and the blank Braille pattern)."""


@dataclass(frozen=True)
class Text:
    """A sentence to be said later: a message id, its plural if it counts something, and parameters."""

    message: str
    params: dict[str, Any] = field(default_factory=dict[str, Any])
    plural: str | None = None

    def __str__(self) -> str:
        return self.message


class Verbatim(str):
    """A parameter that the bot itself made (a mention, a timestamp, a link), put in as it stands."""

    __slots__ = ()


def _(message: str, **params: Any) -> Text:
    """Mark a sentence for translation."""
    return Text(message, params)


def n_(one: str, many: str, n: int, **params: Any) -> Text:
    """Mark a sentence that counts: `n` chooses the form and is a parameter too."""
    return Text(one, {"n": n, **params}, many)


@cache
def _catalogue(locale: str) -> gettext.NullTranslations:
    with as_file(files("peerbot").joinpath("locales")) as folder:
        languages = [locale.replace("-", "_"), locale.split("-", maxsplit=1)[0]]
        return gettext.translation("peerbot", folder, languages=languages, fallback=True)


@dataclass(frozen=True)
class Reader:
    """Somebody who reads: Discord's name of their language, and an IANA time zone."""

    locale: str = "en-US"
    zone: str = "UTC"

    def say(self, text: Text) -> str:
        """Return the sentence in the reader's language."""
        catalogue = _catalogue(self.locale)
        if text.plural is None:
            sentence = catalogue.gettext(text.message)
        else:
            sentence = catalogue.ngettext(text.message, text.plural, int(text.params["n"]))
        if self.locale == PSEUDO:
            sentence = f"⟦{sentence}⟧"
        return sentence.format(**{name: self._param(value) for name, value in text.params.items()})

    def _param(self, value: Any) -> Any:
        if isinstance(value, Text):
            return self.say(value)
        if isinstance(value, str) and not isinstance(value, Verbatim):
            return harmless(value)
        return value

    def date(self, at: datetime) -> str:
        """Return a date as the reader writes it, in their zone ("Tuesday, December 1")."""
        return format_datetime(at, "EEEE, MMMM d", tzinfo=ZoneInfo(self.zone), locale=language(self.locale))


def timestamp(at: datetime, style: str = "f") -> Verbatim:
    """Return Discord's timestamp, which every reader's own client shows in local time (styles: reference.mdx)."""
    return Verbatim(f"<t:{int(at.timestamp())}:{style}>")


def mention(user_id: int) -> Verbatim:
    """Return a mention, which shows the name that the server knows."""
    return Verbatim(f"<@{user_id}>")


def channel_mention(channel_id: int) -> Verbatim:
    """Return a link to a channel."""
    return Verbatim(f"<#{channel_id}>")


def harmless(text: str) -> str:
    """Return text in which markdown, mentions and links are only characters.

    Discord shows any escaped punctuation as itself; the zero-width space keeps "@everyone" a word.
    """
    escaped = "".join(f"\\{c}" if c in "\\*_~`|>#[]()<:-+" else c for c in text)
    return escaped.replace("@", "@\u200b")


def clean(text: str, *, lines: bool = False) -> str:
    """Return text without control, invisible or direction-changing characters, and without needless space.

    With `lines` line breaks are kept, two in a row at most.
    """
    kept = "".join(c for c in text if c in {"\n", "\t"} or not _invisible(c))
    kept = _without_towers(unicodedata.normalize("NFC", kept))
    rows = [" ".join(row.split()) for row in kept.split("\n")]
    if not lines:
        return " ".join(row for row in rows if row)
    joined = "\n".join(rows).strip()
    while "\n\n\n" in joined:
        joined = joined.replace("\n\n\n", "\n\n")
    return joined


def _without_towers(text: str) -> str:
    """Return text in which no letter carries more marks than a language needs; more would cover what stands above."""
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if marks <= MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _invisible(character: str) -> bool:
    # Cc control, Cf format (direction, zero width), Co private, Cs half a character, Zl and Zp other line ends.
    # Joiners stay: several scripts and most emoji need them.
    if character == "\u200d":
        return False
    if character in FILLERS:
        return True
    return unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
