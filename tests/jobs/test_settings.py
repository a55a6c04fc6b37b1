"""Settings that say all that is wrong, logs that hold nothing private, numbers to watch, and a bot without torch."""

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import yaml

from core.cli import main
from core.engines.facts import Weights, engines
from jobs import logs, metrics, settings
from jobs.services import Services, open_services
from jobs.settings import SettingsWrong
from jobs.worker.child import gpu_bytes
from tests.live_services import make_settings, person, shoot, until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ATELIER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_with_nothing_set_everything_lies_in_one_folder() -> None:
    found = settings.load()
    assert found.database == f"sqlite+aiosqlite:///{found.data}/ledger.db"
    assert (found.redis_url, found.shelf_url, found.retention_days) == (None, None, 30)


def test_every_problem_is_said_at_once_and_no_secret_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "ATELIER_DATABASE_URL": "mysql://root:hunter2@db/x",
        "ATELIER_RETENTION_DAYS": "5",
        "ATELIER_LOOK_SLOTS": "none",
        "ATELIER_TELEGRAM_TOKEN_FILE": "/does/not/exist",
        "ATELIER_TELEGRAM_TOKN": "x",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsWrong) as refused:
        settings.load()
    assert len(refused.value.problems) == len(wrong)
    assert all(any(name in line for line in refused.value.problems) for name in wrong)
    assert "hunter2" not in str(refused.value)


def test_a_secret_may_stand_in_a_file_and_the_environment_wins_over_the_toml(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("123:abc\n")
    (tmp_path / "atelier.toml").write_text('look_slots = 3\nretention_days = 7\nqueues = "look"\n')
    monkeypatch.setenv("ATELIER_TELEGRAM_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("ATELIER_RETENTION_DAYS", "1")
    found = settings.load()
    assert found.telegram_token is not None
    assert found.telegram_token.get_secret_value() == "123:abc"
    assert (found.look_slots, found.retention_days, found.queues) == (3, 1, "look")
    assert "123:abc" not in repr(found)


TOKEN = "1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is logged as JSON, by structlog and by the standard library."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    before = logging.getLogger().handlers[:], logging.getLogger().level
    logs.configure(as_json=True)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    logging.getLogger().handlers[:], level = before
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


def test_no_log_line_holds_a_token_a_link_a_caption_or_a_face(lines: Any) -> None:
    log = structlog.get_logger("atelier.test")
    log.info("sent", url=f"https://api.telegram.org/bot{TOKEN}/sendPhoto", caption="me, in Rome", job=7)
    log.info("fetched", where=f"https://api.telegram.org/file/bot{TOKEN}/photos/file_12.jpg", chat_id=42)
    log.info("nested", facts={"embedding": [0.1, 0.2], "deep": [{"text": "hello", "n": 1}]}, data=b"\xff\xd8 nose")
    logging.getLogger("other").warning("redis://user:hunter2@host/0 refused %s", TOKEN)
    try:
        raise ValueError(f"GET /bot{TOKEN}/getMe")
    except ValueError:
        log.exception("failed")
    logging.getLogger("httpx").info(f"HTTP Request: POST https://api.telegram.org/bot{TOKEN}/getUpdates")
    discord = "https://discord.com/api/v10"
    for path in ("webhooks/110/aW50ZXJh.Y3Rpb24/messages/@original", "interactions/115/aW50ZXJh.Y3Rpb24/callback"):
        logging.getLogger("discord.webhook").warning("Rate limited: POST %s/%s", discord, path)
    everything = json.dumps(lines())
    for private in (TOKEN, "Rome", "file_12", "0.2", "hello", "hunter2", "nose", "aW50ZXJh", "Y3Rpb24"):
        assert private not in everything, private
    first, _, nested, *_ = lines()
    assert (first["job"], first["event"], first["level"]) == (7, "sent", "info")
    assert nested["facts"]["deep"] == [{"text": "[cut]", "n": 1}]
    assert nested["data"] == "7 bytes"
    assert len(lines()) == 7, "httpx is silent at this level"


async def listens(port: int) -> None:
    async def answered() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return False
        writer.close()
        return True

    await until(answered)


async def ask(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), answer


async def test_an_operator_sees_depth_and_age_and_whether_all_parts_answer(
    services: Services, unused_port: int
) -> None:
    someone = await person(services)
    for n in range(2):
        await services.job_queue.place(someone.id, shoot(), f"r{n}", "telegram")
    checks = dict(services.checks)
    server = asyncio.create_task(metrics.serve("127.0.0.1", unused_port, services.database, checks))
    await listens(unused_port)
    assert (await ask(unused_port, "/livez"))[0] == 200
    assert (await ask(unused_port, "/readyz"))[0] == 200
    _, tx = await ask(unused_port, "/metrics")
    assert 'atelier_queue_depth{queue="studio",state="queued"} 2.0' in tx
    assert 'atelier_queue_age_seconds{queue="studio"}' in tx
    assert 'atelier_outbox_depth{queue="studio"} 2.0' in tx
    assert (await ask(unused_port, "/secret"))[0] == 404

    async def away() -> None:
        raise ConnectionError

    metrics_checks = checks | {"queue": away}
    checks |= metrics_checks
    status, said = await ask(unused_port, "/readyz")
    assert (status, "queue: ConnectionError" in said) == (503, True)
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)


async def test_a_process_whose_event_loop_hangs_does_not_say_that_it_lives(
    services: Services, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience_s = metrics.CHECK_S
    monkeypatch.setattr(metrics, "CHECK_S", 0.1)
    server = asyncio.create_task(metrics.serve("127.0.0.1", unused_port, services.database, services.checks))
    await listens(unused_port)

    def status() -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{unused_port}/livez") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(status).result(60) == 503, "the loop hangs here until it is answered"
    monkeypatch.setattr(metrics, "CHECK_S", patience_s)
    assert await asyncio.to_thread(status) == 200
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)


def test_a_gpu_s_memory_is_watched_where_torch_has_one_and_torch_is_not_loaded_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu_bytes() is None
    assert "torch" not in sys.modules
    card = SimpleNamespace(is_available=lambda: True, mem_get_info=lambda: (3_000, 80_000))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=card))
    assert gpu_bytes() == (77_000, 80_000)


