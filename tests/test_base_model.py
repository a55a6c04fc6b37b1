"""The shipped base model: stock diffusers opens it, it repeats itself, it draws cloth in the asked colours."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.data import astronaut

from core.engines.embedded import BASE, SIZE, Embedded
from core.errors import Stopped
from core.garment import Body, Cloth, Layout, lay_out
from core.generate import denoise
from core.nouns import F32
from tools import train_base
from tools.train_base import Example

BODY = Body(neck_x=512, neck_width=190, collar_y=945, chin_y=858, shoulder_y=1200, left=-9, right=1033)
JACKETS = {"charcoal": (48, 52, 59), "navy": (31, 42, 68), "royal": (44, 74, 134), "wine": (110, 30, 48),
           "sand": (190, 170, 140), "green": (40, 84, 62)}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Embedded:
    return Embedded()


def ordered(jacket: tuple[int, int, int], tie: tuple[int, int, int] = (130, 30, 40)) -> Layout:
    return lay_out(Cloth("suit_tie", jacket, (237, 241, 247), tie), BODY, SIZE)


def drawn(engine: Embedded, rough: Layout, seed: int = 1) -> F32:
    """Draw a garment under a plain head and neck: (144, 256, 4) float32 0..1, the net's own answer."""
    keep = np.zeros((SIZE[1], SIZE[0], 4), np.float32)
    keep[..., :3] = (0.72, 0.52, 0.42)
    keep[:70, 104:152, 3] = 1
    told = engine.conditions(rough.rgba, keep)
    noise = torch.randn((1, 4, SIZE[1], SIZE[0]), generator=torch.Generator().manual_seed(seed))
    clean = denoise(lambda x, time: engine.predict(x, told, time), noise, 6, lambda: False)
    return np.clip((clean[0].permute(1, 2, 0).numpy() + 1) / 2, 0, 1)


def test_stock_diffusers_opens_the_shipped_net() -> None:
    net = UNet2DModel.from_pretrained(BASE / "garment", local_files_only=True)
    assert sum(p.numel() for p in net.parameters()) < 12e6
    assert all(torch.isfinite(p).all() for p in net.parameters())


def test_all_weights_together_stay_under_40_megabytes() -> None:
    assert sum(file.stat().st_size for file in BASE.rglob("*.safetensors")) < 40e6


def test_same_seed_draws_the_same_bytes_and_another_seed_another_cloth(engine: Embedded) -> None:
    rough = ordered(JACKETS["navy"])
    first, again, other = (drawn(engine, rough, seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).max() > 0.01


def test_nearest_named_colour_of_the_drawn_jacket_is_the_asked_one(engine: Embedded) -> None:
    for name, colour in JACKETS.items():
        rough = ordered(colour)
        picture = drawn(engine, rough)
        jacket = picture[..., :3][(rough.regions["jacket"] > 0.99) & (picture[..., 3] > 0.9)]
        seen = rgb2lab(np.median(jacket, axis=0))
        away = {other: float(deltaE_ciede2000(seen, rgb2lab(np.array(rgb) / 255))) for other, rgb in JACKETS.items()}
        assert min(away, key=away.__getitem__) == name, away


def test_garment_is_solid_where_it_was_ordered_and_leaves_the_backdrop_free(engine: Embedded) -> None:
    rough = ordered(JACKETS["charcoal"])
    matte = drawn(engine, rough)[..., 3]
    inside = cv2.erode(rough.rgba[..., 3], np.ones((9, 9))) > 0.99
    outside = cv2.dilate(rough.rgba[..., 3], np.ones((13, 13))) < 0.01
    assert matte[inside].mean() > 0.97
    assert matte[outside].mean() < 0.04


def test_net_shades_the_flat_rough_instead_of_giving_it_back(engine: Embedded) -> None:
    rough = ordered(JACKETS["navy"])
    picture = drawn(engine, rough)
    jacket = (rough.regions["jacket"] > 0.99) & (rough.crease < 0.01)
    assert picture[..., :3][jacket].std(axis=0).mean() > 2 * rough.rgba[..., :3][jacket].std(axis=0).mean()


def test_net_leaves_no_grid_of_its_own_patches(engine: Embedded) -> None:
    picture = drawn(engine, ordered(JACKETS["sand"]))
    across = np.abs(np.diff(picture[..., :3].mean(axis=-1)[60:], axis=1)).mean(axis=0)
    seams = across[7::8].mean()
    assert seams < 1.5 * np.delete(across, np.s_[7::8]).mean()


def test_stop_is_obeyed_between_two_denoising_steps() -> None:
    with pytest.raises(Stopped, match="step 0 of 4"):
        denoise(lambda x, time: x, torch.zeros(1, 1, 2, 2), 4, lambda: True)


def test_denoising_arrives_at_the_picture_a_perfect_net_knows() -> None:
    truth = torch.linspace(-1, 1, 16).reshape(1, 1, 4, 4)
    noise = torch.randn((1, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(denoise(lambda x, time: truth, noise, 12, lambda: False), truth)


@pytest.mark.slow
def test_training_goes_on_from_the_checkpoint_a_kill_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = cv2.resize(astronaut()[256:], SIZE, interpolation=cv2.INTER_AREA)
    garment = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    example = Example(False, garment, np.zeros_like(garment), np.full(picture.shape[:2], 255, np.uint8))
    (tmp_path / "garments.pkl").write_bytes(pickle.dumps([example]))
    monkeypatch.setattr(train_base, "CACHE", tmp_path)
    train_base.train(steps=1)
    first = torch.load(tmp_path / "garment.pt")  # all that is left of the first run
    train_base.train(steps=2)
    second = torch.load(tmp_path / "garment.pt")
    assert (first["step"], second["step"]) == (1, 2)
    adam = second["optimiser"]["state"][0]
    assert adam["step"] == 2  # the optimiser remembers the run before
