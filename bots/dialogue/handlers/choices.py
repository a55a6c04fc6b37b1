"""Looks, purpose, details, and Go."""

from __future__ import annotations

import zlib

from bots.dialogue import effects as fx
from bots.dialogue.context import Context
from bots.dialogue.handlers.photos import photo_file
from bots.dialogue.rules import CHOOSING, IDLE, WAITING, handles, when
from bots.dialogue.screens import choices, jobs
from bots.dialogue.session import DAY_S, Running
from bots.dialogue.text import duration
from jobs.kinds.shoot import Shoot


@handles(choices.LooksOpened, when(*IDLE, to=(CHOOSING,)))
def _looks_opened(ctx: Context, event: choices.LooksOpened) -> None:
    if not ctx.session.kept:
        ctx.toast("looks.no_photos")
        return
    first_time = ctx.session.state != CHOOSING
    ctx.change(state=CHOOSING)
    if first_time and ctx.session.last_card:
        ctx.replies.append(fx.Unbutton(ctx.session.last_card))
        ctx.change(last_card="")
    ctx.replies.append(choices.looks(ctx.view, event.family, event.page, repost=first_time))


@handles(choices.StylePicked, when(*IDLE, to=(CHOOSING,)))
def _style_picked(ctx: Context, event: choices.StylePicked) -> None:
    if event.style not in ctx.menu:
        ctx.toast("looks.off_menu")
        return
    if not ctx.session.kept:
        ctx.toast("looks.no_photos")
        return
    others = tuple(style for style in ctx.session.styles if style != event.style)
    if event.on and len(others) >= ctx.menu.at_most:
        ctx.toast("looks.enough", n=ctx.menu.at_most)
        return
    ctx.change(styles=(*others, event.style) if event.on else others, state=CHOOSING)
    ctx.replies.append(choices.looks(ctx.view, *ctx.menu.suited_to(ctx.session.purpose).page_with(event.style)))


@handles(choices.SurpriseAsked, when(*IDLE, to=(CHOOSING,)))
def _surprise_asked(ctx: Context, event: choices.SurpriseAsked) -> None:
    session = ctx.session
    if not session.kept:
        ctx.toast("looks.no_photos")
        return
    seed = zlib.crc32(f"{session.nonce}{session.jobs}{session.styles}".encode())
    picked = ctx.menu.surprise(session.purpose or ctx.menu.purposes[0], seed, but=session.styles)
    ctx.change(styles=picked, state=CHOOSING)
    ctx.replies.append(choices.looks(ctx.view))


@handles(choices.LastAsked, when(*IDLE, to=(CHOOSING,)))
def _last_asked(ctx: Context, event: choices.LastAsked) -> None:
    if not ctx.session.kept:
        ctx.toast("looks.no_photos")
        return
    offered = dict(ctx.menu.details)
    styles = tuple(style for style in ctx.session.last_styles if style in ctx.menu)
    details = tuple((name, value) for name, value in ctx.session.last_details if value in offered.get(name, ()))
    ctx.change(styles=styles, details=details, state=CHOOSING)
    ctx.replies.append(choices.looks(ctx.view))


@handles(choices.PurposePicked, when(*IDLE, to=(CHOOSING,)))
def _purpose_picked(ctx: Context, event: choices.PurposePicked) -> None:
    if event.purpose not in ctx.menu.purposes or not ctx.session.kept:
        ctx.toast("looks.no_photos")
        return
    ctx.change(purpose=event.purpose, state=CHOOSING)
    ctx.replies.append(choices.looks(ctx.view, event.family))


@handles(choices.DetailsOpened, when(*IDLE, to=(CHOOSING,)))
def _details_opened(ctx: Context, event: choices.DetailsOpened) -> None:
    if not ctx.session.kept:
        ctx.toast("looks.no_photos")
        return
    ctx.change(state=CHOOSING)
    ctx.replies.append(choices.details(ctx.view, event.name, event.page))


@handles(choices.DetailPicked, when(*IDLE, to=(CHOOSING,)))
def _detail_picked(ctx: Context, event: choices.DetailPicked) -> None:
    offered = dict(ctx.menu.details).get(event.name, ())
    if not ctx.session.kept or (event.value and event.value not in offered):
        ctx.toast("looks.off_menu")
        return
    chosen = {name: value for name, value in ctx.session.details if name != event.name}
    if event.value:
        chosen[event.name] = event.value
    ctx.change(details=tuple(sorted(chosen.items())), state=CHOOSING)
    ctx.replies.append(choices.details(ctx.view))


@handles(choices.GoPressed, when(*IDLE, to=(WAITING,)))
def _go(ctx: Context, event: choices.GoPressed) -> None:
    session = ctx.session
    if event.sitting <= session.jobs:
        ctx.toast("go.already")
        return
    team = session.membership
    wished = (team.look,) if team is not None else session.styles
    if not session.kept or not wished or event.sitting != session.jobs + 1:
        ctx.toast("go.not_ready")
        return
    if session.pending:
        ctx.toast("go.looking")
        return
    lately = session.sittings_since(ctx.now - DAY_S)
    if ctx.menu.a_day and len(lately) >= ctx.menu.a_day:
        free_in_s = sorted(lately)[-ctx.menu.a_day] + DAY_S - ctx.now
        ctx.toast("go.quota", n=ctx.menu.a_day, time=duration(session.language, free_in_s))
        return
    styles = tuple(style for style in wished if style in ctx.menu)
    running = Running(event.sitting, "shoot", ctx.now, shown_at=ctx.now)
    ctx.change(state=WAITING, jobs=event.sitting, running=running, last_styles=styles, last_details=session.details)
    shoot = Shoot(
        photos=tuple(photo_file(photo.number) for photo in session.kept),
        styles=styles,
        purpose=session.purpose or ctx.menu.purposes[0],
        count=ctx.menu.count,
        seed=zlib.crc32(f"{session.nonce}{event.sitting}".encode()) & 0x7FFFFFFF,
        details=session.details if team is None else (*choices.worn(session.details), *team.details),
    )
    ctx.effects.append(fx.Place(event.sitting, shoot))
    ctx.replies += [fx.Unbutton("looks"), jobs.progress(ctx.view, running)]
