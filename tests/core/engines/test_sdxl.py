"""The SD family on a CPU, with tiny random nets through the real loading path: what they draw is noise, how is not."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

from core import shoot, studio
from core.cli import main
from core.deliver import files
from core.engines.lora import TrainConfig
from core.engines.redress.engine import RedressEngine
from core.engines.registry import best_here, open_engine
from core.engines.sdxl import engine as stable
from core.engines.sdxl import lora, vram
from core.engines.sdxl.engine import StableDiffusionEngine
from core.engines.sdxl.measure import measure
from core.errors import EngineMissing, Stopped
from core.face.landmarks import map_face
from core.models import Models
from core.scene.stage import Choice, Setup, set_up
from core.scene.style import load
from core.types import Cutout, FaceMap, Identity, Selfie
from tests import sitters, tiny_stable

FETCH = "hf download nobody/ever-fetched-this --include '*.json' --include '*.txt' --include '*/*.safetensors'"
PUBLISHED = dict(vram.FAMILIES)
COLLINS = ("collins.png", sitters.encoded(sitters.collins()))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {kind: tiny_stable.save(kind, root / kind) for kind in ("sdxl", "sd15")}


@pytest.fixture(autouse=True)
def settings(folders: dict[str, Path], models: Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        StableDiffusionEngine, "_redress", models.engine
    )  # the shipped nets are loaded once for all tests
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")
    for kind, folder in folders.items():
        small = replace(vram.FAMILIES[kind], draws=(256, 320), learns=(128, 160))
        monkeypatch.setitem(vram.FAMILIES, kind, small)
        monkeypatch.setenv(f"ATELIER_{kind.upper()}_MODEL", str(folder))


@pytest.fixture
def engines(models: Models) -> dict[str, StableDiffusionEngine]:
    opened = {name: open_engine(name, models) for name in ("sdxl", "sd15")}
    assert all(isinstance(engine, StableDiffusionEngine) for engine in opened.values())
    return opened  # type: ignore[return-value]


@pytest.fixture
def setup(collins_map: FaceMap, collins_cutout: Cutout) -> Setup:
    made = set_up(collins_map, collins_cutout, load("office"), Choice(), 0, 1, 0.3)
    made.settings["crop"] = "portrait"
    return made


# what is missing is said


def test_the_setting_chooses_the_engine_and_auto_without_a_card_is_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ATELIER_ENGINE", "sd15")
    assert Models().engine.name == "sd15"
    assert Models("sdxl").engine.name == "sdxl"
    monkeypatch.delenv("ATELIER_ENGINE")
    if not torch.cuda.is_available():
        assert best_here() == "embedded"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a card is there")
def test_without_a_card_the_sentence_names_the_next_step(monkeypatch: pytest.MonkeyPatch, models: Models) -> None:
    monkeypatch.delenv("ATELIER_DEVICE")
    with pytest.raises(EngineMissing, match=r"^engine sdxl: torch \S+ sees no CUDA card; .*(CUDA build|nvidia-smi)$"):
        open_engine("sdxl", models)


def test_weights_that_were_never_fetched_name_the_command(
    monkeypatch: pytest.MonkeyPatch, models: Models, tmp_path: Path
) -> None:
    monkeypatch.setenv("ATELIER_SDXL_MODEL", "nobody/ever-fetched-this")
    with pytest.raises(EngineMissing) as missing:
        open_engine("sdxl", models)
    assert missing.value.next_step == FETCH
    monkeypatch.setenv("ATELIER_SDXL_MODEL", str(tmp_path / "absent"))
    with pytest.raises(EngineMissing, match="is no folder; set ATELIER_SDXL_MODEL"):
        open_engine("sdxl", models)


def test_half_a_model_another_family_and_an_inpainting_net_are_refused_before_anything_is_loaded(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, models: Models, tmp_path: Path
) -> None:
    half = tiny_stable.save("sd15", tmp_path / "half")
    (half / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    monkeypatch.setenv("ATELIER_SD15_MODEL", str(half))
    with pytest.raises(EngineMissing, match=r"lacks vae/\*.safetensors \(1 of its files"):
        open_engine("sd15", models)
    monkeypatch.setenv("ATELIER_SD15_MODEL", str(folders["sdxl"]))
    with pytest.raises(
        EngineMissing, match=r"holds a net of the kind sdxl; set ATELIER_SD15_MODEL to an SD 1\.5 model"
    ):
        open_engine("sd15", models)
    nine = tiny_stable.save("sd15", tmp_path / "nine")
    tiny_stable.change_config(nine / "unet", in_channels=9)
    monkeypatch.setenv("ATELIER_SD15_MODEL", str(nine))
    with pytest.raises(EngineMissing, match="takes 9 channels, 4 are needed"):
        open_engine("sd15", models)


def test_a_damaged_file_is_told_by_name(models: Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tiny_stable.save("sd15", tmp_path / "damaged")
    (damaged / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"half a download")
    monkeypatch.setenv("ATELIER_SD15_MODEL", str(damaged))
    engine = open_engine("sd15", models)
    assert isinstance(engine, StableDiffusionEngine)
    with pytest.raises(EngineMissing, match=r"unet in .* cannot be read"):
        _ = engine.unet


def test_the_command_line_says_it_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATELIER_SD15_MODEL", "nobody/ever-fetched-this")
    (tmp_path / "collins.png").write_bytes(COLLINS[1])
    asked = ["shoot", "collins.png", "--style", "office", "--engine", "sd15", "--out", "out", "--json"]
    assert main(asked) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["error"]["reason"] == "engine_missing"
    assert said["error"]["message"].endswith(FETCH)


# memory


@pytest.mark.slow
@pytest.mark.parametrize(("name", "unet", "encoders"), [
    ("sdxl", 2_567_463_684, (123_060_480, 694_659_840)),
    ("sd15", 859_520_964, (123_060_480,)),
])  # fmt: skip
def test_vram_is_what_the_published_nets_measure_on_the_meta_device(
    name: str, unet: int, encoders: tuple[int, ...]
) -> None:
    for precision, known in vram.VRAM.items():
        measured = measure(name, PUBLISHED[name], precision)
        assert (measured.unet, measured.vae, measured.encoders) == (unet, 83_653_863, encoders)
        for part in ("weights", "drawing", "learning"):
            assert getattr(known[name], part) == pytest.approx(getattr(measured.vram, part), abs=0.02)


def test_a_card_gets_the_best_engine_it_carries() -> None:
    assert [vram.best_for(gb, "bfloat16") for gb in (4, 8, 12, 24)] == [None, "sd15", "sdxl", "sdxl"]
    assert [vram.best_for(gb, "float32") for gb in (4, 8, 12, 24)] == [None, "sd15", "sd15", "sdxl"]


@pytest.mark.parametrize(("capability", "engine", "dtype"), [((7, 5), "sd15", "float32"), ((8, 6), "sdxl", "bfloat16")])
def test_the_engine_chosen_for_a_card_runs_in_the_precision_it_was_chosen_for(
    capability: tuple[int, int], engine: str, dtype: str, monkeypatch: pytest.MonkeyPatch, models: Models
) -> None:
    """12 GB carry SDXL in 16 bits; a card before Ampere has no bfloat16 and runs in 32."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (12 * vram.GB, 12 * vram.GB))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setenv("ATELIER_DEVICE", "cuda")
    assert best_here() == engine
    opened = open_engine("auto", models)
    assert isinstance(opened, StableDiffusionEngine)
    assert opened._dtype == getattr(torch, dtype)


