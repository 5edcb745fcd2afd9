"""Meetings: who may answer, and who is told who did."""

from __future__ import annotations

import pytest
from builders import GUILD, LEO, MAYA, OTHER_GUILD, ROOM, actor, facilitator, make_group, make_guild, owner, seat
from timetabling import NOW, meetings_of, tuesdays

from peerbot import groups, meetings
from peerbot.database import Database
from peerbot.errors import MeetingUnknown, NotAllowed, NotMember
from peerbot.models import Group, Guild


async def test_only_who_has_part_in_a_group_answers_its_meetings(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        (meeting, *_later) = await meetings_of(session)
        group = await session.get_one(Group, made.group_id)
        other = await make_group(session, now=NOW, name="Other", room_id=ROOM + 9)
        await seat(session, group, MAYA, now=NOW)
        await seat(session, other, LEO, now=NOW)
        await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.GOING, now=NOW)
        with pytest.raises(NotMember):  # known to the server, and in another of its groups
            await meetings.respond(session, actor(LEO), meeting.meeting_id, meetings.GOING, now=NOW)
        await make_guild(session, guild_id=OTHER_GUILD, now=NOW)
        with pytest.raises(MeetingUnknown):
            elsewhere = owner(guild_id=OTHER_GUILD)
            await meetings.respond(session, elsewhere, meeting.meeting_id, meetings.GOING, now=NOW)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).going == 1
        await groups.leave(session, actor(MAYA), group.group_id, now=NOW)
        with pytest.raises(NotMember):
            await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.CANT, now=NOW)


async def test_who_answered_is_for_facilitators_of_the_group(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        (meeting, *_later) = await meetings_of(session)
        await seat(session, await session.get_one(Group, made.group_id), MAYA, now=NOW)
        await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.CANT, now=NOW)
        assert await meetings.answered(session, facilitator(), meeting.meeting_id) == {"going": [], "cant": [MAYA]}
        for stranger in (actor(MAYA), facilitator(LEO)):
            with pytest.raises(NotAllowed):
                await meetings.answered(session, stranger, meeting.meeting_id)
