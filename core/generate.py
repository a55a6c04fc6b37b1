"""Setup -> Portrait: the denoising loop, the decoding, the garment put on, and the first composing.

The loop knows no engine: it is handed a function that predicts the clean picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import torch

from core import frame
from core.engines.embedded import SIZE, Embedded
from core.enhance import develop
from core.errors import Stopped
from core.facemap import linear
from core.garment import Cloth, Layout, lay_out
from core.light import srgb
from core.nouns import F32, U8, Portrait, Recipe
from core.stage import Setup
from core.style import rgb_of

STEPS: Final = 12
"""DPM-Solver++(2M) steps; all our pictures and figures were made with this number, no other was compared."""


SHADE: Final = 0.09
"""How far folds may lead cloth away from its ordered colour, in sRGB 0..1; by eye on the two demo sitters."""


def signal(time: float) -> float:
    """Return the part of the variance that is picture at a time 0..1: cosine schedule (Nichol & Dhariwal 2021)."""
    return min(max(math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2, 1e-5), 1 - 1e-5)


@torch.no_grad()
def denoise(
    predict: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    steps: int,
    should_stop: Callable[[], bool],
) -> torch.Tensor:
    """Walk from noise to a picture: DPM-Solver++(2M) on the predicted clean picture (Lu et al. 2022).

    predict(x, time) returns the clean picture, time (N,); x: noise of its shape. Raises Stopped between steps.
    """
    times = [0.999 * (1 - step / steps) for step in range(steps + 1)]
    clean, before, last = x, None, 0.0
    for step in range(steps):
        if should_stop():
            raise Stopped(f"stopped at denoising step {step} of {steps}")
        here, there = signal(times[step]), signal(times[step + 1])
        clean = predict(x, torch.full((len(x),), times[step]))
        stride = 0.5 * (math.log(there / (1 - there)) - math.log(here / (1 - here)))
        guess = clean
        if before is not None and step < steps - 1:
            guess = clean + 0.5 * stride / last * (clean - before)
        x = math.sqrt((1 - there) / (1 - here)) * x - math.sqrt(there) * math.expm1(-stride) * guess
        before, last = clean, stride
    return clean


def generate(
    setup: Setup, style: str, purpose: str, engine: Embedded, name: str, should_stop: Callable[[], bool]
) -> Portrait:
    """Draw the garment, dress the sitter, compose: one finished portrait of a setup; deterministic per seed."""
    height, width = setup.layers.head.shape
    recipe = Recipe(
        style=style,
        purpose=purpose,
        source=setup.face.selfie.sha256,
        seed=setup.seed,
        engine=f"{engine.name}-{engine.version}",
        width=width,
        height=height,
        settings=setup.settings,
    )
    layers = replace(setup.layers, garment=draw_garment(setup, engine, should_stop))
    return Portrait(id=name, rgb=develop(layers, recipe), layers=layers, recipe=recipe)


def draw_garment(setup: Setup, engine: Embedded, should_stop: Callable[[], bool]) -> U8:
    """Draw the setup's garment at its print size: (H, W, 4) uint8 sRGB and matte, empty above the collar.

    The layout orders outline and colour, the net makes cloth of it at a quarter of the print,
    Real-ESRGAN enlarges, the layout's creases and a weave bring back what lies between the pixels.
    """
    height, width = setup.layers.head.shape
    top = round(frame.GARMENT_TOP * height)
    wanted = setup.outfit
    cloth = Cloth(wanted.kind, rgb_of(wanted.jacket), rgb_of(wanted.shirt), rgb_of(wanted.tie))
    rough = lay_out(cloth, setup.body, SIZE, setup.seed)
    told = engine.conditions(rough.rgba, _keep(setup, top))
    noise = torch.randn((1, 4, SIZE[1], SIZE[0]), generator=torch.Generator().manual_seed(setup.seed))
    drawn = denoise(lambda x, time: engine.predict(x, told, time), noise, STEPS, should_stop)[0]
    small = np.clip((drawn.permute(1, 2, 0).numpy() + 1) / 2, 0, 1)
    small[..., :3] = _near_order(small[..., :3], rough.rgba[..., :3])
    size = (width, height - top)
    large = cv2.resize(engine.enlarge(small[..., :3]), size, interpolation=cv2.INTER_AREA)
    matte = _matte(small[..., 3], size)
    colours = _weave(large, lay_out(cloth, setup.body, size, setup.seed), setup.seed)
    soft = max(0.0, 0.35 * (setup.enlarged - 1))  # as sharp as the head, no sharper
    if soft > 0.2:
        colours = cv2.GaussianBlur(colours, (0, 0), soft)
    garment = np.zeros((height, width, 4), np.uint8)
    garment[top:] = np.round(np.clip(np.dstack([colours, matte]), 0, 1) * 255).astype(np.uint8)
    return garment


def _keep(setup: Setup, top: int) -> F32:
    """Return head and neck as the net sees them: (144, 256, 4) float32 0..1, the garment's part of the frame."""
    matte = np.maximum(setup.layers.head, setup.layers.neck)
    part = np.dstack([setup.layers.sitter, matte])[top:].astype(np.float32) / 255
    return cv2.resize(part, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)


def _near_order(drawn: F32, ordered: F32) -> F32:
    """Hold the drawn cloth near the colours that were ordered: folds may shade them, smudges may not.

    The net has had 400 steps of training and still smudges light cloth; past SHADE its opinion fades.
    """
    return np.clip(ordered + SHADE * np.tanh((drawn - ordered) / SHADE), 0, 1)


def _matte(alpha: F32, size: tuple[int, int]) -> F32:
    """Bring the net's matte (144, 256) to print size with an edge two pixels wide."""
    large = cv2.resize(alpha, size, interpolation=cv2.INTER_CUBIC)
    steep = size[0] / SIZE[0] * 0.8
    return np.clip((cv2.GaussianBlur(large, (0, 0), 0.25 * size[0] / SIZE[0]) - 0.5) * steep + 0.5, 0, 1).astype(
        np.float32
    )


def _weave(rgb: F32, layout: Layout, seed: int) -> F32:
    """Give cloth its weave: a fine diagonal twill on jackets, a finer plain one on shirts, in linear light.

    One to three percent of contrast: below what is seen as a pattern, above what is seen as plastic.
    """
    height, width = rgb.shape[:2]
    rng = np.random.default_rng([seed, 11])
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    slub = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 1.1, sigmaY=0.6)
    slub /= np.float32(slub.std())
    twill = np.sin((columns + rows) * (2 * np.pi / 3.1)) + 0.5 * slub
    heavy = sum((layout.regions[part] for part in ("jacket", "lapel") if part in layout.regions), np.zeros_like(rows))
    contrast = 0.010 + 0.022 * np.clip(heavy, 0, 1)
    return srgb(linear(rgb) * (1 + contrast * (0.6 * twill + 0.8 * slub))[..., None])
