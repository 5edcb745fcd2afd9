"""Help lines: which numbers may be shown, that they are shown as they are dialled, and which country somebody means."""

from __future__ import annotations

import json
import re
from datetime import date
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest
from msgspec import ValidationError
from msgspec.structs import asdict

from cogs._help import BARRIERS, codes_of, help_card, help_now_button, help_words, unsure_card, verbatim
from peerbot import countries, helplines
from peerbot.errors import NotValid
from peerbot.helplines import Helplines, Line
from peerbot.languages import language
from peerbot.text import PSEUDO, Reader

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "peerbot" / "helplines.json"
AS_CHECKED: list[dict[str, Any]] = json.loads((HERE / "helplines_as_checked.json").read_text())
"""The numbers as they were read in their sources: a second copy, so that no edit of the file can alter one unseen."""
RESEARCHED = HERE.parents[1] / "shared" / "reference" / "helplines.json"

TODAY = date(2026, 11, 23)
LINES = helplines.shipped()
CODES = sorted(LINES.countries)
ENGLISH = Reader()


def file_with(**changes: Any) -> str:
    """Return the shipped file with the first line changed."""
    content = json.loads(SHIPPED.read_text())
    content["lines"][0] |= changes
    return json.dumps(content)


def read(card: Any) -> str:
    """Return everything that can be read on a card, as Discord shows it."""
    words = "\n".join(item.content for item in card.walk_children() if hasattr(item, "content"))
    return re.sub(r"\\([*_~|\\])", r"\1", words)


def reads(line: dict[str, Any] | Line) -> tuple[Any, ...]:
    row = line if isinstance(line, dict) else asdict(line)
    return tuple(row[key] for key in ("country", "name", "phone", "text", "chat"))


# the file


def test_every_row_is_digit_for_digit_as_it_was_checked() -> None:
    assert [reads(line) for line in LINES.lines] == [reads(row) for row in AS_CHECKED]


def test_the_second_copy_of_the_numbers_is_as_they_were_researched() -> None:
    if not RESEARCHED.exists():
        pytest.skip("the researched list is not at hand")
    researched = [row for row in json.loads(RESEARCHED.read_text()) if row["country_code"] != "ZZ"]
    kept = [(row["country_code"], row["name"], row["phone"], row["text"], row["chat_url"]) for row in researched]
    assert [reads(row) for row in AS_CHECKED] == kept
    assert [row["emergency"] for row in AS_CHECKED] == [row["emergency"] for row in researched]


@pytest.mark.parametrize("code", CODES)
def test_an_emergency_number_is_one_that_the_source_is_sure_of(code: str) -> None:
    sources = " / ".join(row["emergency"] for row in AS_CHECKED if row["country"] == code)
    sure = [part for part in sources.split(" / ") if "VERIFY" not in part]
    for emergency in LINES.emergency(code):
        assert any(emergency.number in re.findall(r"\d+", part) for part in sure)


def test_a_country_whose_emergency_number_is_not_certain_has_none() -> None:
    assert LINES.emergency("NP") == []
    assert "Nepal:" not in read(help_card(["NP"], ENGLISH, TODAY)).split("###", maxsplit=1)[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"phone": "+1988"},
        {"phone": ""},
        {"phone": "988\n"},
        {"text": "Text\n988"},
        {"name": "x" * 201},
        {"chat": "https://example.org\n"},
        {"checked": "2026-01-01\n"},
        {"country": "US\n"},
        {"phone": 988},
        {"phone": None, "text": None, "chat": None},
        {"chat": "http://example.org"},
        {"checked": "2026-13"},
        {"checked": "2026-02-30"},
        {"checked": "June 2026"},
        {"confidence": "sure"},
        {"country": "usa"},
        {"country": "QQ"},
        {"languages": []},
        {"sources": []},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_file_that_breaks_the_schema_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        helplines.parse(file_with(**wrong))


def test_a_file_as_it_should_be_is_taken() -> None:
    assert helplines.parse(file_with()) == LINES


# which rows are shown