def test_a_bot_process_has_neither_torch_nor_mediapipe_and_stays_small() -> None:
    program = (
        "import re, sys; import jobs.run, jobs.privacy.forget, jobs.privacy.export\n"
        "import bots.cli, bots.platforms.telegram.updates\n"
        "print([name for name in ('torch', 'mediapipe', 'cv2', 'diffusers') if name in sys.modules])\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    heavy, megabytes = out.splitlines()
    assert heavy == "[]"
    assert int(megabytes) <= 150


async def test_another_retention_is_a_setting_of_the_house(tmp_path: Path) -> None:
    async with open_services(make_settings(tmp_path, retention_days=7)) as short, short.database.write() as tx:
        assert (await tx.account("telegram", "1", "1")).keep_days == 7


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return services


def test_in_compose_nothing_is_published_and_nothing_runs_as_root_or_writes_where_it_should_not() -> None:
    for name, service in compose().items():
        assert "ports" not in service, name
        assert service["read_only"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "stop_grace_period" in service, name
        assert "healthcheck" in service, name
        assert name == "postgres" or service["user"].partition(":")[0] not in ("", "0", "root"), name


def test_in_compose_every_secret_comes_from_a_file() -> None:
    declared = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["secrets"]
    used = {secret for service in compose().values() for secret in service["secrets"]}
    assert used == set(declared)
    for service in compose().values():
        for name, value in service.get("environment", {}).items():
            assert not any(word in name for word in ("TOKEN", "PASSWORD", "URL", "KEY")) or (
                value is None or name.endswith("_FILE") or "$" in str(value)
            ), name


def test_in_compose_every_setting_is_one_that_exists() -> None:
    known = {f"ATELIER_{name.upper()}{end}" for name in settings.Settings.model_fields for end in ("", "_FILE")}
    named = {name for service in compose().values() for name in service.get("environment", {}) if "ATELIER" in name}
    assert named <= known


def composed(profile: str) -> dict[str, Any]:
    """The services of a profile as Compose itself reads them."""
    command: list[str | Path] = [
        BIN / "docker-compose",
        "-f",
        ROOT / "docker-compose.yml",
        "--profile",
        profile,
        "config",
    ]
    said = subprocess.run([*command, "--format=json"], capture_output=True, text=True, cwd=ROOT)
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)["services"]
    return found


@pytest.mark.parametrize(("profile", "adds"), [("cpu", "studio"), ("gpu", "studio-gpu"), ("models", "models"),
                                                ("discord", "discord")])  # fmt: skip
def test_compose_itself_accepts_the_file(profile: str, adds: str) -> None:
    found = composed(profile)
    assert set(found) == {"telegram", "look", "postgres", "valkey", adds}
    if profile == "gpu":
        (card,) = found["studio-gpu"]["deploy"]["resources"]["reservations"]["devices"]
        assert (card["driver"], card["capabilities"]) == ("nvidia", ["gpu"])


def test_in_compose_who_draws_on_a_gpu_finds_what_is_fetched_for_it_and_cannot_change_it(tmp_path: Path) -> None:
    fetcher, studio = composed("models")["models"], composed("gpu")["studio-gpu"]
    assert fetcher["environment"]["HF_HOME"] == studio["environment"]["HF_HOME"] == "/models"
    mounts = [{m["target"]: m for m in service["volumes"]}["/models"] for service in (fetcher, studio)]
    assert [(m["source"], m.get("read_only", False)) for m in mounts] == [("models", False), ("models", True)]
    assert "/models" in (ROOT / "Dockerfile").read_text().partition("install -d -o atelier")[2].splitlines()[0]

    assert fetcher["command"] == ["atelier", "weights", "pull", "--yes", "--engine", "flux2"]
    for weights in engines()["flux2"].weights:
        _publish(weights, tmp_path / "hub")
    env = {name: value for name, value in studio["environment"].items() if value and not name.endswith("_FILE")}
    finding = "from core.engines.checkpoints import find_all; from core.engines.facts import engines; "
    finding += "print(*[c.folder for c in find_all(engines()['flux2']).values()])"
    out = subprocess.run(
        [sys.executable, "-c", finding], capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, **env, "HF_HOME": str(tmp_path)},
    )  # fmt: skip
    assert out.stdout.count(str(tmp_path)) == 2, out.stderr


