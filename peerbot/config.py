"""Settings, from the environment and `.env`.

They are read once, checked whole, and never change. A wrong one stops the start with one line that names the variable
and what was expected; no line ever repeats a value, because it might be a secret.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from peerbot.errors import ConfigurationWrong

PREFIX = "PEERBOT_"
ENV_FILE = ".env"
KEY_BYTES = 64
"""AES-SIV takes two AES-256 keys (RFC 5297)."""
UNREADABLE = "The file .env cannot be read. It must be a text file in UTF-8 that I may read."
STAND_INS = {"discord_token": "none", "data_key": base64.urlsafe_b64encode(bytes(KEY_BYTES)).decode()}
"""What `examine` puts in the place of a required setting that is wrong."""
FOR_DEVELOPERS = frozenset({"PEERBOT_DISCORD_SPEC", "PEERBOT_REQUIRE_PG", "PEERBOT_TEST_PG_URL"})
"""What tests read, and no bot (CONTRIBUTING.md)."""


def _key(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        decode_key(value)
    return value


def _loopback(value: str | None) -> str | None:
    if value is not None:
        try:
            host = urlsplit(value).hostname
        except ValueError:
            host = None
        if host not in {"127.0.0.1", "::1", "localhost"} or not value.startswith("http://"):
            raise ValueError("an address on this machine, like http://127.0.0.1:8080 (it is for rehearsals only)")
    return value


def _log_level(value: str) -> str:
    if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("DEBUG, INFO, WARNING or ERROR")
    return value.upper()


def _database(value: SecretStr) -> SecretStr:
    engine_url(value)
    return value


def decode_key(value: SecretStr) -> bytes:
    """Return the bytes of a data key; raise ValueError that says what was expected."""
    try:
        key = base64.urlsafe_b64decode(value.get_secret_value().encode())
    except (binascii.Error, UnicodeEncodeError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("a key made by `peerbot new-key`")
    return key


def engine_url(value: SecretStr) -> URL:
    """Return the database's address with the driver that peerbot uses; raise ValueError that says what was expected."""
    expected = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
    try:
        url = make_url(value.get_secret_value())
    except (ArgumentError, ValueError):  # the latter repeats a part of the address, which might be a password
        raise ValueError(expected) from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite+aiosqlite")
    if url.get_backend_name() in {"postgresql", "postgres"} and url.database:
        return url.set(drivername="postgresql+psycopg")
    raise ValueError(expected)


class Settings(BaseSettings):
    """What the owner decides outside Discord. Every field is described in `.env.example`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True
    )

    discord_token: SecretStr = Field(min_length=1)
    data_key: Annotated[SecretStr, AfterValidator(_key)]
    new_data_key: Annotated[SecretStr | None, AfterValidator(_key)] = None
    database_url: Annotated[SecretStr, AfterValidator(_database)] = SecretStr("sqlite:///peerbot.db")
    log_level: Annotated[str, AfterValidator(_log_level)] = "INFO"
    discord_url: Annotated[str | None, AfterValidator(_loopback)] = None
    clock_offset_file: Path | None = None

    @property
    def url(self) -> URL:
        """The database's address, with the driver."""
        return engine_url(self.database_url)

    @property
    def key(self) -> bytes:
        """The key that seals user ids."""
        return decode_key(self.data_key)


def load(**overrides: Any) -> Settings:
    """Read the settings; raise ConfigurationWrong with one line that names the first wrong variable."""
    try:
        return Settings(**overrides)
    except ValidationError as problem:
        _field, sentence = _wrong(problem)[0]
        raise ConfigurationWrong(sentence) from None
    except (OSError, UnicodeDecodeError):
        raise ConfigurationWrong(UNREADABLE) from None


def examine() -> tuple[Settings, dict[str, str]]:
    """Read the settings; return them, and a sentence for everything that is wrong, by variable (or `.env`).

    In the settings a stand-in is in the place of each that is wrong; it must not be used for anything.
    """
    overrides: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    while True:
        try:
            return Settings(**overrides), wrong
        except ValidationError as problem:
            for field, sentence in _wrong(problem):
                wrong[PREFIX + field.upper()] = sentence
                overrides[field] = STAND_INS.get(field, Settings.model_fields[field].default)
        except (OSError, UnicodeDecodeError):
            wrong[ENV_FILE] = UNREADABLE
            overrides["_env_file"] = None


def unknown() -> dict[str, str | None]:
    """Return each PEERBOT_ name, in the environment or in `.env`, that is no setting, with the one that was meant."""
    try:
        in_file = re.findall(r"^\s*(?:export\s+)?(\w+)\s*=", Path(ENV_FILE).read_text("utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        in_file = []
    settings = [PREFIX + field.upper() for field in Settings.model_fields]
    given = sorted({name.upper() for name in (*os.environ, *in_file)} - {*settings, *FOR_DEVELOPERS})
    strange = (name for name in given if name.startswith(PREFIX))
    return {name: next(iter(difflib.get_close_matches(name, settings, n=1)), None) for name in strange}


def _wrong(problem: ValidationError) -> list[tuple[str, str]]:
    """Return the field and the sentence for each that is wrong, in the order of the settings."""
    return [
        (str(error["loc"][0]), _sentence(PREFIX + str(error["loc"][0]).upper(), error["type"], error["msg"]))
        for error in problem.errors(include_input=False, include_url=False)
    ]


def _sentence(variable: str, kind: str, message: str) -> str:
    if kind in {"missing", "string_too_short", "too_short"}:
        return f"{variable} is not set. {_how_to_get(variable)}"
    return f"{variable} is wrong. Expected: {message.removeprefix('Value error, ')}."


def _how_to_get(variable: str) -> str:
    return {
        "PEERBOT_DISCORD_TOKEN": "It is the bot's token, from the Bot page of Discord's developer portal.",
        "PEERBOT_DATA_KEY": "Make one with `peerbot new-key`, and keep a copy outside this machine.",
    }.get(variable, "See .env.example.")
