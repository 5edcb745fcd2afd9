"""News: what becomes of meetings that are off, at another time or in another place, told to everyone whom it concerns.

Decides who is told what and how urgently. What members were last told of a meeting stands in `Meeting.told`: only what
differs from that is news, in one letter for all that changed at once, and a change that is taken back before anyone was
told is told to nobody. A letter that still waits for somebody's morning is replaced by what is so then, if anything is.
Of another length or topic nobody is told: the cards show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, and_, func, literal_column, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, meetings, reach
from peerbot.deliveries import CANCELLED, LEASED, PENDING, Planned, Priority
from peerbot.meetings import CANT, MeetingView
from peerbot.models import Delivery, Facilitator, Group, Guild, Host, Meeting, Member, Membership, Response, Series
from peerbot.quiet import after_quiet
from peerbot.recurrence import Rule, instant, occurrences
from peerbot.series import PLACE, WAS, known, parse, place_of, standing
from peerbot.successions import successor
from peerbot.types import KEEPS_KEY

NEWS, NEWS_NOW = "meetings.news", "meetings.news_now"
"""The second does not wait for the morning: the meeting comes before it."""
MOST = 5
"""Changes that one letter lists, another place among them."""
DATES = 3
"""Dates that a letter names after several changes."""
AS_USUAL, OFF, MOVED, OTHER_ZONE = "o", "c", "M", "z"
"""What somebody knew of a meeting before a letter; the last: the same wall time at another instant. In a letter's key,
MOVED is followed by whither: a wall time, in so few digits that no two within three years are the same."""
ELSEWHERE = "P"
"""Stands in a letter's key before the place that its reader knows."""
WHITHER, YEAR_ONE = 36**4, datetime(1, 1, 1)  # noqa: DTZ001 - a wall time
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Change:
    """A meeting that is not as somebody knows it; `knew` is AS_USUAL, OFF, MOVED or OTHER_ZONE."""

    meeting: MeetingView
    knew: str


@dataclass(frozen=True)
class Where:
    """Where a series takes place now: in a channel, behind a link, or else in the group's room.

    `meeting` is the one to which the way leads that may be shown.
    """

    channel_id: int | None
    has_link: bool
    meeting: MeetingView | None


@dataclass(frozen=True)
class News:
    """What a letter says: some changes, how many more there are, another place, and when the group meets next.

    `has_ended`: the series is no more; `goes_on` is the next meeting of the one that came instead of it, which repeats
    by `rule` (None: it does not), at the same time of the same weekday if `keeps_time`. `off_at` is then the first
    meeting that people expect and that is off.
    """

    group_id: int
    group_name: str
    changes: tuple[Change, ...]
    more: int
    has_ended: bool
    goes_on: MeetingView | None
    rule: Rule | None
    keeps_time: bool
    off_at: datetime | None
    dates: tuple[datetime, ...]
    zone: str
    where: Where | None = None

    @property
    def next_at(self) -> datetime | None:
        """When the group meets next."""
        return self.dates[0] if self.dates else None

    @property
    def is_one(self) -> bool:
        """Whether it is one change alone."""
        return len(self.changes) + self.more + (self.where is not None) == 1


@dataclass(frozen=True)
class _About:
    """What a letter's key says: meetings with what was known of them, how many more, and a place that was known."""

    changes: dict[int, str]
    more: int = 0
    place: str = ""

    def key(self) -> str:
        place = [ELSEWHERE + self.place] if self.place else []
        changes = [_base36(meeting_id) + knew for meeting_id, knew in self.changes.items()]
        return ".".join([str(self.more), *place, *changes])

    def and_then(self, later: _About) -> _About:
        """Return both in one, for somebody who has read neither."""
        more = max(self.more, later.more)
        return _About.fitting({**later.changes, **self.changes}, more, self.place or later.place)

    @classmethod
    def fitting(cls, changes: dict[int, str], more: int, place: str) -> _About:
        """Return what one letter can list."""
        most = MOST - bool(place)
        return cls(dict(list(changes.items())[:most]), more + max(len(changes) - most, 0), place)

    @classmethod
    def of(cls, dedupe_key: str) -> _About:
        more, *changes = dedupe_key.rsplit(":", 1)[1].split(".")
        place = changes.pop(0)[1:] if changes and changes[0].startswith(ELSEWHERE) else ""
        parts = [each.partition(MOVED) if MOVED in each else (each[:-1], each[-1], "") for each in changes]
        return cls({int(meeting_id, 36): knew + whither for meeting_id, knew, whither in parts}, int(more), place)


