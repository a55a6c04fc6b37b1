"""Blendshapes and pose -> words for what a face does: a smile, a mouth open in speech, lids down, eyes elsewhere.

One function for photos and portraits. Limits were set on 446 official portraits (people who look into the camera,
most with a smile) and looked at on 1,492 synthetic faces of every expression.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.face.mesh import BLENDSHAPES
from core.types import F32

SMILE: Final = 0.4
"""mouthSmile, mean of both sides."""
MOUTH_OPEN: Final = (0.2, 0.35)
"""jawOpen without and with a smile: speech and shouts; 0 of the portraits beyond, whose laughter reaches 0.34."""
EYES_CLOSED: Final = 0.4
"""eyeBlink of the eye that is more open: 3 of the portraits beyond 0.35, all laughing; their maximum is 0.45."""
LOOKS_DOWN: Final = -0.45
"""eyeLookUp less eyeLookDown beyond what the head's pitch asks for: the portraits reach -0.40."""
GAZE_ASIDE: Final = 0.35
"""eyeLookOut less eyeLookIn, both eyes, beyond what the head's yaw asks for: the portraits reach 0.30."""
FROWN: Final = 0.9
"""browDown, mean of both sides; smiling portraits reach 0.89."""
AHEAD: Final = ((0.108, -0.0340), (-0.062, -0.0138))
"""Sideways gaze by yaw and upward gaze by pitch (degrees) of eyes that look into the camera: offset and slope, least
squares over the portraits; correlation -0.92 and -0.38."""
SEEN_DEG: Final = 20.0
"""Turn up to which that was seen; further turned eyes are held against this."""


def expression_of(scores: F32, yaw_deg: float, pitch_deg: float) -> tuple[str, ...]:
    """Name what a face does, in the order of importance.

    scores: (52,) float32 blendshapes. Words: eyes_closed, mouth_open, looks_down, gaze_aside, frown, smile.
    """
    of = dict(zip(BLENDSHAPES, scores.tolist(), strict=True))
    smile = _both(of, "mouthSmile")
    sideways = of["eyeLookOutLeft"] - of["eyeLookInLeft"] - of["eyeLookOutRight"] + of["eyeLookInRight"]
    upwards = _both(of, "eyeLookUp") - _both(of, "eyeLookDown")
    aside, up = (
        gaze - offset - slope * float(np.clip(turn, -SEEN_DEG, SEEN_DEG))
        for gaze, (offset, slope), turn in zip((sideways / 2, upwards), AHEAD, (yaw_deg, pitch_deg), strict=True)
    )
    holds = {
        "eyes_closed": min(of["eyeBlinkLeft"], of["eyeBlinkRight"]) > EYES_CLOSED,
        "mouth_open": of["jawOpen"] > MOUTH_OPEN[smile > SMILE],
        "looks_down": up < LOOKS_DOWN,
        "gaze_aside": abs(aside) > GAZE_ASIDE,
        "frown": _both(of, "browDown") > FROWN,
        "smile": smile > SMILE,
    }
    return tuple(word for word, true in holds.items() if true)


def _both(of: dict[str, float], name: str) -> float:
    return (of[f"{name}Left"] + of[f"{name}Right"]) / 2
