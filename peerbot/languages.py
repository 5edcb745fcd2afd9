"""What Babel knows about a reader's language: how days, months, countries and cities are called, how dates are written.

Babel keeps each language that it was asked for. Half of that are names of currencies and units, which peerbot never
writes, so those are let go: all of Discord's languages take 17 MiB then instead of 34.
"""

from __future__ import annotations

from functools import cache

from babel import Locale, UnknownLocaleError, localedata

NEVER_WRITTEN = (
    "compact_currency_formats", "compact_decimal_formats", "compound_unit_patterns", "currency_formats",
    "currency_names", "currency_names_plural", "currency_symbols", "currency_unit_patterns", "interval_formats",
    "scientific_formats", "scripts", "unit_display_names", "unit_patterns", "variants",
)  # fmt: skip


@cache
def language(name: str) -> Locale:
    """Return what Babel knows about a language by Discord's name; about one that it does not know, English."""
    try:
        found = Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        found = Locale("en")
    for each in ("root", found.language, str(found)):  # each begins with what the one before it holds
        known = localedata.load(each)  # the same dictionary each time
        for table in NEVER_WRITTEN:
            known.pop(table, None)
    return found
