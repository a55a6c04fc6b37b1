"""Fetching an engine's weights from the hub: size and licence first, then the pinned files, resumably.

For `atelier weights pull --engine` alone. The hub's own client begins a file anew when it was stopped within it; nets
are single files of up to 8 GB, so they are fetched in parts that are kept, and the client links what is in its cache.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from core.engines.checkpoints import asked_model
from core.engines.facts import Weights
from core.errors import EngineMissing

COPY: Final = "or copy the hub's cache from a machine that has it"


@dataclass(frozen=True, slots=True)
class Download:
    """What a pull would fetch: hub id, commit, licence, files, their bytes, and how many are not here yet."""

    model: str
    revision: str
    licence: str
    files: tuple[str, ...]
    total_bytes: int
    missing_bytes: int


def plan_download(engine: str, weights: Weights) -> Download | None:
    """Ask the hub what a pull would fetch; None for a folder. Raises EngineMissing where the hub cannot be asked.

    For a single file it is what the file has need of: the published model's other parts.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.utils import filter_repo_objects

    model, revision = asked_model(weights)
    without_net = not revision and Path(model).expanduser().is_file()
    if without_net:
        model, revision = weights.model, weights.revision
    if not revision:
        return None
    try:
        info = HfApi().model_info(model, revision=revision, files_metadata=True)
    except Exception as refused:  # offline mode, no network, no such repository, gated: each an error of its own
        raise _unanswered(engine, model, refused) from refused
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    patterns = list(weights.patterns(model != weights.model, without_net))
    wanted = tuple(filter_repo_objects(list(sizes), allow_patterns=patterns))
    commit = str(info.sha)
    missing = [name for name in wanted if not isinstance(try_to_load_from_cache(model, name, revision=commit), str)]
    licence = str(getattr(info.card_data, "license", None) or weights.licence)
    total, left = (sum(sizes[name] for name in names) for names in (wanted, missing))
    return Download(model, commit, licence, wanted, total, left)


def _unanswered(engine: str, model: str, refused: Exception) -> EngineMissing:
    """Say why the hub told nothing, and what to do."""
    from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError

    if isinstance(refused, OfflineModeIsEnabled):
        return EngineMissing(engine, f"HF_HUB_OFFLINE forbids to ask the hub for {model}", f"unset it, {COPY}")
    if isinstance(refused, RepositoryNotFoundError):  # what is gated is one of these too
        why = f"the hub does not show {model} to everybody, or has none of that name"
        return EngineMissing(engine, why, "check the name, agree to its terms on the hub, and set HF_TOKEN")
    said = str(refused).strip().splitlines() or [type(refused).__name__]
    return EngineMissing(engine, f"the hub does not answer: {said[0][:120]}", f"try again with a network, {COPY}")


def pull(engine: str, download: Download) -> Path:
    """Fetch the files at the commit that was shown; what an earlier, stopped pull brought is kept.

    Raises EngineMissing where the files stop coming.
    """
    from huggingface_hub import snapshot_download, try_to_load_from_cache

    try:
        for name in download.files:
            here = try_to_load_from_cache(download.model, name, revision=download.revision)
            if name.endswith(".safetensors") and not isinstance(here, str):
                _fetch(download, name)
        wanted = list(download.files)
        return Path(snapshot_download(download.model, revision=download.revision, allow_patterns=wanted))
    except Exception as broken:  # a network, a disk or a proxy, each with an error of its own
        said = str(broken).strip().splitlines() or [type(broken).__name__]
        step = f"atelier weights pull --engine {engine}, which goes on where this ended"
        raise EngineMissing(engine, f"{download.model} did not come whole: {said[0][:120]}", step) from broken


def _fetch(download: Download, name: str) -> None:
    """Fetch one file into the hub's cache, beginning where an earlier try ended. Raises OSError for other bytes."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(download.model, name, revision=download.revision)
    told = get_hf_file_metadata(url)
    if told.etag is None:
        return  # the client's own way, whatever it is
    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=download.model, repo_type="model") / "blobs"
    if (blobs / told.etag).exists():
        return
    blobs.mkdir(parents=True, exist_ok=True)
    part = blobs / f"{told.etag}.part"
    headers = build_hf_headers()
    if urlsplit(told.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # a token is for the hub alone
    with part.open("ab") as file:
        http_get(
            told.location, file, resume_size=file.tell(), headers=headers, expected_size=told.size,
            displayed_filename=name,
        )  # fmt: skip
    if len(told.etag) == 64 and _sha256(part) != told.etag:
        part.unlink()
        raise OSError(f"{name} came with other bytes than the hub says; pull again")
    os.replace(part, blobs / told.etag)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
