"""What goes wrong on demand, what is refused, and how the stand-in tells that something is going on."""

from __future__ import annotations

import asyncio
import io
import json
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import discord
import pytest

from peerbot.rehearsal.application import Application
from peerbot.rehearsal.gateway import LOST
from peerbot.rehearsal.ground import Happening, StillBusy
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.refusals import missing_permissions
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.world import World
from tests.standin.conftest import Connect

MESSAGES = "/channels/{}/messages"


@pytest.fixture
async def room(connect: Connect) -> discord.TextChannel:
    """#general, as the bot's client knows it."""
    return (await connect()).guilds[0].text_channels[0]


# requests


async def test_a_server_error_is_tried_again_with_one_message_as_result(
    room: discord.TextChannel, standin: Discord, world: World
) -> None:
    standin.faults.next("POST", MESSAGES, status=502)

    await room.send("hello")

    assert len(world.messages[room.id]) == 1


async def test_an_unavailable_server_is_told_to_the_caller(room: discord.TextChannel, standin: Discord) -> None:
    standin.faults.next("POST", MESSAGES, status=503)

    with pytest.raises(discord.DiscordServerError):
        await room.send("hello")


async def test_each_answer_says_what_time_it_is_in_the_world(standin: Discord, world: World) -> None:
    world.clock.move(timedelta(days=3))
    standin.faults.next("GET", "/users/@me", status=503)

    async with aiohttp.ClientSession(f"{standin.url}/api/v10/") as session:
        answers = [await session.get(path) for path in ("gateway", "users/@me", "users/@me")]

    assert [answer.status for answer in answers] == [200, 503, 401]
    for answer in answers:
        assert answer.headers["Date"].endswith(" GMT")
        said = parsedate_to_datetime(answer.headers["Date"])
        assert timedelta() <= world.clock.now() - said < timedelta(seconds=30)


async def test_too_many_requests_are_waited_for(room: discord.TextChannel, standin: Discord, world: World) -> None:
    standin.faults.next("POST", MESSAGES, status=429, times=2)

    await room.send("hello")

    assert len(world.messages[room.id]) == 1


async def test_a_refusal_comes_on_demand_for_one_channel_only(
    room: discord.TextChannel, standin: Discord, guild: Guild
) -> None:
    other = guild.add_channel("tuesday")
    standin.faults.next("POST", f"/channels/{room.id}/messages", refusal=missing_permissions())
    tuesday = await room.guild.fetch_channel(int(other["id"]))
    assert isinstance(tuesday, discord.TextChannel)

    await tuesday.send("hello")
    with pytest.raises(discord.Forbidden) as refused:
        await room.send("hello")
    assert refused.value.code == 50013
    await room.send("hello")


@pytest.mark.parametrize(("when", "kept"), [("before", 0), ("after", 1)])
async def test_a_lost_connection_leaves_the_caller_in_doubt(
    room: discord.TextChannel, standin: Discord, world: World, when: Any, kept: int
) -> None:
    standin.faults.next("POST", MESSAGES, drop=when)

    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await room.send("hello", nonce="r1")

    assert len(world.messages.get(room.id, {})) == kept


async def test_a_request_is_held_until_it_is_let_go(room: discord.TextChannel, standin: Discord, world: World) -> None:
    hold = standin.faults.hold("POST", MESSAGES)
    sending = asyncio.create_task(room.send("hello"))

    await hold.arrived.wait()
    assert not world.messages.get(room.id)
    with pytest.raises(StillBusy, match="POST /channels"):
        await world.settle(seconds=0.05)
    hold.release()
    await sending
    await world.settle()


async def test_a_slow_answer_arrives(room: discord.TextChannel, standin: Discord) -> None:
    standin.faults.next("POST", MESSAGES, delay=0.02)

    assert (await room.send("hello")).content == "hello"


async def test_real_buckets_are_counted_when_asked_for(room: discord.TextChannel, standin: Discord) -> None:
    standin.rate_limits.limit, standin.rate_limits.per = 3, 0.2

    await asyncio.gather(*(room.send(str(number)) for number in range(7)))

    assert standin.rate_limits.refused == 0, "the client heeds the headers"


