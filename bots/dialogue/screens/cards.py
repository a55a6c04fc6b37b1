"""What is on screen, built from the session alone: photos, looks, details, progress, privacy.

Each function returns one `Card` (or the rows of one). Which card comes when is decided in
`bots.dialogue.machine`; galleries are in `bots.dialogue.screens.gallery`; sentences in `bots/words`.
"""

from __future__ import annotations

from bots.dialogue.buttons import (
    Agreed,
    CancelPressed,
    Declined,
    DetailPicked,
    DetailsOpened,
    ForgetConfirmed,
    ForgetDeclined,
    GoPressed,
    KeepPicked,
    LanguagePicked,
    LooksOpened,
    PageOpened,
    PastOpened,
    PhotosOpened,
    PhotoUndone,
    Press,
    PreviewsAsked,
    PurposePicked,
    StylePicked,
    encode,
)
from bots.dialogue.effects import Album, Button, Card, Picture, Rows
from bots.dialogue.menu import Menu
from bots.dialogue.session import Photo, Running, Session
from bots.dialogue.text import LANGUAGES, catalogue, duration, said_or, say
from jobs.storage.accounts import DAY_S

CONSENT_VERSION = 1
KEEP_DAYS = (1, 7, 30)
PHOTOS_WANTED = 4  # enough for training and a baseline; coaching asks for more variety, never demands it
PHOTOS_AT_MOST = 20


def button(session: Session, key: str, press: Press, **values: object) -> Button:
    """Return a button with a label from the catalogue."""
    return Button(say(session.language, f"button.{key}", **values), data_of(session, press))


def data_of(session: Session, press: Press) -> str:
    """Return what a button of this conversation carries."""
    return encode(press, session.conversation, session.nonce, 64)


def in_rows(buttons: list[Button], wide: int) -> Rows:
    """Lay buttons out in rows of `wide`."""
    return tuple(tuple(buttons[i : i + wide]) for i in range(0, len(buttons), wide))


def _choice(session: Session, label: str, on: bool, press: Press) -> Button:
    """A button that is ticked or not: a word and a sign, never colour alone."""
    return Button(f"✓ {label}" if on else label, data_of(session, press))


def welcome(session: Session) -> Card:
    """Who speaks here, what is kept and why, and the question."""
    rows = (
        (button(session, "agree", Agreed(CONSENT_VERSION)),),
        (button(session, "decline", Declined()),),
        tuple(_language_buttons(session)),
    )
    return Card("welcome", say(session.language, "welcome", days=session.keep_days), rows, repost=True)


def photos(session: Session, batch: str, repost: bool = False) -> Card:
    """The verdicts on the photos that were sent together, the count, and what is still missing."""
    lines = [photo_line(session, photo) for photo in session.photos if photo.batch == batch]
    kept, pending = len(session.kept), len(session.pending)
    text = "\n".join([*lines, "", count_line(session)] if lines else [count_line(session)])
    buttons: list[Button] = []
    if kept:
        buttons.append(button(session, "looks", LooksOpened()))
    if session.photos:
        buttons.append(button(session, "drop_photo", PhotoUndone(session.photos[-1].number)))
    if pending and not lines:
        text = say(session.language, "photo.looking_many", n=pending)
    return Card(f"photos:{batch}", text, in_rows(buttons, 1), repost=repost, throttled=True)


def past_photos(session: Session, batch: str) -> Card:
    """The same for photos of before, when a verdict has turned: one goes on from the newest card only."""
    lines = [photo_line(session, photo) for photo in session.photos if photo.batch == batch]
    return Card(f"photos:{batch}", "\n".join(lines), throttled=True)


def photo_line(session: Session, photo: Photo) -> str:
    """One photo: kept or not, and why; what was mended on a kept one."""
    where = {"number": photo.number}
    if photo.state == "kept":
        told = [key for key in (f"note.{note}" for note in photo.notes) if key in catalogue(session.language)]
        return " ".join([say(session.language, "photo.kept", **where), *(say(session.language, key) for key in told)])
    if photo.state in {"coming", "looking"}:
        return say(session.language, "photo.looking", **where)
    return say(session.language, "photo.refused", why=reason(session, photo), **where)


