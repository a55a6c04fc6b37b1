"""THE DIALOGUE: what happens when. A table, one handler an event, no I/O.

Theory. A conversation is a `Session` in one of seven states. `advance(session, event, now)` looks the event up in
`TRANSITIONS[state]`, then in `ANYWHERE`, and calls its handler, which may move to one of the states named there,
answer with replies and ask for orders. An event that is in neither table is illegal: it changes nothing. A person is
then told kindly what is possible now; news of the studio that nobody waits for is passed over in silence.

Two rules make double taps, old buttons and repeated updates harmless. A button says what shall be, never "toggle".
And everything that starts work carries the number it would get: the second time, that number is taken.

Time comes in as `now` (seconds, UTC), the menu as data; the same events give the same session to the byte.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from bots import cards, carousel
from bots import messages as m
from bots.menu import Menu, house
from bots.messages import Event, Order, Reply, Toast
from bots.session import Gallery, Photo, Running, Session, State
from bots.wording import LANGUAGES, catalogue, said_or, say
from jobs import orders

WELCOME, COLLECTING, CHOOSING, WAITING = State.WELCOME, State.COLLECTING, State.CHOOSING, State.WAITING
BROWSING, ENHANCING, LEAVING = State.BROWSING, State.ENHANCING, State.LEAVING

Targets = tuple[State, ...]
E = TypeVar("E", bound=Event)

PHOTOS: dict[type[Event], Targets] = {
    m.PhotoSent: (COLLECTING,),
    m.PhotoUndone: (COLLECTING,),
    m.PhotosOpened: (COLLECTING,),
}
CHOICES: dict[type[Event], Targets] = {
    m.LooksOpened: (CHOOSING,),
    m.PreviewsAsked: (CHOOSING,),
    m.StylePicked: (CHOOSING,),
    m.PurposePicked: (CHOOSING,),
    m.DetailsOpened: (CHOOSING,),
    m.DetailPicked: (CHOOSING,),
    m.GoTapped: (WAITING,),
}
STAY: Targets = ()
LOOKING: dict[type[Event], Targets] = {
    m.Turned: STAY,
    m.Favoured: STAY,
    m.TweaksOpened: STAY,
    m.EditUndone: STAY,
    m.EditRedone: STAY,
    m.Compared: STAY,
    m.FilesAsked: STAY,
    m.PastOpened: STAY,
}
EDITS: dict[type[Event], Targets] = {m.Tweaked: (ENHANCING,), m.AvatarAsked: (ENHANCING,)}
VERDICTS: dict[type[Event], Targets] = {m.PhotoLooked: STAY, m.PhotoFailed: STAY}
LATE: dict[type[Event], Targets] = {m.GalleryCame: STAY, m.PortraitCame: STAY}

TRANSITIONS: dict[State, dict[type[Event], Targets]] = {
    WELCOME: {m.Agreed: (COLLECTING,), m.Declined: STAY, m.PhotoSent: STAY},
    COLLECTING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    CHOOSING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    WAITING: {
        m.OrderMoved: STAY,
        m.GalleryCame: (BROWSING,),
        m.PortraitCame: STAY,
        m.OrderFailed: (CHOOSING,),
        m.OrderStopped: (CHOOSING,),
        m.CancelTapped: STAY,
        m.PhotoSent: STAY,  # kept for the next sitting
        **LOOKING,
        **VERDICTS,
    },
    BROWSING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    ENHANCING: {
        m.OrderMoved: STAY,
        m.PortraitCame: (BROWSING,),
        m.GalleryCame: STAY,
        m.OrderFailed: (BROWSING,),
        m.OrderStopped: (BROWSING,),
        m.CancelTapped: STAY,
        m.PhotoSent: STAY,
        **LOOKING,
        **VERDICTS,
    },
    LEAVING: {m.Forgotten: (WELCOME,)},
}
ANYWHERE: dict[type[Event], Targets] = {
    m.Started: STAY,
    m.Said: STAY,
    m.OtherSent: STAY,
    m.Edited: STAY,
    m.HelpAsked: STAY,
    m.PrivacyAsked: STAY,
    m.LanguageAsked: STAY,
    m.LanguagePicked: STAY,
    m.KeepPicked: STAY,
    m.ReportAsked: STAY,
    m.ExportAsked: STAY,
    m.CancelAsked: STAY,
    m.ForgetAsked: STAY,
    m.ForgetDeclined: STAY,
    m.ForgetConfirmed: (LEAVING,),
    m.StaleTapped: STAY,
    m.Expired: (COLLECTING, WELCOME, CHOOSING),
}

STAGE_S = 3.0  # a progress card is edited at most this often: Telegram floods a bot that edits a chat every second
STAGE_PERCENT = 5


class Step(NamedTuple):
    """What one event led to."""

    session: Session
    replies: tuple[Reply, ...]
    orders: tuple[Order, ...]


@dataclass(slots=True)
class Turn:
    """One event being handled: the session as it becomes, and what was said and asked on the way."""

    session: Session
    now: float
    menu: Menu
    replies: list[Reply] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    def change(self, **fields: object) -> None:
        """Set fields of the session."""
        self.session = replace(self.session, **fields)  # type: ignore[arg-type]

    def words(self, key: str, **values: object) -> str:
        """Return a sentence in the person's language."""
        return say(self.session.language, key, **values)

    def say(self, key: str, **values: object) -> None:
        """Answer with a sentence."""
        self.replies.append(m.Say(self.words(key, **values)))

    def toast(self, key: str, **values: object) -> None:
        """Answer a tap in passing."""
        self.replies.append(Toast(self.words(key, **values)))


