"""The model hub as `huggingface_hub` asks it: one repository at one commit; anything else is not found."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit


class Hub:
    """Serves files of one repository on loopback; `asked` lists every request."""

    def __init__(self, repository: str, commit: str, licence: str, files: dict[str, bytes]) -> None:
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_HEAD(self) -> None:
                self._serve(body=False)

            def do_GET(self) -> None:
                self._serve(body=True)

            def _serve(self, body: bool) -> None:
                path = urlsplit(self.path).path
                hub.asked.append(f"{self.command} {path}")
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
                        for name, data in files.items()
                    ]
                    return self._answer(200, json.dumps(tree).encode(), {"Content-Type": "application/json"}, body)
                start = f"/{repository}/resolve/{commit}/"
                name = path.removeprefix(start)
                if not path.startswith(start) or name not in files:
                    return self._answer(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
                headers = {"ETag": f'"{hashlib.sha1(files[name]).hexdigest()}"', "X-Repo-Commit": commit}
                return self._answer(200, files[name], headers, body)

            def _answer(self, code: int, data: bytes, headers: dict[str, str], body: bool) -> None:
                self.send_response(code)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if body:
                    self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
