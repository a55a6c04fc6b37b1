"""Skin, teeth and silhouette: what is uneven is evened out in the band of frequencies it lives in, texture stays.

Every step works on CIELAB of the sitter's own pixels, before light: low frequencies are changed, what is finer than
PORES is put back as it was (frequency separation). Moles and scars that the face map found (`Layers.marks`) are left
alone by every step but `moles`.
"""

import math
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.colour import normalized_convolution, to_bytes
from core.edit import masks
from core.edit.step import Parameters, StepKind, one_of, strengths
from core.errors import Refused
from core.face.mesh import EYES
from core.types import F32, Layers

PORES: Final = 0.012
"""Standard deviation in eye distances of the blur below which skin's own texture lives: 2.3 px of the full print."""
SPOT: Final = 0.07
"""The same of the surroundings that a blemish stands out of."""
SPOT_DEVIATIONS: Final = {"touch": 4.5, "more": 3.2, "lots": 2.4}
"""Median deviations by which a spot must be darker or redder than around it to be a blemish; by eye."""
DEEPEST: Final = 20.0
"""CIELAB L* beyond which a dark spot is no blemish."""
BESIDE_OTHER: Final = 0.07
"""Eye distances from hair, glasses or a feature within which nothing is taken for a blemish."""
HOLE: Final = 0.07
"""Half the breadth in eye distances of what lies in skin and may be a spot of it, though its colour is another."""
AROUND_EYE: Final = 0.45
"""Eye distances round an iris within which nothing is taken for one."""
LARGEST_SPOT: Final = 0.16
"""Eye distances across beyond which it is form, shade or a birthmark, not a blemish."""
LONGEST_SPOT: Final = 2.2
"""Length against breadth beyond which it is a line of the face."""
LEAST_L: Final = 2.5
LEAST_A: Final = 2.0
"""CIELAB steps that a blemish is darker or redder by at the least."""
MOST_FILL: Final = 30.0
"""CIELAB steps that a spot is changed by at the most."""
UNDER_EYE: Final = {"touch": 0.3, "more": 0.5, "lots": 0.7}
"""Part of the way to the cheek's own colour."""
MOST_LIFT: Final = 9.0
"""CIELAB L* that the skin under an eye is lightened by at the most: more flattens the eye."""
SHINE: Final = {"touch": 0.25, "more": 0.4, "lots": 0.6}
"""Part of a highlight that is taken down."""
SHINE_ABOVE: Final = 88.0
"""Percentile of the skin's lightness above which it shines."""
REDNESS: Final = {"touch": 0.3, "more": 0.45, "lots": 0.6}
"""Part of what skin is redder by than its own median."""
TEETH: Final = {"touch": 0.3, "more": 0.5, "lots": 0.7}
"""Part of the yellow beyond NATURAL_TOOTH that is taken out."""
NATURAL_TOOTH: Final = 5.0
"""CIELAB b* of a clean tooth in daylight; natural teeth have 0 to 20."""
LIGHTER_TOOTH: Final = 5.0
"""CIELAB L* that teeth become lighter by at full strength; never above BRIGHTEST_TOOTH."""
BRIGHTEST_TOOTH: Final = 88.0
STRAY: Final = {"touch": 0.02, "more": 0.035, "lots": 0.055}
"""Half the breadth in eye distances of what hangs out of the head's outline and is taken away."""
MOLES: Final = ("fade", "if_any")
FADED: Final = 0.75
"""How much of a mole is taken out by who asks for it."""


def _read_amount(text: str) -> Parameters:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= 1:
        raise Refused("tweak_value", f"retouch {text!r}: give a number from 0 to 1")
    return {"value": amount}


def _marks(face: Layers) -> F32:
    """Return where moles and scars are, with a margin: (H, W) 0 or 1."""
    found = np.zeros(face.head.shape, np.float32)
    for x, y, radius in face.marks:
        cv2.circle(found, (round(float(x)), round(float(y))), max(2, round(1.7 * float(radius))), 1.0, -1)
    return found


def _well_inside(skin: F32, face: Layers) -> NDArray[np.bool_]:
    """Return plain skin with nothing else near it: no lash, brow, frame of glasses, hair or nostril."""
    eye = masks.eye_px(face)
    hole = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(HOLE * eye) + 1,) * 2)
    skin = cv2.morphologyEx(skin, cv2.MORPH_CLOSE, hole)  # a dark spot is no skin by its colour
    around = np.zeros(skin.shape, np.float32)
    for iris in masks.IRISES:  # lashes, pouches and rims of glasses
        x, y = masks.mesh_of(face)[iris[0], :2]
        cv2.circle(around, (round(float(x)), round(float(y))), round(AROUND_EYE * eye), 1.0, -1)
    reach = 2 * round(BESIDE_OTHER * eye) + 1
    return np.asarray(cv2.erode((skin > 0.6).astype(np.uint8), np.ones((reach, reach))) > 0) & (around < 0.1)


