"""What facilitators see of who hosts: the card in the task thread, answers to presses, the run sheet, the debrief."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from discord import ui

from cogs._help import help_now_button
from cogs._interactions import Card
from cogs.meetings import _hosting_buttons as buttons
from peerbot import times
from peerbot.debriefs import NEEDS_COVER, SAFETY, TALK, Said
from peerbot.handovers import SaidBefore
from peerbot.hosting import SECOND, WISH, Asking, Hosts
from peerbot.meetings import MeetingView
from peerbot.models import Guild
from peerbot.sheets import Sheet
from peerbot.text import Reader, Text, Verbatim, _, mention, n_, timestamp

LAST = timedelta(minutes=10)
WORDS = {
    "fine": _("It went fine"),
    "cover": _("I need cover next time"),
    "talk": _("I want to talk"),
    "safety": _("Safety steps were used"),
}


def when(meeting: MeetingView, reader: Reader) -> Verbatim:
    """Return when a meeting is."""
    return times.when(meeting.starts_at, meeting.zone, reader)


def names(user_ids: Sequence[int]) -> Verbatim:
    """Return the names of some people; a card that shows them pings nobody."""
    return Verbatim(", ".join(mention(user_id) for user_id in user_ids))


def hosts_card(hosts: Hosts, reader: Reader) -> Card:
    """Return the card of who hosts a meeting, with what can be done about it."""
    meeting = hosts.meeting
    lines = [reader.say(_("## {name}", name=meeting.group_name)), reader.say(_("{when}", when=when(meeting, reader)))]
    lines += [reader.say(line) for line in _about(hosts)]
    card = Card().boxed().text("\n".join(lines))
    sheet = buttons.SheetButton(meeting.meeting_id, reader)
    if meeting.state != "planned":
        sheet.disabled = True
        back = [buttons.BackButton(meeting.meeting_id, reader)] if meeting.why == "nobody" else []
        return card.row(*back, sheet)
    row: list[ui.Item[Any]] = [buttons.NeedCoverButton(meeting.meeting_id, reader)]
    row += [buttons.CanHostButton(f"{meeting.meeting_id}.{SECOND}", reader)] if hosts.may_be_more else []
    return card.row(*row, sheet, buttons.HereButton(meeting.meeting_id, reader))


def _about(hosts: Hosts) -> list[Text]:
    if hosts.meeting.state == "cancelled" and hosts.meeting.why == "nobody":
        lines = [_("This meeting is cancelled."), _("I saw no facilitator there.")]
        return [*lines, _("Are you there? Until its end, you can put it on again.")]
    if hosts.meeting.state == "cancelled":
        return [_("This meeting is cancelled.")]
    if hosts.meeting.state == "over":
        return [_("This meeting is over. Thank you.")]
    lines = [_("Hosts: {people}", people=names(hosts.user_ids))] if hosts.user_ids else []
    if not hosts.user_ids:
        lines += [_("**Nobody hosts this meeting yet.**")]
    elif len(hosts.user_ids) < WISH:
        lines += [_("One facilitator so far. Two is the wish.")]
    lines += [_("Cover is wanted.")] if hosts.wanted else []
    if hosts.meeting.here_at is not None:
        lines += [_("A facilitator is there.")]
    elif hosts.on_the_way is not None:
        lines += [_("{who} is on the way.", who=mention(hosts.on_the_way))]
    return lines


def how_asked(asking: Asking, left: Sequence[int]) -> list[Text]:
    """Return what somebody who asked for cover reads: who is asked, and who hosts while nobody has accepted."""
    if asking.others and asking.at_once:
        lines = [_("I ask the others on duty now. The card in the task thread shows who hosts.")]
    elif asking.others:
        lines = [_("I ask the others on duty in a minute. The card in the task thread shows who hosts.")]
    else:
        lines = [_("Nobody else is on duty, so I can call nobody. I write in the task thread that cover is wanted.")]
    if left:
        return [*lines, _("Until then, {people} can host.", people=names(left))]
    return lines if asking.others else [*lines, _("If nobody can host, you can cancel it here.")]


def cover_asked(asking: Asking, way: Text) -> Text:
    """Return what a host reads who answered that they can't come; `way` is the button that takes it back."""
    if not asking.others:
        return _(
            "You host this one. Nobody else is on duty, so I can call nobody. I write in the task thread that cover is "
            "wanted. If you can come after all, press *{way}*.", way=way,
        )  # fmt: skip
    if asking.at_once:
        return _("You host this one, so I ask the others now. If you can come after all, press *{way}*.", way=way)
    return _("You host this one, so I ask the others in a minute. If you can come after all, press *{way}*.", way=way)


