"""A stand-in for the studio's work, for tests of the conversation alone: it makes real small pictures, in no time.

A photo's colour says what is wrong with it: black is too dark, red is somebody else; everything else is kept.
A sitting may be held after its first portrait, so that there is something to cancel, see `tests.fakes.hold`; so may an
enlargement after its preview, which is refused where it is fourfold.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from core.errors import Refused, Stopped
from tests.fakes.hold import wait_for_test


def picture(colour: str, size: tuple[int, int] = (640, 800), mark: str = "") -> bytes:
    """A plain JPEG; mark makes it differ from others of its colour."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).text((20, 20), mark, "white" if colour != "white" else "black")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def _colour(data: bytes) -> tuple[int, int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[return-value]


class PictureStudio:
    """Implements `jobs.kinds.base.Studio`."""

    def warm(self, queue: str) -> None:
        pass

    def look(self, photos: Any) -> dict[str, Any]:
        """As `core.intake.review` does: a dark photo is refused alone; of the others the majority says who it is."""
        colours = {photo.name: _colour(photo.data) for photo in photos}
        dark = [name for name, colour in colours.items() if sum(colour) < 90]
        strangers = [name for name, (red, green, _) in colours.items() if red > 200 and green < 90]
        own = [name for name in colours if name not in {*dark, *strangers}]
        most, fewer = (own, strangers) if len(own) >= len(strangers) else (strangers, own)
        why = dict.fromkeys(dark, "too_dark")
        if len(own) == len(strangers):
            why |= dict.fromkeys([*own, *strangers], "no_majority")
        else:
            why |= dict.fromkeys(fewer, "other_person")
        facts: dict[str, Any] = {
            name: {"kept": name not in why, "reason": why.get(name, ""), "measured": 8.0, "limit": 20.0}
            for name in colours
        }
        newest = facts.pop(photos[-1][0])
        return {**newest, "missing": ["turn_left"] if len(most) > len(fewer) else [], "others": facts}

    def held(self) -> list[str]:
        """Hold nothing between looks."""
        return []

    def drop(self, digests: Any) -> None:
        """There is nothing to drop."""

    def shoot(
        self, photos: Any, asked: Any, out: Path, on_progress: Any, should_stop: Any, on_portrait: Any
    ) -> dict[str, Any]:
        out.mkdir(parents=True, exist_ok=True)
        portraits = []
        for style in asked.styles:
            for number in range(asked.count):
                if number:
                    wait_for_test(should_stop)
                if should_stop():
                    raise Stopped(f"at {number}")
                on_progress(f"shoot {style}", number, asked.count)
                name = f"{style}-{number:02d}"
                (out / f"{name}.jpg").write_bytes(picture("teal", (320, 400), name))
                record = {
                    "file": f"{name}.jpg", "kept": number != 3, "likeness": 0.8, "percent_of_baseline": 97.0 - number,
                    "reasons": ["soft"] if number == 3 else [], "recipe": {"style": style}, "tweaks": [],
                }  # fmt: skip
                (out / f"{name}.json").write_text(json.dumps(record))
                portraits.append(record)
                on_portrait(record, asked.count * len(asked.styles) - len(portraits))
        manifest = {"portraits": portraits, "drawn": len(portraits)}
        (out / "manifest.json").write_text(json.dumps(manifest))
        return manifest

    def sheet(self, pictures: Any, out: Path) -> dict[str, Any]:
        if not pictures:
            return {"shown": 0}
        out.write_bytes(picture("teal", (640, 400), f"{len(pictures)} people"))
        return {"shown": len(pictures), "eye_line": 0.004, "head_height": 0.01, "backdrop": 1.2}

    def sticker(self, portrait: Path, kind: str) -> Path:
        from core.deliver.sticker import KINDS  # when it is needed: the child process starts without cv2

        size, suffix = KINDS[kind].size, KINDS[kind].suffix
        file = portrait.with_name(f"{portrait.stem}-{kind}{suffix}")
        with Image.open(portrait) as whole:
            cut = whole.convert("RGBA").resize((size, size))
            cut.putalpha(Image.radial_gradient("L").resize((size, size)))
            cut.save(file)
        return file

    def enhance(self, portrait: Path, tweaks: Any, out: Path, on_progress: Any, on_preview: Any) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(portrait.with_suffix(".json").read_text())
        record["tweaks"] += list(tweaks)
        if on_preview is not None and tweaks[-1].startswith("upscale="):
            on_preview(picture("teal", (256, 320), f"preview of {out.name}"))
            wait_for_test()
            if tweaks[-1] == "upscale=x4":
                raise Refused("tweak_limit", "4 times is more than a fake can do")
        out.write_bytes(picture("navy", (320, 400), f"{out.name} {record['tweaks']}"))
        wanted = next((t.partition("=")[2] for t in tweaks if t.startswith("format=")), None)
        if wanted and wanted.endswith("passport"):
            record["format"] = {"name": wanted, "meets": False, "wrong": ["mouth_open"], "measures": {"head_mm": 34.0}}
        record |= {"file": out.name, "percent_of_baseline": record["percent_of_baseline"] - 2}
        out.with_suffix(".json").write_text(json.dumps(record))
        return record
