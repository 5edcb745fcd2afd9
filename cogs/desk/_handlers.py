"""What facilitators press: claim a task, welcome in, not this group, done; off duty and back; practise."""

from __future__ import annotations

from cogs import _threads as threads
from cogs._interactions import Answer
from cogs.desk import _buttons as buttons
from cogs.desk import _cards as cards
from peerbot import duty, handovers, hello, tasks
from peerbot.dispatcher import Gone, Sent
from peerbot.errors import TaskUnknown
from peerbot.text import Text, Verbatim, _, channel_mention, timestamp


async def show_desk(answer: Answer, note: Text | None = None) -> None:
    """Answer with what waits for the person."""
    async with answer.bot.db.read() as session:
        found = await tasks.desk(session, answer.actor, now=answer.bot.clock.now())
    await answer.show(cards.desk_card(found, answer.reader, note))


@buttons.DeskButton.pressed
async def press_desk(answer: Answer, _state: str) -> None:
    """Show the desk."""
    await show_desk(answer)


@buttons.GotThisButton.pressed
async def claim(answer: Answer, state: str) -> None:
    """Take the task, and lead the person to its thread."""
    bot = answer.bot
    async with bot.db.begin() as session:
        begun = await tasks.claim(session, answer.actor, int(state), now=bot.clock.now())
    outcome = await bot.dispatcher.outcome(begun.planned)
    async with bot.db.read() as session:
        thread_id = await tasks.thread_of(session, begun.task_id)
    is_in = await threads.is_in(bot, thread_id, answer.actor.user_id) if thread_id is not None else None
    if thread_id is not None and is_in:
        said = _("It's yours. Please write to them in {thread}.", thread=channel_mention(thread_id))
    elif thread_id is not None and is_in is False and isinstance(outcome, Sent | Gone):
        said = _(
            "It's yours. But I can't let you into {thread}. You need to see the channel above it. "
            "/setup, *Check again*, says what I need there. Then press *I've got this* again.",
            thread=channel_mention(thread_id),
        )
    elif thread_id is None:
        said = _(
            "It's yours. Its private thread is not open yet. If I can't open it, I write in the staff channel why."
        )
    else:
        said = _("It's yours. I'm letting you into {thread}.", thread=channel_mention(thread_id))
    await answer.show(cards.said_card(said, answer.reader))


@buttons.WelcomeButton.pressed
async def welcome(answer: Answer, state: str) -> None:
    """Let the person in, and say what they got."""
    async with answer.bot.db.begin() as session:
        welcomed = await hello.welcome(session, answer.actor, int(state), now=answer.bot.clock.now())
    seat = _("They have a seat in **{name}** now. I tell them in their thread.", name=welcomed.group_name)
    line = _("**{name}** is full, so they are in line now. I tell them in their thread.", name=welcomed.group_name)
    await answer.show(cards.said_card(line if welcomed.seat is None else seat, answer.reader))


@buttons.NotThisGroupButton.pressed
async def ask_decline(answer: Answer, state: str) -> None:
    """Ask whether this is not the group for them."""
    async with answer.bot.db.read() as session:
        await tasks.pressed(session, answer.actor, int(state))
        task = await tasks.find(session, answer.actor.guild_id, int(state))
    if task is None:
        raise TaskUnknown
    await answer.show(cards.sure_card(task, answer.reader))


@buttons.NotThisGroupSureButton.pressed
async def decline(answer: Answer, state: str) -> None:
    """Say that this is not the group for them."""
    async with answer.bot.db.begin() as session:
        await hello.decline(session, answer.actor, int(state), now=answer.bot.clock.now())
    said = _("Done. I tell them kindly in their thread, and show them other groups.")
    await answer.show(cards.said_card(said, answer.reader))


@buttons.DoneButton.pressed
async def done(answer: Answer, state: str) -> None:
    """Say that the question was answered."""
    async with answer.bot.db.begin() as session:
        await tasks.answer(session, answer.actor, int(state), now=answer.bot.clock.now())
    await answer.show(cards.said_card(_("Done. Thank you."), answer.reader))


@buttons.OffDutyButton.pressed
async def go_off(answer: Answer, state: str) -> None:
    """Take the person off duty."""
    async with answer.bot.db.begin() as session:
        now = answer.bot.clock.now()
        until = await duty.go_off(session, answer.actor, for_a_week=state == "week", now=now)
        hosted = await handovers.off_for(session, answer.actor, now=now)
    rest = _("Rest well. I call you for nothing until {until}.", until=timestamp(until))
    if hosted:
        each_one = (_("**{name}**, {at}", name=each.group_name, at=timestamp(each.starts_at)) for each in hosted)
        they = "; ".join(answer.say(each) for each in each_one)
        rest = _(
            "{rest} You were to host: {meetings}. I show that you are off and ask the others. To host one "
            "all the same, press *I can host* on its card in the task thread.", rest=rest, meetings=Verbatim(they),
        )  # fmt: skip
    await show_desk(answer, rest)


@buttons.OnDutyButton.pressed
async def come_back(answer: Answer, _state: str) -> None:
    """Put the person on duty again."""
    async with answer.bot.db.begin() as session:
        await duty.come_back(session, answer.actor, now=answer.bot.clock.now())
    await show_desk(answer, _("Good to see you."))


@buttons.PractiseButton.pressed
async def practise(answer: Answer, state: str) -> None:
    """Show a step of the practice."""
    await answer.show(cards.practice_card(state, answer.reader))
