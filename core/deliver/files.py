"""Portraits -> files a person can use: pictures with profile, recipe and AI mark, and their layers.

A portrait's own JSON is written after its picture and layers, so whatever has its JSON is finished.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.atomic import write_bytes, write_json
from core.deliver import credentials
from core.deliver.layers import save_layers
from core.edit import recipe as recipes
from core.edit.crops import crop
from core.errors import Refused
from core.judge.likeness import References
from core.scene.stage import with_colours
from core.scene.style import Crop
from core.types import U8, Portrait, Recipe, Verdict

AI_MARK: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a photograph composited with generated parts (IPTC NewsCodes, Digital Source Type)."""
DRAWN_MARK: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's word for a picture that a net drew: no pixel of the head is the photograph's."""
FORMATS: Final = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
GREY_NOTES: Final = {"photo": "black_and_white", "light": "hard_light"}
"""Why a portrait has no colours, where no look asked for that (`core.scene.stage.set_up`), and how its record says so.
"""
REFERENCES: Final = "reference_embeddings.npz"
"""The file of `write_references`."""
REFERENCES_BEFORE: Final = "witnesses.npz"
"""What it was called by releases before 2026-12: their portraits are edited and scored as well."""
QUALITY: Final[dict[str, dict[str, Any]]] = {"JPEG": {"quality": 93, "subsampling": 0}, "WEBP": {"quality": 92}}
"""Pillow's options by format; PNG needs none."""
SHEET_QUALITY: Final = 88
_SRGB: Final = Path(__file__).with_name("srgb.icc").read_bytes()
"""Little CMS's own sRGB profile (ICC 4.4, IEC 61966-2-1) with a fixed date: made anew it carries the time."""


def encode(rgb: U8, suffix: str, recipe: Recipe) -> bytes:
    """Encode a picture as .jpg, .png or .webp with sRGB profile, AI mark and recipe in its XMP.

    Signed with Content Credentials where the operator has set a certificate (`core.deliver.credentials`).
    The recipe goes in without the steps that were undone. Raises Refused for another suffix, AtelierError for a
    certificate that cannot sign.
    """
    kind = format_of(suffix)
    out = io.BytesIO()
    told: dict[str, Any] = {"xmp": _xmp(recipe)}
    if kind == "PNG":  # Pillow writes no XMP into a PNG by itself; this is where XMP Part 3 puts it
        told = {"pnginfo": PngInfo()}
        told["pnginfo"].add_itxt("XML:com.adobe.xmp", _xmp(recipe).decode())
    Image.fromarray(rgb).save(out, kind, icc_profile=_SRGB, **told, **QUALITY.get(kind, {}))
    certificate = credentials.operators_certificate()
    return (
        credentials.sign(out.getvalue(), Image.MIME[kind], mark_of(recipe), certificate)
        if certificate
        else out.getvalue()
    )


def mark_of(recipe: Recipe) -> str:
    """Return IPTC's digital source type of a portrait: composited with generated parts, or drawn anew."""
    return DRAWN_MARK if recipe.settings.get("drawn_anew") else AI_MARK


def format_of(suffix: str) -> str:
    """Return Pillow's name of the format a portrait's suffix stands for. Raises Refused for one that is not written."""
    if suffix.lower() not in FORMATS:
        raise Refused(
            "format", f"a portrait is written as {', '.join(FORMATS)}, not as {suffix or 'a file without suffix'}"
        )
    return FORMATS[suffix.lower()]


def _xmp(recipe: Recipe) -> bytes:
    """Say in XMP what made this picture (IPTC Photo Metadata 2023.2: DigitalSourceType; recipe in dc:description)."""
    story = escape(json.dumps(recipes.to_dict(recipes.pruned(recipe)), ensure_ascii=False, sort_keys=True))
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" Iptc4xmpExt:DigitalSourceType="{mark_of(recipe)}" '
        'xmp:CreatorTool="Atelier">'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{story}</rdf:li></rdf:Alt></dc:description>'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def save_portrait(
    portrait: Portrait, verdict: Verdict, folder: Path, main: Crop, exports: Sequence[Crop], request: str
) -> dict[str, Any]:
    """Write one portrait: picture in its main crop, further crops, layers, and last its record, which is returned.

    request: digest of all that was asked for (`core.deliver.manifest.request_digest`).
    """
    name = portrait.id
    save_layers(portrait.layers, folder / "layers" / name)
    record = {
        "file": f"{name}.jpg",
        "exports": save_pictures(portrait.rgb, portrait.recipe, folder / f"{name}.jpg", main, exports),
        "layers": f"layers/{name}",
        "parent": None,
        "tweaks": [],
        "notes": [GREY_NOTES[why]] if (why := portrait.recipe.settings.get("grey_for")) in GREY_NOTES else [],
        "recipe": recipes.to_dict(portrait.recipe),
        "marks": len(portrait.layers.marks),
        "grey": with_colours(portrait.recipe.settings) != portrait.recipe.settings,
        **asdict(verdict),
        "request": request,
    }
    write_json(folder / f"{name}.json", record)
    return record


def save_pictures(rgb: U8, recipe: Recipe, file: Path, main: Crop, exports: Sequence[Crop]) -> dict[str, str]:
    """Write a developed print (H, W, 3) in its main crop as `file` and in further crops beside it.

    Returns crop -> file name of the further ones. Raises Refused for a suffix that is not written.
    """
    extra: dict[str, str] = {what: f"{file.stem}-{what}{file.suffix}" for what in exports if what != main}
    for what in exports:
        if what != main:
            write_bytes(file.with_name(extra[what]), encode(crop(rgb, what), file.suffix, recipe))
    write_bytes(file, encode(crop(rgb, main), file.suffix, recipe))
    return extra


def encode_plain(rgb: U8) -> bytes:
    """Encode a picture that is no portrait (a contact sheet) as JPEG with the sRGB profile."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=SHEET_QUALITY, icc_profile=_SRGB)
    return out.getvalue()


def read_picture(path: Path) -> U8:
    """Read one of our own pictures back: (H, W, 3) uint8."""
    return decoded(path.read_bytes())


def decoded(data: bytes) -> U8:
    """Decode one of our own pictures: (H, W, 3) uint8."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def write_references(folder: Path, references: References) -> None:
    """Keep the embeddings of the sitter's photos beside the gallery, so that edits can be scored again.

    A face template is the person's most private file: it stays in the folder of the shoot, is in no manifest, and goes
    when the folder goes.
    """
    out = io.BytesIO()
    np.savez(
        out,
        sources=np.array(references.sources),
        embeddings=references.embeddings,
        trained_on=np.array(references.trained_on, str),
        baseline=np.float32(np.nan if references.baseline is None else references.baseline),
    )
    write_bytes(folder / "identity" / REFERENCES, out.getvalue())


def read_references(folder: Path) -> References | None:
    """Read what `write_references` kept, or the release before it; None where nothing was."""
    paths = [path for name in (REFERENCES, REFERENCES_BEFORE) if (path := folder / "identity" / name).is_file()]
    if not paths:
        return None
    with np.load(paths[0]) as kept:
        sources = tuple(str(sha256) for sha256 in kept["sources"])
        trained_on = tuple(str(sha256) for sha256 in kept["trained_on"]) if "trained_on" in kept else ()
        baseline = float(kept["baseline"])
        return References(sources, kept["embeddings"], trained_on, None if np.isnan(baseline) else baseline)
