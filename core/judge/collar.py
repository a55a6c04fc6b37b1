"""Whether a garment that an edit puts on sits: the judge's measures at the collar that need no photo beside them."""

from __future__ import annotations

import numpy as np

from core import frame
from core.face.landmarks import face_skin
from core.face.mesh import CHIN
from core.judge import outline, skin
from core.judge.realism import LIMITS
from core.types import Layers


def collar_measures(layers: Layers) -> dict[str, float]:
    """Return how much backdrop shows between jaw and collar, and how far the neck's colour is from the face's.

    As `core.judge.realism.measure` has "gap" and "neck", the latter in the sitter's own light. Without a face's mesh
    nothing can be measured.
    """
    if len(layers.landmarks) <= CHIN:
        return {}
    points, garment = layers.landmarks, layers.garment[..., 3]
    figure = np.maximum(np.maximum(layers.head, layers.neck), garment)
    eye = float(np.linalg.norm(np.diff(frame.eye_centres(points[:, :2]), axis=0)))
    bare = (layers.neck > 200) & (layers.head < 26) & (garment < 26)
    moved = skin.neck_against_face(layers.sitter, bare, face_skin(layers.sitter, points))
    return {
        "gap": outline.enclosed_backdrop(figure, points[CHIN, :2], eye),
        "neck": 0.0 if moved is None else float(np.linalg.norm(moved)),
    }


def collar_faults(layers: Layers) -> str:
    """Say which of the judge's limits a garment breaks, with its number; empty where it breaks none."""
    found = collar_measures(layers)
    broken = [each for each in LIMITS if each.measure in found and each.broken_by(found[each.measure])]
    return ", ".join(f"{each.measure} is {found[each.measure]:.2f}, the limit is {each.most:g}" for each in broken)
