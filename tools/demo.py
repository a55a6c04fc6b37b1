"""`make demo`: the main job on two real photos that ship in packages, into out/demo/gallery.html.

Grace Hopper (matplotlib's sample picture) in four styles, and Eileen Collins (scikit-image's astronaut) at the
size her photo allows. Both photos are works of the US government in the public domain; nobody shown here
endorses anything.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import skimage.data

from core import studio
from core.atomic import write_bytes
from core.deliver import gallery
from core.deliver.files import encode_plain
from core.models import Models
from core.progress import Bars

OUT = Path("out/demo")
HOPPER = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
COLLINS = Path(skimage.data.__file__).parent / "astronaut.png"


def main() -> int:
    """Shoot both sitters and put their portraits on one page."""
    models = Models("embedded")
    sitters = {
        "hopper": (
            HOPPER,
            ("office", "founder", "studio_black", "outdoor"),
            1,
        ),
        "collins": (COLLINS, ("founder", "studio_black"), 1),
    }
    pages = []
    for name, (photo, styles, count) in sitters.items():
        print(f"{name}: {photo.name} in {', '.join(styles)}", file=sys.stderr)
        sitting = studio.Sitting(styles=styles, purpose="business", count=count, seed=1)
        with Bars() as bars:
            pages.append(
                (OUT / name, studio.shoot([(photo.name, photo.read_bytes())], sitting, OUT / name, models, bars))
            )
    cards = [card for folder, manifest in pages for card in gallery.cards_of(manifest, folder)]
    kept = sum(manifest["kept"] for _, manifest in pages)
    summary = {
        "counts": f"Two people, one photo each: {kept} portraits.",
        "proof": "With one photo there is no second one to prove likeness against; send three or more for that.",
        "honesty": models.engine.honesty + " Public-domain photographs; no endorsement is implied.",
    }
    write_bytes(OUT / "gallery.html", gallery.gallery_page([[card] for card in cards], summary))
    sheet = gallery.contact_sheet([card["rgb"] for card in cards], columns=len(cards))
    write_bytes(OUT / "contact_sheet.jpg", encode_plain(sheet))
    print(f"open {OUT / 'gallery.html'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