def said_card(words: Sequence[Text], reader: Reader, *more: ui.Item[Any]) -> Card:
    """Return what was done, and what else can be."""
    card = Card().boxed().text("\n".join(reader.say(line) for line in words))
    return card.row(*more) if more else card


def cover_words(hosts: Hosts, called: Sequence[int], reader: Reader) -> str:
    """Return the words of a message that asks for cover, as things stand; `called` are users."""
    meeting = hosts.meeting
    named = {"name": meeting.group_name, "when": when(meeting, reader)}
    if meeting.state != "planned":
        return reader.say(_("**{name}**, {when}: no cover is wanted any more.", **named))
    if not hosts.wanted and hosts.user_ids:
        who = hosts.covered_by or hosts.user_ids[0]
        return reader.say(_("**{name}**, {when}: {who} hosts. Thank you.", who=mention(who), **named))
    lines = [_("**{name}**, {when}: someone needs cover. Can you host?", **named), who_is_called(called)]
    return "\n".join(reader.say(line) for line in lines)


def who_is_called(called: Sequence[int]) -> Text:
    """Return whom a message calls."""
    if not called:
        return _("Nobody else is on duty, so I called nobody.")
    return _("On duty: {people}", people=Verbatim(" ".join(mention(user_id) for user_id in called)))


def call_words(hosts: Hosts, called: Sequence[int], *, sees: bool, asks_hosts: bool) -> list[Text]:
    """Return the words that call facilitators because none is known to be at a meeting that has begun."""
    named = {"name": hosts.meeting.group_name}
    if sees:
        begun = _("**{name}** has begun, and I see no facilitator there.", **named)
    elif asks_hosts:
        begun = _("**{name}** has begun. I can't see there who has come.", **named)
    else:
        begun = _("**{name}** has begun, and nobody has told me that they are there.", **named)
    lines = [begun, _("Are you there? Press *I'm here*. Can you come? Press *I can host*.")]
    if asks_hosts:
        lines = [begun, _("Is somebody there? Press *I'm here*. If you can't come, press *I need cover*.")]
    return [*lines, who_is_called(called)]


def late_words(hosts: Hosts, on_duty: Sequence[int], called: Sequence[int], *, sees: bool) -> list[Text]:
    """Return what members read then: not that somebody is late of whom that is not known, nor of calls to nobody."""
    be_here = _("You can talk, or just be here.")
    others = [one for one in called if one not in hosts.user_ids]
    if not sees and hosts.user_ids:
        asked = _("I can't see who is here, so I have asked your facilitators.")
        return [asked if on_duty or others else _("I can't see who is here."), be_here]
    first = _("Your facilitators are late.") if sees and hosts.user_ids else _("No facilitator is here yet.")
    if others:
        more = _("Please wait a moment. I have called others too.")
    elif called:
        more = _("Please wait a moment. I have called them.")
    else:
        more = _("I could not reach anybody yet.")
    return [_("{first} {more}", first=first, more=more), be_here]


def in_order(user_ids: Sequence[int], seed: int) -> list[int]:
    """Return people in an order of chance, which stays while somebody comes or goes."""
    return sorted(user_ids, key=lambda user_id: sha256(f"{seed}:{user_id}".encode()).digest())


