"""What Discord allows, as data: the dialogue's screens read it, `bots.platforms.discord.layouts` keeps to it.

Sources: discord.com/developers/docs, "Component Reference", "Message Resource", "Receiving and Responding".
"""

from __future__ import annotations

from typing import Final

from bots.dialogue.limits import Limits

CUSTOM_ID: Final = 100  # bytes of a component's id
SAME: Final = "~"  # stands before the number that makes a second button with the same data unique in its message
UPLOAD_BYTES: Final = 10 * 2**20  # of one file where nobody paid for more
REQUEST_BYTES: Final = 25 * 2**20  # of all files of one message
ALT: Final = 1024  # characters of a file's description
TOKEN_S: Final = 15 * 60 - 20.0  # an interaction's token, less some seconds for clocks that differ

LIMITS: Final = Limits(
    button_bytes=CUSTOM_ID - len(SAME) - 1,
    label=80,
    buttons_a_row=5,
    components=40,
    row_counts=True,
    text=4000,
    caption=4000,
    toast=2000,
    pictures_a_card=10,
    album=10,
    upload_bytes=UPLOAD_BYTES,
    fetch_bytes=60_000_000,  # Discord hands out whatever it took; core.intake.decode opens no more
    edit_interval_s=1.0,
    stickers=("discord_sticker", "discord_emoji"),
    delete_days=0,  # a bot may delete its own messages at any time
)
