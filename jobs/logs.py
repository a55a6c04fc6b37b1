"""Logs: one JSON object a line in production, readable lines on a terminal; nothing private in either.

People are known by their account's number or token; what they wrote, where they are and who they look
like is cut out here, in the last step before a line is written, whoever logged it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

PRIVATE: Final = frozenset(
    {"token", "password", "secret", "authorization", "caption", "text", "message_text", "username", "first_name",
     "last_name", "phone", "chat", "chat_id", "user", "user_id", "embedding", "landmarks", "file_path", "file_url",
     "photo", "payload", "dsn", "master_key"}
)  # fmt: skip
"""Names whose values never belong into a log."""

PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"\d{6,12}:[A-Za-z0-9_-]{30,}",  # a Telegram bot token, also inside /bot<token>/ links
        r"[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6,7}\.[A-Za-z\d_-]{27,}",  # a Discord bot token
        r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)",  # user:password in a URL
        r"(?<=X-Amz-Signature=)[0-9a-f]+",
        r"(?<=/webhooks/)\d+/[\w.-]+|(?<=/interactions/)\d+/[\w.-]+",  # the token of a Discord interaction
        r"https?://(?:cdn|media)\.discordapp\.(?:com|net)/\S+",
        r"(?:photos|documents|videos)/file_\d+\.\w+",  # a Telegram file path
    )
)
CUT: Final = "[cut]"


def configure(as_json: bool, level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's loggers through one chain to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[Any] = (
        [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.processors.format_exc_info, redact, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "arq", "alembic", "telegram", "discord", "filelock", "aiosqlite"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # httpx writes the bot's token into every INFO line


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut private values out of a log event, at any depth."""
    return {name: _cut(name, value) for name, value in event.items()}


def _cut(name: str, value: Any) -> Any:
    if name.lower() in PRIVATE:
        return CUT
    if isinstance(value, dict):
        return {key: _cut(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cut("", inner) for inner in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, int | float | None):
        return value
    text = str(value)
    for pattern in PATTERNS:
        text = pattern.sub(CUT, text)
    return text