def new_session(mark: str, language: str = "en") -> Session:
    """Return the session of somebody never seen before; a language nobody here speaks becomes English."""
    code = language.split("-")[0].lower()
    return Session(mark, language=code if code in LANGUAGES else "en")


def advance(session: Session, event: Event, now: float, menu: Menu | None = None) -> Step:
    """Handle one event: the next session, what to show, what to order. Pure; never raises for any session and event."""
    targets = TRANSITIONS[session.state].get(type(event), ANYWHERE.get(type(event)))
    turn = Turn(session, now, menu or house())
    if targets is None:
        _refuse(turn, event)
        return Step(session, tuple(turn.replies), ())
    HANDLERS[type(event)](turn, event)
    assert turn.session.state in {session.state, *targets}, f"{type(event).__name__} led to {turn.session.state}"
    return Step(turn.session, tuple(turn.replies), tuple(turn.orders))


def _refuse(turn: Turn, event: Event) -> None:
    """Say what is possible now instead; the studio's own news needs no answer."""
    if isinstance(event, m.Tap):
        turn.toast(f"not_now.{turn.session.state}")


# --- coming in ---------------------------------------------------------------------------------------


def _started(turn: Turn, event: m.Started) -> None:
    kind, _, look = event.payload.partition("_")
    wanted = look if kind == "style" and look in turn.menu else ""
    idle = turn.session.state in {WELCOME, COLLECTING, CHOOSING, BROWSING}
    if wanted and idle and wanted not in turn.session.styles and len(turn.session.styles) < turn.menu.at_most:
        turn.change(styles=(*turn.session.styles, wanted))
    if wanted and idle:
        turn.say("start.style", style=cards.style_title(turn.session, turn.menu, wanted))
    if turn.session.state in {COLLECTING, CHOOSING, BROWSING} and (turn.session.kept or turn.session.galleries):
        turn.replies.append(cards.home(turn.session, turn.menu))
        return
    _show_state(turn)


def _agreed(turn: Turn, event: m.Agreed) -> None:
    if event.version != cards.CONSENT_VERSION:
        turn.say("consent.changed")
        turn.replies.append(cards.welcome(turn.session))
        return
    turn.change(state=COLLECTING, consent=event.version, consent_at=turn.now)
    turn.orders.append(m.Consent(event.version, turn.session.keep_days))
    turn.replies.append(m.Unbutton("welcome"))
    turn.say("consent.thanks", n=cards.PHOTOS_WANTED)


