"""What the process that is forked has loaded and worked out before: all that a start of the bot would repeat."""

from __future__ import annotations

from importlib import import_module

from peerbot import countries, setup
from peerbot.bot import FEATURES

for name in (*FEATURES, "aiosqlite", "psycopg", "peerbot.doctor", "tests.process.launcher"):
    import_module(name)
countries.find("Norway")  # its table of names takes half a second
setup.find_zone("New York")  # looks through all files of zones
