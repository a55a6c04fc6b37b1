"""What a chat platform must be able to do for the dispatcher, and how it says that it cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bots.dialogue import effects as fx
from bots.dialogue.limits import Limits
from core.errors import AtelierError

Load = Callable[[fx.Picture], Awaitable[bytes]]
"""Brings a picture's bytes; raises jobs.storage.blobs.BlobMissing when it was deleted."""


class Unreachable(AtelierError):
    """The person blocked the bot or closed the chat; what is undelivered waits until they come back."""


class NotNow(AtelierError):
    """The platform did not answer, or asked to wait `retry_after_s`; worth another try."""

    def __init__(self, message: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PhotoGone(AtelierError):
    """The platform does not have the file any more."""


class PhotoTooBig(AtelierError):
    """The file has more bytes than `Limits.fetch_bytes`; another try would end alike."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Who did something, and where that is answered.

    owner: the platform's id of the person, who owns the account. place: where this is answered, in the adapter's own
    notation: a private chat, a message in a group, an interaction. home: the owner's private chat, where later news
    goes; empty when it is the place. key: the update's own id, empty where the platform never repeats one.
    interaction: the handle for acknowledging a button or a command, empty for a plain message. private: nobody but the
    owner and the bot sees what was sent. ephemeral: answers in that place must be shown to the owner alone.
    """

    owner: str
    place: str
    key: str = ""
    language: str = "en"
    interaction: str = ""
    home: str = ""
    private: bool = True
    ephemeral: bool = False


class Adapter(Protocol):
    """What a platform must be able to do. Raises Unreachable and NotNow; everything else is its own to mend."""

    platform: str
    limits: Limits

    @property
    def home_link(self) -> str:
        """A link that opens the private chat with the bot."""

    async def acknowledge(self, contact: Contact) -> None:
        """Tell the platform that a press or a command arrived. Called before anything is read or written; never raises.

        A platform that takes one answer only may hold it back for `answer`, as long as it is surely given in time.
        """

    async def answer(self, contact: Contact, toast: fx.Toast | None) -> str | None:
        """End what `acknowledge` began, with words or without; never raises.

        Return the handle of the message that the words became, None where they became none that stays.
        """

    async def show(self, place: str, reply: fx.Reply, old: str | None, load: Load, key: str = "") -> list[str]:
        """Send a reply, or edit its old self; return the handles of messages that are new.

        A revocable card that has no message yet, or none that can be changed, comes without its pictures: shown again
        by its new handle it gets them, so that a picture of others is never in a message that nobody knows.

        place: `Contact.place` or `Contact.home`. old: of a Card or an Unbutton the message it is on, of a Say the
        message it answers. key: the same for every try to show this reply and for no other reply, empty where it is
        tried once: a platform that knows repeated requests by such a key shows the reply once.
        """

    async def remove(self, place: str, handles: list[str]) -> None:
        """Delete messages where the platform still allows it."""

    async def fetch(self, ref: str) -> bytes:
        """Return a sent file's bytes; raises PhotoGone and PhotoTooBig."""
