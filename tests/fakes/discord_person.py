"""Somebody with Discord open, in front of the fake server: writes, uploads, presses, chooses, and reads the screen."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.discord_components import BUTTON, FILE_UPLOAD, LABEL, SELECTS, STRING_SELECT, walk
from tests.fakes.discord_interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction
from tests.fakes.discord_messages import LOADING, Message
from tests.fakes.discord_objects import BOT, Channel, Json, user_json
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from tests.fakes.discord_server import DiscordServer

LOCALES = {"en": "en-US", "es": "es-ES"}
ATTACHMENT_OPTION, STRING_OPTION = 11, 3


@dataclass(eq=False)
class Person:
    """Somebody with Discord open. closed: takes no messages from bots. installed: has the app on the own account."""

    server: DiscordServer
    id: int
    name: str
    language: str
    dm: Channel
    patience_s: float = PATIENCE_S
    closed: bool = False
    installed: bool = False
    modal: tuple[Interaction, Json] | None = None
    choices: list[Json] = field(default_factory=list)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    asked_at: float = 0.0
    waited: dict[str, float] = field(default_factory=dict)

    @property
    def id_text(self) -> str:
        """The id as Discord writes it."""
        return str(self.id)

    @property
    def user(self) -> Json:
        """The person as events describe them."""
        return user_json(self.id_text, self.name)

    @property
    def locale(self) -> str:
        """The language that the person's client is set to."""
        return LOCALES.get(self.language, self.language)

    def asks(self) -> None:
        """Note that an event of theirs is on its way to the bot now."""
        self.asked_at, self.waited = time.monotonic(), {}
        self.stirred.clear()

    def hears(self, how: str) -> None:
        """Note how long after it the first answer came: `answered` an interaction, `shown` something in the chat."""
        self.waited.setdefault(how, time.monotonic() - self.asked_at)
        self.stirred.set()

    def answered(self, interaction: Interaction) -> None:
        """Note that an interaction was acknowledged."""
        self.hears("answered")

    # --- what the person does --------------------------------------------------------------------

    async def says(self, text: str, channel: Channel | None = None) -> None:
        """Write words; what begins with the name of a registered command becomes that command, as in the client.

        Words after it become its first text option.
        """
        name, _, rest = text.removeprefix("/").partition(" ")
        command = self.server.commands.find(name) if text.startswith("/") else None
        if command is None:
            self._posts(channel or self.dm, text, [])
            return
        first = next((o["name"] for o in command.get("options") or [] if o["type"] == STRING_OPTION), "")
        await self.commands(name, channel, **({first: rest} if rest and first else {}))

    async def commands(self, name: str, channel: Channel | None = None, **options: str | bytes) -> Interaction:
        """Use a slash command; bytes are uploaded. Raises LookupError when there is no such command or option."""
        command = self.server.commands.find(name)
        if command is None:
            raise LookupError(f"no command {name!r} in {[c['name'] for c in self.server.commands.all]}")
        known = {option["name"]: option["type"] for option in command.get("options") or []}
        where = channel or self.dm
        given: list[Json] = []
        attachments: Json = {}
        for key, value in options.items():
            if key not in known:
                raise LookupError(f"/{name} has no option {key!r}, only {sorted(known)}")
            if isinstance(value, bytes):
                stored = self.server.files.keep(where.id, f"{key}.jpg", value, ephemeral=True)
                attachments[stored.id] = self.server.files.json(stored)
                value = stored.id
            given.append({"name": key, "type": known[key], "value": value})
        missing = [o["name"] for o in command.get("options") or [] if o.get("required") and o["name"] not in options]
        if missing:
            raise LookupError(f"/{name} needs {missing}")
        data: Json = {"id": command["id"], "name": name, "type": 1, "options": given}
        data |= {"resolved": {"attachments": attachments}} if attachments else {}
        return self.server.interact(COMMAND, self, where, data)

    async def types(self, name: str, option: str, so_far: str, channel: Channel | None = None) -> None:
        """Begin to fill in an option that is completed; the bot's suggestions come in `choices`."""
        command = self.server.commands.find(name)
        if command is None:
            raise LookupError(f"no command {name!r}")
        given = [{"name": option, "type": STRING_OPTION, "value": so_far, "focused": True}]
        data = {"id": command["id"], "name": name, "type": 1, "options": given}
        self.server.interact(AUTOCOMPLETE, self, channel or self.dm, data)

    async def uses(self, name: str, message: Message) -> Interaction:
        """Use a command of a message's context menu."""
        command = self.server.commands.find(name, 3)
        if command is None:
            raise LookupError(f"no message command {name!r}")
        resolved = {"messages": {message.id: self.server.messages.json(message)}}
        data = {"id": command["id"], "name": name, "type": 3, "target_id": message.id, "resolved": resolved}
        return self.server.interact(COMMAND, self, message.channel, data)

    async def sends_files(self, paths: list[Path]) -> None:
        """Send files from disk."""
        self._posts(self.dm, "", [(path.name, path.read_bytes(), "") for path in paths])

    async def sends(
        self, *pictures: bytes, text: str = "", channel: Channel | None = None, name: str = "IMG_{}.jpg", mime: str = ""
    ) -> Message:
        """Post up to ten files in one message; nothing is re-encoded. mime: announced, "" for the true one."""
        files = [(name.format(i), data, mime) for i, data in enumerate(pictures, 1)]
        return self._posts(channel or self.dm, text, files)

    def _posts(self, channel: Channel, text: str, files: list[tuple[str, bytes, str]]) -> Message:
        if len(files) > 10:
            raise ValueError("a message holds ten files")
        self.asks()
        return self.server.messages.by_person(channel, self.user, text, files)

    async def presses(self, label: str, copies: int = 1, within_s: float | None = None) -> None:
        """Wait for a button or a choice of a menu with these words and press the newest; copies are quick presses."""
        await self.can_press(label, within_s)
        message, component, value = self.find(label)
        for _ in range(copies):
            self._press(message, component, [value] if value is not None else None)

    async def presses_data(self, custom_id: str, message: Message) -> None:
        """Press a button by its id, even on somebody else's message; Discord takes only ids that are on it."""
        if all(component.get("custom_id") != custom_id for component in walk(message.components)):
            raise LookupError(f"{custom_id!r} is not on {message.text!r}")
        self._press(message, {"type": BUTTON, "custom_id": custom_id}, None)

    async def chooses(self, *labels: str) -> None:
        """Choose several entries of one menu."""
        await self.can_press(labels[0])
        message, component, _ = self.find(labels[0])
        values = [o["value"] for o in component["options"] if any(label in o["label"] for label in labels)]
        self._press(message, component, values)

    def _press(self, message: Message, component: Json, values: list[str] | None) -> None:
        data: Json = {"custom_id": component["custom_id"], "component_type": component["type"], "id": 1}
        data |= {"values": values} if values is not None else {}
        self.server.interact(COMPONENT, self, message.channel, data, message)

    async def fills(self, *files: bytes, **values: str | list[str]) -> Interaction:
        """Wait for a form and send it: files for its upload, values by the beginning of their fields' custom ids.

        Several selects may begin alike; a value is picked in the one that offers it. ValueError where none does.
        """
        await self._until(lambda: self.modal is not None, "a form")
        assert self.modal is not None
        (asked, form), self.modal = self.modal, None
        attachments: Json = {}
        components: list[Json] = []
        wanted = {name: [value] if isinstance(value, str) else value for name, value in values.items()}
        picked: set[str] = set()
        for i, label in enumerate(form["components"], 1):
            inside = label.get("component") if label["type"] == LABEL else None
            if inside is None:
                components.append({"type": label["type"], "id": i})
                continue
            filled: Json = {"type": inside["type"], "custom_id": inside["custom_id"], "id": i + 100}
            if inside["type"] == FILE_UPLOAD:
                kept = [self.server.files.keep(asked.channel.id, f"IMG_{n}.jpg", data, ephemeral=True)
                        for n, data in enumerate(files, 1)]  # fmt: skip
                least = inside.get("min_values")
                if not (1 if least is None else least) <= len(kept) <= (inside.get("max_values") or 1):
                    raise ValueError(f"the form takes {least} to {inside.get('max_values')} files")
                attachments |= {stored.id: self.server.files.json(stored) for stored in kept}
                filled["values"] = [stored.id for stored in kept]
            elif inside["type"] in SELECTS or "options" in inside:
                offered = [option["value"] for option in inside.get("options", ())]
                named = {value for name, of in wanted.items() if inside["custom_id"].startswith(name) for value in of}
                filled["values"] = [value for value in offered if value in named]
                picked |= set(filled["values"])
            else:
                filled["value"] = "".join(wanted.get(inside["custom_id"], ()))
                picked |= {filled["value"]}
            components.append({"type": LABEL, "id": i, "component": filled})
        if missing := {value for named in wanted.values() for value in named} - picked:
            raise ValueError(f"the form offers no {sorted(missing)}")
        data: Json = {"custom_id": form["custom_id"], "components": components}
        data |= {"resolved": {"attachments": attachments}} if attachments else {}
        return self.server.interact(MODAL_SUBMIT, self, asked.channel, data, asked.on)

    # --- what the person sees --------------------------------------------------------------------

    def chat(self, channel: Channel | None = None) -> list[Message]:
        """The bot's messages that this person sees, oldest first."""
        return [
            m for m in self.server.messages.all.values()
            if m.author is BOT and not m.flags & LOADING
            and (m.ephemeral_for == self.id_text if m.ephemeral_for else self.id_text in m.channel.people)
            and (channel is None or m.channel is channel)
        ]  # fmt: skip

    def screen(self) -> list[str]:
        """What is written in each of the bot's messages."""
        return [message.text for message in self.chat()]

    def find(self, label: str) -> tuple[Message, Json, str | None]:
        """Return the newest button or menu entry with these words, its message, and the entry's value."""
        for message in reversed(self.chat()):
            for component in walk(message.components):
                if component["type"] == BUTTON and label in (component.get("label") or "") and _can(component):
                    return message, component, None
                if component["type"] == STRING_SELECT:
                    for option in component["options"]:
                        if label in option["label"]:
                            return message, component, option["value"]
        raise LookupError(f"no button {label!r} in {self.screen()[-2:]} {self.buttons()}")

    def buttons(self) -> list[str]:
        """Every label that can be pressed or chosen, newest message first."""
        found: list[str] = []
        for message in reversed(self.chat()):
            for component in walk(message.components):
                if component["type"] == BUTTON and _can(component):
                    found.append(component.get("label") or "")
                found += [option["label"] for option in component.get("options") or []]
        return found

    async def sees(self, words: str, within_s: float | None = None) -> Message:
        """Wait until one of the bot's messages holds these words; return the newest that does."""
        await self._until(lambda: any(words in text for text in self.screen()), words, within_s)
        return next(message for message in reversed(self.chat()) if words in message.text)

    async def can_press(self, label: str, within_s: float | None = None) -> None:
        """Wait until a button with these words is there."""
        await self._until(lambda: any(label in text for text in self.buttons()), f"[{label}]", within_s)

    async def _until(self, true, what: str, within_s: float | None = None) -> None:  # type: ignore[no-untyped-def]
        deadline = time.monotonic() + (within_s or self.patience_s)
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what!r} did not come; on screen: {self.screen()} {self.buttons()}")
            self.stirred.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stirred.wait(), max(0.0, min(1.0, deadline - time.monotonic())))


def _can(button: Json) -> bool:
    return bool(button.get("custom_id")) and not button.get("disabled")