def reason(session: Session, photo: Photo) -> str:
    """Why a photo is not used, with its number and the limit where people can do something with them."""
    known = {"measured": round(photo.measured, 1), "limit": round(photo.limit, 1)}
    why = said_or(session.language, f"reason.{photo.reason}", "reason.other", **known)
    if photo.compressed and photo.reason in {"face_small", "too_few_pixels"}:
        why += " " + say(session.language, "photo.send_as_file")
    return why


def count_line(session: Session) -> str:
    """How many are kept, what is good to know of them together, and the one thing most worth sending next."""
    kept = len(session.kept)
    if session.pending and not kept:
        return say(session.language, "photo.wait")
    if not kept:
        return say(session.language, "photo.none_yet")
    known = [key for key in (f"of_set.{word}" for word in session.of_set) if key in catalogue(session.language)]
    line = " ".join([say(session.language, "photo.count", n=kept), *(say(session.language, key) for key in known)])
    if session.missing:
        return f"{line} {said_or(session.language, f'missing.{session.missing[0]}', 'missing.other')}"
    if kept < PHOTOS_WANTED:
        return f"{line} {say(session.language, 'photo.more', n=PHOTOS_WANTED - kept)}"
    return f"{line} {say(session.language, 'photo.enough')}"


def previews(session: Session, menu: Menu, page: int) -> Album | None:
    """The looks of one page as pictures, None where a pack has none."""
    pictures = tuple(
        Picture("style", look.preview, f"{style_title(session, menu, look.id)}: {style_pitch(session, menu, look.id)}")
        for look in menu.page(page)
        if look.preview
    )
    return Album(pictures) if pictures else None


def looks(session: Session, menu: Menu, now: float, page: int = 0, repost: bool = False) -> Card:
    """The looks, the purpose, what is left of the quota, and Go."""
    lines = [
        say(session.language, "looks.ask"),
        *(f"• {style_title(session, menu, k.id)}: {style_pitch(session, menu, k.id)}" for k in menu.page(page)),
    ]
    styles = [
        _choice(session, style_title(session, menu, look.id), look.id in session.styles,
                StylePicked(look.id, look.id not in session.styles))
        for look in menu.page(page)
    ]  # fmt: skip
    rows = list(in_rows(styles, 2))
    more = []
    if menu.pages > 1:
        more.append(button(session, "more_looks", LooksOpened((page + 1) % menu.pages)))
    if previews(session, menu, page):
        more.append(button(session, "previews", PreviewsAsked(page)))
    if more:
        rows.append(tuple(more))
    rows.append(
        tuple(
            _choice(session, say(session.language, f"purpose.{purpose}"), purpose == _purpose(session, menu),
                    PurposePicked(purpose))
            for purpose in menu.purposes
        )
    )  # fmt: skip
    rows.append((button(session, "details", DetailsOpened()), button(session, "photos", PhotosOpened())))
    if session.styles:
        chosen = ", ".join(style_title(session, menu, style) for style in session.styles)
        lines += ["", say(session.language, "looks.chosen", styles=chosen)]
        lines += [detail_line(session, name, value) for name, value in session.details]
        pictures = len(session.styles) * menu.count
        rows.append((button(session, "go", GoPressed(session.jobs + 1), n=pictures),))
    if menu.a_day:
        left = max(0, menu.a_day - len(session.sittings_since(now - DAY_S)))
        lines += ["", say(session.language, "looks.quota", n=left, of=menu.a_day)]
    return Card("looks", "\n".join(lines), tuple(rows), repost=repost)


def details(session: Session, menu: Menu, name: str = "") -> Card:
    """What may be changed about a look, or the choices for one of these things."""
    if name not in dict(menu.details):
        buttons = [button(session, f"detail_{n}", DetailsOpened(n)) for n, _ in menu.details]
        lines = [say(session.language, "details.ask")]
        lines += [detail_line(session, n, dict(session.details).get(n, "")) for n, _ in menu.details]
    else:
        now = dict(session.details).get(name, "")
        buttons = [_choice(session, say(session.language, "detail.as_look"), not now, DetailPicked(name, ""))]
        buttons += [
            _choice(session, detail_value(session, value), value == now, DetailPicked(name, value))
            for value in dict(menu.details)[name]
        ]
        lines = [say(session.language, f"details.{name}")]
    rows = (*in_rows(buttons, 2), (button(session, "back", DetailsOpened() if name else LooksOpened()),))
    return Card("looks", "\n".join(lines), rows)


