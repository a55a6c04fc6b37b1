"""Claims about the command line: JSON whatever happens, wrong input refused before work begins, names told apart."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core import cli, settings, studio
from core.atomic import to_json, write_json, writing
from core.cli import main
from core.errors import Refused
from core.intake import review
from tests import sitters

Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture) -> dict[str, Any]:
    """Return what stdout holds: one strict JSON value."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=refuse)
    return found


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at a photo fails."""

    def worked(*_: object) -> None:
        raise AssertionError("work has begun")

    monkeypatch.setattr(review, "check", worked)


@pytest.fixture
def photo(tmp_path: Path) -> str:
    (tmp_path / "me.jpg").write_bytes(b"never decoded")
    return str(tmp_path / "me.jpg")


def shoot(photo: str, out: Path, *more: str) -> list[str]:
    return ["shoot", photo, "--style", "office", "--out", str(out), "--json", *more]


# --- JSON always ---


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (["shoot", "{photo}", "--style", "office", "--out", "{out}", "--seed", "-1"], "usage"),
        (["shoot", "{photo}", "--style", "office", "--out", "{out}", "--seed", "1.5"], "usage"),
        (["shoot", "{photo}", "--style", "office", "--out", "{out}", "--seed", str(2**31)], "usage"),
        (["shoot", "{photo}", "--style", "office"], "usage"),
        (
            ["shoot", "{photo}", "--style", "office", "--out", "{out}", "--own-clothes", "--outfit", "navy_suit"],
            "usage",
        ),
        (["shoot", "{photo}", "--style", "teal", "--out", "{out}"], "style_wrong"),
        (["shoot", "{photo}", "--style", "office", "--outfit", "toga", "--out", "{out}"], "style_wrong"),
        (["shoot", "{photo}", "--style", "office", "--out", "{photo}"], "unwritable"),
        (["shoot", "{out}/absent.jpg", "--style", "office", "--out", "{out}"], "unreadable"),
        (["enhance", "{photo}", "--tweak", "warmer", "--out", "{out}/x.jpg"], "no_recipe"),
        (["nothing"], "usage"),
    ],
)
def test_a_refusal_is_an_error_object_and_exit_code_2(
    wrong: list[str], reason: str, photo: str, tmp_path: Path, no_work: None, capsys: Capture
) -> None:
    asked = [part.format(photo=photo, out=tmp_path / "out") for part in wrong]
    assert main([*asked, "--json"]) == 2
    error = printed(capsys)["error"]
    assert error["reason"] == reason
    assert error["message"]


def test_the_option_that_is_wrong_is_named(
    photo: str, tmp_path: Path, no_work: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(shoot(photo, tmp_path / "out", "--seed", "-1"))
    assert "--seed: -1 is not within 0 to 2147483647" in printed(capsys)["error"]["message"]
    main(shoot(photo, tmp_path / "out", "--outfit", "toga"))
    assert "outfit 'toga' is unknown, choose from" in printed(capsys)["error"]["message"]
    main(shoot(photo, tmp_path / "out", "--colour", "mauve"))
    assert "colour 'mauve' is unknown, choose from" in printed(capsys)["error"]["message"]
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    main(shoot(photo, tmp_path / "out"))
    assert "OMP_NUM_THREADS is 'many'" in printed(capsys)["error"]["message"]
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ValueError("a bug"), "fault"),
        (OSError(28, "No space left on device", "x.jpg"), "files"),
        (KeyboardInterrupt(), "stopped"),
    ],
)
def test_a_fault_is_an_error_object_and_exit_code_1(
    fault: BaseException, reason: str, photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(studio, "shoot", broken)
    assert main(shoot(photo, tmp_path / "out")) == 1
    assert printed(capsys)["error"]["reason"] == reason


def test_numbers_that_json_does_not_have_are_null(tmp_path: Path) -> None:
    value = {"a": float("nan"), "b": [float("inf"), 1.5], "c": ("x", -float("inf")), "d": "gl\udcfcck"}
    assert json.loads(to_json(value)) == {"a": None, "b": [None, 1.5], "c": ["x", None], "d": "gl�ck"}
    write_json(tmp_path / "x.json", value)
    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == json.loads(to_json(value, ascii_only=True))


def test_what_can_be_listed_is_listed_as_json(capsys: Capture) -> None:
    assert main(["tweaks", "--json"]) == 0
    assert {"name": "retouch", "version": 1, "takes": "0 to 1"} in printed(capsys)["tweaks"]
    assert main(["tweaks"]) == 0
    assert "undo, redo" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0
    assert {"Python", "CPU", "weights"} <= {check["name"] for check in printed(capsys)["checks"]}


# --- files ---


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.txt"

    def killed() -> None:
        with writing(file) as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert list(file.parent.iterdir()) == []
    with writing(file) as draft:
        draft.write_text("whole")
        assert not file.exists()
    assert file.read_text() == "whole"
    assert list(file.parent.iterdir()) == [file]


CHECKED_TWICE = """
import sys
from core.cli import main
as_json = main(["check", sys.argv[1], "--json"])
print("---", flush=True)
as_text = main(["check", sys.argv[1]])
sys.exit(2 if as_json == as_text == 2 else 1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not store such a name")
def test_a_name_that_is_not_utf_8_is_told_and_not_a_fault(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/gl\xfcck.jpg"
    Path(os.fsdecode(name)).write_bytes(b"no photo")
    asked: list[str | bytes] = [sys.executable, "-c", CHECKED_TWICE, name]
    done = subprocess.run(asked, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"}, timeout=300)
    assert done.returncode == 2, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    as_json, as_text = done.stdout.decode().split("---")
    assert "gl\ufffdck.jpg" in json.loads(as_json)["photos"][0]["name"]
    assert "gl\ufffdck.jpg" in as_text


def test_two_photos_of_one_name_are_told_apart(tmp_path: Path, capsys: Capture) -> None:
    face = sitters.collins()
    photos = [str(tmp_path / folder / "IMG_0001.png") for folder in ("a", "b")]
    photos.append(str(tmp_path / "IMG_0001.webp"))
    for photo, rgb in zip(photos, (face, sitters.turned(face, 10), sitters.turned(face, 0, 10)), strict=True):
        Path(photo).parent.mkdir(exist_ok=True)
        Path(photo).write_bytes(sitters.encoded(rgb))
    assert main(["check", *photos, "--draw", str(tmp_path / "maps"), "--json"]) == 0
    seen = printed(capsys)["photos"]
    assert [photo["name"] for photo in seen] == ["IMG_0001.png", "IMG_0001 (2).png", "IMG_0001.webp"]
    assert {file.name for file in (tmp_path / "maps").iterdir()} == {
        "IMG_0001-map.jpg",
        "IMG_0001 (2)-map.jpg",
        "IMG_0001-map (2).jpg",
    }


# --- threads ---


@pytest.mark.parametrize(("given", "threads"), [("2,1", 2), (" 3 ", 3), ("1", 1)])
def test_a_list_of_threads_means_its_first(given: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert settings.threads() == threads


@pytest.mark.parametrize("given", ["two", "0", "-1", "1.5", ",2"])
def test_threads_that_are_no_number_are_refused_by_name(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    with pytest.raises(Refused, match="OMP_NUM_THREADS"):
        settings.threads()


def test_a_system_that_does_not_tell_the_usable_cores_has_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert settings.threads() == os.cpu_count()


def test_commands_of_the_front_of_house_are_handed_on() -> None:
    assert set(cli.HANDED_ON) >= {"chat", "run", "forget"}


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_whoever_reads_only_the_beginning_is_told_of_no_fault(how: tuple[str, ...]) -> None:
    """`atelier styles | head` ended in two tracebacks."""
    command = [sys.executable, "-m", "core.cli", "styles", *how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as told:
        assert told.stdout is not None
        assert told.stderr is not None
        told.stdout.close()
        assert told.stderr.read() == b""
    assert told.returncode == 0
