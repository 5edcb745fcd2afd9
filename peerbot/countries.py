"""Which country somebody means by what they typed.

Names in many languages, codes and common short forms are known. What could be two countries is never decided here: it
comes back as close ones to choose from. One slip of the finger is forgiven only where no other country is near.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from peerbot.languages import language
from peerbot.text import clean

MOST_CLOSE_ONES = 4
LONGEST_NAME = 60
SHORTEST_FORGIVEN = 5
"""Letters of the shortest name in which a slip is forgiven: shorter ones are too near to each other."""
LONGEST_CODE = 3
KEPT_APART = 2
"""Slips within which a second country makes a name uncertain."""

NOT_COUNTRIES = {"EU", "EZ", "UN", "QO", "ZZ", "XA", "XB"}


@dataclass(frozen=True)
class Found:
    """The country that was meant, or those that may have been."""

    code: str | None
    close: tuple[str, ...] = ()


def find(words: str) -> Found:
    """Return the country that somebody means by a name or a code; when that is not certain, close ones."""
    asked = plain(clean(words)[:LONGEST_NAME])
    meant = _names().get(asked) or _names().get(asked.removeprefix("the ")) or _names().get(asked.replace(" ", ""))
    if meant:
        return _certain(asked, meant)
    if not asked:
        return Found(None)
    long_enough = [name for name in _names() if len(name) > LONGEST_CODE]
    near = difflib.get_close_matches(asked, long_enough, n=60, cutoff=0.7)
    one_slip = {code for name in near if _slips(asked, name) <= 1 for code in _names()[name]}
    two_slips = {code for name in near if _slips(asked, name) <= KEPT_APART for code in _names()[name]}
    if len(one_slip) == 1 and two_slips == one_slip and len(asked) >= SHORTEST_FORGIVEN:
        return Found(one_slip.pop())
    close = dict.fromkeys(code for name in near for code in _names()[name])
    return Found(None, tuple(close)[:MOST_CLOSE_ONES])


def _certain(asked: str, meant: tuple[str, ...]) -> Found:
    """Return the one country of a known name, unless it looks like a slip in another's English name ("Nigera")."""
    if len(asked) >= SHORTEST_FORGIVEN and asked not in _english():
        slips = (code for name, code in _english().items() if _slips(asked, name) <= 1)
        meant = tuple(dict.fromkeys([*meant, *slips]))
    return Found(meant[0]) if len(meant) == 1 else Found(None, meant[:MOST_CLOSE_ONES])


def is_country(code: str) -> bool:
    """Say whether a code of two letters is a country's."""
    is_named = re.fullmatch("[A-Z]{2}", code) is not None and code in language("en").territories
    return is_named and code not in NOT_COUNTRIES


def country_name(code: str, locale: str) -> str:
    """Return the name of a country in a language; the code itself when it has none."""
    return language(locale).territories.get(code, code)


@cache
def _english() -> dict[str, str]:
    return {plain(name): code for code, name in language("en").territories.items() if is_country(code)}


@cache
def _names() -> dict[str, tuple[str, ...]]:
    """Map every name and code, made plain, to the countries that it can mean.

    They are read from a file, because Babel would keep 65 MiB of other things about these languages in memory.
    """
    read = json.loads(files("peerbot").joinpath("country_names.json").read_text("utf-8"))
    return {name: tuple(codes.split()) for name, codes in read.items()}


def plain(name: str) -> str:
    """Return a name without case, accents and punctuation. Marks of scripts that need them stay."""
    apart = unicodedata.normalize("NFKD", name.casefold().replace("&", " and "))
    bare = "".join(c for c in apart if not "\u0300" <= c <= "\u036f")
    return " ".join("".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in bare).split())


def _slips(typed: str, name: str) -> int:
    """Count the letters that are missing, too many, wrong, or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(name) + 1))
    for i, a in enumerate(typed, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(name, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == name[j - 2] and typed[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
