"""Measure the shipped base model on the held-out portraits: what `python -m tools.train_base eval FOLDER` prints.

Every figure is a median with n and a 95 % bootstrap interval; a group under eight is not claimed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from core import frame
from core.cutout.cutout import cut_out
from core.cutout.parser import Parser
from core.engines.denoise import cosine_alpha_bar
from core.engines.redress import garment, repair
from core.engines.redress.generate import draw_conditioned, drawn_kind, generate, layout_of
from core.engines.redress.lora import lab_error
from core.engines.redress.nets import Nets, predict_head, predict_torso
from core.face.embedding import Recogniser, cosine
from core.models import Models
from core.scene import stage, style
from core.studio import look, map_photo
from core.types import F32, FaceMap, Selfie
from tools import pairs

JACKETS: Final = {
    "charcoal": (48, 52, 59), "navy": (31, 42, 68), "royal": (44, 74, 134), "wine": (110, 30, 48),
    "sand": (190, 170, 140), "green": (40, 84, 62), "grey": (128, 130, 134), "brown": (92, 64, 44),
}  # fmt: skip
TIES: Final = {"red": (150, 28, 38), "blue": (50, 88, 160), "green": (46, 100, 66), "gold": (190, 150, 60),
               "purple": (92, 52, 118), "silver": (168, 172, 180)}  # fmt: skip
PALETTES: Final = {"jackets": (garment.JACKET, JACKETS), "ties": (garment.TIE, TIES)}
SKINS: Final = ("darker third", "middle third", "lighter third")
GROUPS: Final = (*SKINS, "glasses", "facial hair", "bald", "hair to the chin or longer", "hat")
LEAST: Final = 8
"""No figure is given for fewer pictures than this."""


def evaluate(folder: Path) -> dict[str, Any]:
    """Measure everything; some minutes on two cores. folder: with the portraits, which are looked at for the groups."""
    nets, examples, maps = Nets(), pairs.load(held_out=True), _maps(folder)
    groups = _groups(maps)
    torsos = [pairs.torso(example) for example in examples]
    heads = [example for example in examples if example.scale < 1.25]
    return {
        "torso": _torsos(nets, torsos, [groups.get(example.sha256, ()) for example in examples]),
        "colour": _colours(nets, [t for t, e in zip(torsos, examples, strict=True) if e.kind == "suit_tie"][:8]),
        "worn": _worn(nets, [maps[e.sha256] for e in examples if e.kind == "suit_tie" and e.sha256 in maps][:8]),
        "loss": {"held_out": _losses(nets, torsos), "trained_on": _losses(nets, _trained_on())},
        "repair": _repairs(nets, heads, [groups.get(example.sha256, ()) for example in heads]),
        "seconds": _seconds(nets, torsos[0], heads[0]),
    }


def _maps(folder: Path) -> dict[str, FaceMap]:
    """Map the held-out portraits, by the photo's sha256."""
    models, maps = Models("embedded"), {}
    for file in sorted(folder.glob("*.jpg"))[::10]:
        seen = look(file.read_bytes(), file.name, models)
        if isinstance(seen, Selfie):
            maps[seen.sha256] = map_photo(seen, models)
    return maps


def _groups(maps: Mapping[str, FaceMap]) -> dict[str, tuple[str, ...]]:
    """Say what held-out sitters wear and how light their faces are, by the photo's sha256; see docs/map.md."""
    thirds = np.array_split(np.argsort([face.selfie.luminance for face in maps.values()]), 3)
    found = {}
    for number, (sha256, face) in enumerate(maps.items()):
        worn = face.features
        assert worn is not None
        third = next(name for name, third in zip(SKINS, thirds, strict=True) if number in third)
        holds = {
            "glasses": worn.glasses,
            "facial hair": worn.facial_hair not in {None, "none"},
            "bald": worn.hair_length == "bald",
            "hair to the chin or longer": worn.hair_length in {"chin", "shoulder_or_longer"},
            "hat": worn.hat,
        }
        found[sha256] = (third, *(name for name, on in holds.items() if on))
    return found


