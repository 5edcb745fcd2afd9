"""Speak Gateway v10: the conversation with one client, and how it can go wrong.

Close codes are Discord's (developers/topics/opcodes-and-status-codes.mdx). The misbehaviour that a test asks for is on
Gateway: refused connections, closes, invalid sessions, silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import zlib
from typing import Any

from aiohttp import WSMsgType, web

from peerbot.rehearsal import events, requested_members
from peerbot.rehearsal.application import PRIVILEGED
from peerbot.rehearsal.refusals import CLIENT_GONE
from peerbot.rehearsal.sessions import Outgoing, Ping, Session, frame
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, RECONNECT, REQUEST_MEMBERS, INVALID_SESSION = 1, 2, 3, 4, 6, 7, 8, 9
HELLO, ACK = 10, 11
MOST_SAID, SAID_WINDOW = 120, 60.0  # events a client may send in a minute; heartbeats are left out here
HEARTBEAT_INTERVAL_MS = 41_250
LOST = 1006  # no close frame at all; never sent as a code


class Closed(Exception):
    """The connection is to be closed with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Gateway:
    """Every connection of the stand-in's gateway."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.connections: list[Connection] = []
        self.url = ""
        self.identified = 0
        self.ignore_heartbeats = False
        self.silent = False
        self._refusals = 0

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        if self._refusals:
            self._refusals -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=False, max_msg_size=4096 * 4, timeout=0.5)
        try:
            await socket.prepare(request)
        except ConnectionResetError:
            self.world.note("gone", path=request.path)  # whoever knocked was gone before the door opened
            return web.Response(status=CLIENT_GONE)
        connection = Connection(self, request, socket)
        self.connections.append(connection)
        try:
            await connection.serve()
        finally:
            self.connections.remove(connection)
            self.world.changed()
        return socket

    # misbehaviour on demand

    def refuse(self, times: int = 1) -> None:
        """Answer 503 to the next connections instead of opening them."""
        self._refusals = times

    def close(self, code: int = 4000) -> None:
        """Close every connection with a code; LOST drops it without a close frame."""
        for connection in self.connections:
            connection.outgoing.put_nowait(code)

    def ask_to_reconnect(self) -> None:
        """Send opcode 7 to every connection."""
        for connection in self.connections:
            connection.outgoing.put_nowait(frame(RECONNECT))

    def invalidate(self, *, resumable: bool) -> None:
        """Send opcode 9 to every connection; a session that is not resumable is forgotten."""
        for connection in self.connections:
            if not resumable and connection.session is not None:
                connection.session.forget()
            connection.outgoing.put_nowait(frame(INVALID_SESSION, resumable))


class Connection:
    """One WebSocket, from HELLO to its close."""

    def __init__(self, gateway: Gateway, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.gateway = gateway
        self.world = gateway.world
        self.socket = socket
        self._request = request
        self.session: Session | None = None
        self.outgoing: Outgoing = asyncio.Queue()
        self._ending = False
        self._said: list[float] = []
        self._deflate = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None

    async def serve(self) -> None:
        """Say HELLO, then read what the client sends, while a task writes what it is to receive."""
        writer = asyncio.create_task(self._write())
        try:
            if self._request.query.get("v") != "10":
                raise Closed(4012)
            self.outgoing.put_nowait(frame(HELLO, {"heartbeat_interval": HEARTBEAT_INTERVAL_MS}))
            await self._read()
        except Closed as closed:
            self.outgoing.put_nowait(closed.code)
            await writer
        finally:
            # Whoever closes makes the reader stop first; the close frame is still to be written then.
            if not self._ending:
                writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writer
            if self.session is not None:
                # Only a client's own end is one; what we close, or lose, can be resumed.
                ended = not self._ending and self.socket.close_code in (1000, 1001)
                self.session.detach(self.outgoing, how="ended" if ended else "lost")

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is WSMsgType.PING:
                await self.socket.pong(message.data)
                continue
            if message.type is WSMsgType.PONG:
                self._pong(message.data)
                continue
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                raise Closed(4002)
            try:
                received = json.loads(message.data)
                op, content = received["op"], received.get("d")
            except (ValueError, TypeError, KeyError, AttributeError):
                raise Closed(4002) from None
            if op != HEARTBEAT:
                self._count()
            self._take(op, content)

    def _pong(self, number: bytes) -> None:
        if self.session is not None and number.isdigit():
            self.session.has_read(int(number))

    def _count(self) -> None:
        now = time.monotonic()
        self._said = [said for said in self._said if now - said < SAID_WINDOW] + [now]
        if len(self._said) > MOST_SAID:
            raise Closed(4008)

    async def _write(self) -> None:
        while True:
            out = await self.outgoing.get()
            if isinstance(out, int):
                await self._end(out)
                return
            if self.gateway.silent or self.socket.closed:
                continue
            if isinstance(out, Ping):
                await self.socket.ping(str(out.number).encode())
            elif self._deflate is None:
                await self.socket.send_str(out)
            else:
                packed = self._deflate.compress(out.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                await self.socket.send_bytes(packed)

    async def _end(self, code: int) -> None:
        self._ending = True
        if code == LOST:
            if self._request.transport is not None:
                self._request.transport.abort()
        else:
            await self.socket.close(code=code)

    def _take(self, op: int, content: Any) -> None:
        if op == HEARTBEAT:
            self._heartbeat(content)
        elif op == IDENTIFY:
            self._identify(content)
        elif op == RESUME:
            self._resume(content)
        elif self.session is None:
            raise Closed(4003)
        elif op == REQUEST_MEMBERS:
            requested_members.answer(self.session, content)
        elif op not in (PRESENCE, VOICE):
            raise Closed(4001)

    def _heartbeat(self, number: Any) -> None:
        if self.session is not None:
            self.session.has_read(number or 0)
        if not self.gateway.ignore_heartbeats:
            self.outgoing.put_nowait(frame(ACK))

    def _identify(self, content: Wire) -> None:
        if self.session is not None:
            raise Closed(4005)
        application = self.world.bot_by_token(str(content.get("token", "")).removeprefix("Bot "))
        if application is None:
            raise Closed(4004)
        shard = content.get("shard")
        if shard is not None and not 0 <= shard[0] < shard[1]:
            raise Closed(4010)
        intents = content.get("intents")
        if not isinstance(intents, int) or intents & ~events.KNOWN:
            raise Closed(4013)
        if any(intents & bit and not application.privileged & bit for bit in PRIVILEGED):
            raise Closed(4014)
        session = Session(self.world, application, intents, (shard[0], shard[1]) if shard else (0, 1))
        self._join(session)
        self._forget_what_it_replaces(session)
        self.gateway.identified += 1
        self.world.sessions.append(session)
        session.start(self.gateway.url, shard=shard)
        self.world.note("session", application=application.name, resumed=False)

    def _forget_what_it_replaces(self, session: Session) -> None:
        # Who identifies anew will not resume what it lost before.
        for other in [one for one in self.world.sessions if isinstance(one, Session)]:
            same = other.application is session.application and other.shard == session.shard
            if same and other.outgoing is None:
                other.forget()

    def _resume(self, content: Wire) -> None:
        for session in self.world.sessions:
            if isinstance(session, Session) and session.id == content.get("session_id"):
                break
        else:
            self.outgoing.put_nowait(frame(INVALID_SESSION, data=False))
            return
        if session.application.token != content.get("token"):
            raise Closed(4004)
        number = content.get("seq")
        if not isinstance(number, int) or number > session.number:
            raise Closed(4007)
        self._join(session)
        session.replay(number)
        self.world.note("session", application=session.application.name, resumed=True)

    def _join(self, session: Session) -> None:
        self.session = session
        session.attach(self.outgoing)
