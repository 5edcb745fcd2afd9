"""Answer people: replies, the one error path, persistent buttons, forms, and who is asking.

Every slash command, button, menu and form of every cog passes through `answering`, so that each ends with a sentence
for the person. What is slow is deferred after a second by itself. Buttons, menus and forms carry their whole state in
their custom id, so that they work after a restart; the id is only a claim, and the rule behind it decides.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from io import BytesIO
from typing import Any, ClassVar, Self, cast

import aiohttp
import discord
from discord import app_commands, ui

from cogs import _typed as typed
from cogs._typed import Filled
from peerbot.bot import PeerBot
from peerbot.database import saved
from peerbot.errors import DatabaseBusy, NotAllowed, OutcomeUnknown, PeerbotError
from peerbot.rights import Actor
from peerbot.text import Reader, Text, _

log = logging.getLogger(__name__)

DEFER_AFTER = 1.0
"""Seconds after which a person sees that something is coming; Discord allows three."""
FORM_LIFE = 15 * 60.0
"""Seconds that the library remembers an open form; ours work longer, through the router."""
UNKNOWN_INTERACTION = 10062
ANSWERED = 40060
UNSENT = (discord.HTTPException, aiohttp.ClientError, OSError)
"""What the library lets through when Discord refuses an answer or the connection is lost."""
OLD_BUTTON = _("This button is from an older time. /groups and /my show what there is now.")
OLD_FORM = _("This form is from an older time. Please open it again.")
ROW_ID = r"\d{1,18}"
"""The id of a row in a button: no longer than what both databases can count to."""
SERVER_ID = r"(?:[1-8]\d{18}|\d{1,18})"
"""The id of a server in a button, which both databases can count to as well."""

Anyone = discord.Interaction[Any]


class Answer:
    """The answer to one interaction: deferred when it takes long, given once, then followed up."""

    def __init__(self, interaction: Anyone) -> None:
        self.interaction = interaction
        self.bot = cast("PeerBot", interaction.client)
        self.ways: list[ui.Item[Any]] = []
        """What can be done when this goes wrong."""
        self._lock = asyncio.Lock()
        self._placeholder = False

    @property
    def reader(self) -> Reader:
        """The person who asked, as a reader."""
        return Reader(str(self.interaction.locale))

    def say(self, text: Text) -> str:
        """Return a sentence in the language of the person."""
        return self.reader.say(text)

    @property
    def actor(self) -> Actor:
        """The person who asked, with the rights of this moment; raise NotAllowed outside a server."""
        interaction = self.interaction
        if interaction.guild_id is None or not isinstance(interaction.user, discord.Member):
            raise NotAllowed(_("This works in the server only."))
        return Actor(
            guild_id=interaction.guild_id,
            user_id=interaction.user.id,
            role_ids=frozenset(role.id for role in interaction.user.roles),
            manages=interaction.permissions.manage_guild,
            locale=str(interaction.locale),
        )

    def actor_in(self, guild_id: int) -> Actor:
        """The person who asked, as a member of a server: also from a letter in a direct message, with no rights there.

        The server in a button's id is a claim; whatever rule gets this actor looks for what is theirs in that server.
        """
        if self.interaction.guild_id is None:
            return Actor(guild_id=guild_id, user_id=self.interaction.user.id, locale=str(self.interaction.locale))
        if self.interaction.guild_id != guild_id:
            raise PeerbotError(OLD_BUTTON)
        return self.actor

    async def defer(self) -> None:
        """Show the person that an answer is coming, unless there is one."""
        async with self._lock:
            response = self.interaction.response
            if response.is_done() or self.interaction.type is discord.InteractionType.autocomplete:
                return
            if self._on_private_card:
                await response.defer()
            else:
                await response.defer(ephemeral=True, thinking=True)
                self._placeholder = True

    async def reply(self, card: Text | ui.LayoutView) -> None:
        """Answer with a new message that only the person sees."""
        view = self._view(card)
        attached = view.files.items() if isinstance(view, Card) else ()
        files = [discord.File(BytesIO(content), name) for name, content in attached]
        async with self._lock:
            if not self.interaction.response.is_done():
                await self.interaction.response.send_message(view=view, files=files, ephemeral=True)
            elif self._placeholder:
                self._placeholder = False
                await self.interaction.edit_original_response(view=view, attachments=files)
            else:
                await self.interaction.followup.send(view=view, files=files, ephemeral=True)

    async def show(self, card: Text | ui.LayoutView) -> None:
        """Answer in the private card that was pressed, so that one card tells the story; else with a new message."""
        if not self._on_private_card:
            await self.reply(card)
            return
        view = self._view(card)
        async with self._lock:
            if self.interaction.response.is_done():
                await self.interaction.edit_original_response(view=view)
            else:
                await self.interaction.response.edit_message(view=view)

    async def ask(self, form: ui.Modal) -> None:
        """Answer with a form."""
        async with self._lock:
            await self.interaction.response.send_modal(form)

    @property
    def _on_private_card(self) -> bool:
        # A form that was opened from a card carries that card's message too.
        message = self.interaction.message
        return message is not None and message.flags.ephemeral

    def _view(self, card: Text | ui.LayoutView) -> ui.LayoutView:
        view = card if isinstance(card, ui.LayoutView) else Card().text(self.say(card))
        view.stop()  # our buttons are found by their ids; the library need not remember the message
        return view


@asynccontextmanager
async def answering(interaction: Anyone, *, defers: bool = True) -> AsyncGenerator[Answer]:
    """Give an interaction its answer, whatever happens inside.

    A PeerbotError becomes its sentence. Anything else becomes a sentence with a reference, which the log has too.
    """
    answer = Answer(interaction)
    saved.set(False)
    slow = asyncio.create_task(_defer_when_slow(answer)) if defers else None
    try:
        yield answer
    except Exception as problem:  # noqa: BLE001 - the last resort of every interaction: the person must be told
        await _explain(answer, problem)
    finally:
        if slow is not None:
            slow.cancel()


async def _defer_when_slow(answer: Answer) -> None:
    await asyncio.sleep(DEFER_AFTER)  # noqa: TID251 - this is what slow means
    try:
        await answer.defer()
    except UNSENT:
        log.info("An interaction could not be deferred; it may have expired.")


async def _explain(answer: Answer, problem: Exception) -> None:
    problem = problem.original if isinstance(problem, app_commands.CommandInvokeError) else problem
    if isinstance(problem, DatabaseBusy) and saved.get():
        text = _("It is saved. I just can't show it right now. Please look again in a minute.")
    elif isinstance(problem, PeerbotError):
        text = problem.text
        if isinstance(problem, DatabaseBusy | OutcomeUnknown):
            log.warning("The database did not answer in time (%s).", type(problem.__cause__).__name__)
    elif isinstance(problem, app_commands.CheckFailure):
        text = _("You can't use this here.")
    elif isinstance(problem, discord.HTTPException) and problem.code in {UNKNOWN_INTERACTION, ANSWERED}:
        log.info("An interaction expired, or was answered by another process, before it was answered here.")
        return
    else:
        reference = secrets.token_hex(3).upper()
        log.error("Interaction failed. Reference: %s", reference, exc_info=problem)
        text = _("Something went wrong on our side. You did nothing wrong. Reference: {reference}", reference=reference)
    try:
        await answer.reply(Card().text(answer.say(text)).row(*answer.ways) if answer.ways else text)
    except UNSENT:
        log.warning("A person could not be told about an error: Discord did not take the answer.")


class Card(ui.LayoutView):
    """A card to look at: texts and rows of buttons, in the order in which they are added."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        self._box: ui.Container[Any] | None = None
        self.files: dict[str, bytes] = {}

    def boxed(self) -> Self:
        """Draw a frame around what follows."""
        self._box = ui.Container[Any]()
        self.add_item(self._box)
        return self

    def text(self, words: str, *, mark: int | None = None) -> Self:
        """Add a paragraph; by its `mark` it can be found when the card comes back with a press."""
        (self._box or self).add_item(ui.TextDisplay[Any](words, id=mark))
        return self

    def section(self, words: str, button: ui.Item[Any]) -> Self:
        """Add a paragraph with a button beside it."""
        (self._box or self).add_item(ui.Section[Any](words, accessory=button))
        return self

    def file(self, name: str, content: bytes) -> Self:
        """Add a file, which a reply brings along; a card shows only files that it names (components/reference.mdx)."""
        self.files[name] = content
        (self._box or self).add_item(ui.File[Any](f"attachment://{name}"))
        return self

    def row(self, *items: ui.Item[Any]) -> Self:
        """Add a row of buttons, or one select."""
        (self._box or self).add_item(ui.ActionRow[Any](*items))
        return self


