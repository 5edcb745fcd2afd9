"""The lines that the design draws: who may know whom, and how long a page may be."""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONGEST_FILE = 450
LONGEST_FUNCTION = 60
BANNED_FILES = re.compile(r"utils|helpers|manager|(^|_)(data|info)($|_)")
BANNED_FUNCTIONS = re.compile(r"^_?handle_|(^|_)(data|info)($|_)")


def files(*folders: str) -> Iterator[Path]:
    for folder in folders or ("peerbot", "cogs", "migrations", "tests", "benchmarks"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_imports_what_it_may_not_know() -> None:
    checked = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", ROOT / ".importlinter"],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_module_of_the_product_is_held_to_know_no_discord() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    held = set(contracts["importlinter:contract:no-discord"]["source_modules"].split())
    modules = [*(ROOT / "peerbot").glob("*.py"), *(init.parent for init in (ROOT / "peerbot").glob("*/__init__.py"))]
    there = {f"peerbot.{entry.stem}" for entry in modules}
    may = {f"peerbot.{name}" for name in ("__init__", "__main__", "bot", "doctor", "server_health")}
    assert held == there - may
    kept_apart = set(contracts["importlinter:contract:stand-in"]["forbidden_modules"].split())
    assert there - {"peerbot.__init__", "peerbot.clock", "peerbot.rehearsal"} <= kept_apart


def test_every_cog_is_held_to_know_no_other() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    held = set(contracts["importlinter:contract:cogs-apart"]["modules"].split())
    there = {f"cogs.{entry.stem}" for entry in (ROOT / "cogs").iterdir() if not entry.name.startswith("_")}
    assert held == there


def test_no_file_is_longer_than_450_lines() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in files()}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{named(path)}:{node.name}"
        for path in files()
        for node in functions(ast.parse(path.read_text()))
        if (node.end_lineno or node.lineno) - node.lineno >= LONGEST_FUNCTION
    }
    assert long == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = {named(path) for path in files() if path.read_text().strip() and not ast.get_docstring(_tree(path))}
    assert silent == set()


def test_every_public_function_of_the_product_says_what_it_does() -> None:
    silent = {
        f"{named(path)}:{node.name}"
        for path in files("peerbot")
        for node in _tree(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    }
    assert silent == set()


def test_no_name_says_nothing() -> None:
    empty = {named(path) for path in files() if BANNED_FILES.search(path.stem)}
    empty |= {
        f"{named(path)}:{node.name}"
        for path in files("peerbot", "cogs")
        for node in functions(_tree(path))
        if BANNED_FUNCTIONS.search(node.name)
    }
    assert empty == set()


def test_rules_never_commit() -> None:
    committing = {
        named(path)
        for path in files("peerbot", "cogs")
        if path.name not in {"database.py", "sqlite.py"}
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback"}
    }
    assert committing == set()


def test_the_product_asks_one_clock_for_the_time() -> None:
    # Leases follow the machine's time, and the scheduler is armed with it; both say why.
    asking = {
        named(path)
        for path in files("peerbot", "cogs")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"now", "utcnow", "today"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"datetime", "date"}
    }
    assert asking <= {"peerbot/clock.py", "peerbot/deliveries.py", "peerbot/dispatcher.py"}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