def sheet_card(sheet: Sheet, guild: Guild, reader: Reader, *, seed: int, turn: int) -> Card:
    """Return the run sheet. The order of the round stands in its buttons, and nowhere else."""
    meeting, going = sheet.meeting, in_order(sheet.round, seed)
    title = [_("## Run sheet: {name}", name=meeting.group_name), _("-# Only you see this. Nothing of it is saved.")]
    policy = sheet.agreement.danger_policy
    read = [
        _("**1. Read aloud**"),
        _("- What is said here stays here, unless someone is in danger."),
        _("- Then: {policy}", policy=policy) if policy else _("- Then we may share what is needed to get help."),
        _("- No medical advice, no doses, no ways to get hurt."),
        _("- You can pass, be quiet, or go. No reason needed."),
        _("- This is not a crisis service."),
    ]
    new = [
        _("**2. New today**"),
        _("{people}. A warm hello is enough. Listening is fine.", people=names(sheet.new))
        if sheet.new
        else _("Nobody has said that it is their first time."),
    ]
    turn = turn % len(going) if going else 0
    around = [_("**3. Check-in round**"), _("Two minutes each. Anyone can pass.")]
    around += [
        _("{number}. **{who}**, now", number=number + 1, who=mention(user_id))
        if number == turn
        else _("{number}. {who}", number=number + 1, who=mention(user_id))
        for number, user_id in enumerate(going)
    ]
    around += [] if going else [_("Nobody has said that they come. Whoever likes can begin.")]
    end = [
        _("**4. Ten minutes left: {at}**", at=timestamp(meeting.ends_at - LAST, "t")),
        _("Say it aloud, so that nobody is cut off."),
        _("**5. Close**"),
        _("One word each, or pass. Thank you for coming. *Help now* is there on bad days too."),
    ]
    if meeting.next_at is not None:
        end += [_("We meet next: {when}", when=times.when(meeting.next_at, meeting.zone, reader))]
    card = Card().boxed()
    for part in (title, read, new, around, end):
        card.text("\n".join(reader.say(line) for line in part))
    meeting_id = meeting.meeting_id
    row: list[ui.Item[Any]] = [buttons.HereButton(meeting_id, reader)]
    if len(going) > 1:
        onward = f"{meeting_id}.{seed}.{(turn + 1) % len(going)}"
        shuffled = f"{meeting_id}.{(seed * 31 + 7) % 999_983}.0"
        row += [buttons.SheetButton(onward, reader, label=_("Next"))]
        row += [buttons.SheetButton(shuffled, reader, label=_("Another order"))]
    card.row(*row, buttons.NeedCoverButton(meeting_id, reader))
    key = f"{guild.guild_id}.{meeting_id}"
    return card.row(buttons.DebriefButton(key, reader), help_now_button(guild.help_countries, reader))


def debrief_words(meeting: MeetingView) -> list[Text]:
    """Return the question about a meeting that is over."""
    return [
        _("**{name}** is over. Thank you for being there.", name=meeting.group_name),
        _("How was it? One tap is enough. You need not answer. I keep it for 30 days."),
    ]


def word_buttons(guild: Guild, said: Said, reader: Reader) -> list[ui.Item[Any]]:
    """Return the words that a host can say of a meeting, and those that can be taken back."""
    key = f"{guild.guild_id}.{said.meeting.meeting_id}"
    return [
        buttons.WordBackButton(f"{key}.{word}", reader, label=_("Take back: {word}", word=label))
        if word in said.words
        else buttons.WordButton(f"{key}.{word}", reader, label=label)
        for word, label in WORDS.items()
    ]


def debrief_card(said: Said, guild: Guild, reader: Reader, words: Sequence[Text] = (), *more: str) -> Card:
    """Return what a host said of a meeting, and what else they can say."""
    lines = [reader.say(line) for line in (words or debrief_words(said.meeting))]
    card = Card().boxed().text("\n".join(lines))
    for part in more:
        card.text(part)
    return card.row(*word_buttons(guild, said, reader)).row(help_now_button(guild.help_countries, reader))


def answers_to(word: str, said: Said, reader: Reader) -> list[Text]:
    """Return what a host reads who has said a word of a meeting."""
    if word == NEEDS_COVER and said.next_at is not None:
        at = times.when(said.next_at, said.meeting.zone, reader)
        return [_("That is fine. You are off for {when}. I ask for cover.", when=at)]
    if word == NEEDS_COVER:
        return [_("That is fine. I see no next meeting that you host, so there is nothing to cover.")]
    if word == TALK:
        return [_("I have told the others in the task thread. Thank you for saying so.")]
    if word == SAFETY:
        return [
            _("Thank you for looking after someone. That is a lot to carry."),
            _("1. Is someone in danger now? The emergency number comes first."),
            _("2. Show them *Help now*."),
            _("3. Tell one of the others, so that you are two."),
            _("4. Then rest. *I want to talk* lets the others know."),
            _("I save nothing about who it was."),
        ]
    return [_("Good to hear. Thank you for hosting.")]