# the loop against diffusers' own


@pytest.mark.parametrize("name", ["sdxl", "sd15"])
def test_prompts_are_encoded_as_diffusers_encodes_them(name: str, engines: dict[str, StableDiffusionEngine]) -> None:
    text, engine = "photo of a person, navy jacket", engines[name]
    parts = {"unet": engine.unet, "vae": engine._vae, "scheduler": DDIMScheduler(**tiny_stable.SCHEDULE)}
    for number, (tokenizer, encoder) in enumerate(engine._encoders):
        end = f"_{number + 1}" if number else ""
        parts |= {f"tokenizer{end}": tokenizer, f"text_encoder{end}": encoder}
    ours = engine.encode_prompt(text)
    with torch.no_grad():
        if name == "sdxl":
            pipeline = StableDiffusionXLPipeline(**parts)
            each, _, pooled, _ = pipeline.encode_prompt(text, device="cpu", do_classifier_free_guidance=False)
            torch.testing.assert_close(ours.pooled, pooled)
        else:
            pipeline = StableDiffusionPipeline(
                **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
            )
            each, _ = pipeline.encode_prompt(text, "cpu", 1, False)
    torch.testing.assert_close(ours.embeds, each)


@pytest.mark.parametrize("name", ["sdxl", "sd15"])
def test_x0_is_predicted_as_diffusers_predicts_it(name: str, engines: dict[str, StableDiffusionEngine]) -> None:
    engine, schedule = engines[name], DDIMScheduler(**tiny_stable.SCHEDULE)
    schedule.set_timesteps(1000)
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    prompt = engine.encode_prompt("a person")
    for step in (17, 500, 999):
        time = (step + 1) / 1000
        assert engine.alpha_bar(time) == pytest.approx(float(schedule.alphas_cumprod[step]), rel=1e-5)
        extra = None
        if prompt.pooled is not None:
            extra = {"text_embeds": prompt.pooled, "time_ids": torch.tensor([[128.0, 128, 0, 0, 128, 128]])}
        with torch.no_grad():
            said = engine.unet(x, step, encoder_hidden_states=prompt.embeds, added_cond_kwargs=extra).sample
            ours = engine.pred_x0(engine.unet, x, torch.tensor([time]), prompt)
        theirs = schedule.step(said, step, x).pred_original_sample
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_only_the_figure_is_drawn_and_the_same_seed_draws_the_same(engines: dict[str, StableDiffusionEngine]) -> None:
    engine = engines["sd15"]
    init_image = cv2.resize(sitters.collins(), (512, 640))
    figure = np.zeros((640, 512), np.float32)
    untouched = engine.draw(engine.unet, init_image, figure, "a person", 0.6, 1, studio.never)
    known = engine.encode(cv2.resize(init_image, (256, 320), interpolation=cv2.INTER_AREA).astype(np.float32) / 255)
    assert np.array_equal(untouched, cv2.resize(engine.decode(known), (512, 640), interpolation=cv2.INTER_LANCZOS4))
    figure[:, :256] = 1
    drawn = engine.draw(engine.unet, init_image, figure, "a person", 0.6, 1, studio.never)
    assert np.array_equal(drawn, engine.draw(engine.unet, init_image, figure, "a person", 0.6, 1, studio.never))
    changed = np.abs(drawn.astype(int) - untouched).max(axis=(0, 2)) > 0
    assert changed[:128].any()
    with pytest.raises(Stopped):
        engine.draw(engine.unet, init_image, figure, "a person", 0.6, 1, lambda: True)


