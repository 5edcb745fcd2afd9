"""Settings, from the environment and `.env`.

They are read once, checked whole, and never change. A wrong one stops the start with one line that names the variable
and what was expected; no line ever repeats a value, because it might be a secret.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from peerbot.errors import ConfigurationWrong

PREFIX = "PEERBOT_"
ENV_FILE = ".env"
KEY_BYTES = 64
"""AES-SIV takes two AES-256 keys (RFC 5297)."""
UNREADABLE = "The file .env cannot be read. It must be a text file in UTF-8 that I may read."
FOR_DEVELOPERS = frozenset({"PEERBOT_DISCORD_SPEC", "PEERBOT_REQUIRE_PG", "PEERBOT_TEST_PG_URL"})
"""What tests read, and no bot (CONTRIBUTING.md)."""
HOW_TO_GET = {
    "PEERBOT_DISCORD_TOKEN": "It is the bot's token, from the Bot page of Discord's developer portal.",
    "PEERBOT_DATA_KEY": "Make one with `peerbot new-key`, and keep a copy outside this machine.",
}


@dataclass(frozen=True)
class Secret:
    """A text that no repr, error or log shows; only `reveal` does."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text


def _token(value: str) -> Secret:
    if not value.strip().isprintable():
        raise ValueError("the bot's token, in one line")  # no header can carry two, nor signs that no token has
    return Secret(value)


def _key(value: str) -> Secret:
    decode_key(Secret(value))
    return Secret(value)


def _database(value: str) -> Secret:
    engine_url(Secret(value))
    return Secret(value)


def _log_level(value: str) -> str:
    if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return value.upper()


def _loopback(value: str) -> str:
    try:
        host = urlsplit(value).hostname
    except ValueError:
        host = None
    if host not in {"127.0.0.1", "::1", "localhost"} or not value.startswith("http://"):
        raise ValueError("an address on this machine, like http://127.0.0.1:8080 (it is for rehearsals only)")
    return value


def decode_key(value: Secret) -> bytes:
    """Return the bytes of a data key; raise ValueError that says what was expected."""
    try:
        key = base64.urlsafe_b64decode(value.reveal().encode())
    except (binascii.Error, UnicodeEncodeError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("a key made by `peerbot new-key`")
    return key


def engine_url(value: Secret) -> URL:
    """Return the database's address with the driver that peerbot uses; raise ValueError that says what was expected."""
    expected = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
    try:
        url = make_url(value.reveal())
    except (ArgumentError, ValueError):  # the latter repeats a part of the address, which might be a password
        raise ValueError(expected) from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite+aiosqlite")
    if url.get_backend_name() in {"postgresql", "postgres"} and url.database:
        return url.set(drivername="postgresql+psycopg")
    raise ValueError(expected)


def _by(read: Callable[[str], object]) -> dict[str, Callable[[str], object]]:
    """Name what makes a field of a text, or raises ValueError that says what was expected, and never what was given."""
    return {"read": read}


@dataclass(frozen=True)
class Settings:
    """What the owner decides outside Discord. Every field is described in `.env.example`."""

    discord_token: Secret = field(metadata=_by(_token))
    data_key: Secret = field(metadata=_by(_key))
    new_data_key: Secret | None = field(default=None, metadata=_by(_key))
    database_url: Secret = field(default=Secret("sqlite:///peerbot.db"), metadata=_by(_database))
    log_level: str = field(default="INFO", metadata=_by(_log_level))
    discord_url: str | None = field(default=None, metadata=_by(_loopback))
    clock_offset_file: Path | None = field(default=None, metadata=_by(Path))

    @property
    def url(self) -> URL:
        """The database's address, with the driver."""
        return engine_url(self.database_url)

    @property
    def key(self) -> bytes:
        """The key that seals user ids."""
        return decode_key(self.data_key)


VARIABLES = {PREFIX + each.name.upper(): each for each in fields(Settings)}
STAND_INS = {
    "discord_token": Secret("none"),
    "data_key": Secret(base64.urlsafe_b64encode(bytes(KEY_BYTES)).decode()),
}
"""What `examine` puts in the place of a required setting that is wrong."""


def load(**overrides: str) -> Settings:
    """Read the settings; raise ConfigurationWrong with one line that names the first wrong variable."""
    settings, wrong = examine(**overrides)
    if wrong:
        raise ConfigurationWrong(next(iter(wrong.values())))
    return settings


def examine(**overrides: str) -> tuple[Settings, dict[str, str]]:
    """Read the settings; return them, and a sentence for everything that is wrong, by variable (or `.env`).

    In the settings a stand-in is in the place of each that is wrong; it must not be used for anything.
    """
    values: dict[str, Any] = dict(STAND_INS)
    wrong: dict[str, str] = {}
    try:
        given = dotenv_values(ENV_FILE)
    except (OSError, UnicodeDecodeError):
        given, wrong[ENV_FILE] = {}, UNREADABLE
    given = {name.upper(): value for name, value in (*given.items(), *os.environ.items()) if value}
    given |= {PREFIX + name.upper(): value for name, value in overrides.items()}
    for variable, setting in VARIABLES.items():
        value = given.get(variable)
        try:
            if value:
                values[setting.name] = setting.metadata["read"](value)
            elif setting.default is MISSING:
                wrong[variable] = f"{variable} is not set. {HOW_TO_GET[variable]}"
        except ValueError as expected:
            wrong[variable] = f"{variable} is wrong. Expected: {expected}."
    return Settings(**values), wrong


def unknown() -> dict[str, str | None]:
    """Return each PEERBOT_ name, in the environment or in `.env`, that is no setting, with the one that was meant."""
    given = {name.upper() for name in os.environ}
    with suppress(OSError, UnicodeDecodeError):
        given |= {name.upper() for name, value in dotenv_values(ENV_FILE).items() if value is not None}
    names = {name for name in given if name.startswith(PREFIX) and name.isidentifier()}  # KEY:SECRET= is no name
    strange = sorted(names - VARIABLES.keys() - FOR_DEVELOPERS)
    return {name: next(iter(difflib.get_close_matches(name, VARIABLES, n=1)), None) for name in strange}
