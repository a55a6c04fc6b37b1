"""Where an engine's weights lie: the hub's cache at a pinned commit, a folder, or a single file in the net's place.

Nothing is downloaded here: `core.engines.download` is for `atelier weights pull --engine` alone. Safetensors only. What
is there is told by names and configs alone, without torch: the doctor asks too.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.engines.facts import EngineFacts, Weights
from core.errors import EngineMissing
from core.settings import setting

FINGERPRINT_BYTES: Final = 1 << 16
"""Read at the beginning, the middle and the end of each weight file: enough to tell two trainings apart."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One model of an engine here. folder: in diffusers' layout. net: a single file in place of its first part."""

    engine: str
    weights: Weights
    folder: Path
    net: Path | None = None

    def fingerprint(self) -> str:
        """Return 12 hex digits that tell these weights from others of the same name, without reading gigabytes."""
        own = [self.folder / part for part in self.weights.parts[1 if self.net else 0 :]]
        files = [file for part in own for file in sorted(part.glob("*.safetensors"))]
        digest = hashlib.sha256()
        for file in [*files, *([self.net] if self.net else [])]:
            size = file.stat().st_size
            digest.update(f"{file.parent.name}/{file.name} {size}".encode())
            with file.open("rb") as opened:
                for start in (0, size // 2, size - FINGERPRINT_BYTES):
                    opened.seek(max(0, start))
                    digest.update(opened.read(FINGERPRINT_BYTES))
        return digest.hexdigest()[:12]


def asked_model(weights: Weights) -> tuple[str, str]:
    """Return hub id, folder or file, and commit ("" for a path): of the setting (ID@COMMIT or a path), or pinned."""
    given = setting(weights.setting)
    if not given:
        return weights.model, weights.revision
    if _is_path(given):
        return given, ""
    model, _, revision = given.partition("@")
    return model, revision or (weights.revision if model == weights.model else "main")


def find(engine: str, weights: Weights) -> Checkpoint:
    """Return where a model's weights lie. Raises EngineMissing with the one next step."""
    model, revision = asked_model(weights)
    named = f"ATELIER_{weights.setting}"
    for package in ("transformers", "accelerate"):
        if importlib.util.find_spec(package) is None:
            raise EngineMissing(engine, f"{package} is not installed", "pip install 'atelier-studio[gpu]'")
    net = None
    fetch = f"atelier weights pull --engine {engine}"
    if revision:
        folder = _cached(engine, weights, model, revision, False, fetch)
    else:
        folder = Path(model).expanduser()
        fetch = f"set {named} to a folder that diffusers' save_pretrained wrote, or to a .safetensors file"
        if folder.is_file() and folder.suffix == ".safetensors":
            net, fetch = folder, f"atelier weights pull --engine {engine}"
            folder = _cached(engine, weights, weights.model, weights.revision, True, fetch)
        elif not folder.is_dir():
            raise EngineMissing(engine, f"{model} is no folder and no .safetensors file", fetch)
    lacking = [name for name in _needed(weights, net is not None) if not any(folder.glob(name))]
    if lacking:
        raise EngineMissing(engine, f"{model} lacks {lacking[0]} ({len(lacking)} of its files are missing)", fetch)
    first = json.loads((folder / weights.parts[0] / "config.json").read_text("utf-8"))
    _check_kind(engine, model, weights, first, named)
    return Checkpoint(engine, weights, folder, net)


def find_all(facts: EngineFacts) -> dict[str, Checkpoint]:
    """Return all models of an engine by use. Raises EngineMissing with the one next step."""
    return {weights.use: find(facts.name, weights) for weights in facts.weights}


def _needed(weights: Weights, without_net: bool) -> list[str]:
    """Return patterns of the files that must be there."""
    nets = [f"{part}/*.safetensors" for part in weights.parts[1 if without_net else 0 :]]
    configs = [f"{part}/config.json" for part in weights.parts]
    folders = {extra.partition("/")[0] for extra in weights.extras}
    return [*configs, *nets, *(f"{folder}/*.json" for folder in sorted(folders))]


def _check_kind(engine: str, model: str, weights: Weights, config: dict[str, Any], named: str) -> None:
    """Refuse another family's net and one made for inpainting: they would draw mud, or fail later."""
    kind = str(config.get("_class_name"))
    if kind != weights.kind:
        raise EngineMissing(engine, f"{model} holds a {kind}", f"set {named} to a model with a {weights.kind}")
    if kind == "UNet2DConditionModel":
        if config.get("addition_embed_type") != "text_time":
            raise EngineMissing(engine, f"{model} holds no net of SDXL", f"set {named} to an SDXL model")
        if config.get("in_channels", 4) != 4:
            why = f"{model} takes {config['in_channels']} channels, 4 are needed"
            raise EngineMissing(engine, why, f"set {named} to a model that is not made for inpainting")


def _is_path(model: str) -> bool:
    return model.startswith(("/", "~", ".")) or model.count("/") != 1 or Path(model).exists()


def _cached(engine: str, weights: Weights, model: str, revision: str, without_net: bool, fetch: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    # those of the pull, else a snapshot of fewer files counts as half fetched
    patterns = list(weights.patterns(model != weights.model, without_net))
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=patterns, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as absent:
        raise EngineMissing(engine, f"no weights of {model} on this machine", fetch) from absent


def load_net(kind: Any, checkpoint: Checkpoint, part: str, dtype: Any) -> Any:
    """Load one net, frozen, in a precision; of the published files the variant that was fetched.

    Raises EngineMissing for a damaged file, by name.
    """
    folder = checkpoint.folder / part
    files = [file.name for file in folder.glob("*.safetensors")]
    try:
        if checkpoint.net is not None and part == checkpoint.weights.parts[0]:
            net = kind.from_single_file(str(checkpoint.net), config=str(checkpoint.folder), subfolder=part, dtype=dtype)
        else:
            options = {"variant": "fp16"} if all(".fp16." in name for name in files) else {}
            net = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=dtype, **options)
    except (OSError, ValueError, RuntimeError, KeyError) as wrong:
        said = str(wrong).strip().splitlines() or [type(wrong).__name__]
        why = f"{part} in {checkpoint.folder} cannot be read ({said[0][:200]})"
        raise EngineMissing(checkpoint.engine, why, "fetch the model again") from wrong
    return net.requires_grad_(False).eval()
