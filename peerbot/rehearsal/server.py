"""Serve the world over HTTP and WebSocket on loopback.

Each request passes the same gates in the same order: route, token, rate limit, fault, form, contract. What is no
route of the stand-in answers as Discord does and is noted, so that a test that met it fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any, cast

from aiohttp import BodyPartReader, web

from peerbot.rehearsal import route_table, snowflakes
from peerbot.rehearsal.faults import Fault, Faults
from peerbot.rehearsal.gateway import Gateway
from peerbot.rehearsal.rate_limits import RateLimits, Verdict
from peerbot.rehearsal.refusals import CLIENT_GONE, Refusal
from peerbot.rehearsal.routing import Answer, Call, Route, Upload, audit_reason
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

API = "/api/v10"
SESSIONS_A_DAY = 1000  # developers/events/gateway.mdx, "Session Start Limit"
LARGEST_FILE = 10 * 1024 * 1024
LARGEST_REQUEST = 25 * 1024 * 1024  # developers/reference.mdx, "Uploading Files"


@dataclass
class Discord:
    """The running stand-in: where it is, and how to make it misbehave."""

    world: World
    gateway: Gateway
    url: str = ""
    faults: Faults = field(default_factory=Faults)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    _next: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, and let everyone know that it is going on and how it ended."""
        path = request.path.removeprefix(API)
        self._next += 1
        number = self._next
        self.world.requests_in_flight[number] = f"{request.method} {path}"
        fault = self.faults.take(request.method, path)
        try:
            response = await self._faulty(request, path, fault) if fault else await self._answer(request, path)
        except ConnectionResetError:
            response = web.Response(status=CLIENT_GONE)  # whoever asked was killed meanwhile; nobody reads this
        finally:
            del self.world.requests_in_flight[number]
            self.world.changed()
        # The time of the world, which may have been moved; aiohttp would give the machine's.
        response.headers["Date"] = format_datetime(self.world.clock.now(), usegmt=True)
        self.world.note("request", method=request.method, path=path, status=response.status)
        return response

    async def _faulty(self, request: web.Request, path: str, fault: Fault) -> web.StreamResponse:
        if fault.hold is not None:
            fault.hold.arrived.set()
            self.world.changed()
            await fault.hold.released.wait()
        if fault.delay:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), fault.delay)
        if fault.refusal is not None:
            return _json(fault.refusal.status, fault.refusal.body())
        if fault.status == 429:  # noqa: PLR2004
            return _limited(Verdict({}, fault.retry_after))
        if fault.status is not None:
            return web.Response(status=fault.status, text="upstream error", content_type="text/html")
        if fault.drop == "before":
            return _dropped(request)
        response = await self._answer(request, path)
        return _dropped(request) if fault.drop == "after" else response

    async def _answer(self, request: web.Request, path: str) -> web.Response:
        found = route_table.find(request.method, path)
        if found is None:
            self.world.unknown_routes.append(f"{request.method} {path}")
            if route_table.has_another_method(path):
                return _json(405, {"message": "405: Method Not Allowed", "code": 0})
            return _json(404, {"message": "404: Not Found", "code": 0})
        route, parts = found
        try:
            call = await self._call(request, route, parts)
        except Refusal as refusal:
            return _json(refusal.status, refusal.body())
        verdict = Verdict({})
        if call.caller is not None:
            verdict = self.rate_limits.count(call.caller.id, route.method, route.template, parts)
        if verdict.retry_after is not None:
            return _limited(verdict)
        status, body = await self._carried_out(route, call)
        self._check(call, status, body)
        return _json(status, body, verdict.headers)

    async def _call(self, request: web.Request, route: Route, parts: dict[str, str]) -> Call:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        caller = self.world.bot_by_token(token) if scheme == "Bot" else None
        if route.authorized and caller is None:
            raise Refusal(401, 0, "401: Unauthorized")
        body, files = await _read(request)
        body = snowflakes.ids_as_text(body)
        return Call(
            self.world,
            route.method,
            route.template,
            parts,
            request.query,
            request.headers,
            body,
            files,
            caller,
            self.gateway.url,
            audit_reason(request.headers),
            SESSIONS_A_DAY - self.gateway.identified,
        )

    async def _carried_out(self, route: Route, call: Call) -> tuple[int, Any]:
        try:
            answer = await route.function(call)
        except Refusal as refusal:
            return refusal.status, refusal.body()
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # Routes read a body as if it were well formed; where that goes wrong, it was not. The test is told, because
            # it may as well be a mistake of the stand-in.
            self.world.violations.append(f"{route.method} {route.template}: {error!r}")
            return 400, {"message": "Invalid Form Body", "code": 50035}
        if isinstance(answer, Answer):
            return answer.status, answer.body
        return (204, None) if answer is None else (200, answer)

    def _check(self, call: Call, status: int, body: Any) -> None:
        contract = self.world.contract
        if contract is None:
            return
        try:
            # A request that was refused has had its answer; one that was carried out must have been well formed.
            if status < 400:  # noqa: PLR2004
                contract.request(call.method, call.template, snowflakes.bits_as_numbers(call.body))
                contract.response(call.method, call.template, status, body)
            elif isinstance(body, dict):
                # The document has numbers for the codes inside `errors`; Discord sends words there.
                told = {key: value for key, value in cast("Wire", body).items() if key != "errors"}
                contract.response(call.method, call.template, status, told)
        except AssertionError as violation:
            self.world.violations.append(str(violation))


