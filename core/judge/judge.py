"""Portrait -> Verdict: is it them, is it whole, would one pay for it; then rank, cut, and say why.

The recogniser that judges takes no part in drawing. What it judges against are the sitter's own
photos, without the one the portrait was made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE, linear, srgb
from core.face.embedding import Recogniser, cosine
from core.face.landmarks import Landmarker, face_skin, fill
from core.face.mesh import BLENDSHAPES, FACE_OVAL
from core.types import F32, U8, FaceMap, Identity, Portrait, Verdict

FLOOR: Final = 0.363
"""Below this two photos are not taken for one person by OpenCV's own sample: a floor, never a bar."""
BELOW_BASELINE: Final = 0.20
"""Rejected under the person's own baseline less this; mission notes, 3c."""
COST_POINTS: Final = 3.0
"""What new light may cost, in percent of baseline, against the same picture with the head in its own light, for
another collar and backdrop move the recogniser by 0 to 4 points on their own (15 portraits of four photos)."""
SHAPE_LIMIT: Final = 0.03
"""Landmarks off the source's own shape, in eye distances (root mean square): 16 of our portraits of four photos 0.009
to 0.017, the same faces stretched by 15 % 0.038 to 0.059."""
COPY_ABOVE: Final = 0.12
"""Nearest photo this far above the baseline: the picture is that photo, re-lit, and the card says so."""
SELF_FLOOR: Final = 0.75
"""With one photo there is no baseline; the portrait must still be this near to its own source."""
CLIPPED_LIMIT: Final = 0.06
"""Part of the face's skin that may be burnt out or drowned."""
SEAM_LIMIT: Final = 20.0
"""CIELAB distance between neck and face skin, brought to one lightness, beyond which a neck reads as another's. Own
necks measured 1 to 15 on our trial photos (15: an old sitter's ruddy neck, untouched)."""
HALO_LIMIT: Final = 0.09
"""Bright or dark ring just outside the head against the backdrop further out, in sRGB 0..1."""
SOFT_LIMIT: Final = 0.45
"""Sharpness of the portrait's face against its own source at the same size."""

REASONS: Final = {
    "no_face": "no face is found in the portrait",
    "several_faces": "more than one face is found",
    "not_them": "likeness is under the person's own photo-to-photo match",
    "drifted": "new light moved the face away from its source",
    "misshapen": "landmarks stand elsewhere than in the sitter's own face",
    "eyes_closed": "eyes are shut, in the source they are open",
    "soft": "the face is blurred",
    "burnt": "part of the skin is burnt out or drowned",
    "halo": "a ring shows around the head",
    "neck_seam": "the neck has another colour than the face",
}
"""Every machine reason a portrait may be dropped for, and what it means."""


def judge(
    portrait: Portrait, source: FaceMap, who: Identity, recogniser: Recogniser, landmarker: Landmarker
) -> Verdict:
    """Judge one portrait against its source and against the sitter's other photos; 0.4 s on two cores.

    With one photo likeness and percent_of_baseline are None, and the source itself is the only witness.
    """
    rgb = portrait.rgb
    faces = recogniser.find(rgb)
    if len(faces) != 1:
        reason = "no_face" if not faces else "several_faces"
        return Verdict(False, None, None, None, None, False, (reason,), {"faces": float(len(faces))})
    drawn = recogniser.embed(rgb, faces[0])
    own = source.selfie.face.embedding
    others = [face.selfie.face.embedding for face in witnesses(who, source)]
    measures = _craft(portrait, source, landmarker)
    to_source = cosine(drawn, own)
    measures["to_source"] = to_source
    reasons = _craft_reasons(measures)
    if to_source < SELF_FLOOR:
        reasons.append("drifted")
    if who.baseline is None or not others:
        return Verdict(not reasons, None, None, None, None, True, tuple(reasons), _rounded(measures))
    likeness = float(np.median([cosine(drawn, other) for other in others]))
    source_likeness = float(np.median([cosine(own, other) for other in others]))
    percent = 100 * likeness / who.baseline
    as_lit = recogniser.embed_only(in_own_light(portrait))
    unlit = source_likeness if as_lit is None else float(np.median([cosine(as_lit, other) for other in others]))
    cost = 100 * (unlit - likeness) / who.baseline
    measures["setting_points"] = 100 * (source_likeness - unlit) / who.baseline
    if likeness < max(FLOOR, who.baseline - BELOW_BASELINE) or percent < portrait_limit(portrait):
        reasons.insert(0, "not_them")
    if cost > COST_POINTS and "drifted" not in reasons:
        reasons.append("drifted")
    copy = max([to_source, *(cosine(drawn, other) for other in others)]) > who.baseline + COPY_ABOVE
    return Verdict(
        not reasons, round(likeness, 4), round(percent, 1), round(source_likeness, 4), round(cost, 1), copy,
        tuple(reasons), _rounded(measures),
    )  # fmt: skip


