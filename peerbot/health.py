"""Check what can be checked without Discord: settings, files, database, schema, key.

Nothing is written and no lock is taken, so that a running bot is not disturbed; a SQLite file that no bot has open is
read in a way that leaves no file beside it. No line repeats a value of a setting, because it might be a secret.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, func, literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from peerbot import config, deliveries, schema
from peerbot.config import ENV_FILE, Settings
from peerbot.findings import Report
from peerbot.members import Seal
from peerbot.models import Delivery, Group, Guild, KeyCheck
from peerbot.outbox import TELLS
from peerbot.schema import Shape

FOR_OTHERS = 0o077
"""The bits of a file's mode that let other accounts in."""
DATABASE_FILES = ("", "-wal", "-shm")
"""What SQLite adds to the name of a database for the files that hold parts of it."""
KEY, NEW_KEY, DATABASE = "PEERBOT_DATA_KEY", "PEERBOT_NEW_DATA_KEY", "PEERBOT_DATABASE_URL"
NEWER = "Install that version, or restore a backup."


@dataclass(frozen=True)
class Known:
    """What the database holds of a server: what was set up, its open groups, how many deliveries failed for good."""

    guild: Guild
    groups: tuple[Group, ...]
    dead: int


def check_settings(report: Report) -> tuple[Settings, frozenset[str]]:
    """Check every setting; return them, and the names of those that are wrong and must not be used."""
    report.group("Settings")
    settings, wrong = config.examine()
    for sentence in wrong.values():
        problem, _, remedy = sentence.partition(". ")
        report.to_do("Setting", f"{problem}.", remedy)
    for name, meant in config.unknown().items():
        remedy = f"Did you mean {meant}?" if meant else "Remove it; what there is stands in .env.example."
        report.to_do("Setting", f"{name} is not a setting of peerbot.", remedy)
    if not wrong:
        report.ok("Settings", "all that is needed is set, and well formed.")
    _check_private(report, "Settings file", Path(ENV_FILE))
    return settings, frozenset(wrong)


def _check_private(report: Report, check: str, *files: Path) -> None:
    """Check that no other account can read or change those of the files that are there."""
    there = [file for file in files if file.is_file()]
    open_to_others = [file for file in there if file.stat().st_mode & FOR_OTHERS]
    if open_to_others:
        names = " ".join(str(file) for file in open_to_others)
        report.to_do(check, "Other accounts of this machine can read it.", f"Close it to them: chmod 600 {names}")
    elif there:
        report.ok(check, f"only this account can read {there[0]}.")


def check_database(report: Report, settings: Settings, wrong: frozenset[str]) -> dict[int, Known] | None:
    """Check the database; return what it holds of each server, by id, or None when that cannot be read."""
    report.group("Database")
    if wrong & {DATABASE, ENV_FILE}:
        report.skipped("Database, schema and key", f"{DATABASE if DATABASE in wrong else ENV_FILE} is not right")
        return None
    url = settings.url
    file = Path(str(url.database)) if url.get_backend_name() == "sqlite" else None
    if file is not None and not file.exists():
        return _check_place(report, file)
    if file is not None:
        _check_file(report, file)
    try:
        with Session(_reading(url, file)) as session:
            return _check_contents(report, session, settings, wrong)
    except ModuleNotFoundError:
        problem = f"{DATABASE} names a PostgreSQL, and its driver is missing."
        report.to_do("Database", problem, "Install peerbot[postgres].")
    except (DBAPIError, OSError):
        report.to_do("Database", f"What {DATABASE} names cannot be opened.", _how_to_open(file))
    report.skipped("Schema and data key", "the database cannot be opened")
    return None


def _how_to_open(file: Path | None) -> str:
    if file is None:
        return "Is PostgreSQL running there, and are the name, the password and the database of the address right?"
    return f"Is {file} a database of peerbot, and may this account read it?"


def _check_place(report: Report, file: Path) -> dict[int, Known] | None:
    """Check that `peerbot run` can make a file that is not there yet."""
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if not folder.is_dir():
        report.to_do("Database", f"{file} cannot be made: {folder} is no folder.", f"Name another file in {DATABASE}.")
        return None
    if not os.access(folder, os.W_OK | os.X_OK):
        remedy = f"Let this account write in {folder}, or name another file in {DATABASE}."
        report.to_do("Database", f"{file} cannot be made.", remedy)
        return None
    report.ok("Database", f"{file} is not there yet; `peerbot run` makes it.")
    return {}


