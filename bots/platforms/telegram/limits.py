"""What Telegram allows, as data: the dialogue's screens read it, `bots.platforms.telegram.messages` keeps to it.

Source: core.telegram.org/bots/api.
"""

from __future__ import annotations

from typing import Final

from bots.dialogue.limits import Limits

LIMITS: Final = Limits(
    button_bytes=64,
    label=0,
    buttons_a_row=8,
    components=100,
    row_counts=False,
    text=4096,
    caption=1024,
    toast=200,
    pictures_a_card=1,
    album=10,  # most items of a media group; fewer than two are refused
    upload_bytes=49_000_000,  # of 50 MB, which the whole request must fit into
    fetch_bytes=20_000_000,  # getFile's limit on Telegram's own servers
    edit_interval_s=3.0,  # one edit a second in a chat got bots banned for minutes
    delete_days=2,
)
PHOTO_BYTES, PHOTO_EDGES = 10_000_000, 10_000
"""Of a photo that is shown: its file, and its width and height together (Bot API, sendPhoto)."""
