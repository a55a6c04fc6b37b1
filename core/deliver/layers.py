"""A portrait's layers as files, one schema: what is drawn, what is under its garment, the sitter in their own clothes.

    layers/NAME/            the portrait as drawn
    layers/NAME/undressed/  what another garment is put on, where it is not in the portrait itself
    layers/NAME/own/        the sitter in their own clothes, as photographed
    layers/NAME/worn/ID/    the portrait in another outfit, once an edit has put it on

A full print has 3 MB at the most, without what edits put on. Numbers are written last: a folder that has them is whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from core.atomic import write_bytes, write_json
from core.edit.outfit import digest_of
from core.edit.recipe import outfit_of
from core.errors import Refused
from core.types import U8, Body, Layers, Recipe, Undressed

SCHEMA: Final = 3
"""1: neither landmarks nor parts of the garment. 2: both. 3: what is under the garment, and own clothes."""
PNG: Final = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
"""OpenCV's options: a full print's four took 0.23 s of one core and 2.6 MB, at level 3 0.35 s and 2.8 MB."""
JPEG: Final = (
    cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)  # fmt: skip
"""For own clothes alone, which are a photo: a quarter of a PNG's bytes."""
NUMBERS: Final = "layers.json"
UNDRESSED, OWN, WORN = "undressed", "own", "worn"


def save_layers(layers: Layers, folder: Path) -> None:
    """Keep a portrait's layers in a folder, with what it can be changed into; the portrait's own numbers last."""
    if layers.own is not None:
        _save(layers.own, folder / OWN, photo=True)
    if layers.undressed is not None:
        _save_undressed(layers.undressed, folder / UNDRESSED)
    _save(layers, folder)


def save_worn(layers: Layers, folder: Path) -> Path:
    """Keep a portrait in the outfit that an edit put on beside its layers in `folder`; return where."""
    worn = folder / WORN / layers.outfit
    _save(layers, worn)
    return worn


def load_layers(folder: Path, changeable: bool = False) -> Layers:
    """Read what `save_layers` kept; what other clothes need only where it is asked for.

    Raises Refused where the folder is gone, not whole, or of a later release.
    """
    try:
        layers, _ = _load(folder)
        if not changeable:
            return layers
        own = _load(folder / OWN)[0] if (folder / OWN / NUMBERS).is_file() else None
        undressed = _load_undressed(folder / UNDRESSED) if (folder / UNDRESSED / NUMBERS).is_file() else None
        return replace(layers, own=own, undressed=undressed)
    except (OSError, ValueError, KeyError) as wrong:
        why = f"the layers in {folder.name} are missing or not whole: move a portrait with its folder `layers`"
        raise Refused("no_layers", why) from wrong


def layers_for(folder: Path, recipe: Recipe) -> Layers:
    """Read a portrait's layers as a recipe needs them: in the outfit that it puts on, where they were kept so."""
    outfit = outfit_of(recipe)
    if outfit is None:
        return load_layers(folder)
    worn = folder / WORN / digest_of(outfit)
    if (worn / NUMBERS).is_file():
        return replace(load_layers(worn), outfit=worn.name)
    return load_layers(folder, changeable=True)