def _check_file(report: Report, file: Path) -> None:
    _check_private(report, "Database file", *(file.with_name(file.name + part) for part in DATABASE_FILES))
    if not (os.access(file, os.R_OK | os.W_OK) and os.access(file.absolute().parent, os.W_OK | os.X_OK)):
        remedy = "Run peerbot and its doctor as the account that owns it."
        report.to_do("Database file", f"This account may not write to {file} and its folder.", remedy)


def _reading(url: URL, file: Path | None) -> Engine:
    """Return an engine that only reads."""
    if file is None:
        options = "-c default_transaction_read_only=on -c lock_timeout=1500 -c statement_timeout=10000"
        arguments = {"options": options, "connect_timeout": 5, "application_name": "peerbot doctor"}
        return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    # To read a database in WAL mode, SQLite makes two files beside it unless a bot has made them. Where they are not,
    # nobody writes, and the file can be read as one that never changes.
    in_use = file.with_name(file.name + "-wal").exists()
    address = f"{file.absolute().as_uri()}?{'mode=ro' if in_use else 'immutable=1'}"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool)


def _check_contents(
    report: Report, session: Session, settings: Settings, wrong: frozenset[str]
) -> dict[int, Known] | None:
    shape = schema.shape_of(session.connection())
    report.ok("Database", "it answers.")
    if shape is Shape.NEWEST:
        report.ok("Schema", "it is the one that this version needs.")
        _check_key(report, session, settings, wrong)
        return _known(session)
    if shape is Shape.NONE:
        report.ok("Schema", "the database is empty; `peerbot run` fills it.")
        return {}
    if shape is Shape.OLDER:
        report.to_do("Schema", "It is that of an older peerbot.", "Start `peerbot run`: it brings the database up.")
    else:
        report.to_do("Schema", "It was made by a newer peerbot.", NEWER)
    report.skipped("Data key", "the schema is another one")
    return None


def _check_key(report: Report, session: Session, settings: Settings, wrong: frozenset[str]) -> None:
    row = session.get(KeyCheck, 1)
    if KEY in wrong:
        report.skipped("Data key", f"{KEY} is not right")
    elif row is None:
        report.ok("Data key", "the database has none yet; `peerbot run` takes the one that is set.")
    elif row.sealed == Seal(settings.key).check():
        report.ok("Data key", "it is the key of this database.")
        if settings.new_data_key is not None:
            report.to_do("New key", f"{NEW_KEY} is set.", "Change to it with `peerbot db rekey`, or remove it.")
    elif _is_changed(row, settings):
        remedy = f"Set {KEY} to what {NEW_KEY} is, and remove {NEW_KEY}."
        report.to_do("Data key", "The database is sealed with the new key by now.", remedy)
    else:
        remedy = f"Set {KEY} to the key that the database was made with; only that one opens it."
        report.to_do("Data key", f"{KEY} is not the key of this database.", remedy)


def _is_changed(row: KeyCheck, settings: Settings) -> bool:
    new = settings.new_data_key
    return new is not None and row.sealed == Seal(config.decode_key(new)).check()


def _known(session: Session) -> dict[int, Known]:
    groups: dict[int, list[Group]] = {}
    for group in session.scalars(select(Group).where(Group.state == "open").order_by(Group.name_key)):
        groups.setdefault(group.guild_id, []).append(group)
    failed = select(Delivery.guild_id, func.count()).where(Delivery.state == literal_column(str(deliveries.DEAD)))
    failed = failed.where(Delivery.kind.not_in(TELLS))  # no button tries these again
    dead = {row[0]: row[1] for row in session.execute(failed.group_by(Delivery.guild_id))}
    return {
        guild.guild_id: Known(guild, tuple(groups.get(guild.guild_id, ())), dead.get(guild.guild_id, 0))
        for guild in session.scalars(select(Guild).order_by(Guild.guild_id))
    }
