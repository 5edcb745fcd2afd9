"""Texts that want to do harm, in every field, at its limits and beyond: they are only letters, and ping nobody."""

from __future__ import annotations

from typing import Any

import pytest

from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen, Shown
from tests.stories.stage import Stage

INVISIBLE = "\u202e\u2066\u200b\u0000\u0007\u001b\u2028\ufeff\ud800"
MOST_TEXT = 4000
ABOUT = "What is it like?"
FIELDS = {"Name": 60, ABOUT: 600, "Topic": 40}


def hostile(stage: Stage) -> str:
    """Return words that would ping, link, hide and shout if they were more than letters."""
    pings = f"@everyone @here {stage.maya.mention} <@&{stage.facilitators['id']}> <#{stage.panel['id']}>"
    return f"{pings} [tap](https://x.example) ||**# `_~>{INVISIBLE}"


def assert_harmless(stage: Stage, seen: Shown) -> None:
    """Fail if words that somebody wrote can do more than be read."""
    assert isinstance(seen, Seen)
    for live in ("@everyone", "@here", stage.maya.mention, "<@&", "](http", "||", "`_~"):
        assert live not in seen.text, live
    for sign in INVISIBLE.replace("\u200b", ""):
        assert sign not in seen.text, repr(sign)
    assert stage.world.pings == []


async def pages(person: Person) -> list[Shown]:
    """Return every page of /groups."""
    found = [await person.slash("/groups")]
    while "More" in found[-1].labels:
        found.append(await person.press(found[-1], "More"))
    return found


@pytest.mark.both_databases
async def test_hostile_words_in_a_group_are_only_letters_everywhere(stage: Stage) -> None:
    words = hostile(stage)
    about: dict[str, Any] = {ABOUT: words[:500], "Topic": words[:40]}
    created = await stage.new_group("Calm " + words[:50], **about)
    await stage.ana.press(created, "Post its card")
    card = await stage.sam.press((await pages(stage.sam))[0], label_of(await stage.sam.slash("/groups"), "Calm"))
    agreement = await stage.sam.press(card, "Join")
    welcome = await stage.sam.press(agreement, "I agree")
    await stage.later(seconds=6)
    people = await stage.ana.press(created, "People")
    mine = await stage.sam.slash("/my")
    sure = await stage.sam.press(mine, "Leave")
    left = await stage.sam.press(sure, "Leave")
    for seen in (created, agreement, people, mine, sure, left):
        assert_harmless(stage, seen)
    for seen in (welcome, card, *stage.posted(stage.panel)):
        assert stage.world.pings == []
        assert "@everyone" not in seen


def label_of(seen: Shown, start: str) -> str:
    """Return the label that begins so."""
    return next(label for label in seen.labels if label.startswith(start))


async def test_fifteen_groups_at_every_limit_still_fit_every_card(stage: Stage) -> None:
    for number in range(15):
        stars = "*" * 600
        details: dict[str, Any] = {ABOUT: stars, "Topic": f"{number:02d}" + "@" * 38, "Seats": "15"}
        assert "is open" in await stage.new_group(f"{number:02d}" + stars[:58], **details)
    await stage.later(seconds=6)
    assert stage.panel_card()
    assert [len([x for x in page.labels if x[:2].isdigit()]) for page in await pages(stage.maya)] == [6, 6, 3]
    first = await stage.maya.slash("/groups")
    card = await stage.maya.press(first, label_of(first, "00"))
    assert "You're in" in await stage.maya.press(await stage.maya.press(card, "Join"), "I agree")
    for number in range(1, 6):
        first = await stage.maya.slash("/groups")
        await stage.maya.press(await stage.maya.press(first, label_of(first, f"{number:02d}")), "Join")
    assert "My groups" in await stage.maya.slash("/my")
    assert "Groups about" in await stage.maya.choose(
        await stage.maya.slash("/groups"), "Choose a topic", "03" + "@" * 38
    )
    (choice, *_rest) = await stage.ana.autocomplete("/group panel", group="00")
    assert "It stands in" in await stage.ana.slash("/group panel", group=choice)


async def test_a_group_full_of_hostile_names_fits_the_roster(stage: Stage) -> None:
    await stage.new_group("Tuesday meeting", Seats="15")
    names = ["@everyone", stage.maya.mention, INVISIBLE.replace("\ud800", "") + "x", *("*_|`" * 8 for _ in range(12))]
    for name in names:
        await stage.join(stage.newcomer(name))
    roster = await stage.people_of()
    assert len(roster.choices) == 16
    assert "@everyone" not in roster
    assert stage.maya.mention not in roster
    person = await stage.ana.choose(roster, "Choose a person", names[-1])
    assert "Remove" in person.labels
    assert stage.world.pings == []


