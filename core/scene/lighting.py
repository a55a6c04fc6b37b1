"""Relighting: the sitter's own pixels under the style's lamps.

A ratio image (Liu, Shan & Zhang 2001): what each direction of the surface would receive from the rig
over what it receives in the photo. It is smooth, bounded and multiplies linear light, so that
skin keeps its texture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import LUMINANCE, length, linear, normalized_convolution, thrice
from core.face.landmarks import fill, harmonics, normals_of_mesh
from core.face.mesh import CHIN, FACE_OVAL
from core.scene.bands import bands
from core.scene.blur import blurred
from core.scene.shadows import Lamp, catch_lights, key_arriving, towards
from core.types import F32, Cutout, FaceMap, Layers

LIMITS: Final = (0.6, 1.6)
"""Bounds of the ratio: beyond them compressed shadows band and noise shows (DESIGN, tried)."""


CONTRAST: Final = 0.6
"""Deviation of the logarithm of a face's light to which relighting may bring it: Rembrandt's light gives an evenly lit
face 0.5 to 0.6. A face with shadows of its own became mottled and dark at 0.8, as a strict reader saw in 14 of 35."""
LEAST_FACE: Final = 100
"""Pixels of a face, at a quarter of the print, that must be there for its contrast to be told."""
SPARK: Final = 0.4
"""Linear light of a catch-light at full strength; by eye."""


@dataclass(frozen=True, slots=True)
class Rig:
    """Lamps around the sitter.

    key_deg: where the main light stands, 0 in front, -90 at the picture's left, 90 at its right.
    key_up_deg: how high. key, fill: their strength, fill comes from everywhere. rim: strength of the
    light behind, on the side away from the key. warmth: -1 cool .. 1 warm. strength: 0 leaves the
    photo's own light, 1 replaces it. size: 1 a large softbox that wraps round the face, 0 a bare bulb.
    shadow: how dark what the nose and brows throw is, 0 none .. 1 no key at all. depth: the least ratio of light, how
    dark the side away from the key may get. reflector: light from below in front, as of a board on the lap. catch:
    strength of the lamp's image in the eyes.
    """

    key_deg: float
    key_up_deg: float = 35.0
    key: float = 0.7
    fill: float = 0.5
    rim: float = 0.0
    warmth: float = 0.0
    strength: float = 0.6
    size: float = 1.0
    shadow: float = 0.0
    depth: float = LIMITS[0]
    reflector: float = 0.0
    catch: float = 0.0

    @property
    def lamp(self) -> Lamp:
        """Return the main light as the face sees it."""
        return Lamp(self.key_deg, self.key_up_deg, self.size)


def head_normals(face: FaceMap, cutout: Cutout) -> F32:
    """Return (1280, 1024, 3) unit normals over head and neck: x right, y down, z to the viewer.

    The mesh inside the face, outside it `inflate` of the outline of head and neck; blended over the 12 pixels inside
    the mesh's edge, at a quarter of the size. A neck goes on where the photo ends: its end faced down, in the dark.
    """
    width, height = frame.PRINT[0] // 4, frame.PRINT[1] // 4
    head, neck = (
        cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) for part in (cutout.head, cutout.neck)
    )
    outline = np.clip(head + neck, 0, 1)
    longer, body = outline.copy(), cutout.figure
    left, right = (max(0, round((body.neck_x + side * body.neck_width / 2) / 4)) for side in (-1, 1))
    longer[max(0, round(float(face.landmarks[CHIN, 1]) / 4)) :, left:right] = 1
    balloon = inflate(longer)
    balloon += (inflate(outline) - balloon) * head[..., None]
    mesh = normals_of_mesh(face.landmarks / 4, width, height)
    inside = (length(mesh) > 0).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    mesh_weight = np.clip(depth / 12, 0, 1)[..., None]
    normals = mesh * mesh_weight + balloon * (1 - mesh_weight)
    normals = cv2.GaussianBlur(normals, (0, 0), 3)
    normals /= np.maximum(length(normals)[..., None], 1e-4)
    return cv2.resize(normals, frame.PRINT, interpolation=cv2.INTER_LINEAR).astype(np.float32)


def inflate(mask: F32) -> F32:
    """Return (H, W, 3) normals of a body blown up inside its outline: height is the root of the edge distance."""
    solid = (mask > 0.5).astype(np.uint8)
    if solid.all():  # no outline: a surface that faces the viewer
        return np.tile(np.array([0, 0, 1], np.float32), (*mask.shape, 1))
    distance = cv2.distanceTransform(cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 5)[
        1:-1, 1:-1
    ]
    scale = max(float(distance.max()), 1.0)
    bulge = np.sqrt(np.clip(distance / scale, 0, 1) * (2 - np.clip(distance / scale, 0, 1))) * scale
    bulge = cv2.GaussianBlur(bulge.astype(np.float32), (0, 0), 0.12 * scale)
    slope_x, slope_y = cv2.Sobel(bulge, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(bulge, cv2.CV_32F, 0, 1) / 8
    normals = np.stack([-slope_x, -slope_y, np.ones_like(slope_x)], axis=-1)
    return (normals / length(normals)[..., None]).astype(np.float32)


def shading(rig: Rig, normals: F32, arriving: F32 | float = 1.0) -> F32:
    """Return how much light (H, W) a surface of these normals receives from the rig; 1 facing the viewer.

    The key wraps 25 % round the edge as a softbox does, less where the lamp is small. arriving: the part of the key
    that nothing stands in the way of.
    """
    lamp = towards(rig.key_deg, rig.key_up_deg)
    wrap = 0.05 + 0.20 * rig.size
    below = np.array([0, 0.64, 0.77], np.float32)
    received = rig.key * arriving * np.clip((normals @ lamp + wrap) / (1 + wrap), 0, None) + rig.fill
    front = rig.key * (lamp[2] + wrap) / (1 + wrap) + rig.fill
    if rig.reflector:
        received = received + rig.reflector * np.clip(normals @ below, 0, None)
        front += rig.reflector * below[2]
    return (received / max(front, 1e-3)).astype(np.float32)


def relight(rgb: F32, layers: Layers, rig: Rig, asked: tuple[slice, slice]) -> F32:
    """Return the sitter (H, W, 3) in linear light, carried from the photo's light to the rig's.

    rgb: (H, W, 3) float32 sRGB 0..1. asked: the rows and columns that are worked out, the rest is 0. The ratio is
    bounded by LIMITS and the rig's depth, blurred over a tenth of the eye distance or less for a small lamp, and
    centred: no skin is made lighter or darker; where shadows are to be deep, the lit side is what keeps its lightness.
    It is worked out at a quarter of the size.
    """
    height, width = rgb.shape[:2]
    quarter = (-(-width // 4), -(-height // 4))
    small = cv2.resize(layers.normals.astype(np.float32), quarter, interpolation=cv2.INTER_AREA)
    small *= np.float32(1 / 127)
    there = np.maximum(harmonics(small) @ layers.light, 0.25)
    arriving: F32 | float = 1.0
    if rig.shadow and len(layers.landmarks):
        thrown = 1 - key_arriving(layers.landmarks, rig.lamp, quarter, 0.25, layers.unit)
        seen = np.clip((small[..., 2] - 0.25) / 0.3, 0, 1)  # where a head turns away its mesh folds over itself
        arriving = 1 - rig.shadow * thrown * seen
    ratio = shading(rig, small, arriving) / there
    skin = small[..., 2] > 0.5
    ratio /= max(_centre(ratio[skin], rig), 1e-3) if skin.any() else 1.0
    ratio = np.clip(ratio, rig.depth, LIMITS[1]) ** rig.strength
    ratio **= _bearable(cv2.resize(rgb, quarter, interpolation=cv2.INTER_AREA), ratio, layers)
    soft = 0.03 + 0.07 * rig.size if rig.shadow else 0.1
    ratio = cv2.GaussianBlur(ratio.astype(np.float32), (0, 0), soft * frame.EYE_DISTANCE * layers.unit / 4)
    ratio = cv2.resize(ratio, (width, height), interpolation=cv2.INTER_LINEAR)
    lit, colour = np.zeros(rgb.shape, np.float32), tint(rig)
    for rows in bands(asked[0]):
        part = rows, asked[1]
        np.multiply(linear(rgb[part]), thrice(ratio[part], colour), out=lit[part])
    if rig.catch:
        hair = layers.regions[..., 0] if layers.regions.size else np.zeros((height, width), np.uint8)
        catch = catch_lights(layers.landmarks, rig.lamp, rgb, hair)[asked]
        left, top, wide, tall = cv2.boundingRect((catch > 0).astype(np.uint8))
        eyes = slice(top, top + tall), slice(left, left + wide)
        lit[asked][eyes] += SPARK * rig.catch * catch[eyes][..., None]
    return lit


def _bearable(rgb: F32, ratio: F32, layers: Layers) -> float:
    """Return the exponent of a ratio of light (H, W) at which a face gets no more contrast than CONTRAST, or its own.

    rgb: (H, W, 3) sRGB 0..1, as large as the ratio. 1 where there is no face.
    """
    if not len(layers.landmarks):
        return 1.0
    points = layers.landmarks * np.float32(ratio.shape[1] / layers.head.shape[1])
    face = fill(ratio.shape, points, FACE_OVAL).astype(np.float32)
    light = normalized_convolution(linear(rgb), face, 0.1 * frame.EYE_DISTANCE * ratio.shape[1])
    inside = face > 0
    if inside.sum() < LEAST_FACE:
        return 1.0
    own, change = np.log(np.maximum(light[inside] @ LUMINANCE, 1e-3)), np.log(ratio[inside])
    (own_own, both), (_, change_change) = np.cov(own, change)
    room = max(float(own_own), CONTRAST**2) - float(own_own)
    root = math.sqrt(float(both) ** 2 + float(change_change) * room)  # of own + 2 k both + k^2 change = own + room
    return float(np.clip((root - both) / max(float(change_change), 1e-6), 0, 1))


def _centre(ratio: F32, rig: Rig) -> float:
    """Return the ratio that is to become 1: the mean of all, or for a deep rig of its brighter part."""
    least = float(np.quantile(ratio, np.clip(1 - rig.depth / LIMITS[0], 0, 0.6)))
    return float(np.exp(np.mean(np.log(np.maximum(ratio[ratio >= least], 1e-3)))))


def tint(rig: Rig) -> F32:
    """Return the lamps' colour (3,) as gains of linear red, green, blue; brightness is kept."""
    gains = np.array([1 + 0.06 * rig.warmth, 1.0, 1 - 0.10 * rig.warmth], np.float32)
    return gains / np.float32(gains @ LUMINANCE)


