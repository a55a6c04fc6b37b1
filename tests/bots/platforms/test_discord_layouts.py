"""A message on Discord keeps to Discord's limits: ids, components, characters, files, and names of files."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue.limits import BLOCKS
from bots.dialogue.screens.desk import Tweaked
from bots.dialogue.screens.gallery import PageOpened
from bots.platforms.discord.layouts import Post, data_of, file_name, fits, numbered, words
from bots.platforms.discord.limits import CUSTOM_ID, LIMITS, REQUEST_BYTES, UPLOAD_BYTES
from bots.platforms.uploads import Upload
from core.intake.decode import MAX_BYTES
from tests.conversations import browsing, card_of, walk


def components(post: Post) -> list[dict[str, Any]]:
    """Every component of a message, the container first."""
    found: list[dict[str, Any]] = []
    view: Any = post.view()
    left: list[Any] = list(view.to_components())
    while left:
        component = left.pop(0)
        found.append(component)
        left += component.get("components", [])
    return found


async def test_a_button_that_is_there_twice_has_two_ids_and_one_meaning() -> None:
    """With two portraits both arrows lead to the same page."""
    card = card_of(walk(browsing(), PageOpened(1, 1), limits=LIMITS))
    data = [button.data for row in card.rows for button in row]
    assert len(set(data)) < len(data)
    ids = [c["custom_id"] for c in components(Post(card.text, card.rows)) if c["type"] == 2]
    assert len(set(ids)) == len(ids)
    assert [data_of(id) for id in ids] == data


async def test_the_longest_data_of_a_button_fits_its_id_even_when_it_is_there_often() -> None:
    name = "x" * (LIMITS.button_bytes - len("2tweak:1f:k3f9:123:456:"))
    data = b.encode(Tweaked(123, 456, name), "1f", "k3f9", LIMITS.button_bytes)
    assert len(data) == LIMITS.button_bytes
    rows = tuple(tuple(fx.Button("again", data) for _ in range(5)) for _ in range(5))
    ids = [c["custom_id"] for c in components(Post("", rows)) if c["type"] == 2]
    assert max(map(len, ids)) == CUSTOM_ID
    assert len(set(ids)) == 25
    with pytest.raises(ValueError, match="is the limit"):
        b.encode(Tweaked(123, 456, f"{name}x"), "1f", "k3f9", LIMITS.button_bytes)


async def test_a_card_filled_to_its_room_has_forty_components_at_most() -> None:
    for wide in range(1, 6):
        room = LIMITS.room(0, 0, wide)
        buttons = [fx.Button(str(i), f"2b:{i}") for i in range(room)]
        rows = tuple(tuple(buttons[i : i + wide]) for i in range(0, room, wide))
        pictures = tuple(Upload(f"{i}.png", b"x", "a portrait") for i in range(LIMITS.pictures_a_card))
        made = components(Post("words", rows, pictures))
        assert 40 - (BLOCKS - 3) - 2 <= len(made) <= 40


@given(st.text(min_size=LIMITS.text - 5, max_size=LIMITS.text * 2) | st.text(alphabet="*_~`|>#-\\\n a", max_size=9000))
def test_words_never_have_more_than_discord_takes(text: str) -> None:
    shown = words(text)
    assert len(shown) <= LIMITS.text


@pytest.mark.parametrize("letters", [3999, 4000, 4001, 9000])
def test_plain_words_are_cut_at_the_border_and_not_before(letters: int) -> None:
    shown = words("a" * letters)
    assert len(shown) == min(letters, 4000)
    assert shown.endswith("…") == (letters > 4000)


def test_what_a_person_wrote_is_no_formatting() -> None:
    assert words("**bold** _it_ ~~no~~ `code` ||spoiler||").count("\\") >= 8
    assert words("# big\n> quoted\n- listed") == "\\# big\n\\> quoted\n\\- listed"


@given(st.text(max_size=80))
def test_files_have_names_that_discord_leaves_alone(name: str) -> None:
    assert set(file_name(fx.Picture("blob", name))) <= set(string.ascii_letters + string.digits + "._-")


async def test_two_files_of_one_name_are_told_apart() -> None:
    uploads = numbered([Upload("a.png", b"1"), Upload("a.png", b"2"), Upload("b.png", b"3")])
    assert [upload.name for upload in uploads] == ["a.png", "a-2.png", "b.png"]
    shown = [c for c in components(Post("", files=uploads)) if c["type"] == 13]
    assert [c["file"]["url"] for c in shown] == ["attachment://a.png", "attachment://a-2.png", "attachment://b.png"]


def test_a_message_holds_ten_files_and_as_many_bytes_as_a_request_may_have() -> None:
    nine = [Upload(f"{i}", b"x") for i in range(9)]
    assert fits(nine, Upload("9", b"x"))
    assert not fits([*nine, Upload("9", b"x")], Upload("10", b"x"))
    half = REQUEST_BYTES // 2
    assert fits([Upload("a", b"x" * half)], Upload("b", b"x" * (REQUEST_BYTES - half)))
    assert not fits([Upload("a", b"x" * half)], Upload("b", b"x" * (REQUEST_BYTES - half + 1)))
    assert fits([], Upload("a", b"x" * (REQUEST_BYTES + 1))), "Discord says what is wrong with it"


def test_the_largest_print_uncompressed_is_a_file_that_discord_takes() -> None:
    assert UPLOAD_BYTES > 1024 * 1280 * 3
    assert LIMITS.upload_bytes == UPLOAD_BYTES


def test_what_the_studio_can_open_is_fetched() -> None:
    assert LIMITS.fetch_bytes == MAX_BYTES


async def test_every_picture_has_its_alt_text_cut_to_what_discord_takes() -> None:
    post = Post("", pictures=(Upload("a.png", b"x", "seen " * 300), Upload("b.png", b"x", "a portrait")))
    (gallery,) = [c for c in components(post) if c["type"] == 12]
    assert [len(item["description"]) for item in gallery["items"]] == [1024, len("a portrait")]
    assert [file.description for file in post.uploads()] == [item["description"] for item in gallery["items"]]
