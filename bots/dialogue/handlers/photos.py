"""Photos: taken once, answered one by one, taken back."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import buttons as t
from bots.dialogue import effects as r
from bots.dialogue import events as e
from bots.dialogue.context import COLLECTING, ENHANCING, WAITING, Handlers, Turn
from bots.dialogue.screens import cards
from bots.dialogue.session import Photo


def _photo_sent(turn: Turn, event: e.PhotoSent) -> None:
    session = turn.session
    if not session.consent:
        turn.say("consent.before_photo")
        turn.replies.append(cards.welcome(session))
    elif any(photo.unique == event.unique and photo.state != "failed" for photo in session.photos):
        turn.say("photo.twice")
    elif event.limit_bytes and event.size_bytes > event.limit_bytes:
        turn.say("photo.too_big", size=_megabytes(event.size_bytes), limit=_megabytes(event.limit_bytes))
    elif len(session.photos) >= cards.PHOTOS_AT_MOST:
        turn.say("photo.too_many", n=cards.PHOTOS_AT_MOST)
    else:
        _take_photo(turn, event)


def _take_photo(turn: Turn, event: e.PhotoSent) -> None:
    number = turn.session.photo_count + 1
    batch = event.album or str(number)
    photo = Photo(number, event.ref, event.unique, batch, compressed=event.compressed)
    turn.change(photos=(*turn.session.photos, photo), photo_count=number)
    turn.orders.append(r.Fetch(number, event.ref))
    if turn.session.state in {WAITING, ENHANCING}:
        turn.say("photo.for_next_time")
        return
    turn.change(state=COLLECTING)
    show_photos(turn, batch)


def show_photos(turn: Turn, batch: str, fresh: bool = False) -> None:
    """Show the card of photos sent together; the card before it loses its buttons."""
    card = cards.photos(turn.session, batch, fresh)
    if turn.session.last_card not in {"", card.slot}:
        turn.replies.append(r.Unbutton(turn.session.last_card))
    turn.change(last_card=card.slot)
    turn.replies.append(card)


def _photo_looked(turn: Turn, event: e.PhotoLooked) -> None:
    """Note the verdict and those on the photos before it; where one of these has turned, say so."""
    photo = turn.session.photo(event.verdict.photo)
    if photo is None:
        return
    before = turn.session
    turn.session = turn.session.with_photo(replace(photo, notes=event.notes))
    for verdict in (*event.others, event.verdict):
        _judge(turn, verdict)
    turn.change(missing=event.missing, of_set=event.of_set)
    pairs = zip(before.photos, turn.session.photos, strict=True)
    turned = [(old, now) for old, now in pairs if _turned(old, now)]
    said = [_after_all(turn, now) for old, now in turned if old.state != now.state]
    if said:
        turn.replies.append(r.Say("\n".join(said)))
    batches = dict.fromkeys(now.batch for _, now in turned if now.batch != photo.batch)
    turn.replies += [cards.past_photos(turn.session, batch) for batch in batches]
    show_photos(turn, photo.batch)


def _judge(turn: Turn, verdict: e.Verdict) -> None:
    old = turn.session.photo(verdict.photo)
    if old is not None:
        state = "kept" if verdict.kept else "refused"
        seen = replace(old, state=state, reason=verdict.reason, measured=verdict.measured, limit=verdict.limit)
        turn.session = turn.session.with_photo(seen)


def _turned(old: Photo, now: Photo) -> bool:
    """Whether an earlier verdict, or its reason, is another one now."""
    return old.state in {"kept", "refused"} and (old.state, old.reason) != (now.state, now.reason)


def _after_all(turn: Turn, photo: Photo) -> str:
    if photo.state == "kept":
        return turn.words("photo.good_after_all", number=photo.number)
    return turn.words("photo.after_all", number=photo.number, why=cards.reason(turn.session, photo))


def _photo_failed(turn: Turn, event: e.PhotoFailed) -> None:
    photo = turn.session.photo(event.photo)
    if photo is None or photo.state in {"kept", "refused"}:
        return
    turn.session = turn.session.with_photo(replace(photo, state="failed", reason=event.why))
    show_photos(turn, photo.batch)


def _photo_undone(turn: Turn, event: t.PhotoUndone) -> None:
    photo = turn.session.photo(event.photo)
    if photo is None:
        turn.toast("photo.gone_already")
        return
    turn.change(photos=tuple(p for p in turn.session.photos if p.number != photo.number), state=COLLECTING)
    turn.orders.append(r.Discard(photo.number))
    turn.toast("photo.dropped", number=photo.number)
    rest = any(p.batch == photo.batch for p in turn.session.photos)
    show_photos(turn, photo.batch if rest or not turn.session.photos else turn.session.photos[-1].batch)


def _photos_opened(turn: Turn, event: t.PhotosOpened) -> None:
    turn.change(state=COLLECTING)
    turn.say("photo.send_more")


def photo_file(number: int) -> str:
    """Return the name of a photo on the account's shelf."""
    return f"photos/{number}"


def number_of(name: str) -> int:
    """Read the number back out of a photo's name; 0 when it has none."""
    digits = name.rpartition("/")[2]
    return int(digits) if digits.isdigit() else 0


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f}"


HANDLERS: Handlers = {
    e.PhotoSent: _photo_sent,
    e.PhotoLooked: _photo_looked,
    e.PhotoFailed: _photo_failed,
    t.PhotoUndone: _photo_undone,
    t.PhotosOpened: _photos_opened,
}
