"""Claims about a whole sitting, with real photos and the shipped net: files, proof, resuming, refusals, edits."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from core import studio
from core.cli import main
from core.cutout.parser import Parser
from core.deliver import files
from core.deliver.gallery import cards_of
from core.deliver.layers import load_layers
from core.deliver.manifest import read_record
from core.edit.recipe import develop
from core.errors import Refused
from core.face import features
from core.judge import verdict
from core.models import Models
from core.types import FaceMap, Portrait, Selfie, Verdict
from tests import sitters

COLLINS = ("collins.png", sitters.encoded(sitters.collins()))
ONE = studio.Sitting(styles=("office",), purpose="job", count=1, seed=3)


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory, models: Models) -> Path:
    out = tmp_path_factory.mktemp("shot")
    studio.shoot([COLLINS], ONE, out, models)
    return out


@pytest.fixture(scope="module")
def as_shot(shot: Path) -> dict[str, bytes]:
    """Every file of the sitting as it was written."""
    return files_of(shot)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return found


def test_a_photo_becomes_a_delivered_portrait(shot: Path) -> None:
    manifest = manifest_of(shot)
    assert manifest["kept"] == 1
    worn = manifest["photos"][0]["features"]
    assert (worn["glasses"], worn["facial_hair"], worn["hair_length"]) == (False, "none", "short")
    portrait = manifest["portraits"][0]
    assert portrait["kept"] is True
    assert portrait["reasons"] == []
    assert portrait["percent_of_baseline"] is None  # one photo: nothing to measure against, and it says so
    picture = files.read_picture(shot / portrait["file"])
    assert picture.shape == (640, 512, 3)  # 41 px between the eyes carry no more
    assert (shot / portrait["exports"]["square"]).is_file()


A_MINUTE_LATER = """
import sys, time
now, now_ns, local, gm = time.time, time.time_ns, time.localtime, time.gmtime
time.time, time.time_ns = lambda: now() + 60, lambda: now_ns() + 60 * 10**9
time.localtime = lambda at=None: local(time.time() if at is None else at)
time.gmtime = lambda at=None: gm(time.time() if at is None else at)
from core.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_same_photos_and_seed_in_two_processes_a_minute_apart_give_the_same_bytes(
    as_shot: dict[str, bytes], tmp_path: Path
) -> None:
    """The second process's Python clock is a minute ahead; it begins later, so that a time written by C differs too."""
    (tmp_path / "collins.png").write_bytes(COLLINS[1])
    asked = ["shoot", "collins.png", "--style", "office", "--purpose", "job", "--count", "1", "--seed", "3"]
    command = [sys.executable, "-c", A_MINUTE_LATER, *asked, "--out", "again"]
    environment = {**os.environ, "PYTHONPATH": str(Path(studio.__file__).parents[1])}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    one, other = as_shot, files_of(tmp_path / "again")
    for sitting in (one, other):
        manifest = json.loads(sitting["manifest.json"])
        assert manifest.pop("timings_s")
        sitting["manifest.json"] = json.dumps(manifest).encode()
    assert one.keys() == other.keys() >= {"office-01.jpg", "office-01.json", "gallery.html", "contact_sheet.jpg"}
    assert [name for name in one if one[name] != other[name]] == []


def test_the_garment_is_there_in_its_colours(shot: Path) -> None:
    layers = load_layers(shot / "layers" / "office-01")
    matte = layers.garment[..., 3]
    assert matte[: int(0.55 * 640)].max() == 0
    assert (matte[-40:] > 200).mean() > 0.7
    cloth = layers.garment[int(0.86 * 640) :, :90][matte[int(0.86 * 640) :, :90] > 250][:, :3]
    assert cloth.mean() < 90  # a charcoal jacket
    assert cloth.std() > 0.5  # and not a flat one


def test_every_file_says_what_made_it(shot: Path) -> None:
    (kept,) = (record for record in manifest_of(shot)["portraits"] if record["kept"])
    with Image.open(shot / kept["file"]) as picture:
        xmp = picture.info["xmp"].decode()
        assert picture.info["icc_profile"]
        assert not picture.getexif()
    assert files.AI_MARK in xmp
    assert kept["recipe"]["settings"]["outfit"] in xmp
    assert "collins" not in xmp


