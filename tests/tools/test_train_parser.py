"""Claims about the parser's training: labels mended by rule, recomposed exactly, a run that goes on where it ended."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from core.cutout.nets import SIZE, ParserNet, RefinerNet
from core.face.mesh import BROWS, CHIN, FACE_OVAL, LIPS
from core.types import F32, U8
from tools import parser_labels, parser_pictures, train_parser
from tools.measure_parser import evaluate, iou
from tools.parser_labels import (
    CLOTHES,
    HAIR,
    HAT,
    HEIGHT,
    SKIN,
    WIDTH,
    Record,
    headed,
    mend,
    outlined,
    unpack,
    with_backdrop,
    within,
)
from tools.parser_pack import plain_alpha
from tools.parser_pictures import Pictures
from tools.parser_pixels import behind, composite, foreground
from tools.parser_recompose import Recomposer

FACE = (128, 150, 45, 62)
"""Middle and half axes of the made-up people's faces, in pixels of the parser's frame."""
SKIN_RGB, CLOTH_RGB, BACK_RGB = (200, 150, 120), (40, 60, 110), (90, 120, 200)


def mesh() -> F32:
    """A face's points that the rules look at, on an ellipse."""
    x, y, across, down = FACE
    points = np.tile(np.array([x, y], np.float32), (478, 1))
    angles = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[list(FACE_OVAL)] = np.stack([x + across * np.sin(angles), y - down * np.cos(angles)], axis=1)
    points[[*BROWS[0], *BROWS[1]], 1] = y - 0.45 * down
    points[list(LIPS), 1] = y + 0.5 * down
    points[parser_labels.NOSE, 1] = y + 0.2 * down
    points[CHIN] = x, y + down
    return points


def ellipse(middle: tuple[int, int], axes: tuple[int, int]) -> F32:
    drawn = np.zeros((320, 256), np.uint8)
    cv2.ellipse(drawn, middle, axes, 0, 0, 360, 1, -1)
    return drawn.astype(np.float32)


def drawn_person() -> tuple[U8, F32]:
    """A face under hair over a body, flat colours: (320, 256, 3), and their exact label, (3, 320, 256)."""
    x, y, across, down = FACE
    face = ellipse((x, y), (across, down))
    hair = np.maximum(ellipse((x, y - 20), (across + 14, down + 8)) - face, 0)
    hair[y + 20 :] = 0
    body = np.zeros_like(face)
    body[y + down - 8 :, 40:216] = 1
    body = np.maximum(body - face - hair, 0)
    rgb = np.full((320, 256, 3), BACK_RGB, np.uint8)
    for part, colour in ((body, CLOTH_RGB), (hair, (60, 40, 30)), (face, SKIN_RGB)):
        rgb[part > 0.5] = colour
    return rgb, np.stack([hair, face, body])