def _by_group(values: Sequence[float], groups: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return the interval of each group's values."""
    return {name: interval([value for value, of in zip(values, groups, strict=True) if name in of]) for name in GROUPS}


def _trained_on() -> list[pairs.Torso]:
    """Return every ninth torso that was not held out."""
    return [pairs.torso(example) for example in pairs.load(held_out=False)[::9]]


def _draw(nets: Nets, conditioning: F32, kind: int, seed: int) -> F32:
    return draw_conditioned(conditioning, kind, seed, nets, lambda: False)


def _torsos(nets: Nets, torsos: Sequence[pairs.Torso], groups: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Detail and edges against the real picture's, colour against the conditioning, neck against the face, copies."""
    figures: dict[str, list[float]] = {name: [] for name in ("colour", "detail", "edge", "neck_to_face", "nearest")}
    bank = np.stack([_thumb(t.layers[..., :3], t.layers[..., 3]) for t in _trained_on()])
    seen_necks = []
    for seed, torso in enumerate(torsos):
        target, conditioning, weight, kind = pairs.torso_pair(torso, np.random.default_rng(seed), vary=False)
        drawn, real = _draw(nets, conditioning, kind, seed), (target.transpose(1, 2, 0) + 1) / 2
        regions = (conditioning.transpose(1, 2, 0) + 1) / 2
        cloth = (real[..., 3] > 0.9) & (real[..., 4] < 0.1) & (weight > 0.9)
        labs = [rgb2lab(picture[..., :3]) for picture in (drawn, regions)]
        figures["colour"].append(float(np.median(deltaE_ciede2000(labs[0][cloth], labs[1][cloth]))))
        large, large_real = (
            nets.upscale(drawn[..., :3]),
            nets.upscale(np.ascontiguousarray(real[..., :3], np.float32)),
        )
        wide = cv2.resize(cloth.astype(np.uint8), (large.shape[1], large.shape[0])) > 0
        figures["detail"].append(_fine(large, wide) / _fine(large_real, wide))
        figures["edge"].append(_steep(drawn[..., 3]) / max(_steep(real[..., 3]), 1e-3))
        neck, face = drawn[..., 4] > 0.9, (torso.layers[..., 6] > 0.7) & (torso.layers[..., 4] > 0.7)
        if neck.sum() > 40 and face.sum() > 20:
            seen_necks.append(groups[seed])
            figures["neck_to_face"].append(_skin_distance(drawn[..., :3], neck, face))
        thumb = _thumb(drawn[..., :3], drawn[..., 3])
        figures["nearest"].append(float(np.abs(bank - thumb).mean(axis=(1, 2, 3)).min()))
    told_apart: dict[str, Any] = {name: interval(values) for name, values in figures.items()}
    told_apart["neck_to_face_by_group"] = _by_group(figures["neck_to_face"], seen_necks)
    told_apart["detail_by_group"] = _by_group(figures["detail"], groups)
    return told_apart


def _thumb(rgb: F32, matte: F32) -> F32:
    return cv2.resize(rgb * matte[..., None], (32, 18), interpolation=cv2.INTER_AREA).astype(np.float32)


def _fine(rgb: F32, where: NDArray[np.bool_]) -> float:
    luma = rgb.mean(axis=-1)
    return float(np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 2))[where].mean())


def _steep(matte: F32) -> float:
    return float(np.percentile(np.abs(np.diff(matte, axis=0)), 99))


def _skin_distance(rgb: F32, neck: NDArray[np.bool_], face: NDArray[np.bool_]) -> float:
    """CIEDE2000 between neck and face at one lightness: a neck stands in the chin's shadow by right."""
    one, other = (np.median(rgb2lab(rgb)[where], axis=0) for where in (neck, face))
    return float(deltaE_ciede2000([other[0], *one[1:]], other))


