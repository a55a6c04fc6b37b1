"""Measure how well people are known in their drawings, and what a drawing takes: a row of docs/looks.md for each look.

    python -m tools.measure_looks SITTERS STRANGERS --people 24 --kept out/looks.csv --pictures out/looks

SITTERS, STRANGERS: folders of photos, one person each. Photos are taken evenly by name until there are `--people` whose
portrait the judge keeps. Each is photographed once, at 512x640, in the drawn packs' set-ups in turn, drawn in each look
as milder as `core.judge.drawing` asks for, and compared with 100 strangers. Every drawing is a row of `--kept`, written
as soon as it is made: the same command goes on where it was stopped, and draws again what has a newer version since.
Seconds and memory are those of a full print of the demo's sitter, drawn in a process of its own.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from core import studio
from core.cutout.cutout import cut_out
from core.deliver.layers import load_layers, save_layers
from core.edit.recipe import drawn, edit, from_dict, photographed, to_dict
from core.judge.drawing import drawn_recognisably, seen_from_afar
from core.judge.verdict import judge
from core.looks.finish import finish_settings, newest
from core.models import Models
from core.scene import stage
from core.scene.dressing import outfit_for, outfit_within
from core.scene.style import Style, load_all
from core.types import F32, FaceMap, Identity, Portrait, Selfie, Verdict
from tools.demo import HOPPER
from tools.tweak_sheets import portrait_of

STRANGERS: Final = 100
RUNS: Final = 3
"""How often a full print is drawn; the quickest counts."""
SMALLEST: Final = 10.0
"""How far a photo would have to be enlarged: its print is the smallest, 512x640, the hardest to be known in."""
NOBODY: Final = ""
"""The look of a row that says why a photo has no portrait to be drawn from."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A sitter in a look. strength: how boldly they are drawn; likeness: cosine to their own photo; nearest: to the
    stranger they are likest; shape: how far landmarks stand off, in eye distances; dropped: why nothing is delivered.
    """

    sitter: str
    look: str
    version: int
    strength: float
    likeness: float
    nearest: float
    shape: float
    dropped: str


def main() -> int:
    """Draw what is not drawn yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sitters", type=Path)
    parser.add_argument("strangers", type=Path)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--look", action="append", choices=tuple(newest()))
    parser.add_argument("--kept", type=Path, default=Path("out/looks.csv"))
    parser.add_argument("--pictures", type=Path, help="folder for the drawings")
    parser.add_argument("--no-speed", action="store_true", help="leave seconds and memory out")
    asked = parser.parse_args()
    looks: Sequence[str] = asked.look or [*newest()]
    people: list[str] = []
    done = {(row.sitter, row.look, row.version): row for row in read(asked.kept)}
    models, packs = Models("embedded"), [pack for pack in load_all() if pack.finish]
    others = strangers_of(asked.strangers, models)
    for number, photo in enumerate(spread(photos_of(asked.sitters))):
        if len(people) == asked.people:
            break
        if (photo.stem, NOBODY, 0) in done:
            continue
        wanted = [look for look in looks if (photo.stem, look, newest()[look].version) not in done]
        if wanted:
            made = photographed_in(photo, packs[number % len(packs)], models)
            if isinstance(made, str):
                keep(asked.kept, Drawing(photo.stem, NOBODY, 0, 0, 0, 0, 0, made))
                continue
            away = np.stack([other for name, other in others.items() if name != photo.stem][:STRANGERS])
            for look in wanted:
                row = drawing_of(made, look, away, models, asked.pictures)
                keep(asked.kept, row)
                done[row.sitter, row.look, row.version] = row
                print(row, flush=True)
        people.append(photo.stem)
    print(HEADER)
    for look in looks:
        rows = [done[sitter, look, newest()[look].version] for sitter in people]
        print(line_of(look, rows, None if asked.no_speed else full_print(look, models)), flush=True)
    return 0


def photos_of(folder: Path) -> list[Path]:
    """Return a folder's pictures by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpg", ".jpeg", ".png"})


def spread(photos: Sequence[Path]) -> list[Path]:
    """Order photos so that every beginning of them is spread evenly: by multiples of the golden ratio (Weyl 1916)."""
    golden = (5**0.5 - 1) / 2
    return [photo for _, photo in sorted((number * golden % 1, photo) for number, photo in enumerate(photos))]


def strangers_of(folder: Path, models: Models) -> dict[str, F32]:
    """Return the embeddings (128,) of the first photos that show one face, one more than STRANGERS, by name."""
    found: dict[str, F32] = {}
    for path in photos_of(folder):
        rgb = cv2.imread(str(path))
        embedding = None if rgb is None else models.recogniser.embed_only(np.ascontiguousarray(rgb[..., ::-1]))
        if embedding is not None:
            found[path.stem] = embedding
        if len(found) > STRANGERS:
            break
    return found


def photographed_in(photo: Path, pack: Style, models: Models) -> tuple[Portrait, Verdict, FaceMap] | str:
    """Return a photo's portrait as a pack sets it up, with its verdict and map; or the reason why there is none."""
    selfie = studio.look(photo.read_bytes(), photo.name, models)
    if not isinstance(selfie, Selfie):
        return selfie.reason
    face = replace(studio.map_photo(selfie, models), upscale_factor=SMALLEST)
    who = Identity(maps=(face,), baseline=None)
    cutout = models.engine.prepare(cut_out(face, models.parser), face, who)
    outfit = outfit_within(outfit_for(pack, 1, face), pack, face, cutout.figure, 1)
    setup = stage.set_up(face, cutout, pack, stage.Choice(outfit=outfit), 0, 1, 0.3)
    portrait = models.engine.portrait(setup, pack.id, "personal", who, photo.stem, lambda: False)
    verdict = judge(portrait, face, who, models.recogniser, models.landmarker)
    return (portrait, verdict, face) if verdict.kept else verdict.reasons[0]


