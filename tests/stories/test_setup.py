"""Setting a server up, as its owner lives it: five questions, what is missing, words and countries."""

from __future__ import annotations

import asyncio

import pytest

from peerbot.rehearsal.forms import Form
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.seen import Shown
from tests.stories.conftest import NEEDED, USUAL
from tests.stories.stage import Stage

ZONE = "Time zone"
COUNTRIES = "Countries of most members (up to three)"
DANGER = "What happens if someone is in danger?"
HOURS = "When do facilitators read messages?"
THREADS = "Where may I open private threads?"
ALL_WELL = "I have all the permissions that I need."
NOT_SET_UP = "This server isn't set up yet."


@pytest.fixture
async def bare(empty_stage: Stage) -> Stage:
    """The bot runs in a server that nobody has set up."""
    await empty_stage.start()
    return empty_stage


async def changed(stage: Stage, **answers: object) -> Shown:
    """Have the owner change answers of the form."""
    form = await stage.olive.slash("/setup")
    seen = await form.send(answers)
    await stage.world.settle()
    return seen


@pytest.mark.both_databases
async def test_the_owner_answers_five_questions_and_the_panel_stands(bare: Stage) -> None:
    form = await bare.olive.slash("/setup")
    assert len(form.labels) == 5
    seen = await bare.set_up()
    assert "This server is set up" in seen
    assert ALL_WELL in seen
    assert seen.ephemeral
    assert len(bare.posted(bare.panel)) == 1
    assert "No group is open yet" in bare.panel_card()


async def test_before_the_setup_every_door_says_what_to_do(bare: Stage) -> None:
    for door in ("/groups", "/my", "/group new"):
        assert NOT_SET_UP in await bare.olive.slash(door)
    assert await bare.olive.autocomplete("/group people", group="") == []


async def test_a_member_is_not_offered_the_setup(stage: Stage) -> None:
    assert "setup" not in stage.maya.offered()
    seen = await stage.maya.slash("/setup", force=True)
    assert "Only someone with the Manage Server permission" in seen
    assert seen.ephemeral


@pytest.mark.parametrize("button", ["setup:check:0", "setup:change:0", "setup:words:0", "setup:countries:0"])
async def test_a_button_of_the_setup_that_somebody_else_sends_is_refused(stage: Stage, button: str) -> None:
    seen = await stage.ana.forged(stage.panel_card(), button)
    assert "Only someone with the Manage Server permission" in seen


async def test_whoever_loses_the_right_while_the_form_is_open_changes_nothing(stage: Stage) -> None:
    managers = stage.guild.add_role("Managers", int(Bit.MANAGE_GUILD))
    stage.guild.give_role(stage.joe.user_id, int(managers["id"]))
    card = await (await stage.joe.slash("/setup")).send({})
    forms = [await stage.joe.slash("/setup")]
    forms += [await stage.joe.press(card, label) for label in ("Agreement", "Help lines")]
    stage.guild.take_role(stage.joe.user_id, int(managers["id"]))
    answers = [{ZONE: "Tokyo"}, {DANGER: "We run."}, {COUNTRIES: "Ireland"}]
    for form, answer in zip(forms, answers, strict=True):
        assert "Only someone with the Manage Server permission" in await form.send(answer)
    form = await stage.olive.slash("/setup")
    assert isinstance(form, Form)
    assert form.fields[ZONE].value == "America/New_York"


@pytest.mark.parametrize(
    ("typed", "zone"), [("berlin", "Europe/Berlin"), ("Asia/Kolkata", "Asia/Kolkata"), ("  UTC ", "UTC")]
)
async def test_a_city_or_a_zone_is_understood(stage: Stage, typed: str, zone: str) -> None:
    seen = await changed(stage, **{ZONE: typed})
    assert zone.replace("/", "") in seen.text.replace("\\", "").replace("/", "")


async def test_a_wrong_zone_brings_suggestions_and_saves_nothing(bare: Stage) -> None:
    seen = await bare.set_up(**{ZONE: "Nwe York"})
    assert "I don't know the time zone" in seen
    assert "New" in seen
    assert "York" in seen.text.split("Close ones")[1]
    assert NOT_SET_UP in await bare.maya.slash("/groups")


