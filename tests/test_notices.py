"""What stands about meetings where people look: who looks after one, when its link is seen, what the board has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, meetings, members, notices, timetables
from peerbot.database import Database
from peerbot.errors import MeetingUnknown, NotMember
from peerbot.meetings import Scene
from peerbot.models import Delivery, Facilitator, Group, Guild, Host, Meeting, Series
from peerbot.recurrence import Rule

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
STARTS = datetime(2026, 3, 3, 17, 30, tzinfo=UTC)
ANN = 7
LINK = "https://meet.example/1"


async def a_meeting(db: Database, **changes: object) -> int:
    """Make a group of Ana's with Maya in it, that meets on Tuesdays at 18:30 in Berlin; return its first meeting."""
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await seat(session, group, MAYA, now=NOW)
        usual = {"group_id": group.group_id, "first": datetime(2026, 3, 3, 18, 30), "rule": Rule("weekly", 1, (1,))}
        plan = timetables.Plan.checked(**(usual | changes))  # pyright: ignore[reportArgumentType] - as they are given
        await timetables.create(session, facilitator(), plan, now=NOW)
    async with db.read() as session:
        return (await meetings.coming(session, GUILD, now=NOW))[0].meeting_id


async def test_who_is_away_is_not_named_and_who_covers_is(db: Database, guild: Guild) -> None:
    meeting_id = await a_meeting(db)
    async with db.begin() as session:
        meeting = await meetings.view(session, GUILD, meeting_id)
        assert (await notices.notice(session, GUILD, meeting_id, now=NOW)).host_ids == (facilitator().user_id,)
        away = await members.find(session, GUILD, facilitator().user_id)
        cover = await members.of(session, GUILD, LEO, now=NOW)
        listed = await members.of(session, GUILD, ANN, now=NOW)
        assert away is not None
        session.add(Facilitator(group_id=meeting.group_id, member_id=listed.member_id, since=NOW))
        for member, part in ((away, "away"), (cover, "cover")):
            session.add(Host(meeting_id=meeting_id, member_id=member.member_id, part=part, at=NOW))
        await session.flush()
        assert (await notices.notice(session, GUILD, meeting_id, now=NOW)).host_ids == (ANN, LEO)


async def test_a_link_is_seen_only_around_its_meeting(db: Database, guild: Guild) -> None:
    meeting_id = await a_meeting(db, link=LINK)
    seen: dict[int, str] = {}
    async with db.begin() as session:
        for minutes in (-16, -15, 0, 59, 60):
            now = STARTS + timedelta(minutes=minutes)
            seen[minutes] = (await notices.notice(session, GUILD, meeting_id, now=now)).link
        assert seen == {-16: "", -15: LINK, 0: LINK, 59: LINK, 60: ""}
        await meetings.cancel(session, facilitator(), meeting_id, now=NOW)
        assert (await notices.notice(session, GUILD, meeting_id, now=STARTS)).link == ""


async def drawn(session: AsyncSession, meeting_id: int, **after: float) -> list[str]:
    """Look after a meeting so long after its start; return for which states its start post was to be drawn by then."""
    meeting = await session.get_one(Meeting, meeting_id)
    made, group = await session.get_one(Series, meeting.series_id), await session.get_one(Group, meeting.group_id)
    now = STARTS + timedelta(**after)
    await notices.follow_start(session, Scene(meeting, made, group, now, now, now))
    found = select(Delivery.dedupe_key).where(Delivery.kind == notices.START_DRAW).order_by(Delivery.delivery_id)
    return [key.rsplit(":", 1)[1] for key in await session.scalars(found)]


@pytest.mark.both_databases
@pytest.mark.parametrize("place", [{"link": LINK}, {"channel_id": 77}, {}], ids=["a link", "a channel", "the room"])
async def test_the_start_post_loses_its_link_once_when_the_meeting_ends_or_is_off(
    db: Database, guild: Guild, place: dict[str, Any]
) -> None:
    meeting_id = await a_meeting(db, **place)
    async with db.begin() as session:
        assert await drawn(session, meeting_id, minutes=60) == [], "there is no post"
        meeting = await session.get_one(Meeting, meeting_id)
        given: dict[str, Any] = {"guild_id": GUILD, "now": STARTS, "group_id": meeting.group_id}
        await deliveries.plan(session, "meetings.start", "1", subject_id=meeting_id, **given)
        await session.execute(update(Delivery).where(Delivery.kind == "meetings.start").values(message_id=5))
        assert await drawn(session, meeting_id, minutes=59) == []
        for _look in range(2):
            assert await drawn(session, meeting_id, minutes=60) == (["off"] if place else [])
        meeting.state, meeting.rev = "cancelled", 2
        assert (await drawn(session, meeting_id, minutes=15))[-1] == "off"
        meeting.state, meeting.rev = "planned", 3
        assert (await drawn(session, meeting_id, minutes=17))[-1] == "on"
        ends = await drawn(session, meeting_id, minutes=60)
        assert ends[-3:] == ["off", "on", "off"]


@pytest.mark.both_databases
async def test_the_board_has_each_group_once_with_its_next_meeting_and_free_seats(db: Database, guild: Guild) -> None:
    meeting_id = await a_meeting(db, rule=Rule("daily"))
    async with db.begin() as session:
        late = await make_group(session, now=NOW, name="Owls", capacity=1, room_id=9)
        await seat(session, late, MAYA, now=NOW)
        plan = timetables.Plan.checked(group_id=late.group_id, first=datetime(2026, 3, 5, 9), rule=Rule("once"))
        await timetables.create(session, facilitator(), plan, now=NOW)
        await make_group(session, now=NOW, name="Never", room_id=10)
        await meetings.cancel(session, facilitator(), meeting_id, now=NOW)
        lines = await notices.board(session, GUILD, now=NOW)
        assert [(line.name, line.free) for line in lines] == [("Tuesday", 11), ("Owls", 0)]
        assert lines[0].starts_at == STARTS + timedelta(days=1)
        assert await notices.board(session, GUILD + 1, now=NOW) == ()


@pytest.mark.both_databases
async def test_choices_are_for_who_has_a_part_in_the_group(db: Database, guild: Guild) -> None:
    meeting_id = await a_meeting(db)
    async with db.begin() as session:
        await meetings.respond(session, actor(), meeting_id, meetings.CANT, now=NOW)
        mine = await notices.choices(session, actor(), meeting_id, now=NOW)
        assert (mine.answer, mine.may_see, mine.is_over) == ("cant", False, False)
        anas = await notices.choices(session, facilitator(), meeting_id, now=STARTS + timedelta(hours=1))
        assert (anas.answer, anas.may_see, anas.is_over) == (None, True, True)
        with pytest.raises(NotMember):
            await notices.choices(session, actor(LEO), meeting_id, now=NOW)
        with pytest.raises(MeetingUnknown):
            await notices.choices(session, actor(guild_id=GUILD + 1), meeting_id, now=NOW)
        (first, answer), *_later = await notices.mine(session, GUILD, MAYA, now=NOW)
        assert (first.meeting_id, answer) == (meeting_id, "cant")
        assert await notices.mine(session, GUILD, LEO, now=NOW) == ()
        assert await notices.mine(session, GUILD, MAYA, group_id=first.group_id + 1, now=NOW) == ()
        assert (await notices.mine(session, GUILD, MAYA, group_id=first.group_id, now=NOW))[0][0] == first
