"""FaceMap -> Parts: who is on the photo, and which of their pixels are hair, skin, clothes or a hat.

mediapipe's selfie segmenter says coarsely who is a person; our own parser (`core.cutout.nets`) tells the parts
apart in the canonical frame; U²-Net is heard where it is unsure; our refiner sharpens the figure's edge. Knows nothing
of garments or backdrops.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from safetensors.torch import load_file

from core import frame
from core.cutout.body import EARS, JAW_CORNERS, TURNED, neck_sides
from core.cutout.correct import (
    LOBES_AT,
    NOISE,
    by_colour,
    by_colour_where_unsure,
    foreign_in_hair,
    hair_over_clothes,
    hanging_at_the_chin,
    hanging_loose,
    hats_ended,
    holes_filled,
    left_alone,
    over_the_brows,
    sitter_of,
    unsure_skin,
)
from core.cutout.nets import SIZE, ParserNet, RefinerNet
from core.cutout.parts import HALF, PARTS_SIZE, Parts
from core.cutout.saliency import Saliency, with_saliency
from core.cutout.segmenter import Segmenter
from core.face.mesh import CHIN, FACE_OVAL, NOSE
from core.frame import INTEROCULAR_PX
from core.types import F32, U8, FaceMap

BASE: Final = Path(__file__).resolve().parent.parent / "base" / "parser"
CHEEK, FAR_CHEEK = 0.15, 0.45
"""Eye distances by which a heavy cheek stands out of the mesh, and at most a turned face's far cheek; by eye."""
PROFILE: Final = 0.7
"""Turn, of one by 28 degrees, from which on all skin on the far side above the chin is face; by eye on 48 heads."""
LOBES: Final = 0.3
"""How far from the ear's attachment to the jaw's corner an ear lobe ends, as a part of that way; by eye on 30 faces."""

EAR: Final = (0.45, 0.1)
"""Eye distances beside the neck within which an ear lies at the nose's height and at the lobes'; by eye, 40 people."""
UNSURE_BELOW: Final = 0.75
"""Probability of the likeliest class below which a pixel is unsure."""
UNSURE_DOWN_TO: Final = 0.6
"""Eye distances below the chin where hair, neck and collar end to be looked at for it."""
NAPE: Final = (1.3, 0.4)
"""Eye distances above the chin between which less and less of the skin beside the jaw is still head: lobes, sideburns,
thin hair. Where it ended at one height, a backlit cheek had a step there."""
BESIDE: Final = 0.45
"""Eye distances beside the face within which it is, above."""

ASKED_FROM: Final = 0.2
"""Squared eye distances that our parser cannot tell apart from which on U²-Net is asked too. 45 of 157 people have
less: portraits of two of them fail, and of the first 33 six look different with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The parts of a photo that is still in use: its pixels, weakly, so that nothing of it outlives them."""

    photo: weakref.ref[U8]
    place: bytes
    parts: Parts


