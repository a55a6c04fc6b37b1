"""Make a garment of the wardrobe from a photograph and an annotation by hand.

    python -m tools.make_garment PHOTO styles/wardrobe/NAME

Reads `annotation.toml` in that folder (`styles/README.md` explains its keys) and writes `cloth.webp`, `parts.webp` and
`garment.toml` beside it. Key points of outlines are joined along the photo's own edges by intelligent scissors
(Mortensen & Barrett 1995), the edge's alpha is found by closed-form matting (Levin et al. 2008) in a narrow band, what
shone into the edge is taken out (Germer et al. 2020), and the studio's light is divided out of each part's low
frequencies.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.colour import LUMINANCE, linear, normalized_convolution, srgb, to_bytes
from core.cutout.foreground import chosen, estimate_foreground_ml
from core.scene.style import FACTS, Facts, GarmentKind, Neckline, Part
from core.scene.wardrobe import CLOTH, FRONT, PART_NAMES, PARTS, PICTURES
from core.types import F32, U8

Point = tuple[float, float]
estimate_alpha_cf: Final = chosen("alpha.estimate_alpha_cf", "estimate_alpha_cf")
LIGHT_SPAN: Final = 0.7
"""Blur in eye distances beyond which light and shade are the studio's; folds are narrower."""
LIGHT_OUT: Final = 0.8
"""How much of it is divided out: all of it would lift the shade under lapels and collars too."""
BAND: Final = 0.035
"""Eye distances to each side of the outline in which alpha is unknown."""
OUTSIDE: Final = 12.0
"""Pixels by which an outline along the photo's border is carried beyond it."""
COLOURLESS: Final = 14.0
"""CIELAB chroma up to which cloth counts as white, grey or black."""
CAST: Final = 6.0
"""CIELAB chroma up to which it is the studio's light that tints it."""
REFLECTED: Final = 3.0
"""CIELAB chroma by which light from elsewhere may still tint it."""
RAGS: Final = 0.035
"""Eye distances up to which an outline's teeth are noise of the matting, not cloth; by eye."""
EDGE: Final = 1.6
"""Pixels over which a photograph's edge goes from cloth to none."""
QUALITY: Final = 92


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Patch(_Strict):
    """A round spot that is covered by cloth from elsewhere: a pin, a badge, a microphone."""

    at: Point
    radius: float = Field(gt=0)
    source: Point


class Annotation(_Strict):
    """What a person marked on a photograph, in its pixels."""

    title: str
    kind: GarmentKind
    neckline: Neckline
    provenance: str
    eye_px: float = Field(gt=10)
    outline: Annotated[tuple[Point, ...], Field(min_length=6)]
    parts: dict[Part, tuple[Point, ...]] = {}
    base: Part
    plain: tuple[Part, ...]
    collar: Point
    neck: tuple[Point, Point]
    shoulders: tuple[Point, Point]
    arms: tuple[float, float] | None = None
    foot: tuple[Point, Point] | None = None
    patches: tuple[Patch, ...] = ()
    erase: tuple[tuple[Point, ...], ...] = ()
    smooth: tuple[tuple[Point, ...], ...] = ()
    soft: bool = False
    inset: int = Field(3, ge=0)
    grey: tuple[Part, ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("folder", type=Path, help="holds annotation.toml; the asset is written beside it")
    asked = parser.parse_args()
    marked = Annotation.model_validate(tomllib.loads((asked.folder / "annotation.toml").read_text("utf-8")))
    photo = cv2.imread(str(asked.photo), cv2.IMREAD_COLOR)
    if photo is None:
        raise SystemExit(f"{asked.photo} cannot be read as a picture")
    cloth, parts, facts = make(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB).astype(np.uint8), marked)
    for name, picture, quality in ((CLOTH, cloth, QUALITY), (PARTS, parts, 101)):  # above 100 is lossless
        order = [2, 1, 0, 3][: picture.shape[2]]
        cv2.imwrite(str(asked.folder / name), picture[..., order], [cv2.IMWRITE_WEBP_QUALITY, quality])
    (asked.folder / FACTS).write_text(facts_text(facts), "utf-8")
    print(asked.folder.name, f"{sum((asked.folder / name).stat().st_size for name in PICTURES) / 1000:.0f} kB")