async def test_a_zone_longer_than_any_form_sends_is_answered_kindly(bare: Stage) -> None:
    form = await bare.olive.slash("/setup")
    answers = {
        "Who facilitates? (role)": bare.facilitators,
        "Where should members find groups?": bare.panel,
        "Where do facilitators talk?": bare.staff,
        ZONE: "@everyone <@1> " + "x" * 3985,
    }
    seen = await form.send(answers, unchecked=True)
    assert "I don't know the time zone" in seen
    assert bare.world.pings == []


@pytest.mark.parametrize(
    ("bit", "words"),
    [
        (Bit.MANAGE_CHANNELS, "Manage Channels"),
        (Bit.MANAGE_ROLES, "Manage Roles"),
        (Bit.CREATE_PRIVATE_THREADS, "Create Private Threads"),
        (Bit.CREATE_PUBLIC_THREADS, "Create Public Threads"),
        (Bit.SEND_MESSAGES_IN_THREADS, "Send Messages in Threads"),
    ],
)
async def test_a_permission_that_is_missing_in_the_server_is_named_with_the_way_to_give_it(
    stage: Stage, bit: Bit, words: str
) -> None:
    stage.guild.edit_role(stage.guild.id, permissions=str(USUAL & ~int(bit)))  # what everyone may, the bot may too
    stage.allow(Bit(NEEDED) & ~bit)
    seen = await changed(stage)
    assert f"Server Settings, Roles, my role: switch on **{words}**" in seen
    assert ALL_WELL not in seen
    stage.allow(Bit(NEEDED))
    stage.guild.edit_role(stage.guild.id, permissions=str(int(USUAL)))
    await stage.world.settle()
    assert ALL_WELL in await stage.olive.press(seen, "Check again")


@pytest.mark.parametrize(
    ("bit", "words"),
    [
        (Bit.VIEW_CHANNEL, "View Channels"),
        (Bit.SEND_MESSAGES, "Send Messages"),
        (Bit.READ_MESSAGE_HISTORY, "Read Message History"),
    ],
)
async def test_what_nobody_has_by_itself_is_named_for_the_whole_server(stage: Stage, bit: Bit, words: str) -> None:
    card = await changed(stage)
    everyone = stage.guild.roles[stage.guild.id]
    stage.guild.set_overwrite(int(stage.panel["id"]), stage.guild.id, 0, int(bit) & int(Bit.VIEW_CHANNEL), 0)
    stage.guild.edit_role(stage.guild.id, permissions=str(int(everyone["permissions"]) & ~int(bit)))
    await stage.world.settle()
    assert ALL_WELL in await stage.olive.press(card, "Check again"), "my own role has it"
    stage.allow(Bit(NEEDED) & ~bit)
    await stage.world.settle()
    assert f"Server Settings, Roles, my role: switch on **{words}**" in await stage.olive.press(card, "Check again")


async def test_a_channel_that_no_member_sees_is_named_and_one_that_not_all_can_use_is_asked_about(stage: Stage) -> None:
    hidden = {"id": str(stage.guild.id), "type": 0, "allow": "0", "deny": str(int(Bit.VIEW_CHANNEL))}
    ours = {"id": str(stage.application.bot_id), "type": 1, "allow": str(int(Bit.VIEW_CHANNEL)), "deny": "0"}
    quiet = stage.guild.add_channel("quiet", overwrites=[hidden, ours])
    seen = await stage.set_up(**{"Where may I open private threads?": quiet})
    assert f"<#{quiet['id']}> is for members too." in seen
    assert "allow **View Channel" in seen
    members = stage.guild.add_role("Members")
    for bit, question, wanted in (
        (Bit.VIEW_CHANNEL, "Not everyone can see {} Whoever can't gets no private thread.", "View Channel"),
        (Bit.SEND_MESSAGES_IN_THREADS, "Not everyone may write in threads of {}", "Send Messages in Threads"),
    ):
        for one, kind in ((int(members["id"]), 0), (stage.application.bot_id, 1)):
            stage.guild.set_overwrite(int(quiet["id"]), one, kind, int(bit), 0)
        stage.guild.set_overwrite(int(quiet["id"]), stage.guild.id, 0, 0, int(bit))
        await stage.world.settle()
        seen = await stage.olive.press(seen, "Check again")
        assert question.format(f"<#{quiet['id']}>.") in seen
        assert f"Is that right? If not: Edit Channel, Permissions, @everyone: allow **{wanted}**." in seen
        assert "is for members too" not in seen, "whoever has the role can use it"
        assert ALL_WELL in seen, "it may be meant so"
    stage.guild.set_overwrite(int(quiet["id"]), stage.guild.id, 0, 0, 0)
    await stage.world.settle()
    assert ALL_WELL in await stage.olive.press(seen, "Check again")