class Parser:
    """The segmenter, our two nets and U²-Net, loaded once. Deterministic for the same photo, threads and builds."""

    def __init__(self) -> None:
        self._segmenter = Segmenter()
        self._saliency = Saliency()
        self._parser = _loaded(ParserNet(), "parser")
        self._refiner = _loaded(RefinerNet(), "refiner")
        self._held: dict[int, Held] = {}

    def parse(self, face: FaceMap) -> Parts:
        """Tell a photo's parts apart; 0.3 s on two cores, 0.8 with U²-Net, nothing for one of the last HELD photos."""
        place = face.transform.tobytes()
        held = self._held.get(id(face.selfie.rgb))
        if held is not None and held.photo() is face.selfie.rgb and held.place == place:
            return held.parts
        parts = self._parse(face)
        while len(self._held) >= HELD:
            del self._held[next(iter(self._held))]
        key = id(face.selfie.rgb)
        gone = weakref.ref(face.selfie.rgb, lambda _: self._held.pop(key, None))
        self._held[key] = Held(gone, place, parts)
        return parts

    def _parse(self, face: FaceMap) -> Parts:
        half = (face.transform * HALF).astype(np.float32)
        rgb, valid = frame.framed(face.selfie.rgb, half, *PARTS_SIZE)
        points = face.landmarks[:, :2] * np.float32(HALF)
        coarse = self._segmenter.person(rgb)
        found = self._probabilities(rgb, coarse, valid, points)
        unsure = unsure_area(found, valid, points)
        if unsure > ASKED_FROM:
            found = with_saliency(found, self._saliency.person(face.selfie.rgb, half))
        large = np.stack([cv2.resize(part, PARTS_SIZE, interpolation=cv2.INTER_LINEAR) for part in found])
        large = hats_ended(holes_filled(large, coarse), coarse)
        person: F32 = self._refined(rgb, large) * sitter_of(1 - large[0], points)
        person = by_colour_where_unsure(rgb, person, large[1:], valid)
        person = np.where(person < NOISE, 0, np.where(person > 1 - NOISE, 1, person)) * (valid > 0.95)
        inside = large[1:] / np.maximum(large[1:].sum(axis=0), 1e-3)
        hair, skin, clothes, hat = (_snapped(part, rgb) for part in inside)
        total = np.maximum(hair + skin + clothes + hat, 1e-3)
        hair, skin, clothes, hat = (part / total * person for part in (hair, skin, clothes, hat))
        backdrop, cloth = foreign_in_hair(rgb, person, hair, clothes, valid)
        backdrop = backdrop - over_the_brows(backdrop, person, points)
        gone, worn = hair * backdrop, hair * cloth
        person, hair, clothes = person - gone, hair - gone - worn, clothes + worn
        oval = _face(points, person, skin)
        lost = unsure_skin(skin, coarse, oval)
        person, skin = person - lost, skin - lost
        hair, skin, clothes = by_colour(rgb, hair, skin, clothes, oval, points)
        bare = np.maximum(skin, oval)
        loose, shoulders = hanging_loose(hair, hat, bare, points)
        hair, hat, clothes = hair - loose, hat - shoulders, clothes + loose + shoulders
        beard = hanging_at_the_chin(rgb, clothes, hair, oval, valid, points)
        hair, clothes = hair + beard, clothes - beard
        over = hair_over_clothes(rgb, hair, clothes)
        hair, clothes = over, clothes + hair - over
        islands = left_alone(hair, hat, bare, beard, points)
        hair, clothes = hair - islands, clothes + islands
        skin = skin * (1 - _beside_clothes(clothes) * (1 - oval))
        head = head_of(points, hair + hat, skin, oval * person)
        person, hair, hat, skin, clothes, oval, head = (
            part.astype(np.float32) for part in (person, hair, hat, skin, clothes, oval, head)
        )
        return Parts(rgb, valid, person, hair, hat, skin, clothes, oval, head, unsure)

    def _probabilities(self, rgb: U8, coarse: F32, valid: F32, points: F32) -> F32:
        """Ask the parser, once mirrored: (5, 320, 256) float32 probabilities in the order of CLASSES."""
        small = cv2.resize(rgb, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        person = cv2.resize(coarse, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)
        person = cv2.resize(person, SIZE, interpolation=cv2.INTER_LINEAR)
        seen = cv2.resize(valid, SIZE, interpolation=cv2.INTER_AREA) > 0.9
        seen = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
        oval = _filled(points[list(FACE_OVAL)] * np.float32(SIZE[0] / PARTS_SIZE[0]), SIZE).astype(np.float32)
        inputs = np.concatenate(
            [
                ((small * 2 - 1) * seen[..., None]).transpose(2, 0, 1),
                [person * seen * 2 - 1, oval * 2 - 1, seen * 2 - 1],
            ]
        )
        with torch.inference_mode():
            both = self._parser(_batch(np.stack([inputs, inputs[..., ::-1]]))).softmax(1).numpy()
        return np.asarray((both[0] + both[1][..., ::-1]) / 2, np.float32)

    def _refined(self, rgb: U8, probabilities: F32) -> F32:
        inputs = np.concatenate([rgb.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1, probabilities])
        with torch.inference_mode():
            return np.asarray(self._refiner(_batch(inputs[None]))[0, 0].numpy(), np.float32)


def unsure_area(probabilities: F32, valid: F32, points: F32) -> float:
    """Return how much of a photo above the collar the parser cannot tell apart, in squared eye distances.

    probabilities: (5, 320, 256); valid: (640, 512); points: the mesh in its pixels. Hair and hat are kept alike: they
    count as one. What is unsure along an edge alone, under 3 of the 256 pixels wide, does not count.
    """
    eye = INTEROCULAR_PX * HALF / 2
    reached = cv2.resize(valid, SIZE, interpolation=cv2.INTER_AREA) > 0.95
    above = np.arange(SIZE[1])[:, None] < points[CHIN, 1] / 2 + UNSURE_DOWN_TO * eye
    backdrop, hair, skin, clothes, hat = probabilities
    likeliest = np.maximum.reduce([backdrop, hair + hat, skin, clothes])
    unsure = (likeliest < UNSURE_BELOW) & reached & above
    return float(cv2.morphologyEx(unsure.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).sum()) / eye**2


HELD: Final = 8
"""Photos whose parts are kept, 11 MB each: a photo is parsed when it is mapped and again when it is cut out."""


def _loaded(net: torch.nn.Module, name: str) -> Any:
    net.load_state_dict({key: value.float() for key, value in load_file(BASE / f"{name}.safetensors").items()})
    ready: Any = net.eval()  # torch's own types do not know that a module takes a memory format
    return ready.to(memory_format=torch.channels_last)


def _batch(inputs: F32) -> torch.Tensor:
    return torch.from_numpy(inputs.astype(np.float32)).contiguous(memory_format=torch.channels_last)


def _filled(ring: F32, size: tuple[int, int]) -> U8:
    """Fill a ring of points with ones: (H, W) uint8 for a size (width, height)."""
    inside = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(inside, [np.round(ring).astype(np.int32)], 1)
    return inside


def _beside_clothes(clothes: F32) -> F32:
    """Return the clothes and 4 pixels around them: (640, 512) float32 0..1."""
    cloth = cv2.dilate((clothes > 0.3).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    return cv2.GaussianBlur(cloth.astype(np.float32), (0, 0), 1.2)


def _beside(points: F32, rows: F32, columns: F32) -> F32:
    """Return where skin beside the face oval is still head, BESIDE it and less and less below NAPE: (640, 512)."""
    eye = INTEROCULAR_PX * HALF
    oval = _filled(points[list(FACE_OVAL)], PARTS_SIZE)
    wide = oval.max(axis=1, keepdims=True)
    left, right = oval.argmax(axis=1)[:, None], PARTS_SIZE[0] - 1 - oval[:, ::-1].argmax(axis=1)[:, None]
    above = np.clip(((points[CHIN, 1] - rows) / eye - NAPE[1]) / (NAPE[0] - NAPE[1]), 0, 1)
    beyond = np.maximum(left - columns, columns - right)
    return (np.clip((BESIDE * eye * above - beyond) / 3 + 0.5, 0, 1) * (above > 0) * wide).astype(np.float32)


def _snapped(part: F32, rgb: U8) -> F32:
    """Let a part's edge follow the picture's own (guided filter, He et al. 2013)."""
    return np.clip(cv2.ximgproc.guidedFilter(rgb.astype(np.float32) / 255, part, 3, 1e-3), 0, 1)


def _face(points: F32, person: F32, skin: F32) -> F32:
    """Fill the face oval, its jaw pushed out to the outline where the cheek is the outline: (H, W) float32, soft.

    The mesh fits a mean face: a heavy cheek stands out of it by up to CHEEK, a turned face's far one by up to FAR_CHEEK
    from the mouth up. Where the person goes on further there is a neck or a collar, and the oval holds.
    """
    eye = INTEROCULAR_PX * HALF
    ring = points[list(FACE_OVAL)]
    outward = np.roll(ring, 1, axis=0) - np.roll(ring, -1, axis=0)
    outward = np.stack([-outward[:, 1], outward[:, 0]], axis=1)
    outward *= np.sign(((ring - ring.mean(axis=0)) * outward).sum(axis=1, keepdims=True))
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    steps = np.arange(0, (FAR_CHEEK + 0.07) * eye, 1, dtype=np.float32)
    ways = (ring[:, None] + steps[None, :, None] * outward[:, None]).astype(np.float32)
    seen, bare = (cv2.remap(part, ways[..., 0], ways[..., 1], cv2.INTER_LINEAR) for part in (person, skin))
    ends = np.where((seen < 0.5).any(axis=1), np.argmax(seen < 0.5, axis=1), 0.0)
    of_skin = np.array([bare[i, : max(1, int(end))].mean() > 0.6 for i, end in enumerate(ends)])
    jaw = ring[:, 1] > points[[93, 323], 1].min()
    push = np.where(jaw & of_skin & (ends < _most_push(points, ring) * eye), ends, 0.0)
    push = np.convolve(np.pad(push, 2, mode="wrap"), [0.1, 0.2, 0.4, 0.2, 0.1], mode="valid")
    ring = ring + np.minimum(push, np.maximum(ends, 0))[:, None] * outward - 0.5 * outward
    return soft_polygon(ring, PARTS_SIZE, 0.75)


def _most_push(points: F32, ring: F32) -> F32:
    """Return how far a face may stand out of its mesh at each point of its oval (N, 2): (N,) eye distances."""
    turn, side = _turned(points)
    far = side * (ring[:, 0] - ring[:, 0].mean()) > 0
    eyes, chin = float(points[[133, 362], 1].mean()), float(points[CHIN, 1])
    above = np.clip((chin - ring[:, 1]) / max(0.5 * (chin - eyes), 1), 0, 1)
    return (CHEEK + (FAR_CHEEK - CHEEK) * turn * above * far).astype(np.float32)


def _turned(points: F32) -> tuple[float, int]:
    """Return how far a head is turned, 0 not at all, 1 by 28 degrees, and to which side: -1 left, 1 right."""
    left, right = (side * float(points[ear, 0] - points[NOSE, 0]) for side, ear in zip((-1, 1), EARS, strict=True))
    turn = np.log(max(left, right, 1.0) / max(min(left, right), 1.0)) / np.log(TURNED[1])
    return float(np.clip(turn, 0, 1)), -1 if left < right else 1


def soft_polygon(ring: F32, size: tuple[int, int], sigma: float) -> F32:
    """Fill a closed ring of points, its corners rounded and its edge `sigma` pixels soft: (H, W) float32 0..1."""
    smooth = np.stack(
        [np.interp(np.linspace(0, len(ring), 288), np.arange(len(ring) + 1), np.append(c, c[0])) for c in ring.T], 1
    )
    smooth = np.stack([np.convolve(np.pad(c, 6, mode="wrap"), np.full(13, 1 / 13), mode="valid") for c in smooth.T], 1)
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.round(smooth * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return (cv2.GaussianBlur(mask, (0, 0), sigma).astype(np.float32) / 255).astype(np.float32)


def _within_ears(points: F32, rows: F32, columns: F32, lobes: F32) -> F32:
    """Return where skin beside the face can be an ear, and all above the eyes (bald crowns): (H, W) float32 0..1.

    EAR eye distances beside the neck down to the nose, fewer and fewer down to the rows (1, W) where lobes end.
    """
    left, right = (side * HALF for side in neck_sides((points / HALF).astype(np.float32)))
    eyes, nose = float(points[[133, 362], 1].mean()), float(points[1, 1])
    narrower = np.clip((rows - nose) / np.maximum(lobes - nose, 1), 0, 1)
    reach = (EAR[0] + (EAR[1] - EAR[0]) * narrower) * INTEROCULAR_PX * HALF
    beside = np.clip((np.minimum(columns - left, right - columns) + reach) / 4 + 0.5, 0, 1)
    return np.where(rows < eyes, 1, beside).astype(np.float32)


def head_of(points: F32, hair: F32, skin: F32, oval: F32) -> F32:
    """Join face, hair and hat with the skin above the ear lobes: ears and a bald crown. (H, W) float32 0..1.

    Skin below the lobes and outside the oval is neck. The line falls off away from the face, behind the lobe.
    """
    rows = np.arange(PARTS_SIZE[1], dtype=np.float32)[:, None]
    columns = np.arange(PARTS_SIZE[0], dtype=np.float32)[None]
    ends = [
        points[attach, 1] + LOBES * (points[corner, 1] - points[attach, 1])
        for attach, corner in zip(LOBES_AT, JAW_CORNERS, strict=True)
    ]
    middle = np.interp(rows[:, 0], points[[10, 152], 1], points[[10, 152], 0])[:, None]
    lowest = np.where(columns < middle, *ends)
    above = np.clip((lowest - rows) / 3 + 0.5, 0, 1)
    above = above * _within_ears(points, rows, columns, lowest)
    aside = (columns < points[172, 0]) | (columns > points[397, 0])
    above = np.maximum(above, aside * _beside(points, rows, columns))
    turn, side = _turned(points)
    if turn > PROFILE:  # nose, lips and chin stand out of the mesh there, and the neck is seen below them alone
        far = side * (columns - points[list(FACE_OVAL), 0].mean()) > 0
        chin = int(np.clip(points[CHIN, 1], 0, len(rows) - 1))
        far = far & (skin[chin : chin + 6].max(axis=0) < 0.5)  # a beard goes on below
        above = np.maximum(above, far * np.clip((points[CHIN, 1] - rows) / 6, 0, 1))
    head = np.clip(np.maximum(hair + skin * above, oval), 0, 1)
    return head * sitter_of(head, points)