def _colours(nets: Nets, torsos: Sequence[pairs.Torso]) -> dict[str, Any]:
    """Ask for each jacket and tie on several held-out sitters; which named colour is what came nearest to?"""
    found: dict[str, Any] = {}
    for what, (cloth, palette) in PALETTES.items():
        seen: list[tuple[str, F32]] = []
        for number, (name, colour) in enumerate(palette.items()):
            for seed, torso in enumerate(torsos):
                _, conditioning, _, kind = pairs.torso_pair(torso, np.random.default_rng(seed), vary=False)
                where = (torso.drawn[0] == cloth) & (conditioning[3] > 0.9)
                conditioning = conditioning.copy()
                conditioning[:3, where] = (np.array(colour, np.float32) / 127.5 - 1)[:, None]
                drawn = _draw(nets, conditioning, kind, 100 * number + seed)
                inside = cv2.erode(where.astype(np.uint8), np.ones((3, 3))) > 0
                seen.append((name, np.median(drawn[inside][:, :3], axis=0)))
        found[what] = _nearest(palette, seen)
    return found


def _worn(nets: Nets, maps: Sequence[FaceMap]) -> dict[str, Any]:
    """Ask for the same colours in finished portraits, under the office's light: what a person would see."""
    found: dict[str, Any] = {}
    parser, office = Parser(), style.load("office")
    cut = [cut_out(face, parser) for face in maps]
    for what, (cloth, palette) in PALETTES.items():
        seen: list[tuple[str, F32]] = []
        for name, colour in palette.items():
            asked = {what.removesuffix("s"): "#{:02x}{:02x}{:02x}".format(*colour)}
            for seed, (face, cutout) in enumerate(zip(maps, cut, strict=True)):
                setup = stage.set_up(face, cutout, office, stage.Choice(), 0, seed, 0.0)
                setup = replace(setup, outfit=stage.garment_of("navy_suit").model_copy(update=asked))
                portrait = generate(setup, "office", "job", nets, "worn", lambda: False)
                where = _where(setup, cloth, portrait.rgb.shape[:2])
                seen.append((name, np.median(portrait.rgb[where], axis=0) / 255))
        found[what] = _nearest(palette, seen)
    return found


def _nearest(palette: Mapping[str, tuple[int, int, int]], seen: Sequence[tuple[str, F32]]) -> dict[str, Any]:
    """Name the colours (3,) sRGB 0..1 that were seen where one of the palette was asked, and how far off they are."""
    confusion = {name: dict.fromkeys(palette, 0) for name in palette}
    away = []
    for asked, rgb in seen:
        far = {n: float(deltaE_ciede2000(rgb2lab(rgb), rgb2lab(np.array(c) / 255))) for n, c in palette.items()}
        confusion[asked][min(far, key=far.__getitem__)] += 1
        away.append(far[asked])
    right = sum(confusion[name][name] for name in palette)
    return {
        "nearest_is_asked_percent": round(100 * right / len(away), 1),
        "distance": interval(away),
        "confusion": confusion,
    }


