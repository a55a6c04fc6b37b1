"""What the nets say -> what is so: light, hoods, hats and holes told by colour, by place and by what hangs together."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.colour import dot, length, normalized_convolution
from core.cutout.parts import HALF, PARTS_SIZE
from core.face.mesh import CHIN, NOSE
from core.frame import INTEROCULAR_PX
from core.types import F32, U8

NO_SKIN: Final = 24.0
"""Distance in the a*b* plane from the face's own skin beyond which nothing is skin; necks in shade keep within 15."""
THREAD: Final = 5
"""Pixels of PARTS_SIZE: what hangs on the figure by less is not the sitter's. Tied hair hangs by more."""
LEAST_FOREIGN: Final = 0.15
"""Eye distances: the side of the square of which such a thing has at least the area; smaller ones are strands."""
VIVID: Final = 40.0
"""The same distance beyond which hair is dyed: brown and red hair lie within 30 of their skin."""
HOLE: Final = 0.4
"""Eye distances across which holes in the figure are closed; by eye on the faces where hair had some."""
UNSURE: Final = 0.12
"""A matte between this and one less this is undecided."""
BROAD: Final = 11
"""Pixels of PARTS_SIZE: undecided places that hold a disc this wide are more than an edge, which is 6 to 8 wide."""
NEARBY: Final = (0.1, 0.35)
"""Eye distances over which colours of the backdrop and of the sitter are averaged; by eye on seven heads of hair."""
FAR: Final = 6.0
"""Times as far as colours are averaged over, they are not known any more."""
LEAST_KNOWN: Final = 100
"""Pixels of hair, skin or clothes that must be sure for their colour to be known."""
UNLIKE: Final = 0.17
"""Distance in sRGB 0..1 below which backdrop and sitter are too alike for colour to tell."""
SURE_SKIN: Final = (0.85, 0.97)
"""What the segmenter says of skin outside the face from none to all of it is kept; by eye on 20 faces."""
SURE_HAT: Final = (0.5, 0.8)
"""What the segmenter says of a hat from none to all of it is kept, and how much of the hat it must know before it is
asked: on 127 outlined hats mean IoU stays (0.8615 and 0.8619), 11 better and 8 worse, none by more than 0.06."""
LOBES_AT: Final = (132, 361)
"""Mesh points at the height of the ear lobes."""
TEMPLES, BROWS = (127, 356), (105, 334)
"""Mesh points at the temples and in the middle of the brows."""
FOREHEAD: Final = 0.85
"""Eye distances above the brows up to which hair lies on the head; by eye on 16 people."""
LEAST_LOCK: Final = 0.35
"""Squared eye distances below which hair that hangs from nothing above the ear lobes is a fold of cloth; by eye."""
OTHER: Final = 20.0
"""Distance in CIELAB, lightness counted half, of a place from the hair's own colour beyond which it is no hair: on
five heads locks lay within 16 and cloth between strands from 25 on."""
BEARD: Final = 35.0
"""The same distance up to which it may be a beard, which is often redder: two were 2 and 23 away, cloth and walls
beside four jaws 48 to 83."""
AT_THE_CHIN: Final = 0.6
"""Eye distances below the chin down to which a beard that the nets took for cloth may reach: collars reach further."""
FOREIGN: Final = (0.4, 14.0)
"""How near a place in the hair must be to the colour of what surrounds it to be no hair: as a part of its distance from
the colour of hair deeper in, and in the same distance in CIELAB; where the two colours are OTHER apart."""
FOREIGN_BESIDE: Final = (0.55, 16.0)
"""The same right beside such a place. Of 157 people half lost over 0.01 squared eye distances so; of the 24 who lost
most, looked at one by one, 22 lost walls, sky and lamps, one a rim of backlit hair and one a gloss on hair."""
FOREIGN_AT: Final = (0.1, 0.35, 0.6)
"""Eye distances: over which colours outside and of hair deeper in are averaged, and from how far outside one counts."""
DEEP: Final = 0.2
"""Eye distances from the outline from which on hair has its own colour."""
NOISE: Final = 0.04
"""Alpha nearer to none or to all than this is none or all: the training's own mattes were cut there."""


