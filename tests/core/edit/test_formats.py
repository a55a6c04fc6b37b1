"""Claims about formats: their pixels, the head as tall as asked, what is not met is said, shoulders are carried on."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.edit import masks
from core.edit.formats import formats, head_of, measured, move_of, place
from core.edit.output import place as placed_by
from core.edit.recipe import develop, edit, effective
from core.edit.upscale import upscaled
from core.edit.widen import widened
from core.errors import Refused
from core.face.mesh import EYES
from core.models import Models
from core.types import Portrait

DOCUMENTS = sorted(name for name, each in formats().items() if each.size_mm)
SCREENS = sorted(name for name, each in formats().items() if each.size_px)


def test_there_are_a_dozen_countries_each_with_a_source() -> None:
    papers = [each for each in formats().values() if each.document]
    assert len(papers) >= 12
    for each in papers:
        assert each.head_mm
        assert each.backdrop
        assert each.source.startswith("https://")
        assert each.size_mm
        assert each.head_mm[1] < each.size_mm[1]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_documents_head_has_its_height_and_its_eyes_their_line(collins: Portrait, name: str) -> None:
    wanted = formats()[name]
    zoom, _, down = move_of(collins.layers, name)
    top, eyes, chin = (zoom * row + down for row in head_of(collins.layers, wanted.head_top))
    assert wanted.head_mm
    asked = sum(wanted.head_mm) / 2 * wanted.pixels_a_mm
    assert abs((chin - top) / asked - 1) < 0.01
    assert 0 < top < eyes < chin < wanted.pixels[1]
    if wanted.eyes_mm:
        line = (wanted.pixels[1] - eyes) / wanted.pixels_a_mm
        assert wanted.eyes_mm[0] <= line <= wanted.eyes_mm[1]


@pytest.mark.parametrize("name", ["us_passport", "nl_passport"])
def test_a_document_has_its_pixels_and_what_it_measures_is_what_it_was_made_by(collins: Portrait, name: str) -> None:
    wanted, placed = formats()[name], place(collins.layers, name)
    assert placed.head.shape == wanted.pixels[::-1]
    top, _, chin = head_of(placed, wanted.head_top)
    assert wanted.head_mm
    assert (chin - top) / wanted.pixels_a_mm == pytest.approx(sum(wanted.head_mm) / 2, rel=0.01)


def test_the_head_in_the_picture_is_as_tall_as_its_mesh_says(hopper: Portrait, models: Models) -> None:
    recipe = edit(hopper.recipe, "format=de_passport")
    seen = models.landmarker.detect(develop(hopper.layers, recipe))
    assert seen is not None
    placed = placed_by(hopper.layers, effective(recipe))
    for points in (placed.landmarks, seen.landmarks):
        eyes = points[[33, 133, 362, 263], 1].mean()
        assert (
            abs(
                (points[152, 1] - eyes) / (placed.landmarks[152, 1] - placed.landmarks[[33, 133, 362, 263], 1].mean())
                - 1
            )
            < 0.04
        )


@pytest.mark.parametrize("name", ["us_passport", "de_passport", "jp_passport"])
def test_a_document_lands_on_its_backdrop(collins: Portrait, name: str) -> None:
    recipe = edit(collins.recipe, f"format={name}")
    rgb = develop(collins.layers, recipe)
    found, wrong = measured(placed_by(collins.layers, effective(recipe)), rgb, name)
    assert found["backdrop_de"] < 5.5
    assert "backdrop" not in wrong
    assert found["width_mm"] == pytest.approx(formats()[name].size_mm[0], rel=0.01)  # type: ignore[index]


def test_what_a_document_asks_for_and_a_portrait_has_not_is_said(collins: Portrait, hopper: Portrait) -> None:
    def wrong(portrait: Portrait, name: str) -> list[str]:
        """Of the layers alone: no backdrop is looked at."""
        placed = placed_by(portrait.layers, effective(edit(portrait.recipe, f"format={name}")))
        return measured(placed, placed.sitter, name)[1]

    assert "mouth_open" in wrong(collins, "de_passport")  # she laughs
    assert "mouth_open" not in wrong(hopper, "de_passport")
    assert "glasses" in wrong(hopper, "fr_passport")
    assert "glasses" not in wrong(collins, "fr_passport")
    park = edit(hopper.recipe, "format=fr_passport", "backdrop=park")
    placed = placed_by(hopper.layers, effective(park))
    assert "backdrop" in measured(placed, develop(hopper.layers, park), "fr_passport")[1]
    points = hopper.layers.landmarks.copy()
    points[454, 2] += 40
    turned = replace(hopper, layers=replace(hopper.layers, landmarks=points))
    assert "turned" in wrong(turned, "de_passport")


@pytest.mark.parametrize("name", SCREENS)
def test_a_screens_format_has_its_pixels(collins: Portrait, name: str) -> None:
    rgb = develop(collins.layers, edit(collins.recipe, f"format={name}"))
    assert rgb.shape[1::-1] == formats()[name].pixels
    if formats()[name].circle:
        assert (rgb[0, 0] == 255).all()
        assert rgb[len(rgb) // 2, 2].min() < 255


def test_a_shoulder_that_the_border_cuts_is_carried_on_without_a_step(collins: Portrait) -> None:
    wide, left = widened(collins.layers, 300, 300)
    assert 40 < left < 300
    before, after = wide.garment[:, left + 1, 3] > 127, wide.garment[:, left - 2, 3] > 127
    assert abs(int(np.argmax(before)) - int(np.argmax(after))) < 8
    assert not wide.garment[:, 0, 3].any()
    assert np.array_equal(wide.garment[:, left : left + 512, :3], collins.layers.garment[..., :3])


def test_hair_or_own_clothes_that_the_photo_cuts_are_not_shown_cut(collins: Portrait) -> None:
    cut = collins.layers.head.copy()
    cut[0, 200:300] = 255
    with pytest.raises(Refused, match="the photo cuts the hair"):
        place(replace(collins.layers, head=cut), "ca_passport")
    own = collins.layers.head.copy()
    own[500:, :] = 255
    layers = replace(collins.layers, head=own, parts=np.zeros((0, 0, 3), np.uint8))
    with pytest.raises(Refused, match="own clothes"):
        place(layers, "wide")


def test_nearer_and_headroom_move_the_head_and_never_show_where_the_body_ends(collins: Portrait) -> None:
    def seen(*texts: str) -> tuple[float, float]:
        layers = placed_by(collins.layers, effective(edit(collins.recipe, *texts)))
        assert (layers.garment[-1, 200:300, 3] > 200).all()
        points = layers.landmarks
        return float(points[152, 1] - points[10, 1]), float(points[[33, 263], 1].mean())

    tall, line = seen()
    assert seen("nearer=more")[0] == pytest.approx(1.18 * tall, rel=0.01)
    assert seen("further=more")[0] == pytest.approx(0.82 * tall, rel=0.01)
    assert seen("more_headroom=more")[1] == pytest.approx(line + 0.06 * 640, abs=2)
    assert seen("nearer=more", "less_headroom=more")[1] == pytest.approx(line - 0.06 * 640, abs=2)


def test_an_enlarged_print_is_the_same_picture_and_its_edges_are_sharper(collins: Portrait) -> None:
    told: list[tuple[int, int]] = []
    rgb = develop(collins.layers, collins.recipe)
    large = develop(collins.layers, edit(collins.recipe, "upscale"), lambda done, total: told.append((done, total)))
    assert large.shape == (1280, 1024, 3)
    back = cv2.resize(large, (512, 640), interpolation=cv2.INTER_AREA)
    assert np.abs(back.astype(float) - rgb).mean() < 2
    assert told[-1][0] == told[-1][1] > 1
    plain = cv2.resize(rgb, (1024, 1280), interpolation=cv2.INTER_LANCZOS4)
    lids = cv2.resize(masks.polygon(collins.layers, EYES[0], 1.3), (1024, 1280)) > 0.5

    def steep(picture: np.ndarray) -> float:
        luma = picture.astype(np.float32).mean(axis=-1)
        return float(cv2.magnitude(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))[lids].max())

    assert steep(large) > steep(plain)
    far = masks.oval(collins.layers, 1.3) < 0.01
    assert np.array_equal(large[::2, ::2][far], plain[::2, ::2][far])


def test_a_picture_of_another_size_than_its_layers_is_enlarged_all_the_same(collins: Portrait) -> None:
    assert upscaled(np.zeros((40, 32, 3), np.uint8), collins.layers, 4).shape == (160, 128, 3)
