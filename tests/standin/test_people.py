"""People in front of the stand-in, with a real discord.py bot behind it."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import discord
import pytest
from discord import app_commands, ui

from peerbot.clock import Clock
from peerbot.rehearsal import interactions, people
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.seen import NoAnswer, Seen
from peerbot.rehearsal.world import World
from tests.standin.bots import Bot, Talk
from tests.standin.conftest import Client, Connect


@pytest.fixture
async def bot(connect: Connect) -> Bot:
    client = Client(discord.Intents(guilds=True))
    made = Bot(client)
    await connect(client)
    return made


@pytest.fixture
def maya(world: World, guild: Guild, application: Application) -> Person:
    return people.join(world, guild, "Maya")


@pytest.fixture
def leo(world: World, guild: Guild, application: Application) -> Person:
    return people.join(world, guild, "Leo")


async def test_a_sub_command_takes_options_of_every_kind(bot: Bot, maya: Person, leo: Person, guild: Guild) -> None:
    role, channel = guild.add_role("Facilitators"), guild.add_channel("tuesday")
    group = app_commands.Group(name="group", description="Groups")

    @group.command(name="new", description="Make one")
    @app_commands.choices(
        sort=[app_commands.Choice(name="Voice", value="v"), app_commands.Choice(name="Text", value="t")]
    )
    async def new(  # noqa: PLR0917 (the library passes options by name)
        talk: Talk,
        name: str,
        sort: str,
        facilitator: discord.Member,
        role: discord.Role,
        where: discord.TextChannel,
        seats: app_commands.Range[int, 1, 15],
        open_: bool = False,  # noqa: FBT001, FBT002
        picture: discord.Attachment | None = None,
    ) -> None:
        file = picture.filename if picture else ""
        words = (name, sort, facilitator.display_name, role.name, where.name, seats, open_, file)
        await talk.response.send_message(" ".join(map(str, words)), ephemeral=True)

    bot.tree.add_command(group)
    await bot.tree.sync()
    options: dict[str, Any] = {"name": "Tuesday", "sort": "Voice", "facilitator": leo, "role": role, "where": channel}
    wrong_sort: dict[str, Any] = options | {"sort": "Smoke"}

    reply = await maya.slash("/group new", **options, seats=12, open_=True, picture=("a.png", b"1"))

    assert reply.text == "Tuesday v Leo Facilitators tuesday 12 True a.png"
    with pytest.raises(AssertionError, match="between 1 and 15"):
        await maya.slash("/group new", **options, seats=16)
    with pytest.raises(AssertionError, match="no choice"):
        await maya.slash("/group new", **wrong_sort, seats=1)
    with pytest.raises(AssertionError, match="needs"):
        await maya.slash("/group new", name="Tuesday")
    with pytest.raises(AssertionError, match="cannot be used alone"):
        await maya.slash("/group")


async def test_an_autocompletion_suggests_and_the_choice_sends_its_value(bot: Bot, maya: Person) -> None:
    async def suggest(talk: Talk, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{current}sday", value="42")]

    @bot.tree.command(description="Show a group")
    @app_commands.autocomplete(group=suggest)
    async def show(talk: Talk, group: str) -> None:
        await talk.response.send_message(f"group {group}")

    await bot.tree.sync()
    [choice] = await maya.autocomplete("/show", group="Tue")

    assert choice == "Tuesday"
    assert (await maya.slash("/show", group=choice)).text == "group 42"
    assert (await maya.slash("/show", group="Tuesday")).text == "group Tuesday"


async def test_menus_of_messages_and_of_people(bot: Bot, maya: Person, leo: Person) -> None:
    @bot.tree.context_menu(name="Report")
    async def report(talk: Talk, message: discord.Message) -> None:
        await talk.response.send_message(f"reported: {message.content}", ephemeral=True)

    @bot.tree.context_menu(name="Who")
    async def who(talk: Talk, member: discord.Member) -> None:
        await talk.response.send_message(member.display_name, ephemeral=True)

    await bot.tree.sync()
    said = leo.says(leo.home, "bad words")

    assert (await maya.menu("Report", said)).text == "reported: bad words"
    assert (await maya.menu("Who", leo)).text == "Leo"
    with pytest.raises(AssertionError, match=r"no entry.*Report"):
        await maya.menu("Blame", said)


async def test_commands_are_offered_by_permission_place_and_the_owners_word(
    bot: Bot, world: World, guild: Guild, maya: Person, application: Application
) -> None:
    @bot.tree.command(description="For facilitators")
    @app_commands.default_permissions(manage_events=True)
    @app_commands.guild_only()
    async def desk(talk: Talk) -> None:
        await talk.response.send_message("the desk")

    @bot.tree.command(name="help-now", description="For everyone")
    async def help_now(talk: Talk) -> None:
        await talk.response.send_message("help")

    await bot.tree.sync()
    helpers = guild.add_role("Helpers", Bit.MANAGE_EVENTS)
    nora = people.join(world, guild, "Nora", helpers)
    olga = people.owner(world, guild)

    assert maya.offered() == ["help-now"]
    assert maya.offered(maya.dm(application)) == ["help-now"]
    assert nora.offered() == olga.offered() == ["desk", "help-now"]
    with pytest.raises(AssertionError, match="not offered"):
        await maya.slash("/desk")
    assert (await maya.slash("/desk", force=True)).text == "the desk"

    [command_id] = [each for each, command in application.commands.items() if command["name"] == "desk"]
    maya_may = {"id": str(maya.user_id), "type": 2, "permission": True}
    world.interactions.command_permissions[guild.id, command_id] = [maya_may]
    assert maya.offered() == ["desk", "help-now"]
    guild.edit_role(guild.id, permissions=str(int(Bit.VIEW_CHANNEL)))
    assert maya.offered() == []


async def test_a_command_and_its_button_work_in_a_direct_message(
    bot: Bot, maya: Person, leo: Person, application: Application
) -> None:
    class Card(ui.View):
        @ui.button(label="More")
        async def more(self, interaction: discord.Interaction[Any], _: ui.Button[Card]) -> None:
            await interaction.response.defer()
            await interaction.followup.send(f"more for {interaction.user.name}")
            await interaction.delete_original_response()

    @bot.tree.command(name="help-now", description="For everyone")
    async def help_now(talk: Talk) -> None:
        await talk.response.defer(thinking=True)
        await talk.edit_original_response(content="help", view=Card())

    await bot.tree.sync()
    card = await maya.slash("/help-now", in_=maya.dm(application))
    more = await maya.press(card, "More")

    assert (card.text, more.text) == ("help", "more for maya")
    await maya.world.settle()
    assert [each.text for each in maya.inbox] == ["more for maya"]
    assert leo.inbox == []


async def test_an_answer_that_was_refused_is_named_when_nothing_comes(
    bot: Bot, maya: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interactions, "FIRST_ANSWER_SECONDS", 0.2)

    @bot.tree.command(description="Answer with nothing in it")
    async def empty(talk: Talk) -> None:
        with contextlib.suppress(discord.HTTPException):
            await talk.response.send_message("")

    await bot.tree.sync()

    with pytest.raises(NoAnswer, match="50006: Cannot send an empty message"):
        await maya.slash("/empty")


async def test_an_old_button_works_for_a_bot_that_was_started_anew(bot: Bot, connect: Connect, maya: Person) -> None:
    channel = bot.client.get_channel(int(maya.home["id"]))
    assert isinstance(channel, discord.TextChannel)
    await channel.send(view=Kinds())
    await bot.client.close()
    again = Client(discord.Intents(guilds=True))
    again.add_view(Kinds())
    await connect(again)

    assert (await maya.press(maya.sees()[-1], "Join")).text == "welcome Maya"


class Kinds(ui.LayoutView):
    """A card of the second version with a button beside text and selects of every kind."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        button: ui.Button[Any] = ui.Button(label="Join", custom_id="join")
        full: ui.Button[Any] = ui.Button(label="Full", custom_id="full", disabled=True)
        link: ui.Button[Any] = ui.Button(label="Site", url="https://example.org")
        options = [discord.SelectOption(label="One"), discord.SelectOption(label="Two")]
        selects: list[Any] = [
            ui.Select(custom_id="1", placeholder="Numbers", options=options, max_values=2),
            ui.UserSelect(custom_id="2", placeholder="People"),
            ui.RoleSelect(custom_id="3", placeholder="Roles"),
            ui.MentionableSelect(custom_id="4", placeholder="Anybody", max_values=2),
            ui.ChannelSelect(custom_id="5", placeholder="Rooms", channel_types=[discord.ChannelType.text]),
        ]
        card: ui.Container[Any] = ui.Container(
            ui.TextDisplay("# Tuesday"), ui.Section("Twelve seats", accessory=button)
        )
        for select in selects:
            select.callback = self.told(select)
            card.add_item(ui.ActionRow(select))
        self.add_item(card).add_item(ui.ActionRow(full, link))
        button.callback = self.joined

    async def joined(self, interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(f"welcome {interaction.user.display_name}", ephemeral=True)

    def told(self, select: Any) -> Any:
        async def callback(talk: Talk) -> None:
            await talk.response.send_message(", ".join(getattr(each, "name", each) for each in select.values))

        return callback


@pytest.fixture
async def card(bot: Bot, maya: Person, guild: Guild) -> Seen:
    """The card of every kind, posted into #general."""
    channel = bot.client.get_channel(int(maya.home["id"]))
    assert isinstance(channel, discord.TextChannel)
    await channel.send(view=Kinds())
    return maya.sees()[-1]


async def test_a_card_is_read_as_the_client_shows_it(card: Seen) -> None:
    assert card.text == "# Tuesday\nTwelve seats"
    assert card.labels == ["Join", "Full", "Site"]
    assert card.choices == ["One", "Two"]
    assert card.disabled == ["Full"]
    assert card.links == {"Site": "https://example.org"}
    assert "Twelve" in card
    assert "[Join] (Full)" in repr(card)
    assert "<v Numbers: One / Two>" in repr(card)


async def test_selects_of_every_kind_take_what_a_person_names(
    card: Seen, maya: Person, leo: Person, guild: Guild
) -> None:
    role = guild.add_role("Helpers")

    assert (await maya.choose(card, "Numbers", "One", "Two")).text == "One, Two"
    assert (await maya.choose(card, "People", leo)).text == "leo"
    assert (await maya.choose(card, "Roles", role)).text == "Helpers"
    assert (await maya.choose(card, "Anybody", leo, role)).text == "leo, Helpers"
    assert (await maya.choose(card, "Rooms", maya.home)).text == "general"


async def test_what_the_client_prevents_fails_with_what_there_is(card: Seen, maya: Person, leo: Person) -> None:
    with pytest.raises(AssertionError, match=r"no button 'Leave'.*\['Join', 'Full', 'Site'\]"):
        await maya.press(card, "Leave")
    with pytest.raises(AssertionError, match="disabled"):
        await maya.press(card, "Full")
    with pytest.raises(AssertionError, match="is a link"):
        await maya.press(card, "Site")
    with pytest.raises(AssertionError, match="no option 'Three'"):
        await maya.choose(card, "Numbers", "Three")
    with pytest.raises(AssertionError, match="between 1 and 2"):
        await maya.choose(card, "Numbers")
    with pytest.raises(AssertionError, match="only role"):
        await maya.choose(card, "Roles", leo)


async def test_a_card_in_a_hidden_channel_cannot_be_pressed(card: Seen, maya: Person, guild: Guild) -> None:
    guild.set_overwrite(card.channel_id, guild.id, 0, 0, int(Bit.VIEW_CHANNEL))

    assert maya.sees(guild.channels[card.channel_id]) == []
    assert not maya.can_see(guild.channels[card.channel_id])
    with pytest.raises(AssertionError, match="no longer sees"):
        await maya.press(card, "Join")


async def test_who_left_cannot_press_and_who_came_back_can(card: Seen, maya: Person) -> None:
    maya.leaves()
    with pytest.raises(AssertionError, match="no longer sees"):
        await maya.press(card, "Join")
    maya.rejoins()

    assert (await maya.press(card, "Join")).text == "welcome Maya"


async def test_who_is_in_a_timeout_reads_and_can_do_nothing(
    card: Seen, maya: Person, guild: Guild, clock: Clock
) -> None:
    until = clock.now() + timedelta(minutes=10)
    guild.edit_member(maya.user_id, communication_disabled_until=until.isoformat())

    assert maya.look(card).text == card.text
    with pytest.raises(AssertionError, match="timeout"):
        await maya.press(card, "Join")
    clock.move(timedelta(minutes=11))
    assert (await maya.press(card, "Join")).text == "welcome Maya"


async def test_a_press_that_changes_nothing_leaves_the_card_as_it_was(
    card: Seen, bot: Bot, maya: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "DEFERRED_SECONDS", 0.05)

    @bot.client.event
    async def on_interaction(talk: Talk) -> None:
        if not talk.response.is_done():
            await talk.response.defer()

    assert (await maya.forged(card, "nothing")).text == card.text
    await maya.tap(card, "Join")


async def test_two_press_at_once_and_each_gets_an_own_answer(card: Seen, maya: Person, leo: Person) -> None:
    answers = await asyncio.gather(maya.press(card, "Join"), leo.press(card, "Join"))

    assert [each.text for each in answers] == ["welcome Maya", "welcome Leo"]
    assert "welcome Leo" not in [each.text for each in maya.sees()]


async def test_a_dismissed_ephemeral_is_gone_for_the_person(card: Seen, maya: Person) -> None:
    first, _ = await maya.press(card, "Join"), await maya.press(card, "Join")
    assert isinstance(first, Seen)
    maya.dismiss(first)
    assert len([each for each in maya.sees() if each.ephemeral]) == 1

    maya.restarts_client()
    assert [each for each in maya.sees() if each.ephemeral] == []


async def test_an_inbox_shows_direct_messages_until_they_are_closed(
    bot: Bot, maya: Person, leo: Person, world: World
) -> None:
    user = await bot.client.fetch_user(maya.user_id)
    await user.send("a reminder")
    maya.closes_dms()
    with pytest.raises(discord.Forbidden) as refusal:
        await user.send("another")

    assert refusal.value.code == 50007
    assert [each.text for each in maya.inbox] == ["a reminder"]
    assert maya.pings == [maya.inbox[0].message_id]
    assert leo.inbox == []


async def test_who_may_not_write_cannot(maya: Person, guild: Guild) -> None:
    channel = guild.add_channel("news")
    guild.set_overwrite(int(channel["id"]), guild.id, 0, 0, int(Bit.SEND_MESSAGES))

    with pytest.raises(AssertionError, match="cannot write"):
        maya.says(channel, "hello")
    people.owner(maya.world, guild).says(channel, "hello")
    assert [each.text for each in maya.sees(channel)] == ["hello"]