def make(photo: U8, marked: Annotation) -> tuple[U8, U8, Facts]:
    """Return cloth (H, W, 4), parts (H, W, 3) and the facts of one garment, cropped to it."""
    ring = beyond(list(marked.outline), photo.shape[:2]) if marked.soft else snapped(photo, marked.outline)
    band = max(2, round(BAND * marked.eye_px))
    mended = without_lines(photo, marked.erase, marked.eye_px)
    mended = smoothed(mended, marked.smooth, cv2.erode(filled(ring, photo.shape[:2]), np.ones((2 * band + 1,) * 2)))
    for patch in marked.patches:
        mended = covered(mended, patch)
    alpha, colours = matted(mended, ring, band)
    if marked.soft:
        alpha = cv2.GaussianBlur(filled(ring, photo.shape[:2]), (0, 0), 0.5 * band)
        inner = cv2.erode(alpha, np.ones((2 * marked.inset + 1,) * 2), borderType=cv2.BORDER_REPLICATE) > 0.99
        spread = normalized_convolution(colours, inner.astype(np.float32), 1.5 * band)
        colours = np.where(inner[..., None], colours, spread).astype(np.float32)
    alpha = without_rags(alpha, RAGS * marked.eye_px)
    inside = {marked.base: filled(ring, photo.shape[:2])}
    for name, points in marked.parts.items():
        shape, _ = matted(mended, snapped(photo, points), max(2, band // 2))
        shape = without_rags(shape, RAGS * marked.eye_px)
        inside = {other: region * (1 - shape) for other, region in inside.items()}
        inside[name] = shape
    parts = np.dstack([inside.get(name, np.zeros(photo.shape[:2], np.float32)) for name in PART_NAMES])
    parts = carried_out(parts, band)
    flat = neutral(evened(colours, alpha, parts, marked.eye_px), alpha, parts, marked.plain)
    flat = without_colour(flat, parts, marked.grey)
    top = max(0, int(min(y for _, y in ring)) - 4)
    cloth = np.dstack([to_bytes(flat), to_bytes(alpha)])[top:]
    move = np.array([0, top])

    def moved(point: Point) -> Point:
        x, y = np.array(point) - move
        return round(float(x), 1), round(float(y), 1)

    facts = Facts(
        title=marked.title, kind=marked.kind, neckline=marked.neckline, provenance=marked.provenance,
        eye_px=marked.eye_px, width=photo.shape[1], height=len(cloth), yaw_deg=turn_of(marked), plain=marked.plain,
        collar=moved(marked.collar), neck=(moved(marked.neck[0]), moved(marked.neck[1])),
        shoulders=(moved(marked.shoulders[0]), moved(marked.shoulders[1])), arms=marked.arms,
        foot=None if marked.foot is None else (moved(marked.foot[0]), moved(marked.foot[1])),
    )  # fmt: skip
    return cloth, to_bytes(parts[top:]), facts


def snapped(photo: U8, points: tuple[Point, ...]) -> list[Point]:
    """Join key points along edges; a stretch along the photo's own border is straight."""
    height, width = photo.shape[:2]
    scissors = cv2.segmentation.IntelligentScissorsMB()
    scissors.setEdgeFeatureCannyParameters(32, 100)
    scissors.setGradientMagnitudeMaxLimit(200)
    scissors.applyImage(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))
    ring: list[Point] = []
    for start, end in zip(points, (*points[1:], points[0]), strict=True):
        ring.append(start)
        edge = all(x <= 1 or y <= 1 or x >= width - 2 or y >= height - 2 for x, y in (start, end))
        if edge or np.hypot(start[0] - end[0], start[1] - end[1]) < 3:
            continue
        first, last = (
            (int(np.clip(round(x), 0, width - 1)), int(np.clip(round(y), 0, height - 1))) for x, y in (start, end)
        )
        scissors.buildMap(first)
        path = scissors.getContour(last)[:, 0].astype(np.float32)
        line = np.linspace(start, end, len(path), dtype=np.float32)
        if np.abs(path - line).max() > 0.25 * np.hypot(*(line[-1] - line[0])) + 4:
            continue  # the scissors ran along another edge
        smooth = cv2.blur(path, (1, 5), borderType=cv2.BORDER_REPLICATE)
        ring += [(float(x), float(y)) for x, y in smooth[2:-2]]
    return beyond(ring, (height, width))


def beyond(ring: list[Point], shape: tuple[int, int]) -> list[Point]:
    """Carry an outline along the photo's border beyond it: the garment goes on where the photo ends."""
    moved = np.array(ring, np.float64)
    moved[moved <= 1] -= OUTSIDE
    for axis, size in enumerate((shape[1], shape[0])):
        moved[moved[:, axis] >= size - 2, axis] += OUTSIDE
    return [(float(x), float(y)) for x, y in moved]


def filled(ring: list[Point], shape: tuple[int, int]) -> F32:
    """Fill a ring of points, antialiased: (H, W) float32 0..1."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(np.array(ring) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def matted(photo: U8, ring: list[Point], band: int) -> tuple[F32, F32]:
    """Return alpha (H, W) and the cloth's own colours (H, W, 3) sRGB 0..1."""
    solid = (cv2.GaussianBlur(filled(ring, photo.shape[:2]), (0, 0), 0.4 * band) > 0.5).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    sure = cv2.erode(solid, disc, borderType=cv2.BORDER_REPLICATE)
    maybe = cv2.dilate(solid, disc)
    trimap = np.where(sure > 0, 1.0, np.where(maybe > 0, 0.5, 0.0))
    top = max(0, int(np.argmax(maybe.any(axis=1))) - 20)
    picture = photo[top:].astype(np.float64) / 255
    alpha = np.zeros(photo.shape[:2], np.float32)
    found = np.clip(estimate_alpha_cf(picture, trimap[top:]), 0, 1)
    alpha[top:] = np.clip((found - 0.08) / 0.84, 0, 1)
    colours = photo.astype(np.float32) / 255
    colours[top:] = estimate_foreground_ml(picture, alpha[top:].astype(np.float64))
    inner = cv2.erode(solid, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (band // 2) + 1,) * 2),
                      borderType=cv2.BORDER_REPLICATE)  # fmt: skip
    known = inner.astype(np.float32)
    spread = normalized_convolution(colours, known, float(band))
    return alpha, np.where(known[..., None] > 0, colours, spread).astype(np.float32)


def without_rags(alpha: F32, width: float) -> F32:
    """Even out an edge (H, W): its teeth narrower than `width` pixels go, the edge stays sharp and where it was."""
    wide = cv2.GaussianBlur(alpha, (0, 0), width, borderType=cv2.BORDER_REPLICATE)
    steepness = max(1.0, width * np.sqrt(2 * np.pi) / EDGE)
    return np.clip((wide - 0.5) * steepness + 0.5, 0, 1).astype(np.float32)


def covered(photo: U8, patch: Patch) -> U8:
    """Cover a spot with cloth from `source`, in the light of its place (Poisson cloning, Perez et al. 2003)."""
    radius = int(np.ceil(patch.radius)) + 2
    room = 2 * radius  # a spot may touch the photo's border
    wide = cv2.copyMakeBorder(photo, room, room, room, room, cv2.BORDER_REFLECT_101)
    (x, y), (u, v) = ((round(a) + room, round(b) + room) for a, b in (patch.at, patch.source))
    piece = wide[v - radius : v + radius + 1, u - radius : u + radius + 1]
    mask = np.zeros(piece.shape[:2], np.uint8)
    cv2.circle(mask, (radius, radius), round(patch.radius), 255, -1)
    cloned = cv2.seamlessClone(piece, wide, mask, (x, y), cv2.NORMAL_CLONE)
    return cloned[room:-room, room:-room].astype(np.uint8)


def carried_out(parts: F32, band: int) -> F32:
    """Let every part go on beyond its outer edge (H, W, 3), so that no pixel of the garment belongs to none."""
    spread = normalized_convolution(parts, (parts.sum(axis=-1) > 0.98).astype(np.float32), 2.0 * band)
    missing = np.clip(1 - parts.sum(axis=-1, keepdims=True), 0, 1)
    near = spread / np.maximum(spread.sum(axis=-1, keepdims=True), 1e-3)
    return (parts + near * missing).astype(np.float32)


def without_lines(photo: U8, lines: tuple[tuple[Point, ...], ...], eye_px: float) -> U8:
    """Fill thin lines, such as a chain, from both their sides (Telea 2004)."""
    if not lines:
        return photo
    mask = np.zeros(photo.shape[:2], np.uint8)
    for line in lines:
        cv2.polylines(mask, [np.round(line).astype(np.int32)], False, 255, max(3, round(0.07 * eye_px)))
    return cv2.inpaint(photo, mask, 3, cv2.INPAINT_TELEA).astype(np.uint8)


def turn_of(marked: Annotation) -> float:
    """Return how far a torso is turned, in degrees: by how far aside of the neck its front is at the collar."""
    (left, high), (right, low) = marked.neck
    tilt = np.arctan2(*np.subtract(*marked.shoulders[::-1])[::-1])
    x, y = marked.collar[0] - (left + right) / 2, marked.collar[1] - (high + low) / 2
    aside = (x * np.cos(tilt) + y * np.sin(tilt)) / (FRONT * marked.eye_px)
    return round(float(np.degrees(np.arcsin(np.clip(aside, -0.6, 0.6)))), 1)


def evened(colours: F32, alpha: F32, parts: F32, eye_px: float) -> F32:
    """Divide the studio's light out of each part: (H, W, 3) sRGB 0..1."""
    light = linear(colours)
    depth = np.log(light @ LUMINANCE + 0.004)
    out = light.copy()
    for index in range(parts.shape[2]):
        region = parts[..., index] * (alpha > 0.9)
        if region.sum() < 50:
            continue
        wide = normalized_convolution(np.dstack([depth] * 3), region, LIGHT_SPAN * eye_px)[..., 0]
        middle = float(np.median(depth[region > 0.5]))
        out *= np.exp(-LIGHT_OUT * (wide - middle) * parts[..., index])[..., None]
    return srgb(np.clip(out, 0, 1))


def neutral(colours: F32, alpha: F32, parts: F32, plain: tuple[Part, ...]) -> F32:
    """Take out of white and grey cloth what skin beside it threw on it: (H, W, 3) sRGB 0..1.

    The chroma of a plain part that has hardly any of its own may leave the part's median by REFLECTED only.
    """
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)
    for index, name in enumerate(PART_NAMES):
        known = (parts[..., index] > 0.9) & (alpha > 0.9)
        if name not in plain or known.sum() < 50:
            continue
        middle = np.median(lab[known], axis=0)[1:]
        if np.hypot(*middle) > COLOURLESS:
            continue
        off = lab[..., 1:] - middle
        length = np.maximum(np.linalg.norm(off, axis=-1, keepdims=True), 1e-3)
        white = np.hypot(*middle) < CAST  # a cast of the studio's light, no colour of its own
        held = (0 if white else middle) + off * np.minimum(1, REFLECTED / length)
        lab[..., 1:] += (held - lab[..., 1:]) * parts[..., index : index + 1]
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1).astype(np.float32)


