"""The same conversation in the terminal: scripts play, what is said is recorded, and a record plays again."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from bots import cli as front
from bots.dialogue import effects as fx
from bots.platforms.console import Terminal, typed_paths
from bots.platforms.transcript import Line, ScriptWrong, play, read
from jobs import settings as s
from jobs.run import Bot
from tests.chats import STUDIO, Player, running_bot
from tests.fakes.hold import Hold
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TelegramServer
from tests.live_services import until

TESTS = Path(__file__).parents[2]
SCRIPT = """
# consent, photos with a bad one and a stranger, two looks, an edit and its undo, a file, and goodbye
> /start
< I am Atelier, an AI system
> [I agree]
< Thank you
> + one.jpg two.jpg dark.jpg stranger.jpg
< This seems to be somebody else
< I have 2 good photos
> [Choose looks]
< Pick one or more looks
> [At work]
> [Office]
< Picked: Office
> [All looks]
> [Creative]
> [Founder]
< Picked: Office, Founder
> [Go: 8]
< Your 6 portraits are ready
> [▶]
< 2/6 · Office
> [Edit]
< 2/6
> [Tone]
< 2/6
> [Warmer: a touch]
< Edited: Warmer
> [↶ Undo]
< 2/6 · Office · 96 % of your own baseline
> [Close edits]
< 2/6
> [This file]
< full quality
> /forget
< Delete everything?
> [Delete everything]
< This is your receipt
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with two good photos, a dark one and a stranger."""
    folder = tmp_path / "photos"
    folder.mkdir()
    named = {"one": "gray", "two": "silver", "dark": "black", "stranger": "red"}
    for name, colour in named.items():
        (folder / f"{name}.jpg").write_bytes(picture(colour))
    return folder


async def test_a_script_plays_in_the_terminal_and_its_record_plays_again(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.txt"
    with record.open("w") as out:
        terminal = Terminal(tmp_path / "pictures", out, patience_s=60)
        await front.talk(s.load(data=tmp_path / "one"), terminal, read(SCRIPT), photos, STUDIO)
    shown = capsys.readouterr().out
    assert "  [1] I agree: 18 or older, photos of me" in shown
    assert re.search(r"pictures/shoots-\d+-office-00.jpg", shown)
    again = read(record.read_text())
    acts = [line for line in again if line.kind != "sees"]
    assert [line.kind for line in acts] == [line.kind for line in read(SCRIPT) if line.kind != "sees"]
    told = [Line(line.number, line.kind, line.text) for line in again if line.text.startswith("Photo ")]
    assert len(told) >= 4
    assert (tmp_path / "pictures" / "receipt.json").is_file()


async def test_the_first_portrait_is_saved_and_named_while_the_others_are_drawn(
    photos: Path, tmp_path: Path, hold: Hold, capsys: pytest.CaptureFixture[str]
) -> None:
    script = SCRIPT.partition("> [Office]")[0] + (
        "> [Office]\n< Picked: Office\n> [Personal]\n< Personal\n> [Go: 4]\n"
        "< Here is the first one\n< Your 3 portraits are ready\n"
    )
    terminal = Terminal(pictures := tmp_path / "pictures")
    talking = asyncio.create_task(front.talk(s.load(data=tmp_path / "data"), terminal, read(script), photos, STUDIO))
    await until(lambda: talking.done() or any(pictures.glob("shoots-*-office-00.jpg")))
    hold.let_go()
    await talking
    assert re.search(r"pictures/shoots-\d+-office-00.jpg\nHere is the first one", capsys.readouterr().out)


async def test_the_same_script_plays_over_telegram(photos: Path, tmp_path: Path) -> None:
    async with TelegramServer() as server, running_bot(tmp_path / "data", server):
        await play(read(SCRIPT), Player(server.person(7)), photos)
        assert server.violations == []


async def test_a_script_whose_words_do_not_come_says_which_line(photos: Path, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "pictures", patience_s=0.3)
    with pytest.raises(ScriptWrong, match="line 2, sees 'No such words'"):
        await front.talk(s.load(data=tmp_path / "data"), terminal, read("> /start\n< No such words"), photos, STUDIO)


def test_a_script_is_read_strictly() -> None:
    assert read("# remark\n\n> [Go]\n> + a.jpg 'b c.jpg'\n> hello\n< words") == [
        Line(3, "presses", "Go"),
        Line(4, "sends", "a.jpg 'b c.jpg'"),
        Line(5, "says", "hello"),
        Line(6, "sees", "words"),
    ]
    with pytest.raises(ScriptWrong, match="line 1"):
        read("hello")


async def test_only_what_was_saved_is_deleted(tmp_path: Path) -> None:
    """A folder of the person's own may be named with `--pictures`: nothing in it is written over or deleted."""
    own = {"wedding.jpg": b"mine", "office.jpg": b"mine too", "receipt.json": b"{}"}
    for name, data in own.items():
        (tmp_path / name).write_bytes(data)

    async def load(picture: fx.Picture) -> bytes:
        return b"portrait"

    terminal = Terminal(tmp_path)
    card = fx.Card("gallery", "1/1", pictures=(fx.Picture("blob", "office.jpg"),))
    handles = [*await terminal.show("me", card, None, load), *await terminal.show("me", card, "[1]", load)]
    handles += await terminal.show("me", fx.TextFile("receipt.json", "signed", "yours"), None, load)
    assert (tmp_path / "office (2).jpg").read_bytes() == b"portrait"
    assert (tmp_path / "receipt (2).json").read_text() == "signed"
    await Terminal(tmp_path).remove("me", handles)  # a later process knows them by their handles
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == own  # noqa: ASYNC240


