"""Settings: from the environment, then `atelier.toml`, then defaults.

With nothing set, SQLite, an embedded Valkey and a folder serve. `load` lists every problem at once.
A secret may stand in a file: `ATELIER_TELEGRAM_TOKEN_FILE=/run/secrets/telegram` (so may any other name).
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from core.engines.facts import engines
from core.errors import SetupWrong

PREFIX = "ATELIER_"
WEBHOOK_PORTS = (443, 80, 88, 8443)  # where Telegram's own servers send updates


class SettingsWrong(SetupWrong):
    """One or more settings cannot be used; the message has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join([f"{len(problems)} setting(s) cannot be used:", *(f"  {p}" for p in problems)]))
        self.problems = problems


def _number(text: Any) -> Any:
    return int(text) if isinstance(text, str) and text.isdigit() else text


def _engine(name: str) -> str:
    if name not in ("auto", *engines()):
        raise ValueError(f"choose auto, {', '.join(engines())}")
    return name


class Settings(BaseSettings):
    """All settings of all processes. Durations end in _s, _minutes or _days."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file="atelier.toml", extra="forbid", env_ignore_empty=True, frozen=True
    )

    data: Path = Field(default_factory=lambda: user_data_path("atelier", appauthor=False))
    work: Path | None = None  # where running jobs have their files; a tmpfs will do, the blob store has copies
    telegram_token: SecretStr | None = None
    telegram_api: str | None = None
    telegram_webhook: str | None = None  # public https address; without one the bot asks for updates by polling
    telegram_webhook_secret: SecretStr | None = None  # Telegram sends it with every update; a webhook needs one
    telegram_webhook_host: str = "127.0.0.1"
    telegram_webhook_port: Annotated[int, Field(ge=1, le=65535)] = 8443
    discord_token: SecretStr | None = None
    discord_api: str | None = None  # base URL in place of Discord's, such as http://127.0.0.1:9/api/v10
    operator_chat: Annotated[str, Field(pattern=r"^(telegram|discord):-?\w+$")] | None = None  # told of every /report
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    shelf_url: str | None = None  # s3://bucket/prefix; keys and endpoint come from AWS_* as everywhere
    master_key: SecretStr | None = None  # 32 bytes, base64 or hex; made in data/ when not set
    engine: Annotated[str, AfterValidator(_engine)] = "auto"
    flux2_model: str | None = None  # ID, ID@COMMIT, folder or .safetensors file; read by core.engines, as those below
    flux2_base_model: str | None = None
    sdxl_model: str | None = None
    device: str | None = None  # as torch names it; "cuda" when not set
    free_prompts: bool = False  # a person's own words may reach a net; read by core.engines.safety
    c2pa_cert: Path | None = None  # PEM files, read by core.deliver.credentials
    c2pa_key: Path | None = None

    queues: Literal["all", "look", "studio"] = "all"  # what a worker of this process works on
    retention_days: Annotated[Literal[1, 7, 30], BeforeValidator(_number)] = 30
    look_slots: Annotated[int, Field(ge=1, le=64)] = 1
    look_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    studio_timeout_minutes: Annotated[float, Field(gt=0)] = 120.0
    stop_grace_s: Annotated[float, Field(ge=0)] = 5.0  # how long work may take to let go before it is killed
    lease_s: Annotated[float, Field(ge=1, le=20)] = 10.0
    mirror_s: Annotated[float, Field(gt=0)] = 10.0  # how often finished files go to the blob store for another machine
    strikes: Annotated[int, Field(ge=1)] = 4  # deaths of its process at one step before a job is given up
    look_per_account: Annotated[int, Field(ge=1)] = 40
    studio_per_account: Annotated[int, Field(ge=1)] = 3
    sittings_a_day: Annotated[int, Field(ge=0)] = 0  # a person's quota, told in the chat; 0: any number
    queue_depth: Annotated[int, Field(ge=1)] = 2000

    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0  # 0: no /metrics, /livez, /readyz
    log_json: bool = False

    @field_validator("data", "work")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().resolve()

    @model_validator(mode="after")
    def _guarded(self) -> Settings:
        if self.telegram_webhook is not None and self.telegram_webhook_secret is None:
            raise ValueError("TELEGRAM_WEBHOOK needs TELEGRAM_WEBHOOK_SECRET: else anybody could pose as Telegram")
        if self.telegram_webhook is not None and self.telegram_api is None:
            port = urlsplit(self.telegram_webhook).port or 443
            if port not in WEBHOOK_PORTS:
                ports = ", ".join(map(str, WEBHOOK_PORTS))
                raise ValueError(f"TELEGRAM_WEBHOOK: port {port}; Telegram sends to {ports} only")
        return self

    @field_validator("telegram_webhook")
    @classmethod
    def _address_for_updates(cls, address: str | None) -> str | None:
        if address is None:
            return None
        url = urlsplit(address)
        loopback = url.hostname in {"127.0.0.1", "localhost", "::1"}
        if url.scheme != "https" and not (url.scheme == "http" and loopback):
            raise ValueError("must begin with https://")
        if not url.hostname:
            raise ValueError("has no host")
        if url.query or url.fragment:
            raise ValueError("must end with the path: a query or fragment is not kept")
        return address

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _secret_for_updates(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret.get_secret_value()):
            raise ValueError("must be 1 to 256 of the characters A-Z a-z 0-9 _ -")
        return secret

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: SecretStr | None) -> SecretStr | None:
        return _scheme(url, {"sqlite+aiosqlite", "postgresql+asyncpg"})

    @field_validator("redis_url")
    @classmethod
    def _known_queue(cls, url: SecretStr | None) -> SecretStr | None:
        return _scheme(url, {"redis", "rediss", "unix"})

    @field_validator("shelf_url")
    @classmethod
    def _known_shelf(cls, url: str | None) -> str | None:
        _scheme(SecretStr(url) if url else None, {"s3", "file"})
        return url

    @property
    def database(self) -> str:
        """URL for SQLAlchemy."""
        return (
            self.database_url.get_secret_value()
            if self.database_url
            else f"sqlite+aiosqlite:///{self.data / 'ledger.db'}"
        )

    @property
    def work_folder(self) -> Path:
        """Where running jobs have their files."""
        return self.work or self.data / "work"

    @property
    def host(self) -> str:
        """This machine's name in the database's list of workers."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Job of precedence: arguments, environment, files named by the environment, atelier.toml."""
        return init_settings, env_settings, _FromFiles(settings_cls), TomlConfigSettingsSource(settings_cls)


