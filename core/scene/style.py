"""TOML style packs -> Style, validated strictly: an unknown key is an error, told with file and line.

A pack names its outfit, backdrop and light from `styles/wardrobe.toml`, so a person can replace one of them by name,
and a new look needs no Python.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import StyleWrong

FOLDER = Path(__file__).resolve().parents[2] / "styles"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,23}")
"""What looks, outfits, backdrops and lights may be called: it travels in buttons, 64 bytes with all else."""

Angle = Literal["any", "front", "left", "right"]
DrawnKind = Literal["suit_tie", "suit_open", "blazer", "blouse", "turtleneck", "crew_neck"]
"""The garments that can be drawn. The order is the torso net's classes: add at the end only."""
GarmentKind = Literal[DrawnKind, "shirt_tie", "shirt", "polo", "knitwear", "dress"]
"""The garments there are."""
DRAWN_AS: Final[dict[str, DrawnKind]] = {
    **{kind: kind for kind in get_args(DrawnKind)},
    "shirt_tie": "suit_tie",
    "shirt": "blouse",
    "polo": "crew_neck",
    "knitwear": "crew_neck",
    "dress": "blouse",
}
"""What is drawn, and what the torso net is told, of each kind: only photographs show the others."""
CLOTH_COLOURS: Final = {
    "black": "#17181b", "charcoal": "#30343b", "grey": "#6d7279", "navy": "#1f2a44", "blue": "#2c4a86",
    "burgundy": "#57202b", "forest": "#24402f", "camel": "#a5825a", "cream": "#e4ddcf",
}  # fmt: skip
"""What a person may have an outfit's outermost piece in."""
BackdropKind = Literal["paper", "window", "outdoor", "gradient", "canvas", "brick", "library", "office", "city"]
"""What may stand behind the sitter; `core.scene.backdrop.KINDS` draws them."""
OWN: Final = "own"
"""The outfit that is none: the sitter as photographed."""
ROLES: Final = ("outfit", "backdrop", "light")
"""What a style takes from the wardrobe by name."""
FACTS: Final = "garment.toml"
Part = Literal["jacket", "shirt", "tie"]
Neckline = Literal["collar", "open", "round", "scoop", "high"]
"""What of the neck a garment leaves bare: nothing below the collar, a V, a round opening, one that shows the
collarbones too, nothing at all."""
Point = tuple[float, float]
Crop = Literal["portrait", "close", "square", "avatar", "id"]
Purpose = Literal["job", "business", "personal"]
Family = Literal["office", "founder", "outdoor", "editorial", "cv", "personal", "drawn"]
"""The shelves that looks are shown on, in this order."""


def _colour(value: str) -> str:
    if len(value) != 7 or value[0] != "#" or not set(value[1:].lower()) <= set("0123456789abcdef"):
        raise ValueError(f"{value!r} is not a colour like #2b2f36")
    return value.lower()


Colour = Annotated[str, AfterValidator(_colour)]


def rgb_of(colour: str) -> tuple[int, int, int]:
    """Return #rrggbb as sRGB 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name: up to 24 small letters, digits and _")
    return value


Name = Annotated[str, AfterValidator(_name)]


def user_folder() -> Path:
    """Return the folder of an operator's own looks and garments, laid out as `styles/`; it need not exist."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "atelier" / "styles"


def folders() -> tuple[Path, ...]:
    """Return the folders that looks come from, the operator's own first: of two with one name that one counts."""
    return tuple(folder for folder in (user_folder(), FOLDER) if folder.is_dir())


T = TypeVar("T", bound=BaseModel)


