"""What can be ordered: looks, purposes, details, tweaks. Read from the style packs, handed to the dialogue as data."""

from __future__ import annotations

import random
from collections.abc import Container
from dataclasses import dataclass, field, replace
from functools import cache
from typing import get_args

from core.edit.offered import offered
from core.scene import style

LOOKS_A_PAGE = 6  # of one family, on one sheet of pictures
DRAWN = "drawn"  # the family of edits that drawn looks alone have
FOR_ALL = ("frame", "format")  # families that every look has
STRENGTHS = ("0.25", "0.5", "1")  # of 1, the strongest `core/edit/tweaks/finish.py` takes
OWN = style.OWN
SERIOUS = ("cv", "drawn")  # families that nobody gets as a surprise
FIRST = ("office", "founder", "outdoor", "studio_black", "cv_grey", "as_you_are")


Families = tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]
"""Family, and its edits, each with its values."""


@dataclass(frozen=True, slots=True)
class Look:
    """A style pack as the menu shows it. preview: file name in `styles/previews`, empty where there is none.

    tweaks: names of the edits a drawn look offers, empty for all. family: the shelf it is shown on. purposes: whom it
    suits.
    """

    id: str
    title: str
    pitch: str
    preview: str = ""
    tweaks: tuple[str, ...] = ()
    family: str = ""
    purposes: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether it is a drawing: those alone name the edits they offer."""
        return bool(self.tweaks)


@dataclass(frozen=True, slots=True)
class Menu:
    """Everything on offer.

    details: what of a look may be changed, each with its choices. desk: the edits there are, by family, each with its
    values. presets: edits that are made by one press, by name. count: portraits a look; at_most: looks a sitting.
    a_day: sittings a person may have in 24 hours, 0 for any number. tiles: file names of the previews of details, as
    `tile` names them. titles: what outfits, backdrops and lights are called in the wardrobe, by name.
    """

    looks: tuple[Look, ...]
    purposes: tuple[str, ...]
    details: tuple[tuple[str, tuple[str, ...]], ...]
    desk: Families
    presets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    count: int = 4
    at_most: int = 8
    a_day: int = 0
    avatar: str = "crop=avatar"
    tiles: frozenset[str] = frozenset()
    titles: tuple[tuple[str, str], ...] = ()
    _by_id: dict[str, Look] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {look.id: look for look in self.looks})

    def __contains__(self, look: object) -> bool:
        return look in self._by_id

    def look(self, name: str) -> Look:
        """Return a look; one that was taken off the menu goes by its name."""
        return self._by_id.get(name, Look(name, name.replace("_", " ").capitalize(), ""))

    @property
    def families(self) -> tuple[str, ...]:
        """The families that have looks, in the menu's order."""
        return tuple(dict.fromkeys(look.family for look in self.looks))

    def family(self, name: str) -> tuple[Look, ...]:
        """Return the looks of a family; none for one that is off the menu."""
        return tuple(look for look in self.looks if look.family == name)

    def suited_to(self, purpose: str) -> Menu:
        """Return the menu for a purpose, the first one where it is empty: what fits it stands first.

        Families with a look for it come before those without, inside a family its looks before the others.
        """
        purpose = purpose or self.purposes[0]
        fitting = {look.family for look in self.looks if purpose in look.purposes}
        place = {family: number for number, family in enumerate(self.families)}
        return replace(self, looks=tuple(sorted(self.looks, key=lambda look: (
            look.family not in fitting, place[look.family], purpose not in look.purposes))))  # fmt: skip

    def tile(self, detail: str, value: str) -> str:
        """Return the file name of the preview of an outfit, a backdrop or a light, empty where there is none."""
        file = f"{detail}-{value}.jpg"
        return file if file in self.tiles else ""

    def surprise(self, purpose: str, seed: int, but: Container[str] = ()) -> tuple[str, ...]:
        """Return two looks that suit a purpose, of two families where there are two, none of `but`."""
        dice = random.Random(seed)
        suited = [
            look
            for look in self.looks
            if purpose in look.purposes and look.family not in SERIOUS and look.id not in but
        ]
        if not suited:
            return ()
        first = dice.choice(suited)
        others = [look for look in suited if look.family != first.family] or [x for x in suited if x != first]
        return (first.id, *([dice.choice(others).id] if others else []))

    def pages(self, family: str) -> int:
        """Return how many pages of looks a family has."""
        return max(1, -(-len(self.family(family)) // LOOKS_A_PAGE))

    def page(self, family: str, number: int) -> tuple[Look, ...]:
        """Return the looks of one page of a family, counted from 0."""
        number %= self.pages(family)
        return self.family(family)[number * LOOKS_A_PAGE : (number + 1) * LOOKS_A_PAGE]

    def page_with(self, look: str) -> tuple[str, int]:
        """Return family and page of a look that is on the menu."""
        family = self.look(look).family
        return family, [shown.id for shown in self.family(family)].index(look) // LOOKS_A_PAGE

    def families_of(self, look: str) -> Families:
        """Return the families of edits for a look: all but DRAWN for a photograph, for a drawn look what it names."""
        named = self.look(look).tweaks
        if not named:
            return tuple(family for family in self.desk if family[0] != DRAWN)
        kept = (
            (family, tuple(edit for edit in edits if edit[0] in named or family in FOR_ALL))
            for family, edits in self.desk
        )
        return tuple((family, edits) for family, edits in kept if edits)

    @property
    def tweaks(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every edit with its values."""
        return tuple(edit for _, edits in self.desk for edit in edits)

    def has_tweak(self, tweak: str) -> bool:
        """Say whether `warmer` (its middle strength) or `backdrop=park` is an edit the studio knows."""
        name, _, value = tweak.partition("=")
        known = dict(self.tweaks)
        values = known.get(name, ())
        return name in known and (value in values or (not value and (not values or "more" in values)))


@cache
def default_menu(a_day: int = 0) -> Menu:
    """Return the menu of the packs that ship with the studio. a_day: as `Menu`.

    Raises StyleWrong for a pack that breaks its schema.
    """
    first = sorted(
        style.load_all(), key=lambda pack: (FIRST.index(pack.id) if pack.id in FIRST else len(FIRST), pack.id)
    )
    packs = [pack for family in style.by_family(first).values() for pack in family]
    wardrobe = style.wardrobe()
    hung = (("outfit", wardrobe.outfits), ("backdrop", wardrobe.backdrops), ("light", wardrobe.lights))
    desk = offered()
    families = tuple((family, tuple(edits.items())) for family, edits in desk.families.items())
    return Menu(
        looks=tuple(
            Look(
                pack.id,
                pack.title,
                pack.pitch,
                preview(pack.id),
                pack.tweaks if pack.medium == "drawn" else (),
                pack.family,
                pack.purposes,
            )
            for pack in packs
        ),
        purposes=tuple(wardrobe.purposes),
        details=(
            ("outfit", tuple(wardrobe.outfits)),
            ("colour", tuple(style.CLOTH_COLOURS)),
            ("backdrop", tuple(wardrobe.backdrops)),
            ("light", tuple(wardrobe.lights)),
            ("angle", get_args(style.Angle)),
        ),
        desk=(*families, (DRAWN, (("strength", STRENGTHS),))),
        presets=tuple(desk.presets.items()),
        a_day=a_day,
        tiles=frozenset(
            file
            for role, entries in (*hung, ("colour", style.CLOTH_COLOURS))
            for name in entries
            if style.preview_path(file := f"{role}-{name}.jpg")
        ),
        titles=tuple((name, entry.title) for _, entries in hung for name, entry in entries.items()),
    )


def preview(look: str) -> str:
    """Return the file name of a look's preview picture, empty where it has none."""
    return next((f"{look}{end}" for end in (".jpg", ".png") if style.preview_path(f"{look}{end}")), "")
