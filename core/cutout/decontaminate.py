"""What surroundings leave on a head: colour in its edge, a wall's light on it, a lamp's from behind along its jaw.

All would give away where the head was before: a white collar's glow under the chin, a blue edge round the hair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import LUMINANCE, dot, length, linear, normalized_convolution, srgb, thrice
from core.cutout.parts import Parts
from core.face.landmarks import WORK
from core.face.mesh import BROWS, EYES, FACE_OVAL, LIPS
from core.types import F32, U8, FaceMap

EDGE_FROM, EDGE_TO, INNER_TO = 2.0, 6.0, 22.0
"""Pixels inside a head's outline, at 512 x 640: its edge wholly, in part, and what is further in; by eye."""
OWN_HUE, BEYOND = 8.0, 0.1
"""CIELAB a* and b* by which an edge may differ from what is further in, and the part left of what exceeds it."""
SPILL_HAIR, SPILL_SKIN = (8.0, -4.0, 2.0), (12.0, 2.0, 8.0)
"""CIELAB a* and b* by which hair and skin may differ from their own median towards the colour of what is behind, by eye
on 81 people, of whom 18 are changed; and the chroma in that hue from which on a colour may be spill, and is: a grey
beard before a blue sky has none, and so parts from skin that way, while green light on brown hair makes it grey."""
SPILL_LEFT: Final = 0.15
"""Part of what exceeds it that is left."""
SPILL_WAY: Final = (0.6, 0.8)
"""Cosine between a colour's difference and the backdrop's from which on it may be spill, and is."""
SPILL_CHROMA: Final = (10.0, 20.0)
"""CIELAB chroma of a backdrop from which on it may colour a head, and does."""
SPILL_REACH: Final = 0.6
"""Eye distances over which what is behind is averaged."""
LEAST_OWN: Final = 0.3
"""Squared eye distances of hair or skin that must be seen for its own colour to be known."""
RIM_LIT, LEFT = 3.0, 0.5
"""Linear light over that of the hair further in from which on it is a lamp's from behind, and the power that is left of
what exceeds it. Of the 40 of 230 people with most hair as light all but four were lit so. A reader preferred these in
14 of 18 blind pairs, 4 equal; 1.8 and 0.1, with twice as much of the hue gone, painted flat slabs: 11 to 9."""
HUE_OUT: Final = 0.4
"""Part of such a light's hue that is taken out; by eye."""
RIM_DEPTH: Final = (0.25, 0.4)
"""Eye distances inside the outline up to which such light is taken out wholly, and at all; further in is own hair."""
LEAST_DEEP: Final = 0.05
"""Squared eye distances of hair further in that must be seen for its light to be known."""
RIM: Final = (0.01, 0.04)
"""sRGB by which a shaven jaw's edge is lighter than the skin beside it where it becomes a rim, and surely is one: a
collar's light, or a line that a camera's sharpening drew; by eye."""
RIM_TO: Final = 6.0
"""Pixels of such an edge at 512 x 640."""
BACKLIT: Final = (1.5, 2.2)
"""Linear light over the skin's own a little further in, where a jaw begins to be lit from behind, and surely is."""
LEAST: Final = 0.03
"""Squared eye distances of such light that count: of 49 official portraits, lit from the front, none has more than
0.0095; a speaker before a stage lamp has 0.14."""
ABOVE: Final = 0.1
"""Part of such a light that may lie above the ears; by eye."""