def _declined(turn: Turn, event: m.Declined) -> None:
    turn.say("consent.declined")


def _said(turn: Turn, event: m.Said) -> None:
    turn.say(f"said.{turn.session.state}")
    _show_state(turn)


def _other_sent(turn: Turn, event: m.OtherSent) -> None:
    turn.replies.append(m.Say(said_or(turn.session.language, f"other.{event.kind}", "other.file")))


def _edited(turn: Turn, event: m.Edited) -> None:
    turn.say("edited")


def _show_state(turn: Turn) -> None:
    """Show again, at the end of the chat, the card one can go on from."""
    session = turn.session
    match session.state:
        case State.WELCOME:
            turn.replies.append(cards.welcome(session))
        case State.COLLECTING if session.photos:
            _show_photos(turn, session.photos[-1].batch, fresh=True)
        case State.COLLECTING:
            turn.say("photo.none_yet")
        case State.CHOOSING:
            turn.replies.append(cards.looks(session, turn.menu, fresh=True))
        case State.WAITING | State.ENHANCING if session.running is not None:
            turn.replies.append(cards.progress(session, session.running))
        case State.BROWSING if session.gallery is not None:
            turn.replies.append(replace(carousel.card(session, turn.menu, session.gallery), fresh=True))
        case State.LEAVING:
            turn.say("forget.working")


# --- photos ------------------------------------------------------------------------------------------


def _photo_sent(turn: Turn, event: m.PhotoSent) -> None:
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


def _take_photo(turn: Turn, event: m.PhotoSent) -> None:
    number = turn.session.photo_count + 1
    batch = event.album or str(number)
    photo = Photo(number, event.ref, event.unique, batch, compressed=event.compressed)
    turn.change(photos=(*turn.session.photos, photo), photo_count=number)
    turn.orders.append(m.Fetch(number, event.ref))
    if turn.session.state in {WAITING, ENHANCING}:
        turn.say("photo.for_next_time")
        return
    turn.change(state=COLLECTING)
    _show_photos(turn, batch)


def _show_photos(turn: Turn, batch: str, fresh: bool = False) -> None:
    """Show the card of photos sent together; the card before it loses its buttons."""
    card = cards.photos(turn.session, batch, fresh)
    if turn.session.last_card not in {"", card.slot}:
        turn.replies.append(m.Unbutton(turn.session.last_card))
    turn.change(last_card=card.slot)
    turn.replies.append(card)


def _photo_looked(turn: Turn, event: m.PhotoLooked) -> None:
    photo = _photo(turn, event.photo)
    if photo is None:
        return
    state = "kept" if event.kept else "refused"
    seen = replace(photo, state=state, reason=event.reason, measured=event.measured, limit=event.limit)
    turn.session = turn.session.with_photo(seen)
    turn.change(missing=event.missing)
    for number, reason in event.others:
        other = _photo(turn, number)
        if other is not None and other.state == "kept" and number < event.photo:
            turn.session = turn.session.with_photo(replace(other, state="refused", reason=reason))
            why = said_or(turn.session.language, f"reason.{reason}", "reason.other", measured="", limit="")
            turn.say("photo.after_all", number=number, why=why)
    _show_photos(turn, photo.batch)


def _photo_failed(turn: Turn, event: m.PhotoFailed) -> None:
    photo = _photo(turn, event.photo)
    if photo is None or photo.state in {"kept", "refused"}:
        return
    turn.session = turn.session.with_photo(replace(photo, state="failed", reason=event.why))
    _show_photos(turn, photo.batch)


def _photo_undone(turn: Turn, event: m.PhotoUndone) -> None:
    photo = _photo(turn, event.photo)
    if photo is None:
        turn.toast("photo.gone_already")
        return
    turn.change(photos=tuple(p for p in turn.session.photos if p.number != photo.number), state=COLLECTING)
    turn.orders.append(m.Discard(photo.number))
    turn.toast("photo.dropped", number=photo.number)
    rest = any(p.batch == photo.batch for p in turn.session.photos)
    _show_photos(turn, photo.batch if rest or not turn.session.photos else turn.session.photos[-1].batch)