def sitter_of(person: F32, points: F32) -> F32:
    """Keep the one figure that holds the nose, and what touches it broadly: (H, W) of 0 and 1.

    A lamp or a neighbour that hangs on the figure by a thread of pixels is let go.
    """
    there = (person > 0.3).astype(np.uint8)
    _, blobs = cv2.connectedComponents(there)
    x, y = np.clip(np.round(points[1]), 0, np.array(PARTS_SIZE) - 1).astype(int)
    own = (there > 0) & (blobs == blobs[y, x])
    solid = cv2.morphologyEx(there, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (THREAD, THREAD)))
    _, blobs, sizes, _ = cv2.connectedComponentsWithStats(solid)
    large = sizes[:, cv2.CC_STAT_AREA] > (LEAST_FOREIGN * INTEROCULAR_PX * HALF) ** 2
    large[[0, blobs[y, x]]] = False
    foreign = cv2.dilate(large[blobs].astype(np.uint8), np.ones((THREAD, THREAD), np.uint8))
    own &= foreign == 0
    return cv2.dilate(own.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(np.float32)


def holes_filled(probabilities: F32, coarse: F32) -> F32:
    """Close what the parser leaves open inside the figure and the segmenter is sure of: hair or hats of vivid colour.

    probabilities: (5, H, W), coarse: (H, W), both float32 0..1. Only within what lies between parts of the figure, so
    that a neighbour or a chair that the segmenter calls a person is not taken in.
    """
    person = 1 - probabilities[0]
    reach = 2 * round(HOLE * INTEROCULAR_PX * HALF) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    between = cv2.morphologyEx((person > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, disc)
    sure = cv2.erode((coarse > 0.85).astype(np.uint8), np.ones((7, 7), np.uint8)) & between
    lifted = np.maximum(person, 0.98 * cv2.GaussianBlur(sure.astype(np.float32), (0, 0), 2))
    parts = probabilities[1:] * (lifted / np.maximum(person, 1e-3))
    return np.concatenate([1 - lifted[None], parts]).astype(np.float32)


def hats_ended(probabilities: F32, coarse: F32) -> F32:
    """Give to the backdrop what of a hat the segmenter does not take for a person, where it knows nearly all of it.

    probabilities: (5, H, W), coarse: (H, W), both float32 0..1. A flag, its cord and a lamp right behind a cap look
    like its ornament to the parser; the segmenter knows most caps, but not every wide brim.
    """
    hat = probabilities[4]
    there = hat > 0.5
    low, least = SURE_HAT
    if not there.any() or (coarse[there] > 0.5).mean() < least:
        return probabilities
    left = hat * np.clip(cv2.GaussianBlur(coarse, (0, 0), 2) / low, 0, 1)
    return np.stack([probabilities[0] + hat - left, *probabilities[1:4], left]).astype(np.float32)


def by_colour_where_unsure(rgb: U8, person: F32, parts: F32, valid: F32) -> F32:
    """Let colours decide over the matte wherever the nets leave more than an edge undecided: (640, 512) float32 0..1.

    There the matte is how far a pixel's colour lies from the backdrop's nearby towards that of the sitter's own hair,
    skin or clothes nearby (the compositing equation solved for alpha), and never more than the nets said. Curls before
    a blurred light keep their strands and lose the light. parts: (4, H, W) hair, skin, clothes and hat, 0..1.
    """
    broad = _undecided(person)
    outside = (person < NOISE) & (valid > 0.95)
    if not broad.any() or not outside.any():
        return person
    picture = rgb.astype(np.float32) / 255
    backdrop = _nearby(picture, outside, NEARBY[0])
    share = parts / np.maximum(parts.sum(axis=0), 1e-3)
    found = np.zeros_like(person)
    for part in (share[0] + share[3], share[1], share[2]):
        along, told = _towards(picture, _nearby(picture, (person > 0.95) & (part > 0.7), NEARBY[1]), backdrop)
        found += part * np.where(told, along, person)
    return np.where(broad, np.minimum(person, found), person).astype(np.float32)


def foreign_in_hair(rgb: U8, person: F32, hair: F32, clothes: F32, valid: F32) -> tuple[F32, F32]:
    """Return what of the hair is backdrop and what is clothes by its colour: (640, 512) float32 0..1 each.

    A wall between curls or beside a long lock has just the colour that the backdrop has right there, and not that of
    the hair deeper in. Worked out at half the size.
    """
    small = (PARTS_SIZE[0] // 2, PARTS_SIZE[1] // 2)
    picture, person, hair, clothes, valid = (
        cv2.resize(part, small, interpolation=cv2.INTER_AREA) for part in (rgb, person, hair, clothes, valid)
    )
    inside = cv2.erode((valid > 0.98).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    lab, disc = shaded_lab(picture.astype(np.float32) / 255), np.ones((5, 5), np.uint8)
    found = []
    for outside, figure in (((cv2.dilate(person, disc) < NOISE), person), ((cv2.erode(clothes, disc) > 0.9), hair)):
        depth = cv2.distanceTransform((figure > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
        own = (hair > 0.7) & (depth > DEEP * INTEROCULAR_PX * HALF / 2) & inside
        foreign = _of_other_colour(lab, own, outside & inside) & (hair > 0.2) & inside
        found.append(cv2.GaussianBlur(foreign.astype(np.float32), (0, 0), 0.7))
    backdrop, cloth = (cv2.resize(part, PARTS_SIZE, interpolation=cv2.INTER_LINEAR) for part in found)
    return backdrop.astype(np.float32), np.minimum(cloth, 1 - backdrop).astype(np.float32)


def over_the_brows(part: F32, person: F32, points: F32) -> F32:
    """Return what of a part lies between the temples, FOREHEAD above the brows, with no outside beside it.

    There hair lies on the head: what is dark or light in it is a parting, skin or a gloss, and no backdrop. All
    (640, 512) float32 0..1. Of 257 people 10 lost some so; higher up curls have loops.
    """
    left, right = np.sort(points[list(TEMPLES), 0])
    count, blobs, _, middles = cv2.connectedComponentsWithStats((part > UNSURE).astype(np.uint8))
    outside = cv2.dilate((person < 0.5).astype(np.uint8), np.ones((THREAD, THREAD), np.uint8)) > 0
    hangs = np.bincount(blobs[outside], minlength=count) > 0
    brows = float(points[list(BROWS), 1].mean())
    inside = ~hangs & (middles[:, 0] > left) & (middles[:, 0] < right) & (middles[:, 1] < brows)
    inside &= middles[:, 1] > brows - FOREHEAD * INTEROCULAR_PX * HALF
    inside[0] = False
    return (part * inside[blobs]).astype(np.float32)


def _of_other_colour(lab: F32, own: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where colours (H, W, 3) are those of the other part nearby and not those of the own one."""
    if min(own.sum(), other.sum()) < LEAST_KNOWN // 2:
        return np.zeros(own.shape, np.bool_)
    eye = INTEROCULAR_PX * HALF / 2
    near, deep, reach = (part * eye for part in FOREIGN_AT)
    outer, inner = (
        normalized_convolution(lab, part.astype(np.float32), wide) for part, wide in ((other, near), (own, deep))
    )
    from_outer, from_inner = length(lab - outer), length(lab - inner)
    away = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, 5)
    told = (away < reach) & (length(outer - inner) > OTHER)
    sure, beside = (
        (told & (from_outer < part * from_inner) & (from_outer < most)).astype(np.uint8)
        for part, most in (FOREIGN, FOREIGN_BESIDE)
    )
    sure = cv2.morphologyEx(sure, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    grown: NDArray[np.bool_] = (sure | (beside & cv2.dilate(sure, np.ones((9, 9), np.uint8)))) > 0
    return grown


def hair_over_clothes(rgb: U8, hair: F32, clothes: F32) -> F32:
    """Let colours decide where hair lies over clothes and the nets do not: less hair, (640, 512) float32 0..1.

    Where both have one colour nobody sees where the hair ends, and it ends: black hair over black leather would carry
    a veil of leather over the new garment.
    """
    broad = _undecided(hair / np.maximum(hair + clothes, 1e-3)) & (clothes > UNSURE)
    if not broad.any():
        return hair
    picture = rgb.astype(np.float32) / 255
    along, told = _towards(picture, *(_nearby(picture, part > 0.9, NEARBY[1]) for part in (hair, clothes)))
    return np.where(broad, np.minimum(hair, np.where(told, along * (hair + clothes), 0)), hair).astype(np.float32)


def _undecided(part: F32) -> NDArray[np.bool_]:
    """Return where a matte is neither none nor all over more than an edge: (640, 512)."""
    unsure = ((part > UNSURE) & (part < 1 - UNSURE)).astype(np.uint8)
    unsure = cv2.morphologyEx(unsure, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (BROAD, BROAD))
    return cv2.morphologyEx(unsure, cv2.MORPH_OPEN, disc) > 0


def _nearby(picture: F32, part: NDArray[np.bool_], reach: float) -> tuple[F32, NDArray[np.bool_]]:
    """Return a part's colours averaged over `reach` eye distances, and where any of it is near enough to tell them."""
    if part.sum() < LEAST_KNOWN:
        return picture, np.zeros(part.shape, np.bool_)
    wide = reach * INTEROCULAR_PX * HALF
    away = cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 3)
    return normalized_convolution(picture, part.astype(np.float32), wide), away < FAR * wide


def _towards(
    picture: F32, one: tuple[F32, NDArray[np.bool_]], other: tuple[F32, NDArray[np.bool_]]
) -> tuple[F32, NDArray[np.bool_]]:
    """Return how far each colour lies from the other part's nearby towards the one's, 0..1, and where that is known.

    one, other: as `_nearby` returns them. Known where both parts are near and differ.
    """
    way = one[0] - other[0]
    apart = dot(way, way)
    along = np.clip(dot(picture - other[0], way) / np.maximum(apart, 1e-4), 0, 1)
    return along.astype(np.float32), one[1] & other[1] & (apart > UNLIKE**2)


def unsure_skin(skin: F32, coarse: F32, oval: F32) -> F32:
    """Return skin outside the face that the segmenter does not take for a person: lamps and blurred lights.

    All (640, 512) float32 0..1. Ears and necks are people to it; the parser knows strands of hair better.
    """
    low, high = SURE_SKIN
    doubt = 1 - np.clip((cv2.GaussianBlur(coarse, (0, 0), 1.5) - low) / (high - low), 0, 1)
    face = cv2.dilate(oval, np.ones((9, 9), np.uint8))
    return (skin * doubt * (1 - face)).astype(np.float32)


def by_colour(rgb: U8, hair: F32, skin: F32, clothes: F32, oval: F32, points: F32) -> tuple[F32, F32, F32]:
    """Take for hair or clothes what the nets call skin and is of no skin's colour: hair, skin, clothes.

    All (640, 512) float32 0..1. Dyed hair, straw brims and hoods are taken for skin. Above the ear lobes they are hair,
    which is kept with the head; below, only what has the colour of the hair above is, and the rest is cloth. Under the
    chin only vividly dyed hair counts: a neck in coloured light is none, and nothing there is called cloth. Colours are
    compared in the a*b* plane of CIELAB, where shade moves little.
    """
    plane = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 1:]
    face = (oval > 0.9) & (skin > 0.8)
    if face.sum() < 100:
        return hair, skin, clothes
    own = np.median(plane[face], axis=0)
    away = length(plane - own)
    limit = max(NO_SKIN, 3 * float(np.median(away[face])))
    foreign = np.clip((away - limit) / (0.3 * NO_SKIN), 0, 1) * (1 - oval)
    foreign *= length(plane) > np.linalg.norm(own)  # shade takes colour from skin, and so does glare
    moved = skin * cv2.GaussianBlur(foreign, (0, 0), 1.5)
    rows = np.repeat(np.arange(len(skin))[:, None], skin.shape[1], axis=1)
    lobes, chin = float(points[list(LOBES_AT), 1].mean()), float(points[CHIN, 1])
    hairy, above = rows < lobes, rows < chin
    sample = np.maximum(hair, moved) * hairy > 0.5
    if sample.sum() > 100:
        colour = np.median(plane[sample], axis=0)
        like = length(plane - colour) < NO_SKIN
        hairy |= like & (above | (np.linalg.norm(colour - own) > VIVID))
    to_hair, to_clothes = moved * hairy, moved * (above & ~hairy)
    return hair + to_hair, skin - to_hair - to_clothes, clothes + to_clothes


def hanging_loose(hair: F32, hat: F32, skin: F32, points: F32) -> tuple[F32, F32]:
    """Return what of hair and of a hat hangs from nothing above the ear lobes, and of hair what is not at the head.

    All (640, 512) float32 0..1; skin: with the face's oval.

    The nets take light shoulders for a hat, for they were taught that cloth over the chin is one, and dark folds and
    leaves for hair. What is larger than LEAST_LOCK stays: a tail of hair that comes out from behind the neck, all of it
    above a hood's edge.
    """
    lobes = max(0, round(float(points[list(LOBES_AT), 1].mean())))
    least = LEAST_LOCK * (INTEROCULAR_PX * HALF) ** 2
    _, groups = cv2.connectedComponents((np.maximum.reduce([hair, hat, skin]) > 0.3).astype(np.uint8))
    column, row = np.clip(np.round(points[NOSE, :2]).astype(int), 0, (PARTS_SIZE[0] - 1, PARTS_SIZE[1] - 1))
    at_head = groups == groups[row, column] if groups[row, column] else groups > 0  # a nose may lie outside its face
    loose = []
    for part, most, near in ((hair, least, at_head), (hat, np.inf, groups > 0)):  # a hat may stand off, on hair
        count, blobs, stats, _ = cv2.connectedComponentsWithStats((part > 0.3).astype(np.uint8))
        hangs = np.bincount(blobs[:lobes].ravel(), minlength=count) > 0
        hangs &= np.bincount(blobs[near], minlength=count) > 0
        alone = ~hangs & (stats[:, cv2.CC_STAT_AREA] < most)
        alone[0] = False
        where = cv2.dilate(alone[blobs].astype(np.uint8), np.ones((7, 7), np.uint8))
        loose.append((part * where * (blobs == 0) + part * alone[blobs]).astype(np.float32))
    return loose[0], loose[1]


def left_alone(hair: F32, hat: F32, skin: F32, beard: F32, points: F32) -> F32:
    """Return what of hair hangs at nothing since colours cut it off from the rest: (640, 512) float32 0..1.

    beard: what `hanging_at_the_chin` found, which hangs at no other hair and stays.
    """
    loose, _ = hanging_loose(hair, hat, skin, points)
    return loose * (beard == 0)


def hanging_at_the_chin(rgb: U8, clothes: F32, hair: F32, oval: F32, valid: F32, points: F32) -> F32:
    """Return what of the clothes is a beard: it hangs at the jaw and at no other clothes, in the hair's colour.

    All (640, 512) float32 0..1. Cloth goes on to the shoulders or to where the photo ends.
    """
    known = hair > 0.8
    if known.sum() < LEAST_KNOWN:
        return np.zeros_like(clothes)
    chin = float(points[CHIN, 1])
    there = cv2.morphologyEx((clothes > 0.3).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, blobs, stats, _ = cv2.connectedComponentsWithStats(there)
    jaw = cv2.dilate((oval > 0.5).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    beyond = cv2.dilate((valid < 0.95).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    touches, goes_on = (np.bincount(blobs[place], minlength=count) > 0 for place in (jaw, beyond))
    ends = stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT]
    lab = shaded_lab(rgb.astype(np.float32) / 255)
    own = np.median(lab[known], axis=0)
    found = np.zeros(blobs.shape, np.uint8)
    for blob in np.flatnonzero(touches & ~goes_on & (ends < chin + AT_THE_CHIN * INTEROCULAR_PX * HALF)):
        where = blobs == blob
        if blob and length(np.median(lab[where], axis=0) - own) < BEARD:
            found |= where
    found = cv2.dilate(found, np.ones((5, 5), np.uint8)) * ((blobs == 0) | (found > 0))
    return (clothes * found).astype(np.float32)


def shaded_lab(rgb: F32) -> F32:
    """Return colours (H, W, 3) sRGB 0..1 in CIELAB with half the lightness, as OTHER compares them."""
    return (cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB) * np.array((0.5, 1, 1), np.float32)).astype(np.float32)
