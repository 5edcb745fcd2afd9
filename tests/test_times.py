"""Moments in words: the group's wall time, its zone by name, in every language that Discord has."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import discord
import pytest

from peerbot import times
from peerbot.text import Reader

AT = datetime(2026, 12, 1, 23, 30, tzinfo=UTC)
NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("locale", "zone", "words"),
    [
        ("en-US", NEW_YORK, "Tuesday, December 1, 6:30 pm (New York)"),
        ("en-GB", "Europe/London", "Tuesday 1 December, 23:30 (London)"),
        ("de", "Europe/Berlin", "Mittwoch, 2. Dezember, 00:30 (Berlin)"),
        ("es-ES", "America/Argentina/Buenos_Aires", "martes, 1 de diciembre, 20:30 (Buenos Aires)"),
        ("ja", "Asia/Tokyo", "12月2日(水曜日), 8:30 (東京)"),
        ("of-nowhere", "UTC", "Tuesday, December 1, 11:30 pm (UTC)"),
    ],
)
def test_a_moment_reads_as_people_there_write_it(locale: str, zone: str, words: str) -> None:
    assert times.words(AT, zone, Reader(locale)) == words


def test_timestamps_stand_beside_the_words() -> None:
    seen = times.when(AT, NEW_YORK, Reader())
    stamp = int(AT.timestamp())
    assert seen == f"Tuesday, December 1, 6:30 pm (New York) · <t:{stamp}:F> for you, <t:{stamp}:R>"


def test_a_choice_names_the_day_in_short() -> None:
    assert times.short(AT, NEW_YORK, Reader()) == "Tue, Dec 1, 6:30 pm"


@pytest.mark.parametrize("locale", [each.value for each in discord.Locale])
def test_every_language_of_discord_names_the_weekday_and_the_hour(locale: str) -> None:
    shown = times.words(AT, NEW_YORK, Reader(locale))
    other_day = times.words(AT.replace(day=2), NEW_YORK, Reader(locale))
    assert re.search(r"\b(18.30|\D*6:30)", shown)
    assert re.sub(r"\d", "", shown) != re.sub(r"\d", "", other_day), "the weekday is a word"


def test_a_length_is_said_in_hours_where_it_is_whole_hours() -> None:
    said = [Reader().say(times.length(minutes)) for minutes in (1, 45, 60, 90, 120)]
    assert said == ["1 minute", "45 minutes", "1 hour", "90 minutes", "2 hours"]
