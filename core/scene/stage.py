"""FaceMap + Style -> Setup: the sitter placed in the frame, everything round them laid out, nothing drawn yet.

Chooses how large a photo may be printed, where collar and shoulders go, and makes the layers that need no network.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import to_bytes
from core.face.constancy import is_colourless, prints_grey
from core.face.landmarks import face_skin, fill
from core.face.mesh import CHIN, FACE_OVAL
from core.frame import INTEROCULAR_PX
from core.scene.backdrop import Backdrop
from core.scene.compose import Look, grain_of
from core.scene.glare import glare_for
from core.scene.lighting import Rig, exposure, head_normals
from core.scene.neck_tone import jaws_of, with_own_neck_toned
from core.scene.style import OWN, Lamps, Outfit, Paper, Style, in_colour, lamps_of, paper_of, pick, rgb_of
from core.scene.wardrobe import Garment, choose
from core.types import F32, U8, Body, Cutout, FaceMap, Figure, Layers, Undressed

ENLARGE_LIMIT: Final = 2.35
"""Print pixels per photo pixel up to which a face still looks photographed."""
LEAST_WINDOW: Final = 0.62
"""Least part of the frame that a print may show: a smaller one would no longer hold face and collar."""
MARGIN: Final = 0.02
"""Part of the print's width left beside hair or a brim that is moved into it; by eye."""
TORSO_TURN: Final = 0.5
"""How much of a head's turn shoulders make with it; by eye."""
MOST_TURN: Final = 15.0
"""Degrees to which a garment may be turned: beyond, its far side would have to be invented."""
PLACES: Final = ("window", "outdoor", "library", "office", "city")
"""Kinds of backdrops that are rooms or out of doors, and no wall."""
DIM: Final = -1.2
"""Stops of a place behind a face in hard light, in black and white: bright, the head before it looks dark and pasted
in. Of 20 blind pairs with 1.5 stops less a reader preferred that in 16, and would have had the window a little lighter.
"""
SIDE_LIGHT: Final = 0.1
"""How far of 1 a photo is lit from a side (`FaceMap.light_side`) for it to be lit from there in the portrait; by eye.
Two photos count as lit from different sides further out (`core.face.coverage`)."""
Skin = tuple[float, float, float]
Window = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person or the command line asks for over the style's own: names from the wardrobe, or None.

    colour: one of CLOTH_COLOURS, of whatever outfit is worn.
    """

    outfit: str | None = None
    backdrop: str | None = None
    light: str | None = None
    angle: str | None = None
    colour: str | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Dressing(Undressed):
    """An undressed sitter and what is put on them.

    garment: the photographed one, None where one is drawn. seed: of all that is random in it.
    """

    outfit: Outfit
    seed: int
    garment: Garment | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Setup(Dressing):
    """One portrait before it is drawn: layers without a garment, what is put on, and the settings."""

    face: FaceMap
    settings: dict[str, Any]


def print_size(upscale_factor: float) -> tuple[int, int]:
    """Return the largest print size that enlarges the photo's own pixels by no more than ENLARGE_LIMIT.

    upscale_factor: print pixels per photo pixel at full print size.
    """
    for width, height in frame.PRINT_SIZES:
        if upscale_factor * width / frame.PRINT[0] <= ENLARGE_LIMIT:
            return width, height
    return frame.PRINT_SIZES[-1]


def set_up(face: FaceMap, cutout: Cutout, style: Style, choice: Choice, take: int, seed: int, retouch: float) -> Setup:
    """Place the sitter and lay everything out for one portrait.

    take: 0 is straight; 1 leans the head by up to three degrees and, where the photo is lit from no side or shows the
    clothes that are worn, lights from the other one than 0, so that two portraits from one photo differ.
    """
    rng = np.random.default_rng([seed, take])
    own_clothes = cutout.window is not None
    tilt = 0.0 if take == 0 or own_clothes else float(rng.choice([-1, 1]) * rng.uniform(1.5, 3.0))
    outfit, backdrop, light = (
        choice.outfit or style.outfit,
        choice.backdrop or style.backdrop,
        choice.light or style.light,
    )
    grey_for = _grey_for(face, style)
    settings = {
        "outfit": outfit,
        "backdrop": backdrop,
        "light": light,
        "paper": paper_of(backdrop),
        "lamps": lamps_of(light),
        "key_side": _key_side(face, light, take, own_clothes),
        "relight": 1.0,
        "tilt_deg": round(tilt, 2),
        "take": take,
        "black_and_white": bool(grey_for),
        "grey_for": grey_for,
        "dim": DIM if grey_for == "light" else 0.0,
        "glare": glare_for(face, cutout) if style.follows_photo and not grey_for else 0.0,
        "stops": 0.0,
        "warmth": 0.0,
        "retouch": retouch,
        "least_percent": style.least_percent,
    }
    if choice.colour:
        settings["colour"] = choice.colour
    worn = in_colour(garment_of(outfit), choice.colour)
    dressing = put_on(undress(face, cutout, tilt), worn, seed)
    settings["garment"] = dressing.garment.name if dressing.garment else OWN if own_clothes else "drawn"
    return Setup(**_fields_of(dressing), face=face, settings=settings)


def _grey_for(face: FaceMap, style: Style) -> str:
    """Say why a portrait is in black and white: "look", "photo", or "light"; empty where it is in colour.

    Hard light leaves a drawing its colours, which has a light of its own, and an ID photo, which must have them.
    """
    if is_colourless(face):
        return "photo"
    if style.black_and_white:
        return "look"
    return "light" if prints_grey(face) and style.follows_photo else ""


def undress(face: FaceMap, cutout: Cutout, tilt_deg: float = 0.0) -> Undressed:
    """Place the sitter in the frame, at the largest print their photo carries, leaning by some degrees."""
    window = cutout.window or window_of(cutout.shown, cutout.figure.neck_x, frame.PRINT)
    size = print_size(face.upscale_factor * frame.PRINT[1] / window[3])
    layers, back_hair, elsewhere, window, body, skin, face_colour = _layers(face, cutout, tilt_deg, size)
    sitter = Undressed(
        layers,
        back_hair,
        elsewhere,
        window,
        body,
        skin,
        face_colour,
        cutout.figure.neckline,
        face.upscale_factor * size[0] / frame.PRINT[0],
        torso_turn(face),
        cutout.bearded or (face.features is not None and face.features.facial_hair == "beard"),
    )
    sitter = replace(sitter, jaws=jaws_of(sitter))
    return with_own_neck_toned(sitter) if cutout.window is None else sitter  # own clothes are worn as photographed


def torso_turn(face: FaceMap) -> float:
    """Return how far the torso under a head is turned to the picture's right, in degrees."""
    return float(np.clip(TORSO_TURN * face.selfie.face.yaw_deg, -MOST_TURN, MOST_TURN))