async def test_the_global_limit_refuses_with_its_own_scope(room: discord.TextChannel, standin: Discord) -> None:
    standin.rate_limits.overall = 1
    url = f"{standin.url}/api/v10/users/@me"
    [application] = standin.world.applications.values()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {application.token}"}) as session:
        await session.get(url)
        async with session.get(url) as response:
            assert response.status == 429
            assert (response.headers["X-RateLimit-Scope"], "Via" in response.headers) == ("global", True)
            assert (await response.json())["global"] is True


async def test_an_unknown_route_is_noted(standin: Discord, application: Application) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{standin.url}/api/v10/no/such") as response:
        assert response.status == 404
        assert response.headers["Content-Type"] == "application/json"
        assert await response.json() == {"message": "404: Not Found", "code": 0}
    assert standin.world.unknown_routes == ["GET /no/such"]
    standin.world.unknown_routes.clear()


async def test_a_known_path_with_another_method_is_noted(standin: Discord) -> None:
    async with aiohttp.ClientSession() as session, session.put(f"{standin.url}/api/v10/users/@me") as response:
        assert response.status == 405
        assert await response.json() == {"message": "405: Method Not Allowed", "code": 0}
    assert standin.world.unknown_routes == ["PUT /users/@me"]
    standin.world.unknown_routes.clear()


async def test_what_is_no_json_is_refused(standin: Discord, application: Application) -> None:
    headers = {"Authorization": f"Bot {application.token}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{standin.url}/api/v10/users/@me/channels", data=b"{") as response,
    ):
        assert (response.status, (await response.json())["code"]) == (400, 50109)


async def test_who_listens_is_told_in_order(room: discord.TextChannel, world: World) -> None:
    heard: list[Happening] = []
    stop = world.listen(heard.append)

    await room.send("hello")
    await world.settle()

    assert [one.kind for one in heard if one.kind != "session"] == ["event", "message", "request"]
    assert (heard[-1].details["method"], heard[-1].details["status"]) == ("POST", 200)
    stop()


async def test_waiting_for_what_does_not_happen_ends_with_a_reason(world: World) -> None:
    with pytest.raises(StillBusy, match="a third guild"):
        await world.until(lambda: len(world.guilds) == 3, seconds=0.02, what="a third guild")


async def test_settling_again_and_again_uses_nothing_up(room: discord.TextChannel, world: World, guild: Guild) -> None:
    role = int(guild.add_role("Helpers")["id"])
    for number in range(130):
        guild.edit_role(role, name=str(number))
        await world.settle()
        assert room.guild.get_role(role) is not None
        assert getattr(room.guild.get_role(role), "name", "") == str(number)


async def test_a_reason_and_a_file_have_their_limits(room: discord.TextChannel) -> None:
    with pytest.raises(discord.HTTPException) as refused:
        await room.edit(name="tuesday", reason="x" * 513)
    assert refused.value.code == 50035
    assert room.name == "general"
    with pytest.raises(discord.HTTPException) as refused:
        await room.send(file=discord.File(io.BytesIO(b"x" * (10 * 1024 * 1024 + 1)), "big.bin"))
    assert (refused.value.status, refused.value.code) == (413, 40005)


# the gateway, spoken by hand


