"""A picture that a net drew -> layers: mapped and cut out as a photo is, so that every edit works on it.

What composing puts on (the rig's light, cloth's shade, exposure) is divided out again, so that the recipe develops into
the picture that was drawn, over the recipe's own, exact backdrop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import linear, srgb, to_bytes
from core.cutout.cutout import cut_out
from core.cutout.parser import Parser
from core.cutout.whole import window_of_whole
from core.engines.base import FaceNets
from core.engines.redress.generate import reframe
from core.engines.safety import shows_too_much
from core.face.landmarks import face_skin, map_face
from core.face.mesh import CHIN
from core.scene.compose import compose, grain_of
from core.scene.lighting import head_normals
from core.scene.stage import look_of, print_size
from core.types import F32, U8, Face, FaceMap, Layers, Recipe, Selfie

ROUNDS: Final = 2
"""How often `unlit` takes off what composing puts on; the third round changes a print by less than grain does."""


def map_drawn(drawn: U8, nets: FaceNets) -> FaceMap | None:
    """Map a drawn picture (H, W, 3) uint8 as a photo is mapped; None where it does not show exactly one face."""
    found = nets.recogniser.find(drawn)
    traced = nets.landmarker.detect(drawn)
    if len(found) != 1 or traced is None:
        return None
    face = Face(
        box=found[0].box,
        score=found[0].score,
        landmarks=traced.landmarks,
        blendshapes=traced.blendshapes,
        yaw_deg=traced.yaw_deg,
        pitch_deg=traced.pitch_deg,
        roll_deg=traced.roll_deg,
        eye_px=found[0].eye_px,
        embedding=nets.recogniser.embed(drawn, found[0]),
    )
    return map_face(Selfie("drawn", "", drawn, face, sharpness=1.0, luminance=0.5))


def in_place(face: FaceMap, print_: U8) -> FaceMap:
    """Return the map of a drawn print with the frame where the print has it, lean and all."""
    scale = np.float32(frame.PRINT[0] / print_.shape[1])
    transform = np.array([[scale, 0, 0], [0, scale, 0]], np.float32)
    return replace(face, transform=transform, landmarks=face.selfie.face.landmarks * scale)


def layers_of(face: FaceMap, parser: Parser, size: tuple[int, int] | None = None) -> tuple[Layers, bool]:
    """Take a mapped picture apart: its layers in the frame, and whether it shows too much skin.

    Without a size (width, height) the print is the largest that does not enlarge the picture too far, and shows the
    window in which no border of the picture cuts the figure; with one, the frame as the map has it. The garment's
    colours are the whole picture, so that they are the picture as it was drawn.
    """
    parts = parser.parse(face)
    window = (0.0, 0.0, float(frame.PRINT[0]), float(frame.PRINT[1]))
    if size is None:
        window = window_of_whole(parts, face.landmarks) or window
        size = print_size(face.upscale_factor * frame.PRINT[1] / window[3])
    width, height = size
    cut = cut_out(face, parser)
    normals = head_normals(face, cut)

    def sized(layer: F32) -> F32:
        return np.asarray(cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA), np.float32)

    drawn, _ = frame.framed(face.selfie.rgb, face.transform, *frame.PRINT)
    picture, scale = sized(drawn.astype(np.float32) / 255), width / frame.PRINT[0]
    points = face.landmarks * np.float32(scale)
    head, matte, bare_neck = sized(cut.head), sized(cut.matte), sized(cut.neck)
    below = np.clip((matte - head) / np.maximum(1 - head, 1e-3), 0, 1)
    bare = np.clip(bare_neck / np.maximum(1 - head, 1e-3), 0, 1)
    neck, worn = below * np.clip(2 * bare, 0, 1), below * np.clip(2 * (1 - bare), 0, 1)  # no gap where they meet
    near = cv2.dilate(head, np.ones((9, 9)))[..., None] * (1 - bare[..., None])
    pixels = picture + (sized(cut.rgb) - picture) * near  # hair without the backdrop between it
    skin = face_skin(to_bytes(picture), points).astype(np.float32)
    layers = Layers(
        sitter=to_bytes(pixels),
        head=to_bytes(head),
        neck=to_bytes(neck),
        garment=np.dstack([to_bytes(picture), to_bytes(worn)]),
        normals=np.round(sized(normals) * 127).astype(np.int8),
        light=face.light,
        marks=np.zeros((0, 3), np.float32),  # moles are where the net put them: nothing is known of them
        gain=1.0,
        grain=grain_of(to_bytes(picture), skin),
        chin=float(points[CHIN, 1]),
        landmarks=points,
        regions=cv2.resize(cut.regions, size, interpolation=cv2.INTER_AREA).astype(np.uint8),
    )
    left, top, wide, tall = (side * scale for side in window)
    return reframe(layers, (left, top, wide, tall)), shows_too_much(parts, face.landmarks)


def without_face(drawn: U8, landmarks: F32 | None = None) -> Layers:
    """Keep a picture that is not taken apart as layers, all of it garment: one without a single face, or a drawing.

    landmarks: (478, 3) of the face in it; without them the judge drops it.
    """
    height, width = drawn.shape[:2]
    nothing = np.zeros((height, width), np.uint8)
    return Layers(
        sitter=drawn,
        head=nothing,
        neck=nothing,
        garment=np.dstack([drawn, np.full_like(nothing, 255)]),
        normals=np.tile(np.array([0, 0, 127], np.int8), (height, width, 1)),
        light=np.array([1, *[0] * 8], np.float32),
        marks=np.zeros((0, 3), np.float32),
        gain=1.0,
        grain=0.004,
        chin=float(height),
        landmarks=np.zeros((0, 3), np.float32) if landmarks is None else landmarks,
    )


def unlit(layers: Layers, drawn: U8, recipe: Recipe) -> Layers:
    """Take off the layers what composing will put on, so that the recipe develops into the picture that was drawn.

    The net drew the light in; relighting, cloth shade, rim and exposure of `core.scene.compose` come again on top
    at every edit. What they make of the layers is divided out in linear light, softly, so that no grain is
    copied: new light is then new light over old, and the unedited portrait is the drawn one.
    """
    wanted, look = _soft(linear(drawn)), replace(look_of(recipe.settings, recipe.seed), black_and_white=False)
    for _ in range(ROUNDS):
        ratio = np.clip(wanted / _soft(linear(compose(layers, look))), 0.4, 2.5)
        layers = replace(
            layers,
            sitter=to_bytes(srgb(linear(layers.sitter) * ratio)),
            garment=np.dstack([to_bytes(srgb(linear(layers.garment[..., :3]) * ratio)), layers.garment[..., 3]]),
        )
    return layers


def _soft(light: F32) -> F32:
    return cv2.GaussianBlur(light.astype(np.float32), (0, 0), 0.003 * light.shape[1]) + np.float32(0.004)