def put_on(sitter: Undressed, outfit: Outfit, seed: int) -> Dressing:
    """Choose the garment of an outfit that fits a sitter best; none for their own clothes."""
    garment = (
        None
        if outfit.kind == OWN
        else choose(outfit.kind, sitter.body, sitter.turn_deg, sitter.neckline, outfit.garment, seed)
    )
    return Dressing(**_fields_of(sitter), outfit=outfit, seed=seed, garment=garment)


def _fields_of(value: Undressed) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


def garment_of(outfit: str) -> Outfit:
    """Take an outfit from the wardrobe. Raises StyleWrong with the choices."""
    found = pick("outfit", outfit)
    assert isinstance(found, Outfit)
    return found


def with_colours(settings: Mapping[str, Any], taken_by: Collection[str] = ("look", "light")) -> dict[str, Any]:
    """Return settings in colour where a look or hard light took them; where the photo has none, and where a recipe of
    before does not say why, they stay.

    taken_by: which of the two is undone. Likeness is measured without both: greys alone take 3.5 to 7.6 points of it,
    of four photos of one person, and nobody is less like themselves in them. Documents go without hard light's alone.
    """
    return {**settings, "black_and_white": False} if settings.get("grey_for") in taken_by else dict(settings)


def look_of(settings: Mapping[str, Any], seed: int) -> Look:
    """Read a recipe's settings as a look. Backdrop and light stand in them as numbers (`paper_of`, `lamps_of`).

    A window, or a wall's brighter half, stands on the side that the key light comes from: of 26 blind pairs of faces
    lit from the other side a reader preferred that in 20.
    """
    paper, rig = Paper(title="", **settings["paper"]), Rig(**settings["lamps"])
    grey = bool(settings.get("black_and_white", False))  # recipes of before have no such key
    grey &= not (settings.get("grey_for") == "light" and settings.get("finish"))  # a drawing has a light of its own
    return Look(
        backdrop=Backdrop(
            paper.kind,
            rgb_of(paper.colour),
            paper.pool,
            paper.vignette,
            float(np.sign(settings["key_side"])) * abs(paper.side),
            rgb_of(paper.second) if paper.second else None,
            float(settings.get("dim", 0.0)) if grey and paper.kind in PLACES else 0.0,
        ),
        rig=replace(
            rig,
            key_deg=float(settings["key_side"]) * max(abs(rig.key_deg), 1e-3),
            strength=rig.strength * float(settings["relight"]),
        ),
        seed=seed,
        black_and_white=grey,
        stops=float(settings["stops"]),
        warmth=float(settings["warmth"]),
        retouch=float(settings["retouch"]),
        backdrop_blur=float(settings.get("backdrop_blur", 0.0)),
        glare=0.0 if settings.get("drawn_anew") else float(settings.get("glare", 0.0)),
    )


