"""Who hosts a meeting: facilitators, who needs cover, who covers, and who may do what."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from builders import FACILITATOR, GUILD, MAYA, OTHER_GUILD, ROLE, ROOM, actor, facilitator, make_group, make_guild, seat
from hosted import NOW, OTHER, START, THIRD, THREAD, done, meeting, meeting_of, planned, turn_at
from sqlalchemy import select

from peerbot import (
    access,
    arrivals,
    board,
    cards,
    deliveries,
    departures,
    facilitators,
    groups,
    handovers,
    hosting,
    meetings,
    members,
    series,
    sheets,
    timetables,
)
from peerbot.config import Settings
from peerbot.database import Database, connect
from peerbot.errors import CoverTaken, MeetingUnknown, NotAllowed, NotValid
from peerbot.models import Card, Delivery, Group, Guild, Host, Meeting, Membership
from peerbot.recurrence import Rule

__all__ = ["meeting"]  # pytest finds fixtures by their names here


# cover


@pytest.mark.both_databases
async def test_the_groups_facilitators_host_until_one_needs_cover(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        hosts = await hosting.hosts_of(session, GUILD, meeting.meeting_id)
        assert hosts.user_ids == (FACILITATOR, OTHER)
        assert not hosts.may_be_more
        hosts = await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        assert (hosts.user_ids, hosts.wanted) == ((OTHER,), True)
        (asked,) = await planned(session, "meetings.cover")
        assert asked.due_at == NOW + series.UNDO, "a tap by mistake calls nobody"
        hosts = await hosting.come_after_all(session, facilitator(), meeting.meeting_id, now=NOW)
        assert (hosts.user_ids, hosts.wanted) == ((FACILITATOR, OTHER), False)


async def test_asking_twice_calls_others_once(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        for _time in range(2):
            await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
            await hosting.come_after_all(session, facilitator(), meeting.meeting_id, now=NOW)
        assert len(await planned(session, "meetings.cover")) == 1
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW + timedelta(days=1))
        assert len(await planned(session, "meetings.cover")) == 2


async def test_near_the_start_others_are_asked_at_once(db: Database, meeting: Meeting) -> None:
    near = START - timedelta(minutes=20)
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=near)
        (asked,) = await planned(session, "meetings.cover")
        assert asked.due_at == near


async def test_only_who_hosts_can_ask_for_cover(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await seat(session, await session.get_one(Group, meeting.group_id), MAYA, now=NOW)
        for person in (actor(), actor(FACILITATOR), facilitator(THIRD)):
            with pytest.raises(NotAllowed):
                await hosting.need_cover(session, person, meeting.meeting_id, now=NOW)
        assert await planned(session, "meetings.cover") == []


@pytest.mark.both_databases
async def test_any_facilitator_of_the_server_covers_and_sees_the_room_until_an_hour_after(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        hosts, access_id = await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        assert (hosts.user_ids, hosts.wanted, hosts.covered_by) == ((OTHER, THIRD), False, THIRD)
        row = await session.get_one(Delivery, access_id)
        after = START + timedelta(hours=1)
        for at, wanted in ((NOW, True), (after + timedelta(minutes=59), True), (after + access.COVERED, False)):
            decided = await access.decide(session, row, now=at)
            assert decided is not None
            assert decided.wanted == (frozenset({("room", ROOM)}) if wanted else frozenset())
        (end,) = await planned(session, "meetings.let_go")
        assert end.due_at == after + access.COVERED
        await handovers.let_go(session, end, end.due_at)
        assert (await session.get_one(Delivery, access_id, populate_existing=True)).due_at == end.due_at
        person = await members.find(session, GUILD, THIRD)
        assert person is not None
        (room,) = await access.rooms(session, GUILD, now=NOW)
        assert room.wanted[THIRD] == person.member_id, "so that nobody calls them a stranger"


async def test_a_cancelled_meeting_closes_the_room_to_who_covered(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        _hosts, access_id = await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        await done(session, "groups.access")
        await meetings.cancel(session, facilitator(), meeting.meeting_id, now=NOW)
        await turn_at(session, meeting, NOW)
        row = await session.get_one(Delivery, access_id, populate_existing=True)
        assert row.state == deliveries.PENDING
        decided = await access.decide(session, row, now=NOW)
        assert decided is not None
        assert decided.wanted == frozenset()


async def test_a_role_of_the_group_is_not_given_to_who_covers(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=NOW, role_id=77)
        meeting = await meeting_of(session, group)
        _hosts, access_id = await hosting.accept(
            session, facilitator(THIRD), meeting.meeting_id, hosting.SECOND, now=NOW
        )
        decided = await access.decide(session, await session.get_one(Delivery, access_id), now=NOW)
        assert decided is not None
        assert decided.wanted == frozenset({("room", ROOM)})


async def test_the_second_to_accept_is_told_that_it_is_taken(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        again, _none = await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        assert again.user_ids == (OTHER, THIRD)
        for why in (hosting.ASK, hosting.SECOND):
            with pytest.raises(CoverTaken, match="Thank you for offering") as taken:
                await hosting.accept(session, facilitator(OTHER + 5), meeting.meeting_id, why, now=NOW)
            assert str(THIRD) in str(taken.value.text.params["who"].params["who"])


async def test_who_covers_can_give_it_back_and_others_are_asked_again(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        hosts = await hosting.need_cover(session, facilitator(THIRD), meeting.meeting_id, now=NOW)
        assert (hosts.user_ids, hosts.wanted) == ((OTHER,), True)
        assert len(await planned(session, "meetings.cover")) == 2
        row = await session.get_one(Meeting, meeting.meeting_id)
        asked = (await hosting.called(session, row, now=NOW, others=True)).people
        assert FACILITATOR not in [members.user_id(session, each) for each in asked]


async def test_one_may_join_as_the_second_host_but_not_as_the_third(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        meeting = await meeting_of(session, await make_group(session, now=NOW))
        with pytest.raises(CoverTaken):
            await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        hosts, _planned = await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.SECOND, now=NOW)
        assert hosts.user_ids == (FACILITATOR, THIRD)
        with pytest.raises(CoverTaken):
            await hosting.accept(session, facilitator(OTHER), meeting.meeting_id, hosting.SECOND, now=NOW)


async def test_who_came_as_the_second_does_not_cover_for_who_asks_after_that(db: Database, guild: Guild) -> None:
    later = NOW + timedelta(hours=1)
    async with db.begin() as session:
        meeting = await meeting_of(session, await make_group(session, now=NOW))
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.SECOND, now=NOW)
        hosts = await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=later)
        assert (hosts.user_ids, hosts.wanted) == ((THIRD,), True)
        await hosting.accept(session, facilitator(OTHER), meeting.meeting_id, hosting.ASK, now=later)
        assert not (await hosting.hosts_of(session, GUILD, meeting.meeting_id)).wanted


async def test_an_old_button_of_a_late_meeting_lets_no_third_host_in_before_the_start(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        with pytest.raises(CoverTaken):
            await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.LATE, now=NOW)


async def test_how_others_are_asked_is_known(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        assert await hosting.asking(session, GUILD, meeting.meeting_id, now=NOW) == hosting.Asking(0, at_once=False)
        owls = await make_group(session, now=NOW, name="Owls", room_id=ROOM + 1, by=facilitator(THIRD))
        near = START - timedelta(minutes=20)
        assert await hosting.asking(session, GUILD, meeting.meeting_id, now=near) == hosting.Asking(1, at_once=True)
        await meeting_of(session, owls, by=facilitator(THIRD))
        assert await handovers.elsewhere(session, facilitator(THIRD), meeting.meeting_id) == ["Owls"]
        assert await handovers.elsewhere(session, facilitator(), meeting.meeting_id) == []


async def test_members_and_other_servers_change_nothing(db: Database, meeting: Meeting) -> None:
    elsewhere = facilitator(guild_id=OTHER_GUILD)
    async with db.begin() as session:
        await make_guild(session, now=NOW, guild_id=OTHER_GUILD)
        await seat(session, await session.get_one(Group, meeting.group_id), MAYA, now=NOW)
        for person, problem in ((actor(), NotAllowed), (elsewhere, MeetingUnknown)):
            for press in (
                hosting.accept(session, person, meeting.meeting_id, hosting.SECOND, now=START),
                hosting.need_cover(session, person, meeting.meeting_id, now=START),
                hosting.come_after_all(session, person, meeting.meeting_id, now=START),
                sheets.sheet(session, person, meeting.meeting_id, now=START),
                arrivals.here(session, person, meeting.meeting_id, now=START),
            ):
                with pytest.raises(problem):
                    await press
        assert (await session.scalars(select(Host))).all() == []


async def test_a_meeting_that_is_over_wants_no_host(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        with pytest.raises(MeetingUnknown):
            await hosting.accept(
                session, facilitator(THIRD), meeting.meeting_id, hosting.SECOND, now=START + timedelta(hours=1)
            )


@pytest.mark.both_databases
async def test_of_two_who_accept_at_once_one_hosts(db: Database, meeting: Meeting, settings: Settings) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)

    async def accept(database: Database, user_id: int) -> bool:
        try:
            async with database.begin(wait=10) as session:
                await hosting.accept(session, facilitator(user_id), meeting.meeting_id, hosting.ASK, now=NOW)
        except CoverTaken:
            return False
        return True

    other = connect(settings) if db.writer.dialect.name == "postgresql" else db
    try:
        won = await asyncio.gather(accept(db, THIRD), accept(other, THIRD + 1))
    finally:
        if other is not db:
            await other.close()
    assert sorted(won) == [False, True]
    async with db.read() as session:
        assert len((await session.scalars(select(Host).where(Host.part == hosting.COVER))).all()) == 1


@pytest.mark.both_databases
async def test_who_is_off_duty_or_gone_is_not_asked(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        fresh = await make_group(session, now=NOW, name="Owls", room_id=ROOM + 1, by=facilitator(THIRD))
        await facilitators.add(session, facilitator(THIRD), fresh.group_id, THIRD + 1, frozenset({ROLE}), now=NOW)
        off = await members.find(session, GUILD, THIRD)
        assert off is not None
        off.off_duty_until = NOW + timedelta(days=1)
        await session.flush()
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        row = await session.get_one(Meeting, meeting.meeting_id)
        asked = [
            members.user_id(session, each) for each in (await hosting.called(session, row, now=NOW, others=True)).people
        ]
        assert asked == [THIRD + 1]


@pytest.mark.both_databases
async def test_at_most_twelve_are_called_and_the_groups_own_come_first(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        owls = await make_group(session, now=NOW, name="Owls", room_id=ROOM + 1, by=facilitator(THIRD))
        for number in range(15):
            await facilitators.add(
                session, facilitator(THIRD), owls.group_id, 5000 + number, frozenset({ROLE}), now=NOW
            )
        row = await session.get_one(Meeting, meeting.meeting_id)
        called = [members.user_id(session, each) for each in (await hosting.called(session, row, now=NOW)).people]
        assert len(called) == hosting.MOST_CALLED
        assert set(called[:2]) == {FACILITATOR, OTHER}


@pytest.mark.both_databases
async def test_who_hosts_elsewhere_at_that_time_is_asked_only_if_nobody_else_is_left(
    db: Database, meeting: Meeting
) -> None:
    by = facilitator(THIRD)
    async with db.begin() as session:
        owls = await make_group(session, now=NOW, name="Owls", room_id=ROOM + 1, by=by)
        later = timetables.Plan.checked(
            group_id=owls.group_id, first=datetime(2026, 3, 3, 19), rule=Rule("weekly", weekdays=(1,))
        )
        made = await timetables.create(session, by, later, now=NOW)
        theirs = (await meetings.choices(session, by, group_id=owls.group_id, now=NOW))[0].meeting_id
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        row = await session.get_one(Meeting, meeting.meeting_id)

        async def asked() -> tuple[list[int], int]:
            call = await hosting.called(session, row, now=NOW, others=True)
            spare = [members.user_id(session, each) for each in call.people if each.member_id in call.busy]
            user_ids = hosting.spared([members.user_id(session, each) for each in call.people], spare)
            return sorted(user_ids), (await hosting.asking(session, GUILD, meeting.meeting_id, now=NOW)).others

        assert await asked() == ([THIRD], 1), "nobody else is left"
        await make_group(session, now=NOW, name="Wrens", room_id=ROOM + 2, by=facilitator(THIRD + 1))
        assert await asked() == ([THIRD + 1], 1)
        called = [members.user_id(session, each) for each in (await hosting.called(session, row, now=NOW)).people]
        assert called[2:] == [THIRD + 1, THIRD], "who is spared comes last"
        await hosting.accept(session, facilitator(THIRD + 1), theirs, hosting.SECOND, now=NOW)
        assert await asked() == ([THIRD, THIRD + 1], 2), "who covers there is there too"
        await hosting.need_cover(session, by, theirs, now=NOW)
        assert await asked() == ([THIRD], 1), "who needs cover there is not"
        await hosting.come_after_all(session, by, theirs, now=NOW)
        await timetables.end(session, by, made.series_id, now=NOW)
        assert (await hosting.called(session, row, now=NOW)).busy == set(), "that one is off"


@pytest.mark.parametrize(
    ("called", "busy", "spoken", "spared"),
    [
        ("abc", "c", "", "ab"),
        ("abc", "abc", "", "abc"),
        ("abc", "c", "ab", "abc"),
        ("abc", "b", "a", "ac"),
        ("", "", "", ""),
    ],
)
def test_a_call_spares_who_is_busy_but_not_so_that_it_reaches_nobody(
    called: str, busy: str, spoken: str, spared: str
) -> None:
    assert hosting.spared(called, busy, spoken) == list(spared)


# what the task thread shows


@pytest.mark.both_databases
async def test_the_card_is_placed_when_the_meeting_is_near_and_taken_down_after_it(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        await turn_at(session, meeting, NOW)
        assert len(await planned(session, "desk.board")) == 1
        await board.board_ready(session, GUILD, THREAD, now=NOW)
        (ready,) = await planned(session, board.READY)
        for _time in range(2):
            await handovers.show(session, ready, NOW)
        shown = (await session.scalars(select(Card).where(Card.subject.startswith("hosts:")))).all()
        assert [(card.subject, card.channel_id, card.posts) for card in shown] == [
            (cards.of_hosts(meeting.meeting_id), THREAD, 1)
        ], "of this week's meeting, not of next week's"
        await turn_at(session, meeting, START + timedelta(hours=1))
        assert (await session.scalars(select(Card).where(Card.subject.startswith("hosts:")))).all() == []


async def test_a_deleted_task_thread_is_made_anew_for_its_cards(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await board.board_ready(session, GUILD, THREAD, now=NOW)
        (ready,) = await planned(session, board.READY)
        await handovers.show(session, ready, NOW)
        await board.thread_deleted(session, GUILD, THREAD, now=NOW)
        assert len(await planned(session, "desk.board")) == 1
        await board.board_ready(session, GUILD, THREAD + 1, now=NOW)
        await handovers.show(session, ready, NOW)
        card = (await session.scalars(select(Card).where(Card.subject.startswith("hosts:")))).one()
        assert card.channel_id == THREAD + 1


async def test_who_steps_back_needs_no_cover_any_more(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        left = await facilitators.step_back(session, actor(FACILITATOR), meeting.group_id, now=NOW)
        assert not left.is_last, "the role is not asked for: it gives a right, and this takes one away"
        step = (await planned(session, "meetings.listed"))[-1]
        await handovers.listed_anew(session, step, NOW)
        hosts = await hosting.hosts_of(session, GUILD, meeting.meeting_id)
        assert (hosts.user_ids, hosts.wanted) == ((OTHER,), False)
        assert await planned(session, "staff.nobody_left") == []
        last = await facilitators.may_step_back(session, actor(OTHER), meeting.group_id)
        assert last.is_last
        await facilitators.step_back(session, actor(OTHER), meeting.group_id, now=NOW)
        assert len(await planned(session, "staff.nobody_left")) == 1
        with pytest.raises(NotValid):
            await facilitators.step_back(session, actor(OTHER), meeting.group_id, now=NOW)


# the run sheet


async def test_the_run_sheet_names_who_comes_and_who_wants_to_be_known_as_new(db: Database, meeting: Meeting) -> None:
    people = [MAYA, MAYA + 20, MAYA + 21]
    async with db.begin() as session:
        await seat(session, await session.get_one(Group, meeting.group_id), *people, now=NOW)
        await meetings.respond(session, actor(), meeting.meeting_id, meetings.GOING, now=NOW)
        await meetings.respond(session, actor(MAYA + 20), meeting.meeting_id, meetings.CANT, now=NOW)
        new = await members.find(session, GUILD, MAYA + 21)
        assert new is not None
        place = (await session.scalars(select(Membership).where(Membership.member_id == new.member_id))).one()
        place.says_new = True
        away = await members.find(session, GUILD, MAYA + 20)
        assert away is not None
        place = (await session.scalars(select(Membership).where(Membership.member_id == away.member_id))).one()
        place.says_new = True  # but cannot come
        await session.flush()
        sheet = await sheets.sheet(session, facilitator(), meeting.meeting_id, now=START)
        assert (sheet.round, sheet.new) == ((MAYA,), (MAYA + 21,))
        with pytest.raises(NotAllowed):
            await sheets.sheet(session, facilitator(THIRD), meeting.meeting_id, now=START)
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        assert (await sheets.sheet(session, facilitator(THIRD), meeting.meeting_id, now=START)).round == (MAYA,)
        with pytest.raises(NotAllowed):
            await sheets.sheet(session, actor(THIRD), meeting.meeting_id, now=START)


async def test_who_has_left_is_neither_counted_nor_named_any_more(db: Database, meeting: Meeting) -> None:
    left, removed, stepped_back, gone = MAYA + 1, MAYA + 2, OTHER, MAYA + 4
    async with db.begin() as session:
        group = await session.get_one(Group, meeting.group_id)
        await seat(session, group, MAYA, left, removed, gone, now=NOW)
        session.add(
            Card(guild_id=GUILD, subject=cards.of_meeting(meeting.meeting_id), channel_id=5, posts=1, message_id=6)
        )
        await session.flush()
        for who in (MAYA, left, removed, stepped_back, gone):
            await meetings.respond(session, actor(who), meeting.meeting_id, meetings.GOING, now=NOW)
        (draw,) = await planned(session, "card.draw")
        draw.state = deliveries.DONE
        await session.flush()
        await groups.leave(session, actor(left), group.group_id, now=NOW)
        struck = await members.find(session, GUILD, removed)
        assert struck is not None
        await groups.remove(session, facilitator(), group.group_id, struck.member_id, now=NOW)
        await facilitators.step_back(session, actor(stepped_back), group.group_id, now=NOW)
        await departures.leave(session, GUILD, gone, now=NOW)
        assert (await sheets.sheet(session, facilitator(), meeting.meeting_id, now=NOW)).round == (MAYA,)
        lapse = (await planned(session, "groups.seat_lapses"))[0]
        await departures.lapse(session, lapse, NOW + groups.RETURN)
        people = await meetings.answered(session, facilitator(), meeting.meeting_id)
        assert people == {meetings.GOING: [MAYA], meetings.CANT: []}
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).going == 1
        await session.refresh(draw)
        assert draw.state == deliveries.PENDING, "the card shows that"
