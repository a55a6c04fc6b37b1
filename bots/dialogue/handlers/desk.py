"""The retouching desk: edits, presets, the same edits for all, back to the first draw."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import effects as fx
from bots.dialogue.context import Context
from bots.dialogue.galleries import Gallery, Shown
from bots.dialogue.handlers.gallery import found_gallery, show_gallery
from bots.dialogue.rules import BUSY, ENHANCING, IDLE, handles, when
from bots.dialogue.screens import desk as screen
from bots.dialogue.screens.gallery import AvatarAsked, StickerAsked
from bots.dialogue.session import Running
from core.edit.offered import MOST_EDITS
from jobs.kinds.base import Job
from jobs.kinds.enhance import Enhance
from jobs.kinds.sticker import Sticker


@handles(screen.TweaksOpened, when(*IDLE, *BUSY))
def _tweaks_opened(ctx: Context, event: screen.TweaksOpened) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is not None:
        shown = gallery.showing(event.portrait)
        show_gallery(ctx, replace(shown, tweak_page=event.page, tweak_part=event.part))


@handles(screen.Tweaked, when(*IDLE, to=(ENHANCING,)))
def _tweaked(ctx: Context, event: screen.Tweaked) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    if not ctx.menu.has_tweak(event.tweak):
        ctx.toast("stale.old")
        return
    _edit(ctx, gallery, event.portrait, (event.tweak,), event.tweak)


@handles(screen.PresetPicked, when(*IDLE, to=(ENHANCING,)))
def _preset_picked(ctx: Context, event: screen.PresetPicked) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    edits = _edits_named(ctx, event.name)
    if not edits:
        ctx.toast("stale.old")
        return
    _edit(ctx, gallery, event.portrait, edits, event.name)


@handles(screen.MarksAnswered, when(*IDLE, *BUSY, to=(ENHANCING,)))
def _marks_answered(ctx: Context, event: screen.MarksAnswered) -> None:
    """Remember what is to become of moles and scars, and go on with the edit for which it was asked."""
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    ctx.change(marks="keep" if event.keep else "remove")
    said = f"marks.{ctx.session.marks}"
    edits = (event.edit,) if ctx.menu.has_tweak(event.edit) else _edits_named(ctx, event.edit)
    if not edits:  # pressed under the edits themselves
        ctx.toast(said)
        show_gallery(ctx, gallery)
        return
    ctx.replies.append(ctx.view.card("marks", [ctx.words(said)]))
    if ctx.session.state in IDLE:
        _edit(ctx, gallery, event.portrait, edits)


@handles(screen.PresetSaved, when(*IDLE, *BUSY))
def _preset_saved(ctx: Context, event: screen.PresetSaved) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    edits = _edits_of(ctx, gallery, event.portrait)
    if edits:
        ctx.change(preset=edits)
        show_gallery(ctx, gallery.with_desk(event.portrait))
        ctx.toast("preset.saved", n=len(edits))


@handles(screen.AppliedToAll, when(*IDLE, to=(ENHANCING,)))
def _applied_to_all(ctx: Context, event: screen.AppliedToAll) -> None:
    """Edit what the other pages show in the same way, from their first draws."""
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    edits = _edits_of(ctx, gallery, event.portrait)
    page = gallery.page_of(event.portrait)
    roots = [shown for shown in gallery.portraits if not shown.parent]
    others = [shown for at, shown in enumerate(roots, 1) if at != page]
    if edits and others:
        _place(ctx, "all", gallery, others[0].number, edits, tuple(shown.drawn.id for shown in others[1:]))


@handles(screen.EditsReset, when(*IDLE, *BUSY))
def _edits_reset(ctx: Context, event: screen.EditsReset) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    shown = gallery.find(event.portrait) if gallery is not None else None
    if gallery is not None and shown is not None:
        show_gallery(ctx, gallery.with_desk(gallery.root(shown).number))


@handles(AvatarAsked, when(*IDLE, to=(ENHANCING,)))
def _avatar_asked(ctx: Context, event: AvatarAsked) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is not None:
        _place(ctx, "avatar", gallery, event.portrait, (ctx.menu.avatar,))


@handles(StickerAsked, when(*IDLE, to=(ENHANCING,)))
def _sticker_asked(ctx: Context, event: StickerAsked) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    shown = gallery.find(event.portrait) if gallery is not None else None
    if gallery is not None and shown is not None:
        _begin(ctx, "sticker", gallery, shown, Sticker(shown.drawn.id, ctx.limits.stickers))
        ctx.toast("sticker.working")


def _edits_of(ctx: Context, gallery: Gallery, portrait: int) -> tuple[str, ...]:
    """Return the edits of a portrait, none (and say so) where there are none or more than one press may make."""
    shown = gallery.find(portrait)
    edits = screen.tweaks_of(gallery, shown) if shown is not None else ()
    if not edits:
        ctx.toast("preset.none")
    elif len(edits) > MOST_EDITS:
        ctx.toast("preset.too_many", n=len(edits), most=MOST_EDITS)
        return ()
    return edits


def _edits_named(ctx: Context, preset: str) -> tuple[str, ...]:
    return ctx.session.preset if preset == screen.MINE else dict(ctx.menu.presets).get(preset, ())


def _edit(ctx: Context, gallery: Gallery, portrait: int, edits: tuple[str, ...], pressed: str = "") -> None:
    """Show an edit that was made before, or have it made.

    Before the first that goes over moles or scars the person is asked about them. pressed: the edit's or preset's name.
    """
    shown = gallery.find(portrait)
    if shown is not None and screen.asks_about_marks(ctx.view, shown, edits):
        ctx.replies.append(screen.marks_question(ctx.view, gallery, shown, pressed))
        return
    if shown is not None:
        edits = screen.with_marks(ctx.view, gallery, shown, edits)
    made = gallery.edited(portrait, screen.CHAIN.join(edits))
    if made is not None:
        show_gallery(ctx, gallery.showing(made.number))
        return
    _place(ctx, "enhance", gallery, portrait, edits)


def _place(
    ctx: Context, kind: str, gallery: Gallery, portrait: int, edits: tuple[str, ...], others: tuple[int, ...] = ()
) -> None:
    shown = gallery.find(portrait)
    if shown is None:
        ctx.toast("stale.expired")
        return
    tweak = screen.CHAIN.join(edits)
    _begin(ctx, kind, gallery, shown, Enhance(shown.drawn.id, edits, others), tweak)
    ctx.toast("tweak.working", tweak=screen.tweak_label(ctx.view, tweak))


def _begin(ctx: Context, kind: str, gallery: Gallery, shown: Shown, work: Job, tweak: str = "") -> None:
    job = ctx.session.jobs + 1
    running = Running(job, kind, ctx.now, tweak, gallery.number, shown.number, shown_at=ctx.now)
    ctx.change(state=ENHANCING, jobs=job, running=running)
    ctx.effects.append(fx.Place(job, work))