Press = Callable[[Answer, str], Awaitable[None]]
Choose = Callable[[Answer, str, list[str]], Awaitable[None]]


class PersistentButton(ui.Button[Any]):
    """A button that works for ever: its id, `<feature>:<verb>:<state>`, says all that a press needs.

    Presses come through `route` below and not through the library, which drops one without a word when its message
    cannot be read, only logs an error in what it calls, and counts one in a check as "no".
    """

    verb: ClassVar[str]
    words: ClassVar[Text]
    look: ClassVar[discord.ButtonStyle]
    states: ClassVar[re.Pattern[str]]
    defers: ClassVar[bool] = True

    def __init_subclass__(
        cls,
        *,
        verb: str,
        label: Text,
        state: str = ROW_ID,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    ) -> None:
        super().__init_subclass__()
        cls.verb, cls.words, cls.look, cls.states = verb, label, style, re.compile(state)
        COMPONENTS[verb] = cls

    def __init__(self, state: int | str, reader: Reader, *, label: Text | None = None) -> None:
        self.state = str(state)
        words = reader.say(label or self.words)
        super().__init__(custom_id=f"{self.verb}:{state}", label=words, style=self.look)

    @classmethod
    async def use(cls, answer: Answer, state: str) -> None:
        """Do what the button with this state is for."""
        await cls(state, answer.reader).press(answer)

    @property
    def number(self) -> int:
        """The state as the id of a row."""
        return int(self.state)

    async def press(self, answer: Answer) -> None:
        """Do what the button is for."""
        raise NotImplementedError

    @classmethod
    def pressed(cls, function: Press) -> Press:
        """Say what the button does, from a module that shows cards with the button on them."""

        async def press(self: Self, answer: Answer) -> None:
            await function(answer, self.state)

        cls.press = press
        return function


