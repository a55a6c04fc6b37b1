"""Maps of a set -> what it shows, what is still missing and what to know of it, and a map drawn over its photo.

A set covers its sitter when it holds the head from the front and from both sides, with and without a
smile, in more than one light, and once with the shoulders: what a portrait can be made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from core import frame
from core.cutout.parts import MOST_UNSURE
from core.face import features, worn
from core.face.landmarks import TRIANGLES
from core.face.mesh import EYES, FACE_OVAL, LIPS
from core.frame import framed
from core.types import F32, U8, FaceMap

TURNED_DEG: Final = 10.0
"""A head counts as turned from here; our four-photo sitter stands at 1, -15, 17 and 12 degrees."""

MISSING: Final = {
    "front": "one looking straight at the camera",
    "bare_head": "one without your hat, for more choice",
    "turn_left": "one with your head turned a little to your left",
    "turn_right": "one with your head turned a little to your right",
    "smile": "one with a smile",
    "neutral": "one with a relaxed face",
    "other_light": "one in another light, with a window at your side",
    "shoulders": "one that shows your shoulders",
}
"""What a set can lack, most useful first, and how to ask for it in English; other languages live in the bots."""
NOTES: Final = {
    "glasses_differ": "photos with and without glasses: portraits keep what each photo shows",
    "facial_hair_differs": "photos with and without facial hair: portraits keep what each photo shows",
}
"""What is good to know of a set; nothing has to be done about it."""

PHOTO_NOTES: Final = {
    "others_cropped": "somebody else was on it, the picture was cut so that it shows only you",
    "perspective_undone": "taken from very near, which makes a nose look larger: undone",
    "cut_short": "the file ends early, the part that is there is used",
    "colour_unknown": "its colours are stored in a way that is not known and may look different",
    "colourless": "black and white: portraits from it are black and white too, and others are taken first",
    "toned": "tinted in one colour: portraits from it are black and white, and others are taken first",
    "colour_cast": "strongly coloured light, taken out as far as the skin tells; a photo in white light is better",
    "hard_light": "hard or coloured light: portraits from it are black and white, and others are taken first; "
    "send one in soft daylight, beside a window",
    "hat": "a hat stays in the portrait; a photo without it gives more choice",
    "own_clothes": "your own clothes may be kept on in portraits from it",
    "head_cut": "the top of your head is cut off: portraits are cropped there too; send one with the whole head",
    "side_cut": "the side of your head is cut off: portraits are cropped there too; send one with the whole head",
    "unsure": "where hair, neck and clothes end is hard to tell; one before a plain wall, in even light, is better",
    "grimace": "a tense or moving face: used last, and rarely good enough; send one with a relaxed look or a smile",
    "eyes_closed": "eyes nearly closed or cast down: used last; send one with open eyes, looking into the camera",
    "mouth_open": "mouth open: used last; send one with the mouth closed or with a smile",
    "looks_down": "looking down: used last; send one looking into the camera",
}
"""What `notes_of` tells of a kept photo and how it is said in English."""
LEAST_CUT: Final = 0.05
"""Part of the frame's width or height that a photo's border must take from the head to be told."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a set shows: counts by cell, the words of MISSING it lacks, most useful first, and those of NOTES."""

    cells: dict[str, int]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def coverage(maps: Sequence[FaceMap]) -> Coverage:
    """Count what the kept photos of a set show; an empty set lacks everything."""
    cells = {word: sum(_shows(face, word) for face in maps) for word in MISSING}
    sides = {int(np.sign(face.light_side)) if abs(face.light_side) > 0.25 else 0 for face in maps}
    cells["other_light"] = len(sides) - 1 if sides else 0
    return Coverage(cells, tuple(word for word in MISSING if cells[word] < 1), _notes(maps))


def _notes(maps: Sequence[FaceMap]) -> tuple[str, ...]:
    """Name what some photos surely show and others surely do not; the unsure ones have no say."""
    seen = [face.features for face in maps if face.features]
    hair = {each.facial_hair != "none" for each in seen if each.facial_hair}
    holds = {
        "glasses_differ": {True, False} <= {each.glasses for each in seen},
        "facial_hair_differs": {True, False} <= hair,
    }
    return tuple(word for word in NOTES if holds[word])


def _shows(face: FaceMap, word: str) -> bool:
    yaw = face.selfie.face.yaw_deg
    return {
        "front": abs(yaw) < TURNED_DEG,
        "bare_head": not (face.features and face.features.hat),
        "turn_left": yaw > TURNED_DEG,
        "turn_right": yaw < -TURNED_DEG,
        "smile": "smile" in face.expression,
        "neutral": not face.expression,
        "shoulders": face.shoulders_visible,
    }.get(word, False)


