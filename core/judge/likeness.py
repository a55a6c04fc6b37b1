"""Likeness of a portrait to its sitter, measured against photos that neither drew nor trained it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.face.embedding import cosine
from core.types import F32, Identity

FLOOR: Final = 0.363
"""Below this two photos are not taken for one person by OpenCV's own sample: a floor, never a bar."""
COSTLY_POINTS: Final = 5.0
"""Points of likeness beyond which an edit's cost is said and its undo offered."""
BELOW_BASELINE: Final = 0.20
"""Rejected under the person's own baseline less this."""


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The photos of a sitting as likeness needs them.

    sources: sha256 of each photo, embeddings: (N, 128) float32 in their order. trained_on: sha256 of those that the
    LoRA in use was trained on. baseline: median cosine between the person's own photos, None with one photo.
    """

    sources: tuple[str, ...]
    embeddings: F32
    trained_on: tuple[str, ...]
    baseline: float | None


def references_of(who: Identity) -> References:
    """Return the references of a person's photos."""
    faces = [face.selfie for face in who.maps]
    embeddings = np.stack([selfie.face.embedding for selfie in faces])
    return References(tuple(selfie.sha256 for selfie in faces), embeddings, who.trained_on, who.baseline)


def reference_embeddings(references: References, source: str, shown: Collection[str] = ()) -> list[F32]:
    """Return the embeddings (128,) that likeness is measured against, for draws and edits alike.

    source: sha256 of the photo the portrait was drawn from; shown: of those an engine was shown beside it. Held out of
    drawing and training: none of these and no photo the LoRA was trained on; none where no other is left.
    """
    taken = {source, *shown, *references.trained_on}
    return [row for sha256, row in zip(references.sources, references.embeddings, strict=True) if sha256 not in taken]


def likeness_of(embedding: F32, others: Sequence[F32]) -> float:
    """Return the median cosine of an embedding (128,) to others, -1..1."""
    return float(np.median([cosine(embedding, other) for other in others]))


def percent_of(likeness: float, baseline: float) -> float:
    """Return a likeness in percent of the person's own baseline."""
    return 100 * likeness / baseline


def rescored(
    embedding: F32 | None, references: References | None, source: str, shown: Collection[str] = ()
) -> dict[str, float]:
    """Return an edit's likeness as its record has it, against what its draw was judged by.

    embedding: of the edited picture, None where no single face is found. likeness and percent_of_baseline where another
    photo is left to measure against; to_source, the cosine to the photo it was drawn from, where that one is kept.
    """
    if embedding is None or references is None:
        return {}
    own = [row for sha256, row in zip(references.sources, references.embeddings, strict=True) if sha256 == source]
    found = {"to_source": round(cosine(embedding, own[0]), 4)} if own else {}
    others = reference_embeddings(references, source, shown)
    if references.baseline is None or not others:
        return found
    likeness = likeness_of(embedding, others)
    percent = percent_of(likeness, references.baseline)
    return {**found, "likeness": round(likeness, 4), "percent_of_baseline": round(percent, 1)}


def cost_points(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """Return what edits cost between two records: points of percent_of_baseline, or of the likeness to the source.

    None where neither can be compared: no face is found any more, or a release before measured neither.
    """
    if before.get("percent_of_baseline") is not None and after.get("percent_of_baseline") is not None:
        return round(float(before["percent_of_baseline"]) - float(after["percent_of_baseline"]), 1)
    was = before.get("to_source", before.get("measures", {}).get("to_source"))
    if was is None or after.get("to_source") is None:
        return None
    return round(100 * (float(was) - float(after["to_source"])) / max(float(was), 0.1), 1)
