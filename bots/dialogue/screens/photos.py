"""Screens of the photos: a verdict on each, the count, and what is still missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press
from bots.dialogue.effects import Button, Card
from bots.dialogue.screens.choices import LooksOpened
from bots.dialogue.screens.view import View
from bots.dialogue.session import Photo

PHOTOS_WANTED = 4  # enough for training and a baseline; coaching asks for more variety, never demands it
PHOTOS_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class PhotoUndone(Press):
    """Take one photo back."""

    op: ClassVar[str] = "drop"
    photo: int


def photos(view: View, batch: str, repost: bool = False) -> Card:
    """The verdicts on the photos that were sent together, the count, and what is still missing."""
    session = view.session
    lines = [photo_line(view, photo) for photo in session.photos if photo.batch == batch]
    buttons: list[Button] = []
    if session.kept:
        buttons.append(view.button("looks", LooksOpened()))
    if session.photos:
        buttons.append(view.button("drop_photo", PhotoUndone(session.photos[-1].number)))
    if session.pending and not lines:
        lines = [view.words("photo.looking_many", n=len(session.pending))]
    else:
        lines = [*lines, "", count_line(view)] if lines else [count_line(view)]
    return view.card(slot(batch), lines, view.in_rows(buttons, 1), repost=repost, throttled=True)


def past_photos(view: View, batch: str) -> Card:
    """The same for photos of before, when a verdict has turned: one goes on from the newest card only."""
    lines = [photo_line(view, photo) for photo in view.session.photos if photo.batch == batch]
    return view.card(slot(batch), lines, throttled=True)


def slot(batch: str) -> str:
    """Return the card of the photos that were sent together."""
    return f"photos:{batch}"


def photo_line(view: View, photo: Photo) -> str:
    """One photo: kept or not, and why; what was mended on a kept one."""
    if photo.state == "kept":
        mended = view.known(*(f"note.{note}" for note in photo.notes))
        return " ".join([view.words("photo.kept", number=photo.number), *mended])
    if photo.state in {"coming", "looking"}:
        return view.words("photo.looking", number=photo.number)
    return view.words("photo.refused", why=reason(view, photo), number=photo.number)


def reason(view: View, photo: Photo) -> str:
    """Why a photo is not used, with its number and the limit where people can do something with them."""
    numbers = {"measured": f"{photo.measured:g}", "limit": f"{photo.limit:g}"}  # rounded where they were measured
    why = view.words_or(f"reason.{photo.reason}", "reason.other", **numbers)
    if photo.compressed and photo.reason in {"face_small", "too_few_pixels"}:
        why += " " + view.words("photo.send_as_file")
    return why


def count_line(view: View) -> str:
    """How many are kept, what is good to know of them together, and the one thing most worth sending next."""
    session = view.session
    kept = len(session.kept)
    if not kept:
        return view.words("photo.wait" if session.pending else "photo.none_yet")
    of_set = view.known(*(f"of_set.{word}" for word in session.of_set))
    line = " ".join([view.words("photo.count", n=kept), *of_set])
    if session.missing:
        return f"{line} {view.words_or(f'missing.{session.missing[0]}', 'missing.other')}"
    if kept < PHOTOS_WANTED:
        return f"{line} {view.words('photo.more', n=PHOTOS_WANTED - kept)}"
    return f"{line} {view.words('photo.enough')}"
