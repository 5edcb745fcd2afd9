"""`peerbot doctor` on each server: setup, roles, channels, permissions, rooms, what was left undone."""

from __future__ import annotations

import pytest

from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.wire import Wire
from tests.process.doctoring import Patient
from tests.stories.conftest import NEEDED


def number(thing: Wire) -> int:
    return int(thing["id"])


async def test_permissions_that_the_bot_lacks_in_the_server_are_named_with_where_to_give_them(patient: Patient) -> None:
    patient.harbour.stage.allow(Bit(NEEDED & ~(Bit.MANAGE_CHANNELS | Bit.SEND_MESSAGES)))
    patient.guild.edit_role(patient.guild.id, permissions=str(int(Bit.VIEW_CHANNEL | Bit.READ_MESSAGE_HISTORY)))
    found = await patient.consult()
    lines = found.lines("to do")
    assert lines[0] == (
        "Server permissions: The bot lacks Send Messages, Manage Channels."
        " Server Settings, Roles, the bot's role: switch on Send Messages, Manage Channels."
    )
    checks = ["Panel", "Staff channel", "Channels for members", "Room of Tuesday"]
    assert [line.split(":")[0] for line in lines[1:]] == checks
    assert found.code == 1


async def test_the_permission_for_events_is_needed_where_they_are_switched_on(patient: Patient) -> None:
    patient.harbour.stage.allow(Bit(NEEDED & ~Bit.CREATE_EVENTS))
    assert (await patient.consult()).code == 0
    await patient.change("UPDATE guilds SET native_events = true")
    (await patient.consult()).only_to_do("Server permissions", "The bot lacks Create Events")


@pytest.mark.parametrize(
    ("bit", "name", "effect"),
    [
        (Bit.VIEW_CHANNEL, "View Channel", "gets none"),
        (Bit.SEND_MESSAGES_IN_THREADS, "Send Messages in Threads", "cannot answer there"),
    ],
)
async def test_a_panel_that_no_member_can_use_is_told_of_and_one_that_not_all_can_use_is_asked_about(
    patient: Patient, bit: Bit, name: str, effect: str
) -> None:
    stage = patient.harbour.stage
    panel = number(stage.panel)
    stage.guild.set_overwrite(panel, stage.guild.id, 0, 0, int(bit))
    stage.guild.set_overwrite(panel, stage.application.bot_id, 1, int(bit), 0)
    found = await patient.consult()
    found.only_to_do("Channels for members: Members may not use #find-a-group", name)
    assert found.lines("look") == []
    members = stage.guild.add_role("Members")
    stage.guild.set_overwrite(panel, number(members), 0, int(bit), 0)
    found = await patient.consult()
    assert (found.code, found.lines("to do")) == (0, []), "whoever has the role can use it"
    assert found.lines("look") == [
        f"Private threads: Not everyone has {name} in #find-a-group. Whoever has not {effect}."
        f" Is that right? If not: Edit Channel, Permissions, @everyone: allow {name}."
    ]
    assert found.each_line_has_a_mark()
    assert "1 to look at, 0 to do, 0 skipped." in found.said


async def test_a_bot_that_may_do_everything_is_ok(patient: Patient) -> None:
    patient.harbour.stage.allow(Bit.ADMINISTRATOR)
    assert (await patient.consult()).code == 0


async def test_a_bot_in_a_time_out_may_not_use_its_channels(patient: Patient) -> None:
    until = "2999-01-01T00:00:00.000000+00:00"
    patient.guild.edit_member(patient.harbour.stage.application.bot_id, communication_disabled_until=until)
    found = await patient.consult()
    assert any("#find-a-group" in line and "Send Messages" in line for line in found.lines("to do")), found.said


@pytest.mark.parametrize(("which", "check"), [("panel", "Panel"), ("staff", "Staff channel")])
async def test_a_channel_of_the_setup_that_is_gone_is_to_be_chosen_anew(
    patient: Patient, which: str, check: str
) -> None:
    channel: Wire = getattr(patient.harbour.stage, which)
    patient.guild.remove_channel(number(channel))
    found = await patient.consult()
    found.only_to_do(f"{check}: The channel (id {channel['id']}) is gone.", "/setup, *Change*")


