"""What a chat platform must be able to do for the concierge, and how it says that it cannot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bots.dialogue import effects as fx
from core.errors import AtelierError

Load = Callable[[fx.Picture], Awaitable[bytes]]
"""Brings a picture's bytes; raises jobs.storage.blobs.BlobMissing when it was deleted."""


class Unreachable(AtelierError):
    """The person blocked the bot or closed the chat; what is undelivered waits until they come back."""


class NotNow(AtelierError):
    """The platform did not answer or asked to wait; worth another try."""


class PhotoGone(AtelierError):
    """The platform does not have the file any more."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Who an update is from. key: the update's own id; tap: the platform's handle for answering a button."""

    user: str
    chat: str
    key: str
    language: str = "en"
    tap: str = ""


class Adapter(Protocol):
    """What a platform must be able to do. Raises Unreachable and NotNow; everything else is its own to mend."""

    platform: str
    upload_bytes: int

    async def show(self, chat: str, reply: fx.Reply, old: str | None, load: Load) -> list[str]:
        """Send a reply, or edit its old self; return the handles of messages that are new.

        old: of a Card or an Unbutton the message it is on, of a Say the message it answers.
        """

    async def answer(self, tap: str, toast: fx.Toast | None) -> None:
        """Answer a tap, with words or without."""

    async def remove(self, chat: str, handles: list[str]) -> None:
        """Delete messages where the platform still allows it."""

    async def fetch(self, ref: str) -> bytes:
        """Return a sent file's bytes; raises PhotoGone."""
