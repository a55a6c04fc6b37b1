"""Services with their bot on a loopback Telegram or Discord and their worker, all in this process."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bots.dialogue.menu import Menu
from bots.platforms.discord import service as discord
from bots.platforms.telegram import service as telegram
from bots.runtime.retry import Backoff
from jobs import settings as s
from jobs.services import Services, open_services
from jobs.storage.database import open_database
from jobs.worker.worker import Worker
from tests.fakes import discord_person, discord_server, telegram_server
from tests.fakes.discord_messages import pictures_shown
from tests.fakes.discord_server import DiscordServer
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.thread_child import ThreadChild
from tests.live_services import beating

Person = telegram_server.Person | discord_person.Person
Chat = TelegramServer | DiscordServer
STUDIO = "tests.fakes.picture_studio:PictureStudio"
LEASE_S = 20.0  # nobody kills this worker: a machine that stood still for some seconds takes no job from it
READY = tempfile.TemporaryDirectory(prefix="atelier-ready-")
"""A data folder with an empty database in it, migrated once for all bots of a run."""


@asynccontextmanager
async def running_bot(
    folder: Path,
    server: Chat,
    studio: str = STUDIO,
    menu: Menu | None = None,
    backoff: Backoff | None = None,
    **more: object,
) -> AsyncIterator[Services]:
    """Services in a folder, its bot and worker running; a life that ends without goodbye.

    The fake studio's children are threads, another's are processes.
    """
    service = discord if isinstance(server, DiscordServer) else telegram
    config = s.load(data=folder, lease_s=LEASE_S, **addressed(server), **more)
    await lay_database(folder)
    async with open_services(config) as services:
        worker = Worker(config, services.database, services.blob_store, services.job_queue, studio)
        parts = [services.job_queue.relay(), worker.run(), service.run(services, menu, backoff)]
        with beating(LEASE_S), pytest.MonkeyPatch.context() as patch:
            if studio == STUDIO:
                patch.setattr("jobs.worker.worker.Child", ThreadChild)
            tasks = [asyncio.create_task(part) for part in parts]
            try:
                if isinstance(server, DiscordServer):  # what happens before that is lost, as on the real one
                    await server.until(lambda: server.gateway.listening or any(task.done() for task in tasks))
                yield services
            finally:
                for task in tasks:
                    task.cancel()
                for answer in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(answer, Exception):
                        raise answer


async def lay_database(folder: Path) -> None:
    """Give a data folder a migrated database, unless it has one."""
    ready = Path(READY.name) / "ledger.db"
    if not ready.exists():
        await (await open_database(s.load(data=ready.parent))).close()
    _copy_into(folder, ready)


def _copy_into(folder: Path, ready: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)  # else the copy would be a file of the folder's name
    if not (folder / ready.name).exists():
        shutil.copy(ready, folder)


def addressed(server: Chat) -> dict[str, object]:
    """Return the settings that lead a bot to a server."""
    if isinstance(server, DiscordServer):
        return {"discord_token": SecretStr(discord_server.TOKEN), "discord_api": server.url}
    return {"telegram_token": SecretStr(telegram_server.TOKEN), "telegram_api": server.url}


class Player:
    """Somebody on either platform as a player of scripts: what is waited for came, or changed, after the last act."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._before = dict[str, str]()

    async def says(self, text: str) -> None:
        """See `bots.platforms.transcript.Player`."""
        self._before = self._states()
        await self._person.says(text)

    async def presses(self, label: str) -> None:
        """See `bots.platforms.transcript.Player`."""
        await self._person.can_press(label)
        self._before = self._states()
        await self._person.presses(label)

    async def sends_files(self, paths: list[Path]) -> None:
        """See `bots.platforms.transcript.Player`."""
        self._before = self._states()
        await self._person.sends_files(paths)

    async def sees(self, words: str) -> None:
        """See `bots.platforms.transcript.Player`."""
        person = self._person
        try:
            await person.server.until(lambda: any(words in text for text in self._new()), person.patience_s)
        except AssertionError:
            raise AssertionError(f"{words!r} did not come; new on screen: {self._new()}") from None

    def _new(self) -> list[str]:
        said = zip(self._states().items(), self._person.screen(), strict=True)
        return [text for (id, state), text in said if self._before.get(id) != state]

    def _states(self) -> dict[str, str]:
        """Each of the bot's messages as it is: words, buttons and pictures."""
        return {id_of(message): repr(_shown(message)) for message in self._person.chat()}


def _shown(message: Any) -> object:
    if isinstance(message, dict):
        return message
    return message.text, message.components, [stored.id for stored in message.attachments]


async def begins(person: Person) -> None:
    await person.says("/start")
    await person.sees("I am Atelier")
    await person.presses("I agree")
    await person.sees("Thank you")


async def has_photos(person: Person, n: int = 2) -> None:
    await begins(person)
    await person.sends(*(picture("gray", mark=f"{person.id} {i}") for i in range(n)))
    await person.sees(f"I have {n} good photo")
    await person.can_press("Choose looks")


async def has_picked_office(person: Person) -> None:
    await has_photos(person)
    await person.presses("Choose looks")
    await person.sees("Pick one or more looks")
    await person.presses("At work")
    await person.presses("Office")
    await person.can_press("Go: 4")


async def has_gallery(person: Person) -> None:
    await has_picked_office(person)
    await person.presses("Go: 4")
    await person.sees("Your 3 portraits are ready")


async def tries_a_passport_and_applies_to_all(person: Person) -> None:
    """From the families of edits: measure a portrait for a passport, undo that, give its edits to the other five."""
    await person.presses("Formats")
    await person.presses("Passport, Germany")
    await person.sees("Measured for Passport, Germany: it does not meet what is asked, because the mouth is open")
    await person.presses("↶ Undo")
    await person.presses("◂ Back")
    await person.presses("Apply to all")
    await person.sees("Done for 5 portraits")


def id_of(message: Any) -> str:
    """The id of a message on either platform."""
    return str(message["message_id"] if isinstance(message, dict) else message.id)


def shows_picture(message: Any) -> bool:
    """Whether a message on either platform shows one picture."""
    return "photo" in message if isinstance(message, dict) else pictures_shown(message) == 1


def portraits(person: Person) -> list[str]:
    """The messages with a portrait; previews of looks say nothing of own photos."""
    said = zip(person.chat(), person.screen(), strict=True)
    found: list[Any] = [message for message, text in said if "Made with AI from your own photos" in text]
    assert all(map(shows_picture, found))
    return [id_of(message) for message in found]
