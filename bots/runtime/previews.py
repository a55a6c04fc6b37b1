"""Preview pictures that ship with the looks, alone or several on one numbered sheet; an edit beside its first draw."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from bots.dialogue.effects import Picture
from core.scene.style import preview_path

WIDE: Final = 1080
"""Width of a sheet in pixels: what phones show of a picture in a chat."""
GAP: Final = 8
SHEETS: Final = 64  # kept in memory, 0.2 MB each
PAPER: Final = (245, 245, 245)
INK: Final = (24, 24, 24)
_drawing: Final = Lock()


def preview_bytes(picture: Picture) -> bytes:
    """Return a preview as it is on disk, or its tiles on one sheet as JPEG. Raises FileNotFoundError.

    A sheet is drawn once, and one at a time: everybody is shown the same few, and each took 20 MB to draw.
    """
    if not picture.tiles:
        return _path(picture.name).read_bytes()
    files = tuple(map(_path, picture.tiles))
    changed = tuple(file.stat().st_mtime_ns for file in files)
    with _drawing:
        return _sheet(files, changed)


@lru_cache(maxsize=SHEETS)
def _sheet(files: tuple[Path, ...], changed: tuple[int, ...]) -> bytes:
    """Draw the sheet of some files as they were changed last."""
    out = io.BytesIO()
    sheet(files).save(out, "JPEG", quality=85, optimize=True)
    return out.getvalue()


def _path(name: str) -> Path:
    path = preview_path(name)
    if path is None:
        raise FileNotFoundError(f"preview {name} is missing")
    return path


def side_by_side(pictures: list[bytes]) -> bytes:
    """Lay pictures out in one row, all as tall as the tallest there is room for, as JPEG: before and after."""
    opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures]
    across = sum(picture.width / picture.height for picture in opened)
    height = min(max(picture.height for picture in opened), round((2 * WIDE - GAP * (len(opened) - 1)) / across))
    tiles = [picture.resize((max(1, round(height * picture.width / picture.height)), height)) for picture in opened]
    whole = Image.new("RGB", (sum(tile.width for tile in tiles) + GAP * (len(tiles) - 1), height), PAPER)
    left = 0
    for tile in tiles:
        whole.paste(tile, (left, 0))
        left += tile.width + GAP
    out = io.BytesIO()
    whole.save(out, "JPEG", quality=90)
    return out.getvalue()


def sheet(tiles: Sequence[Path]) -> Image.Image:
    """Lay 4:5 pictures side by side, two wide up to four, else three, each with its number in a corner."""
    across = 2 if len(tiles) <= 4 else 3
    width = (WIDE - GAP * (across + 1)) // across
    height = round(width * 1.25)
    rows = -(-len(tiles) // across)
    whole = Image.new("RGB", (WIDE, GAP + rows * (height + GAP)), PAPER)
    draw = ImageDraw.Draw(whole)
    radius = width // 14
    font = ImageFont.load_default(round(1.2 * radius))
    for number, tile in enumerate(tiles):
        left, top = GAP + number % across * (width + GAP), GAP + number // across * (height + GAP)
        with Image.open(tile) as opened:  # one after the other: no more than one is in memory
            whole.paste(ImageOps.fit(opened.convert("RGB"), (width, height), Image.Resampling.LANCZOS), (left, top))
        centre = (left + 1.4 * radius, top + 1.4 * radius)
        draw.circle(centre, radius, fill=PAPER)
        draw.text(centre, str(number + 1), fill=INK, font=font, anchor="mm")
    return whole
