"""The studio of `core` as the child process has it: models loaded once, and the photos of a set while it grows."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from core.intake.bounded import BoundedDecoder
from jobs.kinds.base import NotHeld, OnPortrait, OnPreview, Photos, Progress, ShootRequest, Stop
from jobs.worker.laid_photos import LaidPhoto

if TYPE_CHECKING:
    from core.models import Models
    from core.types import FaceMap, Rejected, Selfie

REMEMBERED_BYTES: Final = 300_000_000  # decoded photos kept in memory while somebody sends their set


class CoreStudio:
    """The studio of `core`, with its models loaded once for the life of the process."""

    def __init__(self) -> None:
        self._seen: dict[str, Selfie | Rejected] = {}
        self._maps: dict[str, FaceMap] = {}
        self._loaded: Models | None = None
        self._decoder = BoundedDecoder()  # a photo that breaks a limit of time or memory costs that process alone
        weakref.finalize(self, self._decoder.close)

    @property
    def _models(self) -> Models:
        if self._loaded is None:
            from core.models import Models

            self._loaded = Models()
        return self._loaded

    def warm(self, queue: str) -> None:
        """Load the face models, and what draws with its libraries; its nets are loaded by the first job."""
        from core.face import coverage  # noqa: F401

        if queue == "look":
            self._decoder.decode(b"", "none")  # its process loads its libraries now
        _ = self._models.recogniser, self._models.landmarker, self._models.light_classifier, self._models.parser
        if queue == "studio":
            from core.cutout import cutout  # noqa: F401
            from core.engines.redress import engine, generate  # noqa: F401
            from core.judge import verdict  # noqa: F401
            from core.scene import stage  # noqa: F401

    def look(self, photos: Sequence[LaidPhoto]) -> dict[str, Any]:
        """See `Studio.look`: `kept`, `reason`, `measured`, `limit`, `notes` (of `core.face.coverage.notes_of`);
        `missing` and `of_set`, what the set lacks and what is good to know of it; `others`, by name.

        The set is judged as a whole, so that the majority decides who the person is and not who came first.
        """
        from core.face.coverage import coverage, notes_of
        from core.intake.review import review
        from core.types import Rejected

        seen = [self._look(*photo) for photo in photos]
        kept, refused = review([selfie for selfie in seen if not isinstance(selfie, Rejected)])
        maps = {selfie.name: self._map(selfie) for selfie in kept}
        verdicts = {item.name: item for item in (*(s for s in seen if isinstance(s, Rejected)), *refused)}
        facts: dict[str, Any] = {
            item.name: asdict(verdicts[item.name]) | {"kept": False}
            if item.name in verdicts
            else {"kept": True, "notes": list(notes_of(maps[item.name]))}
            for item in seen
        }
        verdict: dict[str, Any] = facts.pop(seen[-1].name)
        shown = coverage(tuple(maps.values()))
        self._forget_oldest()
        return {**verdict, "missing": list(shown.missing), "of_set": list(shown.notes), "others": facts}

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
        from core import studio

        purpose = {"purpose": asked.purpose} if asked.purpose else {}
        sitting = studio.Sitting(
            styles=asked.styles,
            count=asked.count,
            seed=asked.seed,
            train=asked.train,
            **purpose,  # type: ignore[arg-type]
            **dict(asked.details),  # type: ignore[arg-type]
        )
        return studio.shoot(photos, sitting, out, self._models, on_progress, should_stop, on_portrait)

    def enhance(
        self,
        portrait: Path,
        tweaks: Sequence[str],
        out: Path,
        on_progress: Callable[[int, int], None],
        on_preview: OnPreview | None,
    ) -> dict[str, Any]:
        """See `Studio.enhance`."""
        from core import studio

        return studio.enhance(portrait, tweaks, out, self._models, on_progress, on_preview=on_preview)

    def sticker(self, portrait: Path, kind: str) -> Path:
        """See `Studio.sticker`."""
        from core.atomic import write_bytes
        from core.deliver.sticker import KINDS, sticker_of

        file = portrait.with_name(f"{portrait.stem}-{kind}{KINDS[kind].suffix}")
        write_bytes(file, sticker_of(portrait, kind))
        return file

    def sheet(self, pictures: Sequence[bytes], out: Path) -> dict[str, Any]:
        """See `Studio.sheet`."""
        from core.atomic import write_bytes
        from core.deliver.files import decoded, encode_plain
        from core.deliver.team_sheet import team_sheet

        made = team_sheet([decoded(data) for data in pictures], self._models.landmarker)
        if made is None:
            return {"shown": 0}
        write_bytes(out, encode_plain(made.rgb))
        return {"shown": len(pictures) - len(made.left_out), **asdict(made.alike)}

    def held(self) -> list[str]:
        """See `Studio.held`."""
        return list(self._seen)

    def drop(self, digests: Sequence[str]) -> None:
        """See `Studio.drop`."""
        for digest in digests:
            self._seen.pop(digest, None)
            self._maps.pop(digest, None)

    def _look(self, name: str, sha256: str, data: bytes | None) -> Selfie | Rejected:
        from core.intake.review import look

        seen = self._seen.pop(sha256, None)
        if seen is None:
            if data is None:
                raise NotHeld(f"{name} is not held any more")
            seen = look(data, name, self._models, self._decoder.decode)
        self._seen[sha256] = seen  # the newest last
        return replace(seen, name=name)

    def _map(self, selfie: Selfie) -> FaceMap:
        from core.studio import map_photo

        if selfie.sha256 not in self._maps:
            self._maps[selfie.sha256] = map_photo(selfie, self._models)
        return self._maps[selfie.sha256]

    def _forget_oldest(self) -> None:
        sizes = {digest: getattr(getattr(seen, "rgb", None), "nbytes", 0) for digest, seen in self._seen.items()}
        held = sum(sizes.values())
        for digest, size in sizes.items():
            if held <= REMEMBERED_BYTES:
                break
            held -= size
            self.drop([digest])
