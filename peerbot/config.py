"""Settings, from the environment and `.env`.

They are read once, checked whole, and never change. A wrong one stops the start with one line that names the variable
and what was expected; no line ever repeats a value, because it might be a secret.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from peerbot.errors import ConfigurationWrong

PREFIX = "PEERBOT_"
KEY_BYTES = 64
"""AES-SIV takes two AES-256 keys (RFC 5297)."""


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
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
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
        error = problem.errors(include_input=False, include_url=False)[0]
        variable = PREFIX + str(error["loc"][0]).upper()
        if error["type"] in {"missing", "string_too_short", "too_short"}:
            raise ConfigurationWrong(f"{variable} is not set. {_how_to_get(variable)}") from None
        expected = error["msg"].removeprefix("Value error, ")
        raise ConfigurationWrong(f"{variable} is wrong. Expected: {expected}.") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigurationWrong(
            "The file .env cannot be read. It must be a text file in UTF-8 that I may read."
        ) from None


def _how_to_get(variable: str) -> str:
    return {
        "PEERBOT_DISCORD_TOKEN": "It is the bot's token, from the Bot page of Discord's developer portal.",
        "PEERBOT_DATA_KEY": "Make one with `peerbot new-key`, and keep a copy outside this machine.",
    }.get(variable, "See .env.example.")