def shown_on(today: date, lines: Helplines = LINES) -> set[tuple[str, str]]:
    routes = (route for code in CODES for route in lines.routes_of(code, locale="en", today=today))
    return {(route.line.country, route.line.name) for route in routes}


def test_no_row_of_low_confidence_is_ever_shown() -> None:
    low = {(line.country, line.name) for line in LINES.lines if line.confidence == "low"}
    assert low
    assert not low & shown_on(date(2019, 1, 1))
    assert not low & shown_on(TODAY)


def test_a_row_is_shown_until_two_years_after_its_check_and_not_a_day_longer() -> None:
    row = ("SE", "Hjälplinjen (national, state-funded)")
    assert row in shown_on(date(2026, 12, 13))
    assert row not in shown_on(date(2026, 12, 14))


def test_a_check_known_only_by_its_month_counts_from_the_first_day() -> None:
    row = ("NZ", "1737 Need to talk?")
    assert row in shown_on(date(2028, 1, 1))
    assert row not in shown_on(date(2028, 1, 2))


def test_two_years_before_a_leap_day_is_the_last_of_february() -> None:
    assert helplines.oldest_check(date(2028, 2, 29)) == date(2026, 2, 28)


def test_every_country_of_the_file_leads_to_a_line_or_to_the_directory() -> None:
    for code in CODES:
        words = read(help_card([code], ENGLISH, TODAY))
        routes = LINES.routes([code], locale="en", today=TODAY)
        assert LINES.directory.url in words
        assert all(route.words in words for route in routes)
        assert bool(routes) != ("no number there that is sure enough" in words)


def test_when_every_check_is_old_only_the_directory_is_left() -> None:
    words = read(help_card(["US", "GB"], ENGLISH, date(2030, 1, 1)))
    assert "988" not in words
    assert "116 123" not in words
    assert LINES.directory.url in words


def test_a_country_without_a_line_is_never_given_the_number_of_another() -> None:
    words = read(help_card(["AE"], ENGLISH, TODAY)) + read(help_card(["TR"], ENGLISH, TODAY))
    assert not re.search(r"\d{3}", words.replace("2026", ""))


def test_a_row_that_is_not_fully_sure_says_so() -> None:
    assert "not fully sure" in read(help_card(["IS"], ENGLISH, TODAY))
    assert "not fully sure" not in read(help_card(["US"], ENGLISH, TODAY))


def test_each_route_has_the_date_of_its_check() -> None:
    words = read(help_card(["US"], ENGLISH, TODAY))
    assert words.count("Checked: Jun 2, 2026") == 2
    assert "Checked: Jan 2026" in read(help_card(["NZ"], ENGLISH, TODAY))


# how they are shown


@pytest.mark.parametrize("code", CODES)
def test_every_number_of_a_country_can_be_read_on_its_card_as_it_stands(code: str) -> None:
    routes = LINES.routes([code], locale="en", today=TODAY)
    words = read(help_card([code], ENGLISH, TODAY))
    known = {text for line in LINES.lines if line.country == code for text in (line.phone, line.text, line.chat)}
    assert {route.words for route in routes} <= known
    assert all(route.words in words for route in routes)
    assert all(number.number in words for number in LINES.emergency(code))


def test_the_star_of_a_number_is_kept() -> None:
    assert verbatim("*4141") == "\\*4141"
    assert "Call **\\*4141**" in "".join(
        getattr(item, "content", "") for item in help_card(["CL"], ENGLISH, TODAY).walk_children()
    )


def test_a_voice_and_a_text_come_first() -> None:
    first = LINES.routes(["GB"], locale="en", today=TODAY)[:2]
    assert [(route.way, route.words) for route in first] == [("call", "116 123"), ("text", "Text SHOUT to 85258")]


def test_several_countries_have_a_route_each_before_any_has_a_second() -> None:
    routes = LINES.routes(["US", "CA", "GB"], locale="en", today=TODAY)
    assert [route.line.country for route in routes] == ["US", "CA", "GB"]