def _spots(lab: F32, skin: F32, face: Layers, deviations: float) -> F32:
    """Return small round spots of skin that are darker or redder than around them: (H, W) 0..1, soft."""
    eye = masks.eye_px(face)
    fine = cv2.GaussianBlur(lab, (0, 0), PORES * eye)
    away = fine - normalized_convolution(fine, skin, SPOT * eye)
    inside = _well_inside(skin, face)
    if inside.sum() < 50:
        return np.zeros_like(skin)
    spread = 1.4826 * np.median(np.abs(away[inside]), axis=0) + 1e-3
    darker = -away[..., 0] / max(deviations * spread[0], LEAST_L)
    redder = away[..., 1] / max(deviations * spread[1], LEAST_A)
    shallow = np.abs(away[..., 0]) < DEEPEST  # what is darker is a hair, a frame or a nostril
    found = ((np.maximum(darker, redder) > 1) & inside & (_marks(face) == 0) & shallow).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    kept = np.zeros(count, bool)
    for number in range(1, count):
        _, _, wide, tall, area = (int(v) for v in stats[number])
        long, short = max(wide, tall), min(wide, tall)
        round_enough = long <= LONGEST_SPOT * short and area > 0.35 * wide * tall
        kept[number] = round_enough and 3 <= long <= LARGEST_SPOT * eye
    spots = cv2.dilate(kept[labels].astype(np.uint8), np.ones((3, 3), np.uint8), iterations=max(1, round(0.012 * eye)))
    spots[_marks(face) > 0] = 0
    return cv2.GaussianBlur(spots.astype(np.float32), (0, 0), max(0.6, 0.01 * eye))


def _filled(lab: F32, known: F32, where: F32, eye: float, part: float) -> F32:
    """Give what lies in `where` the low frequencies of the known skin around it; its texture stays.

    It becomes lighter and less red only, by as much as MOST_FILL.
    """
    fine = cv2.GaussianBlur(lab, (0, 0), 0.6 * PORES * eye)
    change = normalized_convolution(fine, known, 0.05 * eye) - fine
    change[..., 0] = np.clip(change[..., 0], 0, MOST_FILL)
    change[..., 1] = np.clip(change[..., 1], -MOST_FILL, 0)
    change[..., 2] = np.clip(change[..., 2], -6, 6)
    return lab + part * where[..., None] * change


def _blemishes(layers: Layers, deviations: float) -> Layers:
    box = masks.face_box(layers)
    face = masks.cut(layers, box)
    lab, skin = masks.lab_of(face), masks.skin(face)
    spots = _spots(lab, skin, face, deviations)
    if spots.max() < 0.1:
        return layers
    known = skin * (1 - np.clip(2 * spots, 0, 1)) * (1 - _marks(face))
    return masks.with_face(layers, box, _filled(lab, known, np.clip(1.2 * spots, 0, 1), masks.eye_px(face), 1.0))


def _read_moles(text: str) -> Parameters:
    return one_of("moles", MOLES)(text) if text else {}


def _moles(layers: Layers, parameters: Parameters, seed: int) -> Layers:
    """Take moles and scars out; where there are none that is said, unless only those there may be are meant."""
    if not len(layers.marks):
        if parameters.get("value") == "if_any":
            return layers
        raise Refused("no_marks", "moles: 0 moles or scars were found in the photo")
    box = masks.face_box(layers)
    face = masks.cut(layers, box)
    where = cv2.GaussianBlur(_marks(face), (0, 0), max(0.6, 0.012 * masks.eye_px(face)))
    known = masks.skin(face) * (1 - _marks(face))
    return masks.with_face(layers, box, _filled(masks.lab_of(face), known, where, masks.eye_px(face), FADED))


def _under_eye(layers: Layers, part: float) -> Layers:
    box = masks.face_box(layers)
    face = masks.cut(layers, box)
    lab, eye = masks.lab_of(face), masks.eye_px(face)
    low = cv2.GaussianBlur(lab, (0, 0), 0.05 * eye)
    open_eyes = np.maximum(*(masks.polygon(face, ring, 1.15, 0.015) for ring in EYES))
    below = masks.skin(face) > 0.05  # glasses over the eyes are left alone
    for pouch, cheek in zip(masks.UNDER_EYES, masks.CHEEKS, strict=True):
        plain = low[(masks.polygon(face, cheek) > 0.5) & below]
        if len(plain) < 20:
            continue
        goal = np.median(plain, axis=0)
        where = (
            masks.polygon(face, pouch, 0.95, 0.05)
            * (1 - open_eyes)
            * cv2.GaussianBlur(below.astype(np.float32), (0, 0), 0.03 * eye)
        )
        towards = goal - low
        towards[..., 0] = np.clip(towards[..., 0], 0, MOST_LIFT / 0.7)
        towards[..., 1:] = np.clip(towards[..., 1:], -8, 8) * (towards[..., :1] > 0)
        lab = lab + part * where[..., None] * towards * np.array([1, 0.7, 0.7], np.float32)
    return masks.with_face(layers, box, lab)


