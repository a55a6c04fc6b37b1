"""Screens of a job under way: how far it is, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press
from bots.dialogue.effects import Card, Picture, Rows
from bots.dialogue.events import GalleryCame
from bots.dialogue.screens.gallery import made_by_ai
from bots.dialogue.screens.view import View
from bots.dialogue.session import Running
from bots.dialogue.text import duration


@dataclass(frozen=True, slots=True)
class CancelPressed(Press):
    """Stop a job."""

    op: ClassVar[str] = "stop"
    job: int


def progress(view: View, running: Running, eta_s: float | None = None) -> Card:
    """One card for a whole job: place in the queue, stage, percent, time still needed (seconds); the first portrait."""
    waits = running.first and not running.stopping
    lines = [view.words("progress.first" if waits else f"progress.{running.kind}")]
    if running.stopping:
        lines.append(view.words("progress.stopping"))
    elif running.place > 0:
        lines.append(view.words("progress.queued", n=running.place))
    elif running.stage:
        stage = view.words_or(f"stage.{running.stage}", "stage.other")
        lines.append(view.words("progress.stage", stage=stage, percent=running.percent))
    else:
        lines.append(view.words("progress.placed"))
    if eta_s is not None and not running.stopping:
        lines.append(view.words("progress.eta", time=duration(view.session.language, eta_s)))
    rows: Rows = () if running.stopping else ((view.button("cancel", CancelPressed(running.job)),),)
    pictures = (_first_of(view, running),) if running.first else ()
    lines += [made_by_ai(view, view.now)] if running.first else []
    return view.card(slot(running), lines, rows, pictures, throttled=True, lasting=running.kind == "shoot")


def _first_of(view: View, running: Running) -> Picture:
    return Picture("blob", running.first, f"{view.words('progress.first')}\n{made_by_ai(view, view.now)}")


def slot(running: Running) -> str:
    """Return the card a job reports on: a sitting's own placeholder, an edit's own."""
    return f"job:{running.job}" if running.kind == "shoot" else f"edit:{running.job}"


def counts(view: View, event: GalleryCame) -> str:
    """Ready; how many were drawn, how many kept, why the others were not, and what training came to."""
    lines = [view.words("gallery.ready", n=len(event.portraits))]
    left_out = event.drawn - len(event.portraits)
    if left_out > 0:
        lines.append(view.words("gallery.left_out", n=left_out, drawn=event.drawn))
        lines += [f"• {view.words_or(f'dropped.{reason}', 'dropped.other')}: {n}" for reason, n in event.dropped]
    if event.training in {"helped", "did_not_help"} and (event.gain_percent or -1) >= 0:
        lines.append(view.words(f"training.{event.training}_by", percent=round(event.gain_percent or 0)))
    else:
        lines += view.known(f"training.{event.training}")
    return "\n".join(lines)
