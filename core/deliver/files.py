"""Portraits -> files a person can use: pictures with profile, recipe and AI mark, contact sheet, gallery page, layers.

Every file is written beside its place and moved there whole; a portrait's own JSON comes after its
picture and layers, the manifest after everything, so whatever has its JSON is finished.
"""

from __future__ import annotations

import base64
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image, ImageCms

from core.deliver import credentials
from core.edit.enhance import crop
from core.types import F32, U8, Identity, Layers, Portrait, Recipe, Verdict

AI_MARK: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a photograph composited with generated parts (IPTC NewsCodes, Digital Source Type)."""
JPEG_QUALITY: Final = 93
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever is killed when."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON, keys in the order given, with a newline at the end."""
    write_whole(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def encode(rgb: U8, suffix: str, recipe: Recipe) -> bytes:
    """Encode a picture as .jpg, .png or .webp with sRGB profile, AI mark and recipe in its XMP.

    Signed with Content Credentials where the operator has set a certificate (`core.deliver.credentials`).
    Raises ValueError for another suffix, AtelierError for a certificate that cannot sign.
    """
    formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
    if suffix.lower() not in formats:
        raise ValueError(f"suffix {suffix!r} is none of {', '.join(formats)}")
    kind = formats[suffix.lower()]
    settings: dict[str, Any] = {"JPEG": {"quality": JPEG_QUALITY, "subsampling": 0}, "WEBP": {"quality": 92}}.get(
        kind, {}
    )
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, kind, icc_profile=_SRGB, xmp=_xmp(recipe), **settings)
    certificate = credentials.operators_certificate()
    return credentials.sign(out.getvalue(), Image.MIME[kind], AI_MARK, certificate) if certificate else out.getvalue()


def _xmp(recipe: Recipe) -> bytes:
    """Say in XMP what made this picture (IPTC Photo Metadata 2023.2: DigitalSourceType; recipe in dc:description)."""
    story = escape(json.dumps(asdict(recipe), ensure_ascii=False, sort_keys=True))
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" Iptc4xmpExt:DigitalSourceType="{AI_MARK}" '
        'xmp:CreatorTool="Atelier">'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{story}</rdf:li></rdf:Alt></dc:description>'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def save_layers(layers: Layers, folder: Path) -> None:
    """Keep a portrait's layers in a folder: four PNGs and the numbers, the numbers last."""
    masks = np.dstack([layers.head, layers.neck, np.zeros_like(layers.head)])
    for name, picture in {
        "sitter": layers.sitter,
        "masks": masks,
        "garment": layers.garment,
        "normals": (layers.normals.astype(np.int16) + 128).astype(np.uint8),
    }.items():
        order = [2, 1, 0, 3][: picture.shape[2]]
        done, png = cv2.imencode(".png", picture[..., order], [cv2.IMWRITE_PNG_COMPRESSION, 3])
        if not done:
            raise OSError(f"layer {name} could not be encoded")
        write_whole(folder / f"{name}.png", png.tobytes())
    numbers = {
        "light": [float(v) for v in layers.light],
        "marks": [[round(float(v), 2) for v in mark] for mark in layers.marks],
        "gain": layers.gain,
        "grain": layers.grain,
        "crown": layers.crown,
        "chin": layers.chin,
    }
    write_json(folder / "layers.json", numbers)


