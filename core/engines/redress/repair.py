"""A soft, noisy or enlarged head -> the same head, clearer, by the embedded engine's head net.

Works on the head alone, a third of the print wide, where one pixel of the net is one pixel of a photo
with 59 px between the eyes. A photo that has more than that, and no noise, is left exactly as it is.
What comes back is the *difference* the net made, so that a large photo keeps the detail the net never saw.
`degrade` does to clean heads what poor cameras do, for training, of the base and of a person's LoRA, and for the proof.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import torch

from core import frame
from core.colour import LUMINANCE
from core.engines.denoise import denoise
from core.face.landmarks import face_skin
from core.types import F32, U8, FaceMap

FRAME: Final = (320, 400)
"""Width and height of the frame the head is repaired in: 59 px between the eyes."""
WINDOW: Final = (slice(40, 280), slice(64, 256))
"""Rows and columns of that frame which are repaired: crown to chin, ear to ear; (240, 192)."""
STEPS: Final = 1
"""Denoising steps of a repair. One, from noise straight to the net's best guess, leaves 0.78 of the error on six
held-out heads; three leave 0.87: they add detail of their own, and a repair is to add none."""
LEAST: Final = 0.12
"""Strength below which a head is left alone."""
CLASSES: Final = 16
"""The net is told the strength 0..1 in this many classes; class 0 is clean and changes nothing by construction."""
WIDEST: Final = 4.0
"""Enlargement that counts as strength 1: 15 px between the eyes, far below what intake lets in."""
QUIET: Final = 0.016
"""Noise that pores and light alone make: ten clean photos measured 0.009 to 0.0153, an old print scanned 0.03."""
NOISIEST: Final = 0.05
"""Noise that counts as strength 1, standard deviation in sRGB 0..1."""

Predict = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""predict(x, degraded, time, strength): (N, 3, H, W), (N, 3, H, W) in -1..1, (N,), (N,) -> clean heads."""


def degrade(rgb: F32, strength: float, rng: np.random.Generator) -> F32:
    """Degrade a clean head (H, W, 3) float32 sRGB 0..1: shrunk and enlarged again, noise, JPEG; 0 leaves it alone.

    strength 1 is an enlargement of WIDEST with noise up to NOISIEST; either may dominate, as in photos.
    """
    if strength <= 0:
        return rgb
    height, width = rgb.shape[:2]
    factor = 1 + (WIDEST - 1) * strength * rng.uniform(0.6, 1.0)
    degraded = cv2.GaussianBlur(rgb, (0, 0), max(0.05, 0.35 * (factor - 1) * rng.uniform(0.3, 1.2)))
    small = (max(8, round(width / factor)), max(8, round(height / factor)))
    degraded = cv2.resize(degraded, small, interpolation=cv2.INTER_AREA)
    noise = rng.standard_normal(degraded.shape).astype(np.float32)
    noise = 0.7 * noise.mean(axis=-1, keepdims=True) * np.float32(np.sqrt(3)) + 0.3 * noise
    degraded = degraded + noise * np.float32(NOISIEST * strength * rng.uniform(0, 1) * 0.6)
    quality = round(96 - 50 * strength * rng.uniform(0, 1))
    pixels = np.round(np.clip(degraded, 0, 1) * 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert unpacked is not None  # it was packed one line above
    degraded = unpacked[..., ::-1].astype(np.float32) / 255
    kind = cv2.INTER_LANCZOS4 if rng.random() < 0.5 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(degraded, (width, height), interpolation=kind), 0, 1).astype(np.float32)


def need_of(face: FaceMap) -> float:
    """Return how much repair a photo's head needs, 0..1: enlargement or noise, whichever is worse; below LEAST, 0."""
    upscale_factor = face.upscale_factor * FRAME[0] / frame.PRINT[0]
    noise = noise_of(face) - QUIET
    found = float(np.clip(max((upscale_factor - 1) / (WIDEST - 1), noise / NOISIEST), 0, 1))
    return found if found >= LEAST else 0.0


def noise_of(face: FaceMap) -> float:
    """Measure the noise on the skin of a photo's head at the repair's size: standard deviation of luma, sRGB 0..1.

    The median absolute deviation from its own blur ignores pores and wrinkles (Donoho 1995).
    """
    head = head_of(face.selfie.rgb, face.selfie.face.landmarks)
    points = face.landmarks[:, :2] * np.float32(FRAME[0] / frame.PRINT[0])
    points -= np.array([WINDOW[1].start, WINDOW[0].start], np.float32)
    skin = face_skin(np.round(head * 255).astype(np.uint8), points)
    luma = head @ LUMINANCE
    fine = (luma - cv2.GaussianBlur(luma, (0, 0), 1.2))[skin]
    return float(1.4826 * np.median(np.abs(fine))) if fine.size > 100 else 0.0


@torch.no_grad()
def restore(predict: Predict, degraded: F32, strength: float, seed: int = 0) -> F32:
    """Repair a head picture (H, W, 3) float32 sRGB 0..1 whose sides 8 divides; strength 0 gives it back unchanged.

    The mean of the net's answers for the picture and for its mirror image (Lim et al. 2017, EDSR+): on 41 held-out
    heads 0.701 of the error is left, 0.708 without; more noises and their mean change nothing.
    """
    if strength <= 0:
        return degraded
    both = np.stack([degraded, degraded[:, ::-1]]).transpose(0, 3, 1, 2)
    given = torch.from_numpy(both.copy()).float() * 2 - 1
    level = torch.full((2,), strength)
    noise = torch.randn(given[:1].shape, generator=torch.Generator().manual_seed(seed)).expand_as(given)
    pred_x0 = denoise(lambda x, time: predict(x, given, time, level), noise, STEPS, lambda: False)
    mean = (pred_x0[0] + pred_x0[1].flip(2)) / 2
    return np.clip((mean.permute(1, 2, 0).numpy() + 1) / 2, 0, 1).astype(np.float32)


def repair(predict: Predict, picture: F32, strength: float) -> F32:
    """Repair the head in a print (1280, 1024, 3) float32 sRGB 0..1: the net's change, enlarged, is added."""
    if strength <= 0:
        return picture
    small = cv2.resize(picture, FRAME, interpolation=cv2.INTER_AREA)
    degraded = np.ascontiguousarray(small[WINDOW])
    change = np.zeros_like(small)
    change[WINDOW] = (restore(predict, degraded, strength) - degraded) * _feather()[..., None]
    size = (picture.shape[1], picture.shape[0])
    return np.clip(picture + cv2.resize(change, size, interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def _feather() -> F32:
    """Return 1 inside the window, falling to 0 over its last twelve pixels: no edge of it may show."""
    height, width = WINDOW[0].stop - WINDOW[0].start, WINDOW[1].stop - WINDOW[1].start
    inside = np.zeros((height, width), np.float32)
    inside[1:-1, 1:-1] = 1
    return np.clip(cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5) / 12, 0, 1).astype(np.float32)


def head_of(photo: U8, landmarks: F32) -> F32:
    """Draw a photo's head as it is repaired: (240, 192, 3) float32 sRGB 0..1, from the photo's own landmarks."""
    transform = frame.to_frame(frame.eye_centres(landmarks), *FRAME)
    return frame.warp(photo, transform, *FRAME)[WINDOW].astype(np.float32) / 255