def test_the_page_stands_alone_and_describes_its_pictures(shot: Path) -> None:
    page = (shot / "gallery.html").read_text("utf-8")
    assert "data:image/jpeg;base64," in page
    assert "://" not in page
    assert 'alt="Portrait in the style Office' in page
    assert f"Drew {manifest_of(shot)['drawn']}, kept 1." in page
    assert "none of the photos is sharp enough to learn from" in page  # 41 px between the eyes


def test_the_manifest_says_what_training_came_to(shot: Path, models: Models) -> None:
    training = manifest_of(shot)["training"]
    assert (training["used"], training["reason"]) == (False, "nothing_to_learn_from")
    untrained = studio.shoot([COLLINS], replace(ONE, train=False), shot, models)
    assert untrained["training"] == {"used": False, "reason": "not_asked"}


def test_a_killed_sitting_goes_on_where_it_was(shot: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (shot / "office-01.jpg").read_bytes()
    (shot / "manifest.json").unlink()
    monkeypatch.setattr("core.engines.redress.generate.generate", None)  # drawing again would fail
    studio.shoot([COLLINS], ONE, shot, models)
    assert manifest_of(shot)["kept"] == 1
    assert (shot / "office-01.jpg").read_bytes() == before


def test_an_edit_is_replayed_scored_and_undone_to_the_byte(shot: Path, tmp_path: Path, models: Models) -> None:
    warm = studio.enhance(shot / "office-01.jpg", ["warmer"], tmp_path / "warm.jpg", models)
    assert warm["parent"] == "office-01"
    assert warm["tweaks"] == ["warmer"]
    assert warm["exports"] == {"square": "warm-square.jpg"}
    assert files.read_picture(tmp_path / "warm-square.jpg").shape == (512, 512, 3)
    back = studio.enhance(tmp_path / "warm.jpg", ["undo"], tmp_path / "back.jpg", models)
    assert back["tweaks"] == []
    assert (tmp_path / "back.jpg").read_bytes() == (shot / "office-01.jpg").read_bytes()
    assert (tmp_path / "warm.jpg").read_bytes() != (tmp_path / "back.jpg").read_bytes()
    studio.enhance(tmp_path / "back.jpg", ["redo"], tmp_path / "again.jpg", models)
    assert (tmp_path / "again.jpg").read_bytes() == (tmp_path / "warm.jpg").read_bytes()


@pytest.mark.parametrize("out", ["office-01.jpg", "office-01.png", "../out/office-01.jpg", "link/office-01.jpg"])
def test_an_edit_never_overwrites_its_source(out: str, shot: Path, tmp_path: Path, models: Models) -> None:
    folder = tmp_path / "out"
    shutil.copytree(shot, folder)
    (folder / "link").symlink_to(folder)
    before = {file: file.read_bytes() for file in folder.glob("office-01*")}
    with pytest.raises(Refused, match=r"would overwrite office-01\.jpg"):
        studio.enhance(folder / "office-01.jpg", ["warmer"], folder / out, models)
    assert {file: file.read_bytes() for file in folder.glob("office-01*")} == before


def test_an_edits_export_never_overwrites_its_source(shot: Path, tmp_path: Path, models: Models) -> None:
    folder = tmp_path / "out"
    shutil.copytree(shot, folder)
    studio.enhance(folder / "office-01.jpg", ["warmer"], folder / "me-square.jpg", models)
    with pytest.raises(Refused, match=r"me\.jpg would overwrite me-square\.jpg"):
        studio.enhance(folder / "me-square.jpg", ["cooler"], folder / "me.jpg", models)


def test_a_portrait_that_was_moved_without_its_layers_is_refused(shot: Path, tmp_path: Path) -> None:
    shutil.copy(shot / "office-01.json", tmp_path)
    with pytest.raises(Refused, match="move a portrait with its folder"):
        studio.enhance(tmp_path / "office-01.jpg", ["warmer"], tmp_path / "x.jpg")


def test_a_suffix_that_is_not_written_is_refused(shot: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"not as \.gif"):
        studio.enhance(shot / "office-01.jpg", ["warmer"], tmp_path / "x.gif")


@pytest.mark.parametrize(
    ("points", "said"),
    [(None, ""), (-0.04, "took nothing"), (0.0, "took nothing"), (-3.0, "took nothing"), (2.4, "took 2 % of")],
)
def test_the_page_says_in_words_what_new_light_took(points: float | None, said: str, shot: Path) -> None:
    manifest = manifest_of(shot)
    manifest["portraits"][0]["cost_points"] = points
    (card,) = cards_of(manifest, shot)
    assert said in card["about"]
    assert "points" not in card["about"]
    assert "-0" not in card["about"]


def test_a_picture_without_its_recipe_cannot_be_edited(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(COLLINS[1])
    with pytest.raises(Refused, match="only portraits made here"):
        studio.enhance(tmp_path / "holiday.jpg", ["warmer"], tmp_path / "x.jpg")


@pytest.fixture(scope="module")
def set_shot(tmp_path_factory: pytest.TempPathFactory, models: Models) -> Path:
    """Three photos of one person, two portraits."""
    out = tmp_path_factory.mktemp("set")
    photos = [(f"{number}.png", sitters.encoded(rgb)) for number, rgb in enumerate(sitters.frames())]
    told: list[tuple[str, int, bool, int]] = []
    observed: list[str] = []
    observe = features.observe

    def counted(face: FaceMap, parser: Parser) -> FaceMap:
        observed.append(face.selfie.sha256)
        return observe(face, parser)

    def on_portrait(record: dict[str, Any], to_come: int) -> None:
        written = (out / record["file"]).exists() and (out / record["file"]).with_suffix(".json").exists()
        told.append((record["file"], to_come, written, len(observed)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "observe", counted)
        studio.shoot(photos, replace(ONE, count=2, train=False), out, models, on_portrait=on_portrait)
    (out / "told.json").write_text(json.dumps(told))
    return out


def test_each_portrait_is_told_as_soon_as_it_is_saved_and_waits_for_no_other_photo(set_shot: Path) -> None:
    told = json.loads((set_shot / "told.json").read_text("utf-8"))
    both, again = told[:2], told[2:]
    assert both == [["office-01.jpg", 1, True, 1], ["office-02.jpg", 0, True, 2]], "file, to come, saved, photos parsed"
    assert [entry[1:] for entry in again] in ([], [[0, True, 3]]), "drawn again from the third photo"
    manifest = json.loads((set_shot / "manifest.json").read_text("utf-8"))
    assert {file for file, *_ in told} == {portrait["file"] for portrait in manifest["portraits"]}
    assert len(told) == len(manifest["portraits"]), "each is told once"
    assert all(photo["features"] for photo in manifest["photos"]), "three, in the end"


def test_portraits_of_a_set_are_measured_against_its_other_photos(set_shot: Path) -> None:
    manifest = json.loads((set_shot / "manifest.json").read_text("utf-8"))
    assert [photo["kept"] for photo in manifest["photos"]] == [True] * 3
    assert 0.7 < manifest["baseline"] < 1
    kept = [portrait for portrait in manifest["portraits"] if portrait["kept"]]
    assert len(kept) == 2
    assert len({portrait["recipe"]["source"] for portrait in kept}) == 2, "each from another photo"
    for portrait in kept:
        assert portrait["percent_of_baseline"] == pytest.approx(
            100 * portrait["likeness"] / manifest["baseline"], abs=0.1
        )
        assert 90 <= portrait["percent_of_baseline"] < 115
    page = (set_shot / "gallery.html").read_text("utf-8")
    assert "% of how alike your own photos are" in page


def test_an_edit_of_a_set_is_scored_as_its_draw_was(set_shot: Path, tmp_path: Path, models: Models) -> None:
    """An edit that changes nothing but the crop's name keeps its likeness to the last digit."""
    record, _ = read_record(set_shot / "office-01.jpg")
    edited = studio.enhance(set_shot / "office-01.jpg", ["crop=portrait"], tmp_path / "same.jpg", models)
    assert edited["likeness"] == pytest.approx(record["likeness"], abs=2e-4)
    noted = json.loads((tmp_path / "same.json").read_text("utf-8"))
    (tmp_path / "same.json").write_text(json.dumps({**noted, "likeness": 0.1}), "utf-8")
    warm = studio.enhance(tmp_path / "same.jpg", ["warmer"], tmp_path / "warm.jpg", models)
    assert warm["likeness"] > 0.7, "an edit of an edit elsewhere finds the set's photos too, and is measured anew"


def test_clothes_that_an_edit_puts_on_are_drawn_once_judged_and_kept(
    shot: Path, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = studio.enhance(shot / "office-01.jpg", ["outfit=grey_crew"], tmp_path / "crew.jpg", models)
    assert crew["tweaks"] == ["outfit=grey_crew"]
    assert (tmp_path / crew["worn"] / "layers.json").is_file()
    own = studio.enhance(shot / "office-01.jpg", ["outfit=own"], tmp_path / "own.jpg", models)
    assert own["tweaks"] == ["outfit=own"]
    monkeypatch.setattr("core.engines.redress.change.wear", None)  # nothing is drawn again
    warm = studio.enhance(tmp_path / "crew.jpg", ["warmer"], tmp_path / "warm.jpg", models)
    assert (warm["tweaks"], warm["worn"]) == (["outfit=grey_crew", "warmer"], None)
    monkeypatch.undo()
    monkeypatch.setattr("core.enhance.collar_faults", lambda layers: "gap is 0.30, the limit is 0.08")
    with pytest.raises(Refused, match=r"gap is 0\.30.*closed at the neck") as refused:
        studio.enhance(shot / "office-01.jpg", ["outfit=navy_open"], tmp_path / "open.jpg", models)
    assert refused.value.reason == "outfit_sits_badly"
    assert not (tmp_path / "open.jpg").exists()


def test_a_strangers_head_and_a_stretched_face_fall_through(set_shot: Path, models: Models) -> None:
    selfies = [studio.look(sitters.encoded(rgb), "", models) for rgb in sitters.frames()]
    who = studio.map_photos([selfie for selfie in selfies if isinstance(selfie, Selfie)], models, studio.silent)
    record, recipe = read_record(set_shot / "office-01.jpg")
    layers = load_layers(set_shot / record["layers"])
    (source,) = (face for face in who.maps if face.selfie.sha256 == recipe.source)

    def verdict_on(rgb: np.ndarray) -> Verdict:
        portrait = Portrait("x", rgb, layers, recipe)
        return verdict.judge(portrait, source, who, models.recogniser, models.landmarker)

    good = develop(layers, recipe)
    assert verdict_on(good).reasons == ()
    height = len(good)
    stretched = cv2.resize(good, None, fx=1, fy=1.15, interpolation=cv2.INTER_LINEAR)[:height]
    assert "misshapen" in verdict_on(stretched).reasons
    stranger = verdict_on(cv2.resize(sitters.collins(), (512, 640)))
    assert stranger.reasons[0] == "not_them"
    assert not stranger.kept
    assert verdict_on(np.full_like(good, 128)).reasons == ("no_face",)


def test_the_command_line_answers_in_json_and_exit_codes(
    shot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.jpg").write_text("not a photo")
    assert main(["check", str(tmp_path / "notes.jpg"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["photos"][0]["reason"] == "not_a_photo"
    assert main(["styles", "--json"]) == 0
    assert {style["id"] for style in json.loads(capsys.readouterr().out)["styles"]} >= {"office", "founder"}
    assert (
        main(["enhance", str(shot / "office-01.jpg"), "--tweak", "shinier", "--out", str(tmp_path / "x.jpg"), "--json"])
        == 2
    )
    assert "warmer" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main(["shoot", str(tmp_path / "absent.jpg"), "--style", "office", "--out", str(tmp_path)]) == 2
    assert main(["shoot", str(tmp_path / "notes.jpg"), "--style", "teal", "--out", str(tmp_path)]) == 2
    assert main(["weights", "verify"]) == 0


# --- the desk ---


def test_a_document_is_measured_and_its_pixels_are_its_own(shot: Path, tmp_path: Path, models: Models) -> None:
    made = studio.enhance(shot / "office-01.jpg", ["format=de_passport"], tmp_path / "pass.jpg", models)
    assert files.read_picture(tmp_path / "pass.jpg").shape == (1063, 827, 3)
    assert made["exports"] == {}
    assert made["format"]["name"] == "de_passport"
    assert made["format"]["wrong"] == ["mouth_open"]
    assert 32 <= made["format"]["measures"]["head_mm"] <= 36


def test_edits_of_one_portrait_are_made_again_from_its_record(shot: Path, tmp_path: Path, models: Models) -> None:
    first, again = tmp_path / "one.jpg", tmp_path / "two.jpg"
    studio.enhance(shot / "office-01.jpg", ["warmer=touch", "film=faded"], first, models)
    assert main(["enhance", str(shot / "office-01.jpg"), "--recipe", str(first), "--out", str(again)]) == 0
    assert again.read_bytes() == first.read_bytes()


def test_an_edits_cost_is_told_even_where_the_person_has_one_photo(shot: Path, tmp_path: Path, models: Models) -> None:
    mild = studio.enhance(shot / "office-01.jpg", ["warmer=touch"], tmp_path / "mild.jpg", models)
    assert mild["percent_of_baseline"] is None
    assert abs(mild["edit_cost_points"]) < 5
    bent = studio.enhance(
        tmp_path / "mild.jpg", ["slimmer=more", "slimmer=more", "slimmer=more"], tmp_path / "x.jpg", models
    )
    assert bent["edit_cost_points"] > mild["edit_cost_points"]


def test_layers_of_an_earlier_release_get_their_mesh_when_it_is_needed(
    shot: Path, tmp_path: Path, models: Models
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(shot, folder)
    numbers = folder / "layers" / "office-01" / "layers.json"
    kept = json.loads(numbers.read_text("utf-8"))
    numbers.write_text(json.dumps({name: value for name, value in kept.items() if name not in ("schema", "landmarks")}))
    made = studio.enhance(folder / "office-01.jpg", ["eyes_brighter"], folder / "bright.jpg", models)
    assert made["tweaks"] == ["eyes_brighter"]
    numbers.write_text(json.dumps({**kept, "schema": 99}))
    with pytest.raises(Refused, match="schema 99"):
        studio.enhance(folder / "office-01.jpg", ["warmer"], folder / "warm.jpg", models)


def test_the_gallery_page_shows_the_tree_of_edits(shot: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(shot, folder)
    page = folder / "gallery.html"
    assert "Before and after" not in page.read_text("utf-8")
    for portrait, tweak, name in (("office-01", "darker", "dark"), ("dark", "warmer=lots", "amber")):
        edit = ["enhance", str(folder / f"{portrait}.jpg"), "--tweak", tweak, "--out", str(folder / f"{name}.jpg")]
        assert main(edit) == 0
    told = page.read_text("utf-8")
    assert told.count('type="radio"') == told.count('aria-label="Before and after"') == 3
    assert "edited: Darker, Warmer: a lot" in told
    assert [told.index(f'class="depth{depth}"') for depth in range(3)] == sorted(
        told.index(f'class="depth{depth}"') for depth in range(3)
    )
    assert 'download="amber.jpg"' in told


def test_a_preset_is_known_by_its_name(shot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "linked.jpg"
    assert main(["enhance", str(shot / "office-01.jpg"), "--preset", "linkedin", "--out", str(out)]) == 0
    assert files.read_picture(out).shape == (800, 800, 3)
    assert main(["enhance", str(shot / "office-01.jpg"), "--preset", "tinder", "--out", str(out)]) == 2
    assert "choose from linkedin" in capsys.readouterr().err
    assert main(["enhance", str(shot / "office-01.jpg"), "--out", str(out)]) == 2
