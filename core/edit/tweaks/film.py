"""Renderings of the finished print: in colour again, black and white, film looks, grain, vignette.

Film looks are 3D tables of our own making: a tone curve, a tint of shadows and of lights, and a saturation, sampled at
LATTICE points a side and interpolated by Pillow. None is measured from, or named after, a film that was sold.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageFilter

from core.colour import linear, srgb
from core.edit.step import Settings, StepKind, one_of, strengths
from core.edit.tweaks.tone import curve
from core.errors import Refused
from core.scene.compose import unit_grain
from core.scene.stage import with_colours
from core.types import U8, Layers

LATTICE: Final = 17
"""Points a side of a table; its curves are smooth, so that trilinear interpolation is off by less than a byte."""
MIXES: Final[dict[str, tuple[float, float, float]]] = {
    "neutral": (0.2126, 0.7152, 0.0722),
    "soft": (0.55, 0.35, 0.10),
    "crisp": (0.30, 0.55, 0.15),
    "warm": (0.35, 0.55, 0.10),
}
"""Weights of linear red, green and blue: red-sensitive film renders skin light and smooth, green-sensitive rugged."""
CRISPER: Final = {"neutral": 0.0, "soft": -0.15, "crisp": 0.45, "warm": 0.1}
"""How much steeper the tone curve of each rendering is."""
SEPIA: Final = (1.035, 1.0, 0.93)
"""sRGB gains of the warm rendering's paper."""
GRAIN: Final = {"touch": 0.010, "more": 0.018, "lots": 0.028}
"""Standard deviation of sRGB in the middle tones; it falls towards black and white as film's does."""
GRAIN_PX: Final = 0.0011
"""Standard deviation of a grain's size as a part of the frame's width."""
VIGNETTE: Final = {"touch": 0.5, "more": 0.9, "lots": 1.4}
"""Stops by which the corners are darker."""


@dataclass(frozen=True, slots=True)
class Film:
    """One look. steeper: of the tone curve. black, white: the sRGB values that black and white become. shadows, lights:
    what is added to red, green and blue there. saturation: factor of chroma.
    """

    steeper: float
    black: float
    white: float
    shadows: tuple[float, float, float]
    lights: tuple[float, float, float]
    saturation: float


FILMS: Final = {
    "golden": Film(0.1, 0.01, 1.0, (0.0, -0.004, -0.01), (0.025, 0.012, -0.03), 1.05),
    "faded": Film(-0.15, 0.06, 0.97, (-0.01, 0.004, 0.018), (0.015, 0.008, -0.012), 0.82),
    "vivid": Film(0.3, 0.0, 1.0, (0.0, 0.0, 0.006), (0.008, 0.004, -0.004), 1.18),
    "cinema": Film(0.2, 0.02, 0.98, (-0.022, 0.004, 0.026), (0.022, 0.006, -0.024), 0.95),
}


@cache
def _table(name: str) -> ImageFilter.Color3DLUT:
    """Return a film look as a table of LATTICE points a side."""
    film = FILMS[name]
    steps = np.linspace(0, 1, LATTICE, dtype=np.float32)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    rgb = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    toned = np.interp(rgb, np.linspace(0, 1, 256), curve(film.steeper).astype(np.float32) / 255)
    luma = (toned @ np.array([0.299, 0.587, 0.114]))[:, None]
    toned = luma + (toned - luma) * film.saturation
    dark, light = (1 - luma) ** 2 * luma * 4, luma**2 * (1 - luma) * 4  # neither black nor white is tinted
    toned = toned + dark * np.array(film.shadows) + light * np.array(film.lights)
    toned = film.black + toned * (film.white - film.black)
    return ImageFilter.Color3DLUT(LATTICE, np.clip(toned, 0, 1).ravel().tolist())


def _film(rgb: U8, layers: Layers, parameters: dict[str, str], seed: int) -> U8:
    return np.asarray(Image.fromarray(rgb).filter(_table(parameters["value"])))


def _black_and_white(rgb: U8, layers: Layers, parameters: dict[str, str], seed: int) -> U8:
    name = parameters.get("value", "neutral")
    grey = np.round(srgb(linear(rgb) @ np.array(MIXES[name], np.float32)) * 255).astype(np.uint8)
    toned = cv2.LUT(grey, curve(CRISPER[name])).astype(np.float32)[..., None]
    paper = SEPIA if name == "warm" else (1.0, 1.0, 1.0)
    return np.clip(np.round(toned * np.array(paper, np.float32)), 0, 255).astype(np.uint8)


def _grain(rgb: U8, layers: Layers, level: float, seed: int) -> U8:
    height, width = rgb.shape[:2]
    fine = unit_grain(seed + 1, width, height, True)[..., 0]
    coarse = cv2.GaussianBlur(fine, (0, 0), max(0.5, GRAIN_PX * layers.unit))
    coarse /= np.float32(coarse.std())
    value = rgb.astype(np.float32) * np.float32(1 / 255)
    middle = value @ np.array([0.299, 0.587, 0.114], np.float32)
    seen = np.sqrt(np.clip(4 * middle * (1 - middle), 0.05, 1))
    return np.clip(np.round((value + (level * seen * coarse)[..., None]) * 255), 0, 255).astype(np.uint8)


def _vignette(rgb: U8, layers: Layers, stops: float, seed: int) -> U8:
    height, width = rgb.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    away = np.clip((x**2 + y**2) / 2, 0, 1)
    light = linear(rgb)
    light *= np.exp2(-np.float32(stops) * away**1.5)[..., None]
    return np.round(srgb(light) * 255).astype(np.uint8)


def _in_colour(settings: Settings) -> Settings:
    """Print in colour again. Raises Refused where the photo has no colours, or a recipe of before does not say so."""
    coloured = with_colours(settings)
    if coloured.get("black_and_white"):
        raise Refused("edit_no_colour", "in_colour: 0 colours are in the photo")
    return coloured


STEPS: Final = (
    StepKind("in_colour", 1, lambda text: one_of("in_colour", ("again",))(text) if text else {},
             settings=lambda settings, _: _in_colour(settings), takes="again", default="again"),
    StepKind("mono", 1, lambda text: one_of("mono", MIXES)(text) if text else {},
             picture=_black_and_white, takes=", ".join(MIXES), default="neutral"),
    StepKind("film", 1, one_of("film", FILMS), picture=_film, takes=", ".join(FILMS)),
    strengths("grain", 1, GRAIN, "touch", picture=_grain),
    strengths("vignette", 1, VIGNETTE, "touch", picture=_vignette),
)  # fmt: skip