def _key_side(face: FaceMap, light: str, take: int, own_clothes: bool) -> float:
    """Return the side of the key light: the photo's own where it has one, else the style's, which take 1 turns.

    In own clothes no head leans, so that take 1 turns the light of every photo.
    """
    lamps = pick("light", light)
    assert isinstance(lamps, Lamps)
    lit = abs(face.light_side) > SIDE_LIGHT
    side = float(np.sign(face.light_side if lit else lamps.key_deg) or 1.0)
    return side if take == 0 or (lit and not own_clothes) else -side


def window_of(
    shown: tuple[float, float, float], face_x: float, size: tuple[int, int], sides: tuple[float, float] | None = None
) -> Window:
    """Choose what the print shows, so that its own border lies where the photo's border cuts the head.

    shown: left, top and right that the photo shows of the head, face_x the face's middle, sides: the head's own, all in
    pixels of a frame of `size` (width, height). Returns left, top, width and height of a 4:5 window, the whole frame
    where nothing is cut. A brim or hair that the photo shows whole is moved into the print where it fits.
    """
    (width, height), (left, top, right) = size, shown
    whole = (0.0, 0.0, float(width), float(height))
    tall = min(height - top, (right - left) * height / width)
    if tall >= height or tall < LEAST_WINDOW * height:  # what is cut so far cannot be hidden: the judge will see it
        return whole
    wide = tall * width / height
    start = face_x - wide / 2
    if sides is not None and sides[1] - sides[0] < wide:
        start = float(np.clip(start, sides[1] - wide, sides[0]))
    start = float(np.clip(start, left, right - wide))
    start = left if left > 0 and right >= width else right - wide if right < width and left <= 0 else start
    above = top if top > 0 else float(np.clip(frame.EYE_LINE * (height - tall), 0, height - tall))
    half_face = frame.EYE_DISTANCE * width
    if not (start < face_x - half_face and face_x + half_face < start + wide and above < frame.EYE_LINE * height):
        return whole
    return start, above, wide, tall


def _layers(
    face: FaceMap, cutout: Cutout, tilt_deg: float, size: tuple[int, int]
) -> tuple[Layers, U8, U8, Window, Body, Skin, Skin]:
    """Turn the cutout into the layers of one portrait at its print size: head and own neck, no torso yet."""
    body = body_of(face, cutout.figure)
    turn = cv2.getRotationMatrix2D((body.neck_x, body.collar_y), -tilt_deg, size[0] / frame.PRINT[0])
    shift = np.array([body.neck_x, body.collar_y]) * (size[0] / frame.PRINT[0] - 1)
    turn[:, 2] += shift

    def place(layer: F32, border: int = cv2.BORDER_CONSTANT) -> F32:
        shrink = size[0] / frame.PRINT[0]
        smooth = cv2.GaussianBlur(layer, (0, 0), 0.35 / shrink) if shrink < 0.9 else layer
        flags = cv2.INTER_LINEAR if tilt_deg == 0 else cv2.INTER_CUBIC
        return np.clip(cv2.warpAffine(smooth, turn, size, flags=flags, borderMode=border), -1, 1)

    rgb = _crisp(place(cutout.rgb, cv2.BORDER_REPLICATE), face.upscale_factor * size[0] / frame.PRINT[0])
    points = frame.carry(face.landmarks, turn.astype(np.float32))
    pixels = to_bytes(rgb)
    skin = face_skin(pixels, points).astype(np.float32)
    head, back_hair = place(cutout.head), place(cutout.back_hair)
    left, top, right = cutout.shown
    corners = frame.carry(np.array([[left, top], [right, top]], np.float32), turn.astype(np.float32))
    cut = (left > 0, top > 0, right < frame.PRINT[0])  # a border that cuts nothing stays where it is, however tilted
    shown = (
        float(corners[0, 0]) + 2 if cut[0] else 0.0,
        float(corners[:, 1].max()) + 2 if cut[1] else 0.0,
        float(corners[1, 0]) - 2 if cut[2] else float(size[0]),
    )
    window = window_of(shown, float(points[1, 0]), size, _sides(np.maximum(head, back_hair), float(points[CHIN, 1])))
    if cutout.window is not None:
        shrink = size[0] / frame.PRINT[0]
        window = (
            cutout.window[0] * shrink,
            cutout.window[1] * shrink,
            cutout.window[2] * shrink,
            cutout.window[3] * shrink,
        )
    marks = face.marks.copy()
    marks[:, :2] = cv2.transform(face.marks[None, :, :2], turn)[0] if len(marks) else marks[:, :2]
    marks[:, 2] *= size[0] / frame.PRINT[0]
    layers = Layers(
        sitter=pixels,
        head=to_bytes(head),
        neck=to_bytes(place(cutout.neck)),
        garment=np.zeros((size[1], size[0], 4), np.uint8),
        normals=np.round(place(head_normals(face, cutout)) * 127).astype(np.int8),
        light=face.light,
        marks=marks,
        gain=exposure(np.clip(rgb, 0, 1), skin),
        grain=grain_of(pixels, skin),
        chin=float(points[CHIN, 1]),
        landmarks=points,
        regions=cv2.warpAffine(cutout.regions, turn, size, flags=cv2.INTER_LINEAR).astype(np.uint8),
    )
    return (
        layers,
        # both together are rounded, for a 255th of a bright backdrop is seen as a line on dark hair
        cv2.subtract(to_bytes(head + back_hair), to_bytes(head)),
        to_bytes(place(cutout.backdrop)),
        window,
        body,
        _lower_face(pixels, points, head),
        skin_colour(pixels.astype(np.float32) / 255, skin > 0),
    )


