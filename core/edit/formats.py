"""Formats a portrait is delivered in: documents by country, CVs, avatars, banners, screens. Placed, composed, measured.

`formats.toml` holds the numbers and where they are from. The layers are brought to the format's own pixels before they
are composed, so that nothing is enlarged twice; the backdrop is drawn for any size, and cloth that a wider format would
show ending is carried on (`core.edit.widen`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from pydantic import Field, RootModel

from core.edit import masks
from core.edit.warp import placed
from core.edit.widen import widened
from core.errors import Refused
from core.face.mesh import CHIN
from core.scene.stage import with_colours
from core.scene.style import Colour, Strict, paper_of, read_toml, rgb_of
from core.types import U8, Layers

INCH_MM: Final = 25.4
CROWN: Final = 0.97
"""Height of the crown above the eye line against that of the eye line above the chin: eyes are about half-way up a head
(Farkas 1994, Anthropometry of the Head and Face: vertex to endocanthion 113 to 121 mm, to gnathion 112 to 122)."""
ABOVE: Final = 0.42
"""Part of the room beside the head that lies above it where no eye line is given: a little less than below."""
EVEN: Final = {"pool": 0.0, "vignette": 0.0, "side": 0.0}
"""Light on a document's backdrop: none that varies."""
BACKDROP_DE: Final = 8.0
"""CIELAB difference from the asked colour up to which a document's backdrop meets it; white prints about 5 off."""
EVENNESS: Final = 4.0
"""Standard deviation of CIELAB L* up to which a backdrop is plain."""
MOST_TURN: Final = 8.0
"""Degrees of turn up to which a face looks straight ahead (ISO/IEC 19794-5 asks for 5; the mesh tells them to 3)."""
MOST_GAP: Final = 0.06
"""Height of the open mouth against its width up to which it counts as closed."""
LEAST_OPENING: Final = 0.16
"""Height of an eye's opening against its width from which it counts as open."""
WORN: Final = 0.10
"""Part of the band round the eyes with another colour than skin from which glasses are worn."""


class Format(Strict):
    """One format; either size_mm with dpi, or size_px. head, eyes, across: parts of the height and width."""

    title: str
    source: str
    size_mm: tuple[float, float] | None = None
    dpi: int = 300
    size_px: tuple[int, int] | None = None
    head_mm: tuple[float, float] | None = None
    head_top: Literal["crown", "hair"] = "crown"
    eyes_mm: tuple[float, float] | None = None
    head: float = Field(0.5, gt=0, lt=1)
    eyes: float = Field(0.6, gt=0, lt=1)
    across: float = Field(0.5, gt=0, lt=1)
    backdrop: Colour | None = None
    glasses: bool = True
    document: bool = True
    circle: bool = False
    note: str = ""

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self.size_px:
            return self.size_px
        assert self.size_mm is not None
        width, height = self.size_mm
        return round(width / INCH_MM * self.dpi), round(height / INCH_MM * self.dpi)

    @property
    def pixels_a_mm(self) -> float:
        """Pixels of a millimetre; 0 where the format has none."""
        return self.dpi / INCH_MM if self.size_mm else 0.0


class Formats(RootModel[dict[str, Format]]):
    """The file: formats by name."""


@cache
def formats() -> dict[str, Format]:
    """Read every format by name. Raises StyleWrong with the key that is wrong."""
    return read_toml(Formats, Path(__file__).with_name("formats.toml")).root


def head_of(layers: Layers, top: str = "crown") -> tuple[float, float, float]:
    """Return the rows of the head's top, the eye line and the chin, in the layers' pixels.

    top: "crown" is the skull's, told from the face's proportions (CROWN); "hair" the matte's highest row.
    """
    points = masks.mesh_of(layers)
    eyes = float(points[[33, 133, 362, 263], 1].mean())
    chin = float(points[CHIN, 1])
    crown = eyes - CROWN * (chin - eyes)
    if top == "hair":
        middle = int(np.clip(points[1, 0], 0, layers.head.shape[1] - 1))
        reach = max(1, round(0.5 * masks.eye_px(layers)))
        rows = np.flatnonzero((layers.head[:, max(0, middle - reach) : middle + reach] > 127).any(axis=1))
        crown = float(rows[0]) if len(rows) else crown
    return crown, eyes, chin


def place(layers: Layers, name: str) -> Layers:
    """Bring layers into a format's own pixels. Raises Refused where the photo cuts what the format shows."""
    width, height = formats()[name].pixels
    zoom, shift_x, shift_y = move_of(layers, name)
    if shift_y > 1 and (layers.head[0] > 127).any():
        raise Refused("crown_cut", f"format {name}: the photo cuts the hair, {shift_y:.0f} px above it would be bare")
    room = np.ceil(np.array([shift_x, width - (zoom * layers.head.shape[1] + shift_x)]) / zoom)
    left, right = (int(max(0, side)) for side in room)
    wide, left = widened(layers, left, right)
    move = np.array([[zoom, 0, shift_x - zoom * left], [0, zoom, shift_y]], np.float32)
    return placed(wide, move, (width, height))


