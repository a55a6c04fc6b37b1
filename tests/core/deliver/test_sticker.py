"""Claims about stickers: the sizes chats take, transparent round the sitter, a white rim, and what made them inside."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.deliver.files import encode
from core.deliver.layers import load_layers, save_layers
from core.deliver.sticker import KINDS, sticker, sticker_of
from core.edit.recipe import edit, to_dict, whole
from core.errors import Refused
from core.types import Layers, Recipe
from jobs.worker.core_studio import CoreStudio


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_drawing_becomes_a_sticker_a_chat_takes(kind: str, small_layers: Layers, small_recipe: Recipe) -> None:
    rgb, placed = whole(small_layers, edit(small_recipe, "finish=anime"))
    cut = sticker(rgb, placed, kind)
    size = KINDS[kind].size
    assert cut.shape == (size, size, 4)
    assert cut[[0, 0, -1, -1], [0, -1, 0, -1], 3].tolist() == [0, 0, 0, 0]
    assert cut[size // 2, size // 2, 3] == 255
    data = encode(cut, KINDS[kind].suffix, small_recipe)
    assert len(data) <= KINDS[kind].most_bytes
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGBA"
        assert image.size == (size, size)
        assert b"DigitalSourceType" in image.info["xmp"]


def test_the_rim_is_white_all_round(small_layers: Layers, small_recipe: Recipe) -> None:
    cut = sticker(*whole(small_layers, small_recipe), "telegram_sticker")
    for row in (200, 320):
        first = int(np.flatnonzero(cut[row, :, 3] > 250)[0])
        assert cut[row, first + 1 : first + 5, :3].min() > 235


def test_a_portrait_of_a_sitting_is_cut_out_as_it_is_now(
    small_layers: Layers, small_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = edit(small_recipe, "finish=anime")
    save_layers(small_layers, tmp_path / "layers" / "p1")
    (tmp_path / "p1.json").write_text(json.dumps({"layers": "layers/p1", "recipe": to_dict(drawn)}))
    file = CoreStudio().sticker(tmp_path / "p1.jpg", "discord_sticker")
    assert file == tmp_path / "p1-discord_sticker.png"
    kept = sticker(*whole(load_layers(tmp_path / "layers" / "p1"), drawn), "discord_sticker")
    with Image.open(file) as image:
        assert np.array_equal(np.asarray(image), kept)
    small = replace(KINDS["discord_sticker"], most_bytes=1000)
    monkeypatch.setitem(KINDS, "discord_sticker", small)
    with pytest.raises(Refused, match="bytes, the limit is 1000"):
        sticker_of(tmp_path / "p1.jpg", "discord_sticker")


def test_what_cannot_be_cut_out_is_refused(small_layers: Layers) -> None:
    rgb = np.zeros((*small_layers.head.shape, 3), np.uint8)
    with pytest.raises(Refused, match="choose from telegram_sticker"):
        sticker(rgb, small_layers, "mug")
    with pytest.raises(Refused, match="shoot it again"):
        sticker(rgb, replace(small_layers, landmarks=np.zeros((0, 3), np.float32)), "telegram_sticker")