def _sides(head: F32, chin: float) -> tuple[float, float] | None:
    """Return the first and last column of a head (H, W) above its chin, MARGIN of the width further out."""
    columns = np.flatnonzero((head[: max(1, round(chin))] > 0.5).any(axis=0))
    margin = MARGIN * head.shape[1]
    return (float(columns[0]) - margin, float(columns[-1]) + margin) if len(columns) else None


def body_of(face: FaceMap, figure: Figure) -> Body:
    """Lay out neck, collar and shoulders for a garment.

    The collar goes where the source's own clothes begin, so that bare neck is the sitter's own skin
    as far as it goes, but never nearer than 0.28 nor further than 0.62 eye distances below the chin.
    Shoulders are the photo's own where it shows them, else 3.1 eye distances to each side and as high
    as in the median portrait.
    """
    chin = float(face.landmarks[CHIN, 1])
    collar = float(np.clip(figure.neckline, chin + 0.28 * INTEROCULAR_PX, chin + 0.62 * INTEROCULAR_PX))
    if figure.shoulders is None:
        left, right = figure.neck_x - 3.1 * INTEROCULAR_PX, figure.neck_x + 3.1 * INTEROCULAR_PX
    else:
        left, right = figure.shoulders
    level = chin + 0.23 * INTEROCULAR_PX if figure.shoulder_y is None else figure.shoulder_y
    return Body(figure.neck_x, figure.neck_width, collar, chin, level, left, right)


def _lower_face(pixels: U8, points: F32, head: F32) -> Skin:
    """Return the skin's colour on the face below the torso's upper edge."""
    inside = fill(pixels.shape[:2], points, FACE_OVAL) & (head > 0.7)
    inside[: round(frame.GARMENT_TOP * len(pixels))] = False
    return skin_colour(pixels.astype(np.float32) / 255, inside)


def skin_colour(rgb: F32, face: NDArray[np.bool_]) -> Skin:
    """Return the median colour of a face (H, W, 3) float32 sRGB 0..1; a stand-in where fewer than 20 pixels show it.

    The base model's training takes the neck's colour from here too.
    """
    red, green, blue = np.median(rgb[face], axis=0) if face.sum() > 20 else (0.7, 0.55, 0.47)
    return float(red), float(green), float(blue)


def _crisp(rgb: F32, upscale_factor: float) -> F32:
    """Give an enlarged photo back the edge contrast that interpolation took: unsharp mask of luma, none below 1.2 x."""
    if upscale_factor <= 1.2:
        return rgb
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    detail = luma - cv2.GaussianBlur(luma, (0, 0), 0.55 * upscale_factor)
    amount = min(0.9, 0.55 * (upscale_factor - 1.2))
    return (rgb + amount * np.clip(detail, -0.06, 0.06)[..., None]).astype(np.float32)
