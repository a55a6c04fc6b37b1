"""An event of a job becomes an event of the conversation that placed it."""

from __future__ import annotations

from typing import Any

from bots.dialogue import events as e
from bots.dialogue.handlers.photos import number_of
from jobs.queue import events


def event_of(job_event: events.JobEvent) -> e.Event | None:
    """Translate a job's event; None when nobody needs to know."""
    payload = job_event.payload
    if isinstance(payload, events.Expired):
        photos = tuple(number_of(name) for name in payload.photos)
        return e.Expired(photos, payload.portraits, tuple(payload.deleted.items()))
    if isinstance(payload, events.TeamChanged):
        return e.TeamChanged(payload.team, payload.members, payload.released, payload.version, job_event.id)
    if isinstance(payload, events.TeamOver):
        return e.TeamOver(payload.team)
    what, _, number = job_event.ref.partition(":")
    number = number.partition(":")[0]  # a photo looked at again has a longer ref
    if not number.isdigit():
        return None
    n = int(number)
    if what == "photo":
        return _of_photo(n, payload)
    if what == "team":
        return _of_team(n, payload)
    match payload:
        case events.Queued():
            return e.JobMoved(n, place=payload.place, eta_s=payload.eta_s)
        case events.Step():
            stage = payload.stage.partition(" ")[0]
            return e.JobMoved(n, stage=stage, percent=round(100 * payload.done), eta_s=payload.eta_s)
        case events.FirstPortrait():
            return e.FirstPortraitCame(n, payload)
        case events.Preview():
            return e.PreviewCame(n, payload.file)
        case events.Failed():
            return e.JobFailed(n, payload.reason)
        case events.Cancelled():
            return e.JobStopped(n)
        case events.Done() if job_event.kind == "enhance" and payload.portraits:
            return e.PortraitCame(n, payload.portraits[0], payload.portraits[1:], int(payload.facts.get("left_out", 0)))
        case events.Done() if job_event.kind == "sticker":
            return e.StickersCame(n, tuple(payload.facts["files"]))
        case events.Done() if job_event.kind == "shoot":
            facts = payload.facts
            training = facts.get("training") or {}
            reason, gain = str(training.get("reason") or ""), training.get("gain_percent")
            return e.GalleryCame(n, payload.portraits, facts.get("drawn", 0), _counts(facts), reason, gain)
    return e.JobFailed(n, "other")


def _of_photo(number: int, payload: events.Payload) -> e.Event | None:
    if isinstance(payload, events.Failed):
        return e.PhotoFailed(number, payload.reason)
    if not isinstance(payload, events.Done):
        return None
    facts = payload.facts
    others = facts.get("others") or {}
    return e.PhotoLooked(
        _verdict(number, facts),
        missing=tuple(facts.get("missing") or ()),
        notes=tuple(facts.get("notes") or ()),
        of_set=tuple(facts.get("of_set") or ()),
        others=tuple(_verdict(number_of(name), other) for name, other in others.items()),
    )


def _of_team(team: int, payload: events.Payload) -> e.Event | None:
    """A sheet that could not be made, or is outdated, says nothing: the next change of the team makes another."""
    if not isinstance(payload, events.Done) or payload.facts["outdated"]:
        return None
    alike = {name: float(payload.facts.get(name) or 0.0) for name in ("eye_line", "head_height", "backdrop")}
    version, shown = int(payload.facts["version"]), int(payload.facts["shown"])
    return e.TeamSheetCame(team, str(payload.facts["file"]), version, shown, **alike)


def _verdict(number: int, facts: dict[str, Any]) -> e.Verdict:
    measured, limit = float(facts.get("measured") or 0.0), float(facts.get("limit") or 0.0)
    return e.Verdict(number, bool(facts.get("kept")), str(facts.get("reason") or ""), measured, limit)


def _counts(facts: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return why portraits were dropped, most frequent first."""
    dropped = facts.get("dropped") or {}
    if not isinstance(dropped, dict):
        return ()
    return tuple(sorted(((str(k), int(v)) for k, v in dropped.items()), key=lambda item: -item[1]))
