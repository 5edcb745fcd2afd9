"""What members do: look at groups, join, rest, come back, leave."""

from __future__ import annotations

from cogs._interactions import Answer
from cogs._reach import WRONG, finish_telling
from cogs.groups import _buttons as buttons
from cogs.groups import _cards as cards
from cogs.groups._hello_cards import take_back_card
from cogs.groups._line import enter
from peerbot import access, directory, groups, notices, pauses, reach, seats, tasks
from peerbot.dispatcher import Gone, Sent
from peerbot.errors import NotMember
from peerbot.rights import guild_of


async def show_groups(answer: Answer, *, number: int = 0, free: bool = False, topic: str = "") -> None:
    """Answer with a page of groups."""
    guild_id = answer.actor.guild_id
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, guild_id)
        page = await directory.page(session, guild_id, number=number, topic=topic, free=free)
        topics = list(await directory.topics(session, guild_id))
    await answer.show(cards.browse_card(page, guild, answer.reader, topics=topics, free=free, topic=topic))


async def show_mine(answer: Answer, *, page: int = 0, group_id: int | None = None, is_back: bool = False) -> None:
    """Answer with a page of the person's own groups: the one with a group, where one is given.

    Whoever `is_back` in that group sees its next meetings as they are now: of what changed meanwhile nobody told them.
    """
    actor = answer.actor
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        problem = (await reach.habits(session, actor.guild_id, actor.user_id)).problem
        waiting = await seats.places(session, actor.guild_id, actor.user_id)
        seated = await directory.seats(session, actor.guild_id, actor.user_id)
        mine = (*waiting, *seated, *await directory.tended(session, actor))
        asks = await tasks.mine(session, actor.guild_id, actor.user_id)
        only, now = group_id if is_back else None, answer.bot.clock.now()
        ahead = await notices.mine(session, actor.guild_id, actor.user_id, group_id=only, now=now)
    ids = [seat.group_id for seat in mine]
    page = ids.index(group_id) // cards.MOST_OWN if group_id in ids else page
    card = cards.mine_card(mine, guild, answer.reader, page=page, asks=asks, ahead=ahead, is_back=is_back)
    if problem is not None:
        card.text(answer.say(WRONG[problem]))
    await answer.show(card)
    await finish_telling(answer, actor.guild_id, problem)


@buttons.BrowseButton.pressed
async def browse(answer: Answer, state: str) -> None:
    """Show a page of groups."""
    number, free, topic = state.split(".", 2)
    await show_groups(answer, number=int(number), free=free == "1", topic=topic)


@buttons.TopicSelect.chosen
async def choose_topic(answer: Answer, state: str, values: list[str]) -> None:
    """Show the groups of one topic."""
    await show_groups(answer, free=state == "1", topic=values[0])


@buttons.LookButton.pressed
@buttons.NotNowButton.pressed
async def look(answer: Answer, state: str) -> None:
    """Show a group's card."""
    guild_id = answer.actor.guild_id
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, guild_id)
        view = await directory.view(session, guild_id, int(state))
    await answer.show(cards.group_card(view, guild, answer.reader, private=True))


@buttons.JoinButton.pressed
async def press_join(answer: Answer, state: str) -> None:
    """Join, or show the agreement first."""
    await join(answer, int(state))


@buttons.AgreeButton.pressed
async def press_agree(answer: Answer, state: str) -> None:
    """Agree to the version that was shown, and join."""
    group_id, version = state.split(".", 1)
    await join(answer, int(group_id), agreed=version)


async def join(answer: Answer, group_id: int, *, agreed: str | None = None) -> None:
    """Give the person a seat and open the room; or show what stands between."""

    def agree(version: str) -> buttons.AgreeButton:
        return buttons.AgreeButton(f"{group_id}.{version}", answer.reader)

    await enter(answer, answer.actor, group_id, agree=agree, agreed=agreed)


@buttons.MineButton.pressed
async def press_mine(answer: Answer, state: str) -> None:
    """Show a page of the person's own groups."""
    await show_mine(answer, page=int(state[:3]))


@buttons.PauseButton.pressed
async def pause(answer: Answer, state: str) -> None:
    """Keep the seat while the person rests."""
    async with answer.bot.db.begin() as session:
        await pauses.pause(session, answer.actor, int(state), now=answer.bot.clock.now())
    await show_mine(answer, group_id=int(state))


@buttons.ResumeButton.pressed
async def resume(answer: Answer, state: str) -> None:
    """End the pause."""
    async with answer.bot.db.begin() as session:
        await pauses.resume(session, answer.actor, int(state))
    await show_mine(answer, group_id=int(state), is_back=True)


@buttons.LeaveButton.pressed
async def ask_leave(answer: Answer, state: str) -> None:
    """Ask whether to leave."""
    actor = answer.actor
    async with answer.bot.db.read() as session:
        guild = await guild_of(session, actor.guild_id)
        view = await directory.view(session, actor.guild_id, int(state))
        mine = await directory.seats(session, actor.guild_id, actor.user_id)
    seat = next((seat for seat in mine if seat.group_id == int(state)), None)
    if seat is None:
        raise NotMember(view.name)
    if seat.state == "hello":
        await answer.show(take_back_card(seat, guild, answer.reader))
        return
    await answer.show(cards.sure_card(view.name, view.group_id, guild, answer.reader))


@buttons.LeaveSureButton.pressed
async def leave(answer: Answer, state: str) -> None:
    """Give the seat up and close the room behind the person."""
    bot, actor = answer.bot, answer.actor
    async with bot.db.begin() as session:
        guild = await guild_of(session, actor.guild_id)
        left = await groups.leave(session, actor, int(state), now=bot.clock.now())
    outcome = await bot.dispatcher.outcome(left.access_id)
    is_closed = isinstance(outcome, Sent) or outcome == Gone(access.ROLE_ABOVE)
    await answer.show(cards.left_card(left.name, guild, answer.reader, is_closed=is_closed))
