"""Interactions of the fake Discord: acknowledged once and within 3 seconds, followed up for 15 minutes.

Seconds that the machine stood still are nobody's fault and not counted, see `Clock.running`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fakes import discord_objects as o
from tests.fakes.discord_components import check_modal
from tests.fakes.discord_messages import EPHEMERAL, LOADING, Message, Messages, Upload
from tests.fakes.discord_objects import Channel, Clock, Form, Json, Refusal, Snowflakes

if TYPE_CHECKING:
    from tests.fakes.discord_person import Person

ACKNOWLEDGE_S, TOKEN_S = 3.0, 15 * 60.0
FOLLOW_UPS_OF_USER_INSTALLS = 5
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9


@dataclass(eq=False)
class Interaction:
    """One press, command or form. acknowledged: the callback's type, 0 for none yet. on: the message it was on."""

    id: str
    token: str
    kind: int
    person: Person
    channel: Channel
    born: float
    data: Json
    on: Message | None = None
    acknowledged: int = 0
    waited_s: float = 0.0
    original: Message | None = None
    follow_ups: int = 0
    sent: list[Message] = field(default_factory=list)


class Interactions:
    """Every interaction by its token."""

    def __init__(self, clock: Clock, ids: Snowflakes, messages: Messages) -> None:
        self._clock, self._ids, self._messages = clock, ids, messages
        self.all: dict[str, Interaction] = {}

    def begin(self, kind: int, person: Person, channel: Channel, data: Json, on: Message | None) -> Interaction:
        """Make an interaction; its 3 seconds begin now."""
        token = secrets.token_urlsafe(24)
        made = Interaction(self._ids.next(), token, kind, person, channel, self._clock.running(), data, on)
        self.all[token] = made
        return made

    def unanswered(self) -> list[Interaction]:
        """Return those of which the person was told that the application did not respond."""
        return [i for i in self.all.values() if not i.acknowledged and self._clock.running() - i.born > ACKNOWLEDGE_S]

    def forget(self) -> None:
        """Let every open interaction be too old."""
        for interaction in self.all.values():
            interaction.born -= TOKEN_S + 1

    def json(self, interaction: Interaction) -> Json:
        """Describe an interaction as INTERACTION_CREATE does."""
        person, channel = interaction.person, interaction.channel
        guild = channel.guild
        owners = {} if guild is None or not guild.bot else {"0": guild.id}
        owners |= {"0": "0"} if guild is None else {}
        owners |= {"1": person.id_text} if person.installed else {}
        body: Json = {
            "id": interaction.id, "application_id": o.APPLICATION, "type": interaction.kind, "data": interaction.data,
            "token": interaction.token, "version": 1, "locale": person.locale, "entitlements": [],
            "channel": o.channel_json(channel, person.user), "channel_id": channel.id, "context": 0 if guild else 1,
            "authorizing_integration_owners": owners, "attachment_size_limit": channel.upload_limit,
            "app_permissions": "2248473465835073" if guild else "180224",
        }  # fmt: skip
        if guild is None:
            body["user"] = person.user
        else:
            body |= {"guild_id": guild.id, "guild_locale": "en-US", "member": o.member_json(person.user),
                     "guild": {"id": guild.id, "locale": "en-US", "features": []}}  # fmt: skip
        if interaction.on is not None:
            body["message"] = self._messages.json(interaction.on)
        return body

    # --- the first answer ------------------------------------------------------------------------

    def callback(self, id: str, token: str, body: Json, files: Upload, with_response: bool) -> Json | None:
        """Answer an interaction for the first time; returns the callback response where it is asked for."""
        interaction = self.all.get(token)
        if interaction is None or interaction.id != id:
            raise Refusal(*o.UNKNOWN_INTERACTION)
        if interaction.acknowledged:
            raise Refusal(*o.ALREADY_ACKNOWLEDGED)
        if self._clock.running() - interaction.born > ACKNOWLEDGE_S:
            raise Refusal(*o.UNKNOWN_INTERACTION)
        kind, data = body.get("type"), body.get("data") or {}
        self._check_kind(interaction, kind)
        message = self._first(interaction, int(kind or 0), data, files)
        interaction.acknowledged = int(kind or 0)
        interaction.waited_s = self._clock.running() - interaction.born
        interaction.original = message
        interaction.person.answered(interaction)
        return self._callback_json(interaction, message) if with_response else None

    def _first(self, interaction: Interaction, kind: int, data: Json, files: Upload) -> Message | None:
        ephemeral_for = interaction.person.id_text
        if kind == MESSAGE:
            return self._messages.send(
                interaction.channel, data, files, token=interaction.token, ephemeral_for=ephemeral_for,
                interaction=self._metadata(interaction), path=("data",),
            )  # fmt: skip
        if kind == DEFERRED_MESSAGE:
            if (data.get("flags") or 0) & ~EPHEMERAL:
                self._refuse("flags", "Only the EPHEMERAL flag can be set.")
            hidden = ephemeral_for if (data.get("flags") or 0) & EPHEMERAL else ""
            metadata = self._metadata(interaction)
            return self._messages.loading(interaction.channel, interaction.token, metadata, hidden)
        if kind == UPDATE:
            assert interaction.on is not None
            return self._messages.edit(interaction.on, data, files, ("data",))
        if kind == MODAL:
            form = Form()
            check_modal(form, data, ("data",))
            form.check()
            interaction.person.modal = (interaction, data)
            return None
        if kind == CHOICES:
            form = Form()
            form.length(("data", "choices"), data.get("choices"), 0, 25)
            for i, choice in enumerate(data.get("choices") or []):
                form.length(("data", "choices", i, "name"), choice.get("name"), 1, 100)
            form.check()
            interaction.person.choices = data.get("choices") or []
            return None
        return interaction.on

    def _check_kind(self, interaction: Interaction, kind: object) -> None:
        on_message = interaction.on is not None and interaction.kind in {COMPONENT, MODAL_SUBMIT}
        if kind not in {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, CHOICES, MODAL}:
            self._refuse("type", "Value must be one of (4, 5, 6, 7, 8, 9).")
        if kind in {DEFERRED_UPDATE, UPDATE} and not on_message:
            self._refuse("type", "Only valid for component-based interactions.")
        if kind == MODAL and interaction.kind == MODAL_SUBMIT:
            self._refuse("type", "Not available for MODAL_SUBMIT.")
        if (kind == CHOICES) is not (interaction.kind == AUTOCOMPLETE):
            self._refuse("type", "Autocomplete is answered with choices, nothing else is.")

    def _refuse(self, key: str, words: str) -> None:
        form = Form()
        form.wrong((key,), "BASE_TYPE_CHOICES", words)
        form.check()

    def _metadata(self, interaction: Interaction) -> Json:
        owners = self.json(interaction)["authorizing_integration_owners"] if interaction.on is None else {}
        more = {"interacted_message_id": interaction.on.id} if interaction.on is not None else {}
        kind = interaction.kind if interaction.kind != MODAL_SUBMIT else COMMAND
        if kind == COMMAND:
            more["command_type"] = interaction.data.get("type", 1)
        return {"id": interaction.id, "type": kind, "user": interaction.person.user,
                "authorizing_integration_owners": owners, "name": interaction.data.get("name", ""), **more}  # fmt: skip

    def _callback_json(self, interaction: Interaction, message: Message | None) -> Json:
        inner: Json = {"id": interaction.id, "type": interaction.kind}
        body: Json = {"interaction": inner}
        if message is not None and interaction.acknowledged in {MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE}:
            inner |= {"response_message_id": message.id, "response_message_loading": bool(message.flags & LOADING),
                      "response_message_ephemeral": bool(message.ephemeral_for)}  # fmt: skip
            if interaction.acknowledged in {MESSAGE, UPDATE}:
                body["resource"] = {"type": interaction.acknowledged, "message": self._messages.json(message)}
        return body

    # --- what follows, by the token --------------------------------------------------------------

    def known(self, token: str) -> Interaction:
        """Return the interaction whose webhook this is."""
        interaction = self.all.get(token)
        if interaction is None or self._clock.running() - interaction.born > TOKEN_S:
            raise Refusal(*o.INVALID_WEBHOOK_TOKEN)
        if not interaction.acknowledged:
            raise Refusal(*o.UNKNOWN_WEBHOOK)
        return interaction

    def follow_up(self, token: str, body: Json, files: Upload) -> Message:
        """Send a follow-up; the first one after a deferred answer becomes that answer."""
        interaction = self.known(token)
        original = interaction.original
        if interaction.acknowledged == DEFERRED_MESSAGE and original is not None and original.flags & LOADING:
            return self.edit(token, "@original", {**body, "flags": (body.get("flags") or 0) & ~EPHEMERAL}, files)
        guild = interaction.channel.guild
        if guild is not None and not guild.bot:
            if interaction.follow_ups >= FOLLOW_UPS_OF_USER_INSTALLS:
                words = "Maximum number of follow up messages for this interaction reached"
                raise Refusal(400, 40094, words)
            interaction.follow_ups += 1
        message = self._messages.send(
            interaction.channel, body, files, token=token, ephemeral_for=interaction.person.id_text
        )
        interaction.sent.append(message)
        return message

    def edit(self, token: str, id: str, body: Json, files: Upload) -> Message:
        """Edit the first answer (`@original`) or a follow-up."""
        return self._messages.edit(self.message(token, id), body, files)

    def delete(self, token: str, id: str) -> None:
        """Delete the first answer or a follow-up."""
        self._messages.delete(self.message(token, id))

    def message(self, token: str, id: str) -> Message:
        """Return the first answer or a follow-up."""
        interaction = self.known(token)
        wanted = interaction.original if id == "@original" else self._messages.all.get(id)
        mine = wanted is not None and (wanted is interaction.original or wanted in interaction.sent)
        if wanted is None or not mine or wanted.id not in self._messages.all:
            raise Refusal(*o.UNKNOWN_MESSAGE)
        return wanted
