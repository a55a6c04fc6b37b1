"""Fixtures of the workers' tests."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the quick studio writes down every portrait that it really drew."""
    monkeypatch.setenv("QUICK_LOG", str(tmp_path / "drawn"))
    return tmp_path / "drawn"