def test_who_cannot_talk_is_shown_texts_first() -> None:
    routes = LINES.routes(["GB"], locale="en", today=TODAY, text_first=True)
    assert routes[0].words == "Text SHOUT to 85258"


def test_a_line_that_speaks_the_readers_language_comes_first() -> None:
    assert LINES.routes(["BE"], locale="nl", today=TODAY)[0].words == "1813"
    assert LINES.routes(["BE"], locale="fr", today=TODAY)[0].words == "0800 32 123"


def test_every_card_of_three_countries_is_within_discords_limits() -> None:
    for codes in combinations(CODES, 3):
        assert len(LINES.routes(list(codes), locale="en", today=TODAY)) <= 3
    longest = sorted(CODES, key=lambda code: -help_card([code], ENGLISH, TODAY).content_length())[:6]
    for codes in [*permutations(longest, 3), *([code] for code in CODES)]:
        for barrier in (None, *BARRIERS):
            card = help_card(list(codes), ENGLISH, TODAY, barrier=barrier)
            assert card.total_children_count <= 40
            assert card.content_length() <= 4000
            ids = [item["custom_id"] for item in _walk(card.to_components()) if "custom_id" in item]
            assert len(ids) == len(set(ids))
            assert all(len(custom_id) <= 100 for custom_id in ids)


def _walk(components: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for each in components:
        found += [each, *_walk(each.get("components", ()))]
    return found


def test_the_words_of_the_panel_are_short_enough_to_stand_with_others() -> None:
    for codes in permutations(sorted(CODES, key=lambda code: -len(help_words(code, ENGLISH, TODAY)))[:5], 3):
        assert len(help_words(" ".join(codes), ENGLISH, TODAY)) < 2000


def test_the_panel_has_a_voice_and_a_text_of_each_country() -> None:
    words = help_words("US GB", ENGLISH, TODAY)
    for number in ("988", "Text HOME to 741741", "116 123", "Text SHOUT to 85258", "911", "999"):
        assert number in words


def test_numbers_come_before_the_question_and_the_emergency_before_all() -> None:
    rows = [item["type"] for item in help_card(["US"], ENGLISH, TODAY).to_components()[0]["components"]]
    assert rows[0] == 10
    assert rows.index(1) > 2
    words = read(help_card(["US"], ENGLISH, TODAY, barrier="cost"))
    assert (
        words.index("If you are in danger now")
        < words.index("911")
        < words.index("Many help lines")
        < words.index("988")
    )


def test_every_sentence_of_the_card_can_be_translated() -> None:
    words = read(help_card(["US", "GB"], Reader(PSEUDO), TODAY, barrier="aloud"))
    for line in words.splitlines():
        if "⟦" not in line:
            assert re.fullmatch(r"(### )?[\w ]+(: \*\*\d+\*\*)?|.*⟧", line), line


@pytest.mark.parametrize("locale", ["de", "es-419", "zh-CN", "no", "sv-SE", "xx", ""])
def test_a_card_can_be_made_for_every_language(locale: str) -> None:
    assert "988" in read(help_card(["US"], Reader(locale), TODAY))


@pytest.mark.parametrize("state", ["", "0", "QQ", "ZZ", "us", "US-US", "US CA GB FR", "XX-419"])
def test_a_button_is_made_of_countries_that_exist(state: str) -> None:
    button = help_now_button(state, ENGLISH)
    assert re.fullmatch(r"safety:help:(0|[A-Z]{2}(-[A-Z]{2}){0,2})", str(button.custom_id))
    assert "QQ" not in codes_of(state)
    assert len(codes_of(state)) == len(set(codes_of(state))) <= 3


def test_a_typed_name_can_change_nothing_on_the_card() -> None:
    words = "".join(
        getattr(item, "content", "") for item in unsure_card("@everyone **x** <@1>", ["QQ"], ENGLISH).walk_children()
    )
    assert "@everyone" not in words
    assert "**x**" not in words
    assert "<@1>" not in words


# which country is meant


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("US", "US"),
        ("usa", "US"),
        ("U.S.A.", "US"),
        ("united states", "US"),
        ("United States of America", "US"),
        ("america", "US"),
        ("UK", "GB"),
        ("u.k.", "GB"),
        ("England", "GB"),
        ("Scotland", "GB"),
        ("Northern Ireland", "GB"),
        ("Great Britain", "GB"),
        ("ireland", "IE"),
        ("Éire", "IE"),
        ("Deutschland", "DE"),
        ("DEUTSCHLAND ", "DE"),
        ("  germany", "DE"),
        ("Germny", "DE"),
        ("Germnay", "DE"),
        ("Österreich", "AT"),
        ("Osterreich", "AT"),
        ("España", "ES"),
        ("espana", "ES"),
        ("México", "MX"),
        ("Mexco", "MX"),
        ("日本", "JP"),
        ("대한민국", "KR"),
        ("South Korea", "KR"),
        ("भारत", "IN"),
        ("Україна", "UA"),
        ("Россия", "RU"),
        ("Ελλάδα", "GR"),
        ("ישראל", "IL"),
        ("Turkey", "TR"),
        ("Türkiye", "TR"),
        ("Czech Republic", "CZ"),
        ("Holland", "NL"),
        ("the Netherlands", "NL"),
        ("UAE", "AE"),
        ("Niger", "NE"),
        ("Nigeria", "NG"),
        ("Dominica", "DM"),
        ("Dominican Republic", "DO"),
        ("Austria", "AT"),
        ("Australia", "AU"),
        ("Slovakia", "SK"),
        ("Slovenia", "SI"),
        ("Iceland", "IS"),
        ("Trinidad and Tobago", "TT"),
        ("Zimbabwe", "ZW"),
    ],
)
def test_a_country_is_known_by_what_people_call_it(typed: str, code: str) -> None:
    assert countries.find(typed).code == code