class PersistentSelect(ui.Select[Any]):
    """A menu that works for ever, like a PersistentButton."""

    verb: ClassVar[str]
    states: ClassVar[re.Pattern[str]]
    offered: ClassVar[re.Pattern[str]]
    defers: ClassVar[bool] = True

    def __init_subclass__(cls, *, verb: str, state: str = ROW_ID, value: str = ".{1,100}") -> None:
        super().__init_subclass__()
        cls.verb, cls.states, cls.offered = verb, re.compile(state), re.compile(value)
        COMPONENTS[verb] = cls

    def __init__(self, state: int | str, placeholder: str, options: list[discord.SelectOption]) -> None:
        self.state = str(state)
        super().__init__(custom_id=f"{self.verb}:{state}", placeholder=placeholder, options=options)

    @classmethod
    async def use(cls, answer: Answer, state: str) -> None:
        """Do what the menu with this state is for, with what was chosen in it."""
        chosen = cast("dict[str, Any]", answer.interaction.data).get("values")
        if not chosen or not all(map(cls.offered.fullmatch, chosen)):
            raise PeerbotError(OLD_BUTTON)
        await cls(state, "", []).choose(answer, chosen)

    async def choose(self, answer: Answer, values: list[str]) -> None:
        """Do what the menu is for."""
        raise NotImplementedError

    @classmethod
    def chosen(cls, function: Choose) -> Choose:
        """Say what the menu does, from a module that shows cards with the menu on them."""

        async def choose(self: Self, answer: Answer, values: list[str]) -> None:
            await function(answer, self.state, values)

        cls.choose = choose
        return function


COMPONENTS: dict[str, type[PersistentButton | PersistentSelect]] = {}
"""Every button and menu by its verb; a class that is defined is known."""


