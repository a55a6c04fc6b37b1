"""Claims about docs/contributing.md: every example in it is run, in a copy of the packages.

A fenced block that begins with `# file: PATH` is written to PATH, with `# append: PATH` added to the end of the file
there; each other `python` block is run as a script in the copy. Sections (`## ...`) have a copy each.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "contributing.md"
PACKAGES = ("core", "jobs", "bots", "styles")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"^# (file|append): (\S+)\n")


@dataclass(frozen=True)
class Block:
    """One fenced block. mode: "file" or "append" with a path, "run" for a script, "" for what is only shown."""

    mode: str
    path: str
    text: str


def blocks_of(section: str) -> list[Block]:
    found = []
    for language, text in FENCE.findall(section):
        if place := PLACE.match(text):
            found.append(Block(place[1], place[2], text[place.end() :]))
        else:
            found.append(Block("run" if language == "python" else "", "", text))
    return found


def sections_of(page: str) -> dict[str, list[Block]]:
    """Return title -> blocks for every section of a page that has any."""
    parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    named = {title: blocks_of(body) for title, body in zip(parts[1::2], parts[2::2], strict=True)}
    return {title: blocks for title, blocks in named.items() if blocks}


SECTIONS = sections_of(PAGE.read_text("utf-8"))


def execute(blocks: list[Block], copy: Path) -> None:
    for package in PACKAGES:  # with what is compiled of it, but for what another process is about to write
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("*.pyc.*"))
    for block in blocks:
        if block.mode in ("file", "append"):
            place = copy / block.path
            assert place.resolve().is_relative_to(copy.resolve())
            place.parent.mkdir(parents=True, exist_ok=True)
            before = place.read_text("utf-8") if block.mode == "append" else ""
            place.write_text(before + block.text, "utf-8")
    for block in blocks:
        if block.mode == "run":
            asked = [sys.executable, "-c", block.text]
            done = subprocess.run(asked, cwd=copy, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{block.text}\n{done.stderr}"


@pytest.mark.parametrize("title", SECTIONS)
def test_the_example_works(title: str, tmp_path: Path) -> None:
    assert [block for block in SECTIONS[title] if block.mode == "run"], "an example proves itself by a python block"
    execute(SECTIONS[title], tmp_path)


def test_an_example_that_is_wrong_fails(tmp_path: Path) -> None:
    (blocks,) = sections_of(
        "## A\n```toml\n# file: styles/a.toml\nx = 1\n```\n```python\nimport core.absent\n```\n"
    ).values()
    with pytest.raises(AssertionError, match=r"core\.absent"):
        execute(blocks, tmp_path)


def test_examples_run_in_the_copy_and_not_here(tmp_path: Path) -> None:
    script = (
        "import core.errors as e, pathlib\nassert pathlib.Path(e.__file__).is_relative_to(pathlib.Path.cwd().resolve())"
    )
    execute([Block("run", "", script)], tmp_path)
