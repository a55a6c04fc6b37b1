"""Photos: taken once, answered one by one, taken back."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import Context
from bots.dialogue.rules import BUSY, COLLECTING, IDLE, WELCOME, handles, when
from bots.dialogue.screens import photos, welcome
from bots.dialogue.screens.choices import PhotosOpened
from bots.dialogue.session import Photo


@handles(e.PhotoSent, when(WELCOME, *BUSY), when(*IDLE, to=(COLLECTING,)))
def _photo_sent(ctx: Context, event: e.PhotoSent) -> None:
    """Take a photo, or say why not; one sentence is enough for photos that were sent together."""
    session, limit = ctx.session, ctx.limits.fetch_bytes
    if not session.consent:
        if ctx.say_once(event.album, "consent.before_photo"):
            ctx.replies.append(welcome.welcome(ctx.view))
    elif any(photo.unique == event.unique and photo.state != "failed" for photo in session.photos):
        ctx.say_once(event.album, "photo.twice")
    elif limit and event.size_bytes > limit:
        ctx.say("photo.too_big", size=_megabytes(event.size_bytes), limit=_megabytes(limit))
    elif len(session.photos) >= photos.PHOTOS_AT_MOST:
        ctx.say_once(event.album, "photo.too_many", n=photos.PHOTOS_AT_MOST)
    else:
        _take_photo(ctx, event)


def _take_photo(ctx: Context, event: e.PhotoSent) -> None:
    number = ctx.session.photo_count + 1
    batch = event.album or str(number)
    photo = Photo(number, event.ref, event.unique, batch, compressed=event.compressed)
    ctx.change(photos=(*ctx.session.photos, photo), photo_count=number)
    ctx.effects.append(fx.Fetch(number, event.ref))
    if ctx.session.state in BUSY:
        ctx.say_once(event.album, "photo.for_next_time")
        return
    ctx.change(state=COLLECTING)
    show_photos(ctx, batch)


def show_photos(ctx: Context, batch: str, repost: bool = False) -> None:
    """Show the card of photos sent together; the card before it loses its buttons."""
    card = photos.photos(ctx.view, batch, repost)
    if ctx.session.last_card not in {"", card.slot}:
        ctx.replies.append(fx.Unbutton(ctx.session.last_card))
    ctx.change(last_card=card.slot)
    ctx.replies.append(card)


@handles(e.PhotoLooked, when(*IDLE, *BUSY))
def _photo_looked(ctx: Context, event: e.PhotoLooked) -> None:
    """Note the verdict and those on the photos before it; where one of these has turned, say so."""
    photo = ctx.session.photo(event.verdict.photo)
    if photo is None:
        return
    before = ctx.session
    ctx.session = ctx.session.with_photo(replace(photo, notes=event.notes))
    for verdict in (*event.others, event.verdict):
        _judge(ctx, verdict)
    ctx.change(missing=event.missing, of_set=event.of_set)
    pairs = zip(before.photos, ctx.session.photos, strict=True)
    turned = [(old, now) for old, now in pairs if _turned(old, now)]
    said = [_after_all(ctx, now) for old, now in turned if old.state != now.state]
    if said:
        ctx.replies.append(fx.Say("\n".join(said)))
    batches = dict.fromkeys(now.batch for _, now in turned if now.batch != photo.batch)
    ctx.replies += [photos.past_photos(ctx.view, batch) for batch in batches]
    show_photos(ctx, photo.batch)


def _judge(ctx: Context, verdict: e.Verdict) -> None:
    old = ctx.session.photo(verdict.photo)
    if old is not None:
        state = "kept" if verdict.kept else "refused"
        seen = replace(old, state=state, reason=verdict.reason, measured=verdict.measured, limit=verdict.limit)
        ctx.session = ctx.session.with_photo(seen)


def _turned(old: Photo, now: Photo) -> bool:
    """Whether an earlier verdict, or its reason, is another one now."""
    return old.state in {"kept", "refused"} and (old.state, old.reason) != (now.state, now.reason)


def _after_all(ctx: Context, photo: Photo) -> str:
    if photo.state == "kept":
        return ctx.words("photo.good_after_all", number=photo.number)
    return ctx.words("photo.after_all", number=photo.number, why=photos.reason(ctx.view, photo))


@handles(e.PhotoFailed, when(*IDLE, *BUSY))
def _photo_failed(ctx: Context, event: e.PhotoFailed) -> None:
    photo = ctx.session.photo(event.photo)
    if photo is None or photo.state in {"kept", "refused"}:
        return
    limit = ctx.limits.fetch_bytes / 1e6
    ctx.session = ctx.session.with_photo(replace(photo, state="failed", reason=event.why, limit=limit))
    show_photos(ctx, photo.batch)


@handles(photos.PhotoUndone, when(*IDLE, to=(COLLECTING,)))
def _photo_undone(ctx: Context, event: photos.PhotoUndone) -> None:
    photo = ctx.session.photo(event.photo)
    if photo is None:
        ctx.toast("photo.gone_already")
        return
    ctx.change(photos=tuple(p for p in ctx.session.photos if p.number != photo.number), state=COLLECTING)
    ctx.effects.append(fx.Discard(photo.number))
    ctx.toast("photo.dropped", number=photo.number)
    rest = any(p.batch == photo.batch for p in ctx.session.photos)
    show_photos(ctx, photo.batch if rest or not ctx.session.photos else ctx.session.photos[-1].batch)


@handles(PhotosOpened, when(*IDLE, to=(COLLECTING,)))
def _photos_opened(ctx: Context, event: PhotosOpened) -> None:
    ctx.change(state=COLLECTING)
    ctx.say("photo.send_more")


def photo_file(number: int) -> str:
    """Return the name of a photo in the account's blob store."""
    return f"photos/{number}"


def number_of(name: str) -> int:
    """Read the number back out of a photo's name; 0 when it has none."""
    digits = name.rpartition("/")[2]
    return int(digits) if digits.isdigit() else 0


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f}"