def decontaminate(rgb: F32, photo: F32, head: F32, jaw: F32, neck: F32, shaven: bool) -> F32:
    """Take the surroundings' light out of the head's edge: a white collar, a backlight, a blue backdrop.

    rgb: the estimated foreground, photo: the picture, both (1280, 1024, 3) float32 0..1; head, jaw, neck (1280, 1024).
    Near the edge a colour that leaves the head's own (12 px further in) towards what lies outside it
    is pulled back, all the more the nearer the edge; along the jaw any colour that is not the skin's, and along a
    shaven one what is lighter than the skin beside it (RIM). The bare neck beyond the jaw is left as it was.
    """
    small = cv2.resize(head, WORK, interpolation=cv2.INTER_AREA)
    depth = cv2.distanceTransform((small > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    colours = cv2.resize(photo, WORK, interpolation=cv2.INTER_AREA)
    within = normalized_convolution(colours, ((depth > 6) & (depth < 22)).astype(np.float32), 7)
    outside = normalized_convolution(colours, (cv2.dilate(small, np.ones((7, 7))) < 0.02).astype(np.float32), 7)
    own, other = (cv2.resize(c, frame.PRINT, interpolation=cv2.INTER_LINEAR) for c in (within, outside))
    towards = other - own
    far = dot(towards, towards)
    along = dot(rgb - own, towards)
    share = along / np.maximum(far, 1e-4)
    same_way = along**2 / np.maximum(far * dot(rgb - own, rgb - own), 1e-6)  # a highlight is not the backdrop's
    deep = cv2.resize(depth, frame.PRINT, interpolation=cv2.INTER_LINEAR)
    edge = np.clip(1 - (deep - 2) / 7, 0, 1)
    near = cv2.dilate((neck > 0.5).astype(np.float32), np.ones((15, 15), np.uint8))
    edge *= 1 - cv2.GaussianBlur(near, (0, 0), 4) * (1 - head)
    strength = edge * np.clip((np.sqrt(far) - 0.08) / 0.08, 0, 1)
    excess = (np.clip(share - 0.15, 0, 1.3) + np.clip(share + 0.15, -1.3, 0)) * strength * same_way
    cleaned = rgb - excess[..., None] * towards
    foreign = length(cleaned - own)
    swap = (edge * jaw * np.clip((foreign - 0.12) / 0.15, 0, 1))[..., None]
    cleaned = cleaned + swap * (own - cleaned)
    if shaven:
        beside = normalized_convolution(colours, ((depth > RIM_TO) & (depth < 2 * RIM_TO)).astype(np.float32), RIM_TO)
        inner = cv2.resize(beside, frame.PRINT, interpolation=cv2.INTER_LINEAR)
        rim = jaw * np.clip((RIM_TO - deep) / 2, 0, 1)
        rim *= np.clip(((cleaned - inner) @ LUMINANCE - RIM[0]) / (RIM[1] - RIM[0]), 0, 1)
        cleaned += thrice(cv2.GaussianBlur(rim, (0, 0), 1)) * (inner - cleaned)
    return np.clip(cleaned, 0, 1).astype(np.float32)


def in_own_hue(rgb: F32, head: F32, hair: F32, hat: F32) -> F32:
    """Keep hue and saturation of a head's edge near those of its hair, or its skin, further in; its light stays.

    rgb (1280, 1024, 3) float32 sRGB 0..1, head (1280, 1024); hair, hat (640, 512). A lens and a JPEG spread a lawn's
    green, a sky's blue over some pixels of any edge, whatever its matte says. Hats and what is worn in the hair stay.
    """
    small, matte = (cv2.resize(part, WORK, interpolation=cv2.INTER_AREA) for part in (rgb, head))
    depth = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    deeper = ((depth > EDGE_TO) & (depth < INNER_TO)).astype(np.float32) * (hat < 0.1)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    locks, skin = (normalized_convolution(lab, deeper * part, INNER_TO / 3)[..., 1:] for part in (hair, 1 - hair))
    away = lab[..., 1:] - (skin + (locks - skin) * hair[..., None])
    far = length(away)
    less = np.where(far > OWN_HUE, (OWN_HUE + BEYOND * (far - OWN_HUE)) / np.maximum(far, 1e-3), 1)
    edge = np.clip((EDGE_TO - depth) / (EDGE_TO - EDGE_FROM), 0, 1) * np.clip(2 * matte, 0, 1) * _bare(hat)
    lab[..., 1:] -= away * (edge * (1 - less))[..., None]
    change = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1) - small
    return np.clip(rgb + cv2.resize(change, frame.PRINT, interpolation=cv2.INTER_LINEAR), 0, 1).astype(np.float32)


def without_spill(rgb: F32, photo: F32, head: F32, parts: Parts, landmarks: F32) -> F32:
    """Take the colour out of hair and skin that a coloured wall or lamp behind the sitter casts there; light stays.

    rgb: the sitter's colours, photo: the picture, both (1280, 1024, 3) float32 sRGB 0..1; head (1280, 1024). As a
    green screen's spill is suppressed: what differs from the median of all hair, or all skin, towards the backdrop's
    colour beside it comes back to that median. Eyes, brows and lips stay, and so does what is worn on the head.
    Hair that is blue as a whole stays so, before a blue wall too: it may be dyed.
    """
    small, matte = (cv2.resize(part, WORK, interpolation=cv2.INTER_AREA) for part in (rgb, head))
    eye = frame.INTEROCULAR_PX * WORK[0] / frame.PRINT[0]
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    sitter = np.maximum.reduce([matte, parts.hair, parts.person])
    behind = (cv2.dilate(sitter, np.ones((9, 9))) < 0.05) & (parts.valid > 0.95)
    around = cv2.cvtColor(cv2.resize(photo, WORK, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB)
    other = normalized_convolution(around, behind.astype(np.float32), SPILL_REACH * eye)[..., 1:]
    chroma = np.maximum(length(other), 1e-3)
    if chroma.max() < SPILL_CHROMA[0]:
        return rgb
    wide = cv2.GaussianBlur(lab, (0, 0), 2)[..., 1:]
    coloured, tint = _ramp(chroma, SPILL_CHROMA), dot(wide, other) / chroma
    bare = _bare(parts.hat)
    skin = np.clip(matte - parts.hair - parts.hat, 0, 1) * (1 - _features(landmarks, matte.shape))
    for part, (tolerance, *tinted) in ((parts.hair, SPILL_HAIR), (skin, SPILL_SKIN)):
        own = (part > 0.7) & (bare > 0.9)
        if own.sum() < LEAST_OWN * eye**2:
            continue
        median = np.median(wide[own], axis=0)
        away = wide - median
        far = np.maximum(length(away), 1e-3)
        way = _ramp(dot(away, other) / (far * chroma), SPILL_WAY) * coloured * _ramp(tint, tinted)
        less = (1 - SPILL_LEFT) * np.maximum(far - tolerance, 0) / far * way * part * bare
        lab[..., 1:] -= (lab[..., 1:] - median) * cv2.GaussianBlur(less, (0, 0), 1.5)[..., None]
    change = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1) - small
    return np.clip(rgb + cv2.resize(change, frame.PRINT, interpolation=cv2.INTER_LINEAR), 0, 1).astype(np.float32)


def without_backlight(rgb: F32, head: F32, neck: F32, face: FaceMap) -> F32:
    """Give jaw and neck the skin's own light where a lamp from behind drew a white line along the jaw.

    rgb (1280, 1024, 3) float32 sRGB 0..1, head and neck (1280, 1024) mattes. Only a band of a quarter of an eye
    distance to each side of the jaw, only what is much lighter (BACKLIT) and paler than the skin further in, and
    nothing on a face whose facial hair is not known to be none: a white beard is no lamp's.
    """
    if face.features is None or face.features.facial_hair != "none":
        return rgb
    small = cv2.resize(rgb, WORK, interpolation=cv2.INTER_AREA)
    skin, bare = (cv2.resize(part, WORK, interpolation=cv2.INTER_AREA) for part in (head, neck))
    ring = face.landmarks[list(FACE_OVAL), :2] * np.float32(WORK[0] / frame.PRINT[0])
    oval = np.zeros(skin.shape, np.uint8)
    cv2.fillPoly(oval, [np.round(ring).astype(np.int32)], 1)
    eye = frame.INTEROCULAR_PX * WORK[0] / frame.PRINT[0]
    top = float(face.landmarks[[93, 323], 1].min()) * WORK[0] / frame.PRINT[0]
    below = np.arange(len(oval))[:, None] > top
    depth = cv2.distanceTransform(oval, cv2.DIST_L2, 5)
    away = cv2.distanceTransform(1 - oval, cv2.DIST_L2, 5)
    band = np.clip((0.28 * eye - np.maximum(depth, away)) / (0.06 * eye), 0, 1)
    band *= np.where(oval > 0, skin, bare)  # what shines beside the jaw and is no neck is an earring
    inner = (depth > 0.3 * eye) & (depth < 0.6 * eye) & below
    own = normalized_convolution(small, inner.astype(np.float32), 0.5 * eye)
    ratio = cv2.GaussianBlur((linear(small) @ LUMINANCE + 0.01) / (linear(own) @ LUMINANCE + 0.01), (0, 0), 1)
    pale = _saturation(small) / np.maximum(_saturation(own), 1e-3)
    lit = np.clip((ratio - BACKLIT[0]) / (BACKLIT[1] - BACKLIT[0]), 0, 1) * np.clip((0.8 - pale) / 0.2, 0, 1) * band
    lit *= _along_the_jaw((lit > 0.1).astype(np.uint8), top)
    lit *= at_outline((lit > 0.1).astype(np.uint8), np.maximum(skin, bare), 0.12 * eye)
    if lit.sum() < LEAST * eye**2:
        return rgb
    lit = np.clip(1.6 * cv2.GaussianBlur(cv2.dilate(lit, np.ones((5, 5), np.uint8)), (0, 0), 1.5), 0, 1)
    unlit = (1 - lit) * (np.maximum(skin, bare) > 0.9)
    filled = normalized_convolution(small, unlit.astype(np.float32) ** 4, 0.12 * eye)
    fine = small / np.maximum(cv2.GaussianBlur(small, (0, 0), 2), 1e-3)  # its grain stays, or it would look painted
    filled = np.clip(filled * np.clip(fine, 0.9, 1.1), 0, 1)
    change = cv2.resize((filled - small) * lit[..., None], frame.PRINT, interpolation=cv2.INTER_LINEAR)
    return np.clip(rgb + change, 0, 1).astype(np.float32)


def without_rim_light(rgb: F32, head: F32, hair: F32, hat: F32, valid: F32) -> F32:
    """Give the rim of hair that a sun or a lamp from behind lights the light of the hair further in, all but a part.

    rgb (1280, 1024, 3) float32 sRGB 0..1, head (1280, 1024); hair, hat, valid (640, 512). In a room without that lamp
    a glowing rim looks cut out. Where the photo ends is no rim. What is RIM_LIT times as light keeps LEFT of the rest,
    as a power, and little of its hue (HUE_OUT).
    """
    small, matte = (cv2.resize(part, WORK, interpolation=cv2.INTER_AREA) for part in (rgb, head))
    eye = frame.INTEROCULAR_PX * WORK[0] / frame.PRINT[0]
    figure = np.maximum(np.maximum(matte, hair), 1 - valid) > 0.5
    depth = cv2.distanceTransform(figure.astype(np.uint8), cv2.DIST_L2, 5) / np.float32(eye)
    own = hair * (1 - hat)
    deep = ((own > 0.6) & (depth > RIM_DEPTH[0])).astype(np.float32)
    if deep.sum() < LEAST_DEEP * eye**2:
        return rgb
    lit = linear(small)
    light = np.log(cv2.GaussianBlur(lit @ LUMINANCE, (0, 0), 2) + 4e-3)
    inner, colour = (normalized_convolution(each, deep, RIM_DEPTH[1] * eye) for each in (cv2.merge((light,) * 3), lit))
    over = np.maximum(light - inner[..., 0] - np.float32(np.log(RIM_LIT)), 0)
    over *= own * np.clip((RIM_DEPTH[1] - depth) / (RIM_DEPTH[1] - RIM_DEPTH[0]), 0, 1)
    over = cv2.GaussianBlur(over, (0, 0), 2)
    if over.max() < 0.1:
        return rgb
    in_own_colour = colour * thrice((lit @ LUMINANCE + 1e-3) / (colour @ LUMINANCE + 1e-3))
    unlit = lit + (in_own_colour - lit) * thrice(HUE_OUT * np.clip(over, 0, 1))
    change = (unlit * thrice(np.exp(-(1 - LEFT) * over)) + 1e-3) / (lit + 1e-3)
    gain = cv2.resize(change.astype(np.float32), frame.PRINT, interpolation=cv2.INTER_LINEAR)
    return srgb(np.clip(linear(rgb) * gain, 0, 1)).astype(np.float32)


def _bare(hat: F32) -> F32:
    """Return how much of each pixel is no hat, nor beside one: (640, 512) float32 0..1."""
    return 1 - np.clip(4 * cv2.dilate(hat, np.ones((5, 5))), 0, 1)


def _features(landmarks: F32, shape: tuple[int, ...]) -> F32:
    """Return where eyes, brows and lips are, and a little around them: float32 0..1 at WORK."""
    points = np.round(landmarks[:, :2] * np.float32(WORK[0] / frame.PRINT[0])).astype(np.int32)
    drawn = np.zeros(shape, np.uint8)
    for ring in (LIPS, *EYES, *BROWS):
        cv2.fillConvexPoly(drawn, cv2.convexHull(points[list(ring)]), 1)
    return cv2.GaussianBlur(cv2.dilate(drawn, np.ones((13, 13), np.uint8)).astype(np.float32), (0, 0), 3)


def _ramp(values: F32, span: Sequence[float]) -> F32:
    return np.clip((values - span[0]) / (span[1] - span[0]), 0, 1).astype(np.float32)


def _along_the_jaw(spots: U8, top: float) -> F32:
    """Keep the spots that lie below a row, all but ABOVE of each: what goes on up the temple is light from that side.

    spots: (H, W) uint8 of 0 and 1. Half a spot would end in a line across the cheek.
    """
    _, blobs = cv2.connectedComponents(spots)
    area = np.bincount(blobs.ravel())
    above = np.bincount(blobs[: max(0, round(top))].ravel(), minlength=len(area))
    kept = above <= ABOVE * area
    kept[0] = False
    return kept[blobs].astype(np.float32)


def at_outline(spots: U8, figure: F32, reach: float) -> F32:
    """Keep the spots that come within `reach` pixels of the figure's outline: no lamp behind lights a cheek.

    spots: (H, W) uint8 of 0 and 1, figure: (H, W) float32 0..1.
    """
    size = 2 * round(reach) + 1
    beside = cv2.dilate((figure < 0.5).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    _, blobs = cv2.connectedComponents(spots)
    return (np.isin(blobs, np.unique(blobs[(beside > 0) & (spots > 0)])) & (spots > 0)).astype(np.float32)


def _saturation(rgb: F32) -> F32:
    high = rgb.max(axis=-1)
    return ((high - rgb.min(axis=-1)) / np.maximum(high, 1e-3)).astype(np.float32)