async def _read(request: web.Request) -> tuple[Any, dict[int, Upload]]:
    if not request.can_read_body:
        return None, {}
    try:
        if request.content_type.startswith("multipart/"):
            return await _read_parts(request)
        return json.loads(await request.read()), {}
    except ValueError:
        raise Refusal(400, 50109, "The request body contains invalid JSON.") from None


async def _read_parts(request: web.Request) -> tuple[Any, dict[int, Upload]]:
    body: Any = {}
    files: dict[int, Upload] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        content, name = bytes(await part.read(decode=False)), part.name or ""
        if name == "payload_json":
            body = json.loads(content)
        elif name.startswith("files["):
            kind = part.headers.get("Content-Type", "application/octet-stream")
            if len(content) > LARGEST_FILE:
                raise Refusal(413, 40005, "Request entity too large")
            files[int(name[len("files[") : -1])] = Upload(part.filename or "unknown", kind, content)
    return body, files


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    if status == 204:  # noqa: PLR2004
        return web.Response(status=204, headers=headers)
    if status == 429:  # noqa: PLR2004
        headers = {"Via": "1.1 google"} | (headers or {})  # without it clients take it for a ban by Cloudflare
    # Bytes, because clients want exactly "application/json", without the charset that text would bring.
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)


def _limited(verdict: Verdict) -> web.Response:
    wait = verdict.retry_after or 0.0
    scope = {"X-RateLimit-Global": "true"} if verdict.shared_by_all else {}
    headers = verdict.headers | scope | {"Retry-After": f"{wait:.3f}"}
    headers["X-RateLimit-Scope"] = "global" if verdict.shared_by_all else "user"
    body: Wire = {"message": "You are being rate limited.", "retry_after": wait, "global": verdict.shared_by_all}
    return _json(429, body, headers)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


@contextlib.asynccontextmanager
async def serve(world: World) -> AsyncGenerator[Discord]:
    """Serve a world on an ephemeral port of 127.0.0.1 for as long as the context lasts."""
    gateway = Gateway(world)
    discord = Discord(world, gateway)
    app = web.Application(client_max_size=LARGEST_REQUEST)
    app.router.add_get("/gateway/", gateway.accept)
    app.router.add_route("*", API + "/{path:.*}", discord.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        discord.url, gateway.url = f"http://{host}:{port}", f"ws://{host}:{port}/gateway/"
        yield discord
    finally:
        gateway.close(1001)
        await runner.cleanup()
