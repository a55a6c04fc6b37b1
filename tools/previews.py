"""Shoot the preview pictures the bots show of each look: `python -m tools.previews [STYLE ...]`.

The sitter is Grace Hopper (matplotlib's sample picture, a work of the US government in the public domain; nobody shown
endorses anything). Writes styles/previews/NAME.jpg, which ship with the package. The same engine and weights give the
same pictures, so run it again whenever either changes. Without a name all looks are shot.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from core import studio
from core.models import Models
from core.progress import Bars
from core.scene import style
from tools.demo import HOPPER

SIZE = (480, 600)
AT_MOST_BYTES = 60_000
QUALITIES = (85, 80, 75, 70)
FOLDER = style.FOLDER / "previews"


def shoot(names: tuple[str, ...], out: Path) -> dict[str, Path]:
    """Shoot the sitter once in each look; return the kept portrait of each, the first of several."""
    sitting = studio.Sitting(styles=names, purpose="business", count=1, seed=1, train=False)
    with Bars() as bars:
        manifest = studio.shoot([(HOPPER.name, HOPPER.read_bytes())], sitting, out, Models("embedded"), bars)
    kept = [record for record in manifest["portraits"] if record["kept"]]
    return {record["recipe"]["style"]: out / record["file"] for record in reversed(kept)}


def preview(portrait: Path) -> bytes:
    """Return a portrait as a 480x600 JPEG, of the best quality that fits into 60,000 bytes."""
    with Image.open(portrait) as image:
        small = image.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    for quality in QUALITIES:
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        if out.tell() <= AT_MOST_BYTES:
            break
    return out.getvalue()


def main(names: tuple[str, ...]) -> int:
    """Write a preview of each look; exit code 1 when the judge kept no portrait of one."""
    FOLDER.mkdir(exist_ok=True)
    wanted = names or tuple(pack.id for pack in style.load_all())
    with tempfile.TemporaryDirectory() as out:
        portraits = shoot(wanted, Path(out))
        for name in wanted:
            if name in portraits:
                data = preview(portraits[name])
                (FOLDER / f"{name}.jpg").write_bytes(data)
                print(f"{FOLDER / name}.jpg  {len(data) / 1000:.0f} kB")
            else:
                print(f"{name}: no portrait was good enough, its preview stays as it was", file=sys.stderr)
    return 0 if len(portraits) == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
