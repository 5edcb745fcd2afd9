"""Languages: what is let go of them is nothing that anybody reads."""

from __future__ import annotations

from datetime import UTC, datetime

import discord
import pytest
from babel import localedata

from peerbot import times
from peerbot.countries import country_name
from peerbot.languages import NEVER_WRITTEN, language
from peerbot.text import PSEUDO, Reader

AT = datetime(2026, 12, 1, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", [str(each) for each in discord.Locale])
def test_every_language_of_discords_says_days_cities_and_countries(name: str) -> None:
    reader = Reader(name, "Europe/Berlin")
    assert times.day(AT, "Asia/Tokyo", reader)
    assert times.short(AT, "Asia/Tokyo", reader)
    assert times.city("Asia/Tokyo", reader) != "Asia/Tokyo"
    assert country_name("JP", name) != "JP"
    assert reader.date(AT)
    assert not localedata.load(str(language(name))).keys() & {*NEVER_WRITTEN}


@pytest.mark.parametrize("name", [PSEUDO, "tlh", "", "xx-XX", "en-US"])
def test_a_language_that_nobody_knows_is_read_in_english(name: str) -> None:
    assert language(name).language == "en"
    assert Reader(name).date(AT) == "Tuesday, December 1"
