"""Selfie -> FaceMap: where everything is, how the head stands, how the light falls, what to protect.

Knows nothing of styles or garments. mediapipe finds landmarks and a coarse matte; the rest is numpy
and OpenCV in the canonical frame of `core.frame`. No race, gender or age is inferred or stored.
"""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from typing import Any, Final

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from core import frame, weights
from core.nouns import F32, U8

BLENDSHAPES: Final = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""mediapipe's 52 expression scores, in the order the model gives them."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What the landmarker read off one face: points, expression, pose.

    landmarks: (478, 3) float32 in photo pixels, z in the same unit, smaller is nearer.
    blendshapes: (52,) float32 in 0..1. Angles in degrees, signs as `core.nouns.Face` says.
    """

    landmarks: F32
    blendshapes: F32
    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def _let_go(net: Any) -> None:
    """Leave a net to the ending process: its own close() needs threads that are gone by then and prints a traceback."""
    net._handle = None


class Landmarker:
    """mediapipe's face landmarker, loaded once: 478 points, 52 expressions, head pose."""

    def __init__(self) -> None:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(weights.path("face_landmarker.task"))),
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=1,
            running_mode=vision.RunningMode.IMAGE,
        )
        self._net: Any = vision.FaceLandmarker.create_from_options(options)
        atexit.register(_let_go, self._net)

    def trace(self, rgb: U8) -> Trace | None:
        """Read the one face of a picture (H, W, 3) uint8 sRGB, or None where there is none.

        Crop to about twice the face's size first: the short-range detector inside misses faces
        that are small in the picture.
        """
        height, width = rgb.shape[:2]
        found = self._net.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)))
        if not found.face_landmarks:
            return None
        points = np.array([(p.x * width, p.y * height, p.z * width) for p in found.face_landmarks[0]], np.float32)
        scores = np.array([b.score for b in found.face_blendshapes[0]], np.float32)
        turn = np.array(found.facial_transformation_matrixes[0])[:3, :3]
        # mediapipe's camera looks along -z with y up; columns are the head's own axes
        yaw = np.degrees(np.arctan2(turn[0, 2], turn[2, 2]))
        pitch = np.degrees(np.arcsin(np.clip(turn[1, 2], -1, 1)))
        right, left = frame.eye_centres(points)
        roll = np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0]))
        return Trace(points, scores, float(yaw), float(pitch), float(roll))
