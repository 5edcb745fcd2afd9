"""SQLite with one way to its thread for each statement.

aiosqlite runs a connection in a thread of its own, and SQLAlchemy goes there four times for a statement: for a cursor,
to run it, for its rows, to close the cursor. Here all of that is one visit, which makes a query twice as fast. Rows are
read whole, as SQLAlchemy reads them anyway. A transaction begins with its first statement, on the same way, and nobody
waits for the end of one that only read.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Self

import aiosqlite
from aiosqlite.core import _STOP_RUNNING_SENTINEL as THREAD_ENDS


class Cursor:
    """What one statement brought back."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Iterable[Any] = ()) -> None:
        """Run a statement and read its rows."""
        await self._connection.visit(self._run, sqlite3.Cursor.execute, statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[Iterable[Any]]) -> None:
        """Run a statement several times."""
        await self._connection.visit(self._run, sqlite3.Cursor.executemany, statement, parameters)

    async def fetchall(self) -> Sequence[Any]:
        """Return the rows, once."""
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        """Do nothing: there is nothing left to close."""

    def _run(
        self, connection: sqlite3.Connection, begins: str | None, run: Any, statement: str, parameters: Iterable[Any]
    ) -> None:
        cursor = connection.cursor()
        try:
            if begins is not None:
                cursor.execute(begins)
            run(cursor, statement, parameters)
            self.description = cursor.description
            if self.description:
                self._rows = cursor.fetchall()
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()


class Connection(aiosqlite.Connection):
    """A connection that gives such cursors.

    `begins` is what is to be said before the next statement; `only_reads` says that no rollback ends what counts.
    """

    begins: str | None = None
    only_reads = False

    def __del__(self) -> None:
        """Close without a word: SQLAlchemy lets go of a connection whose task was cancelled as it opened."""
        if self._connection is not None:
            self.stop()

    def stop(self) -> None:
        """Close and end the thread, when what was asked before is done; nobody waits: the loop may be closed by now."""
        self._running = False
        self._tx.put_nowait((None, self._end))

    def _end(self) -> object:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return THREAD_ENDS

    async def _connect(self) -> Self:
        if self._connection is None:
            try:
                self._connection = await self._in_thread(self._connector)
            except BaseException:
                self.stop()
                raise
        return self

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        return await self._in_thread(partial(fn, *args, **kwargs))

    async def _in_thread(self, run: Callable[[], Any]) -> Any:
        """Run something in the thread; if whoever waits was cancelled, and their loop has ended since, tell nobody."""
        loop = asyncio.get_running_loop()
        told = loop.create_future()

        def work() -> None:
            try:
                result, problem = run(), None
            except BaseException as caught:  # noqa: BLE001 - for whoever waits
                result, problem = None, caught
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, told, result, problem)

        self._tx.put_nowait((None, work))
        return await told

    def cursor(self) -> Any:  # aiosqlite's own has to be waited for
        return Cursor(self)

    async def visit(self, run: Any, *given: Any) -> None:
        """Run something in the connection's thread, in a transaction."""
        begins, self.begins = self.begins, None
        try:
            await self._execute(run, self._conn, begins, *given)
        except sqlite3.Error:
            if not self._conn.in_transaction:  # it did not begin: whatever else is asked must not run outside of one
                self.begins = begins
            raise

    async def commit(self) -> None:
        """Commit, if anything was asked at all."""
        self.begins = None
        await super().commit()

    async def rollback(self) -> None:
        """Roll back; what is asked next stands in the same line behind it."""
        self.begins = None
        if self.only_reads:
            self._tx.put_nowait((None, self._conn.rollback))
        else:
            await super().rollback()


def _tell(told: asyncio.Future[Any], result: Any, problem: BaseException | None) -> None:
    if told.done():
        return
    if problem is None:
        told.set_result(result)
    else:
        told.set_exception(problem)


def connect(database: str, *, only_reads: bool = False, **options: Any) -> Connection:
    """Return a connection that opens when it is waited for; its thread ends with the process."""
    connection = Connection(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
    connection.only_reads = only_reads
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does with those that it opens itself
    return connection