def record(name: str, portrait: bool, held: bool) -> Record:
    rgb, label = drawn_person()
    size = parser_labels.LARGE if portrait else SIZE
    alpha = cv2.resize(label.sum(axis=0), size)

    def webp(picture: U8 | F32) -> U8:
        return np.asarray(cv2.imencode(".webp", np.asarray(picture, np.uint8))[1], np.uint8).ravel()

    return Record(
        name=name,
        portrait=portrait,
        held=held,
        size=(320, 256),
        transform=np.eye(2, 3, dtype=np.float32),
        points=mesh(),
        rgb=webp(cv2.cvtColor(cv2.resize(rgb, size), cv2.COLOR_RGB2BGR)),
        label=webp(np.concatenate(list(label * 255), axis=1)),
        person=webp(cv2.resize(label.sum(axis=0) * 255, (128, 160))),
        alpha=webp(alpha * 255) if portrait else None,
        clear=webp(np.full_like(alpha, 255)) if portrait else None,
    )


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Two portraits and two faces, one of each held out."""
    return [record(f"{place}.jpg", place < 2, place % 2 == 1) for place in range(4)]


def test_clothes_inside_the_oval_become_skin() -> None:
    rgb, label = drawn_person()
    x, y, *_ = FACE
    label[:, y + 10 : y + 40, x - 15 : x + 15] = np.array([0, 0, 1], np.float32)[:, None, None]
    mended = mend(label, rgb, mesh())
    inside = ellipse((x, y), (35, 50)) > 0
    assert mended[CLOTHES][inside].max() == 0
    assert mended[SKIN][inside & (np.arange(320)[:, None] > y)].min() == pytest.approx(1)


@pytest.mark.parametrize(("side", "becomes"), [(6, HAIR), (40, HAT)])
def test_a_little_cloth_above_the_brows_is_hair_and_much_is_a_hat(side: int, becomes: int) -> None:
    rgb, label = drawn_person()
    label[:, 62 : 62 + side, 128 - side : 128 + side] = np.array([0, 0, 1], np.float32)[:, None, None]
    mended = mend(label, rgb, mesh())
    assert mended[becomes, 64, 128] == pytest.approx(1)
    assert mended[CLOTHES, : int(150 - 0.45 * 62)].max() == 0


def test_skin_below_the_chin_in_the_jacket_s_colour_becomes_clothes() -> None:
    rgb, label = drawn_person()
    jacket = np.s_[240:, 60:100]
    label[SKIN][jacket], label[CLOTHES][jacket] = 1, 0
    mended = mend(label, rgb, mesh())
    assert mended[CLOTHES][280, 80] == pytest.approx(1)
    assert mended[SKIN][280, 80] == pytest.approx(0)


def test_inside_an_outline_is_skin_and_the_rest_of_the_body_below_the_jaw_is_clothes() -> None:
    rgb, label = drawn_person()
    parts = with_backdrop(mend(label, rgb, mesh()))
    points = mesh()
    jaw = int(points[CHIN, 1] - parser_labels.JAW * parser_labels.IOD)
    collar = jaw + 60
    drawn = outlined(parts, points, [[(110, jaw - 20), (146, jaw - 20), (146, collar), (110, collar)]])
    assert np.allclose(drawn.sum(axis=0), 1, atol=1e-4)
    assert np.array_equal(drawn[:, :jaw], parts[:, :jaw]), "the face keeps its label"
    assert drawn[1 + SKIN, collar - 8, 128] > 0.99
    assert drawn[1 + SKIN, collar + 8, 128] < 0.01
    body = parts[1 + SKIN] + parts[1 + CLOTHES]
    assert drawn[1 + CLOTHES, collar + 8, 128] == pytest.approx(body[collar + 8, 128], abs=0.01)


def test_hair_and_hat_are_what_was_outlined_and_what_else_was_called_so_is_the_face_or_lies_nearest() -> None:
    _, label = drawn_person()
    x, y, across, _ = FACE
    label[HAIR, 20:60, 10:60] = 1  # a lamp that was taken for hair
    label[HAIR, y - 10 : y + 10, x - 20 : x + 20], label[SKIN, y - 10 : y + 10, x - 20 : x + 20] = 1, 0
    parts = with_backdrop(np.concatenate([label, np.zeros_like(label[:1])]))

    def box(left: int, top: int, right: int, bottom: int) -> list[tuple[int, int]]:
        return [(2 * u, 2 * v) for u, v in ((left, top), (right, top), (right, bottom), (left, bottom))]

    outlines = {
        "hair": [box(60, 60, 196, 200)],
        "out": [box(x - across + 10, 110, x + across - 10, 200)],
        "hat": [box(50, 30, 206, 80)],
    }
    drawn = headed(parts, mesh(), outlines)
    assert np.allclose(drawn.sum(axis=0), 1, atol=1e-3)
    assert drawn.min() > -1e-6
    assert drawn[1 + HAT, 40:72, 60:196].min() > 0.99, "where the label had backdrop too"
    assert drawn[1 + HAIR, 88:150, 66 : x - across].min() > 0.99
    assert drawn[0, 24:28, 14:40].min() > 0.99, "the lamp"
    assert drawn[1 + SKIN, y - 8 : y + 8, x - 18 : x + 18].min() > 0.99, "hair in the middle of the face"
    assert np.allclose(drawn[:, 240:, :], parts[:, 240:, :], atol=1e-3), "the clothes keep their label"


def test_every_head_s_outline_is_hair_hat_or_out_and_lies_in_the_frame() -> None:
    heads = json.loads(parser_labels.HEADS.read_text())
    assert len(heads) > 300
    for outlines in heads.values():
        assert set(outlines) == {"hair", "out", "hat"}
        for outline in [outline for kind in outlines.values() for outline in kind]:
            corners = np.array(outline)
            assert len(corners) > 2
            assert (corners >= 0).all()
            assert (corners <= (2 * WIDTH, 2 * HEIGHT)).all()


def test_another_s_hat_covers_what_is_under_it_and_is_called_a_hat(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        parser_labels,
        "heads",
        lambda: {"2": {"hair": [], "out": [], "hat": [[(120, 80), (400, 80), (400, 180), (120, 180)]]}},
    )
    monkeypatch.setattr(parser_pictures, "heads", parser_labels.heads)
    torch.manual_seed(2)
    pictures = Pictures(records, "cpu")
    assert pictures.hats.tolist() == [2]
    draw = Recomposer(pictures)
    everybody = torch.zeros(40, dtype=torch.long)
    own = pictures.of(everybody)
    front, parts, hat = draw._hatted(own, own.rgb, own.parts)
    worn = hat.amax((1, 2, 3)) > 0.5
    assert 0 < worn.sum() < 20
    assert torch.allclose(parts.sum(1), own.parts.sum(1), atol=1e-5)
    assert parts[:, 4][hat[:, 0] > 0.99].min() > 0.98
    assert torch.equal(front[~worn], own.rgb[~worn])
    assert not torch.equal(front[worn], own.rgb[worn])


def test_what_is_put_behind_a_head_touches_its_outline_and_no_label(records: list[Record]) -> None:
    torch.manual_seed(2)
    draw = Recomposer(Pictures(records, "cpu"))
    own = draw.pictures.of(torch.zeros(40, dtype=torch.long))
    back, things = draw._cluttered(own.rgb, own.parts)
    put = things.amax((1, 2, 3)) > 0.5
    assert 4 < put.sum() < 20
    head = (own.parts[:, 1:2] + own.parts[:, 4:5] > 0.5).float()
    near = functional.max_pool2d(head, 17, 1, 8) - head
    assert ((things > 0.5) * near).sum((1, 2, 3))[put].min() > 0
    seen = ((back - own.rgb).abs().amax(1, keepdim=True) * (things > 0.9)).amax((1, 2, 3))
    assert seen[put].median() > 0.2


def test_every_outline_lies_in_the_frame_below_the_nose_and_no_listed_person_is_named_twice() -> None:
    necks = json.loads(parser_labels.NECKS.read_text())
    assert len(necks) > 100
    corners = np.array([corner for outlines in necks.values() for outline in outlines for corner in outline])
    assert corners.min(axis=0)[1] > HEIGHT * 0.4
    assert (corners <= (WIDTH, HEIGHT)).all()


def test_a_collar_moves_skin_to_clothes_and_leaves_face_hair_and_backdrop(records: list[Record]) -> None:
    torch.manual_seed(2)
    pictures = Pictures(records, "cpu")
    draw = Recomposer(pictures)
    everybody = torch.zeros(12, dtype=torch.long)
    own = pictures.of(everybody)
    bare = own.parts.clone()
    bare[:, 2, 214:270, 100:156], bare[:, 3, 214:270, 100:156] = bare[:, 3, 214:270, 100:156], 0
    own = replace(own, parts=bare)
    front, parts, worn = draw._collared(own, own.rgb, own.parts, pictures.points[everybody])
    assert 0 < worn.sum() < 12
    moved = own.parts - parts
    assert moved[:, 2].min() >= 0
    assert moved[:, 2].max() > 0.9
    assert torch.allclose(moved[:, 2], -moved[:, 3], atol=1e-6)
    assert torch.equal(parts[:, [0, 1, 4]], own.parts[:, [0, 1, 4]])
    assert (moved[:, 2] * own.oval[:, 0]).max() == 0
    assert torch.equal(front[worn[:, 0, 0, 0] == 0], own.rgb[worn[:, 0, 0, 0] == 0])


def test_where_the_teacher_says_the_opposite_a_face_has_no_label_and_a_portrait_keeps_its_own(
    records: list[Record],
) -> None:
    before = Pictures(records, "cpu")

    class Opposite(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            logits = torch.full((len(inputs), 5, 320, 256), -9.0)
            logits[:, 3] = 9.0
            return logits

    after = Pictures(records, "cpu", Opposite())
    face = int(torch.nonzero(~before.portrait)[0, 0])
    portrait = int(torch.nonzero(before.portrait)[0, 0])
    skin = before.parts[face, 2] > 250
    assert (after.parts[face, 2][skin].float() - 127).abs().max() < 6
    assert torch.equal(after.parts[portrait], before.parts[portrait])


def test_the_published_parser_is_trained_further_and_exported_alone(records: list[Record], tmp_path: Path) -> None:
    pack, run, weights = tmp_path / "pack.pt", tmp_path / "run", tmp_path / "weights"
    parser_labels.write(records, pack)
    train_parser.tune(pack, run, 0.01, train_parser.BASE, batch=1)
    train_parser.export(run, weights)
    assert [file.name for file in weights.iterdir()] == ["parser.safetensors"]
    published, tuned = (load_file(folder / "parser.safetensors") for folder in (train_parser.BASE, weights))
    changes = [float((tuned[key].float() - published[key].float()).abs().max()) for key in published]
    assert 0 < max(changes) < 0.01, "a step at the warm-up's rate from where it was"


def test_a_segmenter_is_asked_about_the_new_pictures(records: list[Record]) -> None:
    draw = Recomposer(Pictures(records, "cpu"), lambda rgb: torch.full_like(rgb[:, :1], 0.25))
    assert (draw.batch(3).person == 0.25).all()
    assert (draw.large_batch(2).small.person == 0.25).all()


@pytest.mark.parametrize(
    ("back", "read"),
    [((150, 180, 120), True), ((70, 45, 35), False), (None, False)],
    ids=["plain", "in the hair's colour", "busy"],
)
def test_alpha_is_read_off_a_plain_backdrop_of_any_colour_that_is_not_the_hair_s(
    back: tuple[int, int, int] | None, read: bool
) -> None:
    rgb, label = drawn_person()
    large, figure = cv2.resize(rgb, parser_labels.LARGE), cv2.resize(label.sum(axis=0), parser_labels.LARGE)
    coarse = cv2.GaussianBlur(figure, (0, 0), 4)
    true = cv2.GaussianBlur(figure, (0, 0), 1.5)
    rng = np.random.default_rng(0)
    shade = np.linspace(0.9, 1.1, large.shape[0])[:, None, None]
    behind_it = rng.uniform(0, 255, large.shape) if back is None else np.array(back) * shade
    photo = (large * figure[..., None] + (1 - figure[..., None]) * np.array(SKIN_RGB)) * true[..., None]
    photo = np.clip(photo + behind_it * (1 - true[..., None]), 0, 255).astype(np.uint8)
    reached = np.ones(figure.shape, bool)
    reached[:, :20] = False
    found = plain_alpha(photo, coarse, reached)
    assert (found is not None) is read
    if found is not None:
        alpha, clear = found
        trusted = (clear > 0.5) & (np.arange(len(alpha))[:, None] < 300)
        assert not trusted[:, :20].any()
        assert np.abs(alpha - true)[trusted].mean() < 0.01


def test_classes_sum_to_one_with_and_without_an_exact_alpha() -> None:
    rgb, label = drawn_person()
    parts = with_backdrop(mend(label, rgb, mesh()))
    assert np.allclose(parts.sum(axis=0), 1, atol=1e-5)
    alpha = cv2.GaussianBlur(1 - parts[0], (0, 0), 3)
    exact = within(parts, alpha)
    assert np.allclose(exact[0], 1 - alpha)
    assert np.allclose(exact.sum(axis=0), 1, atol=0.02)


def test_a_pack_comes_back_as_it_was_written(records: list[Record], tmp_path: Path) -> None:
    parser_labels.write(records, tmp_path / "pack.pt")
    back = parser_labels.read(tmp_path / "pack.pt")
    assert [(r.name, r.portrait, r.held, r.alpha is None) for r in back] == [
        (r.name, r.portrait, r.held, r.alpha is None) for r in records
    ]
    assert np.array_equal(unpack(back[0]).parts, unpack(records[0]).parts)


def test_a_figure_that_covers_all_is_its_own_foreground_and_its_composite() -> None:
    torch.manual_seed(0)
    rgb, other = torch.rand(2, 1, 3, 320, 256)
    all_over = torch.ones(1, 1, 320, 256)
    front = foreground(rgb, all_over, all_over)
    assert torch.allclose(front, rgb, atol=1e-5)
    assert torch.allclose(composite(all_over, front, other), rgb, atol=1e-5)


def test_the_backdrop_is_carried_on_behind_the_figure() -> None:
    rgb, label = drawn_person()
    picture = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    alpha = torch.from_numpy(label.sum(axis=0))[None, None].clamp(0, 1)
    filled = behind(picture, alpha, torch.ones_like(alpha))
    assert torch.allclose(filled[0, :, 150, 128] * 255, torch.tensor(BACK_RGB).float(), atol=3)


def test_recomposed_labels_still_sum_to_one_and_an_exact_alpha_mixes_two_colours(records: list[Record]) -> None:
    torch.manual_seed(1)
    draw = Recomposer(Pictures(records, "cpu"))
    batch = draw.batch(8)
    assert torch.allclose(batch.parts.sum(1), torch.ones(8, 320, 256), atol=1e-3)
    assert batch.inputs().shape == (8, 6, 320, 256)
    assert batch.inputs().abs().max() <= 1
    large = draw.large_batch(2)
    assert large.rgb.shape == (2, 3, 640, 512)
    assert 0.1 < large.alpha.mean() < 0.9


def test_nobody_held_out_is_drawn(records: list[Record]) -> None:
    pictures = Pictures(records, "cpu")
    assert pictures.trained.tolist() == [0, 2]
    assert pictures.large_trained.tolist() == [0]
    assert len(pictures.weight) == 2


def test_a_run_goes_on_from_its_checkpoint_and_exports_what_it_averaged(
    records: list[Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack, run = tmp_path / "pack.pt", tmp_path / "run"
    parser_labels.write(records, pack)
    train_parser.train(pack, run, (0.01, 0.01), batch=1)
    first = {name: torch.load(run / f"{name}.pt", weights_only=True) for name in ("parser", "refiner")}
    assert [state["step"] for state in first.values()] == [1, 1]
    spent = first["parser"]["seconds"]
    assert spent > 0.01
    train_parser.train(pack, run, (spent + 0.01, 0.01), batch=1)
    second = torch.load(run / "parser.pt", weights_only=True)
    assert second["step"] == 2
    assert second["seconds"] > spent
    assert second["optimiser"]["state"][0]["step"] == 2
    assert torch.load(run / "refiner.pt", weights_only=True)["step"] == 1  # its budget was spent
    assert "parser ended at step 2" in capsys.readouterr().out
    train_parser.export(run, tmp_path / "weights")
    lines = list(evaluate(pack, tmp_path / "weights"))
    assert any("parser and refiner" in line for line in lines)


def test_iou_counts_sure_pixels_the_photo_reaches() -> None:
    label = np.zeros((5, 40, 40), np.float32)
    label[0, :20], label[1, 20:] = 1, 1
    found = np.zeros((40, 40), int)
    found[30:] = 1
    valid = np.ones((40, 40), np.float32)
    assert iou(found, label, valid)[1] == pytest.approx(0.5)
    found[20:30] = 4  # hair taken for a hat is kept with the head all the same
    assert iou(found, label, valid)[5] == pytest.approx(1)
    valid[20:30] = 0
    assert iou(found, label, valid)[1] == pytest.approx(1)
    assert np.isnan(iou(found, label, valid)[4])


def test_losses_are_least_for_the_truth() -> None:
    torch.manual_seed(0)
    parts = torch.nn.functional.one_hot(torch.randint(5, (1, 32, 32)), 5).permute(0, 3, 1, 2).float()
    valid, exact = torch.ones(1, 1, 32, 32), torch.ones(1, 1, 1, 1)
    right = train_parser.parser_loss(parts * 20, parts, valid, exact)
    wrong = train_parser.parser_loss(parts.roll(1, 1) * 20, parts, valid, exact)
    assert right < 0.01 < wrong
    unsure = parts.clone()
    unsure[:, 2] = unsure[:, 3] = 0.5 * (1 - parts[:, 0])
    unsure[:, 1] = unsure[:, 4] = 0
    lost = [float(train_parser.parser_loss(parts * 20, unsure, valid, each)) for each in (exact, 0 * exact)]
    assert lost[0] == pytest.approx(lost[1], rel=0.5), "an exact alpha makes no label of skin and clothes sure"
    alpha = torch.full((1, 1, 32, 32), 0.5)
    assert train_parser.refiner_loss(alpha, alpha, valid) == 0
    assert train_parser.refiner_loss(alpha + 0.1, alpha, valid) > 0.05


def test_nets_begin_without_a_change_to_the_parser_s_own_alpha() -> None:
    found = torch.rand(1, 5, 64, 64)
    inputs = torch.cat([torch.zeros(1, 3, 64, 64), found], 1)
    assert torch.allclose(RefinerNet()(inputs), (1 - found[:, :1]).clamp(0.02, 0.98), atol=1e-5)
    assert ParserNet()(torch.zeros(1, 6, 320, 256)).shape == (1, 5, 320, 256)


def test_training_needs_torch_numpy_and_opencv_alone() -> None:
    absent = ("mediapipe", "safetensors", "scipy", "PIL", "diffusers", "skimage", "pymatting", "cv2.ximgproc")
    code = f"import sys\nfor name in {absent}: sys.modules[name] = None\nimport tools.train_parser"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(train_parser.__file__).parent.parent)
