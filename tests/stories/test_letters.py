"""A member is written to the way they chose, at a time that suits, once; and reads the truth about it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cogs import _outbox
from cogs._outbox import Post
from peerbot import deliveries, dispatcher
from peerbot.models import Delivery
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.refusals import Refusal
from peerbot.text import _
from tests.stories.conftest import NEEDED
from tests.stories.correspondence import (
    KIND,
    by_dm,
    choose,
    in_threads,
    noon,
    register,
    row,
    threads_of,
    until,
    words,
    write,
)
from tests.stories.stage import Stage

__all__ = ["noon"]  # pytest finds fixtures by their names here

OPEN_DM = "/users/@me/channels"
TEST = "This is a test. It worked"
CLOSED = "I could not send you a direct message. I write in your private thread now."
LATE = "Discord did not let me open a direct message in time."
GONE = "Your private thread was deleted."
AWAY = "While you were not in this server, I did not write to you."
UNREACHED = "I could not write to you."


async def says_once(stage: Stage, words: str) -> None:
    """Check that Maya reads something in /my, and not again."""
    assert words in await stage.maya.slash("/my")
    await stage.world.settle()
    assert words not in await stage.maya.slash("/my")


@pytest.mark.both_databases
async def test_a_letter_comes_by_direct_message_with_one_request_once_the_channel_is_known(noon: Stage) -> None:
    with noon.requests() as made:
        await write(noon, noon.maya, "1")
        await write(noon, noon.maya, "2")
    assert [seen.text for seen in by_dm(noon.maya)] == ["Here is news for you, 1.", "Here is news for you, 2."]
    assert made.count(f"POST {OPEN_DM}") == 1
    assert len(made) == 3
    assert all(seen.wire["content"] for seen in by_dm(noon.maya)), "a card would notify without a word"
    assert in_threads(noon, noon.maya) == []


async def test_a_letter_speaks_the_language_of_its_reader(noon: Stage) -> None:
    noon.maya.speaks("en-XA")
    card = await noon.maya.press(await noon.maya.slash("/my"), "⟦Messages⟧")
    await choose(noon.maya, "⟦By DM⟧", from_=card)
    await write(noon, noon.maya)
    assert by_dm(noon.maya)[-1].text == "⟦Here is news for you, 1.⟧"


async def test_choosing_direct_messages_sends_a_test_at_once_and_says_so(stage: Stage) -> None:
    await until(stage, 3)
    seen = await choose(stage.maya, "By DM")
    assert "I've just sent you one. Did it arrive?" in seen
    assert "I write to you by direct message." in seen
    (letter,) = stage.maya.inbox
    assert TEST in letter


async def test_choosing_the_thread_sends_a_test_at_once_and_says_who_can_read_it(stage: Stage) -> None:
    await until(stage, 3)
    seen = await choose(stage.maya, "In a private thread")
    (thread,) = threads_of(stage, stage.maya)
    assert f"I've just written to you here: <#{thread['id']}>" in seen
    assert "by you, by me, and by people who can manage threads here" in seen
    assert any(TEST in each for each in stage.maya.sees(thread))
    assert stage.maya.inbox == []
    assert not stage.sam.can_see(thread)
    assert thread["name"].startswith("For you (")


async def test_the_choice_can_be_changed_in_the_direct_message_itself(stage: Stage) -> None:
    await choose(stage.maya, "By DM")
    card = await stage.maya.press(stage.maya.inbox[0], "Messages")
    assert "I've just written to you here" in await choose(stage.maya, "In a private thread", from_=card)
    assert "Saved." in await (await stage.maya.press(card, "My time zone")).send({"Time zone": "Tokyo"})
    assert "Tokyo time" in await stage.maya.press(card, "By DM")


async def test_whoever_wants_no_messages_gets_none_and_knows_what_that_means(noon: Stage) -> None:
    seen = await choose(noon.maya, "No messages")
    assert "Seat offers and all else are then only in /my." in seen
    letter = await write(noon, noon.maya)
    assert (await row(noon, letter)).state == deliveries.CANCELLED
    assert noon.maya.inbox == []
    assert threads_of(noon, noon.maya) == []


# direct messages that are closed


@pytest.mark.both_databases
async def test_when_direct_messages_are_closed_the_thread_is_used_and_that_is_told_once(noon: Stage) -> None:
    noon.maya.closes_dms()
    await write(noon, noon.maya, "1")
    with noon.requests() as made:
        await write(noon, noon.maya, "2")
    assert by_dm(noon.maya) == []
    assert len(in_threads(noon, noon.maya)) == 2
    assert len(threads_of(noon, noon.maya)) == 1
    assert len(made) == 2, "a closed door is not tried again"
    await says_once(noon, CLOSED)
    assert noon.told() == []


async def test_what_went_wrong_is_not_lost_when_an_old_card_is_pressed(noon: Stage) -> None:
    old = await noon.maya.press(await noon.maya.slash("/my"), "Messages")
    noon.maya.closes_dms()
    await write(noon, noon.maya, "1")
    seen = await noon.maya.press(old, "One hour: off")
    assert "Saved." in seen
    assert CLOSED in seen
    await noon.world.settle()
    assert CLOSED not in await noon.maya.slash("/my")


async def test_choosing_closed_direct_messages_says_how_to_open_them(noon: Stage) -> None:
    noon.maya.closes_dms()
    seen = await choose(noon.maya, "By DM")
    assert "Your direct messages are closed for me." in seen
    assert "*Privacy Settings*" in seen
    (thread,) = threads_of(noon, noon.maya)
    assert f"Until then I write here: <#{thread['id']}>" in seen
    assert any(TEST in each for each in noon.maya.sees(thread))
    await noon.world.settle()
    assert CLOSED not in await noon.maya.slash("/my"), "it has been told"


async def test_direct_messages_that_were_opened_again_are_used_when_they_are_chosen(noon: Stage) -> None:
    noon.maya.closes_dms()
    await write(noon, noon.maya, "1")
    noon.maya.opens_dms()
    await write(noon, noon.maya, "2")
    assert by_dm(noon.maya) == []
    assert "I've just sent you one" in await choose(noon.maya, "By DM")
    await write(noon, noon.maya, "3")
    assert [seen.text for seen in by_dm(noon.maya)] == ["Here is news for you, 3."]


async def test_a_direct_message_that_may_not_be_opened_yet_is_waited_for(noon: Stage) -> None:
    noon.world.dms_until_too_fast = 0
    await write(noon, noon.maya)
    assert by_dm(noon.maya) == []
    noon.world.dms_until_too_fast = None
    await noon.later(minutes=4)
    assert by_dm(noon.maya) == []
    await noon.later(minutes=2)
    assert len(by_dm(noon.maya)) == 1
    assert in_threads(noon, noon.maya) == []
    assert LATE not in await noon.maya.slash("/my")


@pytest.mark.parametrize("not_after", [None, timedelta(minutes=8)])
async def test_a_letter_that_would_come_too_late_by_direct_message_goes_into_the_thread(
    noon: Stage, not_after: timedelta | None
) -> None:
    noon.world.dms_until_too_fast = 0
    end = {"not_after": noon.clock.now() + not_after} if not_after else {}
    await write(noon, noon.maya, "1", **end)
    assert in_threads(noon, noon.maya) == []
    for _turn in range(1 if not_after else 4):
        await noon.later(minutes=5, seconds=1)
    assert len(in_threads(noon, noon.maya)) == 1
    await says_once(noon, LATE)
    noon.world.dms_until_too_fast = None
    await write(noon, noon.maya, "2")
    assert [seen.text for seen in by_dm(noon.maya)] == ["Here is news for you, 2."], "the choice was not changed"


async def test_a_test_message_that_must_wait_is_not_said_to_have_arrived(noon: Stage) -> None:
    noon.world.dms_until_too_fast = 0
    seen = await choose(noon.maya, "By DM")
    assert "The test message is not there yet." in seen


# threads


async def test_a_thread_that_sleeps_is_woken(noon: Stage) -> None:
    await choose(noon.maya, "In a private thread")
    await noon.later(days=8)
    (thread,) = threads_of(noon, noon.maya)
    assert thread["thread_metadata"]["archived"]
    await until(noon, 12)
    await write(noon, noon.maya)
    assert threads_of(noon, noon.maya) == [noon.guild.threads[int(thread["id"])]]
    assert not noon.guild.threads[int(thread["id"])]["thread_metadata"]["archived"]
    assert len(in_threads(noon, noon.maya)) == 1


async def test_a_thread_that_was_deleted_is_made_anew_and_that_is_told_once(noon: Stage) -> None:
    await choose(noon.maya, "In a private thread")
    (thread,) = threads_of(noon, noon.maya)
    noon.guild.remove_thread(int(thread["id"]))
    await noon.world.settle()
    await write(noon, noon.maya)
    assert len(in_threads(noon, noon.maya)) == 1
    await says_once(noon, GONE)


@pytest.mark.both_databases
@pytest.mark.parametrize("closed", [True, False])
async def test_letters_that_are_due_at_once_share_one_thread(noon: Stage, *, closed: bool) -> None:
    await choose(noon.maya, "In a private thread")
    noon.guild.remove_thread(int(threads_of(noon, noon.maya)[0]["id"]))
    if closed:
        noon.maya.closes_dms()
        await choose(noon.maya, "By DM")
    await write(noon, noon.maya, "1", "2", "3")
    await noon.later(seconds=5)
    assert len(in_threads(noon, noon.maya)) == 3
    assert len(noon.guild.threads) == 1


async def test_a_thread_whose_deletion_is_not_heard_of_yet_is_not_written_to(noon: Stage) -> None:
    await choose(noon.maya, "In a private thread")
    (thread,) = threads_of(noon, noon.maya)
    noon.discord.faults.next(
        "PUT", f"/channels/{thread['id']}/thread-members/{{}}", refusal=Refusal(404, 10003, "Unknown Channel")
    )
    await write(noon, noon.maya)
    await noon.later(seconds=5)
    assert len(in_threads(noon, noon.maya)) == 1


async def test_whoever_left_their_thread_is_put_back_before_a_letter(noon: Stage) -> None:
    await choose(noon.maya, "In a private thread")
    (thread,) = threads_of(noon, noon.maya)
    noon.guild.leave_thread(int(thread["id"]), noon.maya.user_id)
    await write(noon, noon.maya)
    assert len(in_threads(noon, noon.maya)) == 1
    assert len(noon.guild.threads) == 1


async def test_a_locked_thread_is_told_to_facilitators_without_a_name_and_to_the_member_once(noon: Stage) -> None:
    await choose(noon.maya, "In a private thread")
    (thread,) = threads_of(noon, noon.maya)
    locked = thread["thread_metadata"] | {"locked": True, "archived": True}
    noon.guild.edit_thread(int(thread["id"]), thread_metadata=locked)
    await write(noon, noon.maya)
    assert in_threads(noon, noon.maya) == []
    (note,) = noon.told()
    assert "I could not write to a member." in note
    assert "Their private thread is locked." in note
    assert not {str(noon.maya.user_id), "Maya", str(thread["id"])} & set(note.text.replace("<", " ").split())
    await says_once(noon, UNREACHED)
    noon.guild.edit_thread(int(thread["id"]), thread_metadata=locked | {"locked": False})
    assert "Done." in await noon.ana.press(note, "Try again")
    assert len(in_threads(noon, noon.maya)) == 1


async def test_when_no_way_is_left_facilitators_read_what_to_do_and_can_try_again(noon: Stage) -> None:
    noon.allow(Bit(NEEDED) & ~Bit.CREATE_PRIVATE_THREADS)
    noon.maya.closes_dms()
    noon.sam.closes_dms()
    await write(noon, noon.maya, "1")
    await write(noon, noon.sam, "2")
    (note,) = noon.told()
    assert "I could not write to a member. It stands in their /my." in note
    assert "/setup, *Check again*" in note
    await says_once(noon, UNREACHED)
    noon.allow(Bit(NEEDED))
    await noon.world.settle()
    assert "Done." in await noon.ana.press(note, "Try again")
    assert len(in_threads(noon, noon.maya)) == 1
    assert len(in_threads(noon, noon.sam)) == 1


async def test_letters_that_our_own_mistake_kept_back_are_one_note_that_names_their_kind_and_nobody(
    noon: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def render(_delivery: Delivery) -> Post:
        raise RuntimeError("a mistake in words")

    monkeypatch.setattr(dispatcher, "ATTEMPTS", 1)
    monkeypatch.setitem(_outbox.LETTERS, KIND, _("stories"))
    assert noon.bot is not None
    assert _outbox.LETTERS.keys() - {KIND} <= noon.bot.outbox.letters.keys()
    await choose(noon.sam, "In a private thread")
    noon.prepares.append(register)
    noon.bot.outbox.letter(KIND, render)
    noon.expected_errors += ["Delivery "] * 3
    for person in (noon.maya, noon.sam, noon.lee):
        await write(noon, person, person.name)
    (note,) = noon.told()
    assert "I could not send some messages: stories. Each stands in its member's /my." in note
    assert "This looks like a mistake of mine." in note
    assert "<#" not in note.text, "whose channel it was is nobody's to know"
    for person in (noon.maya, noon.sam, noon.lee):
        assert UNREACHED in await person.slash("/my")
    noon.bot.outbox.messages[KIND] = words(noon.bot)
    assert "Done." in await noon.ana.press(note, "Try again")
    assert (len(by_dm(noon.maya)), len(in_threads(noon, noon.sam)), len(by_dm(noon.lee))) == (1, 1, 1)


async def test_private_threads_stand_where_the_owner_chose(noon: Stage) -> None:
    letters = noon.guild.add_channel("letters")
    await noon.set_up(**{"Where may I open private threads?": letters})
    await choose(noon.maya, "In a private thread")
    (thread,) = threads_of(noon, noon.maya)
    assert thread["parent_id"] == letters["id"]


# people who are not there


async def test_whoever_left_the_server_gets_no_letter_and_reads_so_once_when_they_are_back(noon: Stage) -> None:
    await write(noon, noon.maya, "1")
    noon.maya.leaves()
    await noon.world.settle()
    letter = await write(noon, noon.maya, "2")
    assert (await row(noon, letter)).state == deliveries.CANCELLED
    assert len(by_dm(noon.maya)) == 1
    assert noon.told() == []
    noon.maya.rejoins()
    await noon.world.settle()
    await says_once(noon, AWAY)
    await write(noon, noon.maya, "3")
    assert len(by_dm(noon.maya)) == 2


@pytest.mark.parametrize("way", ["By DM", "In a private thread"])
async def test_whoever_left_unseen_gets_no_letter_and_nobody_is_told(noon: Stage, way: str) -> None:
    await choose(noon.maya, way)
    await noon.stop()
    noon.maya.leaves()
    await noon.start()
    letter = await write(noon, noon.maya)
    assert (await row(noon, letter)).state == deliveries.CANCELLED
    assert noon.told() == []
    noon.maya.rejoins()
    await noon.world.settle()
    await says_once(noon, AWAY)


# quiet hours


async def test_a_letter_waits_through_the_night_of_the_server(stage: Stage) -> None:
    await until(stage, 23)
    await write(stage, stage.maya)
    await until(stage, 7, 59)
    assert by_dm(stage.maya) == []
    await until(stage, 8)
    await stage.later(seconds=1)
    assert len(by_dm(stage.maya)) == 1


async def test_a_letter_waits_through_the_night_of_its_reader(stage: Stage) -> None:
    card = await stage.maya.press(await stage.maya.slash("/my"), "Messages")
    seen = await (await stage.maya.press(card, "My time zone")).send({"Time zone": "Tokyo"})
    assert "Nothing comes from 10 in the evening to 8 in the morning, Tokyo time." in seen
    await until(stage, 23, zone="Asia/Tokyo")
    await write(stage, stage.maya)
    assert by_dm(stage.maya) == []
    await until(stage, 8, 1, zone="Asia/Tokyo")
    assert len(by_dm(stage.maya)) == 1


async def test_a_letter_whose_time_ends_in_the_night_is_not_sent(stage: Stage) -> None:
    await until(stage, 23)
    await write(stage, stage.maya, not_after=stage.clock.now() + timedelta(hours=2))
    await until(stage, 12)
    assert by_dm(stage.maya) == []


async def test_a_retry_that_falls_into_the_night_waits_for_the_morning(stage: Stage) -> None:
    await until(stage, 21, 58)
    stage.world.dms_until_too_fast = 0
    await write(stage, stage.maya)
    stage.world.dms_until_too_fast = None
    await until(stage, 23)
    assert by_dm(stage.maya) == []
    await until(stage, 8, 1)
    assert len(by_dm(stage.maya)) == 1


async def test_an_unknown_time_zone_brings_suggestions_and_an_empty_one_the_servers(stage: Stage) -> None:
    card = await stage.maya.press(await stage.maya.slash("/my"), "Messages")
    await (await stage.maya.press(card, "My time zone")).send({"Time zone": "Tokyo"})
    assert "I don't know the time zone" in await (await stage.maya.press(card, "My time zone")).send(
        {"Time zone": "Atlantis"}
    )
    assert "New York time" in await (await stage.maya.press(card, "My time zone")).send({"Time zone": ""})
