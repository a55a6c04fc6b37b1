"""Claims about gallery.html: it works alone and asks nobody, every version has its place, everything has a name."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.catalogue import LANGUAGES, sentences
from core.deliver.files import GREY_NOTES, encode_plain
from core.deliver.gallery import PAGES, gallery_page, write_gallery
from core.engines.facts import engines
from core.engines.redress.engine import RedressEngine
from core.face.coverage import NOTES
from core.judge.verdict import REASONS

SUMMARY = {"counts": "Drew 2, kept 2.", "proof": "Nothing was trained.", "honesty": "Made with AI."}


def card(name: str, edit: str = "", depth: int = 0, size: tuple[int, int] = (80, 100)) -> dict[str, Any]:
    rgb = np.full((size[1], size[0], 3), len(name), np.uint8)
    return {
        "rgb": rgb, "file": f"{name}.jpg", "exports": {"square": f"{name}-square.jpg"}, "depth": depth,
        "edit": edit or "As drawn", "width": size[0], "height": size[1], "title": "Office", "alt": f"Portrait {name}",
        "likeness": "94 %", "about": "From me.jpg.",
    }  # fmt: skip


class Page(HTMLParser):
    """Every element with its attributes and its own text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.elements[-1][2].append(data)

    def all(self, tag: str, **wanted: str) -> list[tuple[dict[str, str], str]]:
        wanted = {name.rstrip("_"): value for name, value in wanted.items()}
        return [
            (attributes, "".join(text).strip())
            for found, attributes, text in self.elements
            if found == tag and wanted.items() <= attributes.items()
        ]


@pytest.fixture(scope="module")
def raw() -> bytes:
    tree = [
        card("office-01"), card("film", "film: cinema", 1), card("light", "light left: lots", 2),
        card("cv", "format: cv", 1, (40, 80)),
    ]  # fmt: skip
    return gallery_page([tree, [card("office-02")]], SUMMARY)


@pytest.fixture(scope="module")
def page(raw: bytes) -> Page:
    return Page(raw)


