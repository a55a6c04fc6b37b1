"""Application commands of the fake Discord: overwritten in bulk, and refused with 50035 as the real server refuses."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes import discord_objects as o
from tests.fakes.discord_objects import Clock, Form, Json, Refusal, Snowflakes

CHAT, USER, MESSAGE = 1, 2, 3
MOST = {CHAT: 100, USER: 15, MESSAGE: 15}
CREATES_A_DAY = 200
CHARACTERS = 8000
"""Of names, descriptions and values of one command, the longest localisation of each."""
LOCALES = frozenset(
    ["id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt-BR",
     "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja", "zh-TW", "ko"]
)  # fmt: skip
_NAME = re.compile(r"[-_'\w\u0900-\u097F\u0E00-\u0E7F]{1,32}")

Path = tuple[str | int, ...]


class Commands:
    """The global commands. writes: how often they were overwritten."""

    def __init__(self, clock: Clock, ids: Snowflakes) -> None:
        self._clock, self._ids = clock, ids
        self.all: list[Json] = []
        self.writes = 0
        self._created: list[float] = []

    def overwrite(self, wanted: list[Json]) -> list[Json]:
        """Put these in place of all; one of a known type and name keeps its id and counts as no creation."""
        form = Form()
        for i, command in enumerate(wanted):
            _check(form, command, (i,))
        for kind, most in MOST.items():
            if sum(command.get("type", CHAT) == kind for command in wanted) > most:
                form.wrong((), "APPLICATION_COMMAND_TOO_MANY", f"Maximum number of application commands is {most}.")
        keys = [(command.get("type", CHAT), command.get("name")) for command in wanted]
        if len(set(keys)) < len(keys):
            form.wrong((), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        form.check()
        old = {(command["type"], command["name"]): command for command in self.all}
        now = self._clock.now()
        self._created = [at for at in self._created if now - at < 86_400]
        new = [key for key in keys if key not in old]
        if len(self._created) + len(new) > CREATES_A_DAY:
            raise Refusal(*o.TOO_MANY_COMMANDS)
        self._created += [now] * len(new)
        self.writes += 1
        self.all = [self._stored(command, old.get(key)) for command, key in zip(wanted, keys, strict=True)]
        return self.all

    def find(self, name: str, kind: int = CHAT) -> Json | None:
        """Return a command by its name."""
        return next((c for c in self.all if c["name"] == name and c["type"] == kind), None)

    def _stored(self, command: Json, old: Json | None) -> Json:
        return {
            "default_member_permissions": None, "name_localizations": None, "description_localizations": None,
            "dm_permission": True, "nsfw": False, "contexts": None, "integration_types": [0],
            **{key: value for key, value in command.items() if value is not None},
            "type": command.get("type") or CHAT, "description": command.get("description") or "",
            "id": old["id"] if old else self._ids.next(), "application_id": o.APPLICATION, "version": self._ids.next(),
        }  # fmt: skip


def _check(form: Form, command: Json, path: Path) -> None:
    kind = command.get("type") or CHAT
    _named(form, command, path, strict=kind == CHAT)
    if kind == CHAT:
        _described(form, command, path)
        _options(form, command.get("options") or [], path)
    elif command.get("description") or command.get("options"):
        form.wrong((*path, "description"), "APPLICATION_COMMAND_DESCRIPTION", "Only slash commands have these.")
    characters = _characters(command)
    if characters > CHARACTERS:
        text = f"Command exceeds maximum size ({CHARACTERS}): {characters}"
        form.wrong(path, "APPLICATION_COMMAND_TOO_LARGE", text)
    for key, known in (("contexts", {0, 1, 2}), ("integration_types", {0, 1})):
        if command.get(key) is not None and (not command[key] or set(command[key]) - known):
            form.wrong((*path, key), "BASE_TYPE_CHOICES", f"Value must be of {known}.")


def _named(form: Form, thing: Json, path: Path, strict: bool) -> None:
    names: list[tuple[Path, Any]] = [(("name",), thing.get("name"))]
    names += [(("name_localizations", locale), name) for locale, name in _localised(form, thing, "name", path)]
    for where, name in names:
        at = (*path, *where)
        if not isinstance(name, str) or not 1 <= len(name) <= 32:
            form.wrong(at, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.")
        elif strict and (not _NAME.fullmatch(name) or name != name.lower()):
            form.wrong(at, "APPLICATION_COMMAND_INVALID_NAME", f"Command name is invalid: {name}")


def _described(form: Form, thing: Json, path: Path) -> None:
    form.length((*path, "description"), thing.get("description") or "", 1, 100)
    for locale, text in _localised(form, thing, "description", path):
        form.length((*path, "description_localizations", locale), text, 1, 100)


def _localised(form: Form, thing: Json, key: str, path: Path) -> list[tuple[str, Any]]:
    found = list((thing.get(f"{key}_localizations") or {}).items())
    for locale, _ in found:
        if locale not in LOCALES:
            text = f"Locale is not available: {locale}"
            form.wrong((*path, f"{key}_localizations", locale), "BASE_TYPE_CHOICES", text)
    return found


def _options(form: Form, options: list[Json], path: Path) -> None:
    form.length((*path, "options"), options, 0, 25)
    optional = False
    for i, option in enumerate(options):
        here = (*path, "options", i)
        _named(form, option, here, strict=True)
        _described(form, option, here)
        if option.get("required") and optional:
            text = "Required options must be placed before non-required options"
            form.wrong(here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
        optional = optional or not option.get("required")
        choices = option.get("choices") or []
        form.length((*here, "choices"), choices, 0, 25)
        if choices and option.get("autocomplete"):
            form.wrong(here, "APPLICATION_COMMAND_OPTIONS_CHOICES_AUTOCOMPLETE", "Either choices or autocomplete.")
        for n, choice in enumerate(choices):
            form.length((*here, "choices", n, "name"), choice.get("name") or "", 1, 100)
            for locale, name in _localised(form, choice, "name", (*here, "choices", n)):
                form.length((*here, "choices", n, "name_localizations", locale), name, 1, 100)
        if option.get("type") in {1, 2}:
            _options(form, option.get("options") or [], here)
    for locale in sorted({locale for option in options for locale in option.get("name_localizations") or {}}) or [""]:
        seen: set[str] = set()
        for i, option in enumerate(options):
            name = (option.get("name_localizations") or {}).get(locale, option.get("name"))
            if name in seen:
                text = f"Option name is there twice: {name} {locale}"
                form.wrong((*path, "options", i, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", text)
            seen.add(name)


def _characters(thing: Json) -> int:
    """Count as the real server does: only the longest localisation of each field."""
    total = 0
    for key in ("name", "description"):
        texts = [thing.get(key) or "", *(thing.get(f"{key}_localizations") or {}).values()]
        total += max(map(len, texts))
    total += len(thing["value"]) if isinstance(thing.get("value"), str) else 0
    return total + sum(_characters(inside) for key in ("options", "choices") for inside in thing.get(key) or [])
