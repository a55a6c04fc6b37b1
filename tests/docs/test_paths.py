"""Claims about the documents: every file they name is there, and the README's map names every room."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "THIRD_PARTY.md", *(ROOT / "docs").glob("*.md"), ROOT / "styles" / "README.md"]
NAMED = re.compile(r"`((?:core|jobs|bots|styles|tools|tests|docs)/[\w./-]+)`|\]\((?!https?:|#)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_a_page_names_is_there(page: Path) -> None:
    for in_code, linked in NAMED.findall(page.read_text("utf-8")):
        place = ROOT / in_code if in_code else page.parent / linked
        assert place.exists(), f"{page.name} names {in_code or linked}"


def test_the_map_in_the_readme_names_every_room() -> None:
    shown = (ROOT / "README.md").read_text("utf-8")
    for package in ("core", "jobs", "bots"):
        rooms = [init.parent for init in (ROOT / package).glob("*/__init__.py")]
        assert rooms
        assert [room.name for room in rooms if f"{room.name}/" not in shown] == []
