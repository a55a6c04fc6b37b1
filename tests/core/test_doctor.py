"""Claims about what the doctor says, and never says."""

from __future__ import annotations

import base64
import importlib.util
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core import doctor
from core.cli import main
from core.doctor import Check, invite, report
from tests.core.deliver.test_credentials import certificate

__all__ = ["certificate"]


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATELIER_DATA", str(tmp_path / "data"))
    for name in ("TELEGRAM_TOKEN", "DISCORD_TOKEN", "DATABASE_URL", "REDIS_URL", "C2PA_CERT", "C2PA_KEY"):
        monkeypatch.delenv(f"ATELIER_{name}", raising=False)


def found(name: str) -> Check:
    (check,) = [check for check in report() if check.name == name]
    return check


def test_each_thing_that_is_not_good_has_one_next_step_or_is_optional() -> None:
    for check in report():
        assert check.state == "good" or check.next_step or check.state == "optional"
        assert "\n" not in check.line()


def test_with_nothing_set_the_embedded_servers_and_no_chat_are_told() -> None:
    assert "SQLite" in found("database").found
    assert "Valkey" in found("queue").found
    assert found("Telegram").state == "optional"
    assert "ATELIER_DISCORD_TOKEN" in found("Discord").next_step


def test_secrets_are_never_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "discord").write_text("discord-hush\n")
    monkeypatch.setenv("ATELIER_TELEGRAM_TOKEN", "123:telegram-hush")
    monkeypatch.setenv("ATELIER_DISCORD_TOKEN_FILE", str(tmp_path / "discord"))
    monkeypatch.setenv("ATELIER_DATABASE_URL", "postgresql+asyncpg://me:database-hush@127.0.0.1:1/atelier")
    monkeypatch.setenv("ATELIER_REDIS_URL", "rediss://me:queue-hush@127.0.0.1:1/0")
    said = "\n".join(check.line() for check in report())
    assert "hush" not in said
    assert said.count("token set") == 2
    assert said.count("127.0.0.1:1 does not answer") == 2


def test_a_discord_token_brings_the_link_that_adds_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token begins with the application's number in base64; what is no such token has no link."""
    number = base64.b64encode(b"1100000000000000001").decode().rstrip("=")
    monkeypatch.setenv("ATELIER_DISCORD_TOKEN", f"{number}.Gabcde.hush")
    told = found("Discord").found
    assert "client_id=1100000000000000001&scope=bot+applications.commands&permissions=32768" in told
    assert "hush" not in told
    for token in ("", "123:abc", "hush", "aHVzaA.x.y", "....", number):
        assert invite(token) == ""


def test_a_token_in_the_settings_file_counts(tmp_path: Path) -> None:
    (tmp_path / "atelier.toml").write_text('telegram_token = "123:abc"\n')
    assert found("Telegram").found == "token set"


def test_a_server_that_answers_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("ATELIER_REDIS_URL", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        assert found("queue").state == "good"


def test_a_url_that_is_none_is_a_finding_and_not_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_REDIS_URL", "redis://host:port/0")
    assert found("queue").state == "missing"


def test_missing_weights_name_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATELIER_CACHE", str(tmp_path))
    assert found("weights").next_step == "atelier weights pull"


def test_a_missing_library_names_debians_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.LIBRARIES, "libnowhere.so.9", "libnowhere9")
    assert found("libraries").next_step == "apt-get install libnowhere9"


def card(folder: Path, monkeypatch: pytest.MonkeyPatch, gigabytes: float, capability: str = "8.6") -> None:
    """A driver's tool that knows one card, all but half a GB of it free."""
    tool = folder / "nvidia-smi"
    memory = f"{1024 * gigabytes - 512:.0f}, {1024 * gigabytes:.0f}"
    tool.write_text(f"#!/bin/sh\necho 'NVIDIA Example, {memory}, {capability}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_card_is_held_against_the_memory_plans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for gigabytes, said in (
        (24, "engine flux2, plan bf16, which needs 18.4 GB"),
        (12, "engine flux2, plan fp8, which"),
        (8, "engine flux2, plan fp8-small"),
        (4, "7.3 GB are needed"),
    ):
        card(tmp_path, monkeypatch, gigabytes)
        assert said in found("GPU").found
    card(tmp_path, monkeypatch, 12, "7.5")  # Turing has no bfloat16
    assert "engine sdxl, plan fp16, which needs 8.2 GB" in found("GPU").found


def test_a_card_without_weights_gets_the_command_that_fetches_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    card(tmp_path, monkeypatch, 24)
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cu130")
    monkeypatch.setenv("ATELIER_FLUX2_MODEL", "nobody/ever-fetched-this")
    assert found("GPU").next_step == "atelier weights pull --engine flux2"
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cpu")
    assert found("GPU").next_step == "install torch's CUDA build"


def test_an_engines_plans_are_held_against_the_card_one_by_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card(tmp_path, monkeypatch, 12)
    assert main(["doctor", "--engine", "flux2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    plans = {line.split()[1]: line for line in lines if " learns " in line and "draws " in line}
    assert "more than is free (11.5 GB)" in plans["bf16"]
    assert "fits, and is run" in plans["fp8"]
    assert plans["fp8-small"].endswith("fits (11.5 GB)")
    assert sum("Apache-2.0" in line or "/" in line for line in lines[1:3]) == 2, "where weights lie, or what is fetched"


def test_whether_pictures_are_signed_is_told_and_a_certificate_is_tried(
    certificate: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found("credentials").state == "good"
    other = ec.generate_private_key(ec.SECP256R1())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(other.private_bytes(*plain))
    assert (found("credentials").state, "cannot sign" in found("credentials").found) == ("missing", True)


def test_unsigned_pictures_are_no_fault_and_half_a_certificate_is(
    certificate: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr(importlib.util, "find_spec", lambda name: None)
        assert found("credentials").next_step == "pip install 'atelier-studio[c2pa]'"
    (tmp_path / "key.pem").unlink()
    assert found("credentials").next_step == "mend ATELIER_C2PA_KEY"
    monkeypatch.delenv("ATELIER_C2PA_KEY")
    assert (found("credentials").state, found("credentials").next_step) == ("missing", "set ATELIER_C2PA_KEY")
    monkeypatch.delenv("ATELIER_C2PA_CERT")
    assert (found("credentials").state, "ATELIER_C2PA_CERT" in found("credentials").next_step) == ("optional", True)


def test_the_doctor_imports_neither_torch_nor_mediapipe() -> None:
    script = "import sys; from core.doctor import report; report(); print({'torch', 'mediapipe'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True, cwd=root)
    assert out.stdout.strip() == "set()"
