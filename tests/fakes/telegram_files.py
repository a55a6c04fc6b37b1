"""Files of the fake Bot API server: ids, photo sizes, limits, and refusals in Telegram's own words."""

from __future__ import annotations

import hashlib
import io
import itertools
from dataclasses import dataclass
from typing import Any

from PIL import Image

GET_FILE_BYTES = 20_000_000
SEND_PHOTO_BYTES = 10_000_000
SEND_FILE_BYTES = 50_000_000
STICKER_EDGE, STICKER_BYTES = 512, 512_000
PHOTO_EDGES_SUM = 10_000  # width + height of a photo


class Refusal(Exception):
    """A request the real server would not do."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass
class Stored:
    """Bytes the server keeps, as it would."""

    id: str
    unique: str
    data: bytes
    path: str


class Files(dict[str, Stored]):
    """Every file of the server by its id."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(100)

    def keep(self, data: bytes, name: str) -> Stored:
        """Store bytes. The id is new each time, the unique id follows the bytes."""
        number = next(self._numbers)
        path = f"{name.split('.')[-1]}/{number}-{name}"
        stored = Stored(f"file-{number}", f"u{hash(data) & 0xFFFFFFFF:08x}", data, path)
        self[stored.id] = stored
        return stored

    def at(self, path: str) -> Stored | None:
        """Return the file that is downloaded from a path."""
        return next((stored for stored in self.values() if stored.path == path), None)

    def get_file(self, id: str) -> dict[str, Any]:
        """Answer getFile."""
        stored = self.get(id)
        if stored is None:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(stored.data) > GET_FILE_BYTES:
            raise Refusal(400, "Bad Request: file is too big")
        return {"file_id": id, "file_unique_id": stored.unique, "file_size": len(stored.data), "file_path": stored.path}

    def media(self, item: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Read one InputMedia: a file id, or a part of the request."""
        source = item["media"]
        if source.startswith("attach://"):
            source = params[source.removeprefix("attach://")]
        return self.photo(source) if item["type"] == "photo" else self.document(source)

    def photo(self, source: str | bytes) -> dict[str, Any]:
        """Take a photo to send: an id the server gave, or bytes."""
        if isinstance(source, str):
            return {"photo": self.sizes(self._known(source))}
        if len(source) > SEND_PHOTO_BYTES:
            raise Refusal(413, "Request Entity Too Large")
        try:
            with Image.open(io.BytesIO(source)) as picture:
                width, height = picture.size
        except OSError as not_a_picture:
            raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED") from not_a_picture
        if width + height > PHOTO_EDGES_SUM:
            raise Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        return {"photo": self.sizes(self.keep(source, "photo.jpg"))}

    def document(self, source: str | bytes) -> dict[str, Any]:
        """Take a document to send: an id the server gave, or bytes."""
        if isinstance(source, bytes) and len(source) > SEND_FILE_BYTES:
            raise Refusal(413, "Request Entity Too Large")
        stored = self.keep(source, "file.bin") if isinstance(source, bytes) else self._known(source)
        return {"document": {"file_id": stored.id, "file_unique_id": stored.unique, "file_size": len(stored.data)}}

    def sticker(self, source: str | bytes) -> dict[str, Any]:
        """Take a sticker to send; what is none goes out as a document, without a word (tdlib/telegram-bot-api#76)."""
        stored = self.keep(source, "sticker.webp") if isinstance(source, bytes) else self._known(source)
        try:
            with Image.open(io.BytesIO(stored.data)) as picture:
                kind, edges = picture.format, picture.size
        except OSError:
            kind, edges = None, (0, 0)
        if kind != "WEBP" or max(edges) != STICKER_EDGE or len(stored.data) > STICKER_BYTES:
            return self.document(stored.id)
        return {
            "sticker": {"file_id": stored.id, "file_unique_id": stored.unique, "file_size": len(stored.data),
                        "type": "regular", "width": edges[0], "height": edges[1], "is_animated": False,
                        "is_video": False},
        }  # fmt: skip

    def sizes(self, stored: Stored) -> list[dict[str, Any]]:
        """Return the PhotoSize list of a photo: a thumbnail and the whole."""
        with Image.open(io.BytesIO(stored.data)) as picture:
            width, height = picture.size
        small = min(1.0, 320 / max(width, height))
        return [
            {"file_id": stored.id + "-s", "file_unique_id": stored.unique + "s", "file_size": 9000,
             "width": int(width * small), "height": int(height * small)},
            {"file_id": stored.id, "file_unique_id": stored.unique, "file_size": len(stored.data),
             "width": width, "height": height},
        ]  # fmt: skip

    def _known(self, id: str) -> Stored:
        if id not in self:
            raise Refusal(400, "Bad Request: wrong remote file identifier specified: can't unserialize it")
        return self[id]


_MADE: set[bytes] = set()


def as_telegram(data: bytes, edge: int) -> bytes:
    """Re-encode a photo as Telegram's clients do; one that was made here is sent on as it is."""
    if hashlib.sha256(data).digest() in _MADE:
        return data
    with Image.open(io.BytesIO(data)) as picture:
        small = picture.convert("RGB")
        small.thumbnail((edge, edge))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=87)
    _MADE.add(hashlib.sha256(out.getvalue()).digest())
    return out.getvalue()
