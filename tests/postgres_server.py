"""A private PostgreSQL for one test run, which ends with it.

Run as a program it makes a cluster in a folder, serves it on a socket there, and stops and removes it as soon as the
process that it watches is gone, however that ended. PostgreSQL refuses to run as root, so root lends it another user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

READY = "ready"
USER = "postgres"
OPTIONS = {"listen_addresses": "", "max_connections": "200"}
FOR_TESTS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}
"""Nothing that a test writes has to outlive the machine."""


def binaries() -> Path | None:
    """Return the folder with the newest PostgreSQL server on this machine, if there is one."""
    on_path = shutil.which("initdb")
    if on_path is not None and (Path(on_path).resolve().parent / "postgres").exists():
        return Path(on_path).resolve().parent
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: _version(found.parts[-3]))
    return packaged[-1].parent if packaged else None


def _version(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0


def start(bin_folder: Path, watched_pid: int, *, durable: bool = False) -> str:
    """Start a server that lives as long as the watched process; return its address, without a database.

    A durable one is set as PostgreSQL comes: what it commits is on the disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="peerbot-pg-", dir="/tmp"))
    guardian = subprocess.Popen(
        [sys.executable, __file__, str(bin_folder), str(folder), str(watched_pid), "durable" if durable else "fast"],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert guardian.stdout is not None
    with guardian.stdout as said:
        first_line = said.readline().strip()
    guardian.returncode = 0  # it outlives this process on purpose, which Popen would warn about
    if first_line != READY:
        raise RuntimeError(f"PostgreSQL did not start: {first_line}")
    return f"postgresql://{USER}@/{{name}}?host={folder}"


def _serve(bin_folder: Path, folder: Path, watched_pid: int, options: dict[str, str]) -> None:
    account = _account()
    if account:
        os.chown(folder, pwd.getpwnam(account["user"]).pw_uid, -1)
    cluster = folder / "cluster"
    try:
        make = [bin_folder / "initdb", "-D", cluster, "-U", USER, "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
        made = subprocess.run(make, capture_output=True, text=True, cwd=folder, check=False, **account)
        if made.returncode:
            print(made.stderr.strip().replace("\n", " "), flush=True)  # noqa: T201 - read by whoever started it
            return
        set_to = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        serve = [bin_folder / "postgres", "-D", cluster, "-k", folder, *set_to]
        with (folder / "log").open("w") as log:
            server: subprocess.Popen[str] = subprocess.Popen(serve, stdout=log, stderr=log, cwd=folder, **account)
        _wait_until_it_answers(folder, server)
        print(READY, flush=True)  # noqa: T201
        _watch(server, watched_pid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
    raise RuntimeError("root needs a user named postgres or nobody to run PostgreSQL as")


def _wait_until_it_answers(folder: Path, server: subprocess.Popen[str]) -> None:
    while True:
        try:
            psycopg.connect(host=str(folder), user=USER, dbname="postgres").close()
        except psycopg.OperationalError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.05)
                raise RuntimeError((folder / "log").read_text()) from None
        else:
            return


def _watch(server: subprocess.Popen[str], watched_pid: int) -> None:
    try:
        while _is_alive(watched_pid):
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.5)
                return
    finally:
        server.send_signal(3)  # SIGQUIT: stop at once, there is nothing to keep
        server.wait()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    wanted = OPTIONS if sys.argv[4] == "durable" else OPTIONS | FOR_TESTS
    _serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), wanted)