class _FromFiles(PydanticBaseSettingsSource):
    """Reads ATELIER_<NAME>_FILE: the way Docker and systemd hand over secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        file = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (Path(file).read_text(encoding="utf-8").strip() if file else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            with suppress(OSError):  # `load` has already said so
                found[name] = self.get_field_value(field, name)[0]
        return {name: value for name, value in found.items() if value is not None}


def load(**overrides: Any) -> Settings:
    """Read the settings; overrides are for tests and command line flags. Raises SettingsWrong with every problem."""
    known = {f"{PREFIX}{name.upper()}{end}" for name in Settings.model_fields for end in ("", "_FILE")}
    known.add(f"{PREFIX}CACHE")  # where core.weights keeps its files
    strange = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    problems = [f"{name}: no such setting" for name in strange]
    problems += [f"{name}: cannot be read" for name in known if name.endswith("_FILE") and not _readable(name)]
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        problems += [f"{PREFIX}{'.'.join(map(str, e['loc'])).upper()}: {_said(e)}" for e in error.errors()]
    if problems:
        raise SettingsWrong(problems)
    return settings


def _readable(name: str) -> bool:
    return name not in os.environ or os.access(os.environ[name], os.R_OK)


def _said(error: Any) -> str:
    """One sentence without the value: it may be a secret."""
    return str(error["msg"]).removeprefix("Value error, ")


def _scheme(url: SecretStr | None, known: set[str]) -> SecretStr | None:
    scheme = urlsplit(url.get_secret_value()).scheme if url else ""
    if url and scheme not in known:
        raise ValueError(f"scheme {scheme!r} is not one of {', '.join(sorted(known))}")
    return url