def smoothed(photo: U8, areas: tuple[tuple[Point, ...], ...], cloth: F32) -> U8:
    """Fill wide areas, such as braces, with a smooth blend of the cloth (H, W) around them."""
    if not areas:
        return photo
    gap = np.max([filled(list(area), photo.shape[:2]) for area in areas], axis=0) > 0.5
    given = photo.astype(np.float32) / 255
    known = (cloth * ~gap).astype(np.float32)
    whole = np.where(gap[..., None], normalized_convolution(given, known, 24.0), given).astype(np.float32)
    for sigma in (12.0, 6.0, 3.0, 1.5):  # from coarse to fine, the cloth's edge held: it nears a harmonic surface
        for _ in range(20):
            around = normalized_convolution(whole, np.maximum(known, gap).astype(np.float32), sigma)
            whole = np.where(gap[..., None], around, given).astype(np.float32)
    return to_bytes(whole)


def without_colour(colours: F32, parts: F32, grey: tuple[Part, ...]) -> F32:
    """Take all colour out of parts of a garment: (H, W, 3) sRGB 0..1. Brown cloth cannot be told from skin."""
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)
    for name in grey:
        lab[..., 1:] *= 1 - parts[..., PART_NAMES.index(name)][..., None]
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1).astype(np.float32)


def facts_text(facts: Facts) -> str:
    """Write facts as TOML."""

    def value(given: Any) -> str:
        if isinstance(given, str):
            return '"' + given.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if isinstance(given, list | tuple):
            return "[" + ", ".join(value(each) for each in given) + "]"
        return repr(given)

    told = facts.model_dump(exclude_none=True)
    return "".join(f"{key} = {value(given)}\n" for key, given in told.items())


if __name__ == "__main__":
    main()