# what is drawn becomes layers


def test_a_drawn_picture_is_taken_apart_so_that_it_develops_into_itself_and_can_be_edited(
    engines: dict[str, StableDiffusionEngine],
    setup: Setup,
    monkeypatch: pytest.MonkeyPatch,
    collins_map: FaceMap,
    models: Models,
) -> None:
    """A net that gives the init image back stands for one that draws a face: what follows the drawing is claimed."""
    engine, seen = engines["sd15"], []

    def as_it_was(self: StableDiffusionEngine, net: object, init_image: np.ndarray, *rest: object) -> np.ndarray:
        seen.append(init_image)
        return init_image

    monkeypatch.setattr(StableDiffusionEngine, "draw", as_it_was)
    who = Identity(maps=(collins_map,), baseline=None)
    portrait = engine.portrait(setup, "office", "job", who, "x", studio.never)
    away = np.abs(portrait.rgb.astype(np.float32) - seen[0]).mean(axis=-1)
    head = portrait.layers.head == 255
    assert head.mean() > 0.1
    assert away[head].mean() < 4
    assert away[portrait.layers.garment[..., 3] == 255].mean() < 8
    from core.edit.recipe import develop, edit
    from core.judge.verdict import judge

    assert judge(portrait, collins_map, who, models.recogniser, models.landmarker).reasons == ()
    left, right = (develop(portrait.layers, edit(portrait.recipe, f"light_{side}")) for side in ("left", "right"))
    eyes = round(0.385 * len(left))
    rows = slice(eyes, eyes + 120)
    difference = (left[rows].astype(np.float32) - right[rows]).mean(axis=(0, 2))
    assert difference[200:250].mean() > difference[262:312].mean()  # the left half is lighter when lit from the left
    assert portrait.recipe.engine.startswith("sd15-")
    assert portrait.recipe.settings["strength"] == stable.STRENGTH[1]


def test_the_prompt_says_the_setup_and_the_rare_word_only_when_somebody_was_learnt(setup: Setup) -> None:
    known, unknown = (stable.prompt_of(setup.settings, known) for known in (True, False))
    assert known.startswith(lora.WORD)
    assert "ohwx" not in unknown
    assert "charcoal suit, burgundy tie" in unknown
    assert "#" not in stable.prompt_of({**setup.settings, "backdrop": "#203040"}, True)


# learning a person