def talk_card(said: Said, guild: Guild, reader: Reader) -> Card:
    """Return the question before others read that somebody wants to talk."""
    lines = [
        reader.say(_("## Shall the others know?")),
        reader.say(_("In the task thread, facilitators would read that you would like to talk. They see your name.")),
        reader.say(_("You need not say why.")),
    ]
    key = f"{guild.guild_id}.{said.meeting.meeting_id}"
    no = buttons.DebriefButton(key, reader, label=_("No, keep it to myself"))
    help_now = help_now_button(guild.help_countries, reader)
    return Card().boxed().text("\n".join(lines)).row(buttons.TalkButton(key, reader), no, help_now)


def anew_words(said: SaidBefore, reader: Reader) -> list[Text]:
    """Return what somebody reads whose word about hosting a meeting was for another time."""
    meeting = said.meeting
    named = {"name": meeting.group_name, "old": times.when(said.at, meeting.zone, reader)}
    if meeting.state == "cancelled":
        lines = [_("**{name}**: the meeting of {old} is off, because its group meets at other times now.", **named)]
        if said.covered:
            return [*lines, _("So you need not host it. Thank you for offering.")]
        return [*lines, _("You had asked for cover then. You are down as a host of the new times, as usual.")]
    lines = [_("**{name}**: the meeting of {old} is now on {when}.", **named, when=when(meeting, reader))]
    if said.covered:
        lines += [_("You wanted to host it then. That does not hold for the new time, so you are not down for it.")]
        return [*lines, _("Can you come then too? Press *I can host* on its card in the task thread.")]
    lines += [_("You had asked for cover then. For the new time, you are down as a host again.")]
    return [*lines, _("Can't you come then? Press *I need cover* on its card in the task thread.")]


def unhosted_words(hosts: Hosts, called: Sequence[int], reader: Reader) -> list[Text]:
    """Return the words that call others an hour before a meeting that nobody hosts."""
    named = {"name": hosts.meeting.group_name, "when": when(hosts.meeting, reader)}
    return [
        _("**{name}**, {when}: **nobody hosts it yet.** Can you?", **named),
        _("If nobody can, please cancel it in time, so that nobody comes to an empty room."),
        *([_("Called: {people}", people=Verbatim(" ".join(mention(user_id) for user_id in called)))] if called else []),
    ]


def not_found_words(meeting: MeetingView, reader: Reader) -> list[Text]:
    """Return what somebody reads in private who asked for cover, an hour before, when nobody hosts."""
    return [
        _("**{name}**, {when}: nobody hosts it yet.", name=meeting.group_name, when=when(meeting, reader)),
        _("I have asked again in the task thread. That you can't come is fine."),
        _("If nobody can, somebody may cancel it: /meeting cancel. Then its members know in time."),
    ]


def soon_words(hosts: Hosts, on_duty: Sequence[int], called: Sequence[int], minutes: int, reader: Reader) -> str:
    """Return the words of the message before a meeting; `on_duty` are its hosts whom it calls, `called` the others."""
    named = {"name": hosts.meeting.group_name}
    begins = n_("**{name}** begins in {n} minute.", "**{name}** begins in {n} minutes.", minutes, **named)
    lines = [begins if minutes > 0 else _("**{name}** begins now.", **named)]
    if hosts.user_ids:
        lines += [_("Hosts: {people}", people=names(hosts.user_ids))]
        lines += [] if on_duty else [_("I can't call them: they are off duty. Can somebody look in?")]
    else:
        lines += [_("**Nobody hosts it yet. Can you?**")]
    lines += [] if on_duty else [who_is_called(called)]
    return "\n".join(reader.say(line) for line in lines)