class Talk:
    """A gateway connection spoken frame by frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, op: int, content: Any = None) -> None:
        await self.socket.send_str(json.dumps({"op": op, "d": content}))

    async def hear(self) -> dict[str, Any]:
        return json.loads(await self.socket.receive_str(timeout=5))

    async def hear_event(self, name: str) -> dict[str, Any]:
        while (heard := await self.hear())["t"] != name:
            pass
        return heard["d"]

    async def closed(self) -> int | None:
        while (await self.socket.receive(timeout=5)).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
            pass
        return self.socket.close_code


@asynccontextmanager
async def talk(standin: Discord, query: str = "v=10&encoding=json") -> AsyncGenerator[Talk]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{standin.gateway.url}?{query}") as socket:
        yield Talk(socket)


@pytest.mark.parametrize(
    ("op", "content", "code"),
    [
        (8, {}, 4003),
        (2, {"token": "wrong", "intents": 1}, 4004),
        (2, {"token": None, "intents": 1 << 60}, 4013),
        (2, {"token": None, "intents": 1, "shard": [2, 2]}, 4010),
        (2, {"token": None, "intents": 1 << 8}, 4014),
    ],
    ids=["not identified", "token", "intents", "shard", "privilege"],
)
async def test_what_a_client_may_not_say_closes_with_discords_code(
    standin: Discord, application: Application, op: int, content: dict[str, Any], code: int
) -> None:
    if content.get("token", "") is None:
        content = content | {"token": application.token}
    async with talk(standin) as client:
        await client.say(op, content)
        assert await client.closed() == code


async def test_a_client_that_says_too_much_is_closed(standin: Discord, application: Application) -> None:
    async with talk(standin) as client:
        await client.say(2, {"token": application.token, "intents": 1})
        for _ in range(120):
            await client.say(3, {"status": "online", "since": None, "activities": [], "afk": False})
        assert await client.closed() == 4008


async def test_an_old_version_is_closed(standin: Discord) -> None:
    async with talk(standin, "v=6&encoding=json") as client:
        assert await client.closed() == 4012


async def test_an_unknown_session_is_invalid_and_a_wrong_number_closes(
    standin: Discord, application: Application
) -> None:
    async with talk(standin) as client:
        assert (await client.hear())["op"] == 10
        await client.say(6, {"token": application.token, "session_id": "none", "seq": 1})
        assert await client.hear() == {"op": 9, "d": False, "s": None, "t": None}
        await client.say(2, {"token": application.token, "intents": 1})
        session = (await client.hear_event("READY"))["session_id"]
        await client.socket.close(code=4000)
    async with talk(standin) as client:
        await client.say(6, {"token": application.token, "session_id": session, "seq": 99})
        assert await client.closed() == 4007


async def test_a_forgotten_session_must_identify_anew(standin: Discord, application: Application) -> None:
    async with talk(standin) as client:
        await client.say(2, {"token": application.token, "intents": 1})
        session = (await client.hear_event("READY"))["session_id"]
        standin.gateway.invalidate(resumable=False)
        while (heard := await client.hear())["op"] != 9:
            pass
        assert heard["d"] is False
        await client.socket.close(code=4000)
    async with talk(standin) as client:
        await client.hear()
        await client.say(6, {"token": application.token, "session_id": session, "seq": 2})
        assert (await client.hear())["op"] == 9


async def test_frames_are_compressed_when_asked_for(standin: Discord, application: Application) -> None:
    async with talk(standin, "v=10&encoding=json&compress=zlib-stream") as client:
        inflate = zlib.decompressobj()
        packed = await client.socket.receive_bytes(timeout=5)
        assert packed.endswith(b"\x00\x00\xff\xff")
        assert json.loads(inflate.decompress(packed))["op"] == 10
        await client.say(1)
        assert json.loads(inflate.decompress(await client.socket.receive_bytes(timeout=5)))["op"] == 11


async def test_a_shard_gets_the_guilds_that_are_its_own(
    standin: Discord, guild: Guild, application: Application
) -> None:
    own = (guild.id >> 22) % 2
    for shard in (0, 1):
        async with talk(standin) as client:
            await client.say(2, {"token": application.token, "intents": 1, "shard": [shard, 2]})
            ready = await client.hear_event("READY")
            assert ready["shard"] == [shard, 2]
            assert [one["id"] for one in ready["guilds"]] == ([str(guild.id)] if shard == own else [])


async def test_connections_are_refused_as_often_as_asked(standin: Discord) -> None:
    standin.gateway.refuse(times=1)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with talk(standin):
            pass
    async with talk(standin) as client:
        assert (await client.hear())["op"] == 10


async def test_heartbeats_go_unanswered_and_everything_falls_silent_on_demand(
    standin: Discord, application: Application, guild: Guild
) -> None:
    async with talk(standin) as client:
        await client.say(2, {"token": application.token, "intents": 1})
        await client.hear_event("GUILD_CREATE")
        standin.gateway.ignore_heartbeats = True
        await client.say(1, 2)
        guild.add_channel("tuesday")
        assert (await client.hear())["t"] == "CHANNEL_CREATE"
        standin.gateway.silent = True
        guild.add_channel("wednesday")
        with pytest.raises(TimeoutError):
            await client.socket.receive(timeout=0.05)


async def test_a_lost_connection_has_no_close_frame(standin: Discord, application: Application) -> None:
    async with talk(standin) as client:
        await client.say(2, {"token": application.token, "intents": 1})
        await client.hear_event("READY")
        standin.gateway.close(LOST)
        assert await client.closed() == 1006
