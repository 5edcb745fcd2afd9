"""Forms with every kind of field, filled by labels."""

from __future__ import annotations

from typing import Any

import discord
import pytest
from discord import ui

from peerbot.rehearsal import people
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.people import Person
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


DEFAULT_DAY = discord.SelectOption(label="Tue", default=True)


class EveryKind(ui.Modal, title="Every kind"):
    """A form as full as a form can be."""

    name: ui.Label[Any] = ui.Label(text="Name", component=ui.TextInput(min_length=2, max_length=20))
    sort: ui.Label[Any] = ui.Label(
        text="Voice or text",
        component=ui.RadioGroup(
            options=[
                discord.RadioGroupOption(label="Voice", value="v"),
                discord.RadioGroupOption(label="Text", value="t"),
            ]
        ),
    )
    days: ui.Label[Any] = ui.Label(
        text="Days",
        component=ui.CheckboxGroup(
            options=[
                discord.CheckboxGroupOption(label="Mon", value="1"),
                discord.CheckboxGroupOption(label="Tue", value="2"),
            ]
        ),
    )
    agreed: ui.Label[Any] = ui.Label(text="Agreed", description="Please read it", component=ui.Checkbox())
    files: ui.Label[Any] = ui.Label(text="Files", component=ui.FileUpload(required=False))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        parts: list[Any] = [getattr(self, each).component for each in ("name", "sort", "days", "agreed", "files")]
        name, sort, days, agreed, files = parts
        names = [each.filename for each in files.values]
        words = f"{name.value} {sort.value} {days.values} {agreed.value} {names}"
        await interaction.response.send_message(words, ephemeral=True)


class MoreKinds(ui.Modal, title="More kinds"):
    """The selects, and text between."""

    words: ui.TextDisplay[Any] = ui.TextDisplay("Choose well")
    topic: ui.Label[Any] = ui.Label(
        text="Topic",
        component=ui.Select(options=[discord.SelectOption(label="Sleep"), discord.SelectOption(label="Work")]),
    )
    person: ui.Label[Any] = ui.Label(text="Facilitator", component=ui.UserSelect(required=True))
    role: ui.Label[Any] = ui.Label(text="Role", component=ui.RoleSelect(required=False))
    room: ui.Label[Any] = ui.Label(text="Room", component=ui.ChannelSelect(required=True))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        selects: list[Any] = [getattr(self, each).component for each in ("topic", "person", "role", "room")]
        words = "; ".join(",".join(getattr(value, "name", value) for value in each.values) for each in selects)
        await interaction.response.send_message(words, ephemeral=True)


@pytest.fixture
async def forms(bot: Bot) -> None:
    """Two commands, each of which opens a form."""

    @bot.tree.command(description="Open the first form")
    async def every(talk: Talk) -> None:
        await talk.response.send_modal(EveryKind())

    @bot.tree.command(description="Open the second form")
    async def more(talk: Talk) -> None:
        await talk.response.send_modal(MoreKinds())

    await bot.tree.sync()


@pytest.mark.usefixtures("forms")
async def test_a_form_of_every_kind_is_filled_by_labels(maya: Person) -> None:
    form = await maya.slash("/every")
    assert form.title == "Every kind"
    assert form.labels == ["Name", "Voice or text", "Days", "Agreed", "Files"]
    assert "Please read it" in form

    answers = {"Name": "Tuesday", "Voice or text": "Voice", "Days": ["Mon", "Tue"], "Agreed": True}
    reply = await form.send(answers | {"Files": [("a.txt", b"1")]})

    assert reply.text == "Tuesday v ['1', '2'] True ['a.txt']"


@pytest.mark.usefixtures("forms")
async def test_a_form_with_selects_is_filled_with_people_roles_and_channels(maya: Person, leo: Person) -> None:
    form = await maya.slash("/more")
    assert "Choose well" in form

    reply = await form.send({"Topic": "Sleep", "Facilitator": leo, "Room": maya.home})

    assert reply.text == "Sleep; leo; ; general"


@pytest.mark.usefixtures("forms")
async def test_a_form_is_checked_as_the_client_checks_it(maya: Person, leo: Person) -> None:
    every, more = await maya.slash("/every"), await maya.slash("/more")
    good = {"Name": "Tuesday", "Voice or text": "Voice", "Days": "Mon"}

    with pytest.raises(AssertionError, match=r"no \['Title'\].*'Name'"):
        await every.send({"Title": "x"})
    with pytest.raises(AssertionError, match="'Name': must be filled in"):
        await every.send(good | {"Name": ""})
    with pytest.raises(AssertionError, match="between 2 and 20 letters"):
        await every.send(good | {"Name": "x" * 21})
    with pytest.raises(AssertionError, match="'Voice or text': between 1 and 1"):
        await every.send({"Name": "Tuesday", "Days": "Mon"})
    with pytest.raises(AssertionError, match="no option 'Wed'"):
        await every.send(good | {"Days": ["Wed"]})
    with pytest.raises(AssertionError, match="'Facilitator': between 1 and 1"):
        await more.send({"Topic": "Work", "Room": maya.home})
    assert (await every.send(good | {"Name": "x" * 21}, unchecked=True)).text.startswith("x" * 21)


@pytest.mark.usefixtures("forms")
async def test_a_message_is_not_a_form_and_a_form_not_a_message(maya: Person, leo: Person) -> None:
    form, said = await maya.slash("/every"), leo.says(leo.home, "hello")

    with pytest.raises(AssertionError, match="not a form"):
        _ = said.title
    with pytest.raises(AssertionError, match="not a form"):
        await said.send({})
    with pytest.raises(AssertionError, match="no message"):
        await maya.press(form, "Join")


async def test_a_form_starts_with_what_the_application_put_into_it(bot: Bot, maya: Person, leo: Person) -> None:
    class Edit(ui.Modal, title="Edit"):
        name: ui.Label[Any] = ui.Label(text="Name", component=ui.TextInput(default="Tuesday"))
        day: ui.Label[Any] = ui.Label(
            text="Day", component=ui.Select(options=[discord.SelectOption(label="Mon"), DEFAULT_DAY])
        )
        person: ui.Label[Any] = ui.Label(
            text="Facilitator", component=ui.UserSelect(default_values=[discord.Object(leo.user_id)])
        )

        async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
            parts: list[Any] = [getattr(self, each).component for each in ("name", "day", "person")]
            values = f"{parts[0].value} {parts[1].values} {parts[2].values[0].name}"
            await interaction.response.send_message(values, ephemeral=True)

    @bot.tree.command(description="Edit a group")
    async def edit(talk: Talk) -> None:
        await talk.response.send_modal(Edit())

    await bot.tree.sync()
    form = await maya.slash("/edit")

    assert "Name *: Tuesday" in repr(form)
    assert (await form.send()).text == "Tuesday ['Tue'] leo"
