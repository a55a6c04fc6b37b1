"""The retouching desk under a portrait: edits by family, two taps deep, the strengths of one in a row; presets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press
from bots.dialogue.effects import Button, Card, Rows
from bots.dialogue.galleries import Gallery, Shown
from bots.dialogue.limits import BLOCKS
from bots.dialogue.screens.view import View
from core.edit.offered import OVER_MARKS, WITH_MARKS

FAMILIES_PAGE = 1  # of TweaksOpened; each family follows as a page of its own
STRENGTHS = ("touch", "less", "more", "lots")  # values that are the strengths of one edit: they share a row
CHAIN = "+"  # between the edits of one press, in `Shown.tweak`


@dataclass(frozen=True, slots=True)
class TweaksOpened(Press):
    """Page 0 closes the rows of edits. part: counted from 0, where a page has more buttons than fit."""

    op: ClassVar[str] = "edit"
    gallery: int
    portrait: int
    page: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class Tweaked(Press):
    """Edit a portrait: `warmer=touch`, `backdrop=park`."""

    op: ClassVar[str] = "tweak"
    gallery: int
    portrait: int
    tweak: str


@dataclass(frozen=True, slots=True)
class PresetPicked(Press):
    """Make the edits of a preset; the name `mine` is the person's own."""

    op: ClassVar[str] = "preset"
    gallery: int
    portrait: int
    name: str


@dataclass(frozen=True, slots=True)
class PresetSaved(Press):
    """Keep the edits of a portrait as the person's own preset."""

    op: ClassVar[str] = "keep_preset"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class AppliedToAll(Press):
    """Make the edits of a portrait to all others of its gallery."""

    op: ClassVar[str] = "to_all"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class EditsReset(Press):
    """Show a portrait as it was first made; its edits stay below it."""

    op: ClassVar[str] = "reset"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class MarksAnswered(Press):
    """Whether retouching keeps moles and scars. edit: what was pressed when it was asked, an edit or a preset."""

    op: ClassVar[str] = "marks"
    gallery: int
    portrait: int
    keep: bool
    edit: str = ""


MINE = "mine"
COLOURS = "in_colour"  # the edit that prints a portrait in colour again
RETOUCH = "retouch"  # the family of edits below which the answer about marks can be changed


def tweak_label(view: View, tweak: str) -> str:
    """Return the words for an edit, or for several that were made by one press."""
    for name, edits in view.menu.presets:
        if tweak.removesuffix(CHAIN + WITH_MARKS) == CHAIN.join(edits):
            return view.named("preset", name)
    return " + ".join(_one(view, each) for each in tweak.split(CHAIN))


def _one(view: View, tweak: str) -> str:
    name, _, value = tweak.partition("=")
    word = view.named("tweak", name)
    return f"{word}: {view.named('value', value)}" if value else word


def tweaks_of(gallery: Gallery, shown: Shown) -> tuple[str, ...]:
    """Return the edits a portrait was made with, in order."""
    return tuple(tweak for each in gallery.line(shown)[1:] for tweak in each.tweak.split(CHAIN))


def rows(view: View, gallery: Gallery, shown: Shown, beside: Rows) -> Rows:
    """Return the families with what acts on all edits, or the edits of the family that is open, as many as fit."""
    families = view.menu.families_of(shown.drawn.style)
    at = gallery.tweak_page - FAMILIES_PAGE - 1
    g, number, page = gallery.number, shown.number, gallery.tweak_page

    def more(part: int) -> TweaksOpened:
        return TweaksOpened(g, number, page, part)

    if not 0 <= at < len(families):
        return _fitting(view, _families(view, gallery, shown), gallery.tweak_part, beside, more)
    back: Rows = ((view.button("back", TweaksOpened(g, number, FAMILIES_PAGE)),),)
    lines = _edits(view, gallery, shown, families[at][1])
    if families[at][0] == RETOUCH and shown.drawn.marks:
        lines.append(marks_choice(view, gallery.number, shown.number, view.session.marks or "keep"))
    return (*_fitting(view, lines, gallery.tweak_part, (*beside, *back), more), *back)


def asks_about_marks(view: View, shown: Shown, edits: tuple[str, ...]) -> bool:
    """Say whether edits go over moles or scars of a person who has not said yet what is to become of them."""
    return not view.session.marks and bool(shown.drawn.marks) and _over_marks(edits)


