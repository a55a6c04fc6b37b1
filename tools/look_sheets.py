"""Sheets of every photographic look on each demo sitter, for `docs/looks.md`.

    python -m tools.look_sheets docs

Writes `looks-collins.jpg` and `looks-hopper.jpg`: one kept portrait a look in the order of their names, COLUMNS a row.
A look of which the judge keeps none for a sitter is left out and told.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from core.scene import style
from tools.demo import COLLINS, HOPPER
from tools.previews import shoot

TILE: Final = (160, 200)
COLUMNS: Final = 8
SITTERS: Final = {"collins": COLLINS, "hopper": HOPPER}


def sheet(portraits: dict[str, Path]) -> Image.Image:
    """Lay portraits out by the names of their looks, each with its name."""
    names = sorted(portraits)
    page = Image.new("RGB", (COLUMNS * TILE[0], -(-len(names) // COLUMNS) * TILE[1]))
    for place, name in enumerate(names):
        with Image.open(portraits[name]) as portrait:
            tile = portrait.convert("RGB").resize(TILE, Image.Resampling.LANCZOS)
        ImageDraw.Draw(tile).text((4, TILE[1] - 14), name, fill="white", stroke_width=1, stroke_fill="black")
        page.paste(tile, (place % COLUMNS * TILE[0], place // COLUMNS * TILE[1]))
    return page


def main(folder: Path) -> int:
    """Write both sheets; exit code 1 when a look is missing on one."""
    names = tuple(pack.id for pack in style.load_all() if pack.family != "drawn")
    missing = False
    for sitter, photo in SITTERS.items():
        with tempfile.TemporaryDirectory() as out:
            portraits = shoot(names, Path(out), photo)
            sheet(portraits).save(folder / f"looks-{sitter}.jpg", quality=85, optimize=True, progressive=True)
        for name in sorted(set(names) - set(portraits)):
            print(f"{sitter}: no portrait of {name} was good enough", file=sys.stderr)
            missing = True
    return int(missing)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
