"""Messages: sending, reading, changing, deleting, and who is notified."""

from __future__ import annotations

import io
from datetime import timedelta

import discord
import pytest

from peerbot.clock import Clock
from peerbot.rehearsal import posting
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.posting import Draft
from peerbot.rehearsal.world import World
from tests.standin.conftest import Connect

NOBODY = discord.AllowedMentions.none()


@pytest.fixture
async def room(connect: Connect) -> discord.TextChannel:
    """#general, as the bot's client knows it."""
    client = await connect()
    return client.guilds[0].text_channels[0]


def written(world: World, channel: discord.abc.Snowflake, name: str = "Maya", content: str = "hello") -> int:
    """Let a person write, and return the message's id."""
    guild = next(iter(world.guilds.values()))
    author = guild.add_member(world.person(name))["user"]
    return int(posting.post(world, guild.channels[channel.id], author, Draft({"content": content}))["id"])


def deny(guild: Guild, application: Application, channel: discord.abc.Snowflake, bits: int) -> None:
    """Take permissions from the bot in a channel."""
    guild.set_overwrite(channel.id, application.bot_id, 1, 0, bits)


async def test_a_message_is_sent_read_changed_and_deleted(room: discord.TextChannel, world: World) -> None:
    message = await room.send("Good morning", embed=discord.Embed(title="Tuesday").add_field(name="When", value="six"))

    again = await room.fetch_message(message.id)
    assert (again.content, again.embeds[0].title, again.embeds[0].fields[0].value) == ("Good morning", "Tuesday", "six")

    changed = await message.edit(content="Good evening")
    assert (changed.content, changed.edited_at is not None, len(changed.embeds)) == ("Good evening", True, 1)

    await message.delete()
    with pytest.raises(discord.NotFound) as refused:
        await room.fetch_message(message.id)
    assert refused.value.code == 10008


async def test_a_card_of_components_keeps_its_layout_and_gets_ids(room: discord.TextChannel, world: World) -> None:
    view = discord.ui.LayoutView()
    row: discord.ui.ActionRow[discord.ui.LayoutView] = discord.ui.ActionRow(
        discord.ui.Button(label="Join", custom_id="j")
    )
    view.add_item(discord.ui.Container(discord.ui.TextDisplay("Tuesday meeting"), discord.ui.Separator(), row))

    message = await room.send(view=view)

    [container] = world.message(room.id, message.id)["components"]
    assert [part["type"] for part in container["components"]] == [10, 14, 1]
    ids = [container["id"], *(part["id"] for part in container["components"])]
    assert len(set(ids)) == len(ids)
    assert message.flags.components_v2


async def test_a_card_of_components_stays_one_when_it_is_changed(room: discord.TextChannel) -> None:
    view = discord.ui.LayoutView().add_item(discord.ui.TextDisplay("before"))
    message = await room.send(view=view)

    with pytest.raises(discord.HTTPException) as refused:
        await message.edit(content="plain")
    assert refused.value.status == 400
    changed = await message.edit(view=discord.ui.LayoutView().add_item(discord.ui.TextDisplay("after")))
    assert isinstance(shown := changed.components[0], discord.TextDisplay)
    assert shown.content == "after"


async def test_files_are_attached(room: discord.TextChannel, world: World) -> None:
    message = await room.send("here", file=discord.File(io.BytesIO(b"a,b"), "people.csv", description="who"))

    [attachment] = message.attachments
    assert (attachment.filename, attachment.size, attachment.description) == ("people.csv", 3, "who")
    assert world.files[attachment.id] == b"a,b"
    assert (await message.edit(content="still")).attachments == [attachment]
    assert (await message.edit(attachments=[])).attachments == []


async def test_the_same_nonce_returns_the_same_message(room: discord.TextChannel, world: World) -> None:
    first = await room.send("once", nonce="r7")
    second = await room.send("once", nonce="r7")

    assert second.id == first.id
    assert len(world.messages[room.id]) == 1


async def test_a_nonce_is_forgotten_after_its_window(room: discord.TextChannel, world: World, clock: Clock) -> None:
    first = await room.send("once", nonce="r7")
    clock.move(timedelta(seconds=151))

    assert (await room.send("once", nonce="r7")).id != first.id


async def test_the_nonce_of_a_deleted_message_is_refused(room: discord.TextChannel) -> None:
    await (await room.send("once", nonce="r7")).delete()

    with pytest.raises(discord.NotFound) as refused:
        await room.send("once", nonce="r7")
    assert refused.value.code == 10008