def load_layers(folder: Path) -> Layers:
    """Read what `save_layers` kept. Raises FileNotFoundError where the folder is not whole."""
    numbers = json.loads((folder / "layers.json").read_text("utf-8"))

    def picture(name: str) -> U8:
        read = cv2.imread(str(folder / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        if read is None:
            raise FileNotFoundError(f"layer {name}.png is missing in {folder.name}")
        return read[..., [2, 1, 0, 3][: read.shape[2]]]

    masks = picture("masks")
    return Layers(
        sitter=picture("sitter"),
        head=masks[..., 0].copy(),
        neck=masks[..., 1].copy(),
        garment=picture("garment"),
        normals=(picture("normals").astype(np.int16) - 128).astype(np.int8),
        light=np.array(numbers["light"], np.float32),
        marks=np.array(numbers["marks"], np.float32).reshape(-1, 3),
        gain=numbers["gain"],
        grain=numbers["grain"],
        crown=numbers["crown"],
        chin=numbers["chin"],
    )


def save_portrait(
    portrait: Portrait, verdict: Verdict, folder: Path, main: str, exports: Sequence[str]
) -> dict[str, Any]:
    """Write one portrait: picture in its main crop, further crops, layers, and last its JSON, which is returned."""
    name = portrait.id
    save_layers(portrait.layers, folder / "layers" / name)
    write_whole(folder / f"{name}.jpg", encode(crop(portrait.rgb, main), ".jpg", portrait.recipe))
    extra = [what for what in exports if what != main]
    for what in extra:
        write_whole(folder / f"{name}-{what}.jpg", encode(crop(portrait.rgb, what), ".jpg", portrait.recipe))
    record = {
        "file": f"{name}.jpg",
        "exports": {what: f"{name}-{what}.jpg" for what in extra},
        "layers": f"layers/{name}",
        "parent": portrait.parent,
        "recipe": asdict(portrait.recipe),
        **asdict(verdict),
    }
    write_json(folder / f"{name}.json", record)
    return record


def contact_sheet(pictures: Sequence[U8], columns: int = 4, width: int = 320) -> U8:
    """Lay pictures (H, W, 3) out on one sheet, each `width` wide in a 4:5 cell on paper grey."""
    height, gap = width * 5 // 4, 12
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 236, np.uint8)
    for index, picture in enumerate(pictures):
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        y = gap + index // columns * (height + gap) + (height - size[1]) // 2
        x = gap + index % columns * (width + gap) + (width - size[0]) // 2
        sheet[y : y + size[1], x : x + size[0]] = small
    return sheet


def encode_plain(rgb: U8) -> bytes:
    """Encode a picture that is no portrait (a contact sheet) as JPEG with the sRGB profile."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=88, icc_profile=_SRGB)
    return out.getvalue()


def read_picture(path: Path) -> U8:
    """Read one of our own pictures back: (H, W, 3) uint8."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def write_witnesses(folder: Path, who: Identity) -> None:
    """Keep the embeddings of the sitter's photos beside the gallery, so that edits can be scored again.

    A face template is the person's most private file: it stays in the sitting's folder, is in no
    manifest, and goes when the folder goes.
    """
    out = io.BytesIO()
    np.savez(
        out,
        sources=np.array([face.selfie.sha256 for face in who.maps]),
        embeddings=np.stack([face.selfie.face.embedding for face in who.maps]),
        baseline=np.float32(np.nan if who.baseline is None else who.baseline),
    )
    write_whole(folder / "identity" / "witnesses.npz", out.getvalue())


def read_witnesses(folder: Path, source: str) -> tuple[Sequence[F32], float | None]:
    """Return the embeddings of all photos but the source, and the baseline; nothing where none were kept."""
    path = folder / "identity" / "witnesses.npz"
    if not path.is_file():
        return (), None
    with np.load(path) as kept:
        others = [row for row, sha in zip(kept["embeddings"], kept["sources"], strict=True) if sha != source]
        baseline = float(kept["baseline"])
    return others, None if np.isnan(baseline) else baseline


def gallery_page(cards: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> bytes:
    """Render gallery.html: self-contained, good on a phone, every picture with its alt text and its likeness.

    cards: rgb plus what the template names; pictures go in as JPEG data so the page can be sent on alone.
    """
    environment = Environment(loader=PackageLoader("core", "pages"), autoescape=True, undefined=StrictUndefined)
    shown = [{**card, "data": _inline(card["rgb"])} for card in cards]
    return environment.get_template("gallery.html").render(cards=shown, summary=summary).encode()


def _inline(rgb: U8) -> str:
    scale = min(1.0, 720 / rgb.shape[1])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    return base64.b64encode(encode_plain(small)).decode()