def rim_light(matte: F32, normals: F32, rig: Rig, width: float) -> F32:
    """Return the light (H, W) added along the outline by a lamp behind, on the side away from the key.

    A band of a twentieth of the eye distance inside the edge, where the surface turns away.
    """
    if rig.rim == 0:
        return np.zeros(matte.shape, np.float32)
    away = -np.sign(rig.key_deg) if rig.key_deg else 1.0
    reach = 0.06 * frame.EYE_DISTANCE * width
    inner = np.clip(1 - blurred(matte, reach), 0, 1) * matte**3  # haze must not glow
    return (rig.rim * inner * np.clip(away * normals[..., 0], 0, 1)).astype(np.float32)


def exposure(rgb: F32, skin: F32) -> float:
    """Return the gain of linear light that puts the face's own highlights where a print wants them.

    The 97th percentile of skin luminance goes a third of the way to 0.62, within 0.8 to 1.35: it is
    the highlight that is exposed for, so dark skin stays as dark as it is. 1 where no skin is seen.
    """
    seen = (linear(rgb) @ LUMINANCE)[skin > 0.5]
    if not len(seen):
        return 1.0
    bright = float(np.percentile(seen, 97))
    return float(np.clip((0.62 / max(bright, 0.05)) ** (1 / 3), 0.8, 1.35))