def _photos_opened(turn: Turn, event: m.PhotosOpened) -> None:
    turn.change(state=COLLECTING)
    turn.say("photo.send_more")


def _photo(turn: Turn, number: int) -> Photo | None:
    return next((photo for photo in turn.session.photos if photo.number == number), None)


def photo_file(number: int) -> str:
    """Return the name of a photo on the account's shelf."""
    return f"photos/{number}"


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f}"


# --- choosing ----------------------------------------------------------------------------------------


def _looks_opened(turn: Turn, event: m.LooksOpened) -> None:
    if not turn.session.kept:
        turn.toast("looks.no_photos")
        return
    first_time = turn.session.state != CHOOSING
    turn.change(state=CHOOSING)
    if first_time and turn.session.last_card:
        turn.replies.append(m.Unbutton(turn.session.last_card))
        turn.change(last_card="")
    pictures = cards.previews(turn.session, turn.menu, event.page) if first_time else None
    if pictures is not None:
        turn.replies.append(pictures)
    turn.replies.append(cards.looks(turn.session, turn.menu, event.page % turn.menu.pages, fresh=first_time))


def _previews_asked(turn: Turn, event: m.PreviewsAsked) -> None:
    pictures = cards.previews(turn.session, turn.menu, event.page)
    if pictures is None or not turn.session.kept:
        turn.toast("looks.no_previews")
        return
    turn.change(state=CHOOSING)
    turn.replies += [pictures, cards.looks(turn.session, turn.menu, event.page % turn.menu.pages, fresh=True)]


