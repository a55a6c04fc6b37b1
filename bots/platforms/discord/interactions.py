"""The life of Discord's interactions: acknowledged once and at once, answered within fifteen minutes.

    interaction -> begin (contact) -> acknowledge -> [ the dispatcher ] -> answer, follow up -> its time is over

A command is acknowledged with a line that says that the bot is thinking, a button with nothing. In a private chat
that line goes away, because answers there are messages that stay; in a server it becomes the first answer, which the
person alone sees. The token of a press on such a message is what edits it from then on.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import discord

from bots.dialogue import effects as fx
from bots.platforms.base import Contact
from bots.platforms.discord.layouts import Post
from bots.platforms.discord.limits import LIMITS, TOKEN_S

log = logging.getLogger("atelier.discord")

REMEMBERED: Final = 5000  # interactions at most, whatever their age

AnyInteraction = discord.Interaction[Any]


@dataclass(slots=True, eq=False)
class Live:
    """An interaction that can be answered.

    thinking: a line waits to become its first answer. told: whether it was said where later answers come, or cannot.
    answered: what was to be said of it at once is said.
    """

    interaction: AnyInteraction
    owner: str
    ephemeral: bool
    thinking: bool = False
    over: bool = False
    told: bool = False
    answered: bool = False

    @property
    def upload_bytes(self) -> int:
        """The most bytes that one file of an answer may have: a server that was paid for takes more."""
        return self.interaction.filesize_limit

    @property
    def alive(self) -> bool:
        """Whether Discord still takes its token."""
        age = discord.utils.utcnow() - self.interaction.created_at
        return not self.over and age.total_seconds() < TOKEN_S


class Interactions:
    """The interactions that are alive, by id; and for each person whether they acted in a server last."""

    def __init__(self) -> None:
        self._live: OrderedDict[str, Live] = OrderedDict()
        self._of_message: OrderedDict[int, str] = OrderedDict()
        self._last: OrderedDict[str, str] = OrderedDict()
        self._in_server: OrderedDict[str, str] = OrderedDict()

    def begin(self, interaction: AnyInteraction) -> Contact:
        """Take an interaction up, once its events are read; return who it is from and where it is answered."""
        owner, number = str(interaction.user.id), str(interaction.id)
        private_chat = in_private_chat(interaction)
        self._let_go(self._last.get(owner, ""))
        live = Live(interaction, owner, ephemeral=not private_chat)
        self._live[number] = live
        if interaction.message is not None:
            self._of_message[interaction.message.id] = number
        interaction.message = interaction.data = None  # what it was about is read: 7 kB of 9 that need not be kept
        self._last[owner] = number
        self._in_server[owner] = "" if private_chat else number
        self._prune()
        interaction.data = interaction.message = None  # its token is all that is needed from here on
        language = str(interaction.locale)
        if private_chat:
            return Contact(owner, owner, number, language, number)
        return Contact(owner, f"{owner}/{number}", number, language, number, home=owner, ephemeral=True)

    def heard_at_home(self, owner: str) -> None:
        """Note that a person wrote in the private chat."""
        self._in_server[owner] = ""

    def at(self, place: str) -> Live | None:
        """Return the interaction that a place is, None for a private chat or when its time is over."""
        return self._alive(place.partition("/")[2])

    def last(self, owner: str) -> Live | None:
        """Return the interaction that a person acted with last, None when its time is over."""
        return self._alive(self._last.get(owner, ""))

    def in_server(self, owner: str) -> Live | None:
        """Return the same, None where the person has been in the private chat since."""
        return self._alive(self._in_server.get(owner, ""))

    def of_message(self, message: int) -> Live | None:
        """Return the newest interaction on a message that one person alone sees: its token edits the message."""
        return self._alive(self._of_message.get(message, ""))

    def _alive(self, number: str) -> Live | None:
        live = self._live.get(number)
        return live if live is not None and live.alive else None

    async def acknowledge(self, contact: Contact) -> None:
        """Tell Discord that an interaction arrived; never raises."""
        live = self._live.get(contact.interaction)
        if live is None or live.interaction.response.is_done():
            return
        live.thinking = live.interaction.type is not discord.InteractionType.component
        try:
            await live.interaction.response.defer(ephemeral=True, thinking=live.thinking)
        except discord.NotFound:  # it came too late
            live.over = True
            log.warning("interaction_too_late", extra={"kind": live.interaction.type.name})
        except (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("not_acknowledged", extra={"error": type(error).__name__})

    async def answer(self, contact: Contact, toast: fx.Toast | None) -> tuple[Live, int] | None:
        """Say what is said in passing, or end the thinking in a private chat; never raises.

        Return the interaction and the id of the message with the words, None where there is none.
        """
        live = self._live.get(contact.interaction)
        if live is None or not live.alive:
            return None
        try:
            if toast is not None:
                return live, await self.follow_up(live, Post(toast.text[: LIMITS.toast]))
            if live.thinking and not live.ephemeral:
                live.thinking = False
                await live.interaction.delete_original_response()
        except (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("not_answered", extra={"error": type(error).__name__})
        finally:
            live.answered = True
        return None

    async def follow_up(self, live: Live, post: Post) -> int:
        """Answer an interaction for the person's eyes alone; return the message's id. Raises what discord.py raises."""
        message: discord.Message
        post = await post.within(live.upload_bytes)
        thinking, live.thinking = live.thinking, False
        if thinking:
            try:
                message = await live.interaction.edit_original_response(view=post.view(), attachments=post.uploads())
            except BaseException:
                live.thinking = True
                raise
        else:
            message = await live.interaction.followup.send(
                view=post.view(), files=post.uploads(), ephemeral=True, wait=True
            )
        self._of_message[message.id] = str(live.interaction.id)
        return message.id

    def _let_go(self, number: str) -> None:
        """Forget an earlier interaction of a person in the private chat: answers there are messages, and need none.

        A chat has fifteen of them, 2 kB each, that would be kept until their time is over.
        """
        live = self._live.get(number)
        if live is not None and live.answered and not live.ephemeral:
            del self._live[number]

    def _prune(self) -> None:
        while self._live and (len(self._live) > REMEMBERED or not next(iter(self._live.values())).alive):
            self._live.popitem(last=False)
        for kept in (self._of_message, self._last, self._in_server):
            while len(kept) > REMEMBERED:
                kept.popitem(last=False)


def in_private_chat(interaction: AnyInteraction) -> bool:
    """Whether an interaction came from the private chat with the bot, where nobody else reads along."""
    return interaction.guild_id is None and not interaction.context.private_channel
