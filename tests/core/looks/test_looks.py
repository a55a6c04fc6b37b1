"""Claims about single looks: their tones, dots, lines and palettes are what a hand has, not what a photo has."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.edit.recipe import developed
from core.looks import graphite, ink, poster
from core.looks.engraving import INK as PRINT_INK
from core.looks.engraving import SHEET as PRINT_SHEET
from core.looks.facets import stained_glass
from core.looks.finish import newest
from core.looks.lines import along, edge_lines, outline, stroke
from core.looks.proportions import caricatured, distinction, eyes_enlarged, mean_face
from core.looks.subject import Subject, subject_of
from core.looks.texture import form_flow, halftone, hatching
from core.looks.watercolour import PAPER
from core.types import Layers, Recipe

Drawing = Callable[[str], np.ndarray]


@pytest.fixture(scope="module")
def subject(layers: Layers, recipe: Recipe) -> Subject:
    return subject_of(developed(layers, recipe).photograph, layers)


@pytest.fixture(scope="module")
def drawing(subject: Subject) -> Drawing:
    made: dict[str, np.ndarray] = {}

    def of(look: str) -> np.ndarray:
        if look not in made:
            cv2.setRNGSeed(1)
            made[look] = newest()[look].draw(subject, 1.0, np.random.default_rng(1))
        return made[look]

    return of


def flat_colours(rgb: np.ndarray, where: np.ndarray) -> tuple[int, float]:
    """Return how many colours make up nine tenths of what is flat in a region, and how much of it is flat."""
    same = (rgb == np.roll(rgb, 1, 0)).all(-1) & (rgb == np.roll(rgb, 1, 1)).all(-1) & where
    _, counts = np.unique(rgb[same], axis=0, return_counts=True)
    share = np.sort(counts)[::-1].cumsum() / max(int(counts.sum()), 1)
    return int(np.searchsorted(share, 0.9)) + 1, float(same.sum() / where.sum())


def from_line(rgb: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how far colours (N, 3) lie off the line between two inks, in 0..1 sRGB."""
    way = (other - one) / np.linalg.norm(other - one)
    off = rgb / np.float32(255) - one
    return np.linalg.norm(off - (off @ way)[:, None] * way, axis=1)