def detail_line(session: Session, name: str, value: str) -> str:
    """Outfit: navy suit."""
    word = detail_value(session, value) if value else say(session.language, "detail.as_look")
    return f"{say(session.language, f'button.detail_{name}')}: {word}"


def detail_value(session: Session, value: str) -> str:
    """Return the word for a choice; packs may bring choices the catalogue does not know yet."""
    return said_or(session.language, f"value.{value}", "value.other", value=value.replace("_", " "))


def style_title(session: Session, menu: Menu, style: str) -> str:
    """Return a look's title in the person's language, the pack's own where the catalogue has none."""
    return said_or(session.language, f"style.{style}.title", "value.other", value=menu.look(style).title)


def style_pitch(session: Session, menu: Menu, style: str) -> str:
    """Return a look's one-line promise in the person's language."""
    return said_or(session.language, f"style.{style}.pitch", "value.other", value=menu.look(style).pitch)


def _purpose(session: Session, menu: Menu) -> str:
    return session.purpose or menu.purposes[0]


def progress(session: Session, running: Running, eta_s: float | None = None) -> Card:
    """One card for a whole job: place in the queue, stage, percent, time still needed."""
    lines = [say(session.language, f"progress.{running.kind}")]
    if running.stopping:
        lines.append(say(session.language, "progress.stopping"))
    elif running.place > 0:
        lines.append(say(session.language, "progress.queued", n=running.place))
    elif running.stage:
        stage = said_or(session.language, f"stage.{running.stage}", "stage.other")
        lines.append(say(session.language, "progress.stage", stage=stage, percent=running.percent))
    else:
        lines.append(say(session.language, "progress.placed"))
    if eta_s is not None and not running.stopping:
        lines.append(say(session.language, "progress.eta", time=duration(session.language, eta_s)))
    rows: Rows = () if running.stopping else ((button(session, "cancel", CancelPressed(running.job)),),)
    return Card(job_slot(running), "\n".join(lines), rows, throttled=True)


def job_slot(running: Running) -> str:
    """Return the card a job reports on: a sitting's own placeholder, an edit's gallery."""
    return f"job:{running.job}" if running.kind == "shoot" else f"edit:{running.job}"


def privacy(session: Session) -> Card:
    """What is kept, for how long, and every way out."""
    text = say(session.language, "privacy.text", days=session.keep_days)
    keep = [
        _choice(session, say(session.language, "button.days", n=days), days == session.keep_days, KeepPicked(days))
        for days in KEEP_DAYS
    ]
    rows: Rows = (tuple(keep),) if session.consent else ()
    return Card("privacy", text, rows, repost=True)


def forget(session: Session) -> Card:
    """The question before everything is deleted."""
    text = say(session.language, "forget.ask", photos=len(session.photos), galleries=len(session.galleries))
    rows = ((button(session, "forget", ForgetConfirmed()),), (button(session, "keep_all", ForgetDeclined()),))
    return Card("forget", text, rows, repost=True)


def language(session: Session) -> Card:
    """The languages there are."""
    return Card("language", say(session.language, "language.ask"), (tuple(_language_buttons(session)),), repost=True)


def _language_buttons(session: Session) -> list[Button]:
    return [
        _choice(session, title, code == session.language, LanguagePicked(code)) for code, title in LANGUAGES.items()
    ]


def home(session: Session, menu: Menu) -> Card:
    """What somebody who comes back finds: their photos and their past portraits."""
    text = say(session.language, "home", n=len(session.kept), galleries=len(session.galleries))
    buttons = [button(session, "looks", LooksOpened())] if session.kept else []
    if session.galleries:
        buttons.append(button(session, "past", PastOpened()))
    return Card("home", text, in_rows(buttons, 2), repost=True)


def past(session: Session, menu: Menu) -> Card:
    """Every gallery there is, newest first."""
    if not session.galleries:
        return Card("past", say(session.language, "past.none"), repost=True)
    buttons = []
    for gallery in reversed(session.galleries[-12:]):
        styles = dict.fromkeys(style_title(session, menu, s.drawn.style) for s in gallery.portraits)
        label = say(
            session.language, "past.set", number=gallery.number, n=len(gallery.current), styles=", ".join(styles)
        )
        buttons.append(Button(label, data_of(session, PageOpened(gallery.number, gallery.at))))
    return Card("past", say(session.language, "past.ask"), in_rows(buttons, 1), repost=True)