@pytest.mark.parametrize(
    ("typed", "close"),
    [
        ("Korea", {"KR", "KP"}),
        ("Congo", {"CD", "CG"}),
        ("Georgia", {"GE", "US"}),
        ("SA", {"SA", "ZA"}),
        ("Austrlia", {"AU", "AT"}),
        ("Nigera", {"NE", "NG"}),
        ("Slovnia", {"SI", "SK"}),
        ("Swedn", {"SE"}),
        ("Irlnd", {"IE", "IS"}),
        ("Virgin Islands", {"VG", "VI"}),
    ],
)
def test_what_could_be_two_countries_is_asked(typed: str, close: set[str]) -> None:
    found = countries.find(typed)
    assert found.code is None
    assert close <= set(found.close)
    assert len(found.close) <= countries.MOST_CLOSE_ONES


@pytest.mark.parametrize(
    "typed", ["", " ", "x", "asdf", "Atlantis", "EU", "Europe", "911", "help", "ZZ", "XA", "🙂", "x" * 60]
)
def test_what_is_no_country_is_none(typed: str) -> None:
    assert countries.find(typed).code is None


@pytest.mark.parametrize("code", CODES)
def test_every_country_of_the_file_is_known_by_its_name_and_by_its_code(code: str) -> None:
    name = countries.country_name(code, "en")
    assert countries.find(name).code == code
    assert code in {countries.find(code).code, *countries.find(code).close}


def test_no_english_name_of_a_country_leads_to_another() -> None:
    for code, name in language("en").territories.items():
        if countries.is_country(code):
            found = countries.find(name)
            assert found.code in {code, None}
            assert found.code == code or code in found.close


def test_a_list_of_countries_is_read_in_its_order() -> None:
    assert helplines.match_all("USA, canada; UK") == ["US", "CA", "GB"]
    assert helplines.match_all("US, usa") == ["US"]
    assert helplines.match_all("") == []


@pytest.mark.parametrize("words", ["Atlantis", "US, Korea", "US, CA, GB, FR"])
def test_a_list_with_an_unknown_country_or_too_many_is_refused(words: str) -> None:
    with pytest.raises(NotValid):
        helplines.match_all(words)