@pytest.mark.parametrize("where", ["panel", "staff"])
@pytest.mark.parametrize(
    ("bit", "words"),
    [
        (Bit.VIEW_CHANNEL, "View Channel"),
        (Bit.SEND_MESSAGES, "Send Messages"),
        (Bit.READ_MESSAGE_HISTORY, "Read Message History"),
    ],
)
async def test_a_permission_that_is_missing_in_a_channel_is_named_with_the_way_to_give_it(
    stage: Stage, where: str, bit: Bit, words: str
) -> None:
    channel = stage.panel if where == "panel" else stage.staff
    stage.forbid_in(channel, bit)
    await stage.world.settle()
    seen = await stage.olive.slash("/setup")
    seen = await seen.send({})
    assert f"<#{channel['id']}>, Edit Channel, Permissions, my role: allow" in seen
    assert words in seen
    stage.forbid_in(channel, Bit(0))
    await stage.world.settle()
    assert ALL_WELL in await stage.olive.press(seen, "Check again")


@pytest.mark.parametrize(
    ("where", "bit", "words"),
    [
        ("panel", Bit.CREATE_PRIVATE_THREADS, "Create Private Threads"),
        ("panel", Bit.SEND_MESSAGES_IN_THREADS, "Send Messages in Threads"),
        ("staff", Bit.CREATE_PUBLIC_THREADS, "Create Public Threads"),
        ("staff", Bit.SEND_MESSAGES_IN_THREADS, "Send Messages in Threads"),
    ],
)
async def test_what_threads_need_is_named_for_the_channel_above_them(
    stage: Stage, where: str, bit: Bit, words: str
) -> None:
    channel = stage.panel if where == "panel" else stage.staff
    stage.forbid_in(channel, bit)
    await stage.world.settle()
    seen = await changed(stage)
    assert f"<#{channel['id']}>, Edit Channel, Permissions, my role: allow **{words}**" in seen


async def test_private_threads_may_stand_in_a_channel_of_their_own(stage: Stage) -> None:
    letters = stage.guild.add_channel("letters")
    seen = await changed(stage, **{THREADS: letters})
    assert f"Private threads: <#{letters['id']}>" in seen
    assert ALL_WELL in seen
    stage.forbid_in(letters, Bit.CREATE_PRIVATE_THREADS)
    stage.forbid_in(stage.panel, Bit.CREATE_PRIVATE_THREADS)
    await stage.world.settle()
    seen = await changed(stage)
    assert f"<#{letters['id']}>, Edit Channel, Permissions, my role: allow **Create Private Threads**" in seen
    assert f"<#{stage.panel['id']}>, Edit" not in seen, "nothing is opened there any more"


async def test_private_threads_of_members_stand_in_no_room_and_not_with_staff(stage: Stage) -> None:
    await stage.new_group()
    assert "Members can't see the staff channel" in await changed(stage, **{THREADS: stage.staff})
    assert "is the room of **Tuesday meeting**" in await changed(stage, **{THREADS: stage.room()})
    assert f"Private threads: <#{stage.panel['id']}>" in await changed(stage)


async def test_a_staff_channel_that_everyone_can_read_is_pointed_out(stage: Stage) -> None:
    seen = await changed(stage, **{"Where do facilitators talk?": stage.guild.add_channel("lounge")})
    assert "Everyone can read" in seen
    assert "Please make it private" in seen


async def test_a_channel_that_was_deleted_is_pointed_out(stage: Stage) -> None:
    card = await (await stage.olive.slash("/setup")).send({})
    stage.guild.remove_channel(int(stage.panel["id"]))
    await stage.world.settle()
    assert "is gone, or I can't see it" in await stage.olive.press(card, "Check again")


async def test_panel_and_staff_in_one_channel_are_refused(bare: Stage) -> None:
    seen = await bare.set_up(**{"Where should members find groups?": bare.staff})
    assert "Please choose two channels" in seen
    assert NOT_SET_UP in await bare.maya.slash("/groups")