async def test_history_is_read_in_every_direction(room: discord.TextChannel) -> None:
    sent = [await room.send(str(number)) for number in range(7)]

    async def read(**where: object) -> list[str]:
        return [message.content async for message in room.history(**where)]  # type: ignore[arg-type]

    assert await read(limit=3) == ["6", "5", "4"]
    assert await read(limit=2, before=sent[3]) == ["2", "1"]
    assert await read(limit=2, after=sent[3]) == ["4", "5"]
    assert await read(limit=3, around=sent[3]) == ["4", "3", "2"]


async def test_words_of_others_are_not_given_without_the_content_intent(
    room: discord.TextChannel, world: World, application: Application
) -> None:
    message_id = written(world, room, content="something private")

    assert (await room.fetch_message(message_id)).content == ""
    application.privileged |= 1 << 15
    assert (await room.fetch_message(message_id)).content == "something private"


@pytest.mark.parametrize(
    ("bits", "code"), [(Bit.VIEW_CHANNEL, 50001), (Bit.SEND_MESSAGES, 50013)], ids=["unseen", "silent"]
)
async def test_a_channel_that_is_closed_to_the_bot_refuses(
    room: discord.TextChannel, guild: Guild, application: Application, bits: int, code: int
) -> None:
    deny(guild, application, room, bits)

    with pytest.raises(discord.Forbidden) as refused:
        await room.send("hello")
    assert refused.value.code == code


async def test_without_history_nothing_is_listed(
    room: discord.TextChannel, guild: Guild, application: Application
) -> None:
    message = await room.send("hello")
    deny(guild, application, room, Bit.READ_MESSAGE_HISTORY)

    assert [one async for one in room.history()] == []
    with pytest.raises(discord.Forbidden):
        await room.fetch_message(message.id)


async def test_messages_of_others_are_not_for_the_bot_to_change(room: discord.TextChannel, world: World) -> None:
    message = room.get_partial_message(written(world, room))

    with pytest.raises(discord.Forbidden) as edited:
        await message.edit(content="mine")
    with pytest.raises(discord.Forbidden) as deleted:
        await message.delete()
    assert (edited.value.code, deleted.value.code) == (50005, 50013)


async def test_messages_are_deleted_in_bulk(
    room: discord.TextChannel, world: World, guild: Guild, application: Application
) -> None:
    sent = [await room.send(str(number)) for number in range(3)]
    with pytest.raises(discord.Forbidden):
        await room.delete_messages(sent)

    guild.set_overwrite(room.id, application.bot_id, 1, Bit.MANAGE_MESSAGES, 0)
    await room.delete_messages(sent)
    assert world.messages[room.id] == {}


async def test_pins_need_their_permission(room: discord.TextChannel, guild: Guild, application: Application) -> None:
    message = await room.send("rules")
    with pytest.raises(discord.Forbidden):
        await message.pin()

    guild.set_overwrite(room.id, application.bot_id, 1, Bit.PIN_MESSAGES, 0)
    await message.pin()
    assert [one.id async for one in room.pins()] == [message.id]


async def test_only_those_are_notified_whom_the_sender_allows(
    room: discord.TextChannel, world: World, guild: Guild
) -> None:
    maya, noah = [int(guild.add_member(world.person(name))["user"]["id"]) for name in ("Maya", "Noah")]
    text = f"<@{maya}> <@{noah}> @everyone"

    nobody = await room.send(text, allowed_mentions=NOBODY)
    one = await room.send(text, allowed_mentions=discord.AllowedMentions(everyone=False, users=[discord.Object(noah)]))
    both = await room.send(text)

    assert world.pings == [(one.id, noah), (both.id, maya), (both.id, noah)]
    assert (nobody.mentions, [user.id for user in one.mentions]) == ([], [noah])
    assert not both.mention_everyone, "the bot may not mention everyone"


async def test_who_cannot_see_the_channel_is_not_notified(
    room: discord.TextChannel, world: World, guild: Guild
) -> None:
    maya = int(guild.add_member(world.person("Maya"))["user"]["id"])
    guild.set_overwrite(room.id, maya, 1, 0, Bit.VIEW_CHANNEL)

    message = await room.send(f"<@{maya}>")

    assert [user.id for user in message.mentions] == [maya]
    assert world.pings == []


