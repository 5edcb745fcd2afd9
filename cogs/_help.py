"""The help card, and the button that opens it from anywhere.

It needs nothing but a file: no database, no scheduler, no memory of who asked. The emergency sentence always comes
first, numbers come before questions, and at most three routes are shown at a time. Only whoever opens it sees it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from typing import Any

import discord
from discord import ui

from cogs._interactions import Answer, Card, PersistentButton, PersistentSelect, form
from peerbot import countries as places
from peerbot import helplines
from peerbot.countries import country_name
from peerbot.helplines import Emergency, Line, Route
from peerbot.text import Reader, Text, Verbatim, _

LINES = helplines.shipped()
CODES = r"0|[A-Z]{2}(?:-[A-Z]{2}){0,2}"
NO_COUNTRY = "0"

BARRIERS = {
    "police": _("They might send the police"),
    "cost": _("It might cost money"),
    "aloud": _("I can't talk out loud"),
    "enough": _("It's not bad enough"),
    "before": _("I tried before"),
}
ANSWERS = {
    "police": _(
        "That worry makes sense.\nYou can ask first: when do you send someone?\n"
        "You can wait with your name and your address.\nYou can stop at any time."
    ),
    "cost": _(
        "Many help lines are free.\nOthers cost as much as a normal call or text.\n"
        "You can ask them first.\nYou can stop at any time."
    ),
    "aloud": _("You don't have to talk.\nWays to write come first here."),
    "enough": _(
        "You don't have to feel worse first.\nThese lines are for hard days too.\nYou can just say: I need to talk."
    ),
    "before": _(
        "It was right to try. I'm sorry if it did not help.\nNext time, someone else may answer.\n"
        "You can also try another way, like a text or a chat."
    ),
}
SERVICES = {"ambulance": _("ambulance"), "police": _("police")}


class HelpNowButton(PersistentButton, verb="safety:help", label=_("Help now"), state=CODES):
    """Opens the help card. Its state is the countries of the server, so that no database is needed."""

    defers = False

    async def press(self, answer: Answer) -> None:
        """Show the card beside what was pressed, so that nothing is lost behind it."""
        await give(answer, help_card(codes_of(self.state), answer.reader, today_of(answer)), fresh=True)


class CountryButton(PersistentButton, verb="safety:country", label=_("Country"), state="[A-Z]{2}"):
    """Shows the routes of one country."""

    defers = False

    async def press(self, answer: Answer) -> None:
        """Turn the card to the country."""
        await give(answer, help_card(codes_of(self.state), answer.reader, today_of(answer)))


class OtherCountryButton(PersistentButton, verb="safety:other", label=_("Other country"), state="0"):
    """Asks for the country by name."""

    defers = False

    async def press(self, answer: Answer) -> None:
        """Open the form with one field."""
        reader = answer.reader
        name = ui.TextInput[Any](
            custom_id="country",
            max_length=places.LONGEST_NAME,
            placeholder=reader.say(_("For example: Ireland")),
        )
        where = ui.Label[Any](
            text=reader.say(_("Which country are you in?")),
            description=reader.say(_("Any language is fine. It is not saved.")),
            component=name,
        )
        await answer.ask(form("safety:country", NO_COUNTRY, reader.say(_("Help in your country")), where))


class BarrierSelect(PersistentSelect, verb="safety:barrier", state=CODES):
    """The one question."""

    async def choose(self, answer: Answer, values: list[str]) -> None:
        """Answer what makes it hard, and show the routes again."""
        card = help_card(codes_of(self.state), answer.reader, today_of(answer), barrier=values[0])
        await give(answer, card)


def help_now_button(countries: str, reader: Reader) -> HelpNowButton:
    """Return the button that opens the help card, for countries as a server has them ("US CA")."""
    return HelpNowButton("-".join(codes_of(countries)) or NO_COUNTRY, reader)


def help_words(countries: str, reader: Reader, today: date) -> str:
    """Return the words for a panel: a voice and a text of each country, for people who cannot use commands."""
    codes = codes_of(countries)
    lines = [f"**{reader.say(_('Need help now?'))}**", *_emergency_lines(codes, reader)]
    for code in codes:
        routes = LINES.routes_of(code, locale=reader.locale, today=today)
        written = [route for route in routes if route.way != "call"]
        chosen = [route for route in routes if route.way == "call"][:1] + written[:1]
        lines += [f"**{country_name(code, reader.locale)}**"] if chosen and len(codes) > 1 else []
        lines += [_short_line(route, reader) for route in chosen]
    return "\n".join([*lines, *_directory_lines(reader)])


def _short_line(route: Route, reader: Reader) -> str:
    """Return a route in one line, with all that must be known of it."""
    line = route.line
    about = [] if line.always_open or not line.hours else [reader.say(_("{hours}", hours=verbatim(line.hours)))]
    about += [reader.say(_("please check this one"))] if line.confidence == "medium" else []
    about += [reader.say(_("checked {date}", date=Verbatim(line.checked_in(reader.locale))))]
    words = _("{way}: {name} ({about})", way=_way(route), name=verbatim(line.name), about=Verbatim(", ".join(about)))
    return f"- {reader.say(words)}"


def help_card(codes: list[str], reader: Reader, today: date, *, barrier: str | None = None) -> Card:
    """Return the help card for up to three countries; after the question, with the answer to it."""
    card = Card().boxed().text("\n".join(_emergency_lines(codes, reader)))
    if barrier in ANSWERS:
        card.text(reader.say(ANSWERS[barrier]))
    for words in _countries_words(codes, reader, today, text_first=barrier == "aloud"):
        card.text(words)
    card.text("\n".join(_directory_lines(reader)))
    if not codes:
        card.text(reader.say(_("Tell me your country, and I show you help lines there.")))
    elif len(codes) > 1:
        card.text(reader.say(_("Tap a country to see more of its lines, like text or chat.")))
    card.row(*_country_buttons(codes if len(codes) > 1 else [], reader))
    if codes:
        card.row(_barrier_select(codes, reader))
    return card.text(f"-# {reader.say(_('The bot tells nobody that you opened this. It keeps no note of it.'))}")


def unsure_card(asked: str, close: Iterable[str], reader: Reader) -> Card:
    """Return the card for a country that is not certain: close ones to choose from, and no number of any."""
    close = [code for code in close if places.is_country(code)]
    words = reader.say(_("I don't know which country “{asked}” is.", asked=asked))
    question = _("Is it one of these?") if close else _("Please try another name for it.")
    card = Card().boxed().text("\n".join(_emergency_lines([], reader))).text(f"{words}\n{reader.say(question)}")
    return card.row(*_country_buttons(close, reader)).text("\n".join(_directory_lines(reader)))


async def give(answer: Answer, card: Card, *, fresh: bool = False) -> None:
    """Answer with a help card: in a server only for the person, in direct messages so that it stays."""
    response = answer.interaction.response
    if answer.interaction.guild_id is not None or response.is_done():
        await (answer.reply(card) if fresh else answer.show(card))
        return
    card.stop()  # as with every card: its buttons are found by their ids
    if fresh:
        await response.send_message(view=card)
    else:
        await response.edit_message(view=card)


def codes_of(countries: str) -> list[str]:
    """Return the countries of a state or a setting, as far as there are such countries; three at most."""
    codes = dict.fromkeys(code for code in countries.replace("-", " ").split() if places.is_country(code))
    return list(codes)[: helplines.MOST_COUNTRIES]


def today_of(answer: Answer) -> date:
    """Return the day by which checks are too old or not."""
    return answer.bot.clock.now().date()


def _emergency_lines(codes: list[str], reader: Reader) -> list[str]:
    words = _("If you are in danger now, call the emergency number where you are.")
    lines = [f"**{reader.say(words)}**"]
    for code in codes:
        numbers = [_emergency(each, reader) for each in LINES.emergency(code)]
        if numbers:
            either = f" {reader.say(_('or'))} ".join(numbers)
            lines.append(f"{country_name(code, reader.locale)}: **{either}**")
    return lines


def _emergency(one: Emergency, reader: Reader) -> str:
    return one.number if one.service == "any" else f"{one.number} ({reader.say(SERVICES[one.service])})"


def _countries_words(codes: list[str], reader: Reader, today: date, *, text_first: bool) -> list[str]:
    """Return a paragraph for each country: its routes, or that there are none."""
    routes = LINES.routes(codes, locale=reader.locale, today=today, text_first=text_first)
    by_country = {code: list(of) for code, of in groupby(routes, key=lambda route: route.line.country)}
    paragraphs: list[str] = []
    for code in codes:
        name = country_name(code, reader.locale)
        if code not in by_country:
            none = _("**{country}:** I have no number there that is sure enough. The directory may.", country=name)
            paragraphs.append(reader.say(none))
            continue
        paragraphs.append("\n".join([f"### {name}", *_route_lines(by_country[code], reader, text_first=text_first)]))
    return paragraphs


def _route_lines(routes: list[Route], reader: Reader, *, text_first: bool) -> list[str]:
    """Return the routes, those of one line under its name."""
    by_name: dict[str, list[Route]] = {}
    for route in routes:
        by_name.setdefault(route.line.name, []).append(route)
    lines: list[str] = []
    for name, same in by_name.items():
        lines.append(reader.say(_("**{name}**", name=verbatim(name))))
        lines += [reader.say(_way(route, text_first=text_first)) for route in same]
        lines += _about(same[0].line, reader)
    return lines


def _way(route: Route, *, text_first: bool = False) -> Text:
    words = verbatim(route.words)
    if route.way == "text":
        return _("**{words}**", words=words)
    if route.way == "chat":
        return _("Chat: {words}", words=Verbatim(route.words))
    if route.both and text_first:
        return _("Text **{words}**, or call **{words}**", words=words)
    if route.both:
        return _("Call **{words}**, or text **{words}**", words=words)
    return _("Call **{words}**", words=words)


def _about(line: Line, reader: Reader) -> list[str]:
    words: list[Text] = []
    if line.always_open:
        words.append(_("Open day and night."))
    elif line.hours:
        words.append(_("Hours there: {hours}", hours=verbatim(line.hours)))
    if line.area:
        words.append(_("For {area}.", area=verbatim(line.area)))
    if not line.speaks(reader.locale):
        spoken = helplines.language_names(line.languages, reader.locale)[:3]
        words.append(_("They speak: {languages}", languages=", ".join(spoken)))
    if line.confidence == "medium":
        words.append(_("Please check this one. We are not fully sure of it."))
    checked = _("Checked: {date}", date=Verbatim(line.checked_in(reader.locale)))
    return [*(reader.say(each) for each in words), f"-# {reader.say(checked)}"]


def _directory_lines(reader: Reader) -> list[str]:
    directory = LINES.directory
    checked = _("Checked: {date}", date=Verbatim(directory.checked_in(reader.locale)))
    return [
        reader.say(_("Help lines of many countries: {link}", link=Verbatim(directory.url))),
        f"-# {reader.say(checked)}",
    ]


def _country_buttons(codes: list[str], reader: Reader) -> list[PersistentButton]:
    named = [(code, Verbatim(country_name(code, reader.locale)[:70])) for code in codes]
    buttons = [CountryButton(code, reader, label=_("{country}", country=name)) for code, name in named]
    return [*buttons, OtherCountryButton(NO_COUNTRY, reader)]


def _barrier_select(codes: list[str], reader: Reader) -> BarrierSelect:
    options = [discord.SelectOption(label=reader.say(text), value=value) for value, text in BARRIERS.items()]
    return BarrierSelect("-".join(codes), reader.say(_("What would make it hard to call?")), options)


def verbatim(words: str) -> Verbatim:
    """Return the words of the file so that Discord shows every sign of them, the star of a number too."""
    return Verbatim("".join(f"\\{sign}" if sign in "\\*_~|" else sign for sign in words))