@pytest.fixture(scope="module")
def three() -> list[FaceMap]:
    selfies = [sitters.look(rgb, str(number)) for number, rgb in enumerate(sitters.frames())]
    return [map_face(selfie) for selfie in selfies if isinstance(selfie, Selfie)]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora, "CONFIG", TrainConfig(steps=8, rate=2e-2, check_every=2, patience=8, least_gain=1.0))


def learn(engine: StableDiffusionEngine, maps: list[FaceMap], folder: Path, stop_at: int | None = None) -> Identity:
    seen: list[float] = []
    who = Identity(maps=tuple(maps), baseline=1.0)
    return engine.train(
        who, folder, lambda step, total, loss: seen.append(loss), lambda: stop_at is not None and len(seen) >= stop_at
    )


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", ["sdxl", "sd15"])
def test_training_lowers_the_held_out_photos_loss_and_leaves_the_net_as_it_was(
    name: str, engines: dict[str, StableDiffusionEngine], three: list[FaceMap], tmp_path: Path
) -> None:
    engine = engines[name]
    before = {key: tensor.clone() for key, tensor in engine.unet.state_dict().items()}
    who = learn(engine, three, tmp_path)
    assert who.proof["reason"] == "helped"
    assert {who.proof["held_out"], *who.trained_on} == {face.selfie.sha256 for face in three}
    assert len(who.trained_on) == 2, "what it is proven on taught it nothing"
    assert who.proof["error_with"] < 0.99 * who.proof["error_without"]
    assert who.lora == str(tmp_path / name / "lora")
    after = engine.unet.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    x, prompt = torch.randn(1, 4, 8, 8), engine.encode_prompt(lora.WORD)
    with torch.no_grad(), engine._with_lora(who.lora) as worn:
        own = engine.pred_x0(worn, x, torch.tensor([0.5]), prompt)
    with torch.no_grad(), engine._with_lora(None) as bare:
        plain = engine.pred_x0(bare, x, torch.tensor([0.5]), prompt)
    assert not torch.allclose(own, plain)
    assert engine.unet.state_dict().keys() == before.keys()


@pytest.mark.usefixtures("short")
def test_a_stopped_training_goes_on_and_comes_to_the_same(
    engines: dict[str, StableDiffusionEngine], three: list[FaceMap], tmp_path: Path
) -> None:
    engine = engines["sd15"]
    whole = learn(engine, three, tmp_path / "whole")
    with pytest.raises(Stopped, match="step 3 of 8"):
        learn(engine, three, tmp_path / "cut", stop_at=3)
    assert not (tmp_path / "cut" / "sd15" / "training.json").exists()
    resumed = learn(engine, three, tmp_path / "cut")
    assert {**resumed.proof, "seconds": 0} == {**whole.proof, "seconds": 0}
    one, other = (tmp_path / run / "sd15" / "lora" / "adapter_model.safetensors" for run in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()


# the whole story


@pytest.mark.parametrize("name", ["sdxl", "sd15"])
def test_a_sitting_runs_from_photo_to_gallery_and_delivers_no_noise(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lora, "CONFIG", TrainConfig(steps=2, rate=1e-3, check_every=1, patience=2, least_gain=1.0))
    monkeypatch.setattr(stable, "STEPS", 4)
    monkeypatch.setattr(shoot, "REDRAWS", 2)  # the photo's other take, then gentler
    (tmp_path / "collins.png").write_bytes(COLLINS[1])
    asked = ["shoot", "collins.png", "--style", "office", "--count", "1", "--engine", name, "--out", "out", "--json"]
    assert main(asked) == 2  # nothing was delivered: what random nets draw is nobody
    manifest = json.loads(capsys.readouterr().out)
    assert manifest["engine"] == name
    assert (manifest["kept"], manifest["drawn"]) == (0, 1 + shoot.REDRAWS)
    assert manifest["training"]["reason"] == "no_proof"
    assert (tmp_path / "out" / "identity" / name / "lora" / "adapter_model.safetensors").is_file()
    strengths = [record["recipe"]["settings"]["strength"] for record in manifest["portraits"]]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[-1] < strengths[0]
    for record in manifest["portraits"]:
        assert record["reasons"]
        assert record["recipe"]["engine"].startswith(f"{name}-")
        files.load_layers(tmp_path / "out" / record["layers"])
    assert "drawn anew" in (tmp_path / "out" / "gallery.html").read_text("utf-8")


def test_the_embedded_engine_needs_no_model_of_the_family(models: Models) -> None:
    assert isinstance(models.engine, RedressEngine)