class Strict(BaseModel):
    """A table in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Outfit(Strict):
    """What the sitter wears: a kind of garment and its colours, or with kind "own" the clothes of the photo.

    garment: a folder of `styles/wardrobe` that is meant, else the one of the kind that fits best. as_photographed: it
    keeps its own colours.
    """

    title: str
    kind: Literal[GarmentKind, "own"]
    jacket: Colour = "#000000"
    shirt: Colour = "#000000"
    tie: Colour = "#000000"
    garment: str | None = None
    as_photographed: bool = False


class Facts(Strict):
    """What `garment.toml` says of a photographed garment; `styles/README.md` explains each key."""

    title: str
    kind: GarmentKind
    neckline: Neckline
    provenance: str
    eye_px: float = Field(gt=10)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    yaw_deg: float = Field(0.0, ge=-45, le=45)
    plain: tuple[Part, ...]
    collar: Point
    neck: tuple[Point, Point]
    shoulders: tuple[Point, Point]
    arms: tuple[float, float] | None = None
    foot: tuple[Point, Point] | None = None


class Paper(Strict):
    """What stands behind the sitter; `core.scene.backdrop.Backdrop` explains the numbers."""

    title: str
    kind: BackdropKind
    colour: Colour
    second: Colour | None = None
    pool: float = Field(0.6, ge=0, le=3)
    vignette: float = Field(0.5, ge=0, le=3)
    side: float = Field(0.0, ge=-1, le=1)  # below 0 in recipes of before; `stage.look_of` turns it to the key light


class Lamps(Strict):
    """How the sitter is lit; `core.scene.lighting.Rig` explains the numbers."""

    title: str
    key_deg: float = Field(ge=-120, le=120)
    key_up_deg: float = Field(35, ge=-30, le=80)
    key: float = Field(0.7, ge=0, le=2)
    fill: float = Field(0.5, gt=0, le=2)
    rim: float = Field(0.0, ge=0, le=1)
    warmth: float = Field(0.0, ge=-1, le=1)
    strength: float = Field(0.6, ge=0, le=1)
    size: float = Field(1.0, ge=0, le=1)
    shadow: float = Field(0.0, ge=0, le=1)
    depth: float = Field(0.6, ge=0.15, le=1)
    reflector: float = Field(0.0, ge=0, le=1)
    catch: float = Field(0.0, ge=0, le=1)


class PurposeSettings(Strict):
    """What a purpose asks of every style: crop, retouch level 0..1, extra files to export."""

    title: str
    crop: Crop
    retouch: float = Field(ge=0, le=1)
    exports: tuple[Crop, ...]


class Wardrobe(Strict):
    """All outfits, backdrops, lights and purposes by name."""

    outfits: dict[Name, Outfit]
    backdrops: dict[Name, Paper]
    lights: dict[Name, Lamps]
    purposes: dict[Purpose, PurposeSettings]


class OwnWardrobe(Strict):
    """What an operator adds to the wardrobe."""

    outfits: dict[Name, Outfit] = {}
    backdrops: dict[Name, Paper] = {}
    lights: dict[Name, Lamps] = {}


class Style(Strict):
    """One look. id is the file's name; everything else stands in the file (styles/README.md explains each key)."""

    id: Name
    title: str
    pitch: str
    family: Family
    medium: Literal["photo", "drawn"]
    finish: str | None = None
    purposes: tuple[Purpose, ...]
    outfit: str
    more_outfits: tuple[str, ...] = ()
    backdrop: str
    light: str
    black_and_white: bool = False
    angle: Angle = "any"
    smile: bool | None = None
    crop: Crop | None = None
    retouch: float | None = Field(None, ge=0, le=1)
    tweaks: tuple[str, ...] = ()
    least_percent: float = Field(90, ge=50, le=100)

    @property
    def follows_photo(self) -> bool:
        """Whether tones may follow the photo's light: a drawing has its own, an ID photo is to have natural ones."""
        return self.medium != "drawn" and self.crop != "id"

    @model_validator(mode="after")
    def _drawn_or_not(self) -> Style:
        if (self.medium == "drawn") != (self.finish is not None):
            raise ValueError("a look with medium drawn names its finish, and no other does")
        return self


@cache
def wardrobe() -> Wardrobe:
    """Read the studio's wardrobe and the operator's own. Raises StyleWrong with the key that is wrong."""
    shipped, own = read_toml(Wardrobe, FOLDER / "wardrobe.toml"), OwnWardrobe()
    if (user_folder() / "wardrobe.toml").is_file():
        own = read_toml(OwnWardrobe, user_folder() / "wardrobe.toml")
    outfits = shipped.outfits | own.outfits
    return Wardrobe(
        outfits=outfits | _own_garments(outfits),
        backdrops=shipped.backdrops | own.backdrops,
        lights=shipped.lights | own.lights,
        purposes=shipped.purposes,
    )


def _own_garments(outfits: dict[str, Outfit]) -> dict[str, Outfit]:
    """Return an outfit for each of the operator's garments that none names: who adds one finds it on offer."""
    named, found = {outfit.garment for outfit in outfits.values()}, {}
    for file in sorted((user_folder() / "wardrobe").glob(f"*/{FACTS}")):
        name, facts = file.parent.name, read_toml(Facts, file)
        if not NAME.fullmatch(name):
            raise StyleWrong(f"wardrobe/{name}: is no name: up to 24 small letters, digits and _")
        if name not in named:
            found[name] = Outfit(title=facts.title, kind=facts.kind, garment=name, as_photographed=True)
    return found


@cache
def load_all() -> tuple[Style, ...]:
    """Read every style pack, in the order of their names. Raises StyleWrong with the file and the key."""
    return tuple(load(name) for name in sorted(_packs()))


def _packs() -> dict[str, Path]:
    """Return every style pack's file by its name."""
    files = [path for folder in reversed(folders()) for path in folder.glob("*.toml") if path.stem != "wardrobe"]
    return {path.stem: path for path in files}


def preview_path(file: str) -> Path | None:
    """Return where a preview picture lies, None where there is none of that name."""
    return next((path for folder in folders() if (path := folder / "previews" / file).is_file()), None)


