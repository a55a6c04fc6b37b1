"""Buttons: what they carry comes back as it went."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.dialogue import buttons as b
from bots.dialogue import events as e
from bots.dialogue.menu import Menu, default_menu
from bots.dialogue.screens.choices import DetailsOpened, StylePicked
from bots.dialogue.screens.gallery import PastOpened
from tests.conversations import PLATFORMS


def biggest(kind: type[b.Press]) -> b.Press:
    """A press with the longest values the menu and the numbers can bring."""
    menu: Menu = default_menu()
    words = [*(look.id for look in menu.looks), *menu.purposes, *(v for _, vs in menu.details for v in vs)]
    edits = [f"{name}={value}" for name, values in menu.tweaks for value in values]
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        longest = max(edits if field.name in ("tweak", "edit") else words, key=len)
        values[field.name] = {"int": 999_999, "bool": True, "str": longest}[str(field.type)]
    return kind(**values)


@pytest.mark.parametrize("platform", list(PLATFORMS))
@pytest.mark.parametrize("kind", list(b.PRESSES.values()), ids=lambda kind: kind.__name__)
def test_every_button_fits_and_comes_back_as_it_went(kind: type[b.Press], platform: str) -> None:
    """Of the millionth account, the millionth gallery, and the longest name on the menu."""
    press, most = biggest(kind), PLATFORMS[platform].button_bytes
    data = b.encode(press, "fffff", "zzzz", most)
    assert len(data.encode()) <= most
    assert b.decode(data) == b.Pressed("fffff", "zzzz", press)
    assert b.decode("0" + data[1:]) == e.StaleButton("old")
    assert b.decode(data + ":1") == e.StaleButton("torn")


@given(st.text(max_size=80))
def test_no_button_data_raises(data: str) -> None:
    assert isinstance(b.decode(data), b.Pressed | e.StaleButton)


def test_a_button_refuses_what_it_cannot_carry() -> None:
    with pytest.raises(ValueError, match="does not fit a button"):
        b.encode(StylePicked("büro", True), "1f", "k3f9", 64)
    with pytest.raises(ValueError, match="64 is the limit"):
        b.encode(StylePicked("x" * 60, True), "1f", "k3f9", 64)


def test_a_button_made_before_a_field_was_added_means_its_default() -> None:
    assert b.decode("2past:1f:k3f9") == b.Pressed("1f", "k3f9", PastOpened(0))
    assert b.decode("2details:1f:k3f9:outfit") == b.Pressed("1f", "k3f9", DetailsOpened("outfit", 0))
    assert b.decode("2turn:1f:k3f9:1") == e.StaleButton("torn")


def test_a_second_button_of_the_same_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'past' belongs to PastOpened"):
        type("Another", (b.Press,), {"op": "past", "__slots__": ()})
    assert b.PRESSES["past"] is PastOpened
