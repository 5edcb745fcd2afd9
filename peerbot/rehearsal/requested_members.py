"""Answer a client that asks for members (opcode 8).

The rules are those of developers/events/gateway-events.mdx ("Request Guild Members"). What Discord forbids is noted
as a violation of the world, because a client that does it gets no answer worth testing.
"""

from __future__ import annotations

from collections.abc import Sequence

from peerbot.rehearsal import events
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.sessions import Session
from peerbot.rehearsal.wire import Wire

CHUNK, MOST_IDS, MOST_BY_QUERY, LONGEST_NONCE = 1000, 100, 100, 32


def answer(session: Session, asked: Wire) -> None:
    """Send GUILD_MEMBERS_CHUNK events for what was asked."""
    guild_id = asked["guild_id"][0] if isinstance(asked["guild_id"], list) else asked["guild_id"]
    guild = session.world.guilds.get(int(guild_id))
    if guild is None or session.application.id not in guild.applications:
        return
    if problem := _problem(session, asked):
        session.world.violations.append(f"member request: {problem}")
        return
    missing: list[str] = []
    if "user_ids" in asked:
        ids = [str(one) for one in (asked["user_ids"] if isinstance(asked["user_ids"], list) else [asked["user_ids"]])]
        found = [guild.members[int(one)] for one in ids if int(one) in guild.members]
        missing = [one for one in ids if int(one) not in guild.members]
        session.world.note("members", guild_id=guild.id, asked=len(ids))
    else:
        found = _by_name(guild, str(asked["query"]), int(asked["limit"]))
    _send(session, guild, found, missing, asked.get("nonce"))


def _problem(session: Session, asked: Wire) -> str | None:
    if "user_ids" in asked:
        ids = asked["user_ids"]
        return f"{len(ids)} user ids, at most {MOST_IDS}" if isinstance(ids, list) and len(ids) > MOST_IDS else None
    if "query" not in asked or "limit" not in asked:
        return "neither user_ids nor query with limit"
    if asked.get("presences") and not session.intents & events.PRESENCES:
        return "presences without the presences intent"
    whole = asked["query"] == "" and asked["limit"] == 0
    return "all members without the members intent" if whole and not session.intents & events.MEMBERS else None


def _by_name(guild: Guild, query: str, limit: int) -> list[Wire]:
    if query == "" and limit == 0:
        return list(guild.members.values())
    return matching(guild, query)[: min(limit or MOST_BY_QUERY, MOST_BY_QUERY)]


def matching(guild: Guild, query: str) -> list[Wire]:
    """Return members one of whose names starts with the query, whatever the case."""
    start = query.casefold()
    return [
        member
        for member in guild.members.values()
        if any(
            (name or "").casefold().startswith(start)
            for name in (member["user"]["username"], member["user"]["global_name"], member["nick"])
        )
    ]


def _send(session: Session, guild: Guild, found: Sequence[Wire], missing: list[str], nonce: object) -> None:
    chunks = [found[start : start + CHUNK] for start in range(0, len(found), CHUNK)] or [[]]
    for index, members in enumerate(chunks):
        chunk: Wire = {
            "guild_id": str(guild.id),
            "members": list(members),
            "chunk_index": index,
            "chunk_count": len(chunks),
        }
        if missing and index == 0:
            chunk["not_found"] = missing
        # A nonce that is too long is ignored, not refused.
        if isinstance(nonce, str) and len(nonce.encode()) <= LONGEST_NONCE:
            chunk["nonce"] = nonce
        session.dispatch("GUILD_MEMBERS_CHUNK", chunk)