def test_a_typed_line_names_files_as_people_and_file_managers_write_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["a.jpg", "my photo.jpg", "mum's.jpg", "ä b.jpg"]
    plain, blank, apostrophe, other = (tmp_path / name for name in names)
    for path in (plain, blank, apostrophe, other):
        path.write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    here = str(tmp_path)
    assert typed_paths("a.jpg") == [Path("a.jpg")]
    assert typed_paths(f"{here}/my photo.jpg") == [blank]
    assert typed_paths(f"'{here}/my photo.jpg' {here}/a.jpg") == [blank, plain]
    assert typed_paths(f"{here}/my\\ photo.jpg") == [blank]
    assert typed_paths(f"{here}/mum's.jpg") == [apostrophe]
    assert typed_paths(f"file://{here}/%C3%A4%20b.jpg") == [other]
    assert typed_paths(f"{here}/folder") == [tmp_path / "folder"]
    assert typed_paths(f"{here}/nothing here.jpg") == [Path(f"{here}/nothing here.jpg")]
    assert typed_paths("a.jpg gone.jpg") == [Path("a.jpg"), Path("gone.jpg")]
    assert typed_paths("~no.such.user/x.jpg") == [Path("~no.such.user/x.jpg")]
    for words in ("hello there", "it's me", "/start", "/report a.jpg is not me", "", "a.jpg looks bad", "'"):
        assert typed_paths(words) == [], words


async def test_a_missing_file_and_a_folder_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(tmp_path)
    await terminal.types(f"{tmp_path}/gone.jpg")
    await terminal.types(f"{tmp_path}/")
    shown = capsys.readouterr().out
    assert f"There is no file {tmp_path}/gone.jpg" in shown
    assert f"{tmp_path} is a folder" in shown


def test_the_commands_refuse_what_they_cannot_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATELIER_DATA", str(tmp_path))
    assert front.run(["all"]) == 2
    told = capsys.readouterr().err
    assert "@BotFather" in told
    assert "ATELIER_DISCORD_TOKEN" in told
    for platform, other in (("telegram", "discord"), ("discord", "telegram")):
        assert front.run([platform]) == 2
        told = capsys.readouterr().err.lower()
        assert f"atelier_{platform}_token" in told
        assert f"atelier_{other}_token" not in told
    assert front.forget(["telegram:99"]) == 2
    assert front.forget(["99", "--block"]) == 2
    assert front.chat(["--script", str(tmp_path / "nothing.txt")]) == 2
    assert "no such account" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "tokens", "runs"),
    [
        ("all", ("telegram",), ["telegram"]),
        ("all", ("discord",), ["discord"]),
        ("all", ("telegram", "discord"), ["telegram", "discord"]),
        ("telegram", ("telegram", "discord"), ["telegram"]),
        ("discord", ("telegram", "discord"), ["discord"]),
        ("worker", ("telegram", "discord"), []),
    ],
)
def test_a_platform_runs_when_there_is_a_token_for_it(
    what: str, tokens: tuple[str, ...], runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATELIER_DATA", str(tmp_path))
    for token in tokens:
        monkeypatch.setenv(f"ATELIER_{token.upper()}_TOKEN", "secret")
    ran: list[tuple[list[str], bool]] = []

    def run_parts(settings: object, bots: list[Bot], work: bool) -> None:
        ran.append(([bot.__name__ for bot in bots], work))

    monkeypatch.setattr(front, "run_parts", run_parts)
    assert front.run([what]) == 0
    assert ran == [(runs, what in {"all", "worker"})]


def test_an_operator_forgets_and_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATELIER_DATA", str(tmp_path))
    script = tmp_path / "hello.txt"
    script.write_text("> /start\n< I am Atelier\n")
    assert front.chat(["--script", str(script), "--pictures", str(tmp_path / "pictures")]) == 0
    capsys.readouterr()
    assert front.forget(["console:me", "--block"]) == 0
    assert '"signature"' in capsys.readouterr().out
    script.write_text("> /start\n< closed this studio for you\n")
    assert front.chat(["--script", str(script)]) == 0
    assert front.forget(["console:me", "--unblock"]) == 0