Submit = Callable[[Answer, str, Filled], Awaitable[None]]
Opens = Callable[[Reader, str], ui.Modal]
FORMS: dict[str, tuple[re.Pattern[str], Submit, Opens | None]] = {}


def submits(name: str, *, state: str = "0", opens: Opens | None = None) -> Callable[[Submit], Submit]:
    """Register what happens when the form of this name is sent, and what its state looks like.

    With `opens`, which returns the form with a state, what was typed is not lost when it is refused. Not for members'
    words.
    """

    def register(function: Submit) -> Submit:
        FORMS[name] = (re.compile(state), function, opens)
        return function

    return register


def form(name: str, state: str | int, title: str, *fields: ui.Item[Any]) -> ui.Modal:
    """Return a form with an id of its own: the library keys forms by id over all people."""
    opened = ui.Modal(title=title, custom_id=f"form/{name}/{state}/{secrets.token_hex(4)}", timeout=FORM_LIFE)
    for field in fields:
        opened.add_item(field)
    return opened


async def route(interaction: Anyone) -> None:
    """Answer presses, choices and sent forms, those that no version knows any more included."""
    if not await cast("PeerBot", interaction.client).presence.may_answer():
        return  # another process answers
    custom_id = str((interaction.data or {}).get("custom_id", ""))
    if interaction.type is discord.InteractionType.modal_submit:
        async with answering(interaction) as answer:
            await _submit(answer, custom_id)
    elif interaction.type is discord.InteractionType.component:
        feature, verb, state = [*custom_id.split(":", 2), "", ""][:3]
        component = COMPONENTS.get(f"{feature}:{verb}")
        async with answering(interaction, defers=component is None or component.defers) as answer:
            if component is None or not component.states.fullmatch(state):
                await answer.reply(OLD_BUTTON)
            else:
                await component.use(answer, state)


async def _submit(answer: Answer, custom_id: str) -> None:
    _form, name, state, _token = (custom_id.split("/") + [""] * 3)[:4]
    states, submit, opens = FORMS.get(name, (None, None, None))
    if states is None or submit is None or not states.fullmatch(state):
        await answer.reply(OLD_FORM)
        return
    filled = Filled(answer.interaction)
    try:
        await submit(answer, state, filled)
    except Exception:
        if opens is not None and not saved.get():
            token = typed.keep(typed.Refused(answer.interaction.user.id, name, state, filled))
            answer.ways = [AgainButton(token, answer.reader)]
        raise


class AgainButton(PersistentButton, verb="forms:again", label=_("Open the form again"), state=typed.WORD):
    """Open a form that was refused, with what was typed in it."""

    defers = False

    async def press(self, answer: Answer) -> None:
        refused = typed.find(self.state, answer.interaction.user.id)
        opens = FORMS[refused.name][2] if refused is not None else None
        if refused is None or opens is None:
            await answer.reply(OLD_FORM)
            return
        opened = opens(answer.reader, refused.state)
        typed.fill(opened, refused.filled, answer.interaction.guild)
        await answer.ask(opened)


Suggest = Callable[[Anyone, str], Coroutine[Any, Any, list[app_commands.Choice[str]]]]


def suggesting(function: Suggest) -> Suggest:
    """Let a function that suggests return nothing when it fails; the library would leave the person waiting."""

    @wraps(function)
    async def suggest(interaction: Anyone, current: str) -> list[app_commands.Choice[str]]:
        try:
            return await function(interaction, current)
        except PeerbotError:
            return []
        except Exception as problem:  # whatever it is, the person goes on typing
            log.error("Autocomplete failed.", exc_info=problem)
            return []

    return suggest


async def on_tree_error(interaction: Anyone, problem: app_commands.AppCommandError) -> None:
    """Answer for an error outside a command's own `answering`: before it began, or in autocomplete."""
    if interaction.type is discord.InteractionType.autocomplete:
        log.error("Autocomplete failed.", exc_info=problem)
        if not interaction.response.is_done():
            await interaction.response.autocomplete([])
        return
    await _explain(Answer(interaction), problem)


async def setup(bot: PeerBot) -> None:
    """Take charge of errors and forms."""
    bot.tree.error(on_tree_error)
    bot.add_listener(route, "on_interaction")
