"""Settings: what is read, what is refused, and that no refusal tells a secret."""

from __future__ import annotations

import itertools
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from builders import DATA_KEY

from peerbot import config
from peerbot.config import Secret
from peerbot.errors import ConfigurationWrong

TOKEN = "token.never.shown"
PASSWORD = "hunter2-never-shown"
ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in config.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PEERBOT_DISCORD_TOKEN", TOKEN)
    monkeypatch.setenv("PEERBOT_DATA_KEY", DATA_KEY)
    monkeypatch.chdir(tmp_path)


WRONG = [
    ("PEERBOT_DISCORD_TOKEN", "", "is not set"),
    ("PEERBOT_DISCORD_TOKEN", f"{TOKEN}\n{DATA_KEY}", "in one line"),
    ("PEERBOT_DATA_KEY", "", "peerbot new-key"),
    ("PEERBOT_DATA_KEY", "c2hvcnQ=", "peerbot new-key"),
    ("PEERBOT_DATA_KEY", "kéy", "peerbot new-key"),
    ("PEERBOT_DATA_KEY", DATA_KEY[:-4], "peerbot new-key"),
    ("PEERBOT_NEW_DATA_KEY", "c2hvcnQ=", "peerbot new-key"),
    ("PEERBOT_DATABASE_URL", "peerbot.db", "sqlite:///FILE"),
    ("PEERBOT_DATABASE_URL", "sqlite://", "sqlite:///FILE"),
    ("PEERBOT_DATABASE_URL", "sqlite:///:memory:", "sqlite:///FILE"),
    ("PEERBOT_DATABASE_URL", f"mysql://peerbot:{PASSWORD}@localhost/peerbot", "postgresql://"),
    ("PEERBOT_DATABASE_URL", f"postgresql://peerbot:{PASSWORD}@localhost", "postgresql://"),
    ("PEERBOT_DATABASE_URL", f"postgresql://peerbot:{PASSWORD}@localhost:port/peerbot", "postgresql://"),
    ("PEERBOT_LOG_LEVEL", "LOUD", "DEBUG, INFO"),
    ("PEERBOT_DISCORD_URL", "https://discord.com", "this machine"),
    ("PEERBOT_DISCORD_URL", "http://localhost.example.org", "this machine"),
    ("PEERBOT_DISCORD_URL", "http://[::1", "this machine"),
]


@pytest.mark.parametrize(("variable", "value", "expected"), WRONG)
def test_a_wrong_setting_is_named_in_one_line_that_says_what_was_expected(
    variable: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationWrong) as refused:
        config.load()
    line = str(refused.value)
    assert line.startswith(variable + " ")
    assert expected in line
    assert "\n" not in line


@pytest.mark.parametrize(("variable", "value", "expected"), WRONG)
def test_no_refusal_shows_a_secret(variable: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationWrong) as refused:
        config.load()
    for secret in (TOKEN, DATA_KEY, DATA_KEY[:-4], PASSWORD, "c2hvcnQ=", "kéy"):
        assert secret not in str(refused.value)
    assert refused.value.__context__ is None, "a traceback would show what raised before it, and what that was given"


