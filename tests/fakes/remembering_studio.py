"""The real studio, which does the same work once in a run of the tests: what it came to lies in a folder.

What a whole chat shows on one platform after another is the real studio's, to the byte, but drawn once. A sitting that
is repeated takes a moment for each portrait, so that there is something to interrupt.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import Stopped
from jobs.kinds.base import OnPortrait, OnPreview, Photos, Progress, ShootRequest, Stop
from jobs.worker.core_studio import CoreStudio
from jobs.worker.laid_photos import LaidPhoto

FOLDER = "REMEMBERED_FOLDER"
"""The environment variable that names the folder."""
NO_PHOTOS = "REMEMBERED_NO_PHOTOS"
"""The environment variable that is set where no photo comes any more: what looks at photos is not loaded."""
MOMENT_S = 1.5


class RememberingStudio(CoreStudio):
    """Implements `jobs.kinds.base.Studio`."""

    def warm(self, queue: str) -> None:
        """Load everything as the real one does, unless pictures were made before, or no photos come any more."""
        if not ((queue == "look" and NO_PHOTOS in os.environ) or any(_folder().glob(f"{queue}-*"))):
            super().warm(queue)

    def look(self, photos: Sequence[LaidPhoto]) -> dict[str, Any]:
        """See `Studio.look`."""
        known = _known("look", [[name, sha256] for name, sha256, _ in photos])
        if (facts := _answer(known)) is None:
            facts = _remember(known, super().look(photos))
        return facts

    def shoot(
        self,
        photos: Photos,
        asked: ShootRequest,
        out: Path,
        on_progress: Progress,
        should_stop: Stop,
        on_portrait: OnPortrait,
    ) -> dict[str, Any]:
        """See `Studio.shoot`."""
        request = [asked.styles, asked.purpose, asked.count, asked.seed, asked.train, asked.details]
        known = _known("studio-shoot", [[(name, _sha256(data)) for name, data in photos], request])
        if (manifest := _answer(known)) is None:
            manifest = super().shoot(photos, asked, out, on_progress, should_stop, on_portrait)
            shutil.copytree(out, known / "out")
            return _remember(known, manifest)
        kept = [record for record in manifest["portraits"] if record["kept"]]
        for number, record in enumerate(kept, 1):
            on_progress(f"shoot {record['recipe']['style']}", number - 1, len(kept))
            _pass(should_stop)
            if number == 1:
                shutil.copytree(known / "out", out, dirs_exist_ok=True)
            on_portrait(record, len(kept) - number)
        return manifest

    def enhance(
        self,
        portrait: Path,
        tweaks: Sequence[str],
        out: Path,
        on_progress: Callable[[int, int], None],
        on_preview: OnPreview | None,
    ) -> dict[str, Any]:
        """See `Studio.enhance`."""
        known = _known("studio-enhance", [_sha256(portrait.read_bytes()), list(tweaks), out.name])
        if record := _answer(known):
            shutil.copytree(known / "out", out.parent, dirs_exist_ok=True)
            return record
        before = set(out.parent.rglob("*"))
        record = super().enhance(portrait, tweaks, out, on_progress, on_preview)
        for file in set(out.parent.rglob("*")) - before:
            if file.is_file():
                copy = known / "out" / file.relative_to(out.parent)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
        return _remember(known, record)


def _pass(should_stop: Stop) -> None:
    ends = time.monotonic() + MOMENT_S
    while time.monotonic() < ends:
        if should_stop():
            raise Stopped("a sitting that is repeated")
        time.sleep(0.05)


def _folder() -> Path:
    return Path(os.environ[FOLDER])


def _known(kind: str, asked: Any) -> Path:
    """The folder of one piece of work."""
    return _folder() / f"{kind}-{_sha256(json.dumps(asked, default=str).encode())}"


def _answer(known: Path) -> dict[str, Any] | None:
    file = known / "answer.json"
    if not file.exists():
        return None
    answer: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return answer


def _remember(known: Path, answer: dict[str, Any]) -> dict[str, Any]:
    known.mkdir(exist_ok=True)
    (known / "answer.json").write_text(json.dumps(answer), "utf-8")
    return answer


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
