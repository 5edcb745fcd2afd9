"""What facilitators see of tasks: a task's card, the desk, the practice. None of them names the person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from discord import ui

from cogs._interactions import Card
from cogs.desk import _buttons as buttons
from peerbot.tasks import Desk, TaskView
from peerbot.text import Reader, Text, Verbatim, _, channel_mention, mention, n_, timestamp

OUTCOMES = {
    "welcomed": _("Done: welcomed in."),
    "fit": _("Done: not this group. They were shown other groups."),
    "done": _("Done: answered."),
    "left": _("Nothing to do: they took it back, or left."),
    "joined": _("Nothing to do: they have joined meanwhile."),
    "closed": _("Nothing to do: the group has closed."),
}
PRACTICE = {
    "start": _("This is what a task looks like. Try its buttons. Nothing is saved, and nobody is told."),
    "got": _("Others would see that you have it. You would be let into the private thread, and write to the person."),
    "welcome": _("They would get a seat, or a place in line. I would tell them in the private thread."),
    "not": _(
        "They would read kind words and see other groups. I would show no reason. They could not join this group."
    ),
}


def task_buttons(task: TaskView, reader: Reader) -> list[ui.Item[Any]]:
    """Return what can be done about a task; nothing when it is done."""
    if task.done_at is not None:
        return []
    got = buttons.GotThisButton(task.task_id, reader)
    if task.kind == "ask":
        return [got, buttons.DoneButton(task.task_id, reader)]
    return [got, buttons.WelcomeButton(task.task_id, reader), buttons.NotThisGroupButton(task.task_id, reader)]


def task_words(task: TaskView, on_duty: Sequence[int], reader: Reader) -> str:
    """Return the words of a task's card; `on_duty` are the users whom it calls."""
    lines = [*_about(task, reader)]
    if task.done_at is None and task.claimed_by is None and not task.is_away:
        called = Verbatim(" ".join(mention(user_id) for user_id in on_duty))
        nobody = _("Nobody of this group is on duty, so I called nobody. They know that it may take a while.")
        lines += [reader.say(_("On duty: {people}", people=called) if on_duty else nobody)]
    return "\n".join(lines)


def desk_card(desk: Desk, reader: Reader, note: Text | None = None) -> Card:
    """Return a facilitator's desk: what waits, whether they are on duty, and the practice."""
    card = Card().boxed()
    lines = [reader.say(_("## My desk"))]
    lines += [reader.say(note)] if note is not None else []
    lines += [] if desk.tasks else [reader.say(_("Nothing waits for you. Thank you for being here."))]
    card.text("\n".join(lines))
    for task in desk.tasks:
        card.text("\n".join(_about(task, reader))).row(*task_buttons(task, reader))
    if desk.more:
        card.text(
            reader.say(n_("And {n} more. The oldest come first.", "And {n} more. The oldest come first.", desk.more))
        )
    return card.text("\n".join(_duty(desk, reader))).row(*_duty_buttons(desk, reader))


def said_card(words: Text, reader: Reader, *more: ui.Item[Any]) -> Card:
    """Return what was done, with the way back to the desk."""
    return Card().boxed().text(reader.say(words)).row(*more, buttons.DeskButton(0, reader))


def sure_card(task: TaskView, reader: Reader) -> Card:
    """Return the question before somebody is told that this is not their group."""
    lines = [
        reader.say(_("## Not {name}?", name=task.group_name)),
        reader.say(_("They read kind words and see other groups. I show no reason.")),
        reader.say(_("They can't join this group until you let them back, with /group people.")),
    ]
    sure = buttons.NotThisGroupSureButton(task.task_id, reader)
    return Card().boxed().text("\n".join(lines)).row(sure, buttons.DeskButton(0, reader, label=_("Keep it open")))


def practice_card(step: str, reader: Reader) -> Card:
    """Return a made-up task, for the one who practises alone."""
    lines = [
        reader.say(_("## TEST: a hello for *Your group*")),
        reader.say(_("Someone would like to join. Their private thread: #hello-0")),
        reader.say(PRACTICE.get(step, PRACTICE["start"])),
    ]
    tries: list[ui.Item[Any]] = [
        buttons.PractiseButton("got", reader, label=buttons.GotThisButton.words),
        buttons.PractiseButton("welcome", reader, label=buttons.WelcomeButton.words),
        buttons.PractiseButton("not", reader, label=buttons.NotThisGroupButton.words),
    ]
    return Card().boxed().text("\n".join(lines)).row(*tries, buttons.DeskButton(0, reader))


def _about(task: TaskView, reader: Reader) -> list[str]:
    asked = timestamp(task.created_at, "R")
    lines = [
        reader.say(_("**Hello** for **{name}**, {when}. Someone would like to join.", name=task.group_name, when=asked))
        if task.kind == "hello"
        else reader.say(_("**Question** for **{name}**, {when}. Someone asks first.", name=task.group_name, when=asked))
    ]
    if task.thread_id is not None:
        lines += [reader.say(_("Their private thread: {thread}", thread=channel_mention(task.thread_id)))]
    elif task.done_at is None:
        lines += [reader.say(_("It has no private thread right now. *I've got this* opens one."))]
    if task.claimed_by is not None:
        lines += [reader.say(_("{who} has this.", who=mention(task.claimed_by)))]
    if task.done_at is not None:
        lines += [reader.say(OUTCOMES.get(task.outcome or "", OUTCOMES["done"]))]
    elif task.is_away:
        lines += [reader.say(_("They have left the server. If they come back within a week, it still waits here."))]
    return lines


def _duty(desk: Desk, reader: Reader) -> list[str]:
    others = n_("{n} other facilitator is on duty.", "{n} other facilitators are on duty.", desk.others_on_duty)
    if desk.off_until is None:
        mine = _("**You are on duty.** I call you when someone of your groups says hello or asks.")
    else:
        until = timestamp(desk.off_until)
        mine = _(
            "**You are off duty until {until}.** I call you for nothing. You can still do all of this.", until=until
        )
    return [reader.say(mine), reader.say(others)]


def _duty_buttons(desk: Desk, reader: Reader) -> list[ui.Item[Any]]:
    practise = buttons.PractiseButton("start", reader)
    if desk.off_until is not None:
        return [buttons.OnDutyButton(0, reader), practise]
    return [
        buttons.OffDutyButton("morning", reader, label=_("Off duty until tomorrow 8:00")),
        buttons.OffDutyButton("week", reader, label=_("Off duty for a week")),
        practise,
    ]