@pytest.mark.parametrize("field", FIELDS)
async def test_a_text_is_taken_at_its_limit_and_refused_beyond(stage: Stage, field: str) -> None:
    limit = FIELDS[field]
    longest: dict[str, Any] = {field: "x" * limit}
    assert "is open" in await stage.new_group("Room of words", **longest)
    form = await stage.ana.slash("/group new")
    for length in (limit + 1, MOST_TEXT):
        seen = await form.send({"Name": "Other", "Seats": "12", field: "x" * length}, unchecked=True)
        assert f"is too long. {limit} letters are the most." in seen


@pytest.mark.parametrize("name", ["", "x", "@@@@", INVISIBLE, "\u3164" * 60, "**", "\n\n"])
async def test_a_name_that_nobody_can_read_is_refused(stage: Stage, name: str) -> None:
    form = await stage.ana.slash("/group new")
    assert "two letters or more" in await form.send({"Name": name, "Seats": "12"}, unchecked=True)


@pytest.mark.parametrize("seats", ["", "0", "16", "-1", "1.5", "twelve", "9" * MOST_TEXT, "²", "1e1"])
async def test_a_number_of_seats_that_cannot_be_is_refused(stage: Stage, seats: str) -> None:
    form = await stage.ana.slash("/group new")
    assert "a number of seats from 1 to 15" in await form.send({"Name": "Quiet", "Seats": seats}, unchecked=True)


async def test_a_way_to_meet_that_is_not_offered_is_refused(stage: Stage) -> None:
    form = await stage.ana.slash("/group new")
    seen = await form.send({"Name": "Quiet", "How do you meet?": "@everyone"}, unchecked=True)
    assert "Please choose how the group meets." in seen


async def test_a_reason_that_is_not_offered_is_not_kept(stage: Stage) -> None:
    await stage.new_group()
    await stage.join(stage.maya)
    person = await stage.ana.choose(await stage.people_of(), "Choose a person", "Maya")
    form = await stage.ana.press(person, "Remove")
    await form.send({"Reason": "she has @everyone"}, unchecked=True)
    person = await stage.ana.choose(await stage.people_of(), "Choose a person", "Maya")
    assert "Reason" not in person


async def test_the_owners_words_are_only_letters_too(stage: Stage) -> None:
    card = await (await stage.olive.slash("/setup")).send({})
    form = await stage.olive.press(card, "Agreement")
    answers = {
        "What happens if someone is in danger?": hostile(stage),
        "When do facilitators read messages?": "*" * 120,
    }
    await form.send(answers)
    await stage.new_group()
    group = await stage.sam.press(await stage.sam.slash("/groups"), "Tuesday meeting")
    assert_harmless(stage, await stage.sam.press(group, "Join"))


async def test_topics_that_are_typed_do_no_harm(stage: Stage) -> None:
    await stage.new_group()
    for topic in (hostile(stage).replace("\ud800", ""), "x" * 6000, "%", "\n\n"):
        seen = await stage.maya.slash("/groups", topic=topic)
        assert "No group fits right now" in seen
        assert_harmless(stage, seen)


async def test_a_room_of_an_unwritable_name_is_still_made(stage: Stage) -> None:
    await stage.new_group("友達の会 💜 !!! <@1>")
    await stage.new_group("\uff21\uff22" + "." * 58, by=stage.joe)
    names = [channel["name"] for channel in stage.guild.channels.values()]
    assert any("友達の会" in name for name in names)
    assert stage.room("ab")


async def test_no_message_ever_pings_anybody(stage: Stage) -> None:
    """Names and words full of mentions, through a whole life of a group."""
    stage.guild.edit_role(int(stage.bot_role["id"]), permissions=str((1 << 53) - 1))
    stage.guild.edit_role(int(stage.facilitators["id"]), mentionable=True)
    about: dict[str, Any] = {ABOUT: hostile(stage)[:500]}
    created = await stage.new_group("Tuesday meeting", **about)
    await stage.ana.press(created, "Post its card")
    await stage.join(stage.maya)
    stage.guild.set_overwrite(int(stage.room()["id"]), stage.lee.user_id, 1, 1 << 10, 0)
    await stage.world.settle()
    await stage.restart()
    await stage.later(seconds=6)
    assert any("lets in someone" in seen for seen in stage.told())
    sure = await stage.ana.slash("/group close", group="Tuesday meeting")
    await stage.ana.press(sure, "Close the group")
    await stage.later(seconds=6)
    assert stage.world.pings == []