def with_marks(view: View, gallery: Gallery, shown: Shown, edits: tuple[str, ...]) -> tuple[str, ...]:
    """Return edits with moles and scars taken out too, where the person wants that and it was not done before."""
    done = {each.partition("=")[0] for each in (*tweaks_of(gallery, shown), *edits)}
    out = view.session.marks == "remove" and shown.drawn.marks and "moles" not in done and _over_marks(edits)
    return (*edits, WITH_MARKS) if out else edits


def _over_marks(edits: tuple[str, ...]) -> bool:
    return any(each.partition("=")[0] in OVER_MARKS for each in edits)


def marks_question(view: View, gallery: Gallery, shown: Shown, edit: str) -> Card:
    """The question that is asked once: what of the person's own marks. Then the edit is made that they pressed."""
    rows = (marks_choice(view, gallery.number, shown.number, "", edit),)
    return view.card("marks", [view.words("marks.ask", n=shown.drawn.marks)], rows, repost=True)


def marks_choice(view: View, gallery: int, portrait: int, chosen: str, edit: str = "") -> tuple[Button, ...]:
    """Return keep and remove side by side; the one that is chosen is ticked."""
    return tuple(
        view.choice(
            view.words(f"button.marks_{word}"),
            chosen == word,
            MarksAnswered(gallery, portrait, word == "keep", edit),
        )
        for word in ("keep", "remove")
    )


def _families(view: View, gallery: Gallery, shown: Shown) -> list[tuple[Button, ...]]:
    g, number = gallery.number, shown.number
    families = [
        view.labelled(view.named("desk", family), TweaksOpened(g, number, FAMILIES_PAGE + 1 + i))
        for i, (family, _) in enumerate(view.menu.families_of(shown.drawn.style))
    ]
    presets = [
        view.labelled(view.named("preset", name), PresetPicked(g, number, name)) for name, _ in view.menu.presets
    ]
    if view.session.preset:
        presets.append(view.button("my_preset", PresetPicked(g, number, MINE)))
    lines = [*view.in_rows(families, 3), *view.in_rows(presets, 2)]
    if shown.parent:
        whole = [view.button("save_preset", PresetSaved(g, number)), view.button("reset", EditsReset(g, number))]
        if len(gallery.current) > 1:
            whole.append(view.button("to_all", AppliedToAll(g, number)))
        lines += view.in_rows(whole, 3)
    return lines


def _edits(
    view: View, gallery: Gallery, shown: Shown, edits: tuple[tuple[str, tuple[str, ...]], ...]
) -> list[tuple[Button, ...]]:
    """Return a row of strengths for each edit that has them, and two by two the values of the others.

    Colours are brought back where there are some to bring back alone.
    """
    g, number = gallery.number, shown.number
    lines: list[tuple[Button, ...]] = []
    for name, values in edits:
        if name == COLOURS and not shown.drawn.grey:
            continue
        if not values:
            lines.append((view.labelled(_one(view, name), Tweaked(g, number, name)),))
            continue
        labels = [_one(view, f"{name}={value}") for value in values]
        if set(values) <= set(STRENGTHS):
            labels[1:] = [view.named("value", value) for value in values[1:]]
        buttons = [
            view.labelled(label, Tweaked(g, number, f"{name}={value}"))
            for label, value in zip(labels, values, strict=True)
        ]
        lines += view.in_rows(buttons, len(values) if set(values) <= set(STRENGTHS) else 2)
    return lines


def _fitting(
    view: View, lines: list[tuple[Button, ...]], part: int, beside: Rows, more: Callable[[int], Press]
) -> Rows:
    """Return as many rows as fit beside those; where not all do, a last one leads on, and round."""
    limits = view.limits

    def cost(row: tuple[Button, ...]) -> int:
        return len(row) + limits.row_counts

    room = limits.components - sum(map(cost, beside)) - (BLOCKS if limits.row_counts else 0)
    if sum(map(cost, lines)) <= room:
        return tuple(lines)
    parts: list[list[tuple[Button, ...]]] = [[]]
    for line in lines:
        if parts[-1] and sum(map(cost, [*parts[-1], line])) > room - 1 - limits.row_counts:
            parts.append([])
        parts[-1].append(line)
    part %= len(parts)
    return (*parts[part], (view.button("next_page", more((part + 1) % len(parts))),))