def move_of(layers: Layers, name: str) -> tuple[float, float, float]:
    """Return by what factor layers are enlarged for a format, and how far right and down they go, in its pixels."""
    wanted = formats()[name]
    width, height = wanted.pixels
    crown, eyes, chin = head_of(layers, wanted.head_top)
    if wanted.head_mm:
        least, most = wanted.head_mm
        tall = (least + most) / 2 * wanted.pixels_a_mm
        if wanted.eyes_mm:
            line = height - sum(wanted.eyes_mm) / 2 * wanted.pixels_a_mm
        else:
            line = ABOVE * (height - tall) + tall * (eyes - crown) / (chin - crown)
    else:
        tall, line = wanted.head * height, (1 - wanted.eyes) * height
    zoom = tall / (chin - crown)
    middle = _middle_of(layers, wanted.document)
    shift_x, shift_y = wanted.across * width - zoom * middle, line - zoom * eyes
    foot = zoom * layers.head.shape[0] + shift_y
    if foot < height:  # the body ends above the format's lower edge: come nearer until it does not
        zoom *= (height - line) / (foot - line)
        shift_x, shift_y = wanted.across * width - zoom * middle, line - zoom * eyes
    return zoom, shift_x, shift_y


def _middle_of(layers: Layers, document: bool) -> float:
    """Return the column that stands where a format has its sitter: a document's between the eyes, else the head's."""
    eyes = float(masks.mesh_of(layers)[[33, 133, 362, 263], 0].mean())
    columns = np.flatnonzero((layers.head[: max(1, round(layers.chin))] > 127).any(axis=0))
    return eyes if document or not len(columns) else float(columns[0] + columns[-1]) / 2


def settings_of(settings: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the settings a format is composed with: a document has its plain backdrop, and no other crop is made."""
    wanted = formats()[name]
    changed = {**settings, "format": name, "crop": "portrait"}
    if wanted.document:
        changed = with_colours(changed, ("light",))
    if wanted.backdrop:
        changed |= {"backdrop": wanted.backdrop, "paper": {**paper_of(wanted.backdrop), **EVEN}, "backdrop_blur": 0.0}
    return changed


def circled(rgb: U8) -> U8:
    """Return a square picture with what lies outside of its circle in white."""
    height, width = rgb.shape[:2]
    disc = np.zeros((height, width), np.float32)
    cv2.circle(disc, (width * 8, height * 8), min(width, height) * 8, 1.0, -1, cv2.LINE_AA, 4)
    return np.round(255 + (rgb.astype(np.float32) - 255) * disc[..., None]).astype(np.uint8)


def measured(layers: Layers, rgb: U8, name: str) -> tuple[dict[str, float], list[str]]:
    """Measure a placed and composed format: numbers by name, and what it does not meet, as machine words.

    layers: as `place` returned them; rgb: (H, W, 3) uint8 composed of them. Millimetres, degrees, CIELAB.
    """
    wanted = formats()[name]
    top, eyes, chin = head_of(layers, wanted.head_top)
    height, width = rgb.shape[:2]
    scale = wanted.pixels_a_mm or 1.0
    found = {
        "width_mm": width / scale,
        "height_mm": height / scale,
        "dpi": float(wanted.dpi),
        "head_mm": (chin - top) / scale,
        "eyes_mm": (height - eyes) / scale,
        "turn_deg": masks.yaw_deg(layers),
        "mouth_open": masks.open_mouth(layers),
    }
    wrong = []
    if wanted.head_mm and not wanted.head_mm[0] <= found["head_mm"] <= wanted.head_mm[1]:
        wrong.append("head_size")
    if wanted.eyes_mm and not wanted.eyes_mm[0] <= found["eyes_mm"] <= wanted.eyes_mm[1]:
        wrong.append("eye_line")
    if top < 0 or chin > height:
        wrong.append("head_cut")
    if not wanted.document:
        return found, wrong
    if abs(found["turn_deg"]) > MOST_TURN:
        wrong.append("turned")
    if found["mouth_open"] > MOST_GAP:
        wrong.append("mouth_open")
    glasses = masks.glasses(layers)
    band = masks.glasses_band(layers)
    found["glasses"] = float(glasses.sum() / max(float(band.sum()), 1.0))
    if not wanted.glasses and found["glasses"] > WORN:
        wrong.append("glasses")
    behind = np.maximum(np.maximum(layers.head, layers.neck), layers.garment[..., 3]) < 5
    if wanted.backdrop and behind.sum() > 100:
        lab = cv2.cvtColor(rgb[behind][None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
        asked = cv2.cvtColor(np.array([[rgb_of(wanted.backdrop)]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
        found["backdrop_de"] = float(np.linalg.norm(np.median(lab, axis=0) - asked))
        found["backdrop_unevenness"] = float(cv2.GaussianBlur(lab[:, :1], (1, 31), 0).std())
        if found["backdrop_de"] > BACKDROP_DE or found["backdrop_unevenness"] > EVENNESS:
            wrong.append("backdrop")
    return found, wrong