def _publish(weights: Weights, hub: Path) -> None:
    """Lay a model's files into the hub's cache as a pull of its pinned commit does, each empty."""
    snapshot = hub / f"models--{weights.model.replace('/', '--')}" / "snapshots" / weights.revision
    names = [f"{part}/{file}" for part in weights.parts for file in ("config.json", "model.safetensors")]
    for name in (*names, *(extra.replace("*", "tokenizer") for extra in weights.extras)):
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_text(f'{{"_class_name": "{weights.kind}"}}')


def test_what_the_images_are_built_with_are_extras_that_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.findall(r"EXTRAS[:=] ?\"?([a-z,]+)", (ROOT / "Dockerfile").read_text())
    asked += [s["build"]["args"]["EXTRAS"] for s in compose().values() if isinstance(s.get("build"), dict)]
    assert any("gpu" in one for one in asked)
    assert {name for one in asked for name in one.split(",")} <= set(extras)


def test_a_linter_has_nothing_to_say_of_the_dockerfile() -> None:
    said = subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout


def test_the_operator_reads_what_people_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def report() -> None:
        async with open_services(make_settings(tmp_path)) as opened, opened.database.write() as tx:
            account = await tx.account("telegram", "7", "7")
            await tx.add_report(account.id, "the third one is not me")

    asyncio.run(report())
    monkeypatch.setenv("ATELIER_DATA", str(tmp_path))
    assert main(["reports"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["text"] == "the third one is not me"


@pytest.mark.parametrize("chat", ["12345", "telegram:", "telegram:me too"])
def test_an_operator_s_chat_that_no_platform_knows_is_refused(chat: str) -> None:
    with pytest.raises(settings.SettingsWrong, match="OPERATOR_CHAT"):
        settings.load(operator_chat=chat)
    assert settings.load(operator_chat="telegram:-100123").operator_chat == "telegram:-100123"
