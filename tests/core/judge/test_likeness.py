"""Likeness is measured against photos that neither drew nor trained the portrait, for draws and for edits alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.deliver import files
from core.face.embedding import cosine
from core.judge.likeness import References, reference_embeddings, references_of, rescored
from core.types import FaceMap, Identity


def person(face: FaceMap, count: int, trained_on: tuple[str, ...] = ()) -> Identity:
    """A person of so many photos, named "0", "1", ..., each with an embedding of its own."""
    rows = np.random.default_rng(0).normal(size=(count, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    maps = tuple(
        replace(face, selfie=replace(face.selfie, sha256=str(i), face=replace(face.selfie.face, embedding=row)))
        for i, row in enumerate(rows)
    )
    return Identity(maps, 0.8, "lora" if trained_on else None, trained_on)


def test_neither_the_source_nor_a_photo_that_trained_speaks_on_likeness(collins_map: FaceMap) -> None:
    who = person(collins_map, 5, trained_on=("1", "2"))
    kept = references_of(who)
    for source, others in (("0", {"3", "4"}), ("1", {"0", "3", "4"}), ("4", {"0", "3"})):
        rows = reference_embeddings(kept, source)
        assert len(rows) == len(others)
        assert all(any(np.array_equal(row, who.maps[int(i)].selfie.face.embedding) for row in rows) for i in others)


def test_where_every_other_photo_trained_nothing_is_claimed(collins_map: FaceMap) -> None:
    who = person(collins_map, 3, trained_on=("0", "1"))
    assert reference_embeddings(references_of(who), "2") == []
    measured = rescored(who.maps[0].selfie.face.embedding, references_of(who), "2")
    assert set(measured) == {"to_source"}, "only how near it is to its own photo"


def test_an_edit_is_scored_against_the_photos_its_draw_was(collins_map: FaceMap, tmp_path: Path) -> None:
    """What lies beside a gallery gives the very embeddings that the draw was judged by."""
    who = person(collins_map, 5, trained_on=("1",))
    files.write_references(tmp_path, references_of(who))
    kept = files.read_references(tmp_path)
    assert isinstance(kept, References)
    assert (kept.sources, kept.trained_on) == (("0", "1", "2", "3", "4"), ("1",))
    assert kept.baseline == pytest.approx(0.8)
    drawn = who.maps[3].selfie.face.embedding
    others = [who.maps[i].selfie.face.embedding for i in (2, 3, 4)]  # not 0, the source, and not 1
    expected = float(np.median([cosine(drawn, other) for other in others]))
    assert kept.baseline is not None
    assert rescored(drawn, kept, "0") == {
        "to_source": round(cosine(drawn, who.maps[0].selfie.face.embedding), 4),
        "likeness": round(expected, 4),
        "percent_of_baseline": round(100 * expected / kept.baseline, 1),
    }
    assert rescored(None, kept, "0") == {}
    assert rescored(drawn, files.read_references(tmp_path / "elsewhere"), "0") == {}


def test_one_photo_has_no_baseline_and_none_is_made_up(collins_map: FaceMap, tmp_path: Path) -> None:
    files.write_references(tmp_path, references_of(replace(person(collins_map, 1), baseline=None)))
    kept = files.read_references(tmp_path)
    assert kept is not None
    assert kept.baseline is None
    assert kept.trained_on == ()
