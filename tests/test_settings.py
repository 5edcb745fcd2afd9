"""Settings: what is read, what is refused, and that no refusal tells a secret."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from builders import DATA_KEY

from peerbot import config
from peerbot.config import Settings
from peerbot.errors import ConfigurationWrong

TOKEN = "token.never.shown"
PASSWORD = "hunter2-never-shown"
ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(config.PREFIX + field.upper(), raising=False)
    monkeypatch.setenv("PEERBOT_DISCORD_TOKEN", TOKEN)
    monkeypatch.setenv("PEERBOT_DATA_KEY", DATA_KEY)
    monkeypatch.chdir(tmp_path)


WRONG = [
    ("PEERBOT_DISCORD_TOKEN", "", "is not set"),
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
    assert refused.value.__suppress_context__, "a traceback would show what pydantic was given"


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
    assert settings.discord_token.get_secret_value() == "from.the.file"
    assert settings.log_level == "DEBUG"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PEERBOT_DISCORD_TOKEN=from.the.file\n")
    assert config.load().discord_token.get_secret_value() == TOKEN


def test_settings_print_no_secret() -> None:
    shown = repr(config.load(database_url=f"postgresql://peerbot:{PASSWORD}@localhost/peerbot"))
    assert not [secret for secret in (TOKEN, DATA_KEY, PASSWORD) if secret in shown]


def test_settings_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.load().log_level = "DEBUG"


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
    assert named == {config.PREFIX + field.upper() for field in Settings.model_fields}


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