async def test_a_channel_that_the_bot_cannot_see_is_told_from_one_that_is_gone(patient: Patient) -> None:
    patient.harbour.stage.forbid_in(patient.harbour.stage.staff, Bit.VIEW_CHANNEL)
    found = await patient.consult()
    found.only_to_do("Staff channel: The bot may not use the channel with the id", "allow View Channel")


async def test_a_permission_that_is_denied_in_a_channel_is_named(patient: Patient) -> None:
    patient.harbour.stage.forbid_in(patient.harbour.stage.panel, Bit.READ_MESSAGE_HISTORY)
    found = await patient.consult()
    found.only_to_do("Panel: The bot may not use #find-a-group", "the bot's role: allow Read Message History.")


async def test_a_staff_channel_that_everyone_can_read_is_to_be_made_private(patient: Patient) -> None:
    patient.guild.set_overwrite(number(patient.harbour.stage.staff), patient.guild.id, 0, int(Bit.VIEW_CHANNEL), 0)
    found = await patient.consult()
    found.only_to_do("Staff channel: Everyone can read #staff.", "make it private")


async def test_a_facilitator_role_that_is_gone_is_to_be_chosen_anew(patient: Patient) -> None:
    patient.guild.remove_role(number(patient.harbour.stage.facilitators))
    (await patient.consult()).only_to_do("Facilitators: Their role is gone.", "/setup, *Change*")


async def test_a_facilitator_role_that_sees_no_commands_is_to_be_given_manage_events(patient: Patient) -> None:
    patient.guild.edit_role(number(patient.harbour.stage.facilitators), permissions="0")
    (await patient.consult()).only_to_do("Server Settings, Roles, Facilitators: switch on Manage Events.")


async def test_a_room_that_is_gone_is_said(patient: Patient) -> None:
    patient.guild.remove_channel(number(patient.room))
    (await patient.consult()).only_to_do("Room of Tuesday: The channel", "is gone. Start `peerbot run`")


async def test_a_group_without_a_room_is_said(patient: Patient) -> None:
    await patient.change("UPDATE groups SET room_id = NULL")
    (await patient.consult()).only_to_do("Room of Tuesday: There is none yet, or it was deleted.", "*Make a new room*")


async def test_a_closed_group_needs_no_room(patient: Patient) -> None:
    await patient.change("UPDATE groups SET state = 'closed'")
    patient.guild.remove_channel(number(patient.room))
    found = await patient.consult()
    assert found.code == 0, found.said
    assert "Rooms: there is no open group yet." in found.lines("ok")


async def test_a_room_into_which_the_bot_cannot_let_anyone_is_said(patient: Patient) -> None:
    patient.harbour.stage.forbid_in(patient.room, Bit.MANAGE_ROLES)
    (await patient.consult()).only_to_do("Room of Tuesday: The bot may not use #tuesday", "allow Manage Permissions.")


async def test_a_room_that_everyone_can_see_is_to_be_made_private(patient: Patient) -> None:
    patient.guild.set_overwrite(number(patient.room), patient.guild.id, 0, int(Bit.VIEW_CHANNEL), 0)
    (await patient.consult()).only_to_do("Room of Tuesday: Everyone can read #tuesday. It shows who is in the group.")


async def test_a_role_of_a_group_that_the_bot_cannot_give_is_to_be_moved(patient: Patient) -> None:
    role = patient.guild.add_role("Tuesday people")
    await patient.change("UPDATE groups SET role_id = :role", role=number(role))
    assert "Role of Tuesday: the bot can give Tuesday people." in (await patient.consult()).lines("ok")
    patient.guild.move_role(number(role), 99)
    (await patient.consult()).only_to_do("Role of Tuesday", "move the bot's role above Tuesday people.")
    patient.guild.remove_role(number(role))
    (await patient.consult()).only_to_do("Role of Tuesday: It was deleted.")


async def test_a_channel_for_private_threads_needs_permissions_of_its_own(patient: Patient) -> None:
    channel = patient.guild.add_channel("letters")
    patient.harbour.stage.forbid_in(channel, Bit.CREATE_PRIVATE_THREADS | Bit.SEND_MESSAGES_IN_THREADS)
    await patient.change("UPDATE guilds SET threads_channel_id = :channel", channel=number(channel))
    threads = Bit.CREATE_PRIVATE_THREADS | Bit.SEND_MESSAGES_IN_THREADS
    patient.harbour.stage.forbid_in(channel, threads)
    (await patient.consult()).only_to_do("#letters", "allow Create Private Threads, Send Messages in Threads.")
    patient.harbour.stage.forbid_in(channel, Bit(0))
    assert (await patient.consult()).code == 0


