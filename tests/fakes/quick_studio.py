"""A stand-in for the studio's work, for tests of the jobs alone: it writes small files instead of drawing.

It keeps the studio's habits: finished files are reused, the manifest comes last, `should_stop` is asked
between portraits. Jobs steer it by the purpose word: `fast`, `slow` (held before the last portrait), `held` (after the
first, or three steps of a training, see `tests.fakes.hold`), `stuck` (never asks), `dies` (kills its own process),
`full` (disk full), `refused`, `broken`, `breaks` (at the second portrait, held before), `none` (no portrait is good
enough). An enlargement has a preview and is held after it; a fourfold one is refused then. Every portrait really drawn
leaves a line in $QUICK_LOG.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from core.errors import AtelierError, Refused, Stopped
from jobs.kinds.base import NotHeld
from tests.fakes.hold import wait_for_test

SECONDS = {"fast": 0.0, "slow": 0.3}
HELD_AT, HELD_STEP = 1, 3


class QuickStudio:
    """Implements `jobs.kinds.base.Studio`."""

    _broken = False

    def __init__(self) -> None:
        self._held: set[str] = set()

    def held(self) -> list[str]:
        return sorted(self._held)

    def drop(self, digests: Any) -> None:
        self._held -= set(digests)

    def warm(self, queue: str) -> None:
        pass

    def look(self, photos: Any) -> dict[str, Any]:
        if missing := [photo.name for photo in photos if photo.data is None and photo.sha256 not in self._held]:
            raise NotHeld(f"{missing} not held")
        self._held |= {photo.sha256 for photo in photos}
        name, _, data = photos[-1]
        assert data is not None
        if data == b"held":
            wait_for_test()
        if data.startswith(b"bad"):
            return {"kept": False, "name": name, "reason": "no_face", "measured": 0.0, "limit": 1.0, "missing": []}
        return {"kept": True, "notes": [], "missing": ["left"], "others": {}, "set": [photo.name for photo in photos]}

    def shoot(
        self, photos: Any, asked: Any, out: Path, on_progress: Any, should_stop: Any, on_portrait: Any
    ) -> dict[str, Any]:
        manner = asked.purpose or "fast"
        if manner == "refused":
            raise Refused("no_majority", "2 photos show different people")
        if manner == "broken" or self._broken:
            self._broken = True  # as CUDA is after some errors: nothing works in this process any more
            raise ZeroDivisionError("a bug")
        out.mkdir(parents=True, exist_ok=True)
        if manner == "full" and not (out / "tried").exists():
            (out / "tried").write_text("once")
            raise OSError(errno.ENOSPC, "No space left on device")
        if asked.train:
            _learn(out / "identity", manner, on_progress, should_stop)
        portraits = []
        for style in asked.styles:
            for number in range(asked.count):
                if should_stop():
                    raise Stopped(f"at {number}")
                name = f"{style}-{number:02d}"
                on_progress(f"shoot {style}", number, asked.count)
                if not (out / f"{name}.json").exists():
                    if manner == "dies":
                        os.kill(os.getpid(), signal.SIGKILL)
                    while manner == "stuck":
                        time.sleep(0.05)
                    time.sleep(SECONDS.get(manner, 0.0))
                    last = (style, number) == (asked.styles[-1], asked.count - 1)
                    if (manner == "held" and number >= HELD_AT) or (manner == "slow" and last):
                        wait_for_test(should_stop)
                        if should_stop():
                            raise Stopped(f"at {number}")
                    if manner == "breaks" and number == 1:
                        wait_for_test()
                        raise ZeroDivisionError("a bug")
                    _whole(out / f"{name}.jpg", f"{name} of {len(photos)} photos".encode())
                    _whole(out / "layers" / name / "sitter.png", b"layer")
                    record = {
                        "file": f"{name}.jpg", "layers": f"layers/{name}", "recipe": {"style": style}, "tweaks": [],
                        "kept": True, "likeness": 0.8, "percent_of_baseline": 97.5, "reasons": [],
                    }  # fmt: skip
                    _whole(out / f"{name}.json", json.dumps(record).encode())
                    _log(f"{out.parent.name} {name}")
                portraits.append(json.loads((out / f"{name}.json").read_text()) | {"kept": manner != "none"})
                on_portrait(portraits[-1], asked.count * len(asked.styles) - len(portraits))
        _whole(out / "identity" / "reference_embeddings.npz", b"embeddings")
        if manner == "none":
            portraits = [record | {"kept": False, "reasons": ["likeness"]} for record in portraits]
        manifest = {"portraits": portraits, "drawn": len(portraits), "asked": len(portraits), "kept": len(portraits)}
        _whole(out / "manifest.json", json.dumps(manifest).encode())
        return manifest

    def enhance(self, portrait: Path, tweaks: Any, out: Path, on_progress: Any, on_preview: Any) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(portrait.with_suffix(".json").read_text())
        assert (portrait.parent / record["layers"] / "sitter.png").read_bytes() == b"layer"
        if tweaks[-1].startswith("upscale="):
            on_preview(b"preview of " + portrait.name.encode())
            wait_for_test()
            if tweaks[-1] == "upscale=x4":
                raise Refused("tweak_limit", "4 times")
        _whole(out, portrait.read_bytes() + b" " + " ".join(tweaks).encode())
        record |= {"file": out.name, "parent": portrait.stem}
        record["tweaks"] += list(tweaks)
        _whole(out.with_suffix(".json"), json.dumps(record).encode())
        return record


class UnreadyStudio(QuickStudio):
    """One whose weights were never fetched."""

    def warm(self, queue: str) -> None:
        raise AtelierError("no weights; run: atelier weights pull")

    def shoot(self, *asked: Any) -> dict[str, Any]:
        self.warm("studio")
        raise AssertionError


class SlowToLoad(QuickStudio):
    """One that takes longer to load than a job may take."""

    def warm(self, queue: str) -> None:
        time.sleep(6.5)


def _learn(identity: Path, manner: str, on_progress: Any, should_stop: Any) -> None:
    """Train six steps, each with its checkpoint, unless that was done before. Leaves what `core.engines.lora` does."""
    if (identity / "training.json").exists():
        return
    checkpoint = identity / "checkpoint"
    for step in range(int(checkpoint.read_text()) if checkpoint.exists() else 0, 6):
        if should_stop():
            raise Stopped(f"at step {step}")
        on_progress("train", step, 6)
        time.sleep(SECONDS.get(manner, 0.0))
        if manner == "held" and step >= HELD_STEP:
            wait_for_test(should_stop)
        _whole(checkpoint, str(step + 1).encode())
        _log(f"{identity.parent.parent.name} trained-{step}")
    _whole(identity / "lora" / "adapter_model.safetensors", b"six steps")
    _whole(identity / "training.json", b"{}")
    checkpoint.unlink()


def _whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    os.replace(draft, path)


def _log(line: str) -> None:
    if file := os.environ.get("QUICK_LOG"):
        with open(file, "a") as log:
            log.write(f"{line}\n")
