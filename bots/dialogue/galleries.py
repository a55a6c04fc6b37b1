"""A gallery: one sitting's portraits and the edits made of them, a tree whose roots are its pages. Pure values.

An edit takes its portrait's place on the page until it is undone. Undo and redo walk the tree, nothing is drawn again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from jobs.queue.events import Pictured


@dataclass(frozen=True, slots=True)
class Shown:
    """A portrait in a gallery. parent: the number it was edited from, 0 for a first draw; tweak: by what."""

    number: int
    drawn: Pictured
    parent: int = 0
    tweak: str = ""
    favourite: bool = False


@dataclass(frozen=True, slots=True)
class Gallery:
    """One sitting's portraits: first draws are its pages, edits hang below them.

    job: the sitting's number in its conversation. made_at: seconds since 1970. at: the page that is open, from 1.
    current: for every page the number of the portrait shown there. tweak_page: which buttons of edits are open, 0 for
    none; tweak_part: which part of them, where not all fit.
    """

    number: int
    job: int
    made_at: float
    portraits: tuple[Shown, ...]
    current: tuple[int, ...]
    at: int = 1
    tweak_page: int = 0
    tweak_part: int = 0
    comparing: bool = False

    def find(self, number: int) -> Shown | None:
        """Return the portrait of that number."""
        return next((shown for shown in self.portraits if shown.number == number), None)

    @property
    def open(self) -> Shown:
        """The portrait on screen."""
        found = self.find(self.current[self.at - 1])
        assert found is not None
        return found

    def page_of(self, number: int) -> int:
        """Return the page (from 1) a portrait belongs to, 0 when it is not of this gallery."""
        shown = self.find(number)
        roots = [s.number for s in self.portraits if not s.parent]
        return roots.index(self.root(shown).number) + 1 if shown is not None else 0

    def root(self, shown: Shown) -> Shown:
        """Return the first draw an edit comes from."""
        return self.line(shown)[0]

    def line(self, shown: Shown) -> list[Shown]:
        """Return the first draw, the edits made of it one after the other, and this portrait."""
        line = [shown]
        while line[0].parent and (above := self.find(line[0].parent)) is not None:
            line.insert(0, above)
        return line

    def edited(self, parent: int, tweak: str) -> Shown | None:
        """Return the edit that was already made from this portrait in this way."""
        return next((s for s in self.portraits if s.parent == parent and s.tweak == tweak), None)

    def later(self, number: int) -> Shown | None:
        """Return the newest edit made from this portrait, the one a redo shows."""
        return next((s for s in reversed(self.portraits) if s.parent == number), None)

    def showing(self, number: int) -> Gallery:
        """Return the gallery with that portrait's page open and that portrait on it."""
        page = self.page_of(number)
        current = tuple(number if i == page else n for i, n in enumerate(self.current, 1))
        return replace(self, at=page, current=current, comparing=False)

    def with_desk(self, number: int) -> Gallery:
        """Return the gallery with that portrait on its page and the families of edits open."""
        return replace(self.showing(number), tweak_page=1, tweak_part=0)

    def opened(self, page: int) -> Gallery:
        """Return the gallery with a page open, round and round."""
        return replace(self, at=(page - 1) % len(self.current) + 1, comparing=False)

    def with_edit(self, parent: int, tweak: str, drawn: Pictured) -> Gallery:
        """Return the gallery with an edit below its parent, on screen; the same portrait twice is one."""
        known = next((s for s in self.portraits if s.drawn.id == drawn.id), None)
        if known is not None:
            return self.showing(known.number)
        number = len(self.portraits) + 1
        old = self.find(parent)
        edit = Shown(number, drawn, parent, tweak, favourite=old is not None and old.favourite)
        return replace(self, portraits=(*self.portraits, edit)).showing(number)

    def with_favourite(self, number: int, on: bool) -> Gallery:
        """Return the gallery with a portrait among the favourites, or no longer."""
        return replace(
            self, portraits=tuple(replace(s, favourite=on) if s.number == number else s for s in self.portraits)
        )

    def holds(self, portraits: Collection[int]) -> bool:
        """Say whether one of its first draws has one of these database ids."""
        return any(not shown.parent and shown.drawn.id in portraits for shown in self.portraits)


def new_gallery(number: int, job: int, made_at: float, drawn: tuple[Pictured, ...]) -> Gallery:
    """Make a gallery of first draws."""
    shown = tuple(Shown(i, portrait) for i, portrait in enumerate(drawn, 1))
    return Gallery(number, job, made_at, shown, tuple(s.number for s in shown))
