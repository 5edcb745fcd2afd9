"""`peerbot run`: it starts, says what stands in the way, and stops."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import psycopg
import pytest
from builders import OTHER_KEY
from in_turn import WAITS_FOR_US

from peerbot.rehearsal.application import MEMBERS_INTENT, new_token
from peerbot.rehearsal.faults import Hold
from peerbot.schema import MIGRATION_LOCK
from tests.process.conftest import Harbour
from tests.process.programs import PATIENCE, Program

COMMANDS = ("PUT", "/applications/{}/commands")
STOPS_WITHIN = 5.0
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) +[\w.]+: \S.*")


def told(harbour: Harbour, method: str, ending: str) -> list[str]:
    """Listen to the requests of a kind from now on."""
    found: list[str] = []

    def listener(happening: object) -> None:
        details = getattr(happening, "details", {})
        if details.get("method") == method and str(details.get("path", "")).endswith(ending):
            found.append(details["path"])

    harbour.world.listen(listener)
    return found


async def refused(bot: Program, words: str) -> None:
    """Expect one clear line, the exit code for a set-up that must be changed, and nothing else."""
    assert await bot.ends() == 2
    assert words in bot.lines[-1]
    assert not LINE.match(bot.lines[-1])
    assert "Traceback" not in bot.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_bot_gets_ready_and_stops_when_told(harbour: Harbour, number: signal.Signals) -> None:
    bot = harbour.launch(real=True)
    await bot.says("Ready: 1 servers.")
    assert harbour.online == 1
    bot.tell(number)
    assert await bot.ends(within=STOPS_WITHIN) == 0
    assert harbour.online == 0
    assert all(LINE.match(line) for line in bot.lines), bot.said


async def test_a_bot_that_waits_for_an_answer_of_discord_stops_in_time(harbour: Harbour) -> None:
    bot = await harbour.start()
    await harbour.stage.set_up()
    hold = harbour.stage.discord.faults.hold("POST", "/interactions/{}/{}/callback")
    pressing = asyncio.create_task(harbour.stage.maya.slash("/groups"))
    await arrival(harbour, hold)
    await stop(bot)
    await abandoned(pressing)


async def test_a_bot_with_a_delivery_under_way_stops_in_time_and_brings_it_after_its_next_start(
    harbour: Harbour,
) -> None:
    bot = await harbour.start()
    hold = harbour.stage.discord.faults.hold("POST", f"/channels/{harbour.stage.panel['id']}/messages")
    setting_up = asyncio.create_task(harbour.stage.set_up())
    await arrival(harbour, hold)
    await stop(bot)
    await abandoned(setting_up)
    hold.release()
    await harbour.start()
    await harbour.settle()
    assert len(harbour.stage.olive.sees(harbour.stage.panel)) == 1


async def test_a_refused_gateway_is_said_and_tried_again_until_it_opens(harbour: Harbour) -> None:
    harbour.stage.discord.gateway.refuse(1)
    bot = harbour.launch()
    await bot.says("WARNING discord.shard: Failed to connect for shard_id: 0. Retrying... (WSServerHandshakeError)")
    assert harbour.online == 0
    await bot.says("Ready: 1 servers.")
    assert "Traceback" not in bot.said
    await stop(bot)


async def test_a_bot_that_no_gateway_lets_in_stops_in_time(harbour: Harbour) -> None:
    harbour.stage.discord.gateway.refuse(100)
    bot = harbour.launch()
    await bot.says("Failed to connect")
    await stop(bot)


async def test_while_discord_cannot_be_reached_it_says_so_tries_again_and_stops_in_time(harbour: Harbour) -> None:
    bot = harbour.launch(discord_url="http://127.0.0.1:9")
    await bot.says("Discord cannot be reached (ClientConnectorError). Trying again in 5 seconds.")
    await stop(bot)
    assert "Traceback" not in bot.said


async def test_after_an_outage_of_discord_at_the_start_it_gets_in(harbour: Harbour) -> None:
    harbour.stage.discord.faults.next("GET", "/users/@me", status=503)
    bot = harbour.launch()
    await bot.says("Discord cannot be reached (DiscordServerError). Trying again in 5 seconds.")
    await bot.says("Ready: 1 servers.")


async def test_a_wrong_token_is_said_in_one_line_and_not_tried_again(harbour: Harbour) -> None:
    tries = told(harbour, "GET", "/users/@me")
    wrong = new_token(harbour.stage.application.id)
    bot = harbour.launch(discord_token=wrong)
    await refused(bot, "PEERBOT_DISCORD_TOKEN is not accepted by Discord.")
    assert len(tries) == 1
    assert wrong not in bot.said
    assert harbour.identified == 0


async def test_a_missing_intent_is_named_as_the_portal_names_it(harbour: Harbour) -> None:
    harbour.stage.application.privileged &= ~MEMBERS_INTENT
    await refused(harbour.launch(), "Server Members Intent")


async def test_a_token_that_is_reset_while_it_runs_ends_it_with_one_line(harbour: Harbour) -> None:
    bot = await harbour.start()
    harbour.stage.application.token = new_token(harbour.stage.application.id)
    harbour.stage.discord.gateway.close(4004)
    await refused(bot, "PEERBOT_DISCORD_TOKEN is no longer accepted by Discord.")


async def test_a_close_after_which_discord_wants_nobody_back_ends_it(harbour: Harbour) -> None:
    gateway = harbour.stage.discord.gateway
    bot = await harbour.start()
    await bot.says("has connected to Gateway")
    # Again at each return: on a busy machine a connection can end before its close frame was read, and is resumed then.
    harbour.world.listen(lambda _happening: gateway.close(4012))
    gateway.close(4012)
    await refused(bot, "closed the connection for good, with code 4012")


async def test_a_lost_connection_is_taken_up_again(harbour: Harbour) -> None:
    bot = await harbour.start()
    await harbour.stage.set_up()
    harbour.stage.discord.gateway.close(4000)
    await harbour.world.until(lambda: harbour.online == 0)
    await harbour.world.until(lambda: harbour.online == 1, PATIENCE)
    assert "group" in await harbour.stage.maya.slash("/groups")
    assert "Traceback" not in bot.said


async def test_a_database_that_does_not_answer_is_said(harbour: Harbour) -> None:
    nowhere = "postgresql://peerbot:hunter2@127.0.0.1:9/peerbot"
    bot = harbour.launch(database_url=nowhere)
    await refused(bot, "The database in PEERBOT_DATABASE_URL cannot be opened.")
    assert "hunter2" not in bot.said


async def test_a_file_that_is_no_database_is_said(harbour: Harbour, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, this is no database at all. " * 100)
    bot = harbour.launch(database_url=f"sqlite:///{tmp_path / 'letter.txt'}")
    await refused(bot, "The database in PEERBOT_DATABASE_URL cannot be opened.")


@pytest.mark.both_databases
async def test_another_key_than_the_databases_is_refused(harbour: Harbour) -> None:
    bot = harbour.launch()
    await bot.says("Logged in.")
    await stop(bot)
    other = harbour.launch(data_key=OTHER_KEY)
    await refused(other, "PEERBOT_DATA_KEY is not the key of this database.")
    assert OTHER_KEY not in other.said


async def test_a_second_process_on_the_same_file_is_refused_and_the_first_goes_on(harbour: Harbour) -> None:
    await harbour.start()
    await refused(harbour.launch(), "Another peerbot process is using this database file.")
    assert harbour.online == 1


async def test_two_processes_may_share_a_postgresql(harbour: Harbour, postgres_url: str) -> None:
    await harbour.start(database_url=postgres_url)
    await harbour.start(database_url=postgres_url)
    assert harbour.online == 2


async def test_a_start_that_waits_for_another_ones_migration_stops_in_time(harbour: Harbour, postgres_url: str) -> None:
    connection = await psycopg.AsyncConnection.connect(postgres_url)
    async with connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        bot = harbour.launch(database_url=postgres_url)
        await until_somebody_waits(connection)
        await stop(bot, hangs=True)


async def test_commands_are_told_to_discord_once_and_again_when_discords_copy_differs(harbour: Harbour) -> None:
    puts = told(harbour, "PUT", "/commands")
    await stop(await harbour.start())
    assert len(puts) == 1
    await stop(await harbour.start())
    assert len(puts) == 1
    commands = harbour.stage.application.commands
    next(iter(commands.values()))["description"] = "Something else"
    await harbour.start()
    assert len(puts) == 2


@pytest.mark.parametrize("level", ["DEBUG", "WARNING"])
async def test_a_whole_story_leaves_nothing_in_the_log_that_names_somebody(harbour: Harbour, level: str) -> None:
    bot = await harbour.start(log_level=level)
    stage = harbour.stage
    await stage.set_up()
    await stage.new_group()
    harbour.stage.discord.faults.next("PUT", "/channels/{}/permissions/{}", status=500)
    await stage.join(stage.maya)
    await stage.join(stage.sam)
    mine = await stage.maya.slash("/my")
    sure = await stage.maya.press(mine, "Leave")
    await stage.maya.press(sure, "Leave")
    await harbour.settle()
    await stop(bot)
    assert re.search(r"\d{17}", bot.said) is None
    assert ("INFO" in bot.said) is (level == "DEBUG")
    # The names of the people, their ids, the token and the key are looked for after each test.


async def stop(bot: Program, *, hangs: bool = False) -> None:
    """Stop the bot; it is gone in time even when something hangs, which it says."""
    bot.tell(signal.SIGTERM)
    assert await bot.ends(within=STOPS_WITHIN) == 0, bot.said
    assert ("Something does not stop" in bot.said) is hangs, bot.said


async def arrival(harbour: Harbour, hold: Hold) -> None:
    await harbour.world.until(hold.arrived.is_set, PATIENCE, what="the request that is held")


async def abandoned(action: asyncio.Task[object]) -> None:
    """Let a person give up waiting."""
    action.cancel()
    await asyncio.gather(action, return_exceptions=True)


async def until_somebody_waits(connection: psycopg.AsyncConnection) -> None:
    """Wait until another session waits for what this one holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            waiting = await connection.execute(WAITS_FOR_US)
            if await waiting.fetchone() != (0,):
                return
