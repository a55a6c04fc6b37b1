"""Discord, what goes out: a reply becomes a message or an edit of one.

    reply -> Post -> the private chat, or an interaction's answer that one person sees -> handle

In a server everything is an answer to the newest interaction while its token lives; what comes later, and what lasts,
goes to the private chat. Where that is closed, the person is told while an interaction can still be answered.
See `bots.platforms.discord.updates` for what comes in.
"""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final, TypeVar

import aiohttp
import discord

from bots.dialogue import effects as fx
from bots.dialogue.text import say, spoken
from bots.platforms.base import Contact, Load, NotNow, PhotoGone, Unreachable
from bots.platforms.discord.interactions import Interactions, Live
from bots.platforms.discord.layouts import Post, file_name, fits, numbered, without_buttons
from bots.platforms.discord.limits import LIMITS, TOKEN_S, UPLOAD_BYTES
from bots.platforms.discord.updates import attachments_of
from bots.platforms.uploads import Upload

log = logging.getLogger("atelier.discord")

CHATS: Final = "https://discord.com/channels/@me"  # before a private channel's id: a link to it
CACHED: Final = 5000  # private channels, and what is on screen, kept in memory
CLOSED: Final = frozenset({50001, 50007, 50013, 50278})
"""Discord's codes for a person that a bot may not write to."""
OVER: Final = frozenset({10008, 10015, 10062, 40094, 50027})
"""Codes for an interaction that cannot be answered any more: too late, or one follow-up too many."""
AGAIN: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS})
"""A token that was reset ends the process; what is left to say waits for the next."""

T = TypeVar("T")


class _Over(Exception):
    """An interaction, or a message, is no longer to be answered or edited."""