def _save(
    layers: Layers,
    folder: Path,
    third_matte: U8 | None = None,
    more: Mapping[str, U8] | None = None,
    facts: Mapping[str, Any] | None = None,
    photo: bool = False,
) -> None:
    """Write layers: pictures, then numbers. more: further pictures, facts: further numbers.

    photo: they are all one photo's, without a garment; what is soft is kept at half its size.
    """
    normals, regions = (layer.astype(np.int16) for layer in (layers.normals, layers.regions))
    if photo:
        half = (layers.head.shape[1] // 2, layers.head.shape[0] // 2)
        normals, regions = (cv2.resize(layer, half, interpolation=cv2.INTER_AREA) for layer in (normals, regions))
    pictures = {
        "masks": np.dstack(
            [layers.head, layers.neck, np.zeros_like(layers.head) if third_matte is None else third_matte]
        ),
        "normals": (normals + 128).astype(np.uint8),
    }
    pictures |= {
        name: kept.astype(np.uint8) for name, kept in (("parts", layers.parts), ("regions", regions)) if kept.size
    }
    if layers.garment[..., 3].any():
        pictures["garment"] = layers.garment
    for name, picture in {**pictures, **(more or {})}.items():
        _write(folder / f"{name}.png", picture, PNG)
    _write(folder / f"sitter.{'jpg' if photo else 'png'}", layers.sitter, JPEG if photo else PNG)
    numbers = {
        "schema": SCHEMA,
        "landmarks": [[float(str(v)) for v in point] for point in layers.landmarks],  # as few digits as tell float32
        "light": [float(v) for v in layers.light],
        "marks": [[round(float(v), 2) for v in mark] for mark in layers.marks],
        "gain": layers.gain,
        "grain": layers.grain,
        "chin": layers.chin,
        **(facts or {}),
    }
    write_json(folder / NUMBERS, numbers)


def _load(folder: Path) -> tuple[Layers, dict[str, Any]]:
    """Read layers and their numbers."""
    numbers: dict[str, Any] = json.loads((folder / NUMBERS).read_text("utf-8"))
    schema = int(numbers.get("schema", 1))
    if schema > SCHEMA:
        raise Refused(
            "layers_too_new", f"layers have schema {schema}, this release reads up to {SCHEMA}: update Atelier"
        )

    def optional(name: str, channels: int = 3) -> U8:
        there = (folder / f"{name}.png").is_file()
        return _read(folder / f"{name}.png") if there else np.zeros((0, 0, channels), np.uint8)

    masks, photo = _read(folder / "masks.png"), folder / "sitter.jpg"
    size = masks.shape[1::-1]

    def whole(layer: U8) -> U8:
        kept_small = layer.size and layer.shape[:2] != masks.shape[:2]
        return np.asarray(cv2.resize(layer, size, interpolation=cv2.INTER_LINEAR) if kept_small else layer, np.uint8)

    garment = optional("garment", 4)
    layers = Layers(
        sitter=_read(photo if photo.is_file() else folder / "sitter.png"),
        head=masks[..., 0].copy(),
        neck=masks[..., 1].copy(),
        garment=garment if garment.size else np.zeros((*masks.shape[:2], 4), np.uint8),
        normals=(whole(_read(folder / "normals.png")).astype(np.int16) - 128).astype(np.int8),
        light=np.array(numbers["light"], np.float32),
        marks=np.array(numbers["marks"], np.float32).reshape(-1, 3),
        gain=numbers["gain"],
        grain=numbers["grain"],
        chin=numbers["chin"],
        landmarks=np.array(numbers.get("landmarks", []), np.float32).reshape(-1, 3),
        parts=optional("parts"),
        regions=whole(optional("regions")),
    )
    return layers, numbers


def _save_undressed(under: Undressed, folder: Path) -> None:
    facts = {
        "window": [float(v) for v in under.window],
        "body": asdict(under.body),
        "skin": [float(v) for v in under.skin],
        "face_colour": [float(v) for v in under.face_colour],
        "neckline": float(under.neckline),
        "upscale_factor": float(under.upscale_factor),
        "turn_deg": float(under.turn_deg),
        "bearded": under.bearded,
        "jaws": list(under.jaws),
        "from_row": under.from_row,
    }
    backdrop = np.dstack([under.backdrop] * 3)
    _save(under.layers, folder, under.back_hair, {"backdrop": backdrop}, {"undressed": facts})


def _load_undressed(folder: Path) -> Undressed:
    layers, numbers = _load(folder)
    facts = numbers["undressed"]
    return Undressed(
        layers,
        back_hair=_read(folder / "masks.png")[..., 2].copy(),
        backdrop=_read(folder / "backdrop.png")[..., 0].copy(),
        body=Body(**facts["body"]),
        **{
            **{name: facts[name] for name in ("neckline", "upscale_factor", "turn_deg", "from_row")},
            "window": tuple(facts["window"]),
            "skin": tuple(facts["skin"]),
            "face_colour": tuple(facts.get("face_colour", facts["skin"])),  # layers of before have neither key
            "bearded": bool(facts.get("bearded", False)),
            "jaws": tuple(facts.get("jaws", (0.0, 0.0))),
        },
    )


def _write(file: Path, picture: U8, options: tuple[int, ...]) -> None:
    done, data = cv2.imencode(file.suffix, picture[..., [2, 1, 0, 3][: picture.shape[2]]], list(options))
    if not done:
        raise OSError(f"layer {file.name} could not be encoded")
    write_bytes(file, data.tobytes())


def _read(file: Path) -> U8:
    read = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if read is None:
        raise FileNotFoundError(f"layer {file.name} is missing in {file.parent.name}")
    return read[..., [2, 1, 0, 3][: read.shape[2]]]