def _style_picked(turn: Turn, event: m.StylePicked) -> None:
    if event.style not in turn.menu:
        turn.toast("looks.off_menu")
        return
    if not turn.session.kept:
        turn.toast("looks.no_photos")
        return
    others = tuple(style for style in turn.session.styles if style != event.style)
    if event.on and len(others) >= turn.menu.at_most:
        turn.toast("looks.enough", n=turn.menu.at_most)
        return
    turn.change(styles=(*others, event.style) if event.on else others, state=CHOOSING)
    place = next(i for i, look in enumerate(turn.menu.looks) if look.id == event.style)
    turn.replies.append(cards.looks(turn.session, turn.menu, place // len(turn.menu.page(0))))


def _purpose_picked(turn: Turn, event: m.PurposePicked) -> None:
    if event.purpose not in turn.menu.purposes or not turn.session.kept:
        turn.toast("looks.no_photos")
        return
    turn.change(purpose=event.purpose, state=CHOOSING)
    turn.replies.append(cards.looks(turn.session, turn.menu))


def _details_opened(turn: Turn, event: m.DetailsOpened) -> None:
    if not turn.session.kept:
        turn.toast("looks.no_photos")
        return
    turn.change(state=CHOOSING)
    turn.replies.append(cards.details(turn.session, turn.menu, event.name))


def _detail_picked(turn: Turn, event: m.DetailPicked) -> None:
    choices = dict(turn.menu.details).get(event.name, ())
    if not turn.session.kept or (event.value and event.value not in choices):
        turn.toast("looks.off_menu")
        return
    chosen = {name: value for name, value in turn.session.details if name != event.name}
    if event.value:
        chosen[event.name] = event.value
    turn.change(details=tuple(sorted(chosen.items())), state=CHOOSING)
    turn.replies.append(cards.details(turn.session, turn.menu))


def _go(turn: Turn, event: m.GoTapped) -> None:
    session = turn.session
    if event.sitting <= session.orders:
        turn.toast("go.already")
        return
    if not session.kept or not session.styles or event.sitting != session.orders + 1:
        turn.toast("go.not_ready")
        return
    if session.pending:
        turn.toast("go.looking")
        return
    styles = tuple(style for style in session.styles if style in turn.menu)
    running = Running(event.sitting, "shoot", turn.now, shown_at=turn.now)
    turn.change(state=WAITING, orders=event.sitting, running=running)
    shoot = orders.Shoot(
        photos=tuple(photo_file(photo.number) for photo in session.kept),
        styles=styles,
        purpose=session.purpose or turn.menu.purposes[0],
        count=turn.menu.count,
        seed=zlib.crc32(f"{session.mark}{event.sitting}".encode()) & 0x7FFFFFFF,
        details=session.details,
    )
    turn.orders.append(m.Place(event.sitting, shoot))
    turn.replies += [m.Unbutton("looks"), cards.progress(turn.session, running)]


# --- waiting -----------------------------------------------------------------------------------------


def _order_moved(turn: Turn, event: m.OrderMoved) -> None:
    old = turn.session.running
    if old is None or old.order != event.order or old.stopping:
        return
    new = replace(old, place=event.place, stage=event.stage, percent=event.percent)
    moved = (new.place, new.stage) != (old.place, old.stage)
    if not moved and abs(new.percent - old.percent) < STAGE_PERCENT:
        return
    if turn.now - old.shown_at < STAGE_S and not (moved and old.stage == "" and old.place == 0):
        return
    new = replace(new, shown_at=turn.now)
    turn.change(running=new)
    turn.replies.append(cards.progress(turn.session, new, event.eta_s))


def _cancel_tapped(turn: Turn, event: m.CancelTapped) -> None:
    running = turn.session.running
    if running is None or running.order != event.order:
        turn.toast("cancel.nothing")
        return
    if running.stopping:
        turn.toast("cancel.already")
        return
    turn.change(running=replace(running, stopping=True))
    turn.orders.append(m.Cancel(running.order))
    assert turn.session.running is not None
    turn.replies.append(cards.progress(turn.session, turn.session.running))


def _cancel_asked(turn: Turn, event: m.CancelAsked) -> None:
    if turn.session.running is not None and turn.session.state in {WAITING, ENHANCING}:
        _cancel_tapped(turn, m.CancelTapped(turn.session.running.order))
    else:
        turn.say("cancel.nothing")


def _order_stopped(turn: Turn, event: m.OrderStopped) -> None:
    _end_order(turn, event.order, "cancel.done")


def _order_failed(turn: Turn, event: m.OrderFailed) -> None:
    _end_order(turn, event.order, f"failed.{event.why}", "failed.other")


def _end_order(turn: Turn, order: int, key: str, otherwise: str = "failed.other") -> None:
    """Close an order that brought no picture: its card says why, and the way back is open."""
    running = turn.session.running
    if running is None or running.order != order:
        return
    back = CHOOSING if running.kind == "shoot" else BROWSING
    turn.change(state=back, running=None)
    turn.replies.append(m.Card(cards.order_slot(running), said_or(turn.session.language, key, otherwise)))
    if back == CHOOSING:
        turn.replies.append(cards.looks(turn.session, turn.menu, fresh=True))


def _gallery_came(turn: Turn, event: m.GalleryCame) -> None:
    session, running = turn.session, turn.session.running
    awaited = running is not None and running.order == event.order and running.kind == "shoot"
    if any(gallery.order == event.order for gallery in session.galleries):
        return
    if not event.portraits:
        if awaited:
            _end_order(turn, event.order, "failed.none_like_you")
        return
    gallery = carousel.hang(len(session.galleries) + 1, event.order, turn.now, event.portraits)
    turn.session = session.with_gallery(gallery)
    if awaited:
        turn.change(state=BROWSING, running=None, styles=(), details=())
    if awaited or session.state in {COLLECTING, CHOOSING, BROWSING}:
        turn.change(open_gallery=gallery.number)
    turn.replies.append(carousel.card(turn.session, turn.menu, gallery))
    turn.replies.append(m.Say(_counts(turn, event), under=carousel.slot(gallery)))


def _counts(turn: Turn, event: m.GalleryCame) -> str:
    """Ready; how many were drawn, how many kept, and why the others were not."""
    lines = [turn.words("gallery.ready", n=len(event.portraits))]
    left_out = event.drawn - len(event.portraits)
    if left_out > 0:
        lines.append(turn.words("gallery.left_out", n=left_out, drawn=event.drawn))
        for reason, n in event.dropped:
            known = said_or(turn.session.language, f"dropped.{reason}", "dropped.other")
            lines.append(f"• {known}: {n}")
    if event.trained is not None:
        lines.append(turn.words("gallery.trained" if event.trained else "gallery.not_trained"))
    return "\n".join(lines)


# --- browsing ----------------------------------------------------------------------------------------


def _show_gallery(turn: Turn, gallery: Gallery, *, open_it: bool = True) -> None:
    turn.session = turn.session.with_gallery(gallery)
    if open_it:
        turn.change(open_gallery=gallery.number)
    turn.replies.append(carousel.card(turn.session, turn.menu, gallery))


def _found(turn: Turn, gallery: int, portrait: int = 0) -> Gallery | None:
    """Return the gallery a button is about, None (and say so) when it or its portrait is gone."""
    found = turn.session.gallery_of(gallery)
    if found is None or (portrait and found.find(portrait) is None):
        turn.toast("stale.expired")
        return None
    return found


def _turned(turn: Turn, event: m.Turned) -> None:
    gallery = _found(turn, event.gallery)
    if gallery is None:
        return
    fresh = turn.session.open_gallery != gallery.number
    _show_gallery(turn, carousel.turn(gallery, event.at))
    if fresh:
        turn.replies[-1] = replace(turn.replies[-1], fresh=True)  # type: ignore[call-arg]


def _favoured(turn: Turn, event: m.Favoured) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is None:
        return
    portraits = tuple(
        replace(shown, favourite=event.on) if shown.number == event.portrait else shown for shown in gallery.portraits
    )
    _show_gallery(turn, replace(gallery, portraits=portraits))


def _tweaks_opened(turn: Turn, event: m.TweaksOpened) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is not None:
        shown = carousel.show(gallery, event.portrait)
        _show_gallery(turn, replace(shown, tweak_page=event.page))


def _edit_undone(turn: Turn, event: m.EditUndone) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    shown = gallery.find(event.portrait) if gallery is not None else None
    if gallery is None or shown is None:
        return
    if not shown.parent:
        turn.toast("undo.first")
        return
    _show_gallery(turn, carousel.show(gallery, shown.parent))


def _edit_redone(turn: Turn, event: m.EditRedone) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is None:
        return
    child = carousel.later(gallery, event.portrait)
    if child is None:
        turn.toast("redo.none")
        return
    _show_gallery(turn, carousel.show(gallery, child.number))


def _compared(turn: Turn, event: m.Compared) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is not None:
        shown = carousel.show(gallery, event.portrait)
        _show_gallery(turn, replace(shown, comparing=event.on and bool(shown.open.parent)))


def _files_asked(turn: Turn, event: m.FilesAsked) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is None:
        return
    one = tuple(s for s in gallery.portraits if s.number == event.portrait)
    on_pages = tuple(s for s in map(gallery.find, gallery.current) if s is not None)
    favourites = tuple(s for s in gallery.portraits if s.favourite)
    chosen = {"one": one, "favourites": favourites, "all": on_pages}.get(event.what, ())
    if not chosen:
        turn.toast("files.no_favourites")
        return
    pictures = tuple(
        m.Picture("shelf", s.drawn.file, carousel.caption(turn.session, turn.menu, gallery, s).splitlines()[-1])
        for s in chosen
    )
    turn.toast("files.coming", n=len(chosen))
    turn.replies.append(m.Files(pictures, turn.words("files.caption", n=len(chosen))))


def _past_opened(turn: Turn, event: m.PastOpened) -> None:
    turn.replies.append(cards.past(turn.session, turn.menu))


# --- editing -----------------------------------------------------------------------------------------


def _tweaked(turn: Turn, event: m.Tweaked) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is None:
        return
    if not turn.menu.has_tweak(event.tweak):
        turn.toast("stale.old")
        return
    made = carousel.edited(gallery, event.portrait, event.tweak)
    if made is not None:
        _show_gallery(turn, carousel.show(gallery, made.number))
        return
    _enhance(turn, "enhance", gallery, event.portrait, event.tweak)


def _avatar_asked(turn: Turn, event: m.AvatarAsked) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is not None:
        _enhance(turn, "avatar", gallery, event.portrait, turn.menu.avatar)


def _enhance(turn: Turn, kind: str, gallery: Gallery, portrait: int, tweak: str) -> None:
    shown = gallery.find(portrait)
    assert shown is not None
    order = turn.session.orders + 1
    running = Running(order, kind, turn.now, tweak, gallery.number, portrait, shown_at=turn.now)
    turn.change(state=ENHANCING, orders=order, running=running)
    turn.orders.append(m.Place(order, orders.Enhance(shown.drawn.id, (tweak,))))
    turn.toast("tweak.working", tweak=carousel.tweak_label(turn.session, tweak))


def _portrait_came(turn: Turn, event: m.PortraitCame) -> None:
    running = turn.session.running
    if running is None or running.order != event.order:
        return
    gallery = turn.session.gallery_of(running.gallery)
    turn.change(state=BROWSING, running=None)
    if gallery is None:
        return
    if running.shown_at != running.since:
        turn.replies.append(m.Card(cards.order_slot(running), turn.words("tweak.done")))
    if running.kind == "avatar":
        picture = m.Picture("shelf", event.portrait.file, turn.words("avatar.alt"))
        turn.replies.append(m.Files((picture,), turn.words("avatar.caption")))
        return
    _show_gallery(turn, carousel.add_edit(gallery, running.portrait, running.tweak, event.portrait))


# --- rights and house-keeping ------------------------------------------------------------------------


def _help_asked(turn: Turn, event: m.HelpAsked) -> None:
    turn.say("help")


def _privacy_asked(turn: Turn, event: m.PrivacyAsked) -> None:
    turn.replies.append(cards.privacy(turn.session))


def _keep_picked(turn: Turn, event: m.KeepPicked) -> None:
    if event.days not in cards.KEEP_DAYS or not turn.session.consent:
        turn.toast("stale.old")
        return
    turn.change(keep_days=event.days)
    turn.orders.append(m.Consent(turn.session.consent, event.days))
    turn.toast("privacy.days", n=event.days)
    turn.replies.append(replace(cards.privacy(turn.session), fresh=False))


def _language_asked(turn: Turn, event: m.LanguageAsked) -> None:
    turn.replies.append(cards.language(turn.session))


def _language_picked(turn: Turn, event: m.LanguagePicked) -> None:
    if event.code not in LANGUAGES:
        turn.toast("stale.old")
        return
    turn.change(language=event.code)
    turn.toast("language.changed")
    if turn.session.state == WELCOME:
        turn.replies.append(replace(cards.welcome(turn.session), fresh=False))
    else:
        turn.replies.append(replace(cards.language(turn.session), fresh=False))


def _report_asked(turn: Turn, event: m.ReportAsked) -> None:
    if not event.text.strip():
        turn.say("report.how")
        return
    turn.orders.append(m.Report(event.text.strip()[:1000]))
    turn.say("report.thanks")


def _export_asked(turn: Turn, event: m.ExportAsked) -> None:
    if not turn.session.consent:
        turn.say("export.nothing")
        return
    turn.orders.append(m.Export())
    turn.say("export.working")


def _forget_asked(turn: Turn, event: m.ForgetAsked) -> None:
    if turn.session.state == LEAVING:
        turn.say("forget.working")
    else:
        turn.replies.append(cards.forget(turn.session))


def _forget_declined(turn: Turn, event: m.ForgetDeclined) -> None:
    turn.toast("forget.kept")
    turn.replies.append(m.Card("forget", turn.words("forget.kept")))


def _forget_confirmed(turn: Turn, event: m.ForgetConfirmed) -> None:
    if turn.session.state == LEAVING:
        turn.toast("forget.working")
        return
    turn.change(state=LEAVING)
    turn.orders.append(m.Forget())
    turn.replies.append(m.Card("forget", turn.words("forget.working")))


def _forgotten(turn: Turn, event: m.Forgotten) -> None:
    """Start anew as a stranger: the new mark makes every button of before mean nothing."""
    known = [
        (f"counted.{name}", n) for name, n in event.counts if f"counted.{name}" in catalogue(turn.session.language)
    ]
    counts = "\n".join(f"• {turn.words(key, n=n)}" for key, n in known)
    turn.replies += [
        m.Sweep(),
        m.TextFile("receipt.json", event.receipt, turn.words("forget.receipt", counts=counts)),
    ]
    turn.session = new_session(_next_mark(turn.session.mark, turn.now), turn.session.language)


def _next_mark(mark: str, now: float) -> str:
    return f"{zlib.crc32(f'{mark}{now}'.encode()) % 36**4:04x}"[-4:]


def _expired(turn: Turn, event: m.Expired) -> None:
    session = turn.session
    if not session.photos and not session.galleries:
        return
    state = session.state if session.state in {WELCOME, COLLECTING} else COLLECTING
    turn.change(photos=(), missing=(), galleries=(), open_gallery=0, running=None, last_card="", state=state)
    turn.say("privacy.expired", n=session.keep_days)


def _stale_tapped(turn: Turn, event: m.StaleTapped) -> None:
    turn.replies.append(Toast(said_or(turn.session.language, f"stale.{event.why}", "stale.old"), alert=True))


HANDLERS: dict[type[Event], Callable[..., None]] = {
    m.Started: _started,
    m.Agreed: _agreed,
    m.Declined: _declined,
    m.Said: _said,
    m.OtherSent: _other_sent,
    m.Edited: _edited,
    m.PhotoSent: _photo_sent,
    m.PhotoLooked: _photo_looked,
    m.PhotoFailed: _photo_failed,
    m.PhotoUndone: _photo_undone,
    m.PhotosOpened: _photos_opened,
    m.LooksOpened: _looks_opened,
    m.PreviewsAsked: _previews_asked,
    m.StylePicked: _style_picked,
    m.PurposePicked: _purpose_picked,
    m.DetailsOpened: _details_opened,
    m.DetailPicked: _detail_picked,
    m.GoTapped: _go,
    m.OrderMoved: _order_moved,
    m.CancelTapped: _cancel_tapped,
    m.CancelAsked: _cancel_asked,
    m.OrderStopped: _order_stopped,
    m.OrderFailed: _order_failed,
    m.GalleryCame: _gallery_came,
    m.Turned: _turned,
    m.Favoured: _favoured,
    m.TweaksOpened: _tweaks_opened,
    m.EditUndone: _edit_undone,
    m.EditRedone: _edit_redone,
    m.Compared: _compared,
    m.FilesAsked: _files_asked,
    m.PastOpened: _past_opened,
    m.Tweaked: _tweaked,
    m.AvatarAsked: _avatar_asked,
    m.PortraitCame: _portrait_came,
    m.HelpAsked: _help_asked,
    m.PrivacyAsked: _privacy_asked,
    m.KeepPicked: _keep_picked,
    m.LanguageAsked: _language_asked,
    m.LanguagePicked: _language_picked,
    m.ReportAsked: _report_asked,
    m.ExportAsked: _export_asked,
    m.ForgetAsked: _forget_asked,
    m.ForgetDeclined: _forget_declined,
    m.ForgetConfirmed: _forget_confirmed,
    m.Forgotten: _forgotten,
    m.Expired: _expired,
    m.StaleTapped: _stale_tapped,
}


def drawing() -> str:
    """Return the table as a mermaid diagram, so that the documentation cannot be out of date."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for state, events in TRANSITIONS.items():
        for event, targets in events.items():
            for target in targets:
                if target != state:
                    arrows.setdefault((state, target), []).append(event.__name__)
    lines = [f"    {a} --> {b}: {', '.join(sorted(names))}" for (a, b), names in arrows.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {WELCOME}", *lines])


if __name__ == "__main__":
    print(drawing())