def in_own_light(portrait: Portrait) -> U8:
    """Return a portrait with the head as its photo lit it and everything else as drawn."""
    head = portrait.layers.head[..., None].astype(np.float32) / 255
    return np.round(portrait.rgb * (1 - head) + portrait.layers.sitter * head).astype(np.uint8)


def portrait_limit(portrait: Portrait) -> float:
    """Return the least percent of baseline the portrait's style asks for."""
    return float(portrait.recipe.settings["least_percent"])


def witnesses(who: Identity, source: FaceMap) -> tuple[FaceMap, ...]:
    """Return the photos that may speak on likeness: not the source, and when a LoRA was used only the held-out one."""
    others = tuple(face for face in who.maps if face.selfie.sha256 != source.selfie.sha256)
    held_out = who.proof.get("held_out")
    if who.lora and held_out:
        return tuple(face for face in others if face.selfie.sha256 == held_out) or others
    return others


def rank_records(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order kept portraits' records, best first, so that neighbours differ.

    Likeness in percent of baseline (capped at 110) and sharpness, less 4 points for each portrait of
    the same style and source that stands before it.
    """
    left = sorted(records, key=lambda record: (-_score(record), record["file"]))
    ordered: list[dict[str, Any]] = []
    seen: dict[tuple[str, str], int] = {}
    while left:
        best = max(left, key=lambda record: _score(record) - 4 * seen.get(_origin(record), 0))
        left.remove(best)
        ordered.append(best)
        seen[_origin(best)] = seen.get(_origin(best), 0) + 1
    return ordered


def _origin(record: dict[str, Any]) -> tuple[str, str]:
    return record["recipe"]["style"], record["recipe"]["source"]


def _score(record: dict[str, Any]) -> float:
    percent = record["percent_of_baseline"]
    return min(100.0 if percent is None else percent, 110.0) + 10 * min(record["measures"].get("sharpness", 1.0), 1.0)


def _craft(portrait: Portrait, source: FaceMap, landmarker: Landmarker) -> dict[str, float]:
    """Measure the picture as a picture; a face the landmarker cannot read counts as fully misshapen."""
    rgb, layers = portrait.rgb, portrait.layers
    width = rgb.shape[1]
    traced = landmarker.trace(rgb)
    if traced is None:
        return {"shape": 1.0, "sharpness": 0.0, "clipped": 1.0, "blink": 0.0, "halo": 0.0, "neck": 0.0}
    blink = [BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")]
    skin = face_skin(rgb, traced.landmarks)
    luma = (rgb.astype(np.float32) / 255) @ LUMINANCE
    return {
        "shape": _shape_error(traced.landmarks, source.landmarks),
        "sharpness": _sharpness_kept(rgb, traced.landmarks, source),
        "clipped": float(np.mean((luma[skin] > 0.985) | (luma[skin] < 0.015))),
        "blink": float(traced.blendshapes[blink].min() - source.selfie.face.blendshapes[blink].min()),
        "halo": _halo(luma, layers.head, layers.garment[..., 3], width),
        "neck": _neck_distance(rgb, layers.neck, layers.head, layers.garment[..., 3], skin),
    }


def _craft_reasons(measures: dict[str, float]) -> list[str]:
    found = []
    if measures["shape"] > SHAPE_LIMIT:
        found.append("misshapen")
    if measures["blink"] > 0.35:
        found.append("eyes_closed")
    if measures["sharpness"] < SOFT_LIMIT:
        found.append("soft")
    if measures["clipped"] > CLIPPED_LIMIT:
        found.append("burnt")
    if measures["halo"] > HALO_LIMIT:
        found.append("halo")
    if measures["neck"] > SEAM_LIMIT:
        found.append("neck_seam")
    return found


def _shape_error(points: F32, reference: F32) -> float:
    """Return how far one face's shape is from another's: Procrustes distance in eye distances, RMS over the mesh."""
    one, other = points[:468, :2].astype(np.float64), reference[:468, :2].astype(np.float64)
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    u, scales, vt = np.linalg.svd(one.T @ other)
    scale = scales.sum() / (one**2).sum()
    eyes = frame.eye_centres(reference[:, :2])
    return float(np.sqrt(((one @ (u @ vt) * scale - other) ** 2).sum(axis=1).mean()) / np.hypot(*(eyes[1] - eyes[0])))


def _sharpness_kept(rgb: U8, points: F32, source: FaceMap) -> float:
    """Return the portrait's face sharpness over its source's, both drawn at 256 px wide: 1 is as sharp."""

    def energy(picture: U8, landmarks: F32) -> float:
        small = frame.warp(picture, frame.to_frame(frame.eye_centres(landmarks), 256, 320), 256, 320)
        inside = fill(
            small.shape[:2], frame.carry(landmarks, frame.to_frame(frame.eye_centres(landmarks), 256, 320)), FACE_OVAL
        )
        luma = small.astype(np.float32) @ LUMINANCE
        return float(np.abs(cv2.Laplacian(luma, cv2.CV_32F))[inside].mean()) / max(float(luma[inside].mean()), 1)

    return energy(rgb, points) / max(energy(source.selfie.rgb, source.selfie.face.landmarks), 1e-3)


def _halo(luma: F32, head: U8, garment: U8, width: int) -> float:
    """Return the ring around the head: median over the outline of |just outside - further out|, in sRGB 0..1."""
    outside = (cv2.dilate(head, np.ones((3, 3))) < 8) & (garment < 8)
    away = cv2.distanceTransform((head < 26).astype(np.uint8), cv2.DIST_L2, 5) / width
    near = outside & (away > 0.002) & (away < 0.008)
    far = outside & (away > 0.02) & (away < 0.03)
    if near.sum() < 50 or far.sum() < 50:
        return 0.0
    smooth = cv2.GaussianBlur(luma, (0, 0), 0.004 * width)
    kernel = np.ones((1, max(3, round(0.06 * width) | 1)))
    spread = cv2.dilate(np.where(far, smooth, 0).astype(np.float32), kernel)
    compared = near & (spread > 0)
    return float(np.median(np.abs(luma - spread)[compared])) if compared.any() else 0.0


def _neck_distance(rgb: U8, neck: U8, head: U8, garment: U8, skin: NDArray[np.bool_]) -> float:
    """Return how far bare neck and face differ in colour, CIELAB a* and b*, the neck brought to the face's luminance.

    A neck stands in the chin's shadow by right; only its hue and saturation can betray it.
    """
    bare = (neck > 200) & (head < 26) & (garment < 26)
    if bare.sum() < 200 or skin.sum() < 200:
        return 0.0
    colours = [np.median(linear(rgb[where]), axis=0) for where in (bare, skin)]
    colours[0] = colours[0] * (colours[1] @ LUMINANCE) / max(float(colours[0] @ LUMINANCE), 1e-4)
    lab = cv2.cvtColor(srgb(np.clip(np.stack(colours)[None], 0, 1)), cv2.COLOR_RGB2LAB)[0]
    return float(np.linalg.norm(lab[0, 1:] - lab[1, 1:]))


def _rounded(measures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in measures.items()}
