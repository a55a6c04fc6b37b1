"""Buttons on Discord: one kind, whose id is the dialogue's own data, so that every old one works after a restart."""

from __future__ import annotations

import re
from typing import Any

import discord
from discord import ui

from bots.platforms.discord.interactions import AnyInteraction
from bots.platforms.discord.layouts import data_of
from bots.platforms.discord.updates import Receiver


def press_of(receiver: Receiver) -> type[ui.DynamicItem[ui.Button[Any]]]:
    """Make the class of buttons whose presses a receiver takes.

    Their data carries conversation and nonce: the dispatcher refuses who is not their owner, and explains one of an
    earlier version.
    """

    class Press(ui.DynamicItem[ui.Button[Any]], template=r"(?s:.+)"):
        @classmethod
        async def from_custom_id(
            cls, interaction: AnyInteraction, item: ui.Item[Any], match: re.Match[str], /
        ) -> Press:
            return cls(ui.Button(label=getattr(item, "label", None), custom_id=match.string))

        async def callback(self, interaction: discord.Interaction[Any]) -> None:
            await receiver.interaction(interaction, data_of(self.custom_id))

    return Press