async def test_without_a_channel_of_their_own_private_threads_stand_under_the_panel(patient: Patient) -> None:
    patient.harbour.stage.forbid_in(patient.harbour.stage.panel, Bit.CREATE_PRIVATE_THREADS)
    (await patient.consult()).only_to_do("Panel", "allow Create Private Threads.")


async def test_the_staff_channel_needs_threads_for_tasks(patient: Patient) -> None:
    patient.harbour.stage.forbid_in(patient.harbour.stage.staff, Bit.CREATE_PUBLIC_THREADS)
    (await patient.consult()).only_to_do("Staff channel", "allow Create Public Threads.")


async def test_a_server_without_help_countries_is_to_name_them(patient: Patient) -> None:
    await patient.change("UPDATE guilds SET help_countries = ''")
    (await patient.consult()).only_to_do("Help lines: No countries are chosen", "/setup, *Help lines*.")


async def test_what_failed_for_good_is_counted_for_each_server(patient: Patient) -> None:
    later = "INSERT INTO deliveries (dedupe_key, kind, guild_id, priority, due_at, next_at, state, again, attempts,"
    later += " claim_no, created_at) SELECT :key, :kind, guild_id, 4, created_at, created_at, :state, false, 8,"
    later += " 8, created_at FROM guilds"
    rows = (("one", "card.post", 5), ("two", "card.post", 5), ("done", "card.post", 2), ("told", "staff.failed", 5))
    for key, kind, state in rows:
        await patient.change(later, key=key, kind=kind, state=state)
    (await patient.consult()).only_to_do("Deliveries: 2 things that peerbot promised could not be done.", "*Try again*")


async def test_a_server_that_the_bot_has_left_is_said(patient: Patient) -> None:
    lighthouse = patient.harbour.world.guild("Lighthouse", owner="Lea")
    lighthouse.install(patient.harbour.stage.application, NEEDED)
    patient.guild.uninstall(patient.harbour.stage.application)
    found = await patient.consult()
    left, not_set_up = found.lines("to do")
    assert left.startswith("Setup: It is set up, and the bot has left it. Invite it again")
    assert not_set_up == "Setup: This server is not set up. Someone who manages it can start with /setup."
    assert "Roles, channels and permissions: not checked, because the bot is not there." in found.lines("skipped")
    assert f"Server Lighthouse ({lighthouse.id})" in found.said
    assert f"Server {patient.guild.id}\n" in found.said


async def test_a_bot_in_no_server_is_to_be_invited(patient: Patient) -> None:
    patient.guild.uninstall(patient.harbour.stage.application)
    await patient.change("DELETE FROM guilds")
    (await patient.consult()).only_to_do("Servers: The bot is in no server. Invite it")


async def test_a_server_that_discord_does_not_answer_for_does_not_hide_the_next(patient: Patient) -> None:
    lighthouse = patient.harbour.world.guild("Lighthouse", owner="Lea")
    lighthouse.install(patient.harbour.stage.application, NEEDED)
    patient.harbour.stage.discord.faults.next("GET", f"/guilds/{patient.guild.id}", status=503)
    found = await patient.consult()
    first, second = found.lines("to do")
    assert first.startswith("Roles, channels and permissions: Discord answers with an error (503).")
    assert second.startswith("Setup: This server is not set up.")
    assert "Server permissions: the bot has all that it needs." in found.lines("ok")


async def test_names_that_try_to_rule_the_terminal_are_only_words(patient: Patient) -> None:
    patient.guild.edit(name="\x1b[2J[red]Har\u202ebour[/red]")
    found = await patient.consult()
    assert found.code == 0, found.said
    assert f"Server [2J[red]Harbour[/red] ({patient.guild.id})" in found.said
    assert "\x1b" not in found.said


async def test_a_terminal_that_does_not_know_a_letter_shows_a_sign_instead(patient: Patient) -> None:
    patient.guild.edit(name="Häfen")
    patient.environment["PYTHONIOENCODING"] = "ascii"
    found = await patient.consult(real=True)
    assert found.code == 0, found.said
    assert "Server H?fen" in found.said
