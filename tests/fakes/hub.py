"""The model hub as `huggingface_hub` asks it: one repository at one commit; anything else is not found."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import urlsplit


class Hub:
    """Serves files of one repository on loopback; `asked` lists every request, with the range it asks for.

    Large files are told by sha256, as what lies in the hub's large storage is. `stops_at`: by name, how many bytes of
    a file are sent before nothing more comes until the hub is closed; `stopped` is set then. `gated`: refuses all.
    """

    def __init__(self, repository: str, commit: str, licence: str, files: dict[str, bytes]) -> None:
        self.files, self.asked = files, list[str]()
        self.stops_at: dict[str, int] = {}
        self.stopped, self._closed = Event(), Event()
        self.gated = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_HEAD(self) -> None:
                self._serve(body=False)

            def do_GET(self) -> None:
                self._serve(body=True)

            def _serve(self, body: bool) -> None:
                path = urlsplit(self.path).path
                hub.asked.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
                if hub.gated:
                    return self._answer(403, b"", {"X-Error-Code": "GatedRepo"}, body)
                if path in (f"/api/models/{repository}/revision/{commit}", f"/api/models/{repository}"):
                    siblings = [
                        {"rfilename": name, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
                        for name, data in files.items()
                    ]
                    facts = {"id": repository, "sha": commit, "siblings": siblings, "cardData": {"license": licence}}
                    return self._answer(200, json.dumps(facts).encode(), {"Content-Type": "application/json"}, body)
                if path == f"/api/models/{repository}/tree/{commit}":
                    tree = [
                        {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                        | _large_storage(name, data)
                        for name, data in files.items()
                    ]
                    return self._answer(200, json.dumps(tree).encode(), {"Content-Type": "application/json"}, body)
                start = f"/{repository}/resolve/{commit}/"
                name = path.removeprefix(start)
                if not path.startswith(start) or name not in files:
                    return self._answer(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
                headers = {"ETag": f'"{_etag(name, files[name])}"', "X-Repo-Commit": commit}
                start_at = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
                if start_at:
                    headers["Content-Range"] = f"bytes {start_at}-{len(files[name]) - 1}/{len(files[name])}"
                data, most = files[name][start_at:], hub.stops_at.get(name)
                return self._answer(206 if start_at else 200, data, headers, body, most)

            def _answer(
                self, code: int, data: bytes, headers: dict[str, str], body: bool, most: int | None = None
            ) -> None:
                self.send_response(code)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if body:
                    self.wfile.write(data[:most])
                if body and most is not None:
                    self.wfile.flush()
                    hub.stopped.set()
                    hub._closed.wait()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()


def _large_storage(name: str, data: bytes) -> dict[str, object]:
    if not name.endswith(".safetensors"):
        return {}
    return {"lfs": {"oid": _etag(name, data), "size": len(data), "pointerSize": 134}}


def _etag(name: str, data: bytes) -> str:
    return (hashlib.sha256(data) if name.endswith(".safetensors") else hashlib.sha1(data)).hexdigest()
