"""The command line: help, keys, settings, and what it says when something is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from builders import DATA_KEY, GUILD, MAYA, OTHER_KEY, make_guild

from peerbot import __main__ as command_line
from peerbot import members
from peerbot.clock import Clock
from peerbot.config import Secret, Settings, decode_key
from peerbot.database import ProcessLock, connect
from peerbot.errors import KeyWrong
from tests.process import programs
from tests.process.launcher import KillPoint
from tests.process.programs import Program

Command = Callable[..., Program]
THIRD_KEY = members.new_key()


@pytest.fixture
async def command(tmp_path: Path) -> AsyncIterator[Command]:
    """Run `peerbot` in an empty folder with nothing in its environment."""
    running: list[Program] = []

    def start(*arguments: str, kill_point: KillPoint | None = None, real: bool = False, **settings: str) -> Program:
        environment = {f"PEERBOT_{name.upper()}": value for name, value in settings.items()}
        if real:
            running.append(programs.run(list(arguments), environment, tmp_path))
        else:
            running.append(programs.fork(list(arguments), environment, tmp_path, kill_point=kill_point))
        return running[-1]

    yield start
    for program in running:
        await program.kill()


@pytest.fixture
async def kept(settings: Settings, clock: Clock) -> Settings:
    """A database that knows Maya and is sealed with its key."""
    db = connect(settings)
    async with db.begin() as session:
        await members.check_key(session)
        await make_guild(session)
        await members.of(session, GUILD, MAYA, now=clock.now())
    await db.close()
    return settings


async def opens(settings: Settings, key: str) -> bool:
    """Return whether a key is the key of the database and of every id in it."""
    db = connect(replace(settings, data_key=Secret(key)))
    try:
        async with db.read() as session:
            await members.check_key(session)
            return await members.find(session, GUILD, MAYA) is not None
    except KeyWrong:
        return False
    finally:
        await db.close()


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    return {
        "discord_token": "made.up.token",
        "data_key": DATA_KEY,
        "database_url": settings.database_url.reveal(),
    } | changes


async def test_help_names_every_command(command: Command) -> None:
    asked = command("--help", real=True)
    assert await asked.ends() == 0
    for name in ("run", "rehearse", "doctor", "new-key", "db"):
        assert f" {name} " in asked.said


async def test_without_a_command_it_says_which_there_are(command: Command) -> None:
    asked = command()
    assert await asked.ends() == 2
    assert "rehearse" in asked.said
    assert "Traceback" not in asked.said
    asked = command("db")
    assert await asked.ends() == 2
    assert "rekey" in asked.said


async def test_what_is_no_command_is_refused_with_those_there_are(command: Command) -> None:
    refused = command("ruin")
    assert await refused.ends() == 2
    assert "rehearse" in refused.said


async def test_a_new_key_is_one_line_and_another_each_time(command: Command) -> None:
    one, other = command("new-key"), command("new-key")
    assert await one.ends() == await other.ends() == 0
    for made in (one, other):
        (line,) = made.lines
        assert len(decode_key(Secret(line))) == 64
    assert one.said != other.said


@pytest.mark.parametrize(
    ("arguments", "variable", "settings"),
    [
        (["run"], "PEERBOT_DISCORD_TOKEN", {"data_key": DATA_KEY}),
        (["run"], "PEERBOT_DATA_KEY", {"discord_token": "made.up.token"}),
        (["run"], "PEERBOT_DATA_KEY", {"discord_token": "made.up.token", "data_key": "c2hvcnQ="}),
        (["db", "rekey"], "PEERBOT_NEW_DATA_KEY", {"discord_token": "made.up.token", "data_key": DATA_KEY}),
    ],
)
async def test_a_missing_or_wrong_setting_is_one_line_that_names_it(
    command: Command, arguments: list[str], variable: str, settings: dict[str, str]
) -> None:
    refused = command(*arguments, **settings)
    assert await refused.ends() == 2
    (line,) = refused.lines
    assert line.startswith(variable)
    assert not any(value in line for value in settings.values())


async def test_settings_are_read_from_the_file_in_the_folder(command: Command, tmp_path: Path) -> None:
    lines = [f"PEERBOT_DATA_KEY={DATA_KEY}", "PEERBOT_DISCORD_TOKEN=made.up.token", "PEERBOT_LOG_LEVEL=LOUD"]
    (tmp_path / ".env").write_text("\n".join(lines))
    refused = command("run")
    assert await refused.ends() == 2
    assert refused.said.startswith("PEERBOT_LOG_LEVEL is wrong.")


@pytest.mark.both_databases
async def test_rekey_seals_every_id_with_the_new_key(command: Command, kept: Settings) -> None:
    changed = command("db", "rekey", **environment(kept, new_data_key=OTHER_KEY))
    assert await changed.ends() == 0, changed.said
    assert changed.said.startswith("1 ids are sealed with the new key now.")
    assert not {DATA_KEY, OTHER_KEY} & set(changed.said.split())
    assert await opens(kept, OTHER_KEY)
    assert not await opens(kept, DATA_KEY)


@pytest.mark.both_databases
async def test_rekey_with_a_key_that_is_not_the_databases_changes_nothing(command: Command, kept: Settings) -> None:
    refused = command("db", "rekey", **environment(kept, data_key=THIRD_KEY, new_data_key=OTHER_KEY))
    assert await refused.ends() == 2
    assert refused.said.startswith("PEERBOT_DATA_KEY is not the key of this database.")
    assert len(refused.lines) == 1
    assert await opens(kept, DATA_KEY)


@pytest.mark.both_databases
async def test_rekey_is_refused_while_a_bot_is_running(command: Command, kept: Settings) -> None:
    bots = ProcessLock(kept)
    await bots.take(alone=False)
    refused = command("db", "rekey", **environment(kept, new_data_key=OTHER_KEY))
    assert await refused.ends() == 2
    assert refused.said.startswith("Another peerbot process is using this database")
    await bots.release()
    assert await opens(kept, DATA_KEY)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("when", "valid", "invalid"), [("before", DATA_KEY, OTHER_KEY), ("after", OTHER_KEY, DATA_KEY)]
)
async def test_a_killed_rekey_leaves_one_key_that_opens_everything(
    command: Command, kept: Settings, when: str, valid: str, invalid: str
) -> None:
    point = KillPoint("before" if when == "before" else "after", "SELECT 1 FROM key_check")
    killed = command("db", "rekey", kill_point=point, **environment(kept, new_data_key=OTHER_KEY))
    assert await killed.ends() == -9, killed.said
    assert await opens(kept, valid)
    assert not await opens(kept, invalid)


async def test_rekey_of_a_database_that_does_not_answer_is_one_line(command: Command, settings: Settings) -> None:
    nowhere = "postgresql://peerbot:hunter2@127.0.0.1:9/peerbot"
    refused = command("db", "rekey", **environment(settings, database_url=nowhere, new_data_key=OTHER_KEY))
    assert await refused.ends() == 2
    (line,) = refused.lines
    assert line.startswith("The database in PEERBOT_DATABASE_URL cannot be opened.")


WITHOUT_POSTGRES = """
import sys
sys.modules["psycopg"] = None
from peerbot.__main__ import main
main()
"""
FAILS = f"""
import peerbot.__main__ as program
def command_line():
    raise RuntimeError("nobody is {MAYA}")
program.command_line = command_line
program.main()
"""


def python(script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a few lines that begin otherwise than the program does."""
    named = {f"PEERBOT_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=programs.ROOT, env=named, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_postgresqls_driver_it_says_what_to_install(settings: Settings) -> None:
    url = "postgresql://peerbot:hunter2@localhost/peerbot"
    refused = python(WITHOUT_POSTGRES, "run", **environment(settings, database_url=url))
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "Install peerbot[postgres]" in line


def test_a_mistake_of_its_own_ends_it_with_a_traceback_that_names_nobody() -> None:
    ended = python(FAILS)
    assert ended.returncode == 1
    assert "RuntimeError: nobody is (id)" in ended.stderr
    assert str(MAYA) not in ended.stderr


def test_whoever_presses_ctrl_c_reads_one_word_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "set_up_logging", lambda _level: None)
    monkeypatch.setattr(command_line, "command_line", interrupted)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "Stopped.\n"
