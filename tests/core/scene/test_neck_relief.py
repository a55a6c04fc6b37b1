"""Claims about the form of a neck: what is drawn has tendons and a throat, in the hue of its own light."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.colour import LUMINANCE, dot, linear
from core.frame import PRINT
from core.scene.neck_relief import MOST, relief_of
from core.scene.neck_tone import GLARE, light_at, tone_of
from core.types import F32, Undressed
from tests.core.scene.test_neck_tone import CHIN_Y, EYE, even, lab_of, sitter
from tools.make_neck_relief import filled, without_side

TOP = 320
ROW = round((CHIN_Y + 0.6 * EYE - TOP) / 4)
"""A row of the tone across the throat."""


def of(who: Undressed, larger: int = 1) -> F32:
    """The relief below TOP, in a print so many times as large."""
    head = np.repeat(np.repeat(who.layers.head, larger, axis=0), larger, axis=1)
    return relief_of(replace(who, layers=replace(who.layers, head=head, chin=larger * CHIN_Y)), larger * TOP)


def test_a_drawn_neck_has_form_that_light_alone_does_not_have() -> None:
    who = sitter(even())
    plain, formed = (dot(tone_of(who, TOP, relief)[ROW, 48:80], LUMINANCE) for relief in (None, of(who)))
    bends = [np.abs(np.diff(np.log(cv2.GaussianBlur(row[None], (5, 1), 0)[0]), 2)).sum() for row in (plain, formed)]
    assert bends[1] > 3 * bends[0]


def test_it_is_never_stronger_than_is_said_and_lies_below_the_chin_alone() -> None:
    relief = of(sitter(even()))
    assert np.abs(np.log(relief)).max() <= MOST * 1.05
    beyond = of(replace(sitter(even()), body=replace(sitter(even()).body, neck_x=-3000)))
    assert np.ptp(beyond) < 0.6, "what the portrait does not show is averaged"
    down = np.abs(np.diff(np.log(relief[:, 60:68]), axis=0)).mean(axis=1)
    assert down[ROW - 15 : ROW + 15].mean() > 3 * down[-15:].mean(), "the chest has less form than the throat"


def test_it_is_mirrored_for_a_head_that_is_turned_to_the_other_side() -> None:
    who = replace(sitter(even()), turn_deg=-8.0)
    middle = replace(who, body=replace(who.body, neck_x=PRINT[0] / 2))
    left, right = (of(replace(middle, turn_deg=turn)) for turn in (-8.0, 8.0))
    assert right == pytest.approx(left[:, ::-1], abs=1e-4)
    assert np.abs(right - left).max() > 0.1, "a turned neck is not the same on both sides"


def test_it_goes_with_the_neck_and_with_the_size_of_the_print() -> None:
    who = sitter(even())
    aside = replace(who, body=replace(who.body, neck_x=who.body.neck_x + 64))
    assert of(aside)[:, 40:100] == pytest.approx(of(who)[:, 32:92], abs=2e-3), "64 print pixels are 8 of the tone's"
    large = cv2.resize(of(who, 2), of(who).shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(large - of(who)).max() < 0.08


def test_what_it_lightens_has_the_hue_of_skin_as_light() -> None:
    """Where light skin was made lighter by a factor it was orange."""
    who = sitter(even())
    face = replace(who, face_colour=(0.75, 0.62, 0.55))
    lit, plain = (tone_of(face, TOP, np.full(of(who).shape, gain, np.float32)) for gain in (1.15, 1))
    chroma = [float(np.hypot(*lab_of(each[ROW + 10, 64][None])[0, 1:])) for each in (lit, plain)]
    assert chroma[0] < 1.02 * chroma[1]


def test_what_a_portrait_shows_is_kept_and_carried_on_without_a_step() -> None:
    values, shown = np.zeros((90, 90), np.float32), np.zeros((90, 90), np.float32)
    values[:, 45:], shown[20:70, 20:70] = 0.4, 1
    values += np.linspace(-0.3, 0.3, 90, dtype=np.float32)[:, None]  # it has form where it ends
    values[shown == 0] = 9
    made = filled(values, shown)
    assert made[45, 30] == pytest.approx(0, abs=0.02)
    assert made[45, 60] == pytest.approx(0.4, abs=0.02)
    assert -0.3 < made.min() < made.max() < 0.7
    assert np.abs(np.diff(made, axis=0)).max() < 0.05, "no step at its upper and lower edge"


def test_light_is_read_between_the_rows_of_its_table() -> None:
    below, beside = np.array([-2, 0.3, 0.375, 0.45], np.float32), np.array([0, 2], np.float32)
    light = light_at(below, beside)
    assert light[2] == pytest.approx((light[1] + light[3]) / 2, abs=0.01)
    assert light[0, 0] < light[1, 0], "darkest below the chin"


def test_what_is_wide_is_the_same_on_both_sides() -> None:
    """The lamp stood at the side to which a head was turned by a tenth of a degree."""
    values = np.tile(np.linspace(-0.2, 0.2, 141, dtype=np.float32), (141, 1))
    values[60:80, 100:104] += 0.3
    made = without_side(values)
    assert np.abs(made - made[:, ::-1])[:40].max() < 0.12 < np.abs(values - values[:, ::-1])[:40].max()
    assert made[70, 102] - made[70, 90] > 0.25, "a tendon stays"


def test_no_throat_is_a_lamp_under_a_pale_face_and_form_lights_a_dark_one_as_it_is() -> None:
    who, most = sitter(even()), GLARE[1]
    for colour, pale in (((0.87, 0.72, 0.65), True), ((0.42, 0.28, 0.21), False)):
        face = replace(who, face_colour=colour)
        lit = dot(tone_of(face, TOP, np.full(of(who).shape, 1.8, np.float32)), LUMINANCE)
        plain = dot(tone_of(face, TOP), LUMINANCE)
        light = dot(linear(np.array(colour, np.float32)), LUMINANCE)
        assert (float(lit.max() / light) < most) is pale
        assert np.allclose(lit, 1.8 * plain, rtol=0.03) is not pale