def notes_of(face: FaceMap) -> tuple[str, ...]:
    """Name what is good to know of a kept photo, words of PHOTO_NOTES and the rest of `Selfie.notes`."""
    found = list(face.selfie.notes)
    if face.features and face.features.hat:
        found.append("hat")
    if face.features and face.features.own_clothes:
        found.append("own_clothes")
    if face.shown is not None:
        left, top, right = face.shown
        if top > LEAST_CUT * frame.PRINT[1]:
            found.append("head_cut")
        elif max(left, frame.PRINT[0] - right) > LEAST_CUT * frame.PRINT[0]:
            found.append("side_cut")
    if face.unsure > MOST_UNSURE:
        found.append("unsure")
    says = [word for word in face.expression if word in PHOTO_NOTES]
    # one sentence is enough for lids half shut, and one for half a word
    said = ("grimace", "looks_down") if "eyes_closed" in says else ("mouth_open",) if "grimace" in says else ()
    return (*found, *(word for word in says if word not in said))


def draw_map(face: FaceMap) -> U8:
    """Draw what was found over the photo in the frame, (640, 512, 3) uint8: mesh, features, marks, pose and light.

    Where glasses or facial hair were seen, their regions are outlined; hair, hat and both are said in words.
    """
    picture, _ = framed(face.selfie.rgb, face.transform, *frame.PRINT)
    canvas = cv2.resize(picture, (512, 640), interpolation=cv2.INTER_AREA)
    points = (face.landmarks[:, :2] * 8).astype(np.int32)  # half size, 4 bits of fraction
    mesh = canvas.copy()
    for triangle in TRIANGLES:
        cv2.polylines(mesh, [points[triangle]], True, (255, 255, 255), 1, cv2.LINE_AA, 4)
    canvas = cv2.addWeighted(mesh, 0.25, canvas, 0.75, 0)
    eye_colour = (80, 220, 255)
    rings = ((FACE_OVAL, (255, 210, 60)), (EYES[0], eye_colour), (EYES[1], eye_colour), (LIPS, (255, 120, 120)))
    for ring, colour in rings:
        cv2.polylines(canvas, [points[list(ring)]], True, colour, 1, cv2.LINE_AA, 4)
    for outline in _worn(face):
        cv2.polylines(canvas, [np.round(outline * 8).astype(np.int32)], True, (190, 120, 255), 2, cv2.LINE_AA, 4)
    for x, y, radius in face.marks:
        cv2.circle(canvas, (int(x / 2), int(y / 2)), max(3, int(radius / 2)), (120, 255, 120), 1, cv2.LINE_AA)
    nose = tuple(int(v) for v in face.landmarks[1, :2] / 2)
    turn, lift = np.radians(face.selfie.face.yaw_deg), np.radians(face.selfie.face.pitch_deg)
    tip = (int(nose[0] + 90 * np.sin(turn)), int(nose[1] - 90 * np.sin(lift)))
    cv2.arrowedLine(canvas, nose, tip, (255, 160, 40), 2, cv2.LINE_AA)
    seen = face.selfie.face
    said = [
        f"yaw {seen.yaw_deg:+.0f}  pitch {seen.pitch_deg:+.0f}  roll {seen.roll_deg:+.0f} deg",
        f"eyes {seen.eye_px:.0f} px apart  light {face.light_side:+.2f}",
        f"{', '.join(face.expression) or 'relaxed'}  marks {len(face.marks)}",
        features.words(face.features) if face.features else "",
    ]
    for line, text in enumerate(said):
        for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(canvas, text, (10, 22 + 20 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thick, cv2.LINE_AA)
    return canvas


def _worn(face: FaceMap) -> list[F32]:
    """Outline, in frame pixels, what the features say is there: lenses, moustache, beard."""
    points, seen = face.landmarks[:, :2], face.features
    rings: list[F32] = []
    if seen and seen.glasses:
        turn = np.linspace(0, 2 * np.pi, 37)
        lens = 2 * worn.IOD * np.stack([0.42 * np.cos(turn), 0.06 + 0.3 * np.sin(turn)], axis=1)
        rings += [eye + lens for eye in frame.eye_centres(points)]
    if seen and seen.facial_hair in {"moustache", "beard"}:
        rings.append(points[list(worn.UPPER_LIP)])
    if seen and seen.facial_hair == "beard":
        rings += [points[list(ring)] for ring in (worn.CHIN, *worn.JAW)]
    return [np.asarray(ring, np.float32) for ring in rings]