@pytest.mark.parametrize(("look", "tones"), [("anime", 5), ("cartoon", 4)])
def test_a_cel_has_few_flat_tones_in_a_region(look: str, tones: int, drawing: Drawing, subject: Subject) -> None:
    skin = cv2.erode((subject.skin > 0.95).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    number, flat = flat_colours(drawing(look), skin)
    assert number <= tones
    assert flat > 0.5
    photo = np.round(subject.rgb * 255).astype(np.uint8)
    assert flat_colours(photo, skin)[1] < 0.1


def test_poster_skin_and_hair_are_printed_in_its_inks_alone(drawing: Drawing, subject: Subject) -> None:
    head = cv2.erode((subject.figure - subject.cloth > 0.95).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    seen = drawing("poster")[head].astype(np.float32) / 255
    near = np.min([np.abs(seen - colour).max(axis=1) for colour in poster.LADDER], axis=0)
    assert np.mean(near < 0.01) > 0.7  # the rest are the soft edges between two
    assert np.mean(near < 0.25) > 0.98


def test_pop_art_paints_skin_in_one_of_its_palettes(drawing: Drawing, subject: Subject) -> None:
    skin = drawing("pop_art")[subject.skin > 0.95].astype(np.float32) / 255
    shares = []
    for palette in poster.POP:
        colours = [np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) / 255 for c in palette]
        colours.append((colours[0] + colours[1]) / 2)  # the tone between skin and its shade
        shares.append(np.mean(np.min([np.abs(skin - colour).max(axis=1) for colour in colours], axis=0) < 0.02))
    assert max(shares) > 0.6


def test_pop_art_is_loud_over_a_grey_backdrop_and_keeps_the_hue_of_any_other(subject: Subject) -> None:
    def behind(colour: tuple[float, float, float]) -> np.ndarray:
        rgb = np.where(subject.figure[..., None] < 0.02, np.array(colour, np.float32), subject.rgb)
        drawn = newest()["pop_art"].draw(replace(subject, rgb=rgb), 1.0, np.random.default_rng(1))
        return np.asarray(np.median(drawn[subject.figure < 0.01], axis=0), np.float32)

    assert np.ptp(behind((0.55, 0.55, 0.56))) > 60
    green = behind((0.3, 0.6, 0.35))
    assert green.argmax() == 1
    assert np.ptp(green) > 100


@pytest.mark.parametrize(("look", "darkest"), [("pencil", 110), ("charcoal", 80)])
def test_dark_skin_is_drawn_darker_and_keeps_its_lights(look: str, darkest: int, subject: Subject) -> None:
    def mean_of(rgb: np.ndarray) -> float:
        drawn = newest()[look].draw(replace(subject, rgb=rgb.astype(np.float32)), 1.0, np.random.default_rng(1))
        return float(drawn[cheeks].mean())

    cheeks = cv2.erode((subject.skin > 0.95).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    dark = subject.rgb * (1 - 0.65 * subject.skin[..., None])
    assert mean_of(dark) < mean_of(subject.rgb) - 15
    assert mean_of(dark) > darkest, "and features can still be told"


def test_even_strokes_are_as_dark_as_they_are_asked_to_be_everywhere(subject: Subject) -> None:
    flow = form_flow(subject.normals)
    wanted = np.full(subject.figure.shape, 0.4, np.float32)
    blurred = []
    for even in (0.0, 3.0):
        strokes = hatching(wanted, flow, 12.0, 1.0, np.random.default_rng(1), softness=0.5, even=even)
        blurred.append(cv2.GaussianBlur(strokes, (0, 0), 8.0))
        assert strokes.std() > 0.2, "strokes all the same"
    assert blurred[1].std() < 0.5 * blurred[0].std()
    assert abs(float(blurred[1].mean()) - 0.4) < 0.06


def test_strokes_round_a_form_have_no_seam(subject: Subject) -> None:
    height, width = subject.figure.shape
    x, y = np.meshgrid(np.linspace(-0.9, 0.9, width), np.linspace(-0.9, 0.9, height))
    ball = np.dstack([x, y, np.sqrt(np.clip(1 - x * x - y * y, 0, 1))]).astype(np.float32)
    flow = form_flow(ball, steadiness=1.2)
    assert np.abs(np.diff(flow, axis=0)).max() < 0.2
    assert np.abs(np.diff(flow, axis=1)).max() < 0.2


@pytest.mark.parametrize("pitch", [6.0, 9.5])
def test_halftone_has_its_frequency_and_its_darkness(pitch: float) -> None:
    dots = halftone(np.full((256, 256), 0.3, np.float32), pitch, ink.ANGLE_DEG)
    assert abs(float(dots.mean()) - 0.3) < 0.06
    power = np.abs(np.fft.rfft2(dots - dots.mean()))
    row, column = np.unravel_index(int(power.argmax()), power.shape)
    assert np.hypot(np.fft.fftfreq(256)[row], column / 256) == pytest.approx(1 / pitch, rel=0.08)


def test_comic_shades_with_dots_of_that_frequency(drawing: Drawing, subject: Subject) -> None:
    pitch = 1.6 * max(ink.PITCH * subject.eye, 3.0)
    corner = drawing("ink")[:64, :64].astype(np.float32).mean(axis=-1)
    power = np.abs(np.fft.rfft2((corner - corner.mean()) * np.outer(np.hanning(64), np.hanning(64))))
    power[:3, :3] = power[-3:, :3] = 0
    row, column = np.unravel_index(int(power.argmax()), power.shape)
    assert np.hypot(np.fft.fftfreq(64)[row], column / 64) == pytest.approx(1 / pitch, rel=0.25)


@pytest.mark.parametrize(
    ("look", "sheet", "pigment"),
    [("pencil", graphite.SHEET, graphite.GRAPHITE), ("engraving", PRINT_SHEET, PRINT_INK)],
)
def test_a_line_look_holds_nothing_but_its_paper_and_its_ink(
    look: str, sheet: np.ndarray, pigment: np.ndarray, drawing: Drawing
) -> None:
    assert np.percentile(from_line(drawing(look).reshape(-1, 3).astype(np.float32), sheet, pigment), 99) < 0.04


@pytest.mark.parametrize("look", ["pencil", "engraving"])
def test_no_photographic_gradient_shines_through_a_line_look(look: str, subject: Subject) -> None:
    """A smooth ramp of light over the whole face comes out as strokes: paper between them stays as light."""
    height, width = subject.figure.shape
    ramp = np.broadcast_to(np.linspace(0.35, 0.75, width, dtype=np.float32)[None, :, None], (height, width, 3))
    plain = replace(
        subject, rgb=ramp.copy(), skin=np.ones_like(subject.skin), figure=np.ones_like(subject.skin),
        hair=0 * subject.hair, hat=0 * subject.hat, cloth=0 * subject.cloth,
    )  # fmt: skip
    drawn = newest()[look].draw(plain, 1.0, np.random.default_rng(1)).mean(axis=-1)
    cheek = drawn[-60:-10]  # below the features, where nothing but the ramp is
    tiles = cheek[:, : width // 16 * 16].reshape(50, -1, 16).transpose(1, 0, 2).reshape(width // 16, -1)
    lightest = np.percentile(tiles, 95, axis=1)
    means = tiles.mean(axis=1)
    assert np.ptp(means) > 20
    assert np.mean(lightest > 205) > 0.8


def test_watercolour_leaves_the_sheets_border_white(drawing: Drawing) -> None:
    assert np.abs(drawing("watercolour")[:4, :4].astype(np.float32) / 255 - PAPER).max() < 0.03


def test_low_poly_is_a_few_hundred_flat_triangles(drawing: Drawing, subject: Subject) -> None:
    rgb = drawing("low_poly")
    number, flat = flat_colours(rgb, np.ones(rgb.shape[:2], bool))
    assert 100 < number < 3000
    assert flat > 0.3


def test_glass_is_held_in_lead_all_over(drawing: Drawing) -> None:
    lead = (drawing("stained_glass").max(axis=-1) < 90).astype(np.uint8)
    labels = cv2.connectedComponents(1 - lead, connectivity=4)[1]
    sizes = np.bincount(labels.ravel())[1:]
    assert np.sum(sizes > 40) > 15
    assert sizes.max() < 0.3 * lead.size


@pytest.mark.parametrize("look", ["oil", "watercolour", "charcoal", "low_poly"])
def test_no_pore_of_the_photo_is_in_a_painting(look: str, drawing: Drawing, subject: Subject) -> None:
    where = cv2.erode((subject.skin > 0.95).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0

    def fine(picture: np.ndarray) -> np.ndarray:
        luma = picture.astype(np.float32).mean(axis=-1)
        return np.asarray((luma - cv2.GaussianBlur(luma, (0, 0), 1.0))[where])

    assert abs(np.corrcoef(fine(drawing(look)), fine(subject.rgb))[0, 1]) < 0.5


def test_every_look_draws_a_sitter_without_hair_hat_or_cloth(subject: Subject) -> None:
    nothing = np.zeros_like(subject.skin)
    bare = replace(subject, skin=subject.figure, hair=nothing, hat=nothing, cloth=nothing)
    small = stained_glass(bare, 0.0, np.random.default_rng(1))
    assert small.shape == subject.rgb.shape


def test_enlarged_eyes_are_larger_and_the_mesh_goes_with_them(subject: Subject) -> None:
    drawn = subject.moved(eyes_enlarged(subject, 0.3, 0.6))
    tall = [np.linalg.norm(s.mesh[159, :2] - s.mesh[145, :2]) for s in (subject, drawn)]
    assert 1.2 < tall[1] / tall[0] < 1.8
    assert np.abs(drawn.mesh[[152, 10, 61, 291], :2] - subject.mesh[[152, 10, 61, 291], :2]).max() < 0.05 * subject.eye


def test_the_mean_face_has_nothing_to_exaggerate_and_a_long_nose_gets_longer(subject: Subject) -> None:
    eyes = mean_face()[[33, 263]]
    scale = 1.6 * subject.eye / np.linalg.norm(eyes[1] - eyes[0])
    mesh = subject.mesh.copy()
    mesh[:468] = mean_face() * scale + np.array([128, 130, 0], np.float32)
    assert np.abs(distinction(replace(subject, mesh=mesh))).max() < 0.5
    longer = mesh.copy()
    longer[np.hypot(*(longer[:, :2] - longer[4, :2]).T) < 0.35 * subject.eye, 1] += 0.15 * subject.eye
    tip = np.round(longer[4, :2]).astype(int)
    flow = caricatured(replace(subject, mesh=longer), 0.7)
    assert flow[tip[1], tip[0], 1] < -0.02 * subject.eye  # what is drawn there comes from above


def test_smoothing_along_a_flow_blurs_along_it_and_not_across() -> None:
    noise = np.random.default_rng(0).standard_normal((96, 96)).astype(np.float32)
    flow = np.dstack([np.ones((96, 96)), np.zeros((96, 96))]).astype(np.float32)
    smooth = along(noise, flow, 8.0)
    assert np.abs(np.diff(smooth, axis=1)).mean() < 0.3 * np.abs(np.diff(smooth, axis=0)).mean()
    assert along(np.full((32, 32), 0.4, np.float32), flow[:32, :32], 5.0) == pytest.approx(0.4, abs=1e-5)


def test_lines_stand_on_edges_and_nowhere_else() -> None:
    step = np.where(np.arange(80)[None] < 40, 0.2, 0.8).repeat(80, 0).astype(np.float32)
    flow = np.dstack([np.zeros((80, 80)), np.ones((80, 80))]).astype(np.float32)
    drawn = edge_lines(step, flow, 1.5, 0.97, 0.03)
    assert drawn[:, 34:46].max() > 0.9
    assert drawn[10:70, :25].max() == 0
    assert drawn[10:70, 55:].max() == 0
    assert outline(step, 3.0, 0.5)[40, 38:42].max() > 0.9
    assert not outline(np.ones((20, 20), np.float32), 3.0, 0.5).any()


def test_a_stroke_tapers() -> None:
    canvas = np.zeros((60, 120), np.float32)
    stroke(canvas, np.array([[10, 30], [60, 30], [110, 30]], np.float32), [1.0, 9.0, 1.0])
    widths = canvas.sum(axis=0)
    assert widths[60] == pytest.approx(9, abs=1)
    assert widths[15] < 4