def drawing_of(
    made: tuple[Portrait, Verdict, FaceMap], look: str, others: F32, models: Models, pictures: Path | None
) -> Drawing:
    """Draw a portrait in a look, and into a file of `pictures`; others: the strangers' embeddings (N, 128)."""
    portrait, verdict, face = made
    settings = {**portrait.recipe.settings, "finish": finish_settings(look)}
    portrait = replace(portrait, recipe=replace(portrait.recipe, settings=settings))
    portrait, verdict = drawn_recognisably(portrait, verdict, face, models.recogniser, models.landmarker)
    embedding = models.recogniser.embed(*seen_from_afar(portrait.rgb, portrait.layers.landmarks))
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(pictures / f"{look}-{portrait.id}.png"), portrait.rgb[..., ::-1])
    found = (verdict.measures["drawing"], float((others @ embedding).max()), verdict.measures["drawing_shape"])
    finish = portrait.recipe.settings["finish"]
    likeness, nearest, shape = (round(number, 4) for number in found)
    dropped = "".join(verdict.reasons)
    return Drawing(portrait.id, look, finish["version"], finish["strength"], likeness, nearest, shape, dropped)


def read(kept: Path) -> Iterator[Drawing]:
    """Yield the rows of a file that `keep` wrote; none where there is none."""
    if not kept.exists():
        return
    with kept.open(newline="") as file:
        for row in csv.DictReader(file):
            numbers = {name: float(row[name]) for name in ("strength", "likeness", "nearest", "shape")}
            yield Drawing(**{**row, **numbers, "version": int(row["version"])})  # type: ignore[arg-type]


def keep(kept: Path, row: Drawing) -> None:
    """Add a row to a file, its columns named in the first line."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    begun = kept.exists()
    with kept.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Drawing)])
        if not begun:
            writer.writeheader()
        writer.writerow(asdict(row))


HEADER: Final = (
    "| look | n | drawn boldly | milder | left out | median likeness | before 100 strangers | shape off, 95 % "
    "| seconds | peak MB |\n|---|---|---|---|---|---|---|---|---|---|"
)


def line_of(look: str, rows: Sequence[Drawing], taken: tuple[float, float] | None) -> str:
    """Return a look's row of the table. taken: seconds and MB."""
    given = [row for row in rows if not row.dropped]
    bold = sum(row.strength == 1 for row in given)
    first = sum(row.likeness > row.nearest for row in given)
    middle = f"{np.median([row.likeness for row in given]):.2f}" if given else "-"
    off = f"{np.percentile([row.shape for row in rows], 95):.3f}" if rows else "-"
    share = f"{first} of {len(given)} ({first / max(len(given), 1):.0%})"
    cost = f"{taken[0]:.1f} | {taken[1]:.0f}" if taken else "- | -"
    return (
        f"| `{look}` | {len(rows)} | {bold} | {len(given) - bold} | {len(rows) - len(given)} | {middle} | {share} "
        f"| {off} | {cost} |"
    )


def full_print(look: str, models: Models) -> tuple[float, float]:
    """Return seconds and peak MB of drawing the demo's sitter at full print in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        portrait = portrait_of(HOPPER, models)
        save_layers(portrait.layers, Path(folder))
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(drawn_alone, folder, to_dict(edit(portrait.recipe, f"finish={look}"))).result()


def drawn_alone(folder: str, recipe: dict[str, Any]) -> tuple[float, float]:
    """Return the seconds of a recipe's drawing, its photograph composed before, and the process's peak MB (Linux)."""
    asked = from_dict(recipe)
    taken = photographed(load_layers(Path(folder)), asked)
    seconds = []
    for _ in range(RUNS):
        since = time.perf_counter()
        drawn(taken, asked)
        seconds.append(time.perf_counter() - since)
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text("ascii"))
    return min(seconds), int(peak[1]) / 1024 if peak else float("nan")


if __name__ == "__main__":
    raise SystemExit(main())
