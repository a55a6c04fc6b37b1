"""Shoot the preview pictures the bots show of each look: `python -m tools.previews [STYLE ... | --details [NAME ...]]`.

The sitters are Grace Hopper (matplotlib's sample picture) and Eileen Collins (scikit-image's), in turn: works of the US
government in the public domain; nobody shown endorses anything. Writes styles/previews/NAME.jpg, which ship with the
package. The same engine and weights give the same pictures, so run it again whenever either changes. Without a name
all looks are shot; `--details` draws one small picture of each outfit, colour, backdrop and light, or of the outfits
and colours named.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from core import studio
from core.cutout.cutout import cut_out
from core.models import Models
from core.progress import Bars
from core.scene import style
from core.scene.compose import compose
from core.scene.dressing import has_tie
from core.scene.stage import Choice, garment_of, look_of, set_up
from core.types import U8, Identity, Portrait, Selfie
from tools.demo import COLLINS, HOPPER

SIZE = (480, 600)
TILE = (240, 300)
AT_MOST_BYTES = 60_000
QUALITIES = (85, 80, 75, 70, 60, 50)  # the last for line looks, which compress badly
FOLDER = style.FOLDER / "previews"


def sitter_of(name: str) -> Path:
    """Return who sits for a look: Collins where it begins with a roll neck, which her photo's collar allows."""
    worn = [outfit for outfit in (style.load(name).outfit, *style.load(name).more_outfits) if not has_tie(outfit)]
    return COLLINS if worn and garment_of(worn[0]).kind == "turtleneck" else HOPPER


def shoot(names: tuple[str, ...], out: Path, sitter: Path | None = None) -> dict[str, Path]:
    """Shoot a sitter once in each look, who sits for it or the one given; return the kept portrait of each look."""
    models = Models("embedded")
    found: dict[str, Path] = {}
    for photo in (COLLINS, HOPPER):
        mine = tuple(name for name in names if (sitter or sitter_of(name)) == photo)
        if not mine:
            continue
        sitting = studio.Sitting(styles=mine, purpose="business", count=1, seed=1, train=False)
        with Bars() as bars:
            manifest = studio.shoot([(photo.name, photo.read_bytes())], sitting, out / photo.stem, models, bars)
        kept = [record for record in manifest["portraits"] if record["kept"]]
        found |= {record["recipe"]["style"]: out / photo.stem / record["file"] for record in reversed(kept)}
    return found


def preview(portrait: Path) -> bytes:
    """Return a portrait as a 480x600 JPEG, of the best quality that fits into 60,000 bytes."""
    with Image.open(portrait) as image:
        small = ImageOps.pad(image.convert("RGB"), SIZE, Image.Resampling.LANCZOS, color=(245, 245, 245))
    for quality in QUALITIES:
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
        if out.tell() <= AT_MOST_BYTES:
            break
    return out.getvalue()


def tiles(outfits: tuple[str, ...] = ()) -> None:
    """Write a small preview of each outfit, colour, backdrop and light, on Hopper. outfits: these only."""
    models = Models("embedded")
    selfie = studio.look(HOPPER.read_bytes(), HOPPER.name, models)
    assert isinstance(selfie, Selfie)
    face = studio.map_photo(selfie, models)
    who = Identity(maps=(face,), baseline=None)
    cutout = models.engine.prepare(cut_out(face, models.parser), face, who)
    office = style.load("office")

    def drawn_in(choice: Choice, name: str) -> Portrait:
        setup = set_up(face, cutout, office, choice, take=0, seed=1, retouch=0.3)
        portrait = models.engine.portrait(setup, office.id, "job", who, name, lambda: False)
        _write_tile(name, portrait.rgb)
        return portrait

    for outfit in outfits or (*style.wardrobe().outfits, *style.CLOTH_COLOURS):
        if outfit in style.CLOTH_COLOURS:
            drawn_in(Choice(outfit="charcoal_open", colour=outfit), f"colour-{outfit}")
        elif outfit != style.OWN:
            drawn_in(Choice(outfit=outfit), f"outfit-{outfit}")
    if outfits:
        return
    drawn = drawn_in(Choice(outfit="charcoal_open"), "outfit-charcoal_open")
    settings = dict(drawn.recipe.settings)
    for backdrop in style.wardrobe().backdrops:
        look = look_of({**settings, "paper": style.paper_of(backdrop)}, seed=1)
        _write_tile(f"backdrop-{backdrop}", compose(drawn.layers, look))
    for light in style.wardrobe().lights:
        side = float(np.sign(style.lamps_of(light)["key_deg"]) or 1.0)
        lamps = {**settings, "lamps": style.lamps_of(light), "key_side": side, "paper": style.paper_of("grey_paper")}
        _write_tile(f"light-{light}", compose(drawn.layers, look_of(lamps, seed=1)))


def _write_tile(name: str, rgb: U8) -> None:
    tile = Image.fromarray(rgb).resize(TILE, Image.Resampling.LANCZOS)
    tile.save(FOLDER / f"{name}.jpg", "JPEG", quality=80, optimize=True, progressive=True)


def main(names: tuple[str, ...]) -> int:
    """Write a preview of each look; exit code 1 when the judge kept no portrait of one."""
    FOLDER.mkdir(exist_ok=True)
    if names[:1] == ("--details",):
        tiles(names[1:])
        return 0
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