async def test_a_role_is_notified_only_if_it_may_be_mentioned(
    room: discord.TextChannel, world: World, guild: Guild
) -> None:
    role = guild.add_role("Facilitators")
    maya = int(guild.add_member(world.person("Maya"), int(role["id"]))["user"]["id"])

    await room.send(f"<@&{role['id']}>")
    assert world.pings == []
    guild.edit_role(int(role["id"]), mentionable=True)
    second = await room.send(f"<@&{role['id']}>")
    assert world.pings == [(second.id, maya)]
    await room.send(f"<@&{role['id']}>", silent=True)
    assert world.pings == [(second.id, maya)]


async def test_a_direct_message_reaches_a_person_until_they_close_them(
    room: discord.TextChannel, world: World, guild: Guild
) -> None:
    maya = int(guild.add_member(world.person("Maya"))["user"]["id"])
    user = await room.guild.fetch_member(maya)

    sent = await user.send("Your meeting starts")
    assert world.pings == [(sent.id, maya)]

    world.close_dms(maya)
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("Your meeting starts")
    assert refused.value.code == 50007

    world.open_dms(maya)
    guild.remove_member(maya)
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("You share no server with me")
    assert refused.value.code == 50278


async def test_direct_channels_opened_too_fast_are_refused(
    room: discord.TextChannel, world: World, guild: Guild
) -> None:
    world.dms_until_too_fast = 1
    people = [int(guild.add_member(world.person(name))["user"]["id"]) for name in ("Maya", "Noah")]
    maya, noah = [await room.guild.fetch_member(one) for one in people]

    await maya.create_dm()
    await maya.create_dm()
    with pytest.raises(discord.HTTPException) as refused:
        await noah.create_dm()
    assert refused.value.code == 40003


async def test_a_reply_names_what_it_answers(room: discord.TextChannel, world: World) -> None:
    message = room.get_partial_message(written(world, room))

    answer = await message.reply("hello Maya", mention_author=False)

    assert answer.reference is not None
    assert answer.reference.message_id == message.id
    assert world.pings == []
    with pytest.raises(discord.HTTPException):
        await room.get_partial_message(5).reply("nobody")


async def test_edits_of_old_messages_run_out(room: discord.TextChannel, world: World, clock: Clock) -> None:
    old = await room.send("before")
    clock.move(timedelta(minutes=61))
    young = await room.send("before")
    world.old_edits_until_too_many = 1

    await old.edit(content="once")
    with pytest.raises(discord.HTTPException) as refused:
        await old.edit(content="twice")
    await young.edit(content="after")

    assert (refused.value.status, refused.value.code) == (429, 30046)
    assert world.message(room.id, old.id)["content"] == "once"


async def test_an_edit_leaves_a_silent_message_silent(room: discord.TextChannel, world: World) -> None:
    message = await room.send("hello", silent=True, suppress_embeds=True)

    await message.edit(content="hello again", suppress=False)

    assert world.message(room.id, message.id)["flags"] == 1 << 12


async def test_a_line_that_discord_wrote_cannot_be_changed(
    room: discord.TextChannel, world: World, guild: Guild, application: Application
) -> None:
    guild.set_overwrite(room.id, application.bot_id, 1, int(Bit.PIN_MESSAGES), 0)
    await (await room.send("hello")).pin()
    line = max(world.messages[room.id])

    with pytest.raises(discord.HTTPException) as refused:
        await room.get_partial_message(line).edit(content="x")

    assert refused.value.code == 50021


async def test_without_history_no_pins_are_listed(
    room: discord.TextChannel, world: World, guild: Guild, application: Application
) -> None:
    guild.set_overwrite(room.id, application.bot_id, 1, int(Bit.PIN_MESSAGES), 0)
    await (await room.send("hello")).pin()
    assert len([one async for one in room.pins()]) == 1

    deny(guild, application, room, int(Bit.READ_MESSAGE_HISTORY))

    assert [one async for one in room.pins()] == []


async def test_a_message_is_deleted_in_bulk_only_once(
    room: discord.TextChannel, guild: Guild, application: Application
) -> None:
    guild.set_overwrite(room.id, application.bot_id, 1, int(Bit.MANAGE_MESSAGES), 0)
    message = await room.send("hello")

    with pytest.raises(discord.HTTPException) as refused:
        await room._state.http.delete_messages(room.id, [message.id, message.id])

    assert (refused.value.status, refused.value.code) == (400, 50035)
