"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
from pathlib import Path

import psycopg

from benchmarks.tables import Table

LIBRARIES = ("discord.py", "aiohttp", "SQLAlchemy", "aiosqlite", "psycopg", "APScheduler")


def describe(postgres_url: str | None) -> Table:
    """Return the machine and the versions; `postgres_url` has a place for the database's name."""
    table = Table("Machine", ("What", "Which"))
    table.add("System", f"{platform.system()} {platform.release()}, {platform.machine()}")
    table.add("Cores", f"{os.cpu_count()} ({_processor()})")
    table.add("Memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB")
    table.add("Load before the run", ", ".join(f"{load:.2f}" for load in os.getloadavg()))
    table.add("Python", f"{platform.python_implementation()} {platform.python_version()}")
    table.add("SQLite", sqlite3.sqlite_version)
    table.add("PostgreSQL", _postgres(postgres_url))
    table.add("Libraries", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES))
    return table


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _postgres(url: str | None) -> str:
    if url is None:
        return "none on this machine"
    with psycopg.connect(url.format(name="postgres")) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else "unknown"
