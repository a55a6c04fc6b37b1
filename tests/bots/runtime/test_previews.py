"""Sheets of previews: drawn once for everybody, one at a time, anew where a preview changed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from PIL import Image

from bots.dialogue.effects import Picture
from bots.runtime import previews


async def test_a_sheet_is_drawn_once_and_again_when_a_preview_of_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, drawn, at_work = previews.sheet, list[int](), list[int]()

    def counted(tiles: tuple[Path, ...]) -> Image.Image:
        assert not at_work, "one at a time"
        at_work.append(1)
        drawn.append(len(tiles))
        try:
            return real(tiles)
        finally:
            at_work.clear()

    names = [f"{i}.png" for i in range(5)]
    for name in names:
        Image.new("RGB", (48, 60), (200, 30, 30)).save(tmp_path / name)
    monkeypatch.setattr(previews, "sheet", counted)
    monkeypatch.setattr(previews, "preview_path", lambda name: tmp_path / name)
    four, five = (Picture("style", "sheet", tiles=tuple(names[:n])) for n in (4, 5))
    asked = [asyncio.to_thread(previews.preview_bytes, (four, five)[i % 2]) for i in range(12)]
    answers = await asyncio.gather(*asked)
    assert sorted(drawn) == [4, 5]
    assert len(set(answers)) == 2

    Image.new("RGB", (48, 60), (30, 30, 200)).save(tmp_path / "4.png")
    os.utime(tmp_path / "4.png", ns=(1, 1))
    assert previews.preview_bytes(five) not in answers
    assert sorted(drawn) == [4, 5, 5]
    assert previews.preview_bytes(four) == answers[0]