def _where(setup: stage.Setup, cloth: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where a finished portrait shows a cloth, a few pixels inside its edges."""
    height, width = shape
    top = round(frame.GARMENT_TOP * height)
    layout = layout_of(setup, (width, height - top))
    seen = (garment.cloths_of(layout, drawn_kind(setup)) == cloth) & (layout.rgba[..., 3] > 0.9)
    whole = np.zeros(shape, np.uint8)
    whole[top:] = seen & (setup.layers.head[top:] < 25)
    return cv2.erode(whole, np.ones((9, 9), np.uint8)) > 0


def _losses(nets: Nets, torsos: Sequence[pairs.Torso]) -> dict[str, Any]:
    """Mean square error of one prediction, by noise level."""
    told_by_level = {}
    for level in (0.3, 0.6, 0.9):
        errors = []
        for seed, torso in enumerate(torsos):
            target, conditioning, weight, kind = pairs.torso_pair(torso, np.random.default_rng(seed), vary=False)
            clean = torch.from_numpy(target[None].copy())
            noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
            share = cosine_alpha_bar(level)
            noisy = share**0.5 * clean + (1 - share) ** 0.5 * noise
            with torch.no_grad():
                out = predict_torso(
                    nets.torso,
                    noisy,
                    torch.from_numpy(conditioning[None].copy()),
                    torch.tensor([level]),
                    torch.tensor([kind]),
                )
            errors.append(float((((out - clean)[0, :3] ** 2).mean(0).numpy() * weight).sum() / weight.sum()))
        told_by_level[str(level)] = interval(errors)
    return told_by_level


def _repairs(nets: Nets, heads: Sequence[pairs.Example], groups: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Spoil held-out heads and restore them: the error left, over the spoilt picture's and a classical repair's."""
    recogniser = Recogniser()
    ratios: dict[str, list[float]] = {
        name: [] for name in ("colour", "gradient", "identity", "colour_to_classical", "gradient_to_classical")
    }
    predict = partial(predict_head, nets.head)
    for seed, example in enumerate(heads):
        rng = np.random.default_rng(seed)
        truth = example.face.astype(np.float32) / 255
        strength = float(rng.uniform(0.3, 1.0))
        spoilt = repair.degrade(truth, strength, rng)
        restored, classical = repair.restore(predict, spoilt, strength), _classical(spoilt)
        for name, measure in (("colour", lab_error), ("gradient", _gradient_error)):
            left = measure(restored, truth)
            ratios[name].append(left / measure(spoilt, truth))
            ratios[f"{name}_to_classical"].append(left / measure(classical, truth))
        faces = [_embedding(recogniser, picture) for picture in (truth, spoilt, restored)]
        if all(face is not None for face in faces):
            ratios["identity"].append((1 - cosine(faces[0], faces[2])) / max(1 - cosine(faces[0], faces[1]), 1e-3))
    intervals: dict[str, Any] = {name: interval(values) for name, values in ratios.items()}
    return {**intervals, "colour_by_group": _by_group(ratios["colour"], groups)}


def _classical(spoilt: F32) -> F32:
    """Repair as one would without a net: non-local means (Buades et al. 2005), then unsharp masking."""
    pixels = np.round(spoilt * 255).astype(np.uint8)
    smooth = cv2.fastNlMeansDenoisingColored(pixels, None, 3, 3, 5, 15).astype(np.float32) / 255
    return np.clip(smooth + 0.6 * (smooth - cv2.GaussianBlur(smooth, (0, 0), 1.2)), 0, 1).astype(np.float32)


def _gradient_error(one: F32, other: F32) -> float:
    def slope(rgb: F32) -> F32:
        luma = rgb.mean(axis=-1).astype(np.float32)
        return np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))

    return float(np.abs(slope(one) - slope(other)).mean())


def _embedding(recogniser: Recogniser, picture: F32) -> Any:
    large = cv2.resize(np.round(picture * 255).astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    large = cv2.copyMakeBorder(large, 80, 80, 80, 80, cv2.BORDER_REPLICATE)
    return recogniser.embed_only(large)


def _seconds(nets: Nets, torso: pairs.Torso, head: pairs.Example) -> dict[str, Any]:
    _, conditioning, _, kind = pairs.torso_pair(torso, np.random.default_rng(0), vary=False)
    spoilt = head.face.astype(np.float32) / 255

    def torso_drawn() -> None:
        nets.upscale(_draw(nets, conditioning, kind, 0)[..., :3])

    def mended() -> None:
        repair.restore(partial(predict_head, nets.head), spoilt, 0.5)

    return {"torso": _timed(torso_drawn), "head": _timed(mended)}


def _timed(work: Callable[[], None]) -> dict[str, float]:
    work()
    taken = []
    for _ in range(5):
        since = time.perf_counter()
        work()
        taken.append(time.perf_counter() - since)
    return {"min": round(min(taken), 2), "median": round(float(np.median(taken)), 2), "max": round(max(taken), 2)}


def interval(values: Sequence[float]) -> dict[str, float] | str:
    """Return n, median and a 95 % bootstrap interval of the median (1,000 resamples); words where n is too small."""
    if len(values) < LEAST:
        return f"n = {len(values)}, too few"
    medians = np.median(np.random.default_rng(0).choice(values, (1000, len(values))), axis=1)
    low, high = np.percentile(medians, (2.5, 97.5))
    return {
        "n": len(values),
        "median": round(float(np.median(values)), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
    }