async def test_a_role_that_everyone_has_is_refused(bare: Stage) -> None:
    seen = await bare.set_up(**{"Who facilitates? (role)": bare.guild.roles[bare.guild.id]})
    assert "Everyone has that role" in seen
    assert NOT_SET_UP in await bare.maya.slash("/groups")


async def test_a_channel_that_nobody_can_write_in_is_refused(stage: Stage) -> None:
    voice = stage.guild.add_channel("Voice", 2)
    form = await stage.olive.slash("/setup")
    seen = await form.send({"Where do facilitators talk?": voice}, unchecked=True)
    assert "I can't see that role or channel" in seen


async def test_another_panel_channel_takes_the_old_panel_down(stage: Stage) -> None:
    plaza = stage.guild.add_channel("plaza")
    await changed(stage, **{"Where should members find groups?": plaza})
    assert stage.posted(stage.panel) == []
    assert ["Find a group" in seen for seen in stage.posted(plaza)] == [True]


async def test_a_panel_that_moves_while_it_is_drawn_stands_once(stage: Stage) -> None:
    for _ in range(2):
        await stage.later(seconds=6)
    plaza = stage.guild.add_channel("plaza")
    panel = stage.panel_card()
    drawing = stage.discord.faults.hold("PATCH", f"/channels/{stage.panel['id']}/messages/{panel.message_id}")
    creating = asyncio.create_task((await stage.ana.slash("/group new")).send({"Name": "Quiet hour"}))
    await drawing.arrived.wait()
    await (await stage.olive.slash("/setup")).send({"Where should members find groups?": plaza})
    await stage.world.until(lambda: stage.posted(stage.panel) == [] and bool(stage.posted(plaza)))
    drawing.release()
    await creating
    await stage.later(seconds=10)
    await stage.later(seconds=10)
    assert stage.posted(stage.panel) == []
    assert ["Quiet hour" in seen for seen in stage.posted(plaza)] == [True]


async def test_the_same_answers_again_leave_one_panel(stage: Stage) -> None:
    before = stage.panel_card().message_id
    await changed(stage)
    assert stage.panel_card().message_id == before


async def test_another_facilitator_role_counts_from_now_on(stage: Stage) -> None:
    hosts = stage.guild.add_role("Hosts", int(Bit.MANAGE_EVENTS))
    await changed(stage, **{"Who facilitates? (role)": hosts})
    assert "Only facilitators can do this" in await stage.ana.slash("/group new")


async def test_named_countries_stand_on_the_panel(stage: Stage) -> None:
    card = await (await stage.olive.slash("/setup")).send({})
    await (await stage.olive.press(card, "Help lines")).send({COUNTRIES: "Ireland"})
    await stage.later(seconds=6)
    assert "116 123" in stage.panel_card()
    form = await stage.olive.press(card, "Help lines")
    assert isinstance(form, Form)
    assert form.fields[COUNTRIES].value == "Ireland"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("Irland, Atlantis", "I'm not sure which country"),
        ("Ireland, Canada, Japan, Germany", "choose up to 3 countries"),
        ("@everyone", "I'm not sure which country"),
    ],
)
async def test_countries_that_are_not_certain_are_not_taken(stage: Stage, typed: str, answer: str) -> None:
    card = await (await stage.olive.slash("/setup")).send({})
    assert answer in await (await stage.olive.press(card, "Help lines")).send({COUNTRIES: typed})
    form = await stage.olive.press(card, "Help lines")
    assert isinstance(form, Form)
    assert form.fields[COUNTRIES].value == ""


async def test_the_servers_own_words_stand_in_the_agreement(stage: Stage) -> None:
    card = await (await stage.olive.slash("/setup")).send({})
    await (await stage.olive.press(card, "Agreement")).send({DANGER: "We call your *contact*.", HOURS: "evenings"})
    await stage.new_group()
    agreement = await stage.maya.press(
        await stage.maya.press(await stage.maya.slash("/groups"), "Tuesday meeting"), "Join"
    )
    assert "Then: We call your \\*contact\\*." in agreement
    assert "Facilitators read: evenings" in agreement


async def test_words_beyond_the_limit_are_refused(stage: Stage) -> None:
    card = await (await stage.olive.slash("/setup")).send({})
    form = await stage.olive.press(card, "Agreement")
    seen = await form.send({DANGER: "x" * 4000}, unchecked=True)
    assert "That is too long. 300 letters are the most." in seen