def test_it_runs_its_own_script_and_style_alone_and_loads_nothing(raw: bytes, page: Page) -> None:
    ((policy, _),) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    rules = dict(rule.strip().split(" ", 1) for rule in policy["content"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", raw.decode(), re.DOTALL)
        assert len(inside) == 1
        digest = base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    for _, attributes, _ in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), "the policy forbids them"
        for name in ("src", "href"):
            assert ":" not in attributes.get(name, "").removeprefix("data:")
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest", raw.decode())


def test_every_version_can_be_chosen_and_the_last_one_is(page: Page) -> None:
    versions = [attributes["id"] for attributes, _ in page.all("article", class_="version")]
    assert len(versions) == len(set(versions)) == 5
    radios = page.all("input", type="radio")
    assert [attributes["value"] for attributes, _ in radios] == versions[:4], "one portrait has nothing to choose"
    assert len({attributes["name"] for attributes, _ in radios}) == 1, "arrow keys go from one to the next"
    assert ["checked" in attributes for attributes, _ in radios] == [False, False, False, True]
    assert [text for _, text in radios] == ["As drawn", "film: cinema", "light left: lots", "format: cv"]
    assert [attributes["class"] for attributes, _ in page.all("label")] == ["depth0", "depth1", "depth2", "depth1"]


def test_pictures_of_one_shape_alone_are_laid_over_each_other(page: Page) -> None:
    options = [(attributes, text) for attributes, text in page.all("option") if "data-alt" in attributes]
    assert {attributes["value"] for attributes, _ in options} == {"p0v0", "p0v1", "p0v2"}
    assert [attributes["value"] for attributes, _ in options if "selected" in attributes] == ["p0v0", "p0v0"]
    assert len(page.all("input", type="range")) == 3
    assert len(page.all("button", class_="second")) == 5, "any two can be seen beside each other"


def test_every_control_and_picture_says_what_it_is(page: Page) -> None:
    for tag in ("select", "input"):
        for attributes, text in page.all(tag):
            assert attributes.get("aria-label") or text
    for tag in ("a", "button"):
        assert all(text for _, text in page.all(tag))
    assert all(attributes["alt"] for attributes, _ in page.all("img"))
    assert len(page.all("a", class_="get")) == 5
    assert {attributes["href"] for attributes, text in page.all("a") if text == "Square"} == {
        f"{name}-square.jpg" for name in ("office-01", "film", "light", "cv", "office-02")
    }


def test_what_files_and_edits_are_called_is_text(raw: bytes) -> None:
    evil = '"><script>alert(1)</script>'
    made = Page(gallery_page([[card("a"), {**card("b", evil, 1), "title": evil, "alt": evil, "file": evil}]], SUMMARY))
    assert len(made.all("script")) == 1
    assert [attributes["alt"] for attributes, _ in made.all("img")] == ["Portrait a", evil]


def made(tmp_path: Path, language: str | None, **more: Any) -> Page:
    """The page of a sitting with an edit, a portrait that nothing can be measured against, and one that was dropped."""
    settings = {"outfit": "navy_suit"}
    records = [
        {"file": "office-01.jpg", "kept": True, "percent_of_baseline": 93.6, "cost_points": 2.4, "reasons": [],
         "recipe": {"style": "office", "source": "a", "width": 512, "height": 640, "settings": settings}},
        {"file": "noir-01.jpg", "kept": True, "percent_of_baseline": None, "cost_points": 0.0, "reasons": [],
         "notes": ["black_and_white"],
         "recipe": {"style": "noir", "source": "gone", "width": 512, "height": 640, "settings": settings}},
        {"file": "noir-02.jpg", "kept": False, "percent_of_baseline": 40.0, "cost_points": None,
         "reasons": ["eyes_closed"],
         "recipe": {"style": "noir", "source": "a", "width": 512, "height": 640, "settings": settings}},
    ]  # fmt: skip
    edit = {**records[0], "file": "e1.jpg", "parent": "office-01", "tweaks": ["warmer=lots", "outfit=own"]}
    for record in (*records, edit):
        (tmp_path / str(record["file"])).write_bytes(encode_plain(np.full((100, 80, 3), 99, np.uint8)))
    (tmp_path / "e1.json").write_text(json.dumps({**edit, "exports": {"square": "e1-square.jpg"}}))
    manifest = {
        "photos": [{"sha256": "a", "name": "me.jpg", "kept": True}], "portraits": records, "drawn": 3, "asked": 4,
        "kept": 2, "notes": ["glasses_differ"], "engine": "embedded", "honesty": "Made by hand.",
        "training": {"used": False, "reason": "not_asked"}, "gallery": "gallery.html", "language": language,
    }  # fmt: skip
    write_gallery({**manifest, **more}, tmp_path)
    return Page((tmp_path / "gallery.html").read_bytes())


def told(page: Page) -> set[str]:
    """Everything on a page that somebody reads or is read to, without script, style and file names."""
    words = {"".join(text).strip() for tag, _, text in page.elements if tag not in {"script", "style"}}
    words |= {
        given[name] for _, given, _ in page.elements for name in ("alt", "aria-label", "data-alt") if name in given
    }
    return {word for word in words if re.search(r"[^\W\d]{2}", word)}


TRAINED = [
    *({"used": False, "reason": why} for why in ("not_asked", "photos_sharp", "nothing_to_learn_from", "no_proof")),
    *({"used": used, "reason": "", "error_with": 0.1, "error_without": 0.2} for used in (True, False)),
]
LOANS = {"Avatar", "Noir"}
"""What is called the same in both languages."""


@pytest.mark.parametrize("engine", list(engines()))
def test_a_page_in_spanish_has_no_english_on_it(tmp_path: Path, engine: str) -> None:
    for training in TRAINED:
        english, spanish = (told(made(tmp_path, code, training=training, engine=engine)) for code in ("en", "es"))
        assert len(spanish) > 20
        assert english & spanish <= LOANS
        read = {word for text in spanish for word in re.findall(r"\w+", text.lower())}
        assert not read & {"the", "and", "of", "with", "without", "your", "is", "was", "were", "from", "it", "not"}
        assert any("Dropped: 1, eyes closed." in text for text in english)
        assert any("Descartados: 1, ojos cerrados." in text for text in spanish)
        assert any("Más cálido: mucho, Ropa: Tu propia ropa" in text for text in spanish)


def test_a_page_says_which_language_it_is_in_and_one_of_an_earlier_version_is_english(tmp_path: Path) -> None:
    assert made(tmp_path, "es").all("html", lang="es")
    assert made(tmp_path, "pt-BR").all("html", lang="en"), "no catalogue"
    assert made(tmp_path, None).all("html", lang="en")


def test_the_catalogues_have_the_words_of_the_page_and_no_others() -> None:
    used: set[str] = set(re.findall(r"say\('(\w+)'", (PAGES / "gallery.html").read_text("utf-8")))
    code = (PAGES.parent / "deliver" / "gallery.py").read_text("utf-8")
    used |= set(re.findall(r'say\((?:language, )?"(\w+)"', code))
    used |= set(GREY_NOTES.values())
    for language in LANGUAGES:
        page = {key.removeprefix("page.") for key in sentences(language) if key.startswith("page.")}
        assert {key for key in page if "." not in key} == used
        assert {key for key in page if key.startswith("honesty.")} == {f"honesty.{name}" for name in engines()}
        assert {f"dropped.{reason}" for reason in REASONS} <= set(sentences(language))
        assert {f"of_set.{word}" for word in NOTES} <= set(sentences(language))
    assert sentences("en")["page.honesty.embedded"] == RedressEngine.honesty
