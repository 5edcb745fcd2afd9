"""Help now, for everyone and in every trouble: somebody needs a number, and gets it."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from peerbot.bot import PeerBot
from peerbot.config import Secret
from peerbot.errors import DatabaseBusy
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen, Shown
from tests.stories.stage import Stage

EMERGENCY = "If you are in danger now"
QUESTION = "What would make it hard to call?"
DIRECTORY = "https://findahelpline.com"
NO_DATABASE = {"database_url": Secret("postgresql://nobody@127.0.0.1:1/nothing")}
"""A database that refuses every connection at once."""


@pytest.fixture
def without_database(monkeypatch: pytest.MonkeyPatch) -> dict[str, Secret]:
    """Settings with a database that is down; what listens to Discord beside the story may say so."""

    async def said(_bot: PeerBot, event: str, *_args: object, **_details: object) -> None:
        assert isinstance(sys.exception(), DatabaseBusy), event

    monkeypatch.setattr(PeerBot, "on_error", said)
    return NO_DATABASE


@pytest.fixture
async def bare(empty_stage: Stage) -> Stage:
    """The bot runs in a server that nobody has set up."""
    await empty_stage.start()
    return empty_stage


@pytest.fixture
async def at_home(stage: Stage) -> Stage:
    """The owner has named the countries of most members."""
    card = await stage.olive.press(await stage.set_up(), "Help lines")
    await card.send({"Countries of most members (up to three)": "USA, united kingdom"})
    stage.clock.move(timedelta(seconds=6))  # the panel is drawn at most once in five seconds
    await stage.world.settle()
    return stage


async def typed(person: Person, card: Shown, country: str) -> Shown:
    """Open the form with one field, and send a country."""
    form = await person.press(card, "Other country")
    return await form.send({"Which country are you in?": country})


def panel(stage: Stage, who: Person) -> Seen:
    """Return the panel, as somebody sees it."""
    return next(seen for seen in who.sees(stage.panel) if not seen.ephemeral)


async def test_a_member_gets_the_numbers_of_the_servers_countries_at_once(at_home: Stage) -> None:
    card = await at_home.maya.slash("/help-now")
    for words in (EMERGENCY, "United States: **911**", "988", "116 123", DIRECTORY, "tells nobody"):
        assert words in card
    assert card.text.index(EMERGENCY) < card.text.index("Call **988**, or text **988**")
    assert card.labels == ["United States", "United Kingdom", "Other country"]


async def test_only_the_person_sees_the_card(at_home: Stage) -> None:
    home = at_home.maya.home
    others = (at_home.sam, at_home.olive, at_home.ana)
    before = [[seen.message_id for seen in other.sees(home)] for other in others]
    card = await at_home.maya.slash("/help-now")
    assert card.ephemeral
    assert [[seen.message_id for seen in other.sees(home)] for other in others] == before


async def test_nobody_is_told(at_home: Stage) -> None:
    pinged, written = list(at_home.world.pings), len(at_home.ana.sees(at_home.staff))
    await at_home.maya.choose(await at_home.maya.slash("/help-now"), QUESTION, "I tried before")
    await at_home.world.settle()
    assert at_home.world.pings == pinged
    assert len(at_home.ana.sees(at_home.staff)) == written


async def test_a_button_shows_all_routes_of_one_country(at_home: Stage) -> None:
    card = await at_home.maya.slash("/help-now")
    britain = await at_home.maya.press(card, "United Kingdom")
    assert britain.message_id == card.message_id
    assert "Text SHOUT to 85258" in britain
    assert "988" not in britain


async def test_the_panel_has_numbers_and_a_button_for_people_without_commands(at_home: Stage) -> None:
    seen = panel(at_home, at_home.maya)
    assert "988" in seen
    assert "Text SHOUT to 85258" in seen
    card = await at_home.maya.press(seen, "Help now")
    assert card.ephemeral
    assert "988" in card
    assert panel(at_home, at_home.maya).message_id == seen.message_id


async def test_help_comes_beside_a_private_card_so_that_nothing_is_lost(at_home: Stage) -> None:
    await at_home.new_group()
    group = await at_home.maya.press(await at_home.maya.slash("/groups"), "Tuesday meeting")
    agreement = await at_home.maya.press(group, "Join")
    card = await at_home.maya.press(agreement, "Help now")
    assert "988" in card
    assert card.message_id != agreement.message_id
    assert "I agree" in at_home.maya.look(agreement).labels


async def test_the_button_works_after_a_restart_and_with_the_database_gone(
    at_home: Stage, without_database: dict[str, Secret]
) -> None:
    seen = panel(at_home, at_home.maya)
    at_home.settings = replace(at_home.settings, **without_database)
    await at_home.restart()
    card = await at_home.maya.press(seen, "Help now")
    assert "988" in card
    assert "116 123" in card


async def test_the_command_asks_for_the_country_when_the_database_is_down_from_the_start(
    empty_stage: Stage, without_database: dict[str, Secret]
) -> None:
    empty_stage.settings = replace(empty_stage.settings, **without_database)
    await empty_stage.start()
    card = await empty_stage.maya.slash("/help-now")
    assert EMERGENCY in card
    assert DIRECTORY in card
    assert "988" in await typed(empty_stage.maya, card, "usa")


async def test_help_is_there_where_nothing_is_set_up(bare: Stage) -> None:
    card = await bare.sam.slash("/help-now")
    assert EMERGENCY in card
    assert "Tell me your country" in card
    assert card.menus == [] if isinstance(card, Seen) else False


async def test_a_name_typed_in_another_language_finds_the_country(bare: Stage) -> None:
    card = await typed(bare.maya, await bare.maya.slash("/help-now"), "Österreich")
    assert "Austria: **112 or 144 (ambulance)**" in card
    assert "142" in card


async def test_what_could_be_two_countries_is_asked_and_no_number_is_shown(bare: Stage) -> None:
    unsure = await typed(bare.maya, await bare.maya.slash("/help-now"), "Korea")
    assert EMERGENCY in unsure
    assert unsure.labels == ["South Korea", "North Korea", "Other country"]
    assert "109" not in unsure
    assert "109" in await bare.maya.press(unsure, "South Korea")


async def test_a_name_that_is_no_country_is_said_kindly_and_pings_nobody(bare: Stage) -> None:
    unsure = await typed(bare.maya, await bare.maya.slash("/help-now"), "@everyone **Atlantis**")
    assert "I don't know which country" in unsure
    assert DIRECTORY in unsure
    assert "@everyone" not in unsure
    assert unsure.labels == ["Other country"]
    assert bare.world.pings == []


async def test_a_country_without_a_sure_number_leads_to_the_directory_alone(bare: Stage) -> None:
    card = await typed(bare.maya, await bare.maya.slash("/help-now"), "Emirates")
    assert "no number there that is sure enough" in card
    assert DIRECTORY in card
    assert "800 4673" not in card


@pytest.mark.parametrize(
    ("barrier", "words"),
    [
        ("They might send the police", "You can ask first"),
        ("It might cost money", "Many help lines are free"),
        ("I can't talk out loud", "You don't have to talk"),
        ("It's not bad enough", "These lines are for hard days too"),
        ("I tried before", "It was right to try"),
    ],
)
async def test_what_makes_it_hard_is_answered_with_the_routes_again(bare: Stage, barrier: str, words: str) -> None:
    britain = await typed(bare.maya, await bare.maya.slash("/help-now"), "UK")
    answer = await bare.maya.choose(britain, QUESTION, barrier)
    assert words in answer
    assert answer.text.index(EMERGENCY) < answer.text.index(words) < answer.text.index("116 123")
    if "talk" in barrier:
        assert answer.text.index("Text SHOUT to 85258") < answer.text.index("116 123")


async def test_help_works_in_direct_messages_for_somebody_in_no_server(bare: Stage) -> None:
    nora = Person(bare.world, int(bare.world.person("Nora")["id"]))
    card = await nora.slash("/help-now", in_=nora.dm(bare.application))
    assert EMERGENCY in card
    assert not card.ephemeral
    ireland = await typed(nora, card, "Ireland")
    assert ireland.message_id == card.message_id
    assert "116 123" in ireland
    answer = await nora.choose(ireland, QUESTION, "It might cost money")
    assert "116 123" in answer
    assert len(nora.inbox) == 1


async def test_a_form_opened_before_a_restart_is_still_answered(bare: Stage) -> None:
    form = await bare.maya.press(await bare.maya.slash("/help-now"), "Other country")
    await bare.restart()
    assert "116 123" in await form.send({"Which country are you in?": "Ireland"})


async def test_a_card_from_before_a_restart_still_turns(bare: Stage) -> None:
    card = await typed(bare.maya, await bare.maya.slash("/help-now"), "UK")
    await bare.restart()
    assert "You can ask first" in await bare.maya.choose(card, QUESTION, "They might send the police")


async def test_two_people_with_the_form_open_each_get_their_own_country(bare: Stage) -> None:
    one = await bare.maya.press(await bare.maya.slash("/help-now"), "Other country")
    other = await bare.sam.press(await bare.sam.slash("/help-now"), "Other country")
    assert "### Ireland" in await one.send({"Which country are you in?": "Ireland"})
    assert "### Canada" in await other.send({"Which country are you in?": "Canada"})


async def test_a_number_whose_check_has_become_old_is_no_longer_shown(bare: Stage) -> None:
    bare.clock.move(timedelta(days=4 * 365))
    card = await typed(bare.maya, await bare.maya.slash("/help-now"), "UK")
    assert "116 123" not in card
    assert DIRECTORY in card


async def test_it_can_be_asked_again_and_again(bare: Stage) -> None:
    for _time in range(6):
        assert EMERGENCY in await bare.maya.slash("/help-now")


async def test_a_forged_button_shows_no_more_than_a_real_one(at_home: Stage) -> None:
    seen = panel(at_home, at_home.maya)
    card = await at_home.maya.forged(seen, "safety:help:QQ-XX-GB")
    assert "116 123" in card
    assert card.ephemeral
    country = await at_home.maya.forged(seen, "safety:country:QQ")
    assert EMERGENCY in country
    assert country.ephemeral
    choice = await at_home.maya.forged(seen, "safety:barrier:GB", kind=3, values=["nonsense"])
    assert "116 123" in choice
    assert choice.ephemeral
