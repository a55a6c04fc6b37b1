"""Claims about what an edit is scored against: it comes back, also from an earlier release, and from nowhere else."""

from pathlib import Path

import numpy as np

from core.deliver.files import REFERENCES, REFERENCES_BEFORE, read_references, write_references
from core.judge.likeness import References

ROWS = np.eye(3, 128, dtype=np.float32)


def test_references_come_back_as_they_were(tmp_path: Path) -> None:
    for baseline in (0.75, None):
        kept = References(("a", "b", "c"), ROWS, ("b",), baseline)
        write_references(tmp_path, kept)
        back = read_references(tmp_path)
        assert back is not None
        assert (back.sources, back.trained_on, back.baseline) == (("a", "b", "c"), ("b",), baseline)
        assert np.array_equal(back.embeddings, ROWS)
    assert read_references(tmp_path / "elsewhere") is None


def test_those_of_the_release_before_are_read(tmp_path: Path) -> None:
    write_references(tmp_path, References(("a", "b", "c"), ROWS, (), 0.75))
    with np.load(tmp_path / "identity" / REFERENCES) as kept:
        before = {name: kept[name] for name in ("sources", "embeddings", "baseline")}
    np.savez(tmp_path / "identity" / REFERENCES_BEFORE, **before)
    (tmp_path / "identity" / REFERENCES).unlink()
    back = read_references(tmp_path)
    assert back is not None
    assert (back.sources, back.trained_on, back.baseline) == (("a", "b", "c"), (), 0.75)