def _shine(layers: Layers, part: float) -> Layers:
    box = masks.face_box(layers)
    face = masks.cut(layers, box)
    lab, eye = masks.lab_of(face), masks.eye_px(face)
    skin = masks.oval(face) * (1 - masks.features(face)) * (face.head > 200)
    low = cv2.GaussianBlur(lab, (0, 0), 0.02 * eye)
    inside = skin > 0.7
    if inside.sum() < 50:
        return layers
    limit = float(np.percentile(low[..., 0][inside], SHINE_ABOVE))
    over = np.maximum(low[..., 0] - limit, 0) * skin
    colour = np.median(lab[inside], axis=0)
    lab[..., 0] -= part * over
    pale = np.clip(over / 20, 0, 1)[..., None]
    lab[..., 1:] += part * pale * np.clip(colour[1:] - low[..., 1:], -10, 10)
    return masks.with_face(layers, box, lab)


def _redness(layers: Layers, part: float) -> Layers:
    box = masks.face_box(layers)
    face = masks.cut(layers, box)
    lab, eye = masks.lab_of(face), masks.eye_px(face)
    skin = masks.oval(face) * (1 - masks.features(face)) * (face.head > 200) * (1 - _marks(face))
    inside = skin > 0.7
    if inside.sum() < 50:
        return layers
    low = cv2.GaussianBlur(lab[..., 1], (0, 0), 0.02 * eye)
    over = np.clip(low - float(np.median(low[inside])) - 0.5, 0, 14)
    lab[..., 1] -= part * over * skin
    return masks.with_face(layers, box, lab)


def _teeth(layers: Layers, part: float) -> Layers:
    box = masks.face_box(layers)
    face = masks.cut(layers, box)
    teeth, lab = masks.teeth(face), masks.lab_of(face)
    if (teeth > 0.5).sum() < 0.004 * masks.eye_px(face) ** 2:
        raise Refused("no_teeth", f"teeth: {int((teeth > 0.5).sum())} pixels of teeth are seen: the mouth is closed")
    lab[..., 2] -= part * teeth * np.maximum(lab[..., 2] - NATURAL_TOOTH, 0)
    room = np.clip((BRIGHTEST_TOOTH - lab[..., 0]) / 10, 0, 1)
    lab[..., 0] += part * teeth * LIGHTER_TOOTH * room
    return masks.with_face(layers, box, lab)


def _stray_hair(layers: Layers, breadth: float) -> Layers:
    """Take thin strands that hang out of the head's outline away, above the chin; the outline's own softness stays."""
    radius = max(1, round(breadth * masks.eye_px(layers)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    body = cv2.morphologyEx(layers.head, cv2.MORPH_OPEN, disc)
    soft = cv2.GaussianBlur(cv2.dilate(body, np.ones((3, 3), np.uint8)), (0, 0), 1.2).astype(np.float32)
    rows = np.arange(len(soft), dtype=np.float32)[:, None]
    above = np.clip((layers.chin - rows) / (0.3 * masks.eye_px(layers)), 0, 1)
    kept = np.minimum(layers.head, soft) * above + layers.head * (1 - above)
    keep = masks.oval(layers, 1.1) if len(layers.landmarks) else np.zeros_like(soft)
    return replace(layers, head=to_bytes((kept * (1 - keep) + layers.head * keep) / 255))


STEPS: Final = (
    StepKind(
        "retouch", 1, _read_amount, lambda settings, given: {**settings, "retouch": given["value"]}, takes="0 to 1"
    ),
    strengths("blemishes", 1, SPOT_DEVIATIONS, "more", layers=_blemishes),
    StepKind("moles", 1, read=_read_moles, layers=_moles, takes=", ".join(MOLES), default="fade"),
    strengths("under_eye", 1, UNDER_EYE, "touch", layers=_under_eye),
    strengths("shine", 1, SHINE, "more", layers=_shine),
    strengths("redness", 1, REDNESS, "more", layers=_redness),
    strengths("teeth", 1, TEETH, "touch", layers=_teeth),
    strengths("stray_hair", 1, STRAY, "more", layers=_stray_hair),
)
