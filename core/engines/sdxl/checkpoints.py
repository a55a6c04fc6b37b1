"""Where the SD family's weights lie: a folder of one's own, or the hub's cache. Nothing is downloaded here.

Looks at names and configs alone, imports neither torch nor diffusers: the doctor asks too.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any, Final

from core.engines.sdxl.vram import FAMILIES
from core.errors import EngineMissing
from core.settings import setting

PARTS: Final = {
    "sdxl": ("unet", "vae", "text_encoder", "text_encoder_2"),
    "sd15": ("unet", "vae", "text_encoder"),
}
"""Folders that hold a config.json and safetensors; beside them `scheduler` and one `tokenizer` for each encoder."""


def model_of(engine: str) -> str:
    """Return the hub id or folder that ATELIER_SDXL_MODEL or ATELIER_SD15_MODEL names, or the family's own."""
    return setting(f"{engine.upper()}_MODEL") or FAMILIES[engine].model


def weights_of(engine: str) -> Path:
    """Return the folder with an engine's whole weights. Raises EngineMissing with the one next step."""
    model, named = model_of(engine), f"ATELIER_{engine.upper()}_MODEL"
    if importlib.util.find_spec("transformers") is None:
        raise EngineMissing(engine, "transformers is not installed", "pip install 'atelier-studio[gpu]'")
    folder = Path(model).expanduser()
    fetch = f"set {named} to a folder that diffusers' save_pretrained wrote"
    if not folder.is_dir():
        if model.startswith(("/", "~", ".")) or model.count("/") != 1:
            raise EngineMissing(engine, f"{model} is no folder", fetch)
        nets = "*.fp16.safetensors" if model == FAMILIES[engine].model else "*/*.safetensors"
        # without --include the hub sends the same nets in every format it has
        fetch = f"hf download {model} --include '*.json' --include '*.txt' --include '{nets}'"
        folder = _cached(engine, model, fetch)
    lacking = [name for name in _files(engine) if not any(folder.glob(name))]
    if lacking:
        raise EngineMissing(engine, f"{model} lacks {lacking[0]} ({len(lacking)} of its files are missing)", fetch)
    _check_kind(engine, model, json.loads((folder / "unet" / "config.json").read_text("utf-8")), named)
    return folder


def _cached(engine: str, model: str, fetch: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as absent:
        raise EngineMissing(engine, f"no weights of {model} on this machine", fetch) from absent


def _files(engine: str) -> tuple[str, ...]:
    """Return patterns of the files that must be there."""
    nets = [f"{part}/{file}" for part in PARTS[engine] for file in ("config.json", "*.safetensors")]
    words = [f"{part.replace('text_encoder', 'tokenizer')}/*.json" for part in PARTS[engine] if "encoder" in part]
    return (*nets, *words, "scheduler/scheduler_config.json")


def _check_kind(engine: str, model: str, unet: dict[str, Any], named: str) -> None:
    """Refuse another family's net and one that is no plain text-to-image net: both would draw mud, or fail later."""
    kind = "sdxl" if unet.get("addition_embed_type") == "text_time" else "sd15"
    if kind != engine:
        title = FAMILIES[engine].title
        raise EngineMissing(engine, f"{model} holds a net of the kind {kind}", f"set {named} to an {title} model")
    if unet.get("in_channels", 4) != 4:
        why = f"{model} takes {unet['in_channels']} channels, 4 are needed"
        raise EngineMissing(engine, why, f"set {named} to a model that is not made for inpainting")
