"""The names of countries that peerbot knows, made from Babel; run as a program, this file writes them anew."""

from __future__ import annotations

import json
import re
from pathlib import Path

from babel import Locale
from babel.core import get_global

from peerbot.countries import is_country, plain

FILE = Path(__file__).parents[1] / "peerbot" / "country_names.json"
# fmt: off
LANGUAGES = (  # those of Discord, and those of places that have help lines
    "en", "da", "de", "es", "es_419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt_BR", "ro", "fi",
    "sv", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh_CN", "ja", "zh_TW", "ko", "id", "et",
    "lv", "sk", "sl", "is", "lb", "he", "ar", "bn", "si", "ne", "ur", "ms", "fil", "sw", "ta", "pt_PT",
    "zh_Hant_HK", "fa", "sq", "sr", "mk", "ka", "hy", "az", "be", "ca", "af", "ga", "cy",
)
# fmt: on

ALSO = {
    "GB": "britain, great britain, england, scotland, wales, northern ireland",
    "US": "america, the states, united states of america",
    "IE": "republic of ireland, eire",
    "NL": "holland",
    "CZ": "czech republic, tschechische republik",
    "TR": "turkey",
    "AE": "uae, emirates, vae",
    "SA": "ksa, sa",
    "ZA": "rsa, sa",
    "KR": "korea, republic of korea, rok",
    "KP": "korea, dprk",
    "CD": "congo, kongo, drc, dr congo, democratic republic of the congo",
    "CG": "congo, kongo, republic of the congo",
    "GE": "georgia",
    "CI": "ivory coast",
    "MM": "burma",
    "MK": "macedonia",
    "CV": "cape verde",
    "SZ": "swaziland",
    "TL": "east timor",
    "VA": "vatican",
    "VN": "viet nam",
    "HK": "hong kong",
    "MO": "macau, macao",
    "PS": "palestine",
    "CN": "mainland china, china mainland, prc",
    "RU": "russian federation",
    "BA": "bosnia",
    "TT": "trinidad",
    "VI": "virgin islands",
    "VG": "virgin islands",
    "MF": "saint martin",
    "SX": "saint martin",
    "IR": "persia",
}
STATES_NAMED_LIKE_A_COUNTRY = {"US": "georgia"}


def made() -> dict[str, str]:
    """Return every name and code, made plain, with the countries that it can mean."""
    meant: dict[str, dict[str, None]] = {}

    def learn(name: str, code: str) -> None:
        meant.setdefault(plain(name), {})[code] = None

    for language in LANGUAGES:
        for code, name in Locale.parse(language).territories.items():
            if is_country(code):
                learn(name, code)
                learn(code, code)
    for code, names in (*ALSO.items(), *STATES_NAMED_LIKE_A_COUNTRY.items()):
        for name in names.split(", "):
            learn(name, code)
    for alias, codes in get_global("territory_aliases").items():
        if alias == "UK" or (re.fullmatch("[A-Z]{3}", alias) and len(codes) == 1):
            learn(alias, codes[0])
    return {name: " ".join(codes) for name, codes in meant.items()}


def test_the_names_that_are_shipped_are_those_of_babel() -> None:
    shipped = json.loads(FILE.read_text("utf-8"))
    assert shipped == made(), "run this file as a program to write them anew"
    assert list(shipped) == list(made()), "the order decides which of two near names comes first"


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), ensure_ascii=False, indent=0) + "\n", "utf-8")