class DiscordAdapter:
    """Discord as the dispatcher's adapter.

    A place is a person's id, which means their private chat, or `person/interaction`. A handle is a private chat's
    channel and message id, or of a message that one person sees its id, its interaction's token and when that ends.
    """

    platform = "discord"
    limits = LIMITS

    def __init__(self, client: discord.Client, interactions: Interactions) -> None:
        self._client, self._interactions = client, interactions
        self._channels: OrderedDict[str, int] = OrderedDict()
        self._on_screen: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    @property
    def home_link(self) -> str:
        """See `Adapter.home_link`: the bot's profile, which has the button to write to it."""
        return f"https://discord.com/users/{self._client.user.id}" if self._client.user else ""

    def met(self, owner: str, channel: int) -> None:
        """Remember a person's private chat."""
        _remember(self._channels, owner, channel)

    async def acknowledge(self, contact: Contact) -> None:
        """See `Adapter.acknowledge`."""
        await self._interactions.acknowledge(contact)

    async def answer(self, contact: Contact, toast: fx.Toast | None) -> str | None:
        """See `Adapter.answer`; words are a message that one person sees."""
        said = await self._interactions.answer(contact, toast)
        return None if said is None else _seen_by_one(*said)

    async def show(self, place: str, reply: fx.Reply, old: str | None, load: Load, key: str = "") -> list[str]:
        """See `Adapter.show`."""
        match reply:
            case fx.Say(public=True):
                return await self._post(place, Post(reply.text, reply.rows))
            case fx.Say():
                return await self._send(place, Post(reply.text, reply.rows), key, _quoted(old))
            case fx.Card():
                return await self._card(place, reply, old, load, key)
            case fx.Album():
                uploads = await _loaded(reply.pictures, load)
                text = "\n".join(picture.alt for picture in reply.pictures)
                return await self._send(place, Post(text, pictures=uploads), key)
            case fx.Files():
                return await self._files(place, reply, load, key)
            case fx.Stickers():  # a bot may add one to a server alone, not give one to a person
                return await self._files(place, fx.Files(reply.pictures, ""), load, key)
            case fx.TextFile():
                file = Upload(reply.name, reply.body.encode())
                return await self._send(place, Post(reply.caption, files=(file,)), key)
            case fx.Unbutton(whole=True) if old is not None:
                await self.remove(place, [old])
            case fx.Unbutton() if old is not None:
                await self._unbutton(old)
        return []

    async def remove(self, place: str, handles: list[str]) -> None:
        """See `Adapter.remove`: a bot may delete its own messages at any time, one by one."""
        for handle in handles:
            self._on_screen.pop(handle, None)
            with suppress(_Over, Unreachable):
                await _asked(self._message(handle).delete())

    async def fetch(self, ref: str) -> bytes:
        """See `Adapter.fetch`. A link that has expired is replaced by the message's new one."""
        url, *where = json.loads(ref)
        try:
            return await self._download(url)
        except PhotoGone:
            if not where:
                raise
        return await self._download(await self._new_link(*where))

    async def _files(self, place: str, reply: fx.Files, load: Load, key: str) -> list[str]:
        """Send files in as many messages as they need; no more of them are in memory than one message holds."""
        handles: list[str] = []
        numbers = itertools.count()

        async def send(part: list[Upload]) -> None:
            live = self._interactions.at(place)
            most = UPLOAD_BYTES if live is None else live.upload_bytes
            cut = any(len(upload.data) > most for upload in part)
            post = Post("\n".join([reply.caption, *([reply.smaller] if cut else [])]).strip(), files=numbered(part))
            handles.extend(await self._send(place, post, key and f"{key}-{next(numbers)}"))

        part: list[Upload] = []
        for picture in reply.pictures:
            upload = Upload(file_name(picture), await load(picture), picture.alt)
            if not fits(part, upload):
                await send(part)
                part = []
            part.append(upload)
        if part:
            await send(part)
        return handles

    # --- cards -----------------------------------------------------------------------------------

    async def _card(self, place: str, card: fx.Card, old: str | None, load: Load, key: str) -> list[str]:
        """Edit a card where the person looks at it; without its pictures where these are there already."""
        names = tuple(picture.name for picture in card.pictures)
        if old is not None and not self._in_sight(place, old, card.lasting):
            old = None
        if old is not None and card.revocable and _is_ephemeral(old):
            old = None  # an answer that one person sees cannot be changed any more after 15 minutes
        if old is None and card.revocable:
            card, names = replace(card, pictures=()), ()
        if old is not None and self._on_screen.get(old) == names:
            there = numbered([Upload(file_name(picture), b"", picture.alt) for picture in card.pictures])
            if await self._edited(old, Post(card.text, card.rows, there)):
                return []
        post = Post(card.text, card.rows, await _loaded(card.pictures, load))
        if old is not None and await self._edited(old, post, anew=True):
            _remember(self._on_screen, old, names)
            return []
        if card.revocable and names:
            return await self._card(place, card, None, load, key)
        handles = await self._send(place, post, key, lasting=card.lasting)
        _remember(self._on_screen, handles[-1], names)
        return handles

    def _in_sight(self, place: str, handle: str, lasting: bool) -> bool:
        """Whether a message is where the person acted last: in the server, or in the private chat."""
        if "/" in place:
            return _is_ephemeral(handle) or lasting
        if not _is_ephemeral(handle) or self._interactions.in_server(_owner(place)) is not None:
            return True
        answered = self._interactions.of_message(json.loads(handle)[0])
        return answered is not None and not answered.ephemeral

    async def _unbutton(self, handle: str) -> None:
        """Take the buttons off a message; the rest of it stays as it is on screen."""
        with suppress(_Over, Unreachable):
            message = self._message(handle)
            on_screen = await _asked(message.fetch())
            await _asked(message.edit(view=without_buttons(on_screen)))

    # --- requests --------------------------------------------------------------------------------

    async def _send(
        self, place: str, post: Post, key: str = "", quoted: int | None = None, lasting: bool = False
    ) -> list[str]:
        """Send a message to a place; return its handle, before it that of what was said about the way to it.

        Raises Unreachable when there is no way to the person. key: as `Adapter.show`. lasting: to the private chat all
        the same, and the person is told where it is.
        """
        owner, live = _owner(place), self._interactions.at(place)
        if live is not None and not lasting:
            with suppress(_Over):
                return [await self._follow_up(live, post)]
        try:
            handle = await self._write(owner, post, key, quoted)
        except Unreachable:
            last = live or self._interactions.last(owner)
            if last is None:
                raise
            with suppress(_Over):
                return [*await self._say_once(last, "discord.closed"), await self._follow_up(last, post)]
            raise
        if live is not None:
            with suppress(_Over):
                return [*await self._say_once(live, "discord.at_home", link=f"{CHATS}/{self._channels[owner]}"), handle]
        return [handle]

    async def _post(self, place: str, post: Post) -> list[str]:
        """Answer a command for everybody who reads along. Raises Unreachable when its time is over."""
        live = self._interactions.at(place)
        if live is None:
            raise Unreachable("the command's time is over")
        handles = []
        try:
            if live.thinking:  # what waits for it is for the person alone, and the first answer takes its place
                posted = Post(say(spoken(str(live.interaction.locale)), "team.posted"))
                handles.append(await self._follow_up(live, posted))
            sent = await _asked(live.interaction.followup.send(view=post.view(), ephemeral=False, wait=True))
        except _Over as over:
            raise Unreachable("the command's time is over") from over
        return [*handles, json.dumps([live.interaction.channel_id, sent.id])]

    async def _write(self, owner: str, post: Post, key: str, quoted: int | None) -> str:
        """Write to the private chat; Discord takes a second request with the same key for the same message."""
        channel, more = await self._channel(owner), dict[str, Any]()
        post = await post.within(UPLOAD_BYTES)
        if quoted is not None:
            more["reference"] = discord.MessageReference(
                message_id=quoted, channel_id=channel, fail_if_not_exists=False
            )
        if key:
            more["nonce"] = key
        try:
            sent = await _asked(self._private(channel).send(view=post.view(), files=post.uploads(), **more))
        except _Over as gone:
            raise NotNow("the message it answers is gone") from gone
        return json.dumps([channel, sent.id])

    async def _follow_up(self, live: Live, post: Post) -> str:
        """Answer an interaction. Raises _Over."""
        try:
            message = await _asked(self._interactions.follow_up(live, post))
        except _Over:
            live.over = True
            raise
        return _seen_by_one(live, message)

    async def _say_once(self, live: Live, key: str, **values: object) -> list[str]:
        """Say something about the way to the person, once an interaction; return the message's handle."""
        if live.told:
            return []
        live.told = True
        return [await self._follow_up(live, Post(say(spoken(str(live.interaction.locale)), key, **values)))]

    async def _channel(self, owner: str) -> int:
        if owner not in self._channels:
            chat = await _asked(self._client.create_dm(discord.Object(int(owner))))
            self.met(owner, chat.id)
        return self._channels[owner]

    async def _edited(self, handle: str, post: Post, anew: bool = False) -> bool:
        """Edit a message; False when it cannot be edited any more. anew: its pictures are replaced."""
        try:
            message = self._message(handle)
            live = self._interactions.of_message(json.loads(handle)[0]) if _is_ephemeral(handle) else None
            most = UPLOAD_BYTES if live is None else live.upload_bytes
            post = await post.within(most)
            changed: dict[str, Any] = {"view": post.view()}
            if anew:
                changed["attachments"] = post.uploads()
            await _asked(message.edit(**changed))
        except (_Over, Unreachable):
            return False
        return True

    def _message(self, handle: str) -> discord.PartialMessage | _AnswerSeenByOne:
        """Return the message of a handle, to be edited. Raises _Over for an answer whose interaction is over."""
        where, *more = json.loads(handle)
        if not _is_ephemeral(handle):
            return self._private(where).get_partial_message(more[0])
        live, (token, until) = self._interactions.of_message(where), more
        if live is None and time.time() > until:
            raise _Over
        assert self._client.application_id is not None
        token = live.interaction.token if live is not None else token
        return _AnswerSeenByOne(discord.Webhook.partial(self._client.application_id, token, client=self._client), where)

    async def _new_link(self, channel: int, message: int, attachment: int) -> str:
        """Ask for a message again, whose attachments have new links then."""
        try:
            again = await _asked(self._private(channel).fetch_message(message))
        except (_Over, Unreachable) as gone:
            raise PhotoGone(f"message {message}") from gone
        link = next((a.url for a in attachments_of(again) if a.id == attachment), None)
        if link is None:
            raise PhotoGone(f"attachment {attachment}")
        return link

    def _private(self, channel: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel, type=discord.ChannelType.private)

    async def _download(self, url: str) -> bytes:
        try:
            return await self._client.http.get_from_cdn(url)
        except (discord.NotFound, discord.Forbidden) as gone:
            raise PhotoGone(str(gone.status)) from gone
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError) as away:
            raise NotNow(str(away)) from away


