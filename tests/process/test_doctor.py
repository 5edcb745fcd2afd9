"""`peerbot doctor` on this machine's side: settings, files, database, key, token, intent, clock, network."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.config import Config
from builders import DATA_KEY, OTHER_KEY
from dumps import dump
from rich.console import Console

from peerbot import health, schema
from peerbot.config import Settings
from peerbot.database import BACKGROUND
from peerbot.findings import Report
from peerbot.rehearsal.application import MEMBERS_INTENT, new_token
from tests.process import programs
from tests.process.doctoring import Patient

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "hunter2-never-shown"


@pytest.mark.both_databases
async def test_a_set_up_that_is_right_is_ok_in_every_line(patient: Patient) -> None:
    found = await patient.consult()
    assert found.lines("to do") == found.lines("skipped") == [], found.said
    assert found.code == 0
    assert found.each_line_has_a_mark()
    assert found.said.endswith(f"All {len(found.lines('ok'))} checks are ok.\n")
    for check in ("Settings", "Schema", "Data key", "Network", "Token", "Server Members Intent", "Clock", "Panel"):
        assert any(line.startswith(f"{check}: ") for line in found.lines("ok")), check


async def test_it_can_be_started_as_anybody_would(patient: Patient) -> None:
    found = await patient.consult(real=True)
    assert found.code == 0, found.said


@pytest.mark.both_databases
async def test_it_writes_nothing(patient: Patient, backend: str) -> None:
    async with patient.harbour.db.read(wait=BACKGROUND) as session:
        before = await dump(session)
    await patient.harbour.db.close()
    files = _files(patient.file.parent) if backend == "sqlite" else {}
    assert (await patient.consult()).code == 0
    if backend == "sqlite":
        assert _files(patient.file.parent) == files
    async with patient.harbour.db.read(wait=BACKGROUND) as session:
        assert await dump(session) == before


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.both_databases
async def test_a_running_bot_is_not_disturbed(patient: Patient) -> None:
    harbour = patient.harbour
    bot = await harbour.start()
    await harbour.settle()
    found = await patient.consult()
    assert found.code == 0, found.said
    assert (harbour.identified, harbour.online) == (1, 1)
    assert "Tuesday" in await harbour.stage.maya.slash("/groups")
    await harbour.stop(bot)
    assert "WARNING" not in bot.said


async def test_what_a_bot_that_runs_has_just_written_is_read(patient: Patient) -> None:
    await patient.harbour.start()
    await patient.change("UPDATE guilds SET help_countries = ''")
    (await patient.consult()).only_to_do("Help lines: No countries are chosen")


# settings


async def test_all_wrong_settings_are_named_at_once_and_the_rest_is_checked(patient: Patient) -> None:
    found = await patient.consult(data_key="c2hvcnQ=", log_level="LOUD", discord_url="https://discord.com")
    first, second, third = found.lines("to do")
    assert first.startswith("Setting: PEERBOT_DATA_KEY is wrong. Expected: a key made by `peerbot new-key`.")
    assert second.startswith("Setting: PEERBOT_LOG_LEVEL is wrong. Expected: DEBUG, INFO")
    assert third.startswith("Setting: PEERBOT_DISCORD_URL is wrong. Expected: an address on this machine")
    assert "Data key: not checked, because PEERBOT_DATA_KEY is not right." in found.lines("skipped")
    assert "because PEERBOT_DISCORD_URL is not right." in found.said
    assert "Help lines: those of US CA come first." in found.lines("ok")
    assert "c2hvcnQ=" not in found.said
    assert found.code == 1


async def test_with_nothing_set_it_says_how_to_get_each(patient: Patient) -> None:
    found = await patient.consult(discord_token=None, data_key=None, database_url=None, discord_url=None)
    token, key = found.lines("to do")
    assert token.startswith("Setting: PEERBOT_DISCORD_TOKEN is not set. It is the bot's token")
    assert key.startswith("Setting: PEERBOT_DATA_KEY is not set. Make one with `peerbot new-key`")
    assert found.code == 1
    assert list(patient.harbour.folder.iterdir()) == []


async def test_a_misspelt_setting_is_asked_about(patient: Patient) -> None:
    found = await patient.consult(databse_url=f"postgresql://peerbot:{PASSWORD}@localhost/peerbot")
    found.only_to_do("PEERBOT_DATABSE_URL is not a setting", "Did you mean PEERBOT_DATABASE_URL?")
    assert PASSWORD not in found.said


async def test_a_settings_file_that_others_can_read_is_to_be_closed(patient: Patient) -> None:
    file = patient.harbour.folder / ".env"
    file.write_text(f"PEERBOT_DATA_KEY={DATA_KEY}\nexport PEERBOT_LOGLEVEL=DEBUG\n")
    file.chmod(0o644)
    misspelt, opened = (await patient.consult(data_key=None)).lines("to do")
    assert "PEERBOT_LOGLEVEL is not a setting of peerbot. Did you mean PEERBOT_LOG_LEVEL?" in misspelt
    assert opened == "Settings file: Other accounts of this machine can read it. Close it to them: chmod 600 .env"


async def test_a_settings_file_that_is_no_text_is_said(patient: Patient) -> None:
    file = patient.harbour.folder / ".env"
    file.write_bytes(b"PEERBOT_DATA_KEY=\xff\xfe")
    file.chmod(0o600)
    found = await patient.consult()
    found.only_to_do("The file .env cannot be read. It must be a text file in UTF-8")
    assert "Database, schema and key: not checked, because .env is not right." in found.lines("skipped")


# the database


async def test_a_database_file_that_others_can_read_is_to_be_closed(patient: Patient) -> None:
    patient.file.chmod(0o640)
    (await patient.consult()).only_to_do("Database file: Other accounts", f"chmod 600 {patient.file}")


async def test_a_file_that_is_no_database_is_said(patient: Patient) -> None:
    patient.file.write_text("Dear reader, this is no database at all. " * 100)
    found = await patient.consult()
    found.only_to_do("Database: What PEERBOT_DATABASE_URL names cannot be opened.", "a database of peerbot")
    assert "Schema and data key: not checked, because the database cannot be opened." in found.lines("skipped")
    assert "Setup: not checked, because the database cannot be read." in found.lines("skipped")
    assert "Server permissions: the bot has all that it needs." in found.lines("ok")


async def test_a_postgresql_that_does_not_answer_is_said_without_its_password(patient: Patient) -> None:
    found = await patient.consult(database_url=f"postgresql://peerbot:{PASSWORD}@127.0.0.1:9/peerbot")
    found.only_to_do("Database: What PEERBOT_DATABASE_URL names cannot be opened. Is PostgreSQL running there")
    assert PASSWORD not in found.said


WITHOUT_POSTGRES = """
import sys
sys.modules["psycopg"] = None
from peerbot.__main__ import main
main()
"""


def test_without_postgresqls_driver_it_says_what_to_install(settings: Settings) -> None:
    environment = {
        "PEERBOT_DISCORD_TOKEN": "made.up.token",
        "PEERBOT_DATA_KEY": DATA_KEY,
        "PEERBOT_DATABASE_URL": f"postgresql://peerbot:{PASSWORD}@localhost/peerbot",
        "PEERBOT_DISCORD_URL": "http://127.0.0.1:9",
    }
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSTGRES, "doctor"],
        cwd=programs.ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 1
    assert "its driver is missing. Install peerbot[postgres]." in found.stdout
    assert PASSWORD not in found.stdout + found.stderr


async def test_a_folder_without_a_database_is_ready_for_one(patient: Patient, tmp_path: Path) -> None:
    found = await patient.consult(database_url=f"sqlite:///{tmp_path}/new/peerbot.db")
    found.only_to_do("Setup: This server is not set up. Someone who manages it can start with /setup.")
    assert not (tmp_path / "new").exists()


async def test_a_place_where_no_database_can_be_made_is_said(patient: Patient, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")
    found = await patient.consult(database_url=f"sqlite:///{tmp_path}/letter.txt/peerbot.db")
    found.only_to_do("letter.txt is no folder.", "Name another file in PEERBOT_DATABASE_URL")


@pytest.mark.both_databases
async def test_the_key_of_another_database_is_said_and_never_shown(patient: Patient) -> None:
    found = await patient.consult(data_key=OTHER_KEY)
    found.only_to_do("Data key: PEERBOT_DATA_KEY is not the key of this database.")
    assert OTHER_KEY not in found.said


async def test_a_change_of_key_that_was_not_begun_or_not_ended_is_said(patient: Patient) -> None:
    begun = await patient.consult(new_data_key=OTHER_KEY)
    begun.only_to_do("PEERBOT_NEW_DATA_KEY is set.", "peerbot db rekey")
    ended = await patient.consult(data_key=OTHER_KEY, new_data_key=DATA_KEY)
    ended.only_to_do("sealed with the new key by now. Set PEERBOT_DATA_KEY to what PEERBOT_NEW_DATA_KEY is")


@pytest.mark.both_databases
async def test_a_database_of_a_newer_peerbot_is_said(patient: Patient) -> None:
    before = await patient.harbour.rows("SELECT version_num FROM alembic_version")
    await patient.change("UPDATE alembic_version SET version_num = '9999'")
    found = await patient.consult()
    await patient.change("UPDATE alembic_version SET version_num = :before", before=before[0][0])
    found.only_to_do("Schema: It was made by a newer peerbot. Install that version, or restore a backup.")
    assert "Data key: not checked, because the schema is another one." in found.lines("skipped")


@pytest.mark.both_databases
async def test_a_database_of_an_older_peerbot_is_to_be_brought_up(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    later = (
        f'"""Later."""\nrevision, down_revision, branch_labels, depends_on = "9999", "{schema.REVISION}", None, None\n'
    )
    (tmp_path / "migrations" / "versions" / "9999_later.py").write_text(later)

    def newer() -> Config:
        made = Config()
        made.set_main_option("script_location", str(tmp_path / "migrations"))
        return made

    monkeypatch.setattr(schema, "config", newer)
    monkeypatch.setattr(schema, "REVISION", "9999")
    said = io.StringIO()
    report = Report(Console(file=said))
    assert health.check_database(report, settings, frozenset()) is None
    assert "Schema: It is that of an older peerbot. Start `peerbot run`: it brings the database up." in said.getvalue()
    assert not report.end()


# Discord


async def test_a_token_that_discord_does_not_accept_is_said(patient: Patient) -> None:
    wrong = new_token(patient.harbour.stage.application.id)
    found = await patient.consult(discord_token=wrong)
    found.only_to_do("Token: Discord does not accept it. Copy it anew from the Bot page")
    assert "Network: Discord answers." in found.lines("ok")
    assert any(line.startswith("Clock: ") for line in found.lines("ok"))
    assert "Server Members Intent: not checked, because the bot is not logged in." in found.lines("skipped")
    assert wrong not in found.said


async def test_a_token_that_cannot_even_be_sent_is_said(patient: Patient) -> None:
    found = await patient.consult(discord_token="first.part\nsecond.part")
    found.only_to_do("Setting: PEERBOT_DISCORD_TOKEN is wrong. Expected: the bot's token, in one line.")
    assert "first.part" not in found.said


async def test_an_intent_that_is_off_is_named_as_the_portal_names_it(patient: Patient) -> None:
    patient.harbour.stage.application.privileged &= ~MEMBERS_INTENT
    (await patient.consult()).only_to_do("Server Members Intent: It is off", "Privileged Gateway Intents")


@pytest.mark.parametrize(("seconds", "words"), [(300, "300 seconds behind"), (-45, "45 seconds ahead of")])
async def test_a_clock_that_is_wrong_is_said_in_seconds(patient: Patient, seconds: int, words: str) -> None:
    patient.harbour.stage.clock.move(timedelta(seconds=seconds))
    found = await patient.consult(clock_offset_file=None)
    (line,) = found.lines("to do")
    number, rest = words.split(" ", 1)
    said = next(int(word) for word in line.split() if word.isdecimal())
    assert abs(said - int(number)) <= 5
    assert rest in line
    assert found.code == 1


async def test_a_clock_that_is_a_little_off_is_ok(patient: Patient) -> None:
    patient.harbour.stage.clock.move(timedelta(seconds=20))
    assert (await patient.consult(clock_offset_file=None)).code == 0


async def test_a_discord_that_cannot_be_reached_is_said_and_the_rest_is_checked(patient: Patient) -> None:
    await patient.change("UPDATE guilds SET help_countries = ''")
    found = await patient.consult(discord_url="http://127.0.0.1:9")
    network, countries = found.lines("to do")
    assert network.startswith("Network: Discord cannot be reached (ClientConnectorError). Look at this machine's")
    assert countries.startswith("Help lines: No countries are chosen")
    assert [line.split(":")[0] for line in found.lines("skipped")] == [
        "Token",
        "Server Members Intent",
        "Clock",
        "Roles, channels and permissions",
    ]
    assert found.code == 1


async def test_a_discord_that_is_ill_is_said(patient: Patient) -> None:
    patient.harbour.stage.discord.faults.next("GET", "/users/@me", status=503)
    (await patient.consult()).only_to_do("Network: Discord answers with an error (503). Look at discordstatus.com")


async def test_a_connection_that_is_lost_in_the_middle_is_said(patient: Patient) -> None:
    patient.harbour.stage.discord.faults.next("GET", "/guilds/{}/channels", drop="before", times=5)
    (await patient.consult()).only_to_do("Roles, channels and permissions: Discord cannot be reached")


def test_a_mistake_of_a_check_is_a_line_that_shows_no_value() -> None:
    said = io.StringIO()
    report = Report(Console(file=said))
    with report.guarded("Clock"):
        raise RuntimeError(PASSWORD)
    assert "to do    Clock: This check failed by a mistake of peerbot's own (RuntimeError in test_doctor.py" in (
        said.getvalue()
    )
    assert PASSWORD not in said.getvalue()
    assert not report.end()


def test_what_was_skipped_is_not_ok() -> None:
    report = Report(Console(file=io.StringIO()))
    report.ok("Network", "Discord answers.")
    report.skipped("Clock", "Discord did not say what time it is")
    assert not report.end()
