"""The shipped base model: stock diffusers opens it, it repeats itself, its clothes obey, its repair repairs."""

import csv
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from skimage.color import deltaE_ciede2000, rgb2lab

from core.colour import LUMINANCE, linear
from core.cutout.parser import Parser
from core.engines.denoise import denoise
from core.engines.redress import generate as generation
from core.engines.redress import repair
from core.engines.redress.garment import KINDS, TIE, Cloth, cloths_of, lay_out
from core.engines.redress.generate import conditioning, draw_torso, dress, generate
from core.engines.redress.lora import lab_error
from core.engines.redress.nets import BASE, SIZE, Nets, base_torso, predict_head
from core.errors import Stopped
from core.intake.locate import LocatedFace, locate
from core.scene.neck_relief import relief_of
from core.scene.stage import Choice, Setup, set_up
from core.scene.style import Outfit, load
from core.types import F32, Cutout, FaceMap, Recipe
from tests import sitters
from tools import pairs, train_base

JACKETS = {"charcoal": "#303439", "navy": "#1f2a44", "royal": "#2c4a86", "wine": "#6e1e30", "sand": "#beaa8c",
           "green": "#28543e"}  # fmt: skip


@pytest.fixture(scope="module")
def nets() -> Nets:
    return Nets()


def suit(jacket: str, tie: str = "#821e28") -> Outfit:
    return Outfit(title="Suit", kind="suit_tie", jacket=jacket, shirt="#edf1f7", tie=tie)


@pytest.fixture(scope="module")
def setup(hopper_map: FaceMap, hopper_cutout: Cutout) -> Setup:
    """With a drawn garment: it is what the net draws folds for."""
    return replace(set_up(hopper_map, hopper_cutout, load("office"), Choice(), 0, 5, 0.3), garment=None)


def drawn(nets: Nets, setup: Setup, outfit: Outfit, seed: int = 1) -> F32:
    return draw_torso(replace(setup, outfit=outfit, seed=seed), nets, lambda: False)


@pytest.fixture(scope="module")
def in_suit(nets: Nets, setup: Setup) -> Callable[[str], F32]:
    """Draw a suit of a colour, each once."""
    return cache(lambda colour: drawn(nets, setup, suit(colour)))


@pytest.mark.parametrize("name", ["torso", "head"])
def test_stock_diffusers_opens_the_shipped_nets_and_computes_the_same(name: str, nets: Nets) -> None:
    stock = UNet2DModel.from_pretrained(BASE / name, local_files_only=True).float().eval()
    assert sum(p.numel() for p in stock.parameters()) < 14e6
    assert all(torch.isfinite(p).all() for p in stock.parameters())
    own = getattr(nets, name)
    assert own.state_dict().keys() == stock.state_dict().keys()
    seen = torch.randn((2, stock.config.in_channels, 20, 24), generator=torch.Generator().manual_seed(0))
    times, kinds = torch.tensor([999.0, 250.0]), torch.tensor([1, 3])
    with torch.no_grad():
        assert torch.allclose(own(seen, times, kinds), stock(seen, times, kinds).sample, atol=1e-4)


def test_all_weights_together_stay_under_40_megabytes() -> None:
    assert sum(file.stat().st_size for file in BASE.rglob("*.safetensors")) < 40e6


def test_same_seed_draws_the_same_bytes_and_another_seed_another_cloth(
    nets: Nets, setup: Setup, in_suit: Callable[[str], F32]
) -> None:
    first = in_suit("#1f2a44")
    again, other = (drawn(nets, setup, suit("#1f2a44"), seed) for seed in (1, 2))
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).max() > 0.01


def test_a_grown_neck_is_neither_smoother_than_plastic_nor_rougher_than_the_own_it_ends_in(
    nets: Nets, setup: Setup
) -> None:
    founder = replace(
        setup, outfit=Outfit(title="Open", kind="suit_open", jacket="#303439", shirt="#edf1f7", tie="#303439")
    )
    layers = dress(founder, drawn(nets, setup, founder.outfit), nets)
    luma = layers.sitter.astype(np.float32).mean(axis=-1)
    uneven = luma / cv2.GaussianBlur(luma, (0, 0), 3) - 1
    bare = (layers.neck > 250) & (layers.garment[..., 3] == 0) & (layers.head == 0)
    own = cv2.erode(founder.layers.neck, np.ones((41, 41))) > 250
    grown = cv2.erode((bare & (founder.layers.neck == 0)).astype(np.uint8), np.ones((9, 9))) > 0
    assert grown.sum() > 2000
    assert 0.3 < np.abs(uneven[grown]).mean() / np.abs(uneven[own]).mean() < 1


