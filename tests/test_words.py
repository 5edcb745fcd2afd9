"""Words: what people typed is harmless, and every sentence reads well in every language that Discord has."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from peerbot.text import PSEUDO, Reader, Text, Verbatim, _, clean, harmless, mention, n_, timestamp

# reference.mdx, "Locales"
LOCALES = [
    "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt-BR",
    "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja", "zh-TW", "ko",
]  # fmt: skip
HOSTILE = [
    "@everyone", "@here", "<@123456789012345678>", "<@&123456789012345678>", "<#123456789012345678>", "<:x:1>",
    "<t:1:R>", "</groups:1>", "https://example.org/x", "[click](https://example.org)", "**bold**", "_it_", "~~gone~~",
    "||spoiler||", "`code`", "```\nblock\n```", "# heading", "-# small", "> quote", ">>> quote", "- list", "* list",
    "+ list", "<https://example.org>", "\\*", "discord://x", "mailto:a@example.org", "+1 555 0100",
]  # fmt: skip
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60) | st.text(
    st.sampled_from("ab@<>#*_~`|[]()\\:-+ \n\t\u200b\u200d\u202e\u2066\u0301\u3164\ufeff\x00\x85\u2028"), max_size=40
)


def shown(markdown: str) -> str:
    """Return what Discord shows of text in which only escapes have a meaning."""
    return re.sub(r"\\([^\sA-Za-z0-9])", r"\1", markdown)


@given(TEXTS)
@example("e\u200b\u0301")
@example("\u1100\u200b\u1161")
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    for lines in (False, True):
        assert clean(clean(text, lines=lines), lines=lines) == clean(text, lines=lines)


@given(TEXTS)
@example("A\n\u0300")
def test_nothing_invisible_stays(text: str) -> None:
    for kept in (clean(text), clean(text, lines=True)):
        shown = {c for c in kept if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}}
        assert shown <= {"\u200d", "\n"}
        assert kept == unicodedata.normalize("NFC", kept)
    assert "\n" not in clean(text)


@given(TEXTS)
def test_a_cleaned_line_is_one_line_without_needless_space(text: str) -> None:
    line = clean(text)
    assert "\n" not in line
    assert "  " not in line
    assert line == line.strip()
    assert "\n\n\n" not in clean(text, lines=True)


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=30))
def test_letters_numbers_and_punctuation_stay(text: str) -> None:
    fillers = "\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    expected = unicodedata.normalize("NFC", "".join(c for c in text if c not in fillers))
    assert clean(text) == expected


@given(TEXTS)
def test_text_made_harmless_reads_as_it_was_typed(text: str) -> None:
    assert shown(harmless(text)).replace("@\u200b", "@") == text


@given(TEXTS)
def test_no_character_of_markup_stays_without_an_escape(text: str) -> None:
    bare = re.sub(r"\\[^\sA-Za-z0-9]", "", harmless(text))
    assert not set(bare) & set("\\*_~`|>#[]()<:")
    assert not re.search(r"@(?!\u200b)", harmless(text))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_people_typed_neither_pings_nor_links_nor_changes_the_look(hostile: str) -> None:
    said = Reader().say(_("Hello **{name}**.", name=hostile))
    inside = said.removeprefix("Hello **").removesuffix("**.")
    assert inside == harmless(hostile)
    assert not re.search(r"@(everyone|here|&?\d)|(?<!\\)<(@|#|:|t:|/)|(?<!\\)://|\]\(", inside)
    assert not re.search(r"(?<!\\)[*_~`|#>\[<]", inside)


@pytest.mark.parametrize("typed", ["{name}", "{0}", "{", "}", "{name.__class__}", "%s", "%(name)s"])
def test_braces_that_people_typed_are_only_characters(typed: str) -> None:
    assert Reader().say(_("Hello {name}.", name=typed)) == f"Hello {harmless(typed)}."


def test_what_the_bot_itself_made_stands_as_it_is() -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    text = _("{who} at {when}, {where}", who=mention(7), when=timestamp(moment, "R"), where=Verbatim("<#1>"))
    assert Reader().say(text) == f"<@7> at <t:{int(moment.timestamp())}:R>, <#1>"


def test_a_sentence_may_stand_in_a_sentence() -> None:
    text = _("{first} Then rest.", first=_("Hello {name}.", name="@everyone"))
    assert Reader().say(text) == "Hello @\u200beveryone. Then rest."


@pytest.mark.parametrize(("number", "said"), [(0, "0 seats"), (1, "1 seat"), (2, "2 seats")])
def test_what_is_counted_has_the_right_form(number: int, said: str) -> None:
    assert Reader().say(n_("{n} seat", "{n} seats", number)) == said


def test_the_made_up_language_puts_every_translated_sentence_in_brackets() -> None:
    text = _("Hello {name}. {more}", name="Maya", more=_("Rest well."))
    assert Reader(PSEUDO).say(text) == "⟦Hello Maya. ⟦Rest well.⟧⟧"
    assert str(text) == "Hello {name}. {more}"


@pytest.mark.parametrize("locale", [*LOCALES, PSEUDO])
def test_every_language_of_discord_has_dates_and_sentences(locale: str) -> None:
    reader = Reader(locale, "America/New_York")
    assert reader.say(Text("Hello {name}.", {"name": "Maya"})).strip("⟦⟧") == "Hello Maya."
    assert "1" in reader.date(datetime(2026, 12, 2, 3, tzinfo=UTC)), "it is still the first of December in New York"


def test_a_date_is_said_in_the_readers_zone_and_language() -> None:
    moment = datetime(2026, 12, 1, 23, 30, tzinfo=UTC)
    assert Reader("en-US", "America/New_York").date(moment) == "Tuesday, December 1"
    assert Reader("en-US", "Europe/Berlin").date(moment) == "Wednesday, December 2"
    assert Reader("de", "Europe/Berlin").date(moment).startswith("Mittwoch")


def test_marks_do_not_pile_up_on_a_letter() -> None:
    assert len(clean("a" + "\u0335\u0301\u0316" * 20)) <= 4
    assert clean("שָּׁלוֹם") == "שָּׁלוֹם"
