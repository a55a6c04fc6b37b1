"""Selfie -> whether its light is hard or coloured: what no room of a studio explains, and black and white forgives.

A small net looks at the light on the face alone, blurred, without who it is: whether half of it lies in the dark, a
lamp of another colour lights one side, or the sun draws edges. Weights and model card: `core/base/light`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from core.colour import LUMINANCE, dot, linear, srgb, thrice
from core.face.constancy import HARD_LIGHT, bare_face, has_no_colour, in_frame
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.types import F32, U8, Selfie

WEIGHTS: Final = Path(__file__).resolve().parent.parent / "base" / "light" / "light.safetensors"
HARD: Final = 0.3
"""Log odds from which on light is called hard; core/base/light/README.md has what it catches."""
BLUR_PX: Final = 2.0
"""Sigma by which the face is blurred, in pixels of SIZE, 0.04 eye distances: pores, lashes and painted skin go."""
PART: Final = np.s_[40:216, 60:196]
"""Rows and columns of SIZE that a face lies in."""
INPUT: Final = (48, 60)
"""Width and height that the net looks at."""
STOPS, HUES = 1.5, 12.0
"""What light, in stops over the face's median, and a* and b* over their medians are divided by."""
MOST: Final = (2.0, 3.0)
"""Bounds of light and of hue after that."""
DARKEST: Final = 4e-3
"""Linear light that is added to all: below it is noise."""
WIDTHS: Final = (24, 32, 48)


class LightNet(nn.Module):
    """Say how hard or coloured the light on a face is: (B, 4, 60, 48) of `light_field` -> (B,) log odds."""

    def __init__(self) -> None:
        super().__init__()
        widths = (4, *WIDTHS)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(few, many, 3, stride=2, padding=1), nn.GroupNorm(4, many), nn.SiLU())
            for few, many in pairwise(widths)
        )
        self.drop = nn.Dropout2d(0.1)
        self.out = nn.Sequential(nn.Linear(2 * WIDTHS[-1], 32), nn.SiLU(), nn.Dropout(0.2), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return log odds (B,)."""
        for layer in self.layers:
            x = layer(x)
        x = self.drop(x)
        found: Tensor = self.out(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
        return found[:, 0]


class LightClassifier:
    """The net with its weights. One instance per thread, as all of `core.models.Models`."""

    def __init__(self) -> None:
        self._net = LightNet().eval()
        self._net.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})

    def noted(self, selfie: Selfie) -> Selfie:
        """Note HARD_LIGHT on a photo in white light whose light is hard or coloured; the same object where it is not.

        A photo without colours is printed in black and white anyway, and is not asked. "colour_cast" says less of the
        same and goes.
        """
        if has_no_colour(selfie) or self.hardness(selfie) < HARD:
            return selfie
        return replace(selfie, notes=(*(note for note in selfie.notes if note != "colour_cast"), HARD_LIGHT))

    def hardness(self, selfie: Selfie) -> float:
        """Return the log odds that a photo's light is hard or coloured, of the face and of its mirror image."""
        face, points, _ = in_frame(selfie)
        seen = torch.from_numpy(light_field(face, points)[None])
        with torch.inference_mode():
            return float(self._net(torch.cat([seen, seen.flip(-1)])).mean())


def light_field(face: U8, points: F32) -> F32:
    """Return the light on a face, blurred: (4, 60, 48) float32.

    Luminance over the face's median, a* and b* over theirs, and where the face is: how light or dark its skin is does
    not enter. face: (320, 256, 3) uint8 sRGB in the canonical frame; points: (478, 2) float32 in its pixels.
    """
    oval = fill(face.shape[:2], points, FACE_OVAL, 0.97)
    inside, bare = oval.astype(np.float32), bare_face(points)
    bare = bare if bare.any() else np.ones_like(bare)
    known = np.maximum(cv2.GaussianBlur(inside, (0, 0), BLUR_PX), 1e-3)
    smooth = cv2.GaussianBlur(linear(face) * thrice(inside), (0, 0), BLUR_PX) / thrice(known)
    stops = np.log2(dot(smooth, LUMINANCE) + DARKEST)
    hues = cv2.cvtColor(srgb(np.clip(smooth, 0, 1).astype(np.float32)), cv2.COLOR_RGB2LAB)[..., 1:]
    stops, hues = stops - np.median(stops[bare]), hues - np.median(hues[bare], axis=0)
    light, hue = np.clip(stops / STOPS, -MOST[0], MOST[0]), np.clip(hues / HUES, -MOST[1], MOST[1])
    field = np.dstack([light * inside, hue * inside[..., None], inside]).astype(np.float32)
    small = cv2.resize(field[PART], INPUT, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32)