# who is told


async def tell(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: tell everyone whom it concerns what changed in a series since they were last told."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    series = await session.get(Series, delivery.subject_id, populate_existing=True)
    if group is None or series is None:
        return
    is_ahead = and_(Meeting.ends_at > now, Meeting.state != "over") | Meeting.moved_local.is_not(None)
    ahead = select(Meeting).where(Meeting.series_id == series.series_id, is_ahead)
    found = await session.scalars(ahead.order_by(Meeting.starts_at), execution_options={"populate_existing": True})
    changed = [each for each in found if standing(each) != each.told and _is_awaited(each, series.zone, now)]
    about = _about(series, changed)
    first_at = min((min(each.starts_at, _told_at(each, series.zone)) for each in changed), default=now)
    last_at = max((max(each.ends_at, _told_at(each, series.zone)) for each in changed), default=now)
    # To another time people may come who could not come before.
    goes_on = await successor(session, series) is not None
    unconcerned = set[int]() if goes_on else await unconcerned_by(session, changed, series.zone)
    for meeting in changed:
        meeting.told = standing(meeting)
    await session.flush()
    if not changed or group.state != "open":
        return
    told = await readers(session, group, changed, unconcerned)
    member_ids = [member_id for member_id, _zone in told]
    waiting = await _take_back_waiting(session, series.series_id, member_ids, now)
    on_their_way = await _on_their_way(session, series.series_id, member_ids)
    letters: dict[str, list[Planned]] = {NEWS: [], NEWS_NOW: []}
    for member_id, zone in told:
        unread, until = waiting.get(member_id, (None, last_at))
        mine = await _together(session, series, unread, about) if unread is not None else about
        if not mine.changes and not mine.place:
            continue
        morning = after_quiet(now, zone)
        kind = NEWS_NOW if now < morning and first_at < morning else NEWS
        letters[kind].append(
            Planned(
                f"{series.series_id}:{_base36(int(now.timestamp()))}:{member_id}:{mine.key()}", group.guild_id, now,
                group.group_id, series.series_id, member_id, not_after=max(last_at, until),
                collapse=next(
                    (each for each in _collapse(series.series_id, member_id) if each not in on_their_way), None
                ),
            )
        )  # fmt: skip
    for kind, several in letters.items():
        await deliveries.plan_many(session, kind, several, now=now, priority=Priority.START)


def _about(series: Series, changed: Sequence[Meeting]) -> _About:
    """Return what is news of some meetings that are not as members know them."""
    knew = {meeting.meeting_id: _known(meeting) for meeting in changed if standing(meeting) != known(meeting)}
    places = [meeting.told.partition(PLACE)[2] for meeting in changed]
    place = next((each for each in places if each not in ("", place_of(series))), "")
    return _About.fitting(knew, 0, place if series.state == "active" else "")


async def readers(
    session: AsyncSession, group: Group, changed: Sequence[Meeting], unconcerned: Collection[int]
) -> list[tuple[int, str]]:
    """Return who is told: who takes part, with their zone: not whom it does not concern, nor who is away."""
    seats = select(Membership.member_id).where(Membership.group_id == group.group_id, Membership.state == "active")
    listed = select(Facilitator.member_id).where(Facilitator.group_id == group.group_id)
    who = union(seats, listed, _covering([meeting.meeting_id for meeting in changed])).subquery()
    found = (
        select(Member.member_id, func.coalesce(Member.zone, Guild.time_zone))
        .join(who, who.c.member_id == Member.member_id)
        .join(Guild, Guild.guild_id == Member.guild_id)
        .where(Member.away_since.is_(None), or_(Member.reach.is_(None), Member.reach != reach.NONE))
        .order_by(Member.member_id)
    )
    return [(member_id, zone) for member_id, zone in await session.execute(found) if member_id not in unconcerned]


async def unconcerned_by(session: AsyncSession, changed: Sequence[Meeting], zone: str) -> set[int]:
    """Return who answered "can't" to all of some meetings, at the time at which they take each to be.

    Who cannot come to where a meeting was may come to where it is now.
    """
    at = {each.meeting_id: _told_at(each, zone) for each in changed}
    if any(each.state != "cancelled" and at[each.meeting_id] != each.starts_at for each in changed):
        return set()
    answers = select(Response.member_id, Response.meeting_id, Response.starts_at)
    answers = answers.where(Response.meeting_id.in_(at), Response.answer == CANT)
    cannot = Counter(who for who, meeting_id, then in await session.execute(answers) if then == at[meeting_id])
    return {member_id for member_id, times in cannot.items() if times == len(at)}


async def _take_back_waiting(
    session: AsyncSession, series_id: int, member_ids: Sequence[int], now: datetime
) -> dict[int, tuple[_About, datetime]]:
    """Take back letters about a series that nobody has read yet; return what they were about, and how long of use."""
    pending = Delivery.state == literal_column(str(PENDING))
    taken = (
        update(Delivery)
        .where(pending, Delivery.collapse_key.in_(_keys(series_id, member_ids)))
        .where(Delivery.channel_id.is_(None))  # else it may have been sent
        .values(state=CANCELLED, ended_at=now, problem="overtaken")
        .returning(Delivery.delivery_id, Delivery.member_id, Delivery.dedupe_key, Delivery.not_after)
        .execution_options(synchronize_session=False)
    )
    found: dict[int, tuple[_About, datetime]] = {}
    for _delivery_id, member_id, key, not_after in sorted((await session.execute(taken)).all()):
        one, until = _About.of(key), not_after or now
        if member_id in found:
            first, of_first = found[member_id]
            one, until = first.and_then(one), max(of_first, until)
        found[member_id or 0] = one, until
    return found


async def _on_their_way(session: AsyncSession, series_id: int, member_ids: Sequence[int]) -> set[str]:
    """Return the collapse keys of letters that are being sent, or may have been: none of them may be overtaken.

    Discord may not have taken such a letter yet, and what it says would be lost.
    """
    found = set[str]()
    for state in (PENDING, LEASED):  # one by one: each has an index of its own
        which = (Delivery.state == literal_column(str(state)), Delivery.collapse_key.in_(_keys(series_id, member_ids)))
        found |= {key or "" for key in await session.scalars(select(Delivery.collapse_key).where(*which))}
    return found


async def _together(session: AsyncSession, series: Series, unread: _About, about: _About) -> _About:
    """Return what is news for somebody who has not read a letter yet: against what they knew before that."""
    changes = {**about.changes, **unread.changes}
    found = await session.scalars(select(Meeting).where(Meeting.meeting_id.in_(changes)))
    now_known = {meeting.meeting_id: _standing_code(standing(meeting)) for meeting in found}
    left = {
        meeting_id: knew
        for meeting_id, knew in changes.items()
        if meeting_id in now_known and (knew == OTHER_ZONE or now_known[meeting_id] != knew)
    }
    place = unread.place or about.place
    place = place if place != place_of(series) and series.state == "active" else ""
    return _About.fitting(left, max(about.more, unread.more), place)


def _known(meeting: Meeting) -> str:
    return _standing_code(known(meeting))


def _standing_code(stands: str) -> str:
    if not stands or stands == "cancelled":
        return OFF if stands else AS_USUAL
    return OTHER_ZONE if stands.startswith(WAS[:3]) else _moved_to(parse(stands))


def _moved_to(local: datetime) -> str:
    return MOVED + _base36((local - YEAR_ONE) // timedelta(minutes=1) % WHITHER)


def _told_at(meeting: Meeting, zone: str) -> datetime:
    """Return when members take a meeting to begin."""
    if _known(meeting) == OTHER_ZONE:
        return datetime.strptime(known(meeting), WAS).replace(tzinfo=UTC)
    told = known(meeting) if _known(meeting).startswith(MOVED) else meeting.moved_local or meeting.original_local
    told = meeting.original_local if _known(meeting) == AS_USUAL else told
    return instant(parse(told), zone)


def _is_awaited(meeting: Meeting, zone: str, now: datetime) -> bool:
    """Return whether people can still come to a meeting, or would still come to where it was before it moved."""
    is_ahead = meeting.ends_at > now and meeting.state != "over"
    return is_ahead or (_known(meeting) != OFF and _told_at(meeting, zone) > now)


def _collapse(series_id: int, member_id: int) -> list[str]:
    """Return the keys by which waiting letters are found: more than one, for those that may not be overtaken."""
    return [f"news:{series_id}:{member_id}{more}" for more in ("", ":1", ":2")]


def _keys(series_id: int, member_ids: Sequence[int]) -> list[str]:
    return [key for member_id in member_ids for key in _collapse(series_id, member_id)]


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits or "0"


# what a letter says


async def letter(session: AsyncSession, delivery: Delivery, *, now: datetime) -> News | None:
    """Return what a letter says as things are now; None when nothing of it is news, or its reader takes no part."""
    group = await session.get(Group, delivery.group_id or 0)
    series = await session.get(Series, delivery.subject_id or 0)
    if group is None or series is None or group.state != "open" or not await takes_part(session, delivery):
        return None
    about = await _as_known(session, delivery)
    seen = await meetings.several(session, delivery.guild_id, list(about.changes))
    changes = tuple(
        Change(view, about.changes[view.meeting_id][:1])
        for view in seen
        if _is_of_use(view, about.changes[view.meeting_id], now) and _is_news(view, about.changes[view.meeting_id])
    )
    is_elsewhere = about.place not in ("", place_of(series)) and series.state == "active"
    if not changes and not is_elsewhere:
        return None
    coming = await meetings.coming(session, delivery.guild_id, now=now, group_ids=[group.group_id])
    ahead = [view for view in coming if view.starts_at > now]
    has_ended = series.state == "ended"
    after = await successor(session, series) if has_ended else None
    goes_on = next((view for view in ahead if after is not None and view.series_id == after.series_id), None)
    after = after if goes_on is not None else None
    where = None
    if is_elsewhere:
        where = _where(series, next((view for view in coming if view.series_id == series.series_id), None))
    elif after is not None and place_of(after) != (about.place or place_of(series)):
        where = _where(after, goes_on)
    dates = tuple(view.starts_at for view in ahead[:DATES]) or await _not_made_yet(session, series, now)
    return News(
        group.group_id, group.name, changes, about.more, has_ended, goes_on=goes_on,
        rule=Rule.parse(after.rule) if after is not None and after.rule else None,
        keeps_time=after is not None and _keeps_time(series, after),
        off_at=_off_at(changes, ahead, now) if after is not None else None, dates=dates, zone=series.zone, where=where,
    )  # fmt: skip


async def _as_known(session: AsyncSession, delivery: Delivery) -> _About:
    """Return what a letter is about; what one before it was to say, and had not to say in the end, nobody knows."""
    about = _About.of(delivery.dedupe_key)
    if delivery.collapse_key == _collapse(delivery.subject_id or 0, delivery.member_id or 0)[0]:
        return about  # nothing was on its way when it was planned
    mine = (Delivery.member_id == delivery.member_id, Delivery.subject_id == delivery.subject_id)
    before = (Delivery.kind.in_((NEWS, NEWS_NOW)), Delivery.delivery_id < delivery.delivery_id)
    unsent = (Delivery.state == literal_column(str(CANCELLED)), Delivery.problem.is_(None))
    found = select(Delivery.dedupe_key).where(*mine, *before, *unsent, Delivery.ended_at >= delivery.created_at)
    for key in await session.scalars(found.order_by(Delivery.delivery_id.desc())):
        knew = _About.of(key).changes
        about = replace(about, changes=about.changes | {each: knew[each] for each in about.changes if each in knew})
    return about


def _keeps_time(old: Series, new: Series) -> bool:
    """Return whether a series meets at the same time of the same weekday as another, on other days."""
    first, then = parse(old.first_local), parse(new.first_local)
    return first.time() == then.time() and bool(_weekdays(old, first) & _weekdays(new, then))


def _weekdays(series: Series, first: datetime) -> set[int]:
    rule = Rule.parse(series.rule)
    if rule.freq == "daily":
        return set(range(7))
    return set(rule.weekdays) or {first.weekday() if rule.weekday is None else rule.weekday}


def _off_at(changes: Sequence[Change], ahead: Sequence[MeetingView], now: datetime) -> datetime | None:
    """Return when the first meeting was to be that people expect, and at whose time there is none now."""
    off = [(each.meeting, each.knew) for each in changes if each.meeting.state == "cancelled"]
    at = [view.starts_at if knew == MOVED else instant(view.original, view.zone) for view, knew in off]
    return min((each for each in at if each > now and each not in [view.starts_at for view in ahead]), default=None)


def _where(series: Series, meeting: MeetingView | None) -> Where:
    return Where(series.channel_id, series.link != "", meeting)


async def _not_made_yet(session: AsyncSession, series: Series, now: datetime) -> tuple[datetime, ...]:
    """Return when a series goes on after all its meetings that there are: many weeks may be skipped at once."""
    last = await session.scalar(select(func.max(Meeting.original_local)).where(Meeting.series_id == series.series_id))
    if series.state != "active" or last is None:
        return ()
    after = max(instant(parse(last), series.zone), now)
    coming = occurrences(Rule.parse(series.rule), parse(series.first_local), series.zone, after=after, limit=1)
    return tuple(each.at for each in coming)


def _is_of_use(view: MeetingView, knew: str, now: datetime) -> bool:
    return view.ends_at > now or (knew == AS_USUAL and instant(view.original, view.zone) > now)


def _is_news(view: MeetingView, knew: str) -> bool:
    if view.state == "cancelled":
        return knew != OFF
    stands = _moved_to(view.local) if view.was_moved else AS_USUAL
    return knew != stands and (view.state == "planned" or view.was_moved)


async def takes_part(session: AsyncSession, delivery: Delivery) -> bool:
    """Return whether the reader of a letter is still one: has a seat, looks after the group, or covers."""
    mine = (Membership.group_id == delivery.group_id, Membership.member_id == delivery.member_id)
    seat = select(Membership.member_id).where(*mine, Membership.state == "active")
    listed = select(Facilitator.member_id).where(
        Facilitator.group_id == delivery.group_id, Facilitator.member_id == delivery.member_id
    )
    which = seat.union_all(listed)
    if delivery.kind in (NEWS, NEWS_NOW):
        covers = _covering(_About.of(delivery.dedupe_key).changes).where(Host.member_id == delivery.member_id)
        which = seat.union_all(listed, covers)
    return await session.scalar(which.limit(1)) is not None


def _covering(meeting_ids: Collection[int]) -> Select[int]:
    """Return who covers at some meetings, and may look after another group, or none."""
    return select(Host.member_id).where(Host.meeting_id.in_(meeting_ids), Host.part == "cover")