def test_a_grown_neck_has_the_form_of_a_real_one_and_the_own_keeps_its_own(
    nets: Nets, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    founder = replace(
        setup, outfit=Outfit(title="Open", kind="suit_open", jacket="#303439", shirt="#edf1f7", tie="#303439")
    )
    torso = drawn(nets, founder, founder.outfit)
    formed = dress(founder, torso, nets)
    monkeypatch.setattr(generation, "relief_of", lambda who, row: np.ones_like(relief_of(who, row)))
    flat = dress(founder, torso, nets)
    change = np.log((linear(formed.sitter) @ LUMINANCE + 1e-3) / (linear(flat.sitter) @ LUMINANCE + 1e-3))
    bare = (formed.neck > 250) & (formed.garment[..., 3] == 0) & (formed.head == 0)
    kept = cv2.erode(cv2.copyMakeBorder(founder.layers.neck, 1, 1, 1, 1, cv2.BORDER_CONSTANT), np.ones((3, 3)))
    depth = cv2.distanceTransform((kept > 250).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    own = depth > 0.9 * depth.max()  # the middle of what the photo shows
    assert np.ptp(np.percentile(change[bare & (founder.layers.neck == 0)], (5, 95))) > 0.15
    assert np.abs(change[own]).mean() < 0.03, depth.max()


def test_nearest_named_colour_of_the_drawn_jacket_is_the_asked_one(in_suit: Callable[[str], F32]) -> None:
    labs = {name: rgb2lab(np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) / 255) for name, c in JACKETS.items()}
    for name, colour in JACKETS.items():
        picture = in_suit(colour)
        seen = rgb2lab(np.median(picture[45:, 4:30, :3].reshape(-1, 3), axis=0))  # the left sleeve
        away = {other: float(deltaE_ciede2000(seen, lab)) for other, lab in labs.items()}
        assert min(away, key=away.__getitem__) == name, away


def test_the_person_is_solid_where_ordered_and_leaves_the_backdrop_free(
    setup: Setup, in_suit: Callable[[str], F32]
) -> None:
    matte = in_suit("#303439")[..., 3]
    told = (conditioning(setup) + 1) / 2
    ordered = np.clip(told[3] + told[4] + told[8], 0, 1)
    assert matte[cv2.erode(ordered, np.ones((5, 5))) > 0.99].mean() > 0.96
    assert matte[cv2.dilate(ordered, np.ones((9, 9))) < 0.01].mean() < 0.05


def test_the_net_draws_folds_and_edges_where_the_order_is_flat(setup: Setup, in_suit: Callable[[str], F32]) -> None:
    picture = in_suit("#1f2a44")
    flat = base_torso(torch.from_numpy(conditioning(setup)[None]))[0, :3].permute(1, 2, 0).numpy() / 2 + 0.5
    sleeve = (slice(40, 72), slice(2, 40))
    assert picture[sleeve][..., :3].std(axis=(0, 1)).mean() > 2 * flat[sleeve].std(axis=(0, 1)).mean()


def test_the_neck_has_the_colour_of_the_face(setup: Setup, in_suit: Callable[[str], F32]) -> None:
    picture = in_suit("#1f2a44")
    neck = rgb2lab(np.median(picture[picture[..., 4] > 0.9][:, :3], axis=0))
    face = rgb2lab(np.array(setup.skin))
    neck[0] = face[0]  # it may stand in the chin's shadow
    assert float(deltaE_ciede2000(neck, face)) < 10


def test_the_net_leaves_no_grid_of_its_own_patches(in_suit: Callable[[str], F32]) -> None:
    picture = in_suit("#beaa8c")
    across = np.abs(np.diff(picture[40:, :, :3].mean(axis=-1), axis=1)).mean(axis=0)
    seams = across[3::4].mean()
    assert seams < 1.5 * np.delete(across, np.s_[3::4]).mean()


def clean_head() -> F32:
    rgb = sitters.hopper()
    return cv2.GaussianBlur(repair.head_of(rgb, sitters.landmarks(rgb)), (0, 0), 0.6)  # the scan's own noise away


@pytest.mark.parametrize("strength", [0.4, 0.8])
def test_spoilt_heads_come_back_nearer_to_the_truth(nets: Nets, strength: float) -> None:
    truth, left = clean_head(), []
    for seed in (3, 4):
        spoilt = repair.degrade(truth, strength, np.random.default_rng(seed))
        restored = repair.restore(partial(predict_head, nets.head), spoilt, strength)
        left.append(lab_error(restored, truth) / lab_error(spoilt, truth))
    assert np.mean(left) < 0.95


def test_a_clean_head_is_left_exactly_as_it_is(nets: Nets) -> None:
    truth = clean_head()
    assert repair.restore(partial(predict_head, nets.head), truth, 0.0) is truth
    spoilt = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        out = predict_head(nets.head, torch.randn(1, 3, 64, 64), spoilt, torch.ones(1), torch.zeros(1))
    assert torch.equal(out, spoilt)  # even when asked


def test_stop_is_obeyed_between_two_denoising_steps() -> None:
    with pytest.raises(Stopped, match="step 0 of 4"):
        denoise(lambda x, time: x, torch.zeros(1, 1, 2, 2), 4, lambda: True)


def test_denoising_arrives_at_the_picture_a_perfect_net_knows() -> None:
    truth = torch.linspace(-1, 1, 16).reshape(1, 1, 4, 4)
    noise = torch.randn((1, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(denoise(lambda x, time: truth, noise, 12, lambda: False), truth)


def test_every_kind_of_garment_was_labelled_often_enough_to_be_learnt() -> None:
    with pairs.KINDS_FILE.open(encoding="utf-8") as lines:
        kinds = [row["kind"] for row in csv.DictReader(lines)]
    assert len(kinds) == 539
    assert all(kinds.count(kind) >= 8 for kind in KINDS)


@pytest.fixture(scope="module")
def example(hopper_map: FaceMap) -> pairs.Example:
    located = locate(sitters.encoded(hopper_map.selfie.rgb), "sitter", sitters.MODELS)
    assert isinstance(located, LocatedFace)
    return pairs._example(located, Parser(), False, "suit_tie")


def test_a_training_pair_tells_the_layout_and_hides_what_is_to_be_drawn(example: pairs.Example) -> None:
    torso = pairs.torso(example)
    target, told, weight, kind = pairs.torso_pair(torso, np.random.default_rng(0), vary=False)
    assert (target.shape, told.shape, weight.shape) == ((5, 72, 128), (10, 72, 128), (72, 128))
    assert kind == 1 + KINDS.index("suit_tie")
    known = (told[8] + 1) / 2
    cloth = (target[3] > 0.9) & (target[4] < -0.9) & (torso.layers[..., 4] < 0.05)
    assert known[cloth].max() < 0.1  # nothing of the clothes is given away
    laid_out = lay_out(Cloth("suit_tie", (0, 0, 0), (0, 0, 0)), example.body, SIZE, 0)
    assert (torso.drawn[0] == cloths_of(laid_out, "suit_tie")).all()
    assert (torso.drawn[0] == TIE).any()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["torso", "head"])
def test_training_goes_on_from_the_checkpoint_a_kill_left(
    mode: str, example: pairs.Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples.pkl").write_bytes(pickle.dumps([example]))
    monkeypatch.setattr(train_base, "CACHE", tmp_path)
    monkeypatch.setattr(pairs, "CACHE", tmp_path)
    train_base.train(mode, steps=1)
    first = torch.load(tmp_path / f"{mode}.pt")  # all that is left of the first run
    train_base.train(mode, steps=2)
    second = torch.load(tmp_path / f"{mode}.pt")
    assert (first["step"], second["step"]) == (1, 2)
    adam = second["optimiser"]["state"][0]
    assert adam["step"] == 2  # the optimiser remembers the run before


def test_seeds_change_the_garment_and_nothing_of_the_face(
    collins_map: FaceMap, collins_cutout: Cutout, nets: Nets
) -> None:
    one = replace(set_up(collins_map, collins_cutout, load("office"), Choice(), 0, 1, 0.3), garment=None)
    one.settings["crop"] = "portrait"
    other = replace(one, seed=2)
    first = generate(one, "office", "job", nets, "a", lambda: False)
    second = generate(other, "office", "job", nets, "b", lambda: False)
    assert isinstance(first.recipe, Recipe)
    assert not np.array_equal(first.layers.garment, second.layers.garment)
    assert np.array_equal(first.layers.head, second.layers.head)
    face = first.layers.head == 255
    assert np.array_equal(first.layers.sitter[face], second.layers.sitter[face])