class _AnswerSeenByOne:
    """An interaction's answer: edited with its token, not by the bot."""

    def __init__(self, webhook: discord.Webhook, message: int) -> None:
        self._webhook, self._id = webhook, message

    async def fetch(self) -> discord.Message:
        return await self._webhook.fetch_message(self._id)

    async def edit(self, **changed: Any) -> discord.Message:
        return await self._webhook.edit_message(self._id, **changed)

    async def delete(self) -> None:
        await self._webhook.delete_message(self._id)


async def _asked(asking: Coroutine[Any, Any, T]) -> T:
    """Wait for Discord and turn what it says into the dispatcher's words. Raises _Over; what is wrong is raised on."""
    try:
        return await asking
    except discord.RateLimited as flood:
        raise NotNow("rate limit", flood.retry_after) from flood
    except discord.HTTPException as no:
        if no.code in OVER:
            raise _Over from no
        if no.code in CLOSED or no.status == HTTPStatus.FORBIDDEN:
            raise Unreachable(f"{no.status} {no.code}") from no
        if no.status == HTTPStatus.NOT_FOUND:
            raise Unreachable(f"{no.status} {no.code}") from no
        if no.status in AGAIN or no.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotNow(f"{no.status}", float(no.response.headers.get("Retry-After") or 0.0)) from no
        raise
    except (aiohttp.ClientError, TimeoutError, OSError) as away:
        raise NotNow(type(away).__name__) from away


async def _loaded(pictures: Sequence[fx.Picture], load: Load) -> tuple[Upload, ...]:
    return numbered([Upload(file_name(picture), await load(picture), picture.alt) for picture in pictures])


def _owner(place: str) -> str:
    return place.partition("/")[0]


def _seen_by_one(live: Live, message: int) -> str:
    """Return the handle of an interaction's answer."""
    return json.dumps([message, live.interaction.token, int(live.interaction.created_at.timestamp() + TOKEN_S)])


def _is_ephemeral(handle: str) -> bool:
    """Whether a message is an interaction's answer."""
    return isinstance(json.loads(handle)[1], str)


def _quoted(handle: str | None) -> int | None:
    """Return the message that a reply points to; one that one person sees cannot be pointed to."""
    return None if handle is None or _is_ephemeral(handle) else json.loads(handle)[1]


def _remember(cache: OrderedDict[str, T], key: str, value: T) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > CACHED:
        cache.popitem(last=False)