@pytest.mark.parametrize("variable", ["PEERBOT_DISCORD_TOKEN", "PEERBOT_DATA_KEY"])
def test_a_missing_secret_is_asked_for_with_the_way_to_get_it(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(ConfigurationWrong, match=rf"{variable} is not set\. (It is|Make)"):
        config.load()


def test_an_empty_setting_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERBOT_NEW_DATA_KEY", "")
    monkeypatch.setenv("PEERBOT_DATABASE_URL", "")
    assert config.load().new_data_key is None
    assert config.load().url.get_backend_name() == "sqlite"


def test_settings_are_read_from_a_file_beside_the_bot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PEERBOT_DISCORD_TOKEN")
    (tmp_path / ".env").write_text("PEERBOT_DISCORD_TOKEN=from.the.file\nPEERBOT_LOG_LEVEL=debug\n")
    settings = config.load()
    assert settings.discord_token.reveal() == "from.the.file"
    assert settings.log_level == "DEBUG"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PEERBOT_DISCORD_TOKEN=from.the.file\n")
    assert config.load().discord_token.reveal() == TOKEN


def test_names_may_be_written_in_small_letters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("peerbot_discord_token=from.the.file\npeerbot_log_level=debug\n")
    assert config.load().discord_token.reveal() == TOKEN
    monkeypatch.setenv("Peerbot_Log_Level", "warning")
    assert config.load().log_level == "WARNING"


def test_every_wrong_setting_is_found_at_once_and_a_stand_in_is_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PEERBOT_DISCORD_TOKEN")
    monkeypatch.setenv("PEERBOT_DATA_KEY", "c2hvcnQ=")
    monkeypatch.setenv("PEERBOT_DATABASE_URL", f"mysql://peerbot:{PASSWORD}@localhost/peerbot")
    monkeypatch.setenv("PEERBOT_LOG_LEVEL", "debug")
    settings, wrong = config.examine()
    assert list(wrong) == ["PEERBOT_DISCORD_TOKEN", "PEERBOT_DATA_KEY", "PEERBOT_DATABASE_URL"]
    assert settings.key == bytes(config.KEY_BYTES)
    assert settings.url.get_backend_name() == "sqlite"
    assert settings.log_level == "DEBUG"


def test_a_file_that_cannot_be_read_leaves_what_the_environment_says(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("PEERBOT_LOG_LEVEL=debug\n".encode("utf-16"))
    settings, wrong = config.examine()
    assert wrong == {".env": config.UNREADABLE}
    assert settings.discord_token.reveal() == TOKEN
    assert config.unknown() == {}


def test_a_secret_that_stands_where_a_name_belongs_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"PEERBOT_DATA_KEY:{DATA_KEY}\nPEERBOT_DISCORD_TOKENgeheim\nPEERBOT_LOGLEVEL=INFO\n")
    assert config.unknown() == {"PEERBOT_LOGLEVEL": "PEERBOT_LOG_LEVEL"}


def test_a_secret_shows_itself_only_when_it_is_asked() -> None:
    secret = Secret(TOKEN)
    assert TOKEN not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == TOKEN


def test_settings_print_no_secret() -> None:
    shown = repr(config.load(database_url=f"postgresql://peerbot:{PASSWORD}@localhost/peerbot"))
    assert not [secret for secret in (TOKEN, DATA_KEY, PASSWORD) if secret in shown]


def test_settings_never_change() -> None:
    with pytest.raises(FrozenInstanceError):
        config.load().log_level = "DEBUG"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:///peerbot.db", "sqlite+aiosqlite"),
        ("postgresql://peerbot@localhost/peerbot", "postgresql+psycopg"),
        ("postgres://peerbot@localhost/peerbot", "postgresql+psycopg"),
        ("postgresql://peerbot@/peerbot?host=/run/postgresql", "postgresql+psycopg"),
    ],
)
def test_a_database_gets_the_driver_that_peerbot_uses(given: str, driver: str) -> None:
    assert config.load(database_url=given).url.drivername == driver


def test_the_example_file_describes_exactly_the_settings_there_are() -> None:
    example = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#?(PEERBOT_[A-Z_]+)=", example, re.MULTILINE))
    assert named == config.VARIABLES.keys()


def test_each_setting_in_the_example_file_has_words_above_it() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"#?PEERBOT_", line):
            assert before.startswith("#"), line


def test_the_example_file_as_it_stands_asks_for_what_has_to_be_filled_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PEERBOT_DISCORD_TOKEN")
    monkeypatch.delenv("PEERBOT_DATA_KEY")
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    with pytest.raises(ConfigurationWrong, match="PEERBOT_DISCORD_TOKEN is not set"):
        config.load()
    monkeypatch.setenv("PEERBOT_DISCORD_TOKEN", TOKEN)
    with pytest.raises(ConfigurationWrong, match="PEERBOT_DATA_KEY is not set"):
        config.load()


def test_a_file_of_settings_in_another_encoding_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes("PEERBOT_DISCORD_TOKEN=geheim\n".encode("utf-16"))
    with pytest.raises(ConfigurationWrong, match=r"\.env cannot be read"):
        config.load()
