"""Fresh databases for benchmarks: a SQLite file, or a database on a private PostgreSQL that keeps what it commits."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import psycopg
from psycopg import sql

from peerbot import members
from peerbot.config import Secret, Settings
from tests import postgres_server

SQLITE, POSTGRES = "SQLite", "PostgreSQL"


class Databases:
    """Where databases are made, in a folder that is removed after the run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = members.new_key()
        binaries = postgres_server.binaries()
        self.postgres = None if binaries is None else postgres_server.start(binaries, os.getpid(), durable=True)

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines of this machine."""
        return (SQLITE,) if self.postgres is None else (SQLITE, POSTGRES)

    def fresh(self, engine: str = SQLITE) -> str:
        """Return the address of a database with nothing in it."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        if engine == SQLITE:
            (self.folder / name).mkdir()
            return f"sqlite:///{self.folder / name / 'peerbot.db'}"
        assert self.postgres is not None, "asked for only where there is one"
        with psycopg.connect(self.postgres.format(name="postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.postgres.format(name=name)

    def settings(self, url: str) -> Settings:
        """Return settings that open a database of this run."""
        return Settings(
            discord_token=Secret("made.up.token"),
            data_key=Secret(self.key),
            database_url=Secret(url),
        )