def by_family(styles: Iterable[Style]) -> dict[Family, list[Style]]:
    """Sort styles into their families, in the families' order; a family without one is left out."""
    shelves: dict[Family, list[Style]] = {family: [] for family in get_args(Family)}
    for style in styles:
        shelves[style.family].append(style)
    return {family: found for family, found in shelves.items() if found}


@cache
def load(name: str) -> Style:
    """Read one style pack and check that its outfit, backdrop and light are in the wardrobe.

    Raises StyleWrong, naming the choices for an unknown style.
    """
    packs = _packs()
    if name not in packs:
        raise StyleWrong(f"style {name!r} is unknown, choose from {', '.join(sorted(packs))}")
    style = read_toml(Style, packs[name], {"id": name})
    for role in ROLES:
        pick(role, getattr(style, role))
    for outfit in style.more_outfits:
        pick("outfit", outfit)
    return style


def purpose_of(name: str) -> PurposeSettings:
    """Return what a purpose asks for. Raises StyleWrong with the choices."""
    for purpose, settings in wardrobe().purposes.items():
        if purpose == name:
            return settings
    raise StyleWrong(f"purpose {name!r} is unknown, choose from {', '.join(wardrobe().purposes)}")


def pick(role: str, name: str) -> Outfit | Paper | Lamps:
    """Take one thing from the wardrobe: role is outfit, backdrop or light. Raises StyleWrong with the choices."""
    entries: dict[str, Outfit] | dict[str, Paper] | dict[str, Lamps] = getattr(wardrobe(), f"{role}s")
    if name not in entries:
        raise StyleWrong(f"{role} {name!r} is unknown, choose from {', '.join(sorted(entries))}")
    return entries[name]


def paper_of(backdrop: str) -> dict[str, Any]:
    """Return a backdrop's numbers as JSON values: a name of the wardrobe, or #rrggbb for plain paper of that colour.

    Raises StyleWrong with the choices.
    """
    plain = backdrop.startswith("#")
    paper = Paper(title=backdrop, kind="paper", colour=backdrop) if plain else pick("backdrop", backdrop)
    return paper.model_dump(exclude={"title"})


def in_colour(outfit: Outfit, colour: str | None) -> Outfit:
    """Return an outfit with its outermost piece in one of CLOTH_COLOURS, in its own for None.

    What is worn as photographed keeps its own, as one's own clothes do. Raises StyleWrong with the choices.
    """
    wanted = colour_of(colour)
    if wanted is None or outfit.as_photographed or outfit.kind == OWN:
        return outfit
    one_cloth = outfit.jacket == outfit.shirt
    pieces = ("jacket", "shirt") if one_cloth else ("shirt",) if outfit.kind == "shirt_tie" else ("jacket",)
    return outfit.model_copy(update={**dict.fromkeys(pieces, wanted), "title": f"{outfit.title}, in {colour}"})


def colour_of(name: str | None) -> str | None:
    """Return one of CLOTH_COLOURS as #rrggbb, None for None. Raises StyleWrong with the choices."""
    if name is not None and name not in CLOTH_COLOURS:
        raise StyleWrong(f"colour {name!r} is unknown, choose from {', '.join(CLOTH_COLOURS)}")
    return CLOTH_COLOURS[name] if name else None


def backdrop_words(backdrop: str) -> str:
    """Say what a backdrop is: the title of one of the wardrobe's, plain studio paper for #rrggbb. Raises StyleWrong."""
    return "plain studio paper" if backdrop.startswith("#") else pick("backdrop", backdrop).title.lower()


def lamps_of(light: str) -> dict[str, Any]:
    """Return the numbers of a light of the wardrobe as JSON values. Raises StyleWrong with the choices."""
    return pick("light", light).model_dump(exclude={"title"})


def read_toml(model: type[T], path: Path, extra: dict[str, str] | None = None) -> T:
    """Read and check a TOML file. extra: keys it need not have. Raises StyleWrong with file, line and key."""
    try:
        text = path.read_text("utf-8")
        return model.model_validate({**tomllib.loads(text), **(extra or {})})
    except ValidationError as wrong:
        first = wrong.errors()[0]
        where = [str(part) for part in first["loc"]]
        raise StyleWrong(f"{path.name}, line {_line_of(text, where)}: {'.'.join(where)}: {first['msg']}") from wrong
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        raise StyleWrong(f"{path.name}: {wrong}") from wrong


def _line_of(text: str, keys: list[str]) -> int:
    """Return the line of a key, of its table where the key is absent, or 1."""
    found, table = 1, ""
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if bare.startswith("["):
            table = bare.strip("[]")
            found = number if table and ".".join(keys).startswith(table) else found
        elif "=" in bare and ".".join(filter(None, (table, bare.partition("=")[0].strip()))) == ".".join(keys):
            return number
    return found
